"""What the gap is due to: smoothness or shape, and the activation or the initialisation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.activation_depth_gap._findings import on_data, title
from nonsmooth.claims.activation_depth_gap._plan import KINKED_GELU, NARROW, PAIR
from nonsmooth.claims.activation_depth_gap._times import (
    DEPTHS,
    Activations,
    Ratio,
    Setting,
    best_step,
    by_setting,
    log_time,
    paired,
    pooled,
    ratio,
    reached,
    tuned,
)
from nonsmooth.findings import Attribution, Finding, Result, Ruling, number

__all__ = ["Effect", "cause_activation", "cause_smoothness", "effects", "smooth_faster"]

_Answer = tuple[Ruling, list[Finding]]
Effect = tuple[str, int, Ratio]  # what is changed, the depth, the ratio of times
# The setting in which every activation is run, at every tier.
_MAIN = Setting(11, False, "matched", "adam")


def smooth_faster(rows: Sequence[Row]) -> _Answer:
    """Are the smooth activations faster than ReLU?"""
    from nonsmooth.networks import smoothness

    part = "smooth-faster"
    settings = _with_twins(rows)
    names = sorted(settings.get(_MAIN, {}))
    smooth = [name for name in names if smoothness(name) != "Lipschitz"]
    found: dict[str, Ratio] = {}
    findings = []
    for name in names:
        if name == "relu":
            continue
        logs, where = _over_settings(settings, ("relu", name), lambda t: t["relu"] - t[name])
        if not logs:
            return Ruling(part, Result.NOT_JUDGED, 0, f"{name} was not run."), []
        found[name] = pooled(logs, comparisons=len(smooth))
        chosen = [row for setting in where for row in tuned(settings[setting][name]).values()]
        findings.append(
            Finding(
                f"ReLU's time over that of {name} ({smoothness(name)})",
                str(found[name]),
                found[name].n,
                f"Each at its best step size, mean over {_places(where)}; "
                f"{sum(not reached(row) for row in chosen)} of {len(chosen)} runs censored. t-interval over "
                f"seeds, {len(smooth)} comparisons; float32, {on_data(chosen[0])}.",
                part,
                reported="above 1" if name in smooth else None,
                interval=found[name].interval,
                agrees=(True if found[name].above else False if found[name].below else None)
                if name in smooth
                else None,
            )
        )
    if "relu" not in names or len(smooth) < 3:
        return Ruling(part, Result.NOT_JUDGED, 0, "Too few activations were run."), findings
    n = min(found[name].n for name in smooth)
    above = [name for name in smooth if found[name].above]
    below = [name for name in smooth if found[name].below]
    told = (
        f"Faster than ReLU: {', '.join(above) or 'none'}; slower: {', '.join(below) or 'none'}; neither shown: "
        f"{', '.join(name for name in smooth if name not in (*above, *below)) or 'none'}."
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
    settings = _with_twins(rows)
    settings = {s: a for s, a in settings.items() if paired(a, (*PAIR, *twins))}
    if _MAIN not in settings:
        return Ruling(part, Attribution.UNDECIDED, 0, "Not every twin was run."), []
    gaps = {s: ratio(*(paired(a, PAIR)[each] for each in PAIR), len(settings)) for s, a in settings.items()}
    gapped = {s: a for s, a in settings.items() if gaps[s].above}
    n = min(gap.n for gap in gaps.values())
    shown = "; ".join(f"{gap.in_words} ({_place(s)})" for s, gap in sorted(gaps.items()))
    sides, findings = {}, []
    for name in (*twins, "leaky-relu"):
        logs, where = _over_settings(
            gapped or settings, (*PAIR, name), lambda t, name=name: t[name] - (t["relu"] + t["gelu"]) / 2
        )
        if not logs:
            continue
        sides[name] = pooled(logs, comparisons=len(twins))
        n = min(n, sides[name].n)
        over = pooled(
            _over_settings(gapped or settings, ("relu", name), lambda t, name=name: t[name] - t["relu"])[0]
        )
        first = next(iter(tuned(settings[where[0]][name]).values()))
        kind = "smooth, ReLU's shape" if name in NARROW else "kinked"
        findings.append(
            Finding(
                f"time of {name} ({kind}) over the mean of ReLU's and GELU's",
                str(sides[name]),
                sides[name].n,
                "Above 1: nearer to ReLU, below 1: nearer to GELU (logarithms). Over ReLU's own time: "
                f"{over.in_words}. Each at its best step size, mean over {_places(where)}. t-interval over "
                f"seeds, {len(twins)} comparisons; float32, {on_data(first)}.",
                part,
                interval=sides[name].interval,
            )
        )
    findings += _half_way(settings[_MAIN], part)
    if not gapped:
        why = f"There is no gap to attribute: ReLU's time over GELU's {shown}."
        return Ruling(part, Attribution.UNDECIDED, n, why), findings
    told = f"ReLU's time over GELU's {shown}; a twin's over the mean of both: " + ", ".join(
        f"{name} {side.in_words}" for name, side in sides.items()
    )
    kinked = sides[KINKED_GELU]
    if all(sides[name].above for name in NARROW) and kinked.below:
        why = (
            "Differentiable networks of ReLU's shape are as slow as ReLU's, and kinked ones of GELU's shape as "
            f"fast as GELU's. {told}."
        )
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
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
            f"From ReLU with torch's initialisation, GELU makes it {ratio(slow, torch_init['gelu']).in_words} "
            f"times as fast, the matched initialisation {ratio(slow, matched['relu']).in_words} times. Adam, "
            f"each at its best step size; {missed} of {len(torch_init['gelu'])} GELU runs censored. t-interval "
            f"over seeds; float32, {on_data(next(iter(slow.values())))}.",
            part,
            interval=found.interval,
        ),
        *_factors(rows, part),
    ]
    why = f"GELU with torch's initialisation takes {found.in_words} times as long as ReLU with a matched one."
    answer = Attribution.UNDECIDED
    if found.above:
        answer = Attribution.NOT_SUPPORTED
    elif found.below:
        answer = Attribution.SUPPORTED
    return Ruling(part, answer, found.n, why), findings


def effects(rows: Sequence[Row]) -> list[Effect]:
    """By what factor each change divides the time, without batch norm, Adam unless said, by depth."""
    settings = by_setting(rows)
    narrow, found = NARROW[-1], []
    for depth in DEPTHS:
        torch_init, matched, he, sgd = (
            settings.get(Setting(depth, False, init, optimiser), {})
            for init, optimiser in (
                ("torch", "adam"),
                ("matched", "adam"),
                ("he", "adam"),
                ("matched", "sgd"),
            )
        )
        changes = (
            ("ReLU → GELU, torch’s initialisation", torch_init, "relu", torch_init, "gelu"),
            ("ReLU → GELU, matched initialisation", matched, "relu", matched, "gelu"),
            ("ReLU → GELU, matched initialisation, SGD", sgd, "relu", sgd, "gelu"),
            ("smoothness alone: ReLU → rounded over 1e-4", matched, "relu", matched, narrow),
            ("smoothness alone: kinked GELU → GELU", matched, KINKED_GELU, matched, "gelu"),
            ("shape alone, smooth: rounded ReLU → GELU", matched, narrow, matched, "gelu"),
            ("shape alone, kinked: ReLU → kinked GELU", matched, "relu", matched, KINKED_GELU),
            ("initialisation: torch’s → matched, ReLU", torch_init, "relu", matched, "relu"),
            ("initialisation: torch’s → matched, GELU", torch_init, "gelu", matched, "gelu"),
            ("initialisation: He’s → matched, GELU", he, "gelu", matched, "gelu"),
            ("optimiser: SGD → Adam, ReLU", sgd, "relu", matched, "relu"),
        )
        for what, before, old, after, new in changes:
            runs = tuned(before.get(old, {})), tuned(after.get(new, {}))
            if set(runs[0]) & set(runs[1]):
                found.append((what, depth, ratio(*runs)))
        found += _step_effect(matched.get("relu", {}), depth)
    return found


def _step_effect(steps: dict[float, dict[int, Row]], depth: int) -> list[Effect]:
    """From the better neighbour of the best step size to the best one."""
    if len(steps) < 2:
        return []
    best, sizes = best_step(steps), sorted(steps)
    at = sizes.index(best)
    beside = [sizes[k] for k in (at - 1, at + 1) if 0 <= k < len(sizes)]
    worse = best_step({size: steps[size] for size in beside})
    factor = f"{max(worse, best) / min(worse, best):.2g}"
    return [(f"step size by a factor {factor}, ReLU", depth, ratio(steps[worse], steps[best]))]


def _factors(rows: Sequence[Row], part: str) -> list[Finding]:
    """Every effect as a finding, and luck: the spread over seeds at one step size."""
    findings = [
        Finding(
            f"depth {depth}, factor by which the time falls: {what}",
            str(found),
            found.n,
            "No batch norm, each at its best step size. t-interval over seeds.",
            part,
            interval=found.interval,
        )
        for what, depth, found in effects(rows)
    ]
    for setting, activations in sorted(by_setting(rows).items()):
        if setting.batch_norm or setting.optimiser != "adam" or setting.init == "he":
            continue
        for name, shown in zip(PAIR, ("ReLU", "GELU"), strict=True):
            if name not in activations:
                continue
            runs = list(activations[name][best_step(activations[name])].values())
            times = [math.exp(log_time(row)) for row in runs]
            missed = sum(not reached(row) for row in runs)
            findings.append(
                Finding(
                    f"luck, {shown}, {setting}: slowest over quickest seed",
                    f"{'at least ' if missed else ''}{max(times) / min(times):.2f}",
                    len(runs),
                    f"At the best step size, α = {best_step(activations[name]):g}; {missed} censored.",
                    part,
                )
            )
    return findings


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
            "Interpolated in logarithms between the widths run; GELU has 8.5, pre-activations start with standard "
            f"deviation 1. All of these networks are analytic. {_place(_MAIN)}.",
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


def _over_settings(settings, names, statistic) -> tuple[list[float], list[Setting]]:
    """A statistic of the log times, one a seed: its mean over the settings in which all names were run."""
    found, where = [], []
    for setting, activations in settings.items():
        runs = paired(activations, names)
        if runs:
            seeds = next(iter(runs.values()))
            found.append(
                {s: statistic({name: log_time(each[s]) for name, each in runs.items()}) for s in seeds}
            )
            where.append(setting)
    seeds = sorted(set.intersection(*map(set, found))) if found else []
    return [float(np.mean([each[s] for each in found])) for s in seeds], where


def _place(setting: Setting) -> str:
    return f"depth {setting.depth}, {setting.init} initialisation, {title(setting.optimiser)}"


def _places(settings: Sequence[Setting]) -> str:
    return "; ".join(map(_place, settings))
