"""Group L1: the norms of groups of entries, which become zero together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nonsmooth.penalties._grouped import Grouped

__all__ = ["GroupL1"]


@dataclass(frozen=True, eq=False)
class GroupL1(Grouped):
    """lambda sum_g w_g ||x_g||_2, the group LASSO's penalty.

    ``prox`` makes a group zero as a whole or shrinks it towards 0. With one step for all entries that is a
    closed form; with a step for each entry (a diagonal metric) the group's norm is found by a safeguarded
    Newton iteration of fixed length. ``strength_max`` is the largest ||gradient_g||/w_g.

    Args:
        strength: lambda, a number >= 0.
        groups: which entries form a group.

            - ``"rows"``: one for each index of axis 0 (output neurons of a linear layer, filters of a
              convolution); ``"columns"``: of axis 1 (a linear layer's inputs, input channels).
            - ``"filters"``: as rows, for convolutions only: fewer than three axes are refused.
            - ``("heads", h)``: h equal blocks of axis 0 (heads of a query, key or value projection).
            - an integer k: consecutive blocks of k entries of the last axis, for each element of a batch.
            - a sequence of integers: a label for each entry of the last axis; equal labels, one group.

            The first four take one parameter and answer with 0-d values, the others (..., P) -> (...).
        weights: None for 1, "sqrt" for the square root of a group's number of entries (which makes large
            groups of noise no likelier to enter than small ones), or a number >= 0 for each group, in the
            order of indices, blocks or sorted labels; 0 leaves a group free.

    Raises:
        InputError: the strength is negative, not finite or an array, or groups or weights are none of the
            above; when used, a parameter's shape has no such groups or another number of them.

    Source: Yuan and Lin, "Model selection and estimation in regression with grouped variables", J. R. Stat.
    Soc. B 68(1), 2006.

    >>> import numpy as np
    >>> GroupL1(1.0).prox(np.array([[3.0, 4.0], [0.3, 0.4]]), 1.0)
    array([[2.4, 3.2],
           [0. , 0. ]])
    """

    strength: Any
    groups: Any = "rows"
    weights: Any = None
