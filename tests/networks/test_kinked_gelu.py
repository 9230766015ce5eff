"""The kinked twin of GELU: a polygon through GELU's points, with kinks at every knot."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from nonsmooth.errors import InputError
from nonsmooth.networks import KinkedGELU, activation, second_moment, slope_moment, smoothness

spacings = st.floats(-2, 1).map(lambda e: float(f"{10**e:.4g}"))


def polygon(spacing: float, points: torch.Tensor) -> np.ndarray:
    """numpy's interpolation between the knots, ReLU beyond them."""
    x = points.numpy()
    last = math.ceil(5 / spacing)
    knots = np.arange(-last, last + 1) * spacing
    values = functional.gelu(torch.from_numpy(knots)).numpy()
    values[0], values[-1] = 0, knots[-1]
    return np.where(np.abs(x) > knots[-1], np.maximum(x, 0), np.interp(x, knots, values))


@given(spacing=spacings, points=st.lists(st.floats(-9, 9), min_size=1, max_size=40))
def test_it_is_the_polygon(spacing: float, points: list[float]) -> None:
    x = torch.tensor(points, dtype=torch.float64)
    expected = torch.from_numpy(polygon(spacing, x))
    torch.testing.assert_close(KinkedGELU(spacing)(x), expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("spacing", [0.1, 0.5, 1.0, 2.0])
def test_every_knot_is_a_kink_and_nothing_else_is(spacing: float) -> None:
    module = KinkedGELU(spacing)
    knots = module.knots
    sides = []
    for side in (-1e-6, 1e-6):
        x = (knots + side).requires_grad_()
        (slope,) = torch.autograd.grad(module(x).sum(), x)
        sides.append(slope)
    # -K D is one as well, by the little that GELU differs from 0 there.
    assert (sides[0] != sides[1]).all()
    torch.testing.assert_close(sides[0][1:], sides[1][:-1], rtol=0, atol=0)
    here = knots.clone().requires_grad_()
    (at,) = torch.autograd.grad(module(here).sum(), here)
    assert ((at == sides[1]) | ((at == sides[0]) & (spacing == 0.1))).all()  # 0.1 k is rounded
    assert smoothness(f"kinked-gelu:{spacing:g}") == "Lipschitz"


def test_it_goes_from_gelu_to_relu() -> None:
    x = torch.linspace(-12, 12, 48001, dtype=torch.float64)
    for spacing in (0.01, 0.1, 0.5, 1.0):
        assert (KinkedGELU(spacing)(x) - functional.gelu(x)).abs().max() <= spacing**2 / 10
    for spacing in (5, 7.5):
        assert torch.equal(KinkedGELU(spacing)(x), functional.relu(x))


@pytest.mark.parametrize("name", ["kinked-gelu:0.5", "kinked-gelu:2"])
def test_moments_against_a_fine_sum(name: str) -> None:
    """Midpoints of cells that end at the knots: the error is that of the smooth normal density."""
    cell = 2.0**-12
    z = (torch.arange(-14 / cell, 14 / cell, dtype=torch.float64) + 0.5) * cell
    z.requires_grad_()
    value = activation(name)(z)
    (slope,) = torch.autograd.grad(value.sum(), z)
    value, z = value.detach(), z.detach()
    weight = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * cell
    assert second_moment(name) == pytest.approx(float((value**2 * weight).sum()), rel=1e-7)
    assert slope_moment(name) == pytest.approx(float((slope**2 * weight).sum()), rel=1e-7)


def test_what_is_no_number_and_what_is_huge() -> None:
    x = torch.tensor([math.nan, math.inf, -math.inf, 1e30, -1e30], requires_grad=True)
    value = KinkedGELU(0.5)(x)
    value[1:].sum().backward()
    assert value[0].isnan()
    assert value[1:].tolist() == pytest.approx([math.inf, 0, 1e30, 0])
    assert x.grad is not None
    assert x.grad.tolist() == [0, 1, 0, 1, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_types_layout_and_copies(dtype: torch.dtype) -> None:
    x = torch.randn(2, 3, 4, 4).to(dtype).to(memory_format=torch.channels_last)
    module = copy.deepcopy(activation("kinked-gelu:0.5"))
    value = module(x)
    assert value.dtype == dtype
    assert value.is_contiguous(memory_format=torch.channels_last)
    expected = torch.from_numpy(polygon(0.5, x.double())).to(dtype)
    torch.testing.assert_close(value, expected, rtol=2e-2 if dtype == torch.bfloat16 else 1e-6, atol=1e-2)
    assert module.state_dict() == {}
    assert repr(module) == "KinkedGELU(spacing=0.5)"


@pytest.mark.parametrize("spacing", [0, -1.0, math.nan, math.inf, 1e-4, "0.1", None])
def test_bad_spacings(spacing: object) -> None:
    with pytest.raises(InputError, match=r"spacing .* is not allowed; give a number from 0.001 to 1000"):
        KinkedGELU(spacing)  # type: ignore[arg-type]
    if spacing in (0, 1e-4):
        with pytest.raises(InputError, match=r"from 1e-3 to 1e3, for instance kinked-gelu:0.01"):
            activation(f"kinked-gelu:{spacing}")
