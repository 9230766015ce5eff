"""How often the final losses do not overlap: closed forms from the laws of the final entries.

Vanilla: an entry ends alternating between u and c - u, c = α λ1, u nearly uniform.

RMSProp at α = 0.1, γ = 0.99, where |b| -> |s_t - |b|| with steps s_t = α / sqrt(1 - γ^(t+1)), t = 0, 1, ...
They fall to α, by d_t = s_t - s_(t+1) each. While an entry crosses 0 at every step, two steps take d_t from
it, so that D_t = d_t + d_(t+2) + d_(t+4) + ... is what is still to be taken from an entry at |b_t| = x. Note
D_t = d_t + D_(t+2), and D_t + D_(t+1) = s_t - α. For 0 < x < s_t there are four cases:

- D_t < x < D_t + α: x lies beyond the shrinkage to come, and so does its other place, s_t - x > D_(t+1). It
  keeps both, and ends alternating between x - D_t, at the times t, t+2, ..., and the rest of α.
- d_t < x < D_t: it does not outlast the shrinkage: at some t + 2k it is below d_(t+2k), the next case.
- x < d_t: the step after the next does not cross; at t + 2 the entry is at d_t - x, on the other side. It can
  outlast what is to come only if d_t - x > D_(t+2), that is, x < d_t - D_(t+2). This is positive at t = 0,
  where the first steps fall steeply, and at no later time. All others change sides again and again, and
  their places tend to 0 with d_t.
- x > D_t + α: its other place is s_t - x < D_(t+1), and the same is said of that, at t + 1.

The first step, s_0 = 10 α = 1, crosses 0 from every start. So of the starts, uniform in |b0|, those of (D_0,
D_0 + α) and of (0, d_0 - D_2) keep two values: a share α + d_0 - D_2 = 0.1279. The others end next to 0 and α
in turn over the reals, those of (d_0 - D_2, D_0) next to 0 at even times, those above D_0 + α at odd ones; in
floating point at an exact 0.
"""

from __future__ import annotations

from functools import cache
from math import comb
from typing import NamedTuple

import numpy as np

from nonsmooth.claims._laws import CELLS, below, deviation_law, subgradient_entry

__all__ = ["Ends", "captured", "ends", "expected", "orders"]


class Ends(NamedTuple):
    """Where RMSProp's entries end at even times: next to 0, next to α, or, ``kept`` by cell of (0, α)."""

    small: float
    large: float
    kept: np.ndarray


def ends(stepsize: float, decay: float) -> Ends:
    """The chances of each end, starts uniform on [-1, 1]; over the reals, for α / sqrt(1 - γ) >= 1.

    >>> found = ends(0.1, 0.99)
    >>> round(found.small, 4), round(found.large, 4), round(float(found.kept.sum()), 4)
    (0.5264, 0.3457, 0.1279)
    """
    # Until γ^t is below rounding.
    step = stepsize / np.sqrt(1 - decay ** np.arange(1, int(-40 / np.log(decay))))
    fall = -np.diff(step)
    to_come, after_two = fall[::2].sum(), fall[2::2].sum()  # D_0, D_2
    escape = max(fall[0] - after_two, 0.0)
    edges = np.linspace(0, stepsize, CELLS + 1)
    # From (D_0, D_0 + α), shifted by D_0, as far as |b0| <= 1; and from (0, escape), mirrored.
    kept = np.diff(np.clip(edges, 0, max(1 - to_come, 0))) + np.diff(np.minimum(edges, escape))
    return Ends(float(min(to_come, 1) - escape), float(max(1 - to_come - stepsize, 0)), kept)


def captured(stepsize: float, decay: float) -> float:
    """Share of the entries that RMSProp draws to 0, where the first step passes every start.

    >>> round(captured(0.1, 0.99), 3)
    0.872
    """
    found = ends(stepsize, decay)
    return found.small + found.large


@cache
def orders(
    dimension: int, stepsize: float, strength: float, decay: float, rounded: bool
) -> tuple[float, float]:
    """Probabilities that RMSProp's final losses all lie above vanilla's, and the other way round.

    The two runs share their starts; as u is |b0| modulo the step, they are taken as independent.

    Args:
        dimension: P.
        stepsize, strength, decay: α, λ1, γ.
        rounded: whether captured entries are at an exact 0 (floating point) or next to 0 and α (the reals).

    >>> [round(p, 2) for p in orders(10, 0.1, 1.0, 0.99, rounded=False)]
    [0.0, 0.0]
    """
    move = stepsize * strength
    vanilla = deviation_law(dimension, subgradient_entry(move))
    above = below_ = 0.0
    for chance, kept, law in _rmsprop(dimension, stepsize, decay, rounded):
        gap = (kept * stepsize - dimension * move) / 2
        if kept:
            above += chance * float(vanilla[1] @ below(*law, (gap - move * vanilla[0]) / stepsize))
            below_ += chance * float(vanilla[1] @ below(*law, (-gap - move * vanilla[0]) / stepsize))
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
    return bool(sum(p * float(below(*law, kept / 2 - level / stepsize)) for p, kept, law in laws) > 0.5)


@cache
def _rmsprop(
    dimension: int, stepsize: float, decay: float, rounded: bool
) -> list[tuple[float, int, tuple[np.ndarray, np.ndarray]]]:
    """RMSProp's final norms: chance, number of entries that move, law of the deviation from their mean."""
    found = ends(stepsize, decay)
    if not rounded:
        entry = found.kept.copy()
        entry[[0, -1]] += found.small, found.large
        return [(1.0, dimension, deviation_law(dimension, entry))]
    moves = float(found.kept.sum())
    return [
        (
            comb(dimension, kept) * moves**kept * (1 - moves) ** (dimension - kept),
            kept,
            deviation_law(kept, found.kept / moves) if kept else (np.zeros(1), np.ones(1)),
        )
        for kept in range(dimension + 1)
    ]
