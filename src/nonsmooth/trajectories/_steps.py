"""One step of a method on vectors: pull the slopes back, move, measure, predict. See ``_kernel.py``."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from numba import njit

from nonsmooth.trajectories._vector import entry, fused, load, magnitude, pick, root, splat, store, with_sign

__all__ = ["STRIP", "Hot", "Rule", "advance", "loss"]

STRIP = 4  # sums in flight: a fused multiplication takes four cycles, and one can begin in each

# Only what every step passes through is inlined: a call with that many arguments costs as much as a small
# problem's step.
_inlined = njit(error_model="numpy", forceinline=True)


class Rule(NamedTuple):
    """A method's ``code`` and ``parameters``."""

    method: int
    first: float
    second: float


class Hot(NamedTuple):
    """Pointers to the scratch of ``_kernel.py``, for what runs at every step."""

    x: Any
    state: Any
    inside: Any
    strengths: Any
    g: Any
    W: Any
    sums: Any
    slopes: Any
    book: Any
    grown: Any
    turned: Any


@_inlined
def _pull_back(W, rows, first, slopes, g):
    """g = W' slopes in the strip whose first vector of coordinates is ``first``."""
    a = b = c = d = splat(0, g)
    n = first * rows
    for i in range(rows):
        s = splat(entry(slopes, i), g)
        a = fused(s, load(W, n), a)
        b = fused(s, load(W, n + 1), b)
        c = fused(s, load(W, n + 2), c)
        d = fused(s, load(W, n + 3), d)
        n += STRIP
    store(g, 0, a)
    store(g, 1, b)
    store(g, 2, c)
    store(g, 3, d)


@_inlined
def _predict(W, rows, first, x, sums):
    """Add the same strip's part of W x to the sums (N, lanes)."""
    a, b, c, d = load(x, first), load(x, first + 1), load(x, first + 2), load(x, first + 3)
    n = first * rows
    for i in range(rows):
        left = fused(b, load(W, n + 1), fused(a, load(W, n), load(sums, i)))
        right = fused(d, load(W, n + 3), c * load(W, n + 2))
        store(sums, i, left + right)
        n += STRIP


@njit(error_model="numpy")
def loss(code, width, weight, z, y, slopes):
    """Weighted loss of the predictions z; see objectives/_scalar.py for the formulas."""
    zero, one = y.dtype.type(0), y.dtype.type(1)
    sum_ = zero
    for i in range(y.shape[0]):
        r = z[i] - y[i]
        if code == 0:  # square
            sum_ += r * r
            slope = r + r
        elif code == 1:  # Huber
            a = abs(r)
            sum_ += r * r / 2 if a < width else width * (a - width / 2)
            slope = r if a < width else math.copysign(width, r)
        elif code == 2:  # log cosh
            u = abs(r) / width
            sum_ += width * width * (u + math.log1p(math.exp(-2 * u)) - 0.6931471805599453)
            slope = width * math.tanh(r / width)
        else:  # square of ReLU or of its Moreau envelope
            ramp = zero
            if width > 0:
                ramp = min(max(z[i] / width, zero), one)
            elif z[i] > 0:
                ramp = one
            relu = ramp * (z[i] - ramp * width / 2) if ramp > 0 else zero
            sum_ += (relu - y[i]) * (relu - y[i])
            slope = ((relu - y[i]) + (relu - y[i])) * ramp
        slopes[i] = weight * slope
    return weight * sum_


@_inlined
def _penalty_slope(x, l1, l2, width, bent):
    """The subgradient, with 0 at the kink and NaN for NaN; the gradient of the smooth twin if ``bent``."""
    one, size = splat(1, x), magnitude(x)
    if bent:
        size = size / width
        size = pick(size, one, one, size)
    else:
        size = pick(size, splat(0, x), one, size)
    return l1 * with_sign(size, x) + (l2 + l2) * x


@_inlined
def _prox(u, step, l1, l2, width, bent):
    """The penalty's proximal operator: 0 where it shrinks u to nothing, NaN for NaN."""
    one, size = splat(1, u), magnitude(u) - step * l1
    soft = pick(splat(0, u), size, u - u, with_sign(size, u) / (one + step * (l2 + l2)))
    if bent:
        inner = u / (one + step * (l1 / width + l2 + l2))
        soft = pick(magnitude(inner), width, soft, inner)
    return soft


@_inlined
def _move(rule, blend, step, first, count, x, state, g, l1, l2, width, bent):
    """One step of the ``count`` vectors of x from ``first`` on; g holds the data term's gradient there."""
    # The method is asked for once, not for each vector: a branch taken costs as much as the arithmetic.
    if rule.method == 4:  # FISTA: from the extrapolated point
        for n in range(first, first + count):
            a = load(x, n)
            store(x, n, a + blend * (a - load(state, n)))
            store(state, n, a)
    if rule.method >= 3:
        for n in range(first, first + count):
            u = load(x, n) - step * load(g, n - first)
            store(x, n, _prox(u, step, l1, l2, width, bent))
    elif rule.method == 0:
        for n in range(first, first + count):
            a = load(x, n)
            store(x, n, a - step * (load(g, n - first) + _penalty_slope(a, l1, l2, width, bent)))
    elif rule.method == 1:
        kept, rest = splat(rule.first, x), splat(1 - rule.first, x)
        for n in range(first, first + count):
            a = load(x, n)
            slope = load(g, n - first) + _penalty_slope(a, l1, l2, width, bent)
            move = kept * load(state, n) - step * rest * slope
            store(state, n, move)
            store(x, n, a + move)
    else:
        kept, rest, jitter = splat(rule.first, x), splat(1 - rule.first, x), splat(rule.second, x)
        for n in range(first, first + count):
            a = load(x, n)
            slope = load(g, n - first) + _penalty_slope(a, l1, l2, width, bent)
            average = kept * load(state, n) + rest * slope * slope
            store(state, n, average)
            store(x, n, a - step * slope / root(average + jitter))


@_inlined
def advance(moving, rule, blend, factor, width, bent, rows, vectors, per, hot):
    """Move every coordinate by ``factor`` times its run's base, if ``moving``, and measure it.

    Returns, lane by lane, the sums of |x|, of the smooth twin's |x| and of x^2, and the greatest |x|; the
    sums that predict with the new x are left in the scratch.
    """
    x = hot.x
    zero, bend, ahead = splat(0, x), splat(width, x), splat(blend, x)
    l1, l2 = load(hot.strengths, 0), load(hot.strengths, 1)
    step = load(hot.strengths, 2) * splat(factor, x)
    size = bowl = square = top = zero
    for i in range(rows):
        store(hot.sums, i, zero)
    first = 0
    while first < vectors:
        if moving:
            if rows:
                _pull_back(hot.W, rows, first, hot.slopes, hot.g)
            _move(rule, ahead, step, first, per, x, hot.state, hot.g, l1, l2, bend, bent)
            if rows and first + per == vectors:
                # an infinite slope times the zero of a spare place is NaN
                for n in range(first, vectors):
                    store(x, n, pick(load(hot.inside, n), zero, load(x, n), zero))
        for n in range(first, first + per):
            a = magnitude(load(x, n))
            size = size + a
            square = square + a * a
            top = pick(a, top, a, top)
        if bent:
            for n in range(first, first + per):
                a = magnitude(load(x, n))
                bowl = bowl + pick(a, bend, a - bend / splat(2, x), a * a / (bend + bend))
        if rows:
            _predict(hot.W, rows, first, x, hot.sums)
        first += per
    return size, bowl, square, top
