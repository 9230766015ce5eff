"""What is run: scikit-learn's solver, stock torch optimisers, their twins in NumPy, smooth twins, the map."""

from __future__ import annotations

import warnings

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.exact_solvers._problems import Problem, problem, start
from nonsmooth.methods import Fista, ProximalGradient, Subgradient, duality_gap, exact_minimum
from nonsmooth.objectives import Lasso, Objective
from nonsmooth.runs import RunSpec
from nonsmooth.trajectories import minimize

__all__ = [
    "CONVERGED",
    "MAP_SHARES",
    "MAP_STEPS",
    "METHODS",
    "SIZES",
    "SOLVER_SHARES",
    "STEPS",
    "STOCK",
    "TOLERANCE",
    "WIDTHS",
    "in_numpy",
    "in_torch",
    "solver",
    "step_map",
    "twins",
]

# Random problems, starts on real data, problems of the twins and of the map, by tier.
SIZES = {"quick": (56, 6, 12, 16), "laptop": (200, 48, 48, 48), "paper": (1000, 200, 200, 200)}
# scikit-learn's default tol, on half of eq. 15, in units of f(0) of eq. 15.
TOLERANCE = 2e-4
SOLVER_SHARES = (0.5, 0.1, 0.01, 0.001, 0.0001)
# (method, penalty) of each group that shares a torch optimiser; the proximal run stands in the first.
METHODS = (
    (("sgd", "l1"), ("sgd", "ridge"), ("sgd-prox", "l1")),
    (("sgd-fading", "l1"),),
    (("adam", "l1"), ("adam", "ridge")),
    (("rmsprop", "l1"), ("rmsprop", "ridge")),
)
_RIDGE = {name for group in METHODS for name in group if name[1] == "ridge"}
# Those that a user has who puts the penalty into the loss.
STOCK = {"sgd": "SGD", "adam": "Adam", "rmsprop": "RMSprop"}
# Steps of the twins and of the map, in shares of 2/L of the data term.
STEPS = (0.5, 0.1, 0.02)
MAP_STEPS = (0.9, 0.5, 0.2, 0.1, 0.05, 0.02)
MAP_SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.3)
# |b| is rounded over these multiples of strength / L: L of the twin is 1 + 1/width times the data term's.
WIDTHS = {"wide": 2.0, "medium": 0.125, "narrow": 0.01}
# (f - f*) / f(0) at which a run counts as having arrived.
CONVERGED = 1e-8


# tol and max_iter asked of scikit-learn; the tight one takes a minute's passes at the smallest strength.
_ASKED = (("default", 1e-4, 1000), ("tight", 1e-12, 100_000))
_TIGHT_FROM = 0.001


def solver(spec: RunSpec) -> list[Row]:
    """scikit-learn's coordinate descent at its default tolerance and at a tight one, over the strength."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso as Model

    rows = []
    for seed in spec.seeds:
        for share in SOLVER_SHARES:
            given = problem(spec["data"], seed, share)
            for label, tol, limit in _ASKED if share >= _TIGHT_FROM else _ASKED[:1]:
                model = Model(alpha=given.strength / 2, fit_intercept=False, tol=tol, max_iter=limit)
                with warnings.catch_warnings(record=True) as heard:
                    warnings.simplefilter("always")
                    b = np.asarray(model.fit(given.W, given.y).coef_)
                rows.append(
                    {
                        "experiment": "solver",
                        "data": spec["data"],
                        "seed": seed,
                        "share": share,
                        "kind": label,
                        "promised": 2 * tol,
                        "warned": any(issubclass(w.category, ConvergenceWarning) for w in heard),
                        "gap": duality_gap(given.W, given.y, given.strength, b) / given.scale,
                        "passes": int(np.max(model.n_iter_)),
                        "zeros": int((b == 0).sum()),
                    }
                )
    return rows


def in_torch(spec: RunSpec) -> list[Row]:
    """Stock torch optimisers on the penalised loss, as users write it; every problem and method at once.

    A group of methods shares a stock optimiser, its parameter being (problems, P, methods of the group):
    these act entry by entry, and no entry's gradient depends on another problem or method.
    """
    import torch

    problems = [_given(spec, seed) for seed in spec.seeds]
    strength = torch.tensor([p.strength for p in problems], dtype=torch.float64)[:, None, None]
    columns = problems[0].W.shape[1]
    starts = torch.from_numpy(np.stack([start(spec["data"], s, columns) for s in spec.seeds]))
    if spec["data"] == "random":
        W, y = (torch.from_numpy(np.stack([getattr(p, name) for p in problems])) for name in ("W", "y"))
    else:
        W, y = torch.from_numpy(problems[0].W), torch.from_numpy(problems[0].y)
    names = [each for group in METHODS for each in group]
    # the proximal run has no penalty in its loss
    l1, l2 = (
        strength * torch.tensor([name in some for name in names], dtype=torch.float64)
        for some in ({name for name in names if name[1] == "l1" and name[0] != "sgd-prox"}, _RIDGE)
    )
    parameters = [torch.nn.Parameter(starts[:, :, None].repeat(1, 1, len(group))) for group in METHODS]
    step = 2 * spec["step_share"]  # of 2/L, and L = 1
    steady, fading, adam, rmsprop = parameters
    reduced = torch.optim.SGD([fading], lr=step)
    optimizers = [
        torch.optim.SGD([steady], lr=step),
        reduced,
        torch.optim.Adam([adam], lr=spec["rate"]),
        torch.optim.RMSprop([rmsprop], lr=spec["rate"]),
    ]
    proximal = names.index(("sgd-prox", "l1"))
    for t in range(spec["iterations"]):
        reduced.param_groups[0]["lr"] = step * (1 + t / 100) ** -0.5
        for optimizer in optimizers:
            optimizer.zero_grad()
        b = torch.cat([*parameters], dim=-1)
        prediction = W @ b if W.ndim == 3 else torch.einsum("np,bpm->bnm", W, b)
        loss = (prediction - y[..., None]).square().mean(dim=1).sum()
        (loss + (l1 * b.abs()).sum() + (l2 * b.square()).sum()).backward()
        for optimizer in optimizers:
            optimizer.step()
        with torch.no_grad():
            b = steady[..., proximal]
            b.copy_(torch.sign(b) * torch.clamp(b.abs() - step * strength[..., 0], min=0))
    final = torch.cat([*parameters], dim=-1).detach().numpy()
    return [
        _row(spec, seed, p, final[i, :, k], "torch", *name)
        for k, name in enumerate(names)
        for i, (seed, p) in enumerate(zip(spec.seeds, problems, strict=True))
    ]


def in_numpy(spec: RunSpec) -> list[Row]:
    """The package's own recursions on the same problems, starts and step: subgradient, ISTA, FISTA."""
    problems = [_given(spec, seed) for seed in spec.seeds]
    W, y, strength = (np.stack([getattr(p, name) for p in problems]) for name in ("W", "y", "strength"))
    starts = np.stack([start(spec["data"], s, W.shape[2]) for s in spec.seeds])
    rows = []
    for kind, method in (("sgd", Subgradient()), ("sgd-prox", ProximalGradient()), ("fista", Fista())):
        step = min(1.0, 2 * spec["step_share"]) if kind == "fista" else 2 * spec["step_share"]
        run = minimize(
            Lasso(W, y, strength), start=starts, steps=spec["iterations"], stepsize=step, method=method
        )
        rows += [
            _row(spec, seed, p, run.final[i], "numpy", kind, "l1")
            for i, (seed, p) in enumerate(zip(spec.seeds, problems, strict=True))
        ]
    return rows


def twins(spec: RunSpec) -> list[Row]:
    """Gradient steps on |b|, |b| rounded over three widths, and ridge, below and above each one's 2/L."""
    problems = [_given(spec, seed) for seed in spec.seeds]
    # in units of the strength, which is then 1 for all: (y, b) / strength, so that one width serves them all
    strength = np.array([p.strength for p in problems])
    W, y = np.stack([p.W for p in problems]), np.stack([p.y for p in problems]) / strength[:, None]
    starts = np.stack([start("random", s, W.shape[2]) for s in spec.seeds]) / strength[:, None]
    kind = spec["penalty"]
    objectives = [_penalised(kind, W[i], y[i]) for i in range(len(problems))]
    least = np.array([exact_minimum(f).value for f in objectives])
    scale = (y * y).mean(axis=1)
    whole = _penalised(kind, W, y)
    rows = []
    for share in STEPS:
        run = minimize(whole, start=starts, steps=int(200 / share), stepsize=2 * share)
        excess = (run.late_high[:, 0] - least) / scale
        rows.append(
            {
                "experiment": "twins",
                "penalty": kind,
                "step": share,
                "n": len(problems),
                # the step over 2/L of this penalty's own objective; a kink has none
                "over": None if kind == "kinked" else share * float(np.max(whole.facts.gradient_lipschitz)),
                "converged": int((excess <= CONVERGED).sum()),
                "excess": float(min(np.median(excess), 1e30)),
                "least": float(min(excess.min(), 1e30)),
            }
        )
    return rows


def _penalised(kind: str, W: np.ndarray, y: np.ndarray) -> Objective:
    if kind == "ridge":
        return Lasso(W, y, 0.0, 1.0)
    return Lasso(W, y, 1.0).smooth_twin(WIDTHS[kind]) if kind in WIDTHS else Lasso(W, y, 1.0)


def step_map(spec: RunSpec) -> list[Row]:
    """One strength: how many runs with |b| in the loss end above scikit-learn's default tolerance?"""
    problems = [problem("random", seed, spec["share"]) for seed in spec.seeds]
    W, y, strength = (np.stack([getattr(p, name) for p in problems]) for name in ("W", "y", "strength"))
    starts = np.stack([start("random", s, W.shape[2]) for s in spec.seeds])
    rows = []
    for step in MAP_STEPS:
        run = minimize(Lasso(W, y, strength), start=starts, steps=500 + int(150 / step), stepsize=2 * step)
        excess = [p.excess(run.final[i]) for i, p in enumerate(problems)]
        rows.append(
            {
                "experiment": "map",
                "x": step,
                "y": spec["share"],
                "n": len(problems),
                "hits": sum(value > TOLERANCE for value in excess),
                "excess": float(np.median(excess)),
                "floor": float(np.median([p.floor(2 * step) for p in problems])),
                "zeros": int((run.final == 0).sum()),
            }
        )
    return rows


def _given(spec: RunSpec, seed: int) -> Problem:
    # on real data the seed is of the start only
    return problem(spec["data"], seed if spec["data"] == "random" else 0, spec["share"])


def _row(spec: RunSpec, seed: int, p: Problem, b: np.ndarray, where: str, kind: str, penalty: str) -> Row:
    zero = p.exact.solution == 0
    if penalty == "ridge":
        objective = Lasso(p.W, p.y, 0.0, p.strength)
        size = p.y.size
        best = np.linalg.solve(p.W.T @ p.W / size + p.strength * np.eye(b.size), p.W.T @ p.y / size)
        excess = float(objective.value(b) - objective.value(best)) / p.scale
    else:
        excess = p.excess(b)
    return {
        "experiment": "run",
        "where": where,
        "data": spec["data"],
        "method": kind,
        "penalty": penalty,
        "seed": seed,
        "excess": excess if np.isfinite(excess) else 1e30,
        "step_share": spec["step_share"],
        "share": spec["share"],
        "zeros": int((b == 0).sum()),
        "exact_zeros": int(zero.sum()),
        "small": int((np.abs(b) < 1e-5).sum()),
        "same_support": bool(((b == 0) == zero).all()),
        "exact_gap": p.exact.relative_gap,
    }
