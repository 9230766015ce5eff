"""Eq. 15: least squares with an L1 penalty."""

from __future__ import annotations

from typing import Any

from nonsmooth.objectives._facts import Facts, Smoothness
from nonsmooth.objectives._objective import Objective, check_data, spectral_norm
from nonsmooth.objectives._scalar import SquareLoss
from nonsmooth.penalties import ElasticNet

__all__ = ["Lasso"]


def _facts(f: Objective) -> Facts:
    penalty = f.penalty
    kinked, analytic = penalty.kinked, not penalty.has_l1
    # The data term's Hessian is 2 W^T W / N; the penalty adds its own curvature at most.
    curvature = 2 * f.weight * spectral_norm(f.W) ** 2 + penalty.curvature
    return Facts(
        convex=True,
        smoothness=Smoothness.LIPSCHITZ if kinked else Smoothness.ANALYTIC if analytic else Smoothness.C11,
        lipschitz=None,  # the square grows faster than linearly
        gradient_lipschitz=None if kinked else curvature,
        kink="sign(0) = 0, as torch returns" if kinked else "none: the function is differentiable",
    )


def Lasso(W: Any, y: Any, strength: Any, ridge: Any = 0.0) -> Objective:
    """Eq. 15: ||y - W b||^2 / N + strength ||b||_1 (+ ridge ||b||_2^2).

    scikit-learn's ``Lasso(alpha)`` minimises half of it at ``alpha = strength / 2``.

    Args:
        W: data (N, P) or (B, N, P).
        y: response (N,) or (B, N).
        strength, ridge: numbers >= 0, or (B,).

    Raises:
        InputError: shapes that do not fit, non-finite entries, a bad strength.

    >>> import numpy as np
    >>> f = Lasso(np.eye(2), np.array([1.0, 0.0]), strength=0.1)
    >>> f.value(np.array([1.0, 0.0])), f.subgradient(np.array([1.0, 0.0]))
    (np.float64(0.1), array([0.1, 0. ]))
    """
    check_data(W, y)
    return Objective(
        "LASSO (eq. 15)",
        SquareLoss(),
        W,
        y,
        1.0 / W.shape[-2],
        ElasticNet(strength, ridge),
        W.shape[-1],
        _facts,
    )
