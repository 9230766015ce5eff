"""The worst periodic orbit over all convex Lipschitz functions: a semidefinite bound, and instances below it.

Step 1, L = 1. For an orbit x_{k+1} = x_k - g_k of period K, sum g_k = 0, sum g_k.x_k = sum ||g_k||^2 / 2.
The mean of the supporting planes is then constant: f >= mean f_k - mean ||g_k||^2 / 2 =: c. If the g_k have
rank K - 1 all planes meet in a point, and the lowest such function has f* = c. So the greatest f_0 - f* over
all convex f with ||g_k|| <= 1, in any dimension, is at most, and as a supremum equal to,

    max  f_0 - mean f_k + mean ||g_k||^2 / 2   s.t.   f_j >= f_i + g_i.(x_j - x_i),  ||g_i||^2 <= 1,

linear in the f_k and in the Gram matrix of g_0 .. g_{K-2}: a semidefinite program. Its multipliers, made
feasible, bound the excess from above. An integer cycle near its solution bounds it from below, exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from nonsmooth.claims.unstable_convergence._cycles import longest_paths, orbit_points

__all__ = ["Periodic", "exact_excess", "worst_period"]

# The share of a regular simplex mixed into the solution, so that rounding leaves its inequalities true.
_MIX = 0.004
_SCALES = (10, 30, 100, 300, 1000, 10_000, 100_000)
_PRIME = 2**61 - 1


class Periodic(NamedTuple):
    """``bound``: no orbit of this period exceeds it, in units α L². ``gradients``: one that comes near."""

    bound: float
    gradients: list[list[int]]


def worst_period(period: int) -> Periodic:
    """Bound the highest point of a periodic orbit over f* + α L², and find an integer cycle close to it.

    Args:
        period: K >= 2; seconds up to about 40.

    >>> worst = worst_period(2)
    >>> round(worst.bound, 6), exact_excess(worst.gradients)
    (1.0, Fraction(1, 1))
    """
    import cvxpy as cp

    steps, products = _geometry(period)
    size, pairs = period - 1, [(i, j) for i in range(period) for j in range(period) if i != j]
    gram, f = cp.Variable((size, size), PSD=True), cp.Variable(period)
    flat = cp.vec(gram, order="C")
    weights = np.array([products(i, j).ravel() for i, j in pairs])
    squares = np.array([np.outer(g, g).ravel() for g in steps])
    rise = np.zeros((len(pairs), period))
    for row, (i, j) in zip(rise, pairs, strict=True):
        row[i], row[j] = -1, 1
    convex, short = rise @ f >= weights @ flat, squares @ flat <= 1
    excess = f[0] - cp.sum(f) / period + (squares.mean(axis=0) @ flat) / 2
    cp.Problem(cp.Maximize(excess), [convex, short]).solve(solver=cp.CLARABEL)
    bound = _certified(pairs, weights, squares, convex.dual_value, short.dual_value)
    return Periodic(bound, _integer_cycle(np.asarray(gram.value), bound))


def exact_excess(gradients: list[list[int]]) -> Fraction | None:
    """(f(x_0) - f*) / (α L²) of the lowest convex function with this integer cycle of subgradients, exactly.

    None if there is no such function, the cycle does not close, or the gradients' rank is below period - 1
    (all planes then need not meet, and f* may lie higher).

    >>> exact_excess([[2, 1, 0], [0, 0, -1], [-1, 1, 1], [-1, -2, 0]])
    Fraction(21, 20)
    """
    g = np.array(gradients, dtype=object)
    heights, allowed = longest_paths(g[None])
    if not allowed[0] or g.sum(axis=0).any() or _rank(gradients) < len(gradients) - 1:
        return None
    points = orbit_points(g[None])[0]
    lowest = Fraction(int(heights[0].sum() - (g * points).sum()), len(gradients))
    return -lowest / int((g * g).sum(axis=1).max())


def _geometry(period: int) -> tuple[np.ndarray, Callable[[int, int], np.ndarray]]:
    """g_i as rows over the basis g_0 .. g_{K-2}, and the symmetric matrix of g_i.(x_j - x_i) in it."""
    steps = np.vstack([np.eye(period - 1), -np.ones(period - 1)])
    points = np.vstack([np.zeros(period - 1), -np.cumsum(steps[:-1], axis=0)])

    def products(i: int, j: int) -> np.ndarray:
        outer = np.outer(steps[i], points[j] - points[i])
        return (outer + outer.T) / 2

    return steps, products


def _certified(
    pairs: Sequence[tuple[int, int]],
    weights: np.ndarray,
    squares: np.ndarray,
    flow: np.ndarray,
    price: np.ndarray,
) -> float:
    """The bound that the solver's multipliers prove once they are feasible (up to rounding of sums).

    For multipliers >= 0 that balance f, the excess is at most sum(price) if the matrix ``slack`` is positive
    semidefinite; adding e to every price adds at least e I to it, for sum g_i g_i^T >= I in this basis.
    """
    period = len(squares)
    flow, price = np.maximum(flow, 0), np.maximum(price, 0)
    rest = -np.full(period, 1 / period)
    rest[0] += 1
    for (i, j), amount in zip(pairs, flow, strict=True):
        rest[i] -= amount
        rest[j] += amount
    carried = np.cumsum(rest)  # along the edges k -> k + 1, so that nothing is left at any k
    carried -= carried.min()
    edges = {pair: k for k, pair in enumerate(pairs)}
    for k in range(period):
        flow[edges[k, (k + 1) % period]] += carried[k]
    slack = weights.T @ flow + squares.T @ price - squares.mean(axis=0) / 2
    size = period - 1
    least = float(np.linalg.eigvalsh(slack.reshape(size, size))[0])
    return float(price.sum()) + period * max(0.0, -least)


def _integer_cycle(gram: np.ndarray, bound: float) -> list[list[int]]:
    """The coarsest integer cycle near the solution whose exact excess comes within 0.01 of the bound."""
    size = gram.shape[0]
    simplex = (np.eye(size) * (size + 1) - 1) / size  # unit vectors at equal angles: a strictly convex cycle
    values, vectors = np.linalg.eigh((1 - _MIX) * gram + _MIX * simplex)
    g = vectors * np.sqrt(np.maximum(values, 0))
    best: list[list[int]] = []
    greatest = Fraction(0)
    for scale in _SCALES:
        rounded = [[round(float(scale * entry)) for entry in row] for row in g]
        cycle = [*rounded, [-sum(column) for column in zip(*rounded, strict=True)]]
        found = exact_excess(cycle)
        if found is not None and found > greatest:
            best, greatest = cycle, found
        if greatest > bound - 0.01:
            break
    return best


def _rank(rows: list[list[int]]) -> int:
    """Rank modulo a prime: never above the true rank."""
    matrix = [[entry % _PRIME for entry in row] for row in rows]
    rank = 0
    for column in range(len(matrix[0])):
        pivot = next((k for k in range(rank, len(matrix)) if matrix[k][column]), None)
        if pivot is None:
            continue
        matrix[rank], matrix[pivot] = matrix[pivot], matrix[rank]
        inverse = pow(matrix[rank][column], -1, _PRIME)
        for k in range(rank + 1, len(matrix)):
            factor = matrix[k][column] * inverse % _PRIME
            if factor:
                top = matrix[rank]
                matrix[k] = [(a - factor * b) % _PRIME for a, b in zip(matrix[k], top, strict=True)]
        rank += 1
    return rank
