"""The strength means the strength: what an attached penalty solves on stock optimisers, and what peers do.

    python benchmarks/strength.py                 (peers' columns: pip install torchao pytorch_optimizer)

Float64, full batch, one thread. Two convex problems, loss 1/(2n) ||Xw - y||^2, n = 200, P = 60 columns whose
scales differ by a factor of 10, 51 true zeros: LASSO, and group LASSO in 20 groups of 3. Nine optimisers,
each at a constant step and along a cosine that ends at a hundredth of it. For each: how far 0 is from the
subdifferential of loss + penalty *for the strength asked for* (max norm), whether the support is exactly that
of the exact solution (celer), and the objective's relative gap to it. MCP, which is not convex, is asked for
a stationary point only. Large weights are free of it, so their gradient tends to 0, and there a normalised
step (Adam, RMSprop) does not settle, penalty or not: the bare optimiser's own distance is printed beside it.
Leaves with 1 where an attached penalty misses: distance <= 1e-12 (or what the optimiser reaches without any
penalty, if that is more), gap <= 1e-12, support.

Seen: in all 36 cases the exact support, distance <= 1e-12, gap <= 1.5e-14. By hand SGD is right, momentum
0.9 solves for a tenth of the strength, Adam and the like for none; L1 in the loss gives no zero. MCP: SGD
and Adagrad to 5e-15; Adam and RMSprop at a constant step 3e-5 to 1e-2, a bare optimiser 4e-3 to 8e-2.

Peers, at the same optimiser and step: L1 in the loss; soft(w, lr * strength) by hand after each step;
torchao's prototype pruning optimiser (ProxLasso, element groups); pytorch_optimizer's FTRL. For these the
strength that their end point does solve is printed, where it solves any.
"""

from __future__ import annotations

import importlib.util
import sys
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch

import nonsmooth as ns

N, P, GROUP, STEPS = 200, 60, 3, 30_000
TARGET = 1e-12

OPTIMISERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.18),
    "SGD, momentum 0.9": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "SGD, Nesterov 0.9": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.02),
    "AdamW, no decay": lambda p: torch.optim.AdamW(p, lr=0.02, weight_decay=0.0),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.02),
    "RAdam": lambda p: torch.optim.RAdam(p, lr=0.02),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.02),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=3.0),
}


class Problem(NamedTuple):
    name: str
    gram: torch.Tensor  # X'X/n
    moment: torch.Tensor  # X'y/n
    constant: float  # y'y/(2n)
    penalty: Any
    exact: np.ndarray

    @property
    def convex(self) -> bool:
        return self.penalty.convex

    def gradient(self, w: torch.Tensor) -> torch.Tensor:
        return self.gram @ w - self.moment

    def value(self, w: torch.Tensor) -> float:
        loss = 0.5 * w @ (self.gram @ w) - w @ self.moment + self.constant
        return float(loss + self.penalty.value(w).sum())


def problems() -> dict[str, Problem]:
    import celer

    rng = np.random.default_rng(7)
    scales = rng.permutation(np.geomspace(0.2, 2.0, P // GROUP)).repeat(GROUP)
    X = rng.standard_normal((N, P)) * scales
    truth = np.zeros(P)
    truth[:9] = rng.choice([-1.0, 1.0], 9) * rng.uniform(1, 3, 9) / scales[:9]  # each moves y alike
    y = X @ truth + 0.1 * rng.standard_normal(N)
    strength = 0.02 * float(np.abs(X.T @ y / N).max())
    options = {"fit_intercept": False, "tol": 1e-14, "max_iter": 100, "max_epochs": 50_000}
    lasso = celer.Lasso(alpha=strength, **options).fit(X, y).coef_
    groups = celer.GroupLasso(groups=GROUP, alpha=strength, **options).fit(X, y).coef_
    shared = (torch.from_numpy(X.T @ X / N), torch.from_numpy(X.T @ y / N), float(y @ y / (2 * N)))
    return {
        "L1": Problem("L1", *shared, ns.L1(strength), lasso),
        "group L1": Problem("group L1", *shared, ns.GroupL1(strength, GROUP), groups),
        "MCP": Problem("MCP", *shared, ns.MCP(strength, 3.0), np.zeros(0)),
    }


def run(
    problem: Problem,
    optimizer: torch.optim.Optimizer,
    w: torch.Tensor,
    cosine: bool,
    each: Callable[[], None],
) -> None:
    scheduler = None
    if cosine:
        least = optimizer.param_groups[0]["lr"] / 100
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS, least)
    for _ in range(STEPS):
        with torch.no_grad():
            w.grad = problem.gradient(w)
        each()
        if scheduler is not None:
            scheduler.step()


def distance(problem: Problem, w: torch.Tensor) -> float:
    return float(problem.penalty.subdifferential_distance(w, problem.gradient(w)).max())


def solved_strength(problem: Problem, w: torch.Tensor) -> str:
    """The strength for which w is stationary, over the one asked for; "none" if there is no such one."""
    g = problem.gradient(w)
    on = w != 0
    if not on.any():
        return "all zero"
    implied = float((-g[on] * w[on].sign()).median())
    if implied <= 0:
        return "none"
    off = float(ns.L1(implied).subdifferential_distance(w, g).max()) / implied
    return f"x {implied / float(problem.penalty.l1):.3g}" if off < 1e-3 else "none"


def ours(problem: Problem, name: str, cosine: bool) -> tuple[float, float, bool]:
    w = torch.nn.Parameter(torch.zeros(P, dtype=torch.float64))
    optimizer = OPTIMISERS[name]([w])
    ns.attach(optimizer, problem.penalty, params=[w])
    run(problem, optimizer, w, cosine, optimizer.step)
    end = w.detach()
    if not problem.convex:
        return distance(problem, end), 0.0, True
    least = problem.value(torch.from_numpy(problem.exact))
    gap = (problem.value(end) - least) / least
    return distance(problem, end), gap, bool(np.array_equal(end.numpy() != 0, problem.exact != 0))


def unpenalised(problem: Problem, name: str, cosine: bool) -> float:
    """The largest gradient entry where the same optimiser ends on the loss alone."""
    w = torch.nn.Parameter(torch.zeros(P, dtype=torch.float64))
    optimizer = OPTIMISERS[name]([w])
    run(problem, optimizer, w, cosine, optimizer.step)
    return float(problem.gradient(w.detach()).abs().max())


def by_hand(problem: Problem, name: str) -> torch.Tensor:
    w = torch.nn.Parameter(torch.zeros(P, dtype=torch.float64))
    optimizer = OPTIMISERS[name]([w])
    lr = optimizer.param_groups[0]["lr"]

    def each() -> None:
        optimizer.step()
        with torch.no_grad():
            problem.penalty.prox(w.detach(), lr, out=w.detach())

    run(problem, optimizer, w, False, each)
    return w.detach()


def in_the_loss(problem: Problem, name: str) -> torch.Tensor:
    w = torch.nn.Parameter(torch.zeros(P, dtype=torch.float64))
    optimizer = OPTIMISERS[name]([w])

    def each() -> None:
        assert w.grad is not None
        w.grad += problem.penalty.subgradient(w.detach())
        optimizer.step()

    run(problem, optimizer, w, False, each)
    return w.detach()


def torchao(problem: Problem, name: str) -> torch.Tensor:
    from torchao.prototype.pat.optim import PruneOptimizer  # type: ignore[import-not-found]

    w = torch.nn.Parameter(torch.zeros(P, dtype=torch.float64))
    groups = [{"params": [w], "prox_type": "ProxLasso", "group_type": "ElemGrouper"}]
    optimizer = PruneOptimizer(OPTIMISERS[name](groups), reg_lambda=float(problem.penalty.l1))
    run(problem, optimizer.base_optimizer, w, False, optimizer.step)
    return w.detach()


def ftrl(problem: Problem, name: str) -> torch.Tensor:
    from pytorch_optimizer import FTRL  # type: ignore[import-not-found]

    w = torch.nn.Parameter(torch.zeros(P, dtype=torch.float64))
    optimizer = FTRL([w], lr=1.0, lambda_1=float(problem.penalty.l1))
    run(problem, optimizer, w, False, optimizer.step)
    return w.detach()


def described(problem: Problem, w: torch.Tensor) -> str:
    if not torch.isfinite(w).all():
        return "diverges"
    zeros = int((w == 0).sum())
    return f"{zeros:2d} zeros, strength {solved_strength(problem, w)}"


def main() -> int:
    torch.set_num_threads(1)
    every, missed = problems(), 0
    print(f"{'attached':20} {'penalty':9} {'step':9} {'distance':>9} {'gap':>9}  support")
    for problem in every.values():
        for name in OPTIMISERS:
            for cosine in (False, True):
                far, gap, same = ours(problem, name, cosine)
                bare = unpenalised(problem, name, cosine) if far > TARGET else 0.0
                good = far <= max(TARGET, bare) and abs(gap) <= TARGET and same
                missed += not good
                step, support = "cosine" if cosine else "constant", "exact" if same else "differs"
                support = support if problem.convex else "not asked"
                line = f"{name:20} {problem.name:9} {step:9} {far:9.1e} {gap:9.1e}  {support}"
                line += f"   (bare optimiser: {bare:.1e})" if bare else ""
                print(line if good else f"{line}   MISSED", flush=True)
    lasso = every["L1"]
    print(f"\npeers on the LASSO, {int((lasso.exact == 0).sum())} zeros in the exact solution, constant step")
    peers: dict[str, Callable[[Problem, str], torch.Tensor]] = {
        "L1 in the loss": in_the_loss,
        "by hand": by_hand,
    }
    if importlib.util.find_spec("torchao"):
        peers["torchao prototype"] = torchao
    for title, peer in peers.items():
        for name in OPTIMISERS:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                print(f"{title:18} {name:20} {described(lasso, peer(lasso, name))}", flush=True)
    if importlib.util.find_spec("pytorch_optimizer"):
        print(f"{'FTRL':18} {'':20} {described(lasso, ftrl(lasso, ''))}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
