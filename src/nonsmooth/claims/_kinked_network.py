"""A one-hidden-layer network of kinked units as a piecewise smooth function: cells, kinks and their slopes.

Theta is (W, b, v, c) as in ``nonsmooth.networks.mlp``; unit j's pre-activation at sample i is z_ij = w_j.x_i
+ b_j, so that the kinks z_ij = 0 are hyperplanes through 0 in theta. Inside a cell (a pattern of signs) the
loss is as smooth as its loss of the outputs. Across kink (i, j) only the slope along grad z_ij = a_ij
changes, by

    jump_ij = (1 - s) v_j dL/do_i     (s: the unit's slope below 0)

and to first order kinks add up: f'(x; d) = g.d + sum over the kinks at x of jump_ij max(0, a_ij.d), where g
is the gradient with these units off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from nonsmooth.claims._dense import Dense

__all__ = ["SLOPES", "Kinked", "Model"]

# Below 0, as nonsmooth.networks makes them.
SLOPES = {"relu": 0.0, "leaky-relu": 0.01}


@dataclass(frozen=True)
class Model:
    """At a point, with a pattern of units on: gradient (P,), jumps (N, m), Hessian (P, P) of that cell."""

    gradient: np.ndarray
    jumps: np.ndarray
    hessian: np.ndarray


@dataclass(frozen=True)
class Kinked:
    """f(theta) = mean loss of o_i against y_i + ridge/2 ||theta||^2, o = v.phi(W x + b) + c.

    Args:
        x: (N, d) inputs.
        y: (N,) targets, -1 or 1.
        width: m, hidden units.
        loss: "square", (o - y)^2/2, or "logistic", log(1 + exp(-y o)).
        slope: s, of the unit below 0: 0 is ReLU.
        ridge: >= 0.
    """

    x: np.ndarray
    y: np.ndarray
    width: int
    loss: str
    slope: float
    ridge: float

    @classmethod
    def of(cls, net: Dense, seed: int) -> Kinked:
        """One seed of a network with one hidden layer of ReLU or leaky ReLU and one output."""
        x, y = (data[seed].cpu().numpy() for data in (net.x, net.y))
        return cls(x, y[:, 0], net.sizes[1], net.loss, SLOPES[net.activation_name], net.ridge)

    @property
    def size(self) -> int:
        return self.width * (self.x.shape[1] + 2) + 1

    def unpack(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """W (m, d), b (m,), v (m,) and c; views."""
        m, d = self.width, self.x.shape[1]
        return theta[: m * d].reshape(m, d), theta[m * d : m * d + m], theta[m * d + m : -1], theta[-1]

    def inner(self, theta: np.ndarray) -> np.ndarray:
        """Pre-activations (N, m); linear in theta."""
        W, b, _, _ = self.unpack(theta)
        return self.x @ W.T + b

    def value(self, theta: np.ndarray) -> float:
        _, _, v, c = self.unpack(theta)
        z = self.inner(theta)
        loss, _, _ = self._loss(np.where(z > 0, z, self.slope * z) @ v + c)
        return float(loss.mean() + self.ridge / 2 * theta @ theta)

    def model(self, theta: np.ndarray, on: np.ndarray) -> Model:
        """The cell's Taylor model; ``on`` (N, m) also decides for units that are at their kink."""
        _, _, v, c = self.unpack(theta)
        m, (n, d) = self.width, self.x.shape
        bend = np.where(on, 1.0, self.slope)
        a = self.inner(theta) * bend
        _, first, second = self._loss(a @ v + c)
        first, second = first / n, second / n
        outputs = np.empty((n, self.size))  # do_i / dtheta
        outputs[:, : m * d] = ((bend * v)[:, :, None] * self.x[:, None, :]).reshape(n, m * d)
        outputs[:, m * d : m * d + m] = bend * v
        outputs[:, m * d + m : -1] = a
        outputs[:, -1] = 1
        hessian = outputs.T @ (outputs * second[:, None])
        hessian[np.diag_indices(self.size)] += self.ridge
        # within a cell o is bilinear: v_j meets w_j and b_j
        mixed = first[:, None] * bend
        with_w, with_b = mixed.T @ self.x, mixed.sum(0)
        for j in range(m):
            for at, term in ((slice(j * d, (j + 1) * d), with_w[j]), (m * d + j, with_b[j])):
                hessian[at, m * d + m + j] += term
                hessian[m * d + m + j, at] += term
        jumps = (1 - self.slope) * first[:, None] * v
        return Model(outputs.T @ first + self.ridge * theta, jumps, hessian)

    def normals(self, kinks: np.ndarray) -> np.ndarray:
        """a_k = grad z_k of the kinks k = i m + j, as rows (K, P)."""
        m, d = self.width, self.x.shape[1]
        rows = np.zeros((len(kinks), self.size))
        for row, kink in zip(rows, kinks, strict=True):
            i, j = divmod(int(kink), m)
            row[j * d : (j + 1) * d] = self.x[i]
            row[m * d + j] = 1
        return rows

    def along(self, theta: np.ndarray, way: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Derivatives of t -> f(theta + t way) at ``steps`` (T,): from the left and from the right."""
        _, _, v, c = self.unpack(theta)
        _, _, dv, dc = self.unpack(way)
        z, dz = self.inner(theta), self.inner(way)
        zs = z + steps[:, None, None] * dz
        at_kink = np.abs(zs) <= 1e-13 * (np.abs(z) + np.abs(steps)[:, None, None] * np.abs(dz))
        vs = v + steps[:, None] * dv
        decay = self.ridge * (theta @ way + steps * (way @ way))
        sides = []
        for side in (-1, 1):
            bend = np.where(np.where(at_kink, side * dz > 0, zs > 0), 1.0, self.slope)
            a = zs * bend
            _, first, _ = self._loss(np.einsum("tnm,tm->tn", a, vs) + c + steps[:, None] * dc)
            moved = np.einsum("tnm,tm->tn", bend * dz, vs) + a @ dv + dc
            sides.append((first * moved).mean(1) + decay)
        return sides[0], sides[1]

    def one_sided(self, theta: np.ndarray, way: np.ndarray, kinks: np.ndarray) -> tuple[float, float]:
        """f'(theta; way) and f'(theta; -way); ``kinks`` (K,) are those that theta is at, to rounding."""
        _, _, v, c = self.unpack(theta)
        z, dz = self.inner(theta), self.inner(way)
        at_kink = np.zeros(z.size, dtype=bool)
        at_kink[kinks] = True
        at_kink = at_kink.reshape(z.shape)
        a = np.where(at_kink, 0.0, np.where(z > 0, z, self.slope * z))
        _, first, _ = self._loss(a @ v + c)
        rates = []
        for side in (1.0, -1.0):
            bend = np.where(np.where(at_kink, side * dz > 0, z > 0), 1.0, self.slope)
            _, _, dv, dc = self.unpack(side * way)
            moved = (bend * side * dz) @ v + a @ dv + dc
            rates.append(float((first * moved).mean() + self.ridge * side * (theta @ way)))
        return rates[0], rates[1]

    def _loss(self, o: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each sample's loss and its first two derivatives in o."""
        if self.loss == "square":
            r = o - self.y
            return r * r / 2, r, np.ones_like(r)
        wrong = expit(-self.y * o)
        return np.logaddexp(0, -self.y * o), -self.y * wrong, wrong * (1 - wrong)
