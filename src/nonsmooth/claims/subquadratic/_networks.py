"""Networks: second differences at their ends against exact curvature, and growth at the edge of stability.

At the edge gradient descent ends oscillating, nearly between two points. Their mean is the centre; the way
from it is nearly the Hessian's top eigenvector there, with eigenvalue η. Growth at the amplitude A of the
oscillation is

    (f(centre + A v) + f(centre - A v) - 2 f(centre)) / (η A^2),

1 for a quadratic and less for subquadratic growth: a difference over the oscillation's own scale, not a
limit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from nonsmooth.claims._claim import Row
from nonsmooth.claims._dense import Dense, parity, small_images, starts
from nonsmooth.claims._faces import descend
from nonsmooth.claims._kinked_network import SLOPES, Kinked
from nonsmooth.claims._quasi_newton import bfgs
from nonsmooth.claims.subquadratic._experiments import LENGTHS
from nonsmooth.runs import RunSpec

__all__ = ["network"]

_SCALES = (0.01, 1.0, 3.0, 10.0)  # of the amplitude
_PRODUCTS = 300  # Hessian-vector products of a power iteration
_RIDGE = 1e-3
_EPS = float(np.finfo(np.float64).eps)


def network(spec: RunSpec) -> list[Row]:
    """Square loss on odd against even classes, full batch: the edge, then differences where training ends."""
    x, labels = small_images(spec, spec["samples"], spec["side"])
    y = parity(labels)
    inputs = x.shape[-1]
    wide = Dense((inputs, spec["wide"], 1), spec["activation"], "square", x, y)
    rows, trained = _edge(spec, wide)
    narrow = Dense((inputs, spec["narrow"], 1), spec["activation"], "square", x, y, _RIDGE)
    ends = bfgs(narrow.slopes, narrow.start(starts(spec)), spec["iterations"], 1e-7)
    points, certified = ends.points, (ends.gradients.norm(dim=1) <= 1e-6).tolist()
    if spec["activation"] in SLOPES:  # onto the kinks, with a certificate
        faces = [descend(Kinked.of(narrow, k), point.cpu().numpy()) for k, point in enumerate(points)]
        points = torch.from_numpy(np.stack([face.theta for face in faces])).to(points)
        certified = [face.strict for face in faces]
    return [
        *rows,
        *_differences(spec, wide, trained, "trained", [row["bounded"] for row in rows]),
        *_differences(spec, narrow, points, "minimum", certified),
    ]


def _top(net: Dense, theta: Tensor) -> tuple[Tensor, Tensor]:
    """Largest eigenvalue and its eigenvector, by power iteration: (S,) and (S, P)."""
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(theta.shape, generator=generator, dtype=theta.dtype).to(theta.device)
    value, v = _largest(net, theta, start, torch.zeros_like(theta[:, 0]))
    if (value < 0).any():  # the largest in size is not the largest
        value, v = _largest(net, theta, start, (-value).clamp(min=0))
    return value, v


def _largest(net: Dense, theta: Tensor, v: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """The eigenvalue that is largest in size after ``shift`` (S,) is added to all."""
    for _ in range(_PRODUCTS):
        v = v / v.norm(dim=1, keepdim=True).clamp(min=1e-300)
        v = net.curvatures(theta, v) + shift[:, None] * v
    v = v / v.norm(dim=1, keepdim=True).clamp(min=1e-300)
    return (net.curvatures(theta, v) * v).sum(1), v


def _edge(spec: RunSpec, net: Dense) -> tuple[list[Row], Tensor]:
    """Gradient descent from the edge of its start, α = 2/η there, and the growth at the end."""
    theta = net.start(starts(spec))
    start, _ = _top(net, theta)
    step = (2 / start)[:, None]
    every = torch.arange(len(theta), device=theta.device)
    before, rises = theta, torch.zeros(len(theta), device=theta.device)
    last = torch.full_like(start, torch.inf)
    for t in range(spec["steps"]):
        value, gradient = net.slopes(theta, every)
        if t >= spec["steps"] - 200:
            rises = rises + (value > last)
        last, before = value, theta
        theta = theta - step * gradient
    centre, half = (theta + before) / 2, (theta - before) / 2
    top, v = _top(net, centre)
    amplitude = (half * v).sum(1).abs()
    middle = net.values(centre)
    growth = []
    for scale in _SCALES:
        move = scale * amplitude[:, None] * v
        pair = net.values(centre + move) + net.values(centre - move)
        growth.append((pair - 2 * middle) / (top * (scale * amplitude) ** 2))
    value, _ = net.slopes(theta)
    # how much of the oscillation is along v
    share = amplitude / half.norm(dim=1)
    rows = [
        {
            "experiment": "edge",
            "activation": spec["activation"],
            "seed": seed,
            "step": float(step[k]),
            "loss": float(value[k]),
            "bounded": bool(torch.isfinite(value[k])),
            "sharpness": float(top[k] * step[k] / 2),
            "amplitude": float(amplitude[k]),
            "along_top": float(share[k]),
            "rises": float(rises[k] / 200),
            "growth": [float(each[k]) for each in growth],
        }
        for k, seed in enumerate(spec.seeds)
    ]
    return rows, torch.where(torch.isfinite(theta), theta, 0.0)


def _differences(spec: RunSpec, net: Dense, points: Tensor, place: str, reached: Sequence[bool]) -> list[Row]:
    """Second differences along three directions, over h; exact curvature, units crossed, size of rounding."""
    _, gradient = net.slopes(points)
    random = np.stack([spec.rng("direction", seed).standard_normal(net.size) for seed in spec.seeds])
    ways = {
        "random": torch.from_numpy(random).to(points),
        "gradient": gradient,
        "top eigenvector": _top(net, points)[1],
    }
    here = net.values(points)
    rows = []
    for name, way in ways.items():
        d = way / way.norm(dim=1, keepdim=True).clamp(min=1e-300)
        exact = (net.curvatures(points, d) * d).sum(1)
        measured, crossed = [], []
        for h in LENGTHS:
            sides = [points + sign * h * d for sign in (-1, 1)]
            left, right = map(net.values, sides)
            measured.append((left + right - 2 * here) / h**2)
            before, after = (net.forward(side).inner[0].flatten(1) > 0 for side in sides)
            crossed.append((before != after).sum(1))
        rows += [
            {
                "experiment": "network-differences",
                "activation": spec["activation"],
                "place": place,
                "direction": name,
                "seed": seed,
                "reached": reached[k],
                "exact": float(exact[k]),
                "measured": [float(each[k]) for each in measured],
                "crossed": [int(each[k]) for each in crossed],
                "rounding": [4 * _EPS * float(here[k]) / h**2 for h in LENGTHS],
                "gradient": float(gradient[k].norm()),
            }
            for k, seed in enumerate(spec.seeds)
        ]
    return rows
