"""l1 ||x||_1 + l2 ||x||_2^2 (eq. 3), its proximal operator and its smooth twin."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from nonsmooth.errors import InputError

__all__ = ["L1", "ElasticNet"]


def _column(strength: Any) -> Any:
    """A strength a run, shaped to multiply a batch (B, P); a plain number stays one."""
    return strength[..., None] if getattr(strength, "ndim", 0) else strength


def _check(name: str, strength: Any) -> None:
    low = strength.min() if getattr(strength, "ndim", 0) else strength
    high = strength.max() if getattr(strength, "ndim", 0) else strength
    if not (float(low) >= 0 and float(high) < float("inf")):
        bad = low if not float(low) >= 0 else high
        raise InputError(f"{name} = {float(bad):g} is not allowed; give a finite number >= 0")


@dataclass(frozen=True, eq=False)
class ElasticNet:
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

    def __post_init__(self) -> None:
        _check("l1", self.l1)
        _check("l2", self.l2)
        _check("width", self.width)

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

    def value(self, x: Any) -> Any:
        """Penalty of each run: (..., P) -> (...)."""
        xp = array_namespace(x)
        size = xp.abs(x)
        if self.width > 0:
            size = xp.where(size <= self.width, size * size / (2 * self.width), size - self.width / 2)
        return self.l1 * xp.sum(size, axis=-1) + self.l2 * xp.sum(x * x, axis=-1)

    def subgradient(self, x: Any) -> Any:
        """The subgradient with 0 at the kink; the gradient of the smooth twin."""
        xp = array_namespace(x)
        sign = xp.clip(x / self.width, -1.0, 1.0) if self.width > 0 else xp.sign(x)
        return _column(self.l1) * sign + 2 * _column(self.l2) * x

    def prox(self, x: Any, step: Any) -> Any:
        """argmin_u  penalty(u) + sum_i (u_i - x_i)^2 / (2 step_i); ``step`` a number or like x.

        Stationarity (x - u)/step in l1 sign(u) + 2 l2 u gives soft(x, step l1) / (1 + 2 step l2). For the
        twin, u = x / (1 + step (l1/d + 2 l2)) while that lies within [-d, d], else the same formula.
        """
        xp = array_namespace(x)
        l1, l2 = _column(self.l1), _column(self.l2)
        size = xp.abs(x) - step * l1
        soft = xp.sign(x) * xp.where(size > 0, size, xp.zeros_like(x)) / (1 + 2 * step * l2)
        if self.width == 0:
            return soft
        inner = x / (1 + step * (l1 / self.width + 2 * l2))
        return xp.where(xp.abs(inner) <= self.width, inner, soft)

    def subdifferential_distance(self, x: Any, gradient: Any) -> Any:
        """Largest coordinate distance of -gradient to the subdifferential at x (0: x is stationary)."""
        xp = array_namespace(x)
        smooth = gradient + 2 * _column(self.l2) * x
        l1 = _column(self.l1)
        if self.width > 0:
            return xp.max(xp.abs(gradient + self.subgradient(x)), axis=-1)
        excess = xp.abs(smooth) - l1
        at_zero = xp.where(excess > 0, excess, xp.zeros_like(x))
        away = xp.abs(smooth + l1 * xp.sign(x))
        return xp.max(xp.where(x == 0, at_zero, away), axis=-1)

    def support(self, x: Any) -> Any:
        """Which coordinates are not exactly zero."""
        return x != 0

    @staticmethod
    def strength_max(gradient: Any) -> Any:
        """The least l1 for which 0 is stationary, from the smooth part's gradient at 0: its max norm."""
        xp = array_namespace(gradient)
        return xp.max(xp.abs(gradient), axis=-1)


def L1(strength: Any) -> ElasticNet:
    """strength * ||x||_1."""
    return ElasticNet(strength, 0.0)
