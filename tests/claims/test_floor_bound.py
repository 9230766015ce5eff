"""The final norms by exact rationals, and what two strengths and the step schedules are compared by."""

from fractions import Fraction

import numpy as np
import pytest

from nonsmooth.claims._laws import best_below
from nonsmooth.claims.floor_bound import _experiments as floor
from nonsmooth.claims.floor_bound._experiments import RATIOS, _last_norms, _last_two
from nonsmooth.runs import RunSpec


@pytest.mark.parametrize("move", [Fraction(1, 10), Fraction(2, 7), Fraction(5, 3)])
def test_the_last_two_are_the_two_cycle(move):
    for b in (Fraction(1, 3), Fraction(-17, 19), Fraction(1, 1000)):
        first, second = _last_two(b, move)
        assert abs(first) + abs(second) == move
        whole, rest = divmod(abs(b), move)
        assert abs(first) == (rest if whole % 2 == 0 else move - rest)
    assert _last_two(3 * Fraction(1, 10), Fraction(1, 10)) == (0, 0)


def test_the_notes_exact_examples_of_a_smaller_norm_at_the_larger_strength():
    b = Fraction(31, 100)
    small, larger, middle = (
        [abs(x) for x in _last_two(b, move)] for move in (Fraction(1, 10), Fraction(3, 20), Fraction(3, 25))
    )
    assert (small[0], larger[0]) == (Fraction(9, 100), Fraction(1, 100))
    assert (max(small), max(middle)) == (Fraction(9, 100), Fraction(7, 100))


@pytest.mark.parametrize(("product", "ratio"), [(0.1, 1.5), (0.1, 3.0), (0.01, 10.0), (1.0, 2.0)])
def test_two_strengths_are_compared_as_in_exact_arithmetic(product, ratio):
    """The last two norms of each start against rationals, the last of them at the run's own parity."""
    start = np.array([[0.3137, -0.7716], [0.9553, 0.0131], [-0.5053, 0.5053]])
    steps = int(1 / product) + 4
    for move in (product, product * ratio):
        found = _last_norms(start, move, steps)
        for k, entries in enumerate(start):
            exact = [_last_two(Fraction(str(b)), Fraction(str(move))) for b in entries]
            even, odd = (float(sum(abs(pair[time]) for pair in exact)) for time in (0, 1))
            last = even if steps % 2 == 0 else odd
            assert found[:, k] == pytest.approx([(even + odd) / 2, max(even, odd), last], abs=1e-12)


def test_the_larger_norm_grows_once_the_strength_is_doubled_and_the_mean_always():
    rows = floor.pairs(RunSpec("floor-bound", "pairs", {"starts": 200}, (0,)))
    assert {row["ratio"] for row in rows} == set(RATIOS)
    assert all(row["mean"] == row["n"] for row in rows)
    assert all(row["larger"] == row["n"] for row in rows if row["ratio"] >= 2)
    assert any(row["larger"] < row["n"] for row in rows if row["ratio"] < 2)
    assert any(row["last"] < row["n"] for row in rows if row["ratio"] > 2)


def test_the_border_is_where_half_of_the_starts_are_below():
    rows = floor.border(RunSpec("floor-bound", "border"))
    assert [row["P"] for row in rows] == sorted({row["P"] for row in rows})
    for row in rows[::9]:
        assert best_below(row["P"], row["product"]) == pytest.approx(0.5, abs=0.01)


def test_only_steps_with_an_infinite_sum_are_called_so():
    seen = set()
    for kind, _, product, stepsize, travel in floor._schedules():
        seen.add(kind)
        profile = product * stepsize.profile(1_000_000)
        assert (travel == float("inf")) == (kind != floor.FINITE)
        if kind == floor.FINITE:
            assert profile.sum() == pytest.approx(travel, rel=1e-6)
        else:
            assert profile.sum() > 1.1 * profile[:100_000].sum()
        assert (profile[-1] < 1e-2 * product) == (kind != floor.STAYING)
    assert seen == {floor.FADING, floor.STAYING, floor.FINITE}
