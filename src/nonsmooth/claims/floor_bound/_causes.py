"""The two rulings on causes, and what both files of rulings read from the rows."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.floor_bound._experiments import FADING, FINITE, STAYING, WIDTHS
from nonsmooth.findings import Attribution, Finding, Ruling, Share, number, share_of

__all__ = ["by_width", "cause_lipschitz", "cause_step_to_zero", "floor", "of", "summed"]

_Answer = tuple[Ruling, list[Finding]]


def cause_lipschitz(rows: Sequence[Row]) -> _Answer:
    """Do functions of the same Lipschitz constant make the same error?"""
    part = "cause-lipschitz"
    mine = by_width(rows)
    if not mine:
        return Ruling(part, Attribution.UNDECIDED, 0, "No twin was run."), []
    n = min(r["n"] for runs in mine.values() for r in runs)
    low, high = floor(mine[0.0])
    findings, wrong, ever = [], 0, 0
    for width in WIDTHS:
        below = [r for r in mine[width] if r["product"] < 2 * width]
        beyond = [r for r in mine[width] if r["product"] > 2 * width]
        calm, restless = sum(r["at_zero"] for r in below), sum(r["at_zero"] < r["n"] for r in beyond)
        wrong += sum(r["at_zero"] < r["n"] for r in below) + sum(r["at_zero"] > 0 for r in beyond)
        ever += sum(r["at_zero"] for r in mine[width])
        findings.append(
            Finding(
                f"twin of width {width:g}, same Lipschitz constant: error 0 (below 1e-6)",
                f"{calm} of {summed(below, 'n')} runs with α λ1 < 2 d",
                summed(mine[width], "n"),
                f"{len(below)} values of λ1 below its 2/L; beyond, {restless} of {len(beyond)} values of λ1 "
                "keep an error. float64.",
                part,
            )
        )
    if not 0.99 < low <= high < 1.01:
        return Ruling(part, Attribution.UNDECIDED, n, "The kink's error is not P α λ1/2 here."), findings
    if wrong == 0:
        why = (
            "Twins with the same Lipschitz constant, step and starts make no error at any λ1 < 2 d/α: the "
            "bound allows an error and does not produce one. The step against the curvature does; at a kink "
            "no step is small enough."
        )
        region = "the error grows with λ1 at every λ1 only with the kink; on a twin, beyond 2 d/α"
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why, region), findings
    if ever == 0:
        why = "Every function of this Lipschitz constant makes an error at every λ1."
        return Ruling(part, Attribution.SUPPORTED, n, why), findings
    return Ruling(part, Attribution.UNDECIDED, n, f"The twins depart from 2/L at {wrong} settings."), findings


def cause_step_to_zero(rows: Sequence[Row]) -> _Answer:
    """With an infinite sum of the steps, do runs tend to 0 where the step does, and only there?"""
    part = "cause-step-to-zero"
    mine = sorted(of(rows, "shrinking"), key=lambda r: (r["kind"], r["schedule"], r["product"]))
    infinite = [r for r in mine if r["kind"] in (FADING, STAYING)]
    if {r["kind"] for r in infinite} != {FADING, STAYING}:
        return Ruling(part, Attribution.UNDECIDED, 0, "Not run with steps of both kinds."), []
    n = min(r["n"] for r in infinite)
    shares: dict[str, list[Share]] = {FADING: [], STAYING: []}
    findings = []
    for row in infinite:
        found = share_of(row["falls"], row["n"], comparisons=12)
        shares[row["kind"]].append(found)
        findings.append(
            Finding(
                f"starts that go on falling: steps {row['schedule']}, first α λ1 = {number(row['product'])} "
                f"({row['kind']})",
                str(found),
                row["n"],
                "Greatest entry over the last tenth of the run at most half of that over the second; P = 2, "
                "float64, exact zeros made by rounding among them. Wilson interval for 12 comparisons.",
                part,
                interval=found.interval,
            )
        )
    findings += [
        Finding(
            f"steps {r['schedule']}, first α λ1 = {number(r['product'])}, {number(r['travel'])} in all",
            f"beyond reach: {r['stuck']} of {r['beyond']} stay off 0; within: {r['arrived']} of "
            f"{r['within_reach']} arrive",
            r["n"],
            "Outside the regime, whose sum is infinite by eq. 4, and so no part of the ruling; it shows what "
            "that half of the definition is for. Off 0: farther than 1e-3 after a tenth of the run.",
            part,
        )
        for r in mine
        if r["kind"] == FINITE
    ]
    fading, staying = ([found.interval for found in shares[kind]] for kind in (FADING, STAYING))
    if all(low > 0.9 for low, _ in fading) and all(high < 0.1 for _, high in staying):
        why = (
            "Within the regime, steps with an infinite sum, runs tend to 0 where the step does and stop at "
            "their floor where it does not: α → 0 is what makes the difference."
        )
        return Ruling(part, Attribution.SUPPORTED, n, why, "given the infinite sum of eq. 4"), findings
    if all(low > 0.9 for low, _ in staying) or all(high < 0.1 for _, high in fading):
        why = "Whether the step tends to 0 makes no difference to where the runs end."
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    return Ruling(part, Attribution.UNDECIDED, n, "The schedules of a kind are divided."), findings


def of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]


def summed(rows: Sequence[Row], field: str) -> int:
    return sum(r[field] for r in rows)


def by_width(rows: Sequence[Row]) -> dict[float, list[Row]]:
    """The rows of each width by λ1; nothing where a width is missing."""
    mine = sorted(of(rows, "twins"), key=lambda r: r["product"])
    by_width = {width: [r for r in mine if r["width"] == width] for width in (0.0, *WIDTHS)}
    return by_width if all(len(runs) > 1 for runs in by_width.values()) else {}


def floor(kinked: Sequence[Row]) -> tuple[float, float]:
    """Range of the mean final norm over P α λ1/2 (P = 2)."""
    return min(r["mean_low"] / r["product"] for r in kinked), max(
        r["mean_high"] / r["product"] for r in kinked
    )
