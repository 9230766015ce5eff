"""What is run: a kink in exact rationals, three kinked problems, two smooth ones, Figure 1, and a map."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.methods import Constant
from nonsmooth.objectives import Lasso, Objective, ReluRegression, ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, minimize

__all__ = [
    "ABOVE",
    "BATCH",
    "BELOW",
    "PROBLEMS",
    "SIZES",
    "figure_1",
    "gradient_method",
    "kink",
    "rises",
    "width_map",
]

# Seeds, and seeds a cell of the map, by tier.
SIZES = {"quick": (64, 16), "laptop": (480, 48), "paper": (2400, 200)}
BATCH = 32
PROBLEMS = {
    "toy LASSO": "toy LASSO, P = 10",
    "LASSO": "LASSO of eq. 15, λ1 = 0.1",
    "eq. 3": "Figure 1's function (eq. 3)",
}
SMOOTH = {"square": "square loss of eq. 15", "y = 0": "eq. 3 with y = 0"}
# Steps of the ordinary gradient method in units of 2/L.
BELOW, ABOVE = (0.5, 0.9), (1.1, 2.0)

_CURVE = 1000
_MAP_STEPS = tuple(10.0**k for k in (-3, -2.5, -2, -1.5, -1, -0.5, 0))
_MAP_WIDTHS = tuple(10.0**k for k in (-3.2, -2.7, -2.2, -1.7, -1.2, -0.7, -0.2))


def kink(spec: RunSpec) -> list[Row]:
    """f = |x1| + 2|x2| at (1, 0), subgradient (1, 2): the value after the steps 2^-k, in rationals."""
    increases = []
    for k in range(1, 41):
        t = Fraction(1, 2**k)
        value = abs(1 - t) + 2 * abs(-2 * t)
        increases.append(value == 1 + 3 * t)
    return [{"experiment": "kink", "n": len(increases), "increases": sum(increases)}]


def rises(spec: RunSpec) -> list[Row]:
    """How many steps increase the loss on one of the kinked problems."""
    objective, stepsize, start = _kinked(spec["problem"], spec["share"], spec.seeds)
    record = Record(every=1)
    run = minimize(objective, start=start, steps=spec["steps"], stepsize=Constant(stepsize), record=record)
    values = run.curve("value")
    return [
        {
            "experiment": "rises",
            "problem": spec["problem"],
            "seed": seed,
            "rises": int(run.rises[i, 0]),
            "steps": spec["steps"],
            "curve": values[i, :_CURVE].tolist() if seed == 0 else [],
        }
        for i, seed in enumerate(spec.seeds)
    ]


def gradient_method(spec: RunSpec) -> list[Row]:
    """The ordinary gradient method on two smooth relatives, on both sides of 2/L."""
    rows = []
    Z, y, start = _data(spec.seeds)
    square = np.linalg.norm(Z, ord=2, axis=(1, 2)) ** 2
    relatives = {
        "square": (Lasso(Z, y, 0.0), 2 * square / Z.shape[1]),
        "y = 0": (ReluRegression(Z, 0 * y, 0.0, 0.01), 2 * square + 2 * 0.01),
    }
    for name, (objective, lipschitz) in relatives.items():
        for factor in (*BELOW, *ABOVE):
            run = minimize(objective, start=start, steps=spec["steps"], stepsize=factor * 2 / lipschitz)
            for i, seed in enumerate(spec.seeds):
                rows.append(
                    {
                        "experiment": "gradient-method",
                        "problem": name,
                        "factor": factor,
                        "seed": seed,
                        "rises": int(run.rises[i, 0]),
                    }
                )
    return rows


def figure_1(spec: RunSpec) -> list[Row]:
    """Figure 1's set-up: does the loss rise, and does the max norm leave the unit ball?"""
    Z, y, start = _data(spec.seeds)
    f = ReluRegression(Z, -np.abs(y), 0.0, 0.01)
    run = minimize(f, start=start, steps=2000, stepsize=1e-3)
    return [
        {
            "experiment": "figure-1",
            "seed": seed,
            "rises": int(run.rises[i, 0]),
            "largest": float(run.high[i, 3]),
        }
        for i, seed in enumerate(spec.seeds)
    ]


def width_map(spec: RunSpec) -> list[Row]:
    """Share of runs whose loss rises: |x| rounded over a width d, λ1 = 1, P = 10, over the step and d."""
    start = np.stack([stream("start", seed).uniform(-1, 1, 10) for seed in spec.seeds])
    rows = []
    for width in _MAP_WIDTHS:
        f = ToyLasso(1.0, 10).smooth_twin(width)
        for stepsize in _MAP_STEPS:
            steps = spec["steps"] + int(2 / stepsize)
            run = minimize(f, start=start, steps=steps, stepsize=stepsize)
            hits = int((run.rises[:, 0] > 0).sum())
            rows.append({"experiment": "map", "x": stepsize, "y": width, "hits": hits, "n": len(spec.seeds)})
    return rows


def _data(seeds: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Z (B, 20, 500), y (B, 20) and starts (B, 500), uniform on [-1, 1]."""
    Z = np.stack([stream("data", seed).uniform(-1, 1, (20, 500)) for seed in seeds])
    y = np.stack([stream("response", seed).uniform(-1, 1, 20) for seed in seeds])
    start = np.stack([stream("start", seed).uniform(-1, 1, 500) for seed in seeds])
    return Z, y, start


def _kinked(problem: str, share: float, seeds: tuple[int, ...]) -> tuple[Objective, np.ndarray, np.ndarray]:
    """A problem with its step, a share of 2/L of the same problem without kinks, and its starts."""
    Z, y, start = _data(seeds)
    if problem == "toy LASSO":
        return ToyLasso(1.0, 10), np.full(len(seeds), share * 0.04), np.ascontiguousarray(start[:, :10])
    square = np.linalg.norm(Z, ord=2, axis=(1, 2)) ** 2
    if problem == "LASSO":
        return Lasso(Z, y, 0.1), share * 2 / (2 * square / Z.shape[1]), start
    return ReluRegression(Z, -np.abs(y), 0.0, 0.01), share * 2 / (2 * square + 2 * 0.01), start
