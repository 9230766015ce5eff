"""How much must be cut off the entries of a group until its norm is small enough.

The least d >= 0 with ||(|g| - d)_+|| <= c + k d. With k = 0 it is the distance of g, in the maximum norm,
from the ball of radius c, which is the subdifferential of c ||.|| at 0: a point of the ball within d of every
entry exists just when cutting d off each |g_i| (down to 0 at most) leads into the ball. With c = 0 it is the
strength from which a group of a sparse group penalty is 0.

F(d) = ||(|g| - d)_+|| - c - k d is convex and falls: its tangent lies below it and has its root below d*, so
Newton's bounds rise to d* from any lower one, such as that of the largest entry, (max|g| - c)/(1 + k).
Measured by hill climbing and on groups of up to 200,000 entries of five laws: 7 evaluations are within 1e-15
of max|g|. Twelve are made, always: a test for the end would wait for the device.
"""

from __future__ import annotations

from typing import Any

from nonsmooth.penalties._group_prox import group_unit

__all__ = ["group_reach"]

_EVALUATIONS = 12


def group_reach(xp: Any, g: Any, radius: Any, growth: Any, axes: tuple[int, ...]) -> Any:
    """d for each group (along axes that are kept), 0 exactly where ||g|| <= c already."""
    g = xp.abs(g)
    unit = group_unit(xp, g, axes)
    g, c = g / unit, (radius + xp.zeros_like(unit)) / unit
    bound = (xp.max(g, axis=axes, keepdims=True) - c) / (1 + growth)
    bound = xp.where(bound <= 0, xp.zeros_like(bound), bound)
    for _ in range(_EVALUATIONS):
        rest = xp.where(g <= bound, xp.zeros_like(g), g - bound)
        norm = xp.sqrt(xp.sum(rest * rest, axis=axes, keepdims=True))
        slope = (
            xp.sum(rest, axis=axes, keepdims=True) / xp.where(norm == 0, xp.ones_like(norm), norm) + growth
        )
        root = bound + (norm - c - growth * bound) / xp.where(slope == 0, xp.ones_like(slope), slope)
        bound = xp.where(root > bound, root, bound)
    return unit * bound
