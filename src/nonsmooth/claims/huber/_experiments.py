"""What is run: the printed steps and a grid around 2/L, on three losses; and the class of Huber's loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.methods import Constant
from nonsmooth.objectives import Huber, Lasso, LogCosh, Objective
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, minimize

__all__ = [
    "BATCH",
    "FACTORS",
    "LAWS",
    "LOSSES",
    "MAP_LOSSES",
    "PRINTED",
    "SIZES",
    "function_class",
    "grid",
    "printed",
    "select",
    "width_map",
]

# Seeds of the printed steps, of the grid and of the map, by tier.
SIZES = {"quick": (24, 12, 16), "laptop": (96, 48, 32), "paper": (500, 200, 100)}
# The printed steps.
PRINTED = {"small": 0.1, "large": 10.0}
LAWS = ("uniform", "normal")
LOSSES = {"huber": "Huber (C1,1)", "log-cosh": "log cosh (analytic)", "square": "square (analytic)"}
# Steps of the grid, in units of each instance's 2/L.
FACTORS = (0.5, 0.9, 0.98, 1.02, 1.1, 2.0, 5.0, 15.0, 50.0)

MAP_LOSSES = ("huber", "log-cosh")
_MAP_FACTORS = (0.3, 0.6, 0.9, 1.1, 1.6, 4.0, 15.0)
# Where the quadratic part of the loss ends; 1 is printed.
_MAP_WIDTHS = (0.3, 1.0, 3.0, 10.0, 30.0)

_ROWS, _COLUMNS = 50, 200
BATCH = 12
_DIVERGED = 1e12


def select(rows: Sequence[Row], experiment: str, **wanted: Any) -> list[Row]:
    """The rows of one experiment whose fields have the wanted values."""
    return [r for r in rows if r["experiment"] == experiment and all(r[k] == v for k, v in wanted.items())]


def printed(spec: RunSpec) -> list[Row]:
    """The two printed steps; the curves of seed 0 are kept for the figure."""
    Z, y, start = _problem(spec["law"], spec.seeds)
    objective = _objective(spec["loss"], Z, y)
    edge = 2 / np.asarray(objective.facts.gradient_lipschitz)
    half = spec["steps"] // 2
    rows = []
    for label, stepsize in PRINTED.items():
        record = Record(every=1, window=half, limit=_DIVERGED)
        run = minimize(objective, start=start, steps=spec["steps"], stepsize=stepsize, record=record)
        values = run.curve("value")
        for i, seed in enumerate(spec.seeds):
            row: Row = {
                "experiment": "printed",
                "law": spec["law"],
                "loss": spec["loss"],
                "stepsize": stepsize,
                "label": label,
                "seed": seed,
                "edge": float(edge[i]),
                "diverged": bool(run.diverged[i]),
                "rises": int(run.rises[i, 0]),
                "first_half": float(values[i, :half].max()),
                "second_half": float(values[i, half:].max()),
                "frequency": float(run.turns[i]) / (2 * (half - 1)),
                "end": float(run.late_high[i, 0]),
            }
            if seed == 0 and spec["law"] == "uniform":
                row["curve"] = [v if np.isfinite(v) else None for v in values[i, :120].tolist()]
            rows.append(row)
    return rows


def grid(spec: RunSpec) -> list[Row]:
    """The same runs at multiples of each instance's own 2/L."""
    Z, y, start = _problem(spec["law"], spec.seeds)
    objective = _objective(spec["loss"], Z, y)
    edge = 2 / np.asarray(objective.facts.gradient_lipschitz)
    first = objective.value(start)
    window = spec["steps"] // 4
    record = Record(window=window, limit=_DIVERGED)
    rows = []
    for factor in FACTORS:
        run = minimize(
            objective, start=start, steps=spec["steps"], stepsize=Constant(factor * edge), record=record
        )
        rows += [
            {
                "experiment": "grid",
                "law": spec["law"],
                "loss": spec["loss"],
                "factor": factor,
                "seed": seed,
                "diverged": bool(run.diverged[i]),
                "converged": bool(run.late_high[i, 0] < 1e-9 * run.high[i, 0]),
                "frequency": float(run.turns[i]) / (2 * (window - 1)),
                "late_high": float(run.late_high[i, 0]),
                "start": float(first[i]),
            }
            for i, seed in enumerate(spec.seeds)
        ]
    return rows


def width_map(spec: RunSpec) -> list[Row]:
    """Share of runs that neither converge nor diverge, over the step and the width of the quadratic part."""
    Z, y, start = _problem("uniform", spec.seeds)
    make = Huber if spec["loss"] == "huber" else LogCosh
    rows = []
    for width in _MAP_WIDTHS:
        objective = make(Z, y, width)
        edge = 2 / np.asarray(objective.facts.gradient_lipschitz)
        for factor in _MAP_FACTORS:
            run = minimize(
                objective,
                start=start,
                steps=400,
                stepsize=Constant(factor * edge),
                record=Record(window=100, limit=_DIVERGED),
            )
            converged = run.late_high[:, 0] < 1e-9 * run.high[:, 0]
            rows.append(
                {
                    "experiment": "map",
                    "loss": spec["loss"],
                    "x": factor,
                    "y": width,
                    "hits": int((~converged & ~run.diverged).sum()),
                    "diverged": int(run.diverged.sum()),
                    "n": len(spec.seeds),
                }
            )
    return rows


def function_class(spec: RunSpec) -> list[Row]:
    """Gradient differences over distances (eq. 5), and growth along random directions from a minimiser."""
    Z, y, start = _problem(spec["law"], spec.seeds)
    f = Huber(Z, y)
    L = np.asarray(f.facts.gradient_lipschitz)
    # y has an exact fit: the least-norm solution of Z x = y is a minimiser with value 0
    solution = np.stack([np.linalg.lstsq(Z[i], y[i], rcond=None)[0] for i in range(len(Z))])
    top = np.stack([np.linalg.svd(Z[i])[2][0] for i in range(len(Z))])
    free = np.stack(
        [stream(f"direction-{spec['law']}", seed).standard_normal(_COLUMNS) for seed in spec.seeds]
    )
    direction = free / np.linalg.norm(free, axis=1, keepdims=True)
    # one residual: the slope r clipped to [-1, 1], left and right of where the quadratic ends
    scalar, h = Huber(np.ones((1, 1)), np.zeros(1)), 1e-6
    left, here, right = (float(scalar.subgradient(np.array([r]))[0]) for r in (1 - h, 1.0, 1 + h))

    def steepness(base: np.ndarray, way: np.ndarray, distance: float) -> np.ndarray:
        change = f.subgradient(base + distance * way) - f.subgradient(base)
        return np.linalg.norm(change, axis=1) / distance / L

    ratios = [
        steepness(base, direction, distance)
        for base in (start, 10 * start, solution)
        for distance in 10.0 ** np.arange(-4, 4)
    ]
    worst = np.max(ratios, axis=0)
    attained = steepness(solution, top, 1e-3)
    least = f.value(solution)
    growth = np.stack([(f.value(solution + t * direction) - least) / t**2 for t in (1e-4, 1e-3, 1e-2)])
    return [
        {
            "experiment": "class",
            "law": spec["law"],
            "seed": seed,
            "pairs": len(ratios),
            "worst": float(worst[i]),
            "attained": float(attained[i]),
            "second_left": (here - left) / h,
            "second_right": (right - here) / h,
            "minimum": float(least[i]),
            "growth_spread": float(np.ptp(growth[:, i]) / growth[:, i].mean()),
        }
        for i, seed in enumerate(spec.seeds)
    ]


def _problem(law: str, seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Data, response and start of each seed; the loss and the step do not enter."""

    def draw(axis: str, seed: int, shape: tuple[int, ...]) -> np.ndarray:
        generator = stream(f"{axis}-{law}", seed)
        return generator.uniform(-1, 1, shape) if law == "uniform" else generator.standard_normal(shape)

    Z = np.stack([draw("Z", seed, (_ROWS, _COLUMNS)) for seed in seeds])
    y = np.stack([draw("y", seed, (_ROWS,)) for seed in seeds])
    start = np.stack([draw("start", seed, (_COLUMNS,)) for seed in seeds])
    return Z, y, start


def _objective(loss: str, Z: np.ndarray, y: np.ndarray) -> Objective:
    if loss == "square":
        # half the mean square, by eq. 15's form: the same Hessian Z^T Z / N as Huber's near its minimum
        return Lasso(Z / np.sqrt(2), y / np.sqrt(2), 0.0)
    return (Huber if loss == "huber" else LogCosh)(Z, y)
