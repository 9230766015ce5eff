"""The three rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.not_descent._experiments import ABOVE, BELOW, PROBLEMS, SMOOTH
from nonsmooth.findings import Attribution, Finding, Result, Ruling, against_theory, number, share

__all__ = ["cause_non_descent", "gradient_method", "increases"]

_Answer = tuple[Ruling, list[Finding]]


def increases(rows: Sequence[Row]) -> _Answer:
    """Can the value increase, and does it often?"""
    part = "increases"
    mine = {name: [r for r in _of(rows, "rises") if r["problem"] == name] for name in PROBLEMS}
    kink = next(iter(_of(rows, "kink")), None)
    if kink is None or not all(mine.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every problem was run."), []
    shares = {name: share((r["rises"] > 0 for r in each), comparisons=3) for name, each in mine.items()}
    findings = [
        Finding(
            "steps that increase |x1| + 2|x2| from (1, 0) along minus the subgradient (1, 2)",
            f"{kink['increases']} of {kink['n']}",
            kink["n"],
            "t = 2^-k in exact rationals: the value is 1 + 3t, so no step is small enough.",
            part,
            reported="can increase",
            agrees=kink["increases"] > 0,
        )
    ]
    for name, found in shares.items():
        steps = [r["rises"] / r["steps"] for r in mine[name]]
        findings.append(
            Finding(
                f"seeds whose loss rises at some step: {PROBLEMS[name]}",
                str(found),
                found.n,
                f"On average at {sum(steps) / len(steps):.2%} of the steps; the smooth part alone would "
                "descend at this step; float64; Wilson interval allowing for 3 comparisons.",
                part,
                reported="often",
                interval=found.interval,
                agrees=found.interval[0] > 0.5,
            )
        )
    findings += _map(rows, part)
    n = min(found.n for found in shares.values())
    often = [name for name, found in shares.items() if found.interval[0] > 0.5]
    can = kink["increases"] == kink["n"]
    if can and len(often) == len(shares):
        return Ruling(part, Result.HOLDS, n, "The loss rises on most seeds of all three problems."), findings
    if not kink["increases"] and not any(found.hits for found in shares.values()):
        return Ruling(part, Result.DIFFERS, n, "The loss rises nowhere."), findings
    seldom = [f"{PROBLEMS[name]}: {shares[name]} seeds" for name in shares if name not in often]
    listed = ", ".join(PROBLEMS[name] for name in often) or "none of the problems"
    why = f"The loss rises on most seeds of {listed}; not so on {', '.join(seldom) or 'no other'}."
    return Ruling(part, Result.IN_PART, n, why, region=", ".join(often)), findings


def gradient_method(rows: Sequence[Row]) -> _Answer:
    """Does the ordinary gradient method descend?"""
    part = "gradient-method"
    mine = _of(rows, "gradient-method")
    wanted = {(name, factor) for name in SMOOTH for factor in (*BELOW, *ABOVE)}
    if not wanted <= {(r["problem"], r["factor"]) for r in mine}:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every step was run."), []
    n = len({r["seed"] for r in mine})
    counts = {}
    findings = []
    for name, title in SMOOTH.items():
        for side, factors in (("below", BELOW), ("above", ABOVE)):
            here = [r for r in mine if r["problem"] == name and r["factor"] in factors]
            found = counts[name, side] = share(r["rises"] > 0 for r in here)
            findings.append(
                Finding(
                    f"gradient runs whose loss rises {side} 2/L: {title}",
                    str(found),
                    found.n,
                    f"At {' and '.join(f'{f:g}' for f in factors)} times 2/L, float64; Wilson interval.",
                    part,
                    reported="0",
                    interval=found.interval,
                    agrees=found.hits == 0,
                )
            )
    below = sum(found.hits for (_, side), found in counts.items() if side == "below")
    above = sum(found.hits for (_, side), found in counts.items() if side == "above")
    if below:
        why = f"Gradient descent rises in {below} runs although its step is below 2/L."
        return Ruling(part, Result.DIFFERS, n, why), findings
    if above:
        total = sum(found.n for (_, side), found in counts.items() if side == "above")
        why = f"No gradient run rises below 2/L, {above} of {total} do above: the step decides."
        return Ruling(part, Result.IN_PART, n, why, region="α < 2/L"), findings
    return Ruling(part, Result.HOLDS, n, "No gradient run rises at any step tried."), findings


def cause_non_descent(rows: Sequence[Row]) -> _Answer:
    """Do runs that descend stay in the ball?"""
    part = "cause-non-descent"
    mine = _of(rows, "figure-1")
    descending = [r for r in mine if r["rises"] == 0]
    rising = [r for r in mine if r["rises"] > 0]
    if not descending:
        return Ruling(part, Attribution.UNDECIDED, 0, "No run of Figure 1 descends."), []
    found = share(r["largest"] > 1 for r in descending)
    also = share(r["largest"] > 1 for r in rising)
    findings = [
        Finding(
            "runs of Figure 1 whose loss never rises and whose max norm leaves the unit ball",
            str(found),
            found.n,
            f"Largest max norm up to {number(max(r['largest'] for r in descending))}; of the other runs, "
            f"whose loss rises at some step, {also} leave it. α = 0.001, 2000 steps, float64.",
            part,
            interval=found.interval,
        )
    ]
    if found.interval[0] > 0.9:
        why = f"The loss never rises in {found.n} runs, of which {found.hits} leave the ball all the same."
        return Ruling(part, Attribution.NOT_SUPPORTED, found.n, why), findings
    if found.interval[1] < 0.1 and also.hits:
        why = f"Of runs that descend {found} leave the ball, of those that rise {also}."
        return Ruling(part, Attribution.SUPPORTED, found.n, why), findings
    why = f"Of runs that descend {found} leave the ball: neither nearly all nor nearly none."
    return Ruling(part, Attribution.UNDECIDED, found.n, why), findings


def _map(rows: Sequence[Row], part: str) -> list[Finding]:
    cells = _of(rows, "map")
    if not cells:
        return []
    spoken, clear, right = against_theory(cells, lambda stepsize, width: stepsize > 2 * width)
    return [
        Finding(
            "clear cells of the map that theory gets right",
            f"{right} of {clear}",
            spoken,
            f"|x| rounded over a width d, P = 10, λ1 = 1, {cells[0]['n']} starts a cell; theory: the loss "
            "rises exactly where α > 2/L = 2d. The kink is d = 0.",
            part,
        )
    ]


def _of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]
