"""Eq. 7: the penalty alone, l1 ||b||_1, the simplest function with a kink at its minimum."""

from __future__ import annotations

import math
from typing import Any

from nonsmooth.errors import InputError
from nonsmooth.objectives._facts import Facts, Smoothness
from nonsmooth.objectives._objective import Objective
from nonsmooth.penalties import ElasticNet

__all__ = ["ToyLasso"]


def _facts(f: Objective) -> Facts:
    penalty = f.penalty
    kinked, analytic = penalty.kinked, not penalty.has_l1
    return Facts(
        convex=True,
        smoothness=Smoothness.LIPSCHITZ if kinked else Smoothness.ANALYTIC if analytic else Smoothness.C11,
        # A subgradient has P entries of size at most l1, so Euclidean norm at most l1 sqrt(P); in the
        # max norm the constant would be l1. A ridge term grows quadratically: none.
        lipschitz=penalty.l1 * math.sqrt(f.dimension) if not penalty.has_l2 else None,
        gradient_lipschitz=None if kinked else penalty.curvature,
        minimiser=0.0,
        minimum=0.0,
        unique=penalty.has_l1 or penalty.has_l2,
        kink="sign(0) = 0, as torch returns" if kinked else "none: the function is differentiable",
    )


def ToyLasso(strength: Any, dimension: int, ridge: Any = 0.0) -> Objective:
    """Eq. 7: L1(b; 0, 0, strength, ridge) = strength ||b||_1 + ridge ||b||_2^2; eq. 7 has ridge = 0.

    Args:
        strength: l1 >= 0, a number or (B,).
        dimension: P >= 1.
        ridge: l2 >= 0, a number or (B,): with strength = 0 the smooth twin of the penalty, ridge itself.

    Raises:
        InputError: a strength is negative or not finite, or dimension < 1.

    >>> import numpy as np
    >>> ToyLasso(2.0, dimension=2).subgradient(np.array([0.5, 0.0]))
    array([2., 0.])
    """
    if dimension < 1:
        raise InputError(f"dimension = {dimension} is not allowed; give an integer >= 1")
    return Objective(
        "toy LASSO (eq. 7)", None, None, None, 1.0, ElasticNet(strength, ridge), dimension, _facts
    )
