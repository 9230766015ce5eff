"""Certified local minima of a one-hidden-layer network's loss plus λ ||theta||_1, next to an end of training.

|theta_k| is a kink like a ReLU's: its normal is the k-th unit vector, its slope changes by 2 λ. So on ReLU
networks Newton's method on faces (``nonsmooth.claims._faces``) finds, from an end, a point at which given
ReLU kinks and given parameters are exactly 0, and certifies it: multipliers strictly inside their intervals
and a positive definite Hessian on the face make a strict local minimum. On smooth networks the face is the
support, and Newton's method on it needs no search.

A unit with w_j = b_j = v_j = 0 is dead. All its kinks meet there, but its share v_j phi(w_j.x + b_j) of the
output is of second order in (w_j, b_j, v_j) while the penalty is of first: near 0 the loss changes by at most
o(||(w_j, b_j, v_j)||_1), the penalty rises by λ times that norm. So dead units are held strictly, and the
rest of the network is certified without them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nonsmooth.claims._dense import Dense
from nonsmooth.claims._faces import descend
from nonsmooth.claims._kinked_network import Kinked, Model

__all__ = ["Minimum", "Penalised", "kinked_minimum", "smooth_minimum"]

_DEAD = 1e-2  # a unit none of whose parameters is larger is taken as dead: the minimum has it at exactly 0
_NEWTON_STEPS, _FACE_STEPS = 10, 400
_RESIDUAL, _MARGIN, _CURVATURE = 1e-10, 1e-6, 1e-7


@dataclass(frozen=True)
class Minimum:
    """What was found from an end.

    Attributes:
        theta: (P,).
        value: loss plus penalty there.
        strict: certified as a strict local minimum.
        kinks: ReLU kinks that hold there.
        margin: of the multipliers, as a share of their intervals; above 0 they hold strictly.
        curvature: least eigenvalue of the Hessian on the face.
    """

    theta: np.ndarray
    value: float
    strict: bool
    kinks: int
    margin: float
    curvature: float


@dataclass(frozen=True)
class Penalised:
    """``Kinked`` plus λ ||theta||_1, with the kinks of both: first the network's (i, j), then the parameters.

    A last coordinate r, with r^2/2, is the network's in nothing. No kink holds it, so that no face is a mere
    point, which Newton's method on faces does not know.

    >>> f = Penalised(Kinked(np.array([[1.0]]), np.array([1.0]), 1, "square", 0.0, 0.0), 0.5)
    >>> f.value(np.array([1.0, 0.0, 1.0, 0.0, 0.0])), f.inner(np.array([2.0, -1.0, 1.0, 0.0, 0.0])).tolist()
    (1.0, [1.0, 2.0, -1.0, 1.0, 0.0])
    """

    network: Kinked
    strength: float

    @property
    def size(self) -> int:
        return self.network.size + 1

    @property
    def units(self) -> int:
        """Kinks of the network."""
        return len(self.network.x) * self.network.width

    def unpack(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        return self.network.unpack(theta[:-1])

    def inner(self, theta: np.ndarray) -> np.ndarray:
        """What is 0 at a kink, (N m + P,); linear in theta."""
        return np.concatenate([self.network.inner(theta[:-1]).reshape(-1), theta[:-1]])

    def value(self, theta: np.ndarray) -> float:
        size = float(np.abs(theta[:-1]).sum())
        return self.network.value(theta[:-1]) + self.strength * size + float(theta[-1] ** 2) / 2

    def model(self, theta: np.ndarray, on: np.ndarray) -> Model:
        """As ``Kinked.model``; ``on`` (N m + P,)."""
        smooth = self.network.model(theta[:-1], on[: self.units].reshape(-1, self.network.width))
        jumps = np.concatenate([smooth.jumps.reshape(-1), np.full(self.network.size, 2 * self.strength)])
        gradient = smooth.gradient + self.strength * np.where(on[self.units :], 1.0, -1.0)
        hessian = np.eye(self.size)
        hessian[:-1, :-1] = smooth.hessian
        return Model(np.append(gradient, theta[-1]), jumps, hessian)

    def normals(self, kinks: np.ndarray) -> np.ndarray:
        rows = np.zeros((len(kinks), self.size))
        for row, kink in zip(rows, kinks, strict=True):
            if kink < self.units:
                row[:-1] = self.network.normals(np.array([kink]))[0]
            else:
                row[int(kink) - self.units] = 1
        return rows

    def along(self, theta: np.ndarray, way: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        left, right = self.network.along(theta[:-1], way[:-1], steps)
        there = theta[:-1] + steps[:, None] * way[:-1]
        reach = np.abs(theta[:-1]) + np.abs(steps)[:, None] * np.abs(way[:-1])
        zero = np.abs(there) <= 1e-13 * reach
        both = np.where(zero, 0.0, np.sign(there)) @ way[:-1]
        turn = zero @ np.abs(way[:-1])
        free = (theta[-1] + steps * way[-1]) * way[-1]
        return left + self.strength * (both - turn) + free, right + self.strength * (both + turn) + free


def kinked_minimum(network: Kinked, strength: float, theta: np.ndarray) -> Minimum:
    """The local minimum of a ReLU network that Newton's method on faces finds from an end ``theta`` (P,)."""
    W, b, v, c = network.unpack(theta)
    alive = np.maximum(np.maximum(np.abs(W).max(1), np.abs(b)), np.abs(v)) > _DEAD
    live = int(alive.sum())
    if not live:
        value = network.value(theta) + strength * float(np.abs(theta).sum())
        return Minimum(theta, value, False, 0, 0.0, 0.0)
    rest = Penalised(Kinked(network.x, network.y, live, network.loss, network.slope, network.ridge), strength)
    start = np.concatenate([W[alive].reshape(-1), b[alive], v[alive], [c, 0.0]])
    face = descend(rest, start, _FACE_STEPS)  # pyright: ignore[reportArgumentType]
    found_W, found_b, found_v, found_c = rest.unpack(face.theta)
    whole = np.zeros_like(theta)
    W, b, v, _ = network.unpack(whole)  # views of it
    W[alive], b[alive], v[alive], whole[-1] = found_W, found_b, found_v, found_c
    kinks = int((face.kinks < rest.units).sum())
    return Minimum(whole, face.value, face.strict, kinks, face.margin, face.curvature)


def smooth_minimum(net: Dense, strength: float, theta: np.ndarray) -> Minimum:
    """The local minimum of a smooth network, of one seed's samples, on the support of an end ``theta`` (P,).

    Newton's steps on loss + λ sum of sign(theta_k) theta_k over the support; all else stays 0.
    """
    sign, support = np.sign(theta), np.flatnonzero(theta)
    ways = torch.eye(len(theta), dtype=net.x.dtype, device=net.x.device)[support]

    def measured(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = torch.from_numpy(point)[None].to(net.x)
        gradient = net.slopes(at)[1][0].cpu().numpy() + strength * sign
        return gradient, net.curvatures(at.expand(len(support), -1), ways).cpu().numpy()[:, support]

    point = theta.copy()
    gradient, hessian = measured(point)
    for _ in range(_NEWTON_STEPS):
        point[support] -= np.linalg.lstsq(hessian, gradient[support])[0]
        if not np.abs(point - theta).max() <= 1:  # no minimum on this support next to the end
            return Minimum(theta, np.inf, False, 0, 0.0, 0.0)
        gradient, hessian = measured(point)
    margin = float(1 - np.abs(gradient[sign == 0]).max(initial=0.0) / strength) / 2
    curvature = float(np.linalg.eigvalsh(hessian).min(initial=np.inf))
    strict = bool(
        np.linalg.norm(gradient[support]) <= _RESIDUAL
        and margin > _MARGIN
        and curvature > _CURVATURE
        and (np.sign(point) == sign).all()
    )
    value = float(net.values(torch.from_numpy(point)[None].to(net.x))[0])
    return Minimum(point, value + strength * float(np.abs(point).sum()), strict, 0, margin, curvature)
