"""The two rulings on what Figure 2 shows, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.activation_depth_gap._findings import (
    confirmed,
    curve_areas,
    curves_apart,
    on_data,
    times_told,
    title,
)
from nonsmooth.claims.activation_depth_gap._plan import PAIR
from nonsmooth.claims.activation_depth_gap._times import (
    DEPTHS,
    LEAST,
    Activations,
    Ratio,
    Setting,
    by_setting,
    censoring,
    log_rank,
    log_time,
    paired,
    pooled,
    ratio,
    reached,
    stuck,
)
from nonsmooth.findings import Finding, Result, Ruling, number

__all__ = ["KINDS", "MARGIN", "batch_norm", "gap_widens"]

_Answer = tuple[Ruling, list[Finding]]
# A ratio of times within this factor of 1 is no gap that a reader sees in a figure.
MARGIN = 1.25
# Initialisations and optimisers in which the networks without batch norm are compared; the first two must be.
KINDS = (("torch", "adam"), ("matched", "adam"), ("torch", "sgd"), ("matched", "sgd"))
_REQUIRED = KINDS[:2]
# Two intervals a setting: of the widening, and of the gap at the larger depth.
_COMPARISONS = 2 * len(KINDS)


def gap_widens(rows: Sequence[Row]) -> _Answer:
    """Is ReLU's time over GELU's larger at depth 19 than at depth 11, without batch norm?"""
    part = "gap-widens"
    pairs = _pairs(rows)
    if not all(kind in pairs for kind in _REQUIRED):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every initialisation was run at both depths."), []
    said, findings = {}, []
    for (init, optimiser), pair in pairs.items():
        name = f"{init} initialisation, {title(optimiser)}"
        finding, said[name] = _widening(name, pair, part)
        findings.append(finding)
    told = "; ".join(f"{name}: {each.measured}" for name, each in zip(said, findings, strict=True))
    n = min(findings[list(pairs).index(kind)].n for kind in _REQUIRED)
    opened, turned, beside = _common_steps(pairs, part)
    if turned:
        told += f". The other way round, where at depth 19 ReLU trains and GELU does not: {'; '.join(turned)}"
    findings += [*beside, *curve_areas(rows, False, part), *confirmed(rows, part)]
    judged = {name: answer for name, answer in said.items() if answer != "silent"}
    widens = [name for name, answer in judged.items() if answer == "widens"]
    if judged and len(widens) == len(judged):
        return Ruling(part, Result.HOLDS, n, f"The gap widens in each judged setting. {told}."), findings
    if widens or opened:
        where = "; ".join([*widens, *opened])
        return Ruling(part, Result.IN_PART, n, f"It does with {where}. {told}.", region=where), findings
    if judged and all(answer == "does not" for answer in judged.values()):
        return Ruling(part, Result.DIFFERS, n, f"The gap widens in no judged setting. {told}."), findings
    return Ruling(part, Result.NOT_JUDGED, n, f"The runs leave it open. {told}."), findings


def _pairs(rows: Sequence[Row]) -> dict[tuple[str, str], tuple[Activations, Activations]]:
    """The runs without batch norm at both depths, by initialisation and optimiser, where all were run."""
    settings = by_setting(rows)
    pairs = {}
    for init, optimiser in KINDS:
        shallow, deep = (settings.get(Setting(depth, False, init, optimiser), {}) for depth in DEPTHS)
        if paired(shallow, PAIR) and paired(deep, PAIR):
            pairs[init, optimiser] = (shallow, deep)
    return pairs


def _widening(
    name: str, pair: tuple[Activations, Activations], part: str
) -> tuple[Finding, Literal["widens", "does not", "open", "silent"]]:
    """The gap at both depths in one setting, and whether it widens."""
    runs = [paired(depth, PAIR) for depth in pair]
    seeds = sorted(set(runs[0]["relu"]) & set(runs[1]["relu"]))
    gaps = [ratio(depth["relu"], depth["gelu"], _COMPARISONS) for depth in runs]
    found, second = (
        pooled([_gap(runs[1], s, which) - _gap(runs[0], s, which) for s in seeds], _COMPARISONS)
        for which in (0, 1)
    )
    missed = {each: sum(not reached(row) for row in runs[1][each].values()) for each in PAIR}
    trained = all(2 * sum(map(reached, depth["gelu"].values())) >= len(depth["gelu"]) for depth in runs)
    answer: Literal["widens", "does not", "open", "silent"] = "open"
    if not trained or len(seeds) < LEAST:
        answer = "silent"
    elif found.above and gaps[1].above:
        answer = "widens"
    elif found.interval[1] < MARGIN and missed["relu"] <= missed["gelu"]:
        answer = "does not"
    times = "; ".join(f"depth {depth}: {times_told(each)}" for depth, each in zip(DEPTHS, pair, strict=True))
    known = [censoring(depth["relu"], depth["gelu"]) is not None for depth in runs]
    told = [str(gap) if there else "no run trains" for gap, there in zip(gaps, known, strict=True)]
    beside = f"{told[1]} at depth 19, {told[0]} at 11"
    first = next(iter(runs[0]["relu"].values()))
    second_target = f" At the loss {number(first['targets'][1])}: {second}."
    finding = Finding(
        f"ReLU's time over GELU's at depth 19, over the same at depth 11: {name}",
        f"{found} ({beside})" if all(known) else beside,
        len(seeds),
        f"Steps to a training loss of {number(first['targets'][0])}, each activation at its best step size. "
        f"{times}.{second_target if all(known) else ''}"
        f"{'' if trained else ' GELU’s runs mostly do not train at these step sizes: not judged.'} "
        f"t-interval over seeds, {_COMPARISONS} comparisons; float32, {on_data(first)}.",
        part,
        reported="above 1",
        interval=found.interval if all(known) else None,
        agrees={"widens": True, "does not": False}.get(answer),
    )
    return finding, answer


def _gap(runs: dict[str, dict[int, Row]], seed: int, which: int) -> float:
    return log_time(runs["relu"][seed], which) - log_time(runs["gelu"][seed], which)


def _common_steps(
    pairs: dict[tuple[str, str], tuple[Activations, Activations]], part: str
) -> tuple[list[str], list[str], list[Finding]]:
    """The same step size for all four networks, as identical simulations have it.

    Where a gap opens (only GELU trains at depth 19), where the reverse does, and the findings.
    """
    opened: list[str] = []
    turned: list[str] = []
    findings = []
    for (init, optimiser), pair in pairs.items():
        common = sorted(set.intersection(*(set(depth[name]) for depth in pair for name in PAIR)))
        if not common:
            continue
        name = f"{init} initialisation, {title(optimiser)}"
        told, every = [], []
        for step in common:
            (relu, gelu), deep = ([list(depth[name][step].values()) for name in PAIR] for depth in pair)
            p = log_rank(deep[0], deep[1])
            hits = [sum(map(reached, runs)) for runs in (relu, gelu, *deep)]
            every += [*relu, *gelu, *deep[0], *deep[1]]
            apart = (
                p is not None
                and p < 0.05 / len(common)
                and len(deep[0]) >= LEAST
                and 4 * hits[0] >= 3 * len(relu)
                and 4 * hits[1] >= 3 * len(gelu)
            )
            if apart and 2 * hits[2] < len(deep[0]) and 2 * hits[3] >= len(deep[1]):
                opened.append(f"{name}, α = {step:g} for all")
            if apart and 2 * hits[3] < len(deep[1]) and 2 * hits[2] >= len(deep[0]):
                turned.append(f"{name}, α = {step:g} for all")
            test = "" if p is None else f" (log-rank p = {number(p, 2)})"
            told.append(f"α = {step:g}: {hits[0]}/{hits[1]} at depth 11, {hits[2]}/{hits[3]} at 19{test}")
        n = min(len(depth[name][step]) for depth in pair for name in PAIR for step in common)
        findings.append(
            Finding(
                f"runs of ReLU/GELU that reach the target at one step size for all: {name}",
                "; ".join(told),
                n,
                f"Of {n} seeds each. {sum(map(stuck, every))} of these {len(every)} runs never leave the "
                f"initial plateau, {sum(row['diverged'] for row in every)} diverge. float32.",
                part,
            )
        )
    return opened, turned, findings


def batch_norm(rows: Sequence[Row]) -> _Answer:
    """Are ReLU and GELU as fast as each other with batch norm?"""
    part = "batch-norm"
    settings = by_setting(rows)
    gaps: dict[int, Ratio] = {}
    findings, trained = [], True
    for depth in DEPTHS:
        found = {o: settings.get(Setting(depth, True, "torch", o), {}) for o in ("adam", "sgd")}
        found = {o: activations for o, activations in found.items() if paired(activations, PAIR)}
        if not found:
            continue
        runs = [paired(activations, PAIR) for activations in found.values()]
        seeds = sorted(set.intersection(*(set(pair["relu"]) for pair in runs)))
        gap = pooled([float(np.mean([_gap(pair, s, 0) for pair in runs])) for s in seeds], comparisons=2)
        gaps[depth] = gap
        trained &= all(
            2 * sum(map(reached, each.values())) >= len(each) for pair in runs for each in pair.values()
        )
        told = "; ".join(f"{title(o)}: {times_told(each)}" for o, each in found.items())
        first = next(iter(runs[0]["relu"].values()))
        findings.append(
            Finding(
                f"ReLU's time over GELU's with batch norm, depth {depth}",
                str(gap),
                gap.n,
                f"Steps to a training loss of {number(first['targets'][0])}, each at its best step size; "
                f"mean over the optimisers. {told}. t-interval over seeds, 2 comparisons; float32, "
                f"{on_data(first)}.",
                part,
                reported="1, indistinguishable",
                interval=gap.interval,
                agrees=_same(gap) if gap.n >= LEAST and (_same(gap) or _apart(gap)) else None,
            )
        )
    findings += curve_areas(rows, True, part)
    if len(gaps) < len(DEPTHS):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run with batch norm at both depths."), findings
    n = min(gap.n for gap in gaps.values())
    told = ", ".join(f"{gap.in_words} at depth {depth}" for depth, gap in gaps.items())
    why = f"ReLU's time over GELU's with batch norm: {told}."
    if not trained:
        return Ruling(part, Result.NOT_JUDGED, n, f"Fewer than half of the runs train. {why}"), findings
    apart = curves_apart(rows, comparisons=2)
    if all(map(_same, gaps.values())) and apart:
        first = next(row for row in rows if row["experiment"] == "curves" and row["batch_norm"])
        where = f"until the training loss is {number(_target(rows))}"
        at = " and ".join(f"depth {depth}" for depth in apart)
        why += (
            f" Along the whole curves, {first['horizon']} steps at one step size, the losses differ at {at}."
        )
        return Ruling(part, Result.IN_PART, n, why, region=where), findings
    if all(map(_same, gaps.values())):
        return Ruling(part, Result.HOLDS, n, why), findings
    if all(map(_apart, gaps.values())):
        return Ruling(part, Result.DIFFERS, n, why), findings
    if any(map(_same, gaps.values())) and any(map(_apart, gaps.values())):
        where = ", ".join(f"depth {depth}" for depth, gap in gaps.items() if _same(gap))
        return Ruling(part, Result.IN_PART, n, why, region=where), findings
    return Ruling(part, Result.NOT_JUDGED, n, f"The intervals leave it open. {why}"), findings


def _target(rows: Sequence[Row]) -> float:
    """The loss whose time is judged with batch norm."""
    return next(row["targets"][0] for row in rows if row["experiment"] == "race" and row["batch_norm"])


def _same(gap: Ratio) -> bool:
    return gap.interval[0] > 1 / MARGIN and gap.interval[1] < MARGIN


def _apart(gap: Ratio) -> bool:
    return gap.interval[0] > MARGIN or gap.interval[1] < 1 / MARGIN
