"""The three rulings on networks, by the rules that the claim's parts state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.subquadratic._experiments import LENGTHS
from nonsmooth.findings import Attribution, Finding, Result, Ruling, Share, number, share

__all__ = ["EDGE", "network_cause", "network_differences", "network_growth"]

_Answer = tuple[Ruling, list[Finding]]
_H = LENGTHS.index(1e-4)
_PLACES = {"minimum": "at a minimum", "trained": "where gradient descent is"}
# At the edge: α η / 2 at the centre, and the amplitude in parameters.
EDGE = (0.9, 1e-4)
_SUBQUADRATIC = 0.99
_AMPLITUDE, _TEN = 1, 3  # places of these scales in a row's "growth"
_SMOOTH = ("gelu", "tanh")


def network_differences(rows: Sequence[Row]) -> _Answer:
    """Are differences of networks wrong at minima, and where training by gradient descent ends?"""
    part = "network-differences"
    mine = [r for r in _of(rows, "network-differences") if r["reached"]]
    shares: dict[tuple[str, str], Share] = {}
    findings = []
    for place, title in _PLACES.items():
        for activation in ("relu", *_SMOOTH):
            each = [r for r in mine if (r["place"], r["activation"]) == (place, activation)]
            random = [r for r in each if r["direction"] == "random"]
            if not random:
                return Ruling(part, Result.NOT_JUDGED, 0, "Not every network was measured."), []
            shares[place, activation] = share((_wrong(r) for r in random), comparisons=4)
            findings.append(
                _difference_finding(title, activation, each, random, shares[place, activation], part)
            )
    n = min(found.n for found in shares.values())
    relu = {place: shares[place, "relu"] for place in _PLACES}
    smooth_right = all(found.interval[1] < 0.25 for key, found in shares.items() if key[1] in _SMOOTH)
    said = "; ".join(f"ReLU {title}: {relu[place]}" for place, title in _PLACES.items())
    if all(found.interval[0] > 0.75 for found in relu.values()) and smooth_right:
        why = "Differences of ReLU networks are wrong at minima and where training is, of smooth ones right."
        return Ruling(part, Result.HOLDS, n, why, said), findings
    if all(found.interval[1] < 0.25 for found in relu.values()):
        return Ruling(
            part, Result.DIFFERS, n, "Differences of ReLU networks are right at both places.", said
        ), findings
    why = f"Differences at h = 1e-4 are wrong in these seeds: {said}."
    return Ruling(part, Result.IN_PART, n, why, region="where a kink lies within h"), findings


def _wrong(row: Row) -> bool:
    return not abs(row["measured"][_H] / row["exact"] - 1) <= 0.1


def _difference_finding(
    title: str, activation: str, each: list[Row], random: list[Row], found: Share, part: str
) -> Finding:
    ratio = np.median([row["measured"][_H] / row["exact"] for row in random])
    crossed = np.mean([row["crossed"][_H] for row in random])
    rounding = max(row["rounding"][_H] / abs(row["exact"]) for row in random)
    others = ", ".join(
        f"{direction} {sum(_wrong(r) for r in each if r['direction'] == direction)}"
        for direction in ("gradient", "top eigenvector")
    )
    words = f"units change sign within h: {number(float(crossed), 2)} (mean)"
    if activation == "relu":
        clear = [row for row in random if row["crossed"][_H] == 0]
        words += f"; of {len(clear)} seeds in which none does {sum(map(_wrong, clear))} are wrong"
    return Finding(
        f"{activation} {title}: seeds whose difference is off by more than 10 %",
        str(found),
        found.n,
        f"h = 1e-4, random direction: median {number(float(ratio), 3)} times the exact curvature; {words}. "
        f"Rounding accounts for at most {number(rounding, 1)} of it. Other directions: {others}. float64; "
        "Wilson interval (4 comparisons).",
        part,
        reported="breaks down" if activation == "relu" else None,
        interval=found.interval,
        agrees=found.interval[0] > 0.75 if activation == "relu" else None,
    )


def network_growth(rows: Sequence[Row]) -> _Answer:
    """Is the growth of ReLU networks at the edge of stability subquadratic?"""
    part = "network-growth"
    shares, findings = _growth(rows, ("relu",), part)
    if "relu" not in shares:
        return Ruling(part, Result.NOT_JUDGED, 0, "No ReLU network was at the edge."), findings
    found = shares["relu"]
    region = "one hidden layer, square loss, the top eigenvector"
    if found.interval[1] < 0.25:
        why = f"At the edge growth is subquadratic in {found} seeds."
        return Ruling(part, Result.HOLDS, found.n, why, region), findings
    if found.interval[0] > 0.75:
        why = f"At the edge growth is subquadratic in {found} seeds."
        return Ruling(part, Result.DIFFERS, found.n, why, region), findings
    return Ruling(
        part, Result.IN_PART, found.n, f"Growth is subquadratic in {found} seeds.", region
    ), findings


def network_cause(rows: Sequence[Row]) -> _Answer:
    """Do smooth networks at the edge behave otherwise?"""
    part = "network-cause"
    shares, findings = _growth(rows, _SMOOTH, part)
    relu, _ = _growth(rows, ("relu",), part)
    if len(shares) < len(_SMOOTH) or not relu:
        return Ruling(part, Attribution.UNDECIDED, 0, "Not every network was at the edge."), findings
    n = min(found.n for found in [*shares.values(), *relu.values()])
    said = "; ".join(f"{name}: {found}" for name, found in {**relu, **shares}.items())
    if all(found.interval[1] < 0.25 for found in [*relu.values(), *shares.values()]):
        why = (
            "On smooth networks, where differences are right, growth at the edge is not subquadratic either."
        )
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why, said), findings
    if relu["relu"].interval[1] < 0.25 and all(found.interval[0] > 0.75 for found in shares.values()):
        why = "Growth at the edge is subquadratic on the smooth networks and not on ReLU's."
        return Ruling(part, Attribution.SUPPORTED, n, why, said), findings
    return Ruling(part, Attribution.UNDECIDED, n, f"Subquadratic at the edge: {said}.", said), findings


def _growth(
    rows: Sequence[Row], activations: Sequence[str], part: str
) -> tuple[dict[str, Share], list[Finding]]:
    shares, findings = {}, []
    for activation in activations:
        mine = [r for r in _of(rows, "edge") if r["activation"] == activation]
        edge = [r for r in mine if r["bounded"] and r["sharpness"] >= EDGE[0] and r["amplitude"] >= EDGE[1]]
        if not edge:
            continue
        shares[activation] = share((r["growth"][_AMPLITUDE] < _SUBQUADRATIC for r in edge), comparisons=3)
        growth = [r["growth"][_AMPLITUDE] for r in edge]
        ten = float(np.median([r["growth"][_TEN] for r in edge]))
        findings.append(
            Finding(
                f"{activation} at the edge: seeds whose growth at the amplitude is below 0.99 of the "
                "quadratic's",
                str(shares[activation]),
                len(edge),
                f"Growth over the quadratic's: {number(min(growth), 4)} to {number(max(growth), 4)}; at 10 "
                f"times the amplitude {number(ten, 4)} (median). α η / 2 at the centre: median "
                f"{number(float(np.median([r['sharpness'] for r in edge])), 4)}. At the edge {len(edge)} of "
                f"{len(mine)} seeds, diverged {sum(not r['bounded'] for r in mine)}. float64; Wilson "
                "interval (3 comparisons).",
                part,
                interval=shares[activation].interval,
            )
        )
    return shares, findings


def _of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]
