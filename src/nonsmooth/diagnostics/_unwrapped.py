"""The module that is trained, below what has been put around it."""

from __future__ import annotations

from typing import Any

from torch import nn

from nonsmooth.errors import InputError

__all__ = ["unwrapped"]


def unwrapped(model: Any) -> nn.Module:
    """The module below torch.compile and the parallel wrappers, whatever their order.

    Raises:
        InputError: it is no module.
    """
    while isinstance(model, nn.Module):
        inner = getattr(model, "_orig_mod", None)
        if inner is None and isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel):
            inner = model.module
        if not isinstance(inner, nn.Module):
            return model
        model = inner
    raise InputError(f"model is a {type(model).__name__}; give a torch.nn.Module")
