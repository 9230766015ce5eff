"""A training on several processes: the first one measures and writes, and what it refuses, all refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch.distributed as dist
from torch import nn

from nonsmooth.errors import InputError

__all__ = ["check_alone", "is_first", "made_by_first"]

Made = TypeVar("Made")


def _several() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1


def is_first() -> bool:
    """Whether this is the only process of a training, or the first of several."""
    return not _several() or dist.get_rank() == 0


def made_by_first(first: bool, make: Callable[[], Made]) -> Made | None:
    """What ``make`` gives on the first process, None on the others.

    All processes call this. If ``make`` raises, all of them do: one that went on alone would wait for the
    first in its next step, until its connection times out.

    Args:
        first: whether this process is the first, where torch.distributed does not say so.
        make: called on the first process only.

    Raises:
        InputError: on the others, with the words of the first.
    """
    if not _several():
        return make() if first else None
    said: list[str | None] = [None]
    made, raised = None, None
    if is_first():
        try:
            made = make()
        except Exception as error:
            raised, said[0] = error, str(error)
    dist.broadcast_object_list(said, src=0)
    if raised is not None:
        raise raised
    if said[0] is not None:
        raise InputError(f"on the first process: {said[0]}")
    return made


def check_alone(model: nn.Module) -> None:
    """Raise InputError for a model whose forward pass waits for the other processes."""
    if not _several():
        return
    for name, module in model.named_modules():
        if isinstance(module, nn.SyncBatchNorm) and module.training:
            raise InputError(
                f"{name or 'model'} is a SyncBatchNorm, which waits for all processes where one measures; "
                "give neither a probe nor sharpness_every, or train it as a BatchNorm"
            )
