"""The five rulings of the claim, by the rules that its parts state."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.exact_solvers._experiments import CONVERGED, STEPS, STOCK, TOLERANCE, WIDTHS
from nonsmooth.claims.exact_solvers._problems import REAL, select
from nonsmooth.findings import Attribution, Finding, Result, Ruling, Share, against_theory, number, share

__all__ = ["cause_framework", "cause_kink", "no_guarantee", "not_sparse", "solver_optimal"]

_Answer = tuple[Ruling, list[Finding]]
_DATA = ("random", *REAL)


def solver_optimal(rows: Sequence[Row]) -> _Answer:
    """Does scikit-learn keep what its tolerance promises, or say that it does not?"""
    part = "solver-optimal"
    fits = select(rows, "solver")
    if {r["data"] for r in fits} != set(_DATA):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run on every data set."), []
    warned = [r for r in fits if r["warned"]]
    # 1e-12 of f(0) is rounding: the gap is a difference of numbers of the size of f(0)
    broken = [r for r in fits if not r["warned"] and r["gap"] > r["promised"] + 1e-12]
    findings = []
    for kind, label in (("default", "tol 1e-4, 1000 passes"), ("tight", "tol 1e-12, 100,000 passes")):
        mine = select(rows, "solver", kind=kind)
        quiet = [r for r in mine if not r["warned"]]
        findings.append(
            Finding(
                f"scikit-learn, {label}: fits that keep their tolerance, or warn",
                f"{sum(r['gap'] <= r['promised'] + 1e-12 for r in quiet)} and {len(mine) - len(quiet)} "
                f"of {len(mine)}",
                len(mine),
                f"Relative duality gap up to {number(max((r['gap'] for r in quiet), default=0.0), 2)} "
                f"without a warning; up to {max(r['passes'] for r in mine):,} passes over the data; λ1 from "
                f"{min(r['share'] for r in mine):g} to {max(r['share'] for r in mine):g} lambda_max, "
                "float64.",
                part,
                reported="optimality guaranteed",
                agrees=len(quiet) == len(mine) and not [r for r in broken if r["kind"] == kind],
            )
        )
    findings += [
        Finding(
            f"a ConvergenceWarning: {r['data']} data, λ1 = {r['share']:g} lambda_max",
            f"relative gap {number(r['gap'], 2)} after {r['passes']:,} passes",
            1,
            "Returned at the iteration limit, with the warning.",
            part,
        )
        for r in sorted(warned, key=lambda r: (-r["gap"], r["data"], r["seed"]))[:2]
    ]
    n = len(fits)
    if broken:
        why = f"{len(broken)} of {n} fits miss their own tolerance and say nothing."
        return Ruling(part, Result.DIFFERS, n, why), findings
    if not warned:
        return Ruling(
            part, Result.HOLDS, n, "Every fit is optimal to its tolerance, by its duality gap."
        ), findings
    why = (
        f"No fit misses its tolerance silently; {len(warned)} of {n} end at the iteration limit, with a "
        "warning: a guarantee up to a tolerance and a number of passes."
    )
    return Ruling(part, Result.IN_PART, n, why, "all problems that converge within max_iter"), findings


def not_sparse(rows: Sequence[Row]) -> _Answer:
    """Do stock optimisers with the penalty in the loss leave out the solution's zeros?"""
    part = "not-sparse"
    if not _complete(rows, "torch", "l1"):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run with every optimiser on every data set."), []
    shares = {name: _misses(_runs(rows, name), 3) for name in STOCK}
    real = [r for name in STOCK for data in REAL for r in _runs(rows, name, data=data)]
    findings = [
        Finding(
            f"torch {label}: random problems with fewer than half of the exact zeros",
            str(shares[name]),
            shares[name].n,
            f"Exact zeros in all: {_zeros(_runs(rows, name))}; entries below 1e-5 in size: "
            f"{sum(r['small'] for r in _runs(rows, name)):,}. float64; Wilson interval for 3 comparisons.",
            part,
            reported="not comparable",
            interval=shares[name].interval,
            agrees=shares[name].interval[0] > 0.9,
        )
        for name, label in STOCK.items()
    ]
    findings.append(
        Finding(
            "real data, the three optimisers: starts with fewer than half of the exact zeros",
            str(_misses(real, 1)),
            len(real),
            "; ".join(
                f"{data}: {_zeros([r for r in real if r['data'] == data])} exact zeros in all"
                for data in REAL
            )
            + ".",
            part,
            reported="not comparable",
            agrees=_misses(real, 1).hits == len(real),
        )
    )
    fading = _runs(rows, "sgd-fading")
    if fading:
        findings.append(
            Finding(
                "the same with a fading step, SGD ∝ 1/√t",
                str(_misses(fading, 1)),
                len(fading),
                f"(f − f*)/f(0), median: {_median(fading)}, against {_median(_runs(rows, 'sgd'))} at the "
                "constant step: nearer in value, no sparser.",
                part,
            )
        )
    n = min(found.n for found in shares.values())
    if all(found.interval[0] > 0.9 for found in shares.values()) and _misses(real, 1).hits == len(real):
        why = "None of the three optimisers returns the zeros that the solution has, on random or real data."
        return Ruling(part, Result.HOLDS, n, why), findings
    if all(found.interval[1] < 0.1 for found in shares.values()):
        return Ruling(part, Result.DIFFERS, n, "All three return the solution's zeros."), findings
    why = "; ".join(f"{STOCK[name]}: {found}" for name, found in shares.items()) + " without the zeros."
    return Ruling(part, Result.IN_PART, n, why), findings


def no_guarantee(rows: Sequence[Row]) -> _Answer:
    """Do stock optimisers end above what scikit-learn's default tolerance promises?"""
    part = "no-guarantee"
    if not _complete(rows, "torch", "l1"):
        return Ruling(part, Result.NOT_JUDGED, 0, "Not run with every optimiser on every data set."), []
    above = {name: share(r["excess"] > TOLERANCE for r in _runs(rows, name, data=None)) for name in STOCK}
    gap = max(r["exact_gap"] for name in STOCK for r in _runs(rows, name, data=None))
    findings = [
        Finding(
            f"torch {label}: runs that end above scikit-learn's default tolerance",
            str(above[name]),
            above[name].n,
            f"(f − f*)/f(0) > {TOLERANCE:g}. Median and greatest on random data: "
            f"{_median(_runs(rows, name))} and {number(max(r['excess'] for r in _runs(rows, name)), 2)}; on "
            "real data "
            + ", ".join(f"{data} {_median(_runs(rows, name, data=data))}" for data in REAL)
            + f". f* to a relative duality gap of {number(gap, 1)}.",
            part,
            reported="no guarantee",
            interval=above[name].interval,
            agrees=above[name].hits > 0,
        )
        for name, label in STOCK.items()
    ]
    findings += _about_floor(rows, part)
    n = min(len(_runs(rows, name)) for name in STOCK)
    missing = [found.hits > 0 for found in above.values()]
    if gap > 1e-10:
        why = f"The solutions to compare with are certified to {number(gap, 1)} only."
        return Ruling(part, Result.NOT_JUDGED, 0, why), findings
    if all(missing):
        why = "Each of the three ends above that tolerance, silently."
        return Ruling(part, Result.HOLDS, n, why, "penalty in the loss, constant step or rate"), findings
    if not any(missing):
        return Ruling(
            part, Result.DIFFERS, n, "Every run reaches scikit-learn's default tolerance."
        ), findings
    why = "Only " + ", ".join(STOCK[name] for name, found in above.items() if found.hits) + " end above it."
    return Ruling(part, Result.IN_PART, n, why), findings


def cause_framework(rows: Sequence[Row]) -> _Answer:
    """Does the method decide, in either framework?"""
    part = "cause-framework"
    needed = _complete(rows, "torch", "l1") and _runs(rows, "sgd-prox") and _runs(rows, "sgd", where="numpy")
    if not needed or not _runs(rows, "sgd-prox", where="numpy"):
        return Ruling(part, Attribution.UNDECIDED, 0, "No twin was run."), []
    present = all(_misses(_runs(rows, name), 3).interval[0] > 0.9 for name in STOCK)
    torch_prox = _arrives(_runs(rows, "sgd-prox"))
    numpy_prox = _arrives(_runs(rows, "sgd-prox", where="numpy"))
    numpy_plain = _misses(_runs(rows, "sgd", where="numpy"), 2)
    pairs = {(r["data"], r["seed"]): r["excess"] for r in _runs(rows, "sgd", where="numpy", data=None)}
    apart = max(
        (
            abs(r["excess"] - pairs[r["data"], r["seed"]])
            for r in _runs(rows, "sgd", data=None)
            if (r["data"], r["seed"]) in pairs
        ),
        default=float("inf"),
    )
    real = {data: _runs(rows, "sgd-prox", data=data) for data in REAL}
    findings = [
        Finding(
            "torch, stock SGD + proximal step: random problems solved, zeros and all",
            str(torch_prox),
            torch_prox.n,
            f"f* reached to {CONVERGED:g} of f(0) and exactly the solution's zeros; same data, starts, step "
            f"and iterations. NumPy's proximal run: {numpy_prox}. On real data the zeros agree in "
            + ", ".join(
                f"{sum(r['same_support'] for r in mine)} of {len(mine)} starts ({data}; (f − f*)/f(0) up to "
                f"{number(max((r['excess'] for r in mine), default=0.0), 1)})"
                for data, mine in real.items()
            )
            + ".",
            part,
            interval=torch_prox.interval,
        ),
        Finding(
            "NumPy, subgradient method: random problems with fewer than half of the exact zeros",
            str(numpy_plain),
            numpy_plain.n,
            "The recursion of torch's SGD outside torch: (f − f*)/f(0) of the two differ by at most "
            f"{number(min(apart, 1e30), 1)}.",
            part,
            interval=numpy_plain.interval,
        ),
    ]
    n = min(torch_prox.n, numpy_plain.n)
    if not present:
        why = "The stock optimisers do not all miss the zeros, so there is no disparity to explain."
        return Ruling(part, Attribution.UNDECIDED, n, why), findings
    if min(torch_prox.interval[0], numpy_plain.interval[0]) > 0.9:
        why = (
            "In torch a proximal step finds the solution with its zeros; in NumPy a subgradient step "
            "misses them. The method decides, not the framework."
        )
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    if torch_prox.interval[1] < 0.1 and numpy_prox.interval[0] > 0.9:
        why = "The same proximal step succeeds in NumPy and fails in torch."
        return Ruling(part, Attribution.SUPPORTED, n, why), findings
    why = (
        "The proximal step in torch, or the subgradient step in NumPy, does as expected in some problems "
        "only."
    )
    return Ruling(part, Attribution.UNDECIDED, n, why), findings


def cause_kink(rows: Sequence[Row]) -> _Answer:
    """Is the kink what keeps a constant step from the minimum?"""
    part = "cause-kink"
    kinds = {kind: select(rows, "twins", penalty=kind) for kind in ("kinked", *WIDTHS, "ridge")}
    if any({r["step"] for r in mine} != set(STEPS) for mine in kinds.values()):
        return Ruling(part, Attribution.UNDECIDED, 0, "Not every twin was run at every step."), []
    twins = [r for kind, mine in kinds.items() if kind != "kinked" for r in mine]
    below, above = [r for r in twins if r["over"] < 1], [r for r in twins if r["over"] > 1]
    kinked = kinds["kinked"]
    reached = sum(r["converged"] for r in kinked)
    wrong = sum(r["n"] - r["converged"] for r in below) + sum(r["converged"] for r in above)
    findings = [
        Finding(
            "|b| in the loss: runs that come within 1e-8 of the minimum, all steps",
            f"{reached} of {sum(r['n'] for r in kinked)}",
            min(r["n"] for r in kinked),
            "Median (f − f*)/f(0) over the last 100 steps, greatest, by step over 2/L: "
            + ", ".join(f"{r['step']:g}: {number(r['excess'], 2)}" for r in _by_step(kinked))
            + ". It shrinks with the step, and at no step is 0.",
            part,
        ),
        Finding(
            "twins without a kink: runs that do, below and above their own 2/L",
            f"{sum(r['converged'] for r in below)} of {sum(r['n'] for r in below)}; "
            f"{sum(r['converged'] for r in above)} of {sum(r['n'] for r in above)}",
            min(r["n"] for r in twins),
            "Ridge, and |b| rounded over "
            + ", ".join(f"{width:g}" for width in WIDTHS.values())
            + " λ1/L; f* of each from a conic solver, with a lower bound. Rounded over the least width, "
            f"differentiable though it is: {_stalled(kinds['narrow'])}.",
            part,
        ),
    ]
    smooth = [(label, _runs(rows, name, penalty="ridge")) for name, label in STOCK.items()]
    if all(mine for _, mine in smooth):
        findings.append(
            Finding(
                "torch on ridge: random problems within 1e-8 of the minimum",
                ", ".join(
                    f"{label} {share(r['excess'] <= CONVERGED for r in mine)}" for label, mine in smooth
                ),
                min(len(mine) for _, mine in smooth),
                "Closed form. Where an optimiser misses a smooth minimum too, its constant rate is a cause "
                "of its own. Medians of (f − f*)/f(0): "
                + ", ".join(f"{label} {_median(mine)}" for label, mine in smooth)
                + ".",
                part,
            )
        )
    n = min(r["n"] for r in (*kinked, *twins))
    if reached == 0 and wrong == 0:
        why = (
            "With the kink no step reaches the minimum; without it exactly the steps below 2/L do. At one "
            "given step a narrowly rounded |b|, which is differentiable, stalls as well."
        )
        region = "constant steps of plain (sub)gradient descent; not the proximal step"
        return Ruling(part, Attribution.SUPPORTED, n, why, region), findings
    easy = [r for r in below if r["penalty"] in ("ridge", "wide")]
    if reached == sum(r["n"] for r in kinked) or all(r["converged"] == 0 for r in easy):
        why = "The kinked penalty's minimum is reached, or that of its smooth twins is not either."
        return Ruling(part, Attribution.NOT_SUPPORTED, n, why), findings
    why = f"{reached} kinked runs arrive, and {wrong} of the twins' do otherwise than 2/L says."
    return Ruling(part, Attribution.UNDECIDED, n, why), findings


def _about_floor(rows: Sequence[Row], part: str) -> list[Finding]:
    """The map against the predicted distance at which the subgradient method stops."""
    cells = select(rows, "map")
    if not cells:
        return []
    floor = {(r["x"], r["y"]): r["floor"] for r in cells}
    _, clear, right = against_theory(cells, lambda x, y: floor[x, y] > TOLERANCE)
    small = [r["excess"] / r["floor"] for r in cells if r["x"] <= 0.1]
    zeros = sum(r["zeros"] for r in cells)
    return [
        Finding(
            "map of step and λ1, SGD's recursion: clear cells that Σ α (λ1² − g²)/2 gets right",
            f"{right} of {clear}",
            sum(r["n"] for r in cells),
            f"Whether a run ends above {TOLERANCE:g}. Measured over predicted (f − f*)/f(0) for steps up to "
            f"a tenth of 2/L, median: {number(float(np.median(small)) if small else 0.0, 2)}. A smaller "
            f"step comes nearer; exact zeros in all cells together: {zeros}.",
            part,
        )
    ]


def _stalled(rows: Sequence[Row]) -> str:
    return ", ".join(
        f"at {r['step']:g} of the data term's 2/L, {r['over']:.3g} of its own, {r['converged']} of {r['n']} "
        "arrive"
        for r in _by_step(rows)
    )


def _by_step(rows: Sequence[Row]) -> list[Row]:
    return sorted(rows, key=lambda r: -r["step"])


def _runs(
    rows: Sequence[Row], method: str, where: str = "torch", data: str | None = "random", penalty: str = "l1"
) -> list[Row]:
    mine = select(rows, "run", where=where, method=method, penalty=penalty)
    return [r for r in mine if data is None or r["data"] == data]


def _complete(rows: Sequence[Row], where: str, penalty: str) -> bool:
    return all(_runs(rows, name, where, data, penalty) for name in STOCK for data in _DATA)


def _misses(rows: Sequence[Row], comparisons: int) -> Share:
    """Runs with fewer than half of the zeros, of those whose solution has any."""
    return share((2 * r["zeros"] < r["exact_zeros"] for r in rows if r["exact_zeros"]), comparisons)


def _arrives(rows: Sequence[Row]) -> Share:
    return share((r["excess"] <= CONVERGED and r["same_support"] for r in rows), comparisons=2)


def _zeros(rows: Sequence[Row]) -> str:
    return f"{sum(r['zeros'] for r in rows):,} of {sum(r['exact_zeros'] for r in rows):,}"


def _median(rows: Sequence[Row]) -> str:
    return number(float(np.median([r["excess"] for r in rows])), 2) if rows else "-"
