"""Periodic orbits of the subgradient method: how high above the minimum can one of their points lie?

With step 1, an orbit x_{i+1} = x_i - g_i of period T needs sum g_i = 0. A convex function with subgradient
g_i and value f_i at x_i exists exactly if f_j >= f_i + g_i.(x_j - x_i) for all i, j; the maximum of those
planes is one, its Lipschitz constant max ||g_i||. Given the g_i, the greatest f_0 - f* is a linear program in
the f_i and a point x* where every plane is at most 0. Its value is found for all cycles at once: the least
f_i are longest paths, and by duality what remains is a minimum over the few ways in which at most d + 1
gradients average to 0. Searching integer g_i from small to large finds the smallest instance that breaks a
bound; the program then gives its numbers, which are checked in exact rationals.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

__all__ = ["Cycle", "cycles", "excesses", "highest_point", "longest_paths", "orbit_points", "verify"]

Vector = tuple[int, ...]


@dataclass(frozen=True)
class Cycle:
    """f(x) = max_i  values[i] + g_i.(x - x_i), step 1, start x_0 = 0; ``low`` is a point where f <= 0."""

    gradients: tuple[Vector, ...]
    values: tuple[Fraction, ...]
    low: tuple[Fraction, ...]

    @property
    def points(self) -> list[tuple[Fraction, ...]]:
        points = [tuple(Fraction(0) for _ in self.low)]
        for g in self.gradients[:-1]:
            points.append(tuple(p - c for p, c in zip(points[-1], g, strict=True)))
        return points

    @property
    def lipschitz_squared(self) -> int:
        return max(sum(c * c for c in g) for g in self.gradients)

    @property
    def excess(self) -> Fraction:
        """(f(x_0) - 0) / (step L^2), a lower bound on the last iterate's excess over f*."""
        return self.values[0] / self.lipschitz_squared

    @property
    def differentiable(self) -> bool:
        """Whether one plane alone is active at each point of the orbit: gradient descent has no choice."""
        return all(sum(h == max(heights) for h in heights) == 1 for heights in map(self.planes, self.points))

    def planes(self, x: tuple[Fraction, ...]) -> list[Fraction]:
        return [
            v + sum((c * (a - b) for c, a, b in zip(g, x, p, strict=True)), Fraction(0))
            for v, g, p in zip(self.values, self.gradients, self.points, strict=True)
        ]


def cycles(dimension: int, period: int, steepest: int) -> Iterator[tuple[Vector, ...]]:
    """Integer cycles g_0, ..., g_{T-1} with sum 0, ||g_i||^2 <= ``steepest`` and ||g_0||^2 equal to it.

    The first step, down from the highest point, is a longest one; its entries are sorted and non-negative,
    which loses none up to reflections and permutations of the axes.
    """
    largest = math.isqrt(steepest)
    box = itertools.product(range(-largest, largest + 1), repeat=dimension)
    vectors = [v for v in box if 0 < sum(c * c for c in v) <= steepest]
    vectors.sort(key=lambda v: (sum(c * c for c in v), v))
    for g0 in vectors:
        if sum(c * c for c in g0) < steepest or list(g0) != sorted(map(abs, g0), reverse=True):
            continue
        for rest in itertools.product(vectors, repeat=period - 2):
            last = tuple(-sum(column) for column in zip(g0, *rest, strict=True))
            if 0 < sum(c * c for c in last) <= steepest:
                yield (g0, *rest, last)


def orbit_points(gradients: np.ndarray) -> np.ndarray:
    """The orbits (B, T, d) of step 1 from 0 along cycles of gradients."""
    return np.concatenate([0 * gradients[:, :1], -np.cumsum(gradients[:, :-1], axis=1)], axis=1)


def longest_paths(gradients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """For cycles (B, T, d): the least f_j - f_0 that convexity allows, (B, T), and whether it allows any.

    f_j - f_i >= g_i.(x_j - x_i) for all pairs is solvable exactly if no closed path has positive weight. The
    least f_j - f_0 is then the longest path from 0 to j. Integers in, integers out.
    """
    period = gradients.shape[1]
    points = orbit_points(gradients)
    weights = np.einsum("bid,bijd->bij", gradients, points[:, None] - points[:, :, None])
    for k in range(period):
        weights = np.maximum(weights, weights[:, :, k, None] + weights[:, None, k, :])
    return weights[:, 0], (np.einsum("bii->bi", weights) <= 0).all(axis=1)


def excesses(gradients: np.ndarray) -> np.ndarray:
    """For cycles (B, T, d): the greatest f_0 - f* over step L^2, as ``highest_point``; NaN without one.

    With D_j the least f_j - f_0, f_0 may be as large as max over x* of min_j (c_j - g_j.x*),
    c_j = g_j.x_j - D_j: by duality the least sum of l_j c_j over l >= 0 of sum 1 with sum l_j g_j = 0.

    >>> excesses(np.array([[[1], [-1]]]))
    array([1.])
    """
    count, period, dimension = gradients.shape
    lowest, allowed = longest_paths(gradients)
    c = np.einsum("bid,bid->bi", gradients, orbit_points(gradients)) - lowest
    rows = np.concatenate([gradients, np.ones((count, period, 1))], axis=2)
    right = np.array([0.0] * dimension + [1.0])
    # all weights equal is one such way
    least = c.mean(axis=1)
    for few in range(2, min(period, dimension + 1) + 1):
        for support in itertools.combinations(range(period), few):
            matrix = rows[:, support].transpose(0, 2, 1)
            weights = np.linalg.pinv(matrix) @ right
            solves = np.abs(np.einsum("bek,bk->be", matrix, weights) - right).max(axis=1) < 1e-9
            fits = solves & (weights > -1e-9).all(axis=1)
            value = (weights * c[:, support]).sum(axis=1)
            least = np.where(fits, np.minimum(least, value), least)
    return np.where(allowed, least / (gradients**2).sum(axis=2).max(axis=1), np.nan)


def highest_point(
    gradients: tuple[Vector, ...], target: float | None = None
) -> tuple[float, np.ndarray] | None:
    """Greatest f_0 - f* over step L^2, with the program's solution (f_0.., x*); None without such a function.

    With ``target``, f_0 is held at target L^2 and the least gap by which each plane is the only active one at
    its own point is made as large as possible instead: a function differentiable at every point of the orbit.
    """
    from scipy.optimize import linprog

    g = np.array(gradients, dtype=float)
    period, dimension = g.shape
    points = -np.vstack([np.zeros(dimension), np.cumsum(g, axis=0)[:-1]])
    top = float((g**2).sum(axis=1).max())
    size = period + dimension + 1
    rows, right = [], []
    for i in range(period):
        for j in range(period):
            if i != j:
                row = np.zeros(size)
                row[i], row[j], row[-1] = 1, -1, 1
                rows.append(row)
                right.append(-g[i] @ (points[j] - points[i]))
        row = np.zeros(size)
        row[i], row[period:-1] = 1, g[i]
        rows.append(row)
        right.append(g[i] @ points[i])
    cost = np.zeros(size)
    gap = (0.0, 0.0) if target is None else (0.0, None)
    bounds: list[tuple[float | None, float | None]] = (
        [(0.0, None)] * period + [(None, None)] * dimension + [gap]
    )
    if target is None:
        cost[0] = -1
    else:
        cost[-1] = -1
        bounds[0] = (target * top, target * top)
    solved = linprog(cost, np.array(rows), np.array(right), bounds=bounds, method="highs")
    return (float(solved.x[0]) / top, solved.x) if solved.status == 0 else None


def verify(gradients: tuple[Vector, ...], solution: np.ndarray) -> Cycle | None:
    """The instance in exact rationals, or None if rounding the program's solution breaks a condition.

    Checked: the orbit closes; f <= 0 somewhere; at every point of the orbit the plane that generated it is
    active, so that g_i is a subgradient there. Where it is the only one (``Cycle.differentiable``), it is the
    gradient.
    """
    period = len(gradients)
    numbers = [Fraction(float(v)).limit_denominator(400) for v in solution[:-1]]
    cycle = Cycle(gradients, tuple(numbers[:period]), tuple(numbers[period:]))
    if max(cycle.planes(cycle.low)) > 0 or any(sum(column) != 0 for column in zip(*gradients, strict=True)):
        return None
    fits = all(max(heights) == heights[i] for i, heights in enumerate(map(cycle.planes, cycle.points)))
    return cycle if fits else None
