"""Run something on a user's model and optimiser, and leave both as they were."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

__all__ = ["untouched"]


@contextmanager
def untouched(model: nn.Module, *stateful: Any) -> Iterator[None]:
    """Parameters, buffers, gradients, modes, random numbers and the states of ``stateful`` are put back.

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
    slopes = [None if p.grad is None else p.grad.detach().clone() for p in model.parameters()]
    modes = [(module, module.training) for module in model.modules()]
    states = [copy.deepcopy(each.state_dict()) for each in held]
    with torch.random.fork_rng(_cuda(tensors)):
        try:
            yield
        finally:
            with torch.no_grad():
                for tensor, value in zip(tensors, values, strict=True):
                    tensor.copy_(value)
            for p, slope in zip(model.parameters(), slopes, strict=True):
                p.grad = slope
            for module, mode in modes:
                module.training = mode
            for each, state in zip(held, states, strict=True):
                each.load_state_dict(state)


def _cuda(tensors: list[torch.Tensor]) -> list[int]:
    return sorted({each.device.index or 0 for each in tensors if each.device.type == "cuda"})
