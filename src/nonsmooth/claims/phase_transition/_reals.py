"""RMSProp on the toy LASSO in 1024-bit arithmetic: what it does over the reals, where float64 rounds.

While no entry is 0, every entry moves by the same step s_t = α / sqrt(1 + ε - γ^t) (eq. 21, t counted from
1), towards 0. The steps shrink to α / sqrt(1 + ε). An entry within the shrinkage still to come is drawn to 0
on every second step, ever closer and with changing sign (but for a few whose side changes early: see the
theory): it ends next to 0, α, 0, -α, ..., and the small values soon lie far below the last bit of a float.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

__all__ = ["rmsprop_tail"]

_BITS = 1024
_ONE = 1 << _BITS


def rmsprop_tail(start: np.ndarray, stepsize: float, decay: float, steps: int, keep: int) -> np.ndarray:
    """The last ``keep`` iterates of each entry, (n, keep), rounded to float64 only at the end.

    Args:
        start: entries b_0, (n,), taken exactly as the floats they are.
        stepsize, decay: α and γ as the decimals they print as; the jitter is left out.
        steps: number of steps; up to 5000, no iterate comes near the last of the 1024 bits.
        keep: how many iterates are kept, at most ``steps``.

    >>> tail = rmsprop_tail(np.array([0.05]), 0.1, 0.99, 3000, 2)[0]  # next to 0, and next to α
    >>> sorted(round(abs(float(b)), 9) for b in tail)
    [0.0, 0.1]
    """
    moves = _moves(Fraction(str(stepsize)), Fraction(str(decay)), steps)
    tail = np.empty((start.size, keep))
    for i, first in enumerate(start.tolist()):
        numerator, denominator = first.as_integer_ratio()
        b = numerator * _ONE // denominator
        for move in moves[: steps - keep]:
            b = b - move if b > 0 else b + move if b < 0 else b
        for k, move in enumerate(moves[steps - keep :]):
            b = b - move if b > 0 else b + move if b < 0 else b
            tail[i, k] = b / _ONE
    return tail


def _moves(stepsize: Fraction, decay: Fraction, steps: int) -> list[int]:
    """s_1, s_2, ... in units of the last bit."""
    moves, power = [], _ONE
    for _ in range(steps):
        power = power * decay.numerator // decay.denominator
        root = math.isqrt((_ONE - power) << _BITS)
        moves.append(stepsize.numerator * (_ONE << _BITS) // (stepsize.denominator * root))
    return moves
