"""Penalties on groups: lambda (a ||x||_1 + b sum_g w_g ||x_g||), of which group L1 is a = 0, b = 1.

The prox is that of L1 followed by that of the groups' norms, in any diagonal metric too: let v be the first,
(x - v)/s in lambda a d|v|, and u the second, (v - u)/s in lambda b w d||u||. An entry of u is 0 or has the
sign of v's, so d|v| lies in d|u|, and the sum (x - u)/s is in the subdifferential of both at u.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
from array_api_compat import array_namespace

from nonsmooth.errors import InputError
from nonsmooth.penalties._elastic_net import soft_threshold
from nonsmooth.penalties._group_prox import group_norms, group_prox
from nonsmooth.penalties._group_reach import group_reach
from nonsmooth.penalties._groups import Layout, Table, host, layout_of
from nonsmooth.penalties._penalty import Penalty, check_strength, largest, quiet, times, total, wide

__all__ = ["Grouped"]


class Grouped(Penalty):
    """The formulas; a penalty is a frozen dataclass with ``strength``, ``groups`` and ``weights``."""

    separable: ClassVar[bool] = False
    convex: ClassVar[bool] = True

    strength: Any
    groups: Any
    weights: Any
    _layout: Layout
    _count: int | None
    _tables: list[Table] | None

    @property
    def _shares(self) -> tuple[float, float]:
        """What the strength is multiplied by for the entries (a) and for the groups (b)."""
        return 0.0, 1.0

    def __post_init__(self) -> None:
        if getattr(self.strength, "ndim", 0):
            raise InputError(
                f"strength = {self.strength} is not allowed for groups; give a number, and weights"
            )
        check_strength("strength", self.strength)
        layout = layout_of(self.groups)
        weights = _checked_weights(self.weights)
        if isinstance(weights, str):
            weights = None if layout.sizes is None else np.sqrt(layout.sizes)
        if weights is not None and layout.sizes is not None:
            _match(weights.size, layout.sizes.size)
        # Set past the freeze: what follows from the arguments is worked out once.
        object.__setattr__(self, "_layout", layout)
        object.__setattr__(self, "_count", None if weights is None else weights.size)
        object.__setattr__(self, "_tables", None if weights is None else layout.tables(weights))

    def norms(self, x: Any) -> Any:
        """The Euclidean norm of each group: (groups,) for a structure, (..., groups) along the last axis.

        Labelled groups come in the order of their labels. Half precision answers in float32.
        """
        xp = array_namespace(x)
        with quiet(xp):
            parts = self._split(xp, wide(xp, x))
            return self._layout.collect(xp, [group_norms(xp, p, self._layout.axes(p)) for p in parts])

    def _split(self, xp: Any, x: Any) -> list[Any]:
        self._layout.check(x.shape)
        if self._count is not None:
            _match(self._count, self._layout.count(x.shape))
        return self._layout.split(xp, x)

    def _weights(self, xp: Any, parts: list[Any]) -> list[Any]:
        """The groups' weights, each a number or shaped to meet its part."""
        layout = self._layout
        if self._tables is not None:
            tables = zip(self._tables, parts, strict=True)
            return [layout.place(table.on(xp, part, part.dtype), part) for table, part in tables]
        if self.weights is None:
            return [1.0] * len(parts)
        return [math.sqrt(math.prod([part.shape[a] for a in layout.axes(part)])) for part in parts]

    def _all(self, xp: Any, entries: Any) -> Any:
        """The sum over all groups' entries, which an empty parameter has too."""
        return total(xp, entries) if self._layout.batched else xp.sum(entries)

    def _value(self, xp: Any, x: Any) -> Any:
        parts = self._split(xp, x)
        if 0 in x.shape:
            return self._all(xp, x)
        lasso, ball = self._strengths_of_parts(xp, parts)
        terms = [
            times(xp, c, group_norms(xp, p, self._layout.axes(p))) for c, p in zip(ball, parts, strict=True)
        ]
        value = total(xp, self._layout.collect(xp, terms))
        return value if self._shares[0] == 0 else value + times(xp, lasso, self._all(xp, xp.abs(x)))

    def _strengths_of_parts(self, xp: Any, parts: list[Any]) -> tuple[Any, list[Any]]:
        """lambda a, and lambda b w for each part."""
        a, b = self._shares
        return self.strength * a, [self.strength * b * w for w in self._weights(xp, parts)]

    def _subgradient(self, xp: Any, x: Any) -> Any:
        parts = self._split(xp, x)
        if 0 in x.shape:
            return x
        lasso, ball = self._strengths_of_parts(xp, parts)
        directions = [c * self._direction(xp, p) for c, p in zip(ball, parts, strict=True)]
        return lasso * xp.sign(x) + self._layout.join(xp, directions, x.shape)

    def _direction(self, xp: Any, part: Any) -> Any:
        """x_g/||x_g||, 0 where x_g = 0; where entries are infinite, the limit as they grow alike."""
        endless = xp.abs(part) == float("inf")
        limit = xp.where(endless, xp.sign(part), xp.zeros_like(part))
        part = xp.where(xp.any(endless, axis=self._layout.axes(part), keepdims=True), limit, part)
        norm = group_norms(xp, part, self._layout.axes(part))
        return part / xp.where(norm == 0, xp.ones_like(norm), norm)

    def _prox(self, xp: Any, x: Any, step: Any) -> Any:
        parts = self._split(xp, x)
        if 0 in x.shape:
            return x
        lasso, ball = self._strengths_of_parts(xp, parts)
        if self._shares[0] > 0:
            parts = self._split(xp, soft_threshold(xp, x, times(xp, lasso, step)))
        if getattr(step, "ndim", 0):
            steps = self._split(xp, xp.broadcast_to(step, x.shape))
        else:
            steps = [step] * len(parts)
        shrunk = [
            group_prox(xp, part, times(xp, c, s), self._layout.axes(part))
            for part, c, s in zip(parts, ball, steps, strict=True)
        ]
        return self._layout.join(xp, shrunk, x.shape)

    def _distance(self, xp: Any, x: Any, gradient: Any) -> Any:
        parts = self._split(xp, x)
        if 0 in x.shape:
            return self._all(xp, x)
        lasso, ball = self._strengths_of_parts(xp, parts)
        distances = []
        for part, g, c in zip(parts, self._split(xp, gradient), ball, strict=True):
            axes = self._layout.axes(part)
            # What the entries' own subdifferential [-lasso, lasso] at 0 cannot cancel.
            left = soft_threshold(xp, g, lasso)
            away = g + lasso * xp.sign(part) + c * self._direction(xp, part)
            live = xp.max(xp.abs(xp.where(part == 0, left, away)), axis=axes, keepdims=True)
            dead = group_reach(xp, left, c, 0.0, axes)
            zero = xp.max(xp.abs(part), axis=axes, keepdims=True) == 0
            distances.append(xp.where(zero, dead, live))
        return largest(xp, self._layout.collect(xp, distances))

    def _strength_max(self, xp: Any, gradient: Any) -> Any:
        """The least lambda with ||(|g| - lambda a)_+|| <= lambda b w in every group: d/a, if a > 0."""
        parts = self._split(xp, gradient)
        if 0 in gradient.shape:
            return self._all(xp, gradient)
        a, b = self._shares
        least = []
        for g, w in zip(parts, self._weights(xp, parts), strict=True):
            axes = self._layout.axes(g)
            if a > 0:
                least.append(group_reach(xp, g, 0.0, b / a * w, axes) / a)
            else:
                norm = group_norms(xp, g, axes)
                least.append(xp.where(norm == 0, norm, norm / w))
        return largest(xp, self._layout.collect(xp, least))


def _match(weights: int, groups: int) -> None:
    if weights != groups:
        raise InputError(f"{weights} weights are not allowed for {groups} groups; give one for each")


def _checked_weights(weights: Any) -> Any:
    """None, "sqrt", or the weights as a host array."""
    if weights is None or (isinstance(weights, str) and weights == "sqrt"):
        return weights
    listed = host(weights)
    if listed.ndim == 1 and listed.dtype.kind in "fiu" and np.all((listed >= 0) & (listed < np.inf)):
        return listed.astype(float)
    raise InputError(
        f"weights = {weights!r} is not allowed; give None (all 1), 'sqrt' (the root of a group's number of "
        "entries), or a finite number >= 0 for each group"
    )
