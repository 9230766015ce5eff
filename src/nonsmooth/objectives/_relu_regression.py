"""Eq. 3: ReLU regression on a non-positive response, the convex non-differentiable single-layer network."""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from nonsmooth.errors import InputError
from nonsmooth.objectives._facts import Facts, Smoothness
from nonsmooth.objectives._objective import Objective, check_data, spectral_norm
from nonsmooth.objectives._scalar import ReluSquareLoss
from nonsmooth.penalties import ElasticNet

__all__ = ["ReluRegression"]


def _facts(f: Objective) -> Facts:
    xp = array_namespace(f.W)
    penalty, width = f.penalty, f.loss.width if f.loss else 0.0
    convex = not bool(xp.any(f.y > 0))
    rounded = width > 0 and not penalty.kinked
    gradient_lipschitz = None
    if rounded and convex:
        # Hessian <= Z^T diag(curvature) Z + penalty, curvature <= 3 + 2|y|/d (see ReluSquareLoss).
        bend = 3 + 2 * xp.max(xp.abs(f.y), axis=-1) / width
        gradient_lipschitz = bend * spectral_norm(f.W) ** 2 + penalty.curvature
    return Facts(
        convex=convex,
        smoothness=Smoothness.C11 if rounded else Smoothness.LIPSCHITZ,
        # Each term grows like (z.x)^2 where z.x > 0: no global Lipschitz constant exists.
        lipschitz=None,
        gradient_lipschitz=gradient_lipschitz,
        # For y <= 0 each term is least (y_i^2) wherever z_i.x <= 0, so at 0, where the penalty is least.
        minimiser=xp.zeros_like(f.W[..., 0, :]) if convex else None,
        minimum=xp.sum(f.y**2, axis=-1) if convex else None,
        unique=convex and (penalty.has_l1 or penalty.has_l2),
        kink="none" if rounded else "max'(0) = 0 and sign(0) = 0, as torch returns",
    )


def ReluRegression(Z: Any, y: Any, l1: Any = 0.0, l2: Any = 0.0, *, convex: bool = True) -> Objective:
    """Eq. 3: ||y - max(0, Z b)||^2 + l1 ||b||_1 + l2 ||b||_2^2 with y <= 0 elementwise.

    Convex, with the zero vector as its unique minimiser when l1 + l2 > 0 (Kumar 2023): for y <= 0 each
    term is a convex non-decreasing function of z.b.

    Args:
        Z: data (N, P) or (B, N, P).
        y: response (N,) or (B, N), non-positive unless ``convex=False``.
        l1, l2: strengths >= 0, numbers or (B,).
        convex: insist on y <= 0; False allows any response, and the facts then claim no convexity.

    Raises:
        InputError: shapes that do not fit, non-finite entries, a positive response, a bad strength.

    >>> import numpy as np
    >>> f = ReluRegression(np.array([[1.0, -1.0]]), np.array([-1.0]), l2=0.01)
    >>> f.value(np.array([1.0, 0.0])), f.subgradient(np.array([1.0, 0.0]))
    (np.float64(4.01), array([ 4.02, -4.  ]))
    """
    check_data(Z, y)
    loss = ReluSquareLoss()
    if convex:
        loss.check_response(y, array_namespace(y))
    penalty = ElasticNet(l1, l2)
    if convex and not (penalty.has_l1 or penalty.has_l2):
        raise InputError(
            "l1 = 0 and l2 = 0: eq. 3 needs l1 + l2 > 0 for a unique minimiser; raise one of them"
        )
    return Objective("ReLU regression (eq. 3)", loss, Z, y, 1.0, penalty, Z.shape[-1], _facts)
