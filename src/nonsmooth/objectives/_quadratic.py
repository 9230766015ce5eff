"""A convex quadratic, the one function for which the edge of stability is a theorem."""

from __future__ import annotations

from typing import Any

import numpy as np

from nonsmooth.errors import InputError
from nonsmooth.objectives._facts import Facts, Smoothness
from nonsmooth.objectives._objective import Objective, spectral_norm
from nonsmooth.objectives._scalar import SquareLoss
from nonsmooth.penalties import ElasticNet

__all__ = ["Quadratic"]


def _facts(f: Objective) -> Facts:
    return Facts(
        convex=True,
        smoothness=Smoothness.ANALYTIC,
        lipschitz=None,
        gradient_lipschitz=spectral_norm(f.W) ** 2,  # W^T W is the Hessian
        minimum=0.0,
    )


def Quadratic(hessian: np.ndarray, minimiser: Any = 0.0) -> Objective:
    """(x - c)^T H (x - c) / 2 with H symmetric positive semidefinite and minimiser c.

    Args:
        hessian: H, shape (P, P) or (B, P, P), NumPy.
        minimiser: c, a number, (P,) or (B, P).

    Raises:
        InputError: H is not square, not symmetric, not finite, or has a negative eigenvalue.

    >>> f = Quadratic(np.diag([4.0, 1.0]), minimiser=np.array([1.0, 0.0]))
    >>> float(f.value(np.array([0.0, 0.0]))), f.facts.gradient_lipschitz.round(12).item()
    (2.0, 4.0)
    """
    H = np.asarray(hessian)
    if H.ndim not in (2, 3) or H.shape[-1] != H.shape[-2] or not np.isfinite(H).all():
        raise InputError(
            f"hessian of shape {H.shape} must be square, (P, P) or (B, P, P), with finite entries"
        )
    if not np.allclose(H, np.swapaxes(H, -1, -2), rtol=1e-12, atol=0):
        raise InputError("hessian is not symmetric; give (H + H.T) / 2")
    eigenvalues, vectors = np.linalg.eigh(H)
    if (eigenvalues[..., 0] < -1e-12 * np.abs(eigenvalues[..., -1])).any():
        raise InputError(
            f"hessian has eigenvalue {eigenvalues.min():g} < 0; a convex quadratic needs all >= 0"
        )
    # H = W^T W with W = sqrt(eigenvalues) V^T makes it half a sum of squares.
    W = np.sqrt(np.clip(eigenvalues, 0, None))[..., None] * np.swapaxes(vectors, -1, -2)
    centre = np.broadcast_to(np.asarray(minimiser, dtype=W.dtype), W.shape[:-1])
    y = np.matmul(W, centre[..., None])[..., 0]
    return Objective("convex quadratic", SquareLoss(), W, y, 0.5, ElasticNet(0.0), W.shape[-1], _facts)
