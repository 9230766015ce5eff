"""The six rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.variants_table._experiments import STRENGTHS, predicts_alike
from nonsmooth.claims.variants_table._optimisers import OPTIMISERS
from nonsmooth.findings import (
    Attribution,
    Finding,
    Result,
    Ruling,
    Share,
    against_theory,
    number,
    share,
    share_of,
)

__all__ = ["PRINTED", "cause_kink", "cells", "first_step", "jump", "never_zero", "table", "vanilla_like"]

_Answer = tuple[Ruling, list[Finding]]
# Table 1; momentum's influences are not printed.
PRINTED = {
    ("vanilla", "β0 influences"): True,
    ("vanilla", "λ1 influences"): True,
    ("vanilla", "stays at 0"): True,
    ("momentum", "stays at 0"): False,
    ("RMSProp", "β0 influences"): True,
    ("RMSProp", "λ1 influences"): False,
    ("RMSProp", "stays at 0"): True,
}


def cells(rows: Sequence[Row]) -> dict[tuple[str, str], tuple[bool | None, str]]:
    """By optimiser and column: whether it is so (None: undecided) and what was counted."""
    found: dict[tuple[str, str], tuple[bool | None, str]] = {}
    for name in OPTIMISERS:
        ends = [r for r in _of(rows, "ends") if r["optimiser"] == name]
        if ends:
            columns = (("β0 influences", "starts"), ("λ1 influences", "strengths"))
            for column, field in columns:
                apart = share((r[field] > 1e-4 for r in ends), comparisons=12)
                zero = sum(r["at_zero"] for r in ends)
                told = f"{apart} seeds" + (f"; {zero} end at exactly 0" if zero else "")
                found[name, column] = (_decided(apart), told)
        for row in _of(rows, "at-zero"):
            if row["optimiser"] == name and row["hit"]:
                stays = True if row["stays"] else False if row["leaves"] else None
                found[name, "stays at 0"] = (stays, "10 steps after 0")
    return found


def table(rows: Sequence[Row]) -> _Answer:
    """Is every printed cell found?"""
    part = "table"
    found = cells(rows)
    wanted = {
        (name, column): PRINTED[OPTIMISERS[name].row, column]
        for name in OPTIMISERS
        for column in ("β0 influences", "λ1 influences", "stays at 0")
        if (OPTIMISERS[name].row, column) in PRINTED
    }
    if not set(wanted) <= set(found):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every cell was measured."), []
    n = len({r["seed"] for r in _of(rows, "ends")})
    findings = [
        Finding(
            f"{name} ({OPTIMISERS[name].title}): {column}",
            f"{_word(found[name, column][0])} ({found[name, column][1]})",
            n if "influences" in column else 1,
            "λ1 = 0.1, 1 and 10; pairs of late iterates, float64."
            if "influences" in column
            else "Started where the first step leads to exactly 0, λ1 = 1, float64.",
            part,
            reported=_word(said),
            agrees=found[name, column][0] == said,
        )
        for (name, column), said in wanted.items()
    ]
    wrong = [cell for cell, said in wanted.items() if found[cell][0] is (not said)]
    open_cells = [cell for cell in wanted if found[cell][0] is None]
    if wrong:
        listed = "; ".join(f"{name}: {column}" for name, column in wrong)
        return Ruling(part, Result.DIFFERS, n, f"Found the other way round: {listed}."), findings
    if open_cells:
        listed = "; ".join(f"{name}: {column}, {found[name, column][1]}" for name, column in open_cells)
        return Ruling(part, Result.IN_PART, n, f"Neither way: {listed}."), findings
    why = f"All {len(wanted)} printed cells are found, for the paper's recursions and torch's optimisers."
    return Ruling(part, Result.HOLDS, n, why, region="λ1 = 0.1 to 10"), findings


def jump(rows: Sequence[Row]) -> _Answer:
    """Does momentum jump away from 0?"""
    part = "jump"
    mine = _of(rows, "jump")
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "Nothing was computed."), []
    good = [r for r in mine if r["formula"] and r["jumps"]]
    bad = sorted({r["eta"] for r in mine if not (r["formula"] and r["jumps"])})
    n = len(mine)
    finding = Finding(
        "pairs (η, βN−1) for which eq. 17 holds and βN+1 ≠ 0",
        f"{len(good)} of {n}",
        n,
        "Exact rationals, η = 1/8 ... 7/8. It fails at η = " + (", ".join(map(number, bad)) or "none") + ".",
        part,
        reported="all",
        agrees=len(good) == n,
    )
    if len(good) == n:
        return Ruling(part, Result.HOLDS, n, "Eq. 17 holds and jumps for every η."), [finding]
    if not good:
        return Ruling(part, Result.DIFFERS, n, "It jumps for no η."), [finding]
    why = f"It jumps by eq. 17 except at η = {', '.join(map(number, bad))}."
    return Ruling(part, Result.IN_PART, n, why), [finding]


def first_step(rows: Sequence[Row]) -> _Answer:
    """Are the printed steps the same at each λ1, at t = 0 and later?"""
    part = "first-step"
    mine = sorted(_of(rows, "first-step"), key=lambda r: (r["t"], r["strength"]))
    times = sorted({r["t"] for r in mine})
    at = {t: [r for r in mine if r["t"] == t] for t in times}
    if not times or times[0] != 0 or len(times) == 1:
        return Ruling(part, Result.NOT_JUDGED, 0, "No step was computed at t = 0 and later."), []
    n = min(len(each) for each in at.values())
    apart = {t: max(r["printed"] for r in at[t]) / min(r["printed"] for r in at[t]) - 1 for t in times}
    same = {t: found <= 0.01 for t, found in apart.items()}
    findings = []
    for t, each in at.items():
        told = ", ".join(f"λ1 = {r['strength']:g}: {number(r['printed'])}" for r in each)
        repaired = [r["repaired"] for r in each]
        why = (
            f"Greatest over least: 1 + {number(apart[t], 2)}. With v−1 = 0: {number(repaired[0], 4)} at each "
            f"λ1 (1 + {number(max(repaired) / min(repaired) - 1, 2)})."
        )
        if t == 0:
            steps = ", ".join(number(r["torch"], 4) for r in each)
            why += f" v0 = 0 leaves √ε̄ alone below the gradient: α λ1/√ε̄. torch's RMSprop takes {steps}."
        findings.append(
            Finding(
                f"step of eq. 21 as printed, over α, t = {t}",
                told,
                len(each),
                why,
                part,
                reported="independent of λ1",
                agrees=same[t],
            )
        )
    later = all(same[t] for t in times[1:])
    low, high = number(at[0][0]["printed"]), number(at[0][-1]["printed"])
    first = f"at t = 0 it is α λ1/√ε̄, {low} to {high} times α, in proportion to λ1"
    if same[0] and later:
        return Ruling(part, Result.HOLDS, n, "Every step is the same at each λ1."), findings
    if later:
        most = number(max(apart[t] for t in times[1:]), 2)
        why = (
            f"From t = 1 on the printed step is the same at each λ1 (to {most}); but with v0 = 0 {first}, "
            "and this sets the sequences apart."
        )
        return Ruling(part, Result.IN_PART, n, why, region="every step but the first"), findings
    if same[0]:
        return Ruling(part, Result.IN_PART, n, "Only the first step is the same at each λ1."), findings
    return Ruling(part, Result.DIFFERS, n, f"With v0 = 0 {first}; later steps depend on λ1 too."), findings


def never_zero(rows: Sequence[Row]) -> _Answer:
    """Is any RMSProp run at exactly 0?"""
    part = "never-zero"
    mine = _of(rows, "zeros")
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "No start was run."), []
    n, hits = sum(r["n"] for r in mine), sum(r["zeros"] for r in mine)
    digits, digit_hits = sum(r["digit_starts"] for r in mine), sum(r["digit_zeros"] for r in mine)
    near = sum(r["digit_near"] for r in mine)
    found = share_of(hits, n)
    findings = [
        Finding(
            "starts at exactly 0, sixty digits",
            f"{digit_hits} of {digits}",
            digits,
            f"2600 steps, λ1 = 1. Of these starts {near} have every second late iterate within 10^-6 α of 0.",
            part,
            reported="0",
            agrees=digit_hits == 0,
        ),
        Finding(
            "starts at exactly 0, float64",
            f"{hits:,} of {n:,}",
            n,
            "4000 steps, λ1 = 1, uniform on [−1, 1]; Wilson interval.",
            part,
            reported="0",
            interval=found.interval,
            agrees=hits == 0,
        ),
    ]
    if digit_hits:
        return Ruling(part, Result.DIFFERS, n, f"{digit_hits} starts reach 0 with sixty digits."), findings
    if hits:
        why = (
            f"With sixty digits none of {digits} starts reaches 0; in float64 {found.value:.0%} end at "
            "exactly 0."
        )
        return Ruling(part, Result.IN_PART, n, why, region="over the reals"), findings
    return Ruling(part, Result.HOLDS, n, "No start ends at 0, in either arithmetic."), findings


def vanilla_like(rows: Sequence[Row]) -> _Answer:
    """At which λ1, and in which arithmetic, does RMSProp end as a vanilla run with λ1 = 1 does?"""
    part = "vanilla-like"
    mine = {s: [r for r in _of(rows, "shadow") if r["strength"] == s] for s in STRENGTHS}
    digits = _of(rows, "zeros")
    if not digits or not all(mine.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every λ1 was run."), []
    shares = {
        f"λ1 = {s:g}": share((r["apart"] < 0.01 for r in each), comparisons=12) for s, each in mine.items()
    }
    follow, starts = (sum(r[name] for r in digits) for name in ("digit_follow", "digit_starts"))
    shares["sixty digits"] = share_of(follow, starts, comparisons=12)
    n = min(found.n for found in shares.values())
    findings = [
        Finding(
            f"starts that follow a vanilla run with λ1 = 1 to 1 % of α: {name}",
            str(found),
            found.n,
            (
                "λ1 = 1, 8 steps from iterate 2600. "
                if name == "sixty digits"
                else "float64, 200 steps from "
                "iterate 3000; a start that float64 has brought to 0 follows by staying there. "
            )
            + "Wilson interval allowing for 12 comparisons.",
            part,
            reported="all",
            interval=found.interval,
            agrees=found.hits == found.n,
        )
        for name, found in shares.items()
    ]
    findings += _map(rows, part)
    no = [name for name, found in shares.items() if found.interval[0] <= 0.9]
    if not no:
        return Ruling(part, Result.HOLDS, n, "It does so at every λ1, in both arithmetics."), findings
    if all(found.interval[1] < 0.1 for found in shares.values()):
        return Ruling(part, Result.DIFFERS, n, "It does so at no λ1 tried."), findings
    region = ", ".join(name for name in shares if name not in no)
    why = f"Not followed by nearly every start: {'; '.join(f'{name}: {shares[name]}' for name in no)}."
    return Ruling(part, Result.IN_PART, n, why, region), findings


def cause_kink(rows: Sequence[Row]) -> _Answer:
    """Is RMSProp agnostic of λ1 on differentiable functions too?"""
    part = "cause-kink"
    mine = {t: [r for r in _of(rows, "twins") if r["twin"] == t] for t in ("ridge", "rounded")}
    if not all(mine.values()):
        return Ruling(part, Attribution.UNDECIDED, 0, "No twin was run."), []
    shares = {t: share((r["apart"] < 0.01 for r in each), comparisons=2) for t, each in mine.items()}
    findings = [
        Finding(
            f"seeds whose RMSProp iterate is the same at λ1 = 0.1, 1 and 10: {twin}",
            str(found),
            found.n,
            f"Largest distance after 1000 steps: {number(max(r['apart'] for r in mine[twin]), 2)} α; "
            "float64; Wilson interval allowing for 2 comparisons.",
            part,
            interval=found.interval,
        )
        for twin, found in shares.items()
    ]
    n = min(found.n for found in shares.values())
    if all(found.interval[0] > 0.9 for found in shares.values()):
        counts = ", ".join(map(str, shares.values()))
        why = f"RMSProp is agnostic of λ1 on both differentiable twins ({counts} seeds)."
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    if all(found.interval[1] < 0.1 for found in shares.values()):
        why = "On neither differentiable twin is RMSProp agnostic of λ1."
        return Ruling(part, Attribution.SUPPORTED, n, why), findings
    return Ruling(part, Attribution.UNDECIDED, n, "The twins are divided."), findings


def _decided(found: Share) -> bool | None:
    return True if found.interval[0] > 0.9 else False if found.interval[1] < 0.1 else None


def _word(answer: bool | None) -> str:
    return "undecided" if answer is None else "yes" if answer else "no"


def _map(rows: Sequence[Row], part: str) -> list[Finding]:
    mine = _of(rows, "map")
    if not mine:
        return []
    spoken, clear, right = against_theory(mine, predicts_alike)
    return [
        Finding(
            "clear cells of the map that theory gets right",
            f"{right} of {clear}",
            spoken,
            f"Ends as at λ1 = 100, {mine[0]['n']} seeds a cell; theory: where 1300 ε̄/λ1² is below 1 %, "
            "silent within a factor 5 of λ1 = 360 √ε̄.",
            part,
        )
    ]


def _of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]
