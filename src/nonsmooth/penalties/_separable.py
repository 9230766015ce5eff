"""Penalties that are a sum of one function of |x_i|: each gives that function, its slope and its prox.

From these follow the value, the subgradient, the prox of a signed entry (the function is even, so the
minimiser has the sign of x), and the distance to the limiting subdifferential: the derivative alone away
from 0, the interval between minus and plus the slope at 0+ at 0.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

from nonsmooth.penalties._penalty import Penalty, column, largest, total

__all__ = ["Separable"]


class Separable(Penalty):
    """sum_i p(|x_i|) with p(0) = 0, p concave and increasing; strengths may be arrays (B,), one a run.

    Comparisons are written so that a NaN fails them and falls through to a formula that keeps it.
    """

    separable: ClassVar[bool] = True
    convex: ClassVar[bool] = False

    @abstractmethod
    def _size(self, xp: Any, a: Any) -> Any:
        """p(a) for a >= 0."""

    @abstractmethod
    def _slope(self, xp: Any, a: Any) -> Any:
        """p'(a) for a > 0."""

    @abstractmethod
    def _slope_at_zero(self, xp: Any) -> Any:
        """p'(0+): every number between minus and plus it is a limiting subgradient at 0; one a run."""

    @abstractmethod
    def _shrink(self, xp: Any, a: Any, step: Any) -> Any:
        """argmin_{u >= 0}  p(u) + (u - a)^2 / (2 step) for a >= 0; the smaller of two."""

    def _value(self, xp: Any, x: Any) -> Any:
        return total(xp, self._size(xp, xp.abs(x)))

    def _subgradient(self, xp: Any, x: Any) -> Any:
        return xp.where(x == 0, xp.zeros_like(x), xp.copysign(self._slope(xp, xp.abs(x)), x))

    def _prox(self, xp: Any, x: Any, step: Any) -> Any:
        # copysign, as torch's sign of NaN is 0.
        return xp.copysign(self._shrink(xp, xp.abs(x), step), x)

    def _distance(self, xp: Any, x: Any, gradient: Any) -> Any:
        size, slope = xp.abs(gradient), column(self._slope_at_zero(xp))
        at_zero = xp.where(size <= slope, xp.zeros_like(size), size - slope)
        return largest(xp, xp.where(x == 0, at_zero, xp.abs(gradient + self._subgradient(xp, x))))
