"""Eq. 10: Huber regression, and log-cosh regression, its analytic twin."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace

from nonsmooth.errors import InputError
from nonsmooth.objectives._facts import Facts
from nonsmooth.objectives._objective import Objective, check_data, spectral_norm
from nonsmooth.objectives._scalar import HuberLoss, LogCoshLoss, ScalarLoss
from nonsmooth.penalties import ElasticNet

__all__ = ["Huber", "LogCosh"]


def _facts(f: Objective) -> Facts:
    assert f.loss is not None
    xp = array_namespace(f.W)
    rows = f.W.shape[-2]
    norm = spectral_norm(f.W)
    # gradient = W^T psi / N with |psi_i| <= width: its norm is at most sigma(W) ||psi|| / N, and at
    # most width * (sum of row norms) / N. The smaller of the two is kept.
    by_norm = f.loss.width * norm / rows**0.5
    by_rows = f.loss.width * xp.sum(xp.sqrt(xp.sum(f.W**2, axis=-1)), axis=-1) / rows
    singular = xp.linalg.svdvals(f.W)
    full_rank = f.W.shape[-1] >= rows and bool(xp.all(singular[..., -1] > 1e-10 * norm))
    return Facts(
        convex=True,
        smoothness=f.loss.smoothness,
        lipschitz=xp.where(by_norm < by_rows, by_norm, by_rows),
        # psi has Lipschitz constant 1 for both losses, so the gradient's is sigma(W)^2 / N: eq. 5 holds.
        gradient_lipschitz=norm**2 / rows,
        # With independent rows every response is fitted exactly, and the least value is 0.
        minimum=xp.zeros_like(norm) if full_rank else None,
        kink="none: the function is differentiable",
    )


def _regression(name: str, loss: ScalarLoss, W: Any, y: Any) -> Objective:
    if not 0 < loss.width < np.inf:
        raise InputError(f"width = {loss.width} is not allowed; give a finite number > 0")
    check_data(W, y)
    return Objective(name, loss, W, y, 1.0 / W.shape[-2], ElasticNet(0.0), W.shape[-1], _facts)


def Huber(W: Any, y: Any, width: float = 1.0) -> Objective:
    """Eq. 10: the mean over rows of r^2/2 for |r| < width, else width (|r| - width/2); r = w.b - y.

    Convex, Lipschitz (eq. 6) and with a Lipschitz gradient (eq. 5): C1,1, once but not twice differentiable.

    Args:
        W: data (N, P) or (B, N, P).
        y: response (N,) or (B, N).
        width: where the quadratic ends, > 0; the paper's is 1.

    Raises:
        InputError: shapes that do not fit, non-finite entries, a bad width.

    >>> import numpy as np
    >>> f = Huber(np.eye(2), np.array([0.0, 0.0]))
    >>> f.value(np.array([0.5, 3.0])), f.subgradient(np.array([0.5, 3.0]))
    (np.float64(1.3125), array([0.25, 0.5 ]))
    """
    return _regression("Huber regression (eq. 10)", HuberLoss(width), W, y)


def LogCosh(W: Any, y: Any, width: float = 1.0) -> Objective:
    """The mean over rows of width^2 log cosh(r / width): analytic, with Huber's slope bound and curvature.

    >>> import numpy as np
    >>> f = LogCosh(np.eye(1), np.array([0.0]))
    >>> float(f.subgradient(np.array([50.0]))[0])
    1.0
    """
    return _regression("log-cosh regression", LogCoshLoss(width), W, y)
