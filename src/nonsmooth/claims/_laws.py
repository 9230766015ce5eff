"""The exact law of the L1 norm of runs whose entries end alternating; shared by the claims on the toy LASSO.

An entry ends alternating between |b| = u and c - u, c the last step: α λ1 for the subgradient method, α for
RMSProp. So the norm alternates between S and P c - S, S the sum of u over the entries, independent where the
starts are; its two values are P c / 2 plus and minus the deviation |S - P c / 2|.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

__all__ = ["CELLS", "below", "best_below", "deviation_law", "subgradient_entry"]

# Cells over (0, c) on which the law of one entry is kept: the error of a probability is of order 1e-5.
CELLS = 512


def subgradient_entry(move: float) -> np.ndarray:
    """The law of u / c under the subgradient method, starts uniform on [-1, 1]: its chance in each cell.

    At even times u = r if floor(|b0| / c) is even, else c - r, where r = |b0| mod c. If 1/c is a whole
    number, u is uniform, and S / c has the law of Irwin and Hall.

    Args:
        move: c = α λ1 > 0.

    >>> entry = subgradient_entry(0.1)
    >>> entry.shape, round(float(entry.sum()), 12), bool(np.ptp(entry) < 1e-12)
    ((512,), 1.0, True)
    """
    edges = np.linspace(0, 1, CELLS + 1)
    whole = math.floor(1 / move * (1 + 1e-12))
    rest = max(1 / move - whole, 0.0)
    partial = np.minimum(edges, rest) if whole % 2 == 0 else np.maximum(edges - (1 - rest), 0)
    return np.diff(move * (whole * edges + partial))


def deviation_law(dimension: int, entry: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """|S - P c / 2| in units of c: its values, ascending, and their probabilities.

    Args:
        dimension: P >= 1.
        entry: law of u / c on the cells, (CELLS,), with sum 1; a cell's chance counts at its middle.

    >>> values, chances = deviation_law(1, subgradient_entry(0.1))  # |u - 1/2|, u uniform on (0, 1)
    >>> round(float(values @ chances), 4), round(float(chances.sum()), 12)
    (0.25, 1.0)
    """
    size = dimension * (CELLS - 1) + 1
    total = np.clip(np.fft.irfft(np.fft.rfft(entry, 2 * size) ** dimension, 2 * size)[:size], 0, None)
    # The grid is symmetric about P/2: fold it.
    folded = total[: (size + 1) // 2][::-1].copy()
    upper = total[size // 2 :]
    folded[0 if size % 2 == 0 else 1 :] += upper[0 if size % 2 == 0 else 1 :]
    values = (np.arange(folded.size) + (0.5 if size % 2 == 0 else 0.0)) / CELLS
    return values, folded / folded.sum()


def best_below(dimension: int, move: float) -> float:
    """The probability that the subgradient method's smaller final norm is below c = α λ1.

    It is 2 / P! for whole 1/c and P > 1.

    >>> round(best_below(3, 0.01), 4)  # 2 / 3!
    0.3333
    """
    if dimension <= 2:
        return 1.0
    values, chances = deviation_law(dimension, subgradient_entry(move))
    return float(1 - below(values, chances, dimension / 2 - 1))


def below(values: np.ndarray, chances: np.ndarray, bound: float | np.ndarray) -> Any:
    """P(value < bound), each value's chance spread evenly about it."""
    return np.interp(bound, values, np.cumsum(chances) - chances / 2, left=0.0, right=1.0)
