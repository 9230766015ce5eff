"""What is run: torch's own schedule, a search in exact rationals, sharp functions, and StepLR with twins."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.methods import Reducing
from nonsmooth.objectives import Objective, ReluRegression, ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, minimize

__all__ = [
    "BATCH",
    "DECAYS",
    "FAMILIES",
    "RELU_DECAYS",
    "RELU_FRACTIONS",
    "SIZES",
    "TOTALS",
    "WIDTHS",
    "curves",
    "ends",
    "schedule",
    "search",
    "select",
    "sharp",
]

# Seeds, and the greatest denominator of the search, by tier.
SIZES = {"quick": (64, 6), "laptop": (256, 10), "paper": (1024, 16)}
BATCH = 64
# The map's axes: the sum of the first stage's steps, and the factor of each later stage.
TOTALS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
DECAYS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.95)
# On Figure 1's loss the first step is given in units of 1/L of ||Zb||² + λ2 ||b||².
RELU_FRACTIONS, RELU_DECAYS = (0.1, 0.5, 1.0), (0.1, 0.5, 0.9)
# Widths of the twins; 0 is the kinked function.
WIDTHS = {"toy": (0.0, 0.01, 0.1, 1.0), "relu": (0.0, 0.1, 1.0)}
FAMILIES = {"toy": "toy LASSO (eq. 7)", "relu": "loss of Figure 1"}

_ROWS, _RIDGE, _PENALTY = 20, 0.01, 10.0
_STAGES = 150
_SHRINK = 1e-3
_FAR = 1e9


def select(rows: Sequence[Row], experiment: str, **wanted: Any) -> list[Row]:
    """The rows of one experiment whose fields have the wanted values."""
    return [r for r in rows if r["experiment"] == experiment and all(r[k] == v for k, v in wanted.items())]


def schedule(spec: RunSpec) -> list[Row]:
    """The learning rates that torch's StepLR sets from α0 = 1: their sum, and that of the first half."""
    import torch

    rows = []
    for decay in (0.1, 0.5, 0.9):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=spec["period"], gamma=decay)
        rates = []
        for _ in range(_STAGES * spec["period"]):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        half = len(rates) // 2
        rows.append(
            {
                "experiment": "schedule",
                "decay": decay,
                "period": spec["period"],
                "epochs": len(rates),
                "half": math.fsum(rates[:half]),
                "sum": math.fsum(rates),
                "closed": spec["period"] / (1 - decay),
            }
        )
    return rows


def search(spec: RunSpec) -> list[Row]:
    """Gradient descent on c x²/2 from x_0 = 1 with StepLR steps up to 1/c: lower bounds of its limit, exact.

    The limit is the product of (1 - c α_k). A finite part of it, times 1 minus c times the rest of the sum,
    is a lower bound. Only steps α_0 <= 1/c are tried: beyond them nobody would expect it.
    """
    largest = spec["largest"]
    fractions = sorted({Fraction(p, q) for q in range(2, largest + 1) for p in range(1, q)})
    n = far = 0
    smallest: dict[str, Any] | None = None
    least = None
    for c in range(1, 4):
        for step in {fraction / c for fraction in fractions}:
            for decay in fractions:
                for period in (1, 2, 3):
                    n += 1
                    limit = _limit(c * step, decay, period)
                    if limit < Fraction(1, 2):
                        continue
                    far += 1
                    size = (c + period + sum((*step.as_integer_ratio(), *decay.as_integer_ratio())), c, step)
                    if least is None or size < least:
                        least = size
                        smallest = {
                            "c": c,
                            "stepsize": str(step),
                            "decay": str(decay),
                            "period": period,
                            "limit": float(limit),
                        }
    return [{"experiment": "search", "n": n, "far": far, "smallest": smallest}]


def sharp(spec: RunSpec) -> list[Row]:
    """Steps μR/L² · q^k with q² = 1 - μ²/L² on functions that grow like μ ||b||: is ||b_k|| ≤ R q^k?"""
    start = _starts(spec["P"], spec.seeds)
    reach = np.linalg.norm(start, axis=1)
    if spec["family"] == "toy":
        objective, growth = ToyLasso(1.0, spec["P"]), 1.0
        slope = float(objective.facts.lipschitz)
    else:
        Z, y = _data(spec["P"], spec.seeds)
        objective, growth = ReluRegression(Z, y, l1=_PENALTY), _PENALTY
        # ||2 Z^T (ReLU(Zb) - y)|| + λ1 √P on the ball of radius R
        norm = np.linalg.norm(Z, 2, axis=(1, 2))
        slopes = 2 * norm * (np.linalg.norm(y, axis=1) + norm * reach) + _PENALTY * math.sqrt(spec["P"])
        slope = float(slopes.max())
    ratio = math.sqrt(1 - (growth / slope) ** 2)
    steps = math.ceil(math.log(_SHRINK) / math.log(ratio))
    factors = tuple(float(f) for f in ratio ** np.arange(steps))
    run = minimize(
        objective,
        start=start,
        steps=steps,
        stepsize=Reducing(growth * reach / slope**2, (1,) * steps, factors),
        record=Record(every=1),
    )
    distance = run.curve("l2_norm")
    worst = (distance / (reach[:, None] * ratio ** np.arange(steps + 1))).max(axis=1)
    return [
        {
            "experiment": "sharp",
            "family": spec["family"],
            "seed": seed,
            "ratio": ratio,
            "steps": steps,
            "condition": slope / growth,
            "worst": float(worst[i]),
            "end": float(distance[i, -1] / reach[i]),
        }
        for i, seed in enumerate(spec.seeds)
    ]


def ends(spec: RunSpec) -> list[Row]:
    """Where StepLR's schedule leaves each run: final distance to the minimiser 0 over that of the start."""
    family, width = spec["family"], spec["width"]
    totals, decays = (TOTALS, DECAYS) if family == "toy" else (RELU_FRACTIONS, RELU_DECAYS)
    objective, start, unit = _objective(family, spec["P"], spec.seeds, width, spec["period"])
    first = np.linalg.norm(start, axis=1)
    rows = []
    for decay in decays:
        for total in totals:
            regime = _regime(total * unit, decay, spec["period"], spec["tolerance"])
            run = minimize(objective, start=start, steps=sum(regime.lengths), stepsize=regime)
            final = np.where(run.diverged, _FAR, np.linalg.norm(run.final, axis=1) / first)
            rows.append(
                {
                    "experiment": "ends",
                    "family": family,
                    "width": width,
                    "total": total,
                    "decay": decay,
                    "period": spec["period"],
                    "tolerance": spec["tolerance"],
                    "seeds": list(spec.seeds),
                    "final": np.minimum(final, _FAR).tolist(),
                }
            )
    if family == "toy" and width == 0:
        rows += [
            {
                "experiment": "map",
                "x": row["total"],
                "y": row["decay"],
                "hits": sum(end <= row["tolerance"] for end in row["final"]),
                "n": len(row["final"]),
                "period": row["period"],
            }
            for row in rows
        ]
    return rows


def curves(spec: RunSpec) -> list[Row]:
    """|b| of one entry at the end of each interval of one schedule, kinked and rounded, for the figure."""
    regime = _regime(1.0, 0.5, spec["period"], 1e-4)
    rows = []
    for width in WIDTHS["toy"]:
        f = ToyLasso(1.0, 1)
        run = minimize(
            f.smooth_twin(width) if width else f,
            start=np.array([0.73]),
            steps=sum(regime.lengths),
            stepsize=regime,
            record=Record(every=spec["period"]),
        )
        rows.append({"experiment": "curves", "width": width, "path": run.curve("l2_norm")[0].tolist()})
    return rows


def _limit(product: Fraction, decay: Fraction, period: int) -> Fraction:
    """A lower bound of the product over k of (1 - product · decay^k)^period, exact."""
    head, term = Fraction(1), product
    for _ in range(12):
        head *= (1 - term) ** period
        term *= decay
    return head * max(Fraction(0), 1 - period * term / (1 - decay))


def _regime(total: Any, decay: float, period: int, tolerance: float) -> Reducing:
    """StepLR's steps, until what is left of their sum can move an entry by a thousandth of the tolerance.

    ``total`` is the sum of the first stage's steps: a number, or one a run.
    """
    left = 1e-3 * tolerance * (1 - decay) / np.max(total)
    stages = max(1, math.ceil(math.log(left) / math.log(decay))) if left < 1 else 1
    return Reducing(total / period, (period,) * stages, tuple(decay**k for k in range(stages)))


def _objective(
    family: str, dimension: int, seeds: Sequence[int], width: float, period: int
) -> tuple[Objective, np.ndarray, Any]:
    """The function, the starts, and the unit in which the first stage's sum is given."""
    start = _starts(dimension, seeds)
    if family == "toy":
        kinked, unit = ToyLasso(1.0, dimension), 1.0
    else:
        Z, y = _data(dimension, seeds)
        kinked = ReluRegression(Z, y, l2=_RIDGE)
        unit = period / (2 * np.linalg.norm(Z, 2, axis=(1, 2)) ** 2 + 2 * _RIDGE)
    return (kinked.smooth_twin(width) if width else kinked), start, unit


def _starts(dimension: int, seeds: Sequence[int]) -> np.ndarray:
    return np.stack([stream("start", seed).uniform(-1, 1, dimension) for seed in seeds])


def _data(dimension: int, seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    Z = np.stack([stream("Z", seed).uniform(-1, 1, (_ROWS, dimension)) for seed in seeds])
    return Z, np.stack([stream("q", seed).uniform(-1, 0, _ROWS) for seed in seeds])
