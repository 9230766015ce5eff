"""Populations of runs: the compiled kernel against batched matrix products and one torch loop a run.

    python benchmarks/populations.py            (or: make bench)

Float64, one thread. Times are medians over repeats of the same work in turn (A, B, C, A, B, C, ...), so
that a drifting machine moves all alike; what is claimed is the ratios. Seen on two cores of an AMD EPYC,
n = 5: on LASSO 20 x 500 the kernel takes 3.1 us a step, batched products 2.9 times that, a torch.optim loop
66 times; on toy LASSO a torch.optim loop 2,200 times.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from nonsmooth.methods import TorchOptimizer
from nonsmooth.objectives import Lasso, ToyLasso
from nonsmooth.runs import environment
from nonsmooth.trajectories import minimize

REPEATS = 5


def _median(work: dict[str, tuple[Callable[[], object], float]]) -> dict[str, float]:
    """Median seconds a run-step of each piece of work, measured in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for run, _ in work.values():
        run()
    for _ in range(REPEATS):
        for name, (run, steps) in work.items():
            begin = time.perf_counter()
            run()
            seconds[name].append((time.perf_counter() - begin) / steps)
    return {name: statistics.median(values) for name, values in seconds.items()}


def _lasso(seeds: int = 64) -> dict[str, float]:
    rng = np.random.default_rng(0)
    W, y, start = (
        rng.uniform(-1, 1, (seeds, 20, 500)),
        rng.uniform(-1, 1, (seeds, 20)),
        rng.uniform(-1, 1, (seeds, 500)),
    )
    f = Lasso(W, y, 0.1)
    one = Lasso(torch.tensor(W[0]), torch.tensor(y[0]), 0.1)

    def loop() -> None:
        """What a user writes: one torch.optim.SGD loop with autograd."""
        b = torch.tensor(start[0], requires_grad=True)
        data, response = torch.tensor(W[0]), torch.tensor(y[0])
        optimizer = torch.optim.SGD([b], lr=0.01)
        for _ in range(300):
            optimizer.zero_grad()
            loss = ((response - data @ b) ** 2).mean() + 0.1 * b.abs().sum()
            loss.backward()
            optimizer.step()

    return _median({
        "compiled kernel": (lambda: minimize(f, start=start, steps=400, stepsize=0.01), 400 * seeds),
        "batched matrix products (NumPy)": (
            lambda: minimize(f, start=start, steps=40, stepsize=0.01, compiled=False), 40 * seeds),
        "stock SGD fed the subgradient": (
            lambda: minimize(one, start=torch.tensor(start[:1]), steps=300, stepsize=0.01,
                             method=TorchOptimizer(torch.optim.SGD)), 300),
        "one torch.optim loop a run": (loop, 300),
    })  # fmt: skip


def _toy(runs: int = 10_000) -> dict[str, float]:
    start = np.random.default_rng(0).uniform(-1, 1, (runs, 10))
    f = ToyLasso(1.0, 10)

    def loop() -> None:
        b = torch.tensor(start[0], requires_grad=True)
        optimizer = torch.optim.SGD([b], lr=0.01)
        for _ in range(300):
            optimizer.zero_grad()
            b.abs().sum().backward()
            optimizer.step()

    return _median({
        "compiled kernel": (lambda: minimize(f, start=start, steps=200, stepsize=0.01), 200 * runs),
        "array operations (NumPy)": (
            lambda: minimize(f, start=start, steps=20, stepsize=0.01, compiled=False), 20 * runs),
        "one torch.optim loop a run": (loop, 300),
    })  # fmt: skip


def main() -> None:
    torch.set_num_threads(1)
    threadpool_limits(1)
    made = environment()
    print(f"{made.get('processor') or made.get('machine')}, one thread, float64, medians of {REPEATS}")
    for title, times in (
        ("LASSO 20 x 500, 64 seeds, each its own data", _lasso()),
        ("toy LASSO, 10,000 runs, P = 10", _toy()),
    ):
        kernel = times["compiled kernel"]
        print(f"\n{title}")
        for name, seconds in times.items():
            print(f"  {name:36s} {seconds * 1e6:10.3f} us a run-step   {seconds / kernel:10.1f} x the kernel")


if __name__ == "__main__":
    sys.exit(main())
