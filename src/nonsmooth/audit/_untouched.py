"""Run something on a user's model and optimiser, and leave both as they were."""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
from torch import nn
from torch.autograd.grad_mode import _unsafe_preserve_version_counter

from nonsmooth.diagnostics._randomness import randomness_kept

P = ParamSpec("P")
T = TypeVar("T")

__all__ = ["loss_put_back", "settled", "untouched", "without_hooks"]


@contextmanager
def untouched(model: nn.Module, *stateful: Any) -> Iterator[None]:
    """Parameters, buffers, gradients, modes, random numbers and the states of ``stateful`` are put back.

    So are numbers, words and truth values that modules keep for themselves, such as a count of calls; and
    graphs that hold the parameters can still be derived.

    Args:
        model: any module.
        stateful: optimisers, schedulers, attachments, gradient scalers: what has ``state_dict`` and
            ``load_state_dict``; None is left out. An optimiser's state tensors are put back in place.

    >>> model = nn.Linear(2, 1)
    >>> before = model.weight.clone()
    >>> with untouched(model):
    ...     _ = nn.init.zeros_(model.weight)
    >>> torch.equal(model.weight, before)
    True
    """
    held = [each for each in stateful if each is not None]
    tensors = [*model.parameters(), *model.buffers()]
    with torch.no_grad():
        values = [each.detach().clone() for each in tensors]
    slopes = [(p.grad, None if p.grad is None else p.grad.detach().clone()) for p in model.parameters()]
    own = [(module, _plain(module), dict(module._buffers)) for module in model.modules()]
    states = [copy.deepcopy(each.state_dict()) for each in held]
    with ExitStack() as kept:
        kept.enter_context(randomness_kept(_cuda(tensors)))
        for tensor in tensors:
            if not tensor.is_inference():
                kept.enter_context(_unsafe_preserve_version_counter(tensor))
        try:
            yield
        finally:
            with torch.no_grad():
                for tensor, value in zip(tensors, values, strict=True):
                    tensor.copy_(value)
            for p, (slope, kept_slope) in zip(model.parameters(), slopes, strict=True):
                p.grad = slope
                if slope is not None and kept_slope is not None:
                    slope.copy_(kept_slope)
            for module, values_of_its_own, buffers in own:
                module._buffers.update(buffers)  # one may have been assigned anew
                for name in _plain(module).keys() - values_of_its_own.keys():
                    del module.__dict__[name]
                module.__dict__.update(values_of_its_own)
            for each, state in zip(held, states, strict=True):
                each.load_state_dict(state)


def settled(model: nn.Module, value: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """A loss that is the same function at each call: the same draws, the same buffers at its start.

    For use within :func:`untouched`: buffers (running statistics, the vectors of a power iteration) and the
    random numbers move.
    """
    names = [(module, dict(module._buffers)) for module in model.modules()]
    buffers = [(each, each.detach().clone()) for each in model.buffers()]
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002

    def again() -> torch.Tensor:
        for module, held in names:
            module._buffers.update(held)
        with torch.no_grad():
            for buffer, kept in buffers:
                buffer.copy_(kept)
        torch.manual_seed(0)
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        return value()

    return again


def loss_put_back(call: Callable[P, T]) -> Callable[P, T]:
    """For a function of (model, example, loss): what a loss module holds is put back as well."""

    @functools.wraps(call)
    def called(*args: P.args, **options: P.kwargs) -> T:
        loss = args[2] if len(args) > 2 else options.get("loss")
        with untouched(loss) if isinstance(loss, nn.Module) else nullcontext():
            return call(*args, **options)

    return called


@contextmanager
def without_hooks(model: nn.Module) -> Iterator[None]:
    """Hooks on the parameters' gradients (clipping, masks) are off: they are the step's, not the loss's."""
    kept = [(p, p._backward_hooks) for p in model.parameters() if p._backward_hooks]
    try:
        for p, _ in kept:
            p._backward_hooks = None
        yield
    finally:
        for p, hooks in kept:
            p._backward_hooks = hooks


def _plain(module: nn.Module) -> dict[str, Any]:
    return {
        name: value
        for name, value in module.__dict__.items()
        if value is None or isinstance(value, bool | int | float | str)
    }


def _cuda(tensors: list[torch.Tensor]) -> list[int]:
    return sorted({each.device.index or 0 for each in tensors if each.device.type == "cuda"})
