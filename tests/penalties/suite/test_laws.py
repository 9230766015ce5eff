"""Laws of proximal operators, whatever the penalty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nonsmooth.penalties import L1, GroupL1
from penalties.suite.rows import CONVEX, GROUPED, ROWS, SEPARABLE, Row

seeds = st.integers(0, 10**6)
powers = st.floats(-2, 2)


def _data(row: Row, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A point with small and zero entries, and steps over four powers of ten."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(row.shape) * 10 ** rng.uniform(-2, 1, row.shape) * (rng.random(row.shape) < 0.9)
    return x, 10 ** rng.uniform(-3, 1, row.shape)


def _total(a: np.ndarray, b: np.ndarray) -> float:
    return float((a * b).sum())


@pytest.mark.parametrize("row", CONVEX, ids=lambda row: row.name)
@settings(max_examples=20)
@given(seed=seeds, strength=powers)
def test_firmly_non_expansive_in_the_metric(row: Row, seed: int, strength: float) -> None:
    """||p - q||^2 <= <p - q, x - y>, products weighted by 1/step."""
    penalty = row.make(10**strength)
    (x, step), (y, _) = _data(row, seed), _data(row, seed + 1)
    p, q = penalty.prox(x, step), penalty.prox(y, step)
    assert _total(p - q, (p - q) / step) <= _total(p - q, (x - y) / step) * (1 + 1e-12) + 1e-12


@settings(max_examples=50)
@given(seed=seeds, step=powers, strength=powers)
def test_moreau_identity_of_the_norms(seed: int, step: float, strength: float) -> None:
    """x = prox_{s f}(x) + s P(x/s), P the projection on the dual norm's ball of radius strength."""
    x, s, radius = np.random.default_rng(seed).standard_normal((4, 6)), 10**step, 10**strength
    v = x / s
    on_cube = np.clip(v, -radius, radius)
    norm = np.linalg.norm(v, axis=1, keepdims=True)
    on_balls = v * np.minimum(1, radius / norm)
    for penalty, projected in ((L1(radius), on_cube), (GroupL1(radius), on_balls)):
        np.testing.assert_allclose(penalty.prox(x, s) + s * projected, x, atol=1e-12 * max(1, s * radius))


@pytest.mark.parametrize("row", SEPARABLE, ids=lambda row: row.name)
@settings(max_examples=20)
@given(step=powers, strength=powers)
def test_prox_of_an_entry_is_monotone(row: Row, step: float, strength: float) -> None:
    x = np.linspace(-5, 5, 2001)
    u = row.make(10**strength).prox(x, 10**step)
    assert (np.diff(u) >= -1e-14).all()
    assert (np.abs(u) <= np.abs(x)).all()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@settings(max_examples=10)
@given(seed=seeds)
def test_prox_flips_with_signs(row: Row, seed: int) -> None:
    x, step = _data(row, seed)
    sign = np.random.default_rng(seed).choice([-1.0, 1.0], row.shape)
    for s in (0.7, step):
        np.testing.assert_array_equal(row.make(0.5).prox(sign * x, s), sign * row.make(0.5).prox(x, s))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@settings(max_examples=10)
@given(seed=seeds)
def test_prox_goes_with_permutations_within_groups(row: Row, seed: int) -> None:
    x, step = _data(row, seed)
    rng, order = np.random.default_rng(seed), np.arange(24)
    labels = row.labels() if row in GROUPED else np.zeros(24)
    for n in np.unique(labels):
        order[labels == n] = rng.permutation(order[labels == n])

    def permuted(a: np.ndarray) -> np.ndarray:
        return a.ravel()[order].reshape(row.shape)

    penalty = row.make(0.5)
    for s, t in ((0.7, 0.7), (step, permuted(step))):
        np.testing.assert_allclose(penalty.prox(permuted(x), t), permuted(penalty.prox(x, s)), atol=1e-13)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@settings(max_examples=10)
@given(seed=seeds, zoom=st.floats(-3, 3))
def test_prox_goes_with_scale(row: Row, seed: int, zoom: float) -> None:
    (x, step), k = _data(row, seed), 10**zoom
    for s in (0.7, step):
        expected = k * row.make(0.5).prox(x, s)
        np.testing.assert_allclose(row.zoomed(0.5, k).prox(k * x, s), expected, rtol=1e-9, atol=1e-12 * k)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_steps_that_agree_are_one_step(row: Row) -> None:
    x, _ = _data(row, 5)
    each = row.make(0.5).prox(x, np.full(row.shape, 0.7))
    np.testing.assert_allclose(each, row.make(0.5).prox(x, 0.7), atol=1e-14)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_scaled_is_made_with_the_other_strength(row: Row) -> None:
    """By its value: three times the strength; for the elastic net's twin the ridge goes along."""
    x, _ = _data(row, 6)
    twin = row.name == "elastic net's twin"
    expected = 3 * row.make(0.5).value(x) if twin else row.make(1.5).value(x)
    np.testing.assert_allclose(row.make(0.5).scaled(3.0).value(x), expected, rtol=1e-13)
