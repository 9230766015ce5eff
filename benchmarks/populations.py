"""Populations of runs: the compiled kernel against its peers, and against what the machine gives at most.

    python benchmarks/populations.py            (or: make bench)

Float64. All pieces of work are timed in turn (A, B, C, A, B, C, ...), a ratio is taken within each turn, and
its median over the turns is what counts, so that a drifting machine moves both sides alike. Each side is
taken at its best setting: the kernel on one thread or on all, the torch.optim loop plain, foreach or fused,
the batched products on all threads in NumPy (with records) or in torch (bare: it records nothing).
Leaves with 1 where a ratio misses its target.

The limits are measured here too, on one thread: independent fused multiplications (an operation of a lane
a slot), and reading an array of W's size, which lies in the second cache. Operations are counted in
``_COORDINATE`` and ``_RECORDS``; a fused multiplication is one.

Seen on two idle cores of an AMD EPYC (Zen 4, 32 KB and 1 MB of cache a core): LASSO 220 times the best
torch.optim loop (0.99 us a run-step on two threads, 1.63 on one), 18 times the best batched products, one
thread 1.7 times over the limit; toy LASSO 19,000 times the best loop (5.1 ns a run-step), 57 times the array
operations in NumPy, which record the same, and 1.3 times torch's bare ones, which record nothing; one thread
1.03 times over the limit. With both cores shared: 147 to 165, and 17,000 to 22,000 times.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from numba import njit
from threadpoolctl import threadpool_limits

from nonsmooth.objectives import Lasso, ToyLasso
from nonsmooth.runs import environment
from nonsmooth.trajectories import minimize
from nonsmooth.trajectories._vector import LINE, fused, load, pointer, rows_of_vectors, splat, total

TURNS = 7
THREADS = int(environment()["cpus"])
N, P, SEEDS = 20, 500, 256
TOY_P, TOY_RUNS = 10, 10_000
LOOP_STEPS = 200

# Operations of a subgradient step a coordinate: the penalty's slope 7, the move 3, the norms 5. And a run:
# the value and the root 5, the records 8 a channel.
_COORDINATE, _RECORDS = 15, 37

# Least ratios to the best torch.optim loop, and how far a kernel's thread may stay from the binding limit.
LASSO_TARGET, TOY_TARGET, LIMIT_TARGET = 100, 10_000, 2.0

Work = dict[str, tuple[Callable[[], object], float]]


def _seconds(work: Work) -> dict[str, list[float]]:
    """Seconds a unit of each piece of work, (TURNS,) each, measured in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in work}
    for run, _ in work.values():
        run()
    for _ in range(TURNS):
        for name, (run, units) in work.items():
            begin = time.perf_counter()
            run()
            seconds[name].append((time.perf_counter() - begin) / units)
    return seconds


def _ratio(slow: list[list[float]], fast: list[list[float]]) -> float:
    """Median over the turns of best of ``slow`` / best of ``fast``, each best by its median."""
    a, b = (min(side, key=statistics.median) for side in (slow, fast))
    return statistics.median(x / y for x, y in zip(a, b, strict=True))


def _on(threads: int, run: Callable[[], object]) -> Callable[[], None]:
    def limited() -> None:
        torch.set_num_threads(threads)
        with threadpool_limits(threads):
            run()

    return limited


def _loop(start: np.ndarray, loss: Callable[[torch.Tensor], torch.Tensor], **options: bool) -> None:
    """What a user writes: one torch.optim.SGD loop with autograd."""
    b = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.SGD([b], lr=0.01, **options)
    for _ in range(LOOP_STEPS):
        optimizer.zero_grad()
        loss(b).backward()
        optimizer.step()


def _loops(start: np.ndarray, loss: Callable[[torch.Tensor], torch.Tensor]) -> Work:
    settings = {"": {"foreach": False}, ", foreach": {"foreach": True}, ", fused": {"fused": True}}
    return {
        f"one torch.optim loop a run{name}": (
            _on(1, lambda options=options: _loop(start, loss, **options)),
            LOOP_STEPS,
        )
        for name, options in settings.items()
    }


def _lasso() -> Work:
    rng = np.random.default_rng(0)
    W, y, start = (rng.uniform(-1, 1, shape) for shape in ((SEEDS, N, P), (SEEDS, N), (SEEDS, P)))
    f = Lasso(W, y, 0.1)
    data, response = torch.tensor(W), torch.tensor(y)

    def products(steps: int = 20) -> None:
        x = torch.tensor(start)[..., None]
        for _ in range(steps):
            slope = torch.bmm(data, x).sub_(response[..., None])
            x = x - 0.01 * (torch.bmm(data.mT, slope).mul_(2 / N).add_(x.sign(), alpha=0.1))

    def loss(b: torch.Tensor) -> torch.Tensor:
        return ((response[0] - data[0] @ b) ** 2).mean() + 0.1 * b.abs().sum()

    def kernel(threads: int) -> Callable[[], object]:
        return lambda: minimize(f, start=start, steps=200, stepsize=0.01, threads=threads)

    plain = _on(THREADS, lambda: minimize(f, start=start, steps=10, stepsize=0.01, compiled=False))
    return {
        "kernel, 1 thread": (kernel(1), 200 * SEEDS),
        f"kernel, {THREADS} threads": (kernel(THREADS), 200 * SEEDS),
        "batched products, NumPy": (plain, 10 * SEEDS),
        "batched products, torch, bare": (_on(THREADS, products), 20 * SEEDS),
        **_loops(start[0], loss),
    }


def _toy() -> Work:
    start = np.random.default_rng(0).uniform(-1, 1, (TOY_RUNS, TOY_P))
    f = ToyLasso(1.0, TOY_P)

    def operations(steps: int = 50) -> None:
        x = torch.tensor(start)
        for _ in range(steps):
            x.sub_(x.sign(), alpha=0.01)

    def kernel(threads: int) -> Callable[[], object]:
        return lambda: minimize(f, start=start, steps=300, stepsize=0.01, threads=threads)

    plain = _on(THREADS, lambda: minimize(f, start=start, steps=20, stepsize=0.01, compiled=False))
    return {
        "kernel, 1 thread": (kernel(1), 300 * TOY_RUNS),
        f"kernel, {THREADS} threads": (kernel(THREADS), 300 * TOY_RUNS),
        "array operations, NumPy": (plain, 20 * TOY_RUNS),
        "array operations, torch, bare": (_on(THREADS, operations), 50 * TOY_RUNS),
        **_loops(start[0], lambda b: b.abs().sum()),
    }


@njit(error_model="numpy")
def _multiply(like, times):
    """8 independent chains of fused multiplications: enough to begin one or two a cycle."""
    m = splat(0.999, pointer(like))
    a = b = c = d = e = f = g = h = m
    for _ in range(times):
        a, b, c, d = fused(a, m, m), fused(b, m, m), fused(c, m, m), fused(d, m, m)
        e, f, g, h = fused(e, m, m), fused(f, m, m), fused(g, m, m), fused(h, m, m)
    return total(a + b + c + d + e + f + g + h)


@njit(error_model="numpy")
def _read(array, times):
    at, rows = pointer(array), array.shape[0]
    a = b = c = d = splat(0, at)
    for _ in range(times):
        for n in range(0, rows, 4):
            a, b = a + load(at, n), b + load(at, n + 1)
            c, d = c + load(at, n + 2), d + load(at, n + 3)
    return total(a + b + c + d)


def _probes() -> Work:
    like = np.zeros(1)
    array = rows_of_vectors(N * P * like.itemsize // LINE // 4 * 4, like)
    lanes = LINE // like.itemsize
    # As long as the kernel's turn: what is shorter than a time slice sees nothing of a busy machine.
    return {
        "operations": (lambda: _multiply(like, 30_000_000), 8 * lanes * 30_000_000),
        "bytes": (lambda: _read(array, 100_000), array.nbytes * 100_000),
    }


def _table(seconds: dict[str, list[float]], coordinates: int) -> None:
    best = min(statistics.median(values) for name, values in seconds.items() if name.startswith("kernel"))
    for name, values in seconds.items():
        middle = statistics.median(values)
        print(
            f"  {name:38s} {middle * 1e6:10.4f} us a run-step {coordinates / middle:12.3g} updates/s"
            f" {middle / best:10.1f} x the kernel"
        )


def _verdict(name: str, value: float, target: float, least: bool) -> bool:
    good = value >= target if least else value <= target
    sign = "at least" if least else "at most"
    print(f"  {name}: {value:,.2f}, target {sign} {target:,g}{'' if good else '   MISSED'}")
    return good


def main() -> int:
    made, good = environment(), []
    print(
        f"{made.get('processor') or made.get('machine')}, {THREADS} CPUs, float64, medians of {TURNS} turns"
    )
    for title, work, runs_coordinates, operations, moved, target in (
        (f"LASSO {N} x {P}, {SEEDS} seeds, each its own data", _lasso(), P,
         2 * N * P + _COORDINATE * P + _RECORDS, 8 * N * P, LASSO_TARGET),
        (f"toy LASSO, {TOY_RUNS:,} runs, P = {TOY_P}", _toy(), TOY_P,
         _COORDINATE * TOY_P + _RECORDS, 0, TOY_TARGET),
    ):  # fmt: skip
        print(f"\n{title}")
        probes = _probes()
        seconds = _seconds({**work, **probes})
        limits = {name: seconds.pop(name) for name in probes}
        _table(seconds, runs_coordinates)
        operation, byte = (statistics.median(limits[name]) for name in ("operations", "bytes"))
        step = {"operations": operations * operation, "bytes": moved * byte}
        binding = max(step, key=lambda name: step[name])
        print(
            f"  limits of one thread: {1e-9 / operation:.1f} G operations/s"
            f" ({2e-9 / operation:.0f} Gflop/s fused), {1e-9 / byte:.0f} GB/s\n"
            f"  a run-step needs {operations:,} operations and {moved:,} bytes: {step[binding] * 1e6:.4f} us,"
            f" {runs_coordinates / step[binding]:.3g} updates/s, bound by {binding}"
        )
        kernels = [values for name, values in seconds.items() if name.startswith("kernel")]
        loops = [values for name, values in seconds.items() if name.startswith("one torch.optim")]
        good.append(_verdict("times one torch.optim loop a run", _ratio(loops, kernels), target, True))
        units = operations if binding == "operations" else moved
        limit = [value * units for value in limits[binding]]
        away = _ratio([seconds["kernel, 1 thread"]], [limit])
        good.append(_verdict("one thread's time over the limit", away, LIMIT_TARGET, False))
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
