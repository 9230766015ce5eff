"""Proposition 3.1 and Figure 1: the loss falls monotonically while the max norm leaves the unit ball.

The paper takes this for proof that the sequence is no gradient descent. Two things must be asked. Does
a gradient descent sequence on a differentiable function do it too: with ReLU rounded, or on a plain
quadratic? And is the proposition true: Bertsekas' Proposition 1.2.5 says that *some* open set inside the ball
captures the sequence, not that the ball does, and it speaks of Euclidean balls.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.findings import (
    COLOURS,
    Attribution,
    Drawing,
    Finding,
    Part,
    Result,
    Ruling,
    canvas,
    number,
    share,
)
from nonsmooth.objectives import Lasso, Objective, ReluRegression
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, Run, minimize

_BATCH = 8
_SIZES = {"quick": (128, 8), "laptop": (200, 32), "paper": (1000, 100)}
_STEPSIZES = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
_WIDTHS = (0.1, 1.0)
_RIDGE = 0.01
_KINDS = {"relu": "ReLU (kinked)", "twin-0.1": "ReLU rounded over 0.1", "twin-1": "ReLU rounded over 1",
          "quadratic": "no ReLU: convex quadratic"}  # fmt: skip


class Capture(Claim):
    id = "capture"
    where = "Section 3: Proposition 3.1, Figure 1"
    statement = (
        "On L2(β) = ||q1 − max(0, Z1 β)||² + 0.01 ||β||² with Z1 20x500 uniform on [-1, 1], q1 uniform on [-1, 0] and β0 uniform on "
        "[-1, 1], “although the loss function decreases monotonically with iteration number, the infinity norm of the NDGM "
        "sequence eventually exceeds 1, contradicting our assumption” that it has the same properties as a GD sequence."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "loss": "monotone",
        "||β_k||_inf": "starts below 1, eventually exceeds 1",
    }
    unstated = (
        Setting(
            "stepsize",
            1e-3,
            "a quarter of where the loss stops falling; the map runs from 1e-5 to 3e-2",
            1e-7,
            0.1,
        ),
        Setting(
            "steps", 2000, "long enough for the norm to peak; the ridge term then shrinks it again", 10, 1e6
        ),
    )
    parts = (
        Part(
            "figure-1",
            "The loss never rises and the max norm, below 1 at the start, exceeds 1 later.",
            "Holds if the share of seeds that do both has a Wilson lower end above 0.9 at the chosen step; differs if the upper end is "
            "below 0.05; else holds in part. A rise is an increase above 1e-12 of the loss's scale.",
            least_n=35,
        ),
        Part(
            "proposition-3.1",
            "For GD on a continuously differentiable f with f(x_{k+1}) ≤ f(x_k): if x* is an isolated local minimum in the unit "
            "ball around it and ||x_0 − x*|| < 1, then ||x_k − x*|| < 1 for all k.",
            "Differs if the search over f(x) = c x²/2 for x ≥ 0, d x²/2 for x < 0 (differentiable, convex, x* = 0), integers up to 4 "
            "and starts in (0, 1), finds in exact rationals a monotone sequence that leaves the ball; holds if it finds none "
            "here and none among quadratics.",
            least_n=100,
        ),
        Part(
            "cause-not-gd",
            "“The monotonically decreasing loss contrasts with the non-monotonic parameter norm, indicating differing dynamics "
            "between NDGM and GD” (Figure 1).",
            "Not supported if gradient descent on a differentiable twin, same data, start and step, does both in a share of seeds with "
            "Wilson lower end (3 comparisons) above 0.9 for at least one twin; supported if all upper ends are below 0.05; else "
            "undecided.",
            least_n=62,
            comparisons=3,
            twin="ReLU's Moreau envelope of width 0.1 and 1 (C1,1, same minimiser); the convex quadratic ||Zβ||² + 0.01 ||β||²",
        ),
    )
    notes = (
        "Premise: the theorem wants ||x_0 − x*||_2 < 1. In the experiment x* = 0 and ||β0||_2 is about 12.9 (500 uniform entries): no seed "
        "starts inside. The text replaces the Euclidean by the max norm, in which a monotone loss keeps nothing captured, not even for "
        "a quadratic.",
        "Source: Bertsekas, Nonlinear Programming, Proposition 1.2.5 asserts an open set S, inside any given ball, that is never "
        "left once entered. Proposition 3.1 asserts it of the ball itself.",
        "Smallest repair of Proposition 3.1: add that f is convex and L-smooth with α ≤ 2/L. Then every step satisfies ||x_{k+1} − x*|| ≤ "
        "||x_k − x*|| in the Euclidean norm (co-coercivity), and the ball is never left.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, few = _SIZES[tier]
        given = dict(settings)
        specs = [RunSpec(self.id, "proposition", {"largest": 4})]
        for first in range(0, seeds, _BATCH):
            batch = tuple(range(first, min(first + _BATCH, seeds)))
            specs += [RunSpec(self.id, "figure", given | {"kind": kind}, batch) for kind in _KINDS]
            specs += [RunSpec(self.id, "inside", given, batch)]
        for first in range(0, few, _BATCH):
            batch = tuple(range(first, min(first + _BATCH, few)))
            specs += [
                RunSpec(self.id, "map", {"stepsize": a, "steps": settings["steps"], "kind": kind}, batch)
                for a in _STEPSIZES for kind in ("relu", "twin-1")
            ]  # fmt: skip
        return specs

    def measure(self, spec: RunSpec) -> list[Row]:
        return {"proposition": _proposition, "figure": _figure, "inside": _inside, "map": _figure}[
            spec.experiment
        ](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        findings: list[Finding] = []
        rulings = [
            _judge_figure(rows, findings),
            _judge_proposition(rows, findings),
            _judge_twin(rows, findings),
        ]
        return Judgement(rulings, findings)

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_draw_figure(rows), _draw_map(rows)]


def _objective(kind: str, seeds: Sequence[int]) -> tuple[Objective, np.ndarray]:
    Z = np.stack([stream("Z", s).uniform(-1, 1, (20, 500)) for s in seeds])
    q = np.stack([stream("q", s).uniform(-1, 0, 20) for s in seeds])
    start = np.stack([stream("start", s).uniform(-1, 1, 500) for s in seeds])
    if kind == "quadratic":
        # ||Zb||^2 + 0.01 ||b||^2, by eq. 15's form with N factored in: the same scale of curvature, minimiser 0
        rows = Z.shape[1]
        return Lasso(Z * math.sqrt(rows), np.zeros_like(q), 0.0, ridge=_RIDGE), start
    f = ReluRegression(Z, q, l2=_RIDGE)
    return (f if kind == "relu" else f.smooth_twin(float(kind.removeprefix("twin-")))), start


def _figure(spec: RunSpec) -> list[Row]:
    objective, start = _objective(spec["kind"], spec.seeds)
    every = max(1, spec["steps"] // (400 if spec.experiment == "figure" else 1))
    run = minimize(
        objective, start=start, steps=spec["steps"], stepsize=spec["stepsize"], record=Record(every=every)
    )
    drawn = spec.experiment == "figure" and 0 in spec.seeds
    return [
        _row(spec, run, i, seed) | (_curves(run, i) if drawn and seed == 0 else {})
        for i, seed in enumerate(spec.seeds)
    ]


def _row(spec: RunSpec, run: Run, i: int, seed: int) -> Row:
    return {
        "experiment": spec.experiment, "kind": spec["kind"], "stepsize": spec["stepsize"], "steps": spec["steps"], "seed": seed,
        "diverged": bool(run.diverged[i]), "rises": int(run.rises[i, 0]), "distance_rises": int(run.rises[i, 2]),
        "max_norm_start": float(run.curve("max_norm")[i, 0]), "max_norm_high": float(run.high[i, 3]),
        "max_norm_end": float(run.late_high[i, 3]), "norm_start": float(run.curve("l2_norm")[i, 0]),
        "norm_high": float(run.high[i, 2]),
    }  # fmt: skip


def _curves(run: Run, i: int) -> Row:
    return {"times": run.times.tolist(), "loss": run.curve("value")[i].tolist(), "max_norm": run.curve("max_norm")[i].tolist(),
            "distance": run.curve("l2_norm")[i].tolist()}  # fmt: skip


def _inside(spec: RunSpec) -> list[Row]:
    """From inside the premise: the same starts scaled to Euclidean norm 0.99."""
    objective, start = _objective("relu", spec.seeds)
    start = 0.99 * start / np.linalg.norm(start, axis=1, keepdims=True)
    run = minimize(objective, start=start, steps=spec["steps"], stepsize=spec["stepsize"])
    return [
        {
            "experiment": "inside",
            "seed": seed,
            "rises": int(run.rises[i, 0]),
            "norm_high": float(run.high[i, 2]),
        }
        for i, seed in enumerate(spec.seeds)
    ]


def _proposition(spec: RunSpec) -> list[Row]:
    """Search f = c x²/2 (x >= 0), d x²/2 (x < 0) in exact rationals for a monotone sequence that leaves the ball.

    d = 1 and the step is an integer over 4: scaling f by s and the step by 1/s changes no iterate. Instances are
    ordered by size (c + step + denominators), so that the first that breaks the conclusion is the smallest.
    """
    largest = spec["largest"]
    cases = [
        (Fraction(c), Fraction(step, q), Fraction(p, r))
        for c in range(1, largest + 1) for q in range(1, largest + 1) for step in range(1, 3 * q + 1) if math.gcd(step, q) == 1
        for r in range(2, largest + 1) for p in range(1, r) if math.gcd(p, r) == 1
    ]  # fmt: skip
    cases.sort(
        key=lambda k: (k[0] + k[1].numerator + k[1].denominator + k[2].numerator + k[2].denominator, k)
    )
    broken = quadratic_broken = smooth_broken = 0
    smallest: tuple[Fraction, Fraction, Fraction] | None = None
    for c, step, x in cases:
        left, monotone = _leaves(c, step, x)
        if monotone and left:
            broken += 1
            quadratic_broken += c == 1
            smooth_broken += step * max(c, Fraction(1)) <= 2
            smallest = smallest or (c, step, x)
    row: Row = {
        "experiment": "proposition", "n": len(cases), "broken": broken, "quadratic_broken": quadratic_broken,
        "small_step_broken": smooth_broken, "smallest": None,
    }  # fmt: skip
    if smallest:
        c, step, x = smallest
        path = [x]
        for _ in range(4):
            path.append(path[-1] - step * (c if path[-1] >= 0 else 1) * path[-1])
        row["smallest"] = {"c": str(c), "d": "1", "stepsize": str(step), "path": [str(v) for v in path]}
    row["exponential"] = _exponential()
    return [row]


def _leaves(c: Fraction, step: Fraction, x: Fraction) -> tuple[bool, bool]:
    """Whether |x_k| reaches 1, and whether the value never rises. Every sequence here shrinks for good or repeats."""
    value = c * x * x / 2
    left = False
    for _ in range(60):
        x -= step * (c if x >= 0 else 1) * x
        following = (c if x >= 0 else 1) * x * x / 2
        if following > value:
            return left, False
        left |= abs(x) >= 1
        value = following
        # below 2^-40 of the unit ball nothing leaves it again while the value falls: |x| <= sqrt(2 f)
        if value < Fraction(1, 2**80):
            break
    return left, True


def _exponential() -> Row:
    """An analytic instance: f(x) = e^x − x − 1, x_0 = 0.99, α = 1.4, in float64."""
    x, values, path = 0.99, [], []
    for _ in range(40):
        path.append(x)
        values.append(math.expm1(x) - x)
        x -= 1.4 * math.expm1(x)
    return {"path": path[:5], "monotone": all(v <= u + 1e-15 for u, v in itertools.pairwise(values)),
            "largest": max(abs(v) for v in path)}  # fmt: skip


def _shows(row: Row) -> bool:
    return row["rises"] == 0 and row["max_norm_start"] < 1 < row["max_norm_high"] and not row["diverged"]


def _judge_figure(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    mine = [r for r in rows if r["experiment"] == "figure" and r["kind"] == "relu"]
    if not mine:
        return Ruling("figure-1", Result.NOT_JUDGED, 0, "Not run.")
    found, a = share([_shows(r) for r in mine]), mine[0]["stepsize"]
    ends = share([_shows(r) and r["max_norm_end"] > 1 for r in mine])
    starts = share([r["norm_start"] < 1 for r in mine])
    grown = share([r["distance_rises"] > 0 for r in mine])
    inside = [r for r in rows if r["experiment"] == "inside"]
    findings += [
        Finding("seeds with monotone loss and max norm passing 1", str(found), found.n, f"α = {a:g}, {mine[0]['steps']} steps, float64; Wilson interval.",
                "figure-1", "the run shown", found.interval, agrees=found.interval[0] > 0.9),
        Finding("of those, still above 1 at the end", str(ends), ends.n, "The ridge term shrinks every entry in the long run, so this falls with the "
                "number of steps, which is not printed.", "figure-1", interval=ends.interval),
        Finding("seeds that start inside the theorem's Euclidean unit ball", str(starts), starts.n, "Median ||β0||_2 = "
                f"{number(float(np.median([r['norm_start'] for r in mine])))}: the premise is not met.", "figure-1", "assumed", agrees=starts.hits > 0),
        Finding("seeds whose Euclidean distance to the minimiser ever grows", str(grown), grown.n, "The norm in which gradient descent is known to "
                "shrink the distance; the kinked sequence shrinks it as well.", "figure-1", interval=grown.interval),
    ]  # fmt: skip
    if inside:
        kept = share([r["norm_high"] < 1 for r in inside if r["rises"] == 0])
        findings.append(Finding("monotone runs from inside the Euclidean ball that stay in it", str(kept), kept.n,
                                "The same starts scaled to ||β0||_2 = 0.99: run from inside its premise, the conclusion is met.",
                                "figure-1", interval=kept.interval))  # fmt: skip
    cells = [r for r in rows if r["experiment"] == "map" and r["kind"] == "relu"]
    most = [a for a in sorted({r["stepsize"] for r in cells}) if _cell(cells, a) > 0.5]
    region = (
        f"{found} seeds at α = {a:g}; in most seeds from α = {min(most):g} to {max(most):g}"
        if most
        else f"{found} seeds at α = {a:g}"
    )
    answer = (
        Result.HOLDS
        if found.interval[0] > 0.9
        else Result.DIFFERS
        if found.interval[1] < 0.05
        else Result.IN_PART
    )
    return Ruling("figure-1", answer, found.n, "The loss falls throughout while some entry passes 1.", region)


def _cell(cells: Sequence[Row], stepsize: float) -> float:
    flags = [_shows(r) for r in cells if r["stepsize"] == stepsize]
    return sum(flags) / len(flags) if flags else 0.0


def _judge_proposition(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    row = next((r for r in rows if r["experiment"] == "proposition"), None)
    if row is None:
        return Ruling("proposition-3.1", Result.NOT_JUDGED, 0, "No search was run.")
    small = row["smallest"]
    measured = "none"
    if small:
        measured = f"{row['broken']} of {row['n']}; smallest: c = {small['c']}, d = 1, step {small['stepsize']}: x = {', '.join(small['path'][:4])}, ..."
    e = row["exponential"]
    findings += [
        Finding("monotone sequences that leave the unit ball, f = c x²/2 | d x²/2", measured, row["n"], "Exact rationals; f is convex and C1,1, "
                "x* = 0 its only minimum, |x_0| < 1.", "proposition-3.1", "none", agrees=row["broken"] == 0),
        Finding("the same for f(x) = e^x − x − 1, analytic", f"x = {', '.join(f'{v:.3f}' for v in e['path'])}; monotone: {'yes' if e['monotone'] else 'no'}", 1,
                f"x_0 = 0.99, α = 1.4, float64: |x| reaches {e['largest']:.3f}.", "proposition-3.1", "none", agrees=not (e["monotone"] and e["largest"] >= 1)),
        Finding("instances left when α ≤ 2/L, or when f is quadratic", f"{row['small_step_broken']} and {row['quadratic_broken']}", row["n"],
                "The repair: convex, L-smooth and α ≤ 2/L. On a quadratic a monotone loss forces |1 − α η| ≤ 1 on every active eigenvalue η.",
                "proposition-3.1"),
    ]  # fmt: skip
    if row["broken"]:
        why = "False even for convex differentiable functions of one variable. Repair: f convex and L-smooth, α ≤ 2/L."
        return Ruling("proposition-3.1", Result.DIFFERS, row["n"], why)
    return Ruling("proposition-3.1", Result.HOLDS, row["n"], "No counter-example in the searched family.")


def _judge_twin(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    shares = {}
    for kind, name in _KINDS.items():
        mine = [r for r in rows if r["experiment"] == "figure" and r["kind"] == kind]
        if kind == "relu" or not mine:
            continue
        shares[name] = share([_shows(r) for r in mine], comparisons=3)
        findings.append(Finding(f"differentiable twin: {name}", f"{shares[name]} seeds do both", shares[name].n, "Gradient descent, same data, start, step and number of steps, "
                                "float64; Wilson interval allowing for 3 comparisons.", "cause-not-gd", interval=shares[name].interval))  # fmt: skip
    if not shares:
        return Ruling("cause-not-gd", Attribution.UNDECIDED, 0, "No twin was run.")
    n = min(s.n for s in shares.values())
    show = [name for name, s in shares.items() if s.interval[0] > 0.9]
    if show:
        return Ruling(
            "cause-not-gd",
            Attribution.NOT_SUPPORTED,
            n,
            f"Gradient descent on differentiable functions does the same: {'; '.join(show)}.",
        )
    if all(s.interval[1] < 0.05 for s in shares.values()):
        return Ruling("cause-not-gd", Attribution.SUPPORTED, n, "No differentiable twin does it.")
    return Ruling("cause-not-gd", Attribution.UNDECIDED, n, "Differentiable twins do it in some seeds.")


def _draw_figure(rows: Sequence[Row]) -> Drawing:
    figure, axes = canvas(3, width=3.3)
    titles = (
        ("loss", "Loss L2"),
        ("max_norm", "Max norm ‖β‖∞"),
        ("distance", "Distance to the minimiser ‖β‖₂"),
    )
    for k, (kind, name) in enumerate(_KINDS.items()):
        row = next(
            (r for r in rows if r["experiment"] == "figure" and r["kind"] == kind and r.get("times")), None
        )
        if row:
            for ax, (key, _) in zip(axes[0], titles, strict=True):
                ax.plot(row["times"], row[key], color=COLOURS[k], ls=("-", "--", "-.", ":")[k], label=name)
    for ax, (key, title) in zip(axes[0], titles, strict=True):
        ax.set(
            xlabel="iteration k",
            title=title,
            ylabel={"loss": "loss (float64)", "max_norm": "‖β_k‖∞", "distance": "‖β_k‖₂"}[key],
        )
    axes[0, 0].set(yscale="log", xscale="symlog", xlim=(0, None))
    axes[0, 1].axhline(1, color="0.4", lw=0.8)
    axes[0, 0].legend(fontsize=7)
    return Drawing("figure-1", "The paper's Figure 1 (left and middle) with its twins: all have a monotone loss and a max norm that passes 1, "
                   "while the Euclidean distance to the minimiser falls.", figure)  # fmt: skip


def _draw_map(rows: Sequence[Row]) -> Drawing:
    figure, axes = canvas(1, width=5.4)
    for k, kind in enumerate(("relu", "twin-1")):
        cells = [r for r in rows if r["experiment"] == "map" and r["kind"] == kind]
        steps = sorted({r["stepsize"] for r in cells})
        ax = axes[0, 0]
        mono = [
            np.mean([r["rises"] == 0 and not r["diverged"] for r in cells if r["stepsize"] == a])
            for a in steps
        ]
        ax.plot(steps, mono, "o" + "-:"[k], color=COLOURS[0], ms=4, label=f"loss monotone, {_KINDS[kind]}")
        ax.plot(
            steps,
            [_cell(cells, a) for a in steps],
            "s" + "-:"[k],
            color=COLOURS[1],
            ms=4,
            label=f"and max norm passes 1, {_KINDS[kind]}",
        )
    axes[0, 0].set(
        xscale="log",
        ylim=(-0.05, 1.05),
        xlabel="step α (not printed)",
        ylabel="share of seeds",
        title="Dependence on the step",
    )
    axes[0, 0].legend(fontsize=7, loc="lower left")
    return Drawing(
        "stepsize", "Both sentences, with ReLU and with its differentiable twin, over the step size.", figure
    )
