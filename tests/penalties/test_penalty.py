"""What all penalties do alike with bad input; their laws are in ``suite``."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nonsmooth.errors import InputError
from nonsmooth.penalties import L0, L1, MCP, SCAD, GroupL1, LogSum, Penalty


@pytest.mark.parametrize(
    "bad",
    [-1.0, float("nan"), float("inf"), np.array([0.1, -2.0]), "much", None, [0.1], np.array([]), 10**400],
)
@pytest.mark.parametrize("make", [MCP, SCAD, L0, LogSum])
def test_bad_strengths_are_named(make, bad) -> None:
    with pytest.raises(InputError, match=r"strength = .* is not allowed; give a finite number >= 0"):
        make(bad)


@pytest.mark.parametrize("bad", [-1.0, 0.0, float("nan"), float("inf"), "far", None])
def test_bad_shapes_are_named(bad: float) -> None:
    for make, name in (
        (lambda: MCP(1.0, gamma=bad), "gamma"),
        (lambda: SCAD(1.0, a=bad), "a"),
        (lambda: LogSum(1.0, epsilon=bad), "epsilon"),
    ):
        with pytest.raises(InputError, match=rf"{name} = {bad} is not allowed; give a finite number >"):
            make()
    with pytest.raises(InputError, match=r"a = 1\.0"):
        SCAD(1.0, a=1.0)


@pytest.mark.parametrize("entries", [np.array([3, 5]), torch.tensor([3, 5]), np.ones(2, complex)])
@pytest.mark.parametrize("penalty", [L1(1.0), MCP(1.0), GroupL1(1.0, 2)])
def test_integers_and_complex_numbers_are_refused(penalty: Penalty, entries) -> None:
    """The prox of an integer is none: it would be cut."""
    for ask in (penalty.value, lambda x: penalty.prox(x, 0.25), lambda x: penalty.prox(x, 0.25, out=x)):
        with pytest.raises(InputError, match=r"entries of type .* are not allowed; give real floating-point"):
            ask(entries)


@pytest.mark.parametrize("step", [-0.1, float("nan")])
@pytest.mark.parametrize("penalty", [L1(1.0), MCP(1.0), GroupL1(1.0)])
def test_bad_steps_are_named(penalty: Penalty, step: float) -> None:
    with pytest.raises(InputError, match=f"step = {step:g} is not allowed; give a number >= 0"):
        penalty.prox(np.ones((2, 2)), step)


@pytest.mark.parametrize("step", [np.ones(4), np.ones((2, 2, 2)), torch.ones(3, 2), "far", None, [0.1]])
@pytest.mark.parametrize("penalty", [L1(1.0), MCP(1.0), GroupL1(1.0), GroupL1(1.0, 2)])
def test_steps_of_another_shape_or_kind_are_named(penalty: Penalty, step) -> None:
    for x in (np.ones((2, 2)), torch.ones(2, 2)):
        with pytest.raises(InputError, match=r"a step of type .* not allowed for .* of shape \(2, 2\); give"):
            penalty.prox(x, step)


@pytest.mark.parametrize("penalty", [L1(1.0), MCP(1.0), GroupL1(1.0), GroupL1(1.0, 2)])
def test_arrays_of_two_libraries_or_of_two_shapes_do_not_go_together(penalty: Penalty) -> None:
    for x, other in ((np.ones((2, 2)), torch.ones(2, 2)), (torch.ones(2, 2), np.ones((2, 2)))):
        with pytest.raises(InputError, match=r"a step of type .* and shape \(2, 2\) is not allowed"):
            penalty.prox(x, other)
        with pytest.raises(InputError, match=r"a gradient of type .* not allowed .*; give an array like it"):
            penalty.subdifferential_distance(x, other)
    for gradient in (np.ones(4), [1.0], None, 0.5):
        with pytest.raises(InputError, match=r"a gradient of type .* is not allowed"):
            penalty.subdifferential_distance(np.ones((2, 2)), gradient)


def test_a_step_for_each_run_is_repeated() -> None:
    x, steps = np.ones((2, 3)), np.array([[0.25], [0.5]])
    np.testing.assert_array_equal(L1(1.0).prox(x, steps), L1(1.0).prox(x, np.broadcast_to(steps, x.shape)))


def test_what_is_no_array_is_named() -> None:
    for ask in (L1(1.0).value, L1(1.0).strength_max, lambda x: L1(1.0).prox(x, 0.1)):
        with pytest.raises(InputError, match="entries of type list are no array"):
            ask([1.0, 2.0])


def test_bad_factors_are_named() -> None:
    with pytest.raises(InputError, match="strength = -2 is not allowed"):
        MCP(1.0).scaled(-2.0)
    with pytest.raises(InputError, match="l1 = inf"):
        L1(1.0).scaled(float("inf"))


def test_scaled_leaves_what_it_came_from() -> None:
    penalty = GroupL1(1.0, [0, 1, 1], "sqrt")
    assert penalty.scaled(3.0).strength == 3.0
    assert penalty.strength == 1.0
