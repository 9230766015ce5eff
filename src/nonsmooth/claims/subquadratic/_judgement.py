"""The four rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.subquadratic._experiments import LENGTHS, LOSSES
from nonsmooth.findings import Attribution, Finding, Result, Ruling, against_theory, number, share

__all__ = ["all_l_smooth", "cause_twice", "challenge", "differences"]

_Answer = tuple[Ruling, list[Finding]]
_H = LENGTHS.index(1e-4)


def differences(rows: Sequence[Row]) -> _Answer:
    """Do differences break down at the minimiser, and only across kinks?"""
    part = "differences"
    mine = {p: [r for r in _of(rows, "differences") if r["place"] == p] for p in ("minimiser", "random")}
    clear = [r for r in mine["random"] if r["kinks"][_H] == 0]
    if not mine["minimiser"] or not clear:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not both places were measured."), []
    broken = share((r["measured"][_H] > 100 * r["exact"] for r in mine["minimiser"]), comparisons=2)
    right = share((abs(r["measured"][_H] / r["exact"] - 1) < 0.01 for r in clear), comparisons=2)
    excess = sorted(r["measured"][_H] / r["exact"] for r in mine["minimiser"])
    decade = sorted(r["measured"][_H] / r["measured"][_H - 1] for r in mine["minimiser"])
    findings = [
        Finding(
            "seeds whose difference at the minimiser exceeds 100 times the curvature",
            str(broken),
            broken.n,
            f"h = 1e-4, 20 kinks meet there: median {number(excess[len(excess) // 2])} times; from h = 1e-3 "
            f"to 1e-4 it grows by {number(decade[len(decade) // 2], 4)} (10: as 1/h); float64.",
            part,
            reported="break down",
            interval=broken.interval,
            agrees=broken.interval[0] > 0.9,
        ),
        Finding(
            "seeds whose difference at a random point, no kink within h, is right to 1 %",
            str(right),
            right.n,
            f"h = 1e-4; {len(mine['random']) - len(clear)} further seeds have a kink within h; float64.",
            part,
            interval=right.interval,
        ),
        *_map(rows, part),
    ]
    n = broken.n
    if broken.interval[0] > 0.9 and right.interval[0] > 0.9:
        why = "At the minimiser, where kinks meet, the difference grows as 1/h; away from kinks it is right."
        return Ruling(part, Result.HOLDS, n, why, region="where a kink lies within h"), findings
    why = f"It breaks down at the minimiser in {broken} seeds and is right away from kinks in {right}."
    return Ruling(part, Result.DIFFERS if broken.interval[1] < 0.1 else Result.IN_PART, n, why), findings


def challenge(rows: Sequence[Row]) -> _Answer:
    """Are the facts as stated, and how does it grow where it oscillates?"""
    part = "challenge"
    mine = [r for r in _of(rows, "huber") if r["loss"] == "huber"]
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "Huber's loss was not run."), []
    facts = share(
        r["minimum"] < 1e-20 and r["growth_spread"] < 1e-9 and r["bounded"] and not r["converged"]
        for r in mine
    )
    ratios = sorted(r["late_ratio"] for r in mine)
    low, high = number(ratios[0], 2), number(ratios[-1], 2)
    findings = [
        Finding(
            "seeds with minimum 0, quadratic growth nearby, bounded and not converging at α = 10",
            str(facts),
            facts.n,
            f"α is {number(min(r['edge'] for r in mine))} to {number(max(r['edge'] for r in mine))} times "
            "2/L; float64; Wilson interval.",
            part,
            reported="all",
            interval=facts.interval,
            agrees=facts.hits == facts.n,
        ),
        Finding(
            "late loss over the quadratic's value at the same iterates",
            f"{low} to {high}",
            len(mine),
            "Median over the last 50 iterates of each seed, float64. 1 would be quadratic growth up to the "
            "amplitude of the oscillation, which no bounded orbit above 2/η can have. So it is a "
            "counter-example to subquadratic growth next to the minimum, not at the oscillation's scale.",
            part,
        ),
    ]
    if facts.interval[0] > 0.9:
        why = f"The facts are as stated. Where it oscillates, its loss is {low} to {high} of the quadratic's."
        return Ruling(part, Result.HOLDS, facts.n, why, region="growth next to the minimum"), findings
    why = f"The stated facts are met in {facts} seeds."
    answer = Result.DIFFERS if facts.interval[1] < 0.1 else Result.IN_PART
    return Ruling(part, answer, facts.n, why), findings


def all_l_smooth(rows: Sequence[Row]) -> _Answer:
    """Is there an L-smooth function that breaks the sentence?"""
    part = "all-L-smooth"
    mine = sorted(_of(rows, "functions"), key=lambda r: r["name"])
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "No function was tried."), []
    findings, against = [], []
    for r in mine:
        unstable = r["periodic"] and r["above_edge"]
        orbit = f"the exact orbit ±{number(r['orbit'], 4)} at α = {number(r['stepsize'], 4)}"
        breaks = not r["twice"] or (unstable and r["at_least_quadratic"])
        growth = "faster than quadratic" if r["faster"] else "at least quadratic"
        findings.append(
            Finding(
                f"{r['name']}: twice differentiable, orbit above 2/f''(0), growth next to the minimum",
                f"{'yes' if r['twice'] else 'no'}, {'yes' if unstable else 'no'}, "
                f"{growth if r['at_least_quadratic'] else 'subquadratic'}",
                1,
                f"Exact rationals, 20 steps of {orbit}; slope against x f''(0) at 16 points of (0, 1].",
                part,
                reported="yes, yes, subquadratic",
                agrees=not breaks,
            )
        )
        if not r["twice"]:
            against.append(f"{r['name']} is L-smooth and not twice differentiable")
        elif breaks:
            against.append(f"{r['name']}: {orbit}")
    if against:
        return Ruling(part, Result.DIFFERS, len(mine), "; ".join(against) + "."), findings
    return Ruling(part, Result.HOLDS, len(mine), "None of the functions tried breaks it."), findings


def cause_twice(rows: Sequence[Row]) -> _Answer:
    """Does the twice differentiable twin behave the same?"""
    part = "cause-twice"
    mine = {loss: [r for r in _of(rows, "huber") if r["loss"] == loss] for loss in LOSSES}
    if not all(mine.values()):
        return Ruling(part, Attribution.UNDECIDED, 0, "Not every twin was run."), []
    shares = {
        loss: share((r["bounded"] and not r["converged"] for r in each), comparisons=2)
        for loss, each in mine.items()
    }
    findings = [
        Finding(
            f"seeds that stay bounded and do not converge at α = 10: {loss}",
            str(found),
            found.n,
            f"{'Once' if loss == 'huber' else 'At least twice'} differentiable, α at least "
            f"{number(min(r['edge'] for r in mine[loss]))} times 2/L; late loss over the quadratic's "
            f"{number(min(r['late_ratio'] for r in mine[loss]), 2)} or more. At half of 2/L "
            f"{sum(r['converged_below'] for r in mine[loss])} of {found.n} converge. float64; Wilson "
            "interval allowing for 2 comparisons.",
            part,
            interval=found.interval,
        )
        for loss, found in shares.items()
    ]
    n = min(found.n for found in shares.values())
    twin = shares["C2"]
    if shares["huber"].interval[0] > 0.9:
        if twin.interval[0] > 0.9:
            why = f"The C² twin, quadratic near its minimum as well, does the same ({twin} seeds)."
            return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
        if twin.interval[1] < 0.1:
            return Ruling(part, Attribution.SUPPORTED, n, f"The C² twin does it in {twin} seeds."), findings
    why = f"Huber's loss shows it in {shares['huber']} seeds, the C² twin in {twin}."
    return Ruling(part, Attribution.UNDECIDED, n, why), findings


def _map(rows: Sequence[Row], part: str) -> list[Finding]:
    cells = _of(rows, "map")
    if not cells:
        return []
    spoken, clear, right = against_theory(cells, lambda h, distance: h > distance)
    return [
        Finding(
            "clear cells of the map that theory gets right",
            f"{right} of {clear}",
            spoken,
            f"Difference off by more than 10 %, {cells[0]['n']} seeds a cell; theory: exactly where the next "
            "kink is nearer than h.",
            part,
        )
    ]


def _of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]
