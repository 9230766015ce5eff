"""What is run: small instances in exact arithmetic, random ones in float64, positive responses, the map.

Exact means integers: eq. 3 is homogeneous, so rational entries are integer ones, rescaled.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.optimize import linprog

from nonsmooth.claims._claim import Row
from nonsmooth.methods import dcp_convex, exact_minimum
from nonsmooth.objectives import Objective, ReluRegression
from nonsmooth.runs import RunSpec

__all__ = [
    "MAP_SHARES",
    "MAP_SIZES",
    "REGIMES",
    "SIZES",
    "columns",
    "exact",
    "positive",
    "random",
    "share_map",
]

# Random instances, instances a cell of the map, and the shapes (N, P) that are enumerated, by tier.
_SHAPES = ((1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (1, 3))
SIZES = {
    "quick": (48, 16, _SHAPES),
    "laptop": (240, 48, (*_SHAPES, (3, 2))),
    "paper": (1000, 200, (*_SHAPES, (3, 2), (4, 1), (2, 3))),
}
# Which of the two strengths are positive; "none" lies outside the premise.
REGIMES = {"l1": (1, 0), "l2": (0, 1), "both": (1, 1), "none": (0, 0)}
MAP_SHARES = (0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
MAP_SIZES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)

_ENTRIES, _STRENGTHS = (-1, 0, 1), (0, 1, 2)
_RESPONSES = {"non-positive": (0, -1, -2), "positive": (-1, 0, 1, 4)}
_CHORDS = 64
_SCALES = 10.0 ** np.arange(-3, 3)


def exact(spec: RunSpec) -> list[Row]:
    """Every instance of one shape: chords, directional derivatives at 0, growth. Integers throughout."""
    N, P = spec["rows"], spec["columns"]
    grid = np.array(list(itertools.product(range(-4, 5), repeat=P)))
    place = {tuple(b): k for k, b in enumerate(grid.tolist())}
    even = [b for b in place if all(entry % 2 == 0 for entry in b)]
    chords = list(itertools.combinations(even, 2))
    ends = np.array([[place[b], place[c]] for b, c in chords])
    middle = np.array([place[tuple((s + t) // 2 for s, t in zip(b, c, strict=True))] for b, c in chords])
    # both ends of each ray from 0 through d and 2 d
    near = np.array([place[b] for b in place if any(b) and max(map(abs, b)) <= 2])
    far, back = (_index(place, grid, near, factor) for factor in (2, -1))
    zero = place[(0,) * P]
    norms = np.abs(grid).sum(axis=1), (grid**2).sum(axis=1)
    kind = spec["responses"]
    rows = []
    for regime in REGIMES:
        count = violated = minimal = strict = derivative = kinked = flat = exempt = 0
        smallest: tuple | None = None
        for Z, y, l1, l2 in _instances(N, P, kind, regime):
            relu = np.maximum(0, grid @ Z.T)
            f = ((y[:, None, :] - relu[None]) ** 2).sum(axis=-1) + l1 * norms[0] + l2 * norms[1]
            rise = f - f[:, [zero]]
            bad = f[:, ends[:, 0]] + f[:, ends[:, 1]] < 2 * f[:, middle]
            off = np.delete(rise, zero, axis=1)
            # f(t d) = f(0) + s t + c t^2 on a ray (no kink inside it): 2 s and 2 c from t = 1 and t = 2
            slope, bend = 4 * rise[:, near] - rise[:, far], rise[:, far] - 2 * rise[:, near]
            opposite = 4 * rise[:, back] - rise[:, _index(place, grid, near, -2)]
            growth = rise >= l1 * norms[0] + l2 * norms[1]
            count += len(y)
            violated += int(bad.any(axis=1).sum())
            minimal += int((off > 0).all(axis=1).sum())
            strict += int(growth.all(axis=1).sum())
            derivative += int(((slope > 0) | ((slope == 0) & (bend > 0))).all(axis=1).sum())
            smooth = ~(slope + opposite > 0).any(axis=1)
            kinked += int((~smooth).sum())
            flat += int((smooth & ((y == 0) | ~Z.any(axis=1)).all(axis=1)).sum())
            # with one column the only kink is 0, so slopes that do not fall across it make f convex
            exempt += int((slope + opposite >= 0).all(axis=1).sum()) if P == 1 else 0
            smallest = _smaller(smallest, Z, y, l1, l2, bad, chords, f, ends, middle)
        rows.append(
            {
                "experiment": "exact",
                "responses": kind,
                "rows": N,
                "columns": P,
                "regime": regime,
                "n": count,
                "chords": len(chords),
                "violated": violated,
                "only_zero": minimal,
                "growth": strict,
                "derivative": derivative,
                "kinked_at_zero": kinked,
                "smooth_and_predicted": flat,
                "convex": exempt if P == 1 else None,
                "example": smallest[1] if smallest else None,
                "size": list(smallest[0]) if smallest else None,
            }
        )
    return rows


def random(spec: RunSpec) -> list[Row]:
    """Random instances: the DCP certificate, float64 chords, the conic solver's minimum and its bound."""
    N, P = spec["rows"], spec["columns"]
    rows = []
    for seed in spec.seeds:
        Z = spec.rng("Z", seed).uniform(-1, 1, (N, P))
        y = spec.rng("y", seed).uniform(-1, 0, N)
        if seed % 4 == 3:  # on the border of the premise: half of the responses are 0
            y[: N // 2] = 0.0
        regime = ("l1", "l2", "both")[seed % 3]
        l1, l2 = (spec["strength"] * on for on in REGIMES[regime])
        f = ReluRegression(Z, y, l1, l2)
        found = exact_minimum(f)
        level = float(y @ y)
        rows.append(
            {
                "experiment": "random",
                "seed": seed,
                "regime": regime,
                "dcp": found.proved_convex,
                "chords": _CHORDS * len(_SCALES),
                "worst": _worst_chord(f, spec.rng("chord", seed)),
                "solver_size": float(np.abs(found.unpolished).max()),
                "size": float(np.abs(found.solution).max()),
                "gap": found.gap / max(level, 1e-300),
                "above": (found.lower_bound - level) / max(level, 1e-300),
                "another": _another_minimiser(Z),
            }
        )
    return rows


def positive(spec: RunSpec) -> list[Row]:
    """The same instances, one response turned positive: a chord across its kink, and points below f(0)."""
    N, P = spec["rows"], spec["columns"]
    rows = []
    for seed in spec.seeds:
        Z = spec.rng("Z", seed).uniform(-1, 1, (N, P))
        y = spec.rng("y", seed).uniform(-1, 0, N)
        y[0] = size = -y[0]
        regime = ("l1", "l2", "both")[seed % 3]
        l1, l2 = (spec["strength"] * on for on in REGIMES[regime])
        f = ReluRegression(Z, y, l1, l2, convex=False)
        # a random point of the hyperplane z_1.b = 0, and steps off it small enough to meet no other kink
        b = spec.rng("chord", seed).uniform(-1, 1, P)
        normal = Z[0] / np.linalg.norm(Z[0])
        b -= normal * (normal @ b)
        dips = [_dip(f, b - t * normal, b + t * normal) for t in 10.0 ** np.arange(-6, 0)]
        rows.append(
            {
                "experiment": "positive",
                "seed": seed,
                "regime": regime,
                "size": float(size),
                "dcp": dcp_convex(f),
                "dip": float(max(dips)),
                "random_dip": _worst_chord(f, spec.rng("chord", seed)),
                "below": _lowest(f, spec.rng("direction", seed)),
            }
        )
    return rows


def share_map(spec: RunSpec) -> list[Row]:
    """One share of positive responses: for how many instances does 0 stay the minimiser, over their size?"""
    N, P, strength = spec["rows"], spec["columns"], spec["strength"]
    count = max(1, round(spec["share"] * N))
    rows = []
    for size in MAP_SIZES:
        hits, reach = 0, []
        for seed in spec.seeds:
            Z = spec.rng("Z", seed).uniform(-1, 1, (N, P))
            y = spec.rng("y", seed).uniform(-1, 0, N)
            y[:count] = size
            f = ReluRegression(Z, y, strength, 0.0, convex=False)
            hits += _lowest(f, spec.rng("direction", seed)) >= 0
            reach.append(_enough(Z, y))
        rows.append(
            {
                "experiment": "map",
                "x": spec["share"],
                "y": size,
                "n": len(spec.seeds),
                "hits": hits,
                "strength": strength,
                "enough": float(np.median(reach)),
                "rows": N,
                "columns": P,
            }
        )
    return rows


def columns(spec: RunSpec) -> list[Row]:
    """Which products are defined on the data of eq. 10 (50 x 200): Z b, z_i.b with z_i a column, a row."""
    Z, b = np.ones((50, 200)), np.ones(200)

    def defined(left: np.ndarray, right: np.ndarray) -> bool:
        try:
            return bool(np.isfinite(left @ right).all())
        except ValueError:
            return False

    return [
        {
            "experiment": "columns",
            "product": defined(Z, b),
            "column": all(defined(Z[:, i], b) for i in range(50)),
            "row": all(defined(Z[i], b) for i in range(50)),
            "entries": [Z[:, 0].size, b.size],
        }
    ]


def _instances(N: int, P: int, kind: str, regime: str) -> Iterator[tuple[np.ndarray, np.ndarray, int, int]]:
    """Every Z with all its responses at once, (R, N), and every pair of strengths of the regime."""
    responses = np.array(list(itertools.product(_RESPONSES[kind], repeat=N)))
    if kind == "positive":
        responses = responses[(responses > 0).any(axis=1)]
    strengths = [
        pair
        for pair in itertools.product(_STRENGTHS, repeat=2)
        if tuple(s > 0 for s in pair) == REGIMES[regime]
    ]
    for entries in itertools.product(_ENTRIES, repeat=N * P):
        for l1, l2 in strengths:
            yield np.array(entries).reshape(N, P), responses, l1, l2


def _index(place: dict, grid: np.ndarray, points: np.ndarray, factor: int) -> np.ndarray:
    """Grid indices of multiples of grid points."""
    return np.array([place[tuple(factor * v for v in grid[k].tolist())] for k in points])


def _smaller(
    kept: tuple | None,
    Z: np.ndarray,
    y: np.ndarray,
    l1: int,
    l2: int,
    bad: np.ndarray,
    chords: Sequence,
    f: np.ndarray,
    ends: np.ndarray,
    middle: np.ndarray,
) -> tuple | None:
    """The smaller of the violation kept and this Z's smallest: by shape, then by the sum of its entries."""
    for which in np.flatnonzero(bad.any(axis=1)).tolist():
        chord = int(np.flatnonzero(bad[which])[0])
        entries = int(np.abs(Z).sum() + np.abs(y[which]).sum() + l1 + l2)
        size = (*Z.shape, entries, *Z.ravel().tolist(), *y[which].tolist(), l1, l2)
        if kept is None or size < kept[0]:
            values = [int(f[which, k]) for k in (*ends[chord], middle[chord])]
            example = {
                "Z": Z.tolist(),
                "y": y[which].tolist(),
                "l1": l1,
                "l2": l2,
                "chord": [list(chords[chord][0]), list(chords[chord][1])],
                "values": values,
            }
            kept = (size, example)
    return kept


def _dip(f: Objective, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """How far f's middle lies above the chord's, over f there: positive where convexity is violated."""
    middle = f.value((b + c) / 2)
    return (middle - (f.value(b) + f.value(c)) / 2) / np.maximum(middle, 1e-300)


def _worst_chord(f: Objective, rng: np.random.Generator) -> float:
    """The greatest dip of random chords over six decades of length."""
    worst = -np.inf
    for scale in _SCALES:
        b, c = scale * rng.uniform(-1, 1, (2, _CHORDS, f.dimension))
        worst = max(worst, float(_dip(f, b, c).max()))
    return worst


def _lowest(f: Objective, rng: np.random.Generator) -> float:
    """The least (f(b) - f(0)) / f(0) over rays from 0: axes, row directions and random ones, each improved.

    On a ray f(t d) - f(0) = t^2 (A + l2 D) - t (2 B - l1 C), t >= 0, so its least point is known.
    """
    Z, y, P = f.W, f.y, f.dimension
    l1, l2 = float(f.penalty.l1), float(f.penalty.l2)
    d = np.concatenate([np.eye(P), -np.eye(P), Z[y > 0], rng.standard_normal((16, P))])
    best = 0.0
    base = float(f.value(np.zeros(P)))
    for _ in range(6):
        z = d @ Z.T
        gain = 2 * (np.maximum(z, 0) @ y) - l1 * np.abs(d).sum(axis=1)
        bend = (np.maximum(z, 0) ** 2).sum(axis=1) + l2 * (d * d).sum(axis=1)
        t = np.where(gain > 0, gain / (2 * np.maximum(bend, 1e-300)), 0.0)
        best = min(best, float((f.value(t[:, None] * d) - base).min()) / base)
        # ascent of 2 sum y max(0, z.d) - l1 ||d||_1 on the sphere
        slope = 2 * ((z > 0) * y) @ Z - l1 * np.sign(d)
        d = d / np.linalg.norm(d, axis=1, keepdims=True) + 0.5 * slope / np.maximum(
            np.linalg.norm(slope, axis=1, keepdims=True), 1e-300
        )
    return best if best < -1e-12 else 0.0


def _enough(Z: np.ndarray, y: np.ndarray) -> float:
    """The strength above which 0 stays the minimiser: 2 max over j and sign of sum_i y_i^+ max(0, +-z_ij)."""
    weights = np.maximum(y, 0)
    return float(2 * max((weights @ np.maximum(Z, 0)).max(), (weights @ np.maximum(-Z, 0)).max()))


def _another_minimiser(Z: np.ndarray) -> bool:
    """Whether some b != 0 has Zb <= 0: then, without a penalty, b minimises eq. 3 as well as 0 does."""
    if np.linalg.matrix_rank(Z) < Z.shape[1]:
        return True
    found = linprog(Z.sum(axis=0), A_ub=Z, b_ub=np.zeros(len(Z)), bounds=(-1, 1))
    return bool(found.fun < -1e-9)
