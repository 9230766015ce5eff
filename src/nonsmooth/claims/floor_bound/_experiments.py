"""What is run: rationals, uniform starts by dimension, Lipschitz quotients, twins, shrinking steps."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims._laws import best_below
from nonsmooth.methods import Constant, Diminishing, Reducing, StepSize
from nonsmooth.objectives import ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import CHANNELS, Record, minimize

__all__ = [
    "DIMENSIONS",
    "FADING",
    "FINITE",
    "NORMS",
    "RATIOS",
    "SIZES",
    "STAYING",
    "WIDTHS",
    "border",
    "cycles",
    "exact",
    "pairs",
    "quotients",
    "shrinking",
    "starts_map",
    "twins",
]

# Uniform starts, the greatest denominator of the rationals, and starts of a cell of the map, by tier.
SIZES = {"quick": (1000, 10, 60), "laptop": (10_000, 12, 200), "paper": (100_000, 14, 1000)}
DIMENSIONS = (1, 2, 3, 5, 10, 100)
# Widths over which the twins round |x|.
WIDTHS = (0.01, 0.1, 1.0)
# The norms in which the Lipschitz constant is asked for.
NORMS = {"L1": 1, "Euclidean": 2, "max": np.inf}
# Norms that differ by less than this share of P α λ1 are one and the same up to rounding.
ROUNDING = 1e-9

_EXACT_PRODUCTS = (Fraction(1, 10), Fraction(1, 3), Fraction(3, 4), Fraction(2))
_MAP_PRODUCTS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_MAP_DIMENSIONS = (1, 2, 3, 5, 10, 30, 100)
# Two strengths of one step are compared at the smaller α λ1 of a pair, and at so many times as much.
RATIOS = (1.1, 1.5, 2.0, 3.0, 10.0, 100.0)
_PAIR_PRODUCTS, _PAIR_DIMENSIONS = (0.01, 0.1, 1.0), (2, 10)
# Numbers of entries at which the map's border is found.
_BORDER_DIMENSIONS = np.unique(np.round(np.geomspace(3, 100, 16)).astype(int))
# Kinds of schedules: eq. 4's two conditions are that α_t → 0, and that the sum is infinite.
FADING, STAYING, FINITE = "tends to 0, infinite sum", "stays above 0, infinite sum", "tends to 0, finite sum"
# Length of the runs with these steps, and the time from which they are held against the step.
_STEPS, _EARLY = 20_000, 2000
# Ends of the stretches of which the greatest entry is drawn.
_TIMES = np.unique(np.geomspace(1, _STEPS + 1, 60).astype(int))
_L1, _MAX = CHANNELS.index("l1_norm"), CHANNELS.index("max_norm")


def exact(spec: RunSpec) -> list[Row]:
    """Every multiset of up to three rational starts: its two final norms against each bound, exactly."""
    starts = sorted(
        {Fraction(j, q) for q in range(1, spec["largest_denominator"] + 1) for j in range(-q, q + 1)},
        key=lambda b: (b.denominator, abs(b), b < 0),
    )
    rows = []
    for move in _EXACT_PRODUCTS:
        unit = math.lcm(*(b.denominator for b in starts), move.denominator)
        ends = np.array([[int(abs(b) * unit) for b in _last_two(b, move)] for b in starts])
        multiple = np.array([b % move == 0 for b in starts])
        for dimension in (1, 2, 3):
            chosen = _multisets(len(starts), dimension)
            norms, bound = ends[chosen].sum(axis=1), int(dimension * move * unit)
            low, high = norms.min(axis=1), norms.max(axis=1)
            regular = ~multiple[chosen].any(axis=1)
            above = regular & (high * dimension >= bound)
            smallest = chosen[above][:1]
            rows.append(
                {
                    "experiment": "exact",
                    "product": str(move),
                    "P": dimension,
                    "n": int(regular.sum()),
                    "above_eq_9": int(above.sum()),
                    "smallest": [str(starts[k]) for k in smallest[0]] if len(smallest) else None,
                    "smallest_norm": str(Fraction(int(high[above][0]), unit)) if len(smallest) else None,
                    "above_B6": int((regular & (high >= bound)).sum()),
                    "highest": float(high[regular].max() / bound),
                    "lowest": float(low[regular].min() / bound),
                    "one_norm": int((regular & (low == high)).sum()),
                    "best_above_half": int((regular & (2 * low > bound)).sum()),
                    "all": len(chosen),
                    "zero": int((low == 0).sum()),
                    "all_multiples": int(multiple[chosen].all(axis=1).sum()),
                    "surprises": int(((low == 0) != multiple[chosen].all(axis=1)).sum()),
                }
            )
    return rows


def cycles(spec: RunSpec) -> list[Row]:
    """Uniform starts at the settings' α λ1: the two final norms against each bound, by dimension."""
    product = spec["stepsize"] * spec["strength"]
    rows = []
    for dimension in DIMENSIONS:
        start = stream("start", dimension).uniform(-1, 1, (spec["starts"], dimension))
        low, high = _final_norms(start, spec["stepsize"], spec["strength"])
        full = dimension * product
        rows.append(
            {
                "experiment": "cycles",
                "P": dimension,
                "product": product,
                "n": spec["starts"],
                "last_below": int((high < product).sum()),
                "best_below": int((low < product).sum()),
                "best_below_theory": best_below(dimension, product),
                "one_norm": int((high - low <= ROUNDING * full).sum()),
                "last_in_half": int((high <= full / 2 * (1 + ROUNDING)).sum()),
                "best_in_half": int((low <= full / 2 * (1 + ROUNDING)).sum()),
                "below_B6": int((high < full).sum()),
                "above_zero": int((low > 0).sum()),
                "high": (np.quantile(high, (0, 0.5, 1)) / product).tolist(),
                "low": (np.quantile(low, (0, 0.5, 1)) / product).tolist(),
            }
        )
    return rows


def quotients(spec: RunSpec) -> list[Row]:
    """|L3(x) - L3(y)| / (λ1 ||x - y||) in three norms: random pairs, and the pair x = (1, ..., 1), y = 0."""
    rows = []
    for dimension in DIMENSIONS:
        f, rng = ToyLasso(spec["strength"], dimension), stream("pairs", dimension)
        x = rng.uniform(-1, 1, (spec["starts"], dimension))
        # half of the pairs lie within one orthant, where the difference of values is largest
        y = np.where(np.arange(spec["starts"])[:, None] % 2, rng.random() * x, rng.uniform(-1, 1, x.shape))
        x[0], y[0] = 1, 0
        gap = np.abs(f.value(x) - f.value(y)) / spec["strength"]
        rows += [
            {
                "experiment": "quotients",
                "P": dimension,
                "norm": norm,
                "n": spec["starts"],
                "greatest": float((gap / np.linalg.norm(x - y, ord, axis=1)).max()),
            }
            for norm, ord in NORMS.items()
        ]
    return rows


def twins(spec: RunSpec) -> list[Row]:
    """One step, one start, growing λ1: the final norm with the kink and with |x| rounded over widths."""
    start = stream("start", 2).uniform(-1, 1, (spec["starts"], 2))
    around = {2 * width * factor for width in WIDTHS for factor in (0.5, 0.9, 1.1, 2)}
    rows = []
    for product in sorted({*(1e-3, 1e-2, 1e-1, 1.0, 10.0), *around}):
        for width in (0.0, *WIDTHS):
            objective = ToyLasso(product / spec["stepsize"], 2)
            objective = objective.smooth_twin(width) if width else objective
            steps = int(1 / product) + 1004
            if width and product < 2 * width:
                # the last stretch shrinks by |1 - α λ1 / d| a step: give it thirty time constants
                steps += int(30 / min(product / width, 2 - product / width)) + int(width / product)
            record = Record(window=2)
            run = minimize(objective, start=start, steps=steps, stepsize=spec["stepsize"], record=record)
            mean = (run.late_low[:, _L1] + run.late_high[:, _L1]) / 2
            rows.append(
                {
                    "experiment": "twins",
                    "width": width,
                    "product": product,
                    "n": spec["starts"],
                    "at_zero": int((run.late_high[:, _MAX] < 1e-6).sum()),
                    "mean_low": float(mean.min()),
                    "mean_median": float(np.median(mean)),
                    "mean_high": float(mean.max()),
                }
            )
    return rows


def pairs(spec: RunSpec) -> list[Row]:
    """The same step and starts at two λ1: of how many starts is the error at the larger λ1 the larger?

    Three errors: the mean of the two final norms, the larger of them, and the last iterate's, both runs
    equally long.
    """
    rows = []
    for dimension in _PAIR_DIMENSIONS:
        start = stream("pairs of strengths", dimension).uniform(-1, 1, (spec["starts"], dimension))
        for product in _PAIR_PRODUCTS:
            steps = int(1 / product) + 4
            few = _last_norms(start, product, steps)
            for ratio in RATIOS:
                many = _last_norms(start, ratio * product, steps)
                # a tie up to rounding is no larger error
                more = many - few > ROUNDING * dimension * product
                rows.append(
                    {
                        "experiment": "pairs",
                        "P": dimension,
                        "product": product,
                        "ratio": ratio,
                        "n": spec["starts"],
                        "mean": int(more[0].sum()),
                        "larger": int(more[1].sum()),
                        "last": int(more[2].sum()),
                    }
                )
    return rows


def shrinking(spec: RunSpec) -> list[Row]:
    """Steps that tend to 0, or not, with an infinite sum (eq. 4 asks for both), and with a finite one."""
    start = stream("start", 2).uniform(-1, 1, (spec["starts"], 2))
    far = np.abs(start).max(axis=1)
    objective = ToyLasso(1.0, 2)
    rows = []
    for kind, name, product, stepsize, travel in _schedules():
        few = minimize(objective, start=start[:5], steps=_STEPS, stepsize=stepsize, record=Record(every=1))
        low, late = _late(start, stepsize, _STEPS, _STEPS - _EARLY)
        _, second = _late(start, stepsize, 2 * _EARLY, _EARLY)
        _, last = _late(start, stepsize, _STEPS, _EARLY)
        step = product * float(stepsize.profile(_STEPS)[_EARLY])
        beyond, within = far > travel + 0.01, far < travel - 0.01
        rows.append(
            {
                "experiment": "shrinking",
                "kind": kind,
                "schedule": name,
                "product": product,
                "travel": travel,
                "n": spec["starts"],
                "step": step,
                # within 1 % of the step, for a start may cross at the step before
                "with_step": int((late <= 1.01 * step).sum()),
                "falls": int((last <= second / 2).sum()),
                "beyond": int(beyond.sum()),
                "stuck": int((beyond & (low > 1e-3)).sum()),
                "within_reach": int(within.sum()),
                "arrived": int((within & (late < 1e-3)).sum()),
                # the greatest of a stretch, for near the kink every other iterate can be far smaller
                "times": _TIMES[:-1].tolist(),
                "greatest": np.median(
                    np.maximum.reduceat(few.curve("max_norm"), _TIMES[:-1], axis=1), axis=0
                ).tolist(),
            }
        )
    return rows


def starts_map(spec: RunSpec) -> list[Row]:
    """Share of uniform starts whose smaller final norm is below α λ1, over α λ1 and P."""
    rows = []
    for dimension in _MAP_DIMENSIONS:
        start = stream("map", dimension).uniform(-1, 1, (spec["starts"], dimension))
        for product in _MAP_PRODUCTS:
            low, _ = _final_norms(start, product, 1.0)
            rows.append(
                {
                    "experiment": "map",
                    "x": product,
                    "y": dimension,
                    "hits": int((low < product).sum()),
                    "n": spec["starts"],
                }
            )
    return rows


def border(spec: RunSpec) -> list[Row]:
    """The α λ1 at which theory has half of the starts with their smaller norm below it, by bisection."""
    rows = []
    for dimension in _BORDER_DIMENSIONS.tolist():
        low, high = 1e-2, float(dimension)
        for _ in range(15):
            middle = (low * high) ** 0.5
            low, high = (low, middle) if best_below(dimension, middle) > 0.5 else (middle, high)
        rows.append({"experiment": "border", "P": dimension, "product": (low * high) ** 0.5})
    return rows


def _last_two(b: Fraction, move: Fraction) -> tuple[Fraction, Fraction]:
    """The entry at two neighbouring late times, the first of them even, by eq. 11."""
    for _ in range(2 * (1 // move // 2 + 1)):
        b = _step(b, move)
    return b, _step(b, move)


def _step(b: Fraction, move: Fraction) -> Fraction:
    return b - move if b > 0 else b + move if b < 0 else b


def _multisets(count: int, size: int) -> np.ndarray:
    """Indices of all multisets, (number, size), those of small members first."""
    grid = np.indices((count,) * size).reshape(size, -1).T
    grid = grid[(np.diff(grid, axis=1) >= 0).all(axis=1)]
    return grid[np.argsort(grid.max(axis=1), kind="stable")]


def _final_norms(start: np.ndarray, stepsize: float, strength: float) -> tuple[np.ndarray, np.ndarray]:
    """The smaller and the larger of each start's last two L1 norms, when all entries alternate."""
    run = minimize(
        ToyLasso(strength, start.shape[1]),
        start=start,
        steps=int(1 / (stepsize * strength)) + 4,
        stepsize=stepsize,
        record=Record(window=2),
    )
    return run.late_low[:, _L1], run.late_high[:, _L1]


def _last_norms(start: np.ndarray, product: float, steps: int) -> np.ndarray:
    """Of each start the mean of the last two L1 norms, the larger one, and the last, (3, B); λ1 = 1."""
    run = minimize(
        ToyLasso(1.0, start.shape[1]), start=start, steps=steps, stepsize=product, record=Record(tail=2)
    )
    norms = np.abs(run.tail).sum(axis=2)
    return np.stack([norms.mean(axis=1), norms.max(axis=1), norms[:, -1]])


def _late(start: np.ndarray, stepsize: StepSize, steps: int, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest max-norm of each run over the last iterates of so many steps; λ1 = 1."""
    f = ToyLasso(1.0, start.shape[1])
    run = minimize(f, start=start, steps=steps, stepsize=stepsize, record=Record(window=window))
    return run.late_low[:, _MAX], run.late_high[:, _MAX]


def _schedules() -> Iterator[tuple[str, str, float, StepSize, float]]:
    """Kind, name, first step times λ1, the steps, and how far they go in all."""
    for product in (0.02, 0.1, 1.0, 10.0):
        yield FADING, "α/(1+t)^0.5", product, Diminishing(product, 0.5), math.inf
    for product in (0.2, 1.0, 10.0):
        yield FADING, "α/(1+t)", product, Diminishing(product, 1.0), math.inf
    for product in (0.02, 0.1, 1.0):
        yield STAYING, "α", product, Constant(product), math.inf
    for product in (0.1, 1.0):
        stages = (1000, product), (1000, product / 10)
        yield STAYING, "α, then α/10", product, Reducing.stages(*stages), math.inf
    for product in (0.02, 0.1):
        stages = [(10, product / 2**k) for k in range(50)]
        yield FINITE, "halved every 10 steps", product, Reducing.stages(*stages), 20 * product
