"""The proximal operator against brute force and its laws; the subdifferential against its definition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from nonsmooth.errors import InputError
from nonsmooth.penalties import L1, ElasticNet

numbers = st.floats(-5, 5, allow_nan=False)
strengths = st.floats(0, 3, allow_nan=False)
steps = st.floats(1e-3, 3, allow_nan=False)
widths = st.sampled_from([0.0, 0.3, 2.0])


@settings(deadline=None, max_examples=200)
@given(x=numbers, step=steps, l1=strengths, l2=strengths, width=widths)
def test_prox_is_the_minimiser(x: float, step: float, l1: float, l2: float, width: float) -> None:
    penalty = ElasticNet(l1, l2, width)

    def objective(u: float) -> float:
        return float(penalty.value(np.array([u]))) + (u - x) ** 2 / (2 * step)

    found = float(penalty.prox(np.array([x]), step)[0])
    best = minimize_scalar(objective, bounds=(-6, 6), method="bounded", options={"xatol": 1e-10})
    assert objective(found) <= min(best.fun, objective(0.0)) + 1e-9
    assert found == pytest.approx(best.x, abs=1e-4)


@settings(deadline=None, max_examples=100)
@given(
    x=st.lists(numbers, min_size=3, max_size=3),
    y=st.lists(numbers, min_size=3, max_size=3),
    step=steps,
    l1=strengths,
    l2=strengths,
    width=widths,
)
def test_prox_is_firmly_non_expansive(x, y, step: float, l1: float, l2: float, width: float) -> None:
    penalty = ElasticNet(l1, l2, width)
    a, b = np.array(x), np.array(y)
    p, q = penalty.prox(a, step), penalty.prox(b, step)
    assert (p - q) @ (p - q) <= (p - q) @ (a - b) + 1e-9


@settings(deadline=None, max_examples=100)
@given(x=st.lists(numbers, min_size=1, max_size=5), step=steps, l1=strengths)
def test_moreau_identity_of_l1(x, step: float, l1: float) -> None:
    """x = prox_{s f}(x) + s prox_{f*/s}(x/s); for f = l1 ||.||_1 the second projects on [-l1, l1]."""
    a = np.array(x)
    np.testing.assert_allclose(L1(l1).prox(a, step) + step * np.clip(a / step, -l1, l1), a, atol=1e-12)


def test_prox_takes_a_diagonal_step_and_strengths_per_run() -> None:
    penalty = ElasticNet(np.array([1.0, 2.0]), np.array([0.0, 1.0]))
    x, step = np.array([[1.0, -1.0], [1.0, -3.0]]), np.array([[0.1, 0.5], [0.1, 0.5]])
    np.testing.assert_allclose(penalty.prox(x, step), [[0.9, -0.5], [0.8 / 1.2, -2.0 / 2.0]])


def test_one_l1_beside_many_l2_keeps_every_digit() -> None:
    l2, x = torch.tensor([0.1, 0.2], dtype=torch.float64), torch.tensor([[0.9], [-0.9]], dtype=torch.float64)
    expected = [
        [float(L1(0.3).prox(r, 0.7)) / (1 + 1.4 * float(b))] for r, b in zip(x[:, 0], l2, strict=True)
    ]
    found = ElasticNet(0.3, l2).prox(x, 0.7)
    np.testing.assert_allclose(found, expected, rtol=1e-15)


def test_a_divisor_beyond_the_type_takes_all_to_zero() -> None:
    """As a number it is no infinity, in float32 it is."""
    x = torch.tensor([float("inf"), 1.0, -float("inf")])
    for step in (3e38, 1e39, torch.full((3,), 3e38)):
        assert ElasticNet(0.1, 1.0).prox(x, step).tolist() == [0.0, 0.0, 0.0]


def test_no_nan_for_zero_strength_zero_step_or_zero_entries() -> None:
    x = np.array([0.0, -0.0, 1e-310, 2.0])
    for penalty, step in ((L1(0.0), 0.5), (L1(1.0), 0.0), (ElasticNet(0.0, 0.0), 0.0)):
        np.testing.assert_array_equal(penalty.prox(x, step), x)


@settings(deadline=None, max_examples=100)
@given(x=st.lists(st.sampled_from([0.0, -1.0, 0.5, 2.0]), min_size=2, max_size=4), seed=st.integers(0, 99))
def test_subdifferential_distance_is_zero_exactly_at_a_proximal_fixed_point(x, seed: int) -> None:
    """x = prox(x - s g, s) for some (then every) s > 0 just when 0 is in g + the subdifferential."""
    penalty, point = ElasticNet(1.0, 0.25), np.array(x)
    rng = np.random.default_rng(seed)
    inside = np.where(point == 0, rng.uniform(-1, 1, point.size), np.sign(point)) + 0.5 * point
    assert penalty.subdifferential_distance(point, -inside) == pytest.approx(0.0, abs=1e-12)
    np.testing.assert_allclose(penalty.prox(point + 0.3 * inside, 0.3), point, atol=1e-12)
    outside = -inside + 2.5  # beyond [-1, 1] at a zero entry, wherever in it the other lay
    assert penalty.subdifferential_distance(point, outside) > 0
    assert not np.allclose(penalty.prox(point - 0.3 * outside, 0.3), point)


def test_strength_max_is_where_zero_becomes_stationary() -> None:
    gradient = np.array([0.3, -0.8])
    least = float(ElasticNet.strength_max(gradient))
    assert least == 0.8
    assert L1(least).subdifferential_distance(np.zeros(2), gradient) == 0
    assert L1(0.99 * least).subdifferential_distance(np.zeros(2), gradient) > 0


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf"), np.array([0.1, -2.0])])
def test_bad_strengths_are_named(bad) -> None:
    with pytest.raises(InputError, match="l1 = "):
        ElasticNet(bad)
