"""What is recorded of a population of runs, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nonsmooth.errors import InputError

__all__ = ["CHANNELS", "Record", "Run"]

CHANNELS = ("value", "l1_norm", "l2_norm", "max_norm")
"""What is recorded at a time: f(x_t) and the L1, L2 and max norms of x_t."""


@dataclass(frozen=True)
class Record:
    """What to keep of each run; extrema over all times are always kept.

    Args:
        every: keep the channels at times 0, every, 2 every, ...; 0 keeps no curve.
        window: how many of the last iterates the ``late`` extrema and ``turns`` cover, >= 1.
        tail: how many of the last iterates to keep whole, >= 0.
        limit: a value above this, or not finite, is divergence, and the run ends there.
    """

    every: int = 0
    window: int = 100
    tail: int = 0
    limit: float = 1e30

    def __post_init__(self) -> None:
        for name, low in (("every", 0), ("window", 1), ("tail", 0)):
            if getattr(self, name) < low:
                raise InputError(f"{name} = {getattr(self, name)} is not allowed; give an integer >= {low}")


@dataclass(frozen=True, eq=False)
class Run:
    """A population of B runs, recorded. Arrays are NumPy, except ``final``, which is like the start.

    Channels are ordered as ``CHANNELS``. A diverged run has infinite upper extrema.

    Attributes:
        final: last iterate, (B, P).
        times: times of the curves, (R,).
        curves: channels at those times, (B, R, 4).
        low, high: extrema over all times, (B, 4).
        late_low, late_high: extrema over the last ``record.window`` iterates, (B, 4).
        rises: steps on which a channel grew by more than 1e-12 of its scale, (B, 4).
        turns: changes of direction of the value inside the window, (B,).
        diverged_at: time of divergence, -1 where there was none, (B,).
        tail: the last ``record.tail`` iterates, (B, K, P); NaN from a divergence on.
        steps: steps asked for.
    """

    final: Any
    times: np.ndarray
    curves: np.ndarray
    low: np.ndarray
    high: np.ndarray
    late_low: np.ndarray
    late_high: np.ndarray
    rises: np.ndarray
    turns: np.ndarray
    diverged_at: np.ndarray
    tail: np.ndarray
    steps: int

    @property
    def diverged(self) -> np.ndarray:
        return self.diverged_at >= 0

    def curve(self, channel: str) -> np.ndarray:
        """One channel's curves, (B, R)."""
        return self.curves[:, :, CHANNELS.index(channel)]
