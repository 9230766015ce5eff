"""Convex losses of a linear model's outputs, with what a duality gap needs of them: slopes and conjugates.

l(z; y) is the loss of one output (of one row, for cross-entropy), l*(u; y) = sup_z u z - l(z; y):

    squared          (z - y)^2                   u y + u^2 / 4
    Huber            d(z - y) * scale            u y + u^2 / (2 scale)             |u| <= width scale
    logistic         log(1 + e^z) - y z          p log p + (1 - p) log(1 - p)      p = y + u in [0, 1]
    cross-entropy    log sum e^z - z_y           sum_k p_k log p_k                 p = e_y + u in the simplex

with d(r) = r^2/2 for |r| <= width, width (|r| - width/2) beyond. All are NumPy: z, y, u are (N, K).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["CrossEntropy", "Huber", "LinearLoss", "Logistic", "Squared"]


class LinearLoss:
    """Base: losses that act output by output."""

    def terms(self, z: np.ndarray) -> int:
        """How many terms the mean is over."""
        return z.size

    def value(self, z: np.ndarray, y: np.ndarray) -> float:
        """The sum of the terms."""
        raise NotImplementedError

    def slope(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def conjugate(self, u: np.ndarray, y: np.ndarray) -> float:
        """The sum of l*; infinite outside of its domain."""
        raise NotImplementedError

    def reach(self, u: np.ndarray, y: np.ndarray) -> float:
        """A factor t beyond which t u need not be tried: it leaves the domain, or the bound falls there."""
        return 1.0

    def best_bias(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """argmin_b of the sum of l(z + b; y), (K,): the slopes' sum rises in b_k, so by bisection."""
        span = float(np.abs(z).max(initial=0.0) + np.abs(y).max(initial=0.0)) + 50.0
        low, high = np.full(z.shape[1], -span), np.full(z.shape[1], span)
        for _ in range(120):
            middle = (low + high) / 2
            rising = self.slope(z + middle, y).sum(0) > 0
            low, high = np.where(rising, low, middle), np.where(rising, middle, high)
        return (low + high) / 2


class Squared(LinearLoss):
    """Mean squared error."""

    def value(self, z: np.ndarray, y: np.ndarray) -> float:
        return float(np.square(z - y).sum())

    def slope(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 2 * (z - y)

    def conjugate(self, u: np.ndarray, y: np.ndarray) -> float:
        return float((u * y + u * u / 4).sum())

    def reach(self, u: np.ndarray, y: np.ndarray) -> float:
        """-t u.y - t^2 u.u/4 falls beyond t = -2 u.y/u.u."""
        square = float((u * u).sum())
        return max(1.0, -2 * float((u * y).sum()) / square) if square > 0 else 1.0

    def best_bias(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (y - z).mean(0)


@dataclass(frozen=True)
class Huber(LinearLoss):
    """torch's HuberLoss (scale 1, width delta) and SmoothL1Loss (scale 1/beta, width beta)."""

    width: float
    scale: float

    def value(self, z: np.ndarray, y: np.ndarray) -> float:
        size = np.abs(z - y)
        near = np.minimum(size, self.width)
        return self.scale * float((near * (size - near / 2)).sum())

    def slope(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        return self.scale * np.clip(z - y, -self.width, self.width)

    def conjugate(self, u: np.ndarray, y: np.ndarray) -> float:
        if np.abs(u).max(initial=0.0) > self.width * self.scale:
            return float("inf")
        return float((u * y + u * u / (2 * self.scale)).sum())


class Logistic(LinearLoss):
    """Binary cross-entropy of logits; y in [0, 1]."""

    def value(self, z: np.ndarray, y: np.ndarray) -> float:
        return float((np.logaddexp(0.0, z) - y * z).sum())

    def slope(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        from scipy.special import expit

        return expit(z) - y

    def conjugate(self, u: np.ndarray, y: np.ndarray) -> float:
        from scipy.special import xlogy

        p = np.clip(y + u, 0.0, 1.0)  # outside by rounding only
        return float((xlogy(p, p) + xlogy(1 - p, 1 - p)).sum())


class CrossEntropy(LinearLoss):
    """Of one class a row; y holds ones and zeros, (N, K)."""

    def terms(self, z: np.ndarray) -> int:
        return z.shape[0]

    def value(self, z: np.ndarray, y: np.ndarray) -> float:
        from scipy.special import logsumexp

        return float(np.sum(logsumexp(z, axis=1)) - (z * y).sum())

    def slope(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        from scipy.special import softmax

        return np.asarray(softmax(z, axis=1)) - y

    def conjugate(self, u: np.ndarray, y: np.ndarray) -> float:
        from scipy.special import xlogy

        p = np.clip(y + u, 0.0, 1.0)
        return float(xlogy(p, p).sum())

    def best_bias(self, z: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Newton's method, halved until the slopes' sums get smaller (the value cannot show the last "
        "digits)."""
        bias = np.zeros(z.shape[1])
        slope = self.slope(z, y)
        for _ in range(100):
            p = slope + y
            left = slope.sum(0)
            move = np.linalg.lstsq(np.diag(p.sum(0)) - p.T @ p, -left, rcond=None)[0]
            for _ in range(40):
                following = self.slope(z + bias + move, y)
                if np.linalg.norm(following.sum(0)) < np.linalg.norm(left):
                    break
                move = move / 2
            else:
                return bias
            bias, slope = bias + move, following
        return bias
