"""The six rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.huber._experiments import FACTORS, LAWS, LOSSES, MAP_LOSSES, select
from nonsmooth.findings import Attribution, Finding, Result, Ruling, against_theory, number, share

__all__ = [
    "cause_bounded_slope",
    "cause_non_smooth",
    "growth",
    "no_divergence",
    "non_smooth",
    "oscillation",
]

_Answer = tuple[Ruling, list[Finding]]


def no_divergence(rows: Sequence[Row]) -> _Answer:
    """Does the loss stay bounded at every step, and stop growing at the large printed one?"""
    part = "no-divergence"
    if not (_complete(rows, "printed", "huber") and _complete(rows, "grid", "huber")):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
    everything = select(rows, "printed", loss="huber") + select(rows, "grid", loss="huber")
    diverged = sum(r["diverged"] for r in everything)
    findings, shares = [], []
    for law in LAWS:
        mine = select(rows, "printed", loss="huber", law=law, label="large")
        found = share((r["second_half"] < 1.1 * r["first_half"] for r in mine), comparisons=len(LAWS))
        shares.append(found)
        greatest = number(_median(mine, lambda r: r["second_half"]))
        findings.append(
            Finding(
                f"{law} data, α = {mine[0]['stepsize']:g}: runs whose loss stops growing",
                str(found),
                found.n,
                "Greatest loss of the second half at most 1.1 times that of the first; float64; "
                f"Wilson interval allowing for {len(LAWS)} comparisons. Median greatest loss {greatest}.",
                part,
                reported="never diverges",
                interval=found.interval,
                agrees=found.interval[0] > 0.8,
            )
        )
    findings.append(
        Finding(
            "Huber runs that diverge, all steps",
            f"{diverged} of {len(everything)}",
            len(everything),
            "Steps up to 50 times 2/L; divergence is a loss above 1e12 or not finite.",
            part,
            reported="0",
            agrees=diverged == 0,
        )
    )
    n = min(found.n for found in shares)
    if diverged:
        return Ruling(part, Result.DIFFERS, n, f"{diverged} runs diverge."), findings
    if all(found.interval[0] > 0.8 for found in shares):
        why = "No run diverges; the loss stays at the level it reaches."
        return Ruling(part, Result.HOLDS, n, why, region="steps up to 50 times 2/L"), findings
    why = "No run diverges, but in some the loss is still growing."
    return Ruling(part, Result.IN_PART, n, why), findings


def oscillation(rows: Sequence[Row]) -> _Answer:
    """Does the small step fall and the large one oscillate, and faster with the step?"""
    part = "oscillation"
    if not (_complete(rows, "printed", "huber") and _complete(rows, "grid", "huber")):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
    small = select(rows, "printed", loss="huber", label="small")
    large = select(rows, "printed", loss="huber", label="large")
    grid = {factor: select(rows, "grid", loss="huber", factor=factor) for factor in FACTORS}
    falling, rising = sum(r["rises"] == 0 for r in small), sum(r["rises"] > 0 for r in large)
    first = falling == len(small) and rising == len(large)
    frequency = {factor: _median(runs, lambda r: r["frequency"]) for factor, runs in grid.items()}
    size = {factor: _median(runs, lambda r: r["late_high"] / r["start"]) for factor, runs in grid.items()}
    beyond = [frequency[factor] for factor in FACTORS if factor > 1]
    second = beyond[-1] > beyond[0] + 0.01

    n = len(small)
    edges = ", ".join(
        f"{number(_median([r for r in small if r['law'] == law], lambda r: r['edge']), 2)} for {law} data"
        for law in LAWS
    )
    sizes = ", ".join(f"{factor:g}: {number(size[factor], 2)}" for factor in FACTORS if factor > 1)
    findings = [
        Finding(
            "runs without a rise at the small step, with rises at the large one",
            f"{falling} and {rising} of {n}",
            n,
            f"α = {small[0]['stepsize']:g} is below 2/L ({edges}), α = {large[0]['stepsize']:g} above.",
            part,
            reported="falls; oscillates",
            agrees=first,
        ),
        Finding(
            "frequency of the loss by step over 2/L, median",
            ", ".join(f"{factor:g}: {frequency[factor]:.2f}" for factor in FACTORS),
            sum(len(runs) for runs in grid.values()),
            "Changes of direction a step, halved; 1/2 (up, down, up, ...) is the most there is, and is "
            "reached as soon as 2/L is passed. The step changes the size: greatest late loss over the "
            "starting loss "
            f"{sizes}.",
            part,
            reported="“larger frequencies”",
            agrees=second,
        ),
        *_map_findings(rows, part),
    ]
    if first and second:
        why = "Falls below 2/L, oscillates above, faster with the step."
        return Ruling(part, Result.HOLDS, n, why), findings
    if first:
        steps = [factor for factor in FACTORS if factor > 1]
        why = (
            "Falls at 0.1 and oscillates at 10; but beyond 2/L it is the amplitude that grows with the step, "
            f"not the frequency: {frequency[steps[0]]:.2f} cycles a step at {steps[0]:g} times 2/L, "
            f"{frequency[steps[-1]]:.2f} at {steps[-1]:g} times; late loss over the first "
            f"{number(size[steps[0]], 2)} and {number(size[steps[-1]], 2)}."
        )
        region = "true of 0.1 against 10, not among steps above 2/L"
        return Ruling(part, Result.IN_PART, n, why, region), findings
    answer = Result.IN_PART if second else Result.DIFFERS
    return Ruling(part, answer, n, "The printed steps do not fall and oscillate as said."), findings


def non_smooth(rows: Sequence[Row]) -> _Answer:
    """Does some pair of points break eq. 5?"""
    part = "non-smooth"
    if not _complete(rows, "class"):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
    mine = select(rows, "class")
    pairs = sum(r["pairs"] for r in mine)
    worst, attained = max(r["worst"] for r in mine), min(r["attained"] for r in mine)
    left, right = mine[0]["second_left"], mine[0]["second_right"]
    once, rough = abs(left - right) > 0.5, worst > 1 + 1e-9
    findings = [
        Finding(
            "second derivative left and right of where the quadratic ends",
            f"{left:.3f} and {right:.3f}",
            1,
            "Of the loss of one residual; its first derivative is continuous there.",
            part,
            reported="once but not twice differentiable",
            agrees=once,
        ),
        Finding(
            "greatest ||∇f(x) − ∇f(y)|| / (L ||x − y||) over random pairs",
            f"{worst:.3f}",
            pairs,
            "Random directions at distances 1e-4 to 1e3 from starts, far out and a minimiser, L = σ(Z)²/N, "
            "float64. The slope is 1-Lipschitz, so L is a bound; along the top singular direction at a "
            f"minimiser it is attained ({attained:.6f}).",
            part,
            reported="“non-smooth”: above 1 for every L",
            agrees=rough,
        ),
    ]
    if once and rough:
        return Ruling(part, Result.HOLDS, pairs, "Not twice differentiable, and not L-smooth."), findings
    if once:
        why = (
            "Once but not twice differentiable: true. But its gradient is Lipschitz, which is L-smooth "
            f"by eq. 5: ||∇f(x) − ∇f(y)|| is at most {worst:.3f} L ||x − y|| over {pairs:,} random pairs and "
            f"{attained:.3f} L ||x − y|| in the steepest direction, L = σ(Z)²/N: the slope is 1-Lipschitz."
        )
        return Ruling(part, Result.IN_PART, pairs, why), findings
    answer = Result.IN_PART if rough else Result.DIFFERS
    return Ruling(part, answer, pairs, "It is twice differentiable where the quadratic ends."), findings


def growth(rows: Sequence[Row]) -> _Answer:
    """Is the least value 0, and the growth around a minimiser quadratic?"""
    part = "growth"
    if not _complete(rows, "class"):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
    mine = select(rows, "class")
    least, spread = max(r["minimum"] for r in mine), max(r["growth_spread"] for r in mine)
    good = least < 1e-20 and spread < 1e-6
    findings = [
        Finding(
            "least value; relative spread of (f(x* + tv) − f*)/t²",
            f"at most {least:.1e}; at most {spread:.1e}",
            len(mine),
            "Least-norm interpolant, random directions v, t = 1e-4, 1e-3, 1e-2, float64. The minimisers form "
            "a 150-dimensional flat, along which there is no growth at all.",
            part,
            reported="0; quadratic",
            agrees=good,
        )
    ]
    why = (
        "Minimum 0, quadratic growth across the flat of minimisers."
        if good
        else "The least value is not 0, or the growth is not quadratic."
    )
    return Ruling(part, Result.HOLDS if good else Result.DIFFERS, len(mine), why), findings


def cause_non_smooth(rows: Sequence[Row]) -> _Answer:
    """Does the analytic twin behave the same?"""
    part = "cause-non-smooth"
    twin_run = _complete(rows, "grid", "log-cosh") and _complete(rows, "printed", "log-cosh")
    if not (twin_run and _complete(rows, "grid", "huber")):
        return Ruling(part, Attribution.UNDECIDED, 0, "No twin was run."), []
    printed = select(rows, "printed", loss="log-cosh", label="large")
    below, above = _around_threshold(rows, "log-cosh")
    calm = share((r["converged"] for r in below), comparisons=2)
    bounded = share((_oscillates(r) for r in above), comparisons=2)
    diverged = sum(r["diverged"] for r in above) + sum(r["diverged"] for r in printed)
    huber_below, huber_above = _around_threshold(rows, "huber")
    huber_calm = share(r["converged"] for r in huber_below)
    huber_bounded = share(_oscillates(r) for r in huber_above)
    findings = [
        Finding(
            "analytic twin (log cosh)",
            f"{calm} converge below 2/L; {bounded} oscillate without diverging above; {diverged} diverge",
            len(below) + len(above),
            f"Same data, starts and steps, float64. Huber: {huber_calm} and {huber_bounded}.",
            part,
            interval=bounded.interval,
        )
    ]
    n = min(len(printed), calm.n, bounded.n)
    if min(calm.interval[0], bounded.interval[0]) > 0.8 and diverged == 0:
        why = (
            "An infinitely differentiable loss with the same slope bound, log cosh, behaves the same at the "
            f"same threshold: {calm} runs converge below 2/L, {bounded} above it oscillate without diverging "
            f"(Huber: {huber_calm} and {huber_bounded})."
        )
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    if all(r["diverged"] for r in printed):
        return Ruling(part, Attribution.SUPPORTED, n, "The analytic twin diverges."), findings
    return Ruling(part, Attribution.UNDECIDED, n, "The analytic twin does the same in some runs."), findings


def cause_bounded_slope(rows: Sequence[Row]) -> _Answer:
    """Does the loss diverge once the bound on its slope is taken away, and only then?"""
    part = "cause-bounded-slope"
    if not all(_complete(rows, "grid", loss) for loss in ("square", "huber", "log-cosh")):
        return Ruling(part, Attribution.UNDECIDED, 0, "No twin was run."), []
    below, above = _around_threshold(rows, "square")
    gone, calm = share(r["diverged"] for r in above), share(r["converged"] for r in below)
    others = sum(r["diverged"] for loss in ("huber", "log-cosh") for r in select(rows, "grid", loss=loss))
    findings = [
        Finding(
            "square loss, unbounded slope",
            f"{gone} diverge above 2/L; {calm} converge below",
            len(below) + len(above),
            "Same L, data and starts; multiples 1.02 to 50 of 2/L "
            "(slow growth just above the threshold needs the run's length).",
            part,
            interval=gone.interval,
        )
    ]
    if gone.hits == gone.n and others == 0:
        why = (
            "With the slope bound taken away and all else kept, every run above 2/L diverges: "
            f"{gone}; of Huber and log cosh none does."
        )
        return Ruling(part, Attribution.SUPPORTED, gone.n, why), findings
    if gone.hits == 0:
        why = "Without the bound nothing diverges either."
        return Ruling(part, Attribution.NOT_SUPPORTED, gone.n, why), findings
    why = "Some runs without the bound do not diverge within the run's length."
    return Ruling(part, Attribution.UNDECIDED, gone.n, why), findings


def _map_findings(rows: Sequence[Row], part: str) -> list[Finding]:
    """Each map against 2/L, whatever the width."""
    findings = []
    for loss in MAP_LOSSES:
        cells = select(rows, "map", loss=loss)
        if cells:
            spoken, clear, right = against_theory(cells, lambda factor, _: factor > 1)
            widths = sorted({r["y"] for r in cells})
            findings.append(
                Finding(
                    f"clear cells of the map that theory gets right, {LOSSES[loss]}",
                    f"{right} of {clear}",
                    sum(r["n"] for r in cells),
                    f"{spoken} cells, widths of the quadratic part from {widths[0]:g} to {widths[-1]:g}, "
                    "uniform data, float64. Theory: a run neither converges nor diverges exactly if its step "
                    f"is above 2/L. {sum(r['diverged'] for r in cells)} diverge.",
                    part,
                )
            )
    return findings


def _complete(rows: Sequence[Row], experiment: str, loss: str | None = None) -> bool:
    """Whether the experiment was run under every data law."""
    wanted = {} if loss is None else {"loss": loss}
    return {r["law"] for r in select(rows, experiment, **wanted)} == set(LAWS)


def _around_threshold(rows: Sequence[Row], loss: str) -> tuple[list[Row], list[Row]]:
    """A loss's runs below and above 2/L."""
    grid = select(rows, "grid", loss=loss)
    return [r for r in grid if r["factor"] < 1], [r for r in grid if r["factor"] > 1]


def _oscillates(row: Row) -> bool:
    return not row["diverged"] and not row["converged"]


def _median(rows: Sequence[Row], quantity: Callable[[Row], float]) -> float:
    return float(np.median([quantity(row) for row in rows]))
