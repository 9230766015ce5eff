"""The three rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.capture._experiments import KINDS, MAP_KINDS, border_half_width
from nonsmooth.findings import Attribution, Finding, Result, Ruling, Share, against_theory, number, share

__all__ = ["cause_not_gd", "figure_1", "proposition_3_1"]

_Answer = tuple[Ruling, list[Finding]]


def figure_1(rows: Sequence[Row]) -> _Answer:
    """Does the loss fall throughout while the max norm passes 1?"""
    part = "figure-1"
    mine = _of(rows, "figure", "relu")
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
    stepsize, steps = mine[0]["stepsize"], mine[0]["steps"]
    found = share(_shows(r) for r in mine)
    ends = share(_shows(r) and r["max_norm_end"] > 1 for r in mine)
    starts = share(r["norm_start"] < 1 for r in mine)
    grown = share(r["distance_rises"] > 0 for r in mine)
    failing, rising = found.n - found.hits, sum(r["rises"] > 0 for r in mine)
    median = number(float(np.median([r["norm_start"] for r in mine])))
    findings = [
        Finding(
            "seeds with monotone loss and max norm passing 1",
            str(found),
            found.n,
            f"α = {stepsize:g}, {steps} steps, float64; Wilson interval.",
            part,
            reported="the run shown",
            interval=found.interval,
            agrees=found.interval[0] > 0.9,
        ),
        Finding(
            "seeds that do both and are still above 1 in the last 100 steps",
            str(ends),
            ends.n,
            "The ridge term shrinks every entry in the long run, so this falls with the number of steps, "
            "which is not printed.",
            part,
            interval=ends.interval,
        ),
        Finding(
            "seeds whose loss rises on some step: with ReLU, and with its twins",
            f"{_rising(rows, 'relu')}; {', '.join(_rising(rows, kind) for kind in KINDS if kind != 'relu')}",
            found.n,
            "Every seed that fails does so by a rise of the loss; the twins at the same step never rise. "
            "That much of a difference there is: the subgradient method is no descent method."
            if failing == rising > 0 == sum(r["rises"] > 0 for r in _twin_rows(rows))
            else "A rise is an increase above 1e-12 of the loss's scale.",
            part,
        ),
        Finding(
            "seeds that start inside the theorem's Euclidean unit ball",
            str(starts),
            starts.n,
            "Proposition 3.1 asks for ||x_0 − x*|| < 1, here ||β0|| < 1; the text puts the max norm in its "
            f"place. Median ||β0||_2 = {median}.",
            part,
            reported="all, as the premise of Proposition 3.1",
            agrees=starts.hits > 0,
        ),
        Finding(
            "seeds whose Euclidean distance to the minimiser ever grows",
            str(grown),
            grown.n,
            "The norm in which gradient descent with α ≤ 2/L never increases the distance"
            + ("; nor does the kinked sequence." if grown.hits == 0 else "."),
            part,
            interval=grown.interval,
        ),
        *_from_inside(rows, part),
        *_map_findings(rows, part),
    ]
    if found.interval[0] > 0.9:
        answer = Result.HOLDS
    elif found.interval[1] < 0.1:
        answer = Result.DIFFERS
    else:
        answer = Result.IN_PART
    why = {
        Result.HOLDS: "The loss falls throughout while some entry passes 1: median greatest max norm "
        f"{number(float(np.median([r['max_norm_high'] for r in mine])), 4)}.",
        Result.DIFFERS: "Hardly any seed does both.",
        Result.IN_PART: "Some seeds do both.",
    }[answer]
    return Ruling(part, answer, found.n, why, _region(rows, found, stepsize)), findings


def proposition_3_1(rows: Sequence[Row]) -> _Answer:
    """Does a monotone loss keep gradient descent in the unit ball?"""
    part = "proposition-3.1"
    row = next((r for r in rows if r["experiment"] == "proposition"), None)
    if row is None:
        return Ruling(part, Result.NOT_JUDGED, 0, "No search was run."), []
    first, analytic = row["smallest"], row["exponential"]
    measured = "none"
    if first:
        path = ", ".join(first["path"][:4])
        measured = (
            f"{row['broken']} of {row['n']}; "
            f"smallest found: c = {first['c']}, d = 1, step {first['stepsize']}: x = {path}, ..."
        )
    path = ", ".join(f"{x:.3f}" for x in analytic["path"])
    findings = [
        Finding(
            "monotone sequences that leave the unit ball, f = c x²/2 | d x²/2",
            measured,
            row["n"],
            "Exact rationals; f is convex and C1,1, x* = 0 its only minimum, |x_0| < 1.",
            part,
            reported="none",
            agrees=row["broken"] == 0,
        ),
        Finding(
            "the same for f(x) = e^x − x − 1, analytic",
            f"x = {path}; monotone: {'yes' if analytic['monotone'] else 'no'}",
            1,
            f"x_0 = 0.99, α = 1.4, float64: |x| reaches {analytic['largest']:.3f}.",
            part,
            reported="none",
            agrees=not (analytic["monotone"] and analytic["largest"] >= 1),
        ),
        Finding(
            "counter-examples left when α ≤ 2/L, or when f is quadratic (c = d)",
            f"{row['small_step_broken']} and {row['quadratic_broken']}",
            row["n"],
            "Convex, L-smooth and α ≤ 2/L is the repair. On a quadratic a monotone loss forces |1 − α η| ≤ 1 "
            "on every active eigenvalue η.",
            part,
        ),
    ]
    if row["n"] == 0:
        return Ruling(part, Result.NOT_JUDGED, 0, "The search was empty."), findings
    if row["broken"]:
        region = "true for convex L-smooth f and α ≤ 2/L; for quadratics at every step with monotone loss"
        unbroken = row["small_step_broken"] == row["quadratic_broken"] == 0
        return Ruling(part, Result.DIFFERS, row["n"], _broken(first), region if unbroken else ""), findings
    return Ruling(part, Result.HOLDS, row["n"], "No counter-example in the searched family."), findings


def cause_not_gd(rows: Sequence[Row]) -> _Answer:
    """Does gradient descent on a differentiable twin do the same?"""
    part = "cause-not-gd"
    twins = {name: _of(rows, "figure", kind) for kind, name in KINDS.items() if kind != "relu"}
    shares = {
        name: share((_shows(r) for r in mine), comparisons=len(twins)) for name, mine in twins.items() if mine
    }
    findings = [
        Finding(
            f"differentiable twin: {name}",
            f"{found} seeds do both",
            found.n,
            "Gradient descent, same data, start, step and number of steps, float64; "
            f"Wilson interval allowing for {len(twins)} comparisons.",
            part,
            interval=found.interval,
        )
        for name, found in shares.items()
    ]
    if len(shares) < len(twins):
        return Ruling(part, Attribution.UNDECIDED, 0, "Not every twin was run."), findings
    n = min(found.n for found in shares.values())
    showing = [name for name, found in shares.items() if found.interval[0] > 0.9]
    if showing:
        shown = "; ".join(f"{name} in {shares[name]} seeds" for name in showing)
        why = f"Gradient descent on differentiable functions does the same: {shown}."
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    if all(found.interval[1] < 0.1 for found in shares.values()):
        return Ruling(part, Attribution.SUPPORTED, n, "No differentiable twin does it."), findings
    return Ruling(part, Attribution.UNDECIDED, n, "Differentiable twins do it in some seeds."), findings


def _of(rows: Sequence[Row], experiment: str, kind: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment and r["kind"] == kind]


def _shows(row: Row) -> bool:
    return row["rises"] == 0 and row["max_norm_start"] < 1 < row["max_norm_high"] and not row["diverged"]


def _twin_rows(rows: Sequence[Row]) -> list[Row]:
    return [r for r in rows if r["experiment"] == "figure" and r["kind"] != "relu"]


def _rising(rows: Sequence[Row], kind: str) -> str:
    mine = _of(rows, "figure", kind)
    return f"{sum(r['rises'] > 0 for r in mine)} of {len(mine)}"


def _from_inside(rows: Sequence[Row], part: str) -> list[Finding]:
    monotone = [r for r in rows if r["experiment"] == "inside" and r["rises"] == 0]
    if not monotone:
        return []
    kept = share(r["norm_high"] < 1 for r in monotone)
    return [
        Finding(
            "monotone runs from inside the Euclidean ball that stay in it",
            str(kept),
            kept.n,
            "The same starts scaled to ||β0||_2 = 0.99: the conclusion tested from inside its premise.",
            part,
            interval=kept.interval,
        )
    ]


def _broken(first: Row | None) -> str:
    """The smallest counter-example, with the numbers that show it."""
    if first is None:
        return "A monotone sequence leaves the ball."
    c, x = Fraction(first["c"]), [Fraction(value) for value in first["path"][:2]]
    low, high = ((c if point >= 0 else 1) * point**2 / 2 for point in x)
    return (
        "Not for every convex differentiable f, even of one variable: with "
        f"f(x) = {c} x²/2 for x ≥ 0 and x²/2 for x < 0, x* = 0, α = {first['stepsize']} and x_0 = {x[0]}, "
        f"x_1 = {x[1]} lies outside the ball, while f falls from {low} to {high} and goes on falling."
    )


def _map_findings(rows: Sequence[Row], part: str) -> list[Finding]:
    """Each map against the half-width that gradient flow predicts, for steps up to the twin's 2/L."""
    findings, border = [], border_half_width()
    cells = {kind: _of(rows, "map", kind) for kind in MAP_KINDS}
    edge = next((r["edge"] for mine in cells.values() for r in mine if r["edge"]), None)
    for kind, mine in cells.items():
        if not mine or edge is None:
            continue
        spoken, clear, right = against_theory(mine, lambda a, w: w > border if a <= edge else None)
        beyond = [r for r in mine if r["x"] > edge and r["y"] < border]
        findings.append(
            Finding(
                f"clear cells of the map that theory gets right, {KINDS[kind]}",
                f"{right} of {clear}",
                sum(r["n"] for r in mine),
                f"{spoken} cells with α up to {number(edge)}, 2/L of the differentiable twin. Theory: both "
                f"happen in most seeds from a half-width of {border:.2f} of the starts on. Beyond 2/L, where "
                "it is silent, entries are carried further: at smaller half-widths both happen in "
                f"{sum(r['hits'] for r in beyond)} of {sum(r['n'] for r in beyond)} runs there.",
                part,
            )
        )
    return findings


def _region(rows: Sequence[Row], found: Share, stepsize: float) -> str:
    cells = [r for r in _of(rows, "map", "relu") if r["y"] == 1]
    most = [r["x"] for r in cells if r["hits"] > r["n"] / 2]
    here = f"{found} seeds at α = {stepsize:g}"
    return f"{here}; in most seeds from α = {min(most):g} to {max(most):g}" if most else here
