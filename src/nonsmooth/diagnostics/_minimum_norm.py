"""The point of least norm in the convex hull of finitely many points (Wolfe, Math. Program. 11, 1976).

Wolfe's method keeps a corral, a set of affinely independent points, with the point of least norm of its hull.
It adds the point that lies furthest towards the origin, takes the point of least norm of the affine hull, and
drops points until the weights are positive again. It ends after finitely many steps, to rounding: no
tolerance of an iterative solver stands between the answer and the optimum.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import lstsq

__all__ = ["minimum_norm", "reduced"]


def reduced(blocks: list[np.ndarray]) -> np.ndarray:
    """Points (n, r), r <= n, with the inner products of the points (n, P) whose columns come in ``blocks``.

    By QR, block after block: inner products themselves would leave half of the digits only.
    """
    triangle = np.zeros((0, blocks[0].shape[0]))
    for block in blocks:
        _, triangle = np.linalg.qr(np.vstack([triangle, block.T]))
    return triangle.T


def minimum_norm(points: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights (n,) of the convex combination of ``points`` (n, r) with least norm, and its gap.

    The gap ||x||^2 - min_i <x, p_i> >= 0 bounds how far ||x||^2 is above the least: 0 is optimal.

    >>> weights, gap = minimum_norm(np.array([[1.0, 1.0], [1.0, -3.0]]))
    >>> weights, gap
    (array([0.75, 0.25]), 0.0)
    """
    scale = np.abs(points).max()
    if scale == 0:
        return np.full(len(points), 1 / len(points)), 0.0
    points = points / scale
    squares = (points**2).sum(1)
    corral = [int(squares.argmin())]
    weights = np.ones(1)
    best, lowest = (corral, weights), np.inf
    for _ in range(50 * len(points) + 100):
        x = weights @ points[corral]
        reach = points @ x
        nearest = int(reach.argmin())
        gap = float(x @ x - reach[nearest])
        if gap < lowest:
            best, lowest = (list(corral), weights.copy()), gap
        rounding = 4 * np.finfo(float).eps * np.sqrt(squares.max()) * np.sqrt(x @ x)
        if gap <= rounding or nearest in corral:
            break
        corral.append(nearest)
        weights = np.append(weights, 0.0)
        while True:
            affine = _affine(points[corral])
            if (affine > 0).all():
                weights = affine
                break
            # as far towards the affine solution as the weights stay >= 0; who reaches 0 leaves
            falling = affine <= 0
            steps = np.full(len(corral), np.inf)
            steps[falling] = weights[falling] / np.maximum(weights[falling] - affine[falling], 1e-300)
            first = int(steps.argmin())
            weights = np.maximum(weights + min(1.0, steps[first]) * (affine - weights), 0.0)
            weights[first] = 0.0
            kept = weights > 0
            corral = [p for p, stays in zip(corral, kept, strict=True) if stays]
            weights = weights[kept] / weights[kept].sum()
    full = np.zeros(len(points))
    full[best[0]] = best[1] / best[1].sum()
    x = full @ points
    return full, float(max(0.0, x @ x - (points @ x).min()) * scale**2)


def _affine(points: np.ndarray) -> np.ndarray:
    """Weights with sum 1 of the point of least norm in the affine hull, by least squares."""
    last = points[-1]
    if len(points) == 1:
        return np.ones(1)
    found = lstsq((points[:-1] - last).T, -last, lapack_driver="gelsy", check_finite=False)
    weights = np.asarray(found[0]) if found is not None else np.zeros(len(points) - 1)
    return np.append(weights, 1 - weights.sum())
