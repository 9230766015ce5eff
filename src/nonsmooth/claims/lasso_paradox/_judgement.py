"""The five rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.lasso_paradox._experiments import (
    COLUMNS,
    LARGE,
    LARGE_MULTIPLE,
    SMALL,
    WIDTHS,
    complete_seeds,
)
from nonsmooth.findings import (
    Attribution,
    Finding,
    Result,
    Ruling,
    against_theory,
    central_range,
    number,
    printed_resolution,
    share,
    share_of,
)

__all__ = ["cause_kink", "cause_subgradient", "larger_norm", "other_data", "printed_numbers"]

_Answer = tuple[Ruling, list[Finding]]
_INCOMPLETE = "No seed was run at all three strengths."


def larger_norm(rows: Sequence[Row]) -> _Answer:
    """Does the larger λ1 end with the larger norm?"""
    part = "larger-norm"
    seeds = complete_seeds(rows)
    if not seeds:
        return Ruling(part, Result.NOT_JUDGED, 0, _INCOMPLETE), []
    shares = {
        strength: share((s["large"]["norm_low"] > s[label]["norm_high"] for s in seeds), comparisons=2)
        for label, strength in (("small", "0.1"), ("tiny", "0.01"))
    }
    findings = [
        Finding(
            f"seeds with the larger norm at the larger λ1 than at λ1 = {strength}",
            str(found),
            found.n,
            "Least norm of the last 100 steps against the greatest; float64, own data and start a seed; "
            "Wilson interval allowing for 2 comparisons.",
            part,
            reported="25.4 above 1.62 (one run)",
            interval=found.interval,
            agrees=found.interval[0] > 0.9,
        )
        for strength, found in shares.items()
    ]
    findings += _map_finding(rows, part)
    region = f"{shares['0.1']} seeds against λ1 = 0.1, {shares['0.01']} against 0.01{_not_yet(rows, seeds)}"
    if min(found.interval[0] for found in shares.values()) > 0.9:
        answer, why = Result.HOLDS, f"The norm at the larger λ1 is the larger one: {_medians(seeds)}."
    elif max(found.interval[1] for found in shares.values()) < 0.1:
        answer, why = Result.DIFFERS, f"The norm at the larger λ1 is not the larger one: {_medians(seeds)}."
    else:
        answer, why = Result.IN_PART, f"In some seeds only: {_medians(seeds)}."
    return Ruling(part, answer, len(seeds), why, region), findings


def printed_numbers(rows: Sequence[Row]) -> _Answer:
    """Do the printed norms and their ratio lie in the range of the seeds?"""
    part = "printed-numbers"
    seeds = complete_seeds(rows)
    if not seeds:
        return Ruling(part, Result.NOT_JUDGED, 0, _INCOMPLETE), []
    n, stepsize = len(seeds), seeds[0]["small"]["stepsize"]
    findings, agrees = [], {}
    for label, printed in (("small", "1.62"), ("tiny", "1.62"), ("large", "25.4")):
        low, middle, high = central_range(s[label]["norm"] for s in seeds)
        exact = central_range(s[label]["exact"] for s in seeds)[1]
        slack = printed_resolution(printed)
        agrees[label] = low - slack <= float(printed) <= high + slack
        findings.append(
            Finding(
                f"L1 norm of the last iterate, λ1 = {seeds[0][label]['strength']:g}",
                f"median {number(middle, 4)}",
                n,
                f"Central 95 % range of the seeds at α = {stepsize:g}, float64. "
                f"The exact solution's median norm is {number(exact, 4)}.",
                part,
                reported=printed,
                interval=(low, high),
                agrees=agrees[label],
            )
        )
    low, middle, high = central_range(s["large"]["norm"] / s["small"]["norm"] for s in seeds)
    agrees["ratio"] = low <= 25.4 / 1.62 <= high
    above = sum(s["large"]["norm"] > 15 * s["small"]["norm"] for s in seeds)
    agrees["fold"] = bool(np.isclose(LARGE / SMALL, 1000))
    findings += [
        Finding(
            "ratio of the two norms",
            f"median {number(middle)}",
            n,
            f"λ1 at its larger value over λ1 = 0.1; central 95 % range. Above 15 in {above} of {n} seeds.",
            part,
            reported="15.7 (25.4 / 1.62)",
            interval=(low, high),
            agrees=agrees["ratio"],
        ),
        Finding(
            "increase of λ1",
            "100 fold from 0.1, 1000 fold from 0.01",
            1,
            "The text names both for the smaller λ1: “once with λ1 = 0.01”, then “the optimal solution with "
            "λ1 = 0.1 has an L1 norm of 1.62”. 10/0.01 is 1000 fold, 10/0.1 is 100 fold.",
            part,
            reported="1000 fold",
            agrees=agrees["fold"],
        ),
    ]
    fits = {label: "fits" if agreed else "does not fit" for label, agreed in agrees.items()}
    asked = [agrees[label] for label in ("small", "large", "ratio", "fold")]
    why = (
        f"1.62 {fits['small']} λ1 = 0.1, {fits['tiny']} 0.01; 25.4 {fits['large']} (P α λ1/2 is "
        f"{number(COLUMNS * stepsize * LARGE / 2)} here); the ratio {fits['ratio']}; the norms are printed "
        "with λ1 = 0.1 and 10, a 100 fold increase, while “1000 fold” belongs to the 0.01 of the sentence "
        "before."
    )
    answer = Result.HOLDS if all(asked) else Result.IN_PART if any(asked) else Result.DIFFERS
    return Ruling(part, answer, n, why, f"α = {stepsize:g}"), findings


def other_data(rows: Sequence[Row]) -> _Answer:
    """Does the paradox show on real data, at the step that corresponds?"""
    part = "other-data"
    real = sorted((r for r in rows if r["experiment"] == "real"), key=lambda r: (r["data"], r["factor"]))
    if not real:
        return Ruling(part, Result.NOT_JUDGED, 0, "No real data were run."), []
    findings = [_real_finding(r, part) for r in real]
    here = [share_of(r["hits"], r["n"], comparisons=2) for r in real if r["factor"] == 1]
    n = min(found.n for found in here)
    region = "; ".join(_from_which_step(real, name) for name in sorted({r["data"] for r in real}))
    if all(found.interval[0] > 0.9 for found in here):
        names = " and ".join(sorted({r["data"] for r in real}))
        why = f"The paradox shows on the {names} data at the corresponding step, at λ1 = 25 lambda_max."
        return Ruling(part, Result.HOLDS, n, why, region), findings
    if all(r["hits"] == 0 for r in real):
        why = "The paradox does not show on real data at any step tried."
        return Ruling(part, Result.DIFFERS, n, why, region), findings
    why = "On real data with few columns P α λ1 / 2 must first exceed the exact norm."
    return Ruling(part, Result.IN_PART, n, why, region), findings


def cause_subgradient(rows: Sequence[Row]) -> _Answer:
    """Do exact solutions and proximal runs shrink where the subgradient method grows?"""
    part = "cause-subgradient"
    seeds = complete_seeds(rows)
    if not seeds:
        return Ruling(part, Attribution.UNDECIDED, 0, _INCOMPLETE), []
    n = len(seeds)
    gap = max(r["gap"] for s in seeds for r in s.values())
    zero = sum(s["large"]["exact"] == 0 for s in seeds)
    smaller = sum(s["large"]["prox"] < s["small"]["prox"] for s in seeds)
    small, large = (
        " / ".join(str(int(np.median([s[label][kind] for s in seeds]))) for kind in ("zeros", "exact_zeros"))
        for label in ("small", "large")
    )
    fading = central_range(s["large"]["fading"] for s in seeds)[1]
    reduced = central_range(s["large"]["reduced"] for s in seeds)[1]
    findings = [
        Finding(
            "seeds whose exact solution at the larger λ1 is 0",
            f"{zero} of {n}",
            n,
            "scikit-learn and a linear solve on the support; "
            f"largest relative duality gap {gap:.1e}, float64.",
            part,
        ),
        Finding(
            "seeds in which a proximal run (FISTA, same step and start) has the smaller norm "
            "at the larger λ1",
            f"{smaller} of {n}",
            n,
            "1000 steps, float64.",
            part,
        ),
        Finding(
            "exact zeros of 500, subgradient against exact, median",
            f"{small} at λ1 = 0.1, {large} at the larger",
            n,
            "Float64.",
            part,
        ),
        Finding(
            "median norm at the larger λ1 with shrinking steps",
            f"{number(fading)} diminishing, {number(reduced)} reducing",
            n,
            "α/(1 + t/w)^0.5 ending near α/20, and three stages α, α/10, α/100: "
            "the floor goes down with the last step.",
            part,
        ),
        *_attached_finding(seeds, part),
    ]
    if gap > 1e-10:
        why = f"The exact solutions' gap {gap:.1e} is above 1e-10."
        return Ruling(part, Attribution.UNDECIDED, n, why), findings
    shrinks = all(s["large"]["exact"] < s["small"]["exact"] < s["tiny"]["exact"] for s in seeds)
    if not _paradox(seeds):
        why = "The subgradient method does not show the paradox here: there is no effect to attribute."
        return Ruling(part, Attribution.UNDECIDED, n, why), findings
    if shrinks and smaller == n:
        why = (
            "Exact and proximal solutions shrink as λ1 grows; "
            "the constant subgradient step does not let them."
        )
        return Ruling(part, Attribution.SUPPORTED, n, why), findings
    why = "Exact or proximal solutions show the paradox as well."
    return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings


def cause_kink(rows: Sequence[Row]) -> _Answer:
    """Does gradient descent on the rounded penalty show the paradox, above 2/L and below it?"""
    part = "cause-kink"
    seeds = complete_seeds(rows)
    if not seeds:
        return Ruling(part, Attribution.UNDECIDED, 0, _INCOMPLETE), []
    shows = {name: [s["large"][f"{name}_low"] > s["small"][f"{name}_high"] for s in seeds] for name in WIDTHS}
    narrow, wide = (share(flags, comparisons=2) for flags in shows.values())
    without = share_of(wide.n - wide.hits, wide.n, comparisons=2)
    findings = []
    for (name, width), found in zip(WIDTHS.items(), (narrow, wide), strict=True):
        small, large = (float(np.median([s[at][f"{name}_high"] for s in seeds])) for at in ("small", "large"))
        edge = float(np.median([s["large"][f"{name}_edge"] for s in seeds]))
        findings.append(
            Finding(
                f"seeds in which |b| rounded over {width:g} shows the paradox",
                str(found),
                found.n,
                f"α is {number(edge)} times 2/L at the larger λ1; median norms {number(small)} and "
                f"{number(large)}. Same data, start and step, float64; Wilson interval allowing for 2 "
                "comparisons.",
                part,
                interval=found.interval,
            )
        )
    if narrow.interval[0] > 0.9 and without.interval[0] > 0.9:
        why = (
            "What decides is the step against the curvature: gradient descent on |b| rounded over "
            f"{WIDTHS['narrow']:g}, α far above 2/L, shows the paradox in {narrow} seeds; rounded over "
            f"{WIDTHS['wide']:g}, α below 2/L, it does not in {without}. A kink is the limit in which no "
            "step is below 2/L."
        )
        return Ruling(part, Attribution.NOT_SUPPORTED, narrow.n, why), findings
    if narrow.interval[1] < 0.1 and _paradox(seeds):
        why = "No differentiable twin shows it."
        return Ruling(part, Attribution.SUPPORTED, narrow.n, why), findings
    why = "The differentiable twins do not answer in one way."
    return Ruling(part, Attribution.UNDECIDED, narrow.n, why), findings


def _attached_finding(seeds: Sequence[dict[str, Row]], part: str) -> list[Finding]:
    """Beside the broken run: the same optimiser and step with the penalty attached instead of in the loss."""
    if any("attached" not in s[label] for s in seeds for label in ("small", "large")):
        return []
    smaller = sum(s["large"]["attached"] < s["small"]["attached"] for s in seeds)
    norms, zeros = (
        " and ".join(
            number(float(np.median([s[label][kind] for s in seeds])), 4) for label in ("small", "large")
        )
        for kind in ("attached", "attached_zeros")
    )
    return [
        Finding(
            "seeds in which torch.optim.SGD with the penalty attached has the smaller norm at the larger λ1",
            f"{smaller} of {len(seeds)}",
            len(seeds),
            f"nonsmooth.attach(optimizer, L1(λ1)), same step and start; median norms {norms} at λ1 = 0.1 and "
            f"the larger, exact zeros {zeros} of 500; 2000 steps, float64. Not part of the rule.",
            part,
        )
    ]


def _size(norm: float) -> str:
    return number(norm) if np.isfinite(norm) else "diverging"


def _paradox(seeds: Sequence[dict[str, Row]]) -> bool:
    """Whether the kinked penalty ends larger at the larger λ1 in every seed: the effect itself."""
    return all(s["large"]["norm_low"] > s["small"]["norm_high"] for s in seeds)


def _real_finding(row: Row, part: str) -> Finding:
    found = share_of(row["hits"], row["n"], comparisons=2)
    floor = row["P"] * row["stepsize"] * LARGE_MULTIPLE * row["strength_max"] / 2
    corresponds = row["factor"] == 1
    return Finding(
        f"{row['data']} data, step {row['stepsize']:.3g}: starts with the larger norm at 100 times λ1",
        str(found),
        found.n,
        f"Median norms {_size(row['norm_small'])} at 0.25 and {_size(row['norm_large'])} at 25 lambda_max; "
        f"exact {number(row['exact_small'])} and 0; P α λ1 / 2 = {number(floor)}. "
        f"Step: {row['factor']:g} times the random data's share of 2/L.",
        part,
        reported="the paradox holds" if corresponds else None,
        interval=found.interval,
        agrees=found.interval[0] > 0.9 if corresponds else None,
    )


def _medians(seeds: Sequence[dict[str, Row]]) -> str:
    norms = {label: number(float(np.median([s[label]["norm"] for s in seeds]))) for label in seeds[0]}
    return f"median {norms['large']} against {norms['small']} at λ1 = 0.1 and {norms['tiny']} at 0.01"


def _map_finding(rows: Sequence[Row], part: str) -> list[Finding]:
    """The map against its border: P α λ1 / 2 above the norm that the smaller strength ends with."""
    cells = [r for r in rows if r["experiment"] == "map"]
    if not cells:
        return []
    exact = float(np.median([cell["exact"] for cell in cells]))
    spoken, clear, right = against_theory(cells, lambda l1, a: COLUMNS * a * l1 / 2 > exact)
    return [
        Finding(
            "clear cells of the map that theory gets right",
            f"{right} of {clear}",
            sum(cell["n"] for cell in cells),
            f"{spoken} cells, float64. Theory: the larger λ1 ends with the larger norm from P α λ1/2 = "
            f"{number(exact)} on, the exact solution's median norm at λ1 = {SMALL:g}.",
            part,
        )
    ]


def _not_yet(rows: Sequence[Row], seeds: Sequence[dict[str, Row]]) -> str:
    """Where, at the same step, a larger λ1 does not end with the larger norm."""
    stepsize = seeds[0]["small"]["stepsize"]
    cells = [r for r in rows if r["experiment"] == "map" and r["y"] == stepsize]
    never = [cell for cell in cells if cell["hits"] == 0]
    if not never:
        return ""
    cell = max(never, key=lambda cell: cell["x"])
    n = cell["n"]
    return f"; not in general: λ1 = {cell['x']:g} ends below 0.1 in {n} of {n} seeds at this step"


def _from_which_step(real: Sequence[Row], name: str) -> str:
    steps = [r["stepsize"] for r in real if r["data"] == name and r["hits"] == r["n"]]
    shown = ", ".join(f"{step:.2g}" for step in sorted(steps)) or "none"
    return f"{name}: every start at α = {shown}"
