"""NumPy, torch in every precision, batches, in place, without a look at any entry."""

from __future__ import annotations

import copy
import pickle
import warnings

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode

from nonsmooth.penalties import L0, MCP, SCAD, ElasticNet, LogSum
from penalties.suite.rows import GROUPED, ROWS, SEPARABLE, Row

X = np.random.default_rng(0).standard_normal(24)
G = np.random.default_rng(1).standard_normal(24)
EACH = 10 ** np.random.default_rng(2).uniform(-2, 1, 24)


def _data(row: Row) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return X.reshape(row.shape), G.reshape(row.shape), EACH.reshape(row.shape)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_torch_equals_numpy(row: Row) -> None:
    penalty, (x, g, each) = row.make(0.5), _data(row)
    t = torch.tensor
    pairs = [
        (penalty.prox(x, 0.7), penalty.prox(t(x), 0.7)),
        (penalty.prox(x, 5.0), penalty.prox(t(x), t(5.0))),
        (penalty.prox(x, each), penalty.prox(t(x), t(each))),
        (penalty.value(x), penalty.value(t(x))),
        (penalty.subgradient(x), penalty.subgradient(t(x))),
        (penalty.subdifferential_distance(x, g), penalty.subdifferential_distance(t(x), t(g))),
        (penalty.subdifferential_distance(0 * x, g), penalty.subdifferential_distance(t(0 * x), t(g))),
        (penalty.strength_max(g), penalty.strength_max(t(g))),
        (penalty.support(x), penalty.support(t(x))),
    ]
    for ours, theirs in pairs:
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_in_place_is_the_same(row: Row) -> None:
    penalty, (x, _, each) = row.make(0.5), _data(row)
    for step in (0.7, each):
        expected = penalty.prox(x, step)
        given = x.copy()
        assert penalty.prox(given, step, out=given) is given
        np.testing.assert_array_equal(given, expected)
        other = np.empty_like(x)
        assert penalty.prox(x, step, out=other) is other
        np.testing.assert_array_equal(other, expected)
        weight = torch.nn.Parameter(torch.tensor(x))
        s = step if step is not each else torch.tensor(each)
        assert (
            penalty.prox(weight, s, out=weight) is weight
        )  # a leaf that asks for a gradient, no guard needed
        np.testing.assert_array_equal(weight.detach(), penalty.prox(torch.tensor(x), s))
        assert weight.is_leaf
        assert weight.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_low_precision(row: Row, dtype: torch.dtype) -> None:
    """As in float64 from the same rounded numbers, rounded once more at the end."""
    penalty, (x, g, each) = row.make(0.5), _data(row)
    x, g, each = (torch.tensor(a).to(dtype) for a in (x, g, each))
    eps = torch.finfo(dtype).eps
    for step, wide in ((0.7, 0.7), (each, each.double())):
        u = penalty.prox(x, step)
        assert u.dtype == dtype
        torch.testing.assert_close(u.double(), penalty.prox(x.double(), wide), rtol=eps, atol=2e-6)
        torch.testing.assert_close(penalty.prox(x.clone(), step, out=x.clone()), u, rtol=0, atol=0)
    for ours, theirs in (
        (penalty.value(x), penalty.value(x.double())),
        (penalty.subdifferential_distance(x, g), penalty.subdifferential_distance(x.double(), g.double())),
        (penalty.strength_max(g), penalty.strength_max(g.double())),
    ):
        assert ours.dtype == torch.float32
        torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)
    assert penalty.subgradient(x).dtype == dtype


@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.make(1.0).value(X.reshape(r.shape)).shape], ids=lambda r: r.name
)
def test_a_batch_is_its_elements(row: Row) -> None:
    penalty, x, g, each = row.make(0.5), X.reshape(2, 2, 6), G.reshape(2, 2, 6), EACH.reshape(2, 2, 6)
    for step in (0.7, each):
        batch = penalty.prox(x, step)
        for k in np.ndindex(2, 2):
            alone = penalty.prox(x[k], step if step is not each else each[k])
            np.testing.assert_allclose(batch[k], alone, rtol=1e-13)
    for k in np.ndindex(2, 2):
        np.testing.assert_allclose(penalty.value(x)[k], penalty.value(x[k]), rtol=1e-13)
        np.testing.assert_allclose(penalty.strength_max(g)[k], penalty.strength_max(g[k]), rtol=1e-13)
        np.testing.assert_allclose(
            penalty.subdifferential_distance(x, g)[k],
            penalty.subdifferential_distance(x[k], g[k]),
            rtol=1e-12,
        )


@pytest.mark.parametrize(
    "make",
    [lambda lam: ElasticNet(lam, 2 * lam), MCP, lambda lam: SCAD(lam, 1.2), L0, LogSum],
    ids=["elastic net", "MCP", "SCAD", "L0", "log-sum"],
)
@pytest.mark.parametrize("library", [np.asarray, torch.tensor], ids=["numpy", "torch"])
def test_strengths_differ_by_run(make, library) -> None:
    strengths, x, g = np.array([0.0, 0.1, 0.5, 3.0]), X.reshape(4, 6), G.reshape(4, 6)
    penalty = make(library(strengths))
    for step in (0.7, 5.0, library(EACH.reshape(4, 6))):
        batch = penalty.prox(library(x), step)
        for k in range(4):
            alone = make(strengths[k]).prox(library(x)[k], step if isinstance(step, float) else step[k])
            np.testing.assert_allclose(batch[k], alone, rtol=1e-13)
    x = np.where(x > 1, 0, x)
    for k in range(4):
        alone = make(strengths[k])
        np.testing.assert_allclose(penalty.value(library(x))[k], alone.value(x[k]), rtol=1e-13)
        np.testing.assert_allclose(penalty.subgradient(library(x))[k], alone.subgradient(x[k]), rtol=1e-13)
        np.testing.assert_allclose(
            penalty.subdifferential_distance(library(x), library(g))[k],
            alone.subdifferential_distance(x[k], g[k]),
            rtol=1e-13,
        )


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_no_entry_is_looked_at(row: Row) -> None:
    """On tensors without entries: asking one of them anything raises."""
    penalty = row.make(0.5)

    def use(x: torch.Tensor, one: torch.Tensor) -> None:
        for step in (0.7, one, x):
            assert penalty.prox(x, step).shape == x.shape
            penalty.prox(x, step, out=x)
        penalty.value(x)
        penalty.subgradient(x)
        penalty.subdifferential_distance(x, x)
        penalty.strength_max(x)

    use(torch.empty(row.shape, device="meta"), torch.empty((), device="meta"))
    with FakeTensorMode():
        use(torch.empty(row.shape), torch.empty(()))
    use(torch.ones(row.shape), torch.ones(()))  # nothing made above is left behind to compute with


def test_tensors_without_entries_do_raise() -> None:
    with FakeTensorMode(), pytest.raises(Exception, match="_local_scalar_dense"):
        bool(torch.empty(()) > 0)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_one_graph_when_compiled(row: Row) -> None:
    """``torch.compile`` traces the whole prox: a compiled optimiser step can hold it."""
    penalty, (x, _, each) = row.make(0.5), _data(row)
    torch.compiler.reset()
    compiled = torch.compile(lambda x, s: penalty.prox(x, s), fullgraph=True, backend="eager")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # dynamo on functools.lru_cache in array_api_compat
        made = compiled(torch.tensor(x), torch.tensor(each))
    torch.testing.assert_close(made, penalty.prox(torch.tensor(x), torch.tensor(each)))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_copies(row: Row) -> None:
    penalty, (x, _, _) = row.make(0.5), _data(row)
    expected = penalty.prox(torch.tensor(x), 0.7)  # first use: tables are on the device by now
    for copied in (copy.deepcopy(penalty), pickle.loads(pickle.dumps(penalty))):
        torch.testing.assert_close(copied.prox(torch.tensor(x), 0.7), expected, rtol=0, atol=0)
        assert repr(copied) == repr(penalty)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_torch_differentiates_the_value_to_the_subgradient(row: Row) -> None:
    """In a loss, at zero groups too."""
    x = torch.tensor(X.reshape(row.shape))
    x[0] = 0.0
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(row.make(0.5).value(x).sum(), x)
    torch.testing.assert_close(gradient, row.make(0.5).subgradient(x.detach()), rtol=1e-12, atol=1e-14)


def test_rows_are_of_both_kinds() -> None:
    assert all(row.make(1.0).separable for row in SEPARABLE)
    assert not any(row.make(1.0).separable for row in GROUPED)
