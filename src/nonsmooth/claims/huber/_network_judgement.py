"""The two rulings on networks with Huber's loss, by the rules that the claim's parts state."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims._edge_judgement import at_edge, edge_finding
from nonsmooth.claims._edge_plan import FACTORS
from nonsmooth.findings import Attribution, Finding, Result, Ruling, number, share

__all__ = ["network_cause", "network_divergence"]

_Answer = tuple[Ruling, list[Finding]]
_NAMES = {"huber": "Huber", "log-cosh": "log cosh", "square": "half the square"}


def network_divergence(rows: Sequence[Row]) -> _Answer:
    """Does a network with Huber's loss diverge at some step?"""
    part = "network-divergence"
    mine = [r for r in rows if r["experiment"] == "network-steps"]
    huber = [r for r in mine if r["loss"] == "huber" and r["factor"] > 1]
    if not huber:
        return Ruling(part, Result.NOT_JUDGED, 0, "No network was run at large steps."), []
    found = share(r["diverged"] for r in huber)
    findings = [
        _steps_finding(loss, name, mine, part)
        for loss in _NAMES
        for name in sorted({r["activation"] for r in mine})
        if any(r["loss"] == loss and r["activation"] == name for r in mine)
    ]
    if not found.hits:
        return Ruling(part, Result.HOLDS, found.n, "No run diverges at any step."), findings
    by = {
        name: share(r["diverged"] for r in huber if r["activation"] == name)
        for name in sorted({r["activation"] for r in huber})
    }
    said = "; ".join(f"{name}: {each} diverge" for name, each in by.items())
    why = f"Above 2/sharpness of the start {found} runs diverge. {said}."
    if found.interval[0] > 0.5:
        return Ruling(part, Result.DIFFERS, found.n, why), findings
    return Ruling(part, Result.IN_PART, found.n, why, said), findings


def _steps_finding(loss: str, name: str, rows: Sequence[Row], part: str) -> Finding:
    runs = [r for r in rows if (r["loss"], r["activation"]) == (loss, name)]
    above = share(r["diverged"] for r in runs if r["factor"] > 1)
    counted = ", ".join(
        f"{factor:g}: {sum(r['diverged'] for r in runs if r['factor'] == factor)} of "
        f"{sum(r['factor'] == factor for r in runs)}"
        for factor in FACTORS
    )
    highest = [r["highest"] / r["first"] for r in runs if not r["diverged"] and r["factor"] > 1]
    words = f" Greatest loss of the others over the first: up to {number(max(highest))}." if highest else ""
    return Finding(
        f"{_NAMES[loss]}, {name}: runs above 2/sharpness of the start that diverge",
        str(above),
        above.n,
        f"By step over 2/sharpness: {counted}.{words} {runs[0]['samples']} images, {runs[0]['network']}, 100 "
        "steps, float32; Wilson interval.",
        part,
        reported="0" if loss == "huber" else None,
        interval=above.interval,
        agrees=above.hits == 0 if loss == "huber" else None,
    )


def network_cause(rows: Sequence[Row]) -> _Answer:
    """Are networks at the edge of stability with the unbounded slope of the square loss as well?"""
    part = "network-cause"
    mine = [r for r in rows if r["experiment"] == "network-edge"]
    bounded, unbounded = ([r for r in mine if r["loss"] == loss] for loss in ("huber", "square"))
    if not bounded or not unbounded:
        return Ruling(part, Attribution.UNDECIDED, 0, "Not both losses were run."), []
    huber, square = (share((at_edge(r) for r in each), 2) for each in (bounded, unbounded))
    beyond = max(r["beyond"] for r in bounded)
    findings = [
        edge_finding("Huber's loss", bounded, part, 2),
        edge_finding("half the square", unbounded, part, 2),
        Finding(
            "Huber's loss: greatest share of the residuals above 1 at a measurement",
            f"{number(100 * beyond, 2)} %",
            len(bounded),
            "Where no residual is above 1, Huber's loss, its gradient and its Hessian are those of the "
            "square.",
            part,
        ),
    ]
    n = min(huber.n, square.n)
    said = f"Huber {huber}, square {square}"
    if huber.interval[0] > 0.5 and square.interval[0] > 0.5:
        why = f"At the edge of stability with a bounded slope and with an unbounded one: {said}."
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why, said), findings
    if huber.interval[0] > 0.5 and square.interval[1] < 0.4:
        return Ruling(part, Attribution.SUPPORTED, n, f"At the edge: {said}.", said), findings
    return Ruling(part, Attribution.UNDECIDED, n, f"At the edge: {said}.", said), findings
