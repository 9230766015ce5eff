"""The four rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import comb

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.testbed._experiments import CASES, WIDTHS, select
from nonsmooth.findings import Finding, Result, Ruling, Share, against_theory, number, share

__all__ = ["differs_from_twin", "known_minimum", "non_differentiable_end", "tractable", "wendel"]

_Answer = tuple[Ruling, list[Finding]]
_FALLS = ("converges", "still falling")


def wendel(rows: int, columns: int) -> float:
    """Probability that N symmetric random rows in general position leave some b with z_i.b < 0 for all i.

    >>> wendel(20, 500), wendel(4, 2), wendel(2, 1)
    (1.0, 0.5, 0.5)
    """
    return sum(comb(rows - 1, k) for k in range(min(rows, columns))) / 2 ** (rows - 1)


def known_minimum(rows: Sequence[Row]) -> _Answer:
    """Does the solver find ||y||², and does no chord lie below?"""
    part = "known-minimum"
    mine = select(rows, "known")
    seeds = {r["seed"] for r in mine}
    if {r["l1"] == 0 for r in mine} != {True, False}:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not solved at both strengths."), []
    error, bent = max(r["error"] for r in mine), max(r["bent"] for r in mine)
    good = error < 1e-8 and bent < 1e-12
    found = Finding(
        "greatest relative distance of the solver's minimum from ||y||²",
        f"{error:.1e}",
        len(mine),
        "Clarabel on the quadratic programme that eq. 3 is for y ≤ 0, tolerance 1e-11, float64; it is told "
        f"nothing of the answer. Greatest excess of f over a chord, over f: {number(max(bent, 0.0), 2)}.",
        part,
    )
    if good:
        return Ruling(part, Result.HOLDS, len(seeds), "The solver finds ||y||² in every seed."), [found]
    why = f"The solver's minimum is off by {error:.1e}, or a chord lies below the function."
    return Ruling(part, Result.DIFFERS, len(seeds), why), [found]


def tractable(rows: Sequence[Row]) -> _Answer:
    """Do the bounds hold at every step of every run?"""
    part = "tractable"
    mine = select(rows, "runs")
    seeds = _seeds_with_all_cases(rows)
    if not seeds:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not all optimisers were run."), []
    sharp, steep = max(r["sharp"] for r in mine), max(r["steep"] for r in mine)
    best = max(r.get("best", 0.0) for r in mine)
    diverged = sum(r["behaviour"] == "divergent" for r in mine)
    findings = [
        Finding(
            "greatest share of each bound that a run uses up (1: the bound is reached)",
            f"sharpness {sharp:.6f}, Lipschitz {number(steep)}, best value {number(best, 2)}",
            len(mine),
            "All steps of all runs of all optimisers, float64. The sharpness bound is reached wherever every "
            f"ReLU is off, for there it is an equation. Runs that diverge, not asked: {diverged}.",
            part,
        )
    ]
    if max(sharp, steep, best) <= 1 + 1e-6:
        why = "All three bounds, known before any run, hold at every step of every run."
        return Ruling(part, Result.HOLDS, len(seeds), why), findings
    why = f"A bound is broken: {findings[0].measured}."
    return Ruling(part, Result.DIFFERS, len(seeds), why), findings


def non_differentiable_end(rows: Sequence[Row]) -> _Answer:
    """Do the last iterates cross kinks, with and without λ1?"""
    part = "non-differentiable-end"
    seeds = _seeds_with_all_cases(rows)
    if not seeds:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not all optimisers were run."), []
    mine = select(rows, "runs")
    shares: dict[bool, Share] = {}
    findings = []
    for penalised in (False, True):
        runs = [r for r in mine if (r["l1"] > 0) == penalised]
        crossing = {seed: all(r["relu_kinks"] for r in runs if r["seed"] == seed) for seed in seeds}
        shares[penalised] = share(crossing.values(), comparisons=2)
        strength = number(max(r["l1"] for r in runs))
        findings.append(
            Finding(
                f"seeds that cross ReLU kinks at the end with every optimiser, λ1 = {strength}",
                str(shares[penalised]),
                len(seeds),
                f"By optimiser: {_by_case(runs)}. Behaviours: {_behaviours(runs)}.",
                part,
                interval=shares[penalised].interval,
            )
        )
    findings += [*_at_figure_1(rows, part), *_by_shape(rows, part), *_on_data(rows, part)]
    without, with_l1 = shares[False], shares[True]
    said = f"λ1 > 0: {with_l1}, λ1 = 0: {without}"
    if min(without.interval[0], with_l1.interval[0]) > 0.9:
        return Ruling(part, Result.HOLDS, len(seeds), "Runs end crossing ReLU kinks.", said), findings
    if max(without.interval[1], with_l1.interval[1]) < 0.1:
        return Ruling(part, Result.DIFFERS, len(seeds), "Runs do not end at ReLU kinks.", said), findings
    off = share(r["off"] for r in mine if r["l1"] == 0)
    why = f"Seeds whose last iterates cross ReLU kinks with every optimiser: {said}."
    if off.interval[0] > 0.5:
        why += (
            f" At λ1 = 0 {off} runs end with every ReLU off: there the problem is the smooth ridge λ2 ||b||²."
        )
    return Ruling(part, Result.IN_PART, len(seeds), why, said), findings


def differs_from_twin(rows: Sequence[Row]) -> _Answer:
    """Does the kinked run stop short where the twin below its 2/L does not?"""
    part = "differs-from-twin"
    kinds = {kind: {r["seed"]: r for r in select(rows, "twins", kind=kind)} for kind in ("kinked", *WIDTHS)}
    seeds = sorted(set.intersection(*(set(runs) for runs in kinds.values())))
    if not seeds:
        return Ruling(part, Result.NOT_JUDGED, 0, "No twin was run."), []

    def falls(kind: str, seed: int) -> bool:
        return kinds[kind][seed]["behaviour"] in _FALLS

    found = share((falls("wide", seed) and not falls("kinked", seed) for seed in seeds), comparisons=2)
    narrow = share((not falls("narrow", seed) for seed in seeds), comparisons=2)
    above = sum(kinds["narrow"][seed]["above_edge"] for seed in seeds)
    floors = ", ".join(
        f"{kind} {number(float(np.median([kinds[kind][seed]['floor'] for seed in seeds])), 2)}"
        for kind in kinds
    )
    findings = [
        Finding(
            "seeds where the kinked run stops short and the twin rounded over 1 does not",
            str(found),
            len(seeds),
            f"Same data, start and step, 0.25 of 2/L. Late gap over the starting gap, median: {floors}.",
            part,
            interval=found.interval,
        ),
        Finding(
            "seeds where the twin rounded over 0.001 stops short as well",
            str(narrow),
            len(seeds),
            f"The step is above that twin's own 2/L in {above} of {len(seeds)} seeds. Where it stops short, "
            "a differentiable function does at this step what the kink does; what the kink adds is that no "
            "smaller step helps (the minimum is sharp).",
            part,
            interval=narrow.interval,
        ),
    ]
    n = len(seeds)
    why = (
        f"In {found} seeds the kinked run stops short and the twin rounded over 1 does not; the nearest "
        f"twin, rounded over 0.001, stops short in {narrow}."
    )
    if found.interval[0] > 0.9:
        answer = Result.HOLDS if narrow.interval[1] < 0.1 else Result.IN_PART
        return Ruling(part, answer, n, why, region="against twins below their 2/L"), findings
    answer = Result.DIFFERS if found.interval[1] < 0.1 else Result.IN_PART
    return Ruling(part, answer, n, why), findings


def _seeds_with_all_cases(rows: Sequence[Row]) -> list[int]:
    """Seeds run with every optimiser at every step and both strengths."""
    done: dict[int, set[tuple]] = {}
    for r in select(rows, "runs"):
        done.setdefault(r["seed"], set()).add((r["method"], r["step"], r["l1"] > 0))
    wanted = {(method, step, l1) for method, step in CASES for l1 in (False, True)}
    return sorted(seed for seed, cases in done.items() if cases == wanted)


def _by_case(runs: Sequence[Row]) -> str:
    texts = []
    for method, step in CASES:
        mine = [r for r in runs if r["method"] == method and r["step"] == step]
        texts.append(f"{method} at {step:g}: {sum(r['relu_kinks'] for r in mine)} of {len(mine)}")
    return "; ".join(texts)


def _behaviours(runs: Sequence[Row]) -> str:
    counts = sorted(Counter(r["behaviour"] for r in runs).items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {name}" for name, count in counts)


def _at_figure_1(rows: Sequence[Row], part: str) -> list[Finding]:
    mine = select(rows, "figure-1")
    if not mine:
        return []
    off = share(r["off"] for r in mine)
    return [
        Finding(
            "Figure 1's own problem (20 x 500, λ1 = 0): runs that end with every ReLU off",
            str(off),
            off.n,
            f"Subgradient method at 2 of 2/L; behaviours: {_behaviours(mine)}. With 20 rows in 500 "
            "dimensions some b turns every ReLU off with probability 1.",
            part,
            interval=off.interval,
        )
    ]


def _by_shape(rows: Sequence[Row], part: str) -> list[Finding]:
    cells = sorted(select(rows, "map"), key=lambda r: (r["rows"], r["columns"]))
    if not cells:
        return []

    def predict(n: float, p: float) -> bool | None:
        chance = wendel(int(n), int(p))
        return None if 0.05 < chance < 0.95 else chance < 0.5

    spoken, clear, right = against_theory(cells, predict)
    n, agree = sum(r["n"] for r in cells), sum(r["agree"] for r in cells)
    return [
        Finding(
            "λ1 = 0: runs whose end is foretold by whether some b turns every ReLU off",
            f"{agree} of {n}",
            n,
            "Shapes from 2 to 80 rows and 2 to 500 columns; that b is sought by a linear programme, and if "
            "there is one the run should not end crossing kinks. Subgradient method at 0.5 of 2/L, 2000 "
            f"steps. Against Wendel's theorem (its border N = 2P): of {spoken} shapes where it is at least "
            f"95 % sure, {clear} are clear, and it gets {right} of those right.",
            part,
        )
    ]


def _on_data(rows: Sequence[Row], part: str) -> list[Finding]:
    return [
        Finding(
            f"{r['data']} ({r['rows']} x {r['columns']}), λ1 = 0: runs that end crossing ReLU kinks",
            f"{r['hits']} of {r['n']}",
            r["n"],
            "Response shifted to be non-positive. Some b turns every ReLU off: "
            f"{'yes' if r['cone'] else 'no'}; {r['off']} of {r['n']} runs end so.",
            part,
        )
        for r in sorted(select(rows, "data"), key=lambda r: r["data"])
    ]
