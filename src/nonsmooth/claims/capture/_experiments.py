"""What is run: Figure 1 with its twins, the same from inside the ball, and the search in rationals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple, cast

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.objectives import Lasso, Objective, ReluRegression
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import CHANNELS, Record, Run, minimize

__all__ = [
    "BATCH",
    "HALF_WIDTHS",
    "KINDS",
    "MAP_KINDS",
    "SIZES",
    "STEPSIZES",
    "border_half_width",
    "figure",
    "inside",
    "proposition",
    "start_map",
]

# Seeds of the figure with ReLU, of its twins, and of the map, by tier.
SIZES = {"quick": (128, 64, 16), "laptop": (200, 200, 32), "paper": (1000, 1000, 100)}
# The map's steps, and the half-widths of its starts (1 is printed).
STEPSIZES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
HALF_WIDTHS = (0.55, 0.7, 0.8, 0.87, 0.94, 1.0)
KINDS = {
    "relu": "ReLU (kinked)",
    "twin-0.1": "ReLU rounded over 0.1",
    "twin-1": "ReLU rounded over 1",
    "quadratic": "no ReLU: convex quadratic",
}
MAP_KINDS = ("relu", "twin-1")

BATCH = 8
_RIDGE = 0.01
_ROWS, _COLUMNS = 20, 500
_LOSS, _L2, _MAX = (CHANNELS.index(channel) for channel in ("value", "l2_norm", "max_norm"))


def figure(spec: RunSpec) -> list[Row]:
    """Figure 1 for one kind of loss; the curves are kept for seed 0."""
    objective, start = _objective(spec["kind"], spec.seeds)
    record = Record(every=max(1, spec["steps"] // 400))
    run = minimize(objective, start=start, steps=spec["steps"], stepsize=spec["stepsize"], record=record)
    return [
        _row(spec, run, i, seed) | (_curves(run, i) if seed == 0 else {}) for i, seed in enumerate(spec.seeds)
    ]


def start_map(spec: RunSpec) -> list[Row]:
    """One step and kind of loss: the share of seeds that do both, over the half-width of the starts."""
    objective, start = _objective(spec["kind"], spec.seeds)
    a = spec["stepsize"]
    # the predictions fall at a rate of about 2 x 500/3 a unit of time: twenty time constants, if in reach
    steps = min(max(100, round(0.06 / a)), 2000)
    rows = []
    for half_width in HALF_WIDTHS:
        run = minimize(objective, start=half_width * start, steps=steps, stepsize=a)
        falling = (run.rises[:, _LOSS] == 0) & ~run.diverged
        rows.append(
            {
                "experiment": "map",
                "kind": spec["kind"],
                "x": a,
                "y": half_width,
                "hits": int((falling & (run.high[:, _MAX] > 1)).sum()),
                "falling": int(falling.sum()),
                "n": len(spec.seeds),
                "edge": _edge(objective),
            }
        )
    return rows


def inside(spec: RunSpec) -> list[Row]:
    """From inside the premise: the same starts scaled to Euclidean norm 0.99."""
    objective, start = _objective("relu", spec.seeds)
    start = 0.99 * start / np.linalg.norm(start, axis=1, keepdims=True)
    run = minimize(objective, start=start, steps=spec["steps"], stepsize=spec["stepsize"])
    return [
        {
            "experiment": "inside",
            "seed": seed,
            "rises": int(run.rises[i, _LOSS]),
            "norm_high": float(run.high[i, _L2]),
        }
        for i, seed in enumerate(spec.seeds)
    ]


def proposition(spec: RunSpec) -> list[Row]:
    """Search f = c x²/2 (x >= 0), x²/2 (x < 0) for a monotone sequence that leaves the ball.

    d = 1 and the step is any fraction with a small denominator: scaling f by s and the step by 1/s changes no
    iterate. Instances are ordered by size, so that the first that breaks the conclusion is the smallest.
    """
    cases = sorted(_instances(spec["largest"]), key=lambda case: (case.size, case))
    broken = [case for case in cases if case.leaves_while_falling()]
    row: Row = {
        "experiment": "proposition",
        "n": len(cases),
        "broken": len(broken),
        "quadratic_broken": sum(case.c == 1 for case in broken),
        "small_step_broken": sum(case.step * max(case.c, Fraction(1)) <= 2 for case in broken),
        "smallest": None,
    }
    if broken:
        first = broken[0]
        row["smallest"] = {
            "c": str(first.c),
            "d": "1",
            "stepsize": str(first.step),
            "path": [str(x) for x in itertools.islice(first.path(), 5)],
        }
    row["exponential"] = _exponential()
    return [row]


def border_half_width() -> float:
    """The half-width of uniform starts from which some entry passes 1 in half of the seeds.

    While the positive half of the predictions is driven to 0, an entry β_i becomes (1 - r) β_i less a part
    that is nearly normal, of variance r (1 - r) w²/3, with r = 10/500 the share of the dimensions that are
    taken away. We ask for ln 2 entries beyond 1 on average.

    >>> round(border_half_width(), 2)
    0.89
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    taken = _ROWS / 2 / _COLUMNS
    spread = math.sqrt(taken * (1 - taken) / 3) / (1 - taken)

    def expected(reach: float) -> float:
        t = (reach - 1) / spread
        return _COLUMNS * spread * float(norm.pdf(t) - t * norm.sf(t)) - math.log(2)

    return 1 / ((1 - taken) * cast(float, brentq(expected, 1, 2)))


def _edge(objective: Objective) -> float | None:
    """Median 2/L over the seeds, None where the gradient has no Lipschitz constant."""
    lipschitz = objective.facts.gradient_lipschitz
    return None if lipschitz is None else float(np.median(2 / np.asarray(lipschitz)))


def _objective(kind: str, seeds: Sequence[int]) -> tuple[Objective, np.ndarray]:
    """The loss of each seed and its start; data and start do not depend on the kind."""
    Z = np.stack([stream("Z", seed).uniform(-1, 1, (_ROWS, _COLUMNS)) for seed in seeds])
    q = np.stack([stream("q", seed).uniform(-1, 0, _ROWS) for seed in seeds])
    start = np.stack([stream("start", seed).uniform(-1, 1, _COLUMNS) for seed in seeds])
    if kind == "quadratic":
        # ||Zb||^2 + 0.01 ||b||^2 in the form of eq. 15, N factored in: as curved as the others, minimiser 0
        return Lasso(Z * math.sqrt(Z.shape[1]), np.zeros_like(q), 0.0, ridge=_RIDGE), start
    f = ReluRegression(Z, q, l2=_RIDGE)
    return (f if kind == "relu" else f.smooth_twin(float(kind.removeprefix("twin-")))), start


def _row(spec: RunSpec, run: Run, i: int, seed: int) -> Row:
    return {
        "experiment": spec.experiment,
        "kind": spec["kind"],
        "stepsize": spec["stepsize"],
        "steps": spec["steps"],
        "seed": seed,
        "diverged": bool(run.diverged[i]),
        "rises": int(run.rises[i, _LOSS]),
        "distance_rises": int(run.rises[i, _L2]),
        "max_norm_start": float(run.curve("max_norm")[i, 0]),
        "max_norm_high": float(run.high[i, _MAX]),
        "max_norm_end": float(run.late_high[i, _MAX]),
        "norm_start": float(run.curve("l2_norm")[i, 0]),
        "norm_high": float(run.high[i, _L2]),
    }


def _curves(run: Run, i: int) -> Row:
    return {
        "times": run.times.tolist(),
        "loss": run.curve("value")[i].tolist(),
        "max_norm": run.curve("max_norm")[i].tolist(),
        "distance": run.curve("l2_norm")[i].tolist(),
    }


class _Instance(NamedTuple):
    """Gradient descent on f = c x²/2 for x >= 0 and x²/2 for x < 0, in exact rationals."""

    c: Fraction
    step: Fraction
    start: Fraction

    @property
    def size(self) -> Fraction:
        parts = (self.step.numerator, self.step.denominator, self.start.numerator, self.start.denominator)
        return self.c + sum(parts)

    def slope(self, x: Fraction) -> Fraction:
        return self.c * x if x >= 0 else x

    def path(self) -> Iterator[Fraction]:
        """The start and its iterates, without end."""
        x = self.start
        while True:
            yield x
            x -= self.step * self.slope(x)

    def leaves_while_falling(self) -> bool:
        """Whether some |x_k| reaches 1 while the value never rises.

        Every sequence of this family shrinks for good or repeats, so 60 steps show which.
        """
        left, value = False, None
        for x in itertools.islice(self.path(), 61):
            following = self.slope(x) * x / 2
            if value is not None and following > value:
                return False
            left |= abs(x) >= 1
            value = following
            # below 2^-40 of the unit ball nothing leaves it again while the value falls: |x| <= sqrt(2 f)
            if value < Fraction(1, 2**80):
                break
        return left


def _instances(largest: int) -> list[_Instance]:
    """Integers c up to the largest, steps up to 3 and starts inside (0, 1) with denominators up to it."""
    upto = range(1, largest + 1)
    steps = [Fraction(p, q) for q in upto for p in range(1, 3 * q + 1) if math.gcd(p, q) == 1]
    starts = [Fraction(p, q) for q in upto for p in range(1, q) if math.gcd(p, q) == 1]
    return [_Instance(Fraction(c), step, start) for c in upto for step in steps for start in starts]


def _exponential() -> Row:
    """An analytic instance: f(x) = e^x − x − 1, x_0 = 0.99, α = 1.4, in float64."""
    x, values, path = 0.99, [], []
    for _ in range(40):
        path.append(x)
        values.append(math.expm1(x) - x)
        x -= 1.4 * math.expm1(x)
    return {
        "path": path[:5],
        "monotone": all(later <= earlier + 1e-15 for earlier, later in itertools.pairwise(values)),
        "largest": max(abs(x) for x in path),
    }
