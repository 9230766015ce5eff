"""Exact solutions of eq. 15, with the duality gap that proves them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nonsmooth.errors import InputError
from nonsmooth.objectives import check_data

__all__ = ["ExactLasso", "duality_gap", "exact_lasso"]


@dataclass(frozen=True, eq=False)
class ExactLasso:
    """A solution of eq. 15 and its certificate.

    Attributes:
        solution: b, (P,), float64, with exact zeros off its support.
        value: ||y - W b||^2 / N + strength ||b||_1.
        relative_gap: duality gap over the value at b = 0, ||y||^2 / N: an upper bound on how far
            ``value`` is from the minimum, in that unit.
    """

    solution: np.ndarray
    value: float
    relative_gap: float


def duality_gap(W: np.ndarray, y: np.ndarray, strength: float, b: np.ndarray) -> float:
    """P(b) - D(u), an upper bound on P(b) - min P.

    The dual of  ||y - Wb||^2 / N + s ||b||_1  is  max u.y - N ||u||^2 / 4  over  ||W^T u||_inf <= s; at the
    optimum u = 2 (y - Wb) / N. We scale that u into the feasible set by the best factor.
    """
    rows = y.size
    residual = y - W @ b
    u = 2 * residual / rows
    reach = np.abs(W.T @ u).max()
    most = np.inf if reach == 0 else strength / reach
    square = float(u @ u)
    factor = 1.0 if square == 0 else float(np.clip(2 * (u @ y) / (rows * square), -most, most))
    dual = factor * (u @ y) - rows * factor**2 * square / 4
    primal = residual @ residual / rows + strength * np.abs(b).sum()
    return float(primal - dual)


def _polish(W: np.ndarray, y: np.ndarray, strength: float, b: np.ndarray) -> np.ndarray:
    """Solve the optimality equations on b's support: W_S^T (W_S b_S - y) = -N s sign(b_S) / 2."""
    support = np.flatnonzero(b)
    if support.size == 0 or support.size > y.size:
        return b
    inner = W[:, support]
    right = inner.T @ y - y.size * strength / 2 * np.sign(b[support])
    polished = np.zeros_like(b)
    polished[support] = np.linalg.lstsq(inner.T @ inner, right, rcond=None)[0]
    return polished


def exact_lasso(W: np.ndarray, y: np.ndarray, strength: float) -> ExactLasso:
    """Minimise ||y - W b||^2 / N + strength ||b||_1 to rounding, by scikit-learn and a last linear solve.

    Args:
        W: data (N, P), float64.
        y: response (N,).
        strength: > 0.

    Raises:
        InputError: shapes that do not fit, non-finite entries, a strength that is not positive.

    >>> exact_lasso(np.eye(2), np.array([1.0, 0.0]), 0.5).solution
    array([0.5, 0. ])
    """
    check_data(W, y)
    if not 0 < strength < np.inf:
        raise InputError(f"strength = {strength} is not allowed; give a finite number > 0")
    from sklearn.linear_model import Lasso

    scale = float(y @ y) / y.size
    model = Lasso(alpha=strength / 2, fit_intercept=False, tol=1e-12, max_iter=1_000_000)
    b = np.asarray(model.fit(W, y).coef_, dtype=np.float64)
    b = min((b, _polish(W, y, strength, b)), key=lambda c: duality_gap(W, y, strength, c))
    residual = y - W @ b
    value = float(residual @ residual / y.size + strength * np.abs(b).sum())
    gap = max(duality_gap(W, y, strength, b), 0.0)
    return ExactLasso(b, value, gap / scale if scale > 0 else 0.0)
