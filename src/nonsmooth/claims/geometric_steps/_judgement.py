"""The four rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.geometric_steps._experiments import FAMILIES, WIDTHS, select
from nonsmooth.findings import Attribution, Finding, Result, Ruling, against_theory, number, share

__all__ = ["cause_kink", "cells", "finite_sum", "gd_vicinity", "ndgm_unclear", "predicted"]

_Answer = tuple[Ruling, list[Finding]]
_ROUNDING = 1e-9
_Cell = tuple[int, float, float]
# Twins of both functions, each compared with the kinked runs.
_TWINS = sum(width > 0 for widths in WIDTHS.values() for width in widths)
_SHARP = {"toy": "||b||_1 (eq. 7)", "relu": "eq. 3 with λ1 = 10"}


def finite_sum(rows: Sequence[Row]) -> _Answer:
    """Do the learning rates that StepLR sets have the sum of a geometric series?"""
    part = "finite-sum"
    mine = sorted(select(rows, "schedule"), key=lambda r: r["decay"])
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "No schedule was read."), []
    right = [
        abs(r["sum"] / r["closed"] - 1) < 1e-6 and (r["sum"] - r["half"]) < 1e-3 * r["sum"] for r in mine
    ]
    sums = ", ".join(f"{number(r['sum'], 5)} (factor {r['decay']:g})" for r in mine)
    findings = [
        Finding(
            "sum of the learning rates that torch's StepLR sets, in units of α0",
            sums,
            len(mine),
            f"Interval {mine[0]['period']}, {mine[0]['epochs']:,} scheduler steps, float64; in closed form "
            "interval/(1 − factor): " + ", ".join(number(r["closed"], 5) for r in mine) + ".",
            part,
            reported="convergent",
            agrees=all(right),
        )
    ]
    n = len(mine)
    if all(right):
        why = "The sums are those of a convergent geometric series, so they are finite."
        return Ruling(part, Result.HOLDS, n, why, region="unending training, factor below 1"), findings
    if not any(right):
        return Ruling(part, Result.DIFFERS, n, "No schedule has the sum of a geometric series."), findings
    return Ruling(part, Result.IN_PART, n, "Some schedules have that sum, others not."), findings


def gd_vicinity(rows: Sequence[Row]) -> _Answer:
    """Does gradient descent under a summable schedule approach the minimiser?"""
    part = "gd-vicinity"
    row = next(iter(select(rows, "search")), None)
    if row is None or row["n"] == 0:
        return Ruling(part, Result.NOT_JUDGED, 0, "No search was run."), []
    first, measured = row["smallest"], "none"
    if first:
        measured = (
            f"{row['far']} of {row['n']:,}; smallest: f = {first['c']} x²/2, α0 = {first['stepsize']}, "
            f"factor {first['decay']} every {first['period']} step(s): lim x_k ≥ {number(first['limit'])} x_0"
        )
    findings = [
        Finding(
            "schedules under which gradient descent on a quadratic never comes within half its distance",
            measured,
            row["n"],
            "Lower bounds of the limit x_0 Π(1 − c α_k) in exact rationals; x_0 may be as far away as one "
            "likes, so may the limit.",
            part,
            reported="none",
            agrees=row["far"] == 0,
        ),
        *_twins(rows, part),
    ]
    if row["far"]:
        why = (
            "On x²/2, analytic and convex, a convergent series of steps below 1/L stops gradient descent at "
            "more than half the start's distance: how near it comes depends on the sum."
        )
        return Ruling(part, Result.DIFFERS, row["n"], why), findings
    return Ruling(part, Result.HOLDS, row["n"], "No such schedule was found."), findings


def ndgm_unclear(rows: Sequence[Row]) -> _Answer:
    """Is it unclear on functions with a sharp minimum?"""
    part = "ndgm-unclear"
    found = {
        family: share(
            (r["worst"] <= 1 + _ROUNDING for r in select(rows, "sharp", family=family)), comparisons=2
        )
        for family in _SHARP
    }
    if not all(each.n for each in found.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every function was run."), []
    findings = []
    for family, name in _SHARP.items():
        mine = select(rows, "sharp", family=family)
        one = max(mine, key=lambda r: r["ratio"])
        left = number(float(np.median([r["end"] for r in mine])), 2)
        findings.append(
            Finding(
                f"{name}, geometric steps: seeds with ||b_k|| ≤ R q^k at every k",
                str(found[family]),
                found[family].n,
                f"q = {one['ratio']:.5f} at condition L/μ = {number(one['condition'])}, {one['steps']:,} "
                f"steps, float64; median distance at the end {left} R. Wilson interval allowing for 2 "
                "comparisons.",
                part,
                reported="unclear",
                interval=found[family].interval,
                agrees=found[family].interval[0] <= 0.9,
            )
        )
    findings += _map(rows, part)
    n = min(each.n for each in found.values())
    if all(each.interval[0] > 0.9 for each in found.values()):
        why = (
            "On convex functions with a sharp minimum it is clear: geometric steps converge linearly, by a "
            "theorem of 1977, and the runs keep its bound. Of other functions they say nothing."
        )
        region = "clear on eq. 7 and on eq. 3 with λ1 > 0; networks are not judged"
        return Ruling(part, Result.IN_PART, n, why, region), findings
    why = "Some runs break the linear bound even on functions with a sharp minimum."
    return Ruling(part, Result.HOLDS, n, why), findings


def cause_kink(rows: Sequence[Row]) -> _Answer:
    """Where the kinked run ends outside the vicinity, does its smooth twin end inside?"""
    part = "cause-kink"
    findings, shares, inside, outside = [], [], 0, 0
    for family, name in FAMILIES.items():
        tables = {width: cells(rows, family, width) for width in WIDTHS[family]}
        if not all(tables.values()):
            return Ruling(part, Attribution.UNDECIDED, 0, "Not every twin was run."), []
        kinked = tables.pop(0.0)
        missed = Counter(cell[0] for cell, end in kinked.items() if end > 1)
        inside, outside = inside + len(kinked) - missed.total(), outside + missed.total()
        for width, table in tables.items():
            saved = Counter(cell[0] for cell, end in table.items() if end <= 1 < kinked.get(cell, 0.0))
            lost = sum(kinked.get(cell, 2.0) <= 1 < end for cell, end in table.items())
            found = share((saved[seed] > missed[seed] / 2 for seed in missed), comparisons=_TWINS)
            shares.append(found)
            findings.append(
                Finding(
                    f"{name}, rounded over {width:g}: seeds whose twin ends inside under most schedules "
                    "under which the kinked run ends outside",
                    str(found),
                    found.n,
                    f"Of {missed.total():,} kinked runs that end outside {saved.total():,} have a twin that "
                    f"ends inside, in {len(saved)} seeds; of {len(kinked) - missed.total():,} that end "
                    f"inside {lost:,} have one that does not. Wilson interval allowing for {_TWINS} "
                    "comparisons.",
                    part,
                    interval=found.interval,
                )
            )
    findings += _distances(rows, part)
    n = min(found.n for found in shares)
    if not inside or not outside:
        why = "All kinked runs end alike: there is no effect to attribute."
        return Ruling(part, Attribution.UNDECIDED, n, why), findings
    if all(found.interval[1] < 0.1 for found in shares):
        why = (
            "Where the kinked run ends short of the vicinity, so does gradient descent on its smooth twins "
            "in nearly every seed: a convergent series stops both."
        )
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    if all(found.interval[0] > 0.9 for found in shares):
        why = (
            "Where the kinked run ends short of the vicinity, its smooth twins reach it in nearly every seed."
        )
        return Ruling(part, Attribution.SUPPORTED, n, why), findings
    why = "Some twins, or some seeds, reach the vicinity where the kinked run does not; others do not."
    return Ruling(part, Attribution.UNDECIDED, n, why), findings


def predicted(total: float, decay: float, period: int) -> bool | None:
    """Whether theory has the kinked toy LASSO end in the vicinity; starts are uniform on [-1, 1]."""
    reach = total / (1 - decay)
    if reach >= 1 and period * decay >= 1 - decay:
        return True
    return False if reach <= 0.5 else None


def cells(rows: Sequence[Row], family: str, width: float) -> dict[_Cell, float]:
    """Final distance of each (seed, first stage, factor), in units of the tolerance."""
    return {
        (seed, row["total"], row["decay"]): end / row["tolerance"]
        for row in select(rows, "ends", family=family, width=width)
        for seed, end in zip(row["seeds"], row["final"], strict=True)
    }


def _twins(rows: Sequence[Row], part: str) -> list[Finding]:
    """How many runs of gradient descent on the smooth twins end in the vicinity."""
    findings = []
    for family, name in FAMILIES.items():
        twins = [r for r in select(rows, "ends", family=family) if r["width"] > 0]
        if not twins:
            continue
        ends = [end for r in twins for end in r["final"]]
        near = sum(end <= r["tolerance"] for r in twins for end in r["final"])
        findings.append(
            Finding(
                f"{name}, smooth twins: runs of gradient descent that end in the vicinity",
                f"{near:,} of {len(ends):,}",
                len({seed for r in twins for seed in r["seeds"]}),
                f"Final distance at most {twins[0]['tolerance']:g} of the first; all schedules and widths, "
                f"interval {twins[0]['period']}.",
                part,
                reported="all",
                agrees=near == len(ends),
            )
        )
    return findings


def _distances(rows: Sequence[Row], part: str) -> list[Finding]:
    """Final distances of the runs that arrive: where each can stop."""
    findings = []
    for family, name in FAMILIES.items():
        medians = []
        for width in WIDTHS[family]:
            mine = select(rows, "ends", family=family, width=width)
            ends = [end for r in mine for end in r["final"]]
            if ends:
                label = f"d = {width:g}" if width else "kinked"
                medians.append(f"{label}: {number(float(np.median(ends)), 2)}")
        if medians:
            findings.append(
                Finding(
                    f"{name}: median final distance over the first, all schedules",
                    ", ".join(medians),
                    len({seed for r in select(rows, "ends", family=family) for seed in r["seeds"]}),
                    "The same schedules and starts, float64.",
                    part,
                )
            )
    return findings


def _map(rows: Sequence[Row], part: str) -> list[Finding]:
    mine = merged(rows)
    if not mine:
        return []
    period = mine[0]["period"]
    spoken, clear, right = against_theory(mine, lambda x, y: predicted(x, y, period))
    return [
        Finding(
            "map over first stage and factor: clear cells that theory gets right",
            f"{right} of {clear}",
            max(cell["n"] for cell in mine),
            "Theory for the kinked toy LASSO: in the vicinity if the sum is at least 1 and the interval "
            f"times the factor at least 1 − factor; not if the sum is at most 1/2; it speaks of {spoken} of "
            f"{len(mine)} cells.",
            part,
        )
    ]


def merged(rows: Sequence[Row]) -> list[Row]:
    """The map's cells, the batches of seeds of each joined."""
    joined: dict[tuple[float, float], Row] = {}
    for cell in select(rows, "map"):
        place = joined.setdefault((cell["x"], cell["y"]), {**cell, "hits": 0, "n": 0})
        place["hits"] += cell["hits"]
        place["n"] += cell["n"]
    return list(joined.values())
