"""Scalar losses l(z; y) of one prediction z and one response y, and their slopes in z.

A loss with a data matrix makes an objective: f(x) = weight * sum_i l((Wx)_i; y_i) + penalty(x).
Formulas use only operators and a few functions of the array namespace ``xp``, so one text serves NumPy
arrays and torch tensors on any device. ``code`` and ``width`` are what the compiled kernel reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from nonsmooth.errors import InputError
from nonsmooth.objectives._facts import Smoothness

__all__ = ["HuberLoss", "LogCoshLoss", "ReluSquareLoss", "ScalarLoss", "SquareLoss"]


@dataclass(frozen=True)
class ScalarLoss:
    """Base: a convex function of z. ``slope_bound`` and ``curvature`` are suprema over all z, or None."""

    code: ClassVar[int]
    width: float = 0.0

    smoothness: ClassVar[Smoothness]

    def value(self, z: Any, y: Any, xp: Any) -> Any:
        raise NotImplementedError

    def slope(self, z: Any, y: Any, xp: Any) -> Any:
        raise NotImplementedError


@dataclass(frozen=True)
class SquareLoss(ScalarLoss):
    """(z - y)^2: slope 2 (z - y), curvature 2, unbounded slope."""

    code = 0
    smoothness = Smoothness.ANALYTIC

    def value(self, z: Any, y: Any, xp: Any) -> Any:
        return (z - y) ** 2

    def slope(self, z: Any, y: Any, xp: Any) -> Any:
        return 2 * (z - y)


@dataclass(frozen=True)
class HuberLoss(ScalarLoss):
    """Eq. 10: r^2/2 for |r| < width, else width (|r| - width/2), with r = z - y.

    The slope is r clipped to [-width, width]: continuous, Lipschitz with constant 1, so the loss is
    C1,1 and satisfies eq. 5. It has no kink; only its second derivative jumps.
    """

    width: float = 1.0
    code = 1
    smoothness = Smoothness.C11

    def value(self, z: Any, y: Any, xp: Any) -> Any:
        r = xp.abs(z - y)
        return xp.where(r < self.width, r * r / 2, self.width * (r - self.width / 2))

    def slope(self, z: Any, y: Any, xp: Any) -> Any:
        return xp.clip(z - y, -self.width, self.width)


@dataclass(frozen=True)
class LogCoshLoss(ScalarLoss):
    """width^2 log cosh(r / width): the analytic twin of Huber's loss, with the same curvature 1 at 0
    and the same slope bound `width` far out (slope = width tanh(r / width))."""

    width: float = 1.0
    code = 2
    smoothness = Smoothness.ANALYTIC

    def value(self, z: Any, y: Any, xp: Any) -> Any:
        # log cosh u = |u| + log(1 + exp(-2|u|)) - log 2, which cannot overflow.
        u = xp.abs(z - y) / self.width
        return self.width**2 * (u + xp.log1p(xp.exp(-2 * u)) - 0.6931471805599453)

    def slope(self, z: Any, y: Any, xp: Any) -> Any:
        return self.width * xp.tanh((z - y) / self.width)


@dataclass(frozen=True)
class ReluSquareLoss(ScalarLoss):
    """(y - max(0, z))^2 of eq. 3; with width d > 0, ReLU is replaced by its Moreau envelope.

    For y <= 0 the loss is y^2 for z <= 0 and (z + |y|)^2 for z > 0: convex and non-decreasing in z,
    with one-sided slopes 0 and 2|y| at the kink z = 0, where we return 0 (max'(0) = 0, as torch does).

    The twin (width d) uses r(z) = 0 for z <= 0, z^2/(2d) up to d, and z - d/2 beyond: C1,1, convex, and
    still exactly 0 for z <= 0, so that the zero vector stays the minimiser. With r in [0, d/2], r' in
    [0, 1], r'' <= 1/d on the bend, the curvature 2 (r - y) r'' + 2 r'^2 is at most 3 + 2|y|/d there
    and 2 beyond it.
    """

    code = 3

    @property
    def smoothness(self) -> Smoothness:  # type: ignore[override]
        return Smoothness.C11 if self.width > 0 else Smoothness.LIPSCHITZ

    def _relu(self, z: Any, xp: Any) -> tuple[Any, Any]:
        if self.width == 0:
            positive = xp.astype(z > 0, z.dtype)
            return z * positive, positive
        ramp = xp.clip(z / self.width, 0.0, 1.0)
        # z^2/(2d) on the bend and z - d/2 beyond are one formula: ramp (z - ramp d / 2).
        return ramp * (z - ramp * self.width / 2), ramp

    def value(self, z: Any, y: Any, xp: Any) -> Any:
        relu, _ = self._relu(z, xp)
        return (relu - y) ** 2

    def slope(self, z: Any, y: Any, xp: Any) -> Any:
        relu, ramp = self._relu(z, xp)
        return 2 * (relu - y) * ramp

    def check_response(self, y: Any, xp: Any) -> None:
        if bool(xp.any(y > 0)):
            raise InputError(
                f"the response has an entry {float(xp.max(y)):g} > 0; eq. 3 is convex only for y <= 0 "
                "(pass convex=False to use it all the same)"
            )
