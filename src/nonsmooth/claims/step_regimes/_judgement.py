"""The four rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.step_regimes._experiments import KINKED, PROBLEMS, SMOOTH, predicts_small
from nonsmooth.findings import Finding, Result, Ruling, against_theory, number, share

__all__ = ["constant", "diminishing", "limiting", "reducing"]

_Answer = tuple[Ruling, list[Finding]]
_TITLES = {**SMOOTH, **KINKED}
_CONVERGED = 1e-9


def constant(rows: Sequence[Row]) -> _Answer:
    """Which problems does a constant step converge on?"""
    part = "constant"
    mine = {name: [r for r in _of(rows, "constant") if r["problem"] == name] for name in PROBLEMS}
    if not all(mine.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every problem was run."), []
    shares = {
        name: share((r["ratio"] < _CONVERGED for r in each), comparisons=len(PROBLEMS))
        for name, each in mine.items()
    }
    findings = []
    for name, found in shares.items():
        ratios = sorted(r["ratio"] for r in mine[name])
        findings.append(
            Finding(
                f"runs that converge under a constant step: {_TITLES[name]}",
                str(found),
                found.n,
                f"{'L-smooth' if name in SMOOTH else 'Kinked'}; late excess over the minimum from "
                f"{number(ratios[0], 2)} to {number(ratios[-1], 2)} of the first, float64; Wilson interval "
                "allowing for 7 comparisons.",
                part,
                reported="all" if name in SMOOTH else "rarely",
                interval=found.interval,
                agrees=found.interval[0] > 0.9 if name in SMOOTH else found.interval[1] < 0.1,
            )
        )
    n = min(found.n for found in shares.values())
    as_said = {
        name: found.interval[0] > 0.9 if name in SMOOTH else found.interval[1] < 0.1
        for name, found in shares.items()
    }
    if all(as_said.values()):
        return Ruling(part, Result.HOLDS, n, "It converges on the L-smooth problems only."), findings
    if not any(as_said[name] for name in KINKED):
        return Ruling(part, Result.DIFFERS, n, "It converges on every kinked problem."), findings
    others = "; ".join(f"{_TITLES[name]}: {shares[name]} converge" for name in shares if not as_said[name])
    region = ", ".join(_TITLES[name] for name, said in as_said.items() if said)
    return Ruling(part, Result.IN_PART, n, f"Not as said: {others}.", region), findings


def diminishing(rows: Sequence[Row]) -> _Answer:
    """Does the excess keep falling?"""
    part = "diminishing"
    mine = {name: [r for r in _of(rows, "diminishing") if r["problem"] == name] for name in PROBLEMS}
    if not all(mine.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every problem was run."), []
    shares, findings = {}, []
    for name, each in mine.items():
        found = shares[name] = share(
            (r["late"] < max(r["early"] / 2, _CONVERGED) for r in each), comparisons=len(PROBLEMS)
        )
        worst = max(r["late"] for r in each)
        findings.append(
            Finding(
                f"runs whose excess keeps falling under diminishing steps: {_TITLES[name]}",
                str(found),
                found.n,
                f"Halved from 1000 to 16,000 steps, or below 1e-9 of the first; largest at the end "
                f"{number(worst, 2)} of the first, float64; Wilson interval allowing for 7 comparisons.",
                part,
                interval=found.interval,
            )
        )
    for quartic in _of(rows, "quartic")[:1]:
        findings.append(
            Finding(
                "x⁴ from 10 with αt = 1/(1 + t): steps with |x_t| ≥ 10·2^t",
                f"{quartic['grows']} of {quartic['n']}",
                quartic["n"],
                "Exact rationals; the notes prove it for all t: lim αt = 0 and an infinite sum do not "
                "suffice for a function whose gradient is neither bounded nor Lipschitz.",
                part,
            )
        )
    findings += _map(rows, part)
    n = min(found.n for found in shares.values())
    if all(found.interval[0] > 0.9 for found in shares.values()):
        return Ruling(part, Result.HOLDS, n, "The excess keeps falling on all seven problems."), findings
    worst = min(shares, key=lambda name: (shares[name].value, name))
    why = f"On {_TITLES[worst]} the excess keeps falling in {shares[worst]} runs only."
    if shares[worst].interval[1] < 0.1:
        return Ruling(part, Result.DIFFERS, n, why), findings
    return Ruling(part, Result.IN_PART, n, why), findings


def reducing(rows: Sequence[Row]) -> _Answer:
    """Is the reducing regime a chain of constant runs?"""
    part = "reducing"
    mine = _of(rows, "reducing")
    if {r["problem"] for r in mine} != set(PROBLEMS):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not every problem was run."), []
    same, n = sum(bool(r["same"]) for r in mine), len(mine)
    finding = Finding(
        "reducing runs that equal their chain of constant runs bit for bit",
        f"{same} of {n}",
        n,
        "Three stages of 300 steps at α, α/4, α/16, seven problems, float64.",
        part,
        reported="all",
        agrees=same == n,
    )
    why = f"{same} of {n} runs equal the chain of their constant runs bit for bit."
    return Ruling(part, Result.HOLDS if same == n else Result.DIFFERS, n, why), [finding]


def limiting(rows: Sequence[Row]) -> _Answer:
    """Does a reducing run end on the floor of its last step?"""
    part = "limiting"
    mine = _of(rows, "limiting")
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "No run was made."), []
    good = [abs(r["reducing"] - 1) < 0.01 and abs(r["constant"] - 1) < 0.01 for r in mine]
    n = len(mine)
    findings = [
        Finding(
            f"two-step mean norm over P α_T λ1/2, {name} step",
            f"{number(min(r[name] for r in mine), 4)} to {number(max(r[name] for r in mine), 4)}",
            n,
            "Toy LASSO, P = 10, all starts, float64.",
            part,
            reported="those of a constant step" if name == "reducing" else None,
            agrees=all(abs(r[name] - 1) < 0.01 for r in mine) if name == "reducing" else None,
        )
        for name in ("reducing", "constant")
    ]
    why = f"{sum(good)} of {n} starts end on the floor of the last step, reducing and constant alike."
    answer = Result.HOLDS if all(good) else Result.IN_PART if any(good) else Result.DIFFERS
    return Ruling(part, answer, n, why), findings


def _map(rows: Sequence[Row], part: str) -> list[Finding]:
    cells = _of(rows, "map")
    if not cells:
        return []
    spoken, clear, right = against_theory(cells, predicts_small)
    return [
        Finding(
            "clear cells of the map that theory gets right",
            f"{right} of {clear}",
            spoken,
            f"Toy LASSO, {cells[0]['n']} starts a cell; theory: it ends small where the steps' sum exceeds "
            "the largest entry and P α_T/2 is below the target; silent near these two borders.",
            part,
        )
    ]


def _of(rows: Sequence[Row], experiment: str) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment]
