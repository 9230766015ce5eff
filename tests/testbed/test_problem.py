"""The facts of eq. 3 held against independent computation, and every way to plug a method in."""

import functools
import itertools
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import nonsmooth as ns
from nonsmooth.methods import Momentum, RMSProp, Subgradient, TorchOptimizer
from nonsmooth.testbed import problem_from, random_problem

seeds = st.integers(0, 10_000)


def small(seed, rows=3, columns=4, l1=0.3, l2=0.1):
    return random_problem(rows, columns, l1=l1, l2=l2, seed=seed)


@given(seeds)
def test_the_minimum_is_sharp_and_strongly_convex(seed):
    p = small(seed)
    b = np.random.default_rng(seed).normal(size=(50, 4)) * 10.0 ** np.arange(-4, 1).repeat(10)[:, None]
    gap = p.objective.value(b) - p.minimum
    norm = np.linalg.norm(b, axis=1)
    assert (gap >= p.at_zero.support_function(b) + p.l2 * norm**2 - 1e-12).all()
    assert (gap >= p.at_zero.sharpness[0] * norm - 1e-12).all()


@given(seeds)
def test_the_lipschitz_constant_bounds_every_subgradient(seed):
    p = small(seed)
    b = np.random.default_rng(seed).normal(size=(50, 4))
    for problem in (p, p.smooth_twin(0.1)):
        size = np.linalg.norm(problem.objective.subgradient(b), axis=1)
        bound = [problem.lipschitz(radius) for radius in np.linalg.norm(b, axis=1)]
        assert (size <= np.array(bound) * (1 + 1e-12)).all()


@given(seeds)
def test_the_support_function_is_the_one_sided_derivative(seed):
    p = small(seed)
    v = np.random.default_rng(seed).normal(size=(20, 4))
    h = 1e-7
    slope = (p.objective.value(h * v) - p.minimum) / h
    np.testing.assert_allclose(p.at_zero.support_function(v), slope, rtol=1e-5, atol=1e-5)


def vertices(edge):
    """Every corner of the zonotope, a superset of its extreme points."""
    corners = itertools.product((0, 1), repeat=len(edge.generators))
    return np.array([np.array(c) @ edge.generators for c in corners])


@pytest.mark.parametrize("seed", range(8))
def test_sharpness_encloses_the_distance_to_the_boundary(seed):
    """Oracle: facets of the hull of box + zonotope, 0 inside, by scipy."""
    from scipy.spatial import ConvexHull

    p = small(seed, rows=4, columns=3)
    box = p.l1 * np.array(list(itertools.product((-1, 1), repeat=3)))
    hull = ConvexHull((vertices(p.at_zero)[:, None] + box).reshape(-1, 3))
    distance = (-hull.equations[:, -1]).min()
    low, high = p.at_zero.sharpness
    assert low <= distance * (1 + 1e-9)
    assert distance <= high * (1 + 1e-9)
    # the search is a local one; in three dimensions it finds the distance itself
    assert high <= distance * 1.5


@pytest.mark.parametrize("seed", range(4))
def test_membership_in_the_subdifferential(seed):
    p = small(seed, rows=4, columns=3)
    generator = np.random.default_rng(seed)
    for _ in range(10):
        inside = generator.uniform(-p.l1, p.l1, 3) + generator.uniform(0, 1, 4) @ p.at_zero.generators
        assert p.at_zero.contains(inside)
        v = generator.normal(size=3)
        beyond = v / (v @ v) * (p.at_zero.support_function(v) * 1.01)  # v.g above the support function
        assert not p.at_zero.contains(beyond)
    assert p.at_zero.contains(np.zeros(3))
    # what the objective returns there (0 by the conventions at kinks) is a subgradient
    assert p.at_zero.contains(p.objective.subgradient(np.zeros(3)))


def test_with_more_columns_than_rows_a_direction_is_flat():
    p = random_problem(5, 20, l1=0.0, l2=0.1)
    assert p.at_zero.sharpness == (0.0, 0.0)
    assert (p.Z @ p.at_zero.flat_direction <= 1e-9).all()
    assert p.at_zero.support_function(p.at_zero.flat_direction) == pytest.approx(0, abs=1e-9)


def test_with_few_columns_it_may_be_sharp_without_l1():
    p = problem_from(np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]]), -np.ones(4), l2=1)
    assert p.at_zero.flat_direction is None
    assert p.at_zero.sharpness[0] == 0
    assert p.at_zero.sharpness[1] == pytest.approx(2)  # f'(0; v) = 2 ||v||_1


@pytest.mark.parametrize("seed", range(3))
def test_a_convex_solver_finds_the_minimiser(seed):
    import cvxpy as cp

    p = random_problem(10, 30, l1=0.05, l2=0.01, seed=seed)
    b = cp.Variable(30)
    fit = cp.sum_squares(cp.pos(p.Z @ b) - p.y)  # convex: pos(.) - y is non-negative
    value = cp.Problem(cp.Minimize(fit + p.l1 * cp.norm1(b) + p.l2 * cp.sum_squares(b))).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12
    )
    assert value == pytest.approx(p.minimum, rel=1e-8)
    assert np.abs(b.value).max() < 1e-5


def test_curvature_of_a_piece_is_the_hessians():
    p = random_problem(6, 4, l2=0.1, seed=1)
    b = np.random.default_rng(0).normal(size=4)
    h = 1e-6
    rows = [
        (p.objective.subgradient(b + h * e) - p.objective.subgradient(b - h * e)) / (2 * h) for e in np.eye(4)
    ]
    assert p.piece_curvature(b) == pytest.approx(np.linalg.norm(rows, 2), rel=1e-6)
    assert p.piece_curvature(b) <= 2 / p.all_on_edge
    off = random_problem(3, 10, l2=0.1).at_zero.flat_direction
    assert (
        random_problem(3, 10, l2=0.1).piece_curvature(off - 1e-6)
        <= 2 / random_problem(3, 10, l2=0.1).all_on_edge
    )


def test_every_way_to_name_the_same_method_gives_the_same_runs():
    p = random_problem(6, 10, l1=0.1, l2=0.01)
    ways = [
        Subgradient(),
        TorchOptimizer(torch.optim.SGD),
        torch.optim.SGD,
        lambda parameters: torch.optim.SGD(parameters, lr=1.0),
        functools.partial(torch.optim.SGD, lr=1.0),
        lambda x, g, size: x - size * g,
    ]
    outcomes = [p.try_out(way, stepsize=1e-3, steps=300, starts=3) for way in ways]
    for outcome in outcomes:
        assert outcome.behaviour == outcomes[0].behaviour
        np.testing.assert_allclose(outcome.floor, outcomes[0].floor, rtol=1e-9)
        np.testing.assert_allclose(outcome.distance, outcomes[0].distance, rtol=1e-9)


@pytest.mark.parametrize("method", [Subgradient(), Momentum(), RMSProp()])
def test_a_smooth_twin_with_a_small_step_converges_where_the_kinks_do_not(method):
    p = random_problem(6, 10, l1=0.5, l2=0.5)
    kinked = p.try_out(method, stepsize=0.005, steps=4000)
    assert "converges" not in kinked.counts
    if not isinstance(method, RMSProp):  # whose step does not fall with the gradient
        twin = p.smooth_twin(1.0)
        smooth = twin.try_out(method, stepsize=0.9 / twin.objective.facts.gradient_lipschitz, steps=4000)
        assert smooth.counts == {"converges": 8}
        assert np.isfinite(smooth.rate).all()


def test_what_an_outcome_holds():
    p = random_problem(6, 10, l1=0.5, l2=0.5)
    outcome = p.try_out(Subgradient(), stepsize=0.01, steps=400, starts=p.starts(5, seed=3))
    assert outcome.run.final.shape == (5, 10)
    np.testing.assert_allclose(outcome.distance, np.linalg.norm(outcome.run.final, axis=1))
    np.testing.assert_array_equal(outcome.active, (outcome.run.final @ p.Z.T > 0).sum(axis=1))
    np.testing.assert_array_equal(outcome.support, (outcome.run.final != 0).sum(axis=1))
    assert (outcome.floor >= p.objective.value(outcome.run.final) - p.minimum - 1e-12).all()
    assert sum(outcome.counts.values()) == 5
    assert str(outcome).startswith("5 starts: ")


def test_a_divergent_run_is_an_outcome():
    p = random_problem(6, 10)
    outcome = p.try_out(Subgradient(), stepsize=1e4, steps=100)
    assert outcome.counts == {"divergent": 8}
    assert np.isinf(outcome.floor).all()
    assert np.isinf(outcome.distance).all()


def test_the_toy_lasso_is_a_corner_of_it():
    """No ReLU ever on: eq. 7's orbit."""
    p = problem_from(np.zeros((1, 3)), np.zeros(1), l1=1.0)
    outcome = p.try_out(Subgradient(), stepsize=0.01, steps=400)
    assert outcome.counts == {"period-2 orbit": 8}
    assert (outcome.floor <= 3 * 0.01).all()
    assert (outcome.entry_crossings == 3).all()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: problem_from(np.eye(2), np.array([0.5, -1.0]), l1=1), "shift it"),
        (lambda: problem_from(np.eye(2), np.zeros(3), l1=1), "rows must match"),
        (lambda: problem_from(np.eye(2), np.zeros(2)), "l1 \\+ l2 > 0"),
        (lambda: problem_from(np.eye(2), np.zeros(2), l1=-1), "l1 = -1"),
        (lambda: problem_from([["a"]], [0.0], l1=1), "not numeric"),
        (lambda: problem_from(np.zeros(2), np.zeros(2), l1=1), "\\(N, P\\)"),
        (lambda: problem_from(np.full((1, 1), np.nan), np.zeros(1), l1=1), "NaN"),
        (lambda: random_problem(0, 3), "rows = 0"),
        (lambda: random_problem().smooth_twin(0.0), "width"),
        (lambda: random_problem().lipschitz(-1.0), "radius"),
        (lambda: random_problem().try_out("sgd", stepsize=1.0), "no method"),
        (lambda: random_problem().try_out(lambda a, b: a, stepsize=1.0), "no method"),
        (lambda: random_problem().try_out(Subgradient(), stepsize=1.0, steps=10), "at least 64"),
        (lambda: random_problem().try_out(Subgradient(), stepsize=1.0, starts=0), "starts = 0"),
        (lambda: random_problem().try_out(Subgradient(), stepsize=1.0, starts=np.zeros(3)), "500 entries"),
        (lambda: random_problem().at_zero.contains(np.zeros(3)), "shape \\(500,\\)"),
    ],
)
def test_what_cannot_be_used_is_refused_in_words(call, word):
    with pytest.raises(ns.InputError, match=word):
        call()


def test_the_example_runs(capsys):
    runpy.run_path(str(Path(__file__).parents[2] / "examples" / "testbed.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert "period-2 orbit" in printed
    assert "converges" in printed
