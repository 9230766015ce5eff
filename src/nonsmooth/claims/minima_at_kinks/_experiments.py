"""What is run: full-batch training to its end, certified; then how gradient methods come near such an end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nonsmooth.claims._claim import Row
from nonsmooth.claims._dense import Dense, parity, small_images, starts
from nonsmooth.claims._faces import Face, descend
from nonsmooth.claims._kinked_network import SLOPES, Kinked
from nonsmooth.claims._quasi_newton import bfgs
from nonsmooth.claims.minima_at_kinks._ends import SMALL_GRADIENT, look
from nonsmooth.claims.minima_at_kinks._hinge import Hinge
from nonsmooth.claims.minima_at_kinks._hinge import descend as descend_hinge
from nonsmooth.runs import RunSpec

__all__ = ["ends", "hinge", "minima", "near", "width_map"]

_GRADIENT_STEPS = 1200
_MOVED = 1e-3  # how far a minimum is moved before it is approached again, over its norm
_TRIES = 200


def _network(spec: RunSpec, activation: str, **other: object) -> Dense:
    given = {**spec.parameters, **other}
    x, labels = small_images(spec, given["samples"], given["side"])
    sizes = (x.shape[-1], *[given["width"]] * given.get("layers", 1), 1)
    return Dense(sizes, activation, given["loss"], x, parity(labels), given["ridge"])


def minima(spec: RunSpec) -> list[Row]:
    """BFGS from a start, then Newton's method on faces: a certified minimum a seed, and what it is like."""
    return [row for row, _ in _minima(spec)[1]]


def _minima(spec: RunSpec) -> tuple[Dense, list[tuple[Row, Face]]]:
    activation = spec["activation"]
    net = _network(spec, activation)
    trained = bfgs(net.slopes, net.start(starts(spec)), spec["iterations"], SMALL_GRADIENT)
    found = []
    for k, (seed, seen) in enumerate(zip(spec.seeds, look(net, trained.points), strict=True)):
        f = Kinked.of(net, k)
        face = descend(f, trained.points[k].cpu().numpy())
        row: Row = {
            "experiment": "minima",
            "activation": activation,
            "loss": net.loss,
            "seed": seed,
            "trained": seen.kind,
            "gradient": seen.gradient,
            "trained_kinks": seen.kinks,
            "gap": seen.gap,
            "excess": float(trained.values[k]) - face.value,
            "value": face.value,
            "strict": face.strict,
            "stationary": face.stationary,
            "kinks": len(face.kinks),
            "margin": face.margin,
            "curvature": face.curvature,
            "residual": face.residual,
            "newton_steps": face.iterations,
            **_one_sided(spec, seed, f, face),
        }
        found.append((row, face))
    return net, found


def _one_sided(spec: RunSpec, seed: int, f: Kinked, face: Face) -> Row:
    """Exact one-sided derivatives at the minimum: along random directions, and moving one kink at a time."""
    rng = spec.rng("direction", seed)
    sums, least = [], []
    for way in rng.standard_normal((32, f.size)):
        there, back = f.one_sided(face.theta, way / np.linalg.norm(way), face.kinks)
        sums.append(there + back)
        least.append(min(there, back))
    rises: list[float] = []
    if face.stationary and len(face.kinks):
        for way in np.linalg.pinv(f.normals(face.kinks)).T:  # moves z_k and no other kink of the face
            rises += f.one_sided(face.theta, way / np.linalg.norm(way), face.kinks)
    ways = rng.standard_normal((_TRIES, f.size))
    sizes = 10.0 ** rng.uniform(-6, -1, _TRIES) * np.linalg.norm(face.theta)
    lower = sum(
        f.value(face.theta + size * way / np.linalg.norm(way)) < face.value - 1e-14
        for way, size in zip(ways, sizes, strict=True)
    )
    return {
        "two_sided": float(np.median(sums)),
        "least_random": float(min(least)),
        "least_rise": float(min(rises)) if rises else 0.0,
        "lower_points": int(lower),
    }


def ends(spec: RunSpec) -> list[Row]:
    """BFGS alone, for any activation and depth: what its ends look like."""
    net = _network(spec, spec["activation"])
    trained = bfgs(net.slopes, net.start(starts(spec)), spec["iterations"], SMALL_GRADIENT)
    return [
        {
            "experiment": "ends",
            "name": spec["name"],
            "activation": spec["activation"],
            "seed": seed,
            "parameters": net.size,
            "samples": spec["samples"],
            "kind": seen.kind,
            "gradient": seen.gradient,
            "kinks": seen.kinks,
            "gap": seen.gap,
            "value": float(value),
        }
        for seed, seen, value in zip(spec.seeds, look(net, trained.points), trained.values, strict=True)
    ]


@dataclass(frozen=True)
class _Approach:
    """Points a gradient method ended at, and its gradient norms: first, and the mean of the last 50 steps."""

    points: Tensor
    first: Tensor
    late: Tensor


def near(spec: RunSpec) -> list[Row]:
    """The rows of ``minima``; then from beside each: constant and falling steps, BFGS, smooth twins."""
    net, found = _minima(spec)
    points = torch.from_numpy(np.stack([face.theta for _, face in found])).to(net.x)
    ways = torch.from_numpy(np.stack([spec.rng("way", s).standard_normal(net.size) for s in spec.seeds])).to(
        net.x
    )
    move = _MOVED * points.norm(dim=1, keepdim=True) * ways / ways.norm(dim=1, keepdim=True)
    faces = [(row, face, Kinked.of(net, k)) for k, (row, face) in enumerate(found)]
    step = torch.tensor([0.1 * 2 / _sharpness(f, face) for _, face, f in faces]).to(net.x)[:, None]
    constant = _descend(net, points + move, step, falling=False)
    early = _descend(net, points + move, step, falling=True, steps=_GRADIENT_STEPS // 8)
    falling = _descend(net, points + move, step, falling=True)
    quick = bfgs(net.slopes, points + move, spec["iterations"], SMALL_GRADIENT)
    twins = {}
    for twin in spec["twins"]:
        smooth = _network(spec, twin)
        own = bfgs(smooth.slopes, points, spec["iterations"], SMALL_GRADIENT)
        twins[twin] = (own, _descend(smooth, own.points + move, step, falling=False))
    rows = [row for row, _ in found]
    for k, (row, face, f) in enumerate(faces):
        if not (row["strict"] and row["kinks"]):
            continue
        rows.append(
            {
                "experiment": "near",
                "seed": row["seed"],
                "started": _distance(f, face, points[k] + move[k]),
                "constant": _distance(f, face, constant.points[k]),
                "falling_early": _distance(f, face, early.points[k]),
                "falling": _distance(f, face, falling.points[k]),
                "bfgs": _distance(f, face, quick.points[k]),
                "kept": float(constant.late[k] / constant.first[k]),
                "twins": {
                    twin: {
                        "kept": float(path.late[k] / path.first[k]),
                        "own_gradient": float(own.gradients[k].norm()),
                    }
                    for twin, (own, path) in twins.items()
                },
            }
        )
    return rows


def _sharpness(f: Kinked, face: Face) -> float:
    """Largest eigenvalue of the Hessian of a cell at the minimum."""
    return float(np.linalg.eigvalsh(f.model(face.theta, f.inner(face.theta) > 0).hessian)[-1])


def _descend(
    net: Dense, theta: Tensor, step: Tensor, *, falling: bool, steps: int = _GRADIENT_STEPS
) -> _Approach:
    """Full-batch gradient descent; falling steps are alpha / (1 + t/20)^0.75."""
    late = torch.zeros(len(theta), dtype=theta.dtype, device=theta.device)
    first = late
    every = torch.arange(len(theta), device=theta.device)
    for t in range(steps):
        _, gradient = net.slopes(theta, every)
        norm = gradient.norm(dim=1)
        first = norm if t == 0 else first
        if t >= steps - 50:
            late = late + norm / 50
        theta = theta - step * ((1 + t / 20) ** -0.75 if falling else 1.0) * gradient
    return _Approach(theta, first, late)


def _distance(f: Kinked, face: Face, point: Tensor) -> float:
    """Distance in parameters to the farthest of the minimum's kinks."""
    z = f.inner(point.cpu().numpy()).reshape(-1)[face.kinks]
    return float(np.max(np.abs(z) / np.linalg.norm(f.normals(face.kinks), axis=1)))


def hinge(spec: RunSpec) -> list[Row]:
    """The hinge loss without weight decay, as in Laurent and von Brecht, by sequential linear programming."""
    net = _network(spec, spec["activation"], loss="hinge", ridge=0.0)
    rows = []
    for k, (seed, theta) in enumerate(zip(spec.seeds, net.start(starts(spec)), strict=True)):
        x, y = net.x[k], net.y[k]
        f = Hinge(x.cpu().numpy(), y[:, 0].cpu().numpy(), spec["width"], SLOPES[spec["activation"]])
        end = descend_hinge(f, theta.cpu().numpy())
        alone = Dense(net.sizes, spec["activation"], "hinge", x, y)
        units = torch.eye(net.size, dtype=x.dtype, device=x.device)
        trace = alone.curvatures(theta.expand(net.size, -1), units).diagonal().sum()
        rows.append(
            {
                "experiment": "hinge",
                "name": spec["name"],
                "activation": spec["activation"],
                "seed": seed,
                "value": end.value,
                "stationary": end.stationary,
                "margins": end.margins,
                "kinks": end.kinks,
                "gradient": end.gradient,
                "curvature": end.curvature,
                "trace": float(trace),
                "programmes": end.programmes,
            }
        )
    return rows


def width_map(spec: RunSpec) -> list[Row]:
    """Share of the certified minima that are at kinks, over samples and hidden units; square loss."""
    rows = []
    for samples in spec["samples"]:
        for width in spec["widths"]:
            net = _network(spec, "relu", loss="square", samples=samples, width=width)
            trained = bfgs(net.slopes, net.start(starts(spec)), spec["iterations"], SMALL_GRADIENT)
            points = trained.points.cpu().numpy()
            faces = [descend(Kinked.of(net, k), point) for k, point in enumerate(points)]
            strict = [face for face in faces if face.strict]
            rows.append(
                {
                    "experiment": "map",
                    "x": samples,
                    "y": width,
                    "hits": sum(len(face.kinks) > 0 for face in strict),
                    "n": len(strict),
                    "tried": len(faces),
                }
            )
    return rows
