"""MCP: a penalty that starts like L1 and leaves large entries alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nonsmooth.errors import InputError
from nonsmooth.penalties._penalty import check_strength, column, is_number, largest, pick, times
from nonsmooth.penalties._separable import Separable

__all__ = ["MCP"]


@dataclass(frozen=True, eq=False)
class MCP(Separable):
    """The minimax concave penalty: lambda |x| - x^2/(2 gamma) for |x| <= gamma lambda, then gamma lambda^2/2.

    Its slope falls linearly from lambda at 0 to 0 at gamma lambda, so that entries beyond are not shrunk.
    ``prox`` is the firm threshold for steps below gamma and a hard threshold at sqrt(step gamma) lambda from
    gamma on; it is the global minimiser for every step, of two the 0. ``strength_max`` is the gradient's
    largest entry, as for L1: from there on 0 is stationary (other stationary points may remain).

    Args:
        strength: lambda >= 0: a number, or an array (B,), one a run.
        gamma: > 0, where the penalty is flat in units of lambda; in (1, 3] usually. Large values give L1.

    Raises:
        InputError: a strength is negative or not finite, or gamma is not a finite number > 0.

    Source: Zhang, "Nearly unbiased variable selection under minimax concave penalty", Ann. Statist. 38(2),
    2010.

    >>> import numpy as np
    >>> MCP(1.0, gamma=2.0).prox(np.array([0.4, -1.0, 3.0]), 0.5)
    array([ 0.        , -0.66666667,  3.        ])
    """

    strength: Any
    gamma: float = 3.0

    def __post_init__(self) -> None:
        check_strength("strength", self.strength)
        if not (is_number(self.gamma) and 0 < self.gamma < math.inf):
            raise InputError(f"gamma = {self.gamma} is not allowed; give a finite number > 0, for instance 3")

    def _size(self, xp: Any, a: Any) -> Any:
        # Through b = min(a, gamma lambda), where the parabola has its top: no square overflows.
        strength = column(self.strength)
        b = xp.where(a >= self.gamma * strength, self.gamma * strength + xp.zeros_like(a), a)
        return b * (strength - b / (2 * self.gamma))

    def _slope(self, xp: Any, a: Any) -> Any:
        slope = column(self.strength) - a / self.gamma
        return xp.where(slope <= 0, xp.zeros_like(slope), slope)

    def _slope_at_zero(self, xp: Any) -> Any:
        return self.strength

    def _shrink(self, xp: Any, a: Any, step: Any) -> Any:
        """Below step = gamma the sum is strictly convex, and u (1 - step/gamma) = a - step lambda.

        That line meets u = a at gamma lambda, the end of the parabola. From step = gamma on, the sum is
        concave from 0 to gamma lambda: only u = 0, at a^2/2, and u = a, at step gamma lambda^2/2, are left.
        """
        if is_number(step):
            return self._firm(xp, a, step) if step < self.gamma else self._hard(xp, a, step)
        return xp.where(step < self.gamma, self._firm(xp, a, step), self._hard(xp, a, step))

    def _firm(self, xp: Any, a: Any, step: Any) -> Any:
        strength = column(self.strength)
        room = pick(xp, step < self.gamma, self.gamma - step, 1.0)
        # As a minus something, so that step 0 and strength 0 leave a to the last bit.
        left = self.gamma * strength - a
        line = xp.where(left <= 0, a, a - step * left / room)
        return xp.where((a <= times(xp, strength, step)) | (line <= 0), xp.zeros_like(a), line)

    def _hard(self, xp: Any, a: Any, step: Any) -> Any:
        border = times(xp, column(self.strength), self.gamma**0.5 * step**0.5)
        return xp.where(a <= border, xp.zeros_like(a), a)

    def _strength_max(self, xp: Any, gradient: Any) -> Any:
        return largest(xp, xp.abs(gradient))
