"""Fenchel conjugates of the package's losses and penalties, and the lower bound that weak duality gives.

For f(x) = g(Wx) + h(x) and any u, every x has f(x) >= -g*(u) - h*(-W^T u): the Fenchel-Young inequality for g
at Wx and for h at x, added. Convexity does not enter, so the bound proves a minimum whoever found it.
"""

from __future__ import annotations

import numpy as np

from nonsmooth.objectives import Objective
from nonsmooth.penalties import ElasticNet

__all__ = ["lower_bound"]

# Codes of the scalar losses, as the compiled kernel reads them.
_SQUARE, _HUBER, _LOG_COSH, _RELU_SQUARE = range(4)


def lower_bound(objective: Objective, u: np.ndarray, x: np.ndarray) -> float:
    """The best of f(x) >= -g*(t u) - h*(-t W^T u) over factors t that keep it finite; -inf if none does.

    Args:
        objective: one problem (no batch), NumPy.
        u: dual point (N,), any; best are slopes of g at the minimiser.
        x: a point (P,): without a penalty the bound is taken over the ball that must hold a minimiser,
            which is found from f(x).
    """
    if objective.loss is None:
        return -_penalty_conjugate(objective.penalty, np.zeros(objective.dimension))
    if not (objective.penalty.has_l1 or objective.penalty.has_l2):
        return _without_penalty(objective, u, x)
    v = -objective.W.T @ u
    reach = float(np.abs(v).max(initial=0.0))
    most = float(objective.penalty.l1) / reach if reach > 0 and not objective.penalty.has_l2 else 1.0
    # a last bit less, so that rounding does not leave the domain of h*
    factors = (min(1.0, most) * (1 - 2**-50), min(1.0, most), 0.0)
    return max(
        -_loss_conjugate(objective, t * u) - _penalty_conjugate(objective.penalty, t * v) for t in factors
    )


def _without_penalty(objective: Objective, u: np.ndarray, x: np.ndarray) -> float:
    """With h = 0 a dual point needs W^T u = 0, which rounding spoils; what is left of it is paid for.

    f(x) >= -g*(u) + (W^T u).x, and some minimiser lies in W's row space, where ||x|| <= ||Wx|| / s with s the
    least non-zero singular value; the rows of Wx are bounded by their losses, none above f(x).
    """
    W = objective.W
    left, singular, _ = np.linalg.svd(W, full_matrices=False)
    kept = singular > singular.max(initial=0.0) * max(W.shape) * np.finfo(float).eps
    projected = u - left[:, kept] @ (left[:, kept].T @ u)
    if objective.loss is not None and objective.loss.code in (_HUBER, _LOG_COSH):
        # back into the domain |u| <= weight * width, which the projection may leave by rounding
        reach = float(np.abs(projected).max(initial=0.0))
        projected = projected * min(
            1.0, objective.weight * objective.loss.width * (1 - 2**-50) / max(reach, 1e-300)
        )
    radius = _prediction_bound(objective, float(objective.value(x))) / singular[kept].min(initial=np.inf)
    spoilt = float(np.linalg.norm(W.T @ projected))
    return max(
        -_loss_conjugate(objective, np.zeros_like(u)),
        -_loss_conjugate(objective, projected) - (spoilt * radius if spoilt > 0 else 0.0),
    )


def _prediction_bound(objective: Objective, value: float) -> float:
    """A bound on ||Wx|| for every x with f(x) <= value."""
    loss = objective.loss
    assert loss is not None
    level, d = value / objective.weight, loss.width
    residual = {
        _SQUARE: level**0.5,
        _HUBER: max((2 * level) ** 0.5, level / d + d / 2) if d else 0.0,
        _LOG_COSH: level / d + d * float(np.log(2)) if d else 0.0,
        # a row below 0 may be any; there u = 0, which needs no ball, is a dual solution
        _RELU_SQUARE: float("inf"),
    }[loss.code]
    return float(np.linalg.norm(objective.y)) + residual * objective.y.size**0.5


def _loss_conjugate(objective: Objective, u: np.ndarray) -> float:
    """g*(u) = weight * sum_i l*(u_i / weight; y_i)."""
    loss, y = objective.loss, objective.y
    assert loss is not None
    s, d = u / objective.weight, loss.width
    if loss.code == _SQUARE:
        terms = s * y + s * s / 4
    elif loss.code == _HUBER:
        terms = s * y + s * s / 2 if np.abs(s).max(initial=0.0) <= d else np.array([np.inf])
    elif loss.code == _LOG_COSH:
        t = s / d
        if np.abs(t).max(initial=0.0) > 1:
            return float("inf")
        from scipy.special import xlog1py  # 0 log 0 = 0, which |t| = 1 needs

        terms = s * y + d * d / 2 * (xlog1py(1 + t, t) + xlog1py(1 - t, -t))
    else:
        terms = _relu_conjugate(s, y, d)
    return objective.weight * float(terms.sum())


def _relu_conjugate(s: np.ndarray, y: np.ndarray, width: float) -> np.ndarray:
    """Of (y - max(0, z))^2 with y <= 0: max(0, s/2 - |y|)^2 - y^2 for s >= 0, else infinite.

    The ReLU rounded over d is at least max(0, z - d/2): its loss is at least the kinked one shifted by d/2,
    its conjugate at most the kinked one's plus s d/2: a bound, exact at s = 0, the slope at the minimiser.
    """
    if (s < 0).any():
        return np.array([np.inf])
    return np.maximum(0.0, s / 2 - np.abs(y)) ** 2 - y * y + s * width / 2


def _penalty_conjugate(penalty: ElasticNet, v: np.ndarray) -> float:
    """h*(v), h the penalty or its smooth twin; where v lies outside the domain, infinite."""
    l1, l2, d = float(penalty.l1), float(penalty.l2), penalty.width
    size = np.abs(v)
    inner_curvature = (l1 / d if d > 0 else 0.0) + 2 * l2
    excess = np.maximum(0.0, size - l1)
    if d > 0 and inner_curvature > 0:
        inside = size <= d * inner_curvature
        if l2 == 0 and not inside.all():
            return float("inf")
        beyond = np.square(excess) / (4 * l2) + l1 * d / 2 if l2 > 0 else np.zeros_like(size)
        return float(np.where(inside, size * size / (2 * inner_curvature), beyond).sum())
    if l2 == 0:
        return float("inf") if excess.any() else 0.0
    return float(np.square(excess).sum() / (4 * l2))
