"""The experiments' own parts against closed forms and a convex solver."""

import cvxpy as cp
import numpy as np
import pytest

from nonsmooth.claims.soft_threshold._experiments import least_deviations
from nonsmooth.claims.soft_threshold._proximal import descend


def test_the_smallest_instance_ends_at_the_minimiser_of_a_kinked_loss() -> None:
    path = []
    for steps in range(4):
        b = np.array([-1.0])
        descend(1, 0.0, 1.0, np.array([[-1.0]]), np.array([-1.0]), 1.0, 0.5, np.ones(steps), b)
        path.append(float(b[0]))
    assert path == [-1.0, 0.5, 0.0, 0.0]


@pytest.mark.parametrize("seed", range(3))
def test_the_linear_programme_agrees_with_a_cone_solver(seed: int) -> None:
    rng = np.random.default_rng(seed)
    W, y = rng.uniform(-1, 1, (20, 10)), rng.uniform(-1, 1, 20)
    b = cp.Variable(10)
    problem = cp.Problem(cp.Minimize(cp.norm1(y - W @ b) / 20 + 0.1 * cp.norm1(b)))
    problem.solve(solver=cp.CLARABEL)
    assert least_deviations(W, y, 0.1) == pytest.approx(problem.value, abs=1e-8)


def test_rounded_steps_are_proximal_gradient_steps() -> None:
    rng = np.random.default_rng(0)
    W, y, b = rng.uniform(-1, 1, (6, 3)), rng.uniform(-1, 1, 6), rng.uniform(-1, 1, 3)
    moved = b - 0.2 * W.T @ np.clip((W @ b - y) / 0.3, -1, 1) / 6
    expected = np.sign(moved) * np.maximum(np.abs(moved) - 0.2 * 0.05, 0)
    descend(0, 0.3, 1 / 6, W, y, 0.05, 0.2, np.ones(1), b)
    assert b == pytest.approx(expected, abs=1e-15)
