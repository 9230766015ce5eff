"""The four rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.toy_lasso_orbit._experiments import CHUNKS, DTYPES, PRODUCTS, WIDTHS
from nonsmooth.findings import Attribution, Finding, Result, Ruling, against_theory, number, share_of

__all__ = ["cause_kink", "formula_8", "non_zero", "orbit"]

_Answer = tuple[Ruling, list[Finding]]


def non_zero(rows: Sequence[Row]) -> _Answer:
    """Do exactly the multiples of α λ1 reach 0?"""
    part = "non-zero"
    exact = _of(rows, "rationals")
    if not exact:
        return Ruling(part, Result.NOT_JUDGED, 0, "No rationals were enumerated."), []
    n, surprises = _total(exact, "n"), _total(exact, "surprises")
    findings = [
        Finding(
            "starts that reach 0 without being a multiple of α λ1",
            str(surprises),
            n,
            "Every j/q of the enumeration, four values of α λ1, exact rationals.",
            part,
            reported="0",
            agrees=surprises == 0,
        ),
        *_in_float32(rows, part),
    ]
    if surprises:
        why = f"{surprises} starts reach 0 without being a multiple of α λ1, or do not although they are."
        return Ruling(part, Result.DIFFERS, n, why), findings
    why = "Exactly the multiples of α λ1 reach 0: a countable set."
    return Ruling(part, Result.HOLDS, n, why, region="over the reals, b0 uniform"), findings


def orbit(rows: Sequence[Row]) -> _Answer:
    """Does every start end in the two-cycle, exactly and in floating point?"""
    part = "orbit"
    exact, floats = _of(rows, "rationals"), _of(rows, "orbits")
    run = {(r["dtype"], r["product"]) for r in floats}
    if not exact or run != set(itertools.product(DTYPES, PRODUCTS)):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not all of exact and float orbits were run."), []
    cycles, others = _total(exact, "cycles"), _total(exact, "n") - _total(exact, "zeros")
    findings = [
        Finding(
            "exact starts off the multiples that end in a two-cycle",
            f"{cycles:,} of {others:,}",
            others,
            "Exact rationals, after floor(|b0|/(α λ1)) + 1 steps.",
            part,
            reported="all",
            agrees=cycles == others,
        )
    ]
    shares = []
    for dtype in DTYPES:
        mine = [r for r in floats if r["dtype"] == dtype]
        good, n = _total(mine, "cycles"), _total(mine, "n") - _total(mine, "zeros")
        found = share_of(good, n, comparisons=12)
        shares.append(found)
        longest = max(r["N0_high"] for r in mine)
        findings.append(
            Finding(
                f"{dtype} starts that end in a two-cycle, bit for bit",
                f"{good:,} of {n:,}",
                n,
                "Uniform starts, α λ1 from 1e-4 to 10; Wilson interval allowing for 12 comparisons. "
                f"N0 = floor(|b0|/(α λ1)), up to {longest:,.0f} steps at α λ1 = 1e-4.",
                part,
                reported="all",
                interval=found.interval,
                agrees=good == n,
            )
        )
    n = _total(floats, "n")
    least, low = min(found.value for found in shares), min(found.interval[0] for found in shares)
    if cycles == others and least == 1:
        why = "Every start ends in the two-cycle, exactly and in both float formats."
        return Ruling(part, Result.HOLDS, n, why), findings
    if cycles == others and low > 0.95:
        why = f"Exact always; in floating point for {least:.1%} of the starts."
        return Ruling(part, Result.IN_PART, n, why), findings
    why = "Some starts do not end in the two-cycle; see the rows."
    return Ruling(part, Result.DIFFERS, n, why), findings


def formula_8(rows: Sequence[Row]) -> _Answer:
    """Does one parity serve all entries?"""
    part = "formula-8"
    mine = sorted(_of(rows, "formula"), key=lambda r: r["P"])
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "No starts were run."), []
    shares = {r["P"]: share_of(r["common"], r["n"], comparisons=5) for r in mine}
    n, literal, repaired = _total(mine, "n"), _total(mine, "literal"), _total(mine, "repaired")
    findings = [
        Finding(
            f"starts with one parity for all entries, P = {dimension}",
            f"{found.value:.4f}",
            found.n,
            f"Expected 2^(1-P) = {2.0 ** (1 - dimension):.4f}. "
            "Wilson interval allowing for 5 comparisons, float64.",
            part,
            reported="1",
            interval=found.interval,
            agrees=found.hits == found.n,
        )
        for dimension, found in shares.items()
    ]
    findings += [
        Finding(
            "starts for which eq. 8 holds literally, “for every N ≥ N0”",
            f"{literal} of {n:,}",
            n,
            "The same entry would have to be positive at N and at N + 1.",
            part,
            reported="all",
            agrees=literal == n,
        ),
        Finding(
            "starts for which a repaired formula holds",
            f"{repaired:,} of {n:,}",
            n,
            "γk of either sign in (-α λ1, α λ1), alternating with γk - sign(γk) α λ1.",
            part,
        ),
        *_map_findings(rows, part),
    ]
    region = ", ".join(f"P = {dimension}: {found.value:.3g}" for dimension, found in shares.items())
    if all(found.interval[0] > 0.95 for found in shares.values()):
        return Ruling(part, Result.HOLDS, n, "One parity serves all entries.", region), findings
    if all(found.interval[1] < 0.05 for dimension, found in shares.items() if dimension > 1):
        why = "Hardly any start has one parity for all entries."
        return Ruling(part, Result.DIFFERS, n, why, region), findings
    why = (
        "It holds entry by entry, each with its own N (eq. 14); one N for all entries exists for a share of "
        "starts that falls as 2^(1-P). A smallest counter-example: P = 2, b0 = (α λ1/2, 3 α λ1/2): at "
        "every N ≥ 1 one entry is positive and the other negative."
    )
    return Ruling(part, Result.IN_PART, n, why, region), findings


def cause_kink(rows: Sequence[Row]) -> _Answer:
    """Is it the kink that no constant step is small enough for?"""
    part = "cause-kink"
    mine = _of(rows, "twins")
    kinked = [r for r in mine if r["kind"] == "constant" and r["width"] == 0]
    twins = {width: [r for r in mine if r["kind"] == "constant" and r["width"] == width] for width in WIDTHS}
    fading = next((r for r in mine if r["kind"] == "diminishing"), None)
    if fading is None or not kinked or not all(twins.values()):
        return Ruling(part, Attribution.UNDECIDED, 0, "No twin was run."), []
    n = fading["n"]
    converged = _total(kinked, "converged")
    findings = [
        Finding(
            "kinked runs with |b| < 1e-6 at the end, over all steps",
            f"{converged:,} of {_total(kinked, 'n'):,}",
            _total(kinked, "n"),
            f"{len(kinked)} values of α λ1 from 1e-3 to 10, float64.",
            part,
        ),
        *(_about_twin(width, runs, part) for width, runs in twins.items()),
        Finding(
            "diminishing steps on the kinked penalty: median |b| at the end",
            number(fading["amplitude"], 2),
            n,
            f"α/(1+t)^0.5, α = 0.1, 40,000 steps, float64; {fading['exact_zero']} of {n} starts end at an "
            "exact 0, by rounding: near the kink the signs take repeated differences of neighbouring steps. "
            "Over the reals one of two late iterates stays of the order of the step.",
            part,
        ),
    ]
    wrong = sum(_off_threshold(width, runs) for width, runs in twins.items())
    if converged == 0 and wrong == 0 and fading["converged"] == fading["n"]:
        why = (
            "At a fixed step the twin does the same once α λ1 > 2 d, but only the kinked penalty (d = 0) has "
            "no step small enough."
        )
        region = "no constant step; a given step also stalls on a twin with d < α λ1/2"
        return Ruling(part, Attribution.SUPPORTED, n, why, region), findings
    smallest = [min(runs, key=lambda r: r["product"]) for runs in twins.values()]
    if all(r["converged"] == 0 for r in smallest):
        why = "The smooth twin does not converge at small steps either."
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    why = f"The twin departs from its 2/L threshold at {wrong} settings, or kinked runs converge."
    return Ruling(part, Attribution.UNDECIDED, n, why), findings


def _of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]


def _total(rows: Sequence[Row], field: str) -> int:
    return sum(r[field] for r in rows)


def _map_findings(rows: Sequence[Row], part: str) -> list[Finding]:
    """The map of P and α λ1 against 2^(1-P): on which side of one half, and how near."""
    cells = _of(rows, "map")
    if not cells:
        return []
    spoken, clear, right = against_theory(cells, lambda _, P: None if P == 2 else P == 1)
    inside = 0
    for cell in cells:
        low, high = share_of(cell["hits"], cell["n"], comparisons=len(cells)).interval
        inside += low - 1e-12 <= 2.0 ** (1 - cell["y"]) <= high + 1e-12
    products = sorted({cell["x"] for cell in cells})
    return [
        Finding(
            "clear cells of the map that theory gets right",
            f"{right} of {clear}",
            _total(cells, "n"),
            f"Share 2^(1-P), whatever α λ1 (from {products[0]:g} to {products[-1]:g}): above one half for "
            f"P = 1, below it for P ≥ 3: {spoken} cells (at P = 2 it is one half). In {inside} of all "
            f"{len(cells)} cells 2^(1-P) lies inside the Wilson interval that allows for {len(cells)} "
            "comparisons.",
            part,
        )
    ]


def _in_float32(rows: Sequence[Row], part: str) -> list[Finding]:
    """What floating point makes of probability 1; said only where every start was tried."""
    quarters = _of(rows, "every-float32")
    if len(quarters) < CHUNKS:
        return []
    total, zeros = _total(quarters, "n"), _total(quarters, "zeros")
    return [
        Finding(
            "float32 starts that do reach an exact 0",
            f"{zeros:,} of {total:,} ({zeros / total:.2g})",
            total,
            "All 2^24 values of a float32 uniform generator on [-1, 1), "
            f"α λ1 = {quarters[0]['product']:.3g}: an exhaustive count, no sample. “With probability 1” is a "
            "statement over the reals; in float32 a start is a multiple of the spacing, and rounding maps a "
            "few onto α λ1 or absorbs them.",
            part,
        )
    ]


def _about_twin(width: float, runs: Sequence[Row], part: str) -> Finding:
    """The last step at which every start converges on a twin, and the first at which some does not."""
    top = max((r["product"] for r in runs if r["converged"] == r["n"]), default=float("nan"))
    least = min((r["product"] for r in runs if r["converged"] < r["n"]), default=float("nan"))
    return Finding(
        f"smooth twin of width {width:g}: converges up to α λ1 =",
        number(top, 4),
        _total(runs, "n"),
        f"First step at which some start does not converge: {number(least, 4)}; "
        f"theory 2/L = 2 d: {2 * width:g}.",
        part,
        interval=(top, least),
    )


def _off_threshold(width: float, runs: Sequence[Row]) -> int:
    """At how many steps a twin of this width does not behave as 2/L = 2 d says."""
    below = [r for r in runs if r["product"] < 2 * width]
    above = [r for r in runs if r["product"] > 2 * width]
    return sum(r["converged"] < r["n"] for r in below) + sum(r["converged"] > 0 for r in above)
