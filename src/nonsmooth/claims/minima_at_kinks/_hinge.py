"""The hinge loss, the premise of Laurent and von Brecht: stationary points by sequential linear programming.

f(theta) = mean of max(0, q_i), q_i = 1 - y_i o_i, of a one-hidden-layer network. Inside a cell f is multilinear
in its layers, so it has no second derivative along any one coordinate, and trace(Hessian) = 0: f is
harmonic there. By the maximum principle a local minimum inside a cell is a flat one: f is constant on the cell.

First order. Along d, o_i moves by sum_j [phi_j(z_ij + dz_ij) v_j + phi_j(z_ij) dv_j] + dc. Where -y_i v_j > 0 the
kink of unit j is convex in q_i: a linear programme carries it by p_ij >= s (z_ij + dz_ij), p_ij >= z_ij + dz_ij.
Where -y_i v_j < 0 it is concave: the programme keeps the side that it is on. If the programme finds no decrease
within a trust region, and none on the other side of any concave kink at the point, then f'(x; d) >= 0 for all d.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

__all__ = ["End", "Hinge", "descend"]

_NO_DECREASE = 1e-12
_AT_KINK = 1e-9
_BRANCHES = 6  # concave kinks at a point whose sides are all tried: 2^6 programmes


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
        stationary: the programmes find no direction of decrease: f'(x; d) >= 0 for all d.
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


def descend(f: Hinge, theta: np.ndarray, programmes: int = 200) -> End:
    """Sequential linear programming in a trust region of the maximum norm, until no programme finds a decrease.

    >>> f = Hinge(np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0]), 1, 0.0)
    >>> end = descend(f, np.array([1.0, 0.0, 0.5, 0.0]))
    >>> end.value, end.stationary
    (0.0, True)
    """
    radius, value, count, stationary = 0.3, f.value(theta), 0, False
    while count < programmes and radius > 1e-14:
        way, promised = _programme(f, theta, radius, f.parts(theta)[0] > 0)
        count += 1
        if promised <= _NO_DECREASE:
            crossing = _other_sides(f, theta)
            count += crossing.programmes
            stationary = crossing.all_tried and crossing.way is None
            if crossing.way is None:
                break
            way, promised, radius = crossing.way, crossing.promised, 0.01
        fallen = value - f.value(theta + way)
        if fallen > 0.1 * promised:
            theta = theta + way
            value = f.value(theta)
        if fallen > 0.7 * promised:
            radius = min(2 * radius, 1.0)
        elif not fallen > 0.3 * promised:
            radius *= 0.4
    return End(theta, f.value(theta), stationary, *_kinks(f, theta), programmes=count)


def _programme(
    f: Hinge, theta: np.ndarray, radius: float, on: np.ndarray, held: np.ndarray | None = None
) -> tuple[np.ndarray, float]:
    """The best direction of the model above in |d| <= radius, and the decrease that it promises.

    ``held`` (K, 2): samples and units at whose kinks the direction must stay on the side that ``on`` says.
    """
    _, _, v, _ = f.unpack(theta)
    (n, d), m = f.x.shape, f.width
    z, q = f.parts(theta)
    reach = radius * (np.abs(f.x).sum(1) + 1)
    convex = (np.abs(z) <= reach[:, None]) & (f.y[:, None] * v < 0)
    i, j = np.nonzero(convex)
    bend = np.where(on, 1.0, f.slope)
    a = np.where(z > 0, z, f.slope * z)
    fixed = np.where(convex, 0.0, bend) * v  # kinks that the programme carries move q through p instead
    outputs = np.hstack([(fixed[:, :, None] * f.x[:, None, :]).reshape(n, m * d), fixed, a, np.ones((n, 1))])
    # unknowns: d (P), xi_i >= max(0, q_i) and e_ij = p_ij - phi(z_ij)
    carried = sparse.csr_matrix((-f.y[i] * v[j], (i, np.arange(len(i)))), (n, len(i)))
    hinge = sparse.hstack([-f.y[:, None] * outputs, -sparse.identity(n), carried])
    moved = _rates(f, i, j)
    empty, minus = sparse.csr_matrix((len(i), n)), -sparse.identity(len(i))
    below = sparse.hstack([f.slope * moved, empty, minus])
    above = sparse.hstack([moved, empty, minus])
    rows_below = [hinge, below, above]
    bound = np.concatenate([-q, a[i, j] - f.slope * z[i, j], a[i, j] - z[i, j]])
    if held is not None and len(held):
        away = np.where(on[held[:, 0], held[:, 1]], -1.0, 1.0)
        rates = away[:, None] * _rates(f, held[:, 0], held[:, 1])
        rows_below.append(sparse.hstack([rates, sparse.csr_matrix((len(held), n + len(i)))]))
        bound = np.concatenate([bound, np.zeros(len(held))])
    cost = np.concatenate([np.zeros(theta.size), np.full(n, 1 / n), np.zeros(len(i))])
    limits = [(-radius, radius)] * theta.size + [(0, None)] * n + [(None, None)] * len(i)
    solved = linprog(
        cost, A_ub=sparse.vstack(rows_below).tocsc(), b_ub=bound, bounds=limits, method="highs-ds"
    )
    if solved.x is None:  # HiGHS gave up: nothing promised, nothing certified
        return np.zeros(theta.size), np.nan
    return solved.x[: theta.size], float(np.maximum(q, 0).mean() - solved.fun)


def _rates(f: Hinge, samples: np.ndarray, units: np.ndarray) -> np.ndarray:
    """dz_ij as rows over the unknowns d, (K, P)."""
    d, m = f.x.shape[1], f.width
    rows = np.zeros((len(samples), m * (d + 2) + 1))
    for row, i, j in zip(rows, samples, units, strict=True):
        row[j * d : (j + 1) * d] = f.x[i]
        row[m * d + j] = 1
    return rows


@dataclass(frozen=True)
class _Crossing:
    """A direction of decrease on the other side of a concave kink, or None."""

    way: np.ndarray | None
    promised: float
    all_tried: bool
    programmes: int


def _other_sides(f: Hinge, theta: np.ndarray) -> _Crossing:
    """Programmes on both sides of the concave kinks at the point, in all combinations."""
    _, _, v, _ = f.unpack(theta)
    z, q = f.parts(theta)
    scale = np.sqrt((f.x**2).sum(1) + 1)
    concave = (np.abs(z) <= _AT_KINK * scale[:, None]) & (f.y[:, None] * v > 0) & (q[:, None] > -_AT_KINK)
    places = np.argwhere(concave)
    count = 0
    for sides in product((False, True), repeat=min(len(places), _BRANCHES)):
        on = z > 0
        for (i, j), side in zip(places, sides, strict=False):
            on[i, j] = side
        # so small a radius that only kinks at the point are met
        way, promised = _programme(f, theta, 1e-7, on, places)
        count += 1
        if not promised <= _NO_DECREASE and f.value(theta) - f.value(theta + way) > 0.1 * promised:
            return _Crossing(way, promised, True, count)
        if not promised <= _NO_DECREASE:  # promised, not kept: neither a decrease nor a certificate
            return _Crossing(None, 0.0, False, count)
    return _Crossing(None, 0.0, len(places) <= _BRANCHES, count)


def _kinks(f: Hinge, theta: np.ndarray) -> tuple[int, int, float, float]:
    """Samples and units at a kink that carries a slope; gradient and Hessian of one adjacent cell."""
    W, _, v, _ = f.unpack(theta)
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
