"""Proximal operator of the norms of groups: argmin_u c ||u|| + sum_i (u_i - z_i)^2 / (2 s_i) in each group.

With one step for a group, u = (1 - t/||z||)_+ z, t = s c. With a step for each entry, stationarity is
(z_i - u_i)/s_i = c u_i/||u||, so u_i = z_i r/(r + t_i) with t_i = s_i c, where r = ||u|| is the root of

    N(r) = sum_i q_i^2 = 1,   q_i = |z_i|/(r + t_i),

and u = 0 just when N(0) <= 1 (then z_i/s_i lies in the ball of radius c, the subdifferential at 0).

Newton is applied to phi(r) = N(r)^(-1/2) - 1, nearly a line (exactly one where the t_i agree). Why it
converges: phi + 1 = (sum_i y_i^-2)^(-1/2) is a concave, increasing function of the lines
y_i = (r + t_i)/|z_i|, hence of r. The tangent of a concave function lies above it, so the tangent's root
from ANY point lies below r*: each evaluation gives a lower bound. From the bound itself (pure Newton) the
bounds increase, to r* as nothing else stops them, and in the end quadratically, since phi' > 0 at r*.

The first bounds: N(r) >= q_i^2 gives r* >= |z_i| - t_i, N(r) >= ||z||^2/(r + max t)^2 gives
r* >= ||z|| - max t. From the former, |z_i| <= r + t_i: no q_i exceeds 1 and no square overflows.

Where the steps of a group differ by many powers of ten, pure Newton may gain no more than a factor 1.5 an
evaluation. So while the bound grows by much, the next evaluation is made beyond it by a multiple of its last
gain, as safe as any point. Measured by hill climbing over z and t, 3 to 24 entries, ratios of the steps up to
1e8: after 11 evaluations u is within 1e-15 of max|z|, r within 1e-11 of itself (where rounding ends); pure
Newton takes 15 and 20. On an accelerator 14 are made, always, as a test for the end would wait for the
device; on the host they end when no bound grows, after 2 or 3 for steps like those of Adam.
"""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import is_numpy_namespace

__all__ = ["group_norms", "group_prox", "group_unit"]

_EVALUATIONS = 14
_MUCH = 0.3  # a gain larger than this share of the bound is followed by an evaluation ...
_BEYOND = 4.0  # ... this many gains beyond it
_CHUNK = 2**17  # entries whose temporaries a processor's cache holds


def group_unit(xp: Any, a: Any, axes: tuple[int, ...]) -> Any:
    """The largest entry of each group of non-negative ones where it can divide the others, else 1."""
    top = xp.max(a, axis=axes, keepdims=True)
    return xp.where((top > 0) & (top < float("inf")), top, xp.ones_like(top))


def group_norms(xp: Any, z: Any, axes: tuple[int, ...]) -> Any:
    """Euclidean norms along axes that are kept, computed in units of the largest entry."""
    unit = group_unit(xp, xp.abs(z), axes)
    scaled = z / unit
    square = xp.sum(scaled * scaled, axis=axes, keepdims=True)
    # Not the root of 0, whose derivative is infinite.
    return unit * xp.where(square == 0, square, xp.sqrt(xp.where(square == 0, xp.ones_like(square), square)))


def group_prox(xp: Any, z: Any, threshold: Any, axes: tuple[int, ...]) -> Any:
    """The minimiser for thresholds t = s c: a number, one for each group (kept axes), or one for each entry.

    An infinite threshold makes its entry 0; an infinite entry leaves the others of its group as they are.
    """
    if getattr(threshold, "ndim", 0) and tuple(threshold.shape[a] for a in axes) != (1,) * len(axes):
        return _diagonal(xp, z, threshold, axes)
    norm = group_norms(xp, z, axes)
    # Comparisons are written so that a NaN fails them and falls through to a formula that keeps it.
    zero = norm <= threshold
    # Not a number by an array: torch would take 1/norm first, which overflows for denormals.
    factor = 1 - (threshold + xp.zeros_like(norm)) / xp.where(norm == 0, xp.ones_like(norm), norm)
    return xp.where(zero, xp.zeros_like(z), z * factor)


def _diagonal(xp: Any, z: Any, threshold: Any, axes: tuple[int, ...]) -> Any:
    pieces = -(-math.prod(z.shape) // _CHUNK)
    if pieces == 1 or not _on_host(xp, z):
        return _solve(xp, z, threshold, axes)
    axis = max((a for a in range(z.ndim) if a not in axes), key=lambda a: z.shape[a])
    length = max(z.shape[axis] // pieces, 1)
    spans = [
        (*[slice(None)] * axis, slice(start, start + length)) for start in range(0, z.shape[axis], length)
    ]
    return xp.concat([_solve(xp, z[span], threshold[span], axes) for span in spans], axis=axis)


def _on_host(xp: Any, a: Any) -> bool:
    """Whether looking at an entry costs nothing: in NumPy, and on the CPU unless torch is tracing."""
    if is_numpy_namespace(xp):
        return True
    import torch

    plain = type(a) in (torch.Tensor, torch.nn.Parameter)  # not a subclass made for tracing or sharding
    return plain and a.device.type == "cpu" and not torch.compiler.is_compiling()


def _solve(xp: Any, z: Any, threshold: Any, axes: tuple[int, ...]) -> Any:
    a = xp.abs(z)
    pinned = (threshold == float("inf")) & (a <= float("inf"))
    a = xp.where(pinned, xp.zeros_like(a), a)
    unit = group_unit(xp, a, axes)
    a, t = a / unit, threshold / unit
    r = _root(xp, a, t, axes)
    return xp.where(pinned | (r <= 0), xp.zeros_like(z), z / (1 + t / r))


def _root(xp: Any, a: Any, t: Any, axes: tuple[int, ...]) -> Any:
    """The norm r of the minimiser, 0 where it is 0, in the units of a = |z| and t."""

    def along(reduce: Any, entries: Any) -> Any:
        return reduce(entries, axis=axes, keepdims=True)

    watched, limits = _on_host(xp, a), xp.finfo(a.dtype)
    # 1/(r + t) must not overflow: entries that small beside the group's largest do not count.
    t = xp.where(t < limits.smallest_normal, xp.full_like(t, limits.smallest_normal), t)
    nearest, farthest = along(xp.max, a - t), along(xp.sum, a * a) ** 0.5 - along(xp.max, t)
    bound = xp.where(farthest > nearest, farthest, nearest)
    bound = xp.where(bound <= 0, xp.zeros_like(bound), bound)
    point, away = bound, False
    for _ in range(_EVALUATIONS):
        inverse = 1 / (point + t)
        q = a * inverse
        q = q * q
        n, slope = along(xp.sum, q), along(xp.sum, q * inverse)
        root = point + n * (xp.sqrt(n) - 1) / xp.where(slope == 0, xp.ones_like(slope), slope)
        better = xp.where(root > bound, root, bound)
        gain = better - bound
        much = gain > _MUCH * better
        if watched and not xp.any(away | much | (gain > 4 * limits.eps * better)):
            return better
        point, away = xp.where(much, better + _BEYOND * gain, better), much
        bound = better
    return bound
