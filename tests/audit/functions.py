"""A parameter put through a function, and a search for the points where a function breaks."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

from nonsmooth.audit._smoothness import Smoothness, smoothness_of

_GRID, _TOP, _PARTS, _ROUNDS = 61, 3, 8, 4


class Function(nn.Module):
    """A parameter w of 4 numbers, put through a function."""

    def __init__(self, function) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(4, dtype=torch.float64))
        self.function = function

    def forward(self, x):
        return self.function(self.w * x)


def of(function, **more) -> Smoothness:
    return smoothness_of(Function(function), torch.ones(4, dtype=torch.float64), **more)


def levels(found: Smoothness) -> dict[str, str]:
    return {each.id: each.level for each in found.observations()}


def breaks(function: Callable[[float], float], low: float, high: float, floor: float) -> list[float]:
    """Where a function jumps: its difference over an interval does not shrink with the interval.

    Of a grid (at odd places, so that no point is hit) the intervals with the largest differences are divided,
    always following the largest; a jump is left whole, a slope shrinks by the number of parts.
    """
    found = []
    step = (high - low) / _GRID
    points = [low + step * (k + 0.3819660113) for k in range(_GRID)]
    values = [function(t) for t in points]
    size = [abs(b - a) for a, b in pairwise(values)]
    for k in sorted(range(len(size)), key=lambda k: -size[k])[:_TOP]:
        left, right, first = points[k], points[k + 1], size[k]
        for _ in range(_ROUNDS):
            inner = [left + (right - left) * j / _PARTS for j in range(_PARTS + 1)]
            at = [function(t) for t in inner]
            parts = [abs(b - a) for a, b in pairwise(at)]
            j = max(range(_PARTS), key=parts.__getitem__)
            left, right, last = inner[j], inner[j + 1], parts[j]
        if last > floor and last > 0.1 * first:
            found.append((left + right) / 2)
    return sorted(found)
