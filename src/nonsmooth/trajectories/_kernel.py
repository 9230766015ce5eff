"""The paper's recursions, compiled.

One loop serves every objective of the form  weight * sum_i l((Wx)_i; y_i) + l1 ||x||_1 + l2 ||x||^2  and
every method in ``nonsmooth.methods`` with a ``code``. It is written on vectors (see ``_vector.py``), and
what a vector holds depends on the objective:

    data       neighbouring coordinates of one run, so that its W stays in cache while its steps run. W is
               taken in strips, all rows by ``STRIP`` vectors: a strip pulls the slopes back, its coordinates
               move, and it predicts with them while it still lies in the first cache. So W is streamed once
               a step, not twice. The channels of the run are the lanes of one vector.
    no data    one coordinate of as many runs as a vector has lanes; each channel of theirs is a vector.

The order of every sum is fixed by the objective's shape, and a lane by its own run alone: the bits of a run
depend neither on its neighbours nor on the number of threads.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from nonsmooth.trajectories._steps import STRIP, Hot, Rule, advance, loss
from nonsmooth.trajectories._vector import (
    LINE,
    above,
    count,
    load,
    magnitude,
    peak,
    pick,
    pointer,
    root,
    rows_of_vectors,
    splat,
    store,
    total,
)

__all__ = ["Problem", "Records", "Rule", "run"]

_NOW, _LAST, _SCALE, _LOW, _HIGH, _LATE_LOW, _LATE_HIGH, _HEADING, _ROWS = range(9)  # rows of the book

# Only what every step passes through is inlined, as in _steps.py.
_called, _inlined = njit(error_model="numpy"), njit(error_model="numpy", forceinline=True)


class Problem(NamedTuple):
    """What B runs minimise, and how they move; arrays and numbers of one dtype.

    W (B or 1, N, P), y (B or 1, N), start (B, P); N = 0 without data. The codes and widths are those of the
    objective's loss and penalty; ``bent``: the penalty's width is positive. The step of run b at time t is
    base[b] profile[t]; base, l1 and l2 are (B,).
    """

    loss: int
    loss_width: Any
    weight: Any
    width: Any
    bent: bool
    W: Any
    y: Any
    l1: Any
    l2: Any
    base: Any
    profile: Any
    start: Any


class Records(NamedTuple):
    """The outputs, named and shaped as in ``Run``. Each entry is written, except that ``diverged_at`` must
    come in as -1 and ``tail`` as NaN."""

    final: Any
    curves: Any
    low: Any
    high: Any
    late_low: Any
    late_high: Any
    rises: Any
    turns: Any
    diverged_at: Any
    tail: Any


class _Scratch(NamedTuple):
    """Of the runs in progress, in rows of vectors: x and state; inside: 1 for a coordinate, 0 for a spare
    place; strengths: l1, l2 and base; g: the data term's gradient in one strip; W in strips; sums: what x
    predicts, lanes not yet added; book: for each vector of channels its rows ``_NOW``..``_HEADING``; grown
    and turned: rises and turns.

    And, (N,), the predictions z, those of the time before, FISTA's trial ones, and the loss's slopes.
    """

    x: Any
    state: Any
    inside: Any
    strengths: Any
    g: Any
    W: Any
    sums: Any
    z: Any
    before: Any
    trial: Any
    slopes: Any
    book: Any
    grown: Any
    turned: Any


@_inlined
def _widen(book, low, high, now):
    """Extend the extrema in rows ``low`` and ``high``."""
    a, b = load(book, low), load(book, high)
    store(book, low, pick(a, now, now, a))
    store(book, high, pick(now, b, now, b))


@_inlined
def _note(c, late, book, grown, turned):
    """Enter what vector c of the channels is now.

    A rise, and a turn (of the first vector's), must be more than 1e-12 of the first value or the last.
    """
    r = c * _ROWS
    now, last, scale = load(book, r + _NOW), load(book, r + _LAST), load(book, r + _SCALE)
    far, change, zero = magnitude(last), now - last, splat(0, book)
    floor = splat(1e-12, book) * pick(scale, far, scale, far)
    _widen(book, r + _LOW, r + _HIGH, now)
    count(grown, c, change, floor)
    if late:
        _widen(book, r + _LATE_LOW, r + _LATE_HIGH, now)
        if c == 0:
            heading = load(book, _HEADING)
            ahead = pick(change, floor, splat(1, book), pick(zero - change, floor, splat(-1, book), heading))
            count(turned, 0, zero, ahead * heading)
            store(book, _HEADING, ahead)
    store(book, r + _LAST, now)


@_called
def _copy_out(x, across, lane, out):
    """One run's coordinates, in order."""
    lanes = x.shape[1]
    for k in range(out.shape[0]):
        out[k] = x[k, lane] if across else x[k // lanes, k % lanes]


@_called
def _open(b, lane, across, problem, scratch):
    """Set up run b: in one lane, or in all."""
    lanes = scratch.x.shape[1]
    for k in range(problem.start.shape[1]):
        row, place = (k, lane) if across else (k // lanes, k % lanes)
        scratch.x[row, place] = problem.start[b, k]
        scratch.inside[row, place] = 1
    for j in range(lane, lane + 1 if across else lanes):
        scratch.strengths[0, j] = problem.l1[b]
        scratch.strengths[1, j] = problem.l2[b]
        scratch.strengths[2, j] = problem.base[b]


@_called
def _pack(W, out):
    """One W (N, P) in strips; the spare places stay zero."""
    (rows, P), lanes, n = W.shape, out.shape[1], 0
    for strip in range(0, P, STRIP * lanes):
        for i in range(rows):
            for first in range(strip, strip + STRIP * lanes, lanes):
                for k in range(first, min(first + lanes, P)):
                    out[n, k - first] = W[i, k]
                n += 1


@_called
def _close(b, lane, across, scratch, out):
    """Write one run's last iterate and records."""
    book = scratch.book
    _copy_out(scratch.x, across, lane, out.final[b])
    for c in range(4):
        vector, j = (c, lane) if across else (0, c)
        r = vector * _ROWS
        out.low[b, c], out.high[b, c] = book[r + _LOW, j], book[r + _HIGH, j]
        out.late_low[b, c], out.late_high[b, c] = book[r + _LATE_LOW, j], book[r + _LATE_HIGH, j]
        out.rises[b, c] = scratch.grown[vector, j]
    out.turns[b] = scratch.turned[0, lane]


@_called
def _bury(b, lane, across, t, every, scratch, out):
    """End a run that diverged at time t; its lane idles at 0 from here on."""
    _close(b, lane, across, scratch, out)
    out.diverged_at[b] = t
    for c in range(4):
        out.high[b, c] = out.late_high[b, c] = np.inf
        if every:
            for r in range((t + every - 1) // every, out.curves.shape[1]):
                out.curves[b, r, c] = np.inf
    for k in range(scratch.x.shape[0]):
        scratch.x[k, lane] = scratch.state[k, lane] = 0


@_called
def _keep(b, lane, across, t, every, first, scratch, out):
    """Write one run's channels and iterate at time t, where they are asked for."""
    if every and t % every == 0:
        for c in range(4):
            out.curves[b, t // every, c] = scratch.book[c * _ROWS if across else 0, lane if across else c]
    if t >= first:
        _copy_out(scratch.x, across, lane, out.tail[b, t - first])


@_called
def _walk(b0, m, across, rule, problem, every, window, limit, scratch, out):
    """All steps of the m runs from b0 on: one a lane, or one alone."""
    book, profile, bent = scratch.book, problem.profile, problem.bent
    z, before, trial, slopes = scratch.z, scratch.before, scratch.trial, scratch.slopes
    steps, rows = profile.shape[0], z.shape[0]
    vectors = scratch.x.shape[0]
    per, channels = (vectors, 4) if across else (STRIP, 1)
    y = problem.y[b0 if problem.y.shape[0] > 1 else 0]
    hot = Hot(
        pointer(scratch.x), pointer(scratch.state), pointer(scratch.inside), pointer(scratch.strengths),
        pointer(scratch.g), pointer(scratch.W), pointer(scratch.sums), pointer(slopes),
        pointer(book), pointer(scratch.grown), pointer(scratch.turned),
    )  # fmt: skip
    alive, ceiling = np.ones(m, np.bool_), splat(limit, hot.book)
    first = steps + 1 - out.tail.shape[1]
    momentum, blend = 1.0, 0.0
    for t in range(steps + 1):
        factor = profile[t - 1] if t > 0 else problem.width
        size, bowl, square, top = advance(
            t > 0, rule, blend, factor, problem.width, bent, rows, vectors, per, hot
        )
        if across:
            value = load(hot.strengths, 0) * (bowl if bent else size)
            l2, none = load(hot.strengths, 1), splat(0, value)
            value = value + pick(l2, none, l2 * square, none)  # 0 times an overflow is 0, not NaN
            store(hot.book, _NOW, value)
            store(hot.book, _ROWS + _NOW, size)
            store(hot.book, 2 * _ROWS + _NOW, root(square))
            store(hot.book, 3 * _ROWS + _NOW, top)
            fine = not above(value, ceiling)
        else:
            for i in range(rows):
                before[i] = z[i]
                z[i] = total(load(hot.sums, i))
            lasso, ridge = total(size), total(square)
            penalty = problem.l1[b0] * (total(bowl) if bent else lasso)
            if problem.l2[b0] > 0:  # 0 times an overflow is no penalty, not NaN
                penalty += problem.l2[b0] * ridge
            cost = loss(problem.loss, problem.loss_width, problem.weight, z, y, slopes)
            book[_NOW, 0], book[_NOW, 1] = penalty + cost, lasso
            book[_NOW, 2], book[_NOW, 3] = math.sqrt(ridge), peak(top)
            fine = book[_NOW, 0] <= limit
        if not fine:
            left = 0
            for j in range(m):
                if alive[j] and not book[_NOW, j] <= limit:
                    alive[j] = False
                    _bury(b0 + j, j, across, t, every, scratch, out)
                left += alive[j]
            if left == 0:
                break
        if t == 0:
            for c in range(channels):
                store(hot.book, c * _ROWS + _LAST, load(hot.book, c * _ROWS + _NOW))
                store(hot.book, c * _ROWS + _SCALE, magnitude(load(hot.book, c * _ROWS + _NOW)))
        for c in range(channels):
            _note(c, t > steps - window, hot.book, hot.grown, hot.turned)
        if (every and t % every == 0) or t >= first:
            for j in range(m):
                if alive[j]:
                    _keep(b0 + j, j, across, t, every, first, scratch, out)
        if t > 0:
            following = (1 + math.sqrt(1 + 4 * momentum * momentum)) / 2
            blend = (momentum - 1) / following
            momentum = following
        if rule.method == 4 and rows:  # the predictions are extrapolated with the point: they are linear
            for i in range(rows):
                trial[i] = z[i] + y.dtype.type(blend) * (z[i] - before[i])
            loss(problem.loss, problem.loss_width, problem.weight, trial, y, slopes)
    for j in range(m):
        if alive[j]:
            _close(b0 + j, j, across, scratch, out)


def _compile(sources: str) -> Any:
    """``run``. numba's cache on disk is renewed when this file changes, or what is in the function's closure:
    the digest of the other sources is put there, so that a change of theirs renews it too."""

    @njit(cache=True, nogil=True, error_model="numpy")
    def run(rule, problem, every, window, limit, begin, end, out):
        """Take the runs begin..end-1 through all steps and fill their rows of ``out``.

        Args:
            rule, problem, out: see ``Rule``, ``Problem`` and ``Records``.
            every, window, limit: as in ``Record``, the limit in the arrays' dtype.
            begin, end: 0 <= begin <= end <= B.
        """
        _ = sources
        like, rows = problem.start, problem.W.shape[1]
        P, lanes, across = like.shape[1], LINE // like.itemsize, rows == 0
        per, group, width, channels = P, lanes, P, 4
        if not across:
            per, group, channels = STRIP, 1, 1
            width = (P + per * lanes - 1) // (per * lanes) * per
        book, grown = rows_of_vectors(channels * _ROWS, like), np.zeros((channels, lanes), np.int64)
        scratch = _Scratch(
            rows_of_vectors(width, like), rows_of_vectors(width, like), rows_of_vectors(width, like),
            rows_of_vectors(3, like), rows_of_vectors(per, like), rows_of_vectors(width * rows, like),
            rows_of_vectors(rows, like), np.zeros(rows, like.dtype), np.zeros(rows, like.dtype),
            np.zeros(rows, like.dtype), np.zeros(rows, like.dtype),
            book, grown, np.zeros((1, lanes), np.int64),
        )  # fmt: skip
        for b0 in range(begin, end, group):
            for array in (scratch.x, scratch.state, scratch.strengths, book):
                array.fill(0)
            # FISTA would carry a diverged run's predictions over, as 0 x inf.
            scratch.z.fill(0)
            for r in range(0, channels * _ROWS, _ROWS):
                for low in (_LOW, _LATE_LOW):
                    book[r + low].fill(np.inf)
                    book[r + low + 1].fill(-np.inf)
            grown.fill(0)
            scratch.turned.fill(0)
            m = min(group, end - b0)
            for j in range(m):
                _open(b0 + j, j, across, problem, scratch)
            if rows and (b0 == begin or problem.W.shape[0] > 1):
                _pack(problem.W[b0 if problem.W.shape[0] > 1 else 0], scratch.W)
            if rule.method == 4:
                for k in range(width):
                    for j in range(lanes):
                        scratch.state[k, j] = scratch.x[k, j]
            _walk(b0, m, across, rule, problem, every, window, limit, scratch, out)

    return run


_SOURCES = b"".join(Path(__file__).with_name(name).read_bytes() for name in ("_steps.py", "_vector.py"))
run = _compile(hashlib.sha256(_SOURCES).hexdigest())
