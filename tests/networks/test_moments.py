"""Moments of activations of a standard normal, against closed forms, another quadrature and samples."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from nonsmooth.errors import InputError
from nonsmooth.networks import activation, second_moment, slope_moment

NAMES = ("leaky-relu", "gelu", "silu", "elu", "softplus", "tanh", "smoothed-relu:0.5", "analytic-relu:0.5")


def test_closed_forms() -> None:
    assert second_moment("relu") == pytest.approx(0.5, rel=1e-14)
    assert slope_moment("relu") == pytest.approx(0.5, rel=1e-14)
    assert second_moment("identity") == pytest.approx(1.0, rel=1e-14)
    assert slope_moment("identity") == pytest.approx(1.0, rel=1e-14)
    assert second_moment("leaky-relu") == pytest.approx((1 + 0.01**2) / 2, rel=1e-14)
    # ELU: E[(e^z - 1)^2; z < 0] = e^2 Phi(-2) - 2 e^(1/2) Phi(-1) + 1/2, and E[e^2z; z < 0] = e^2 Phi(-2).
    phi = stats.norm.cdf
    lower = math.exp(2) * phi(-2)
    assert second_moment("elu") == pytest.approx(0.5 + lower - 2 * math.exp(0.5) * phi(-1) + 0.5, rel=1e-13)
    assert slope_moment("elu") == pytest.approx(0.5 + lower, rel=1e-13)
    # GELU by Stein's lemma, E[z g(z)] = E[g'(z)], and E[Phi^2] = 1/3, E[p^2] = 1/(2 pi 3^0.5), p the density.
    gelu = 1 / 3 + 1 / (2 * math.pi * math.sqrt(3))
    assert second_moment("gelu") == pytest.approx(gelu, rel=1e-14)
    assert slope_moment("gelu") == pytest.approx(gelu + 1 / (6 * math.pi * math.sqrt(3)), rel=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_against_adaptive_quadrature(name: str) -> None:
    module = activation(name)

    def value(z: float) -> float:
        return module(torch.tensor(z, dtype=torch.float64)).item() ** 2 * stats.norm.pdf(z)

    def slope(z: float) -> float:
        x = torch.tensor(z, dtype=torch.float64, requires_grad=True)
        module(x).backward()
        assert x.grad is not None
        return x.grad.item() ** 2 * stats.norm.pdf(z)

    for function, moment in ((value, second_moment(name)), (slope, slope_moment(name))):
        pieces = [-12, -3, -0.5, -0.25, 0, 0.25, 0.5, 3, 12]
        expected = sum(
            integrate.quad(function, a, b, epsabs=1e-13, epsrel=1e-13)[0] for a, b in pairwise(pieces)
        )
        assert moment == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("kind", ["smoothed-relu", "analytic-relu"])
@given(exponent=st.floats(-12, 0))
def test_the_twins_tend_to_relu(kind: str, exponent: float) -> None:
    """The value differs by O(D) within O(D) of 0, where z^2 is O(D^2): D^3; the slope by O(1) there: D."""
    name = f"{kind}:{10**exponent:g}"
    width = activation(name).width
    assert second_moment(name) == pytest.approx(0.5, abs=0.01 * width**3 + 1e-14)
    assert slope_moment(name) == pytest.approx(0.5, abs=0.1 * width + 1e-14)


def test_the_join_to_first_order() -> None:
    """E[f'^2] = 1/2 - D phi(0)/6 and E[f^2] = 1/2 + D^3 phi(0)/120 for small D, by hand."""
    bell = 1 / math.sqrt(2 * math.pi)
    for width in (1e-2, 1e-3):
        assert slope_moment(f"smoothed-relu:{width:g}") - 0.5 == pytest.approx(-width * bell / 6, rel=1e-3)
    assert second_moment("smoothed-relu:0.01") - 0.5 == pytest.approx(0.01**3 * bell / 120, rel=1e-3)


def test_wide_joins_are_resolved_too() -> None:
    """At D = 1000 the join is a parabola for all z: E[(z + 500)^4]/2000^2, by hand."""
    expected = (500**4 + 6 * 500**2 + 3) / 2000**2
    assert second_moment("smoothed-relu:1000") == pytest.approx(expected, rel=1e-13)
    assert second_moment("analytic-relu:1e+06") == pytest.approx(0.25, rel=1e-9)


def test_without_gradients_too() -> None:
    """The first call of a process may be inside no_grad, as in initialise."""
    with torch.no_grad():
        assert slope_moment("smoothed-relu:0.123") > 0


def test_unknown_names() -> None:
    for function in (second_moment, slope_moment):
        with pytest.raises(InputError, match="did you mean gelu"):
            function("geluu")
