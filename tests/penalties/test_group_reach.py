"""The distance to a ball in the maximum norm: against a convex solver, and against its equation."""

from __future__ import annotations

import array_api_compat.numpy as xp
import cvxpy as cp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from nonsmooth.penalties._group_reach import group_reach
from nonsmooth.penalties._penalty import quiet


def _reach(g: np.ndarray, radius: float, growth: float) -> np.ndarray:
    with quiet(xp):
        return group_reach(xp, g, radius, growth, (1,))


@pytest.mark.parametrize("radius", [0.0, 0.3, 1.0, 2.5])
def test_it_is_the_distance_to_the_ball(radius: float) -> None:
    g = np.random.default_rng(0).standard_normal(7)
    point = cp.Variable(7)
    problem = cp.Problem(cp.Minimize(cp.norm_inf(g - point)), [cp.norm2(point) <= radius])
    distance = problem.solve(cp.CLARABEL)
    assert _reach(g[None], radius, 0.0)[0, 0] == pytest.approx(distance, abs=1e-7)


@settings(max_examples=200)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(1, 2000),
    radius=st.floats(-8, 1),
    growth=st.floats(-8, 2),
    law=st.sampled_from(["normal", "many powers of ten", "equal", "nearly equal"]),
)
@example(seed=0, size=100_000, radius=-1.0, growth=-0.3, law="normal")  # takes seven evaluations
def test_it_solves_its_equation(seed: int, size: int, radius: float, growth: float, law: str) -> None:
    rng = np.random.default_rng(seed)
    g = {
        "normal": rng.standard_normal(size),
        "many powers of ten": 10 ** rng.uniform(-8, 0, size),
        "equal": np.ones(size),
        "nearly equal": 1 - 10 ** rng.uniform(-8, -1, size),
    }[law]
    c, k = 10**radius * np.linalg.norm(g), 10**growth
    for radius, growth in ((c, 0.0), (0.0, k), (c, k)):

        def excess(d, radius=radius, growth=growth):
            return np.linalg.norm(np.maximum(np.abs(g) - d, 0)) - radius - growth * d

        found = _reach(g[None], radius, growth)[0, 0]
        if excess(0.0) <= -1e-14 * np.linalg.norm(g):
            assert found == 0
        elif excess(0.0) <= 1e-14 * np.linalg.norm(g):  # on the ball, to rounding
            assert found <= 1e-14 * np.linalg.norm(g)
        else:
            best = brentq(excess, 0, np.abs(g).max(), xtol=1e-16, rtol=1e-15)
            assert found == pytest.approx(best, rel=1e-9, abs=1e-12 * np.abs(g).max())


def test_its_limits() -> None:
    """The whole length for a ball that is a point, exactly nothing inside the ball, nothing of nothing."""
    g = np.array([[3.0, -4.0], [0.0, 0.0], [3e-310, 4e-310], [3e200, 4e200]])
    np.testing.assert_array_equal(_reach(g, 0.0, 0.0)[:, 0], [4, 0, 4e-310, 4e200])
    np.testing.assert_array_equal(_reach(g, 5.0, 0.0)[:3, 0], [0, 0, 0])
