"""The proximal operator against slow minimisers that share nothing with it."""

from __future__ import annotations

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf
from scipy.optimize import root

from penalties.suite.rows import GROUPED, ROWS, SEPARABLE, Row

powers = st.floats(-3, 3)


def _least(row: Row, x: float, step: float, lam: float):
    """Of u in [0, x] by a grid and, around its best point, golden sections in 40 digits: (u, objective).

    The minimiser for x >= 0 lies there, as the penalty increases in |u|.
    """
    assert row.entry is not None

    def objective(u):
        return mpf(step) * row.entry(u, mpf(lam)) + (u - mpf(x)) ** 2 / 2

    grid = [mpf(x) * k / 400 for k in range(401)]
    k = min(range(401), key=lambda k: objective(grid[k]))
    low, high = grid[max(k - 1, 0)], grid[min(k + 1, 400)]
    golden = (mp.sqrt(5) - 1) / 2
    for _ in range(90):
        a, b = high - golden * (high - low), low + golden * (high - low)
        if objective(a) <= objective(b):
            high = b
        else:
            low = a
    best = min((mpf(0), mpf(x), (low + high) / 2), key=objective)
    return best, objective


@pytest.mark.parametrize("row", SEPARABLE, ids=lambda row: row.name)
@settings(max_examples=25)
@given(x=st.floats(0, 4), step=powers, strength=powers)
@example(x=2.0, step=float(np.log10(3.0)), strength=0.0)  # MCP's border step
@example(x=1.9, step=float(np.log10(2.7)), strength=0.0)  # SCAD's first
@example(x=4.0, step=float(np.log10(4.7)), strength=-0.1)  # and second
@example(x=1.0, step=0.0, strength=-0.6)
def test_prox_of_an_entry_is_the_global_minimiser(row: Row, x: float, step: float, strength: float) -> None:
    step, lam = 10.0**step, 10.0**strength
    found = float(row.make(lam).prox(np.array([x]), step)[0])
    with mp.workdps(40):
        best, objective = _least(row, x, step, lam)
        # Two minimisers may tie to rounding; either will do then, and nothing else.
        tie = objective(mpf(found)) - objective(best) <= mpf(1e-15) * (1 + objective(best))
        near = abs(mpf(found) - best) <= 1e-8
    assert near or tie, (found, best)
    assert 0 <= found <= x


@pytest.mark.parametrize("row", SEPARABLE, ids=lambda row: row.name)
@pytest.mark.parametrize("step", [0.1, 0.3, 0.45, 1.0, 1.7, 2.3, 3.2, 4.5, 12.0])
def test_nothing_on_a_grid_is_lower(row: Row, step: float) -> None:
    """Steps on both sides of every change of formula, points on both sides of every jump."""
    assert row.entry is not None
    grid = np.linspace(0, 9, 3001)
    penalty = step * np.array([float(row.entry(u, 1.0)) for u in grid])
    x = np.linspace(0, 9, 301)
    u = row.make(1.0).prox(x, step)
    reached = step * np.array([float(row.entry(v, 1.0)) for v in u]) + (u - x) ** 2 / 2
    lowest = (penalty + (grid - x[:, None]) ** 2 / 2).min(axis=1)
    assert (reached <= lowest + 1e-12).all()


@pytest.mark.parametrize(
    ("name", "step", "border", "below"),
    [
        ("MCP 0.4", 1.6, 0.8, 0.0),
        ("SCAD 1.5", 1.5, 2.0, 0.5),
        ("SCAD 1.5", 10.0, 5.0, 0.0),
        ("L0", 2.0, 2.0, 0.0),
    ],
)
def test_at_a_tie_the_smaller_is_taken(name: str, step: float, border: float, below: float) -> None:
    """Borders by hand: sqrt(step gamma); (a + 1 + step)/2 and sqrt(step (a + 1)); sqrt(2 step)."""
    penalty = next(row for row in SEPARABLE if row.name == name).make(1.0)
    at = penalty.prox(np.array([border * (1 - 1e-15), border * (1 + 1e-14)]), step)
    np.testing.assert_allclose(at, [below, border], atol=1e-13)
    if name != "MCP 0.4":  # its border takes a root that is not exact
        np.testing.assert_allclose(penalty.prox(np.array([border]), step), below)


def _by_cone(row: Row, x: np.ndarray, step: np.ndarray, lam: float) -> np.ndarray:
    """By Clarabel, whose best tolerance (1e-7 in u) says what is zero, then roots of the gradient."""
    a, b = row.shares
    u, labels = cp.Variable(x.size), row.labels()
    members = {n: np.flatnonzero(labels == n) for n in row.weights()}
    norms = [w * cp.norm2(u[members[n]]) for n, w in row.weights().items()]
    near = cp.sum_squares(cp.multiply(1 / np.sqrt(2 * step), u - x))
    problem = cp.Problem(cp.Minimize(near + lam * (b * cp.sum(norms) + a * cp.norm1(u))))
    problem.solve(cp.CLARABEL)
    assert u.value is not None
    sure = np.abs(u.value) > 1e-3
    assert sure.sum() + (np.abs(u.value) < 1e-5).sum() == x.size, "the solver cannot tell; take other data"
    best = np.zeros(x.size)
    for n, w in row.weights().items():
        live = members[n][sure[members[n]]]
        if live.size:

            def gradient(v, live=live, w=w):
                return (v - x[live]) / step[live] + lam * (a * np.sign(v) + b * w * v / np.sqrt(v @ v))

            found = root(gradient, u.value[live], tol=1e-14)
            assert np.abs(gradient(found.x)).max() < 1e-12
            best[live] = found.x
    return best


@pytest.mark.parametrize("row", GROUPED, ids=lambda row: row.name)
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("diagonal", [False, True], ids=["one step", "a step each"])
def test_prox_of_groups_is_the_minimiser(row: Row, diagonal: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(24)
    step = 10 ** rng.uniform(-1, 1, 24) if diagonal else np.full(24, 0.7)
    found = row.make(0.8).prox(x.reshape(row.shape), step.reshape(row.shape) if diagonal else 0.7)
    np.testing.assert_allclose(found.ravel(), _by_cone(row, x, step, 0.8), rtol=0, atol=1e-11)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_value_is_the_formula_s(row: Row) -> None:
    x = np.random.default_rng(2).standard_normal(24) * np.repeat([0.0, 1.0, 3.0], 8)
    value = row.make(0.8).value(x.reshape(row.shape))
    if row.entry is not None:
        assert value.shape == (4,)
        expected = sum(float(row.entry(abs(u), 0.8)) for u in x)
    else:
        (a, b), labels = row.shares, row.labels()
        norms = sum(w * np.linalg.norm(x[labels == n]) for n, w in row.weights().items())
        expected = 0.8 * (a * np.abs(x).sum() + b * norms)
        assert np.shape(value) in ((), (4,))
    assert np.sum(value) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_subgradient_is_the_difference_quotient_of_the_value(row: Row) -> None:
    x = np.random.default_rng(3).standard_normal(row.shape) * 2
    penalty, h = row.make(0.8), 1e-6
    slopes = np.empty(x.shape)
    for k in np.ndindex(*x.shape):
        e = np.zeros(x.shape)
        e[k] = h
        slopes[k] = (np.sum(penalty.value(x + e)) - np.sum(penalty.value(x - e))) / (2 * h)
    np.testing.assert_allclose(penalty.subgradient(x), slopes, atol=1e-7)
    np.testing.assert_array_equal(penalty.subgradient(0 * x), 0 * x)
