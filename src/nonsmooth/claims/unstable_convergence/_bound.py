"""The ruling on the bound of the last iterate: cycles, worst periods, random functions."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from nonsmooth.claims._claim import Row
from nonsmooth.claims.unstable_convergence._experiments import SEARCHES
from nonsmooth.findings import Finding, Result, Ruling, against_theory

__all__ = ["bound", "map_cells", "select", "smallest_instance"]

_Answer = tuple[Ruling, list[Finding]]


def bound(rows: Sequence[Row]) -> _Answer:
    """Does some periodic orbit keep returning above f* + α L²?"""
    part = "bound"
    mine = sorted(select(rows, "cycles"), key=_size)
    if not mine:
        return Ruling(part, Result.NOT_JUDGED, 0, "No cycles were searched."), []
    tried = sum(r["tried"] for r in mine)
    findings = [
        Finding(
            f"highest point of an orbit over α L²: dimension {r['dimension']}, period {r['period']}, "
            f"||g||² up to {r['steepest']}",
            f"{r['best']:.4f}",
            r["tried"],
            "Greatest over all integer cycles of that size.",
            part,
            reported="at most 1",
            agrees=r["best"] <= 1 + 1e-9,
        )
        for r in mine
    ]
    kinds = {
        "smallest": (
            "smallest counter-example found",
            "Where several planes are active the one used is among them, so its gradient is a subgradient.",
        ),
        "clean": (
            "smallest one found that is differentiable at every iterate",
            "One plane is active at each point: gradient descent has no choice.",
        ),
    }
    for key, (name, remark) in kinds.items():
        row = smallest_instance(mine, key)
        if row:
            findings.append(_counter_example(name, row[key], remark, part))
    findings += [*_periods(rows, part), *_map_finding(rows, part)]
    found = smallest_instance(mine, "smallest")
    if found:
        clean = smallest_instance(mine, "clean")
        also = f" (differentiable at every iterate: in {clean['dimension']} variables)" if clean else ""
        smallest = found["smallest"]
        why = (
            f"A piecewise linear function of {found['dimension']} variables has an orbit of period "
            f"{found['period']} that keeps returning to f* + {smallest['excess']} α L²{also}: α = 1 and "
            f"gradients {_vectors(smallest['gradients'])}, values {', '.join(smallest['values'])} there, "
            f"f ≤ 0 at ({', '.join(smallest['low'])}).{_longer(rows)}"
        )
        return Ruling(part, Result.DIFFERS, tried, why), findings
    if not any(set(searches) <= set(map(_size, mine)) for searches in SEARCHES.values()):
        return Ruling(part, Result.NOT_JUDGED, 0, "Only a part of the search was run."), findings
    return Ruling(part, Result.HOLDS, tried, "No cycle searched exceeds the bound."), findings


def select(rows: Sequence[Row], experiment: str) -> list[Row]:
    """The rows of one experiment."""
    return [r for r in rows if r["experiment"] == experiment]


def map_cells(rows: Sequence[Row], field: str) -> list[Row]:
    """The map's cells for one of its counts."""
    return [{"x": r["x"], "y": r["y"], "hits": r[field], "n": r["n"]} for r in select(rows, "map")]


def smallest_instance(rows: Sequence[Row], key: str) -> Row | None:
    """The smallest search that found an instance, any ("smallest") or a differentiable one ("clean")."""
    return min((r for r in select(rows, "cycles") if r[key]), key=_size, default=None)


def _size(row: Row) -> tuple[int, int, int]:
    return row["dimension"], row["period"], row["steepest"]


def _vectors(gradients: Sequence[Sequence[int]]) -> str:
    return ", ".join(str(tuple(g)) for g in gradients)


def _counter_example(name: str, instance: Row, remark: str, part: str) -> Finding:
    gradients, excess = instance["gradients"], Fraction(instance["excess"])
    period = len(gradients)
    return Finding(
        name,
        f"f(x_0) − f* ≥ {excess} α L² ≈ {float(excess):.3f} α L², every {period} steps",
        1,
        f"α = 1, x_0 = 0, f the maximum of {period} planes with gradients "
        f"{_vectors(gradients)} and values {', '.join(instance['values'])} "
        f"at the points of the orbit; f ≤ 0 at ({', '.join(instance['low'])}). "
        f"{remark} Verified in exact rationals.",
        part,
        reported="at most 1",
        agrees=False,
    )


def _longest(rows: Sequence[Row]) -> Row | None:
    """The verified periodic orbit with the greatest excess."""
    verified = [r for r in select(rows, "periodic") if r["excess"] != "None"]
    return max(verified, key=lambda r: (Fraction(r["excess"]), r["period"]), default=None)


def _longer(rows: Sequence[Row]) -> str:
    row = _longest(rows)
    if row is None or Fraction(row["excess"]) <= 1:
        return ""
    return (
        f" Longer orbits return higher: to f* + {float(Fraction(row['excess'])):.3f} α L² with period "
        f"{row['period']} (integer gradients, exact)."
    )


def _periods(rows: Sequence[Row], part: str) -> list[Finding]:
    """What semidefinite programs and exact instances say by period, over all convex Lipschitz functions."""
    mine = sorted(select(rows, "periodic"), key=lambda r: r["period"])
    best = _longest(mine)
    if best is None:
        return []
    gap = max(r["bound"] - float(Fraction(r["excess"])) for r in mine if r["excess"] != "None")
    greatest = float(Fraction(best["excess"]))
    return [
        Finding(
            "highest point of an orbit over α L², by its period, over all convex Lipschitz functions",
            ", ".join(f"{r['period']}: {r['bound']:.3f}" for r in mine),
            len(mine),
            "Upper bounds in any dimension: semidefinite programs, their multipliers made feasible, float64. "
            f"Integer cycles verified exactly come within {gap:.3f} of each.{_doublings(mine)} For "
            "comparison: the exact worst case of the last of N steps grows with log N (Zamani and Glineur).",
            part,
            reported="at most 1",
            agrees=max(r["bound"] for r in mine) <= 1 + 1e-6,
        ),
        Finding(
            "highest point of an orbit verified in exact integers, over α L²",
            f"{greatest:.4f}, period {best['period']}",
            1,
            f"{best['period']} integer gradients in {best['period'] - 1} dimensions, entries up to "
            f"{max(abs(entry) for g in best['gradients'] for entry in g):,}, kept in the row; f is the "
            "lowest convex function that has them along the orbit. They sum to 0 and span all dimensions, "
            "so that all planes meet and f* is their mean.",
            part,
            reported="at most 1",
            agrees=greatest <= 1,
        ),
    ]


def _doublings(periodic: Sequence[Row]) -> str:
    """By how much the bound grows whenever the period doubles."""
    bounds = {r["period"]: r["bound"] for r in periodic}
    grown = [
        f"{bounds[2 * period] - bounds[period]:.3f} from {period} to {2 * period}"
        for period in sorted(bounds)
        if 2 * period in bounds
    ]
    return f" Growth as the period doubles: {', '.join(grown)}." if grown else ""


def _map_finding(rows: Sequence[Row], part: str) -> list[Finding]:
    """Random piecewise linear functions; theory speaks of those of one variable."""
    mine = select(rows, "map")
    if not mine:
        return []
    _, clear, right = against_theory(map_cells(rows, "within"), lambda _, dimension: dimension == 1 or None)
    n = sum(r["n"] for r in mine)
    within, half, best = (
        sum(r[field] for r in mine) for field in ("within", "within_half", "best_within_half")
    )
    return [
        Finding(
            "clear cells of the map that theory gets right",
            f"{right} of {clear}",
            n,
            "In one dimension the last iterate does obey α L². Random piecewise linear functions of 1 to "
            f"{max(r['y'] for r in mine)} variables, steps {min(r['x'] for r in mine):g} to "
            f"{max(r['x'] for r in mine):g}, last 500 of 2000 steps: {within} of {n} stay within α L² "
            f"(greatest {max(r['highest'] for r in mine):.3f}), {half} within α L²/2; the best late iterate "
            f"of {best} is within α L²/2."
            + (" So counter-examples have to be searched for." if within == n else ""),
            part,
        )
    ]
