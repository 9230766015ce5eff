"""What a schedule really does: its step sizes one by one, found without touching optimiser or scheduler."""

from __future__ import annotations

import copy
import inspect
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.optim import lr_scheduler as schedulers

from nonsmooth.audit._schedule_forms import Tail, closed_form, tail_of
from nonsmooth.diagnostics._checks import whole
from nonsmooth.errors import InputError
from nonsmooth.findings import Drawing, canvas, style

__all__ = ["ScheduleFacts", "schedule_of"]

# A step size above this many times the last one is a restart, if it rises by this share of the largest.
_RISE, _SHARE = 1.5, 0.05
# Scheduler steps that are replayed before a closed form is trusted.
_REPLAYED = 2000


@dataclass(frozen=True, eq=False)
class ScheduleFacts:
    """The step sizes of a training, and what follows from them. G parameter groups.

    Attributes:
        step_sizes: (G, T) the learning rate of each group at each of the coming optimiser steps; T is smaller
            than ``steps`` where the scheduler raises before. For ReduceLROnPlateau those of a metric that
            always improves.
        least: (G, T) the same, or for ReduceLROnPlateau those of a metric that never improves.
        steps: asked for.
        name: of the scheduler's class, "" without one.
        how: "replay", "closed form" or "constant".
        tail: the step sizes if the training went on for ever.
        stopped: what the scheduler raised before the end, "" if nothing.
        position: scheduler steps taken before now; None where the scheduler does not count them.
        expected: how many it should have taken, by ``resumed_from`` or the optimiser's own count of steps;
            None if neither says, or nothing is wrong by the latter.
        restarted: whether it is elsewhere than the training: mostly at its beginning, after a resume.
        initial: the first group's step size where the schedule begins.
        due: the first group's step size at the position expected, by the closed form; None where it was not
            restarted or has no such form.
        says: the first group's step size by the closed form at this position, where the optimiser has
            another one; else None.
        foreign: whether it drives another optimiser than the one given.
        per_epoch: optimiser steps to a scheduler step.
        horizon: scheduler steps from its beginning to the end of its decay; None where it has none.
    """

    step_sizes: np.ndarray
    least: np.ndarray
    steps: int
    name: str
    how: str
    tail: Tail
    stopped: str
    position: int | None
    expected: int | None
    restarted: bool
    initial: float
    due: float | None
    says: float | None
    foreign: bool
    per_epoch: int
    horizon: int | None

    @property
    def sum(self) -> np.ndarray:
        """(G,) of the step sizes: how far a weight can travel by steps of unit length."""
        return self.step_sizes.sum(1)

    @property
    def sum_of_squares(self) -> np.ndarray:
        """(G,)."""
        return (self.step_sizes**2).sum(1)

    @property
    def final(self) -> np.ndarray:
        """(G,) the last step size."""
        return self.step_sizes[:, -1]

    @property
    def largest(self) -> float:
        """Over all steps and groups."""
        return float(self.step_sizes.max())

    @property
    def exact(self) -> bool:
        """Whether the step sizes are certain: not so where they depend on a metric."""
        return bool(np.array_equal(self.step_sizes, self.least))

    @property
    def warm_up(self) -> int:
        """Steps before the first group's largest step size, where they only rise; else 0."""
        sizes = self.step_sizes[0]
        rounding = 1e-9 * sizes.max()
        peak = int(np.flatnonzero(sizes >= sizes.max() - rounding)[0])
        return peak if (np.diff(sizes[: peak + 1]) >= -rounding).all() else 0

    @property
    def restarts(self) -> tuple[int, ...]:
        """Steps at which the first group's size jumps up, after the warm-up: by half and more."""
        sizes = self.step_sizes[0]
        least = np.maximum(_RISE * sizes[:-1], sizes[:-1] + _SHARE * sizes.max())
        rises = np.flatnonzero(sizes[1:] > least) + 1
        return tuple(int(k) for k in rises if k > self.warm_up)

    @property
    def idle(self) -> int:
        """Steps at the end whose size is 0 in all groups."""
        moving = np.flatnonzero((self.step_sizes > 0).any(0))
        return self.step_sizes.shape[1] - (int(moving[-1]) + 1 if len(moving) else 0)

    def as_dict(self) -> dict[str, Any]:
        """The facts as JSON values, without the single step sizes."""
        return {
            "scheduler": self.name,
            "steps": self.steps,
            "step_sizes_found": self.step_sizes.shape[1],
            "how": self.how,
            "first": self.step_sizes[:, 0].tolist(),
            "largest": self.largest,
            "final": self.final.tolist(),
            "sum": self.sum.tolist(),
            "sum_of_squares": self.sum_of_squares.tolist(),
            "sum_finite": self.tail.sum_finite,
            "squares_finite": self.tail.squares_finite,
            "warm_up": self.warm_up,
            "restarts": list(self.restarts[:20]),
            "idle": self.idle,
            "position": self.position,
            "expected": self.expected,
            "restarted": self.restarted,
            "foreign": self.foreign,
            "stopped": self.stopped,
            "exact": self.exact,
        }

    def draw(self) -> Drawing:
        """The step sizes of the first group."""
        with style():
            figure, axes = canvas(1)
            sizes = self.step_sizes[0]
            axes[0, 0].plot(np.arange(len(sizes)), sizes, color="black", label=self.name or "constant")
            if not self.exact:
                axes[0, 0].plot(
                    np.arange(len(sizes)), self.least[0], linestyle="--", label="metric never improves"
                )
            axes[0, 0].set(xlabel="optimiser step", ylabel="step size", title="Step sizes of the training")
            axes[0, 0].legend()
        return Drawing("schedule", f"Step size at each of {len(sizes):,} steps, {self.how}.", figure)


def schedule_of(
    optimizer: torch.optim.Optimizer,
    scheduler: Any,
    steps: int,
    *,
    steps_per_epoch: int | None = None,
    resumed_from: int | None = None,
) -> ScheduleFacts:
    """The step sizes of the next ``steps`` optimiser steps, and what follows from them.

    The scheduler is replayed on a copy that holds neither weights nor the optimiser's state; a long schedule
    of torch's own is computed by its closed form, where this agrees with the first 2,000 steps replayed.
    Neither object is changed.

    Args:
        optimizer: its parameter groups are read.
        scheduler: one of torch's or with the same interface; None for constant step sizes.
        steps: >= 1.
        steps_per_epoch: optimiser steps to a ``scheduler.step()``; None: one.
        resumed_from: optimiser steps that the training had taken when it was interrupted; None: 0, or what
            the optimiser's own state says.

    Raises:
        InputError: numbers out of range, or a scheduler without ``step()``, or one that cannot be copied.

    >>> sgd = torch.optim.SGD([torch.zeros(1)], lr=0.5)
    >>> facts = schedule_of(sgd, schedulers.StepLR(sgd, 2, gamma=0.1), 4)
    >>> facts.step_sizes.round(3).tolist(), facts.tail.sum_finite
    ([[0.5, 0.5, 0.05, 0.05]], True)
    """
    steps = whole("steps", steps, 1, None)
    every = 1 if steps_per_epoch is None else whole("steps_per_epoch", steps_per_epoch, 1, None)
    if resumed_from is not None:
        resumed_from = whole("resumed_from", resumed_from, 0, None)
    optimizer, scheduler = _unwrapped(optimizer), _unwrapped(scheduler)
    if scheduler is not None:
        _check(scheduler)
    now = np.array([float(group["lr"]) for group in optimizer.param_groups])
    owner = _unwrapped(getattr(scheduler, "optimizer", optimizer))
    foreign = scheduler is not None and owner is not optimizer
    count = -(-steps // every)  # scheduler steps, the size before the first included
    due = says = low = None
    stopped = ""
    position = _position(scheduler)
    expected, restarted = _resumed(optimizer, position, resumed_from, steps_per_epoch)
    if scheduler is None or foreign:
        sizes, how, tail = np.repeat(now[:, None], count, 1), "constant", tail_of(None, now)
    else:
        sizes, how, stopped = _sizes(scheduler, optimizer, count)
        if isinstance(scheduler, schedulers.ReduceLROnPlateau):
            low, _ = _replayed(scheduler, optimizer, count, improving=False)
        with _alone():
            twin = copy_of(scheduler, _Groups(optimizer))
            tail = tail_of(twin, _initial(twin, optimizer))
        if restarted and expected is not None:
            form = _closed(scheduler, optimizer, np.array([expected]))
            due = None if form is None else float(form[0, 0])
        elif not restarted:
            says = _said(scheduler, optimizer, position, now)
    return ScheduleFacts(
        step_sizes=np.repeat(sizes, every, 1)[:, :steps],
        least=np.repeat(sizes if low is None else low, every, 1)[:, :steps],
        steps=steps,
        name="" if scheduler is None else type(scheduler).__name__,
        how=how,
        tail=tail,
        stopped=stopped,
        position=position,
        expected=expected,
        restarted=restarted,
        initial=float(now[0] if scheduler is None or foreign else _initial(scheduler, optimizer)[0]),
        due=due,
        says=says,
        foreign=foreign,
        per_epoch=every,
        horizon=_horizon(scheduler),
    )


def _check(scheduler: Any) -> None:
    """It can be stepped without arguments, on a copy."""
    name, step = type(scheduler).__name__, getattr(scheduler, "step", None)
    if not callable(step):
        raise InputError(f"scheduler is a {name} without step(); give one of torch.optim.lr_scheduler")
    if isinstance(scheduler, schedulers.ReduceLROnPlateau):
        return
    asked = [
        each.name
        for each in inspect.signature(step).parameters.values()
        if each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
    ]
    if asked:
        raise InputError(
            f"{name}.step() asks for {', '.join(asked)}: they cannot be foreseen; give scheduler=None"
        )


def _unwrapped(wrapper: Any) -> Any:
    """What Accelerate's wrappers hold; wrappers of others may do things of their own."""
    while type(wrapper).__module__.split(".")[0] == "accelerate":
        inner = getattr(wrapper, "scheduler", None) or getattr(wrapper, "optimizer", None)
        if inner is None:
            break
        wrapper = inner
    return wrapper


def _initial(scheduler: Any, optimizer: Any) -> np.ndarray:
    """The sizes that the scheduler's factors multiply."""
    found = getattr(scheduler, "base_lrs", None)
    if found is None:
        found = [group.get("initial_lr", group["lr"]) for group in optimizer.param_groups]
    return np.array([float(each) for each in found])


def _position(scheduler: Any) -> int | None:
    if isinstance(scheduler, schedulers.ChainedScheduler):
        return _position(scheduler._schedulers[0])
    found = getattr(scheduler, "last_epoch", None)
    return int(found) if isinstance(found, int | float) and math.isfinite(found) else None


def _horizon(scheduler: Any) -> int | None:
    """Scheduler steps until a decay that is meant to end at the end of the training has ended."""
    if isinstance(scheduler, schedulers.SequentialLR):
        last = _horizon(scheduler._schedulers[-1])
        return None if last is None else last + ([0, *scheduler._milestones])[-1]
    if isinstance(scheduler, schedulers.CosineAnnealingLR):
        return int(scheduler.T_max)
    if isinstance(scheduler, schedulers.PolynomialLR):
        return int(scheduler.total_iters)
    if isinstance(scheduler, schedulers.LinearLR) and scheduler.end_factor < scheduler.start_factor:
        return int(scheduler.total_iters)
    return int(scheduler.total_steps) if isinstance(scheduler, schedulers.OneCycleLR) else None


@contextmanager
def _alone() -> Iterator[None]:
    """No warning gets out, no random number is used up."""
    with torch.random.fork_rng([]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _sizes(scheduler: Any, optimizer: Any, count: int) -> tuple[np.ndarray, str, str]:
    """(G, count) sizes from now on, how they were found, and what the scheduler raised before their end.

    A replay is torch itself; only a long one, at 10 us a step, gives way to the closed form, and only to one
    that agrees with the beginning of the replay.
    """
    short = min(count, _REPLAYED)
    sizes, stopped = _replayed(scheduler, optimizer, short)
    if stopped or short == count:
        return sizes, "replay", stopped
    position = _position(scheduler)
    form = None if position is None else _closed(scheduler, optimizer, position + np.arange(count))
    if form is not None and np.allclose(form[:, :short], sizes, rtol=1e-9, atol=1e-12 * sizes.max()):
        return form, "closed form", ""
    sizes, stopped = _replayed(scheduler, optimizer, count)
    return sizes, "replay", stopped


def _closed(scheduler: Any, optimizer: Any, t: np.ndarray) -> np.ndarray | None:
    """(G, T) sizes by the closed form at the scheduler's steps ``t``, None where there is none."""
    if isinstance(scheduler, schedulers.OneCycleLR) and t[-1] > scheduler.total_steps:
        return None  # it raises before
    with _alone():
        twin = copy_of(scheduler, _Groups(optimizer))
        try:
            return closed_form(twin, _initial(twin, optimizer), t)
        except Exception:  # a function that ends: the replay says where
            return None


def _said(scheduler: Any, optimizer: Any, position: int | None, now: np.ndarray) -> float | None:
    """The first group's size at this position by the closed form, where the optimiser has another one."""
    form = None if not position else _closed(scheduler, optimizer, np.array([position]))
    atol = 1e-9 * _initial(scheduler, optimizer).max()
    if form is None or np.allclose(form[:, 0], now, rtol=1e-6, atol=atol):
        return None
    return float(form[0, 0])


class _Groups(torch.optim.Optimizer):
    """Parameter groups without parameters: what a scheduler reads and writes of an optimiser."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self.defaults = dict(optimizer.defaults)
        self.param_groups = [
            {key: [] if key == "params" else copy.deepcopy(value) for key, value in group.items()}
            for group in optimizer.param_groups
        ]
        self.state = {}  # pyright: ignore[reportAttributeAccessIssue]
        self._opt_called = True  # else the scheduler warns that it was stepped first

    def __repr__(self) -> str:
        return "parameter groups"

    def step(self, closure: Any = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Nothing moves."""

    step._wrapped_by_lr_sched = True  # pyright: ignore[reportFunctionMemberAccess]


def copy_of(scheduler: Any, groups: _Groups) -> Any:
    """A scheduler of its own, nested ones included, that drives ``groups`` instead of the optimiser."""
    owner = scheduler.optimizer
    try:
        return copy.deepcopy(scheduler, {id(owner): groups, id(_unwrapped(owner)): groups})
    except Exception as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:120]}"
        raise InputError(
            f"{type(scheduler).__name__} cannot be copied ({said}), hence not replayed; give scheduler=None"
        ) from error


def _replayed(scheduler: Any, optimizer: Any, count: int, improving: bool = True) -> tuple[np.ndarray, str]:
    """(G, count) sizes, fewer where the scheduler raises, and what it raised."""
    groups = _Groups(optimizer)
    rows, stopped = [[float(group["lr"]) for group in groups.param_groups]], ""
    with _alone():
        twin = copy_of(scheduler, groups)
        plateau = isinstance(twin, schedulers.ReduceLROnPlateau)
        try:
            for _ in range(1, count):
                if not plateau:
                    twin.step()
                elif improving:
                    twin.best = twin.mode_worse
                    twin.step(0.0)
                else:
                    twin.step(twin.mode_worse)
                rows.append([float(group["lr"]) for group in groups.param_groups])
        except Exception as error:
            said = " ".join(str(error).split())[:160]
            stopped = f"{type(error).__name__}: {said}"
    return np.array(rows).T, stopped


def _resumed(
    optimizer: Any, position: int | None, resumed_from: int | None, steps_per_epoch: int | None
) -> tuple[int | None, bool]:
    """How many scheduler steps there should have been, and whether the scheduler is elsewhere."""
    if position is None or resumed_from == 0:
        return None, False
    every = steps_per_epoch or 1
    if resumed_from is not None:
        expected = resumed_from // every
        # One off is a matter of whether it was saved before or after the scheduler's step.
        return expected, abs(position - expected) > 1 or (position == 0 and expected > 0)
    states = [state for state in optimizer.state.values() if state]
    taken = max((int(state["step"]) for state in states if "step" in state), default=0)
    if taken:
        expected = taken // every
        # Without steps_per_epoch a few scheduler steps may be epochs of many steps.
        behind = position == 0 if steps_per_epoch is None else position < 0.9 * expected - 1 or position == 0
        return (expected, True) if behind and expected > 0 else (None, False)
    # A moved momentum shows that steps were taken, not how many.
    moved = any(
        isinstance(value, torch.Tensor) and bool(value.any()) for state in states for value in state.values()
    )
    return None, position == 0 and moved and every == 1
