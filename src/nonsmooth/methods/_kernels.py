"""From torch tensors on the CPU to the compiled loops, on as many threads as torch uses.

Nothing is copied: the loops get addresses. A tensor qualifies if its entries fill a block of memory without
gaps, in any order of its axes (channels_last too), in float32 or float64. For others, callers fall back to
torch.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from functools import cache
from operator import attrgetter, is_
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from nonsmooth.methods._metric import Metric
from nonsmooth.methods._team import run_in_team

__all__ = [
    "Column",
    "Shrinkage",
    "Thresholds",
    "addressable",
    "alike",
    "chosen",
    "count_up",
    "fitting",
    "fitting_steps",
    "launch",
    "soft_threshold_",
    "soft_thresholds_",
    "torch_fuses",
]

Column = list[Any]  # tensors; all of a column may be None

_PLAIN = {Tensor, torch.nn.Parameter}  # subclasses (sharded, fake tensors) keep their entries elsewhere
_TYPES = {torch.float32: np.float32, torch.float64: np.float64}

# Entries below which the work is done before a second thread has begun; and what a thread takes at most at
# once, so that one which the system holds up does not hold up the others.
_ALONE, _PIECE = 1 << 15, 1 << 20


@cache
def _member(name: str, kind: Any) -> int:
    # numba takes half a second to import, which a run that never gets here should not pay.
    from nonsmooth.methods import _loops

    return _loops.member(name, kind)


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


def alike(x: Tensor, other: Tensor | None) -> bool:
    """Whether a tensor, if there is one, has its entries where an addressable x has its own."""
    return other is None or (
        type(other) in _PLAIN
        and other.dtype is x.dtype
        and other.is_cpu
        and other.layout is torch.strided
        and not other.is_neg()
        and (
            (x.is_contiguous() and other.is_contiguous() and other.numel() == x.numel())
            or (other.shape == x.shape and other.stride() == x.stride())
        )
    )


_dtype, _is_cpu = attrgetter("dtype"), attrgetter("is_cpu")


def _all_fit(x: Column, *others: Column) -> bool:
    """``addressable`` and ``alike`` for all at once: cheaper from a few on. False only says: look closer."""
    if len(x) < 4:
        return False
    kinds, sizes = [*map(_dtype, x)], [*map(Tensor.numel, x)]
    for column in (x, *others):
        classes = set(map(type, column))
        if classes == {type(None)}:
            continue
        if not (
            classes <= _PLAIN
            and all(map(_is_cpu, column))
            and all(map(Tensor.is_contiguous, column))  # no sparse tensor is
            and not any(map(Tensor.is_neg, column))
            and [*map(_dtype, column)] == kinds
            and [*map(Tensor.numel, column)] == sizes
        ):
            return False
    return _TYPES.keys() >= set(kinds) and not any(map(Tensor.is_inference, x))


def fitting(x: Column, *others: Column) -> list[int]:
    """For which places the loops can take the tensors of all columns: the parameters, their state."""
    if _all_fit(x, *others):
        return list(range(len(x)))
    return _looked_at(x, *others)


def _looked_at(x: Column, *others: Column) -> list[int]:
    fit = []
    for k, p in enumerate(x):
        if addressable(p):
            for column in others:
                if not alike(p, column[k]):
                    break
            else:
                fit.append(k)
    return fit


def fitting_steps(x: Column, gradients: Column, *states: Column) -> tuple[list[int], Column]:
    """``fitting``, whatever the order of the gradients' entries; and these gradients, in the order of x."""
    if _all_fit(x, gradients, *states):
        return list(range(len(x))), gradients
    fit = _looked_at(x, *states)
    return fit, [
        gradients[k] if alike(x[k], gradients[k]) else torch.empty_like(x[k]).copy_(gradients[k]) for k in fit
    ]


def chosen(places: Column, *columns: Column) -> list[Column]:
    """The columns' entries at the places."""
    return [column if len(places) == len(column) else [column[k] for k in places] for column in columns]


def torch_fuses(x: Tensor, gradient: Tensor) -> bool:
    """Whether torch's own fused step is right. On the CPU (torch 2.13) it takes tensors for blocks without
    gaps, all in the same order, and silently gives wrong numbers for others."""
    return not x.is_cpu or (_dense(x) and gradient.stride() == x.stride())


def launch(name: str, columns: Sequence[Column], numbers: list[tuple[float, ...]]) -> None:
    """Run one of the loops.

    Args:
        name: of the loop in ``_loops``.
        columns: the lists of tensors that the loop takes, K each, parameters first; None for one without.
        numbers: for each parameter the numbers that its entries share.
    """
    kinds = [*map(_dtype, columns[0])]
    for dtype in {*kinds}:
        *own, rows = chosen([k for k, kind in enumerate(kinds) if kind is dtype], *columns, numbers)
        _run(name, dtype, _table(own), rows)
    torch.autograd.graph.increment_version(columns[0])  # else autograd would not notice what happened


class _Table(NamedTuple):
    """Of some columns: all entries, columns, tensors in each; addresses and ends as they stand in a book."""

    total: int
    columns: int
    tensors: int
    packed: bytes


def _table(columns: Sequence[Column]) -> _Table:
    ends = [*itertools.accumulate(map(Tensor.numel, columns[0]))]
    addresses: list[int] = []
    for column in columns:
        addresses += [0] * len(column) if column[0] is None else map(Tensor.data_ptr, column)
    packed = struct.pack(f"{len(addresses) + len(ends)}q", *addresses, *ends)
    return _Table(ends[-1], len(columns), len(ends), packed)


def _run(name: str, dtype: torch.dtype, table: _Table, numbers: list[tuple[float, ...]]) -> None:
    total, columns, tensors, packed = table
    if total == 0:
        return
    rows = numbers[:1] if numbers.count(numbers[0]) == len(numbers) else numbers
    threads = 1 if total <= _ALONE else torch.get_num_threads()
    piece = min(_PIECE, -(-total // (2 * threads))) if threads > 1 else total
    head = struct.pack("7q", 0, total, piece, columns, tensors, len(rows), len(rows[0]))
    shared = [*itertools.chain.from_iterable(rows)]
    book = bytearray().join((head, packed, struct.pack(f"{len(shared)}d", *shared)))
    run_in_team(_member(name, _TYPES[dtype]), book, threads)


def count_up(steps: Column) -> list[float]:
    """Add 1 to each of the 0-d tensors; what they are then. torch takes 1.5 us a tensor for this."""
    if _all_fit(steps) and len(set(map(_dtype, steps))) == 1:
        from nonsmooth.methods import _loops

        counts = np.empty(len(steps))
        _loops.count(_TYPES[steps[0].dtype](1), np.array([*map(Tensor.data_ptr, steps)]), counts)
        return counts.tolist()
    for step in steps:
        step += 1
    return [*map(Tensor.item, steps)]


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
    if not (addressable(p) and alike(p, metric.moment) and _at_hand(metric)):
        return False
    launch("threshold", [[p], [metric.moment]], [_numbers(l1, l2, metric)])
    return True


def soft_thresholds_(work: Sequence[Shrinkage]) -> list[Shrinkage]:
    """``soft_threshold_`` of many parameters in one go, on all threads; returns those it could not do."""
    x, moments = [each[0] for each in work], [each[3][1] for each in work]
    # The loop takes the moments of all or of none.
    bare, scaled = [], []
    for k in fitting(x, moments):
        if _at_hand(work[k].metric):
            (bare if moments[k] is None else scaled).append(k)
    for some in (bare, scaled):
        if some:
            launch("threshold", chosen(some, x, moments), [_numbers(*work[k][1:]) for k in some])
    done = {*bare, *scaled}
    return [each for k, each in enumerate(work) if k not in done] if len(done) < len(work) else []


class Thresholds:
    """``soft_thresholds_`` on the same parameters step after step, which knows them again.

    A parameter is known by being the same object, and it and its moment by where their entries lie, how many
    they are and of which type. What else the loops ask of a tensor cannot change without one of these.
    """

    def __init__(self) -> None:
        self._x: Column = []
        self._traits: tuple[list[Any], ...] = ()
        self._table = _Table(0, 0, 0, b"")

    def __call__(self, work: Sequence[Shrinkage]) -> list[Shrinkage]:
        """As ``soft_thresholds_``."""
        x, metrics = [each[0] for each in work], [each[3] for each in work]
        tensors: Column = [*x, *(metric[1] for metric in metrics if metric[1] is not None)]
        # Tensors without gaps in their natural order: an order of the axes would be one trait more.
        if not (all(map(Tensor.is_contiguous, tensors)) and all(map(_at_hand, metrics))):  # pyright: ignore
            return soft_thresholds_(work)
        traits = tuple([*map(trait, tensors)] for trait in (Tensor.data_ptr, _dtype, Tensor.numel))  # pyright: ignore
        if len(x) == len(self._x) and all(map(is_, x, self._x)) and traits == self._traits:
            _run("threshold", traits[1][0], self._table, [_numbers(*each[1:]) for each in work])
            torch.autograd.graph.increment_version(x)
            return []
        left = soft_thresholds_(work)
        if not left and len(tensors) in (len(x), 2 * len(x)) and len({*traits[1]}) == 1:
            self._x, self._traits = x, traits
            self._table = _table([x, tensors[len(x) :] or [None] * len(x)])
        return left


def _at_hand(metric: Metric) -> bool:
    """Whether the metric's numbers can be read without waiting for a device."""
    numerator, _, scale, eps, _ = metric
    if type(numerator) is type(scale) is type(eps) is float:
        return True
    return all(each.is_cpu for each in (numerator, scale, eps) if isinstance(each, Tensor))


def _numbers(l1: float, l2: float, metric: Metric) -> tuple[float, ...]:
    """What the entries share. An infinite step of no strength is no step: 0 x infinity would be NaN."""
    step = metric.numerator
    return (step * l1 if l1 else 0.0, 2 * step * l2 if l2 else 0.0, metric.scale, metric.eps, metric.root)
