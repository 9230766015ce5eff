"""Full-batch gradient descent on networks as in Cohen et al. (2021), and the sharpness on the way.

Fully connected networks with two hidden layers, and convolutional ones with two (3 x 3, average pooling,
which has no kinks), torch's initialisation. The step is alpha with 2/alpha a multiple of the sharpness of
the start, so that what has to be reached is known before the run. Sharpness is the Hessian's largest
eigenvalue on all samples, by Lanczos to a relative residual of 1e-3; the last one is repeated in float64.

Source: Cohen, Kaur, Li, Kolter, Talwalkar, "Gradient descent on neural networks typically occurs at the edge
of stability", ICLR 2021.
"""

from __future__ import annotations

import copy
import functools
import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from nonsmooth.claims._claim import Row
from nonsmooth.datasets import images
from nonsmooth.diagnostics._sharpness import sharpness
from nonsmooth.errors import InputError
from nonsmooth.networks import activation, initialise
from nonsmooth.runs import RunSpec
from nonsmooth.training import Resident

__all__ = ["DIVERGED", "LOSSES", "build", "large_steps", "network_edge"]

DIVERGED = 1e12  # times the first loss
_TOLERANCE = 1e-3
_COLD = 5  # every so many measurements start from a random vector: a warm one can miss an overtaking
_STOP = 0.1  # of the first loss: past it the sharpness of the cross-entropy falls with the loss


def _square(outputs: Tensor, labels: Tensor) -> Tensor:
    """Half the squared distance to the one-hot target, the mean over samples."""
    return (outputs - _targets(outputs, labels)).square().sum(1).mean() / 2


def _huber(outputs: Tensor, labels: Tensor) -> Tensor:
    """Eq. 10's Huber loss of each output, summed over outputs; equal to the square for residuals below 1."""
    return functional.huber_loss(outputs, _targets(outputs, labels), reduction="none").sum(1).mean()


def _log_cosh(outputs: Tensor, labels: Tensor) -> Tensor:
    size = (outputs - _targets(outputs, labels)).abs()
    return (size + functional.softplus(-2 * size, threshold=40) - math.log(2)).sum(1).mean()


def _targets(outputs: Tensor, labels: Tensor) -> Tensor:
    return functional.one_hot(labels, outputs.shape[1]).to(outputs)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "square": _square,
    "cross-entropy": functional.cross_entropy,
    "huber": _huber,
    "log-cosh": _log_cosh,
}


def network_edge(spec: RunSpec) -> list[Row]:
    """Gradient descent with 2/alpha = ``rise`` times the first sharpness, until the loss is a tenth."""
    x, labels, classes = _data(spec["images"], spec["device"], spec["count"], spec["side"])
    loss_of = LOSSES[spec["loss"]]
    rows = []
    for seed in spec.seeds:
        net = build(spec, x, classes, seed)
        parameters: list[Tensor] = list(net.parameters())
        found = sharpness(net, loss_of, [(x, labels)], tolerance=_TOLERANCE)
        first = found.value
        step = 2 / (spec["rise"] * first)
        values, at, levels, unconverged, products = [], [], [], 0, found.products
        losses: list[float] = []
        beyond = 0.0
        for k in range(spec["steps"] + 1):
            outputs = net(x)
            loss = loss_of(outputs, labels)
            losses.append(float(loss.detach()))
            if _diverged(losses):
                break
            ended = k == spec["steps"] or losses[-1] < _STOP * losses[0]
            if k % spec["every"] == 0 or ended:
                warm = None if len(values) % _COLD == 0 else found
                found = sharpness(net, loss_of, [(x, labels)], tolerance=_TOLERANCE, start=warm)
                values.append(found.value * step / 2)
                at.append(k)
                levels.append(losses[-1])
                unconverged += not found.converged
                products += found.products
                residuals = (outputs.detach() - _targets(outputs, labels)).abs()
                beyond = max(beyond, float((residuals > 1).double().mean()))
            if ended:
                break
            _descend(loss, parameters, step)
        late = losses[3 * len(losses) // 4 :]
        rows.append(
            {
                "experiment": "network-edge",
                **{name: spec[name] for name in ("network", "activation", "loss", "rise")},
                "seed": seed,
                "samples": len(x),
                "stepsize": step,
                "start": first,
                "at": at,
                "ratios": values,  # sharpness over 2/alpha
                "losses": levels,
                "steps": len(losses) - 1,
                "late_rises": sum(b > a for a, b in pairwise(late)),
                "late_steps": len(late) - 1,
                "diverged": _diverged(losses),
                "beyond": beyond,  # greatest share of the residuals that were above 1 at a measurement
                "unconverged": unconverged,
                "products": products,
                "double": _in_double(net, loss_of, x, labels) * step / 2 if not _diverged(losses) else None,
            }
        )
    return rows


def large_steps(spec: RunSpec) -> list[Row]:
    """Gradient descent at multiples of 2/sharpness of the start."""
    x, labels, classes = _data(spec["images"], spec["device"], spec["count"], spec["side"])
    loss_of = LOSSES[spec["loss"]]
    rows = []
    for seed in spec.seeds:
        start = build(spec, x, classes, seed)
        first = sharpness(start, loss_of, [(x, labels)], tolerance=_TOLERANCE)
        for factor in spec["factors"]:
            net = copy.deepcopy(start)
            parameters: list[Tensor] = list(net.parameters())
            losses: list[float] = []
            for _ in range(spec["steps"] + 1):
                loss = loss_of(net(x), labels)
                losses.append(float(loss.detach()))
                if _diverged(losses):
                    break
                _descend(loss, parameters, factor * 2 / first.value)
            diverged = _diverged(losses)
            late = losses[3 * len(losses) // 4 :]
            rows.append(
                {
                    "experiment": "network-steps",
                    **{name: spec[name] for name in ("network", "activation", "loss")},
                    "seed": seed,
                    "factor": factor,
                    "samples": len(x),
                    "first": losses[0],
                    "highest": None if diverged else max(losses),
                    "late": None if diverged else max(late),
                    "steps": len(losses) - 1,
                    "diverged": diverged,
                    "converged": first.converged,
                }
            )
    return rows


def build(spec: RunSpec, x: Tensor, classes: int, seed: int) -> nn.Sequential:
    """The network, from torch's initialisation of this seed's stream."""
    width, name = spec["width"], spec["activation"]
    _, channels, side, _ = x.shape
    if spec["network"] == "convolutional":
        layers: list[nn.Module] = [
            nn.Conv2d(channels, width, 3, padding=1),
            _activation(name),
            nn.AvgPool2d(2),
            nn.Conv2d(width, width, 3, padding=1),
            _activation(name),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Linear(width * (side // 4) ** 2, classes),
        ]
    else:
        layers = [
            nn.Flatten(),
            nn.Linear(channels * side * side, width),
            _activation(name),
            nn.Linear(width, width),
            _activation(name),
            nn.Linear(width, classes),
        ]
    net = nn.Sequential(*layers)
    # torch's law does not depend on the activation, which is named only because one has to be
    initialise(net, "torch", "identity", int(spec.rng("start", seed).integers(2**62)))
    return net.to(x.device)


def _activation(name: str) -> nn.Module:
    return nn.Hardtanh() if name == "hardtanh" else activation(name)


def _descend(loss: Tensor, parameters: list[Tensor], step: float) -> None:
    slopes = torch.autograd.grad(loss, parameters)
    with torch.no_grad():
        for parameter, slope in zip(parameters, slopes, strict=True):
            parameter.sub_(slope, alpha=step)


def _diverged(losses: list[float]) -> bool:
    return not (math.isfinite(losses[-1]) and losses[-1] <= DIVERGED * losses[0])


def _in_double(
    net: nn.Sequential, loss_of: Callable[[Tensor, Tensor], Tensor], x: Tensor, labels: Tensor
) -> float:
    """Sharpness here in float64 from a random start; nan where it has not converged."""
    found = sharpness(copy.deepcopy(net).double(), loss_of, [(x.double(), labels)], tolerance=_TOLERANCE)
    return found.value if found.converged else math.nan


@functools.lru_cache(maxsize=2)
def _data(name: str, device: str, count: int, side: int) -> tuple[Tensor, Tensor, int]:
    """The first training images, classes balanced, averaged down to ``side`` pixels; labels; classes."""
    source = images(name)
    _, height, width = source.shape
    if height != width or height % min(side, height) or min(side, height) % 4:
        raise InputError(
            f"the images of {name!r} are {height} x {width} pixels; give square ones whose side is a "
            f"multiple of {side}"
        )
    shrink = height // min(side, height)
    data = Resident.of(source, device=device, count=count, test_count=0, shrink=shrink)
    return data.train.contiguous(), data.train_labels, len(source.classes)
