"""The same runs with array operations: any array library, any device, any stock torch optimiser.

One Python loop over time moves the whole batch; records stay on the device until the end.
"""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from nonsmooth.errors import InputError
from nonsmooth.methods import Method, TorchOptimizer
from nonsmooth.objectives import Objective
from nonsmooth.trajectories._run import Record, Run

__all__ = ["run_arrays"]

_ROUNDING = 1e-12


def _stepper(objective: Objective, method: Method, x: Any) -> Any:
    """A function (x, step of each run) -> next x."""
    if not isinstance(method, TorchOptimizer):
        state: dict[str, Any] = {}
        return lambda point, size: method.step(objective, point, size, state)

    import torch

    # One parameter a run, so that each run can have its own learning rate.
    parameters = [torch.nn.Parameter(row.clone()) for row in x]
    try:
        optimizer = method.factory([{"params": [p], "lr": 1.0} for p in parameters])
    except ValueError as error:
        raise InputError(
            f"the optimiser refuses one parameter group a run ({error}); give it a single start"
        ) from None
    # An optimiser that evaluates several times a step (LBFGS) asks for the evaluation itself.
    asks = inspect.signature(optimizer.step).parameters["closure"].default is inspect.Parameter.empty

    def evaluate() -> Any:
        point = torch.stack([p.detach() for p in parameters])
        for parameter, row in zip(parameters, objective.subgradient(point), strict=True):
            parameter.grad = row
        return objective.value(point).sum() if asks else None

    def step(point: Any, size: Any) -> Any:
        for group, lr in zip(optimizer.param_groups, size[:, 0].tolist(), strict=True):
            group["lr"] = lr
        if asks:
            optimizer.step(evaluate)
        else:
            evaluate()
            optimizer.step()
        return torch.stack([p.detach() for p in parameters])

    return step


class _Recorder:
    """Extrema, rises and turns of the channels, updated in place a step at a time."""

    def __init__(self, xp: Any, first: Any, record: Record, steps: int) -> None:
        self.xp, self.record, self.steps = xp, record, steps
        self.scale = xp.abs(first)
        self.low = self.high = self.last = first
        self.late_low, self.late_high = xp.full_like(first, float("inf")), xp.full_like(first, -float("inf"))
        self.rises = xp.zeros_like(first)
        self.turns = xp.zeros_like(first[:, 0])
        self.direction = xp.zeros_like(first[:, 0])
        self.curve: list[Any] = []
        self.tail: list[Any] = []

    def see(self, t: int, now: Any, x: Any, alive: Any) -> None:
        xp, late = self.xp, t > self.steps - self.record.window
        live = alive[:, None]
        floor = _ROUNDING * xp.where(self.scale > xp.abs(self.last), self.scale, xp.abs(self.last))
        change = now - self.last
        self.low = xp.where(live & (now < self.low), now, self.low)
        self.high = xp.where(live & (now > self.high), now, self.high)
        self.rises = self.rises + xp.astype(live & (change > floor), self.rises.dtype)
        if late:
            self.late_low = xp.where(live & (now < self.late_low), now, self.late_low)
            self.late_high = xp.where(live & (now > self.late_high), now, self.late_high)
        if late and t > 0:
            moved = alive & (xp.abs(change[:, 0]) > floor[:, 0])
            heading = xp.where(moved, xp.sign(change[:, 0]), self.direction)
            self.turns = self.turns + xp.astype(heading * self.direction < 0, self.turns.dtype)
            self.direction = heading
        self.last = xp.where(live, now, self.last)
        if self.record.every and t % self.record.every == 0:
            self.curve.append(xp.where(live, now, xp.full_like(now, float("inf"))))
        if t > self.steps - self.record.tail:
            self.tail.append(xp.where(live, x, xp.full_like(x, float("nan"))))


def _channels(xp: Any, objective: Objective, x: Any) -> Any:
    size = xp.abs(x)
    norms = [xp.sum(size, axis=-1), xp.sqrt(xp.sum(x * x, axis=-1)), xp.max(size, axis=-1)]
    return xp.stack([objective.value(x), *norms], axis=-1)


def _numpy(array: Any) -> np.ndarray:
    return array if isinstance(array, np.ndarray) else array.detach().cpu().numpy()


def run_arrays(
    objective: Objective, method: Method, base: np.ndarray, profile: np.ndarray, start: Any, record: Record
) -> Run:
    """Run a batch (B, P) on the start's own device and dtype; ``base`` is (B,), ``profile`` (steps,)."""
    xp = array_namespace(start)
    steps = profile.size
    x = xp.asarray(start, copy=True)
    sizes = xp.asarray(base[:, None], dtype=x.dtype, device=x.device)
    step = _stepper(objective, method, x)
    with np.errstate(over="ignore", invalid="ignore"):
        now = _channels(xp, objective, x)
    recorder = _Recorder(xp, now, record, steps)
    alive = now[:, 0] <= record.limit
    diverged_at = np.where(_numpy(alive), -1, 0)
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(steps + 1):
            if t > 0:
                x = xp.where(alive[:, None], step(x, sizes * float(profile[t - 1])), x)
                now = _channels(xp, objective, x)
                fine = now[:, 0] <= record.limit
                diverged_at = np.where(_numpy(alive & ~fine), t, diverged_at)
                alive = alive & fine
            recorder.see(t, now, x, alive)
    dead = (diverged_at >= 0)[:, None]
    high, late_high = _numpy(recorder.high), _numpy(recorder.late_high)
    count, width = x.shape
    empty = np.zeros((count, 0, 4), high.dtype)
    return Run(
        final=x,
        times=np.arange(0, steps + 1, record.every) if record.every else np.zeros(0, int),
        curves=np.stack([_numpy(c) for c in recorder.curve], axis=1) if recorder.curve else empty,
        low=np.where(diverged_at[:, None] == 0, np.inf, _numpy(recorder.low)),
        high=np.where(dead, np.inf, high),
        late_low=_numpy(recorder.late_low),
        late_high=np.where(dead, np.inf, late_high),
        rises=_numpy(recorder.rises).astype(np.int64),
        turns=_numpy(recorder.turns).astype(np.int64),
        diverged_at=diverged_at,
        tail=np.stack([_numpy(i) for i in recorder.tail], axis=1)
        if recorder.tail
        else np.zeros((count, 0, width), high.dtype),
        steps=steps,
    )
