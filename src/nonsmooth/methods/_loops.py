"""The optimisers' arithmetic, compiled: each entry is read once and written once, the proximal step included.

A kernel walks over many tensors as if they were one: tensor k is a column of ``addresses`` (where its entries
lie, densely, in the same order for all that belongs to it) and a row of ``numbers`` (what its entries share),
and ends at the flat position ``ends[k]``. The kernel does the positions begin..end-1. What an entry becomes
depends on the entry alone, in IEEE arithmetic without contraction, not on where the work is cut or on the
threads.

The proximal step of l1 |x| + l2 x^2 with the step s = n/d is soft(x, n l1/d) / (1 + 2 n l2/d). The
denominator d is kept at ``tiny`` or more, the least normal number, so that an entry that never had a gradient
has a huge step, not an infinite one: infinity times a strength or a momentum of 0 would be NaN. What is NaN
stays NaN.

The moments of a weight without gradients fade into denormal numbers, on which processors are slow, for ever:
rounding keeps them from vanishing. What fades below ``tiny`` is set to 0. Adam's moments are let be where eps
is so small that this could be seen in sqrt(v) + eps.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from llvmlite import ir
from numba import cfunc, extending, from_dtype, njit, types
from numba.np.numpy_support import carray

__all__ = ["HEAD", "adam", "count", "member", "sgd", "threshold"]

HEAD = 7  # numbers of a book before its addresses
_KEPT: list[Any] = []  # the functions whose addresses are known outside

# What the decorator returns is seen by numba alone; a type checker would take it for the function.
_intrinsic: Any = extending.intrinsic


@_intrinsic
def _at(typingctx, address, offset, one):
    """A pointer to entry ``offset`` of the numbers, of the type of ``one``, that begin at an address."""
    kind = types.CPointer(one)

    def codegen(context, builder, sig, args):
        return builder.gep(builder.inttoptr(args[0], context.get_value_type(kind)), [args[1]])

    return kind(types.int64, types.int64, one), codegen


@_intrinsic
def _like(typingctx, number, one):
    """A number rounded to the type of ``one``."""

    def codegen(context, builder, sig, args):
        return context.cast(builder, args[0], number, one)

    return one(number, one), codegen


# All numbers in the loops are of the tensors' own type: a literal would be float64, and turn float32 into it.
# A loop that must choose by a number of all entries chooses, on a processor without masks, by computing both
# sides: three divisions for one. So the common case has a loop of its own, in which ``plain`` is known.


@njit(error_model="numpy")
def _soft(x, cut, zero):
    # Not max(|x| - cut, 0): that hides a NaN, and is NaN where both are infinite.
    return zero if abs(x) <= cut else math.copysign(abs(x) - cut, x)


@njit(error_model="numpy")
def _faded(x, floor, zero):
    return zero if abs(x) < floor else x


@njit(error_model="numpy")
def _shrink(p, n, cut, b, zero, one):
    if b == zero:
        for i in range(n):
            p[i] = _soft(p[i], cut, zero)
    else:
        for i in range(n):
            p[i] = _soft(p[i], cut, zero) / (one + b)


@njit(error_model="numpy")
def _threshold_at(i, plain, p, v, root, scale, eps, tiny, a, b, zero, one):
    d = (math.sqrt(v[i]) if plain or root else v[i]) * scale + eps
    d = tiny if d < tiny else d
    x = _soft(p[i], a / d, zero)
    p[i] = x if plain or b == zero else x / (one + b / d)


@njit(error_model="numpy")
def _threshold(p, v, n, root, scale, eps, tiny, a, b, zero, one):
    if root and b == zero:
        for i in range(n):
            _threshold_at(i, True, p, v, root, scale, eps, tiny, a, b, zero, one)
    else:
        for i in range(n):
            _threshold_at(i, False, p, v, root, scale, eps, tiny, a, b, zero, one)


@njit(error_model="numpy")
def _adam_at(
    i, plain, p, g, m, v, sign, ridge, keep, w1, b2, w2, size, scale, eps, tiny, floor, a, b, zero, one
):
    x, d = p[i], g[i] * sign
    if not plain:
        if ridge != zero:
            d = d + ridge * x
        x = x * keep
    first = _faded(m[i] + w1 * (d - m[i]), floor, zero)
    second = _faded(b2 * v[i] + w2 * d * d, floor, zero)
    m[i], v[i] = first, second
    d = math.sqrt(second) * scale + eps
    d = tiny if d < tiny else d
    x = _soft(x - size * first / d, a / d, zero)
    p[i] = x if plain or b == zero else x / (one + b / d)


@njit(error_model="numpy")
def _adam(p, g, m, v, n, sign, ridge, keep, w1, b2, w2, size, scale, eps, tiny, floor, a, b, zero, one):
    if ridge == zero and keep == one and b == zero:
        for i in range(n):
            _adam_at(
                i, True, p, g, m, v,
                sign, ridge, keep, w1, b2, w2, size, scale, eps, tiny, floor, a, b, zero, one,
            )  # fmt: skip
    else:
        for i in range(n):
            _adam_at(
                i, False, p, g, m, v,
                sign, ridge, keep, w1, b2, w2, size, scale, eps, tiny, floor, a, b, zero, one,
            )  # fmt: skip


@njit(error_model="numpy")
def _sgd_at(i, plain, p, g, m, sign, ridge, size, keep, gain, ahead, moving, tiny, cut, b, zero, one):
    x, d = p[i], g[i] * sign
    if not plain and ridge != zero:
        d = d + ridge * x
    if moving:
        first = _faded(keep * m[i] + gain * d, tiny, zero)
        m[i] = first
        d = first if plain or ahead == zero else d + ahead * first
    x = _soft(x - size * d, cut, zero)
    p[i] = x if plain else x / (one + b)


@njit(error_model="numpy")
def _sgd(p, g, m, n, sign, ridge, size, keep, gain, ahead, moving, tiny, cut, b, zero, one):
    if moving and ridge == zero and ahead == zero and b == zero:
        for i in range(n):
            _sgd_at(i, True, p, g, m, sign, ridge, size, keep, gain, ahead, True, tiny, cut, b, zero, one)
    elif moving:
        for i in range(n):
            _sgd_at(i, False, p, g, m, sign, ridge, size, keep, gain, ahead, True, tiny, cut, b, zero, one)
    else:
        for i in range(n):
            _sgd_at(i, False, p, g, m, sign, ridge, size, keep, gain, ahead, False, tiny, cut, b, zero, one)


@njit(cache=True, error_model="numpy")
def count(one, addresses, counts):
    """Add 1 to each of the numbers at the addresses, int64 (K,), and write them into counts, float64 (K,)."""
    for k in range(counts.shape[0]):
        place = _at(addresses[k], 0, one)
        place[0] += one
        counts[k] = place[0]


@njit(error_model="numpy")
def threshold(one, tiny, addresses, numbers, ends, begin, end):
    """x <- prox(x, n / (scale moment^(1/2 or 1) + eps)).

    Args:
        one, tiny: 1 and the least normal number, of the tensors' type.
        addresses: int64 (2, K): x, moment. The moment 0: there is none, the step is n.
        numbers: float64 (K or 1, 5): n l1, 2 n l2, scale, eps, and 1 for the root of the moment, 0 for
            itself.
        ends: int64 (K,); begin, end: see above.
    """
    zero, first = one - one, 0
    for k in range(ends.shape[0]):
        low, high = max(begin, first), min(end, ends[k])
        if low < high:
            c, n, o = numbers[k % numbers.shape[0]], high - low, low - first
            p, v = _at(addresses[0, k], o, one), _at(addresses[1, k], o, one)
            a, b = _like(c[0], one), _like(c[1], one)
            if addresses[1, k] == 0:
                _shrink(p, n, a, b, zero, one)
            else:
                _threshold(p, v, n, c[4] != 0, _like(c[2], one), _like(c[3], one), tiny, a, b, zero, one)
        first = ends[k]


@njit(error_model="numpy")
def adam(one, tiny, addresses, numbers, ends, begin, end):
    """A step of Adam, then the proximal step with n = lr.

    Args:
        one, tiny, ends, begin, end: as for ``threshold``.
        addresses: int64 (4, K): x, gradient, first moment, second moment.
        numbers: float64 (K or 1, 11): sign of the gradient, weight decay in it, factor on x before the step,
            1 - beta1, beta2, 1 - beta2, lr/(1 - beta1^t), (1 - beta2^t)^(-1/2), eps, n l1, 2 n l2.
    """
    zero, first = one - one, 0
    for k in range(ends.shape[0]):
        low, high = max(begin, first), min(end, ends[k])
        if low < high:
            c, o = numbers[k % numbers.shape[0]], low - first
            eps = _like(c[8], one)
            floor = tiny if eps * eps * eps >= tiny else zero
            _adam(
                _at(addresses[0, k], o, one), _at(addresses[1, k], o, one),
                _at(addresses[2, k], o, one), _at(addresses[3, k], o, one), high - low,
                _like(c[0], one), _like(c[1], one), _like(c[2], one), _like(c[3], one),
                _like(c[4], one), _like(c[5], one), _like(c[6], one), _like(c[7], one),
                eps, tiny, floor, _like(c[9], one), _like(c[10], one), zero, one,
            )  # fmt: skip
        first = ends[k]


@njit(error_model="numpy")
def sgd(one, tiny, addresses, numbers, ends, begin, end):
    """A step of SGD, then the proximal step with a number as its step.

    Args:
        one, tiny, ends, begin, end: as for ``threshold``.
        addresses: int64 (3, K): x, gradient, momentum buffer; 0 for none.
        numbers: float64 (K or 1, 8): sign of the gradient, weight decay, lr, this step's momentum and 1 -
            dampening, Nesterov's momentum (0: plain), s l1, 2 s l2.
    """
    zero, first = one - one, 0
    for k in range(ends.shape[0]):
        low, high = max(begin, first), min(end, ends[k])
        if low < high:
            c, o = numbers[k % numbers.shape[0]], low - first
            _sgd(
                _at(addresses[0, k], o, one), _at(addresses[1, k], o, one), _at(addresses[2, k], o, one),
                high - low, _like(c[0], one), _like(c[1], one), _like(c[2], one), _like(c[3], one),
                _like(c[4], one), _like(c[5], one), addresses[2, k] != 0, tiny, _like(c[6], one),
                _like(c[7], one), zero, one,
            )  # fmt: skip
        first = ends[k]


# What a thread runs is a function of one pointer, and finds all else behind it, in a book: first the int64
# next position to do, all positions, a piece's; the shapes of ``addresses`` and ``numbers``; ``addresses``,
# ``ends``; then the float64 ``numbers``. Threads that run it at once share the work. That the pointer is one
# to float32 or float64 says what the tensors are.


@_intrinsic
def _book(typingctx, place):
    """A pointer, as one to int64."""
    kind = types.CPointer(types.int64)

    def codegen(context, builder, sig, args):
        return builder.bitcast(args[0], context.get_value_type(kind))

    return kind(place), codegen


@_intrinsic
def _take(typingctx, book):
    """Number 0 of the book; number 2 is added to it, by one thread at a time."""

    def codegen(context, builder, sig, args):
        piece = builder.load(builder.gep(args[0], [ir.Constant(ir.IntType(64), 2)]))
        return builder.atomic_rmw("add", args[0], piece, "monotonic")

    return types.int64(book), codegen


@_intrinsic
def _part(typingctx, book, n, like):
    """A pointer to what begins with number n of the book, numbers of the type of ``like``."""
    kind = types.CPointer(like)

    def codegen(context, builder, sig, args):
        return builder.bitcast(builder.gep(args[0], [args[1]]), context.get_value_type(kind))

    return kind(book, types.intp, like), codegen


def _constant(single: float, double: float) -> Any:
    """A function: the one or the other number, of the type that a pointer points to."""

    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value = single if sig.return_type == types.float32 else double
        return ir.Constant(context.get_value_type(sig.return_type), value)

    return _intrinsic(lambda typingctx, place: (place.dtype(place), codegen))


_unit, _least = _constant(1.0, 1.0), _constant(2.0**-126, 2.0**-1022)


@njit(error_model="numpy")
def _tables(book):
    columns, tensors, rows, width = book[3], book[4], book[5], book[6]
    addresses = carray(_part(book, HEAD, np.int64(0)), (columns, tensors))
    ends = carray(_part(book, HEAD + columns * tensors, np.int64(0)), (tensors,))
    numbers = carray(_part(book, HEAD + (columns + 1) * tensors, np.float64(0)), (rows, width))
    return addresses, numbers, ends


def _threshold_member(place):
    book = _book(place)
    addresses, numbers, ends = _tables(book)
    begin = _take(book)
    while begin < book[1]:
        end = min(begin + book[2], book[1])
        threshold(_unit(place), _least(place), addresses, numbers, ends, begin, end)
        begin = _take(book)


def _adam_member(place):
    book = _book(place)
    addresses, numbers, ends = _tables(book)
    begin = _take(book)
    while begin < book[1]:
        end = min(begin + book[2], book[1])
        adam(_unit(place), _least(place), addresses, numbers, ends, begin, end)
        begin = _take(book)


def _sgd_member(place):
    book = _book(place)
    addresses, numbers, ends = _tables(book)
    begin = _take(book)
    while begin < book[1]:
        end = min(begin + book[2], book[1])
        sgd(_unit(place), _least(place), addresses, numbers, ends, begin, end)
        begin = _take(book)


_MEMBERS = {"adam": _adam_member, "sgd": _sgd_member, "threshold": _threshold_member}


@cache
def member(name: str, kind: Any) -> int:
    """What each thread runs, compiled: the address of a function of one pointer to a book; once, for good.

    Args:
        name: of the loop.
        kind: np.float32 or np.float64.
    """
    number = from_dtype(np.dtype(kind))
    made = cfunc(types.void(types.CPointer(number)), cache=True, error_model="numpy")(_MEMBERS[name])
    _KEPT.append(made)
    assert made.address is not None
    return made.address
