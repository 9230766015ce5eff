"""The rulings of the claim but for the bound, by the rules that its parts state."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.unstable_convergence._bound import select
from nonsmooth.claims.unstable_convergence._experiments import FAMILIES, GROWTH
from nonsmooth.findings import Attribution, Finding, Result, Ruling, Share, number, share, share_of

__all__ = ["cause_lipschitz", "cause_non_smooth", "iterates", "loss"]

_Answer = tuple[Ruling, list[Finding]]


def loss(rows: Sequence[Row]) -> _Answer:
    """Does the loss of every run stay below what the basic inequality allows?"""
    part = "loss"
    mine = select(rows, "families")
    if {r["family"] for r in mine} != set(FAMILIES):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
    high = sum(r["diverged"] or r["highest"] > r["first"] + 2 * r["noise"] for r in mine)
    bad = sum(r["best"] > r["best_bound"] * (1 + 1e-9) + 1e-12 for r in mine)
    findings = [
        Finding(
            "runs whose loss is not finite or passes its start by 2 α L²",
            f"{high} of {len(mine)}",
            len(mine),
            "Toy LASSO with P = 1, 10, 100, Huber, log cosh (differentiable: Appendix D.1 claims it as "
            "well); α from 0.001 to 1000, float64.",
            part,
            reported="0",
            agrees=high == 0,
        ),
        Finding(
            "runs whose best iterate breaks α L²/2 + ||x_0 − x*||²/(2αk)",
            f"{bad} of {len(mine)}",
            len(mine),
            "The bound of the cited notes, with half the printed constant.",
            part,
            reported="0",
            agrees=bad == 0,
        ),
        *_late_values(mine),
    ]
    if high or bad:
        why = f"{high} runs pass the limit set here and {bad} a proved bound: look for an error here first."
        return Ruling(part, Result.DIFFERS, len(mine), why), findings
    why = (
        "The loss cannot tend to ∞: its lower limit is at most f* + α L²/2. Whether it stays bounded for "
        "every such function is not judged."
    )
    return Ruling(part, Result.HOLDS, len(mine), why), findings


def iterates(rows: Sequence[Row]) -> _Answer:
    """Do the iterates of some candidate leave every bounded set?"""
    part = "iterates"
    mine = sorted(select(rows, "unbounded"), key=lambda r: r["name"])
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run."), []
    findings = [
        Finding(
            f"{r['name']}, α = 1: {'x' if r['exact'] else 'y'} at k",
            ", ".join(f"k = {k:,}: {number(coordinate, 4)}" for k, coordinate, _ in r["path"][1:]),
            1,
            _about_candidate(r),
            part,
            reported="“non-divergence to ∞”",
            agrees=not _runs_off(r),
        )
        for r in mine
    ]
    if any(_runs_off(r) for r in mine):
        shown = "; ".join(_how_far(r) for r in mine if _runs_off(r))
        why = f"Read of the iterates, not for every such function: they can run to infinity. {shown}."
        region = "true where the set of minimisers is non-empty and bounded"
        return Ruling(part, Result.DIFFERS, len(mine), why, region), findings
    return Ruling(part, Result.HOLDS, len(mine), "No candidate leaves every bounded set."), findings


def cause_non_smooth(rows: Sequence[Row]) -> _Answer:
    """Does the outcome follow smoothness?"""
    part = "cause-non-smooth"
    above = _diverged_above(rows)
    if not above:
        return Ruling(part, Attribution.UNDECIDED, 0, "The table was not run."), []
    n = _starts(rows)
    kinked_lipschitz, smooth_lipschitz, kinked_quadratic, smooth_quadratic = (
        found.value for found in above.values()
    )
    if kinked_lipschitz == smooth_lipschitz and kinked_quadratic == smooth_quadratic:
        shown = "; ".join(f"{name}: {found} diverge" for name, found in above.items())
        why = (
            f"Whether a run diverges does not follow smoothness. At steps above 1, {shown}. (Whether it "
            "converges does follow it: the kinked ones stall at every step.) Appendix D.1 itself extends the "
            "proof to differentiable functions."
        )
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), []
    if kinked_lipschitz != smooth_lipschitz and kinked_quadratic != smooth_quadratic:
        return Ruling(part, Attribution.SUPPORTED, n, "Divergence follows smoothness."), []
    return Ruling(part, Attribution.UNDECIDED, n, "Divergence follows smoothness in one row only."), []


def cause_lipschitz(rows: Sequence[Row]) -> _Answer:
    """Does the outcome follow growth? The table's findings are given here, for both causes."""
    part = "cause-lipschitz"
    above = _diverged_above(rows)
    if not above:
        return Ruling(part, Attribution.UNDECIDED, 0, "The table was not run."), []
    n = _starts(rows)
    findings = [
        Finding(
            f"{name}: runs that diverge at α > 1",
            str(found),
            found.n,
            f"Steps 1.1 to 100; below 1: {_diverged_below(rows, name)}. "
            "Same starts on all four; 2/L is 1 for x² and 2 for log cosh. Float64.",
            part,
            interval=found.interval,
        )
        for name, found in above.items()
    ]
    kinked_lipschitz, smooth_lipschitz, kinked_quadratic, smooth_quadratic = (
        found.value for found in above.values()
    )
    if kinked_lipschitz == smooth_lipschitz == 0 and kinked_quadratic == smooth_quadratic == 1:
        why = (
            "Divergence follows growth alone: of the Lipschitz losses no run diverges at steps above 1, of "
            "those of quadratic growth every one."
        )
        return Ruling(part, Attribution.SUPPORTED, n, why), findings
    if kinked_lipschitz or smooth_lipschitz:
        return Ruling(part, Attribution.NOT_SUPPORTED, n, "A Lipschitz run diverges."), findings
    return Ruling(part, Attribution.UNDECIDED, n, "Not every run of quadratic growth diverges."), findings


def _late_values(runs: Sequence[Row]) -> list[Finding]:
    """What the same runs say about the bound: how high they end, and whether there is a limit."""
    late = [r["late_high"] / r["noise"] for r in runs if r["stepsize"] >= 0.1]
    toys = [r for r in runs if r["family"].startswith("toy") and r["stepsize"] >= 0.01]
    alternate = share(r["alternates"] for r in toys)
    return [
        Finding(
            "greatest late value over α L² in the five families",
            number(max(late)),
            len(late),
            "Last quarter of the run, α ≥ 0.1 (at smaller steps the runs have not settled). "
            "These families stay within the printed bound; the cycle below does not.",
            "bound",
            reported="at most 1",
            agrees=max(late) <= 1 + 1e-9,
        ),
        Finding(
            "toy LASSO runs whose value keeps alternating",
            str(alternate),
            alternate.n,
            "So “lim f(x_k)” does not exist; lim sup is meant.",
            "bound",
            reported="a limit",
            interval=alternate.interval,
            agrees=alternate.hits == 0,
        ),
    ]


def _runs_off(row: Row) -> bool:
    """Whether the kept coordinate grows at every checkpoint, and by a fixed power."""
    sizes = [abs(coordinate) for _, coordinate, _ in row["path"]]
    return row["power"] > 0.1 and all(later > earlier for earlier, later in itertools.pairwise(sizes))


def _how_far(row: Row) -> str:
    k, coordinate, _ = row["path"][-1]
    start = "1/3" if row["exact"] else "(0.3, 0)"
    name = "x" if row["exact"] else "y"
    return f"{row['name']}, α = 1, from {start}: {name} = {number(coordinate, 4)} after {k:,} steps"


def _about_candidate(row: Row) -> str:
    if row["exact"]:
        return "Exact rationals; f is unbounded below, its subgradients are 1/2, 3/2 and what lies between."
    return (
        "Float64. Minimum 0, attained on the whole ray x = 0, y ≥ 0; "
        f"the loss never exceeds {number(row['late_loss'])} after k = 100, "
        f"while y grows like k^{row['power']:.3f}."
    )


def _diverged_above(rows: Sequence[Row]) -> dict[str, Share]:
    """By row of the table: the share of runs that diverge at steps above 1; empty if it was not run."""
    table = [r for r in select(rows, "growth") if r["stepsize"] > 1]
    if {r["name"] for r in table} != set(GROWTH):
        return {}
    cells = {name: [r for r in table if r["name"] == name] for name in GROWTH}
    return {
        name: share_of(sum(r["diverged"] for r in c), sum(r["n"] for r in c)) for name, c in cells.items()
    }


def _diverged_below(rows: Sequence[Row], name: str) -> str:
    below = [r for r in select(rows, "growth") if r["name"] == name and r["stepsize"] < 1]
    return f"{sum(r['diverged'] for r in below)} of {sum(r['n'] for r in below)}"


def _starts(rows: Sequence[Row]) -> int:
    return min(r["n"] for r in select(rows, "growth"))
