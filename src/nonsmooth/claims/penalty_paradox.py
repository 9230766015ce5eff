"""Section 4's worked example: a larger LASSO penalty, the same start and step, a larger L1 norm.

On l1 ||b||_1 the subgradient step moves every non-zero entry by α λ1 towards 0 and, once inside
(-α λ1, α λ1), for ever across it: the two values have absolute sum α λ1. So the L1 norm, averaged
over two steps, is exactly P α λ1 / 2 whatever the start: the floor is the step times the strength.
The controls ask what of this needs a kink: ridge of the same strength, |x| rounded over a width,
the proximal step, and a diminishing step, all on the printed numbers.
"""

from __future__ import annotations

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
from nonsmooth.methods import Diminishing, Method, ProximalGradient, Reducing, StepSize, Subgradient
from nonsmooth.objectives import ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, minimize

_PRINTED = {
    # (l1, step): the two values of each entry, as printed
    (1, "0.01"): ("0.0053", "-0.0047"),
    (100, "0.01"): ("0.5053", "-0.4947"),
    (1, "0.001"): ("0.0003", "-0.0007"),
    (100, "0.001"): ("0.0053", "-0.0947"),
}
_WIDTHS = (1e-3, 0.1, 2.0)
_SIZES = {"quick": (2000, 6), "laptop": (20_000, 12), "paper": (100_000, 24)}


class PenaltyParadox(Claim):
    id = "penalty-paradox"
    where = "Section 4, worked example below Proposition 4.1"
    statement = (
        "With b0 = [0.5053, 0.5053] and α = 0.01 the sequence alternates between 0.0053 and -0.0047 for λ1 = 1 and "
        "between 0.5053 and -0.4947 for λ1 = 100: “with the same learning rate and initialization, a larger λ1 "
        "can lead to a NDGM solution with a larger L1 norm”; “reducing the step-size to α = 0.001 after apparent "
        "convergence does not resolve this paradox”."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "λ1 = 1, α = 0.01": "0.0053 / -0.0047, L1 norm at most 0.0106",
        "λ1 = 100, α = 0.01": "0.5053 / -0.4947, L1 norm at least 0.9894",
        "λ1 = 1, α = 0.001": "0.0003 / -0.0007",
        "λ1 = 100, α = 0.001": "0.0053 / -0.0947",
    }
    unstated = (
        Setting(
            "steps",
            1000,
            "steps before and after the step is reduced; “apparent convergence” takes 51",
            low=100,
            high=1e6,
        ),
        Setting(
            "ratio",
            100.0,
            "l1 of the second run over λ1 = 1 of the first; printed 100, varied in the map",
            low=1.01,
            high=1e8,
        ),
        Setting(
            "stepsize",
            0.01,
            "printed for the example; the start law in the share is uniform on [-1, 1]",
            1e-8,
            1e3,
        ),
    )
    parts = (
        Part(
            "printed-orbits",
            "The eight printed orbit values and the two printed norm bounds.",
            "Holds if all ten, rounded to the printed digits, equal the orbit in exact rationals, float64 and float32; "
            "differs otherwise. The example is deterministic: one instance decides.",
        ),
        Part(
            "larger-norm",
            "“a larger λ1 can lead to a NDGM solution with a larger L1 norm”, before and after the step is reduced.",
            "Holds if the least norm on the orbit for λ1 = 100 exceeds the greatest for λ1 = 1 at both steps (the sentence "
            "says can: the example suffices). The share of uniform starts for which it does is the region, with "
            "Wilson's 95 % interval.",
        ),
        Part(
            "cause-step",
            "“can be explained using the subgradient method”: the error is of the order of step times Lipschitz constant.",
            "Supported if, over starts and over step x l1 from 1e-3 to 1, the two-step average of the L1 norm divided by "
            "P α λ1 / 2 stays within 1 % of 1, and both the proximal step and a diminishing step undo the paradox "
            "or shrink its norm below a tenth. Not supported if either fails.",
            least_n=100,
            comparisons=3,
            twin="proximal step of the same size; diminishing step α/(1+t)^0.5; step x strength over three decades",
        ),
        Part(
            "cause-kink",
            "“Three ways that non-differentiability affects neural network training” (title; Section 4's subject).",
            "Not supported if, at the printed b0, α, λ1 = 1 and 100, a differentiable penalty of the same strengths also "
            "ends with the larger norm for λ1 = 100; supported if none of the four does.",
            twin="ridge l1 ||b||^2 (analytic); |x| rounded over widths 0.001, 0.1 and 2 (C1,1)",
        ),
    )
    notes = (
        "At b0 = 0.5053, α = 0.01 the ridge penalty 100 ||b||^2 has 2 α λ1 = 2: gradient descent flips the sign of b at "
        "each step and stays at L1 norm 1.0106 for ever, above the LASSO's 0.9894; beyond λ1 = 100 it diverges. "
        "What the example shows at this step is step > 2/L, which smooth penalties share.",
        "What does need the kink is shown by toy-lasso-orbit: for the kinked penalty no constant step is small enough.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        starts, cells = _SIZES[tier]
        given = dict(settings)
        specs = [RunSpec(self.id, "exact", given)]
        specs += [RunSpec(self.id, "worked", given | {"dtype": dtype}) for dtype in ("float64", "float32")]
        specs += [RunSpec(self.id, "twins", given)]
        specs += [RunSpec(self.id, "floor", given | {"starts": starts // 10, "dtype": "float64"}, (0,))]
        specs += [RunSpec(self.id, "map", given | {"starts": starts, "cells": cells}, (0,))]
        return specs

    def measure(self, spec: RunSpec) -> list[Row]:
        return {
            "exact": _exact, "worked": _worked, "twins": _twins, "floor": _floor, "map": _map,
        }[spec.experiment](spec)  # fmt: skip

    def judge(self, rows: Sequence[Row]) -> Judgement:
        findings = [*_printed_findings(rows)]
        worked = [r for r in rows if r["experiment"] in ("exact", "worked")]
        complete, agree = len(findings) == 6, all(f.agrees for f in findings)
        why = (
            "Not all three number formats were run." if not complete
            else "All ten printed numbers are reproduced in exact rationals, float64 and float32." if agree
            else "At least one printed number is not the orbit's; see the rows."
        )  # fmt: skip
        answer = Result.NOT_JUDGED if not complete else Result.HOLDS if agree else Result.DIFFERS
        rulings = [Ruling("printed-orbits", answer, int(complete), why)]
        rulings.append(_judge_norm(rows, worked, findings))
        rulings.append(_judge_step(rows, findings))
        rulings.append(_judge_kink(rows, findings))
        return Judgement(rulings, findings)

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_draw_orbits(rows), _draw_map(rows)]


def _tail_rows(experiment: str, spec: RunSpec, l1: float, stage: int, tail: np.ndarray, **more: Any) -> Row:
    norms = np.abs(tail.astype(np.float64)).sum(axis=1)
    return {
        "experiment": experiment, "l1": l1, "stage": stage, "stepsize": spec["stepsize"] / (10.0 if stage else 1.0),
        "upper": float(tail.max()), "lower": float(tail.min()),
        "norm_low": float(norms.min()), "norm_high": float(norms.max()), **more,
    }  # fmt: skip


def _exact(spec: RunSpec) -> list[Row]:
    """The recursion of eq. 11 in exact rationals, on the printed decimals."""
    rows = []
    for l1 in (Fraction(1), Fraction(str(spec["ratio"]))):
        b = Fraction("0.5053")
        for stage in (0, 1):
            move = Fraction(str(spec["stepsize"])) / (10 if stage else 1) * l1
            b = _reach_orbit(b, move)
            pair = [b, b - move if b > 0 else b + move if b < 0 else b]
            tail = np.array([[float(v)] * 2 for v in pair])
            rows.append(_tail_rows("exact", spec, float(l1), stage, tail, dtype="exact rational"))
    return rows


def _reach_orbit(b: Fraction, move: Fraction) -> Fraction:
    """The iterate of b <- b - move sign(b) once |b| < move: whole steps are taken at once."""
    whole = abs(b) // move
    return b - (whole * move if b > 0 else -whole * move)


def _regime(spec: RunSpec, stage: int) -> tuple[StepSize, int]:
    n, a = spec["steps"], spec["stepsize"]
    return (Reducing.stages((n, a), (n, a / 10)), 2 * n) if stage else (Reducing.stages((n, a)), n)


def _worked(spec: RunSpec) -> list[Row]:
    rows = []
    start = np.array([[0.5053, 0.5053]], dtype=spec["dtype"])
    for l1 in (1.0, spec["ratio"]):
        for stage in (0, 1):
            regime, steps = _regime(spec, stage)
            run = minimize(
                ToyLasso(l1, 2), start=start, steps=steps, stepsize=regime, record=Record(every=1, tail=2)
            )
            path = run.tail[0]
            row = _tail_rows("worked", spec, l1, stage, path, dtype=spec["dtype"])
            if stage:
                # enough of the curve to draw: the first 80 steps and the first 80 after the reduction
                curve = run.curve("l1_norm")[0].astype(float)
                row |= {
                    "first": curve[:80].tolist(),
                    "second": curve[spec["steps"] : spec["steps"] + 80].tolist(),
                }
            rows.append(row)
    return rows


def _twins(spec: RunSpec) -> list[Row]:
    """The printed start and step on the controls; the norm over the last two iterates."""
    start, steps, a = np.array([[0.5053, 0.5053]]), 20 * spec["steps"], spec["stepsize"]
    cases: list[tuple[str, str, Any, Method, StepSize | float]] = []
    for l1 in (1.0, spec["ratio"]):
        kinked = ToyLasso(l1, 2)
        cases.append(("kinked", "LASSO, constant step", kinked, Subgradient(), a))
        cases.append(("smooth", "ridge, constant step", ToyLasso(0.0, 2, ridge=l1), Subgradient(), a))
        cases += [
            (
                "smooth",
                f"|x| rounded over {width:g}, constant step",
                kinked.smooth_twin(width),
                Subgradient(),
                a,
            )
            for width in _WIDTHS
        ]
        cases.append(("remedy", "LASSO, proximal step", kinked, ProximalGradient(), a))
        cases.append(("remedy", "LASSO, diminishing step", kinked, Subgradient(), Diminishing(a, 0.5)))
    rows = []
    for kind, name, objective, method, step in cases:
        run = minimize(
            objective, start=start, steps=steps, stepsize=step, method=method, record=Record(window=2)
        )
        l1 = float(max(objective.penalty.l1, objective.penalty.l2))
        low, high = float(run.late_low[0, 1]), float(run.late_high[0, 1])
        rows.append(
            {"experiment": "twins", "kind": kind, "name": name, "l1": l1, "norm_low": low, "norm_high": high}
        )
    return rows


def _floor(spec: RunSpec) -> list[Row]:
    """Two-step averages of the L1 norm against P α λ1 / 2, over starts and three decades of α λ1."""
    rows = []
    for dimension in (1, 2, 10):
        start = stream("start", 0).uniform(-1, 1, (spec["starts"], dimension))
        for product in (1e-3, 1e-2, 1e-1, 1.0):
            steps = int(3 / product) + 10
            run = minimize(
                ToyLasso(1.0, dimension), start=start, steps=steps, stepsize=product, record=Record(tail=2)
            )
            ratio = np.abs(run.tail).sum(axis=2).mean(axis=1) / (dimension * product / 2)
            rows.append({
                "experiment": "floor", "P": dimension, "product": product, "n": start.shape[0],
                "ratio_low": float(ratio.min()), "ratio_high": float(ratio.max()),
            })  # fmt: skip
    return rows


def _map(spec: RunSpec) -> list[Row]:
    """Share of uniform starts in [-1, 1]^2 whose least norm at the larger λ1 exceeds the greatest at λ1 = 1."""
    start = stream("start", 1).uniform(-1, 1, (spec["starts"], 2))

    def norms(move: float) -> np.ndarray:
        steps = int(2 / move) + 4
        return np.abs(
            minimize(ToyLasso(1.0, 2), start=start, steps=steps, stepsize=move, record=Record(tail=2)).tail
        ).sum(2)

    rows = []
    steps_grid = sorted({*np.geomspace(1e-3, 1e-1, spec["cells"]).tolist(), spec["stepsize"]})
    ratios = sorted({*np.geomspace(2, 1000, spec["cells"]).tolist(), spec["ratio"]})
    for a in steps_grid:
        small = norms(a)
        for ratio in ratios:
            large = norms(a * ratio)
            hits = int((large.min(axis=1) > small.max(axis=1)).sum())
            rows.append({
                "experiment": "map", "stepsize": a, "ratio": ratio, "hits": hits, "n": start.shape[0],
                "default": a == spec["stepsize"] and ratio == spec["ratio"],
            })  # fmt: skip
    return rows


def _printed_findings(rows: Sequence[Row]) -> list[Finding]:
    findings = []
    for (l1, step), (upper, lower) in _PRINTED.items():
        same = [
            r for r in rows
            if r["experiment"] in ("exact", "worked") and r["l1"] == l1 and abs(r["stepsize"] / float(step) - 1) < 1e-9
        ]  # fmt: skip
        if len(same) < 3:  # exact rationals, float64, float32
            continue
        found = {(f"{r['upper']:.4f}", f"{r['lower']:.4f}") for r in same}
        measured = "; ".join(f"{u} / {v}" for u, v in sorted(found))
        findings.append(
            Finding(
                f"orbit of an entry, λ1 = {l1}, α = {step}", measured, 1, "Exact rationals, float64 and float32.",
                "printed-orbits", f"{upper} / {lower}", agrees=found == {(upper, lower)},
            )
        )  # fmt: skip
        bound = {1: ("at most 0.0106", "norm_high"), 100: ("at least 0.9894", "norm_low")}[l1]
        if step == "0.01":
            values = {f"{r[bound[1]]:.4f}" for r in same}
            findings.append(
                Finding(
                    f"L1 norm at convergence, λ1 = {l1}, α = {step}", "; ".join(sorted(values)), 1,
                    "The extreme over the orbit.", "printed-orbits", bound[0], agrees=values == {bound[0].split()[-1]},
                )
            )  # fmt: skip
    return findings


def _judge_norm(rows: Sequence[Row], worked: Sequence[Row], findings: list[Finding]) -> Ruling:
    holds, texts = [], []
    for stage in (0, 1):
        staged = [r for r in worked if r["stage"] == stage]
        small = [r["norm_high"] for r in staged if r["l1"] == 1]
        large = [r["norm_low"] for r in staged if r["l1"] != 1]
        if small and large:
            holds.append(min(large) > max(small))
            texts.append(f"{number(min(large), 4)} > {number(max(small), 4)}")
    for row in rows:
        if row["experiment"] == "map" and row["default"]:
            found = share([True] * row["hits"] + [False] * (row["n"] - row["hits"]))
            findings.append(
                Finding(
                    f"share of uniform starts with the larger norm at λ1 = {row['ratio']:g}",
                    f"{found.value:.4f}", found.n,
                    f"P = 2, α = {row['stepsize']:g}, starts uniform on [-1, 1], float64; 95 % Wilson interval. A start "
                    "fails where one of the two entries falls near 0.", "larger-norm", interval=found.interval,
                )
            )  # fmt: skip
            region = f"{found.value:.1%} of uniform starts (P = 2) at α = {row['stepsize']:g}, λ1 = 1 and {row['ratio']:g}"
            answer = Result.HOLDS if holds and all(holds) else Result.DIFFERS
            return Ruling(
                "larger-norm", answer, 1, f"Least norm against greatest: {', then '.join(texts)}.", region
            )
    return Ruling("larger-norm", Result.NOT_JUDGED, 0, "No map of starts was run.")


def _judge_step(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    floors = [r for r in rows if r["experiment"] == "floor"]
    twins = {(r["name"], r["l1"] > 1): r for r in rows if r["experiment"] == "twins"}
    if not floors or not twins:
        return Ruling("cause-step", Attribution.UNDECIDED, 0, "No floors were run.")
    low, high = min(r["ratio_low"] for r in floors), max(r["ratio_high"] for r in floors)
    n = sum(r["n"] for r in floors)
    proportional = low > 0.99 and high < 1.01
    findings.append(
        Finding(
            "two-step average of ||b||_1 over P α λ1 / 2", f"{low:.6f} to {high:.6f}", n,
            "Range over all starts, P = 1, 2, 10 and α λ1 from 0.001 to 1, float64: the floor is the step times "
            "the strength, for every start.", "cause-step", interval=(low, high),
        )
    )  # fmt: skip
    prox = [twins["LASSO, proximal step", large]["norm_high"] for large in (False, True)]
    fading = [twins["LASSO, diminishing step", large]["norm_high"] for large in (False, True)]
    fixed = twins["LASSO, constant step", True]["norm_low"]
    remedied = max(prox) == 0 and fading[1] < fixed / 10
    findings += [
        Finding("L1 norm with the proximal step of the same size", f"{prox[0]:g} and {prox[1]:g}", 1,
                "λ1 = 1 and the larger one, printed start and step, float64: exact zeros.", "cause-step"),
        Finding("L1 norm with a diminishing step", f"{fading[0]:.2g} and {fading[1]:.2g}", 1,
                "α/(1+t)^0.5 after 20,000 steps, λ1 = 1 and the larger one; both tend to 0. An exact 0 here is no accident of "
                "one start: close to the kink the signs keep taking differences of neighbouring steps, and differences "
                "of those, until only rounding is left.", "cause-step"),
    ]  # fmt: skip
    answer = Attribution.SUPPORTED if proportional and remedied else Attribution.NOT_SUPPORTED
    return Ruling(
        "cause-step", answer, n, "The floor is P α λ1 / 2 for every start, and goes with the constant step."
    )


def _judge_kink(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    smooth: dict[str, dict[bool, Row]] = {}
    for row in sorted(rows, key=lambda r: str(r.get("name"))):
        if row["experiment"] == "twins" and row["kind"] == "smooth":
            smooth.setdefault(row["name"], {})[row["l1"] > 1] = row
    shows = []
    for name, pair in smooth.items():
        if len(pair) < 2:
            continue
        paradox = pair[True]["norm_low"] > pair[False]["norm_high"]
        if paradox:
            shows.append(name.split(",")[0])
        large, small = pair[True]["norm_low"], pair[False]["norm_high"]
        findings.append(
            Finding(
                f"differentiable twin: {name.split(',')[0]}",
                f"norm {number(large, 4)} at the larger λ1, {number(small, 2)} at λ1 = 1", 1,
                ("Shows the same paradox." if paradox else "Does not: its step is below 2/L at both strengths, or the "
                 "two norms are equal.") + " Printed start and step, float64.", "cause-kink",
            )
        )  # fmt: skip
    if not smooth:
        return Ruling("cause-kink", Attribution.UNDECIDED, 0, "No twin was run.")
    if shows:
        why = f"Differentiable penalties show the same at the printed numbers: {'; '.join(shows)}."
        return Ruling(
            "cause-kink", Attribution.NOT_SUPPORTED, 1, why, "wherever α exceeds 2/L for the larger strength"
        )
    return Ruling("cause-kink", Attribution.SUPPORTED, 1, "No differentiable twin shows the paradox.")


def _draw_orbits(rows: Sequence[Row]) -> Drawing:
    figure, axes = canvas(2, height=3.2)
    for row in rows:
        if row["experiment"] == "worked" and row.get("first") and row["dtype"] == "float64":
            small = row["l1"] == 1
            label, colour = f"λ1 = {row['l1']:g}", COLOURS[0 if small else 1]
            width = {"lw": 1.0, "marker": "." if small else "x", "ms": 3, "color": colour}
            path = row["first"] + row["second"]
            axes[0, 0].plot(range(len(path)), np.maximum(path, 1e-5), label=label, **width)
    axes[0, 0].axvline(80, color="0.4", ls=":", lw=1)
    axes[0, 0].text(82, 2.2, "α = 0.01 → 0.001", fontsize=8, color="0.3")
    axes[0, 0].set(
        yscale="log", ylim=(3e-4, 4), xlabel="step (first 80 of each stage)", ylabel="‖b‖₁ (float64)",
        title="The paper's example: LASSO, constant step",
    )  # fmt: skip
    axes[0, 0].legend(loc="lower left")
    twins = [r for r in rows if r["experiment"] == "twins"]
    names = list(dict.fromkeys(r["name"] for r in twins))
    for row in twins:
        large = row["l1"] > 1
        at = names.index(row["name"]) + (0.14 if large else -0.14)
        value = max(row["norm_high"], 1e-9)
        axes[0, 1].plot(
            [1e-9, value], [at, at], color=COLOURS[1 if large else 0], lw=4, alpha=0.35, solid_capstyle="butt"
        )
        axes[0, 1].plot(value, at, "x" if large else "o", color=COLOURS[1 if large else 0], ms=5,
                        label=f"λ1 = {row['l1']:g}" if row["name"] == names[0] else None)  # fmt: skip
    axes[0, 1].set_yticks(range(len(names)), [n.replace(", constant step", "") for n in names])
    axes[0, 1].invert_yaxis()
    axes[0, 1].set(
        xscale="log",
        xlim=(5e-10, 20),
        ylabel="penalty and step",
        xlabel="final ‖b‖₁ (1e-9 stands for less)",
        title="The controls, α = 0.01",
    )
    axes[0, 1].legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return Drawing(
        "orbits",
        "Left: the worked example. Right: the same start, step and strengths on the controls. Ridge and |x| rounded over "
        "0.001 or 0.1 are differentiable and also end larger for λ1 = 100; the proximal step ends at exact zeros.",
        figure,
    )


def _draw_map(rows: Sequence[Row]) -> Drawing:
    figure, axes = canvas(1, width=5.2)
    cells = [r for r in rows if r["experiment"] == "map"]
    steps, ratios = sorted({r["stepsize"] for r in cells}), sorted({r["ratio"] for r in cells})
    grid = np.full((len(steps), len(ratios)), np.nan)
    for r in cells:
        grid[steps.index(r["stepsize"]), ratios.index(r["ratio"])] = r["hits"] / r["n"]
    mesh = axes[0, 0].pcolormesh(ratios, steps, grid, cmap="viridis", vmin=0, vmax=1, shading="nearest")
    figure.colorbar(mesh, label="share of starts")
    for r in cells:
        if r["default"]:
            axes[0, 0].plot(
                r["ratio"], r["stepsize"], "*", color="white", mec="black", ms=13, label="the paper's example"
            )
    axes[0, 0].grid(False)
    axes[0, 0].legend(loc="lower left", labelcolor="black", frameon=True)
    axes[0, 0].set(xscale="log", yscale="log", xlabel="λ1 of the second run over λ1 = 1 of the first", ylabel="step α",
                   title="Share of uniform starts with the larger norm (P = 2)")  # fmt: skip
    return Drawing("map", "How far the sentence reaches: starts uniform on [-1, 1]², float64.", figure)
