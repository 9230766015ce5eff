"""The eight rulings on results, by the rules that the claim's parts state."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from nonsmooth.claims._claim import Row
from nonsmooth.claims._laws import best_below
from nonsmooth.claims.floor_bound._causes import by_width, floor, of, summed
from nonsmooth.claims.floor_bound._experiments import DIMENSIONS, FADING, NORMS, RATIOS
from nonsmooth.findings import Finding, Result, Ruling, against_theory, number, share_of

__all__ = [
    "cited_bound",
    "diminishing",
    "eq_9",
    "larger_error",
    "limit",
    "lipschitz",
    "lower",
    "upper",
]

_Answer = tuple[Ruling, list[Finding]]


def eq_9(rows: Sequence[Row]) -> _Answer:
    """Is the larger of the two final norms below α λ1?"""
    part = "eq-9"
    mine, exact = _cycles(rows), of(rows, "exact")
    if not mine or not exact:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run for all P, or not in exact arithmetic."), []
    shares = {r["P"]: share_of(r["last_below"], r["n"], comparisons=len(DIMENSIONS)) for r in mine}
    findings = [
        Finding(
            f"starts whose final norms stay below α λ1, P = {r['P']}",
            str(shares[r["P"]]),
            r["n"],
            f"Uniform starts, α λ1 = {number(r['product'])}, float64. The larger final norm is "
            f"{number(r['high'][0])} to {number(r['high'][2])} times α λ1; the mean of the two is P α λ1/2.",
            part,
            reported="all",
            interval=shares[r["P"]].interval,
            agrees=shares[r["P"]].hits == r["n"],
        )
        for r in mine
    ]
    findings += _smallest_exception(exact, part)
    findings += [
        Finding(
            f"starts whose smaller final norm is below α λ1, P = {r['P']}",
            f"{r['best_below'] / r['n']:.4g}",
            r["n"],
            "The most charitable reading of eq. 9. Theory (law of a sum of P uniform entries): "
            f"{_chance(r['best_below_theory'])}.",
            part,
            interval=share_of(r["best_below"], r["n"], comparisons=len(DIMENSIONS)).interval,
        )
        for r in mine
    ]
    findings += _map_against_theory(rows, part)
    n = mine[0]["n"]
    beyond = [found for dimension, found in shares.items() if dimension > 1]
    obeyed = [f"P = {dimension}" for dimension, found in shares.items() if found.interval[0] > 0.9]
    region = f"obeyed for {', '.join(obeyed)}" if obeyed else ""
    if all(found.interval[0] > 0.9 for found in shares.values()):
        return Ruling(part, Result.HOLDS, n, "Both final norms stay below α λ1 at every P.", region), findings
    if all(found.interval[1] < 0.1 for found in beyond):
        hits = sum(found.hits for found in beyond)
        why = (
            f"For P > 1 the larger final norm is below α λ1 in {hits} of {sum(f.n for f in beyond):,} "
            "starts: the factor P of Proposition B.6 is missing."
        )
        return Ruling(part, Result.DIFFERS, n, why, region), findings
    return Ruling(part, Result.IN_PART, n, "Only some starts, or some P, obey it.", region), findings


def limit(rows: Sequence[Row]) -> _Answer:
    """Do the two final norms agree?"""
    part = "limit"
    mine, exact = _cycles(rows), of(rows, "exact")
    if not mine or not exact:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run for all P, or not in exact arithmetic."), []
    shares = [share_of(r["one_norm"], r["n"], comparisons=len(DIMENSIONS)) for r in mine]
    hits, n = sum(found.hits for found in shares), mine[0]["n"]
    findings = [
        Finding(
            "starts whose norm has a limit",
            f"{hits} of {n * len(mine):,}",
            n * len(mine),
            "Uniform starts, all P: the two final norms agree to 1e-9 of P α λ1, float64. Of the rational "
            f"starts {summed(exact, 'one_norm'):,} of {summed(exact, 'n'):,} have one (P α λ1/2, exact): "
            "over the reals a set of probability 0.",
            part,
            reported="all",
            agrees=hits == n * len(mine),
        )
    ]
    if all(found.hits == found.n for found in shares):
        return Ruling(part, Result.HOLDS, n, "The norm has a limit in every run."), findings
    if all(found.interval[1] < 0.1 for found in shares):
        why = f"The norm alternates between two values in {n * len(mine) - hits:,} of {n * len(mine):,} runs."
        return Ruling(part, Result.DIFFERS, n, why), findings
    return Ruling(part, Result.IN_PART, n, "The norm has a limit in some runs."), findings


def lipschitz(rows: Sequence[Row]) -> _Answer:
    """Is λ1 a Lipschitz constant, and in which norm?"""
    part = "lipschitz"
    mine = {(r["P"], r["norm"]): r for r in of(rows, "quotients")}
    if mine.keys() != set(itertools.product(DIMENSIONS, NORMS)):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run for all P and norms."), []
    greatest = {norm: [mine[P, norm]["greatest"] for P in DIMENSIONS] for norm in NORMS}
    obeyed = {norm: [value <= 1 + 1e-9 for value in values] for norm, values in greatest.items()}
    n = min(r["n"] for r in mine.values())
    findings = [
        Finding(
            f"least Lipschitz constant of eq. 7 over λ1, {norm} norm",
            ", ".join(f"P = {P}: {number(value, 4)}" for P, value in zip(DIMENSIONS, values, strict=True)),
            sum(r["n"] for (_, name), r in mine.items() if name == norm),
            f"Greatest quotient over pairs, (1, ..., 1) and 0 among them. Theory: {_CONSTANTS[norm]}.",
            part,
            reported="1",
            agrees=all(obeyed[norm]),
        )
        for norm, values in greatest.items()
    ]
    if all(obeyed["Euclidean"]):
        return Ruling(part, Result.HOLDS, n, "λ1 bounds every Euclidean quotient."), findings
    if all(obeyed["L1"]) or obeyed["Euclidean"][0]:
        why = (
            "λ1 is a Lipschitz constant in the L1 norm; in the Euclidean norm of the cited bound the "
            f"quotient reaches {number(greatest['Euclidean'][-1])} λ1 at P = {DIMENSIONS[-1]}."
            if all(obeyed["L1"])
            else "λ1 bounds the Euclidean quotients for P = 1 only."
        )
        region = "in the L1 norm; in the Euclidean norm for P = 1" if all(obeyed["L1"]) else "P = 1"
        return Ruling(part, Result.IN_PART, n, why, region), findings
    return Ruling(part, Result.DIFFERS, n, "λ1 bounds the quotients in neither norm."), findings


_CONSTANTS = {"L1": "1", "Euclidean": "√P", "max": "P"}


def cited_bound(rows: Sequence[Row]) -> _Answer:
    """Do the best and the last norm obey P α λ1/2?"""
    part = "cited-bound"
    mine, exact = _cycles(rows), of(rows, "exact")
    if not mine or not exact:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run for all P, or not in exact arithmetic."), []
    n, total = mine[0]["n"], summed(mine, "n")
    best, last = summed(mine, "best_in_half"), summed(mine, "last_in_half")
    broken = summed(exact, "best_above_half")
    findings = [
        Finding(
            "starts whose smaller, and whose larger, final norm is at most P α λ1/2",
            f"{best:,} and {last:,} of {total:,}",
            total,
            "Uniform starts, all P, float64: α L²/2 over λ1 with L = λ1 √P. Boyd, Xiao and Mutapcic (2003), "
            "Section 2, bound the best value found so far.",
            part,
            reported="all and all",
            agrees=best == total and last == total,
        ),
        Finding(
            "rational starts whose smaller final norm is above P α λ1/2",
            f"{broken} of {summed(exact, 'n'):,}",
            summed(exact, "n"),
            "Exact arithmetic, P = 1, 2, 3, starts without a multiple of α λ1.",
            part,
        ),
    ]
    if best < total or broken:
        why = "The best iterate breaks the source's bound."
        return Ruling(part, Result.DIFFERS, n, why), findings
    if last == total:
        return Ruling(part, Result.HOLDS, n, "Best and last iterates obey the bound."), findings
    why = (
        "The source's bound, on the best iterate, is obeyed by every start; taken for the limit it is by "
        f"{last} of {total:,}."
    )
    return Ruling(part, Result.IN_PART, n, why, "for the best iterate"), findings


def upper(rows: Sequence[Row]) -> _Answer:
    """Is the larger final norm below P α λ1?"""
    part = "upper"
    mine, exact = _cycles(rows), of(rows, "exact")
    if not mine or not exact:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run for all P, or not in exact arithmetic."), []
    n = total = summed(mine, "n")
    floats, broken = summed(mine, "below_B6"), summed(exact, "above_B6")
    findings = [
        Finding(
            "uniform starts with limsup ||b||_1 < P α λ1",
            f"{floats:,} of {total:,}",
            total,
            f"P = {DIMENSIONS[0]} to {DIMENSIONS[-1]}, float64. Over P α λ1 the largest by P: "
            + ", ".join(f"{r['P']}: {number(r['high'][2] / r['P'])}" for r in mine)
            + ".",
            part,
            reported="all",
            agrees=floats == total,
        ),
        Finding(
            "rational starts with limsup ||b||_1 ≥ P α λ1",
            f"{broken} of {summed(exact, 'n'):,}",
            summed(exact, "n"),
            f"Exact; the largest found is {number(max(r['highest'] for r in exact), 5)} of the bound. The "
            "bound is sharp: with every entry at (1 - ε) α λ1 the norm is (1 - ε) P α λ1.",
            part,
            reported="0",
            agrees=broken == 0,
        ),
    ]
    if floats == total and broken == 0:
        why = "No start reaches P α λ1, in float64 or in exact rationals; the bound cannot be lowered."
        return Ruling(part, Result.HOLDS, n, why), findings
    return Ruling(part, Result.DIFFERS, n, f"{total - floats + broken} starts reach P α λ1."), findings


def lower(rows: Sequence[Row]) -> _Answer:
    """Do exactly the multiples of α λ1 end at 0?"""
    part = "lower"
    mine, exact = _cycles(rows), of(rows, "exact")
    if not exact:
        return Ruling(part, Result.NOT_JUDGED, 0, "No rationals were enumerated."), []
    n, surprises = summed(exact, "all"), summed(exact, "surprises")
    findings = [
        Finding(
            "rational starts that end at 0; those with every entry a multiple of α λ1",
            f"{summed(exact, 'zero'):,}; {summed(exact, 'all_multiples'):,}",
            n,
            f"Exact, P = 1, 2, 3. {surprises} belong to one set only. Among the others liminf over P α λ1 "
            f"goes down to {number(min(r['lowest'] for r in exact), 2)}: no positive bound serves all "
            "starts.",
            part,
            reported="the same starts",
            agrees=surprises == 0,
        )
    ]
    if mine:
        positive, total = summed(mine, "above_zero"), summed(mine, "n")
        findings.append(
            Finding(
                "uniform starts with liminf ||b||_1 > 0",
                f"{positive:,} of {total:,}",
                total,
                "float64. Least of liminf over P α λ1, by P: "
                + ", ".join(f"{r['P']}: {number(r['low'][0] / r['P'], 2)}" for r in mine)
                + ".",
                part,
                reported="all",
                agrees=positive == total,
            )
        )
    if surprises:
        return Ruling(part, Result.DIFFERS, n, f"{surprises} other starts end at 0, or fail to."), findings
    why = "Exactly the starts with every entry a multiple of α λ1 end at 0: a countable set."
    return Ruling(part, Result.HOLDS, n, why, "with probability 1"), findings


def larger_error(rows: Sequence[Row]) -> _Answer:
    """Is the error larger at the larger λ1: the mean of the two final norms, the larger, the last one?"""
    part = "larger-error"
    mine = {ratio: [r for r in of(rows, "pairs") if r["ratio"] == ratio] for ratio in RATIOS}
    if not all(mine.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not compared at every ratio of λ1."), []
    every = [r for each in mine.values() for r in each]
    n, total = min(r["n"] for r in every), summed(every, "n")
    products, dimensions = (
        sep.join(map(number, sorted({r[field] for r in every})))
        for field, sep in (("product", ", "), ("P", " and "))
    )
    setting = f"α λ1 = {products}, P = {dimensions}, uniform starts, float64"
    obeyed = {error: summed(every, error) == total for error in _ERRORS}
    findings = [
        Finding(
            f"starts with the larger error at the larger λ1: {name}",
            f"{summed(every, error):,} of {total:,}",
            total,
            "By how many times as large λ1 is: "
            + ", ".join(f"{ratio:g}: {summed(r, error) / summed(r, 'n'):.1%}" for ratio, r in mine.items())
            + f". {setting}.",
            part,
            reported="all",
            agrees=obeyed[error],
        )
        for error, name in _ERRORS.items()
    ]
    findings += _mean_norm(rows, part)
    if all(obeyed.values()):
        return Ruling(part, Result.HOLDS, n, "The error grows with λ1 in all three senses."), findings
    if not any(obeyed.values()):
        return Ruling(part, Result.DIFFERS, n, "In no sense does the error grow for every start."), findings
    region = [f"for {_ERRORS[error]}" for error in _ERRORS if obeyed[error]]
    broken = [k for k, each in enumerate(mine.values()) if summed(each, "larger") < summed(each, "n")]
    if broken and broken[-1] + 1 < len(RATIOS):
        region.append(f"for the larger of them once λ1 is {RATIOS[broken[-1] + 1]:g} times as large")
    less = "; ".join(
        f"{name}: {total - summed(every, error):,} of {total:,}"
        for error, name in _ERRORS.items()
        if not obeyed[error]
    )
    why = f"Comparisons in which the larger λ1 has no larger error: {less}."
    return Ruling(part, Result.IN_PART, n, why, "; ".join(region)), findings


_ERRORS = {
    "mean": "the mean of the two final norms",
    "larger": "the larger of them",
    "last": "the last iterate",
}


def _mean_norm(rows: Sequence[Row], part: str) -> list[Finding]:
    kinked = by_width(rows).get(0.0, [])
    if not kinked:
        return []
    low, high = floor(kinked)
    return [
        Finding(
            "mean of the last two L1 norms over P α λ1/2",
            f"{low:.6f} to {high:.6f}",
            min(r["n"] for r in kinked),
            f"P = 2, α λ1 from {number(kinked[0]['product'])} to {number(kinked[-1]['product'])}, float64.",
            part,
            interval=(low, high),
        )
    ]


def diminishing(rows: Sequence[Row]) -> _Answer:
    """Does the sequence follow the step to 0?"""
    part = "diminishing"
    mine = [r for r in of(rows, "shrinking") if r["kind"] == FADING]
    mine.sort(key=lambda r: (r["schedule"], r["product"]))
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
    n = min(r["n"] for r in mine)
    shares = [share_of(r["with_step"], r["n"], comparisons=7) for r in mine]
    findings = [
        Finding(
            f"steps {r['schedule']}, α λ1 = {number(r['product'])}: starts that follow the step to 0",
            str(found),
            r["n"],
            f"After a tenth of the run no entry leaves 1.01 times {number(r['step'], 2)}, the step then "
            "times λ1. P = 2, float64.",
            part,
            reported="all",
            interval=found.interval,
            agrees=found.hits == found.n,
        )
        for r, found in zip(mine, shares, strict=True)
    ]
    if all(found.hits == found.n for found in shares):
        why = "Every start stays within the current step of 0, and so tends to 0 with it."
        return Ruling(part, Result.HOLDS, n, why, "eq. 4's steps, with their infinite sum"), findings
    if all(found.interval[0] > 0.9 for found in shares):
        return Ruling(part, Result.IN_PART, n, "Nearly all starts follow the step to 0."), findings
    return Ruling(part, Result.DIFFERS, n, "Some starts do not follow the step to 0."), findings


def _cycles(rows: Sequence[Row]) -> list[Row]:
    """One row a dimension, in order; nothing where one is missing."""
    mine = sorted(of(rows, "cycles"), key=lambda r: r["P"])
    return mine if [r["P"] for r in mine] == list(DIMENSIONS) else []


def _smallest_exception(exact: Sequence[Row], part: str) -> list[Finding]:
    """The exception to eq. 9 with the fewest entries and the smallest denominators."""
    broken = sorted((r for r in exact if r["above_eq_9"]), key=_size)
    if not broken:
        return []
    first = broken[0]
    regular = sum(r["n"] for r in exact if r["P"] > 1)
    return [
        Finding(
            "smallest exact exception to eq. 9",
            f"b0 = ({', '.join(first['smallest'])}), α λ1 = {first['product']}: norm "
            f"{first['smallest_norm']}",
            summed(exact, "n"),
            f"Of the rational starts without a multiple of α λ1, {summed(exact, 'above_eq_9'):,} are "
            f"exceptions; {regular:,} of all have P > 1.",
            part,
            reported=f"below {first['product']}",
            agrees=False,
        )
    ]


def _size(row: Row) -> tuple[int, int, str]:
    """Entries, greatest denominator and α λ1 of an exact row's smallest exception."""
    denominators = [Fraction(b).denominator for b in (*row["smallest"], row["product"])]
    return row["P"], max(denominators), row["product"]


def _chance(value: float) -> str:
    return f"{value:.4g}" if value > 1e-9 else "below 1e-9"  # where rounding ends


def _map_against_theory(rows: Sequence[Row], part: str) -> list[Finding]:
    cells = sorted(of(rows, "map"), key=lambda r: (r["x"], r["y"]))
    if not cells:
        return []
    spoken, clear, right = against_theory(cells, lambda x, y: best_below(int(y), x) > 0.5)
    return [
        Finding(
            "map of the smaller final norm below α λ1: clear cells that theory gets right",
            f"{right} of {clear}",
            spoken,
            "Clear: more or fewer than half of the starts, by the 95 % Wilson interval allowing for all "
            "cells. Theory: the law of the sum, a function of P alone while 1/(α λ1) is a whole number.",
            part,
        )
    ]
