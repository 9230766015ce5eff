"""One call that says what a training run really is: each part looked at, each answer with its evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves, tree_map

from nonsmooth.audit._assumptions import Assumption, assumption_observations, assumptions
from nonsmooth.audit._audit_result import Audit, ordered
from nonsmooth.audit._curvature import curvature
from nonsmooth.audit._derivative import Derivative, derivative
from nonsmooth.audit._membership import whom_it_trains
from nonsmooth.audit._motion import motion
from nonsmooth.audit._penalties import attached_penalty, penalties_in_the_loss, penalties_measured
from nonsmooth.audit._schedule_observations import schedule_observations
from nonsmooth.audit._schedules import ScheduleFacts, schedule_of
from nonsmooth.audit._smoothness import smoothness_of
from nonsmooth.audit._threshold import watch
from nonsmooth.audit._trace import called, takes_model
from nonsmooth.audit._untouched import loss_put_back
from nonsmooth.diagnostics import Sharpness
from nonsmooth.diagnostics._checks import positive, whole
from nonsmooth.diagnostics._unwrapped import unwrapped
from nonsmooth.errors import InputError
from nonsmooth.findings import Observation

__all__ = ["audit"]

# Where the length of the training is not given, so many steps of its schedule are looked at.
_STEPS = 1000
_WATCHED = 20  # steps, for thresholds by hand


@loss_put_back
@torch.inference_mode(False)
@torch.enable_grad()
def audit(
    model: nn.Module,
    example: Any,
    loss: Callable[..., Any] | None = None,
    *,
    optimizer: torch.optim.Optimizer | None = None,
    scheduler: Any = None,
    penalty: Any = None,
    batches: Iterable[Any] | None = None,
    step: Callable[[], Any] | None = None,
    strength: float | None = None,
    steps: int | None = None,
    steps_per_epoch: int | None = None,
    resumed_from: int | None = None,
    training: bool | None = None,
    stochastic: bool = True,
    difference: float | None = None,
    seconds: float = 10.0,
) -> Audit:
    """Audit a model, and as much of its training as is given: kinks, theorems, penalty, curvature.

    Nothing of what is given is changed: not weights, gradients, modes, buffers, random numbers, nor states
    of optimiser, scheduler and penalty: steps that are taken are undone. What ``step`` keeps for itself, such
    as a data iterator or a counter, moves on.

    Args:
        model: a module, of any size; on the meta device it is traced only.
        example: its input; with a loss the pair (input, target).
        loss: ``loss(model(input), target)``, the mean over the samples; an L1 term may be part of it. If its
            first parameter is called ``model`` it is called as ``loss(model, example)``, and only traced.
        optimizer: that trains the model; its step sizes are those it has now.
        scheduler: of the optimiser's step size; None if it stays.
        penalty: what ``ns.attach`` returned.
        batches: data for gradients and curvature, pairs as ``example`` is; None: the example itself.
        step: one training step as a function without arguments, from gradients to whatever follows
            ``optimizer.step()``; it is called up to 20 times, and undone.
        strength: of the L1 penalty that is meant, where ``step`` thresholds weights by hand.
        steps: optimiser steps that the training has still to go.
        steps_per_epoch: optimiser steps to one ``scheduler.step()``; None: one.
        resumed_from: optimiser steps that were taken before an interruption.
        training: the mode in which the model is meant to run; None: the one it is in.
        stochastic: whether gradients are those of drawn batches; False for full-batch training.
        difference: the step h of second differences that are to be judged, in units of the weights.
        seconds: about how long curvature may take; the measurements of slopes may take as long together.

    Returns:
        An :class:`~nonsmooth.audit.Audit`. What could not be decided has the level "unknown"; what was not
        looked at, for want of something to look at, is in ``skipped``.

    Raises:
        InputError: the model or loss raises on the example; a number is out of its range; ``optimizer`` or
            ``penalty`` is none.

    >>> import nonsmooth as ns
    >>> net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    >>> def loss(output, target):
    ...     return ((output - target) ** 2).mean() + 1e-3 * sum(p.abs().sum() for p in net.parameters())
    >>> adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    >>> found = ns.audit(net, (torch.randn(16, 4), torch.randn(16, 1)), loss, optimizer=adam, steps=1000)
    >>> found["l1-in-loss"].level, found["penalty-on-all"].numbers["parameters"]
    ('problem', ['0.bias', '2.bias'])
    """
    began = time.monotonic()
    # The schedule's own checks would be a look that fails; and without an optimiser there is no such look.
    for name, value, low in (
        ("steps", steps, 1),
        ("steps_per_epoch", steps_per_epoch, 1),
        ("resumed_from", resumed_from, 0),
    ):
        if value is not None:
            whole(name, value, low, None)
    for name, size in (("seconds", seconds), ("difference", difference), ("strength", strength)):
        if size is not None:
            positive(name, size)
    _check_objects(optimizer, penalty)
    smooth = smoothness_of(model, example, loss, training=training)
    model, example = unwrapped(model), _copied(example)
    looks = _Looks()
    data = _data(model, example, loss, batches, looks)
    now: Callable[[], torch.Tensor] | None = None
    slopes: Derivative | None = None
    if loss is not None and _has_numbers(model, example):
        now = _value(model, loss, example, training)
        half = _half(example)
        other = None if half is None else _value(model, loss, half, training)
        slopes = looks.facts("derivative", _slopes, model, now, seconds / 2, looks.skipped)
        measured = looks.facts(
            "penalty", penalties_measured, smooth, model, now, other, seconds / 2, looks.skipped
        )
        smooth = smooth if measured is None else measured
    # What an L1 term is, is said with what it reaches, where there is an optimiser to hold it against.
    looks.found += [
        each for each in smooth.observations() if optimizer is None or not each.id.startswith("l1-in-loss")
    ]
    facts: ScheduleFacts | None = None
    known: Sharpness | None = None
    rows: tuple[Assumption, ...] = ()
    held = [each for each in (scheduler, penalty) if hasattr(each, "load_state_dict")]
    if data is not None:
        known = looks.facts(
            "curvature",
            curvature,
            model,
            loss,
            data,
            optimizer,
            step,
            held,
            training=training,
            difference=difference,
            seconds=seconds,
            skipped=looks.skipped,
        )
    if optimizer is None:
        looks.skipped.append(("schedule, penalty and theorems", "give the optimiser with optimizer="))
    else:
        looks.found += whom_it_trains(model, optimizer)
        facts = looks.facts("schedule", _schedule, optimizer, scheduler, steps, steps_per_epoch, resumed_from)
        batch = None if data is None else data[0]
        looks.at("penalty", penalties_in_the_loss, smooth, model, optimizer, facts, steps, now)
        looks.at("penalty", attached_penalty, penalty, model, optimizer, facts, steps)
        if step is None:
            looks.skipped.append(
                (
                    "what follows optimizer.step(), and the kinks that steps cross",
                    "give one training step as a function with step=",
                )
            )
        else:
            looks.at("step", _thresholds, step, model, optimizer, held, strength)
            if batch is not None:
                looks.at("kinks", motion, step, model, optimizer, batch[0], *held)
        if facts is not None:
            rows = tuple(
                assumptions(smooth, facts, optimizer, sharpness=known, stochastic=stochastic, slopes=slopes)
            )
            looks.found += assumption_observations(rows)
    return Audit(
        observations=ordered(looks.found),
        skipped=tuple(looks.skipped),
        smoothness=smooth,
        schedule=facts,
        assumptions=rows,
        sharpness=known,
        seconds=time.monotonic() - began,
    )


class _Looks:
    """Collects observations; a look that fails is an observation too."""

    def __init__(self) -> None:
        self.found: list[Observation] = []
        self.skipped: list[tuple[str, str]] = []

    def at(self, what: str, look: Callable[..., Sequence[Observation]], *args: Any) -> None:
        """Keep what a look says, or that it failed."""
        self.facts(what, lambda: (None, look(*args)))

    def facts(
        self, what: str, look: Callable[..., tuple[Any, Sequence[Observation]]], *args: Any, **options: Any
    ) -> Any:
        """The facts that a look gives, None if it fails; what it says is kept."""
        try:
            facts, said = look(*args, **options)
        except InputError as error:
            why = str(error)
        except Exception as error:  # the user's code and objects run in here
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        else:
            self.found += said
            return facts
        self.found.append(
            Observation(f"{what}-unknown", "unknown", f"The {what} could not be looked at.", why)
        )
        return None


def _thresholds(
    step: Callable[[], Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    held: Sequence[Any],
    strength: float | None,
) -> list[Observation]:
    return watch(step, model, optimizer, _WATCHED, *held).observations(strength)


def _check_objects(optimizer: Any, penalty: Any) -> None:
    if optimizer is not None and not hasattr(optimizer, "param_groups"):
        raise InputError(
            f"optimizer is a {type(optimizer).__name__}; give the torch optimiser that trains the model"
        )
    if penalty is not None and not hasattr(penalty, "terms"):
        raise InputError(f"penalty is a {type(penalty).__name__}; give what ns.attach(...) returned")


def _schedule(
    optimizer: torch.optim.Optimizer,
    scheduler: Any,
    steps: int | None,
    steps_per_epoch: int | None,
    resumed_from: int | None,
) -> tuple[ScheduleFacts, list[Observation]]:
    facts = schedule_of(
        optimizer,
        scheduler,
        _STEPS if steps is None else steps,
        steps_per_epoch=steps_per_epoch,
        resumed_from=resumed_from,
    )
    said = schedule_observations(facts)
    if steps is None:  # of a length that is not known nothing can be unfinished
        said = [each for each in said if each.id not in ("schedule-unfinished", "schedule-idle")]
    return facts, said


def _value(
    model: nn.Module, loss: Callable[..., Any], example: Any, training: bool | None
) -> Callable[[], torch.Tensor]:
    """The loss on the example, as a function of the weights as they are."""

    def value() -> torch.Tensor:
        if training is not None:
            model.train(training)
        now = _copied(example)
        return loss(model, now) if takes_model(loss) else loss(called(model, now[0]), now[1])

    return value


def _copied(example: Any) -> Any:
    """Tensors that the model may write into."""
    return tree_map(lambda x: x.clone() if isinstance(x, torch.Tensor) else x, example)


def _half(example: Any) -> Any:
    """The first half of the samples; None where the example's tensors are not of one length above 1."""
    tensors = [each for each in tree_leaves(example) if isinstance(each, torch.Tensor)]
    lengths = {len(each) if each.dim() else 0 for each in tensors}
    if len(lengths) != 1 or min(lengths) < 2:
        return None
    n = min(lengths) // 2
    return tree_map(lambda each: each[:n] if isinstance(each, torch.Tensor) else each, example)


def _slopes(
    model: nn.Module, value: Callable[[], torch.Tensor], seconds: float, skipped: list[tuple[str, str]]
) -> tuple[Derivative | None, list[Observation]]:
    what = "whether the backward pass gives the derivative of the loss"
    found = derivative(model, value, seconds)
    if isinstance(found, str):
        skipped.append((what, found))
        return None, []
    if found is not None and found.verdict == "not known":
        skipped.append((what, f"rounding, a kink or noise hides it: {found}"))
        return found, []
    return found, [] if found is None else found.observations()


def _has_numbers(model: nn.Module, example: Any) -> bool:
    tensors = [*model.parameters(), *model.buffers(), *tree_leaves(example)]
    return any(p.requires_grad for p in model.parameters()) and not any(
        isinstance(each, torch.Tensor) and each.is_meta for each in tensors
    )


def _data(
    model: nn.Module,
    example: Any,
    loss: Callable[..., Any] | None,
    batches: Iterable[Any] | None,
    looks: _Looks,
) -> list[Any] | None:
    """Batches with numbers in them, for a model that has some; None if there are none."""
    what = "gradients, curvature and kinks on data"
    if loss is None:
        looks.skipped.append((what, "give the loss with loss="))
        return None
    if takes_model(loss):
        looks.skipped.append((what, "give the loss as a function of output and target"))
        return None
    if any(p.is_meta for p in model.parameters()):
        looks.skipped.append((what, "the model is on the meta device and has no weights"))
        return None
    if not any(p.requires_grad for p in model.parameters()):
        looks.skipped.append((what, "the model has no parameters that require a gradient"))
        return None
    if batches is not None and not isinstance(batches, Iterable):
        raise InputError(f"batches = a {type(batches).__name__} is no iterable; give pairs (input, target)")
    data = [example] if batches is None else list(batches)
    pairs = all(isinstance(each, tuple | list) and len(each) == 2 for each in data)
    numbers = [each for each in tree_leaves(data) if isinstance(each, torch.Tensor)]
    if not data or not pairs or any(each.is_meta for each in numbers):
        looks.skipped.append((what, "give pairs (input, target) that hold numbers with batches="))
        return None
    return data
