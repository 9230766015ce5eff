"""Which runs are at the edge of stability, and how that reads: for ``unstable-convergence`` and ``huber``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.findings import Finding, number, share

__all__ = ["BAND", "at_edge", "edge_finding", "first_reached", "late_ratios"]

BAND = (0.8, 1.3)  # of 2/alpha
_LEAST = 3  # measurements in the last quarter


def first_reached(row: Row) -> int | None:
    """The place of the first measurement at which the sharpness has risen to 2/alpha from below, or None."""
    found = (k for k, (before, now) in enumerate(pairwise(row["ratios"]), 1) if before < 1 <= now)
    return next(found, None)


def late_ratios(row: Row) -> list[float]:
    """Sharpness over 2/alpha at the measurements in the last quarter of the steps."""
    return [ratio for k, ratio in zip(row["at"], row["ratios"], strict=True) if 4 * k >= 3 * row["steps"]]


def at_edge(row: Row, band: tuple[float, float] = BAND) -> bool:
    """By the rule of the parts "network-cause"; ``band`` is in units of 2/alpha."""
    late = late_ratios(row)
    inside = sum(band[0] <= ratio <= band[1] for ratio in late)
    return (
        first_reached(row) is not None
        and not row["diverged"]
        and row["unconverged"] == 0
        and len(late) >= _LEAST
        and 4 * inside >= 3 * len(late)
    )


def edge_finding(title: str, runs: Sequence[Row], part: str, comparisons: int) -> Finding:
    """How many of these runs are at the edge, and what the others do."""
    found = share((at_edge(r) for r in runs), comparisons)
    alive = [r for r in runs if not r["diverged"]]
    middles = [float(np.median(late_ratios(r))) for r in alive if late_ratios(r)]
    rises = [_rise(r["ratios"]) for r in alive]
    double = [abs(r["double"] / r["ratios"][-1] - 1) for r in alive if r["double"] is not None]
    never = sum(first_reached(r) is None for r in runs)
    samples = sorted({r["samples"] for r in runs})
    said = [
        f"median of the last quarter, by run: {_span(middles)} × 2/α",
        f"the sharpness rises {_span(rises)}-fold",
        f"never at 2/α {never}, diverged {len(runs) - len(alive)}",
        f"measurements not converged {sum(r['unconverged'] for r in runs)} of "
        f"{sum(len(r['at']) for r in runs)}",
        f"{' and '.join(map(str, samples))} images; trained in float32, sharpness in float32 to a residual "
        f"of 1e-3; the last one in float64 from a random start differs by at most {_percent(double)}",
    ]
    allowing = f" ({comparisons} comparisons)" if comparisons > 1 else ""
    return Finding(
        f"{title}: runs at the edge of stability",
        str(found),
        found.n,
        f"{'; '.join(said)}. Wilson interval{allowing}.",
        part,
        interval=found.interval,
    )


def _rise(ratios: Sequence[float]) -> float:
    """The greatest factor from one measurement to a later one."""
    lowest = np.minimum.accumulate(ratios)
    return float(np.max(np.asarray(ratios) / lowest))


def _span(values: Sequence[float]) -> str:
    if not values:
        return "none"
    return f"{number(min(values))} to {number(max(values))}"


def _percent(differences: Sequence[float]) -> str:
    finite = [each for each in differences if math.isfinite(each)]
    if not finite:
        return "nothing known"
    lost = len(differences) - len(finite)
    return f"{number(100 * max(finite), 2)} %" + (f" (not converged: {lost})" if lost else "")
