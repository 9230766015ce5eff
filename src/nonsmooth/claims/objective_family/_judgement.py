"""The five rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nonsmooth.claims._claim import Row
from nonsmooth.findings import Finding, Result, Ruling, against_theory, number, share

__all__ = ["column", "convex", "non_differentiable", "positive_response", "predict", "unique_minimiser"]

_Answer = tuple[Ruling, list[Finding]]
_TOLERANCE = 1e-9
_INSIDE = ("l1", "l2", "both")


def convex(rows: Sequence[Row]) -> _Answer:
    """No chord below the function, and a certificate for each random instance?"""
    part = "convex"
    small, random = _exact(rows, "non-positive"), _of(rows, "random")
    if not small or not random:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
    n, violated = _total(small, "n"), _total(small, "violated")
    worst, proved = max(r["worst"] for r in random), sum(r["dcp"] for r in random)
    findings = [
        Finding(
            "small instances with a chord below the function",
            f"{violated:,} of {n:,}",
            n,
            "Every Z with entries −1, 0, 1, y with 0, −1, −2 and strengths 0, 1, 2 of the shapes run; all "
            "chords between points with even entries up to 4; integers, so exact.",
            part,
            reported="0",
            agrees=violated == 0,
        ),
        Finding(
            "random instances proved convex by the DCP rules",
            f"{proved} of {len(random)}",
            len(random),
            "Z uniform on [−1, 1], y on [−1, 0], in a quarter of them half of y is 0. The rules never call a "
            "non-convex function convex. Greatest excess of the middle over the chord, relative, on "
            f"{_total(random, 'chords'):,} random chords, float64: {number(worst, 2)}.",
            part,
            reported="all",
            agrees=proved == len(random) and worst <= _TOLERANCE,
        ),
    ]
    count = len(random)
    if violated or worst > _TOLERANCE:
        return Ruling(part, Result.DIFFERS, count, "A chord lies below the function."), findings
    if proved == count:
        why = f"No chord of {n:,} small instances lies below, exactly, and every random one is proved convex."
        return Ruling(part, Result.HOLDS, count, why), findings
    why = f"No counter-example, but only {proved} of {count} random instances are proved convex."
    return Ruling(part, Result.IN_PART, count, why), findings


def unique_minimiser(rows: Sequence[Row]) -> _Answer:
    """Is 0 the only minimiser under either strength alone and both?"""
    part = "unique-minimiser"
    small, random = _exact(rows, "non-positive"), _of(rows, "random")
    regimes = {regime: [r for r in small if r["regime"] == regime] for regime in (*_INSIDE, "none")}
    if not all(regimes.values()) or {r["regime"] for r in random} != set(_INSIDE):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run under each pair of strengths."), []
    inside = [r for regime in _INSIDE for r in regimes[regime]]
    n = _total(inside, "n")
    broken = sum(2 * r["n"] - r["only_zero"] - r["derivative"] for r in inside)
    grown = _total(inside, "growth")
    lower = [r for r in random if r["above"] < -_TOLERANCE]
    exact = [r for r in random if abs(r["above"]) <= _TOLERANCE and r["gap"] <= _TOLERANCE]
    words = {"l1": "λ1 > 0 = λ2", "l2": "λ2 > 0 = λ1", "both": "both > 0"}
    outside = regimes["none"]
    findings = [
        *(
            Finding(
                f"small instances with 0 as the only minimiser, {words[regime]}",
                f"{_total(mine, 'only_zero'):,} of {_total(mine, 'n'):,}",
                _total(mine, "n"),
                "Least over all integer points up to 4 in size, in integers; on every ray from 0 the "
                f"function rises to first or second order in {_total(mine, 'derivative'):,}.",
                part,
                reported="all",
                agrees=_total(mine, "only_zero") == _total(mine, "n") == _total(mine, "derivative"),
            )
            for regime, mine in regimes.items()
            if regime in words
        ),
        Finding(
            "small instances with f(b) − f(0) ≥ λ1||b||1 + λ2||b||² at every point",
            f"{grown:,} of {n:,}",
            n,
            "Strict growth: with it uniqueness needs no convexity. Integers.",
            part,
        ),
        Finding(
            "random instances whose certified minimum is f(0)",
            f"{len(exact)} of {len(random)}",
            len(random),
            "A lower bound from weak duality, float64, equals ||y||² to 1e-9 of it; the conic solver's own "
            f"point has entries up to {number(max(r['solver_size'] for r in random), 2)}.",
            part,
            reported="all",
            agrees=len(exact) == len(random),
        ),
        Finding(
            "outside the premise, λ1 = λ2 = 0: small instances with another minimiser",
            f"{_total(outside, 'n') - _total(outside, 'only_zero'):,} of {_total(outside, 'n'):,}",
            _total(outside, "n"),
            "Every b with Zb ≤ 0 does as well as 0. Random instances for which such a b ≠ 0 exists, by "
            f"rank or linear programming: {sum(r['another'] for r in random)} of {len(random)}.",
            part,
        ),
    ]
    count = len(random)
    if broken or lower:
        return Ruling(
            part, Result.DIFFERS, count, "Some instance has another minimiser, or a lower one."
        ), findings
    if grown == n and len(exact) == count:
        why = (
            f"0 is the only minimiser of all {n:,} small instances, exactly, and the certified one of every "
            "random one; either strength alone is enough."
        )
        return Ruling(part, Result.HOLDS, count, why), findings
    why = "No other minimiser was found, but not every instance is certified."
    return Ruling(part, Result.IN_PART, count, why), findings


def positive_response(rows: Sequence[Row]) -> _Answer:
    """Does a positive response break convexity?"""
    part = "positive-response"
    small, random = _exact(rows, "positive"), _of(rows, "positive")
    if not small or not random:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
    small = [r for r in small if r["regime"] in _INSIDE]
    n, violated = _total(small, "n"), _total(small, "violated")
    found = share(r["dip"] > 1e-9 for r in random)
    by_chance = sum(r["random_dip"] > 1e-9 for r in random)
    moved = [r for r in random if r["below"] < 0]
    proved = sum(r["dcp"] for r in random)
    findings = []
    examples = [r for r in small if r["example"] is not None]
    if examples:
        findings.append(_smallest(min(examples, key=lambda r: tuple(r["size"])), violated, n, part))
    findings += [
        Finding(
            "random instances, one response turned positive, that violate convexity",
            str(found),
            found.n,
            "Chord across the hyperplane z_1.b = 0, half lengths 1e-6 to 0.1, more than 1e-9 of the value, "
            f"float64; Wilson interval. Chords drawn at random show it in {by_chance} only: the dip is "
            "narrow.",
            part,
            reported="non-convex",
            interval=found.interval,
            agrees=found.interval[0] > 0.9,
        ),
        Finding(
            "of these, 0 is no longer the minimiser",
            f"{len(moved)} of {found.n}",
            found.n,
            "A lower point was found on a ray from 0: "
            + ", ".join(
                f"{words} {sum(r['regime'] == regime for r in moved)}"
                for regime, words in (("l1", "λ1 alone"), ("l2", "λ2 alone"), ("both", "both"))
            )
            + f". The DCP rules call {proved} of them convex.",
            part,
        ),
    ]
    line = [r for r in small if r["columns"] == 1]
    if line:
        findings.append(
            Finding(
                "small instances with one column, a positive response, and convex all the same",
                f"{_total(line, 'convex'):,} of {_total(line, 'n'):,}",
                _total(line, "n"),
                "The only kink is b = 0, where the slope does not fall, exactly: negative rows or λ1 make "
                "up for the positive one, or its z is 0.",
                part,
            )
        )
    findings += _about_map(rows, part)
    if violated and found.interval[0] > 0.9:
        why = "One positive response puts a kink upside down: convexity fails on a chord across it."
        region = "in general position; not where λ1 or another row is kinked along the same hyperplane"
        return Ruling(part, Result.HOLDS, found.n, why, region), findings
    if not violated and not found.hits:
        return Ruling(part, Result.DIFFERS, found.n, "No violation of convexity was found."), findings
    why = f"Convexity fails for {found} random and {violated:,} of {n:,} small instances."
    return Ruling(part, Result.IN_PART, found.n, why), findings


def non_differentiable(rows: Sequence[Row]) -> _Answer:
    """Is there a kink at the minimiser in every instance?"""
    part = "non-differentiable"
    small = [r for r in _exact(rows, "non-positive") if r["regime"] in _INSIDE]
    if {r["regime"] for r in small} != set(_INSIDE):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
    n, kinked = _total(small, "n"), _total(small, "kinked_at_zero")
    with_l1 = [r for r in small if r["regime"] != "l2"]
    ridge = [r for r in small if r["regime"] == "l2"]
    smooth = _total(ridge, "n") - _total(ridge, "kinked_at_zero")
    findings = [
        Finding(
            "small instances with a kink at 0",
            f"{kinked:,} of {n:,}",
            n,
            "One-sided directional derivatives at 0 that differ along some line, from exact values. "
            f"With λ1 > 0: {_total(with_l1, 'kinked_at_zero'):,} of {_total(with_l1, 'n'):,}; with λ1 = 0: "
            f"{_total(ridge, 'kinked_at_zero'):,} of {_total(ridge, 'n'):,}.",
            part,
            reported="all",
            agrees=kinked == n,
        ),
        Finding(
            "of those without, the share with yi = 0 on every non-zero row",
            f"{_total(ridge, 'smooth_and_predicted'):,} of {smooth:,}",
            smooth,
            "Such a loss is Σ max(0, z_i.b)² + λ2||b||² and a constant: continuously differentiable.",
            part,
        ),
    ]
    if kinked == n:
        return Ruling(part, Result.HOLDS, n, "Every instance has a kink at its minimiser."), findings
    if not kinked:
        return Ruling(part, Result.DIFFERS, n, "No instance has a kink at its minimiser."), findings
    why = f"{n - kinked:,} of {n:,} instances inside the premises have no kink at 0, their minimiser."
    region = "λ1 > 0, or some yi < 0 with zi ≠ 0: all that the paper then uses"
    return Ruling(part, Result.IN_PART, n, why, region), findings


def column(rows: Sequence[Row]) -> _Answer:
    """Are the products that the text names defined?"""
    part = "column"
    mine = _of(rows, "columns")
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
    row = mine[0]
    tall, wide = row["entries"]
    findings = [
        Finding(
            "products defined on 50 x 200 data: Zβ; zi^T β, zi a column; zi^T β, zi a row",
            ", ".join("yes" if row[name] else "no" for name in ("product", "column", "row")),
            1,
            f"A column has {tall} entries, β has {wide}.",
            part,
            reported="ith column zi",
            agrees=bool(row["column"]),
        )
    ]
    good = row["product"] + row["column"]
    if good == 2:
        return Ruling(part, Result.HOLDS, 1, "Both products are defined."), findings
    why = (
        f"Zβ is defined, but a column has {tall} entries and β {wide}: zi^T β needs the ith row."
        if row["product"]
        else "Zβ itself is not defined."
    )
    return Ruling(part, Result.IN_PART if good else Result.DIFFERS, 1, why), findings


def predict(cells: Sequence[Row]) -> Any:
    """For (share, size) of a map's cell: does 0 stay the minimiser, by the bound in the notes?"""
    enough = {(r["x"], r["y"]): (r["enough"], r["strength"]) for r in cells}

    def said(x: float, y: float) -> bool | None:
        bound, strength = enough[x, y]
        if strength > bound:
            return True
        return False if x == 1 else None  # with positive responses only, the bound is exact

    return said


def _about_map(rows: Sequence[Row], part: str) -> list[Finding]:
    cells = _of(rows, "map")
    if not cells:
        return []
    spoken, clear, right = against_theory(cells, predict(cells))
    return [
        Finding(
            "map: clear cells that the bound on λ1 gets right",
            f"{right} of {clear}",
            sum(r["n"] for r in cells),
            "0 should stay the minimiser for λ1 > 2 max Σ max(0, y_i) max(0, ±Z_ij) (median of the cell), "
            f"and not below it where all responses are positive: {spoken} of {len(cells)} cells; clear: the "
            "Wilson interval of the share lies on one side of one half.",
            part,
        )
    ]


def _smallest(row: Row, violated: int, n: int, part: str) -> Finding:
    example = row["example"]
    (b, c), (left, right, middle) = example["chord"], example["values"]
    half = [(s + t) / 2 for s, t in zip(b, c, strict=True)]
    return Finding(
        "small instances with a positive response that violate convexity on a grid chord",
        f"{violated:,} of {n:,}",
        n,
        f"The smallest, exact: Z = {example['Z']}, y = {example['y']}, λ1 = {example['l1']}, λ2 = "
        f"{example['l2']}: f = {left} and {right} at b = {b} and {c}, but {middle} at {half}. Chords are "
        "even, so a shallow kink may be missed.",
        part,
        reported="non-convex",
        agrees=violated > 0,
    )


def _of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]


def _exact(rows: Sequence[Row], kind: str) -> list[Row]:
    return [r for r in _of(rows, "exact") if r["responses"] == kind]


def _total(rows: Sequence[Row], field: str) -> int:
    return sum(r[field] for r in rows)
