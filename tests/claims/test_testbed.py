"""The claim's own methods and mathematics against independent computation."""

import numpy as np
import pytest
import torch

from nonsmooth.claims.testbed._experiments import _can_turn_all_off, least_value
from nonsmooth.claims.testbed._judgement import wendel
from nonsmooth.claims.testbed._methods import SGD, Adam
from nonsmooth.objectives import ReluRegression
from nonsmooth.testbed import random_problem
from nonsmooth.trajectories import minimize


def test_adam_is_torchs():
    p = random_problem(6, 10, l1=0.1)
    ours = p.try_out(Adam(), stepsize=0.01, steps=200, starts=3)
    theirs = p.try_out(torch.optim.Adam, stepsize=0.01, steps=200, starts=3)
    np.testing.assert_allclose(ours.run.final, theirs.run.final, rtol=1e-9, atol=1e-12)


def test_the_stochastic_slope_is_a_subgradient_on_average():
    rng = np.random.default_rng(0)
    Z, y, x = rng.uniform(-1, 1, (1, 5, 4)), rng.uniform(-1, 0, (1, 5)), rng.uniform(-1, 1, (1, 4))
    count = 40_000
    f = ReluRegression(np.tile(Z, (count, 1, 1)), np.tile(y, (count, 1)), 0.3, 0.1)
    moved = minimize(f, start=np.tile(x, (count, 1)), steps=1, stepsize=1.0, method=SGD()).final
    mean, spread = (x - moved).mean(axis=0), (x - moved).std(axis=0) / count**0.5
    exact = ReluRegression(Z[0], y[0], 0.3, 0.1).subgradient(x)[0]
    assert (np.abs(mean - exact) < 5 * spread + 1e-12).all()


def test_the_quadratic_programme_is_eq_3():
    Z, y = np.array([[1.0], [-0.5]]), np.array([-0.3, -0.7])
    f = ReluRegression(Z, y, 0.2, 0.1)
    grid = np.linspace(-2, 2, 40_001)[:, None]
    assert least_value(Z, y, 0.2, 0.1) == pytest.approx(float(f.value(grid).min()), rel=1e-9)


@pytest.mark.parametrize(("rows", "columns"), [(6, 2), (6, 3), (8, 4), (5, 5)])
def test_wendel_by_counting(rows, columns):
    rng = np.random.default_rng(rows * 10 + columns)
    count = 400
    hits = sum(_can_turn_all_off(rng.uniform(-1, 1, (rows, columns))) for _ in range(count))
    chance = wendel(rows, columns)
    assert abs(hits - chance * count) <= 4 * (count * chance * (1 - chance)) ** 0.5 + 1e-9
