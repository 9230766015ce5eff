"""Log-sum: between L1 and L0, the penalty that reweighted L1 minimises."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nonsmooth.errors import InputError
from nonsmooth.penalties._penalty import check_strength, column, is_number, largest, times
from nonsmooth.penalties._separable import Separable

__all__ = ["LogSum"]


@dataclass(frozen=True, eq=False)
class LogSum(Separable):
    """lambda sum_i log(1 + |x_i|/epsilon), of slope lambda/(epsilon + |x|): lambda/epsilon at 0.

    ``prox`` is the global minimiser for every step, of two the 0: continuous while step lambda <= epsilon^2,
    with a jump beyond. ``strength_max`` is epsilon times the gradient's largest entry: from there on 0 is
    stationary (other stationary points may remain).

    Args:
        strength: lambda >= 0: a number, or an array (B,), one a run.
        epsilon: > 0, the size of entry at which the slope has halved. Small values make it like L0.

    Raises:
        InputError: a strength is negative or not finite, or epsilon is not a finite number > 0.

    Source: Candes, Wakin and Boyd, "Enhancing sparsity by reweighted l1 minimization", J. Fourier Anal. Appl.
    14, 2008; the prox: Gong, Zhang, Lu, Huang and Ye, ICML 2013.

    >>> import numpy as np
    >>> LogSum(1.0, epsilon=1.0).prox(np.array([0.4, -1.0, 3.0]), 0.5)
    array([ 0.        , -0.70710678,  2.87082869])
    """

    strength: Any
    epsilon: float = 1.0

    def __post_init__(self) -> None:
        check_strength("strength", self.strength)
        if not (is_number(self.epsilon) and 0 < self.epsilon < math.inf):
            raise InputError(f"epsilon = {self.epsilon} is not allowed; give a finite number > 0")

    def _size(self, xp: Any, a: Any) -> Any:
        return times(xp, column(self.strength), xp.log1p(a / self.epsilon))

    def _slope(self, xp: Any, a: Any) -> Any:
        return column(self.strength) / (self.epsilon + a)

    def _slope_at_zero(self, xp: Any) -> Any:
        return self.strength / self.epsilon

    def _shrink(self, xp: Any, a: Any, step: Any) -> Any:
        """Stationary points u > 0 of t log(1 + u/epsilon) + (u - a)^2/2, t = step lambda, solve a quadratic.

        From t/(epsilon + u) + u = a: u = (a - epsilon +- R)/2, R^2 = (a + epsilon)^2 - 4 t, the larger one a
        minimum. As a - u = ((a + epsilon) - R)/2 = 2 t/((a + epsilon) + R), t = 0 gives u = a to the last
        bit. Where the slope at 0 is negative (t < a epsilon) it is the only minimum; else 0 is one as well,
        and the lower of the two counts.
        """
        epsilon, t = self.epsilon, times(xp, column(self.strength), step)
        root, far = 2 * t**0.5, a + epsilon
        # Through its factors: the square may overflow, and its difference with 4 t loses half the digits.
        gap = xp.where(far <= root, xp.zeros_like(far), far - root)
        u = a - t / (far / 2 + xp.sqrt(gap) / 2 * xp.sqrt(far + root))
        higher = t * xp.log1p(u / epsilon) >= u * (a - u / 2)
        return xp.where((far <= root) | (u <= 0) | ((t > a * epsilon) & higher), xp.zeros_like(u), u)

    def _strength_max(self, xp: Any, gradient: Any) -> Any:
        return self.epsilon * largest(xp, xp.abs(gradient))
