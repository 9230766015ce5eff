"""Exact minima against closed forms, exact_lasso, scikit-learn, celer, and weak duality itself."""

from dataclasses import replace

import celer
import numpy as np
import pytest
import torch
from sklearn.linear_model import ElasticNet as SklearnElasticNet

from nonsmooth.errors import InputError
from nonsmooth.methods import dcp_convex, exact_lasso, exact_minimum
from nonsmooth.methods._fenchel import lower_bound
from nonsmooth.objectives import Huber, Lasso, LogCosh, Objective, Quadratic, ReluRegression, ToyLasso
from nonsmooth.penalties import ElasticNet
from nonsmooth.runs import stream

W = stream("W", 0).uniform(-1, 1, (40, 12))
WIDE = stream("wide", 0).uniform(-1, 1, (20, 60))
Y = 2 * stream("y", 0).standard_normal(40)
FEW = stream("few", 0).uniform(-1, 1, 20)
NEGATIVE = -np.abs(Y)

PROBLEMS: dict[str, Objective] = {
    "lasso": Lasso(W, Y, 0.2),
    "lasso, wide": Lasso(WIDE, FEW, 0.05),
    "elastic net": Lasso(W, Y, 0.2, 0.1),
    "ridge": Lasso(W, Y, 0.0, 0.1),
    "least squares": Lasso(W, Y, 0.0),
    "lasso, rounded": Lasso(W, Y, 0.2).smooth_twin(0.01),
    "elastic net, rounded": Lasso(W, Y, 0.2, 0.1).smooth_twin(0.01),
    "toy": ToyLasso(1.5, 4),
    "toy, ridge": ToyLasso(0.5, 4, 2.0),
    "nothing": ToyLasso(0.0, 4),
    "relu, l1": ReluRegression(W, NEGATIVE, 0.1),
    "relu, l2": ReluRegression(WIDE, -np.abs(FEW), 0.0, 0.01),
    "relu, no penalty": ReluRegression(W, NEGATIVE, convex=False),
    "relu, rounded": ReluRegression(W, NEGATIVE, 0.1, 0.1).smooth_twin(0.1),
    "huber": Huber(W, Y),
    "huber, wide": Huber(WIDE, FEW),
    "huber with l1": replace(Huber(W, Y, 0.5), penalty=ElasticNet(0.05)),
    "log cosh": LogCosh(W, Y),
    "log cosh with l1 and l2": replace(LogCosh(W, Y, 0.7), penalty=ElasticNet(0.05, 0.02)),
    "quadratic": Quadratic(W.T @ W, np.arange(12.0)),
    "quadratic, singular": Quadratic(np.diag([2.0, 0.0]), np.array([1.0, 5.0])),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_gap_is_rounding(name: str) -> None:
    objective = PROBLEMS[name]
    found = exact_minimum(objective)
    scale = max(1.0, abs(found.value))
    assert found.proved_convex
    assert 0 <= found.gap <= 1e-12 * scale
    assert found.value == float(objective.value(found.solution))
    assert found.subdifferential_distance < 1e-7
    # the solver's own point is near: the polish finds no other minimum
    assert float(objective.value(found.unpolished)) - found.value < 1e-5 * scale


@pytest.mark.parametrize("name", PROBLEMS)
def test_no_point_lies_below_the_bound_of_any_dual_point(name: str) -> None:
    """Weak duality, tried with bounds from poor dual points at points near the minimum and far from it."""
    objective = PROBLEMS[name]
    rng = np.random.default_rng(1)
    best = exact_minimum(objective)
    for scale in (1e-3, 0.1, 1.0, 10.0):
        near = best.solution + scale * rng.standard_normal(objective.dimension)
        if objective.loss is None:
            duals = [np.zeros(0)]
        else:
            slopes = objective.weight * objective.loss.slope(objective.predict(near), objective.y, np)
            noise = 0.3 * scale * objective.weight * rng.uniform(0, 1, objective.y.size)
            duals = [slopes, slopes * 0.5, noise, 0 * noise]
        bounds = [lower_bound(objective, u, near) for u in duals]
        slack = 1e-12 * max(1.0, abs(best.value))
        assert max(bounds) <= best.value + slack
        assert max(bounds) <= float(objective.value(near)) + slack


def test_the_bound_is_tight_to_second_order_in_the_dual_point() -> None:
    """A conjugate that were too large would show as a gap that does not vanish."""
    for name in ("lasso", "elastic net", "huber with l1", "log cosh with l1 and l2"):
        objective, best = PROBLEMS[name], exact_minimum(PROBLEMS[name])
        near = best.solution * (1 + 1e-5)
        assert objective.loss is not None
        u = objective.weight * objective.loss.slope(objective.predict(near), objective.y, np)
        assert best.value - lower_bound(objective, u, near) < 1e-3 * best.value


@pytest.mark.parametrize("strength", [0.001, 0.05, 0.2])
def test_the_lasso_agrees_with_scikit_learn_and_celer(strength: float) -> None:
    found, other = exact_minimum(Lasso(WIDE, FEW, strength)), exact_lasso(WIDE, FEW, strength)
    np.testing.assert_allclose(found.solution, other.solution, atol=1e-9)
    np.testing.assert_array_equal(found.solution != 0, other.solution != 0)
    model = celer.Lasso(alpha=strength / 2, fit_intercept=False, tol=1e-14, max_iter=1000).fit(WIDE, FEW)
    np.testing.assert_allclose(found.solution, model.coef_, atol=1e-5)


def test_the_elastic_net_agrees_with_scikit_learn() -> None:
    # scikit-learn: ||y - Wb||^2 / (2 N) + alpha (rho ||b||_1 + (1 - rho) ||b||^2 / 2), half of ours
    model = SklearnElasticNet(alpha=0.2, l1_ratio=0.5, fit_intercept=False, tol=1e-14, max_iter=100_000)
    found = exact_minimum(Lasso(W, Y, 0.2, 0.1))
    np.testing.assert_allclose(found.solution, model.fit(W, Y).coef_, atol=1e-9)


def test_closed_forms() -> None:
    ridge = np.linalg.solve(W.T @ W / 40 + 0.1 * np.eye(12), W.T @ Y / 40)
    np.testing.assert_allclose(exact_minimum(PROBLEMS["ridge"]).solution, ridge, atol=1e-12)
    plain = np.linalg.lstsq(W, Y, rcond=None)[0]
    np.testing.assert_allclose(exact_minimum(PROBLEMS["least squares"]).solution, plain, atol=1e-12)
    np.testing.assert_allclose(exact_minimum(PROBLEMS["quadratic"]).solution, np.arange(12.0), atol=1e-11)
    # Huber of one column of ones: sum of clipped residuals 0, here (0 - m) + (1 - m) + 1 = 0
    centre = exact_minimum(Huber(np.ones((3, 1)), np.array([0.0, 1.0, 50.0])))
    assert centre.solution[0] == pytest.approx(1.0, abs=1e-9)
    # orthogonal data: soft-thresholding
    t = np.array([1.0, -0.3, 0.05, 0.0])
    soft = np.sign(t) * np.maximum(np.abs(t) - 0.05, 0)
    np.testing.assert_allclose(exact_minimum(Lasso(2.0 * np.eye(4), 2 * t, 0.1)).solution, soft, atol=1e-14)


@pytest.mark.parametrize("penalty", [(0.1, 0.0), (0.0, 0.1), (0.1, 0.1)])
def test_eq_3_has_its_minimum_at_0(penalty: tuple[float, float]) -> None:
    found = exact_minimum(ReluRegression(W, NEGATIVE, *penalty))
    assert not found.solution.any()
    assert found.lower_bound == pytest.approx((NEGATIVE**2).sum(), rel=1e-14)
    assert np.abs(found.unpolished).max() < 1e-4
    assert (found.radius < 1e-6) == (penalty[1] > 0)


def test_dcp_proves_eq_3_for_non_positive_responses_only() -> None:
    assert dcp_convex(ReluRegression(W, NEGATIVE, 0.1))
    assert dcp_convex(ReluRegression(W, np.zeros(40), 0.1))
    one = NEGATIVE.copy()
    one[7] = 1e-6
    assert not dcp_convex(ReluRegression(W, one, 0.1, convex=False))
    with pytest.raises(InputError, match="not proved convex"):
        exact_minimum(ReluRegression(W, one, 0.1, convex=False))


def test_what_cannot_be_served_is_refused_in_words() -> None:
    with pytest.raises(InputError, match="holds a batch"):
        exact_minimum(Lasso(np.stack([W, W]), np.stack([Y, Y]), 0.1))
    with pytest.raises(InputError, match="holds a batch"):
        exact_minimum(Lasso(W, Y, np.array([0.1, 0.2])))
    with pytest.raises(InputError, match="NumPy"):
        dcp_convex(Lasso(torch.ones(3, 2), torch.ones(3), 0.1))
