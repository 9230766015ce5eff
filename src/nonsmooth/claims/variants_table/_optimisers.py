"""The optimisers of Table 1: the paper's recursions and torch's own, behind one function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nonsmooth.methods import Method, Momentum, RMSProp, Subgradient
from nonsmooth.objectives import Objective
from nonsmooth.trajectories import Record, minimize

__all__ = ["OPTIMISERS", "Optimiser", "iterates"]


class Optimiser(NamedTuple):
    """``row`` of Table 1; the paper's recursion if ``torch`` is None, else torch's from (params, lr)."""

    row: str
    title: str
    method: Callable[[float], Method]
    torch: Callable[[Any, float], Any] | None = None


def _torch(name: str, **options: Any) -> Callable[[Any, float], Any]:
    def make(parameters: Any, lr: float) -> Any:
        import torch

        return getattr(torch.optim, name)(parameters, lr=lr, **options)

    return make


OPTIMISERS = {
    "vanilla": Optimiser("vanilla", "eq. 11", lambda jitter: Subgradient()),
    "torch SGD": Optimiser("vanilla", "torch SGD", lambda jitter: Subgradient(), _torch("SGD")),
    "momentum": Optimiser("momentum", "eq. 16, η = 0.9", lambda jitter: Momentum(0.9)),
    "torch momentum": Optimiser(
        "momentum", "torch SGD(0.9)", lambda jitter: Momentum(0.9), _torch("SGD", momentum=0.9)
    ),
    "RMSProp": Optimiser("RMSProp", "eq. 18-19, γ = 0.99", lambda jitter: RMSProp(0.99, jitter)),
    "torch RMSprop": Optimiser(
        "RMSProp", "torch RMSprop", lambda jitter: RMSProp(0.99, jitter), _torch("RMSprop", alpha=0.99)
    ),
}


def iterates(
    name: str, objective: Objective, start: np.ndarray, stepsize: float, steps: int, keep: int, jitter: float
) -> np.ndarray:
    """The last ``keep`` iterates, (B, keep, P), of a separable objective from starts (B, P), float64."""
    optimiser = OPTIMISERS[name]
    if optimiser.torch is None:
        record = Record(tail=keep)
        method = optimiser.method(jitter)
        return minimize(
            objective, start=start, steps=steps, stepsize=stepsize, method=method, record=record
        ).tail
    import torch

    # the objective is separable, so one parameter holds all runs
    b = torch.tensor(start, requires_grad=True)
    optimizer = optimiser.torch([b], stepsize)
    tail = []
    for t in range(steps + 1):
        now = b.detach().numpy()
        if t > steps - keep:
            tail.append(now.copy())
        b.grad = torch.from_numpy(np.ascontiguousarray(objective.subgradient(now)))
        if t < steps:
            optimizer.step()
    return np.stack(tail, axis=1)
