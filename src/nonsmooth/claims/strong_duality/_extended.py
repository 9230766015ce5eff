"""Extended-valued convex functions of one variable, piecewise linear on the integers, in exact arithmetic.

Small enough to be enumerated, rich enough to be awkward: bounded and unbounded domains, open ends, ends
where the value jumps up (convex, but not lower semicontinuous), no minimum, and the value -∞. All numbers
are integers or rationals, so that a crossing level equals a common point exactly or does not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Extended", "enumerate_functions", "improper_functions"]

_INF = math.inf
Number = int | Fraction | float


@dataclass(frozen=True)
class Extended:
    """A convex function f: R -> [-∞, ∞], linear between neighbouring ``knots`` (consecutive integers).

    Args:
        knots: consecutive integers, at least one; the outermost are the ends of the domain unless a ray
            follows.
        limits: what f tends to at each knot from inside the domain.
        left, right: slope of the ray beyond the first and last knot; None: the domain ends there.
        first, last: f itself at an end of the domain, at least the limit; ∞ leaves the end out (open).
        improper: f is -∞ inside the domain (``limits`` and slopes are then unused).

    >>> f = Extended((1,), (0,), left=-1, right=1)  # |x - 1|
    >>> f.value(0), f.highest_crossing(0), f.highest_crossing(1), str(f)
    (1, 1, 0, 'f(x) = -x + 1 for x ≤ 1, x - 1 for x ≥ 1')
    """

    knots: tuple[int, ...]
    limits: tuple[int, ...]
    left: int | None = None
    right: int | None = None
    first: Number = 0
    last: Number = 0
    improper: bool = False

    @property
    def is_point(self) -> bool:
        """Whether the domain is a single point."""
        return len(self.knots) == 1 and self.left is None and self.right is None

    def value(self, x: Number) -> Number:
        """f(x), ±∞ included."""
        low, high = self.knots[0], self.knots[-1]
        if (x < low and self.left is None) or (x > high and self.right is None):
            return _INF
        if x == low and self.left is None:
            return self.first
        if x == high and self.right is None:
            return self.last
        return -_INF if self.improper else self.limit(x)

    def limit(self, x: Number) -> Number:
        """liminf of f at x: the value at x of the closure of f; f itself inside the domain."""
        low, high = self.knots[0], self.knots[-1]
        if (x < low and self.left is None) or (x > high and self.right is None):
            return _INF
        if self.is_point:
            return self.first
        if self.improper:
            return -_INF
        if x < low:
            return self.limits[0] + (self.left or 0) * (x - low)
        if x >= high:
            return self.limits[-1] + (self.right or 0) * (x - high)
        k = math.floor(x) - low
        return self.limits[k] + (self.limits[k + 1] - self.limits[k]) * (x - self.knots[k])

    def is_closed(self) -> bool:
        """Whether the epigraph is closed, that is f lower semicontinuous everywhere."""
        ends = [self.knots[0]] * (self.left is None) + [self.knots[-1]] * (self.right is None)
        return all(self.value(x) == self.limit(x) for x in ends)

    def lower_semicontinuous_at(self, x: Number) -> bool:
        return self.value(x) <= self.limit(x)

    def is_proper(self) -> bool:
        return not self.improper and any(self.value(x) < _INF for x in self._places())

    def minimisers(self) -> list[Number]:
        """Where a finite global minimum is attained, among the knots, their midpoints and one step out."""
        least = self.infimum()
        return [x for x in self._places() if self.value(x) == least] if abs(least) < _INF else []

    def infimum(self) -> Number:
        """inf f over the line, attained or not."""
        if self.is_point:
            return self.first
        falls = (self.left or 0) > 0 or (self.right or 0) < 0
        return -_INF if falls or self.improper else min(self.limits)

    def crossing(self, slope: Number, axis: Number = 0) -> Number:
        """Where the highest line of this slope below the epigraph crosses the vertical at ``axis``."""
        if self.is_point:
            return self.first - slope * (self.knots[0] - axis)
        too_steep = (self.left is not None and self.left > slope) or (
            self.right is not None and self.right < slope
        )
        if self.improper or too_steep:
            return -_INF
        return min(level - slope * (x - axis) for x, level in zip(self.knots, self.limits, strict=True))

    def highest_crossing(self, axis: Number = 0) -> Number:
        """q*: the supremum of ``crossing`` over all slopes, by the finitely many that can reach it."""
        before = self.left is None and self.knots[0] > axis
        beyond = self.right is None and self.knots[-1] < axis
        if before or beyond:  # ever steeper lines cross ever higher, unless f is -∞ somewhere
            return -_INF if self.improper and not self.is_point else _INF
        if self.is_point:
            return self.first
        inner = [b - a for a, b in itertools.pairwise(self.limits)]
        slopes = [*inner, *(ray for ray in (self.left, self.right) if ray is not None)]
        return max(self.crossing(s, axis) for s in (*slopes, min(slopes) - 1, max(slopes) + 1))

    def has_vertical_support(self, x: Number) -> bool:
        """Whether the vertical line at x has the whole epigraph on one side and touches it."""
        at_first = self.left is None and self.knots[0] == x
        at_last = self.right is None and self.knots[-1] == x
        return self.value(x) < _INF and (at_first or at_last)

    def one_sided_slopes(self, x: int) -> tuple[Number, Number]:
        """Slopes just left and right of a point of the closed domain; -∞ and ∞ where the domain ends."""
        step = Fraction(1, 2)
        here = self.limit(x)
        return tuple(
            sign * _INF
            if self.limit(x + sign * step) == _INF
            else (self.limit(x + sign * step) - here) * 2 * sign
            for sign in (-1, 1)
        )  # type: ignore[return-value]

    def __str__(self) -> str:
        if self.is_point:
            return f"f({self.knots[0]}) = {_text(self.first)}, +∞ elsewhere"
        low, high = self.knots[0], self.knots[-1]
        texts = []
        for formula, a, b in _pieces(self):
            closed_a = a is not None and (a > low or self.left is not None or self.first == self.limits[0])
            closed_b = b is not None and (b < high or self.right is not None or self.last == self.limits[-1])
            texts.append(f"{formula}{_where(a, b, closed_a, closed_b)}")
        for end, ray, value, limit in (
            (low, self.left, self.first, self.limits[0]),
            (high, self.right, self.last, self.limits[-1]),
        ):
            if ray is None and value < _INF and (self.improper or value != limit):
                texts.append(f"f({end}) = {_text(value)}")
        whole = self.left is not None and self.right is not None
        return "f(x) = " + ", ".join([*texts, *([] if whole else ["+∞ elsewhere"])])

    def complexity(self) -> tuple[int, ...]:
        """For choosing the smallest instance: a point last; then ends, pieces, slopes and levels, jumps."""
        lines = [] if self.is_point or self.improper else _lines(self)
        return (
            self.is_point,
            (self.left is None) + (self.right is None),
            len(lines),
            sum(abs(slope) for slope, *_ in lines),
            sum(abs(level) for _, level, *_ in lines),
            self.left is None and abs(self.first) < _INF and self.first != self.limits[0],
            self.right is None and abs(self.last) < _INF and self.last != self.limits[-1],
            -sum(slope for slope, *_ in lines),
            sum(map(abs, self.knots)),
            -self.knots[0],
        )

    def _places(self) -> list[Number]:
        middles = [Fraction(a + b, 2) for a, b in itertools.pairwise(self.knots)]
        return sorted([self.knots[0] - 1, *self.knots, *middles, self.knots[-1] + 1])


def enumerate_functions(reach: int, steepest: int) -> Iterator[Extended]:
    """Every proper one with knots in [-reach, reach], slopes in [-steepest, steepest], jumps 0, 1 or ∞."""
    for low, high in itertools.product([None, *range(-reach, reach + 1)], repeat=2):
        knots = tuple(range(-reach if low is None else low, (reach if high is None else high) + 1))
        if not knots:
            continue
        count = len(knots) - 1 + (low is None) + (high is None)
        if count == 0:
            yield Extended(knots, (0,))
            continue
        gaps = ([0] if low is None else [0, 1, _INF], [0] if high is None else [0, 1, _INF])
        for slopes in itertools.combinations_with_replacement(range(-steepest, steepest + 1), count):
            inner = slopes[low is None : count - (high is None)]
            limits = _levelled(knots, tuple(itertools.accumulate(inner, initial=0)), slopes, low, high)
            for jump, jump_end in itertools.product(*gaps):
                yield Extended(
                    knots,
                    limits,
                    None if low is not None else slopes[0],
                    None if high is not None else slopes[-1],
                    limits[0] + jump,
                    limits[-1] + jump_end,
                )


def _levelled(
    knots: tuple[int, ...],
    limits: tuple[int, ...],
    slopes: tuple[int, ...],
    low: int | None,
    high: int | None,
) -> tuple[int, ...]:
    """The same function moved up or down: least value 0, or, unbounded below, 0 nearest the axis."""
    falls = (low is None and slopes[0] > 0) or (high is None and slopes[-1] < 0)
    base = min(zip(knots, limits, strict=True), key=lambda k: abs(k[0]))[1] if falls else min(limits)
    return tuple(level - base for level in limits)


def improper_functions(reach: int) -> Iterator[Extended]:
    """Every one that is -∞ inside its domain, with ends in [-reach, reach] and values -∞, 0, 1 or ∞ there."""
    for low, high in itertools.product([None, *range(-reach, reach + 1)], repeat=2):
        if low is not None and high is not None and low >= high:
            continue
        knots = tuple(range(-reach if low is None else low, (reach if high is None else high) + 1))
        choices = (-_INF, 0, 1, _INF)
        ends = ([0] if low is None else choices, [0] if high is None else choices)
        for first, last in itertools.product(*ends):
            rays = (None if low is not None else 0, None if high is not None else 0)
            yield Extended(knots, (0,) * len(knots), *rays, first, last, improper=True)


def _lines(f: Extended) -> list[tuple[int, int, int | None, int | None]]:
    """(slope, value at 0, from, to) of each linear piece, neighbours of one slope joined."""
    cells: list[tuple[int, int, int | None, int | None]] = []
    if f.left is not None:
        cells.append((f.left, f.limits[0] - f.left * f.knots[0], None, f.knots[0]))
    for k, (a, b) in enumerate(itertools.pairwise(f.limits)):
        cells.append((b - a, a - (b - a) * f.knots[k], f.knots[k], f.knots[k + 1]))
    if f.right is not None:
        cells.append((f.right, f.limits[-1] - f.right * f.knots[-1], f.knots[-1], None))
    runs = [list(group) for _, group in itertools.groupby(cells, key=lambda cell: cell[:2])]
    return [(*run[0][:2], run[0][2], run[-1][3]) for run in runs]


def _pieces(f: Extended) -> list[tuple[str, int | None, int | None]]:
    """Formula, from and to of each piece."""
    if f.improper:
        ends = (f.knots[0] if f.left is None else None, f.knots[-1] if f.right is None else None)
        return [("-∞", *ends)]
    return [(_line(slope, level), a, b) for slope, level, a, b in _lines(f)]


def _line(slope: int, level: int) -> str:
    if slope == 0:
        return str(level)
    start = {1: "x", -1: "-x"}.get(slope, f"{slope}x")
    return start if level == 0 else f"{start} {'+' if level > 0 else '-'} {abs(level)}"


def _where(a: int | None, b: int | None, closed_a: bool, closed_b: bool) -> str:
    less_a, less_b = "≤" if closed_a else "<", "≤" if closed_b else "<"
    if a is None and b is None:
        return ""
    if a is None:
        return f" for x {less_b} {b}"
    if b is None:
        return f" for x {'≥' if closed_a else '>'} {a}"
    return f" for {a} {less_a} x {less_b} {b}"


def _text(value: Number) -> str:
    return {_INF: "+∞", -_INF: "-∞"}.get(value, str(value))  # type: ignore[arg-type]
