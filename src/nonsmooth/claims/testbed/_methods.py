"""Two methods the paper names without a recursion: Adam, and SGD with one row of the data a step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nonsmooth.methods import Method
from nonsmooth.objectives import Objective
from nonsmooth.runs import stream

__all__ = ["SGD", "Adam"]


@dataclass(frozen=True)
class Adam(Method):
    """torch's Adam at its defaults, for a batch of runs (B, P) at once."""

    def step(self, objective: Objective, x: Any, size: Any, state: dict[str, Any]) -> Any:
        g = objective.subgradient(x)
        t = state["t"] = state.get("t", 0) + 1
        state["m"] = 0.9 * state.get("m", 0.0) + 0.1 * g
        state["v"] = 0.999 * state.get("v", 0.0) + 0.001 * g * g
        return x - size * (state["m"] / (1 - 0.9**t)) / (np.sqrt(state["v"] / (1 - 0.999**t)) + 1e-8)


@dataclass(frozen=True)
class SGD(Method):
    """x - a g, g from one random row: N times its slope, plus the penalty's; E g is a subgradient of f."""

    def step(self, objective: Objective, x: Any, size: Any, state: dict[str, Any]) -> Any:
        rng = state.setdefault("rng", stream("minibatch", 0))
        assert objective.loss is not None
        runs, rows = np.arange(len(x)), objective.W.shape[1]
        picked = rng.integers(rows, size=len(x))
        z, y = objective.W[runs, picked], objective.y[runs, picked]
        slope = objective.loss.slope((z * x).sum(axis=1), y, np)
        return x - size * (rows * slope[:, None] * z + objective.penalty.subgradient(x))
