"""The exact library and the programmes behind ``strong-duality``, against definitions and known results."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from nonsmooth.claims.strong_duality import _experiments
from nonsmooth.claims.strong_duality._extended import Extended, enumerate_functions, improper_functions
from nonsmooth.claims.strong_duality._judgement import wendel

PLACES = [Fraction(k, 3) for k in range(-10, 11)]


def _sum(a, b):
    """Extended addition as convexity needs it: +∞ wins."""
    return math.inf if math.inf in (a, b) else a + b


@pytest.mark.parametrize(
    "f", [*itertools.islice(enumerate_functions(2, 2), 0, None, 23), *improper_functions(1)]
)
def test_every_enumerated_function_is_convex(f):
    for x, y in itertools.combinations(PLACES, 2):
        assert f.value((x + y) / 2) * 2 <= _sum(f.value(x), f.value(y)), str(f)


def test_the_enumeration_has_no_doubles():
    values = [tuple(f.value(x) for x in (*PLACES, -4, 4)) for f in enumerate_functions(2, 2)]
    assert len(set(values)) == len(values)


@pytest.mark.parametrize("axis", [-1, 0, Fraction(1, 2)])
def test_the_highest_crossing_is_the_closure(axis):
    # biconjugation: sup over slopes of the crossing is the closed hull's value on the axis
    for f in enumerate_functions(2, 2):
        assert f.highest_crossing(axis) == f.limit(axis), str(f)


def test_the_highest_crossing_is_the_supremum_over_a_grid_of_slopes():
    slopes = [Fraction(k, 4) for k in range(-60, 61)]
    for f in itertools.islice(enumerate_functions(2, 2), 0, None, 29):
        best = max(f.crossing(s) for s in slopes)
        if f.highest_crossing() < math.inf:
            assert best == f.highest_crossing(), str(f)
        else:  # ever steeper lines cross ever higher
            assert f.crossing(1000) > best or f.crossing(-1000) > best


def test_known_functions():
    distance = Extended((1,), (0,), left=-1, right=1)
    assert (distance.value(0), distance.highest_crossing(), distance.minimisers()) == (1, 1, [1])
    half_line = Extended((0, 1), (0, 0), right=0)
    assert half_line.has_vertical_support(0)
    assert half_line.is_closed()
    opened = Extended((0, 1), (0, 0), right=0, first=1)
    assert (opened.value(0), opened.highest_crossing()) == (1, 0)
    assert not opened.lower_semicontinuous_at(0)
    assert str(opened) == "f(x) = 0 for x > 0, f(0) = 1, +∞ elsewhere"


@pytest.mark.parametrize("seed", range(6))
def test_the_programmes_against_a_convex_solver(seed):
    cp = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(seed)
    points, heights = rng.integers(-3, 4, (9, 2)).astype(float), rng.integers(0, 6, 9).astype(float)
    weights = cp.Variable(9, nonneg=True)
    problem = cp.Problem(cp.Minimize(heights @ weights), [points.T @ weights == 0, cp.sum(weights) == 1])
    expected = problem.solve()
    assert _experiments._common_point(points, heights) == pytest.approx(expected, abs=1e-6)
    assert _experiments._max_crossing(points, heights) == pytest.approx(expected, abs=1e-6)


def test_positive_spanning_of_known_rows():
    triangle = np.array([[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert _experiments._spans_positively(triangle)
    assert not _experiments._spans_positively(triangle[:2])
    assert not _experiments._spans_positively(np.abs(triangle) + 0.1)


def test_wendel_against_simulation():
    hits = sum(
        _experiments._spans_positively(np.random.default_rng(k).standard_normal((7, 3))) for k in range(400)
    )
    assert hits / 400 == pytest.approx(wendel(7, 3), abs=0.08)


def test_the_exact_checks_notice_a_wrong_kink(monkeypatch):
    Z, y = np.array([[1, 2], [-1, 1], [0, -1]]), np.array([-1, -2, 0])
    assert _experiments._check_family(Z, y, 1, 2, np.random.default_rng(0))[1] == 0
    monkeypatch.setattr(_experiments, "_dot", lambda a, b: sum(p * q for p, q in zip(a, b, strict=True)) + 1)
    assert _experiments._check_family(Z, y, 1, 2, np.random.default_rng(0))[1] > 0
