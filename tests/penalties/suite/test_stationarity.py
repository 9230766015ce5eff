"""The subdifferential against the proximal operator, and the strength from which all is zero."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penalties.suite.rows import CONVEX, ROWS, Row

seeds = st.integers(0, 10**6)


def _largest(distance: np.ndarray) -> float:
    return float(np.max(distance))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@settings(max_examples=20)
@given(seed=seeds, step=st.floats(-2, 2), strength=st.floats(-2, 1))
def test_what_prox_gives_is_stationary(row: Row, seed: int, step: float, strength: float) -> None:
    """u = prox(x) has (u - x)/step as a gradient that the penalty balances; also where not convex."""
    rng = np.random.default_rng(seed)
    penalty, x = row.make(10**strength), rng.standard_normal(row.shape)
    for s in (10**step, 10 ** rng.uniform(-2, 2, row.shape)):
        u = penalty.prox(x, s)
        gradient = (u - x) / s
        assert _largest(penalty.subdifferential_distance(u, gradient)) <= 1e-12 * (1 + np.abs(gradient).max())


@pytest.mark.parametrize("row", CONVEX, ids=lambda row: row.name)
@settings(max_examples=20)
@given(seed=seeds)
def test_what_is_not_stationary_moves(row: Row, seed: int) -> None:
    """With distance d the proximal step moves some entry, by about step d; one of distance 0 stays."""
    rng = np.random.default_rng(seed)
    penalty, step = row.make(0.5), 1e-3
    u = penalty.prox(rng.standard_normal(row.shape), 0.7)
    gradient = rng.standard_normal(row.shape)
    distance = _largest(penalty.subdifferential_distance(u, gradient))
    assert distance > 0.01, "no test"
    moved = np.abs(penalty.prox(u - step * gradient, step) - u).max() / step
    assert moved >= 0.5 * distance


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@settings(max_examples=20)
@given(seed=seeds, size=st.floats(-3, 3))
def test_strength_max_is_the_border(row: Row, seed: int, size: float) -> None:
    g = 10**size * np.random.default_rng(seed).standard_normal(row.shape)
    least = np.max(row.make(1.0).strength_max(g))
    zero = np.zeros(row.shape)
    if row.name == "L0":  # every strength > 0 will do
        assert least == 0
        assert _largest(row.make(1e-300).subdifferential_distance(zero, g)) == 0
        assert _largest(row.make(0.0).subdifferential_distance(zero, g)) == np.abs(g).max()
        return
    if (
        row.name == "elastic net's twin"
    ):  # smooth: no strength makes 0 stationary, the border is its kinked twin's
        assert least == np.abs(g).max()
        return
    if row.name == "labels, weights":  # a free group cannot be held at 0
        assert least == np.inf
        g[:, 3:] = 0
        least = np.max(row.make(1.0).strength_max(g))
    above, below = row.make(least * (1 + 1e-12)), row.make(least * (1 - 1e-9))
    assert _largest(above.subdifferential_distance(zero, g)) == 0
    assert _largest(below.subdifferential_distance(zero, g)) > 0
    if row in CONVEX:
        assert not above.prox(-0.3 * g, 0.3).any()
        assert below.prox(-0.3 * g, 0.3).any()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_strength_max_of_no_gradient_is_no_strength(row: Row) -> None:
    assert np.max(row.make(1.0).strength_max(np.zeros(row.shape))) == 0


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_support_is_what_is_not_zero(row: Row) -> None:
    x = np.where(np.arange(24) % 5 == 0, 0.0, 1e-310).reshape(row.shape)
    np.testing.assert_array_equal(row.make(1.0).support(x), x != 0)
