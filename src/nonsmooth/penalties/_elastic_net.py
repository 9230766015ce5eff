"""l1 ||x||_1 + l2 ||x||_2^2 (eq. 3), its proximal operator and its smooth twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nonsmooth.penalties._penalty import (
    Penalty,
    check_strength,
    column,
    is_number,
    largest,
    pick,
    times,
    total,
)

__all__ = ["L1", "ElasticNet", "soft_threshold"]


def soft_threshold(xp: Any, x: Any, threshold: Any) -> Any:
    """sign(x) (|x| - threshold)_+; an infinite threshold gives 0 of infinity too, a NaN stays one."""
    size = xp.abs(x)
    return xp.copysign(xp.where(size <= threshold, xp.zeros_like(x), size - threshold), x)


@dataclass(frozen=True, eq=False)
class ElasticNet(Penalty):
    """l1 ||x||_1 + l2 ||x||_2^2; no factor 1/2 on the ridge term, as in eq. 3.

    Args:
        l1: LASSO strength >= 0: a number, or an array (B,), one a run.
        l2: ridge strength >= 0, likewise.
        width: 0 for |x| itself, whose subgradient at the kink x = 0 is taken as 0. A width d > 0 gives
            the smooth twin: |x| is replaced by Huber's x^2/(2d) for |x| <= d, |x| - d/2 beyond, which
            is C1,1 with curvature 1/d at 0.

    Raises:
        InputError: a strength or the width is negative or not finite.

    >>> import numpy as np
    >>> ElasticNet(1.0, 0.0).prox(np.array([0.5, -0.05]), 0.1)
    array([ 0.4, -0. ])
    """

    l1: Any
    l2: Any = 0.0
    width: float = 0.0

    separable: ClassVar[bool] = True
    convex: ClassVar[bool] = True
    _strengths: ClassVar[tuple[str, ...]] = ("l1", "l2")

    def __post_init__(self) -> None:
        check_strength("l1", self.l1)
        check_strength("l2", self.l2)
        check_strength("width", self.width)

    @property
    def has_l1(self) -> bool:
        """Whether any run's l1 is positive."""
        return bool(self.l1.any()) if getattr(self.l1, "ndim", 0) else self.l1 > 0

    @property
    def has_l2(self) -> bool:
        """Whether any run's l2 is positive."""
        return bool(self.l2.any()) if getattr(self.l2, "ndim", 0) else self.l2 > 0

    @property
    def kinked(self) -> bool:
        """Whether the penalty has a kink: a positive l1 whose |x| is not rounded."""
        return self.has_l1 and self.width == 0

    @property
    def curvature(self) -> Any:
        """Largest second derivative of one coordinate where there is no kink: l1/width + 2 l2."""
        return (self.l1 / self.width if self.width > 0 else 0.0) + 2 * self.l2

    @property
    def _plain(self) -> bool:
        """Whether there is no ridge term to compute."""
        return is_number(self.l2) and self.l2 == 0

    def _value(self, xp: Any, x: Any) -> Any:
        size = xp.abs(x)
        if self.width > 0:
            size = xp.where(size <= self.width, size * size / (2 * self.width), size - self.width / 2)
        lasso = times(xp, self.l1, total(xp, size))
        return lasso if self._plain else lasso + times(xp, self.l2, total(xp, x * x))

    def _subgradient(self, xp: Any, x: Any) -> Any:
        sign = xp.clip(x / self.width, -1.0, 1.0) if self.width > 0 else xp.sign(x)
        lasso = column(self.l1) * sign
        return lasso if self._plain else lasso + 2 * times(xp, column(self.l2), x)

    def _prox(self, xp: Any, x: Any, step: Any) -> Any:
        """Stationarity (x - u)/step in l1 sign(u) + 2 l2 u gives soft(x, step l1) / (1 + 2 step l2).

        For the twin, u = x / (1 + step (l1/d + 2 l2)) while that lies within [-d, d], else the same formula.
        """
        threshold = times(xp, column(self.l1), step)
        ridge = 0.0 if self._plain else times(xp, column(self.l2), step)
        divisor = 1 + 2 * ridge
        # A divisor that overflows takes all to 0, infinity too, which the division would turn to NaN.
        soft = soft_threshold(xp, x, pick(xp, divisor > xp.finfo(x.dtype).max, divisor, threshold))
        if not self._plain:
            soft = soft / divisor
        if self.width == 0:
            return soft
        inner = x / (1 + (threshold / self.width + 2 * ridge))
        return xp.where(xp.abs(inner) <= self.width, inner, soft)

    def _distance(self, xp: Any, x: Any, gradient: Any) -> Any:
        if self.width > 0:
            return largest(xp, xp.abs(gradient + self._subgradient(xp, x)))
        smooth = gradient if self._plain else gradient + 2 * times(xp, column(self.l2), x)
        l1 = column(self.l1)
        excess = xp.abs(smooth) - l1
        at_zero = xp.where(excess <= 0, xp.zeros_like(x), excess)
        away = xp.abs(smooth + l1 * xp.sign(x))
        return largest(xp, xp.where(x == 0, at_zero, away))

    def _strength_max(self, xp: Any, gradient: Any) -> Any:
        return largest(xp, xp.abs(gradient))

    @staticmethod
    def strength_max(gradient: Any) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The least l1 for which 0 is stationary, from the smooth part's gradient at 0: its max norm.

        No strength enters, so the class answers as well as an instance.
        """
        return Penalty.strength_max(L1(1.0), gradient)


def L1(strength: Any) -> ElasticNet:
    """strength * ||x||_1."""
    return ElasticNet(strength, 0.0)
