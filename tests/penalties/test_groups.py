"""Which entries form a group, and what is refused in words."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nonsmooth.errors import InputError
from nonsmooth.penalties import GroupL1, SparseGroupL1


@settings(max_examples=50)
@given(labels=st.lists(st.integers(-3, 12), min_size=1, max_size=40), seed=st.integers(0, 999))
def test_labels_gather_any_groups(labels: list[int], seed: int) -> None:
    """Against a loop over the labels, in a batch, for norms, prox and weights in the order of labels."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 3, len(labels)))
    names = np.unique(labels)
    weights = rng.uniform(0.5, 2, names.size)
    for given_labels in (labels, np.array(labels), torch.tensor(labels)):
        penalty = GroupL1(0.7, given_labels, weights)
        norms, u = penalty.norms(x), penalty.prox(x, 0.9)
        assert norms.shape == (2, 3, names.size)
        for k, name in enumerate(names):
            group = x[..., np.array(labels) == name]
            expected = np.linalg.norm(group, axis=-1)
            np.testing.assert_allclose(norms[..., k], expected, rtol=1e-13)
            shrunk = group * np.maximum(1 - 0.9 * 0.7 * weights[k] / expected, 0)[..., None]
            np.testing.assert_allclose(u[..., np.array(labels) == name], shrunk, atol=1e-14)


def test_a_pickle_holds_nothing_of_the_device() -> None:
    penalty = GroupL1(1.0, [0, 1, 1, 0], [1.0, 2.0])
    before = pickle.dumps(penalty)
    penalty.prox(torch.ones(4), 0.5)
    assert pickle.dumps(penalty) == before


def test_norms_of_structures() -> None:
    x = np.arange(24.0).reshape(4, 3, 2)
    flat = {"rows": x.reshape(4, 6), "filters": x.reshape(4, 6), "columns": x.swapaxes(0, 1).reshape(3, 8)}
    for groups, expected in flat.items():
        np.testing.assert_allclose(GroupL1(1.0, groups).norms(x), np.linalg.norm(expected, axis=1))
    np.testing.assert_allclose(GroupL1(1.0, ("heads", 2)).norms(x), np.linalg.norm(x.reshape(2, 12), axis=1))
    np.testing.assert_allclose(GroupL1(1.0, 2).norms(x), np.linalg.norm(x, axis=2)[..., None])
    assert GroupL1(1.0).norms(torch.tensor(x, dtype=torch.float16)).dtype == torch.float32


@pytest.mark.parametrize(
    ("groups", "shape", "says"),
    [
        (
            "rows",
            (5,),
            r"groups = 'rows' is not allowed for a parameter of shape \(5,\); it takes 2 axes or more",
        ),
        ("columns", (5,), "'columns'"),
        (
            "filters",
            (5, 4),
            r"'filters' is not allowed .* 3 axes or more, for instance a convolution's weight",
        ),
        (("heads", 3), (4, 6), r"\('heads', 3\) is not allowed .* axis 0 must be a multiple"),
        (("heads", 3), (), "axis 0 must be a multiple"),
        (4, (4, 6), "groups = 4 is not allowed .* last axis must be a multiple"),
        ([0, 1, 0], (4, 6), r"3 labels are not allowed for a parameter of shape \(4, 6\)"),
    ],
)
def test_shapes_without_such_groups_are_refused(groups, shape: tuple[int, ...], says: str) -> None:
    penalty, x = GroupL1(1.0, groups), np.ones(shape)
    for use in (penalty.value, penalty.norms, penalty.subgradient, penalty.strength_max):
        with pytest.raises(InputError, match=says):
            use(x)
    with pytest.raises(InputError, match=says):
        penalty.prox(x, 0.5)
    with pytest.raises(InputError, match=says):
        penalty.subdifferential_distance(x, x)


@pytest.mark.parametrize(
    "groups",
    [
        "row",
        0,
        -2,
        True,
        2.0,
        None,
        ("heads", 0),
        ("heads", True),
        ("heads",),
        [],
        [0.5, 1.0],
        [[0, 1]],
        [True, False],
    ],
    ids=str,
)
def test_other_groups_are_refused(groups) -> None:
    with pytest.raises(InputError, match="is not allowed; give 'rows', 'columns', 'filters'"):
        GroupL1(1.0, groups)


@pytest.mark.parametrize(
    "weights", ["root", 2.0, [-1.0], [np.nan], [np.inf], [[1.0]], ["a"], [None]], ids=str
)
def test_other_weights_are_refused(weights) -> None:
    with pytest.raises(InputError, match=r"weights = .* is not allowed; give None"):
        GroupL1(1.0, "rows", weights)


def test_a_weight_is_needed_for_each_group() -> None:
    with pytest.raises(InputError, match="2 weights are not allowed for 3 groups"):
        GroupL1(1.0, "columns", [1.0, 2.0]).value(np.ones((2, 3)))
    with pytest.raises(InputError, match="3 weights are not allowed for 2 groups"):
        GroupL1(1.0, [0, 1, 0], [1.0, 2.0, 3.0])


def test_root_weights_count_entries() -> None:
    x = np.ones((3, 4))
    assert GroupL1(1.0, "rows", "sqrt").value(x) == pytest.approx(3 * 2 * 2)
    np.testing.assert_allclose(GroupL1(1.0, [0, 0, 0, 1], "sqrt").value(x), [3 + 1] * 3)


def test_other_strengths_and_ratios_are_refused() -> None:
    with pytest.raises(InputError, match="strength = -1 is not allowed"):
        GroupL1(-1.0)
    with pytest.raises(InputError, match="not allowed for groups"):
        GroupL1(np.ones(3))
    with pytest.raises(InputError, match=r"l1_ratio = 1.5 is not allowed; give a number in \[0, 1\]"):
        SparseGroupL1(1.0, l1_ratio=1.5)
