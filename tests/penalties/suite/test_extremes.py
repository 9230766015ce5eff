"""No NaN from strength 0, step 0, zeros, denormals or infinities; and no NaN hidden."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nonsmooth.penalties import GroupL1
from penalties.suite.rows import GROUPED, ROWS, SEPARABLE, Row

STEPS = [0.0, 5e-324, 0.5, 1e300, np.inf]


def _points(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).standard_normal(shape)
    column = x.copy()
    column[:, 0] = 0.0
    mixed = x.copy().ravel()
    mixed[:6] = 0.0, -0.0, 5e-324, -1e-310, 1e300, -np.inf
    return {
        "plain": x,
        "zero": np.zeros(shape),
        "zero column": column,
        "denormal": x * 1e-310,
        "huge": x * 1e300,
        "infinite": np.full(shape, np.inf),
        "mixed": mixed.reshape(shape),
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("strength", [0.0, 1e-300, 1.0, 1e150])
def test_no_nan(row: Row, strength: float) -> None:
    penalty = row.make(strength)
    each = np.array([*STEPS, 1.0] * 4).reshape(row.shape)
    for name, x in _points(row.shape).items():
        for step in (*STEPS, each, np.flip(each).copy()):
            for u in (penalty.prox(x, step), penalty.prox(torch.tensor(x), _tensor(step)).numpy()):
                assert not np.isnan(u).any(), (name, step)
                assert (np.abs(u) <= np.abs(x)).all(), (name, step)
                stays = np.broadcast_to(np.asarray(step) == 0, x.shape)
                np.testing.assert_array_equal(u[stays], x[stays], err_msg=name)
        assert not np.isnan(penalty.value(x)).any(), name
        assert not np.isnan(penalty.value(torch.tensor(x)).numpy()).any(), name


def _tensor(step):
    return torch.tensor(step) if isinstance(step, np.ndarray) else step


@pytest.mark.parametrize("row", [r for r in ROWS if r.name != "elastic net's twin"], ids=lambda row: row.name)
def test_strength_0_leaves_everything_and_an_infinite_step_nothing(row: Row) -> None:
    for name, x in _points(row.shape).items():
        for step in (*STEPS, np.full(row.shape, np.inf)):
            np.testing.assert_array_equal(row.make(0.0).prox(x, step), x, err_msg=name)
        for step in (np.inf, np.full(row.shape, np.inf)):
            u = row.make(1.0).prox(x, step)
            pulled = np.arange(6) < 3 if row.name == "labels, weights" else np.full(row.shape[-1], True)
            np.testing.assert_array_equal(u[..., pulled], 0.0, err_msg=name)  # the rest has weight 0


@pytest.mark.parametrize("row", GROUPED, ids=lambda row: row.name)
@pytest.mark.parametrize("size", [1e-36, 1e-25, 1e25])
def test_float32_keeps_its_range(row: Row, size: float) -> None:
    """Squares of 1e25 and 1e-25 are beyond float32; norms of such entries are not."""
    x = np.random.default_rng(1).standard_normal(row.shape)
    each = 10 ** np.random.default_rng(2).uniform(-2, 1, row.shape)
    wide, narrow = row.make(0.5 * size), torch.tensor(x * size, dtype=torch.float32)
    for step in (0.7, each):
        u = wide.prox(narrow, step if step is not each else torch.tensor(each))
        expected = row.make(0.5).prox(x, step) * size
        np.testing.assert_allclose(u.double().numpy(), expected, rtol=2e-5, atol=1e-5 * size)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_nan_stays_one(row: Row) -> None:
    """A diverged entry must not look like a zero."""
    x = np.ones(row.shape)
    x[(0,) * x.ndim] = np.nan
    for step in (0.5, 100.0, np.full(row.shape, 0.5), np.full(row.shape, 100.0)):
        for u in (row.make(1.0).prox(x, step), row.make(1.0).prox(torch.tensor(x), _tensor(step)).numpy()):
            assert np.isnan(u[(0,) * x.ndim])
            if row not in GROUPED:
                assert np.isnan(u).sum() == 1
    assert np.isnan(np.sum(row.make(1.0).value(x)))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_empty_parameters(row: Row) -> None:
    penalty, empty = row.make(1.0), (0, *row.shape[1:])
    if row.name == "heads":
        empty = (4, 0)
    for x in (np.zeros(empty), torch.zeros(empty)):
        for step in (0.5, x):
            assert penalty.prox(x, step).shape == x.shape
            assert penalty.prox(x, step, out=x) is x
        assert float(penalty.value(x).sum()) == 0
        assert penalty.subgradient(x).shape == x.shape
        for made in (penalty.subdifferential_distance(x, x), penalty.strength_max(x)):
            assert made.shape == penalty.value(x).shape
    if row in SEPARABLE:
        x = np.zeros((3, 0))
        np.testing.assert_array_equal(penalty.value(x), np.zeros(3))
        np.testing.assert_array_equal(penalty.subdifferential_distance(x, x), np.zeros(3))
        np.testing.assert_array_equal(penalty.strength_max(x), np.zeros(3))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_largest_numbers_and_infinities_give_no_nan(row: Row, dtype: torch.dtype) -> None:
    """Entries and steps at the edge of their type; the distance and the subgradient there as well."""
    largest = torch.finfo(dtype).max
    gradient = torch.randn(row.shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    for fill in (largest, -torch.inf):
        x = torch.full(row.shape, fill, dtype=dtype)
        x.view(-1)[::5] = gradient.view(-1)[::5]
        for step in (largest, torch.full_like(x, largest), torch.full_like(x, torch.inf)):
            assert not row.make(1.0).prox(x, step).isnan().any()
        for strength in (0.0, 1.0, largest**0.9):
            penalty = row.make(strength)
            assert not torch.as_tensor(penalty.value(x)).isnan().any()
            assert not penalty.subgradient(x).isnan().any()
            if strength <= 1:
                assert not torch.as_tensor(penalty.subdifferential_distance(x, gradient)).isnan().any()


def test_the_direction_of_a_group_with_infinite_entries_is_their_limit() -> None:
    """As entries grow alike the others no longer count: (t, 1, -t)/||.|| tends to (1, 0, -1)/sqrt(2)."""
    x = np.array([[np.inf, 1.0, -np.inf]])
    np.testing.assert_allclose(GroupL1(2.0).subgradient(x), 2.0 * np.array([[1, 0, -1]]) / np.sqrt(2))
