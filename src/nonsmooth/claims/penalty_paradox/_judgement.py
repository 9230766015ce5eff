"""The four rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.penalty_paradox._experiments import (
    ATTACHED,
    CONSTANT,
    DIMINISHING,
    FORMATS,
    PROXIMAL,
    RATIO,
    border_ratio,
    expected_share,
)
from nonsmooth.findings import Attribution, Finding, Result, Ruling, against_theory, number, share_of

__all__ = ["cause_kink", "cause_step", "larger_norm", "printed_orbits"]

_Answer = tuple[Ruling, list[Finding]]

# The two values of each entry as printed, by λ1 and step.
_PRINTED = {
    (1, "0.01"): ("0.0053", "-0.0047"),
    (100, "0.01"): ("0.5053", "-0.4947"),
    (1, "0.001"): ("0.0003", "-0.0007"),
    (100, "0.001"): ("0.0053", "-0.0947"),
}
# The printed bound of the norm at the first step, and the extreme it is held against, by λ1.
_BOUNDS = {1: ("at most 0.0106", "norm_high"), 100: ("at least 0.9894", "norm_low")}


def printed_orbits(rows: Sequence[Row]) -> _Answer:
    """Are the ten printed numbers those of the orbit?"""
    part = "printed-orbits"
    findings = []
    for (l1, step), values in _PRINTED.items():
        same = [r for r in _orbits(rows) if r["l1"] == l1 and abs(r["stepsize"] / float(step) - 1) < 1e-9]
        if _formats(same) < len(FORMATS):
            continue
        findings.append(_orbit_finding(f"λ1 = {l1}, α = {step}", same, values, part))
        if step == "0.01":
            findings.append(_bound_finding(f"λ1 = {l1}, α = {step}", same, *_BOUNDS[l1], part))
    if len(findings) < len(_PRINTED) + len(_BOUNDS):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not all number formats were run."), findings
    if all(finding.agrees for finding in findings):
        why = "All ten printed numbers are reproduced in exact rationals, float64 and float32."
        return Ruling(part, Result.HOLDS, 1, why), findings
    why = "At least one printed number is not the orbit's; see the rows."
    return Ruling(part, Result.DIFFERS, 1, why), findings


def larger_norm(rows: Sequence[Row]) -> _Answer:
    """Does the larger λ1 end with the larger norm, at both steps?"""
    part = "larger-norm"
    cells = [r for r in rows if r["experiment"] == "map"]
    here = next((r for r in cells if r["default"]), None)
    if here is None:
        return Ruling(part, Result.NOT_JUDGED, 0, "No map of starts was run."), []
    found = share_of(here["hits"], here["n"])
    findings = [
        Finding(
            f"share of uniform starts with the larger norm at λ1 = {here['x']:g}",
            str(found),
            found.n,
            f"P = 2, α = {here['y']:g}, starts uniform on [-1, 1], float64; 95 % Wilson interval. "
            "A start fails only where both entries come near 0 on the same step.",
            part,
            interval=found.interval,
        ),
        _map_finding(cells, part),
    ]
    orbits = _orbits(rows)
    if _formats(orbits) < len(FORMATS):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not all three number formats were run."), findings
    pairs = []
    for stage in (0, 1):
        large = min(r["norm_low"] for r in orbits if r["stage"] == stage and r["l1"] != 1)
        small = max(r["norm_high"] for r in orbits if r["stage"] == stage and r["l1"] == 1)
        pairs.append((large, small))
    answer = Result.HOLDS if all(large > small for large, small in pairs) else Result.DIFFERS
    texts = [f"{number(large, 4)} against {number(small, 4)}" for large, small in pairs]
    region = f"{found} uniform starts (P = 2) at α = {here['y']:g}, λ1 = 1 and {here['x']:g}"
    why = f"Least norm at the larger λ1 against the greatest at λ1 = 1: {', then '.join(texts)}."
    return Ruling(part, answer, 1, why, region), findings


def cause_step(rows: Sequence[Row]) -> _Answer:
    """Is the floor the step times the strength, and does it go with the constant step?"""
    part = "cause-step"
    floors = [r for r in rows if r["experiment"] == "floor"]
    twins = {(r["name"], r["l1"] > 1): r for r in rows if r["experiment"] == "twins"}
    if not floors or not twins:
        return Ruling(part, Attribution.UNDECIDED, 0, "No floors were run."), []
    n = max(r["n"] for r in floors)  # the same starts at every P and step
    low, high = min(r["ratio_low"] for r in floors), max(r["ratio_high"] for r in floors)
    proximal = [twins[PROXIMAL, large]["norm_high"] for large in (False, True)]
    fading = [twins[DIMINISHING, large]["norm_high"] for large in (False, True)]
    findings = [
        Finding(
            "two-step average of ||b||_1 over P α λ1 / 2",
            f"{low:.6f} to {high:.6f}",
            n,
            "Range over all starts, P = 1, 2, 10 and α λ1 from 0.001 to 1, float64: "
            "the floor is the step times the strength, for every start.",
            part,
            interval=(low, high),
        ),
        Finding(
            "L1 norm with the proximal step of the same size",
            f"{proximal[0]:g} and {proximal[1]:g}",
            1,
            "λ1 = 1 and the larger one, printed start and step, float64: exact zeros.",
            part,
        ),
        *_attached(twins, part),
        Finding(
            "L1 norm with a diminishing step",
            f"{fading[0]:.2g} and {fading[1]:.2g}",
            1,
            f"α/(1+t)^0.5 after {twins[DIMINISHING, True]['steps']:,} steps, λ1 = 1 and the larger one, "
            "float64. Where it is exactly 0, rounding has done it: close to the kink the signs keep taking "
            "differences of neighbouring steps, and differences of those.",
            part,
        ),
        *_eq_9(rows, part),
    ]
    proportional = low > 0.99 and high < 1.01
    remedied = max(proximal) == 0 and fading[1] < twins[CONSTANT, True]["norm_low"] / 10
    answer = Attribution.SUPPORTED if proportional and remedied else Attribution.NOT_SUPPORTED
    why = (
        "The mean L1 norm is P α λ1/2 for every start and goes with the constant step; eq. 9's bound α λ1 "
        "lacks the factor P, as the example itself shows (0.0106 against 0.01)."
        if answer is Attribution.SUPPORTED
        else "The floor is not the step times the strength, or another step does not remove it."
    )
    return Ruling(part, answer, n, why), findings


def cause_kink(rows: Sequence[Row]) -> _Answer:
    """Does a differentiable penalty of the same strengths show the same?"""
    part = "cause-kink"
    smooth = [r for r in rows if r["experiment"] == "twins" and r["kind"] == "smooth"]
    small = {r["name"].split(",")[0]: r["norm_high"] for r in smooth if r["l1"] == 1}
    large = {r["name"].split(",")[0]: r["norm_low"] for r in smooth if r["l1"] != 1}
    twins = sorted(small.keys() & large.keys())
    if not twins:
        return Ruling(part, Attribution.UNDECIDED, 0, "No twin was run."), []
    showing = [twin for twin in twins if large[twin] > small[twin]]
    edges = {r["name"].split(",")[0]: r["edge"] for r in smooth if r["l1"] != 1}
    findings = []
    for twin in twins:
        does = "Shows the same paradox" if twin in showing else "Does not show it"
        findings.append(
            Finding(
                f"differentiable twin: {twin}",
                f"norm {_norm(large[twin])} at the larger λ1, {_norm(small[twin])} at λ1 = 1",
                1,
                f"{does}; α is {number(edges[twin])} times 2/L at the larger λ1. Float64.",
                part,
            )
        )
    kinked = {r["l1"]: r for r in rows if r["experiment"] == "twins" and r["kind"] == "kinked"}
    if len(kinked) < 2 or kinked[RATIO]["norm_low"] <= kinked[1.0]["norm_high"]:
        return Ruling(part, Attribution.UNDECIDED, 0, "The kinked penalty does not show it here."), findings
    beyond = [twin for twin in twins if edges[twin] >= 1 - 1e-12]
    if not showing:
        return Ruling(part, Attribution.SUPPORTED, 1, "No differentiable twin shows the paradox."), findings
    if showing == beyond:
        shown = "; ".join(f"{name} ({_norm(large[name])} against {_norm(small[name])})" for name in showing)
        why = f"Differentiable penalties end with the larger norm too, wherever α ≥ 2/L: {shown}."
        return Ruling(part, Attribution.NOT_SUPPORTED, 1, why), findings
    why = f"Twins show it ({'; '.join(showing)}), but not exactly those with α ≥ 2/L."
    return Ruling(part, Attribution.UNDECIDED, 1, why), findings


def _attached(twins: Mapping[tuple[str, bool], Row], part: str) -> list[Finding]:
    """The remedy as a user has it; no part of the rule."""
    mine = [twins[ATTACHED, large] for large in (False, True) if (ATTACHED, large) in twins]
    if not mine:
        return []
    return [
        Finding(
            "L1 norm with torch.optim.SGD and the penalty attached",
            " and ".join(f"{r['norm_high']:g}" for r in mine),
            1,
            "nonsmooth.attach(optimizer, L1(λ1)) in place of L1 in the loss; λ1 = 1 and the larger one, "
            f"printed start and step, {mine[0]['steps']:,} steps, float64. Not part of the rule.",
            part,
        )
    ]


def _map_finding(cells: Sequence[Row], part: str) -> Finding:
    """The map against the border that uniform places on the orbit predict."""
    border = border_ratio()
    spoken, clear, right = against_theory(cells, lambda ratio, _: ratio > border)
    largest = max(r["y"] for r in cells)
    inside = [r for r in cells if r["x"] * r["y"] < 1]
    off = max((abs(r["hits"] / r["n"] - expected_share(r["x"])) for r in inside), default=0.0)
    return Finding(
        "clear cells of the map that theory gets right",
        f"{right} of {clear}",
        sum(r["n"] for r in cells),
        f"{spoken} cells, α up to {largest:g}. Theory: more than half of the starts from a ratio of "
        f"{border:.2f} on, whatever the step; its share at ratio r ≥ 2, 1 − 11/(6 r²), is off by at most "
        f"{off:.3f} where α λ1 < 1.",
        part,
    )


def _eq_9(rows: Sequence[Row], part: str) -> list[Finding]:
    """Eq. 9's bound, α λ1 for the L1 norm, against the example's own orbit."""
    here = [r for r in _orbits(rows) if r["l1"] == 1 and r["stage"] == 0 and r["dtype"] == "exact rational"]
    return [
        Finding(
            "L1 norm at convergence in the worked example, against eq. 9",
            f"{r['norm_high']:.4f}",
            1,
            "The example prints this norm itself. With the factor P that Proposition B.6 has (here P = 2) "
            f"the bound is {2 * r['stepsize'] * r['l1']:g}.",
            part,
            reported=f"below α λ1 = {r['stepsize'] * r['l1']:g}",
            agrees=r["norm_high"] < r["stepsize"] * r["l1"],
        )
        for r in here
    ]


def _norm(value: float) -> str:
    return "0 (below 1e-12)" if 0 < value < 1e-12 else number(value, 4)


def _orbits(rows: Sequence[Row]) -> list[Row]:
    return [r for r in rows if r["experiment"] in ("exact", "worked")]


def _formats(orbits: Sequence[Row]) -> int:
    return len({r["dtype"] for r in orbits})


def _orbit_finding(where: str, same: Sequence[Row], printed: tuple[str, str], part: str) -> Finding:
    found = {(f"{r['upper']:.4f}", f"{r['lower']:.4f}") for r in same}
    return Finding(
        f"orbit of an entry, {where}",
        "; ".join(" / ".join(pair) for pair in sorted(found)),
        1,
        "Exact rationals, float64 and float32.",
        part,
        reported=" / ".join(printed),
        agrees=found == {printed},
    )


def _bound_finding(where: str, same: Sequence[Row], printed: str, extreme: str, part: str) -> Finding:
    found = {f"{r[extreme]:.4f}" for r in same}
    return Finding(
        f"L1 norm at convergence, {where}",
        "; ".join(sorted(found)),
        1,
        "The extreme over the orbit.",
        part,
        reported=printed,
        agrees=found == {printed.split()[-1]},
    )
