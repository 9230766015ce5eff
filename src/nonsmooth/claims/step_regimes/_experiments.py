"""What is run: seven problems under each regime, chains of constant runs, x^4, and a map over the decay."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.methods import Constant, Diminishing, Reducing, StepSize
from nonsmooth.objectives import Objective, ReluRegression, ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, minimize

__all__ = [
    "BATCH",
    "KINKED",
    "PROBLEMS",
    "SIZES",
    "SMOOTH",
    "constant",
    "curves",
    "decay_map",
    "diminishing",
    "limiting",
    "predicts_small",
    "quartic",
    "reducing",
]

# Seeds, and seeds a cell of the map, by tier.
SIZES = {"quick": (80, 24), "laptop": (480, 96), "paper": (2400, 400)}
BATCH = 80
SMOOTH = {
    "rounded": "toy LASSO rounded over 0.1",
    "ridge": "ridge, P = 10",
    "y = 0": "eq. 3, y = 0, λ2 = 1",
}
KINKED = {
    "toy": "toy LASSO, P = 10",
    "eq. 3, l1": "eq. 3, λ1 = 0.1, λ2 = 1",
    "eq. 3, l2": "eq. 3 (20 x 60), λ1 = 0, λ2 = 1",
    "eq. 3, tall": "eq. 3 (60 x 10), λ1 = 0, λ2 = 1",
}
PROBLEMS = (*SMOOTH, *KINKED)

_P, _ROWS, _COLUMNS = 10, 20, 60
_STEPS = 16_000
_MAP_STEPS = 4000
_MAP_STEPSIZES = tuple(10.0**k for k in (-3.5, -3, -2.5, -2, -1.5, -1, -0.5))
_MAP_POWERS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


class _Problem(NamedTuple):
    objective: Objective
    stepsize: np.ndarray
    start: np.ndarray
    minimum: np.ndarray


def constant(spec: RunSpec) -> list[Row]:
    """The late excess over the minimum under one constant step, over the first."""
    problem = _problem(spec["problem"], spec["share"], spec.seeds)
    ratio = _excess(problem, Constant(problem.stepsize), _STEPS)
    return [
        {"experiment": "constant", "problem": spec["problem"], "seed": seed, "ratio": float(ratio[i])}
        for i, seed in enumerate(spec.seeds)
    ]


def diminishing(spec: RunSpec) -> list[Row]:
    """The excess after 1000 and after 16,000 diminishing steps, over the first."""
    problem = _problem(spec["problem"], spec["share"], spec.seeds)
    regime = Diminishing(problem.stepsize, spec["power"])
    early, late = (_excess(problem, regime, steps) for steps in (_STEPS // 16, _STEPS))
    return [
        {
            "experiment": "diminishing",
            "problem": spec["problem"],
            "seed": seed,
            "early": float(early[i]),
            "late": float(late[i]),
        }
        for i, seed in enumerate(spec.seeds)
    ]


def reducing(spec: RunSpec) -> list[Row]:
    """Is a run under the reducing regime its chain of constant runs, bit for bit?"""
    problem = _problem(spec["problem"], spec["share"], spec.seeds)
    # stages of 300 steps; factors that are powers of two, so that no step size is rounded
    factors = (1.0, 0.25, 0.0625)
    regime = Reducing(problem.stepsize, (300,) * len(factors), factors)
    whole = minimize(problem.objective, start=problem.start, steps=900, stepsize=regime).final
    at = problem.start
    for factor in factors:
        step = Constant(problem.stepsize * factor)
        at = minimize(problem.objective, start=at, steps=300, stepsize=step).final
    return [
        {
            "experiment": "reducing",
            "problem": spec["problem"],
            "seed": seed,
            "same": bool((whole[i] == at[i]).all()),
        }
        for i, seed in enumerate(spec.seeds)
    ]


def limiting(spec: RunSpec) -> list[Row]:
    """Toy LASSO's two-step mean norm over its floor P α_T λ1 / 2: a reducing run, and the last step alone."""
    problem = _problem("toy", spec["share"], spec.seeds)
    factors = (1.0, 0.25, 0.0625)
    last = problem.stepsize * factors[-1]
    steps = int(2 / last.min())
    regimes: dict[str, StepSize] = {
        "reducing": Reducing(problem.stepsize, (steps // 3,) * len(factors), factors),
        "constant": Constant(last),
    }
    ratios = {}
    for name, regime in regimes.items():
        record = Record(tail=2)
        run = minimize(problem.objective, start=problem.start, steps=steps, stepsize=regime, record=record)
        ratios[name] = np.abs(run.tail).sum(axis=2).mean(axis=1) / (_P * last / 2)
    return [
        {"experiment": "limiting", "seed": seed, **{name: float(r[i]) for name, r in ratios.items()}}
        for i, seed in enumerate(spec.seeds)
    ]


def quartic(spec: RunSpec) -> list[Row]:
    """x^4 from 10 with α_t = 1/(1 + t), in rationals: is |x_t| >= 10 2^t?"""
    x = Fraction(10)
    grows = []
    for t in range(6):
        x -= 4 * x**3 / (1 + t)
        grows.append(abs(x) >= 10 * 2 ** (t + 1))
    return [{"experiment": "quartic", "n": len(grows), "grows": sum(grows)}]


def curves(spec: RunSpec) -> list[Row]:
    """The excess over the steps under the three regimes, toy LASSO, seed 0."""
    problem = _problem("toy", spec["share"], spec.seeds)
    regimes: dict[str, StepSize] = {
        "constant": Constant(problem.stepsize),
        "diminishing": Diminishing(problem.stepsize, spec["power"]),
        "reducing": Reducing(problem.stepsize, (1000, 1000, 1000), (1.0, 0.25, 0.0625)),
    }
    rows = []
    for name, regime in regimes.items():
        run = minimize(
            problem.objective, start=problem.start, steps=4000, stepsize=regime, record=Record(every=8)
        )
        curve = run.curve("value")[0].tolist()
        rows.append({"experiment": "curves", "regime": name, "every": 8, "curve": curve})
    return rows


def decay_map(spec: RunSpec) -> list[Row]:
    """Share of starts whose late loss is below 2 % of the first, over the first step and the power."""
    start = _toy_starts(spec.seeds)
    f = ToyLasso(1.0, _P)
    rows = []
    for power in _MAP_POWERS:
        for stepsize in _MAP_STEPSIZES:
            regime = Diminishing(stepsize, power) if power else Constant(stepsize)
            run = minimize(f, start=start, steps=_MAP_STEPS, stepsize=regime, record=Record(window=2))
            small = run.late_high[:, 0] < 0.02 * np.abs(start).sum(axis=1)
            rows.append(
                {
                    "experiment": "map",
                    "x": stepsize,
                    "y": power,
                    "hits": int(small.sum()),
                    "n": len(spec.seeds),
                }
            )
    return rows


def predicts_small(stepsize: float, power: float) -> bool | None:
    """Whether toy LASSO should end below 2 % of its first loss, P/2 on average; None near the border.

    It reaches the floor if the steps' sum exceeds the largest |b_0|, 1/(P+1) short of 1 on average, and
    the two-step mean of its norm is then P α_T / 2.
    """
    steps = stepsize * (1 + np.arange(_MAP_STEPS)) ** -power
    reach, floor = steps.sum(), _P * steps[-1] / 2
    target = 0.02 * _P / 2
    if reach < 0.7 or floor > 1.7 * target:
        return False
    return True if reach > 1.1 and floor < target / 2 else None


def _excess(problem: _Problem, regime: StepSize, steps: int) -> np.ndarray:
    """Greatest excess over the minimum in the last hundred iterates, over that of the start."""
    run = minimize(problem.objective, start=problem.start, steps=steps, stepsize=regime)
    first = problem.objective.value(problem.start) - problem.minimum
    return (run.late_high[:, 0] - problem.minimum) / first


def _toy_starts(seeds: tuple[int, ...]) -> np.ndarray:
    return np.stack([stream("start", seed).uniform(-1, 1, _P) for seed in seeds])


def _problem(name: str, share: float, seeds: tuple[int, ...]) -> _Problem:
    count = len(seeds)
    toy = {
        "toy": ToyLasso(1.0, _P),
        "rounded": ToyLasso(1.0, _P).smooth_twin(0.1),
        "ridge": ToyLasso(0.0, _P, ridge=1.0),
    }
    if name in toy:
        return _Problem(toy[name], np.full(count, share * 0.04), _toy_starts(seeds), np.zeros(count))
    rows, columns = (60, 10) if name == "eq. 3, tall" else (_ROWS, _COLUMNS)
    Z = np.stack([stream("data", s).uniform(-1, 1, (rows, columns)) for s in seeds])
    y = np.stack([stream("response", s).uniform(-1, 0, rows) for s in seeds])
    start = np.stack([stream("start", s).uniform(-1, 1, columns) for s in seeds])
    y = 0 * y if name == "y = 0" else y
    l1 = 0.1 if name == "eq. 3, l1" else 0.0
    lipschitz = 2 * np.linalg.norm(Z, ord=2, axis=(1, 2)) ** 2 + 2
    return _Problem(ReluRegression(Z, y, l1, 1.0), share * 2 / lipschitz, start, (y**2).sum(axis=1))
