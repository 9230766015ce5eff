"""The two rulings on networks, by the rules that the claim's parts state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from nonsmooth.claims._claim import Row
from nonsmooth.findings import Attribution, Finding, Result, Ruling, Share, number, share

__all__ = ["USES", "cause_network", "certified", "lowered", "network_not_optimal"]

_Answer = tuple[Ruling, list[Finding]]
USES = {
    "proximal": "after each gradient step (ISTA), constant step",
    "Adam proximal": "by λ1 times Adam's own step, constant step",
    "Adam proximal falling": "by λ1 times Adam's own step, falling steps",
    "momentum by hand": "by α λ1 after each step with momentum",
    "Adam by hand": "by α λ1 after each of Adam's steps",
    "once": "once, after training",
}
_TWINS = ("gelu", "tanh")
_AT_ZERO = 0.5  # the objective at θ = 0: targets are -1 and 1
_OPTIMAL = 1e-6  # over that
_NEAR = 0.05  # largest difference of a parameter from the certified minimum
_SPARSE = 0.1  # share of exact zeros
_GLOBAL = 1e-10
_COMPARISONS, _TWIN_COMPARISONS = len(USES) + 1, len(USES) * (1 + len(_TWINS))


def lowered(row: Row) -> float:
    """How far an end is above what was found from it, over the objective at 0: at most its excess."""
    least = min(row["descended"], row["minimum"]) if certified(row) else row["descended"]
    return (row["value"] - least) / _AT_ZERO


def certified(row: Row) -> bool:
    """Whether a strict local minimum is certified beside the end."""
    return bool(row.get("strict", False)) and row["moved"] <= _NEAR


def _optimal(row: Row) -> bool:
    return certified(row) and lowered(row) <= _OPTIMAL


def _not_optimal(row: Row) -> bool:
    return lowered(row) > _OPTIMAL


def _sparse(row: Row) -> bool:
    return row["zeros"] >= _SPARSE * row["entries"]


def network_not_optimal(rows: Sequence[Row]) -> _Answer:
    """Is soft-thresholding on ReLU networks, in any use, sparse and not optimal?"""
    part = "network-not-optimal"
    ends = {use: _ends(rows, "relu", use) for use in USES}
    known = [r for r in rows if r["experiment"] == "one-sample"]
    if not all(ends.values()) or not known:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every use was run."), []
    fails = {use: _share(_sparse(r) and _not_optimal(r) for r in each) for use, each in ends.items()}
    finds = {use: _share(_sparse(r) and _optimal(r) for r in each) for use, each in ends.items()}
    at_global = _share(r["live"] > 0 and _sparse(r) and r["excess"] <= _GLOBAL * _AT_ZERO for r in known)
    findings = [_use_finding(rows, use, ends[use], fails[use], finds[use], part) for use in USES]
    findings += [_minima_finding(ends["Adam proximal falling"], part), _known_finding(known, at_global, part)]
    n = min(found.n for found in [*fails.values(), at_global])
    best = {USES[use]: found for use, found in finds.items() if found.interval[0] > 0.5}
    said = "; ".join(f"{title}: {found} at a strict local minimum" for title, found in best.items())
    region = "one hidden layer; optimal locally: a certificate of the global minimum only on one sample"
    if at_global.interval[0] > 0.5:
        said = "; ".join(filter(None, (said, f"one sample: {at_global} at the global minimum")))
    if best or at_global.interval[0] > 0.5:
        return Ruling(part, Result.DIFFERS, n, f"Sparse and optimal in most seeds: {said}.", region), findings
    if all(found.interval[0] > 0.75 for found in fails.values()):
        return Ruling(part, Result.HOLDS, n, "No use ends at a local minimum.", region), findings
    why = "Sparse and not optimal: " + ", ".join(f"{found} {USES[use]}" for use, found in fails.items())
    return Ruling(part, Result.IN_PART, n, f"{why}.", region), findings


def _share(outcomes: Iterable[bool], comparisons: int = _COMPARISONS) -> Share:
    return share(outcomes, comparisons=comparisons)


def _ends(rows: Sequence[Row], activation: str, use: str) -> list[Row]:
    """Ends with a live unit: a network that shrank to 0 is no answer to the question."""
    return [r for r in _trained(rows, activation, use) if r["live"] > 0]


def _trained(rows: Sequence[Row], activation: str, use: str) -> list[Row]:
    return [
        r for r in rows if r["experiment"] == "trained" and (r["activation"], r["use"]) == (activation, use)
    ]


def _use_finding(
    rows: Sequence[Row], use: str, ends: list[Row], fails: Share, finds: Share, part: str
) -> Finding:
    shares = [r["zeros"] / r["entries"] for r in ends]
    minima = "No minimum was sought beside these ends."
    if any("strict" in r for r in ends):
        smooth = sum(_optimal(r) and r["kinks"] == 0 for r in ends)
        minima = (
            f"Sparse and at a certified strict local minimum: {finds}; optimal with no ReLU kink held, so "
            f"that the loss is differentiable around it: {smooth}."
        )
    gone = len(_trained(rows, "relu", use)) - len(ends)
    return Finding(
        f"ReLU network, thresholded {USES[use]}: seeds that end sparse and not optimal",
        str(fails),
        fails.n,
        f"{minima} The objective can be lowered by at least "
        f"{number(median(map(lowered, ends)), 2)} of its value at 0 (median), "
        f"{number(max(map(lowered, ends)), 2)} (largest); exact zeros: {number(100 * min(shares), 2)} to "
        f"{number(100 * max(shares), 2)} %; distance to the subdifferential at torch's choice of slopes: "
        f"median {number(median(r['distance'] for r in ends), 2)} λ1. Shrunk to 0 and not counted: {gone}. "
        f"float64; Wilson interval ({_COMPARISONS} comparisons).",
        part,
        reported="sparse, not optimal",
        interval=fails.interval,
        agrees=True if fails.interval[0] > 0.75 else False if fails.interval[1] < 0.75 else None,
    )


def _minima_finding(ends: list[Row], part: str) -> Finding:
    """What the minima are like that the right threshold finds, and why a gradient does not show it."""
    near = [r for r in ends if certified(r)]
    kinked = sum(r["kinks"] > 0 for r in near)
    words = "none certified"
    if near:
        words = (
            f"ReLU kinks held there: {min(r['kinks'] for r in near)} to {max(r['kinks'] for r in near)}; "
            f"farthest parameter: {number(max(r['moved'] for r in near), 2)}; the same exact zeros as the "
            f"minimum: {sum(r['same_support'] for r in near)}; margin of the multipliers at least "
            f"{number(min(r['margin'] for r in near), 2)}, least curvature "
            f"{number(min(r['curvature'] for r in near), 2)}"
        )
    return Finding(
        "strict local minima certified next to the ends of Adam's falling steps that lie at ReLU kinks",
        f"{kinked} of {len(near)}",
        len(near),
        f"Of {len(ends)} ends. {words}. At a kink no one gradient comes near −λ1 ∂||θ||₁: the certificate "
        "takes the kinks' multipliers. float64.",
        part,
    )


def _known_finding(known: list[Row], found: Share, part: str) -> Finding:
    entries, zeros = known[0]["entries"], sorted(r["zeros"] for r in known if r["live"] > 0)
    few = f"nonzero parameters at such ends: {entries - zeros[-1]} to {entries - zeros[0]}" if zeros else ""
    return Finding(
        "ReLU network on one sample, ISTA at a constant step: seeds that end sparse at the global minimum",
        str(found),
        found.n,
        f"The minimum is known in closed form ({number(known[0]['minimum'], 6)}); within 1e-10 of the "
        f"objective at 0, {entries} parameters; {few}. Runs that lost every unit and end at the output's "
        f"bias alone: {sum(r['live'] == 0 for r in known)}. float64; Wilson interval ({_COMPARISONS} "
        "comparisons).",
        part,
        reported="none",
        interval=found.interval,
        agrees=found.hits == 0,
    )


def cause_network(rows: Sequence[Row]) -> _Answer:
    """Which of the failures on ReLU networks vanish on smooth ones?"""
    part = "cause-network"
    ends = {(a, use): _ends(rows, a, use) for a in ("relu", *_TWINS) for use in USES}
    if not all(ends.values()):
        return Ruling(part, Attribution.UNDECIDED, 0, "Not every twin was run."), []
    optimal = {key: _share(map(_optimal, each), _TWIN_COMPARISONS) for key, each in ends.items()}
    fails = {key: _share(map(_not_optimal, each), _TWIN_COMPARISONS) for key, each in ends.items()}
    findings = [_twin_finding(rows, use, optimal, fails, part) for use in USES]
    n = min(found.n for found in optimal.values())

    def most(found: Share) -> bool:
        return found.interval[0] > 0.5

    failing = [use for use in USES if most(fails["relu", use])]
    cured = [use for use in failing if all(most(optimal[a, use]) for a in _TWINS)]
    kept = [use for use in failing if all(most(fails[a, use]) for a in _TWINS)]
    without = [use for use in USES if most(optimal["relu", use])]
    if failing and cured == failing and not without:
        why = "Every use fails on ReLU and none on the smooth twins."
        return Ruling(part, Attribution.SUPPORTED, n, why), findings
    if failing and kept == failing:
        why = "Every use that fails on ReLU networks fails on smooth ones as well."
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    said = [
        f"{words}: {', '.join(USES[use] for use in uses)}"
        for words, uses in (
            ("fails on ReLU and not on the smooth twins", cured),
            ("fails on all", kept),
            ("optimal on ReLU itself, without L-smoothness", without),
        )
        if uses
    ]
    why = ". ".join(each[0].upper() + each[1:] for each in said) or "No use fails clearly on ReLU"
    return Ruling(part, Attribution.UNDECIDED, n, f"{why}."), findings


def _twin_finding(
    rows: Sequence[Row],
    use: str,
    optimal: dict[tuple[str, str], Share],
    fails: dict[tuple[str, str], Share],
    part: str,
) -> Finding:
    smooth = ", ".join(f"{a} {optimal[a, use]}" for a in _TWINS)
    failed = ", ".join(f"{a} {fails[a, use]}" for a in ("relu", *_TWINS))
    distances = ", ".join(
        f"{a} {number(median(r['distance'] for r in _ends(rows, a, use)), 2)}" for a in _TWINS
    )
    rounded = sorted(
        {r["activation"] for r in rows if r["experiment"] == "trained" and ":" in r["activation"]}
    )
    others = "; ".join(f"{a}: {_share(map(_optimal, _ends(rows, a, use)), 1)} optimal" for a in rounded)
    relu = optimal["relu", use]
    return Finding(
        f"seeds that end optimal on ReLU and on its smooth twins: {USES[use]}",
        f"relu {relu}; {smooth}",
        min(relu.n, *(optimal[a, use].n for a in _TWINS)),
        f"Not optimal: {failed}. Distance to the subdifferential, median, in λ1: {distances}."
        f"{f' Beside the rule, {others}.' if others else ''} float64; Wilson intervals "
        f"({_TWIN_COMPARISONS} comparisons), shown for ReLU.",
        part,
        interval=relu.interval,
    )
