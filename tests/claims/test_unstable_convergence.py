"""The searches behind the bound: held against linear programs, PEPit, and orbits replayed exactly."""

from fractions import Fraction

import numpy as np
import pytest

from nonsmooth.claims.unstable_convergence._cycles import cycles, excesses, highest_point, longest_paths
from nonsmooth.claims.unstable_convergence._experiments import _along_a_ray
from nonsmooth.claims.unstable_convergence._periodic import exact_excess, worst_period


@pytest.mark.parametrize(("dimension", "period", "steepest"), [(1, 4, 9), (2, 3, 5), (2, 4, 5), (3, 4, 3)])
def test_all_cycles_at_once_are_worth_what_a_linear_program_says(dimension, period, steepest) -> None:
    tried = [g for square in range(1, steepest + 1) for g in cycles(dimension, period, square)][:300]
    programs = [highest_point(g) for g in tried]
    assert excesses(np.array(tried)) == pytest.approx(
        [np.nan if found is None else found[0] for found in programs], abs=1e-9, nan_ok=True
    )


def test_two_steps_return_to_one_and_no_higher() -> None:
    # f_0 - f_1 <= ||g||², so that f_0 - f* <= (f_0 - f_1)/2 + ||g||²/2 <= 1; |x| from 1 by way of 0 has it
    worst = worst_period(2)
    assert worst.bound == pytest.approx(1, abs=1e-6)
    assert exact_excess(worst.gradients) == 1


def test_four_steps_return_to_five_quarters() -> None:
    worst = worst_period(4)
    assert worst.bound == pytest.approx(1.25, abs=1e-6)
    # (0, 1, 0), (e, 0, -1), (e, 0, 1), (-2e, -1, 0) comes as near as one likes
    near = [[0, 1000, 0], [1, 0, -1000], [1, 0, 1000], [-2, -1000, 0]]
    excess = exact_excess(near)
    assert excess is not None
    assert Fraction(1249, 1000) < excess < Fraction(5, 4)


@pytest.mark.parametrize("period", [2, 3, 4, 5])
def test_the_bound_lies_above_every_cycle_searched(period) -> None:
    bound = worst_period(period).bound
    for dimension, steepest in ((1, 4), (2, 2), (3, 2)):
        tried = [g for square in range(1, steepest + 1) for g in cycles(dimension, period, square)]
        if tried:
            assert np.nanmax(excesses(np.array(tried))) <= bound + 1e-9


@pytest.mark.parametrize("period", [3, 4, 6, 8])
def test_the_instance_lies_below_its_bound_and_is_what_it_says(period) -> None:
    worst = worst_period(period)
    excess = exact_excess(worst.gradients)
    assert excess is not None
    assert worst.bound - 0.011 < excess <= worst.bound
    # replay: the maximum of the planes, in exact rationals, from x_0 = 0 with step 1
    g = [[Fraction(entry) for entry in row] for row in worst.gradients]
    values = [Fraction(int(v)) for v in longest_paths(np.array(worst.gradients)[None])[0][0]]
    points = [[Fraction(0)] * (period - 1)]
    for row in g[:-1]:
        points.append([p - c for p, c in zip(points[-1], row, strict=True)])

    def planes(x):
        return [v + _dot(row, x) - _dot(row, p) for v, row, p in zip(values, g, points, strict=True)]

    for k, x in enumerate(points):
        heights = planes(x)
        assert heights[k] == max(heights) == values[k]  # g_k is a subgradient at x_k
        following = [p - c for p, c in zip(x, g[k], strict=True)]
        assert following == points[(k + 1) % period]
    low = _meeting_point(g, values, points)
    square = max(_dot(row, row) for row in g)
    assert len(set(planes(low))) == 1  # all planes meet, and no convex combination of them lies lower
    assert (values[0] - max(planes(low))) / square == excess


def test_a_cycle_that_does_not_close_or_fit_is_refused() -> None:
    assert exact_excess([[1, 0], [0, 1], [-1, 0]]) is None
    assert exact_excess([[1, 0], [-1, 0], [1, 0], [-1, 0]]) is None  # rank 1: the planes need not meet


@pytest.mark.parametrize("period", [2, 3, 4])
def test_pepit_finds_the_same_worst_case(period) -> None:
    pepit = pytest.importorskip("PEPit")
    from PEPit.functions import ConvexLipschitzFunction

    problem = pepit.PEP()
    f = problem.declare_function(ConvexLipschitzFunction, M=1.0)
    x, values = problem.set_initial_point(), [pepit.Expression() for _ in range(period)]
    steps = [pepit.Point() for _ in range(period - 1)]
    steps.append(-sum(steps[1:], steps[0]))  # the orbit closes
    for g, value in zip(steps, values, strict=True):
        f.add_point((x, g, value))
        x = x - g
    problem.set_performance_metric(values[0] - f(f.stationary_point()))
    # here the minimiser is a point of the program, and runs off as the value nears its supremum
    assert problem.solve(verbose=0) == pytest.approx(worst_period(period).bound, abs=1e-3)


def test_the_ray_is_followed_as_the_proof_says() -> None:
    # y' - y = x²/(r (r + y)) and |x'| = 1 - |x| (1 - 1/r): the coordinate grows at each power of ten
    row = _along_a_ray(1000)
    assert [k for k, *_ in row["path"]] == [10, 100, 1000]
    assert row["path"][-1][1] == pytest.approx(7.690, abs=1e-3)
    assert row["late_loss"] < 1


def _dot(a, b):
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def _meeting_point(g, values, points):
    """x with g_k.x + (values_k - g_k.x_k) equal to their mean c for all k, by elimination in rationals."""
    level = sum(v - _dot(row, p) for v, row, p in zip(values, g, points, strict=True)) / len(g)
    rows = [
        [*row, level - v + _dot(row, p)] for v, row, p in zip(values[:-1], g[:-1], points[:-1], strict=True)
    ]
    size = len(rows)
    for k in range(size):
        pivot = next(j for j in range(k, size) if rows[j][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [entry / rows[k][k] for entry in rows[k]]
        for j in range(size):
            if j != k:
                rows[j] = [a - rows[j][k] * b for a, b in zip(rows[j], rows[k], strict=True)]
    return [row[-1] for row in rows]
