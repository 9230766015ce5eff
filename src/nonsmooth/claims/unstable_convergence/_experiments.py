"""What is run: Lipschitz families, growth against smoothness, unbounded iterates, the search for cycles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.unstable_convergence._cycles import Cycle, cycles, excesses, highest_point, verify
from nonsmooth.claims.unstable_convergence._periodic import exact_excess, worst_period
from nonsmooth.objectives import Huber, LogCosh, Objective, ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import CHANNELS, Record, minimize

__all__ = [
    "FAMILIES",
    "GROWTH",
    "MAP_DIMENSIONS",
    "PERIODS",
    "SEARCHES",
    "STARTS",
    "families",
    "growth",
    "periodic_worst_case",
    "random_functions",
    "search_cycles",
    "unbounded",
]

STARTS = {"quick": 40, "laptop": 200, "paper": 1000}
# The cycles searched, as (dimension, period, greatest ||g||²), by tier.
SEARCHES = {
    "quick": ((1, 4, 9), (2, 3, 5), (2, 4, 5), (2, 5, 5), (3, 4, 5)),
    "laptop": ((1, 4, 25), (2, 3, 13), (2, 4, 13), (3, 4, 6), (2, 5, 5)),
    "paper": ((1, 5, 25), (2, 3, 25), (2, 4, 18), (3, 4, 9), (2, 5, 8)),
}
# Periods whose worst orbit, in any dimension, is bounded by a semidefinite program.
PERIODS = {
    "quick": (2, 3, 4, 6, 8, 12, 20),
    "laptop": (2, 3, 4, 6, 8, 12, 16, 20, 30, 40),
    "paper": (2, 3, 4, 6, 8, 12, 16, 20, 30, 40, 60),
}
# Dimensions of the map's random piecewise linear functions.
MAP_DIMENSIONS = (1, 2, 3, 5, 10)
FAMILIES = ("toy-1", "toy-10", "toy-100", "huber", "log-cosh")
# Strengths of |x| and of x²; None is log cosh.
GROWTH: dict[str, tuple[float, float] | None] = {
    "kinked, Lipschitz: |x|": (1.0, 0.0),
    "smooth, Lipschitz: log cosh x": None,
    "kinked, quadratic growth: x² + |x|": (1.0, 1.0),
    "smooth, quadratic growth: x²": (0.0, 1.0),
}

_STEPSIZES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
_MAP_STEPSIZES = (0.03, 0.1, 0.3, 1.0, 10.0, 100.0)
_GROWTH_STEPS = (0.1, 0.5, 0.9, 1.1, 2.0, 10.0, 100.0)
_MAP_LENGTH, _MAP_WINDOW = 2000, 500
_MAX = CHANNELS.index("max_norm")


def families(spec: RunSpec) -> list[Row]:
    """One convex Lipschitz family at seven steps, with what the basic inequality allows each run."""
    objective, start, minimiser = _family(spec["family"], spec.seeds)
    steps = spec["steps"]
    square = np.broadcast_to(np.asarray(objective.facts.lipschitz), (len(start),)) ** 2
    distance = ((start - minimiser) ** 2).sum(axis=1)
    first = objective.value(start)
    record = Record(window=steps // 4, limit=1e300)
    rows = []
    for stepsize in _STEPSIZES:
        run = minimize(objective, start=start, steps=steps, stepsize=stepsize, record=record)
        for i, seed in enumerate(spec.seeds):
            noise = stepsize * float(square[i])
            high, low = float(run.late_high[i, 0]), float(run.late_low[i, 0])
            rows.append(
                {
                    "experiment": "families",
                    "family": spec["family"],
                    "stepsize": stepsize,
                    "seed": seed,
                    "diverged": bool(run.diverged[i]),
                    "noise": noise,
                    "first": float(first[i]),
                    "highest": float(run.high[i, 0]),
                    "late_high": high,
                    "best": float(run.low[i, 0]),
                    "best_bound": noise / 2 + float(distance[i]) / (2 * stepsize * (steps + 1)),
                    "alternates": bool(high > low * (1 + 1e-9) and run.turns[i] > 0),
                }
            )
    return rows


def growth(spec: RunSpec) -> list[Row]:
    """Kinked or analytic, Lipschitz or of quadratic growth: the same starts and steps on all four."""
    start = np.array([[stream("start", seed).uniform(-1, 1)] for seed in spec.seeds])
    rows = []
    for name, strengths in GROWTH.items():
        objective = _growing(strengths)
        for stepsize in _GROWTH_STEPS:
            run = minimize(objective, start=start, steps=500, stepsize=stepsize)
            rows.append(
                {
                    "experiment": "growth",
                    "name": name,
                    "lipschitz": "Lipschitz" in name,
                    "kinked": name.startswith("kinked"),
                    "stepsize": stepsize,
                    "n": len(start),
                    "diverged": int(run.diverged.sum()),
                    "size": float(np.median(np.minimum(run.late_high[:, _MAX], 1e30))),
                }
            )
    return rows


def unbounded(spec: RunSpec) -> list[Row]:
    """Two convex Lipschitz functions whose iterates are unbounded, step 1."""
    return [_on_a_line(), _along_a_ray(spec["steps"])]


def search_cycles(spec: RunSpec) -> list[Row]:
    """Over the integer cycles of one dimension and period: the greatest excess, and the smallest instances.

    Of those above the bound the first is kept, whose orbit may pass through kinks, and the first that is
    differentiable at every iterate.
    """
    squares = range(1, spec["steepest"] + 1)
    tried = [g for square in squares for g in cycles(spec["dimension"], spec["period"], square)]
    found = excesses(np.array(tried))
    smallest: Cycle | None = None
    clean: Cycle | None = None
    for k in np.flatnonzero(found > 1 + 1e-9):
        solved = highest_point(tried[k]) if smallest is None or clean is None else None
        if solved:
            smallest = smallest or verify(tried[k], solved[1])
            clean = clean or _differentiable(tried[k], float(found[k]))
    return [
        {
            "experiment": "cycles",
            "dimension": spec["dimension"],
            "period": spec["period"],
            "steepest": spec["steepest"],
            "tried": len(tried),
            "best": float(np.nanmax(found)),
            "smallest": _instance(smallest),
            "clean": _instance(clean),
        }
    ]


def periodic_worst_case(spec: RunSpec) -> list[Row]:
    """Over all convex Lipschitz functions: how high an orbit of this period can return, and an instance."""
    worst = worst_period(spec["period"])
    return [
        {
            "experiment": "periodic",
            "period": spec["period"],
            "bound": worst.bound,
            "excess": str(exact_excess(worst.gradients)),
            "gradients": worst.gradients,
        }
    ]


def random_functions(spec: RunSpec) -> list[Row]:
    """Of random piecewise linear functions: how many stay within f* + α L², or f* + α L²/2, in the end?

    Planes come in pairs of opposite slopes, so that f is bounded below; slopes are integers in [-3, 3],
    offsets in 0 .. 5. The longest slope is met far out, so that L is exact.
    """
    dimension, starts = spec["dimension"], len(spec.seeds)
    slopes, offsets, x = _planes(dimension, spec)
    least = np.array([_least_value(g, c) for g, c in zip(slopes, offsets, strict=True)])
    square = (slopes**2).sum(axis=2).max(axis=1)
    # every function at every step: (steps x functions, planes, d)
    a = np.repeat(_MAP_STEPSIZES, starts)
    g, c, x = (np.concatenate([part] * len(_MAP_STEPSIZES)) for part in (slopes, offsets, x))
    late, each = np.full((2, len(a)), -np.inf), np.arange(len(a))
    for k in range(_MAP_LENGTH):
        heights = np.einsum("bmd,bd->bm", g, x) + c
        top = heights.argmax(axis=1)
        if k >= _MAP_LENGTH - _MAP_WINDOW:
            values = heights[each, top]
            late = np.maximum(late, (values, -values))
        x = x - a[:, None] * g[each, top]
    noise = a * np.tile(square, len(_MAP_STEPSIZES))
    floor = np.tile(least, len(_MAP_STEPSIZES))
    highest, lowest = (late[0] - floor) / noise, (-late[1] - floor) / noise
    cells = zip(_MAP_STEPSIZES, highest.reshape(-1, starts), lowest.reshape(-1, starts), strict=True)
    return [
        {
            "experiment": "map",
            "x": stepsize,
            "y": dimension,
            "n": starts,
            "within": int((high <= 1 + 1e-9).sum()),
            "within_half": int((high <= 0.5 + 1e-9).sum()),
            "best_within_half": int((low <= 0.5 + 1e-9).sum()),
            "highest": float(high.max()),
        }
        for stepsize, high, low in cells
    ]


def _planes(dimension: int, spec: RunSpec) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes (B, m, d), offsets (B, m) and starts (B, d) of the seeds."""
    pairs = max(2, dimension + 1)
    slopes, offsets, starts = [], [], []
    for seed in spec.seeds:
        rng = spec.rng(f"planes-{dimension}", seed)
        half = rng.integers(-3, 4, (pairs, dimension))
        half[~half.any(axis=1), 0] = 1  # a slope of 0 would cut f off
        slopes.append(np.concatenate([half, -half]).astype(float))
        offsets.append(rng.integers(0, 6, 2 * pairs).astype(float))
        starts.append(rng.uniform(-1, 1, dimension))
    return np.stack(slopes), np.stack(offsets), np.stack(starts)


def _least_value(slopes: np.ndarray, offsets: np.ndarray) -> float:
    """min over x of max_i g_i.x + c_i, by a linear program."""
    from scipy.optimize import linprog

    planes, dimension = slopes.shape
    cost = np.append(np.zeros(dimension), 1.0)
    left = np.column_stack([slopes, -np.ones(planes)])
    solved = linprog(cost, left, -offsets, bounds=[(None, None)] * (dimension + 1), method="highs")
    return float(solved.fun)


def _family(name: str, seeds: Sequence[int]) -> tuple[Objective, np.ndarray, np.ndarray]:
    """Objective, starts on [-1, 1] and a minimiser a run."""
    if name.startswith("toy"):
        dimension = int(name.removeprefix("toy-"))
        start = np.stack([stream("start", seed).uniform(-1, 1, dimension) for seed in seeds])
        return ToyLasso(1.0, dimension), start, np.zeros_like(start)
    W = np.stack([stream("W", seed).uniform(-1, 1, (10, 30)) for seed in seeds])
    y = np.stack([stream("y", seed).uniform(-1, 1, 10) for seed in seeds])
    start = np.stack([stream("start", seed).uniform(-1, 1, 30) for seed in seeds])
    # the exact fit nearest to the start is the minimiser that makes the bound tightest
    fit = np.stack(
        [x + np.linalg.lstsq(M, r - M @ x, rcond=None)[0] for M, r, x in zip(W, y, start, strict=True)]
    )
    return (Huber if name == "huber" else LogCosh)(W, y), start, fit


def _growing(strengths: tuple[float, float] | None) -> Objective:
    if strengths is None:
        return LogCosh(np.ones((1, 1)), np.zeros(1))
    kink, ridge = strengths
    return ToyLasso(kink, 1, ridge=ridge)


def _on_a_line() -> Row:
    """f(x) = x + |x|/2 has no minimiser; in exact rationals."""
    x, path = Fraction(1, 3), []
    for k in range(201):
        if k % 50 == 0:
            path.append([k, float(x), float(x + abs(x) / 2)])
        x -= 1 + Fraction(1, 2) * (1 if x > 0 else -1)
    return {
        "experiment": "unbounded",
        "name": "f(x) = x + |x|/2",
        "path": path,
        "power": 1.0,
        "exact": True,
        "late_loss": path[-1][2],
    }


def _along_a_ray(steps: int) -> Row:
    """f(x, y) = |x| + ||(x, y)|| − y has a ray of minimisers; kept at powers of ten, in float64."""
    u, v = 0.3, 0.0
    path, checkpoints, highest = [], {10**j for j in range(1, 9)}, 0.0
    for k in range(1, steps + 1):
        norm = math.hypot(u, v)
        u, v = u - (math.copysign(u != 0, u) + u / norm), v - (v / norm - 1)
        value = abs(u) + math.hypot(u, v) - v
        if k > 100:
            highest = max(highest, value)
        if k in checkpoints:
            path.append([k, float(v), value])
    return {
        "experiment": "unbounded",
        "name": "f(x, y) = |x| + ||(x, y)|| − y",
        "path": path,
        "exact": False,
        "late_loss": highest,
        "power": float(np.log10(path[-1][1] / path[-2][1])),
    }


def _differentiable(gradients: tuple[tuple[int, ...], ...], excess: float) -> Cycle | None:
    """The cycle half way down from its highest point to the bound, if no iterate is at a kink there."""
    found = highest_point(gradients, target=(1 + excess) / 2)
    cycle = verify(gradients, found[1]) if found else None
    return cycle if cycle and cycle.differentiable else None


def _instance(cycle: Cycle | None) -> Row | None:
    if cycle is None or cycle.excess <= 1:
        return None
    return {
        "gradients": [list(g) for g in cycle.gradients],
        "values": [str(v) for v in cycle.values],
        "low": [str(v) for v in cycle.low],
        "excess": str(cycle.excess),
    }
