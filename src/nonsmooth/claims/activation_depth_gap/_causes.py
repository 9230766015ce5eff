"""What the gap is due to: smoothness or shape, and the activation or the initialisation."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.activation_depth_gap._effects import factors
from nonsmooth.claims.activation_depth_gap._findings import on_data, title
from nonsmooth.claims.activation_depth_gap._plan import KINKED_GELU, NARROW, PAIR
from nonsmooth.claims.activation_depth_gap._times import (
    DEPTHS,
    Activations,
    Ratio,
    Setting,
    by_setting,
    log_time,
    paired,
    pooled,
    ratio,
    reached,
)
from nonsmooth.findings import Attribution, Finding, Result, Ruling, number

__all__ = ["cause_activation", "cause_smoothness", "smooth_faster"]

_Answer = tuple[Ruling, list[Finding]]
# The setting in which every activation is run, at every tier.
_MAIN = Setting(11, False, "matched", "adam")
# "Smooth networks" are more than GELU's.
_FEWEST = 3


def smooth_faster(rows: Sequence[Row]) -> _Answer:
    """Are the smooth activations faster than ReLU?"""
    from nonsmooth.networks import smoothness

    part = "smooth-faster"
    settings = _with_twins(rows)
    names = sorted(set(settings.get(_MAIN, {})) - {"relu"})
    classes = {name: smoothness(name) for name in names}
    smooth = [name for name in names if classes[name] != "Lipschitz"]
    found: dict[str, Ratio] = {}
    findings = []
    for name in names:
        found[name], runs = _compared(settings, {"relu": 1, name: -1}, len(smooth))
        if not runs:
            return Ruling(part, Result.NOT_JUDGED, 0, f"{name} has no run to be held against ReLU."), []
        mine = [row for each in runs.values() for row in each[name].values()]
        answer = True if found[name].above else False if found[name].below else None
        findings.append(
            Finding(
                f"ReLU's time over that of {name} ({classes[name]})",
                str(found[name]),
                found[name].n,
                f"Each at its best step size, mean over {_places(runs)}; {sum(not reached(r) for r in mine)} "
                f"of {len(mine)} runs censored. t-interval over seeds, {len(smooth)} comparisons; float32, "
                f"{on_data(mine[0])}.",
                part,
                reported="above 1" if name in smooth else None,
                interval=found[name].interval,
                agrees=answer if name in smooth else None,
            )
        )
    if len(smooth) < _FEWEST:
        return Ruling(part, Result.NOT_JUDGED, 0, "Too few smooth activations were run."), findings
    n = min(found[name].n for name in smooth)
    above = [name for name in smooth if found[name].above]
    below = [name for name in smooth if found[name].below]
    neither = [name for name in smooth if name not in (*above, *below)]
    told = (
        f"Faster than ReLU: {', '.join(above) or 'none'}; slower: {', '.join(below) or 'none'}; neither "
        f"shown: {', '.join(neither) or 'none'}."
    )
    if len(above) == len(smooth):
        return Ruling(part, Result.HOLDS, n, told), findings
    if above and below:
        return Ruling(part, Result.IN_PART, n, told, region=", ".join(above)), findings
    if below:
        return Ruling(part, Result.DIFFERS, n, told), findings
    return Ruling(part, Result.NOT_JUDGED, n, told), findings


def cause_smoothness(rows: Sequence[Row]) -> _Answer:
    """Do smooth networks of ReLU's shape behave like GELU's, and kinked ones of GELU's shape like ReLU's?"""
    part = "cause-smoothness"
    twins = (*NARROW, KINKED_GELU)
    settings = {s: each for s, each in _with_twins(rows).items() if paired(each, (*PAIR, *twins))}
    if _MAIN not in settings:
        return Ruling(part, Attribution.UNDECIDED, 0, "Not every twin was run."), []
    pairs = {setting: paired(each, (*PAIR, *twins)) for setting, each in settings.items()}
    gaps = {s: ratio(pair["relu"], pair["gelu"], len(pairs)) for s, pair in pairs.items()}
    gapped = {s: each for s, each in settings.items() if gaps[s].above}
    sides: dict[str, Ratio] = {}
    findings = []
    for name in (*twins, "leaky-relu"):
        side, runs = _compared(gapped or settings, {name: 1, "relu": -0.5, "gelu": -0.5}, len(twins))
        if not runs:
            continue
        sides[name] = side
        over, _ = _compared(gapped or settings, {name: 1, "relu": -1}, len(twins))
        first = next(iter(next(iter(runs.values()))[name].values()))
        kind = "smooth, ReLU's shape" if name in NARROW else "kinked"
        findings.append(
            Finding(
                f"time of {name} ({kind}) over the mean of ReLU's and GELU's",
                str(side),
                side.n,
                "Above 1: nearer to ReLU, below 1: nearer to GELU (in logarithms). Over ReLU's own time: "
                f"{over.in_words}. Each at its best step size, mean over {_places(runs)}. t-interval over "
                f"seeds, {len(twins)} comparisons; float32, {on_data(first)}.",
                part,
                interval=side.interval,
            )
        )
    findings += _half_way(settings[_MAIN], part)
    n = min(found.n for found in (*gaps.values(), *(sides[name] for name in twins)))
    shown = "; ".join(f"{gap.in_words} ({_place(setting)})" for setting, gap in sorted(gaps.items()))
    if not gapped:
        why = f"There is no gap to attribute: ReLU's time over GELU's {shown}."
        return Ruling(part, Attribution.UNDECIDED, n, why), findings
    told = f"ReLU's time over GELU's: {shown}; over the mean of both: " + ", ".join(
        f"{name} {side.in_words}" for name, side in sides.items()
    )
    kinked = sides[KINKED_GELU]
    if all(sides[name].above for name in NARROW) and kinked.below:
        why = (
            "Smooth networks of ReLU's shape are as slow as ReLU's, kinked ones of GELU's as fast as GELU's."
        )
        return Ruling(part, Attribution.NOT_SUPPORTED, n, f"{why} {told}."), findings
    if all(sides[name].below for name in NARROW) and kinked.above:
        why = f"The twins go with their smoothness, not with their shape. {told}."
        return Ruling(part, Attribution.SUPPORTED, n, why), findings
    return Ruling(part, Attribution.UNDECIDED, n, f"The twins do not agree. {told}."), findings


def cause_activation(rows: Sequence[Row]) -> _Answer:
    """At depth 19, does changing the activation help more than changing ReLU's initialisation?"""
    part = "cause-activation"
    settings = by_setting(rows)
    torch_init = paired(settings.get(Setting(DEPTHS[1], False, "torch", "adam"), {}), PAIR)
    matched = paired(settings.get(Setting(DEPTHS[1], False, "matched", "adam"), {}), PAIR)
    if not torch_init or not matched:
        return Ruling(part, Attribution.UNDECIDED, 0, "Not every initialisation was run at depth 19."), []
    found = ratio(torch_init["gelu"], matched["relu"])
    slow = torch_init["relu"]
    missed = sum(not reached(row) for row in torch_init["gelu"].values())
    findings = [
        Finding(
            "depth 19: time of GELU with torch's initialisation over that of ReLU with a matched one",
            str(found),
            found.n,
            f"From ReLU with torch's initialisation on, GELU shortens the time by a factor "
            f"{ratio(slow, torch_init['gelu']).in_words}, the matched initialisation by "
            f"{ratio(slow, matched['relu']).in_words}. Adam, each at its best step size; {missed} of "
            f"{len(torch_init['gelu'])} GELU runs censored. t-interval over seeds; float32, "
            f"{on_data(next(iter(slow.values())))}.",
            part,
            interval=found.interval,
        ),
        *factors(rows, part),
    ]
    least = "at least " if missed and all(map(reached, matched["relu"].values())) else ""
    why = (
        f"GELU with torch's initialisation takes {least}{found.in_words} times as long as ReLU with a "
        "matched one."
    )
    answer = Attribution.UNDECIDED
    if found.above:
        answer = Attribution.NOT_SUPPORTED
    elif found.below:
        answer = Attribution.SUPPORTED
    return Ruling(part, answer, found.n, why), findings


def _half_way(activations: Activations, part: str) -> list[Finding]:
    """The width at which the analytic twin has closed half of the gap between ReLU (0) and GELU (8.5)."""
    widths = {
        float(name.partition(":")[2]): name for name in activations if name.startswith("analytic-relu:")
    }
    runs = paired(activations, (*PAIR, *widths.values()))
    if len(widths) < 3 or not runs:
        return []
    means = {name: float(np.mean([log_time(row) for row in each.values()])) for name, each in runs.items()}
    path = [(width, means[name]) for width, name in sorted(widths.items())] + [(8.5, means["gelu"])]
    half = (means["relu"] + means["gelu"]) / 2
    crossed = next((k for k in range(1, len(path)) if path[k][1] <= half < path[k - 1][1]), None)
    if crossed is None:
        return []
    (low, before), (high, after) = path[crossed - 1], path[crossed]
    share = (before - half) / (before - after)
    width = math.exp(math.log(low) + share * (math.log(high) - math.log(low)))
    return [
        Finding(
            "width of the analytic twin at which half of the gap is closed",
            number(width, 2),
            len(next(iter(runs.values()))),
            "Interpolated in logarithms between the widths run; GELU has 8.5, and pre-activations start with "
            f"standard deviation 1. All of these networks are analytic. {_place(_MAIN)}.",
            part,
        )
    ]


def _with_twins(rows: Sequence[Row]) -> dict[Setting, Activations]:
    """Settings without batch norm in which more than ReLU and GELU were run."""
    return {
        setting: activations
        for setting, activations in sorted(by_setting(rows).items())
        if not setting.batch_norm and set(activations) > set(PAIR)
    }


def _compared(
    settings: Mapping[Setting, Activations], weights: Mapping[str, float], comparisons: int
) -> tuple[Ratio, dict[Setting, dict[str, dict[int, Row]]]]:
    """The product of times to these powers, a geometric mean over the settings that have them all.

    Also the runs that it rests on, by setting.
    """
    runs = {setting: paired(each, weights) for setting, each in settings.items()}
    runs = {setting: each for setting, each in runs.items() if each}
    seeds = (
        sorted(set.intersection(*(set(each[name]) for each in runs.values() for name in weights)))
        if runs
        else []
    )
    logs = [
        float(
            np.mean(
                [sum(w * log_time(each[name][s]) for name, w in weights.items()) for each in runs.values()]
            )
        )
        for s in seeds
    ]
    return pooled(logs, comparisons), runs if seeds else {}


def _place(setting: Setting) -> str:
    return f"depth {setting.depth}, {setting.init} initialisation, {title(setting.optimiser)}"


def _places(settings: Iterable[Setting]) -> str:
    return "; ".join(map(_place, settings))
