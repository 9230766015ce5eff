"""How often the final losses do not overlap: closed forms from the law of a sum of uniform entries.

Vanilla: an entry ends alternating between u and c - u, c = α λ1, u nearly uniform. RMSProp at α = 0.1, γ =
0.99: the first step, 10 α = 1, crosses 0 from every start, the second is s_2 = α / sqrt(1 - γ^2). All later
steps shrink to α, and with them an entry's two values, so that only the share α / s_2 of the entries keeps
both; the others end next to 0 and α in turn over the reals, and at an exact 0 in floating point.
"""

from __future__ import annotations

from functools import cache
from math import comb
from typing import Any

import numpy as np

from nonsmooth.claims.floor_bound._law import below, deviation_law

__all__ = ["captured", "expected", "orders"]


def captured(decay: float) -> float:
    """Share of the entries that RMSProp draws to 0, where the first step passes every start.

    >>> round(captured(0.99), 3)
    0.859
    """
    return 1 - (1 - decay**2) ** 0.5


def orders(
    dimension: int, stepsize: float, strength: float, decay: float, rounded: bool
) -> tuple[float, float]:
    """Probabilities that RMSProp's final losses all lie above vanilla's, and the other way round.

    Args:
        dimension: P.
        stepsize, strength, decay: α, λ1, γ.
        rounded: whether captured entries are at an exact 0 (floating point) or next to 0 and α (the reals).

    >>> [round(p, 2) for p in orders(10, 0.1, 1.0, 0.99, rounded=False)]
    [0.0, 0.0]
    """
    move = stepsize * strength
    vanilla = deviation_law(dimension, move)
    above = below_ = 0.0
    for chance, kept, law in _rmsprop(dimension, stepsize, decay, rounded):
        gap = (kept * stepsize - dimension * move) / 2
        if kept:
            above += chance * float(vanilla[1] @ below(law[0], law[1], (gap - move * vanilla[0]) / stepsize))
            below_ += chance * float(
                vanilla[1] @ below(law[0], law[1], (-gap - move * vanilla[0]) / stepsize)
            )
        else:  # RMSProp is at 0, vanilla is not
            below_ += chance
    return above, below_


def expected(dimension: int, stepsize: float, strength: float, decay: float, iterations: int) -> bool | None:
    """Whether more than half of the float64 runs end in the figure's order; None while entries reach 0.

    For λ1 < 1: RMSProp above vanilla; else vanilla above. Before a run has settled, vanilla's norm is
    that of starts uniform on [-1, 1] which have come nearer by α λ1 a step.

    >>> expected(10, 0.1, 0.001, 0.99, 1000), expected(10, 0.1, 0.001, 0.99, 12_000)
    (False, True)
    """
    if 1000 < iterations < 3000:
        return None
    rounded, move = iterations > 2000, stepsize * strength
    way = 1 - max(iterations - 100, 0) * move  # what a start at 1 has left when the window opens
    if way <= 0 or strength >= 1:
        return bool(orders(dimension, stepsize, strength, decay, rounded)[int(strength >= 1)] > 0.5)
    level = dimension * (way**2 + (1 - way) * move) / 2
    laws = _rmsprop(dimension, stepsize, decay, rounded)
    share = sum(p * float(below(law[0], law[1], kept / 2 - level / stepsize)) for p, kept, law in laws)
    return bool(share > 0.5)


@cache
def _rmsprop(dimension: int, stepsize: float, decay: float, rounded: bool) -> list[tuple[float, int, Any]]:
    """RMSProp's final norms: chance, number of entries that move, law of the deviation from their mean."""
    gone = captured(decay)
    if not rounded:
        return [(1.0, dimension, deviation_law(dimension, stepsize, gone))]
    return [
        (
            comb(dimension, kept) * (1 - gone) ** kept * gone ** (dimension - kept),
            kept,
            deviation_law(kept, stepsize) if kept else (np.zeros(1), np.ones(1)),
        )
        for kept in range(dimension + 1)
    ]
