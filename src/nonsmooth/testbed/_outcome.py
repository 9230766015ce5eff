"""What came of trying a method out: one entry a start."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from nonsmooth.trajectories import Run

__all__ = ["Outcome"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """B runs of one method; arrays are NumPy, (B,).

    Attributes:
        behaviour: one of ``testbed.BEHAVIOURS`` a run.
        floor: greatest value less the minimum over the last quarter: inf for a divergent run.
        distance: Euclidean distance of the last iterate to the minimiser 0; inf for a divergent run.
        support: how many entries of the last iterate are not exactly 0.
        rate: factor by which the gap shrinks a step, for runs that converge; else NaN.
        active: how many ReLUs are on (z_i.b > 0) at the last iterate.
        relu_crossings: ReLU kinks crossed a step, on average over the kept iterates.
        entry_crossings: entries that change sign a step (kinks of |b_k|), likewise.
        run: the recorded runs, a value and norms at every step and the last iterates.
    """

    behaviour: tuple[str, ...]
    floor: np.ndarray
    distance: np.ndarray
    support: np.ndarray
    rate: np.ndarray
    active: np.ndarray
    relu_crossings: np.ndarray
    entry_crossings: np.ndarray
    run: Run

    @property
    def counts(self) -> dict[str, int]:
        """How many runs show each behaviour that occurs, the most frequent first."""
        return dict(Counter(self.behaviour).most_common())

    def __str__(self) -> str:
        kinds = ", ".join(f"{count} {name}" for name, count in self.counts.items())
        return f"{len(self.behaviour)} starts: {kinds}; floor {np.median(self.floor):.3g} (median)"
