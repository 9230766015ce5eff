"""The two rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.quadratic_threshold._experiments import ABOVE, BELOW, KINDS, NETWORK_FACTORS
from nonsmooth.findings import Finding, Result, Ruling, Share, against_theory, number, share

__all__ = ["networks", "threshold"]

_Answer = tuple[Ruling, list[Finding]]
_COMPARISONS = len(KINDS) * (len(BELOW) + len(ABOVE))


def threshold(rows: Sequence[Row]) -> _Answer:
    """Does the loss fall below 2/η and diverge above it?"""
    part = "threshold"
    mine = _of(rows, "random")
    run = {(r["kind"], r["factor"]) for r in mine}
    if not {(kind, factor) for kind in KINDS for factor in (*BELOW, *ABOVE)} <= run:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every step was run."), []
    shares: dict[tuple[str, float], Share] = {}
    for kind in KINDS:
        for factor in (*BELOW, *ABOVE):
            here = [r for r in mine if r["kind"] == kind and r["factor"] == factor]
            as_said = [r["diverged"] if factor > 1 else not (r["diverged"] or r["rises"]) for r in here]
            shares[kind, factor] = share(as_said, comparisons=_COMPARISONS)
    n = min(found.n for found in shares.values())
    findings = [
        Finding(
            f"{kind} quadratics {what}",
            f"{sum(shares[kind, f].hits for f in factors)} of {sum(shares[kind, f].n for f in factors)}",
            sum(shares[kind, f].n for f in factors),
            f"Random bases and starts, steps {', '.join(f'{f:g}' for f in factors)} times 2/η, float64.",
            part,
            reported="all",
            agrees=all(shares[kind, f].hits == shares[kind, f].n for f in factors),
        )
        for kind in KINDS
        for factors, what in ((BELOW, "whose loss never rises below 2/η"), (ABOVE, "that diverge above 2/η"))
    ]
    findings += [
        *_at_the_edge(rows, part),
        *_exceptions(rows, part),
        *_momentum(rows, part),
        *_map(rows, part),
    ]
    if all(found.interval[0] > 0.9 for found in shares.values()):
        why = "The loss falls at every step below 2/η and diverges above it, 0.1 % on either side included."
        return Ruling(part, Result.HOLDS, n, why, region="almost every start"), findings
    worst = min(shares, key=lambda key: (shares[key].value, key))
    why = f"At {worst[1]:g} times 2/η only {shares[worst]} {worst[0]} quadratics do what is said."
    if shares[worst].interval[1] < 0.1:
        return Ruling(part, Result.DIFFERS, n, why), findings
    return Ruling(part, Result.IN_PART, n, why), findings


def networks(rows: Sequence[Row]) -> _Answer:
    """Does the convex network stay finite above 2/η?"""
    part = "networks"
    mine = {factor: [r for r in _of(rows, "network") if r["factor"] == factor] for factor in NETWORK_FACTORS}
    if not all(mine.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every step was run."), []
    shares = {
        factor: share((not r["diverged"] for r in each), comparisons=len(NETWORK_FACTORS))
        for factor, each in mine.items()
    }
    n = min(found.n for found in shares.values())
    findings = [
        Finding(
            f"runs of eq. 3 that do not diverge at α = {factor:g} α∗",
            str(found),
            found.n,
            f"Steps α from {number(min(r['stepsize'] for r in mine[factor]))} to "
            f"{number(max(r['stepsize'] for r in mine[factor]))} (the ridge term alone allows up to "
            f"1/λ2 = 100), 1000 steps, float64; every ReLU is off at the end of "
            f"{sum(r['off'] for r in mine[factor])} of them; Wilson "
            "interval allowing for 6 comparisons.",
            part,
            reported="all",
            interval=found.interval,
            agrees=found.hits == found.n,
        )
        for factor, found in shares.items()
    ]
    stays = [factor for factor, found in shares.items() if found.interval[0] > 0.9]
    if len(stays) == len(shares):
        return Ruling(part, Result.HOLDS, n, "No step made the convex network diverge."), findings
    if all(found.interval[1] < 0.1 for found in shares.values()):
        return Ruling(part, Result.DIFFERS, n, "The convex network diverges at every step tried."), findings
    leaves = [factor for factor in shares if factor not in stays]
    region = f"α = {', '.join(f'{f:g}' for f in stays)} times α∗" if stays else ""
    off = sum(r["off"] for each in mine.values() for r in each)
    finite = sum(not r["diverged"] for each in mine.values() for r in each)
    why = (
        f"The convex network stays finite at {', '.join(f'{f:g}' for f in stays) or 'none'} of the multiples "
        f"of α∗; at {', '.join(f'{f:g}' for f in leaves)} it does not in every run. Of the runs that "
        f"stay finite {off} of {finite} end with every ReLU off, where η is 2 λ2 and α below 2/η."
    )
    return Ruling(part, Result.IN_PART, n, why, region), findings


def _at_the_edge(rows: Sequence[Row], part: str) -> list[Finding]:
    mine = [r for r in _of(rows, "random") if r["factor"] == 1.0]
    exact = next(iter(_of(rows, "exact")), None)
    if not mine or exact is None:
        return []
    stuck = sum(not r["diverged"] and r["left"] > 1e-12 for r in mine)
    return [
        Finding(
            "runs at 2/η itself that neither diverge nor converge",
            f"{stuck} of {len(mine)}",
            len(mine),
            "The late loss is above 10^-12 of the first, float64. In exact rationals on H = diag(4, 1) from "
            f"(1, 1) the first entry is {'' if exact['flips'] else 'not '}±1 alternating for all 100 steps.",
            part,
        )
    ]


def _exceptions(rows: Sequence[Row], part: str) -> list[Finding]:
    exact, floats = next(iter(_of(rows, "exact")), None), _of(rows, "starts")
    if exact is None or not floats:
        return []
    times = sorted(r["diverged_at"] for r in floats if r["diverged_at"] >= 0)
    when = f"after {times[0]} to {times[-1]} steps" if times else "within 400 steps"
    return [
        Finding(
            "above 2/η from an exceptional start, H = diag(4, 1), α = 3/4, b0 = (0, 1): |b| after 100 steps",
            number(exact["exceptional"], 2),
            1,
            f"Exact rationals; from (1, 1) it is {number(exact['general'], 2)}. Such starts have probability "
            f"0. In float64 with rotated eigenvectors {len(times)} of {len(floats)} of them diverge all the "
            f"same, {when} at 1.5 times 2/η: rounding.",
            part,
        )
    ]


def _momentum(rows: Sequence[Row], part: str) -> list[Finding]:
    mine = _of(rows, "momentum")
    if not mine:
        return []
    right = sum(r["diverged"] == (r["factor"] > 1) for r in mine)
    return [
        Finding(
            "momentum runs on the right side of 2(1 + m)/((1 − m) η)",
            f"{right} of {len(mine)}",
            len(mine),
            "Eq. 16 on x²/2 with m = 0.5 and 0.9, 1 % below and above, float64: the edge is the method's.",
            part,
        )
    ]


def _map(rows: Sequence[Row], part: str) -> list[Finding]:
    cells = _of(rows, "map")
    if not cells:
        return []
    spoken, clear, right = against_theory(cells, lambda factor, condition: factor > 1)
    return [
        Finding(
            "clear cells of the map that theory gets right",
            f"{right} of {clear}",
            spoken,
            f"Share of runs that diverge within 2000 steps, over the step and the condition number, "
            f"{cells[0]['n']} seeds a cell; theory: diverges exactly above 2/η.",
            part,
        )
    ]


def _of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]
