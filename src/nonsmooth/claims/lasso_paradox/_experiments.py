"""What is run: the printed random data with its controls, the map of step and strength, and real data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.datasets import registered
from nonsmooth.methods import Constant, Diminishing, Fista, ProximalGradient, Reducing, attach, exact_lasso
from nonsmooth.objectives import Lasso, Objective
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import CHANNELS, Record, Run, minimize

__all__ = [
    "BATCH",
    "COLUMNS",
    "LARGE",
    "LARGE_MULTIPLE",
    "MAP_STEPSIZES",
    "PRINTED_POINT",
    "SIZES",
    "SMALL",
    "SMALL_MULTIPLE",
    "TINY",
    "WIDTHS",
    "complete_seeds",
    "random_data",
    "real_data",
    "strength_map",
]

# Seeds of the random data and of the map, by tier.
SIZES = {"quick": (48, 16), "laptop": (200, 32), "paper": (1000, 64)}
# The smaller λ1: the text first says 0.01, then 0.1.
TINY, SMALL = 0.01, 0.1
LARGE = 10.0
# Rounded over the first the step is far above 2/L, over the second below it.
WIDTHS = {"narrow": 1e-3, "wide": 0.1}
MAP_STEPSIZES = (2e-3, 5e-3, 1e-2, 2e-2, 3e-2)
# The printed larger λ1, and the step of the worked example (none is printed here).
PRINTED_POINT = (LARGE, 0.01)
# On real data, λ1 as a multiple of lambda_max: about what 0.1 and 10 are on the random data.
SMALL_MULTIPLE, LARGE_MULTIPLE = 0.25, 25.0

BATCH = 8
COLUMNS = 500
_FISTA_STEPS = 1000
_SGD_STEPS = 2000
_MAP_STRENGTHS = (0.2, 0.4, 0.8, 1.5, 3.0, 10.0, 30.0)
_L1 = CHANNELS.index("l1_norm")


def random_data(spec: RunSpec) -> list[Row]:
    """One strength on the printed random data: the subgradient run, its controls and the exact solution."""
    strength, a = spec["strength"], spec["stepsize"]
    W, y, start = _problem(spec.seeds)
    objective = Lasso(W, y, strength)
    run = minimize(objective, start=start, steps=_steps(a, strength), stepsize=a)
    # FISTA needs a step of at most 1/L, which the same step is at the default setting
    safe = Constant(np.minimum(a, 1 / objective.data_gradient_lipschitz))
    prox = minimize(
        objective, start=start, steps=_FISTA_STEPS, stepsize=safe, method=Fista(), record=Record(window=1)
    )
    attached = None if strength == TINY else _attached(objective, start, a)
    values = objective.value(run.final)
    controls = _controls(objective, spec, start)
    rows = []
    for i, seed in enumerate(spec.seeds):
        exact = exact_lasso(W[i], y[i], strength)
        rows.append(
            {
                "experiment": "random",
                "seed": seed,
                "strength": strength,
                "stepsize": a,
                "diverged": bool(run.diverged[i]),
                "norm_low": float(run.late_low[i, _L1]),
                "norm_high": float(run.late_high[i, _L1]),
                "norm": float(np.abs(run.final[i]).sum()),
                "zeros": int((run.final[i] == 0).sum()),
                "value": float(values[i]),
                **{name: float(norms[i]) for name, norms in controls.items()},
                "prox": float(np.abs(prox.final[i]).sum()),
                **({} if attached is None else _ends(attached[i])),
                "exact": float(np.abs(exact.solution).sum()),
                "gap": exact.relative_gap,
                "exact_zeros": int((exact.solution == 0).sum()),
                "strength_max": _strength_max(W[i], y[i]),
            }
        )
    return rows


def _attached(objective: Objective, start: np.ndarray, stepsize: float) -> np.ndarray:
    """Where torch's SGD ends at the same step with the penalty attached; all seeds in one parameter."""
    import torch

    f = Lasso(torch.from_numpy(objective.W), torch.from_numpy(objective.y), objective.penalty.l1)
    b = torch.nn.Parameter(torch.from_numpy(start.copy()))
    optimizer = torch.optim.SGD([b], lr=stepsize)
    attach(optimizer, f.penalty, params=[b])
    for _ in range(_SGD_STEPS):
        b.grad = f.data_gradient(b.detach())
        optimizer.step()
    return b.detach().numpy()


def _ends(b: np.ndarray) -> Row:
    return {"attached": float(np.abs(b).sum()), "attached_zeros": int((b == 0).sum())}


def strength_map(spec: RunSpec) -> list[Row]:
    """One step: in how many seeds does each larger λ1 end with the larger norm than λ1 = 0.1?"""
    W, y, start = _problem(spec.seeds)
    a = spec["stepsize"]

    def run(strength: float) -> Run:
        # a coarse map needs no fifth digit: a shorter run than the seeds that are judged
        steps = _steps(a, strength, reach=1.2, settle=600)
        return minimize(Lasso(W, y, strength), start=start, steps=steps, stepsize=a)

    highest = run(SMALL).late_high[:, _L1]
    lowest = {strength: run(strength).late_low[:, _L1] for strength in _MAP_STRENGTHS}
    exact = [np.abs(exact_lasso(W[i], y[i], SMALL).solution).sum() for i in range(len(spec.seeds))]
    return [
        {
            "experiment": "map",
            "x": strength,
            "y": a,
            "hits": int((norms > highest).sum()),
            "n": len(spec.seeds),
            "exact": float(np.median(exact)),
        }
        for strength, norms in lowest.items()
    ]


def real_data(spec: RunSpec) -> list[Row]:
    """Real data at the random experiment's place: the same share of 2/L, the same multiples of lambda_max."""
    data = registered(spec["data"])
    columns = data.shape[1]
    X, y = _shorter(data.X, data.y)
    start = np.stack([stream("start", seed).uniform(-1, 1, columns) for seed in spec.seeds])
    random_W, random_y, _ = _problem((0,))
    share_of_edge = spec["stepsize"] * float(Lasso(random_W, random_y, 0.0).facts.gradient_lipschitz[0]) / 2
    lipschitz = float(Lasso(X, y, 0.0).facts.gradient_lipschitz)
    strength_max = _strength_max(data.X, data.y)
    smaller = Lasso(X, y, SMALL_MULTIPLE * strength_max)
    larger = Lasso(X, y, LARGE_MULTIPLE * strength_max)

    exact = exact_lasso(data.X, data.y, SMALL_MULTIPLE * strength_max)
    safe = min(1.0, 1.9 / lipschitz)
    prox = minimize(larger, start=start, steps=3000, stepsize=safe, method=ProximalGradient())
    rows = []
    for factor in (0.1, 0.3, 1.0, 3.0):
        a = factor * share_of_edge * 2 / lipschitz
        small, large = (
            minimize(
                objective,
                start=start,
                steps=min(_steps(a, multiple * strength_max), 60_000),
                stepsize=a,
            )
            for objective, multiple in ((smaller, SMALL_MULTIPLE), (larger, LARGE_MULTIPLE))
        )
        rows.append(
            {
                "experiment": "real",
                "data": "your own" if spec["data"].startswith("file:") else spec["data"],
                "factor": factor,
                "stepsize": a,
                "n": len(spec.seeds),
                "P": columns,
                "strength_max": strength_max,
                "hits": int((large.late_low[:, _L1] > small.late_high[:, _L1]).sum()),
                "norm_small": float(np.median(small.late_high[:, _L1])),
                "norm_large": float(np.median(large.late_low[:, _L1])),
                "exact_small": float(np.abs(exact.solution).sum()),
                "gap": exact.relative_gap,
                "prox_large": float(np.abs(prox.final).sum(axis=1).max()),
            }
        )
    return rows


def complete_seeds(rows: Sequence[Row]) -> list[dict[str, Row]]:
    """The rows of each seed that was run at all three strengths, as "tiny", "small" and "large"."""
    table: dict[int, dict[str, Row]] = {}
    for row in rows:
        if row["experiment"] == "random":
            named = {TINY: "tiny", SMALL: "small", LARGE: "large"}
            if row["strength"] in named:
                table.setdefault(row["seed"], {})[named[row["strength"]]] = row
    return [found for _, found in sorted(table.items()) if len(found) == 3]


def _problem(seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W (B, 20, 500), y (B, 20) and starts (B, 500), all uniform on [-1, 1], one stream an axis."""
    W = np.stack([stream("W", seed).uniform(-1, 1, (20, COLUMNS)) for seed in seeds])
    y = np.stack([stream("y", seed).uniform(-1, 1, 20) for seed in seeds])
    start = np.stack([stream("start", seed).uniform(-1, 1, COLUMNS) for seed in seeds])
    return W, y, start


def _shorter(X: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Data with at most P rows and the same gradients: eq. 15 depends on X and y by X^T X/N and X^T y/N only.

    The loss is that of the given data less a constant, so that norms, steps and minimisers are the same.

    >>> X, y = np.arange(12.0).reshape(6, 2) ** 2, np.arange(6.0)
    >>> shorter, response = _shorter(X, y)
    >>> shorter.shape, np.allclose(X.T @ X / 6, shorter.T @ shorter / 2)
    ((2, 2), True)
    """
    rows, columns = X.shape
    if rows <= columns:
        return X, y
    Q, R = np.linalg.qr(X)
    scale = np.sqrt(columns / rows)
    return R * scale, Q.T @ y * scale


def _steps(stepsize: float, strength: float, reach: float = 1.5, settle: int = 1000) -> int:
    """Enough to carry every entry from ``reach`` to 0 at α λ1 a step, and ``settle`` more to settle."""
    return int(reach / (stepsize * strength)) + settle


def _strength_max(X: np.ndarray, y: np.ndarray) -> float:
    """The least λ1 at which 0 is optimal."""
    bare = Lasso(X, y, 0.0)
    return float(bare.penalty.strength_max(bare.data_gradient(np.zeros(X.shape[1]))))


def _controls(objective: Objective, spec: RunSpec, start: np.ndarray) -> dict[str, np.ndarray]:
    """Norms of the differentiable twins (not at 0.01) and, at the larger λ1, of shrinking steps."""
    strength, a = spec["strength"], spec["stepsize"]
    steps = _steps(a, strength)
    norms: dict[str, np.ndarray] = {}
    if strength != TINY:
        for name, width in WIDTHS.items():
            twin = objective.smooth_twin(width)
            run = minimize(twin, start=start, steps=steps, stepsize=a)
            norms[f"{name}_low"], norms[f"{name}_high"] = run.late_low[:, _L1], run.late_high[:, _L1]
            norms[f"{name}_edge"] = a * twin.facts.gradient_lipschitz / 2
    if strength == LARGE:
        third = max(1, steps // 3)
        regimes = {
            "fading": Diminishing(a, 0.5, warmup=steps / 400),
            "reduced": Reducing.stages((third, a), (third, a / 10), (third, a / 100)),
        }
        for name, regime in regimes.items():
            run = minimize(objective, start=start, steps=steps, stepsize=regime)
            norms[name] = run.late_high[:, _L1]
    return norms
