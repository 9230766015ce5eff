"""What a run does in the long run, named by written rules; undecided where they cannot tell.

A run is (x_0, f(x_0)), ..., (x_T, f(x_T)), with the last K iterates kept. Rules, in this order, each with
tolerances relative to the run itself:

1. *divergent*: the value is not finite, or passed the limit at which the run was ended.
2. *period-2 orbit*: over the kept iterates, the move A = min ||x_{t+1} - x_t|| is more than 1e4 rounding
   errors of the greatest entry; the drift D_t = ||x_{t+2} - x_t|| is at most 1e-6 A; and the drift still
   to come is at most 1e-3 A: either every D_t is at rounding (64 errors of the greatest entry), or D
   shrinks geometrically from the first half of the kept iterates to the second, and its sum does not exceed
   it. (The last clause tells a slowly dying zigzag, whose whole amplitude is still to be lost, from an
   orbit.) Max norms throughout.
3. *converges*: the gap f(x_t) - minimum is at most 1e-8 of its start over the whole last quarter. A minimum
   must be known: without it nothing is said to converge.
4. Otherwise the last half is cut into 16 blocks; the logarithms of their mean gaps, and those of their mean
   norms, are fitted by lines over log t, with slopes s ± 3 standard errors.
   *still falling*: the interval of the gap's slope lies below 0, and neither grows (interval above 0).
   *bounded*: both intervals hold 0 and lie within [-0.25, 0.25], or the blocks are equal to rounding.
   *not yet decided*: all else; a growing norm or value among them, for it may yet end.

A longer run decides more. What the rules cannot see: a fall slower than t^-0.25 that hides in an oscillation,
a plateau longer than half the run, a drift below rounding.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nonsmooth.errors import InputError

__all__ = ["BEHAVIOURS", "classify", "convergence_rate"]

BEHAVIOURS = ("converges", "period-2 orbit", "bounded", "divergent", "still falling", "not yet decided")

_BLOCKS = 16
_CONVERGED = 1e-8
_FLAT = 0.25
_LEAST_STEPS = 4 * _BLOCKS


def classify(
    values: Any, norms: Any, tail: Any, *, minimum: Any = None, diverged: Any = None
) -> tuple[str, ...]:
    """The behaviour of each run of a batch, by the rules above.

    Args:
        values: f(x_t) for t = 0 ... T, shape (B, T + 1), at least 64 steps.
        norms: a norm of x_t, or its distance to any fixed point, shape (B, T + 1).
        tail: the last K iterates, (B, K, P), K >= 8.
        minimum: the least value of f, a number or (B,); None where it is not known.
        diverged: which runs were ended as divergent, (B,); default: those with a value that is not finite.

    Returns:
        One of ``BEHAVIOURS`` a run.

    Raises:
        InputError: shapes that do not fit, or runs too short to be judged.

    >>> t = np.arange(201)
    >>> x = np.stack([0.8**t, (-1.0) ** t, (-0.99999) ** t])[..., None]
    >>> classify(abs(x[..., 0]), abs(x[..., 0]), x[:, -20:], minimum=0.0)
    ('converges', 'period-2 orbit', 'still falling')
    """
    values, norms, tail = (np.asarray(array) for array in (values, norms, tail))
    _check(values, norms, tail)
    count = len(values)
    ended = ~np.isfinite(values).all(axis=1) if diverged is None else np.asarray(diverged, dtype=bool)
    least = None if minimum is None else np.broadcast_to(np.asarray(minimum, dtype=float), (count,))
    return tuple(
        "divergent"
        if ended[i]
        else _name(values[i], norms[i], tail[i], None if least is None else float(least[i]))
        for i in range(count)
    )


def convergence_rate(values: Any, minimum: float) -> float:
    """The factor by which the gap of one run shrinks a step, from a tenth of its start to 1e-8 of it.

    NaN where the gap never gets there, or is there within three steps. (T + 1,) -> number.

    >>> round(convergence_rate(0.5 ** np.arange(100), 0.0), 6)
    0.5
    """
    gap = np.asarray(values, dtype=float) - minimum
    below = [np.flatnonzero(gap <= share * gap[0]) for share in (0.1, _CONVERGED)]
    if not gap[0] > 0 or not below[1].size:
        return float("nan")
    first, last = int(below[0][0]), int(below[1][0])
    if last - first < 3:
        return float("nan")
    # the last point may have fallen to 0 at once; the one before it has not
    return float((gap[last - 1] / gap[first]) ** (1 / (last - 1 - first)))


def _check(values: np.ndarray, norms: np.ndarray, tail: np.ndarray) -> None:
    if values.ndim != 2 or values.shape != norms.shape or tail.ndim != 3 or len(tail) != len(values):
        raise InputError(
            f"values {values.shape}, norms {norms.shape} and tail {tail.shape} do not fit; "
            "give (B, T + 1), (B, T + 1) and (B, K, P)"
        )
    if values.shape[1] <= _LEAST_STEPS or tail.shape[1] < 8:
        raise InputError(
            f"{values.shape[1] - 1} steps and {tail.shape[1]} kept iterates are too few to judge a run; give "
            f"at least {_LEAST_STEPS} steps, recorded at every step, and 8 kept iterates"
        )


def _name(values: np.ndarray, norms: np.ndarray, tail: np.ndarray, minimum: float | None) -> str:
    if _is_orbit(tail):
        return "period-2 orbit"
    if minimum is not None:
        gap = values.astype(float) - minimum
        # the value itself is only known to rounding
        rounding = 4 * np.finfo(values.dtype).eps * max(abs(minimum), 0.0)
        if gap[-(len(gap) // 4) :].max() <= max(_CONVERGED * gap[0], rounding):
            return "converges"
    else:
        gap = values.astype(float) - values.min()
    eps = float(np.finfo(values.dtype).eps)
    return _by_trend(gap, norms.astype(float), eps * float(np.abs(values).max()), eps * float(norms.max()))


def _is_orbit(tail: np.ndarray) -> bool:
    rounding = np.finfo(tail.dtype).eps * np.abs(tail).max()
    tail = tail.astype(float)
    move = np.abs(np.diff(tail, axis=0)).max(axis=1).min()
    drift = np.abs(tail[2:] - tail[:-2]).max(axis=1)
    if move <= 1e4 * rounding or drift.max() > 1e-6 * move:
        return False
    if drift.max() <= 64 * rounding:
        return True
    half = len(drift) // 2
    early, late = drift[:half].mean(), drift[-half:].mean()
    # a geometric fall from early to late, ``apart`` steps later; one position moves every second step.
    # Each drift is known to rounding only: the fall must show beyond that.
    apart = len(drift) - half
    if not 0 < late < early - 4 * rounding:
        return False
    to_come = late * apart / np.log((early - 4 * rounding) / late) / 2
    return bool(to_come <= 1e-3 * move)


def _by_trend(gap: np.ndarray, norms: np.ndarray, value_rounding: float, norm_rounding: float) -> str:
    value, size = _slope(gap, value_rounding), _slope(norms, norm_rounding)
    if value[1] < 0 and size[0] <= 0:
        return "still falling"
    flat = all(-_FLAT <= low <= 0 <= high <= _FLAT for low, high in (value, size))
    return "bounded" if flat else "not yet decided"


def _slope(series: np.ndarray, rounding: float) -> tuple[float, float]:
    """Interval of the slope of log(block means) over log t in the last half; (0, 0) if they are equal."""
    half = len(series) // 2
    times = np.arange(len(series) - half, len(series))
    blocks = np.array([block.mean() for block in np.array_split(series[-half:], _BLOCKS)])
    middles = np.array([block.mean() for block in np.array_split(times, _BLOCKS)])
    if np.ptp(blocks) <= 8 * rounding:
        return 0.0, 0.0
    if not (blocks > 0).all():
        return -np.inf, np.inf  # some blocks at the minimum, others not: no line fits
    x, y = np.log(middles), np.log(blocks)
    x = x - x.mean()
    slope = float(x @ y / (x @ x))
    residual = y - y.mean() - slope * x
    error = float(np.sqrt(residual @ residual / (_BLOCKS - 2) / (x @ x)))
    return slope - 3 * error, slope + 3 * error
