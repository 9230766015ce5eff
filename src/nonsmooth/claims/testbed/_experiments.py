"""What is run: a convex solver, five optimisers on the network and on its twins, other shapes, real data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.testbed._methods import SGD, Adam
from nonsmooth.datasets import registered
from nonsmooth.methods import Constant, Method, Momentum, RMSProp, Subgradient
from nonsmooth.objectives import Objective, ReluRegression
from nonsmooth.runs import RunSpec, stream
from nonsmooth.testbed import classify
from nonsmooth.trajectories import Record, Run, minimize

__all__ = [
    "BATCH",
    "CASES",
    "COLUMNS",
    "FIGURE_1",
    "METHODS",
    "NORMALISED",
    "RIDGE",
    "ROWS",
    "SIZES",
    "WIDTHS",
    "known",
    "least_value",
    "other_data",
    "other_shapes",
    "printed_shape",
    "runs",
    "select",
    "twins",
]

# Seeds, rows and columns of the optimisers' runs, and seeds of a cell of the map, by tier.
SIZES = {"quick": (48, 10, 50, 16), "laptop": (96, 20, 200, 32), "paper": (200, 20, 500, 64)}
# Figure 1's shape and ridge; its λ1 is 0.
FIGURE_1 = (20, 500)
RIDGE = 0.01
METHODS: dict[str, Method] = {
    "subgradient": Subgradient(),
    "momentum": Momentum(0.9),
    "RMSProp": RMSProp(),
    "SGD": SGD(),
    "Adam": Adam(),
}
# (method, step): in units of 2/L with every ReLU on; for methods that normalise the slope, the step itself.
CASES = (
    ("subgradient", 0.25),
    ("subgradient", 2.0),
    ("momentum", 0.25),
    ("momentum", 2.0),
    ("RMSProp", 0.001),
    ("RMSProp", 0.01),
    ("SGD", 0.1),
    ("Adam", 0.01),
)
NORMALISED = ("RMSProp", "Adam")
# Rounded over the first, 0.25 x 2/L is below the twin's own 2/L; over the second far above.
WIDTHS = {"wide": 1.0, "narrow": 1e-3}
ROWS, COLUMNS = (2, 5, 10, 20, 40, 80), (2, 5, 10, 20, 40, 80, 500)

BATCH = 48
_STEPS = {"subgradient": 4000, "momentum": 4000, "RMSProp": 3000, "SGD": 1500, "Adam": 2500}
_TAIL = 64


def select(rows: Sequence[Row], experiment: str, **wanted: Any) -> list[Row]:
    """The rows of one experiment whose fields have the wanted values."""
    return [r for r in rows if r["experiment"] == experiment and all(r[k] == v for k, v in wanted.items())]


def known(spec: RunSpec) -> list[Row]:
    """The minimum by an interior-point solver, which knows nothing of ours, and convexity along chords."""
    Z, y, start = _problem(spec.seeds, spec["rows"], spec["columns"])
    other = np.stack([stream("chord", seed).uniform(-1, 1, spec["columns"]) for seed in spec.seeds])
    rows = []
    for l1 in (0.0, spec["strength"]):
        f = ReluRegression(Z, y, l1, RIDGE)
        first, least = f.value(start), f.facts.minimum

        def bend(t: float, end: np.ndarray, f: Objective = f, first: np.ndarray = first) -> np.ndarray:
            return (f.value(t * start + (1 - t) * end) - t * first - (1 - t) * f.value(end)) / first

        bent = np.max([bend(t, s * other) for t in (0.1, 0.5, 0.9) for s in (-1.0, 1e-3, 1.0)], axis=0)
        rows += [
            {
                "experiment": "known",
                "seed": seed,
                "l1": l1,
                "error": abs(least_value(Z[i], y[i], l1, RIDGE) - float(least[i])) / float(least[i]),
                "bent": float(bent[i]),
            }
            for i, seed in enumerate(spec.seeds)
        ]
    return rows


def least_value(Z: np.ndarray, y: np.ndarray, l1: float, l2: float) -> float:
    """The least value of eq. 3 by Clarabel, as a quadratic programme in (b, u, t).

    ||y - u||^2 + l1 sum t + l2 ||b||^2 under u >= Zb, u >= 0, t >= |b|: for y <= 0 the least u is max(0, Zb).
    """
    import clarabel
    from scipy.sparse import bmat, csc_matrix, diags, eye

    N, P = Z.shape
    one, unit = eye(N), eye(P)
    blocks = [[Z, -one], [None, -one]]
    curvature, linear = [np.full(P, 2 * l2), np.full(N, 2.0)], [np.zeros(P), -2 * y]
    if l1 > 0:  # without it t would be free
        blocks = [[*row, None] for row in blocks] + [[unit, None, -unit], [-unit, None, -unit]]
        curvature, linear = [*curvature, np.zeros(P)], [*linear, np.full(P, l1)]
    rows: Any = csc_matrix(bmat(blocks))
    solver: Any = clarabel  # its compiled names are unknown to type checkers
    settings = solver.DefaultSettings()
    settings.verbose = False
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = 1e-11
    cone = [solver.NonnegativeConeT(rows.shape[0])]
    quadratic = csc_matrix(diags(np.concatenate(curvature)))
    zeros = np.zeros(rows.shape[0])
    found = solver.DefaultSolver(quadratic, np.concatenate(linear), rows, zeros, cone, settings).solve()
    return float(found.obj_val) + float(y @ y)


def runs(spec: RunSpec) -> list[Row]:
    """One method at its steps, without and with λ1, from the same starts."""
    Z, y, start = _problem(spec.seeds, spec["rows"], spec["columns"])
    # without and with λ1 in one batch: the second half of the runs repeats the first with the penalty
    l1 = np.repeat([0.0, spec["strength"]], len(Z))
    f = ReluRegression(np.concatenate([Z, Z]), np.concatenate([y, y]), l1, RIDGE)
    rows = []
    for factor in [factor for method, factor in CASES if method == spec["method"]]:
        a = np.tile(_stepsize(spec["method"], factor, Z), 2)
        run = _run(f, np.concatenate([start, start]), METHODS[spec["method"]], a, _STEPS[spec["method"]])
        checks = _facts_hold(f, run, a if spec["method"] == "subgradient" else None)
        rows += [
            {
                "experiment": "runs",
                "method": spec["method"],
                "step": factor,
                "l1": float(l1[i]),
                "seed": spec.seeds[i % len(Z)],
                **end,
                **{name: float(ratio[i]) for name, ratio in checks.items()},
            }
            for i, end in enumerate(_ends(f, run))
        ]
    return rows


def twins(spec: RunSpec) -> list[Row]:
    """The subgradient method at 0.25 x 2/L on the kinks and on two roundings of them."""
    Z, y, start = _problem(spec.seeds, spec["rows"], spec["columns"])
    f = ReluRegression(Z, y, spec["strength"], RIDGE)
    a = _stepsize("subgradient", 0.25, Z)
    rows = []
    for name, width in {"kinked": 0.0, **WIDTHS}.items():
        g = f.smooth_twin(width) if width else f
        run = _run(g, start, Subgradient(), a, _STEPS["subgradient"])
        edge = a * g.facts.gradient_lipschitz / 2 if width else np.full(len(a), np.inf)
        rows += [
            {"experiment": "twins", "kind": name, "seed": spec.seeds[i], "above_edge": bool(edge[i] > 1)}
            | end
            for i, end in enumerate(_ends(g, run))
        ]
    return rows


def printed_shape(spec: RunSpec) -> list[Row]:
    """Figure 1's problem itself: 20 x 500, λ1 = 0, λ2 = 0.01."""
    Z, y, start = _problem(spec.seeds, *FIGURE_1)
    f = ReluRegression(Z, y, 0.0, RIDGE)
    run = _run(f, start, Subgradient(), _stepsize("subgradient", 2.0, Z), 800)
    return [{"experiment": "figure-1", "seed": spec.seeds[i]} | end for i, end in enumerate(_ends(f, run))]


def other_shapes(spec: RunSpec) -> list[Row]:
    """λ1 = 0: how many runs end at kinks, and for how many data some b turns every ReLU off, by shape."""
    rows = []
    for columns in COLUMNS:
        if columns == FIGURE_1[1] and spec["rows"] > FIGURE_1[0]:
            continue
        Z, y, start = _problem(spec.seeds, spec["rows"], columns)
        f = ReluRegression(Z, y, 0.0, RIDGE)
        ends = _ends(f, _run(f, start, Subgradient(), _stepsize("subgradient", 0.5, Z), 1500))
        cones = [_can_turn_all_off(data) for data in Z]
        hits = [end["relu_kinks"] for end in ends]
        rows.append(
            {
                "experiment": "map",
                "rows": spec["rows"],
                "columns": columns,
                "x": spec["rows"],
                "y": columns,
                "n": len(hits),
                "hits": sum(hits),
                "cones": sum(cones),
                "agree": sum(hit != cone for hit, cone in zip(hits, cones, strict=True)),
            }
        )
    return rows


def other_data(spec: RunSpec) -> list[Row]:
    """A real data set, its response shifted to be non-positive, λ1 = 0: where do the runs end?"""
    data = registered(spec["data"])
    start = np.stack([stream("start", seed).uniform(-1, 1, data.shape[1]) for seed in spec.seeds])
    f = ReluRegression(data.X, data.y - data.y.max(), 0.0, RIDGE)
    ends = _ends(f, _run(f, start, Subgradient(), _stepsize("subgradient", 0.5, data.X[None]), 1500))
    return [
        {
            "experiment": "data",
            "data": "your own" if spec["data"].startswith("file:") else spec["data"],
            "rows": data.shape[0],
            "columns": data.shape[1],
            "n": len(ends),
            "hits": sum(end["relu_kinks"] for end in ends),
            "off": sum(end["off"] for end in ends),
            "cone": _can_turn_all_off(data.X),
        }
    ]


def _problem(seeds: Sequence[int], rows: int, columns: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Figure 1's law: Z and starts uniform on [-1, 1], y uniform on [-1, 0], one stream an axis."""
    Z = np.stack([stream("Z", seed).uniform(-1, 1, (rows, columns)) for seed in seeds])
    y = np.stack([stream("q", seed).uniform(-1, 0, rows) for seed in seeds])
    start = np.stack([stream("start", seed).uniform(-1, 1, columns) for seed in seeds])
    return Z, y, start


def _stepsize(method: str, factor: float, Z: np.ndarray) -> np.ndarray:
    """The step of each data set, (B,)."""
    if method in NORMALISED:
        return np.full(len(Z), factor)
    return factor / (np.linalg.norm(Z, 2, axis=(1, 2)) ** 2 + RIDGE)


def _run(f: Objective, start: np.ndarray, method: Method, a: np.ndarray, steps: int) -> Run:
    step = Constant(a if len(a) == len(start) else float(a[0]))
    record = Record(every=1, window=steps // 4, tail=_TAIL)
    return minimize(f, start=start, steps=steps, stepsize=step, method=method, record=record)


def _ends(f: Objective, run: Run) -> list[Row]:
    """How each run behaves, and which kinks its last iterates cross."""
    values = run.curve("value")
    least = np.broadcast_to(f.facts.minimum, (len(values),))
    names = classify(values, run.curve("l2_norm"), run.tail, minimum=least, diverged=run.diverged)
    on: Any = np.matmul(run.tail, np.swapaxes(f.W, -1, -2)) > 0
    signs = np.sign(run.tail)
    relu: Any = (on[:, 1:] != on[:, :-1]).any(axis=(1, 2))
    entry: Any = (signs[:, 1:] * signs[:, :-1] < 0).any(axis=(1, 2))
    return [
        {
            "behaviour": names[i],
            "relu_kinks": bool(relu[i]) and not bool(run.diverged[i]),
            "entry_kinks": bool(entry[i]) and not bool(run.diverged[i]),
            "off": not bool(on[i].any() or run.diverged[i]),
            "floor": float((run.late_high[i, 0] - least[i]) / (values[i, 0] - least[i])),
        }
        for i in range(len(values))
    ]


def _facts_hold(f: Objective, run: Run, a: np.ndarray | None) -> dict[str, np.ndarray]:
    """Greatest ratio of each known bound over all steps: at most 1 where the bound holds.

    sharp: λ1 ||b||_1 + λ2 ||b||_2^2 over the gap; steep: the gap over ||b|| times the Lipschitz constant of
    the ball that b is in; best (a the step of the subgradient method, otherwise not asked): the best gap over
    ||b_0||^2 / (2 a (T + 1)) + a G^2 / 2, G the Lipschitz constant of the ball that holds the run.
    """
    alive = ~run.diverged
    least = np.asarray(f.facts.minimum)[:, None]
    gap = np.maximum(run.curve("value") - least, 0)
    l1, l2 = run.curve("l1_norm"), run.curve("l2_norm")
    sigma = np.linalg.norm(f.W, 2, axis=(1, 2))[:, None]
    size = np.linalg.norm(f.y, axis=1)[:, None]
    rounding = 1e-12 * (1 + least)

    strength = np.asarray(f.penalty.l1)[:, None]

    def lipschitz(radius: np.ndarray) -> np.ndarray:
        penalty = strength * f.dimension**0.5 + 2 * f.penalty.l2 * radius
        return 2 * sigma * (sigma * radius + size) + penalty

    with np.errstate(invalid="ignore", over="ignore"):
        sharp = (strength * l1 + f.penalty.l2 * l2**2) / (gap + rounding)
        steep = gap / (lipschitz(l2) * l2 + rounding)
        checks = {"sharp": sharp.max(axis=1), "steep": steep.max(axis=1)}
        if a is not None:
            steps, steepest = gap.shape[1], lipschitz(l2.max(axis=1, keepdims=True))[:, 0]
            checks["best"] = gap.min(axis=1) / (l2[:, 0] ** 2 / (2 * a * steps) + a * steepest**2 / 2)
    # a divergent run has no last value: it is a row with behaviour "divergent", and its bounds are not asked
    return {name: np.where(alive, ratio, 0.0) for name, ratio in checks.items()}


def _can_turn_all_off(Z: np.ndarray) -> bool:
    """Whether some b has z_i.b < 0 for every row: then it has a neighbourhood, and a cone, that has."""
    from scipy.optimize import linprog

    rows, columns = Z.shape
    found = linprog(np.zeros(columns), A_ub=Z, b_ub=-np.ones(rows), bounds=(None, None), method="highs")
    return found.status == 0
