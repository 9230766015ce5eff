"""What is run: the worked example in three number formats, its controls, its floor, and a map of starts."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple, cast

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.methods import Diminishing, Method, ProximalGradient, Reducing, StepSize, Subgradient, attach
from nonsmooth.objectives import Objective, ToyLasso
from nonsmooth.penalties import L1
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import CHANNELS, Record, minimize

__all__ = [
    "ATTACHED",
    "CONSTANT",
    "DIMINISHING",
    "DRAWN",
    "FORMATS",
    "PROXIMAL",
    "RATIO",
    "SIZES",
    "STEPSIZE",
    "border_ratio",
    "exact",
    "expected_share",
    "floor",
    "starts_map",
    "twins",
    "worked",
]

# Starts and cells a side of the map, by tier.
SIZES = {"quick": (2000, 6), "laptop": (20_000, 12), "paper": (100_000, 24)}
FORMATS = ("exact rational", "float64", "float32")
# Printed: the first step, and λ1 of the second run over that of the first.
STEPSIZE, RATIO = 0.01, 100.0
# How many steps of each stage are kept to be drawn.
DRAWN = 80
CONSTANT, PROXIMAL, DIMINISHING = "LASSO, constant step", "LASSO, proximal step", "LASSO, diminishing step"
ATTACHED = "torch SGD, LASSO attached"

_START = "0.5053"
_WIDTHS = (1e-3, 0.1, 2.0)
_L1 = CHANNELS.index("l1_norm")


def exact(spec: RunSpec) -> list[Row]:
    """The recursion of eq. 11 in exact rationals, on the printed decimals; nothing of the spec enters."""
    rows = []
    for l1 in (Fraction(1), Fraction(100)):
        b = Fraction(_START)
        for stage in (0, 1):
            move = Fraction(str(STEPSIZE)) / (10 if stage else 1) * l1
            b = _reach_orbit(b, move)
            across = b - move if b > 0 else b + move if b < 0 else b
            tail = np.array([[float(value)] * 2 for value in (b, across)])
            rows.append(_orbit_row(spec, float(l1), stage, tail, "exact rational"))
    return rows


def worked(spec: RunSpec) -> list[Row]:
    """The worked example in floating point, before (stage 0) and after the step is reduced (stage 1)."""
    rows = []
    start = np.array([[float(_START)] * 2], dtype=spec["dtype"])
    steps, a = spec["steps"], STEPSIZE
    stages = (Reducing.stages((steps, a)), Reducing.stages((steps, a), (steps, a / 10)))
    for l1 in (1.0, RATIO):
        for stage, stepsize in enumerate(stages):
            run = minimize(
                ToyLasso(l1, 2),
                start=start,
                steps=(stage + 1) * steps,
                stepsize=stepsize,
                record=Record(every=1, tail=2),
            )
            row = _orbit_row(spec, l1, stage, run.tail[0], spec["dtype"])
            if stage:
                curve = run.curve("l1_norm")[0].astype(float)
                row["first"] = curve[:DRAWN].tolist()
                row["second"] = curve[steps : steps + DRAWN].tolist()
            rows.append(row)
    return rows


def twins(spec: RunSpec) -> list[Row]:
    """The printed start and step on the controls; the norm over the last two iterates."""
    start, steps = np.array([[float(_START)] * 2]), 20 * spec["steps"]
    rows = []
    for l1 in (1.0, RATIO):
        for control in _controls(l1, STEPSIZE):
            run = minimize(
                control.objective,
                start=start,
                steps=steps,
                stepsize=control.stepsize,
                method=control.method,
                record=Record(window=2),
            )
            rows.append(
                {
                    "experiment": "twins",
                    "kind": control.kind,
                    "name": control.name,
                    "l1": l1,
                    "steps": steps,
                    "edge": _edge(control.objective, STEPSIZE),
                    "norm_low": float(run.late_low[0, _L1]),
                    "norm_high": float(run.late_high[0, _L1]),
                }
            )
        rows.append(_attached(spec, l1, start, steps))
    return rows


def _attached(spec: RunSpec, l1: float, start: np.ndarray, steps: int) -> Row:
    """The remedy as a user has it: torch's SGD, the penalty attached instead of in the loss."""
    import torch

    b = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = torch.optim.SGD([b], lr=STEPSIZE)
    attach(optimizer, L1(l1), params=[b])
    for _ in range(min(steps, 1000)):
        b.grad = torch.zeros_like(b)  # there is no data term
        optimizer.step()
    norm = float(b.detach().abs().sum())
    return {
        "experiment": "twins",
        "kind": "remedy",
        "name": ATTACHED,
        "l1": l1,
        "steps": min(steps, 1000),
        "edge": None,
        "norm_low": norm,
        "norm_high": norm,
    }


def floor(spec: RunSpec) -> list[Row]:
    """Two-step averages of the L1 norm against P α λ1 / 2, over starts and three decades of α λ1."""
    rows = []
    for dimension in (1, 2, 10):
        start = stream("start", 0).uniform(-1, 1, (spec["starts"], dimension))
        for product in (1e-3, 1e-2, 1e-1, 1.0):
            norms = _last_two_norms(start, product, int(3 / product) + 10)
            ratio = norms.mean(axis=1) / (dimension * product / 2)
            rows.append(
                {
                    "experiment": "floor",
                    "P": dimension,
                    "product": product,
                    "n": start.shape[0],
                    "ratio_low": float(ratio.min()),
                    "ratio_high": float(ratio.max()),
                }
            )
    return rows


def starts_map(spec: RunSpec) -> list[Row]:
    """Of uniform starts in [-1, 1]^2: whose least norm at the larger λ1 exceeds the greatest at λ1 = 1?"""
    start = stream("start", 1).uniform(-1, 1, (spec["starts"], 2))
    steps = sorted({*np.geomspace(1e-3, 1e-1, spec["cells"]).tolist(), STEPSIZE})
    ratios = sorted({*np.geomspace(1.3, 1000, spec["cells"] + 2).tolist(), RATIO})
    rows = []
    for a in steps:
        small = _last_two_norms(start, a, int(2 / a) + 4)
        for ratio in ratios:
            large = _last_two_norms(start, a * ratio, int(2 / (a * ratio)) + 4)
            rows.append(
                {
                    "experiment": "map",
                    "x": ratio,
                    "y": a,
                    "hits": int((large.min(axis=1) > small.max(axis=1)).sum()),
                    "n": start.shape[0],
                    "default": a == STEPSIZE and ratio == RATIO,
                }
            )
    return rows


def expected_share(ratio: float) -> float:
    """The share of starts with the larger norm at ``ratio`` > 1 times λ1 = 1, for P = 2 and α λ1 < 1.

    An orbit's two norms are α λ1 (1 - D) and α λ1 (1 + D) with D = |1 - u - v|, where u and v, the places of
    the entries in (0, α λ1), are uniform: D has density 2 (1 - D). For two strengths D and D' are as good as
    independent, and ratio (1 - D') > 1 + D is asked for.

    >>> round(expected_share(100.0), 4), round(expected_share(1.3), 2)
    (0.9998, 0.11)
    """
    top = min(ratio - 1, 1.0)  # D is at most this where the two ranges of norms do not overlap
    return 2 * top - top**2 - (2 / ratio**2) * (top + top**2 / 2 - top**3 / 3 - top**4 / 4)


def border_ratio() -> float:
    """The ratio above which more than half of the starts have the larger norm: about 1.9."""
    from scipy.optimize import brentq

    return cast(float, brentq(lambda ratio: expected_share(ratio) - 0.5, 1.0, 4.0))


def _reach_orbit(b: Fraction, move: Fraction) -> Fraction:
    """The iterate of b <- b - move sign(b) once |b| < move: whole steps are taken at once."""
    whole = abs(b) // move
    return b - (whole * move if b > 0 else -whole * move)


def _orbit_row(spec: RunSpec, l1: float, stage: int, tail: np.ndarray, dtype: str) -> Row:
    """The two values of an orbit and the extremes of its norm; ``tail`` holds its last two iterates."""
    norms = np.abs(tail.astype(np.float64)).sum(axis=1)
    return {
        "experiment": spec.experiment,
        "l1": l1,
        "stage": stage,
        "stepsize": STEPSIZE / (10.0 if stage else 1.0),
        "upper": float(tail.max()),
        "lower": float(tail.min()),
        "norm_low": float(norms.min()),
        "norm_high": float(norms.max()),
        "dtype": dtype,
    }


class _Control(NamedTuple):
    """One control at one strength: ``kind`` is kinked, smooth (a twin) or remedy (another step)."""

    kind: str
    name: str
    objective: Objective
    method: Method
    stepsize: StepSize | float


def _controls(l1: float, stepsize: float) -> Iterator[_Control]:
    kinked, subgradient = ToyLasso(l1, 2), Subgradient()
    yield _Control("kinked", CONSTANT, kinked, subgradient, stepsize)
    ridge = ToyLasso(0.0, 2, ridge=l1)
    yield _Control("smooth", "ridge, constant step", ridge, subgradient, stepsize)
    for width in _WIDTHS:
        name = f"|x| rounded over {width:g}, constant step"
        yield _Control("smooth", name, kinked.smooth_twin(width), subgradient, stepsize)
    yield _Control("remedy", PROXIMAL, kinked, ProximalGradient(), stepsize)
    yield _Control("remedy", DIMINISHING, kinked, subgradient, Diminishing(stepsize, 0.5))


def _edge(objective: Objective, stepsize: float) -> float | None:
    """The step over 2/L, None where the gradient has no Lipschitz constant."""
    lipschitz = objective.facts.gradient_lipschitz
    return None if lipschitz is None else stepsize * float(lipschitz) / 2


def _last_two_norms(start: np.ndarray, stepsize: float, steps: int) -> np.ndarray:
    """L1 norms of the last two iterates at λ1 = 1, (starts, 2): only the step times λ1 matters."""
    objective = ToyLasso(1.0, start.shape[1])
    run = minimize(objective, start=start, steps=steps, stepsize=stepsize, record=Record(tail=2))
    return np.abs(run.tail).sum(axis=2)
