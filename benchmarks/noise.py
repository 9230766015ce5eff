"""The right support under gradient noise: which methods find it, and how many entries they get wrong.

    python benchmarks/noise.py

Float64, minibatches of 16 of 400 samples, 20 seeds, each its own data and batches, the same for all methods.
LASSO with 30 columns, 5 of them true; wrong entries are those in which the last iterate's support differs
from that of the exact solution (scikit-learn, a linear solve on the support). A method that takes a proximal
step along a noisy gradient lets an entry leave 0 whenever the noise exceeds the strength; dual averaging
thresholds the *average* gradient, whose noise shrinks. Printed: wrong entries, mean over seeds and share of
seeds without any, at a constant step and along a cosine to 0.

Seen: dual averaging 0 wrong in all 20 seeds; Adam and SGD with momentum, whose buffers average as well, 0.05
of 30 at a constant step; plain SGD, RMSprop and Adagrad 8.7 to 13.5.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import nonsmooth as ns

N, P, TRUE, BATCH, STEPS, SEEDS = 400, 30, 5, 16, 6000, 20
SHARE = 0.1  # strength over the one at which everything is zero

Make = Callable[[list[Any], Any], torch.optim.Optimizer]


def _attached(make: Callable[[list[Any]], torch.optim.Optimizer]) -> Make:
    def both(params: list[Any], penalty: Any) -> torch.optim.Optimizer:
        optimizer = make(params)
        ns.attach(optimizer, penalty, params=params)
        return optimizer

    return both


METHODS: dict[str, Make] = {
    "SGD, attached": _attached(lambda p: torch.optim.SGD(p, lr=0.05)),
    "SGD, momentum 0.9, attached": _attached(lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9)),
    "Adam, attached": _attached(lambda p: torch.optim.Adam(p, lr=0.003)),
    "RMSprop, attached": _attached(lambda p: torch.optim.RMSprop(p, lr=0.003)),
    "Adagrad, attached": _attached(lambda p: torch.optim.Adagrad(p, lr=0.3)),
    "RegularizedDualAveraging": lambda p, penalty: ns.RegularizedDualAveraging(p, penalty=penalty),
}


def problem(seed: int) -> tuple[torch.Tensor, torch.Tensor, float, np.ndarray]:
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((N, P))
    truth = np.zeros(P)
    truth[:TRUE] = rng.choice([-1.0, 1.0], TRUE) * rng.uniform(0.5, 2.0, TRUE)
    y = X @ truth + 0.5 * rng.standard_normal(N)
    strength = SHARE * float(np.abs(X.T @ y).max()) / N
    # exact_lasso is eq. 15, (1/N) ||Xw - y||^2 + l1 ||w||_1: twice the loss used here
    exact = ns.methods.exact_lasso(X, y, 2 * strength)
    return torch.from_numpy(X), torch.from_numpy(y), strength, exact.solution != 0


def wrong(make: Make, seed: int, cosine: bool) -> int:
    X, y, strength, support = problem(seed)
    w = torch.nn.Parameter(torch.zeros(P, dtype=torch.float64))
    optimizer = make([w], ns.L1(strength))
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS) if cosine else None
    order = torch.Generator().manual_seed(seed)
    for _ in range(STEPS):
        rows = torch.randint(N, (BATCH,), generator=order)
        with torch.no_grad():
            w.grad = X[rows].T @ (X[rows] @ w - y[rows]) / BATCH
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return int(((w.detach().numpy() != 0) != support).sum())


def main() -> int:
    torch.set_num_threads(1)
    print(f"{'method':28} {'step':9} wrong of {P} (mean)  seeds without any, of {SEEDS}")
    for name, make in METHODS.items():
        averages = "Averaging" in name  # its step is a constant of the method, not of the schedule
        for cosine in (False,) if averages else (False, True):
            found = [wrong(make, seed, cosine) for seed in range(SEEDS)]
            step = "-" if averages else "cosine" if cosine else "constant"
            print(f"{name:28} {step:9} {np.mean(found):19.2f}  {sum(k == 0 for k in found):7d}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
