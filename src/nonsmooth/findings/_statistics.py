"""Shares and ranges with their intervals, and how a printed number is held against measured ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

__all__ = ["Share", "central_range", "number", "printed_resolution", "share", "share_of"]


@dataclass(frozen=True)
class Share:
    """``hits`` of ``n`` with a Wilson interval whose level allows for the number of comparisons."""

    hits: int
    n: int
    interval: tuple[float, float]

    @property
    def value(self) -> float:
        return self.hits / self.n if self.n else float("nan")

    def __str__(self) -> str:
        return f"{self.hits} of {self.n}"


def share(outcomes: Iterable[bool], comparisons: int = 1) -> Share:
    """The share of True, with Wilson's score interval at level 1 - 0.05 / comparisons (Bonferroni).

    >>> str(share([True, True, False])), [round(end, 2) for end in share([True, True, False]).interval]
    ('2 of 3', [0.21, 0.94])
    """
    flags = [bool(outcome) for outcome in outcomes]
    return share_of(sum(flags), len(flags), comparisons)


def share_of(hits: int, n: int, comparisons: int = 1) -> Share:
    """The share of ``hits`` in ``n``, as :func:`share`, where only the two counts are known.

    >>> share_of(2, 3) == share([True, True, False])
    True
    """
    from scipy.stats import binomtest

    if not n:
        return Share(0, 0, (0.0, 1.0))
    interval = binomtest(hits, n).proportion_ci(confidence_level=1 - 0.05 / comparisons, method="wilson")
    return Share(hits, n, (float(interval.low), float(interval.high)))


def central_range(values: Iterable[float], level: float = 0.95) -> tuple[float, float, float]:
    """Median and the ends of the central ``level`` of the values: (low, median, high).

    This is where one more run would fall, not an interval for the median: a paper that prints the
    outcome of one run is held against it.
    """
    low, middle, high = np.quantile(
        np.asarray(list(values), dtype=float), [(1 - level) / 2, 0.5, (1 + level) / 2]
    )
    return float(low), float(middle), float(high)


def printed_resolution(text: str) -> float:
    """Half a unit of the last printed digit: the precision a printed number is held to.

    >>> printed_resolution("1.62")
    0.005
    """
    exponent = Decimal(text.replace(",", "")).as_tuple().exponent
    return float(Decimal(5).scaleb(int(exponent) - 1))


def number(value: float, digits: int = 3) -> str:
    """A number for reading: ``digits`` significant digits, exponent only where needed.

    >>> number(0.000123456), number(25.4321), number(0.0)
    ('0.000123', '25.4', '0')
    """
    return f"{value:.{digits}g}"
