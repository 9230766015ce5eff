"""The three rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.soft_threshold._experiments import MULTIPLES
from nonsmooth.findings import Attribution, Finding, Result, Ruling, against_theory, number, share

__all__ = ["cause_l_smooth", "necessarily", "not_optimal"]

_Answer = tuple[Ruling, list[Finding]]
_USES = {"each step": "after each gradient step (ISTA)", "once": "once, after training"}
_ADAM = {
    "by hand": "soft(β, α λ1) by hand after each step",
    "attached": "the penalty attached (nonsmooth.attach: soft(β, s λ1), s Adam's own step)",
}
_OPTIMAL, _STALLED, _STATIONARY = 1e-10, 1e-6, 1e-6


def not_optimal(rows: Sequence[Row]) -> _Answer:
    """Is soft-thresholding sparse and not optimal on the LASSO?"""
    part = "not-optimal"
    mine = {use: [r for r in _of(rows, "lasso") if r["use"] == use] for use in _USES}
    if not all(mine.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not both uses were run."), []
    shares, findings = {}, []
    for use, title in _USES.items():
        each = mine[use]
        shares[use] = share((r["gap"] > _OPTIMAL and r["zeros"] > 0 for r in each), comparisons=2)
        gaps = sorted(r["gap"] for r in each)
        findings.append(
            Finding(
                f"seeds that end sparse and not optimal, thresholded {title}",
                str(shares[use]),
                shares[use].n,
                f"Duality gap over mean y²: median {number(gaps[len(gaps) // 2], 2)}, largest "
                f"{number(gaps[-1], 2)}; exact zeros: {min(r['zeros'] for r in each)} to "
                f"{max(r['zeros'] for r in each)} of 10; float64; Wilson interval (2 comparisons).",
                part,
                reported="sparse, not optimal",
                interval=shares[use].interval,
                agrees=shares[use].interval[0] > 0.9,
            )
        )
    findings += [_adam_finding(rows, use, part) for use in _ADAM if _lasso_rows(rows, use)]
    n = min(found.n for found in shares.values())
    if all(found.interval[0] > 0.9 for found in shares.values()):
        return Ruling(part, Result.HOLDS, n, "Neither use finds the optimum."), findings
    if all(found.interval[1] < 0.1 for found in shares.values()):
        return Ruling(part, Result.DIFFERS, n, "Both uses find the optimum."), findings
    said = [_USES[use] for use, found in shares.items() if found.interval[0] > 0.9]
    other = "; ".join(f"{_USES[use]}: {found}" for use, found in shares.items() if found.interval[0] <= 0.9)
    why = f"Sparse and not optimal, thresholded {' and '.join(said) or 'in no use'}; not so {other} seeds."
    return Ruling(part, Result.IN_PART, n, why, region=", ".join(said)), findings


def _adam_finding(rows: Sequence[Row], use: str, part: str) -> Finding:
    """Beside the sentence: the same operator after Adam's steps, with the wrong and with the right step."""
    each = _lasso_rows(rows, use)
    gaps = sorted(r["gap"] for r in each)
    found = share(r["gap"] <= _OPTIMAL for r in each)
    return Finding(
        f"seeds that end optimal: torch's Adam, {_ADAM[use]}",
        str(found),
        found.n,
        f"Duality gap over mean y²: median {number(gaps[len(gaps) // 2], 2)}, largest {number(gaps[-1], 2)}; "
        f"exact zeros: {min(r['zeros'] for r in each)} to {max(r['zeros'] for r in each)} of 10; float64. "
        "Not part of the rule.",
        part,
        interval=found.interval,
    )


def _lasso_rows(rows: Sequence[Row], use: str) -> list[Row]:
    return [r for r in _of(rows, "lasso") if r["use"] == use]


def necessarily(rows: Sequence[Row]) -> _Answer:
    """Is the end suboptimal wherever the loss is not L-smooth?"""
    part = "necessarily"
    network, deviations = _of(rows, "network"), _of(rows, "deviations")
    if not network or not deviations:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not both losses were run."), []
    kinked = {
        f"eq. 3, λ1 = {multiple:g} ρ": [r for r in network if r["multiple"] == multiple]
        for multiple in MULTIPLES
    }
    if not all(kinked.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every λ1 was run."), []
    ends = {name: [r["excess"] for r in each] for name, each in kinked.items()}
    ends["least absolute deviations"] = [r["kinked_below"] for r in deviations]
    shares = {
        name: share((e <= _OPTIMAL for e in each), comparisons=len(ends)) for name, each in ends.items()
    }
    findings = []
    for name, found in shares.items():
        excess = sorted(ends[name])[found.n // 2]
        exact = f"at exactly 0: {sum(r['exact'] for r in kinked[name])} runs; " if name in kinked else ""
        oracle = "known: 0 is the minimiser" if name in kinked else "by linear programming (HiGHS)"
        findings.append(
            Finding(
                f"seeds that end at the minimum without L-smoothness: {name}",
                str(found),
                found.n,
                f"Minimum {oracle}; {exact}median excess {number(excess, 2)} (relative); constant step, "
                "float64; Wilson interval allowing for 5 comparisons.",
                part,
                reported="none",
                interval=found.interval,
                agrees=found.hits == 0,
            )
        )
    n = min(found.n for found in shares.values())
    optimal = [f"{name} ({found} seeds)" for name, found in shares.items() if found.interval[0] > 0.9]
    if optimal:
        why = f"The thresholded steps end at the exact minimum on {' and on '.join(optimal)}."
        region = "; ".join(f"{name}: {found}" for name, found in shares.items())
        return Ruling(part, Result.DIFFERS, n, why, region=region), findings
    if all(found.interval[1] < 0.1 for found in shares.values()):
        return Ruling(part, Result.HOLDS, n, "On neither loss does it end at the minimum."), findings
    why = "It ends at the minimum for " + ", ".join(
        f"{found} seeds on {name}" for name, found in shares.items()
    )
    return Ruling(part, Result.IN_PART, n, why + "."), findings


def cause_l_smooth(rows: Sequence[Row]) -> _Answer:
    """Does soft-thresholding fail without L-smoothness, or the constant step?"""
    part = "cause-L-smooth"
    mine = _of(rows, "deviations")
    if not mine:
        return Ruling(part, Attribution.UNDECIDED, 0, "No twin was run."), []
    stalls = share((r["kinked_below"] > _STALLED for r in mine), comparisons=3)
    settles = share((r["twin_below"] <= _STATIONARY for r in mine), comparisons=3)
    falls = share((r["fading_late"] < r["fading_early"] / 2 for r in mine), comparisons=3)
    beyond = share(r["twin_above"] <= _STATIONARY for r in mine)
    medians = {
        name: sorted(r[name] for r in mine)[len(mine) // 2]
        for name in ("kinked_below", "fading_early", "fading_late")
    }
    findings = [
        Finding(
            "kinked loss, constant step: seeds that stall above the minimum",
            str(stalls),
            stalls.n,
            f"Median excess {number(medians['kinked_below'], 2)} of mean |y| after 16,000 steps, float64.",
            part,
            interval=stalls.interval,
        ),
        Finding(
            "rounded twin below its 2/L: seeds that become stationary",
            str(settles),
            settles.n,
            f"Subdifferential distance at most 1e-6 λ1; at 4 times 2/L: {beyond}. float64.",
            part,
            interval=settles.interval,
        ),
        Finding(
            "kinked loss, diminishing steps: seeds whose excess halves from 1000 to 16,000 steps",
            str(falls),
            falls.n,
            f"α/(1 + t/100)^0.75; median excess {number(medians['fading_early'], 2)}, then "
            f"{number(medians['fading_late'], 2)} of mean |y|, float64.",
            part,
            interval=falls.interval,
        ),
        *_map(rows, part),
    ]
    n = len(mine)
    if stalls.interval[0] > 0.9 and settles.interval[1] < 0.1:
        why = f"The L-smooth twin stalls as well, in all but {settles} seeds."
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    if not (stalls.interval[0] > 0.9 and settles.interval[0] > 0.9):
        why = f"The effect is not there: {stalls} stall on the kinked loss, {settles} settle on the twin."
        return Ruling(part, Attribution.UNDECIDED, n, why), findings
    if falls.interval[0] > 0.9:
        why = (
            "With a constant step it stalls on the kinked loss and not on the L-smooth twin; with "
            f"diminishing steps the same soft-thresholding keeps falling there, in {falls} seeds. Neither "
            "alone: it takes a constant step and a loss that is not L-smooth."
        )
        return Ruling(part, Attribution.UNDECIDED, n, why), findings
    if falls.interval[1] < 0.1:
        why = "It stalls without L-smoothness, under diminishing steps too, and not on the twin."
        return Ruling(part, Attribution.SUPPORTED, n, why), findings
    return Ruling(part, Attribution.UNDECIDED, n, f"Diminishing steps help in {falls} seeds."), findings


def _map(rows: Sequence[Row], part: str) -> list[Finding]:
    cells = _of(rows, "map")
    if not cells:
        return []
    spoken, clear, right = against_theory(cells, lambda step, width: False if step > 8 * width else None)
    below = [r for r in cells if r["x"] < 2 * r["y"]]
    done = sum(r["hits"] for r in below)
    return [
        Finding(
            "clear cells of the map far above 2/L that do not settle, as theory says",
            f"{right} of {clear}",
            spoken,
            f"Rounded loss, {cells[0]['n']} seeds a cell. Theory: below 2/L = 2d (in the map's unit) it "
            f"converges, as slowly as the step is small: {done} of {sum(r['n'] for r in below)} seeds were "
            "stationary (1e-6) after 8000 steps there. Judged here: above 4 times 2/L it does not settle.",
            part,
        )
    ]


def _of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]
