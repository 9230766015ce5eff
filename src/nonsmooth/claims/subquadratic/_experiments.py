"""What is run: differences over eight decades, Huber's loss beside smoother ones, and exact functions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.objectives import ReluRegression
from nonsmooth.runs import RunSpec, stream

__all__ = [
    "BATCH",
    "LENGTHS",
    "LOSSES",
    "NETWORKS",
    "SIZES",
    "differences",
    "distance_map",
    "functions",
    "huber",
]

# Seeds, and seeds a cell of the map, by tier.
SIZES = {"quick": (64, 16), "laptop": (320, 64), "paper": (1600, 300)}
BATCH = 32
# The networks: seeds, samples, pixels of a side, hidden units at the edge and at minima, steps, BFGS
# iterations.
NETWORKS = {
    "quick": {
        "seeds": 28,
        "samples": 100,
        "side": 4,
        "wide": 16,
        "narrow": 3,
        "steps": 2500,
        "iterations": 700,
    },
    "laptop": {
        "seeds": 96,
        "samples": 200,
        "side": 4,
        "wide": 32,
        "narrow": 4,
        "steps": 6000,
        "iterations": 1500,
    },
    "paper": {
        "seeds": 320,
        "samples": 1000,
        "side": 8,
        "wide": 64,
        "narrow": 6,
        "steps": 20000,
        "iterations": 4000,
    },
}
# h of the differences.
LENGTHS = tuple(10.0**-k for k in range(9))
# One residual's slope and loss within [0, inf); all have second derivative 1 on [-1, 1] or at 0.
LOSSES = ("huber", "C2", "log-cosh")

_STEPSIZE = 10.0
_RIDGE = 0.01
_MAP_LENGTHS = tuple(10.0**k for k in (-4, -3.5, -3, -2.5, -2, -1.5, -1))
_MAP_DISTANCES = tuple(10.0**k for k in (-4.25, -3.75, -3.25, -2.75, -2.25, -1.75, -1.25))


def differences(spec: RunSpec) -> list[Row]:
    """Second differences along a random direction, at the minimiser 0 and at a random point."""
    rows = []
    for seed in spec.seeds:
        Z, y, start, way = _network(seed)
        for place, b in (("minimiser", np.zeros_like(start)), ("random", start)):
            rows.append(
                {
                    "experiment": "differences",
                    "place": place,
                    "seed": seed,
                    "exact": _curvature(Z, b, way),
                    "measured": [_difference(Z, y, b, way, h) for h in LENGTHS],
                    "kinks": [_kinks_within(Z, b, way, h) for h in LENGTHS],
                }
            )
    return rows


def distance_map(spec: RunSpec) -> list[Row]:
    """Share of seeds whose difference is off by more than 10 %, over h and the distance to the next kink."""
    rows = []
    for distance in _MAP_DISTANCES:
        for h in _MAP_LENGTHS:
            hits = 0
            for seed in spec.seeds:
                Z, y, b, way = _network(seed)
                at = -(Z @ b) / (Z @ way)
                nearest = at[np.abs(at).argmin()]
                moved = b + (nearest - np.sign(nearest) * distance) * way
                exact = _curvature(Z, moved, way)
                hits += abs(_difference(Z, y, moved, way, h) / exact - 1) > 0.1
            rows.append({"experiment": "map", "x": h, "y": distance, "hits": int(hits), "n": len(spec.seeds)})
    return rows


def huber(spec: RunSpec) -> list[Row]:
    """Gradient descent on the mean loss of 50 residuals in 200 variables, α = 10."""
    slope, value = _SLOPES[spec["loss"]], _VALUES[spec["loss"]]
    rows = []
    for seed in spec.seeds:
        Z = stream("data", seed).uniform(-1, 1, (50, 200))
        y = stream("response", seed).uniform(-1, 1, 50)
        b = stream("start", seed).uniform(-1, 1, 200)
        L = float(np.linalg.norm(Z, ord=2)) ** 2 / 50
        first = float(value(Z @ b - y).mean())
        late: list[float] = []
        ratios: list[float] = []
        for t in range(spec["steps"]):
            r = Z @ b - y
            if t >= spec["steps"] - 50:
                late.append(float(value(r).mean()))
                ratios.append(late[-1] / max(float((r * r / 2).mean()), 1e-300))
            b = b - _STEPSIZE / 50 * (Z.T @ slope(r))
        below = stream("start", seed).uniform(-1, 1, 200)
        for _ in range(120):
            below = below - 0.5 * (2 / L) / 50 * (Z.T @ slope(Z @ below - y))
        fit = np.linalg.lstsq(Z, y, rcond=None)[0]
        way = stream("direction", seed).standard_normal(200)
        reach = 1 / np.abs(Z @ way).max()
        growth = [float(value(Z @ (fit + t * reach * way) - y).mean()) / t**2 for t in (0.25, 0.5, 0.99)]
        rows.append(
            {
                "experiment": "huber",
                "loss": spec["loss"],
                "seed": seed,
                "edge": _STEPSIZE * L / 2,
                "minimum": float(value(Z @ fit - y).mean()),
                "growth_spread": float(np.ptp(growth) / np.mean(growth)),
                "bounded": bool(max(late) < 1e3 * first),
                "converged": bool(max(late) < 1e-9 * first),
                "converged_below": bool(value(Z @ below - y).mean() < 1e-9 * first),
                "late_ratio": float(np.median(ratios)),
            }
        )
    return rows


def functions(spec: RunSpec) -> list[Row]:
    """Three L-smooth functions in rationals: Huber's, and two C2, quadratic and faster near 0."""
    flat, fast = Fraction(24, 11), Fraction(3)
    return [
        _about("Huber's loss", _huber_slope, Fraction(3), Fraction(6), Fraction(1)),
        _about("C², quadratic on [−1, 1]", _flat_slope, Fraction(3, 2), flat, Fraction(2)),
        _about("C², faster than quadratic on [−1, 1]", _fast_slope, Fraction(5), fast, Fraction(3)),
    ]


def _network(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Z, y <= 0, a random point and a random unit direction."""
    Z = stream("data", seed).uniform(-1, 1, (20, 500))
    y = stream("response", seed).uniform(-1, 0, 20)
    way = stream("direction", seed).standard_normal(500)
    return Z, y, stream("start", seed).uniform(-1, 1, 500), way / np.linalg.norm(way)


def _curvature(Z: np.ndarray, b: np.ndarray, way: np.ndarray) -> float:
    """Second derivative of eq. 3 along ``way``; on the side of ``way`` where a kink lies at b itself."""
    at, along = Z @ b, Z @ way
    on = (at > 0) | ((at == 0) & (along > 0))
    return float(2 * (along[on] ** 2).sum() + 2 * _RIDGE)


def _difference(Z: np.ndarray, y: np.ndarray, b: np.ndarray, way: np.ndarray, h: float) -> float:
    f = ReluRegression(Z, y, 0.0, _RIDGE)
    left, here, right = (float(f.value(b + s * h * way)) for s in (-1, 0, 1))
    return (right - 2 * here + left) / h**2


def _kinks_within(Z: np.ndarray, b: np.ndarray, way: np.ndarray, h: float) -> int:
    return int((np.abs(Z @ b) <= h * np.abs(Z @ way)).sum())


def _c2_slope(r: np.ndarray) -> np.ndarray:
    a = np.abs(r)
    bent = 1 + 2 * (a - 1) - (a * a - 1) / 2
    return np.sign(r) * np.where(a <= 1, a, np.where(a <= 2, bent, 1.5))


def _c2_value(r: np.ndarray) -> np.ndarray:
    """The integral of the slope: with u = |r| - 1 in [0, 1], 1/2 + u + u^2/2 - u^3/6; then a line."""
    a = np.abs(r)
    u = np.clip(a - 1, 0, 1)
    bent = 0.5 + u + u * u / 2 - u**3 / 6
    return np.where(a <= 1, a * a / 2, bent + 1.5 * np.maximum(a - 2, 0))


_Pointwise = Callable[[np.ndarray], np.ndarray]
_SLOPES: dict[str, _Pointwise] = {
    "huber": lambda r: np.clip(r, -1, 1),
    "C2": _c2_slope,
    "log-cosh": np.tanh,
}
_VALUES: dict[str, _Pointwise] = {
    "huber": lambda r: np.where(np.abs(r) < 1, r * r / 2, np.abs(r) - 0.5),
    "C2": _c2_value,
    "log-cosh": lambda r: np.abs(r) + np.log1p(np.exp(-2 * np.abs(r))) - np.log(2.0),
}


def _huber_slope(x: Fraction) -> Fraction:
    return max(min(x, Fraction(1)), Fraction(-1))


def _flat_slope(x: Fraction) -> Fraction:
    """f'' = 1 on [0, 1], 2 - x on [1, 2], 0 beyond; odd."""
    a = abs(x)
    if a > 1:
        a = min(a, Fraction(2))
        a = 1 + 2 * (a - 1) - (a * a - 1) / 2
    return a if x >= 0 else -a


def _fast_slope(x: Fraction) -> Fraction:
    """f'' = 1 + x^2 on [0, 1], 3 - x on [1, 3], 0 beyond; odd."""
    a = abs(x)
    if a <= 1:
        a += a**3 / 3
    else:
        a = min(a, Fraction(3))
        a = Fraction(4, 3) + 3 * (a - 1) - (a * a - 1) / 2
    return a if x >= 0 else -a


def _about(
    name: str, slope: Callable[[Fraction], Fraction], at: Fraction, stepsize: Fraction, end: Fraction
) -> Row:
    """Exact facts: an orbit from ``at``, growth on (0, 1], smoothness where f'' changes its formula."""
    orbit, x = [], at
    for _ in range(20):
        orbit.append(x)
        x = x - stepsize * slope(x)
    h = Fraction(1, 2**60)

    def second(x: Fraction, side: int) -> Fraction:
        return (slope(x + side * h) - slope(x)) / (side * h)

    # one-sided second derivatives agree to O(h) where f is C2
    jump = max(abs(second(p, 1) - second(p, -1)) for p in (Fraction(1), end))
    grid = [Fraction(j, 16) for j in range(1, 17)]
    # slope(x) >= x on (0, 1] gives f(x) >= x^2/2 there, by integrating
    return {
        "experiment": "functions",
        "name": name,
        "stepsize": float(stepsize),
        "orbit": float(at),
        "periodic": all(x == (-1) ** k * at for k, x in enumerate(orbit)),
        "twice": bool(jump < Fraction(1, 2**40)),
        "above_edge": bool(stepsize * slope(h) / h > 2),
        "at_least_quadratic": all(slope(x) >= x * slope(h) / h - Fraction(1, 2**100) for x in grid),
        "faster": all(slope(x) > x * slope(h) / h + Fraction(1, 2**20) for x in grid[1:]),
    }
