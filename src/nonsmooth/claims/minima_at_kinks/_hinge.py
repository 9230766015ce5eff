"""The hinge loss, the premise of Laurent and von Brecht: stationary points by sequential linear programming.

f(theta) = mean of max(0, q_i), q_i = 1 - y_i o_i, of a one-hidden-layer network. Inside a cell f is
multilinear in its layers, so it has no second derivative along any one coordinate, and trace(Hessian) = 0: f
is harmonic there. By the maximum principle a local minimum inside a cell is a flat one: f is constant on the
cell.

First order. Along d, o_i moves by sum_j [phi_j(z_ij + dz_ij) v_j + phi_j(z_ij) dv_j] + dc. Where -y_i v_j > 0
the kink of unit j is convex in q_i: a linear programme carries it by p_ij >= s (z_ij + dz_ij), p_ij >= z_ij +
dz_ij. Where -y_i v_j < 0 it is concave: the programme keeps the side that it is on. Steps are the solutions
of such programmes in a trust region. At the end one programme for each choice of sides of the concave kinks
at the point gives the least f'(x; d) over |d| <= 1, exactly; if it is 0, the point is stationary.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

__all__ = ["End", "Hinge", "descend"]

_NO_DECREASE = 1e-12
_STATIONARY = 1e-8  # of a one-sided derivative over |d| <= 1, in the maximum norm
_AT_KINK = 1e-9
_BRANCHES = 6  # concave kinks at a point whose sides are all tried: at most 2^6 programmes
_TIGHT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


@dataclass(frozen=True)
class Hinge:
    """The mean hinge loss of o = v.phi(W x + b) + c.

    Args:
        x: (N, d) inputs.
        y: (N,) targets, -1 or 1.
        width: m, hidden units.
        slope: of the unit below 0: 0 is ReLU.
    """

    x: np.ndarray
    y: np.ndarray
    width: int
    slope: float

    def unpack(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """W (m, d), b (m,), v (m,) and c, in the order of ``nonsmooth.networks.mlp``."""
        m, d = self.width, self.x.shape[1]
        return theta[: m * d].reshape(m, d), theta[m * d : m * d + m], theta[m * d + m : -1], theta[-1]

    def parts(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pre-activations z (N, m) and q (N,) = 1 - y o."""
        W, b, v, c = self.unpack(theta)
        z = self.x @ W.T + b
        return z, 1 - self.y * (np.where(z > 0, z, self.slope * z) @ v + c)

    def value(self, theta: np.ndarray) -> float:
        return float(np.maximum(self.parts(theta)[1], 0).mean())


@dataclass(frozen=True)
class End:
    """Where the method stopped.

    Attributes:
        theta, value: the point and the loss.
        stationary: f'(x; d) >= 0 for all d, by linear programmes; False also where too many would be needed.
        margins: samples at the hinge's own kink, q_i = 0.
        kinks: units at their kink for a sample whose loss is not off, with v_j != 0.
        gradient: norm of the gradient of one adjacent cell.
        curvature: greatest |entry| of that cell's Hessian; 0 with gradient 0 is a flat cell.
        programmes: linear programmes solved.
    """

    theta: np.ndarray
    value: float
    stationary: bool
    margins: int
    kinks: int
    gradient: float
    curvature: float
    programmes: int


def descend(f: Hinge, theta: np.ndarray, programmes: int = 120) -> End:
    """Sequential linear programming in a trust region of the maximum norm, until no programme finds a
    decrease.

    >>> f = Hinge(np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0]), 1, 0.0)
    >>> end = descend(f, np.array([1.0, 0.0, 0.5, 0.0]))
    >>> end.value, end.stationary
    (0.0, True)
    """
    radius, value, count, stationary = 0.3, f.value(theta), 0, False
    while count < programmes:
        way, promised = _programme(f, theta, radius)
        count += 1
        if promised <= _NO_DECREASE or radius < 1e-10:
            steepest = _steepest(f, theta)
            count += steepest.programmes
            stationary = steepest.way is None and steepest.all_tried
            if steepest.way is None:
                break
            way, radius = steepest.way, 0.01
            while f.value(theta + radius * way) >= value and radius > 1e-12:
                radius /= 4
            way, promised = radius * way, 0.0
        fallen = value - f.value(theta + way)
        if fallen > 0.1 * promised:
            theta = theta + way
            value = f.value(theta)
        if fallen > 0.7 * promised:
            radius = min(2 * radius, 1.0)
        elif not fallen > 0.3 * promised:
            radius *= 0.4
    return End(theta, f.value(theta), stationary, *_kinks(f, theta), programmes=count)


def _programme(f: Hinge, theta: np.ndarray, radius: float) -> tuple[np.ndarray, float]:
    """The best direction of the model above in |d| <= radius, and the decrease that it promises."""
    _, _, v, _ = f.unpack(theta)
    z, q = f.parts(theta)
    reach = radius * (np.abs(f.x).sum(1) + 1)
    convex = (np.abs(z) <= reach[:, None]) & (f.y[:, None] * v < 0)
    i, j = np.nonzero(convex)
    bend = np.where(z > 0, 1.0, f.slope)
    a = z * bend
    # unknowns: d (P), xi_i >= max(0, q_i) and, for the convex kinks, e_ij = p_ij - phi(z_ij)
    outputs = _outputs(f, theta, np.where(convex, 0.0, bend))
    n = len(f.x)
    carried = sparse.csr_matrix((-f.y[i] * v[j], (i, np.arange(len(i)))), (n, len(i)))
    hinge = sparse.hstack([-f.y[:, None] * outputs, -sparse.identity(n), carried])
    moved = _rates(f, i, j)
    empty, minus = sparse.csr_matrix((len(i), n)), -sparse.identity(len(i))
    below = sparse.hstack([f.slope * moved, empty, minus])
    above = sparse.hstack([moved, empty, minus])
    bound = np.concatenate([-q, a[i, j] - f.slope * z[i, j], a[i, j] - z[i, j]])
    cost = np.concatenate([np.zeros(theta.size), np.full(n, 1 / n), np.zeros(len(i))])
    limits = [(-radius, radius)] * theta.size + [(0, None)] * n + [(None, None)] * len(i)
    rows = sparse.vstack([hinge, below, above]).tocsc()
    solved: Any = linprog(cost, A_ub=rows, b_ub=bound, bounds=limits, method="highs-ds")
    if solved.x is None:  # HiGHS gave up: nothing promised
        return np.zeros(theta.size), 0.0
    return solved.x[: theta.size], float(np.maximum(q, 0).mean() - solved.fun)


def _outputs(f: Hinge, theta: np.ndarray, bend: np.ndarray) -> np.ndarray:
    """do_i / dd with these slopes of the units, (N, P); 0 for the units of which p_ij takes care."""
    _, _, v, _ = f.unpack(theta)
    (n, d), m = f.x.shape, f.width
    z, _ = f.parts(theta)
    of_units = bend * v
    of_weights = (of_units[:, :, None] * f.x[:, None, :]).reshape(n, m * d)
    return np.hstack([of_weights, of_units, np.where(z > 0, z, f.slope * z), np.ones((n, 1))])


def _rates(f: Hinge, samples: np.ndarray, units: np.ndarray) -> np.ndarray:
    """dz_ij as rows over the unknowns d, (K, P)."""
    d, m = f.x.shape[1], f.width
    rows = np.zeros((len(samples), m * (d + 2) + 1))
    for row, i, j in zip(rows, samples, units, strict=True):
        row[j * d : (j + 1) * d] = f.x[i]
        row[m * d + j] = 1
    return rows


@dataclass(frozen=True)
class _Steepest:
    """A direction of decrease, or None; whether all sides of the concave kinks were tried."""

    way: np.ndarray | None
    all_tried: bool
    programmes: int


def _steepest(f: Hinge, theta: np.ndarray) -> _Steepest:
    """The least f'(x; d) over |d| <= 1, one programme for each choice of sides of the concave kinks at x."""
    _, _, v, _ = f.unpack(theta)
    z, q = f.parts(theta)
    at = (np.abs(z) <= _AT_KINK * np.sqrt((f.x**2).sum(1) + 1)[:, None]) & (q[:, None] > -_AT_KINK) & (v != 0)
    places = np.argwhere(at & (f.y[:, None] * v > 0))
    count = 0
    for sides in product((False, True), repeat=min(len(places), _BRANCHES)):
        on = z > 0
        for (i, j), side in zip(places, sides, strict=False):
            on[i, j] = side
        way, least = _derivative(f, theta, on, at & (f.y[:, None] * v < 0), places)
        count += 1
        if not least >= -_STATIONARY:
            return _Steepest(way if least < 0 else None, False, count)
    return _Steepest(None, len(places) <= _BRANCHES, count)


def _derivative(
    f: Hinge, theta: np.ndarray, on: np.ndarray, convex: np.ndarray, held: np.ndarray
) -> tuple[np.ndarray, float]:
    """Minimise f'(x; d) over |d| <= 1 where the ``held`` units (K, 2) stay on the side that ``on`` says."""
    _, _, v, _ = f.unpack(theta)
    _, q = f.parts(theta)
    n = len(f.x)
    i, j = np.nonzero(convex)
    outputs = _outputs(f, theta, np.where(convex, 0.0, np.where(on, 1.0, f.slope)))
    counted, tied = q > _AT_KINK, np.flatnonzero(np.abs(q) <= _AT_KINK)
    weight = -f.y[i] * v[j]  # > 0: by how much p_ij moves q_i
    # unknowns: d (P), xi_i >= max(0, dq_i) for tied samples, p_ij
    cost = np.concatenate([-(f.y * counted) @ outputs, np.ones(len(tied)), weight * counted[i]]) / n
    carried = sparse.csr_matrix((weight, (i, np.arange(len(i)))), (n, len(i))).tocsr()
    hinge = sparse.hstack([-(f.y[:, None] * outputs)[tied], -sparse.identity(len(tied)), carried[tied]])
    moved, empty = _rates(f, i, j), sparse.csr_matrix((len(i), len(tied)))
    below = sparse.hstack([f.slope * moved, empty, -sparse.identity(len(i))])
    above = sparse.hstack([moved, empty, -sparse.identity(len(i))])
    away = np.where(on[held[:, 0], held[:, 1]], -1.0, 1.0)[:, None] * _rates(f, held[:, 0], held[:, 1])
    stay = sparse.hstack([away, sparse.csr_matrix((len(held), len(tied) + len(i)))])
    rows = sparse.vstack([hinge, below, above, stay]).tocsc()
    limits = [(-1, 1)] * theta.size + [(0, None)] * len(tied) + [(None, None)] * len(i)
    solved: Any = linprog(
        cost,
        A_ub=rows,
        b_ub=np.zeros(len(tied) + 2 * len(i) + len(held)),
        bounds=limits,
        method="highs-ds",
        options=_TIGHT,
    )
    if solved.x is None:  # HiGHS gave up: no certificate
        return np.zeros(theta.size), np.nan
    return solved.x[: theta.size], float(solved.fun)


def _kinks(f: Hinge, theta: np.ndarray) -> tuple[int, int, float, float]:
    """Samples and units at a kink that carries a slope; gradient and Hessian of one adjacent cell."""
    _, _, v, _ = f.unpack(theta)
    n = len(f.x)
    z, q = f.parts(theta)
    scale = np.sqrt((f.x**2).sum(1) + 1)
    margins = np.abs(q) <= _AT_KINK
    units = (np.abs(z) <= _AT_KINK * scale[:, None]) & (np.abs(v) > _AT_KINK) & (q[:, None] > -_AT_KINK)
    bend = np.where(z > 0, 1.0, f.slope)
    first = np.where(q > _AT_KINK, -f.y, 0.0) / n
    mixed = first[:, None] * bend
    x1 = np.hstack([f.x, np.ones((n, 1))])
    with_w = mixed.T @ x1  # the Hessian's only entries: v_j against (w_j, b_j)
    of_w, of_v = (mixed * v).T @ x1, first @ np.where(z > 0, z, f.slope * z)
    gradient = float(np.sqrt((of_w**2).sum() + (of_v**2).sum() + first.sum() ** 2))
    return int(margins.sum()), int(units.sum()), gradient, float(np.abs(with_w).max())
