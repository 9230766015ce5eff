"""SCAD: L1 up to lambda, then a slope that falls to 0."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nonsmooth.errors import InputError
from nonsmooth.penalties._penalty import check_strength, column, is_number, largest, pick, times
from nonsmooth.penalties._separable import Separable

__all__ = ["SCAD"]


@dataclass(frozen=True, eq=False)
class SCAD(Separable):
    """The smoothly clipped absolute deviation penalty, of slope lambda up to lambda, 0 from a lambda on.

    In between the slope falls linearly, (a lambda - |x|)/(a - 1); the value is lambda |x| first and
    (a + 1) lambda^2/2 last. ``prox`` is the global minimiser for every step, of two the smaller.
    ``strength_max`` is the gradient's largest entry, as for L1: from there on 0 is stationary (other
    stationary points may remain).

    Args:
        strength: lambda >= 0: a number, or an array (B,), one a run.
        a: > 1, where the penalty is flat in units of lambda; 3.7 by the source. Large values give L1.

    Raises:
        InputError: a strength is negative or not finite, or a is not a finite number > 1.

    Source: Fan and Li, "Variable selection via nonconcave penalized likelihood and its oracle properties",
    J. Am. Stat. Assoc. 96(456), 2001.

    >>> import numpy as np
    >>> SCAD(1.0, a=3.0).prox(np.array([0.4, -1.4, 2.0, 3.0]), 0.5)
    array([ 0.        , -0.9       ,  1.66666667,  3.        ])
    """

    strength: Any
    a: float = 3.7

    def __post_init__(self) -> None:
        check_strength("strength", self.strength)
        if not (is_number(self.a) and 1 < self.a < math.inf):
            raise InputError(f"a = {self.a} is not allowed; give a finite number > 1, for instance 3.7")

    def _size(self, xp: Any, a: Any) -> Any:
        # lambda b + the falling part, an integral over c = min(a, a lambda) - lambda: no square overflows.
        strength, none = column(self.strength), xp.zeros_like(a)
        b = xp.where(a >= self.a * strength, self.a * strength + none, a)
        c = xp.where(b <= strength, none, b - strength)
        half = c / (2 * (self.a - 1)) / xp.where(c > 0, strength + none, none + 1)
        return strength * (b - c * half)

    def _slope(self, xp: Any, a: Any) -> Any:
        strength, none = column(self.strength), xp.zeros_like(a)
        falling = (self.a * strength - a) / (self.a - 1)
        return xp.where(falling >= strength, strength + none, xp.where(falling <= 0, none, falling))

    def _slope_at_zero(self, xp: Any) -> Any:
        return self.strength

    def _shrink(self, xp: Any, a: Any, step: Any) -> Any:
        """With A for the penalty's a: below step = A - 1 the sum is strictly convex.

        Its stationary points lie on three lines: u = a - step lambda up to lambda, then
        ((A - 1) a - A step lambda)/(A - 1 - step) up to A lambda, then u = a. They rise with slope 1, more
        than 1, and 1 and meet in that order, at a = (1 + step) lambda and a = A lambda: u is the larger of
        the first two, at most a.

        From step = A - 1 on, the sum is concave between lambda and A lambda: what is left is the first line
        (or 0), reached while a <= (1 + step) lambda, and u = a, at step (A + 1) lambda^2/2. The first line's
        step lambda a - step^2 lambda^2/2 equals that at a = (A + 1 + step) lambda/2, which is on it while
        step <= A + 1; a^2/2, the sum at 0, does at a = sqrt(step (A + 1)) lambda.
        """
        threshold = times(xp, column(self.strength), step)
        first = xp.where(a <= threshold, xp.zeros_like(a), a - threshold)
        if is_number(step):
            bent = step < self.a - 1
            return self._lines(xp, a, step, first) if bent else self._jump(xp, a, step, first)
        return xp.where(step < self.a - 1, self._lines(xp, a, step, first), self._jump(xp, a, step, first))

    def _lines(self, xp: Any, a: Any, step: Any, first: Any) -> Any:
        threshold = times(xp, column(self.strength), step)
        room = pick(xp, step < self.a - 1, self.a - 1 - step, 1.0)
        second = ((self.a - 1) * a - self.a * threshold) / room
        line = xp.where(second <= first, first, second)
        return xp.where(line >= a, a, line)

    def _jump(self, xp: Any, a: Any, step: Any, first: Any) -> Any:
        far = self.a + 1
        border = pick(xp, step <= far, (far + step) / 2, far**0.5 * step**0.5)
        return xp.where(a <= times(xp, column(self.strength), border), first, a)

    def _strength_max(self, xp: Any, gradient: Any) -> Any:
        return largest(xp, xp.abs(gradient))
