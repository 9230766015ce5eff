"""The floor as a value: numbers, what they are, and how they read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nonsmooth.findings import number

__all__ = ["Floor", "percent"]


def percent(share: float) -> str:
    """A share for reading.

    >>> percent(0.00167)
    '0.167 %'
    """
    return f"{100 * share:.3g} %"


@dataclass(frozen=True)
class Floor:
    """The floor of free weights, and how far to trust it.

    Args:
        optimiser: with its settings.
        strength, threshold, steps, start, dtype: what was asked.
        size: how many weights ``l1_norm`` is for.
        l1_norm: expected L1 norm of ``size`` weights.
        mean_abs: expected |w| of one weight.
        share_below: share of the weights with |w| < threshold (those at 0 included).
        share_zero: share of the weights that are exactly 0.
        share_arrived: share that has changed its sign or is 0; the others are still on their way.
        how: ``"closed form"`` or ``"simulated"``.
        law: ``"stationary"``: more steps change nothing; or ``"after T steps"``: they do.
        why: the reason for ``law``.
        weights: how many were simulated; None for a closed form.
        mean_interval, below_interval, zero_interval: 95 % intervals for what simulation leaves open; None
            where nothing is left open (a closed form, or the very weights given as start).
        amplitude: largest |w| of the weights that have arrived; None while there are none.
        periods: of the orbits of nine tenths of the weights that move periodically.
        lr: the optimiser's; None where it has several or none.
        explanation: all this in words.
    """

    optimiser: str
    strength: float
    threshold: float
    steps: int
    start: str
    dtype: str
    size: int
    l1_norm: float
    mean_abs: float
    share_below: float
    share_zero: float
    share_arrived: float
    how: str
    law: str
    why: str
    weights: int | None
    mean_interval: tuple[float, float] | None
    below_interval: tuple[float, float] | None
    zero_interval: tuple[float, float] | None
    amplitude: float | None
    periods: tuple[int, ...]
    lr: float | None
    explanation: str

    def as_dict(self) -> dict[str, Any]:
        """The floor as JSON values."""
        return asdict(self)

    def __str__(self) -> str:
        rows = [
            ("mean |w|", number(self.mean_abs), self.mean_interval, number),
            (f"|w| < {self.threshold:g}", percent(self.share_below), self.below_interval, percent),
            ("exactly 0", percent(self.share_zero), self.zero_interval, percent),
        ]
        if self.size > 1:
            rows.insert(0, (f"L1 norm, {self.size:,} weights", number(self.l1_norm), None, number))
        wide = max(len(row[0]) for row in rows)
        lines = [
            f"{self.optimiser} on {self.strength:g} * ||w||_1 alone, start {self.start}, {self.steps:,} steps"
        ]
        for name, value, interval, form in rows:
            ends = f"  (95 %: {form(interval[0])} to {form(interval[1])})" if interval else ""
            lines.append(f"  {name.ljust(wide)}  {value}{ends}")
        count = f", {self.weights:,} weights, {self.dtype}" if self.weights else ""
        lines.append(f"  {self.how}{count}; law {self.law}: {self.why}")
        lines.append(f"  {self.explanation}")
        return "\n".join(lines)
