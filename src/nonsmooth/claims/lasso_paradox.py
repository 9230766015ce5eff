"""Appendix B.2: on the LASSO of eq. 15 a larger penalty ends with a larger L1 norm.

Far above lambda_max the exact solution is 0, but the subgradient step leaves every entry hopping across 0 by
about α λ1, so the norm it ends with is near P α λ1 / 2: with P = 500, α = 0.01 and λ1 = 10, near 25.
The norm at the small strength is near the exact one. So the paradox is expected where P α λ1 / 2 exceeds the
exact norm at the smaller strength; the map shows that border. Exact solutions carry a duality gap.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.datasets import registered
from nonsmooth.findings import (
    COLOURS,
    Attribution,
    Drawing,
    Finding,
    Part,
    Result,
    Ruling,
    canvas,
    central_range,
    number,
    printed_resolution,
    share,
)
from nonsmooth.methods import Diminishing, Fista, ProximalGradient, Reducing, exact_lasso
from nonsmooth.objectives import Lasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, minimize

_SEEDS = {"quick": (48, 8), "laptop": (200, 24), "paper": (1000, 64)}
_BATCH = 8
_MAP_STEPS = (1e-3, 3e-3, 1e-2, 3e-2)
_MAP_STRENGTHS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_WIDTH = 1e-3


class LassoParadox(Claim):
    id = "lasso-paradox"
    where = "Section 4 (end of the worked example), Appendix B.2, eq. 15"
    statement = (
        "On (1/N)||y − Wβ||² + λ1||β||1 with W 20x500 and y uniform on [-1, 1], run twice with the same step and start: “the "
        "optimal solution with λ1 = 0.1 has an L1 norm of 1.62, and the optimal solution with λ1 = 10 has an L1 norm of 25.4 "
        "i.e., a 1000 fold increase in the value of λ1 results in a more than 15 fold increase in the L1 norm”."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "λ1 = 0.1 (the text first says 0.01)": "1.62",
        "λ1 = 10": "25.4",
        "increase of λ1": "1000 fold",
    }
    accepts_data = True
    unstated = (
        Setting(
            "stepsize",
            0.01,
            "the worked example's; P α λ1 / 2 = 25 at λ1 = 10 then matches the printed 25.4",
            1e-5,
            0.07,
        ),
        Setting("large", 10.0, "printed; the map varies it", 0.02, 1e4),
        Setting(
            "data",
            "random",
            "the paper's random data; diabetes is always run beside it; --data PATH adds a file",
        ),
    )
    parts = (
        Part(
            "larger-norm",
            "A larger λ1 ends with a larger L1 norm, same step and start.",
            "Holds if the least norm over the last 100 steps at the larger λ1 exceeds the greatest at λ1 = 0.1 and at 0.01 in a share "
            "of seeds whose Wilson lower end (2 comparisons) is above 0.9; differs if the upper end is below 0.05; "
            "else holds in part.",
            least_n=46,
            comparisons=2,
        ),
        Part(
            "printed-numbers",
            "L1 norms 1.62 and 25.4, a ratio above 15.",
            "A printed number agrees if it lies, to its printed digits, in the central 95 % range of the seeds at the chosen "
            "settings. Holds if 1.62 at λ1 = 0.1, 25.4 and the ratio agree; holds in part if some do, or if 1.62 agrees "
            "only at λ1 = 0.01; differs if none does.",
            least_n=30,
            comparisons=3,
        ),
        Part(
            "other-data",
            "“the problems demonstrated in our toy LASSO problem hold even for the general setting” (B.2).",
            "On real data, at the same share of 2/L for the step and the same multiples of lambda_max for λ1: holds if the paradox "
            "shows in a share of starts with Wilson lower end above 0.9 on every data set; differs if it never does; "
            "else holds in part, with the step from which it does.",
            least_n=46,
            comparisons=2,
        ),
        Part(
            "cause-subgradient",
            "“NDGM solutions for the LASSO problem are not reliable”: the method is the cause, not the penalty.",
            "Supported if exact solutions (relative duality gap 1e-10 or less) and proximal runs of the same step both have the "
            "smaller norm at the larger λ1 in every seed; not supported if either shows the paradox.",
            least_n=30,
            twin="exact solutions; FISTA with the same step and start",
        ),
        Part(
            "cause-kink",
            "“Three ways that non-differentiability affects neural network training” (title; Section 4's subject).",
            "Not supported if gradient descent on the penalty rounded over 0.001 (C1,1) shows the paradox in a share of seeds with "
            "Wilson lower end above 0.9 at the same step; supported if the upper end is below 0.05; else undecided.",
            least_n=30,
            twin="|b| rounded over 0.001, same data, start and step; and the kinked penalty with shrinking steps",
        ),
    )
    notes = (
        "The text runs λ1 = 0.01 and reports λ1 = 0.1; 10/0.01 is 1000 fold, 10/0.1 is 100 fold. The two cannot both be meant.",
        "What is printed as “the optimal solution” is the last iterate. The optimal solution for λ1 = 10 is 0 in every seed (λ1 is "
        "above lambda_max = ||2 W^T y / N||_inf), and the exact norm never grows with λ1: if b and b' are optimal for "
        "s < s', adding the two optimality inequalities gives (s' - s)(||b'||_1 - ||b||_1) <= 0. So the abstract's “larger L1 norms "
        "of optimal solutions” is true of what the method returns, not of optimal solutions.",
        "scikit-learn's alpha is λ1/2.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, few = _SEEDS[tier]
        given = {"stepsize": settings["stepsize"], "large": settings["large"]}
        specs = []
        for first in range(0, seeds, _BATCH):
            batch = tuple(range(first, min(first + _BATCH, seeds)))
            specs += [
                RunSpec(self.id, "random", given | {"strength": s}, batch)
                for s in (0.01, 0.1, settings["large"])
            ]
        for first in range(0, few, _BATCH):
            batch = tuple(range(first, min(first + _BATCH, few)))
            specs += [
                RunSpec(self.id, "map", {"stepsize": a}, batch)
                for a in sorted({*_MAP_STEPS, settings["stepsize"]})
            ]
        names = ["diabetes"] + ([settings["data"]] if settings["data"] != "random" else [])
        specs += [
            RunSpec(self.id, "real", given | {"data": name}, tuple(range(max(48, few)))) for name in names
        ]
        return specs

    def measure(self, spec: RunSpec) -> list[Row]:
        return {"random": _random, "map": _map, "real": _real}[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        findings: list[Finding] = []
        table = _by_seed(rows)
        rulings = [
            _judge_norm(table, findings), _judge_printed(table, findings), _judge_real(rows, findings),
            _judge_method(table, findings), _judge_kink(table, findings),
        ]  # fmt: skip
        return Judgement(rulings, findings)

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_draw_norms(rows), _draw_map(rows)]


def _problem(seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W (B, 20, 500), y (B, 20) and starts (B, 500), all uniform on [-1, 1], one stream an axis."""
    W = np.stack([stream("W", s).uniform(-1, 1, (20, 500)) for s in seeds])
    y = np.stack([stream("y", s).uniform(-1, 1, 20) for s in seeds])
    start = np.stack([stream("start", s).uniform(-1, 1, 500) for s in seeds])
    return W, y, start


def _steps(stepsize: float, strength: float) -> int:
    """Enough to carry every entry from 1 to 0 at α λ1 a step, and 2000 more to settle."""
    return int(1.5 / (stepsize * strength)) + 2000


def _random(spec: RunSpec) -> list[Row]:
    strength, a = spec["strength"], spec["stepsize"]
    W, y, start = _problem(spec.seeds)
    objective = Lasso(W, y, strength)
    steps = _steps(a, strength)
    run = minimize(objective, start=start, steps=steps, stepsize=a)
    prox = minimize(objective, start=start, steps=3000, stepsize=a, method=Fista(), record=Record(window=1))
    controls: dict[str, np.ndarray] = {}
    if strength != 0.01:
        twin = minimize(objective.smooth_twin(_WIDTH), start=start, steps=steps, stepsize=a)
        controls |= {"twin_low": twin.late_low[:, 1], "twin_high": twin.late_high[:, 1]}
    if strength == spec["large"]:
        third = max(1, steps // 3)
        regimes = {
            "fading": Diminishing(a, 0.5, warmup=steps / 400),
            "reduced": Reducing.stages((third, a), (third, a / 10), (third, a / 100)),
        }
        for name, regime in regimes.items():
            controls[name] = minimize(objective, start=start, steps=steps, stepsize=regime).late_high[:, 1]
    rows = []
    for i, seed in enumerate(spec.seeds):
        exact = exact_lasso(W[i], y[i], strength)
        rows.append({
            "experiment": "random", "seed": seed, "strength": strength, "stepsize": a, "large": spec["large"],
            "diverged": bool(run.diverged[i]),
            "norm_low": float(run.late_low[i, 1]), "norm_high": float(run.late_high[i, 1]),
            "norm": float(np.abs(run.final[i]).sum()), "zeros": int((run.final[i] == 0).sum()),
            "value": float(objective.value(run.final)[i]),
            **{name: float(values[i]) for name, values in controls.items()},
            "prox": float(np.abs(prox.final[i]).sum()), "prox_zeros": int((prox.final[i] == 0).sum()),
            "exact": float(np.abs(exact.solution).sum()), "exact_value": exact.value, "gap": exact.relative_gap,
            "exact_zeros": int((exact.solution == 0).sum()),
            "strength_max": float(np.abs(2 * W[i].T @ y[i] / 20).max()),
        })  # fmt: skip
    return rows


def _map(spec: RunSpec) -> list[Row]:
    W, y, start = _problem(spec.seeds)
    a = spec["stepsize"]
    norms = {}
    for strength in (0.1, *_MAP_STRENGTHS):
        run = minimize(Lasso(W, y, strength), start=start, steps=_steps(a, strength), stepsize=a)
        norms[strength] = run.late_low[:, 1], run.late_high[:, 1]
    exact = [float(np.abs(exact_lasso(W[i], y[i], 0.1).solution).sum()) for i in range(len(spec.seeds))]
    return [
        {
            "experiment": "map", "stepsize": a, "strength": s, "n": len(spec.seeds),
            "hits": int((norms[s][0] > norms[0.1][1]).sum()), "exact": float(np.median(exact)),
        }
        for s in _MAP_STRENGTHS
    ]  # fmt: skip


def _real(spec: RunSpec) -> list[Row]:
    """Real data at the random experiment's place: the same share of 2/L, the same multiples of lambda_max."""
    data = registered(spec["data"])
    rows_count, columns = data.shape
    W, y, _ = _problem((0,))
    share_of_edge = spec["stepsize"] * float(Lasso(W, y, 0.0).facts.gradient_lipschitz[0]) / 2
    lipschitz = float(Lasso(data.X, data.y, 0.0).facts.gradient_lipschitz)
    strength_max = float(np.abs(2 * data.X.T @ data.y / rows_count).max())
    start = np.stack([stream("start", s).uniform(-1, 1, columns) for s in spec.seeds])
    rows = []
    for factor in (0.1, 0.3, 1.0, 3.0):
        a = factor * share_of_edge * 2 / lipschitz
        found = {}
        for label, multiple in (("small", 0.25), ("large", 25.0)):
            objective = Lasso(data.X, data.y, multiple * strength_max)
            steps = min(_steps(a, multiple * strength_max), 60_000)
            run = minimize(objective, start=start, steps=steps, stepsize=a)
            found[label] = run
        small, large = found["small"], found["large"]
        exact = exact_lasso(data.X, data.y, 0.25 * strength_max)
        step = min(1.0, 1.9 / lipschitz)
        prox = minimize(
            Lasso(data.X, data.y, 25 * strength_max),
            start=start,
            steps=3000,
            stepsize=step,
            method=ProximalGradient(),
        )
        rows.append({
            "experiment": "real", "data": spec["data"].split(":")[0], "factor": factor, "stepsize": a, "n": len(spec.seeds),
            "P": columns, "strength_max": strength_max,
            "hits": int((large.late_low[:, 1] > small.late_high[:, 1]).sum()),
            "norm_small": float(np.median(small.late_high[:, 1])), "norm_large": float(np.median(large.late_low[:, 1])),
            "exact_small": float(np.abs(exact.solution).sum()), "gap": exact.relative_gap,
            "prox_large": float(np.abs(prox.final).sum(axis=1).max()),
        })  # fmt: skip
    return rows


def _by_seed(rows: Sequence[Row]) -> dict[int, dict[str, Row]]:
    """Seeds for which all three strengths were run: seed -> {"tiny", "small", "large"} -> row."""
    table: dict[int, dict[str, Row]] = {}
    for r in rows:
        if r["experiment"] == "random":
            label = (
                "large" if r["strength"] == r["large"] else {0.01: "tiny", 0.1: "small"}.get(r["strength"])
            )
            if label:
                table.setdefault(r["seed"], {})[label] = r
    return {seed: found for seed, found in sorted(table.items()) if len(found) == 3}


def _judge_norm(table: Mapping[int, dict[str, Row]], findings: list[Finding]) -> Ruling:
    shares = []
    for label, text in (("small", "0.1"), ("tiny", "0.01")):
        found = share([s["large"]["norm_low"] > s[label]["norm_high"] for s in table.values()], comparisons=2)
        shares.append(found)
        findings.append(
            Finding(f"seeds with the larger norm at the larger λ1 than at λ1 = {text}", str(found), found.n,
                    "Least norm of the last 100 steps against the greatest; float64, own data and start a seed; Wilson "
                    "interval allowing for 2 comparisons.", "larger-norm", "always (one run)", found.interval,
                    agrees=found.interval[0] > 0.9)
        )  # fmt: skip
    region = f"{shares[0]} seeds against λ1 = 0.1, {shares[1]} against 0.01"
    if min(s.interval[0] for s in shares) > 0.9:
        answer, why = Result.HOLDS, "The norm at the larger λ1 is the larger one."
    elif max(s.interval[1] for s in shares) < 0.05:
        answer, why = Result.DIFFERS, "The norm at the larger λ1 is not the larger one."
    else:
        answer, why = Result.IN_PART, "In some seeds only."
    return Ruling("larger-norm", answer, len(table), why, region)


def _judge_printed(table: Mapping[int, dict[str, Row]], findings: list[Finding]) -> Ruling:
    if not table:
        return Ruling("printed-numbers", Result.NOT_JUDGED, 0, "No seed was run at all three strengths.")
    n, agrees = len(table), {}
    a = next(iter(table.values()))["small"]["stepsize"]
    for label, strength, printed in (
        ("small", "0.1", "1.62"),
        ("tiny", "0.01", "1.62"),
        ("large", None, "25.4"),
    ):
        values = [s[label]["norm"] for s in table.values()]
        low, middle, high = central_range(values)
        slack = printed_resolution(printed)
        agrees[label] = low - slack <= float(printed) <= high + slack
        strength = strength or f"{next(iter(table.values()))['large']['strength']:g}"
        exact = central_range([s[label]["exact"] for s in table.values()])[1]
        findings.append(
            Finding(f"L1 norm of the last iterate, λ1 = {strength}", f"median {number(middle, 4)}", n,
                    f"Central 95 % range of the seeds at α = {a:g}, float64. The exact solution's median norm is {number(exact, 4)}.",
                    "printed-numbers", printed, (low, high), agrees[label])
        )  # fmt: skip
    ratios = [s["large"]["norm"] / s["small"]["norm"] for s in table.values()]
    low, middle, high = central_range(ratios)
    agrees["ratio"] = high > 15
    findings.append(
        Finding("ratio of the two norms", f"median {number(middle)}", n, "λ1 at its larger value over λ1 = 0.1; central 95 % range.",
                "printed-numbers", "more than 15", (low, high), agrees["ratio"])
    )  # fmt: skip
    findings.append(
        Finding("increase of λ1", "100 fold from 0.1, 1000 fold from 0.01", 1, "The text names both 0.01 and 0.1 for the smaller λ1.",
                "printed-numbers", "1000 fold", agrees=False)
    )  # fmt: skip
    text = f"1.62 {'fits' if agrees['small'] else 'does not fit'} λ1 = 0.1 and {'fits' if agrees['tiny'] else 'does not fit'} 0.01"
    if agrees["small"] and agrees["large"] and agrees["ratio"]:
        return Ruling("printed-numbers", Result.HOLDS, n, f"{text}; 25.4 and the ratio fit.", f"α = {a:g}")
    if any(agrees.values()):
        fits = "fits" if agrees["large"] else "does not fit"
        return Ruling(
            "printed-numbers",
            Result.IN_PART,
            n,
            f"{text}; 25.4 {fits}; step and seed are not printed.",
            f"α = {a:g}",
        )
    return Ruling(
        "printed-numbers",
        Result.DIFFERS,
        n,
        "None of the printed numbers lies in the seeds' range.",
        f"α = {a:g}",
    )


def _judge_real(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    real = sorted((r for r in rows if r["experiment"] == "real"), key=lambda r: (r["data"], r["factor"]))
    if not real:
        return Ruling("other-data", Result.NOT_JUDGED, 0, "No real data were run.")
    here, texts = [], []
    for r in real:
        found = share([True] * r["hits"] + [False] * (r["n"] - r["hits"]), comparisons=2)
        predicted = r["P"] * r["stepsize"] * 25 * r["strength_max"] / 2
        findings.append(
            Finding(
                f"{r['data']} data, step {r['stepsize']:.3g}: starts with the larger norm at 100 times λ1", str(found), found.n,
                f"Median norms {number(r['norm_small'])} at 0.25 and {number(r['norm_large'])} at 25 lambda_max; exact "
                f"{number(r['exact_small'])} and 0; P α λ1 / 2 = {number(predicted)}. Step: {r['factor']:g} times the random data's share of 2/L.",
                "other-data", "the paradox holds" if r["factor"] == 1 else None, found.interval, agrees=found.interval[0] > 0.9 if r["factor"] == 1 else None,
            )
        )  # fmt: skip
        if r["factor"] == 1:
            here.append(found)
    for name in sorted({r["data"] for r in real}):
        steps = [r["stepsize"] for r in real if r["data"] == name and r["hits"] == r["n"]]
        texts.append(f"{name}: from α = {min(steps):.2g} on" if steps else f"{name}: at no step tried")
    n = min(f.n for f in here)
    region = "; ".join(texts)
    if all(f.interval[0] > 0.9 for f in here):
        return Ruling(
            "other-data", Result.HOLDS, n, "The paradox shows on real data at the corresponding step.", region
        )
    if all(r["hits"] == 0 for r in real):
        return Ruling(
            "other-data",
            Result.DIFFERS,
            n,
            "The paradox does not show on real data at any step tried.",
            region,
        )
    return Ruling(
        "other-data",
        Result.IN_PART,
        n,
        "On real data with few columns P α λ1 / 2 must first exceed the exact norm.",
        region,
    )


def _judge_method(table: Mapping[int, dict[str, Row]], findings: list[Finding]) -> Ruling:
    if not table:
        return Ruling(
            "cause-subgradient", Attribution.UNDECIDED, 0, "No seed was run at all three strengths."
        )
    seeds, n = list(table.values()), len(table)
    gap = max(r["gap"] for s in seeds for r in s.values())
    exact = all(s["large"]["exact"] <= s["small"]["exact"] <= s["tiny"]["exact"] * (1 + 1e-9) for s in seeds)
    prox = all(s["large"]["prox"] < s["small"]["prox"] for s in seeds)
    zero = sum(s["large"]["exact"] == 0 for s in seeds)
    zeros = [
        int(np.median([s[label][key] for s in seeds]))
        for label in ("small", "large")
        for key in ("zeros", "exact_zeros")
    ]
    fading = central_range([s["large"]["fading"] for s in seeds])[1]
    reduced = central_range([s["large"]["reduced"] for s in seeds])[1]
    findings += [
        Finding("seeds whose exact solution at the larger λ1 is 0", f"{zero} of {n}", n,
                f"scikit-learn and a linear solve on the support; largest relative duality gap {gap:.1e}, float64.", "cause-subgradient"),
        Finding("seeds in which a proximal run (FISTA, same step and start) has the smaller norm at the larger λ1",
                f"{sum(s['large']['prox'] < s['small']['prox'] for s in seeds)} of {n}", n, "3000 steps, float64.", "cause-subgradient"),
        Finding("exact zeros of 500, subgradient against exact, median", f"{zeros[0]} / {zeros[1]} at λ1 = 0.1, {zeros[2]} / {zeros[3]} at the larger",
                n, "Float64.", "cause-subgradient"),
        Finding("median norm at the larger λ1 with shrinking steps", f"{number(fading)} diminishing, {number(reduced)} reducing", n,
                "α/(1 + t/w)^0.5 ending near α/20, and three stages α, α/10, α/100: the floor goes down with the last step.", "cause-subgradient"),
    ]  # fmt: skip
    if exact and prox and gap <= 1e-10:
        return Ruling(
            "cause-subgradient",
            Attribution.SUPPORTED,
            n,
            "Exact and proximal solutions shrink as λ1 grows; the constant subgradient step does not let them.",
        )
    if gap > 1e-10:
        return Ruling(
            "cause-subgradient",
            Attribution.UNDECIDED,
            n,
            f"The exact solutions' gap {gap:.1e} is above 1e-10.",
        )
    return Ruling(
        "cause-subgradient",
        Attribution.NOT_SUPPORTED,
        n,
        "Exact or proximal solutions show the paradox as well.",
    )


def _judge_kink(table: Mapping[int, dict[str, Row]], findings: list[Finding]) -> Ruling:
    found = share(s["large"]["twin_low"] > s["small"]["twin_high"] for s in table.values())
    findings.append(
        Finding("seeds in which the differentiable twin shows the paradox", str(found), found.n,
                f"|b| rounded over {_WIDTH:g}, same data, start and step, float64: its 2/L is far below the step.", "cause-kink",
                interval=found.interval)
    )  # fmt: skip
    if found.interval[0] > 0.9:
        why = "A differentiable penalty, indistinguishable from |b| at the scale of a step, ends with the same norms."
        return Ruling(
            "cause-kink",
            Attribution.NOT_SUPPORTED,
            found.n,
            why,
            "wherever α λ1 exceeds twice the width of the bend",
        )
    if found.interval[1] < 0.05:
        return Ruling(
            "cause-kink", Attribution.SUPPORTED, found.n, "The differentiable twin does not show it."
        )
    return Ruling(
        "cause-kink", Attribution.UNDECIDED, found.n, "The differentiable twin shows it in some seeds."
    )


def _draw_norms(rows: Sequence[Row]) -> Drawing:
    figure, axes = canvas(2)
    table = _by_seed(rows)
    labels = ("tiny", "small", "large")
    for k, (key, name) in enumerate((("norm", "subgradient, constant step"), ("twin_high", "smooth twin, constant step"),
                                     ("prox", "proximal (FISTA)"), ("exact", "exact"))):  # fmt: skip
        for j, label in enumerate(labels):
            values = [max(s[label][key], 1e-3) for s in table.values() if key in s[label]]
            at = j + 0.18 * (k - 1.5)
            axes[0, 0].plot(
                [at] * len(values),
                values,
                "osx^"[k],
                color=COLOURS[k],
                ms=3,
                alpha=0.5,
                label=name if j == 1 else None,
            )
    for j, printed in ((1, 1.62), (2, 25.4)):
        axes[0, 0].hlines(
            printed, j - 0.45, j + 0.45, color="black", lw=1, ls="--", label="printed" if j == 1 else None
        )
    strengths = (
        [f"{next(iter(table.values()))[label]['strength']:g}" for label in labels] if table else labels
    )
    axes[0, 0].set_xticks(range(3), strengths)
    axes[0, 0].set(
        yscale="log",
        ylim=(6e-4, 900),
        xlabel="strength λ1",
        ylabel="final ‖b‖₁ (0 drawn at 0.001)",
        title="One mark a seed",
    )
    axes[0, 0].legend(loc="upper left", ncols=2, fontsize=7)
    real = sorted((r for r in rows if r["experiment"] == "real"), key=lambda r: r["stepsize"])
    for k, name in enumerate(sorted({r["data"] for r in real})):
        mine = [r for r in real if r["data"] == name]
        x = [r["stepsize"] for r in mine]
        axes[0, 1].plot(
            x,
            [r["norm_large"] for r in mine],
            "s-",
            color=COLOURS[1 + 2 * k],
            ms=4,
            label=f"{name}, λ1 = 25 λmax",
        )
        axes[0, 1].plot(
            x,
            [r["norm_small"] for r in mine],
            "o--",
            color=COLOURS[2 * k],
            ms=4,
            label=f"{name}, λ1 = 0.25 λmax",
        )
        axes[0, 1].axhline(
            mine[0]["exact_small"],
            color="0.4",
            ls=":",
            lw=1,
            label="exact, 0.25 λmax (exact at 25 λmax: 0)" if k == 0 else None,
        )
    axes[0, 1].set(
        xscale="log", yscale="log", xlabel="step α", ylabel="final ‖b‖₁, median of starts", title="Real data"
    )
    axes[0, 1].minorticks_off()
    axes[0, 1].set_xticks([r["stepsize"] for r in real], [f"{r['stepsize']:.2g}" for r in real])
    axes[0, 1].legend(fontsize=7)
    return Drawing(
        "norms",
        "Left: random data as printed, with the controls on the same data and starts. Right: real data over the step.",
        figure,
    )


def _draw_map(rows: Sequence[Row]) -> Drawing:
    figure, axes = canvas(1, width=5.4)
    cells: dict[tuple[float, float], list[int]] = {}
    exact = [r["exact"] for r in rows if r["experiment"] == "map"]
    for r in rows:
        if r["experiment"] == "map":
            cell = cells.setdefault((r["stepsize"], r["strength"]), [0, 0])
            cell[0] += r["hits"]
            cell[1] += r["n"]
    steps, strengths = sorted({k[0] for k in cells}), sorted({k[1] for k in cells})
    grid = np.array([[cells[a, s][0] / cells[a, s][1] for s in strengths] for a in steps])
    mesh = axes[0, 0].pcolormesh(strengths, steps, grid, cmap="viridis", vmin=0, vmax=1, shading="nearest")
    figure.colorbar(mesh, label="share of seeds")
    line = np.geomspace(min(strengths), max(strengths), 50)
    axes[0, 0].plot(
        line,
        2 * np.median(exact) / (500 * line),
        color="white",
        ls="--",
        label="P α λ1 / 2 = exact norm at 0.1",
    )
    axes[0, 0].plot(
        10, 0.01, "*", color="white", mec="black", ms=13, label="the paper's point (α as in its example)"
    )
    axes[0, 0].legend(loc="lower left", frameon=True, fontsize=7, facecolor="0.45", labelcolor="white")
    axes[0, 0].grid(False)
    axes[0, 0].set(xscale="log", yscale="log", xlim=(0.17, 180), ylim=(min(steps) / 1.8, max(steps) * 1.8),
                   xlabel="the larger λ1 (the smaller is 0.1)", ylabel="step α", title="Share of seeds with the larger norm")  # fmt: skip
    return Drawing(
        "map", "How the sentence depends on the step, which is not printed; random data, float64.", figure
    )
