"""What weights do in the end: names for their paths over a window, by fixed rules.

A weight's *amplitude* is its largest |w| in the window. In this order it is

==================  ==========================================================================================
``at 0``            exactly 0 all through the window
``lost``            not finite somewhere in it
``travels``         never 0 and of one sign throughout, and its |w| moves by more than 1e-9 of the amplitude:
                    it has not arrived, or is being driven away
``shrinks``         its amplitude is below 0.9 times that of an earlier window, half as far into the run
``fixed``           it moves by no more than 1e-9 of the amplitude, and is not 0
``period p``        w(t + p) is within 1e-3 of the amplitude of w(t) all through the window; p the least such
                    number from 2 to a quarter of the window
``not periodic``    none of these
==================  ==========================================================================================
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

__all__ = ["Orbits", "classify"]

_STILL = 1e-9
_SAME = 1e-3
_SHRUNK = 0.9


@dataclass(frozen=True)
class Orbits:
    """The kind, period (0: none) and amplitude of each weight."""

    kinds: np.ndarray
    periods: np.ndarray
    amplitudes: np.ndarray

    def shares(self) -> dict[str, float]:
        """Share of the weights of each kind, the largest first; all periods together as "periodic"."""
        names = ["periodic" if kind.startswith("period ") else str(kind) for kind in self.kinds]
        return {name: count / len(names) for name, count in Counter(names).most_common()}

    def common_periods(self, share: float = 0.9) -> tuple[int, ...]:
        """The fewest periods that ``share`` of the periodic weights have, ascending; empty without any."""
        counts = Counter(int(period) for period in self.periods if period)
        wanted, kept = share * sum(counts.values()), []
        for period, count in counts.most_common():
            if wanted <= 0:
                break
            kept.append(period)
            wanted -= count
        return tuple(sorted(kept))


def classify(paths: np.ndarray, earlier: np.ndarray | None = None) -> Orbits:
    """Name the paths.

    Args:
        paths: (window, weights), one row a step.
        earlier: (weights,), amplitudes in an earlier window; None: nothing is called ``shrinks``.

    >>> import numpy as np
    >>> t = np.arange(64)[:, None]
    >>> classify(np.hstack([0.3 - 0.5 * (t % 2), 0.0 * t, 1.0 + t])).kinds.tolist()
    ['period 2', 'at 0', 'travels']
    """
    window, weights = paths.shape
    sizes = np.abs(paths)
    amplitudes = sizes.max(axis=0)
    kinds = np.full(weights, "not periodic", dtype=object)
    periods = np.zeros(weights, dtype=int)
    todo = np.ones(weights, dtype=bool)

    def name(which: np.ndarray, kind: str) -> None:
        kinds[which & todo] = kind
        todo[which] = False

    moving = np.ptp(sizes, axis=0) > _STILL * amplitudes
    one_sign = (paths > 0).all(axis=0) | (paths < 0).all(axis=0)
    name(amplitudes == 0, "at 0")
    name(~np.isfinite(amplitudes), "lost")
    name(one_sign & moving, "travels")
    if earlier is not None:
        name(amplitudes < _SHRUNK * earlier, "shrinks")
    name(np.ptp(paths, axis=0) <= _STILL * amplitudes, "fixed")
    for period in range(2, window // 4 + 1):
        left = np.flatnonzero(todo)
        # A short look first: most weights that do not repeat show it in their first few steps.
        for end in (2 * period, window):
            apart = np.abs(paths[period:end, left] - paths[: end - period, left]).max(axis=0)
            left = left[apart <= _SAME * amplitudes[left]]
        kinds[left], periods[left], todo[left] = f"period {period}", period, False
    return Orbits(kinds, periods, amplitudes)
