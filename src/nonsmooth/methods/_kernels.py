"""From torch tensors on the CPU to the compiled loops, on as many threads as torch uses.

Nothing is copied: the loops get addresses. Which tensors qualify is said in ``_columns``; for others, callers
fall back to torch.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from nonsmooth.methods._columns import (
    TYPES,
    Column,
    Columns,
    Table,
    addressable,
    alike,
    chosen,
    fitting,
    table_of,
)
from nonsmooth.methods._metric import Metric
from nonsmooth.methods._team import run_in_team

__all__ = ["Shrinkage", "Thresholds", "launch", "soft_threshold_", "soft_thresholds_"]

# Entries below which the work is done before a second thread has begun; and what a thread takes at most at
# once, so that one which the system holds up does not hold up the others.
_ALONE, _PIECE = 1 << 15, 1 << 20


@cache
def _member(name: str, kind: Any) -> int:
    # numba takes half a second to import, which a run that never gets here should not pay.
    from nonsmooth.methods import _loops

    return _loops.member(name, kind)


def launch(
    name: str, columns: Sequence[Column], numbers: list[tuple[float, ...]], table: Table | None = None
) -> None:
    """Run one of the loops.

    Args:
        name: of the loop in ``_loops``.
        columns: the lists of tensors that the loop takes, K each, parameters first; None for one without.
        numbers: for each parameter the numbers that its entries share.
        table: that of the columns, where it is known already.
    """
    if table is not None:
        _run(name, columns[0][0].dtype, table, numbers)
    else:
        kinds = [p.dtype for p in columns[0]]
        for dtype in {*kinds}:
            *own, rows = chosen([k for k, kind in enumerate(kinds) if kind is dtype], *columns, numbers)
            _run(name, dtype, table_of(own), rows)
    torch.autograd.graph.increment_version(columns[0])  # else autograd would not notice what happened


def _run(name: str, dtype: torch.dtype, table: Table, numbers: list[tuple[float, ...]]) -> None:
    total, columns, tensors, packed = table
    if total == 0:
        return
    rows = numbers[:1] if numbers.count(numbers[0]) == len(numbers) else numbers
    threads = 1 if total <= _ALONE else torch.get_num_threads()
    piece = min(_PIECE, -(-total // (2 * threads))) if threads > 1 else total
    head = struct.pack("7q", 0, total, piece, columns, tensors, len(rows), len(rows[0]))
    shared = [*itertools.chain.from_iterable(rows)]
    book = bytearray().join((head, packed, struct.pack(f"{len(shared)}d", *shared)))
    run_in_team(_member(name, TYPES[dtype]), book, threads)


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
    """``soft_thresholds_`` on the same parameters step after step, which knows them again."""

    def __init__(self) -> None:
        self._known = Columns()

    def __call__(
        self, x: Column, strengths: Sequence[tuple[float, float]], numbers: list[Metric], moments: Column
    ) -> bool:
        """As ``soft_threshold_`` of each.

        Args:
            x: parameters.
            strengths: l1 and l2 of each.
            numbers, moments: of their metrics, see ``Metrics``.

        Returns:
            False, with nothing done, if some of them are not for the loops or must be looked at one by one.
        """
        table = self._known(x, moments)
        if table is None:
            return False
        keys = [*zip(strengths, map(id, numbers), strict=True)]
        rows: dict[tuple[tuple[float, float], int], tuple[float, ...]] = {}
        for (l1_l2, number), metric in dict(zip(keys, numbers, strict=True)).items():
            if not _at_hand(metric):
                return False
            rows[l1_l2, number] = _numbers(*l1_l2, metric)
        launch("threshold", [x, moments], [*map(rows.__getitem__, keys)], table)
        return True


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
