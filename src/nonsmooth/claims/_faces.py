"""Newton's method on the faces of a piecewise smooth function, and the certificate of a kinked local minimum.

A face is the set on which some kinks K hold, z_k = 0: here a linear subspace. The method minimises on a face
by Newton's steps, adds a kink that a step stops at, and leaves one whose multiplier says that f falls on one
side.

Certificate. At a point of the face let g be the gradient with the units of K off, and lambda solve
g + sum lambda_k a_k = 0. With independent a_k, f'(x; d) = sum_k (jump_k max(0, a_k.d) - lambda_k a_k.d), so

    f'(x; d) >= 0 for all d    if and only if    0 <= lambda_k <= jump_k for all k in K,

and where these are strict, f'(x; d) = 0 only along the face. A positive definite Hessian of f on the face
then makes x a strict local minimum. f is not differentiable there: along a direction that moves z_k alone its
two one-sided derivatives are jump_k - lambda_k and lambda_k, both positive.

The idea is that of Overton and Womersley (1988) and of the active-set methods for l1 problems (Murray and
Overton, 1980): once the kinks of the minimum are known, the problem is smooth on their face.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from nonsmooth.claims._kinked_network import Kinked, Model

__all__ = ["Face", "descend"]

_STATIONARY = 1e-11  # of the gradient on the face
_MULTIPLIER = 1e-12
_CURVED = 1e-9  # below minus this an eigenvalue is negative, by more than rounding
_STRICT = 1e-7  # above this it is positive
_NEGLIGIBLE = 1e-13  # |z| at which a unit counts as at its kink


@dataclass(frozen=True)
class Face:
    """Where the method stopped, and all that certifies it.

    Attributes:
        theta: (P,), the point.
        value: f there.
        kinks: (K,), indices i m + j of the kinks of its face, ascending.
        multipliers, jumps: (K,), as above; the slopes' changes.
        residual: ||g + sum lambda_k a_k||.
        curvature: least eigenvalue of the Hessian on the face.
        stationary: f'(x; d) >= 0 for all d, to rounding.
        iterations: Newton steps taken.
    """

    theta: np.ndarray
    value: float
    kinks: np.ndarray
    multipliers: np.ndarray
    jumps: np.ndarray
    residual: float
    curvature: float
    stationary: bool
    iterations: int

    @property
    def margin(self) -> float:
        """Least of lambda_k / jump_k and 1 - lambda_k / jump_k; above 0 the kinks hold strictly."""
        if not len(self.kinks):
            return 0.5
        if self.jumps.min() <= _MULTIPLIER:
            return 0.0
        share = self.multipliers / self.jumps
        return float(np.minimum(share, 1 - share).min())

    @property
    def strict(self) -> bool:
        """A strict local minimum: stationary, kinks held strictly, curved on the face."""
        return self.stationary and self.margin > 1e-6 and self.curvature > _STRICT


@dataclass
class _State:
    theta: np.ndarray
    value: float
    on: np.ndarray  # (N, m) sides of the kinks; those of the face count as off
    face: list[int]

    def pattern(self) -> np.ndarray:
        on = self.on.copy()
        on.reshape(-1)[self.face] = False
        return on


def descend(f: Kinked, theta: np.ndarray, iterations: int = 250) -> Face:
    """The local minimum that Newton's method on faces finds from ``theta``.

    Where a unit has collapsed (w_j, b_j and v_j all 0 but for rounding) all its kinks meet and f is of second
    order there: nothing is tried, and the answer is not stationary.

    >>> f = Kinked(np.array([[1.0]]), np.array([1.0]), 1, "square", 0.0, 0.1)
    >>> end = descend(f, np.array([1.0, 0.0, 1.0, 0.0]))
    >>> end.stationary, end.strict, len(end.kinks)
    (True, True, 0)
    """
    state = _State(theta.copy(), f.value(theta), f.inner(theta) > 0, [])
    for k in range(0 if _collapsed(f, theta) else iterations):
        model = f.model(state.theta, state.pattern())
        normals = f.normals(np.array(state.face))
        basis, triangle = np.linalg.qr(normals.T, mode="complete")
        inside = basis[:, len(state.face) :]
        slope = inside.T @ model.gradient
        eigenvalues, vectors = linalg.eigh(inside.T @ model.hessian @ inside)
        flat = float(np.linalg.norm(slope)) <= _STATIONARY
        if flat and eigenvalues[0] > -_CURVED:
            left = _leave(state, model, basis, triangle)
            if left is None:
                return _certificate(f, state, model, normals, eigenvalues[0], k)
            continue
        if flat:
            way = vectors[:, 0]
        else:
            size = np.maximum(np.abs(eigenvalues), 1e-8)
            way = -vectors @ ((vectors.T @ slope) / size)
            if eigenvalues[0] < -_CURVED:  # out of a saddle at once, not by doubling a rounding error
                way -= np.copysign(0.1, vectors[:, 0] @ slope) * vectors[:, 0]
        way = inside @ way
        _move(f, state, way if model.gradient @ way <= 0 else -way, float(model.gradient @ way))
    model = f.model(state.theta, state.pattern())
    return _certificate(f, state, model, f.normals(np.array(state.face)), -np.inf, iterations)


def _collapsed(f: Kinked, theta: np.ndarray) -> bool:
    W, b, v, _ = f.unpack(theta)
    return bool((np.maximum(np.maximum(np.abs(W).max(1), np.abs(b)), np.abs(v)) < 1e-4).any())


def _leave(state: _State, model: Model, basis: np.ndarray, triangle: np.ndarray) -> int | None:
    """Take the kink with the worst multiplier off the face, to where f falls; None if all are right."""
    if not state.face:
        return None
    count = len(state.face)
    if np.abs(np.diag(triangle)).min() < 1e-10:
        return None  # dependent kinks have no multipliers: nothing is certified
    multipliers = linalg.solve_triangular(triangle[:count], -basis[:, :count].T @ model.gradient)
    jumps = model.jumps.reshape(-1)[state.face]
    wrong = np.maximum(-multipliers, multipliers - jumps)
    worst = int(wrong.argmax())
    if wrong[worst] <= _MULTIPLIER:
        return None
    kink = state.face.pop(worst)
    state.on.reshape(-1)[kink] = multipliers[worst] - jumps[worst] > -multipliers[worst]
    return kink


def _certificate(
    f: Kinked, state: _State, model: Model, normals: np.ndarray, curvature: float, iterations: int
) -> Face:
    order = np.argsort(state.face)
    kinks = np.array(state.face, dtype=int)[order]
    jumps = model.jumps.reshape(-1)[state.face]
    multipliers, rank = np.zeros(0), 0
    if len(kinks):
        multipliers, _, rank, _ = np.linalg.lstsq(normals.T, -model.gradient)
    residual = float(np.linalg.norm(model.gradient + multipliers @ normals))
    inside = bool((multipliers >= -_MULTIPLIER).all() and (multipliers <= jumps + _MULTIPLIER).all())
    stationary = inside and rank == len(kinks) and residual <= 10 * _STATIONARY
    return Face(
        state.theta,
        state.value,
        kinks,
        multipliers[order],
        jumps[order],
        residual,
        float(curvature),
        stationary,
        iterations,
    )


def _move(f: Kinked, state: _State, way: np.ndarray, slope: float) -> None:
    """A step along ``way``: whole if f falls enough, else to the minimum on the ray, which may be a kink."""
    z, dz = f.inner(state.theta).reshape(-1), f.inner(way).reshape(-1)
    held = np.zeros(z.size, dtype=bool)
    held[state.face] = True
    on = state.on.reshape(-1)
    leaving = ~held & (np.abs(z) <= _NEGLIGIBLE) & np.where(on, dz < 0, dz > 0)
    if leaving.any():  # at a kink already, and the step goes through it
        state.face.append(int(np.argmax(leaving * np.abs(dz))))
        return
    crossable = ~held & (dz != 0) & (np.abs(z) > _NEGLIGIBLE)
    crossed = np.full(z.size, np.inf)
    crossed[crossable] = -z[crossable] / dz[crossable]
    crossed[crossed <= 0] = np.inf
    whole = f.value(state.theta + way)
    if crossed.min() >= 1:
        step = 1.0
        while (
            f.value(state.theta + step * way) > state.value - 1e-4 * step * abs(slope) + 1e-16
            and step > 1e-10
        ):
            step /= 2
        _set(f, state, step * way, held)
        return
    if whole <= state.value - 1e-4 * abs(slope) and abs(slope) > 1e-6:
        _set(f, state, way, held)  # far away: whole steps across kinks, sorted out later
        return
    order = np.argsort(crossed)
    order = order[crossed[order] <= 1]
    steps = crossed[order]
    left, right = f.along(state.theta, way, np.append(steps, 1.0))
    stop = int(np.argmax(np.append(right[:-1] >= 0, True)))
    if stop < len(steps) and left[stop] < 0:
        _set(f, state, steps[stop] * way, held)
        state.face.append(int(order[stop]))
        return
    low, high = (steps[stop - 1] if stop else 0.0), (steps[stop] if stop < len(steps) else 1.0)
    if left[stop] > 0:  # the slope changes its sign between two kinks
        for _ in range(50):
            middle = (low + high) / 2
            if f.along(state.theta, way, np.array([middle]))[0][0] < 0:
                low = middle
            else:
                high = middle
    _set(f, state, high * way, held)


def _set(f: Kinked, state: _State, moved: np.ndarray, held: np.ndarray) -> None:
    state.theta = state.theta + moved
    z = f.inner(state.theta)
    # at rounding level the side is remembered, not read
    unclear = held.reshape(z.shape) | (np.abs(z) <= _NEGLIGIBLE)
    state.on = np.where(unclear, state.on, z > 0)
    state.value = f.value(state.theta)
