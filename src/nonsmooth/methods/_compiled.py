"""The one-pass steps written in torch, for ``torch.compile`` to make one kernel of on any device.

They do what the loops of the same names in ``_loops`` do. The numbers arrive as tensors on the device: a
Python number that changes (a learning rate, a bias correction) would be compiled anew. The foreach functions
are those that torch's own optimisers are written in; a chain of them becomes one kernel over all tensors.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from nonsmooth.methods._columns import Column
from nonsmooth.methods._metric import local

__all__ = ["adam", "run", "sgd"]

_torch: Any = torch  # the foreach functions are not in its stubs


def _wide(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Half precision as float32, in which the kernel computes."""
    return [x.float() if x.dtype.itemsize < 4 else x for x in tensors]


def _soft(x: Any, cut: Any, divisor: Any) -> Any:
    """soft(x, cut) / divisor; the two clamps keep a NaN."""
    over = _torch._foreach_clamp_min(_torch._foreach_sub(x, cut), 0.0)
    under = _torch._foreach_clamp_max(_torch._foreach_add(x, cut), 0.0)
    return _torch._foreach_div(_torch._foreach_add(over, under), divisor)


def _directions(x: Any, gradients: Any, sign: Tensor, ridge: Tensor) -> Any:
    return _torch._foreach_add(_torch._foreach_mul(gradients, sign), _torch._foreach_mul(x, ridge))


def adam(tensors: Sequence[Sequence[Tensor]], numbers: Tensor) -> None:
    """A step of Adam, then the proximal step.

    Args:
        tensors: lists of parameters, gradients, first and second moments.
        numbers: (11,), those of ``_loops.adam``.
    """
    sign, ridge, keep, w1, b2, w2, size, scale, eps, a, b = numbers.unbind()
    x, g, m, v = map(_wide, tensors)
    g = _directions(x, g, sign, ridge)
    first = _torch._foreach_add(m, _torch._foreach_mul(_torch._foreach_sub(g, m), w1))
    squares = _torch._foreach_mul(_torch._foreach_mul(g, g), w2)
    second = _torch._foreach_add(_torch._foreach_mul(v, b2), squares)
    d = _torch._foreach_add(_torch._foreach_mul(_torch._foreach_sqrt(second), scale), eps)
    d = _torch._foreach_clamp_min(d, torch.finfo(x[0].dtype).tiny)
    move = _torch._foreach_mul(_torch._foreach_div(first, d), size)
    x = _torch._foreach_sub(_torch._foreach_mul(x, keep), move)
    inverse = _torch._foreach_reciprocal(d)
    divisor = _torch._foreach_add(_torch._foreach_mul(inverse, b), 1.0)
    x = _soft(x, _torch._foreach_mul(inverse, a), divisor)
    for old, new in zip((tensors[0], *tensors[2:]), (x, first, second), strict=True):
        _torch._foreach_copy_(old, new)


def sgd(tensors: Sequence[Sequence[Tensor]], numbers: Tensor, nesterov: bool) -> None:
    """A step of SGD, then the proximal step.

    Args:
        tensors: lists of parameters, gradients and, with momentum, buffers.
        numbers: (8,), those of ``_loops.sgd``.
        nesterov: whether Nesterov's momentum among them is not 0.
    """
    sign, ridge, size, keep, gain, ahead, a, b = numbers.unbind()
    x, g, *buffers = map(_wide, tensors)
    g = _directions(x, g, sign, ridge)
    if buffers:
        first = _torch._foreach_add(_torch._foreach_mul(buffers[0], keep), _torch._foreach_mul(g, gain))
        _torch._foreach_copy_(tensors[2], first)
        g = _torch._foreach_add(g, _torch._foreach_mul(first, ahead)) if nesterov else first
    x = _torch._foreach_sub(x, _torch._foreach_mul(g, size))
    cut, divisor = [a.expand_as(each) for each in x], [(1 + b).expand_as(each) for each in x]
    _torch._foreach_copy_(tensors[0], _soft(x, cut, divisor))


@cache
def _kernel(name: str) -> Any:
    return torch.compile({"adam": adam, "sgd": sgd}[name], fullgraph=True)


def run(name: str, columns: Sequence[Column], numbers: Sequence[tuple[float, ...]]) -> None:
    """Run a compiled step.

    Args:
        name: "adam" or "sgd".
        columns: the lists of tensors that it takes, parameters first; None for one without.
        numbers: for each the numbers that its entries share.
    """
    alike = defaultdict(list)
    for row, own in zip(zip(*columns, strict=True), numbers, strict=True):
        tensors = [local(each) for each in row if each is not None]  # sharded: each rank does its own part
        alike[own, tensors[0].device, tensors[0].dtype, len(tensors)].append(tensors)
    for (own, device, dtype, _), group in alike.items():
        precise = torch.float32 if dtype.itemsize < 4 else dtype
        shared = torch.tensor(own, dtype=torch.float64).to(device=device, dtype=precise)
        lists = [list(each) for each in zip(*group, strict=True)]
        options = {"nesterov": own[5] != 0} if name == "sgd" else {}
        _kernel(name)(lists, shared, **options)
