"""The L1 term beside the graph: its subgradient is added to the gradients after the backward pass.

    d/dw (loss + l1 ||w||_1)  =  d loss/dw + l1 sign(w),      sign(0) = 0

which is the element of the subdifferential that differentiating abs() gives. In the graph it costs a tensor
of the weights' size for abs, one for its derivative and one for the product, each written to memory and read
again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from nonsmooth.errors import InputError
from nonsmooth.methods._selection import select_weights

__all__ = ["add_l1_", "l1_norm", "l1_parameters"]

_torch: Any = torch  # the foreach functions are not in its stubs

_PIECE = 1 << 18  # entries whose signs stay in a core's cache until they have been added
_TOGETHER = 1 << 26  # entries whose signs are there at the same time


def l1_parameters(model: nn.Module, which: str) -> list[Tensor]:
    """Those that the L1 term is about: trainable, each once."""
    if which == "all":
        return [p for p in model.parameters() if p.requires_grad]
    return [p for _, p in select_weights(model)]


@torch.no_grad()
def add_l1_(parameters: Sequence[Tensor], strength: float) -> None:
    """Add strength * sign(w) to each gradient, in place; one that has none gets it as its gradient.

    >>> w = nn.Parameter(torch.tensor([2.0, 0.0, -1.0]))
    >>> w.grad = torch.ones(3)
    >>> add_l1_([w], 0.5)
    >>> w.grad
    tensor([1.5000, 1.0000, 0.5000])
    """
    if strength == 0:
        return
    weights, gradients = [], []
    buffers: dict[torch.dtype, Tensor] = {}
    for p in parameters:
        if p.grad is None:  # the loss does not depend on it, the L1 term does
            p.grad = torch.zeros_like(p)
        elif p.grad.layout is not torch.strided:
            raise InputError("the L1 term moves every entry; make layers with sparse=False, or set l1 = 0")
        w, g = p.detach(), p.grad
        if w.is_cpu and w.numel() > _PIECE and w.stride() == g.stride() and (order := _memory_order(w)):
            buffer = buffers.setdefault(w.dtype, torch.empty(_PIECE, dtype=w.dtype))
            _add_in_pieces(w.permute(order).view(-1), g.permute(order).view(-1), strength, buffer)
        else:
            weights.append(w)
            gradients.append(g)
    first, size = 0, 0
    for k, w in enumerate(weights):
        size += w.numel()
        if size >= _TOGETHER or k + 1 == len(weights):
            some = slice(first, k + 1)
            signs = _torch._foreach_sign(weights[some])
            _torch._foreach_add_(gradients[some], signs, alpha=strength)
            first, size = k + 1, 0


def _add_in_pieces(w: Tensor, gradient: Tensor, strength: float, buffer: Tensor) -> None:
    """For large tensors on the CPU: all signs at once would go through memory twice more."""
    for some, onto in zip(w.split(_PIECE), gradient.split(_PIECE), strict=True):
        onto.add_(torch.sign(some, out=buffer[: len(some)]), alpha=strength)


def _memory_order(w: Tensor) -> list[int] | None:
    """The axes from the slowest to the fastest, if the entries fill a block of memory; else None."""
    order = sorted(range(w.ndim), key=lambda axis: (w.stride(axis), w.shape[axis]), reverse=True)
    return order if w.permute(order).is_contiguous() else None


@torch.no_grad()
def l1_norm(parameters: Sequence[Tensor]) -> Tensor:
    """Sum of the absolute values, a 0-d tensor: float64, or float32 on a device without it."""
    if not parameters:
        return torch.zeros(())
    wide = torch.float32 if parameters[0].device.type == "mps" else torch.float64
    return torch.stack([torch.linalg.vector_norm(p.detach(), 1, dtype=wide) for p in parameters]).sum()
