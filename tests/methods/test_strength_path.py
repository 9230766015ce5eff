"""The path of strengths against scikit-learn's, and its rule of thumb."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Lasso
from torch import nn

import nonsmooth as ns
from nonsmooth.errors import InputError


def _setting(strength: float = 1.0):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 8))
    y = X[:, 0] - 2 * X[:, 3] + 0.2 * rng.standard_normal(50)
    data = torch.from_numpy(X), torch.from_numpy(y)
    w = nn.Parameter(torch.zeros(8, dtype=torch.float64))
    optimizer = torch.optim.SGD([w], lr=0.3, momentum=0.5)
    prox = ns.attach(optimizer, ns.L1(strength), params=[("w", w)])

    def loss() -> torch.Tensor:
        return 0.5 * ((data[0] @ w - data[1]) ** 2).mean()

    def fit() -> None:
        for _ in range(600):
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()

    return X, y, w, prox, loss, fit


@pytest.mark.parametrize("strength", [1.0, 0.01])
def test_the_path_is_scikit_learns(strength: float) -> None:
    X, y, _, prox, loss, fit = _setting(strength)
    loss().backward()
    prox.factor = 7.0  # put back, and of no influence
    path = ns.strength_path(prox, fit, points=6, ratio=0.01)
    assert prox.factor == 7.0
    largest = np.abs(X.T @ y / 50).max()
    assert path.points[0].factor * strength == pytest.approx(largest, rel=1e-9)
    assert path.points[0].nonzeros == 0
    for point in path.points[1:]:
        model = Lasso(alpha=point.factor * strength, fit_intercept=False, tol=1e-14, max_iter=100_000).fit(
            X, y
        )
        np.testing.assert_allclose(point.weights["w"], model.coef_, atol=1e-8)
        assert point.nonzeros == np.count_nonzero(model.coef_)
    assert "non-zeros" in str(path)


def test_the_rule_of_thumb() -> None:
    _, _, _, prox, _, fit = _setting()
    scores = iter([(5.0, 0.1), (1.2, 0.5), (1.0, 0.3), (1.1, 0.2)])
    path = ns.strength_path(prox, fit, factors=[3.0, 1.0, 0.3, 0.1], score=lambda: next(scores))
    assert path.chosen.factor == 1.0  # 1.2 is within 0.3 of the best, 1.0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"factors": [0.1, 1.0]}, "give decreasing numbers"),
        ({"factors": [1.0, -1.0]}, "give decreasing numbers"),
        ({"factors": []}, "give decreasing numbers"),
        ({"factors": 5}, "factors = 5 are not allowed"),
        ({"factors": [1.0, float("nan")]}, "give decreasing numbers"),
        ({"points": 2.5}, "points = 2.5"),
        ({"points": 0}, "points = 0"),
        ({"ratio": 1.0}, "ratio = 1.0"),
        ({"ratio": "small"}, "ratio = small"),
        ({"fit": None}, "fit is a NoneType; give a function"),
        ({"score": 0.5}, "score is a float; give a function"),
        ({"score": lambda: "good"}, "score returned 'good'; it must return a number"),
        ({"score": lambda: (1.0, float("nan"))}, "its standard error >= 0"),
        ({"score": lambda: (1.0, -0.1)}, "its standard error >= 0"),
        ({"score": lambda: (1.0, 0.1, 5)}, "score returned"),
    ],
)
def test_bad_paths_in_words(options, words: str) -> None:
    _, _, _, prox, loss, fit = _setting()
    loss().backward()
    with pytest.raises(InputError, match=words):
        ns.strength_path(prox, **({"fit": fit} | options))
    assert prox.factor == 1.0


def test_where_every_strength_keeps_zero() -> None:
    w = nn.Parameter(torch.ones(3))
    prox = ns.attach(torch.optim.SGD([w], lr=0.1), ns.L0(1.0), params=[w])
    w.grad = torch.ones(3)
    with pytest.raises(InputError, match="every strength makes 0 stationary"):
        ns.strength_path(prox, lambda: None)


def test_a_run_that_diverged_has_no_score_and_is_not_chosen() -> None:
    _, _, _, prox, _, fit = _setting()
    scores = iter([(2.0, 0.1), (1.0, 0.1), (float("nan"), float("nan"))])
    path = ns.strength_path(prox, fit, factors=[1.0, 0.5, 0.1], score=lambda: next(scores))
    assert path.chosen.factor == 0.5


def test_without_gradients_or_scores() -> None:
    _, _, _, prox, _, fit = _setting()
    with pytest.raises(InputError, match=r"call backward\(\) first"):
        ns.strength_path(prox, fit)
    with pytest.raises(InputError, match="no scores"):
        _ = ns.strength_path(prox, fit, factors=[1.0]).chosen
    with pytest.raises(InputError, match=r"prox is a ProxAdam; give what ns.attach returned"):
        ns.strength_path(ns.ProxAdam([nn.Parameter(torch.ones(1))]), lambda: None)  # type: ignore[arg-type]


def test_factors_from_an_array_or_used_up_once() -> None:
    for factors in (np.array([2.0, 1.0]), iter([2.0, 1.0])):
        _, _, _, prox, _, fit = _setting()
        assert [point.factor for point in ns.strength_path(prox, fit, factors=factors).points] == [2.0, 1.0]


@pytest.mark.parametrize("penalty", [ns.L1(1.0), ns.GroupL1(1.0, 3), ns.SparseGroupL1(1.0, 3)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_first_point_has_no_weights(penalty, dtype) -> None:
    """In every rounding of the proximal step, which compares norms computed otherwise."""
    for seed in range(20):
        torch.manual_seed(seed)
        w, target = nn.Parameter(torch.zeros(12, dtype=dtype)), torch.randn(12, dtype=dtype)
        prox = ns.attach(torch.optim.SGD([w], lr=0.7), penalty, params=[w])

        def fit(w=w, prox=prox, target=target) -> None:
            for _ in range(3):
                w.grad = w.detach() - target
                prox.optimizer.step()

        w.grad = -target
        first, second = ns.strength_path(prox, fit, points=2, ratio=0.99).points
        assert first.nonzeros == 0 < second.nonzeros
