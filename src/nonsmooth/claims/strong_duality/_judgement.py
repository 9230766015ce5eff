"""The nine rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.strong_duality._experiments import KINDS, select
from nonsmooth.findings import Finding, Result, Ruling, against_theory

__all__ = ["a1", "a2", "a3", "a4", "a4_converse", "a5", "kink_eq_3", "never_vertical", "one_or_many"]

_Answer = tuple[Ruling, list[Finding]]
_EXACT = "Functions of one variable, piecewise linear on the integers, exact rationals"


def a1(rows: Sequence[Row]) -> _Answer:
    """Is q* = w* exactly where p is lower semicontinuous?"""
    part, proper, wild = "A.1", _about(rows, "A.1"), _about(rows, "A.1 improper")
    if proper is None or wild is None:
        return _silent(part)
    n, fails = proper["n"] + wild["n"], proper["fails"] + wild["fails"]
    why = f"{_EXACT}; {wild['n']} of them are −∞ somewhere."
    finding = Finding("functions that break A.1", f"{fails} of {n:,}", n, why, part, "0", agrees=fails == 0)
    if fails:
        return Ruling(part, Result.DIFFERS, n, f"Broken by {_smallest(proper, wild)}."), [finding]
    return Ruling(part, Result.HOLDS, n, "No counter-example; see the notes for the proof."), [finding]


def a2(rows: Sequence[Row]) -> _Answer:
    """Is q* = w* = f(0) where the minimum is at 0?"""
    part, found, polytopes = "A.2", _about(rows, "A.2"), select(rows, "polytopes")
    if found is None or not polytopes:
        return _silent(part)
    apart = sum(not _equal(r["common"], r["crossing"]) for r in polytopes)
    findings = [
        _counted("functions with q* ≠ f(0) or w* ≠ f(0)", found, part),
        Finding(
            "polytopes with q* ≠ w*",
            f"{apart} of {len(polytopes)}",
            len(polytopes),
            f"n = {polytopes[0]['dimension']}, minimum at 0: two linear programmes, float64, to 1e-9.",
            part,
            reported="0",
            agrees=apart == 0,
        ),
    ]
    n = found["n"] + len(polytopes)
    if found["fails"] or apart:
        why = f"Broken by {found['smallest'] or 'a polytope of the rows'}."
        return Ruling(part, Result.DIFFERS, n, why), findings
    return Ruling(part, Result.HOLDS, n, "No counter-example; the horizontal hyperplane proves it."), findings


def a3(rows: Sequence[Row]) -> _Answer:
    """Does the horizontal line support M, and does none cross higher?"""
    part, found = "A.3", _about(rows, "A.3")
    if found is None:
        return _silent(part)
    finding = _counted("functions without the family, or with a higher crossing", found, part)
    if found["fails"]:
        return Ruling(part, Result.DIFFERS, found["n"], f"Broken by {found['smallest']}."), [finding]
    why = "The horizontal hyperplane is always in the family, and none crosses higher."
    return Ruling(part, Result.HOLDS, found["n"], why), [finding]


def never_vertical(rows: Sequence[Row]) -> _Answer:
    """Is a supporting hyperplane at the minimum ever vertical?"""
    part, found, inside = "never-vertical", _about(rows, "vertical"), _about(rows, "vertical inside")
    polytopes = select(rows, "polytopes")
    if found is None or inside is None or not polytopes:
        return _silent(part)
    edge = [r for r in polytopes if r["boundary"]]
    middle = [r for r in polytopes if not r["boundary"]]
    on_edge, within = (sum(r["vertical"] for r in group) for group in (edge, middle))
    findings = [
        _counted("functions with a vertical supporting line at the minimum", found, part),
        Finding(
            "the same, with 0 in the interior of the domain",
            f"{inside['fails']} of {inside['n']:,}",
            inside["n"],
            f"{_EXACT}: what the repair says.",
            part,
        ),
        Finding(
            "polytopes with a vertical supporting hyperplane",
            f"{on_edge} of {len(edge)} with 0 on the boundary of the domain; {within} of {len(middle)} "
            "inside",
            len(polytopes),
            f"n = {polytopes[0]['dimension']}, by a linear programme, float64.",
            part,
        ),
    ]
    n = found["n"] + len(polytopes)
    if found["fails"] or on_edge or within:
        example = (
            f": the line x = 0 has all of M on one side for {found['smallest']}" if found["fails"] else ""
        )
        repaired = inside["fails"] + within == 0
        region = "true where 0 is interior to the domain, so for eq. 3" if repaired else ""
        why = f"False for extended-valued f with its minimum on the boundary of the domain{example}."
        return Ruling(part, Result.DIFFERS, n, why, region), findings
    return Ruling(part, Result.HOLDS, n, "No vertical supporting hyperplane found."), findings


def a4(rows: Sequence[Row]) -> _Answer:
    """Does every closed proper convex function have the finite minimum that the conditions ask for?"""
    part, found, repaired = "A.4", _about(rows, "A.4"), _about(rows, "A.4 repaired")
    if found is None or repaired is None:
        return _silent(part)
    findings = [
        _counted("closed proper convex functions without a finite minimum", found, part),
        Finding(
            "closed proper convex functions with a minimum for which q* = w* = f(c) fails on the axis "
            "through c",
            f"{repaired['fails']} of {repaired['n']:,}",
            repaired["n"],
            f"{_EXACT}: what the repair says.",
            part,
        ),
    ]
    if found["fails"]:
        why = (
            f"{found['smallest']} is closed, proper and convex, and has no finite global minimum, which the "
            "proof takes for granted."
        )
        region = "true of those that attain their minimum" if not repaired["fails"] else ""
        return Ruling(part, Result.DIFFERS, found["n"], why, region), findings
    return Ruling(part, Result.HOLDS, found["n"], "All attain a finite minimum."), findings


def a4_converse(rows: Sequence[Row]) -> _Answer:
    """Footnote 9: is every convex function with a finite minimum closed and proper?"""
    part, found, proper = "A.4-converse", _about(rows, "A.4 converse"), _about(rows, "proper")
    wild = _about(rows, "finite minimum improper")
    if found is None or proper is None or wild is None:
        return _silent(part)
    not_proper = proper["fails"] + wild["fails"]
    findings = [
        Finding(
            "functions with a finite minimum at 0 that are not closed; not proper",
            f"{found['fails']:,} of {found['n']:,}; {not_proper}",
            found["n"],
            f"{_EXACT}. {wild['n']} functions with the value −∞ were searched for a finite minimum as well.",
            part,
            reported="possibly none",
            agrees=found["fails"] + not_proper == 0,
        )
    ]
    if found["fails"] or not_proper:
        about_proper = (
            "Such functions are all proper" if not not_proper else "Not all such functions are proper"
        )
        example = f", but {found['smallest']} is not closed" if found["fails"] else ""
        return Ruling(part, Result.DIFFERS, found["n"], f"{about_proper}{example}."), findings
    return Ruling(part, Result.HOLDS, found["n"], "All are closed and proper."), findings


def a5(rows: Sequence[Row]) -> _Answer:
    """On which axis is q* = w* = f(c)?"""
    part, literal, moved = "A.5", _about(rows, "A.5 literal"), _about(rows, "A.5 translated")
    gap = _about(rows, "A.5 gap")
    if literal is None or moved is None or gap is None:
        return _silent(part)
    n = literal["n"]
    findings = [
        Finding(
            "functions with a finite minimum at c and w* ≠ f(c), axis through 0",
            f"{literal['fails']:,} of {n:,}",
            n,
            f"{_EXACT}. Smallest: {literal['smallest'] or 'none'}. For {gap['fails']} even q* ≠ w*"
            + (f", first for {gap['smallest']}." if gap["fails"] else "."),
            part,
            reported="0",
            agrees=literal["fails"] == 0,
        ),
        Finding(
            "the same on the vertical through c",
            f"{moved['fails']} of {n:,}",
            n,
            f"{_EXACT}; the proof's g(y) = f(y + c).",
            part,
            reported="0",
            agrees=moved["fails"] == 0,
        ),
    ]
    if moved["fails"]:
        why = f"Broken in either reading, by {moved['smallest']}."
        return Ruling(part, Result.DIFFERS, n, why), findings
    if literal["fails"]:
        why = (
            "True on the vertical through c, as the proof has it; with w* as A.2.2 defines it, on the "
            f"axis through 0, w* = f(0), which is not f(c) for {literal['smallest']}."
        )
        return Ruling(part, Result.IN_PART, n, why, "w* and q* on the vertical through c"), findings
    return Ruling(part, Result.HOLDS, n, "True in both readings."), findings


def one_or_many(rows: Sequence[Row]) -> _Answer:
    """Is there one supporting line exactly where the function is differentiable?"""
    part, found, smooth = "one-or-many", _about(rows, "one or many"), _about(rows, "smooth among these")
    if found is None or smooth is None:
        return _silent(part)
    n = found["n"]
    why = f"{_EXACT}; {smooth['fails']} are differentiable at 0, {n - smooth['fails']:,} have a kink there."
    finding = Finding(
        "functions with one line at a kink, or several at a smooth minimum",
        f"{found['fails']} of {n:,}",
        n,
        why,
        part,
        reported="0",
        agrees=found["fails"] == 0,
    )
    if found["fails"]:
        return Ruling(part, Result.DIFFERS, n, f"Broken by {found['smallest']}."), [finding]
    why = "One line exactly where the slopes left and right of the minimum agree."
    return Ruling(part, Result.HOLDS, n, why, "minimum in the interior of the domain"), [finding]


def kink_eq_3(rows: Sequence[Row]) -> _Answer:
    """Has eq. 3's minimum a kink in everything its premises allow, and in which directions?"""
    part = "kink-eq-3"
    kinds = {kind: select(rows, "loss", kind=kind) for kind in KINDS}
    if not all(kinds.values()):
        return _silent(part)
    everything = [r for runs in kinds.values() for r in runs]
    n, wrong = len(everything), sum(r["wrong"] for r in everything)
    kinked = {kind: sum(r["family"] > 0 for r in runs) for kind, runs in kinds.items()}
    P, N = everything[0]["dimension"], everything[0]["rows"]
    findings = []
    for kind, name in KINDS.items():
        runs = kinds[kind]
        sizes = ", ".join(map(str, sorted({r["family"] for r in runs})))
        findings.append(
            Finding(
                f"{name}: minima with a kink",
                f"{kinked[kind]} of {len(runs)}",
                len(runs),
                f"Integer data {N}x{P}. Dimension of the set of supporting hyperplanes: {sizes} (0: a "
                f"single one). Angled in every direction: {sum(r['every_direction'] for r in runs)} of "
                f"{len(runs)}.",
                part,
                reported="all",
                agrees=kinked[kind] == len(runs),
            )
        )
    findings.append(
        Finding(
            "exact checks of the set of slopes at 0 that fail",
            f"{wrong} of {sum(r['checks'] for r in everything):,}",
            n,
            "λ1 [−1, 1]^P plus the sum of [0, 1]·2|yᵢ| zᵢ: expansion along rays, members of the set, and "
            "slopes just beyond it; exact rationals.",
            part,
        )
    )
    findings += _against_wendel(rows, part)
    if wrong:
        return Ruling(part, Result.NOT_JUDGED, 0, f"{wrong} exact checks of the slopes fail."), findings
    region = "; ".join(f"{name}: {kinked[kind]} of {len(kinds[kind])}" for kind, name in KINDS.items())
    if sum(kinked.values()) == n:
        return Ruling(part, Result.HOLDS, n, "Every minimum has a kink.", region), findings
    if not any(kinked.values()):
        return Ruling(part, Result.DIFFERS, n, "No minimum has a kink.", region), findings
    without = " and ".join(name for kind, name in KINDS.items() if kinked[kind] < len(kinds[kind]))
    why = (
        f"Eq. 3 also allows a minimum without a kink ({without}), where one hyperplane supports the epigraph."
    )
    return Ruling(part, Result.IN_PART, n, why, region), findings


def wendel(N: float, P: float) -> float:
    """Chance that N rows of a symmetric law positively span R^P: 1 - 2^(1-N) Σ_{k<P} C(N-1, k) (Wendel 1962).

    >>> wendel(2, 1), wendel(6, 3)
    (0.5, 0.5)
    """
    return 1 - sum(math.comb(int(N) - 1, k) for k in range(int(P))) / 2 ** (int(N) - 1)


def _against_wendel(rows: Sequence[Row], part: str) -> list[Finding]:
    cells = select(rows, "map")
    if not cells:
        return []

    def predict(P: float, N: float) -> bool | None:
        return None if wendel(N, P) == 0.5 else wendel(N, P) > 0.5

    spoken, clear, right = against_theory(cells, predict)
    return [
        Finding(
            "map over P and N at λ1 = 0, y < 0: clear cells that Wendel's theorem gets right",
            f"{right} of {clear}",
            sum(cell["n"] for cell in cells),
            f"{spoken} cells off the border N = 2P, uniform data on [−1, 1]; clear: Wilson interval, "
            "allowing for all cells, on one side of one half. At N = 20, P = 500, as in Figure 1, the "
            "loss is flat to first order on a subspace of at least 480 dimensions.",
            part,
        )
    ]


def _about(rows: Sequence[Row], about: str) -> Row | None:
    return next(iter(select(rows, "lines", about=about)), None)


def _counted(name: str, found: Row, part: str) -> Finding:
    example = f" Smallest: {found['smallest']}." if found["fails"] else ""
    n, fails = found["n"], found["fails"]
    return Finding(name, f"{fails} of {n:,}", n, f"{_EXACT}.{example}", part, reported="0", agrees=fails == 0)


def _smallest(*found: Row) -> str:
    return next(row["smallest"] for row in found if row["fails"])


def _equal(a: float, b: float) -> bool:
    return abs(a - b) < 1e-9 if math.isfinite(a) and math.isfinite(b) else a == b


def _silent(part: str) -> _Answer:
    return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
