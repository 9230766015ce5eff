"""What is run: the final losses of both methods in three arithmetics, the figure, the twins, and the map."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.phase_transition._reals import rmsprop_tail
from nonsmooth.methods import RMSProp, Subgradient
from nonsmooth.objectives import Objective, ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import CHANNELS, Record, Run, minimize

__all__ = [
    "ARITHMETICS",
    "CAPTION",
    "DECAY",
    "DIMENSION",
    "FLOATS",
    "MAP_STRENGTHS",
    "REALS",
    "SIZES",
    "SMALL",
    "STEPSIZE",
    "STRENGTHS",
    "TEXT",
    "TWINS",
    "WINDOW",
    "ends",
    "figure",
    "reals",
    "starts_map",
    "twins",
]

# Starts of a share and of a cell of the map, by tier.
SIZES = {"quick": (100, 16), "laptop": (400, 40), "paper": (2000, 100)}
# Printed: P, α, the last iterations shown, and λ1 of the two panels; λ1 of the second panel is 1 in the text
# and 100 in the caption.
DIMENSION, STEPSIZE, WINDOW = 10, 0.1, 100
SMALL, TEXT, CAPTION = 0.001, 1.0, 100.0
# RMSProp's γ, “a typical default value”.
DECAY = 0.99
FLOATS, REALS = ("float64", "float32"), "reals"
ARITHMETICS = (*FLOATS, REALS)
STRENGTHS = (SMALL, 0.01, 0.1, TEXT, 10.0, CAPTION)
MAP_STRENGTHS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)

_MAP_ITERATIONS = (300, 1000, 3000, 10_000, 30_000)
# The smooth twins settle at the rate α L: slowly for a small λ1.
_TWIN_STEPS = {SMALL: 40_000, CAPTION: 4000}
_WIDTHS = (0.01, 0.1)
TWINS = ("λ1 b²/2 (analytic)", *(f"|b| rounded over {width:g} (C1,1)" for width in _WIDTHS))
# The entries of a run over the reals have settled by then: γ^3000 = 8e-14.
_REAL_STEPS = 3000
_VALUE, _L1 = CHANNELS.index("value"), CHANNELS.index("l1_norm")


def ends(spec: RunSpec) -> list[Row]:
    """Both methods from the same starts, in one float format: the last hundred losses."""
    start = _starts(spec["starts"]).astype(spec["arithmetic"])
    rows = []
    for l1 in spec["strengths"]:
        objective, tails, runs = ToyLasso(l1, DIMENSION), [], []
        for method in (Subgradient(), RMSProp(DECAY, spec["jitter"])):
            run = minimize(
                objective,
                start=start,
                steps=spec["iterations"],
                stepsize=STEPSIZE,
                method=method,
                record=Record(window=WINDOW, tail=WINDOW),
            )
            runs.append(run)
            tails.append(np.swapaxes(run.tail.astype(float), 1, 2).reshape(-1, WINDOW))
        vanilla, rmsprop = runs
        rows.append(
            {
                "experiment": "ends",
                "arithmetic": spec["arithmetic"],
                "l1": l1,
                "n": spec["starts"],
                "iterations": spec["iterations"],
                **_order(_interval(vanilla), _interval(rmsprop)),
                **_bounds(_interval(vanilla), _interval(rmsprop), l1),
                **_entries(tails[0], tails[1], l1),
            }
        )
    return rows


def reals(spec: RunSpec) -> list[Row]:
    """The same starts over the reals (1024 bits, no jitter), settled; and starts with all entries equal."""
    start = _starts(spec["starts"])
    tail = rmsprop_tail(start.ravel(), STEPSIZE, DECAY, _REAL_STEPS, WINDOW)
    norms = np.abs(tail).reshape(*start.shape, WINDOW).sum(axis=1)
    equal = np.abs(tail[::DIMENSION]) * DIMENSION  # every tenth entry, ten times
    rows = []
    for l1 in STRENGTHS:
        vanilla = _settled(start, l1)
        low, high = l1 * norms.min(axis=1), l1 * norms.max(axis=1)
        same = _settled(np.repeat(start[:, :1], DIMENSION, axis=1), l1)
        rows.append(
            {
                "experiment": "ends",
                "arithmetic": REALS,
                "l1": l1,
                "n": spec["starts"],
                "iterations": _REAL_STEPS,
                **_order(_interval(vanilla), (low, high)),
                **_bounds(_interval(vanilla), (low, high), l1),
                **_entries(np.swapaxes(vanilla.tail, 1, 2).reshape(-1, WINDOW), tail, l1),
                "equal_disjoint": sum(
                    _order(_interval(same), (l1 * equal.min(axis=1), l1 * equal.max(axis=1))).values()
                ),
            }
        )
    return rows


def figure(spec: RunSpec) -> list[Row]:
    """Figure 5: the last hundred losses of a few starts, both methods."""
    start = _starts(max(spec.seeds) + 1)
    rows = []
    for l1 in (SMALL, TEXT, CAPTION):
        for name, method in (("vanilla", Subgradient()), ("RMSProp", RMSProp(DECAY, spec["jitter"]))):
            for seed in spec.seeds:
                run = minimize(
                    ToyLasso(l1, DIMENSION),
                    start=start[seed],
                    steps=spec["iterations"],
                    stepsize=STEPSIZE,
                    method=method,
                    record=Record(tail=WINDOW),
                )
                losses = l1 * np.abs(run.tail[0]).sum(axis=1)
                rows.append(
                    {
                        "experiment": "figure",
                        "l1": l1,
                        "method": name,
                        "seed": seed,
                        "losses": losses.tolist(),
                    }
                )
    return rows


def twins(spec: RunSpec) -> list[Row]:
    """Differentiable functions, the same steps and starts: which method ends above?"""
    start = _starts(spec["starts"])
    rows = []
    for l1 in (SMALL, CAPTION):
        for name, objective in _twins(l1):
            vanilla, rmsprop = (
                minimize(
                    objective,
                    start=start,
                    steps=_TWIN_STEPS[l1],
                    stepsize=STEPSIZE,
                    method=method,
                    record=Record(window=WINDOW),
                )
                for method in (Subgradient(), RMSProp(DECAY, spec["jitter"]))
            )
            rows.append(
                {
                    "experiment": "twins",
                    "name": name,
                    "l1": l1,
                    "edge": STEPSIZE * float(objective.facts.gradient_lipschitz) / 2,
                    "n": spec["starts"],
                    **_order(_interval(vanilla), _interval(rmsprop)),
                    "diverged": int(vanilla.diverged.sum()),
                    "vanilla": float(min(np.median(vanilla.late_high[:, _VALUE]), 1e30)),
                    "rmsprop": float(np.median(rmsprop.late_high[:, _VALUE])),
                }
            )
    return rows


def starts_map(spec: RunSpec) -> list[Row]:
    """Share of starts ordered as the figure says, without overlap, over λ1 and the number of iterations."""
    start = _starts(spec["starts"])
    rows = []
    for l1 in spec["strengths"]:
        for iterations in _MAP_ITERATIONS:
            vanilla, rmsprop = (
                minimize(
                    ToyLasso(l1, DIMENSION),
                    start=start,
                    steps=iterations,
                    stepsize=STEPSIZE,
                    method=method,
                    record=Record(window=WINDOW),
                )
                for method in (Subgradient(), RMSProp(DECAY, spec["jitter"]))
            )
            found = _order(_interval(vanilla), _interval(rmsprop))
            hits = found["rmsprop_above"] if l1 < TEXT else found["vanilla_above"]
            rows.append({"experiment": "map", "x": l1, "y": iterations, "hits": hits, "n": spec["starts"]})
    return rows


def _starts(count: int) -> np.ndarray:
    return np.stack([stream("start", seed).uniform(-1, 1, DIMENSION) for seed in range(count)])


def _settled(start: np.ndarray, l1: float) -> Run:
    """Vanilla runs long enough for every entry to alternate, float64."""
    steps = int(1 / (STEPSIZE * l1)) + WINDOW + 4
    record = Record(window=WINDOW, tail=WINDOW)
    return minimize(ToyLasso(l1, DIMENSION), start=start, steps=steps, stepsize=STEPSIZE, record=record)


def _interval(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest loss over the window."""
    return run.late_low[:, _VALUE].astype(float), run.late_high[:, _VALUE].astype(float)


def _order(vanilla: tuple[np.ndarray, np.ndarray], rmsprop: tuple[np.ndarray, np.ndarray]) -> dict[str, int]:
    return {
        "rmsprop_above": int((vanilla[1] < rmsprop[0]).sum()),
        "vanilla_above": int((rmsprop[1] < vanilla[0]).sum()),
    }


def _bounds(
    vanilla: tuple[np.ndarray, np.ndarray], rmsprop: tuple[np.ndarray, np.ndarray], l1: float
) -> dict[str, float]:
    """Greatest losses over the bounds P α λ1² and P α λ1; how many runs stay below, or have a loss of 0."""
    bound = DIMENSION * STEPSIZE * l1
    return {
        "vanilla_most": float(vanilla[1].max() / (bound * l1)),
        "rmsprop_most": float(rmsprop[1].max() / bound),
        "vanilla_below": int((vanilla[1] < bound * l1).sum()),
        "rmsprop_below": int((rmsprop[1] < bound).sum()),
        "vanilla_zero": int((vanilla[0] <= 0).sum()),
        "rmsprop_zero": int((rmsprop[0] <= 0).sum()),
    }


def _entries(vanilla: np.ndarray, rmsprop: np.ndarray, l1: float) -> dict[str, int]:
    """How many entries alternate between two values, and how many of RMSProp's are exactly 0."""
    return {
        "entries": len(rmsprop),
        "vanilla_two": _alternating(vanilla, STEPSIZE * l1),
        "rmsprop_two": _alternating(rmsprop, STEPSIZE),
        "rmsprop_at_zero": int((rmsprop[:, -1] == 0).sum()),
    }


def _alternating(tail: np.ndarray, move: float) -> int:
    """Entries that move, and are always where they were two steps before, to 1 % of the step."""
    moves = np.abs(tail[:, -1] - tail[:, -2]) > move / 2
    back = np.abs(tail[:, 2:] - tail[:, :-2]).max(axis=1) < 0.01 * move
    return int((moves & back).sum())


def _twins(l1: float) -> Iterator[tuple[str, Objective]]:
    kinked = ToyLasso(l1, DIMENSION)
    twins = (ToyLasso(0.0, DIMENSION, ridge=l1 / 2), *(kinked.smooth_twin(width) for width in _WIDTHS))
    return zip(TWINS, twins, strict=True)
