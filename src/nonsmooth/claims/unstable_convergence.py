"""Proposition 5.1: every convex Lipschitz loss fails to diverge at every finite step; lim f(x_k) - f* <= a L^2.

The basic inequality ||x_{k+1} - u||^2 <= ||x_k - u||^2 - 2 a (f(x_k) - f(u)) + a^2 L^2 gives liminf f(x_k) <= f* + a L^2 / 2
(Boyd, Xiao and Mutapcic 2003, Section 2: the *best* iterate). So the loss cannot tend to infinity. What does not follow
is that the iterates stay bounded, that f(x_k) has a limit, or that the *last* iterate obeys the bound. Each is
attacked by a search for the smallest counter-example inside the printed premises.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims._cycles import Cycle, cycles, highest_point, verify
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
from nonsmooth.objectives import Huber, LogCosh, Objective, ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, minimize

# seeds; searches as (dimension, period, greatest ||g||^2)
_SIZES = {
    "quick": (40, ((1, 4, 9), (2, 3, 5), (2, 4, 5), (3, 4, 5))),
    "laptop": (200, ((1, 4, 25), (2, 3, 13), (2, 4, 13), (3, 4, 6), (2, 5, 5))),
    "paper": (1000, ((1, 5, 25), (2, 3, 25), (2, 4, 18), (3, 4, 9), (2, 5, 8))),
}
_STEPSIZES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0, 1000.0)
_FAMILIES = ("toy-1", "toy-10", "toy-100", "huber", "log-cosh")
_GROWTH = {"kinked, Lipschitz: |x|": (1.0, 0.0), "smooth, Lipschitz: log cosh x": None,
           "kinked, quadratic growth: x² + |x|": (1.0, 1.0), "smooth, quadratic growth: x²": (0.0, 1.0)}  # fmt: skip
_GROWTH_STEPS = (0.1, 0.5, 0.9, 1.1, 2.0, 10.0, 100.0)


class UnstableConvergence(Claim):
    id = "unstable-convergence"
    where = "Section 5: Proposition 5.1, Appendix D.1"
    statement = (
        "“All convex non-smooth loss functions having bounded subgradients, or satisfying equation (6) will show unstable convergence”, "
        "defined as “non-divergence to ∞”, for any finite α; the proof: “lim f(x_k) − f* ≤ αL² < ∞”."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "conclusion": "no divergence to ∞ for any finite α",
        "bound": "lim f(x_k) − f* ≤ αL²",
    }
    unstated = (
        Setting("steps", 2000, "steps of each run; steps and starts are not part of a proposition", 100, 1e6),
        Setting("spread", 1.0, "starts are uniform on [−spread, spread]", 1e-3, 1e3),
    )
    parts = (
        Part(
            "loss",
            "The loss does not diverge to ∞ (f convex, Lipschitz, any finite α).",
            "Holds if no run of the five families at seven steps from 0.001 to 1000 has a loss that is not finite or above its start plus "
            "2 α L², and best − f* obeys α L²/2 + ||x_0 − x*||²/(2 α k) in every run; one run that does not makes it differ. "
            "(liminf f ≤ f* + α L²/2 proves it: the search could only find an error of ours.)",
            least_n=100,
        ),
        Part(
            "iterates",
            "The sequence does not diverge to ∞ (“the NDGM sequence ... will not diverge to ∞ for any finite value of α”, end of "
            "Section 4; Figure 4 says the same of eq. 10).",
            "Differs if a convex Lipschitz function of at most two variables is found whose iterates leave every bounded set: exact rationals, or "
            "a norm still growing by a fixed power over three decades of k. Holds if none of the candidates does.",
            least_n=2,
        ),
        Part(
            "bound",
            "lim f(x_k) − f* ≤ α L².",
            "Differs if the search over integer cycles finds a convex Lipschitz function with a periodic orbit of the method, one of whose "
            "values exceeds f* + α L², verified in exact rationals; holds if none does. Whether the function is differentiable at every "
            "iterate (so that no choice of subgradient is involved) is reported apart.",
            least_n=100,
        ),
        Part(
            "cause-non-smooth",
            "“a broader class of functions, specifically Lipschitz continuous, non-smooth convex functions”",
            "In the two-by-two table (kinked or analytic; Lipschitz or of quadratic growth), not supported if the outcome above and below the "
            "threshold is the same in both columns of smoothness in every run; supported if it differs; else undecided.",
            least_n=40,
            twin="log cosh in place of |x| (analytic, Lipschitz); x² + |x| (kinked, not Lipschitz); x² (neither)",
        ),
        Part(
            "cause-lipschitz",
            "“having bounded subgradients, or satisfying equation (6)”",
            "Supported if in the same table no Lipschitz run diverges and every run of quadratic growth does at steps above 1; not "
            "supported if a Lipschitz run diverges; else undecided.",
            least_n=40,
            twin="the same table, read along growth",
        ),
    )
    notes = (
        "The definition does not separate: gradient descent below 2/L on a quadratic is also non-divergent, so every stable run “shows unstable "
        "convergence”. What the literature means (Cohen et al. 2021, Ahn et al. 2022) is a step above 2/sharpness together with a "
        "loss that still falls in the long run.",
        "A limit need not exist: on toy LASSO f(x_k) alternates between two values for almost every start.",
        "Premises needed besides: for bounded iterates, that the set of minimisers is non-empty and bounded (then the sublevel sets are, and the "
        "basic inequality keeps the sequence near them). With f = x + |x|/2 there is no minimiser; with f = |x| + ||(x, y)|| − y the minimisers "
        "are a ray, along which the iterates run off like k^(1/3) while the loss stays bounded.",
        "Smallest repair of the bound: liminf f(x_k) − f* ≤ α L²/2, for the best iterate, whenever f is bounded below. For the last of N iterates the "
        "exact worst case grows with log N (Zamani and Glineur, SIAM J. Optim. 35(3), 2025). In one dimension α L² does "
        "bound the last iterate: one step overshoots the minimiser by at most α L.",
        "“Bounded subgradients” and eq. 6 are the same condition for a finite convex function.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        starts, searches = _SIZES[tier]
        given = dict(settings)
        specs = [
            RunSpec(self.id, "cycles", {"dimension": d, "period": t, "steepest": m}) for d, t, m in searches
        ]
        specs += [
            RunSpec(self.id, "families", given | {"family": f}, tuple(range(starts // 4))) for f in _FAMILIES
        ]
        specs += [
            RunSpec(self.id, "growth", {}, tuple(range(starts))),
            RunSpec(self.id, "unbounded", {"steps": 100_000}),
        ]
        return specs

    def measure(self, spec: RunSpec) -> list[Row]:
        return {"cycles": _cycles, "families": _families, "growth": _growth, "unbounded": _unbounded}[
            spec.experiment
        ](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        findings: list[Finding] = []
        rulings = [
            _judge_loss(rows, findings), _judge_iterates(rows, findings), _judge_bound(rows, findings), *_judge_causes(rows, findings),
        ]  # fmt: skip
        return Judgement(rulings, findings)

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_draw_table(rows), _draw_breaks(rows)]


def _family(name: str, seeds: Sequence[int]) -> tuple[Objective, np.ndarray, np.ndarray]:
    """Objective, starts on [-1, 1] and a minimiser a run."""
    if name.startswith("toy"):
        dimension = int(name.removeprefix("toy-"))
        start = np.stack([stream("start", s).uniform(-1, 1, dimension) for s in seeds])
        return ToyLasso(1.0, dimension), start, np.zeros_like(start)
    W = np.stack([stream("W", s).uniform(-1, 1, (10, 30)) for s in seeds])
    y = np.stack([stream("y", s).uniform(-1, 1, 10) for s in seeds])
    start = np.stack([stream("start", s).uniform(-1, 1, 30) for s in seeds])
    # the exact fit nearest to the start is the minimiser that makes the bound tightest
    fit = np.stack(
        [x + np.linalg.lstsq(M, r - M @ x, rcond=None)[0] for M, r, x in zip(W, y, start, strict=True)]
    )
    return (Huber if name == "huber" else LogCosh)(W, y), start, fit


def _families(spec: RunSpec) -> list[Row]:
    steps = spec["steps"]
    rows = []
    for stepsize in _STEPSIZES:
        objective, start, minimiser = _family(spec["family"], spec.seeds)
        start, minimiser = (
            spec["spread"] * start,
            minimiser if spec["family"].startswith("toy") else minimiser,
        )
        run = minimize(
            objective,
            start=start,
            steps=steps,
            stepsize=stepsize,
            record=Record(window=steps // 4, limit=1e300),
        )
        square = np.broadcast_to(np.asarray(objective.facts.lipschitz), (len(start),)) ** 2
        distance = ((start - minimiser) ** 2).sum(axis=1)
        first = objective.value(start)
        for i, seed in enumerate(spec.seeds):
            noise = stepsize * float(square[i])
            rows.append({
                "experiment": "families", "family": spec["family"], "stepsize": stepsize, "seed": seed,
                "diverged": bool(run.diverged[i]), "noise": noise, "first": float(first[i]), "highest": float(run.high[i, 0]),
                "late_high": float(run.late_high[i, 0]), "best": float(run.low[i, 0]),
                "best_bound": noise / 2 + float(distance[i]) / (2 * stepsize * (steps + 1)),
                "alternates": bool(run.late_high[i, 0] > run.late_low[i, 0] * (1 + 1e-9) and run.turns[i] > 0),
            })  # fmt: skip
    return rows


def _growth(spec: RunSpec) -> list[Row]:
    """Kinked or analytic, Lipschitz or of quadratic growth: the same starts and steps on all four."""
    start = np.array([[stream("start", s).uniform(-1, 1)] for s in spec.seeds])
    rows = []
    for name, strengths in _GROWTH.items():
        objective = (
            ToyLasso(strengths[0], 1, ridge=strengths[1])
            if strengths
            else LogCosh(np.ones((1, 1)), np.zeros(1))
        )
        for stepsize in _GROWTH_STEPS:
            run = minimize(objective, start=start, steps=500, stepsize=stepsize)
            rows.append({
                "experiment": "growth", "name": name, "lipschitz": "Lipschitz" in name, "kinked": name.startswith("kinked"),
                "stepsize": stepsize, "n": len(start), "diverged": int(run.diverged.sum()),
                "size": float(np.median(np.minimum(run.late_high[:, 3], 1e30))),
            })  # fmt: skip
    return rows


def _unbounded(spec: RunSpec) -> list[Row]:
    """Two convex Lipschitz functions whose iterates are unbounded, step 1."""
    x = Fraction(1, 3)
    line = []
    for k in range(201):
        if k % 50 == 0:
            line.append([k, float(x), float(x + abs(x) / 2)])
        x -= 1 + Fraction(1, 2) * (1 if x > 0 else -1)
    u, v = 0.3, 0.0
    ray, checkpoints = [], {10**j for j in range(1, 9)}
    highest = 0.0
    for k in range(1, spec["steps"] + 1):
        norm = float(np.hypot(u, v))
        gradient = (np.sign(u) + u / norm, v / norm - 1)
        u, v = u - gradient[0], v - gradient[1]
        value = abs(u) + float(np.hypot(u, v)) - v
        highest = max(highest, value) if k > 100 else highest
        if k in checkpoints:
            ray.append([k, float(v), value])
    return [
        {"experiment": "unbounded", "name": "f(x) = x + |x|/2", "path": line, "power": 1.0, "exact": True, "late_loss": line[-1][2]},
        {"experiment": "unbounded", "name": "f(x, y) = |x| + ||(x, y)|| − y", "path": ray, "exact": False, "late_loss": highest,
         "power": float(np.log10(ray[-1][1] / ray[-2][1]))},
    ]  # fmt: skip


def _cycles(spec: RunSpec) -> list[Row]:
    """Over the integer cycles of one dimension and period: the greatest excess, and the smallest instances above the
    bound, one with any subgradient at a kink and one that is differentiable at every iterate."""
    tried, best = 0, 0.0
    smallest: Cycle | None = None
    clean: Cycle | None = None
    for square in range(1, spec["steepest"] + 1):
        for gradients in cycles(spec["dimension"], spec["period"], square):
            tried += 1
            found = highest_point(gradients)
            if found is None:
                continue
            best = max(best, found[0])
            if found[0] > 1 + 1e-9:
                smallest = smallest or verify(gradients, found[1])
                if clean is None:
                    apart = highest_point(gradients, target=(1 + found[0]) / 2)
                    candidate = verify(gradients, apart[1]) if apart else None
                    clean = candidate if candidate and candidate.differentiable else None
    return [{
        "experiment": "cycles", "dimension": spec["dimension"], "period": spec["period"], "steepest": spec["steepest"],
        "tried": tried, "best": best, "smallest": _instance(smallest), "clean": _instance(clean),
    }]  # fmt: skip


def _instance(cycle: Cycle | None) -> Row | None:
    if cycle is None or cycle.excess <= 1:
        return None
    return {
        "gradients": [list(g) for g in cycle.gradients], "values": [str(v) for v in cycle.values],
        "low": [str(v) for v in cycle.low], "excess": str(cycle.excess),
    }  # fmt: skip


def _judge_loss(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    mine = [r for r in rows if r["experiment"] == "families"]
    if not mine:
        return Ruling("loss", Result.NOT_JUDGED, 0, "Not run.")
    high = sum(r["diverged"] or r["highest"] > r["first"] + 2 * r["noise"] for r in mine)
    bad = sum(r["best"] > r["best_bound"] * (1 + 1e-9) + 1e-12 for r in mine)
    moving = [r["late_high"] / r["noise"] for r in mine if r["stepsize"] >= 0.1]
    toys = [r for r in mine if r["family"].startswith("toy") and r["stepsize"] >= 0.01]
    alternate = share(r["alternates"] for r in toys)
    findings += [
        Finding("runs whose loss is not finite or passes its start by 2 α L²", f"{high} of {len(mine)}", len(mine),
                "Toy LASSO with P = 1, 10, 100, Huber, log cosh (differentiable: Appendix D.1 claims it as well); α from 0.001 to 1000, float64.",
                "loss", "0", agrees=high == 0),
        Finding("runs whose best iterate breaks α L²/2 + ||x_0 − x*||²/(2αk)", f"{bad} of {len(mine)}", len(mine),
                "The bound of the cited notes, with half the printed constant.", "loss", "0", agrees=bad == 0),
        Finding("greatest late value over α L² in the five families", number(max(moving)), len(moving),
                "Last quarter of the run, α ≥ 0.1. These families stay within the printed bound; the cycle below does not.", "bound",
                "at most 1", agrees=max(moving) <= 1),
        Finding("toy LASSO runs whose value keeps alternating", str(alternate), alternate.n, "So “lim f(x_k)” does not exist; lim sup is meant.",
                "bound", "a limit", alternate.interval, agrees=alternate.hits == 0),
    ]  # fmt: skip
    if high or bad:
        return Ruling(
            "loss", Result.DIFFERS, len(mine), "A run breaks a proved bound: look for an error here first."
        )
    return Ruling(
        "loss",
        Result.HOLDS,
        len(mine),
        "The loss cannot tend to ∞: its lower limit is at most f* + α L²/2.",
        "f bounded below, or not",
    )


def _judge_iterates(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    mine = [r for r in rows if r["experiment"] == "unbounded"]
    if not mine:
        return Ruling("iterates", Result.NOT_JUDGED, 0, "Not run.")
    broken = []
    for r in mine:
        path = r["path"]
        runs_off = all(abs(b[1]) > abs(a[1]) for a, b in itertools.pairwise(path)) and r["power"] > 0.1
        if runs_off:
            broken.append(r["name"])
        where = ", ".join(f"k = {k:,}: {number(v, 4)}" for k, v, _ in path[1:])
        why = "Exact rationals; f is unbounded below, its subgradients are 1/2, 3/2 and what lies between." if r["exact"] else (
            f"Float64. Minimum 0, attained on the whole ray x = 0, y ≥ 0; the loss never exceeds {number(r['late_loss'])} after k = 100, while y grows "
            f"like k^{r['power']:.3f}."
        )  # fmt: skip
        findings.append(
            Finding(
                f"{r['name']}, α = 1: {'x' if r['exact'] else 'y'} at k",
                where,
                1,
                why,
                "iterates",
                "bounded",
                agrees=not runs_off,
            )
        )
    if broken:
        why = "Iterates can run to infinity, even where the minimum is attained. Repair: let the set of minimisers be non-empty and bounded."
        return Ruling("iterates", Result.DIFFERS, len(mine), why)
    return Ruling("iterates", Result.HOLDS, len(mine), "No candidate leaves every bounded set.")


def _found(rows: Sequence[Row], key: str) -> Row | None:
    found = [r for r in rows if r["experiment"] == "cycles" and r[key]]
    return min(found, key=lambda r: (r["dimension"], r["period"], r["steepest"]), default=None)


def _judge_bound(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    mine = sorted(
        (r for r in rows if r["experiment"] == "cycles"),
        key=lambda r: (r["dimension"], r["period"], r["steepest"]),
    )
    if not mine:
        return Ruling("bound", Result.NOT_JUDGED, 0, "No cycles were searched.")
    tried = sum(r["tried"] for r in mine)
    findings += [
        Finding(f"highest point of an orbit over α L²: dimension {r['dimension']}, period {r['period']}, ||g||² up to {r['steepest']}",
                f"{r['best']:.4f}", r["tried"], "Greatest over all integer cycles of that size; one linear program each.", "bound", "at most 1",
                agrees=r["best"] <= 1 + 1e-9)
        for r in mine
    ]  # fmt: skip
    texts = {
        "smallest": "smallest counter-example",
        "clean": "smallest counter-example differentiable at every iterate",
    }
    for key, text in texts.items():
        row = _found(rows, key)
        if row:
            s = row[key]
            excess = Fraction(s["excess"])
            findings.append(
                Finding(
                    text, f"f(x_0) − f* ≥ {excess} α L² ≈ {float(excess):.3f} α L², every {row['period']} steps", 1,
                    f"α = 1, x_0 = 0, f the maximum of {row['period']} planes with gradients {', '.join(str(tuple(g)) for g in s['gradients'])} and values "
                    f"{', '.join(s['values'])} at the points of the orbit; f ≤ 0 at ({', '.join(s['low'])}). "
                    + ("One plane is active at each point: gradient descent has no choice. " if key == "clean" else
                       "At a kink of the orbit the plane used is one of two active ones, so its gradient is a subgradient. ")
                    + "Verified in exact rationals.", "bound", "at most 1", agrees=False,
                )
            )  # fmt: skip
    if not _found(rows, "smallest"):
        return Ruling("bound", Result.HOLDS, tried, "No cycle searched exceeds the bound.")
    why = (
        "A piecewise linear function of two variables has an orbit of period four that keeps returning above f* + α L². "
        "Repair: the best iterate, with α L²/2."
    )
    return Ruling("bound", Result.DIFFERS, tried, why)


def _judge_causes(rows: Sequence[Row], findings: list[Finding]) -> list[Ruling]:
    mine = [r for r in rows if r["experiment"] == "growth"]
    if not mine:
        return [
            Ruling(p, Attribution.UNDECIDED, 0, "The table was not run.")
            for p in ("cause-non-smooth", "cause-lipschitz")
        ]
    above: dict[str, float] = {}
    for name in _GROWTH:
        over = [r for r in mine if r["name"] == name and r["stepsize"] > 1]
        under = [r for r in mine if r["name"] == name and r["stepsize"] < 1]
        hits, n = sum(r["diverged"] for r in over), sum(r["n"] for r in over)
        above[name] = hits / n
        found = share([True] * hits + [False] * (n - hits))
        findings.append(Finding(f"{name}: runs that diverge at α > 1", str(found), n, f"Steps 1.1 to 100; below 1: {sum(r['diverged'] for r in under)} of "
                                f"{sum(r['n'] for r in under)}. Same starts on all four; 2/L is 1 for x² and 2 for log cosh. Float64.", "cause-lipschitz", interval=found.interval))  # fmt: skip
    n = mine[0]["n"]
    kinked_l, smooth_l, kinked_q, smooth_q = above.values()
    if kinked_l == smooth_l and kinked_q == smooth_q:
        first = Ruling(
            "cause-non-smooth",
            Attribution.NOT_SUPPORTED,
            n,
            "The analytic log cosh never diverges either, and the kinked x² + |x| always does: smoothness makes no difference.",
        )
    elif kinked_l != smooth_l and kinked_q != smooth_q:
        first = Ruling("cause-non-smooth", Attribution.SUPPORTED, n, "The outcome follows smoothness.")
    else:
        first = Ruling(
            "cause-non-smooth", Attribution.UNDECIDED, n, "The outcome follows smoothness in one row only."
        )
    if kinked_l == smooth_l == 0 and kinked_q == smooth_q == 1:
        second = Ruling(
            "cause-lipschitz",
            Attribution.SUPPORTED,
            n,
            "The outcome follows growth alone: Lipschitz losses do not diverge, quadratic growth does.",
        )
    elif kinked_l or smooth_l:
        second = Ruling("cause-lipschitz", Attribution.NOT_SUPPORTED, n, "A Lipschitz run diverges.")
    else:
        second = Ruling(
            "cause-lipschitz", Attribution.UNDECIDED, n, "Not every run of quadratic growth diverges."
        )
    return [first, second]


def _draw_table(rows: Sequence[Row]) -> Drawing:
    figure, axes = canvas(2)
    for k, name in enumerate(_GROWTH):
        mine = sorted(
            (r["stepsize"], max(r["size"], 1e-12))
            for r in rows
            if r["experiment"] == "growth" and r["name"] == name
        )
        if mine:
            axes[0, 0].plot(
                *zip(*mine, strict=True),
                marker="osx^"[k],
                ls="-" if name.startswith("kinked") else "--",
                color=COLOURS[k % 4],
                ms=4,
                label=name,
            )
    axes[0, 0].axvline(1, color="0.4", lw=0.8)
    axes[0, 0].set(
        xscale="log",
        yscale="log",
        xlabel="step α",
        ylabel="late |x|, median (1e30: diverged)",
        title="Growth decides, smoothness does not",
    )
    axes[0, 0].legend(fontsize=7)
    for k, family in enumerate(_FAMILIES):
        mine = [r for r in rows if r["experiment"] == "families" and r["family"] == family]
        x = [r["stepsize"] * 1.12 ** (k - 2) for r in mine]
        axes[0, 1].plot(
            x,
            [max(r["late_high"] / r["noise"], 1e-12) for r in mine],
            "osx^v"[k],
            color=COLOURS[k],
            ms=3,
            alpha=0.6,
            label=family,
        )
    axes[0, 1].axhline(1, color="0.2", lw=1, label="printed bound α L²")
    axes[0, 1].axhline(0.5, color="0.2", lw=1, ls=":", label="α L²/2 (best iterate)")
    axes[0, 1].set(
        xscale="log",
        yscale="log",
        ylim=(1e-9, 10),
        xlabel="step α",
        ylabel="(late greatest f − f*) / (α L²)",
        title="Five Lipschitz families",
    )
    axes[0, 1].legend(fontsize=7, loc="lower right")
    return Drawing(
        "growth",
        "Left: the two-by-two control. Right: how far above the minimum runs end, one mark a run, in units of the printed bound.",
        figure,
    )


def _draw_breaks(rows: Sequence[Row]) -> Drawing:
    figure, axes = canvas(2)
    axes[0, 0].set(xlabel="x", ylabel="y", title="The bound on the last iterate fails")
    smallest = _found(rows, "smallest")
    if smallest and smallest["dimension"] == 2:
        s = smallest["smallest"]
        cycle = Cycle(
            tuple(tuple(g) for g in s["gradients"]),
            tuple(Fraction(v) for v in s["values"]),
            tuple(Fraction(v) for v in s["low"]),
        )
        points = np.array([[float(c) for c in p] for p in cycle.points])
        low = np.array([float(c) for c in cycle.low])
        span = np.vstack([points, low])
        (x0, y0), (x1, y1) = span.min(axis=0) - 0.8, span.max(axis=0) + 0.8
        X, Y = np.meshgrid(np.linspace(x0, x1, 200), np.linspace(y0, y1, 200))
        planes = [
            float(v) + g[0] * (X - p[0]) + g[1] * (Y - p[1])
            for v, g, p in zip(cycle.values, cycle.gradients, points, strict=True)
        ]
        filled = axes[0, 0].contourf(
            X, Y, np.max(planes, axis=0) / cycle.lipschitz_squared, levels=14, cmap="Greys"
        )
        figure.colorbar(filled, label="f / (α L²)")
        closed = np.vstack([points, points[:1]])
        axes[0, 0].plot(
            closed[:, 0], closed[:, 1], "o-", color=COLOURS[1], label=f"orbit of period {len(points)}"
        )
        axes[0, 0].plot(
            *points[0],
            "o",
            mfc="white",
            mec=COLOURS[1],
            ms=9,
            label=f"x₀: f − f* ≥ {float(cycle.excess):.3f} α L²",
        )
        axes[0, 0].plot(*low, "*", color=COLOURS[0], ms=12, label="a point with f ≤ 0")
        axes[0, 0].legend(fontsize=7, loc="lower right", frameon=True, framealpha=0.9)
        axes[0, 0].grid(False)
    for k, r in enumerate(r for r in rows if r["experiment"] == "unbounded"):
        path = np.array(r["path"][1:], dtype=float)
        axes[0, 1].plot(
            path[:, 0], np.abs(path[:, 1]), "os"[k] + "-", color=COLOURS[k], ms=4, label=r["name"]
        )
    axes[0, 1].set(
        xscale="log",
        yscale="log",
        xlabel="iteration k (α = 1)",
        ylabel="|x| or y",
        title="Iterates that leave every bounded set",
    )
    axes[0, 1].legend(fontsize=7)
    return Drawing(
        "breaks",
        "The two ways in which the proposition fails as printed: both functions are convex and Lipschitz.",
        figure,
    )
