"""Sparse group L1: zero groups, and zero entries in the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nonsmooth.errors import InputError
from nonsmooth.penalties._grouped import Grouped
from nonsmooth.penalties._penalty import is_number

__all__ = ["SparseGroupL1"]


@dataclass(frozen=True, eq=False)
class SparseGroupL1(Grouped):
    """lambda (a ||x||_1 + (1 - a) sum_g w_g ||x_g||_2), a = ``l1_ratio``.

    ``prox`` is soft thresholding followed by the prox of the groups' norms. ``strength_max`` is the least
    lambda, for this a, with ||(|gradient_g| - lambda a)_+|| <= lambda (1 - a) w_g for every group.

    Args:
        strength: lambda, a number >= 0.
        groups: which entries form a group, as for ``GroupL1``.
        weights: as for ``GroupL1``; the source takes "sqrt".
        l1_ratio: a in [0, 1]: 0 gives ``GroupL1``, 1 gives ``L1``.

    Raises:
        InputError: as for ``GroupL1``, or l1_ratio is not in [0, 1].

    Source: Simon, Friedman, Hastie and Tibshirani, "A sparse-group lasso", J. Comput. Graph. Stat. 22(2),
    2013.

    >>> import numpy as np
    >>> SparseGroupL1(2.0).prox(np.array([[4.0, 0.5, -5.0], [1.2, 1.1, 0.3]]), 1.0)
    array([[ 2.4,  0. , -3.2],
           [ 0. ,  0. ,  0. ]])
    """

    strength: Any
    groups: Any = "rows"
    weights: Any = None
    l1_ratio: float = 0.5

    def __post_init__(self) -> None:
        if not (is_number(self.l1_ratio) and 0 <= self.l1_ratio <= 1):
            raise InputError(f"l1_ratio = {self.l1_ratio} is not allowed; give a number in [0, 1]")
        super().__post_init__()

    @property
    def _shares(self) -> tuple[float, float]:
        return self.l1_ratio, 1 - self.l1_ratio
