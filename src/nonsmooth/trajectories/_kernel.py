"""The paper's recursions, compiled: one run at a time, so that its data stay in cache while its steps run.

One loop serves every objective of the form  weight * sum_i l((Wx)_i; y_i) + l1 ||x||_1 + l2 ||x||^2  and
every method in ``nonsmooth.methods`` with a ``code``. The value at x_t falls out of the residuals that the
subgradient needs, so recording it at every step is nearly free. Rounding is that of the arrays' dtype:
only the two matrix products may be reassociated.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["run"]

# Reassociation lets the sums use vector instructions; NaN and infinity keep their meaning.
_SUMS = {"reassoc", "contract"}


@njit(cache=True, fastmath=_SUMS, inline="never")
def _predict(W, x, z):
    for i in range(W.shape[0]):
        total = W.dtype.type(0)
        for k in range(W.shape[1]):
            total += W[i, k] * x[k]
        z[i] = total


@njit(cache=True, fastmath=_SUMS, inline="never")
def _pull_back(W, slope, g):
    for k in range(g.shape[0]):
        g[k] = 0
    for i in range(W.shape[0]):
        s = slope[i]
        if s != 0:
            for k in range(W.shape[1]):
                g[k] += s * W[i, k]


@njit(cache=True)
def _loss(code, width, weight, z, y, slope):
    """Weighted loss of predictions z; its slopes are left in ``slope``. See objectives/_scalar.py."""
    total = z.dtype.type(0)
    for i in range(z.shape[0]):
        r = z[i] - y[i]
        if code == 0:  # square
            total += r * r
            slope[i] = weight * (r + r)
        elif code == 1:  # Huber
            a = abs(r)
            if a < width:
                total += r * r / 2
                slope[i] = weight * r
            else:
                total += width * (a - width / 2)
                slope[i] = weight * math.copysign(width, r)
        elif code == 2:  # log cosh
            u = abs(r) / width
            total += width * width * (u + math.log1p(math.exp(-2 * u)) - 0.6931471805599453)
            slope[i] = weight * width * math.tanh(r / width)
        else:  # square of ReLU or of its Moreau envelope
            ramp = z.dtype.type(0)
            if width > 0:
                ramp = min(max(z[i] / width, z.dtype.type(0)), z.dtype.type(1))
            elif z[i] > 0:
                ramp = z.dtype.type(1)
            relu = ramp * (z[i] - ramp * width / 2) if ramp > 0 else z.dtype.type(0)
            total += (relu - y[i]) * (relu - y[i])
            slope[i] = weight * ((relu - y[i]) + (relu - y[i])) * ramp
    return weight * total


@njit(cache=True)
def _scan(x, l1, l2, width, norms):
    """Penalty of x; its L1, L2 and max norms are left in ``norms[1:4]``."""
    size = x.dtype.type(0)
    bowl = x.dtype.type(0)
    square = x.dtype.type(0)
    top = x.dtype.type(0)
    for k in range(x.shape[0]):
        a = abs(x[k])
        size += a
        square += a * a
        if a > top:
            top = a
        if width > 0:
            bowl += a * a / (width + width) if a <= width else a - width / 2
    norms[1] = size
    norms[2] = math.sqrt(square)
    norms[3] = top
    return l1 * (bowl if width > 0 else size) + l2 * square


@njit(cache=True)
def _sign(a, width):
    if width > 0:
        return min(max(a / width, -type(a)(1)), type(a)(1))
    if a > 0:
        return type(a)(1)
    if a < 0:
        return -type(a)(1)
    return a - a  # 0 at the kink, NaN for NaN


@njit(cache=True)
def _prox(u, step, l1, l2, width):
    if width > 0:
        inner = u / (1 + step * (l1 / width + l2 + l2))
        if abs(inner) <= width:
            return inner
    size = abs(u) - step * l1
    if size <= 0:
        return u - u  # 0, NaN for NaN
    return math.copysign(size, u) / (1 + step * (l2 + l2))


@njit(cache=True)
def _move(method, first, second, step, x, g, state, l1, l2, width):
    """One step of the recursions without extrapolation; g holds the data term's gradient."""
    for k in range(x.shape[0]):
        if method == 3:
            x[k] = _prox(x[k] - step * g[k], step, l1, l2, width)
            continue
        slope = g[k] + l1 * _sign(x[k], width) + (l2 + l2) * x[k]
        if method == 0:
            x[k] -= step * slope
        elif method == 1:
            state[k] = first * state[k] - step * (1 - first) * slope
            x[k] += state[k]
        else:
            state[k] = first * state[k] + (1 - first) * slope * slope
            x[k] -= step * slope / math.sqrt(state[k] + second)


@njit(cache=True)
def run(
    method, first, second, loss, loss_width, weight, width, W, y, l1, l2, base, profile, every, window, limit,
    X, curves, low, high, late_low, late_high, rises, turns, diverged, tail,
):  # fmt: skip
    """Move every row of X (B, P) by ``profile.size`` steps, in place, and fill the records.

    Channels 0..3 are the value and the L1, L2 and max norms. ``curves`` (B, R, 4) holds each ``every``-th
    time; ``low``/``high`` (B, 4) the extrema over all times, ``late_*`` over the last ``window``;
    ``rises`` (B, 4) the number of steps on which a channel grew by more than rounding; ``turns`` (B,) the
    number of changes of direction of the value inside the window; ``diverged`` (B,) the time at
    which the value was no longer finite or passed ``limit`` (-1: never); ``tail`` (B, K, P) the last
    K iterates.
    """
    steps = profile.shape[0]
    rows = W.shape[1]
    P = X.shape[1]
    z = np.zeros(rows, X.dtype)
    before = np.zeros(rows, X.dtype)
    slope = np.zeros(rows, X.dtype)
    g = np.zeros(P, X.dtype)
    state = np.zeros(P, X.dtype)
    now = np.zeros(4, X.dtype)
    last = np.zeros(4, X.dtype)
    scale = np.zeros(4, X.dtype)
    keep = tail.shape[1]
    for b in range(X.shape[0]):
        x = X[b]
        data = W[b if W.shape[0] > 1 else 0]
        response = y[b if y.shape[0] > 1 else 0]
        z[:] = 0  # FISTA would carry a diverged run's predictions over, as 0 x inf
        state[:] = x if method == 4 else np.zeros(P, X.dtype)
        momentum, blend = 1.0, 0.0
        direction = 0
        for t in range(steps + 1):
            if rows:
                before[:] = z
                _predict(data, x, z)
            now[0] = _scan(x, l1[b], l2[b], width, now)
            now[0] += _loss(loss, loss_width, weight, z, response, slope) if rows else now[0] - now[0]
            if not (now[0] <= limit):
                diverged[b] = t
                for c in range(4):
                    high[b, c] = np.inf
                    late_high[b, c] = np.inf
                if every:
                    for r in range((t + every - 1) // every, curves.shape[1]):
                        for c in range(4):
                            curves[b, r, c] = np.inf
                break
            late = t > steps - window
            for c in range(4):
                if t == 0:
                    scale[c] = abs(now[c])
                    low[b, c] = now[c]
                    high[b, c] = now[c]
                else:
                    low[b, c] = min(low[b, c], now[c])
                    high[b, c] = max(high[b, c], now[c])
                    if now[c] - last[c] > 1e-12 * max(scale[c], abs(last[c])):
                        rises[b, c] += 1
                if late:
                    late_low[b, c] = min(late_low[b, c], now[c])
                    late_high[b, c] = max(late_high[b, c], now[c])
            if late and t > 0 and abs(now[0] - last[0]) > 1e-12 * max(scale[0], abs(last[0])):
                heading = 1 if now[0] > last[0] else -1
                if direction and heading != direction:
                    turns[b] += 1
                direction = heading
            last[:] = now
            if every and t % every == 0:
                curves[b, t // every] = now
            if t > steps - keep:
                tail[b, t - (steps - keep) - 1] = x
            if t == steps:
                break
            step = base[b] * profile[t]
            if method == 4:  # FISTA: extrapolate, and the predictions with it, for they are linear
                for i in range(rows):
                    z[i], before[i] = z[i] + X.dtype.type(blend) * (z[i] - before[i]), z[i]
                if rows:
                    _loss(loss, loss_width, weight, z, response, slope)
                    z[:] = before
                for k in range(P):
                    x[k], state[k] = x[k] + X.dtype.type(blend) * (x[k] - state[k]), x[k]
                following = (1 + math.sqrt(1 + 4 * momentum * momentum)) / 2
                blend = (momentum - 1) / following
                momentum = following
            if rows:
                _pull_back(data, slope, g)
            _move(3 if method == 4 else method, first, second, step, x, g, state, l1[b], l2[b], width)
