"""The three rulings on causes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.deep_l1._judgement import Answer, percent, spread
from nonsmooth.claims.deep_l1._protocols import LARGE, NARROW, OPTIMISERS, SMALL, STEPSIZE, WIDE
from nonsmooth.claims.deep_l1._rows import ARRIVED, both, by_seed, legs, of_experiment
from nonsmooth.findings import Attribution, Finding, Ruling

__all__ = ["cause_kink", "cause_l1", "cause_more_complex", "is_predicted"]

# A share counts as predicted within half a percentage point or a quarter of it.
_POINTS, _QUARTER = 0.005, 0.25
_FEW, _MOST = 0.05, 0.9
_JUDGED = ("SGD", "Adam")


def is_predicted(row: Row) -> bool:
    """Whether free weights end with the share below 1e-5 that the run's penalised weights end with."""
    expected, found = row["free"]["share"], row["share_penalised"]
    return abs(expected - found) <= max(_POINTS, _QUARTER * found)


def cause_more_complex(rows: Sequence[Row]) -> Answer:
    """Is the share below 1e-5 more than the optimiser's law for weights that data do not touch?"""
    part, findings, told, by_cell = "cause-more-complex", [], [], {}
    for name in OPTIMISERS:
        for strength in (SMALL, LARGE):
            mine = [r for p in ("listing", "clean") for r in legs(rows, p, name, strength)]
            if not mine:
                continue
            good = [is_predicted(r) for r in mine]
            # A run that is too short ends near its start, which needs no law to predict.
            long = [there for there, r in zip(good, mine, strict=True) if r["free"]["arrived"] >= ARRIVED]
            told += long
            if long:
                by_cell[f"{name} at {strength:g}"] = all(long)
            # RMSProp's free weights may all rest at 0.
            floors = [r["free"]["mean"] * r["size_penalised"] for r in mine]
            norm = [r["norm_penalised"] / f if f else math.inf for r, f in zip(mine, floors, strict=True)]
            findings.append(
                Finding(
                    f"{name}, λ1 = {strength:g}: share below 1e-5, predicted without data and measured",
                    f"{spread([r['free']['share'] for r in mine], percent)}, and "
                    f"{spread([r['share_penalised'] for r in mine], percent)}",
                    len(mine),
                    f"Within half a point or a quarter in {sum(good)} of {len(good)} runs (listing and "
                    f"clean). Norm over the predicted one: {spread(norm)}. Data gradient below a hundredth "
                    f"of the penalty's: {spread([r['after']['weak'] for r in mine], percent)} of the weights "
                    f"at the end, exactly 0: {spread([r['after']['silent'] for r in mine], percent)}.",
                    part,
                )
            )
    findings += _noise(rows, part)
    n = len(told)
    if not n:
        return Ruling(part, Attribution.UNDECIDED, 0, "No run has a prediction."), findings
    yes = ", ".join(cell for cell, good in by_cell.items() if good) or "none"
    no = ", ".join(cell for cell, good in by_cell.items() if not good) or "none"
    hits = sum(told)
    if hits >= 0.9 * n:
        why = f"Weights without any data gradient end with the same shares in {hits} of {n} runs."
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why, yes), findings
    if hits <= 0.5 * n:
        why = f"Free weights explain {hits} of {n} runs only; in every run: {yes}; not so: {no}."
        return Ruling(part, Attribution.SUPPORTED, n, why, no), findings
    why = f"Free weights explain {hits} of {n} runs: {yes} in every run, but not {no}."
    return Ruling(part, Attribution.UNDECIDED, n, why, f"explained: {yes}"), findings


def _noise(rows: Sequence[Row], part: str) -> list[Finding]:
    mine = {(r["optimiser"], r["ratio"]): r for r in of_experiment(rows, "noise")}
    if not mine:
        return []
    ratios = sorted({ratio for _, ratio in mine})
    picked = [r for r in ratios if r in (0.0, 1e-6, 1e-3, 1e-1)]
    told = "; ".join(
        f"{name}: " + ", ".join(percent(mine[name, ratio]["share"]) for ratio in picked)
        for name in OPTIMISERS
    )
    return [
        Finding(
            "share below 1e-5 where data pull a little: gradient noise of "
            + ", ".join(f"{r:g}" for r in picked)
            + " λ1",
            told,
            len(ratios),
            f"Weights under the penalty and normal noise, {next(iter(mine.values()))['steps']:,} steps, "
            "float32. RMSProp rests at exact zeros only while nothing else acts: its divisor decays there, "
            "so that the smallest data gradient throws a weight off by up to ten steps. So ns.floor is void "
            "for RMSProp wherever data gradients are not exactly 0.",
            part,
        )
    ]


def cause_l1(rows: Sequence[Row]) -> Answer:
    """Is it L1 regularisation that does not prune, or putting it into the loss?"""
    part, findings, seen = "cause-L1", [], []
    for name in OPTIMISERS:
        pairs = both(rows, "attached", name)
        loss = by_seed(rows, "clean", name, LARGE)
        pairs = [(large, small) for large, small in pairs if large["seed"] in loss]
        if not pairs:
            continue
        for large, small in pairs:
            seen.append((name, large, small, loss[large["seed"]]))
        findings.append(
            Finding(
                f"{name}, the penalty attached (nonsmooth.attach): exact zeros at λ1 = 2, and at 0.002",
                f"{spread([large['zero_penalised'] for large, _ in pairs], percent)}, and "
                f"{spread([small['zero_penalised'] for _, small in pairs], percent)}",
                len(pairs),
                "Of the penalised weights. Their L1 norm: "
                f"{spread([x['norm_penalised'] for x, _ in pairs])}, and "
                f"{spread([x['norm_penalised'] for _, x in pairs])}; test loss "
                f"{spread([x['test_loss'] for x, _ in pairs])}, and "
                f"{spread([x['test_loss'] for _, x in pairs])}. The same strength in the loss leaves "
                f"{spread([loss[x['seed']]['norm_penalised'] for x, _ in pairs])} at 2, "
                f"{spread([loss[x['seed']]['zero_penalised'] for x, _ in pairs], percent)} exactly 0.",
                part,
            )
        )
    n = len(seen)
    if {name for name, *_ in seen} != set(OPTIMISERS):
        return Ruling(part, Attribution.UNDECIDED, 0, "Not every optimiser was run with both."), findings
    prunes = [large["zero_penalised"] >= 0.99 for _, large, _, _ in seen]
    falls = [large["norm_penalised"] <= small["norm_penalised"] for _, large, small, _ in seen]
    stuck = [loss["share_penalised"] < _FEW for name, _, _, loss in seen if name in _JUDGED]
    if not all(stuck):
        why = f"In the loss λ1 = 2 leaves fewer than 5 % prunable in {sum(stuck)} of {len(stuck)} runs only."
        return Ruling(part, Attribution.UNDECIDED, n, why), findings
    if all(prunes) and all(falls):
        why = (
            "Attached to the same optimisers at the same strengths, the penalty makes exact zeros of at "
            "least 99 % at λ1 = 2, and the larger λ1 never ends with the larger norm: what fails is the "
            "subgradient step, not L1 regularisation."
        )
        if not any(large["norm_penalised"] for _, large, _, _ in seen):
            why += " At 2 no weight is left, and no prediction but a constant: too strong for any pruning."
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    if not any(prunes):
        return Ruling(
            part, Attribution.SUPPORTED, n, "Attached, the penalty does not prune either."
        ), findings
    why = f"Attached, it prunes in {sum(prunes)} of {n} runs, with the smaller norm at 2 in {sum(falls)}."
    return Ruling(part, Attribution.UNDECIDED, n, why), findings


def cause_kink(rows: Sequence[Row]) -> Answer:
    """Does it take the kink, or a step that is long against the curvature?"""
    part, findings = "cause-kink", []
    shares: dict[str, list[float]] = {"kinked": [], "narrow": [], "wide": []}
    for name in _JUDGED:
        cells = {
            what: by_seed(rows, protocol, name, LARGE)
            for what, protocol in (("kinked", "clean"), ("narrow", "narrow"), ("wide", "wide"))
        }
        seeds = sorted(set.intersection(*(set(each) for each in cells.values())))
        if not seeds:
            continue
        told = {}
        for what, cell in cells.items():
            shares[what] += [cell[seed]["share_penalised"] for seed in seeds]
            told[what] = (
                f"{spread([cell[s]['share_penalised'] for s in seeds], percent)} "
                f"(norm {spread([cell[s]['norm_penalised'] for s in seeds])})"
            )
        findings.append(
            Finding(
                f"{name}, λ1 = 2: share below 1e-5, |w| with its kink, rounded over 1e-5, rounded over 0.03",
                "; ".join(told.values()),
                len(seeds),
                f"The rounded penalties are C1,1: α is {STEPSIZE * LARGE / (2 * NARROW):.0f} times 2/L for "
                f"the narrow one, {STEPSIZE * LARGE / (2 * WIDE):.2g} times for the wide one. Clean "
                "protocol, float32.",
                part,
            )
        )
    n = len(shares["kinked"])
    if len(findings) < len(_JUDGED):
        return Ruling(part, Attribution.UNDECIDED, 0, "Not every twin was run."), findings
    if not all(s < _FEW for s in shares["kinked"]):
        return Ruling(part, Attribution.UNDECIDED, n, "With the kink λ1 = 2 does prune here."), findings
    narrow, wide = (sum(s < _FEW for s in shares[w]) for w in ("narrow", "wide"))
    settled = sum(s > _MOST for s in shares["wide"])
    if narrow == n and settled == n:
        why = (
            "Without any kink but curved over less than a step, the same penalty leaves as few weights below "
            "1e-5; curved over more, it brings nearly all there. The step against the curvature decides."
        )
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    if all(s > _MOST for s in (*shares["narrow"], *shares["wide"])):
        return Ruling(part, Attribution.SUPPORTED, n, "Every penalty without a kink prunes."), findings
    why = f"Few weights below 1e-5 in {narrow} of {n} runs rounded narrowly, in {wide} rounded widely."
    return Ruling(part, Attribution.UNDECIDED, n, why), findings
