"""What is run: extended-valued functions enumerated, polytopes in n dimensions, and eq. 3's minimum."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.strong_duality._extended import Extended, enumerate_functions, improper_functions
from nonsmooth.runs import RunSpec, stream

__all__ = ["KINDS", "SIZES", "improper", "lines", "loss", "panels", "polytopes", "select", "share_map"]

# Reach and steepest slope of the enumeration, seeds of polytopes and losses, seeds of a cell of the map.
SIZES = {"quick": (2, 2, 48, 16), "laptop": (2, 3, 200, 48), "paper": (3, 3, 500, 200)}
# What eq. 3 allows, by its own premises: λ1, λ2 >= 0, λ1 + λ2 > 0, y <= 0.
KINDS = {
    "lasso": "λ1 > 0",
    "ridge": "λ1 = 0, some y < 0",
    "zero": "λ1 = 0, y = 0",
}
MAP_P = (2, 4, 8, 16, 32, 128, 500)
MAP_N = (2, 4, 8, 20, 32, 64, 128)

_CHECKS = 12


def select(rows: Sequence[Row], experiment: str, **wanted: Any) -> list[Row]:
    """The rows of one experiment whose fields have the wanted values."""
    return [r for r in rows if r["experiment"] == experiment and all(r[k] == v for k, v in wanted.items())]


def lines(spec: RunSpec) -> list[Row]:
    """Each proposition against every function of the enumeration that meets its premises."""
    functions = sorted(
        enumerate_functions(spec["reach"], spec["steepest"]), key=lambda f: (f.complexity(), str(f))
    )
    slopes = [Fraction(k, 2) for k in range(-2 * spec["steepest"] - 2, 2 * spec["steepest"] + 3)]
    at_zero = [f for f in functions if 0 in f.minimisers()]
    bounded = [f for f in functions if f.minimisers()]
    closed = [f for f in functions if f.is_closed() and f.is_proper()]
    inside = [f for f in at_zero if not f.has_vertical_support(0)]
    return [
        _search("A.1", [f for f in functions if f.value(0) < math.inf], _breaks_a1),
        _search("A.2", at_zero, lambda f: not f.highest_crossing() == f.value(0) == f.infimum()),
        _search("A.3", at_zero, lambda f: _breaks_a3(f, slopes)),
        _search("vertical", at_zero, lambda f: f.has_vertical_support(0)),
        _search(
            "vertical inside", [f for f in at_zero if _is_inside(f)], lambda f: f.has_vertical_support(0)
        ),
        _search("A.4", closed, lambda f: not f.minimisers()),
        _search("A.4 repaired", [f for f in closed if f.minimisers()], _breaks_translated),
        _search("A.4 converse", at_zero, lambda f: not f.is_closed()),
        _search("proper", at_zero, lambda f: not f.is_proper()),
        _search("A.5 literal", bounded, lambda f: f.value(0) != f.infimum()),
        _search("A.5 gap", bounded, lambda f: f.highest_crossing() != f.value(0)),
        _search("A.5 translated", bounded, _breaks_translated),
        _search("one or many", inside, lambda f: _breaks_family(f, slopes)),
        _search("smooth among these", inside, lambda f: len(set(f.one_sided_slopes(0))) == 1),
    ]


def improper(spec: RunSpec) -> list[Row]:
    """A.1 on functions that are -∞ somewhere; how many of them have a finite minimum."""
    functions = list(improper_functions(spec["reach"]))
    return [
        _search("A.1 improper", [f for f in functions if f.value(0) < math.inf], _breaks_a1),
        _search("finite minimum improper", functions, lambda f: bool(f.minimisers())),
    ]


def polytopes(spec: RunSpec) -> list[Row]:
    """f = lower hull of points over their convex hull, least (0) at the origin: w*, q* and vertical supports.

    Odd seeds put the origin on the boundary of the domain. w* and q* come from two separate linear
    programmes, one over the epigraph, one over the hyperplanes.
    """
    rows = []
    for seed in spec.seeds:
        n, rng = spec["dimension"], spec.rng("polytope", seed)
        on_boundary = seed % 2 == 1
        points = np.concatenate([rng.integers(-3, 4, (4 * n, n)), 3 * np.eye(n, dtype=int), -3 * np.eye(n)])
        if on_boundary:
            points[:, 0] = np.abs(points[:, 0])
        heights = rng.integers(0, 6, len(points)).astype(float)
        pair = rng.integers(-3, 4, (1, n)).astype(float)
        pair[0, 0] *= not on_boundary
        points, heights = np.concatenate([points, pair, -pair]), np.append(heights, [0.0, 0.0])
        common, crossing = _common_point(points, heights), _max_crossing(points, heights)
        rows.append(
            {
                "experiment": "polytopes",
                "seed": seed,
                "dimension": n,
                "boundary": on_boundary,
                "common": common,
                "crossing": crossing,
                "vertical": _one_sided(points),
            }
        )
    return rows


def loss(spec: RunSpec) -> list[Row]:
    """Eq. 3's supporting hyperplanes at its minimiser 0, in exact integers and rationals."""
    rows = []
    for seed in spec.seeds:
        P, rng = spec["dimension"], spec.rng("loss", seed)
        Z = rng.integers(-3, 4, (2 * P, P))
        y = -rng.integers(0, 4, 2 * P)
        y[0] = -1
        for kind in KINDS:
            response = 0 * y if kind == "zero" else y
            l1, l2 = (int(rng.integers(1, 4)), int(rng.integers(0, 4))) if kind == "lasso" else (0, 1)
            bent = Z[response < 0]
            checks, wrong = _check_family(Z, response, l1, l2, rng)
            rows.append(
                {
                    "experiment": "loss",
                    "kind": kind,
                    "seed": seed,
                    "dimension": P,
                    "rows": 2 * P,
                    "family": P if l1 else int(np.linalg.matrix_rank(bent)) if len(bent) else 0,
                    "every_direction": bool(l1) or _spans_positively(bent.astype(float)),
                    "checks": checks,
                    "wrong": wrong,
                }
            )
    return rows


def share_map(spec: RunSpec) -> list[Row]:
    """Share of random data for which, at λ1 = 0 and y < 0, the minimum is angled in every direction."""
    rows = []
    for P in MAP_P:
        for N in MAP_N:
            hits = 0
            for seed in spec.seeds:
                Z = stream(f"map-{P}-{N}", seed).uniform(-1, 1, (N, P))
                hits += _spans_positively(Z)
            rows.append({"experiment": "map", "x": P, "y": N, "hits": hits, "n": len(spec.seeds)})
    return rows


def panels(spec: RunSpec) -> list[Row]:
    """Epigraphs and supporting lines for the figure."""
    x = np.linspace(-2, 2, 81)
    right = x >= -1e-12
    shapes: list[tuple[str, str, np.ndarray, np.ndarray, list[float], float, float]] = [
        ("smooth", "f(x) = x²: one line", x, x**2, [0.0], 0.0, 0.0),
        ("kink", "f(x) = x² + |x|: a family", x, x**2 + np.abs(x), [-1.0, -0.5, 0.0, 0.5, 1.0], 0.0, 0.0),
        ("vertical", "f(x) = x for x ≥ 0, else +∞", x[right], x[right], [1.0, 0.0, -2.0], 0.0, 0.0),
        ("translated", "f(x) = |x - 1|: minimum at c = 1", x, np.abs(x - 1), [-1.0], 0.0, 1.0),
    ]
    return [
        {
            "experiment": "panels",
            "panel": panel,
            "title": title,
            "x": xs.tolist(),
            "f": ys.tolist(),
            "slopes": slopes,
            "axis": axis,
            "at_axis": float(np.interp(axis, xs, ys)),
            "minimiser": c,
        }
        for panel, title, xs, ys, slopes, axis, c in shapes
    ]


def _search(about: str, functions: Iterable[Extended], breaks: Callable[[Extended], bool]) -> Row:
    """How many meet the premises and how many break the conclusion; the first (smallest) that does."""
    functions = list(functions)
    broken = [f for f in functions if breaks(f)]
    return {
        "experiment": "lines",
        "about": about,
        "n": len(functions),
        "fails": len(broken),
        "smallest": str(broken[0]) if broken else "",
    }


def _breaks_a1(f: Extended) -> bool:
    return (f.highest_crossing() == f.value(0)) != f.lower_semicontinuous_at(0)


def _breaks_a3(f: Extended, slopes: Sequence[Fraction]) -> bool:
    least = f.value(0)
    return f.crossing(0) != least or any(f.crossing(s) > least for s in slopes)


def _breaks_translated(f: Extended) -> bool:
    """Whether w* or q* on the vertical through a minimiser differs from the least value."""
    least = f.infimum()
    return any(not f.value(c) == f.highest_crossing(c) == least for c in f.minimisers())


def _breaks_family(f: Extended, slopes: Sequence[Fraction]) -> bool:
    """Whether f has one supporting line at 0 without being differentiable there, or the other way round."""
    left, right = f.one_sided_slopes(0)
    return (sum(f.crossing(s) == f.value(0) for s in slopes) == 1) != (left == right)


def _is_inside(f: Extended) -> bool:
    """Whether f is finite on both sides of 0."""
    return f.limit(Fraction(-1, 2)) < math.inf and f.limit(Fraction(1, 2)) < math.inf


def _programme(cost: np.ndarray, **constraints: Any) -> float:
    from scipy.optimize import linprog

    found = linprog(cost, **constraints, method="highs")
    return float(found.fun) if found.status == 0 else math.inf


def _common_point(points: np.ndarray, heights: np.ndarray) -> float:
    """w*: least height of a convex combination of the points that lies over the origin."""
    equal = np.vstack([points.T, np.ones(len(points))])
    return _programme(heights, A_eq=equal, b_eq=np.append(np.zeros(points.shape[1]), 1.0))


def _max_crossing(points: np.ndarray, heights: np.ndarray) -> float:
    """q*: highest level at 0 of an affine function that lies below all points."""
    below = np.hstack([points, np.ones((len(points), 1))])
    cost = np.append(np.zeros(points.shape[1]), -1.0)
    return -_programme(cost, A_ub=below, b_ub=heights, bounds=(None, None))


def _one_sided(points: np.ndarray) -> bool:
    """Whether a vertical hyperplane through the origin has all points on one side, and some off it."""
    cost = -points.sum(axis=0)
    return _programme(cost, A_ub=-points, b_ub=np.zeros(len(points)), bounds=(-1, 1)) < -1e-9


def _spans_positively(Z: np.ndarray) -> bool:
    """Whether 0 is interior to the convex hull of the rows: every direction v has a row with z.v > 0.

    That is so iff the rows span the space and a strictly positive combination of them is 0; the weights
    are sought as 1 + μ, μ >= 0, by non-negative least squares.
    """
    from scipy.optimize import nnls

    if len(Z) <= Z.shape[1] or np.linalg.matrix_rank(Z) < Z.shape[1]:
        return False
    total = Z.sum(axis=0)
    _, rest = nnls(Z.T, -total, maxiter=50 * Z.size)
    return bool(rest < 1e-9 * max(1.0, float(np.linalg.norm(Z))))


def _check_family(
    Z: np.ndarray, y: np.ndarray, l1: int, l2: int, rng: np.random.Generator
) -> tuple[int, int]:
    """Exact checks that the slopes at 0 are the box l1 [-1, 1]^P plus the sum of [0, 1] 2|y_i| z_i.

    Along v: f(tv) - f(0) = t f'(0; v) + t² (curvature), exactly. A member of the set supports f at every
    point tried; a slope beyond it in direction v is undercut by f on the way along v.
    """
    rows, bends = [[int(z) for z in row] for row in Z], [2 * int(-r) for r in y]

    def value(b: Sequence[Any]) -> Any:
        hidden = [max(0, _dot(row, b)) for row in rows]
        data = sum((int(r) - h) ** 2 for r, h in zip(y, hidden, strict=True))
        return data + l1 * sum(map(abs, b)) + l2 * _dot(b, b)

    start = value([0] * Z.shape[1])
    wrong = 0
    for _ in range(_CHECKS):
        v = [int(e) for e in rng.integers(-3, 4, Z.shape[1])]
        ahead = [max(0, _dot(row, v)) for row in rows]
        slope = l1 * sum(map(abs, v)) + _dot(bends, ahead)
        curvature = _dot(ahead, ahead) + l2 * _dot(v, v)
        for t in (Fraction(1), Fraction(1, 7)):
            wrong += value([t * e for e in v]) - start != t * slope + t * t * curvature
        weights = [Fraction(int(k), 8) for k in rng.integers(0, 9, len(rows))]
        box = [Fraction(l1 * int(k), 8) for k in rng.integers(-8, 9, Z.shape[1])]
        pull = [w * bend for w, bend in zip(weights, bends, strict=True)]
        member = [
            box[j] + sum(p * row[j] for p, row in zip(pull, rows, strict=True)) for j in range(Z.shape[1])
        ]
        wrong += value(v) < start + _dot(member, v)
        steepest = [
            l1 * ((e > 0) - (e < 0))
            + sum(b * row[j] for b, row, a in zip(bends, rows, ahead, strict=True) if a)
            for j, e in enumerate(v)
        ]
        beyond = [s + e for s, e in zip(steepest, v, strict=True)]
        if any(v):
            t = Fraction(_dot(v, v), 2 * curvature) if curvature else Fraction(1)
            wrong += value([t * e for e in v]) >= start + t * _dot(beyond, v)
    return 4 * _CHECKS, wrong


def _dot(a: Sequence[Any], b: Sequence[Any]) -> Any:
    return sum(p * q for p, q in zip(a, b, strict=True))
