"""Run a method on an objective: a whole population of starts, data sets and strengths at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from nonsmooth.errors import InputError
from nonsmooth.methods import Constant, Method, StepSize, Subgradient, TorchOptimizer
from nonsmooth.objectives import Objective
from nonsmooth.trajectories._array_path import run_arrays
from nonsmooth.trajectories._run import Record, Run

__all__ = ["minimize"]


def _per_run(name: str, value: Any, count: int, dtype: Any) -> np.ndarray:
    array = np.asarray(value, dtype=dtype)
    if array.ndim > 1 or (array.ndim == 1 and array.size not in (1, count)):
        raise InputError(f"{name} has shape {array.shape}; give a number or one a run, ({count},)")
    return np.array(np.broadcast_to(array, (count,)))


def _compiled(
    objective: Objective,
    method: Method,
    base: np.ndarray,
    profile: np.ndarray,
    start: np.ndarray,
    record: Record,
    threads: int,
) -> Run:
    from nonsmooth.trajectories import _kernel

    data = objective.__array_data__()
    assert data is not None
    dtype, (count, width) = start.dtype, start.shape
    number, steps, every = dtype.type, profile.size, record.every
    # A read-only array is another type to the compiler, which would compile everything once more.
    W, y, start = (np.require(a, dtype, ["C", "W"]) for a in (*data, start))
    loss, penalty = objective.loss, objective.penalty
    times = np.arange(0, steps + 1, every) if every else np.zeros(0, int)
    problem = _kernel.Problem(
        loss.code if loss else 0, number(loss.width if loss else 0), number(objective.weight),
        number(penalty.width), penalty.width > 0, W, y,
        _per_run("l1", penalty.l1, count, dtype), _per_run("l2", penalty.l2, count, dtype),
        base.astype(dtype), profile.astype(dtype), start,
    )  # fmt: skip
    first, second = method.parameters
    rule = _kernel.Rule(method.code, float(first), float(second))
    low, high, late_low, late_high = (np.empty((count, 4), dtype) for _ in range(4))
    out = _kernel.Records(
        np.empty((count, width), dtype), np.empty((count, times.size, 4), dtype),
        low, high, late_low, late_high, np.empty((count, 4), np.int64), np.empty(count, np.int64),
        np.full(count, -1), np.full((count, min(record.tail, steps + 1), width), np.nan, dtype),
    )  # fmt: skip
    # Several shares a thread, since runs that diverge end early; without data, whole vectors of runs.
    share = count if threads == 1 else -(-count // (4 * threads))
    share = share if loss else -(-share // 16) * 16

    def walk(begin: int) -> None:
        end = min(begin + share, count)
        _kernel.run(rule, problem, every, record.window, number(record.limit), begin, end, out)

    if share >= count:
        walk(0)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(walk, range(0, count, share)))
    return Run(times=times, steps=steps, **out._asdict())


def minimize(
    objective: Objective,
    *,
    start: Any,
    steps: int,
    stepsize: StepSize | float,
    method: Method | None = None,
    record: Record | None = None,
    compiled: bool | None = None,
    threads: int = 1,
) -> Run:
    """Run ``method`` from ``start`` for ``steps`` steps and record it.

    Args:
        objective: what to minimise; its data and strengths may be batched, one a run.
        start: (P,) or (B, P), NumPy or torch; its dtype (float32 or float64) is that of the run.
        steps: number of steps >= 0.
        stepsize: a regime (``Constant``, ``Diminishing``, ``Reducing``) or a number for a constant step;
            its base may be an array (B,), one a run.
        method: default ``Subgradient()``.
        record: what to keep, default ``Record()``.
        compiled: use the compiled kernel. Default: whenever start and data are NumPy arrays and the method
            is one of the paper's. Both ways agree to rounding.
        threads: how many threads of the compiled kernel share the runs, >= 1; no bit depends on it.

    Returns:
        A ``Run``. A run whose value is not finite or passes ``record.limit`` ends there: divergence is an
        outcome, not an error.

    Raises:
        InputError: shapes that do not fit, a bad step size, or a method that the objective cannot serve.

    >>> import numpy as np, nonsmooth as ns
    >>> f = ns.objectives.ToyLasso(1.0, dimension=2)
    >>> run = ns.minimize(f, start=np.array([0.5053, 0.5053]), steps=200, stepsize=0.01)
    >>> run.late_low[0, 1].round(4).item(), run.late_high[0, 1].round(4).item()
    (0.0094, 0.0106)
    """
    method, record = method or Subgradient(), record or Record()
    stepsize = stepsize if isinstance(stepsize, StepSize) else Constant(stepsize)
    if steps < 0:
        raise InputError(f"steps = {steps} is not allowed; give an integer >= 0")
    if not isinstance(threads, int) or threads < 1:
        raise InputError(f"threads = {threads} is not allowed; give an integer >= 1")
    if start.ndim not in (1, 2) or 0 in start.shape:
        raise InputError(
            f"start of shape {tuple(start.shape)} is not allowed; give (P,) or (B, P), neither empty"
        )
    if str(start.dtype).rpartition(".")[2] not in ("float32", "float64"):
        raise InputError(f"start of dtype {start.dtype} is not allowed; give float32 or float64")
    if isinstance(method, TorchOptimizer) and isinstance(start, np.ndarray):
        raise InputError("a stock torch optimiser needs a torch tensor as start (and tensors as data)")
    objective._check(start)
    method.check(objective)
    start = start if start.ndim == 2 else start[None]
    count = start.shape[0]
    if objective.W is not None and objective.W.ndim == 3 and objective.W.shape[0] != count:
        raise InputError(
            f"data for {objective.W.shape[0]} runs but starts for {count}; give one start a data set"
        )
    base = _per_run("step size", stepsize.base, count, float)
    profile = stepsize.profile(steps)
    in_memory = isinstance(start, np.ndarray) and objective.__array_data__() is not None
    possible = in_memory and method.code >= 0 and not isinstance(method, TorchOptimizer)
    if compiled and not possible:
        raise InputError(
            "the compiled kernel needs NumPy arrays and one of the paper's methods; drop compiled=True"
        )
    if possible and compiled is not False:
        return _compiled(objective, method, base, profile, start, record, threads)
    if threads > 1:
        raise InputError(
            f"threads = {threads} needs the compiled kernel, which this run does not use; "
            "leave it 1: array operations use the threads of their own library"
        )
    return run_arrays(objective, method, base, profile, start, record)
