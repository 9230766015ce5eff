"""L0: a price for every entry that is not zero."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nonsmooth.penalties._penalty import check_strength, column, is_number, largest, times
from nonsmooth.penalties._separable import Separable

__all__ = ["L0"]


@dataclass(frozen=True, eq=False)
class L0(Separable):
    """lambda times the number of entries that are not zero.

    ``prox`` keeps what is larger than sqrt(2 step lambda) and makes the rest 0 (a tie too). At 0 every number
    is a limiting subgradient, so a zero entry is stationary whatever its gradient.

    For the same reason every strength > 0 makes 0 stationary, a local minimiser even, and ``strength_max`` is
    0, their infimum: it says nothing about a path. What does is the step: a proximal step s from 0 stays
    there from strength s max|gradient|^2/2 on.

    Args:
        strength: lambda >= 0: a number, or an array (B,), one a run.

    Raises:
        InputError: a strength is negative or not finite.

    Source: Blumensath and Davies, "Iterative thresholding for sparse approximations", J. Fourier Anal. Appl.
    14, 2008.

    >>> import numpy as np
    >>> L0(0.5).prox(np.array([0.9, -1.1, 1.0]), 1.0)
    array([ 0. , -1.1,  0. ])
    """

    strength: Any

    def __post_init__(self) -> None:
        check_strength("strength", self.strength)

    def _size(self, xp: Any, a: Any) -> Any:
        return times(xp, column(self.strength), xp.where(a > 0, xp.ones_like(a), a))

    def _slope(self, xp: Any, a: Any) -> Any:
        return xp.zeros_like(a)

    def _slope_at_zero(self, xp: Any) -> Any:
        # No penalty frees no gradient: the subdifferential of strength 0 is {0}.
        if is_number(self.strength):
            return math.inf if self.strength > 0 else 0.0
        return xp.where(
            self.strength > 0, xp.full_like(self.strength, math.inf), xp.zeros_like(self.strength)
        )

    def _shrink(self, xp: Any, a: Any, step: Any) -> Any:
        """u = 0 costs a^2/2, u = a costs step lambda."""
        return xp.where(a <= (2 * times(xp, column(self.strength), step)) ** 0.5, xp.zeros_like(a), a)

    def _strength_max(self, xp: Any, gradient: Any) -> Any:
        return largest(xp, xp.zeros_like(gradient))
