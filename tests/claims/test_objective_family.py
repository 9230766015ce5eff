"""What the claim ``objective-family`` says of small instances, in exact rationals and by hand."""

from fractions import Fraction

import numpy as np
import pytest

from nonsmooth.claims.objective_family import _experiments as family
from nonsmooth.objectives import ReluRegression
from nonsmooth.runs import RunSpec


def _value(Z: list, y: list, l1: int, l2: int, b: list) -> Fraction:
    """Eq. 3, read off the page."""
    rows = [sum(Fraction(z) * c for z, c in zip(row, b, strict=True)) for row in Z]
    data = sum((Fraction(r) - max(Fraction(0), z)) ** 2 for r, z in zip(y, rows, strict=True))
    return data + l1 * sum(abs(Fraction(c)) for c in b) + l2 * sum(Fraction(c) ** 2 for c in b)


def test_the_smallest_counter_example_is_one_in_rationals() -> None:
    spec = RunSpec("objective-family", "exact", {"rows": 1, "columns": 1, "responses": "positive"})
    examples = [row["example"] for row in family.exact(spec) if row["example"]]
    assert examples
    for e in examples:
        b, c = e["chord"]
        half = [Fraction(s + t, 2) for s, t in zip(b, c, strict=True)]
        left, right, middle = (_value(e["Z"], e["y"], e["l1"], e["l2"], point) for point in (b, c, half))
        assert [left, right, middle] == e["values"]
        assert left + right < 2 * middle


def test_a_positive_response_may_leave_f_convex() -> None:
    """N = P = 1, Z = y = l1 = 1: 1 - b up to 0, 1 - b + b^2 beyond; no rational chord lies below."""
    points = [Fraction(k, 6) for k in range(-18, 19)]
    f = {b: _value([[1]], [1], 1, 0, [b]) for b in points}
    assert all(value == (1 - b if b <= 0 else 1 - b + b * b) for b, value in f.items())
    pairs = [(b, c) for b in points for c in points if (b + c) / 2 in f]
    assert all(f[b] + f[c] >= 2 * f[(b + c) / 2] for b, c in pairs)


def test_without_a_penalty_0_may_be_alone_or_not() -> None:
    alone = [_value([[1], [-1]], [-1, -1], 0, 0, [Fraction(k, 3)]) for k in range(-6, 7)]
    assert alone.count(min(alone)) == 1
    assert not family._another_minimiser(np.array([[1.0], [-1.0]]))
    assert family._another_minimiser(np.array([[1.0], [2.0]]))
    assert family._another_minimiser(np.array([[1.0, 2.0]]))


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_on_the_strength_keeps_0_the_minimiser(seed: int) -> None:
    rng = np.random.default_rng(seed)
    Z, y = rng.uniform(-1, 1, (6, 3)), rng.uniform(-1, 1, 6)
    enough = family._enough(Z, y)
    points = rng.uniform(-1, 1, (20_000, 3)) * 10.0 ** rng.uniform(-3, 1, (20_000, 1))
    kept = ReluRegression(Z, y, 1.001 * enough, convex=False)
    assert (kept.value(points) > kept.value(np.zeros(3))).all()
    assert family._lowest(kept, np.random.default_rng(0)) == 0
    positive = np.abs(y)
    lost = ReluRegression(Z, positive, 0.99 * family._enough(Z, positive), convex=False)
    assert family._lowest(lost, np.random.default_rng(0)) < 0
