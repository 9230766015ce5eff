"""The inner solve for a step each: against bisection in 60 digits, on the host and as on an accelerator."""

from __future__ import annotations

import array_api_compat.numpy as xp
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mpmath import mp, mpf

from nonsmooth.penalties import GroupL1, _group_prox
from nonsmooth.penalties._group_prox import group_norms, group_prox
from nonsmooth.penalties._penalty import quiet

exponents = st.lists(st.tuples(st.floats(-8, 0), st.floats(-8, 0)), min_size=1, max_size=8)


def _fast(z: np.ndarray, t: np.ndarray) -> np.ndarray:
    with quiet(xp):
        return group_prox(xp, z, t, (1,))


def _slow(z: np.ndarray, t: np.ndarray) -> np.ndarray:
    """u_i = z_i r/(r + t_i) with sum z_i^2/(r + t_i)^2 = 1, 0 if that has no root r > 0."""
    with mp.workdps(60):
        zs, ts = [mpf(float(v)) for v in z], [mpf(float(v)) for v in t]

        def excess(r):
            return sum((v / (r + w)) ** 2 for v, w in zip(zs, ts, strict=True)) - 1

        if excess(mpf(0)) <= 0:
            return np.zeros(z.size)
        low, high = mpf(0), sum(abs(v) for v in zs)
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle) > 0 else (low, middle)
        return np.array([float(v * low / (low + w)) for v, w in zip(zs, ts, strict=True)])


# Where bounds of pure Newton grow slowly: found by hill climbing.
SLOW = [
    [(-8.0, -8.0), (0.0, 0.0)],
    [(-7.98, -7.94), (-3.65, -3.64), (-0.01, -0.01)],
    [(-7.41, -7.51), (-8.82, -6.62), (-1.32, -0.33), (0.0, 0.0)],
    [(-8.0, -8.0), (-8.02, -8.0), (-8.03, -8.0), (-7.48, -2.67), (-3.95, -1.58), (-0.54, 0.0), (-0.02, 0.0)],
]


@pytest.mark.parametrize("host", [True, False], ids=["until no bound grows", "a fixed number"])
@settings(max_examples=150)
@given(logs=exponents, lift=st.floats(-1, 1))
@example(logs=SLOW[0], lift=0.0)
@example(logs=SLOW[1], lift=0.0)
@example(logs=SLOW[2], lift=0.0)
@example(logs=SLOW[3], lift=0.0)
def test_thresholds_eight_powers_of_ten_apart(host: bool, logs: list, lift: float) -> None:
    size, t = 10 ** np.array(logs).T
    z = size * 10**lift * (-1.0) ** np.arange(size.size)
    with pytest.MonkeyPatch.context() as patch:
        if not host:
            patch.setattr(_group_prox, "_on_host", lambda xp, a: False)
        u = _fast(z[None], t[None])[0]
    np.testing.assert_allclose(u, _slow(z, t), rtol=1e-10, atol=1e-12 * np.abs(z).max())


def test_hard_instances_in_one_batch() -> None:
    """Random instances around the border of being zero, where the root is far from both first bounds."""
    rng = np.random.default_rng(0)
    t = 10 ** rng.uniform(-8, 0, (300, 6))
    z = t * 10 ** (0.3 * rng.standard_normal((300, 6)))
    u = _fast(z, t)
    for k in range(0, 300, 6):
        np.testing.assert_allclose(u[k], _slow(z[k], t[k]), rtol=1e-10, atol=1e-12 * z[k].max())


def test_zero_is_decided_by_the_ball() -> None:
    """0 just when sum z_i^2/t_i^2 <= 1."""
    t = np.array([[1e-4, 1.0, 10.0]])
    on = t * np.sqrt([[0.2, 0.3, 0.5]])
    assert not _fast(on * (1 - 1e-15), t).any()
    assert _fast(on * (1 + 1e-12), t).all()


def test_an_entry_too_small_to_divide_by_does_not_stop_the_others() -> None:
    """1/(r + t) would overflow at the first bound r = 0; the root is that of the three."""
    z = torch.tensor([[1.0, 1.0, 1.0, 1e-2, 1e-42]])
    u = GroupL1(1.0).prox(z, torch.tensor([[1.0, 1.0, 1.0, 2.0, 1e-42]]))
    r = 3**0.5 - 1
    np.testing.assert_allclose(u[0, :4], [r / (r + 1)] * 3 + [1e-2 * r / (r + 2)], rtol=1e-4)


def test_chunks_are_the_whole() -> None:
    """More entries than fit a chunk, groups along either axis, in one dimension more, or one group alone."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((700, 500))
    step = 10 ** rng.uniform(-2, 0, x.shape)
    rows = GroupL1(20.0).prox(x, step)
    for k in (0, 350, 699):
        np.testing.assert_allclose(rows[k], GroupL1(20.0).prox(x[k : k + 1], step[k : k + 1])[0], rtol=1e-12)
    np.testing.assert_allclose(GroupL1(20.0, "columns").prox(x.T, step.T), rows.T, rtol=1e-12)
    np.testing.assert_allclose(GroupL1(20.0, 500).prox(x[None], step[None])[0], rows, rtol=1e-12)
    assert (rows != 0).any()
    one = GroupL1(20.0).prox(x.reshape(1, -1), step.reshape(1, -1))
    np.testing.assert_allclose(
        GroupL1(20.0).subdifferential_distance(one, (one - x.reshape(1, -1)) / step.reshape(1, -1)),
        0,
        atol=1e-11,
    )


def test_norms_neither_overflow_nor_vanish() -> None:
    z = np.array([[3.0, 4.0]])
    for size in (5e-324, 1e-200, 1.0, 1e200):
        np.testing.assert_allclose(group_norms(xp, z * size, (1,)), 5 * size)
    np.testing.assert_array_equal(
        group_norms(xp, np.array([[np.inf, 1.0], [0.0, 0.0]]), (1,)), [[np.inf], [0]]
    )
