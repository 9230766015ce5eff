"""The four rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.minima_at_kinks._sizes import TWINS
from nonsmooth.findings import Attribution, Finding, Result, Ruling, Share, number, share, share_of

__all__ = ["METHODS", "SETTLED", "access", "cause_access", "generic", "source"]

_Answer = tuple[Ruling, list[Finding]]
METHODS = {
    "constant": "gradient descent, constant step",
    "falling": "gradient descent, falling steps",
    "bfgs": "BFGS",
}
SETTLED = 0.1
_ACCESSED = 1e-6


def generic(rows: Sequence[Row]) -> _Answer:
    """Are minima at kinks, with weight decay and where the network interpolates?"""
    part = "generic"
    minima = [r for r in _of(rows, "minima") if r["activation"] == "relu"]
    groups = {
        f"{loss} loss, weight decay": [r for r in minima if r["loss"] == loss]
        for loss in ("square", "logistic")
    }
    flat = [r for r in _of(rows, "ends") if r["name"] == "interpolating"]
    if not all(groups.values()) or not flat:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every setting was run."), []
    shares, findings = {}, []
    for name, mine in groups.items():
        strict = [r for r in mine if r["strict"]]
        shares[name] = share((r["kinks"] > 0 for r in strict), comparisons=3)
        findings.append(_certified(name, mine, strict, shares[name], part))
    name = "square loss, no weight decay, interpolating"
    done = [r for r in flat if r["kind"] != "unfinished"]
    shares[name] = share((r["kind"] == "kink" for r in done), comparisons=3)
    findings.append(
        Finding(
            f"ends at kinks: {name}",
            str(shares[name]),
            shares[name].n,
            f"{flat[0]['parameters']} parameters, {flat[0]['samples']} samples. Of the ends counted "
            f"{sum(r['value'] < 1e-10 for r in done)} have a loss below 1e-10, the largest is "
            f"{number(max((r['value'] for r in done), default=0), 2)}; gradient above 1e-7, not counted: "
            f"{len(flat) - len(done)} of {len(flat)}. float64; Wilson interval (3 comparisons).",
            part,
            reported="generically at kinks",
            interval=shares[name].interval,
            agrees=shares[name].interval[0] > 0.9,
        )
    )
    findings += [*_selection(minima, part), *_others(rows, part), *_map(rows, part)]
    n = min(found.n for found in shares.values())
    said = "; ".join(f"{name}: {found}" for name, found in shares.items())
    if all(found.interval[0] > 0.9 for found in shares.values()):
        return Ruling(part, Result.HOLDS, n, "Minima are at kinks in every setting.", said), findings
    if all(found.interval[1] < 0.1 for found in shares.values()):
        return Ruling(part, Result.DIFFERS, n, "Minima are differentiable in every setting.", said), findings
    kinked = [name for name, found in shares.items() if found.interval[0] > 0.9]
    smooth = [name for name, found in shares.items() if found.interval[1] < 0.1]
    why = f"At kinks: {' and '.join(kinked) or 'in no setting'}."
    if smooth:
        why += f" Differentiable: {' and '.join(smooth)}."
    return Ruling(part, Result.IN_PART, n, why, said), findings


def _certified(name: str, mine: list[Row], strict: list[Row], found: Share, part: str) -> Finding:
    kinked = [r for r in strict if r["kinks"]]
    facts = "none at kinks"
    if kinked:
        kinks = [r["kinks"] for r in kinked]
        facts = (
            f"{min(kinks)} to {max(kinks)} kinks (median {number(float(np.median(kinks)))}); multipliers at "
            f"least {number(min(r['margin'] for r in kinked), 2)} of their interval from its ends; moving "
            "one kink alone f rises on both sides, at a rate of at least "
            f"{number(min(r['least_rise'] for r in kinked), 2)}; f'(x; d) + f'(x; -d) along random d, "
            f"median {number(float(np.median([r['two_sided'] for r in kinked])), 2)}"
        )
    weak = sum(r["stationary"] and not r["strict"] for r in mine)
    return Finding(
        f"certified strict minima at kinks: {name}",
        str(found),
        found.n,
        f"{facts}. Lower points among {200 * len(strict)} tried nearby: "
        f"{sum(r['lower_points'] for r in strict)}. Not counted: {weak} stationary with a flat direction, "
        f"{sum(not r['stationary'] for r in mine)} not certified, of {len(mine)} seeds. float64; Wilson "
        "interval (3 comparisons).",
        part,
        reported="generically at kinks",
        interval=found.interval,
        agrees=found.interval[0] > 0.9,
    )


def _selection(minima: list[Row], part: str) -> list[Finding]:
    """What “trained to a small gradient” would have selected."""
    small = share(r["trained"] == "smooth" for r in minima)
    stuck = [r for r in minima if r["trained"] != "smooth"]
    if not stuck:
        return []
    excess = np.median([max(r["excess"], 0) for r in stuck])
    return [
        Finding(
            "ReLU runs of BFGS that reach a gradient of 1e-7",
            str(small),
            small.n,
            f"The others end {number(float(excess), 2)} (median) above a certified minimum with a gradient "
            f"of {number(float(np.median([r['gradient'] for r in stuck])), 2)} (median): a small gradient "
            "selects differentiable ends. float64; Wilson interval.",
            part,
            interval=small.interval,
        )
    ]


def _others(rows: Sequence[Row], part: str) -> list[Finding]:
    findings = []
    leaky = [r for r in _of(rows, "minima") if r["activation"] == "leaky-relu" and r["strict"]]
    if leaky:
        found = share(r["kinks"] > 0 for r in leaky)
        findings.append(
            Finding(
                "certified strict minima at kinks: leaky ReLU (slope 0.01), square loss, weight decay",
                str(found),
                found.n,
                "As above; not part of the rule. float64; Wilson interval.",
                part,
                interval=found.interval,
            )
        )
    for name in sorted({r["name"] for r in _of(rows, "ends")} - {"interpolating"}):
        mine = [r for r in _of(rows, "ends") if r["name"] == name]
        kinds = Counter(r["kind"] for r in mine)
        gradients = sorted(r["gradient"] for r in mine)
        findings.append(
            Finding(
                f"ends of BFGS: {name}",
                f"{kinds['kink']} at kinks, {kinds['smooth']} smooth, {kinds['unfinished']} neither",
                len(mine),
                f"Weight decay. Gradient norms: median {number(gradients[len(mine) // 2], 2)}, largest "
                f"{number(gradients[-1], 2)}; without certificate; float64.",
                part,
            )
        )
    return findings


def _map(rows: Sequence[Row], part: str) -> list[Finding]:
    findings = []
    for name, mine in (
        ("one hidden unit", [r for r in _of(rows, "map") if r["y"] == 1]),
        ("two or more hidden units", [r for r in _of(rows, "map") if r["y"] > 1]),
    ):
        if mine:
            found = share_of(sum(r["hits"] for r in mine), sum(r["n"] for r in mine))
            findings.append(
                Finding(
                    f"certified minima of the map at kinks: {name}",
                    str(found),
                    found.n,
                    f"Square loss, weight decay, {min(r['x'] for r in mine)} to {max(r['x'] for r in mine)} "
                    f"samples. Not certified: {sum(r['tried'] - r['n'] for r in mine)}. Not part of the "
                    "rule; Wilson interval.",
                    part,
                    interval=found.interval,
                )
            )
    return findings


def source(rows: Sequence[Row]) -> _Answer:
    """Is a stationary end of the hinge loss ever a differentiable point outside a flat cell?"""
    part = "source"
    mine = _of(rows, "hinge")
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "The hinge loss was not run."), []
    sure = [r for r in mine if r["stationary"]]
    kinds = Counter(_hinge_kind(r) for r in sure)
    trace = max(abs(r["trace"]) for r in mine)
    findings = []
    for name in ("narrow", "wide"):
        each = [r for r in sure if r["name"] == name]
        found = Counter(_hinge_kind(r) for r in each)
        positive = [r for r in each if r["value"] > 1e-12]
        findings.append(
            Finding(
                f"stationary ends of the hinge loss, {name} network",
                f"{found['kink']} at kinks, {found['flat']} in a flat cell, {found['other']} neither",
                len(each),
                f"Loss above 0: {len(positive)}, of these {sum(r['kinks'] > 0 for r in positive)} at a kink "
                "of a unit (the others at the hinge's own kinks only). Not certified: "
                f"{sum(r['name'] == name for r in mine) - len(each)}. ReLU and leaky ReLU; HiGHS, float64.",
                part,
            )
        )
    findings.append(
        Finding(
            "greatest trace of the Hessian at the starts",
            f"{trace:.1e}",
            len(mine),
            "By a second backward pass: the loss is harmonic inside a cell, so a minimum there is flat.",
            part,
        )
    )
    if kinds["other"] or trace > 1e-12:
        why = f"{kinds['other']} stationary ends are differentiable outside a flat cell; trace up to "
        f"{trace:.1e}."
        return Ruling(part, Result.DIFFERS, len(sure), why), findings
    why = f"Of {len(sure)} stationary ends {kinds['kink']} are at kinks and {kinds['flat']} in a flat cell."
    return Ruling(part, Result.HOLDS, len(sure), why, region="hinge loss without weight decay"), findings


def _hinge_kind(row: Row) -> str:
    if row["margins"] or row["kinks"]:
        return "kink"
    return "flat" if row["gradient"] < 1e-12 and row["curvature"] < 1e-12 else "other"


def access(rows: Sequence[Row]) -> _Answer:
    """Which methods come to the kinks of a minimum next to which they start?"""
    part = "access"
    mine = _of(rows, "near")
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "No minimum was approached."), []
    shares = {name: share((r[name] <= _ACCESSED for r in mine), comparisons=3) for name in METHODS}
    fell = sum(r["falling"] < r["falling_early"] / 2 for r in mine)
    extra = {
        "constant": "It stays as far away as its step makes it.",
        "falling": f"From an eighth of the steps to the last it halves in {fell} of {len(mine)} seeds.",
        "bfgs": "The kinks are met to rounding.",
    }
    findings = [
        Finding(
            f"seeds that come to all kinks of the minimum: {METHODS[name]}",
            str(found),
            found.n,
            f"Distance in parameters: median {number(float(np.median([r['started'] for r in mine])), 2)} "
            f"before, {number(float(np.median([r[name] for r in mine])), 2)} after. {extra[name]} float64; "
            "Wilson interval (3 comparisons).",
            part,
            reported="cannot access",
            interval=found.interval,
            agrees=found.interval[1] < 0.25,
        )
        for name, found in shares.items()
    ]
    said = "; ".join(f"{METHODS[name]}: {found}" for name, found in shares.items())
    if all(found.interval[1] < 0.25 for found in shares.values()):
        return Ruling(
            part, Result.HOLDS, len(mine), "None of the methods comes to the kinks.", said
        ), findings
    if all(found.interval[0] > 0.75 for found in shares.values()):
        return Ruling(part, Result.DIFFERS, len(mine), "All methods come to the kinks.", said), findings
    cannot = [METHODS[name] for name, found in shares.items() if found.interval[1] < 0.25]
    can = [METHODS[name] for name, found in shares.items() if found.interval[0] > 0.75]
    why = f"Within 1e-6 of all kinks: {', '.join(can) or 'none'}; not: {', '.join(cannot) or 'none'}."
    return Ruling(part, Result.IN_PART, len(mine), why, said), findings


def cause_access(rows: Sequence[Row]) -> _Answer:
    """Does a differentiable network keep a constant step from settling as well?"""
    part = "cause-access"
    mine = _of(rows, "near")
    if not mine:
        return Ruling(part, Attribution.UNDECIDED, 0, "No minimum was approached."), []
    kept = {"ReLU": [r["kept"] for r in mine]}
    for twin in TWINS:
        kept[f"rounded over {twin.partition(':')[2]}"] = [r["twins"][twin]["kept"] for r in mine]
    shares = {name: share((k < SETTLED for k in each), comparisons=3) for name, each in kept.items()}
    findings = [
        Finding(
            f"seeds in which gradient descent settles: {name}",
            str(found),
            found.n,
            f"Gradient norm after over before: median {number(float(np.median(kept[name])), 2)}. Constant "
            "step, a tenth of 2/sharpness of a cell at ReLU's minimum; float64; Wilson interval (3 "
            "comparisons).",
            part,
            interval=found.interval,
        )
        for name, found in shares.items()
    ]
    kinked, wide, narrow = shares.values()
    said = f"settled: ReLU {kinked}, rounded over 1 {wide}, over 1e-5 {narrow}"
    if not (kinked.interval[1] < 0.25 and wide.interval[0] > 0.75):
        return Ruling(
            part, Attribution.UNDECIDED, len(mine), f"The effect is not clear; {said}.", said
        ), findings
    if narrow.interval[1] < 0.25:
        why = f"A continuously differentiable network does not settle either ({said})."
        return Ruling(part, Attribution.NOT_SUPPORTED, len(mine), why, said), findings
    if narrow.interval[0] > 0.75:
        why = f"However narrow the join, the differentiable network settles ({said})."
        return Ruling(part, Attribution.SUPPORTED, len(mine), why, said), findings
    return Ruling(
        part, Attribution.UNDECIDED, len(mine), f"The narrow join decides nothing; {said}.", said
    ), findings


def _of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]
