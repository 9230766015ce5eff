"""What is run: two uses of soft-thresholding on the LASSO, and thresholded steps without L-smoothness."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

from nonsmooth.claims._claim import Row
from nonsmooth.claims.soft_threshold._proximal import descend
from nonsmooth.methods import Constant, ProximalGradient, attach, duality_gap
from nonsmooth.objectives import Lasso
from nonsmooth.penalties import L1
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import minimize

__all__ = ["BATCH", "MULTIPLES", "SIZES", "deviations", "lasso", "least_deviations", "network", "width_map"]

# Seeds, and seeds a cell of the map, by tier.
SIZES = {"quick": (96, 16), "laptop": (320, 48), "paper": (1600, 200)}
BATCH = 48
# λ1 of eq. 3 in units of ρ = max_k 2 sum_i |y_i z_ik|.
MULTIPLES = (0.01, 0.1, 0.3, 1.0)

_ROWS, _COLUMNS = 20, 10
_STEPS = 16_000
_MAP_STEPS = 8000
_ADAM_STEP, _ADAM_STEPS = 0.01, 4000
# Steps of the map in units of 1, widths of the rounding.
_MAP_STEPSIZES = tuple(10.0**k for k in (-3, -2.5, -2, -1.5, -1, -0.5))
_MAP_WIDTHS = tuple(10.0**k for k in (-2.5, -2, -1.5, -1, -0.5, 0))


def lasso(spec: RunSpec) -> list[Row]:
    """ISTA, and the subgradient method thresholded once at its end, on random LASSOs."""
    W, y, start = _data(spec.seeds)
    strength = spec["strength"] * _lambda_max(W, y)
    step = _ROWS / (2 * np.linalg.norm(W, ord=2, axis=(1, 2)) ** 2)
    f = Lasso(W, y, strength)
    ista = minimize(f, start=start, steps=4000, stepsize=Constant(step), method=ProximalGradient()).final
    raw = minimize(f, start=start, steps=4000, stepsize=Constant(step)).final
    once = f.penalty.prox(raw, step[:, None])
    ends = {"each step": ista, "once": once, "never": raw, **_adam(W, y, strength, start)}
    rows = []
    for use, found in ends.items():
        for i, seed in enumerate(spec.seeds):
            gap = duality_gap(W[i], y[i], float(strength[i]), found[i])
            rows.append(
                {
                    "experiment": "lasso",
                    "use": use,
                    "seed": seed,
                    "gap": max(gap, 0.0) / float(np.mean(y[i] ** 2)),
                    "zeros": int((found[i] == 0).sum()),
                }
            )
    return rows


def _adam(W: np.ndarray, y: np.ndarray, strength: np.ndarray, start: np.ndarray) -> dict[str, np.ndarray]:
    """Where torch's Adam ends: thresholded by α λ1 after each step, and with the penalty attached."""
    import torch

    data = [torch.from_numpy(each) for each in (W, y, strength)]
    f = Lasso(*data)
    ends = {}
    for use in ("by hand", "attached"):
        b = torch.nn.Parameter(torch.from_numpy(start.copy()))  # all seeds at once: Adam acts entry by entry
        optimizer = torch.optim.Adam([b], lr=_ADAM_STEP)
        if use == "attached":
            attach(optimizer, f.penalty, params=[b])
        for _ in range(_ADAM_STEPS):
            b.grad = f.data_gradient(b.detach())
            optimizer.step()
            if use == "by hand":
                f.penalty.prox(b.detach(), _ADAM_STEP, out=b)
        ends[use] = b.detach().numpy()
    return ends


def network(spec: RunSpec) -> list[Row]:
    """Eq. 3 (40 x 40), λ1 in units of ρ: thresholded steps at a quarter of 2/L of its active part."""
    rows = []
    for seed in spec.seeds:
        Z = stream("data", seed).uniform(-1, 1, (40, 40))
        y = stream("response", seed).uniform(-1, 0, 40)
        top = 2 * float(np.linalg.norm(Z, ord=2)) ** 2
        jump = float((2 * np.abs(y) @ np.abs(Z)).max())
        for multiple in MULTIPLES:
            b = stream("start", seed).uniform(-1, 1, 40)
            strength = multiple * jump
            first = _eq3(Z, y, strength, b) - float(y @ y)
            descend(1, 0.0, 1.0, Z, y, strength, 0.25 * 2 / top, np.ones(3000), b)
            rows.append(
                {
                    "experiment": "network",
                    "seed": seed,
                    "multiple": multiple,
                    "excess": (_eq3(Z, y, strength, b) - float(y @ y)) / first,
                    "exact": bool((b == 0).all()),
                }
            )
    return rows


def deviations(spec: RunSpec) -> list[Row]:
    """Mean |y - Wb| + λ1 ||b||_1: kinked under constant and diminishing steps, and rounded, beside 2/L."""
    W, y, start = _data(spec.seeds)
    strength = spec["strength"] * np.abs(np.einsum("bnp,bn->bp", W, np.sign(y))).max(axis=1) / _ROWS
    rows = []
    for i, seed in enumerate(spec.seeds):
        s = float(strength[i])
        best = least_deviations(W[i], y[i], s)
        edge = 2 * _ROWS * spec["width"] / float(np.linalg.norm(W[i], ord=2)) ** 2
        flat = np.ones(_STEPS)
        falling = (1 + np.arange(_STEPS) / 100) ** -0.75
        given = (1 / _ROWS, W[i], y[i], s)
        row = {"experiment": "deviations", "seed": seed}
        scale = float(np.mean(np.abs(y[i])))
        for name, factor in (("below", 0.5), ("above", 4.0)):
            kinked, rounded = start[i].copy(), start[i].copy()
            descend(0, 0.0, *given, factor * edge, flat, kinked)
            row[f"kinked_{name}"] = (_deviation(W[i], y[i], s, kinked) - best) / scale
            descend(0, spec["width"], *given, factor * edge, flat, rounded)
            row[f"twin_{name}"] = _distance(W[i], y[i], s, spec["width"], rounded)
        for name, steps in (("early", _STEPS // 16), ("late", _STEPS)):
            fading = start[i].copy()
            descend(0, 0.0, *given, 0.5 * edge, falling[:steps], fading)
            row[f"fading_{name}"] = (_deviation(W[i], y[i], s, fading) - best) / scale
        rows.append(row)
    return rows


def width_map(spec: RunSpec) -> list[Row]:
    """Share of seeds whose rounded loss becomes stationary, over the step over 2/L's scale and the width."""
    W, y, start = _data(spec.seeds)
    strength = spec["strength"] * np.abs(np.einsum("bnp,bn->bp", W, np.sign(y))).max(axis=1) / _ROWS
    top = np.linalg.norm(W, ord=2, axis=(1, 2)) ** 2 / _ROWS
    rows = []
    for width in _MAP_WIDTHS:
        for scaled in _MAP_STEPSIZES:
            hits = 0
            for i in range(len(spec.seeds)):
                b = start[i].copy()
                step = scaled / top[i]
                descend(0, width, 1 / _ROWS, W[i], y[i], float(strength[i]), step, np.ones(_MAP_STEPS), b)
                hits += _distance(W[i], y[i], float(strength[i]), width, b) < 1e-6
            rows.append(
                {"experiment": "map", "x": scaled, "y": width, "hits": int(hits), "n": len(spec.seeds)}
            )
    return rows


def least_deviations(W: np.ndarray, y: np.ndarray, strength: float) -> float:
    """The least value of mean |y - Wb| + strength ||b||_1, as a linear programme (HiGHS).

    >>> round(least_deviations(np.eye(2), np.array([1.0, 3.0]), 0.1), 12)
    0.4
    """
    rows, columns = W.shape
    cost = np.concatenate([np.full(2 * columns, strength), np.full(2 * rows, 1 / rows)])
    equations = np.hstack([W, -W, np.eye(rows), -np.eye(rows)])
    return float(linprog(cost, A_eq=equations, b_eq=y, bounds=(0, None), method="highs").fun)


def _data(seeds: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W (B, 20, 10), y (B, 20), starts (B, 10), uniform on [-1, 1]."""
    W = np.stack([stream("data", seed).uniform(-1, 1, (_ROWS, _COLUMNS)) for seed in seeds])
    y = np.stack([stream("response", seed).uniform(-1, 1, _ROWS) for seed in seeds])
    start = np.stack([stream("start", seed).uniform(-1, 1, _COLUMNS) for seed in seeds])
    return W, y, start


def _lambda_max(W: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 2 * np.abs(np.einsum("bnp,bn->bp", W, y)).max(axis=1) / W.shape[1]


def _eq3(Z: np.ndarray, y: np.ndarray, strength: float, b: np.ndarray) -> float:
    return float(((y - np.maximum(Z @ b, 0)) ** 2).sum() + strength * np.abs(b).sum())


def _deviation(W: np.ndarray, y: np.ndarray, strength: float, b: np.ndarray) -> float:
    return float(np.abs(y - W @ b).mean() + strength * np.abs(b).sum())


def _distance(W: np.ndarray, y: np.ndarray, strength: float, width: float, b: np.ndarray) -> float:
    """Distance of 0 to the subdifferential of the rounded loss plus penalty, over λ1."""
    slope = np.clip((W @ b - y) / width, -1, 1)
    return float(L1(strength).subdifferential_distance(b, W.T @ slope / y.size)) / strength
