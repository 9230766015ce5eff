"""What the time to a target depends on, and by how much: one change at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.activation_depth_gap._plan import KINKED_GELU, NARROW, PAIR
from nonsmooth.claims.activation_depth_gap._times import (
    DEPTHS,
    Ratio,
    Runs,
    Setting,
    Steps,
    best_step,
    by_setting,
    censoring,
    log_time,
    paired,
    ratio,
    reached,
    tuned,
)
from nonsmooth.findings import Finding

__all__ = ["Effect", "effects", "factors"]

# What is changed, the depth, the ratio of times, and how many runs are censored, in words.
Effect = tuple[str, int, Ratio, str]


def effects(rows: Sequence[Row]) -> list[Effect]:
    """By what factor each change divides the time, without batch norm, Adam unless said, by depth.

    A change before and after which no run reaches the target has no factor, and is left out.
    """
    settings = by_setting(rows)
    narrow = NARROW[-1]
    found: list[Effect] = []
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
            ("ReLU → GELU, torch's initialisation", torch_init, "relu", torch_init, "gelu"),
            ("ReLU → GELU, matched initialisation", matched, "relu", matched, "gelu"),
            ("ReLU → GELU, matched initialisation, SGD", sgd, "relu", sgd, "gelu"),
            ("smoothness alone: ReLU → analytic twin, 1e-4", matched, "relu", matched, narrow),
            ("smoothness alone: kinked GELU → GELU", matched, KINKED_GELU, matched, "gelu"),
            ("shape alone, smooth: ReLU's analytic twin → GELU", matched, narrow, matched, "gelu"),
            ("shape alone, kinked: ReLU → kinked GELU", matched, "relu", matched, KINKED_GELU),
            ("initialisation: torch's → matched, ReLU", torch_init, "relu", matched, "relu"),
            ("initialisation: torch's → matched, GELU", torch_init, "gelu", matched, "gelu"),
            ("initialisation: He's → matched, GELU", he, "gelu", matched, "gelu"),
            ("optimiser: SGD → Adam, ReLU", sgd, "relu", matched, "relu"),
        )
        for what, before, old, after, new in changes:
            if before is after:
                runs = paired(before, (old, new))
                slow, quick = runs.get(old, {}), runs.get(new, {})
            else:
                slow, quick = tuned(before.get(old, {})), tuned(after.get(new, {}))
            found += _effect(what, depth, slow, quick)
        found += _step_effect(matched.get("relu", {}), depth)
    return found


def _effect(what: str, depth: int, slow: Runs, quick: Runs) -> list[Effect]:
    seeds = sorted(slow.keys() & quick)
    note = censoring({seed: slow[seed] for seed in seeds}, {seed: quick[seed] for seed in seeds})
    return [] if note is None else [(what, depth, ratio(slow, quick), note)]


def _step_effect(steps: Steps, depth: int) -> list[Effect]:
    """From the better neighbour of the best step size, a factor of about 3 away, to the best one."""
    if len(steps) < 2:
        return []
    best, sizes = best_step(steps), sorted(steps)
    at = sizes.index(best)
    beside = [sizes[k] for k in (at - 1, at + 1) if 0 <= k < len(sizes)]
    worse = best_step({size: steps[size] for size in beside})
    return _effect("step size: second best → best, ReLU", depth, steps[worse], steps[best])


def factors(rows: Sequence[Row], part: str) -> list[Finding]:
    """Every effect, and luck: the spread over the seeds at one step size; a finding a depth."""
    found = effects(rows)
    findings = []
    for depth in DEPTHS:
        mine = [(what, effect, note) for what, at, effect, note in found if at == depth]
        lucky = _luck(rows, depth)
        if not mine:
            continue
        findings.append(
            Finding(
                f"factors by which one change divides the time, depth {depth}",
                "; ".join([*(f"{what} {effect.in_words}{note}" for what, effect, note in mine), *lucky]),
                min(effect.n for _, effect, _ in mine),
                "No batch norm, Adam unless said, each at its best step size; t-intervals over seeds. A "
                "censored run (before and after the change) counts as its horizon; a change before and after "
                "which no run trains is left out. Luck: the slowest seed's time over the quickest's, all at "
                "the best step size. float32.",
                part,
            )
        )
    return findings


def _luck(rows: Sequence[Row], depth: int) -> list[str]:
    told = []
    for init in ("torch", "matched"):
        activations = by_setting(rows).get(Setting(depth, False, init, "adam"), {})
        for name, shown in zip(PAIR, ("ReLU", "GELU"), strict=True):
            if name in activations:
                runs = list(activations[name][best_step(activations[name])].values())
                times = [math.exp(log_time(row)) for row in runs]
                least = "" if all(map(reached, runs)) else "at least "
                told.append(f"luck, {shown}, {init} initialisation {least}{max(times) / min(times):.2f}")
    return told
