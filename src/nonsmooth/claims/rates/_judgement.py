"""The four rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.rates._experiments import FACTORS, FAMILIES, HORIZONS, select
from nonsmooth.findings import (
    Attribution,
    Finding,
    Result,
    Ruling,
    Share,
    against_theory,
    number,
    share,
)

__all__ = ["cause_non_smooth", "lipschitz", "predicted", "slower", "smooth"]

_Answer = tuple[Ruling, list[Finding]]
_Cell = tuple[str, float]
_FEWEST_LENGTHS = 4


def smooth(rows: Sequence[Row]) -> _Answer:
    """Is the worst case of gradient descent at 1/L the one that is O(1/ε), and does any run exceed it?"""
    part = "smooth"
    found = _Certified(rows, "smooth", 0.5)
    if not found.complete:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every worst case was computed."), []
    findings = found.findings(part, "N + 1/2", -1.0, "O(1/ϵ)", "L D²/(4N + 2), step 1/L, last iterate")
    faster = select(rows, "certificate", kind="fista")
    if faster:
        last = max(faster, key=lambda r: r["N"])
        findings.append(
            Finding(
                f"accelerated on the same class, N = {last['N']}: worst case",
                f"{number(last['value'])} L D² (gradient descent: {number(1 / (4 * last['N'] + 2))})",
                len(faster),
                "FISTA without a penalty, step 1/L, by the same programme: O(1/ε) is gradient descent's "
                "rate, not the class's.",
                part,
            )
        )
    if found.exceeding > 1 + 1e-6:
        why = f"A measured run exceeds the worst case, {number(found.exceeding, 6)} times it."
        return Ruling(part, Result.DIFFERS, found.n, why), findings
    if found.power > -0.9:
        why = f"The worst case falls like N to the power {found.power:.3f}."
        return Ruling(part, Result.DIFFERS, found.n, why), findings
    if found.tight and abs(found.power + 1) < 0.01:
        why = "The exact worst case is L D²/(4N + 2), it is attained, and no run exceeds it."
        return Ruling(part, Result.HOLDS, found.n, why, region="step 1/L, last iterate"), findings
    why = f"The worst case departs from its closed form or its attaining function (power {found.power:.3f})."
    return Ruling(part, Result.IN_PART, found.n, why), findings


def lipschitz(rows: Sequence[Row]) -> _Answer:
    """Is the worst case O(1/ε²), with the step chosen for N, and with one step for all ε?"""
    part = "lipschitz"
    found, stuck = _Certified(rows, "kinked", 1.0), select(rows, "floor")
    if not found.complete or not stuck:
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every worst case was computed."), []
    caught = [r for r in stuck if r["cycle"] and r["best"] == r["floor"]]
    findings = found.findings(
        part, "N + 1", -0.5, "O(1/ϵ2)", "Λ D/√(N+1), step D/(Λ √(N+1)), best iterate of x_0 to x_N"
    )
    first = min(caught, key=lambda r: float(_fraction(r["start"])), default=None)
    measured = f"{len(caught)} of {len(stuck)} starts"
    if first:
        measured += (
            f"; e.g. f = |x|, α = {first['stepsize']}, x_0 = {first['start']}: f − f* ≥ {first['best']}"
        )
    findings.append(
        Finding(
            "one constant step: starts that stay αΛ²/2 above the minimum for ever",
            measured,
            len(stuck),
            "Exact rationals: the run enters a cycle between α/2 and −α/2.",
            part,
            reported="none",
            agrees=not caught,
        )
    )
    fixed = sorted(select(rows, "certificate", kind="fixed"), key=lambda r: r["N"])
    if fixed:
        values = ", ".join(f"{number(r['value'])} (N = {r['N']})" for r in fixed)
        findings.append(
            Finding(
                "worst case at the one constant step α = D/(2Λ), best iterate",
                f"{values} Λ D",
                len(fixed),
                "It cannot fall below αΛ²/2 = 0.25 Λ D at any N.",
                part,
            )
        )
    last = sorted(select(rows, "certificate", kind="last"), key=lambda r: r["N"])
    if last:
        values = ", ".join(f"{number(r['value'] * np.sqrt(r['N'] + 1))} (N = {r['N']})" for r in last)
        findings.append(
            Finding(
                "worst case of the last iterate over that of the best, same step",
                values,
                len(last),
                "The last iterate, which a training run returns, is worse, by a factor growing with log N "
                "(Zamani and Glineur).",
                part,
            )
        )
    findings += _slopes(rows, part)
    if found.exceeding > 1 + 1e-6:
        why = f"A measured run exceeds the worst case, {number(found.exceeding, 6)} times it."
        return Ruling(part, Result.DIFFERS, found.n, why), findings
    if found.power > -0.4:
        why = f"The worst case falls like N to the power {found.power:.3f}."
        return Ruling(part, Result.DIFFERS, found.n, why), findings
    if not found.tight or abs(found.power + 0.5) >= 0.01:
        why = f"The worst case departs from its closed form or from what is attained ({found.power:.3f})."
        return Ruling(part, Result.IN_PART, found.n, why), findings
    if caught:
        why = (
            "With the step chosen for N the worst case is Λ D/√(N+1), attained: O(1/ε²) steps. At one "
            "constant step, the regime the paper studies, a start may stay αΛ²/2 above the minimum for ever."
        )
        region = "a step of the order ε/Λ², chosen for that ε; best iterate"
        return Ruling(part, Result.IN_PART, found.n, why, region), findings
    why = "The worst case is Λ D/√(N+1), attained, and no start is stuck at a constant step."
    return Ruling(part, Result.HOLDS, found.n, why), findings


def slower(rows: Sequence[Row]) -> _Answer:
    """On matched pairs, does the kinked problem need more steps?"""
    part = "slower"
    cells = {
        (family, factor): share(
            (_steps(kink) > 1.05 * _steps(twin) for kink, twin in _matched(rows, family, factor)),
            comparisons=12,
        )
        for family in FAMILIES
        for factor in FACTORS
    }
    if not all(found.n for found in cells.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every pair was run."), []
    error = select(rows, "pairs")[0]["error"]
    n = min(found.n for found in cells.values())
    findings = []
    for family, name in FAMILIES.items():
        shares = "; ".join(f"{number(f * error / 2)}: {cells[family, f]}" for f in FACTORS)
        findings.append(
            Finding(
                f"{name}: seeds in which the kink needs more steps than its twin, by width d",
                shares,
                n,
                f"Relative error ε = {error:g}, best constant step of a grid for each, float64. "
                + _medians(rows, family),
                part,
            )
        )
    findings += [*_other_methods(rows, part), *_map(rows, part)]
    more = {key for key, found in cells.items() if found.interval[0] > 0.9}
    none = {key for key, found in cells.items() if found.interval[1] < 0.1}
    region = "; ".join(_widths(family, more, none, error) for family in FAMILIES)
    if len(more) == len(cells):
        why = "The kinked problem needs more steps than every twin, in both families."
        return Ruling(part, Result.HOLDS, n, why), findings
    if len(none) == len(cells):
        why = "The kinked problem needs no more steps than any twin, in either family."
        return Ruling(part, Result.DIFFERS, n, why), findings
    why = (
        f"In {len(more)} of {len(cells)} cells of family and width the kinked problem needs more steps than "
        f"its twin in nearly every seed; in {len(none)} it does in hardly any."
    )
    return Ruling(part, Result.IN_PART, n, why, region), findings


def cause_non_smooth(rows: Sequence[Row]) -> _Answer:
    """Is a twin that is differentiable, but rounded over next to nothing, faster?"""
    part = "cause-non-smooth"
    wide, narrow = max(FACTORS), min(FACTORS)
    effect, same, fewer = {}, {}, {}
    for family in FAMILIES:
        broad, thin = _matched(rows, family, wide), _matched(rows, family, narrow)
        if not broad or not thin:
            return Ruling(part, Attribution.UNDECIDED, 0, "No twin was run."), []
        effect[family] = share((_steps(kink) > 1.05 * _steps(twin) for kink, twin in broad), comparisons=4)
        same[family] = share((_alike(kink, twin) for kink, twin in thin), comparisons=4)
        fewer[family] = share((_steps(twin) < 0.9 * _steps(kink) for kink, twin in thin), comparisons=4)
    error = select(rows, "pairs")[0]["error"]
    findings = [
        Finding(
            f"{name}: seeds in which the narrowest twin needs as many steps as the kink",
            f"{same[family]}; over 10 % fewer: {fewer[family]}",
            same[family].n,
            f"d = {number(narrow * error / 2)}, a C1,1 function; to 10 % or one step. "
            f"The widest twin, d = {number(wide * error / 2)}, is faster in {effect[family]}. "
            "Wilson interval allowing for 4 comparisons.",
            part,
            interval=same[family].interval,
        )
        for family, name in FAMILIES.items()
    ]
    n = min(found.n for found in (*effect.values(), *same.values()))
    if not any(_mostly(found) for found in effect.values()):
        why = "Not even the widest twin is clearly faster: there is no effect to attribute."
        return Ruling(part, Attribution.UNDECIDED, n, why), findings
    if all(_mostly(found) for found in same.values()):
        why = (
            "A twin that is L-smooth but rounded over next to nothing needs as many steps as the kink, a "
            "wide one fewer: the number of steps depends on the width of the bend, so on L against Λ²/ε, "
            "not on whether the derivative exists."
        )
        region = f"ε = {error:g}; for a twin held fixed, ε small enough makes it the faster one"
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why, region), findings
    if all(_mostly(found) for found in fewer.values()):
        why = "Even the narrowest differentiable twin needs fewer steps than the kink."
        return Ruling(part, Attribution.SUPPORTED, n, why), findings
    return Ruling(part, Attribution.UNDECIDED, n, "The narrowest twin is faster in some seeds."), findings


def predicted(error: float, width: float) -> bool | None:
    """Whether theory has the kinked toy LASSO slower: the twin at steps up to 2 d/λ1, the kink at ε/λ1."""
    return True if width >= error / 2 else False if width <= error / 20 else None


class _Certified:
    """A class's worst cases over N, and the runs held against them."""

    def __init__(self, rows: Sequence[Row], field: str, shift: float) -> None:
        kind = {"kinked": "lipschitz"}.get(field, field)
        self.rows = sorted(select(rows, "certificate", kind=kind), key=lambda r: r["N"])
        runs = select(rows, "bounds")
        self.n, self.exceeding = len(runs), max((r[field] for r in runs), default=float("nan"))
        self.complete = bool(runs) and len(self.rows) >= _FEWEST_LENGTHS
        if not self.complete:
            return
        N, values = (np.array([r[name] for r in self.rows]) for name in ("N", "value"))
        self.power = float(np.polyfit(np.log(N + shift), np.log(values), 1)[0])
        self.tight = all(
            abs(r["value"] / r["theory"] - 1) < 1e-5 and abs(r["attained"] / r["theory"] - 1) < 1e-9
            for r in self.rows
        )

    def findings(self, part: str, over: str, power: float, printed: str, closed: str) -> list[Finding]:
        gap = max(r["gap"] for r in self.rows)
        away = max(abs(r["value"] / r["theory"] - 1) for r in self.rows)
        attained = min(r["attained"] / r["theory"] for r in self.rows)
        lengths = ", ".join(str(r["N"]) for r in self.rows)
        return [
            Finding(
                f"exact worst case: power of {over}",
                f"{self.power:.4f}",
                len(self.rows),
                f"Performance estimation, N = {lengths}; relative gap at most {number(gap, 2)}; steps to ε "
                f"are then of the order ε to the power {1 / self.power:.2f}.",
                part,
                reported=printed,
                agrees=abs(self.power - power) < 0.01,
            ),
            Finding(
                f"departure from {closed}",
                f"at most {number(away, 2)}; a function attains {number(attained, 6)} of it or more",
                len(self.rows),
                "Upper end by the programme, lower end by a function run in float64 or exact rationals.",
                part,
            ),
            Finding(
                "greatest measured error over the worst case",
                number(self.exceeding, 4),
                self.n,
                "Toy LASSO, random starts; twins of width 0.01 to 1 at every N up to 1000 for the smooth "
                "class, the kinked one at N = 4 to 256 for the Lipschitz class.",
                part,
            ),
        ]


def _fraction(text: str) -> float:
    top, _, bottom = text.partition("/")
    return int(top) / int(bottom or 1)


def _steps(row: Row) -> float:
    """Steps needed; infinite where the error was not reached."""
    return float("inf") if row["steps"] is None else row["steps"]


def _matched(rows: Sequence[Row], family: str, factor: float) -> list[tuple[Row, Row]]:
    """(kinked, twin) of each seed that has both and was reached by one of them."""
    kinked = {r["seed"]: r for r in select(rows, "pairs", family=family, factor=0.0)}
    twins = {r["seed"]: r for r in select(rows, "pairs", family=family, factor=factor)}
    both = [(kinked[seed], twins[seed]) for seed in sorted(kinked.keys() & twins.keys())]
    return [(kink, twin) for kink, twin in both if min(_steps(kink), _steps(twin)) < float("inf")]


def _alike(kink: Row, twin: Row) -> bool:
    return abs(_steps(kink) - _steps(twin)) <= max(1.0, 0.1 * _steps(kink))


def _mostly(found: Share) -> bool:
    return found.interval[0] > 0.9


def _widths(family: str, more: set[_Cell], none: set[_Cell], error: float) -> str:
    def words(cells: set[_Cell]) -> str:
        return ", ".join(number(f * error / 2) for f in FACTORS if (family, f) in cells) or "none"

    return f"{FAMILIES[family]}: slower than twins of width {words(more)}; not slower than {words(none)}"


def _medians(rows: Sequence[Row], family: str) -> str:
    def median(factor: float) -> str:
        value = float(np.median([_steps(r) for r in select(rows, "pairs", family=family, factor=factor)]))
        return number(value, 4) if value < float("inf") else "not reached"

    return f"Median steps, kinked: {median(0.0)}; twins: {', '.join(median(f) for f in FACTORS)}."


def _slopes(rows: Sequence[Row], part: str) -> list[Finding]:
    """The power of N in the error of tuned kinked runs: what an instance does, not the worst case."""
    findings = []
    for family, name in FAMILIES.items():
        mine = select(rows, "pairs", family=family, factor=0.0)
        if not mine:
            continue
        medians = np.median([r["errors"] for r in mine], axis=0)
        points = [(N, e) for N, e in zip(HORIZONS, medians, strict=True) if 0 < e < np.inf]
        if len(points) < 3:
            continue
        lengths, errors = np.log(np.array(points)).T
        power = float(np.polyfit(lengths, errors, 1)[0])
        findings.append(
            Finding(
                f"{name}, kinked: measured power of N in the error, step tuned for each N",
                f"{power:.2f}",
                len(mine),
                f"Median over seeds at N = {points[0][0]} to {points[-1][0]}, best iterate. The worst case's "
                "power is −1/2: these instances are easier than the worst."
                if power < -0.6
                else f"Median over seeds at N = {points[0][0]} to {points[-1][0]}, best iterate.",
                part,
            )
        )
    return findings


def _other_methods(rows: Sequence[Row], part: str) -> list[Finding]:
    """How many steps other regimes and methods need on the same kinked functions."""
    findings = []
    cells = select(rows, "methods")
    for name in sorted({(r["family"], r["method"]) for r in cells}):
        mine = sorted((r for r in cells if (r["family"], r["method"]) == name), key=lambda r: -r["target"])
        steps = ", ".join(
            f"{r['target']:g}: {r['median'] if r['median'] is not None else 'not reached'}" for r in mine
        )
        findings.append(
            Finding(
                f"{FAMILIES[name[0]]}, kinked, {name[1]}: median steps to ε",
                steps,
                max(r["n"] for r in mine),
                "The same non-smooth functions and starts; only the steps or the method differ.",
                part,
            )
        )
    return findings


def _map(rows: Sequence[Row], part: str) -> list[Finding]:
    cells = select(rows, "map")
    if not cells:
        return []
    spoken, clear, right = against_theory(cells, predicted)
    return [
        Finding(
            "map over ε and d: clear cells that theory gets right",
            f"{right} of {clear}",
            max(cell["n"] for cell in cells),
            f"Theory: slower than a twin with d ≥ ε/2 (L ≤ Λ²/e, e the absolute error), as fast as one with "
            f"d ≤ ε/20; it speaks of {spoken} of {len(cells)} cells.",
            part,
        )
    ]
