"""Exact solutions against celer, a convex solver at tight tolerance, and the closed form."""

from itertools import pairwise

import cvxpy as cp
import numpy as np
import pytest
from celer import Lasso as CelerLasso

from nonsmooth.datasets import diabetes
from nonsmooth.errors import InputError
from nonsmooth.methods import duality_gap, exact_lasso
from nonsmooth.runs import stream


def _problem(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return stream("W", seed).uniform(-1, 1, (20, 500)), stream("y", seed).uniform(-1, 1, 20)


@pytest.mark.parametrize("strength", [0.001, 0.01, 0.1, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_gap_is_below_1e_10_and_celer_agrees(seed: int, strength: float) -> None:
    W, y = _problem(seed)
    exact = exact_lasso(W, y, strength)
    assert exact.relative_gap <= 1e-10
    other = CelerLasso(alpha=strength / 2, fit_intercept=False, tol=1e-14, max_iter=1000).fit(W, y).coef_
    np.testing.assert_allclose(exact.solution, other, atol=1e-6)
    np.testing.assert_array_equal(exact.solution != 0, np.abs(other) > 1e-9)
    value = ((y - W @ other) ** 2).mean() + strength * np.abs(other).sum()
    assert exact.value <= value + 1e-12


def test_a_convex_solver_at_tight_tolerance_agrees() -> None:
    W, y = _problem(0)
    b = cp.Variable(500)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(y - W @ b) / 20 + 0.1 * cp.norm1(b)))
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-13, tol_gap_rel=1e-13, tol_feas=1e-13)
    assert exact_lasso(W, y, 0.1).value == pytest.approx(problem.value, rel=1e-9)


def test_real_data() -> None:
    data = diabetes()
    top = np.abs(2 * data.X.T @ data.y / len(data.y)).max()
    for share in (0.9, 0.25, 0.01):
        assert exact_lasso(data.X, data.y, share * top).relative_gap <= 1e-10
    assert not exact_lasso(data.X, data.y, 1.0001 * top).solution.any()
    assert exact_lasso(data.X, data.y, 0.9999 * top).solution.any()


def test_orthogonal_data_have_a_closed_form() -> None:
    """W = sqrt(N) I: b = soft(W^T y / N, strength / 2)."""
    y = np.array([1.0, -0.3, 0.05, 0.0])
    W = 2.0 * np.eye(4)
    t = W.T @ y / 4
    np.testing.assert_allclose(
        exact_lasso(W, y, 0.1).solution, np.sign(t) * np.maximum(np.abs(t) - 0.05, 0), atol=1e-14
    )


def test_the_gap_bounds_the_true_suboptimality_of_any_point() -> None:
    W, y = _problem(1)
    best = exact_lasso(W, y, 0.1)
    for seed in range(10):
        b = best.solution + 1e-3 * np.random.default_rng(seed).normal(size=500)
        value = ((y - W @ b) ** 2).mean() + 0.1 * np.abs(b).sum()
        assert duality_gap(W, y, 0.1, b) >= value - best.value > 0


def test_exact_norm_never_grows_with_the_strength() -> None:
    W, y = _problem(2)
    norms = [np.abs(exact_lasso(W, y, s).solution).sum() for s in np.geomspace(1e-3, 1, 12)]
    assert all(b <= a + 1e-12 for a, b in pairwise(norms))


@pytest.mark.parametrize("strength", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_strength_is_named(strength: float) -> None:
    with pytest.raises(InputError, match="strength = "):
        exact_lasso(np.eye(2), np.ones(2), strength)
