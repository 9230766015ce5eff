"""Which tensors the compiled loops can take: those whose addresses say all.

A tensor qualifies if its entries fill a block of memory without gaps, in any order of its axes (channels_last
too), in float32 or float64, on the CPU. For others, callers fall back to torch. To look at each costs about
as much as the loop does on a small one, so parameters and state are known again in the next step. Gradients
are new in most steps: they are looked at in each, and never kept.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from operator import attrgetter, is_
from typing import Any, NamedTuple
from weakref import ref

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "TYPES",
    "Column",
    "Columns",
    "Table",
    "addressable",
    "alike",
    "chosen",
    "count_up",
    "fitting",
    "fitting_steps",
    "numbers_of",
    "table_of",
    "table_of_steps",
    "torch_fuses",
]

Column = list[Any]  # tensors; all of a column may be None

_PLAIN = {Tensor, torch.nn.Parameter}  # subclasses (sharded, fake tensors) keep their entries elsewhere
TYPES = {torch.float32: np.float32, torch.float64: np.float64}


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
        and x.dtype in TYPES
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


def _fit(column: Column, kinds: list[torch.dtype], sizes: list[int]) -> bool:
    """Whether all of a column are plain tensors in their natural order, of these types and sizes."""
    return (
        set(map(type, column)) <= _PLAIN
        and all(map(_is_cpu, column))
        and all(map(Tensor.is_contiguous, column))  # no sparse tensor is
        and not any(map(Tensor.is_neg, column))
        and [*map(_dtype, column)] == kinds
        and [*map(Tensor.numel, column)] == sizes
    )


def _empty(column: Column) -> bool:
    return set(map(type, column)) == {type(None)}


def _all_fit(x: Column, *others: Column) -> bool:
    """``addressable`` and ``alike`` for all at once: cheaper from a few on. False only says: look closer."""
    if len(x) < 4:
        return False
    kinds, sizes = [*map(_dtype, x)], [*map(Tensor.numel, x)]
    return (
        TYPES.keys() >= set(kinds)
        and all(_empty(column) or _fit(column, kinds, sizes) for column in (x, *others))
        and not any(map(Tensor.is_inference, x))
    )


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


class Table(NamedTuple):
    """Of some columns: all entries, columns, tensors in each; addresses and ends as they stand in a book."""

    total: int
    columns: int
    tensors: int
    packed: bytes

    def inserted(self, place: int, column: Column) -> Table:
        """With one more column that fits."""
        at = 8 * self.tensors * place
        addresses = struct.pack(f"{self.tensors}q", *map(Tensor.data_ptr, column))
        packed = self.packed[:at] + addresses + self.packed[at:]
        return self._replace(columns=self.columns + 1, packed=packed)


def table_of(columns: Sequence[Column]) -> Table:
    """The table of columns that fit."""
    ends = [*itertools.accumulate(map(Tensor.numel, columns[0]))]
    addresses: list[int] = []
    for column in columns:
        addresses += [0] * len(column) if column[0] is None else map(Tensor.data_ptr, column)
    packed = struct.pack(f"{len(addresses) + len(ends)}q", *addresses, *ends)
    return Table(ends[-1], len(columns), len(ends), packed)


def _traits(tensors: list[Tensor]) -> tuple[list[Any], ...]:
    """What the loops ask of tensors; a cast may change the type and leave address and object."""
    return (
        [*map(Tensor.data_ptr, tensors)],
        [*map(Tensor.numel, tensors)],
        [*map(_dtype, tensors)],
        [*map(Tensor.is_neg, tensors)],
    )


class Columns:
    """The table of columns that are asked for step after step, which it knows again.

    A tensor is known by being the same object, with the same address, size, type and order of its entries.
    They are held by weak references: what an optimiser lets go of, such as old moments, is let go of.
    """

    def __init__(self) -> None:
        self._columns = 0
        self._all: Column = []  # weak references to all tensors, one column after the other; None for none
        self._traits: tuple[list[Any], ...] = ()
        self._table: Table | None = None

    def __call__(self, *columns: Column) -> Table | None:
        """The table of tensors of one type in their natural order; None: there are others, look at each."""
        given = [*itertools.chain(*columns)]
        tensors = [each for each in given if each is not None]
        if not (
            self._table is not None
            and len(columns) == self._columns
            and len(given) == len(self._all)
            and all(map(is_, given, [each and each() for each in self._all]))
            and _traits(tensors) == self._traits
            and all(map(Tensor.is_contiguous, tensors))
        ):
            self._look(columns, given, tensors)
        return self._table

    def _look(self, columns: Sequence[Column], given: Column, tensors: list[Tensor]) -> None:
        x = columns[0]
        self._all, self._table = [], None
        if not x or type(x[0]) not in _PLAIN or x[0].dtype not in TYPES:
            return
        kinds, sizes = [x[0].dtype] * len(x), [*map(Tensor.numel, x)]
        if any(map(Tensor.is_inference, x)):
            return
        if all(_empty(column) or _fit(column, kinds, sizes) for column in columns):
            self._columns, self._all = len(columns), [each if each is None else ref(each) for each in given]
            self._traits = _traits(tensors)
            self._table = table_of(columns)


def table_of_steps(known: Columns, x: Column, gradients: Column, *states: Column) -> Table | None:
    """The table of parameters, gradients and state, if all are in their natural order and of one type."""
    table = known(x, *states)
    if table is None or not _fit(gradients, [x[0].dtype] * len(x), [*map(Tensor.numel, x)]):
        return None
    return table.inserted(1, gradients)


def numbers_of(scalars: Column, known: Columns, plus: int = 0) -> list[float] | None:
    """Read 0-d tensors in one go, after adding ``plus`` to each; None, and nothing done, if they do not fit.

    torch takes 0.5 us for each to read, 1.5 us to add.
    """
    table = known(scalars)
    if table is None or table.total != table.tensors:
        return None
    from nonsmooth.methods import _loops

    numbers = np.empty(table.tensors)
    addresses = np.frombuffer(table.packed, np.int64, table.tensors).copy()
    _loops.count(TYPES[scalars[0].dtype](plus), addresses, numbers)
    return numbers.tolist()


def count_up(steps: Column, known: Columns) -> list[float]:
    """Add 1 to each of the 0-d tensors; what they are then."""
    counts = numbers_of(steps, known, plus=1)
    if counts is None:
        for step in steps:
            step += 1
        counts = [*map(Tensor.item, steps)]
    return counts
