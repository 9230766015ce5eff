"""What is run: certified worst cases, functions that attain them, and kinked problems beside their twins."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.methods import (
    Constant,
    Fista,
    Method,
    ProximalGradient,
    Reducing,
    Subgradient,
    exact_lasso,
    worst_case,
)
from nonsmooth.objectives import Lasso, Objective, ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, minimize

__all__ = [
    "BATCH",
    "ERRORS",
    "FACTORS",
    "FAMILIES",
    "HORIZONS",
    "LENGTHS",
    "SIZES",
    "WIDTHS",
    "bounds",
    "certificate",
    "floor",
    "map_",
    "methods",
    "pairs",
    "select",
    "twin_minimum",
]

# Seeds of the pairs and of the map, by tier.
SIZES = {"quick": (100, 16), "laptop": (300, 32), "paper": (1000, 100)}
BATCH = 100
# Numbers of steps N that are certified, by tier.
LENGTHS = {"quick": (2, 4, 8, 12), "laptop": (2, 4, 8, 16, 24), "paper": (2, 4, 8, 16, 24, 32)}
FAMILIES = {"toy": "toy LASSO (eq. 7)", "lasso": "LASSO (eq. 15)"}
# Widths of the twins, in units of ε/2: where P λ1 d is the error asked for on the toy LASSO.
FACTORS = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0)
# The map's axes: relative errors and widths.
ERRORS = (0.1, 0.03, 0.01, 0.003)
WIDTHS = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1.0)
# Numbers of steps at which the error of a tuned run is kept.
HORIZONS = (4, 8, 16, 32, 64, 128, 256)

_DIVERGED = 1e12
_SOLVED = 1e-10
# Tuned constant steps: this many a decade.
_DENSITY = 6
_STRENGTH_SHARE = 0.3
_SMALL_WIDTHS = (0.01, 0.1, 1.0)
_BOUND_STEPS = 1000
_BOUND_LENGTHS = (4, 16, 64, 256)
_FLOOR_STEP = Fraction(1, 2)


def select(rows: Sequence[Row], experiment: str, **wanted: Any) -> list[Row]:
    """The rows of one experiment whose fields have the wanted values."""
    return [r for r in rows if r["experiment"] == experiment and all(r[k] == v for k, v in wanted.items())]


def certificate(spec: RunSpec) -> list[Row]:
    """The exact worst case after N steps for L = D = 1, and what a function of the class attains."""
    kind, steps = spec["kind"], spec["N"]
    optimal = 1 / math.sqrt(steps + 1)
    arguments: Mapping[str, tuple[Method, Any, float, Any]] = {
        "smooth": (Subgradient(), "smooth", 1.0, "last"),
        "lipschitz": (Subgradient(), "lipschitz", optimal, "best"),
        "last": (Subgradient(), "lipschitz", optimal, "last"),
        "fixed": (Subgradient(), "lipschitz", float(_FLOOR_STEP), "best"),
        "fista": (Fista(), "smooth", 1.0, "last"),
    }
    method, function_class, stepsize, criterion = arguments[kind]
    found = worst_case(method, function_class, steps, stepsize, criterion=criterion)
    attained = {"smooth": _hubers_function, "lipschitz": _largest_entry}.get(kind)
    return [
        {
            "experiment": "certificate",
            "kind": kind,
            "N": steps,
            "value": found.value,
            "gap": found.gap,
            "theory": {"smooth": 1 / (4 * steps + 2), "lipschitz": optimal}.get(kind),
            "attained": attained(steps) if attained else None,
        }
    ]


def floor(spec: RunSpec) -> list[Row]:
    """|x| from (k + 1/2) α at one constant step, in exact rationals: the best value seen, for ever."""
    del spec
    rows = []
    for multiple in range(1, 6):
        start = (Fraction(multiple) + Fraction(1, 2)) * _FLOOR_STEP
        x, best = start, start
        for _ in range(2 * multiple + 4):
            x -= _FLOOR_STEP if x > 0 else -_FLOOR_STEP
            best = min(best, abs(x))
        following = x - _FLOOR_STEP if x > 0 else x + _FLOOR_STEP
        rows.append(
            {
                "experiment": "floor",
                "stepsize": str(_FLOOR_STEP),
                "start": str(start),
                "best": str(best),
                "floor": str(_FLOOR_STEP / 2),
                # x -> -x -> x: what was seen so far is all there will be
                "cycle": following == -x,
            }
        )
    return rows


def bounds(spec: RunSpec) -> list[Row]:
    """Measured errors over their worst cases: GD at 1/L on twins, the kink at D/(Λ sqrt(N + 1))."""
    start = _starts(spec["P"], spec.seeds)
    distance = np.linalg.norm(start, axis=1)
    kinked = ToyLasso(1.0, spec["P"])
    worst_smooth = np.zeros(len(start))
    N = np.arange(1, _BOUND_STEPS + 1)
    for width in _SMALL_WIDTHS:
        twin = kinked.smooth_twin(width)
        L = twin.facts.gradient_lipschitz
        run = minimize(twin, start=start, steps=_BOUND_STEPS, stepsize=1 / L, record=Record(every=1))
        allowed = L * distance[:, None] ** 2 / (4 * N + 2)
        worst_smooth = np.maximum(worst_smooth, (run.curve("value")[:, 1:] / allowed).max(axis=1))
    worst_kinked, slope = np.zeros(len(start)), kinked.facts.lipschitz
    for steps in _BOUND_LENGTHS:
        run = minimize(
            kinked, start=start, steps=steps, stepsize=Constant(distance / (slope * math.sqrt(steps + 1)))
        )
        worst_kinked = np.maximum(worst_kinked, run.low[:, 0] * math.sqrt(steps + 1) / (slope * distance))
    return [
        {
            "experiment": "bounds",
            "seed": seed,
            "smooth": float(worst_smooth[i]),
            "kinked": float(worst_kinked[i]),
        }
        for i, seed in enumerate(spec.seeds)
    ]


def pairs(spec: RunSpec) -> list[Row]:
    """Steps to a relative error ε, and errors at horizons, with the best constant step for each."""
    problem = _Problem(spec["family"], spec["P"], spec.seeds, spec["width"])
    horizon = max(*HORIZONS, math.ceil(3 / spec["error"]))
    need, stepsize, errors = _tuned(problem, horizon, spec["error"], (spec["error"],))
    return [
        {
            "experiment": "pairs",
            "family": spec["family"],
            "factor": spec["factor"],
            "width": spec["width"],
            "P": spec["P"],
            "error": spec["error"],
            "seed": seed,
            "steps": _count(need[0, i]),
            "stepsize": float(stepsize[0, i]),
            "errors": errors[:, i].tolist(),
        }
        for i, seed in enumerate(spec.seeds)
    ]


def map_(spec: RunSpec) -> list[Row]:
    """In how many seeds the kinked toy LASSO needs more steps than its twin, over ε and d."""
    least = min(ERRORS)
    horizon = math.ceil(3 / least)

    def need(width: float) -> np.ndarray:
        problem = _Problem("toy", spec["P"], spec.seeds, width)
        return _tuned(problem, horizon, least, ERRORS)[0]

    kinked = need(0.0)
    rows = []
    for width in spec["widths"]:
        twin = need(width)
        for k, error in enumerate(ERRORS):
            more = kinked[k] > 1.05 * twin[k]
            rows.append(
                {"experiment": "map", "x": error, "y": width, "hits": int(more.sum()), "n": more.size}
            )
    return rows


def methods(spec: RunSpec) -> list[Row]:
    """Steps to ε on the same kinked functions, by methods and regimes that are not a constant step."""
    rows, targets = [], (0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)

    def note(family: str, name: str, problem: _Problem, method: Method, stepsize: Any, steps: int) -> None:
        run = minimize(
            problem.objective,
            start=problem.start,
            steps=steps,
            stepsize=stepsize,
            method=method,
            record=Record(every=1),
        )
        gaps = (run.curve("value") - problem.minimum[:, None]) / problem.scale[:, None]
        for target in targets:
            need = _first(gaps, target)
            rows.append(
                {
                    "experiment": "methods",
                    "family": family,
                    "method": name,
                    "target": target,
                    "n": need.size,
                    "reached": int(np.isfinite(need).sum()),
                    "median": _count(float(np.median(need))),
                }
            )

    toy = _Problem("toy", spec["P"], spec.seeds, 0.0)
    falling = Reducing(0.2, (1,) * 200, tuple(0.9**k for k in range(200)))
    note("toy", "subgradient, steps 0.2 · 0.9^k", toy, Subgradient(), falling, 200)
    lasso = _Problem("lasso", spec["P"], spec.seeds, 0.0)
    inverse = Constant(1 / np.asarray(lasso.objective.data_gradient_lipschitz))
    note("lasso", "proximal gradient, step 1/L", lasso, ProximalGradient(), inverse, 500)
    note("lasso", "FISTA, step 1/L", lasso, Fista(), inverse, 500)
    return rows


def twin_minimum(W: np.ndarray, y: np.ndarray, strength: np.ndarray, width: float) -> np.ndarray:
    """min_b ||y - W b||^2 / N + strength sum_i h_d(b_i), one a run, by Newton's method with a line search.

    The gradient is piecewise linear, so the step is exact once the pieces are right; W^T W must be regular.
    """
    f = Lasso(W, y, strength).smooth_twin(width)
    H = 2 * np.einsum("bnp,bnq->bpq", W, W) / y.shape[1]
    pull = 2 * np.einsum("bnp,bn->bp", W, y) / y.shape[1]
    b = np.linalg.solve(H, pull[..., None])[..., 0]
    # f - f* is at most |gradient|^2 / (2 mu), mu the least curvature
    bound = 2 * np.linalg.eigvalsh(H)[:, 0] * _SOLVED * (y**2).mean(axis=1)
    # from wide to narrow, each from the one before: few pieces change at a time
    wide = max(1.0, width)
    for stage in np.geomspace(wide, width, 1 + math.ceil(2 * math.log10(wide / width))):
        g = Lasso(W, y, strength).smooth_twin(float(stage))
        for _ in range(50):
            gradient = g.subgradient(b)
            if ((gradient**2).sum(axis=1) <= bound).all():
                break
            bend = np.where(np.abs(b) <= stage, strength[:, None] / stage, 0.0)
            move = np.linalg.solve(H + bend[:, None, :] * np.eye(b.shape[1]), gradient[..., None])[..., 0]
            tried = b - 0.5 ** np.arange(10)[:, None, None] * move
            least = np.argmin([g.value(each) for each in tried], axis=0)
            # next to the minimum f no longer tells points apart, but the gradient does
            full = np.abs(g.subgradient(tried[0])).max(axis=1) < np.abs(gradient).max(axis=1) / 2
            b = tried[np.where(full, 0, least), np.arange(len(b))]
    value = f.value(b)
    left = (f.subgradient(b) ** 2).sum(axis=1) > bound
    if left.any():
        rest = Lasso(W[left], y[left], strength[left]).smooth_twin(width)
        step = Constant(1 / np.asarray(rest.facts.gradient_lipschitz))
        run = minimize(rest, start=b[left], steps=5000, stepsize=step, method=Fista())
        value[left] = np.minimum(value[left], run.low[:, 0])
    return value


class _Problem:
    """A family's problems, one a seed: kinked (width 0) or rounded, with the least value of that function."""

    def __init__(self, family: str, dimension: int, seeds: Sequence[int], width: float) -> None:
        self.start = _starts(dimension, seeds)
        if family == "toy":
            kinked, self.minimum = ToyLasso(1.0, dimension), np.zeros(len(self.start))
        else:
            rows = 2 * dimension
            W = np.stack([stream("W", seed).uniform(-1, 1, (rows, dimension)) for seed in seeds])
            y = np.stack([stream("y", seed).uniform(-1, 1, rows) for seed in seeds])
            # above max |2 W^T y / N| the solution is 0
            strength = _STRENGTH_SHARE * np.abs(2 * np.einsum("bnp,bn->bp", W, y) / rows).max(axis=1)
            kinked = Lasso(W, y, strength)
            if width:
                self.minimum = twin_minimum(W, y, strength, width)
            else:
                solved = zip(W, y, strength, strict=True)
                self.minimum = np.array([exact_lasso(*each).value for each in solved])
        self.objective: Objective = kinked.smooth_twin(width) if width else kinked
        self.scale = self.objective.value(self.start) - self.minimum


def _tuned(
    problem: _Problem, horizon: int, least: float, errors: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fewest steps to each relative error and their step size, (E, B); errors at HORIZONS, (H, B)."""
    grid = np.geomspace(least / 10, 10, round(_DENSITY * math.log10(100 / least)) + 1)
    count = len(problem.start)
    need, chosen = np.full((len(errors), count), np.inf), np.full((len(errors), count), grid[0])
    at_horizons = np.full((len(HORIZONS), count), np.inf)
    kept = [length for length in HORIZONS if length <= horizon]
    for stepsize in grid:
        record = Record(every=1, limit=_DIVERGED)
        run = minimize(
            problem.objective, start=problem.start, steps=horizon, stepsize=float(stepsize), record=record
        )
        gaps = (run.curve("value") - problem.minimum[:, None]) / problem.scale[:, None]
        best = np.minimum.accumulate(gaps, axis=1)
        for k, error in enumerate(errors):
            first = _first(best, error)
            chosen[k] = np.where(first < need[k], stepsize, chosen[k])
            need[k] = np.minimum(need[k], first)
        at_horizons[: len(kept)] = np.minimum(at_horizons[: len(kept)], best[:, kept].T)
    return need, chosen, at_horizons


def _first(gaps: np.ndarray, error: float) -> np.ndarray:
    """The first time at which each run's relative error is at most ``error``; infinite if never."""
    hit = gaps <= error
    return np.where(hit.any(axis=1), hit.argmax(axis=1), np.inf)


def _count(steps: float) -> int | None:
    return math.ceil(steps) if math.isfinite(steps) else None


def _starts(dimension: int, seeds: Sequence[int]) -> np.ndarray:
    return np.stack([stream("start", seed).uniform(-1, 1, dimension) for seed in seeds])


def _hubers_function(steps: int) -> float:
    """|x| rounded over D / (2 N + 1), L = 1: gradient descent from D = 1 at 1/L, by the package's own run."""
    width = 1 / (2 * steps + 1)
    f = ToyLasso(width, 1).smooth_twin(width)
    run = minimize(f, start=np.array([1.0]), steps=steps, stepsize=1.0)
    return float(f.value(run.final)[0])


def _largest_entry(steps: int) -> float:
    """f(x) - f* for max(max_i x_i, ||x|| - 1 - 1/sqrt(n)) from 0, n = N + 1: no step touches the last entry.

    The first of the greatest entries is the one whose unit vector is the subgradient; exact but for a root.
    """
    n = steps + 1
    x, best = [Fraction(0)] * n, Fraction(0)
    for _ in range(steps):
        x[x.index(max(x))] -= Fraction(1, n)
        best = min(best, max(x))
    return float(best) + 1 / math.sqrt(n)
