"""Networks trained with soft-thresholding in three uses, and how far from a local minimum each ends.

All uses and all seeds are rows of one tensor, with the same data and starts; a step is one gradient of all.
The penalty is λ1 times the sum of all parameters' sizes, as in eq. 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nonsmooth.claims._claim import Row
from nonsmooth.claims._dense import Dense, parity, small_images, starts
from nonsmooth.claims._kinked_network import SLOPES, Kinked
from nonsmooth.claims.soft_threshold._network_minima import Minimum, kinked_minimum, smooth_minimum
from nonsmooth.methods import attach
from nonsmooth.penalties import L1, Penalty
from nonsmooth.runs import RunSpec

__all__ = ["global_minimum", "one_sample", "trained"]

# Uses of soft-thresholding, by the optimiser whose steps it follows. The threshold is λ1 times the effective
# step of that optimiser ("proximal") or times its α ("by hand"), or comes once, after a penalty in the loss.
_SGD: tuple[str, ...] = ("proximal", "momentum by hand", "once")
_ADAM: tuple[str, ...] = ("Adam proximal", "Adam proximal falling", "Adam by hand")
_ADAM_STEP, _MOMENTUM = 0.02, 0.9
_FALL = 1e-4  # falling steps: constant for half of the steps, then geometrically to this share
_DESCENT = 100  # small steps, from an end, that show how far the objective can be lowered
_REACH = 8.0  # of the one sample: the size of its first feature; the others are at most 1


def trained(spec: RunSpec) -> list[Row]:
    """Square loss on odd against even classes, full batch, one hidden layer: an end a use and seed."""
    x, labels = small_images(spec, spec["samples"], spec["side"])
    y, penalty = parity(labels), L1(spec["network_strength"])
    sizes, activation = (x.shape[-1], spec["width"], 1), spec["activation"]
    net = Dense(sizes, activation, "square", x, y)
    uses = len(_SGD) + len(_ADAM)
    many = Dense(sizes, activation, "square", x.repeat(uses, 1, 1), y.repeat(uses, 1, 1))
    ends = _train(many, net.start(starts(spec)), penalty, spec["stepsize"], spec["steps"])
    rows = []
    for use, end in ends.items():
        rows += _rows(spec, net, penalty, use, end)
    return rows


def _rows(spec: RunSpec, net: Dense, penalty: Penalty, use: str, end: Tensor) -> list[Row]:
    """Distance to the subdifferential, how far small steps descend, and the certified minimum nearby."""
    strength = spec["network_strength"]
    _, gradient = net.slopes(end)
    distance = penalty.subdifferential_distance(end, gradient) / strength
    values = net.values(end) + penalty.value(end)
    lowest = _descend(net, end, penalty, spec["stepsize"] / 50)
    points, live = end.cpu().numpy(), _live(net, end)
    # elsewhere the ends are far from any minimum
    minima = (
        [_minimum(net, k, strength, point) for k, point in enumerate(points)] if "proximal" in use else None
    )
    rows = []
    for k, (seed, point) in enumerate(zip(spec.seeds, points, strict=True)):
        row: Row = {
            "experiment": "trained",
            "activation": net.activation_name,
            "use": use,
            "seed": seed,
            "value": float(values[k]),
            "descended": float(lowest[k]),
            "distance": float(distance[k]),
            "zeros": int((point == 0).sum()),
            "entries": point.size,
            "live": live[k],
        }
        if minima is not None:
            found = minima[k]
            row |= {
                "strict": found.strict,
                "minimum": found.value,
                "moved": float(np.abs(found.theta - point).max()),
                "same_support": bool(((np.abs(found.theta) <= 1e-12) == (point == 0)).all()),
                "kinks": found.kinks,
                "margin": found.margin,
                "curvature": found.curvature,
            }
        rows.append(row)
    return rows


def _live(net: Dense, theta: Tensor) -> list[int]:
    """Hidden units that take something in and give it on, by seed."""
    (weight, bias), (out, _) = net.layers(theta)
    takes = (weight != 0).any(2) | (bias != 0)
    return (takes & (out[:, 0] != 0)).sum(1).tolist()


def _minimum(net: Dense, k: int, strength: float, point: np.ndarray) -> Minimum:
    if net.activation_name in SLOPES:
        return kinked_minimum(Kinked.of(net, k), strength, point)
    one = Dense(net.sizes, net.activation_name, net.loss, net.x[k], net.y[k])
    return smooth_minimum(one, strength, point)


def _train(net: Dense, start: Tensor, penalty: Penalty, stepsize: float, steps: int) -> Mapping[str, Tensor]:
    """The ends by use, each (S, P); ``net`` holds the samples once a use."""
    at = {use: torch.nn.Parameter(start.clone()) for use in (*_SGD, *_ADAM)}
    groups: dict[str, dict[str, Any]] = {use: {"params": [p]} for use, p in at.items()}
    # so that α is what a settled gradient moves by with momentum, too
    groups["momentum by hand"] |= {"lr": stepsize * (1 - _MOMENTUM), "momentum": _MOMENTUM}
    sgd = torch.optim.SGD([groups[use] for use in _SGD], lr=stepsize)
    adam = torch.optim.Adam([groups[use] for use in _ADAM], lr=_ADAM_STEP)
    for optimizer, uses in ((sgd, _SGD), (adam, _ADAM)):
        attach(optimizer, penalty, params=[at[use] for use in uses if "proximal" in use])
    by_use = dict(zip((*_SGD, *_ADAM), [*sgd.param_groups, *adam.param_groups], strict=True))
    by_hand = [use for use in at if use.endswith("by hand")]
    falling = [use for use in at if use.endswith("falling")]
    for t in range(steps):
        every = net.slopes(torch.cat([p.detach() for p in at.values()]))[1]
        for p, gradient in zip(at.values(), every.split(len(start)), strict=True):
            p.grad = gradient
        # in the loss, by its subgradient
        at["once"].grad = at["once"].grad + penalty.subgradient(at["once"].detach())
        for use in falling if t >= steps // 2 else ():
            by_use[use]["lr"] *= _FALL ** (1 / (steps - steps // 2))
        sgd.step()
        adam.step()
        for use in by_hand:
            penalty.prox(at[use].detach(), by_use[use]["lr"], out=at[use].detach())
    penalty.prox(at["once"].detach(), stepsize, out=at["once"].detach())
    return {use: p.detach() for use, p in at.items()}


def _descend(net: Dense, start: Tensor, penalty: Penalty, stepsize: float) -> Tensor:
    """(S,) the least objective that small proximal gradient steps meet."""
    theta, lowest = start.clone(), torch.full_like(start[:, 0], torch.inf)
    for _ in range(_DESCENT):
        values, gradient = net.slopes(theta)
        lowest = torch.minimum(lowest, values + penalty.value(theta))
        theta = penalty.prox(theta - stepsize * gradient, stepsize)
    return lowest


def one_sample(spec: RunSpec) -> list[Row]:
    """A ReLU network on one sample, where the global minimum is known: each step thresholded, α constant."""
    strength, width, inputs = spec["network_strength"], spec["width"], 16
    x = np.stack([spec.rng("data", seed).uniform(-1, 1, (1, inputs)) for seed in spec.seeds])
    x[:, :, 0] = _REACH * np.sign(x[:, :, 0])
    y = torch.ones(len(x), 1, 1, dtype=torch.float64)
    net = Dense((inputs, width, 1), "relu", "square", torch.from_numpy(x), y)
    penalty, theta = L1(strength), net.start(starts(spec)) / 2
    for _ in range(spec["steps"]):
        theta = penalty.prox(theta - spec["stepsize"] * net.slopes(theta)[1], spec["stepsize"])
    values = net.values(theta) + penalty.value(theta)
    least = global_minimum(_REACH, strength)
    live = _live(net, theta)
    return [
        {
            "experiment": "one-sample",
            "seed": seed,
            "excess": float(values[k] - least),
            "minimum": least,
            "zeros": int((theta[k] == 0).sum()),
            "entries": net.size,
            "live": live[k],
        }
        for k, seed in enumerate(spec.seeds)
    ]


def global_minimum(reach: float, strength: float) -> float:
    """The least (o - 1)^2/2 + λ ||theta||_1 of a ReLU network on one sample, largest feature reach >= 1.

    Hidden unit j gives at most t_j = |v_j| (||w_j||_1 + |b_j|) reach in size, at a cost of at least
    2 λ sqrt(t_j/reach); the output's bias gives |c| at λ |c|. Both costs are concave in what they give, so
    the cheapest way to an output t > 0 is one unit with a single weight, or the bias alone:

        min over t in [0, 1] of (t - 1)^2/2 + λ min(t, 2 sqrt(t/reach)).

    >>> round(global_minimum(8.0, 0.05), 6)
    0.035198
    """
    bias = strength - strength**2 / 2 if strength < 1 else 0.5
    # the unit's: with t = s^2 a quartic, stationary where s^3 - s + λ / sqrt(reach) = 0
    roots = np.roots([1.0, 0.0, -1.0, strength / np.sqrt(reach)])
    inside = [0.0, *(float(r.real) for r in roots if abs(r.imag) < 1e-12 and 0 < r.real < 1)]
    return float(min(bias, *((s * s - 1) ** 2 / 2 + 2 * strength * s / np.sqrt(reach) for s in inside)))
