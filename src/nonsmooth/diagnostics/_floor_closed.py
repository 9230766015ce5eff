"""Plain SGD on strength * |b|: the law of |b| after T steps, exactly (Propositions B.1 and B.2, any decay).

With c = lr * strength and q = 1 - lr * weight_decay a step is b <- q b - c sign(b). Take s = |b0|.

* On the way: |b_t| = q^t (s - e_t), where e_t = (c / (1 - q)) (q^-t - 1) is the start that lands on 0 at
  step t; without decay e_t = t c. So a start in (e_{k-1}, e_k] crosses 0 at step k, with
  |b_k| = q^k (e_k - s) below c: without decay after s / c steps.
* From then on the sign alternates, since q |b| < c, and |b_{t+1}| = c - q |b_t|. About its fixed point
  b* = c / (1 + q) that is |b_T| - b* = (-q)^(T-k) (|b_k| - b*): without decay the two-point orbit
  {u, c - u} of the paper's eq. 8, with decay a spiral into c / (2 - lr * weight_decay), from every start.

So |b_T| is linear in s on each (e_{k-1}, e_k], and its mean and its law need only the law of s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from nonsmooth.diagnostics._floor_start import StartLaw

__all__ = ["ClosedLaw", "law_after"]


@dataclass(frozen=True)
class ClosedLaw:
    """The law of |b_T|: its mean, P(|b_T| < threshold), the share that has arrived, their largest |b_T|."""

    mean: float
    below: float
    arrived: float
    largest: float


def law_after(steps: int, move: float, keep: float, starts: StartLaw, threshold: float) -> ClosedLaw:
    """The law after ``steps`` steps.

    Args:
        steps: T >= 0.
        move: c = lr * strength > 0.
        keep: q = 1 - lr * weight_decay in (0, 1].
        starts: with ``below`` and ``moment``.
        threshold: >= 0.

    >>> from nonsmooth.diagnostics._floor_start import start_law
    >>> law = law_after(20_000, 0.005, 1.0, start_law("uniform"), 1e-5)
    >>> round(law.mean / 0.005, 6), round(law.below, 6)  # c / 2 and threshold / c
    (0.5, 0.002)
    """
    assert starts.below is not None
    assert starts.moment is not None
    pieces = min(steps, _steps_from(starts.reach, move, keep))
    k = np.arange(pieces + 1, dtype=np.float64)
    ends = _landing(k, move, keep)
    chance, moment = np.diff(starts.below(ends)), np.diff(starts.moment(ends))

    # |b_T| = offset + slope s on piece k.
    k = k[1:]
    centre = move / (1 + keep)
    after = steps - k
    turn = np.where(after % 2 == 0, 1.0, -1.0) * keep**after
    slope = -turn * keep**k
    offset = centre + turn * (keep**k * ends[1:] - centre)

    mean = float(np.sum(offset * chance + slope * moment))
    below = _share_below(threshold, offset, slope, ends, starts)
    values = np.stack([offset + slope * ends[:-1], offset + slope * ends[1:]])[:, chance > 0]
    # The orbit's other point is c - q |b_T|, so that largest does not hang on whether T is even.
    largest = float(max(values.max(), (move - keep * values).max())) if values.size else math.nan
    last = ends[-1:]
    away = float(1 - starts.below(last)[0])
    if away > 0:
        everything = np.array([starts.reach])
        left = float((starts.moment(everything) - starts.moment(last))[0])
        mean += keep**steps * (left - float(last[0]) * away)
        edge = last + threshold / keep**steps
        below += float((starts.below(edge) - starts.below(last))[0])
    return ClosedLaw(mean, min(below, 1.0), 1 - away, largest)


def _landing(k: np.ndarray, move: float, keep: float) -> np.ndarray:
    """e_k: the start that lands on 0 at step k."""
    if keep == 1:
        return k * move
    return move / (1 - keep) * np.expm1(-k * math.log(keep))


def _steps_from(reach: float, move: float, keep: float) -> int:
    """The least k with e_k >= reach; where there are too many, any number beyond every count of steps."""
    steps = reach / move if keep == 1 else math.log1p(reach * (1 - keep) / move) / -math.log(keep)
    return max(1, math.ceil(min(steps, 1e15)))


def _share_below(
    threshold: float, offset: np.ndarray, slope: np.ndarray, ends: np.ndarray, starts: StartLaw
) -> float:
    """P(|b_T| < threshold) over all pieces: on each, the starts on one side of where the line crosses."""
    assert starts.below is not None
    if threshold == 0:
        return 0.0
    low, high, rising = ends[:-1], ends[1:], slope > 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        cross = (threshold - offset) / slope
    # Where the slope has died out (a long decay) the whole piece is on one side.
    level = np.where((offset < threshold) == rising, high, low)
    cross = np.clip(np.where(np.isfinite(cross), cross, level), low, high)
    hit = starts.below(np.where(rising, cross, high)) - starts.below(np.where(rising, low, cross))
    return float(np.sum(hit))
