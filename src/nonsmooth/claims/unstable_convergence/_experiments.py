"""What is run: Lipschitz families, growth against smoothness, unbounded iterates, the search for cycles."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.unstable_convergence._cycles import Cycle, cycles, highest_point, verify
from nonsmooth.objectives import Huber, LogCosh, Objective, ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import CHANNELS, Record, minimize

__all__ = ["FAMILIES", "GROWTH", "SEARCHES", "STARTS", "families", "growth", "search_cycles", "unbounded"]

STARTS = {"quick": 40, "laptop": 200, "paper": 1000}
# The cycles searched, as (dimension, period, greatest ||g||²), by tier.
SEARCHES = {
    "quick": ((1, 4, 9), (2, 3, 5), (2, 4, 5), (3, 4, 5)),
    "laptop": ((1, 4, 25), (2, 3, 13), (2, 4, 13), (3, 4, 6), (2, 5, 5)),
    "paper": ((1, 5, 25), (2, 3, 25), (2, 4, 18), (3, 4, 9), (2, 5, 8)),
}
FAMILIES = ("toy-1", "toy-10", "toy-100", "huber", "log-cosh")
# Strengths of |x| and of x²; None is log cosh.
GROWTH: dict[str, tuple[float, float] | None] = {
    "kinked, Lipschitz: |x|": (1.0, 0.0),
    "smooth, Lipschitz: log cosh x": None,
    "kinked, quadratic growth: x² + |x|": (1.0, 1.0),
    "smooth, quadratic growth: x²": (0.0, 1.0),
}

_STEPSIZES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
_GROWTH_STEPS = (0.1, 0.5, 0.9, 1.1, 2.0, 10.0, 100.0)
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
    tried, best = 0, 0.0
    smallest: Cycle | None = None
    clean: Cycle | None = None
    for square in range(1, spec["steepest"] + 1):
        for gradients in cycles(spec["dimension"], spec["period"], square):
            tried += 1
            found = highest_point(gradients)
            if found is None:
                continue
            excess, solution = found
            best = max(best, excess)
            if excess > 1 + 1e-9:
                smallest = smallest or verify(gradients, solution)
                clean = clean or _differentiable(gradients, excess)
    return [
        {
            "experiment": "cycles",
            "dimension": spec["dimension"],
            "period": spec["period"],
            "steepest": spec["steepest"],
            "tried": tried,
            "best": best,
            "smallest": _instance(smallest),
            "clean": _instance(clean),
        }
    ]


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
        norm = float(np.hypot(u, v))
        gradient = (np.sign(u) + u / norm, v / norm - 1)
        u, v = u - gradient[0], v - gradient[1]
        value = abs(u) + float(np.hypot(u, v)) - v
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
