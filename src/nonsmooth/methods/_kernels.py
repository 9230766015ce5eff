"""From torch tensors on the CPU to the compiled loops, on as many threads as torch uses.

Nothing is copied: the loops get addresses. A tensor qualifies if its entries fill a block of memory without gaps,
in any order of its axes (channels_last too), in float32 or float64. Whoever calls falls back to torch for others.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nonsmooth.methods._metric import Metric
from nonsmooth.methods._workers import share

__all__ = ["addressable", "alike", "beside", "launch", "Shrinkage", "soft_threshold_", "soft_thresholds_"]

_PLAIN = (Tensor, torch.nn.Parameter)  # subclasses (sharded, fake, quantised tensors) keep their entries elsewhere
_TYPES = {torch.float32: np.float32, torch.float64: np.float64}

# Entries below which the work is done before a second thread has woken up; and what a thread takes at most at
# once, so that one which the system holds up does not hold up the others for long.
_ALONE, _PIECE = 1 << 17, 1 << 20


@cache
def _loops() -> Any:
    # numba takes half a second to import, which a run that never gets here should not pay.
    from nonsmooth.methods import _loops

    return _loops


def _dense(x: Tensor) -> bool:
    """Whether the entries fill a block of memory, in whatever order of the axes."""
    if x.is_contiguous():
        return True
    expected = 1
    for stride, size in sorted((s, n) for s, n in zip(x.stride(), x.shape, strict=True) if n != 1):
        if stride != expected:
            return False
        expected *= size
    return True


def addressable(x: Tensor) -> bool:
    """Whether the loops can take x."""
    return (
        type(x) in _PLAIN
        and x.dtype in _TYPES
        and x.is_cpu
        and x.layout is torch.strided
        and not x.is_neg()
        and not x.is_inference()
        and _dense(x)
    )


def alike(x: Tensor, other: Tensor) -> bool:
    """Whether a tensor has its entries where an addressable x has its own."""
    return (
        type(other) in _PLAIN
        and other.dtype is x.dtype
        and other.is_cpu
        and other.layout is torch.strided
        and other.shape == x.shape
        and (other.stride() == x.stride() or x.numel() == 0)
        and not other.is_neg()
    )


def beside(gradient: Tensor, x: Tensor) -> Tensor:
    """The gradient with its entries where those of x are; itself, where it has them there already."""
    return gradient if alike(x, gradient) else torch.empty_like(x).copy_(gradient)


def launch(
    name: str, tensors: Sequence[Sequence[Tensor | None]], numbers: Sequence[Sequence[float]]
) -> None:
    """Run one of the loops.

    Args:
        name: of the loop in ``_loops``.
        tensors: for each of K parameters of one dtype the tensors whose addresses it takes; the first, x, is changed.
        numbers: for each the numbers that its entries share.
    """
    x = [row[0] for row in tensors]
    kind = _TYPES[x[0].dtype]
    ends = np.fromiter(itertools.accumulate(each.numel() for each in x), np.int64, len(x))
    total = int(ends[-1])
    if total == 0:
        return
    addresses = np.array([[0 if t is None else t.data_ptr() for t in row] for row in tensors], np.int64)
    loop: Callable[..., None] = getattr(_loops(), name)
    fixed = (kind(1), np.finfo(kind).tiny, addresses, np.array(numbers, np.float64), ends)
    threads = torch.get_num_threads()
    if total <= _ALONE or threads == 1:
        loop(*fixed, 0, total)
    else:
        piece = min(_PIECE, max(_ALONE, -(-total // (2 * threads))))
        share(lambda begin, end: loop(*fixed, begin, end), total, piece, threads)
    torch.autograd.graph.increment_version(x)  # else autograd would not notice what happened to x


class Shrinkage(NamedTuple):
    """One parameter's proximal step of l1 ||.||_1 + l2 ||.||^2, strengths >= 0, in the metric."""

    parameter: Tensor
    l1: float
    l2: float
    metric: Metric


def soft_threshold_(p: Tensor, l1: float, l2: float, metric: Metric) -> bool:
    """p <- prox of l1 ||p||_1 + l2 ||p||^2 in the metric, in place: p and the moment are read, p is written.

    Args:
        p: the parameter, any shape.
        l1, l2: strengths >= 0.
        metric: the effective step, see ``Metric``.

    Returns:
        False, with nothing done, where this tensor is not one for the loops (device, dtype, gaps, subclass):
        use ``penalty.prox(p, metric.step(), out=p)``.

    >>> x = torch.tensor([3.0, -0.2, 1.0])
    >>> soft_threshold_(x, 1.0, 0.0, Metric(0.5)), x
    (True, tensor([2.5000, 0.0000, 0.5000]))
    """
    return not soft_thresholds_([Shrinkage(p, l1, l2, metric)])


def soft_thresholds_(work: Iterable[Shrinkage]) -> list[Shrinkage]:
    """``soft_threshold_`` of many parameters in one go, on all threads; returns those it could not do."""
    left = []
    ready: dict[torch.dtype, tuple[list[Any], list[Any]]] = {}
    for each in work:
        p, l1, l2, metric = each
        step, moment, scale, eps, root = (
            metric.numerator, metric.moment, metric.scale, metric.eps, metric.root,
        )  # fmt: skip
        at_hand = not any([isinstance(number, Tensor) and not number.is_cpu for number in (step, scale, eps)])
        if at_hand and addressable(p) and (moment is None or alike(p, moment)):
            tensors, numbers = ready.setdefault(p.dtype, ([], []))
            tensors.append((p, moment))
            # An infinite step of no strength is no step: 0 x infinity would be NaN.
            numbers.append((step * l1 if l1 else 0.0, 2 * step * l2 if l2 else 0.0, scale, eps, root))
        else:
            left.append(each)
    for tensors, numbers in ready.values():
        launch("threshold", tensors, numbers)
    return left
