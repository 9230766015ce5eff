"""The proximal subgradient step b <- soft(b - a g, a λ1), g a subgradient of a convex data term.

Kinked data terms are what ``ProximalGradient`` refuses, for good reason: this is the method under judgement.
"""

from __future__ import annotations

import numpy as np
from numba import njit

__all__ = ["descend"]


@njit(cache=True)
def _slope(kind, width, residual, z):
    """Slope of one term in z: kind 0 |z - y| (rounded over ``width``), kind 1 (max(0, z) - y)^2."""
    if kind == 1:
        return 2 * residual if z > 0 else 0.0
    if width > 0:
        return min(max(residual / width, -1.0), 1.0)
    return np.sign(residual)


@njit(cache=True)
def descend(kind, width, weight, W, y, strength, stepsize, profile, b):
    """Move b (P,) in place by ``profile.size`` steps of size stepsize * profile[t] on

    weight * sum_i l((Wb)_i; y_i) + strength ||b||_1, with the data term's subgradient first.
    """
    g = np.empty_like(b)
    for t in range(profile.size):
        g[:] = 0
        for i in range(W.shape[0]):
            z = 0.0
            for k in range(b.size):
                z += W[i, k] * b[k]
            s = weight * _slope(kind, width, z - y[i], z)
            if s != 0:
                for k in range(b.size):
                    g[k] += s * W[i, k]
        a = stepsize * profile[t]
        for k in range(b.size):
            moved = b[k] - a * g[k]
            size = abs(moved) - a * strength
            b[k] = np.sign(moved) * size if size > 0 else 0.0
