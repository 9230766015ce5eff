"""Values against the printed formulas; subgradients against autograd, differences and their definition."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nonsmooth.errors import InputError
from nonsmooth.objectives import (
    Huber,
    Lasso,
    LogCosh,
    Objective,
    Quadratic,
    ReluRegression,
    Smoothness,
    ToyLasso,
)

ROWS, COLUMNS = 6, 4


def _data(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (ROWS, COLUMNS)), rng.uniform(-1, 0, ROWS)


def _all(seed: int = 0) -> dict[str, Objective]:
    W, y = _data(seed)
    relu, lasso, toy = (
        ReluRegression(W, y, 0.3, 0.1),
        Lasso(W, y, 0.2, ridge=0.05),
        ToyLasso(0.7, COLUMNS, ridge=0.1),
    )
    return {
        "relu": relu,
        "relu twin": relu.smooth_twin(0.2),
        "toy": toy,
        "toy twin": toy.smooth_twin(0.1),
        "lasso": lasso,
        "lasso twin": lasso.smooth_twin(0.1),
        "huber": Huber(W, y, 0.5),
        "log-cosh": LogCosh(W, y, 0.5),
        "quadratic": Quadratic(W.T @ W, minimiser=y[:COLUMNS]),
    }


NAMES = tuple(_all())
KINKED = ("relu", "toy", "lasso")


def _by_the_paper(name: str, b: np.ndarray) -> float:
    """The printed formulas, entry by entry."""
    W, y = _data()
    z = [sum(W[i, k] * b[k] for k in range(COLUMNS)) for i in range(ROWS)]
    one, two = sum(abs(v) for v in b), sum(v * v for v in b)
    if name == "relu":
        return sum((y[i] - max(0.0, z[i])) ** 2 for i in range(ROWS)) + 0.3 * one + 0.1 * two
    if name == "toy":
        return 0.7 * one + 0.1 * two
    if name == "lasso":
        return sum((y[i] - z[i]) ** 2 for i in range(ROWS)) / ROWS + 0.2 * one + 0.05 * two
    if name == "huber":
        r = [abs(z[i] - y[i]) for i in range(ROWS)]
        return sum(v * v / 2 if v < 0.5 else 0.5 * (v - 0.25) for v in r) / ROWS
    if name == "log-cosh":
        return sum(0.25 * math.log(math.cosh((z[i] - y[i]) / 0.5)) for i in range(ROWS)) / ROWS
    assert name == "quadratic"
    return sum(sum(W[i, k] * (b[k] - y[k]) for k in range(COLUMNS)) ** 2 for i in range(ROWS)) / 2


@pytest.mark.parametrize("name", ["relu", "toy", "lasso", "huber", "log-cosh", "quadratic"])
def test_value_is_the_printed_formula(name: str) -> None:
    for seed in range(20):
        b = np.random.default_rng(seed).normal(size=COLUMNS)
        assert _all()[name].value(b) == pytest.approx(_by_the_paper(name, b), rel=1e-12)


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_subgradient_matches_central_differences_away_from_kinks(name: str, seed: int) -> None:
    f = _all()[name]
    b = np.random.default_rng(seed).normal(size=COLUMNS)
    W, _ = _data()
    step = 1e-6
    near = min(np.abs(b).min(), np.abs(W @ b).min())
    if near < 10 * step:
        return  # a kink (or the join of a twin) lies inside the stencil
    numeric = [(f.value(b + e) - f.value(b - e)) / (2 * step) for e in step * np.eye(COLUMNS)]
    np.testing.assert_allclose(f.subgradient(b), numeric, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_subgradient_is_what_autograd_returns_for_the_plain_formula(name: str) -> None:
    """The convention at kinks is torch's: relu'(0) = 0, sign(0) = 0 (torch.relu, torch.abs)."""
    if "twin" in name or name == "quadratic":
        return
    W, y = (torch.tensor(a) for a in _data())
    for b in (np.array([0.3, -0.2, 0.0, 1.0]), np.zeros(COLUMNS)):
        x = torch.tensor(b, requires_grad=True)
        z, one, two = W @ x, x.abs().sum(), (x * x).sum()
        value = {
            "relu": ((y - torch.relu(z)) ** 2).sum() + 0.3 * one + 0.1 * two,
            "toy": 0.7 * one + 0.1 * two,
            "lasso": ((y - z) ** 2).mean() + 0.2 * one + 0.05 * two,
            "huber": torch.nn.functional.huber_loss(z, y, delta=0.5),
            "log-cosh": (0.25 * torch.log(torch.cosh((z - y) / 0.5))).mean(),
        }[name]
        value.backward()
        assert x.grad is not None
        np.testing.assert_allclose(_all()[name].subgradient(b), x.grad.numpy(), rtol=1e-12, atol=1e-15)


def _points_on_kinks(seed: int) -> list[np.ndarray]:
    """Points with a zero entry, with a zero prediction, with both, and zero itself."""
    rng = np.random.default_rng(seed)
    W, _ = _data()
    free = rng.normal(size=COLUMNS)
    row = W[seed % ROWS]
    zero_prediction = free - row * (row @ free) / (row @ row)
    zero_entry = free.copy()
    zero_entry[seed % COLUMNS] = 0
    return [zero_entry, zero_prediction, np.zeros(COLUMNS)]


@pytest.mark.parametrize("name", NAMES)
@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 1000))
def test_subgradient_inequality_everywhere_and_between_one_sided_derivatives_at_kinks(
    name: str, seed: int
) -> None:
    f, rng = _all()[name], np.random.default_rng(seed)
    for b in [rng.normal(size=COLUMNS), *_points_on_kinks(seed)]:
        g, value = f.subgradient(b), f.value(b)
        for _ in range(5):
            d = rng.normal(size=COLUMNS)
            # convexity: f(b + d) >= f(b) + g.d, the definition of a subgradient
            assert f.value(b + d) >= value + g @ d - 1e-9
            t = 1e-7
            right, left = (f.value(b + t * d) - value) / t, (value - f.value(b - t * d)) / t
            assert left - 1e-5 <= g @ d <= right + 1e-5


@pytest.mark.parametrize("name", KINKED)
def test_kinks_are_kinks_and_twins_are_not(name: str) -> None:
    kinked, twin = _all()[name], _all()[f"{name} twin"]
    assert kinked.facts.smoothness is Smoothness.LIPSCHITZ
    assert twin.facts.smoothness >= Smoothness.C11
    d = np.array([1.0, 0.0, 0.0, 0.0])
    at, t = np.zeros(COLUMNS), 1e-8

    def jump(f: Objective) -> float:
        return float(abs((f.value(at + t * d) - f.value(at)) / t - (f.value(at) - f.value(at - t * d)) / t))

    assert jump(kinked) > 0.1
    assert jump(twin) < 1e-5


@pytest.mark.parametrize("name", [n for n in NAMES if n not in KINKED])
def test_gradient_lipschitz_constant_bounds_the_hessian(name: str) -> None:
    """Independent: the largest Hessian eigenvalue, by central differences of the gradient."""
    f, rng = _all()[name], np.random.default_rng(1)
    worst = 0.0
    for scale in (0.01, 0.1, 1.0, 10.0):
        for _ in range(50):
            b, step = scale * rng.normal(size=COLUMNS), 1e-5 * scale
            H = np.array(
                [(f.subgradient(b + e) - f.subgradient(b - e)) / (2 * step) for e in step * np.eye(COLUMNS)]
            )
            worst = max(worst, np.linalg.eigvalsh((H + H.T) / 2)[-1])
    bound = float(f.facts.gradient_lipschitz)
    assert worst <= bound * (1 + 1e-5)
    tight = {
        "toy twin": 0.99,
        "lasso twin": 0.5,
        "huber": 0.99,
        "log-cosh": 0.5,
        "quadratic": 0.99,
        "relu twin": 0.2,
    }
    assert worst >= tight[name] * bound


def test_lipschitz_constant_of_huber_bounds_every_subgradient_and_is_nearly_attained() -> None:
    W, y = _data()
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * ROWS)).reshape(ROWS, -1)
    exact = (
        np.linalg.norm(W.T @ (0.5 * signs), axis=0).max() / ROWS
    )  # max over all clipped residuals: a vertex
    bound = float(Huber(W, y, 0.5).facts.lipschitz)
    assert exact <= bound <= 1.5 * exact
    far = Huber(W, y, 0.5)
    for seed in range(100):
        assert (
            np.linalg.norm(far.subgradient(100 * np.random.default_rng(seed).normal(size=COLUMNS)))
            <= bound + 1e-12
        )


def test_toy_lasso_constants() -> None:
    f = ToyLasso(2.0, 9)
    assert f.facts.lipschitz == pytest.approx(6.0)
    assert np.linalg.norm(f.subgradient(np.ones(9))) == pytest.approx(6.0)
    assert ToyLasso(2.0, 9, ridge=1.0).facts.lipschitz is None


@pytest.mark.parametrize("seed", range(5))
def test_zero_is_the_unique_minimiser_of_eq_3_and_of_its_twin(seed: int) -> None:
    W, y = _data(seed)
    rng = np.random.default_rng(seed)
    for f in (
        ReluRegression(W, y, l2=0.01),
        ReluRegression(W, y, l2=0.01).smooth_twin(0.3),
        ReluRegression(W, y, 0.1),
    ):
        assert f.facts.convex
        assert f.facts.unique
        least = f.value(np.zeros(COLUMNS))
        assert least == pytest.approx(float((y**2).sum()))
        assert float(f.facts.minimum) == pytest.approx(least)
        for scale in (1e-6, 1e-3, 1.0, 100.0):
            assert f.value(scale * rng.normal(size=COLUMNS)) > least


def test_eq_3_with_a_positive_response_is_not_convex() -> None:
    """One row, z = b: (1 - max(0, b))^2 rises from b = 1 down to 0 and is flat below 0."""
    Z, y = np.array([[1.0]]), np.array([1.0])
    with pytest.raises(InputError, match="1 > 0"):
        ReluRegression(Z, y, l2=0.01)
    f = ReluRegression(Z, y, l2=0.01, convex=False)
    assert not f.facts.convex
    assert f.value(np.array([0.0])) > (f.value(np.array([-1.0])) + f.value(np.array([1.0]))) / 2


@pytest.mark.parametrize("name", NAMES)
def test_batches_of_runs_and_of_data_equal_single_runs(name: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, COLUMNS))
    single = [_all(seed)[name] for seed in range(3)]
    shared = single[0]
    np.testing.assert_allclose(shared.value(x), [shared.value(row) for row in x], rtol=1e-13)
    if shared.W is None or name == "quadratic":
        return
    W, y = (np.stack(a) for a in zip(*(_data(seed) for seed in range(3)), strict=True))
    build = {
        "relu": lambda: ReluRegression(W, y, 0.3, 0.1),
        "lasso": lambda: Lasso(W, y, np.full(3, 0.2), ridge=0.05),
        "huber": lambda: Huber(W, y, 0.5),
        "log-cosh": lambda: LogCosh(W, y, 0.5),
    }
    f = build[name.split()[0]]()
    f = f.smooth_twin(0.2 if "relu" in name else 0.1) if "twin" in name else f
    np.testing.assert_allclose(
        f.value(x), [g.value(row) for g, row in zip(single, x, strict=True)], rtol=1e-12
    )
    gradients = [g.subgradient(row) for g, row in zip(single, x, strict=True)]
    np.testing.assert_allclose(f.subgradient(x), gradients, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_torch_tensors_of_either_precision_give_the_same_numbers(dtype: torch.dtype) -> None:
    W, y = _data()
    b = np.random.default_rng(0).normal(size=(2, COLUMNS))
    tolerance = 1e-5 if dtype is torch.float32 else 1e-12
    here = Huber(torch.tensor(W, dtype=dtype), torch.tensor(y, dtype=dtype), 0.5)
    x = torch.tensor(b, dtype=dtype)
    assert here.subgradient(x).dtype is dtype
    np.testing.assert_allclose(
        here.subgradient(x).numpy(), Huber(W, y, 0.5).subgradient(b), rtol=tolerance, atol=tolerance
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Lasso(np.ones((3, 2)), np.ones(4), 0.1), "rows must match"),
        (lambda: Lasso(np.ones((3, 2)), np.ones(3), -0.1), "-0.1"),
        (lambda: Lasso(np.ones((3, 2)), np.ones(3), float("nan")), "nan"),
        (lambda: Lasso(np.ones((3, 2)), np.ones(3), np.array([0.1, np.inf])), "inf"),
        (lambda: Lasso(np.full((3, 2), np.nan), np.ones(3), 0.1), "NaN"),
        (lambda: Lasso(np.ones((0, 2)), np.ones(0), 0.1), "empty"),
        (lambda: Lasso(np.ones(3), np.ones(3), 0.1), "do not fit"),
        (lambda: Huber(np.ones((3, 2)), np.ones(3), 0.0), "width = 0"),
        (lambda: ToyLasso(1.0, 0), "dimension = 0"),
        (lambda: ReluRegression(np.ones((1, 1)), -np.ones(1)), "l1 \\+ l2 > 0"),
        (lambda: Quadratic(np.array([[1.0, 2.0], [0.0, 1.0]])), "symmetric"),
        (lambda: Quadratic(-np.eye(2)), "-1 < 0"),
        (lambda: Quadratic(np.ones((2, 3))), "square"),
        (lambda: ToyLasso(1.0, 2).smooth_twin(-1.0), "width = -1"),
        (lambda: ToyLasso(1.0, 2).value(np.ones(3)), "2 entries"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
