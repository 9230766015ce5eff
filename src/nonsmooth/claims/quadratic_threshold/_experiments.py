"""What is run: random quadratics around 2/η, exact instances, exceptional starts, and the convex network."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.methods import Momentum
from nonsmooth.objectives import Objective, Quadratic, ReluRegression
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, minimize

__all__ = [
    "ABOVE",
    "BATCH",
    "BELOW",
    "CONDITIONS",
    "KINDS",
    "NETWORK_FACTORS",
    "SIZES",
    "condition_map",
    "exact",
    "momentum",
    "network",
    "quadratics",
    "random_quadratics",
    "starts",
]

# Random instances, and seeds a cell of the map, by tier.
SIZES = {"quick": (96, 16), "laptop": (480, 48), "paper": (2400, 200)}
BATCH = 48
KINDS = ("definite", "semidefinite")
# Steps in units of 2/η.
BELOW = (0.5, 0.9, 0.99, 0.999)
ABOVE = (1.001, 1.01, 1.1, 2.0)
NETWORK_FACTORS = (1.1, 2.0, 10.0, 30.0, 100.0, 1000.0)
CONDITIONS = (1.0, 10.0, 100.0, 1e4, 1e6)

_MAP_FACTORS = (0.5, 0.9, 0.98, 1.02, 1.1, 1.5)
# At 1.001 the top component grows by 1.002 a step: 10^6 in 7,000 steps, 10^12 in the value.
_STEPS = 12_000
_GROWTH = 1e12
_TOP = 4.0


def quadratics(dimension: int, condition: float, kind: str, seeds: tuple[int, ...]) -> Objective:
    """Random quadratics with top eigenvalue 4 in random bases; half of a semidefinite spectrum is 0."""
    hessians = []
    for seed in seeds:
        rng = stream("data", seed)
        basis, _ = np.linalg.qr(rng.standard_normal((dimension, dimension)))
        spectrum = _TOP * condition ** -rng.uniform(0, 1, dimension)
        spectrum[0], spectrum[-1] = _TOP, _TOP / condition
        if kind == "semidefinite":
            spectrum[(dimension + 1) // 2 :] = 0
        H = (basis * spectrum) @ basis.T
        hessians.append((H + H.T) / 2)
    return Quadratic(np.stack(hessians))


def random_quadratics(spec: RunSpec) -> list[Row]:
    """Does the loss rise, and does it diverge, at steps on both sides of 2/η and at it?"""
    f = quadratics(spec["dimension"], spec["condition"], spec["kind"], spec.seeds)
    start = _starts(spec.seeds, spec["dimension"])
    record = Record(limit=_GROWTH * float(np.max(f.value(start))))
    rows = []
    for factor in (*BELOW, 1.0, *ABOVE):
        run = minimize(f, start=start, steps=_STEPS, stepsize=factor * 2 / _TOP, record=record)
        for i, seed in enumerate(spec.seeds):
            rows.append(
                {
                    "experiment": "random",
                    "kind": spec["kind"],
                    "factor": factor,
                    "seed": seed,
                    "diverged": bool(run.diverged[i]),
                    "rises": int(run.rises[i, 0]),
                    "left": float(run.late_high[i, 0] / f.value(start)[i]),
                }
            )
    return rows


def exact(spec: RunSpec) -> list[Row]:
    """H = diag(4, 1) in rationals: at 2/η the first entry flips for ever; above, (0, 1) converges."""
    hessian = (Fraction(4), Fraction(1))

    def after(start: tuple[int, int], stepsize: Fraction, steps: int) -> list[Fraction]:
        return [x * (1 - stepsize * h) ** steps for x, h in zip(start, hessian, strict=True)]

    at, above = Fraction(1, 2), Fraction(3, 4)
    flips = all(after((1, 1), at, k)[0] == (-1) ** k for k in range(100))
    exceptional = after((0, 1), above, 100)
    general = after((1, 1), above, 100)
    return [
        {
            "experiment": "exact",
            "flips": flips,
            "exceptional": float(max(map(abs, exceptional))),
            "general": float(max(map(abs, general))),
        }
    ]


def momentum(spec: RunSpec) -> list[Row]:
    """x^2/2 with the momentum of eq. 16, on both sides of 2(1 + m)/(1 - m)."""
    f = Quadratic(np.eye(1))
    rows = []
    for m in (0.5, 0.9):
        edge = 2 * (1 + m) / (1 - m)
        for factor in (0.99, 1.01):
            run = minimize(
                f,
                start=np.ones((1, 1)),
                steps=20_000,
                stepsize=factor * edge,
                method=Momentum(m),
                record=Record(limit=_GROWTH),
            )
            diverged = bool(run.diverged[0])
            rows.append({"experiment": "momentum", "momentum": m, "factor": factor, "diverged": diverged})
    return rows


def starts(spec: RunSpec) -> list[Row]:
    """Starts whose top component is projected out, at 1.5 times 2/η: when does rounding bring it back?"""
    f = quadratics(spec["dimension"], 100.0, "definite", spec.seeds)
    assert f.W is not None
    start = _starts(spec.seeds, spec["dimension"])
    top = np.linalg.svd(f.W)[2][:, 0, :]
    start -= (start * top).sum(axis=1, keepdims=True) * top
    run = minimize(f, start=start, steps=400, stepsize=1.5 * 2 / _TOP, record=Record(limit=_GROWTH))
    return [
        {"experiment": "starts", "seed": seed, "diverged_at": int(run.diverged_at[i])}
        for i, seed in enumerate(spec.seeds)
    ]


def network(spec: RunSpec) -> list[Row]:
    """Eq. 3 with λ1 = 0, λ2 = 0.01, from uniform starts, at multiples of 2/η with η the Hessian's there."""
    Z = np.stack([spec.rng("data", s).uniform(-1, 1, (20, 500)) for s in spec.seeds])
    y = np.stack([spec.rng("response", s).uniform(-1, 0, 20) for s in spec.seeds])
    start = _starts(spec.seeds, 500)
    # where z'b > 0 a term's Hessian is 2 z z', elsewhere 0
    active = np.matmul(Z, start[..., None]) > 0
    top = 2 * np.linalg.norm(Z * active, ord=2, axis=(1, 2)) ** 2 + 2 * 0.01
    f = ReluRegression(Z, y, 0.0, 0.01)
    rows = []
    for factor in NETWORK_FACTORS:
        # at 1.1 times 2/η a quadratic's value grows by 1.44 a step: by 10^158 in 1000
        run = minimize(f, start=start, steps=1000, stepsize=factor * 2 / top, record=Record(limit=1e100))
        off = (np.matmul(Z, np.nan_to_num(run.final)[..., None]) <= 0).all(axis=(1, 2))
        for i, seed in enumerate(spec.seeds):
            rows.append(
                {
                    "experiment": "network",
                    "factor": factor,
                    "seed": seed,
                    "stepsize": float(factor * 2 / top[i]),
                    "diverged": bool(run.diverged[i]),
                    "off": bool(off[i] and not run.diverged[i]),
                }
            )
    return rows


def condition_map(spec: RunSpec) -> list[Row]:
    """Share of starts that diverge, over the step and the condition number."""
    start = _starts(spec.seeds, spec["dimension"])
    rows = []
    for condition in CONDITIONS:
        f = quadratics(spec["dimension"], condition, "definite", spec.seeds)
        for factor in _MAP_FACTORS:
            run = minimize(
                f,
                start=start,
                steps=2000,
                stepsize=factor * 2 / _TOP,
                record=Record(limit=_GROWTH * float(np.max(f.value(start)))),
            )
            hits = int(run.diverged.sum())
            rows.append(
                {"experiment": "map", "x": factor, "y": condition, "hits": hits, "n": len(spec.seeds)}
            )
    return rows


def _starts(seeds: tuple[int, ...], dimension: int) -> np.ndarray:
    return np.stack([stream("start", seed).uniform(-1, 1, dimension) for seed in seeds])
