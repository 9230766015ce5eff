"""The smoothed twins of ReLU: where they are ReLU, and what they are in between."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional

from nonsmooth.errors import InputError
from nonsmooth.networks import AnalyticReLU, SmoothedReLU

TWINS = (SmoothedReLU, AnalyticReLU)
DTYPES = (torch.float32, torch.float64)
EPS = 2.0**-52
# torch's own forward mode scripts its decompositions on first use.
FORWARD_MODE = pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")
widths = st.floats(-8, 3).map(lambda e: float(f"{10**e:.4g}"))
in_widths = st.lists(st.floats(-4, 4), min_size=1, max_size=40)


def evaluate(module: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value, gradient and second derivative by autograd."""
    x = x.clone().requires_grad_()
    value = module(x)
    (slope,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), x)
    return value.detach(), slope.detach(), curvature


def relu_slope(x: Tensor) -> Tensor:
    return (x > 0).to(x.dtype)


def around(border: float, dtype: torch.dtype) -> Tensor:
    """Points from a border outwards: the 20 next numbers of the dtype, and far ones."""
    kind = np.float32 if dtype == torch.float32 else np.float64
    near = [kind(border)]
    while float(near[0]) < border:  # rounding may put it inside
        near = [np.nextafter(near[0], kind(np.inf))]
    for _ in range(20):
        near.append(np.nextafter(near[-1], kind(np.inf)))
    far = [kind(border * f) for f in (1.001, 1.5, 3, 1e3, 1e9)] + [kind(f) for f in (10, 1e4, 1e18)]
    outside = np.array([*near, *(f for f in far if f >= border)], dtype=kind)
    return torch.from_numpy(np.concatenate([outside, -outside]))


@pytest.mark.parametrize("dtype", DTYPES)
@given(width=widths)
def test_the_join_is_exactly_relu_outside(dtype: torch.dtype, width: float) -> None:
    x = around(width / 2, dtype)
    value, slope, curvature = evaluate(SmoothedReLU(width), x)
    assert torch.equal(value, functional.relu(x))
    assert torch.equal(slope, relu_slope(x))
    assert not curvature.any()


@given(width=widths, u=in_widths)
def test_the_join_is_the_parabola_inside(width: float, u: list[float]) -> None:
    x = torch.tensor(u, dtype=torch.float64).clamp(-0.499999, 0.499999) * width
    value, slope, curvature = evaluate(SmoothedReLU(width), x)
    torch.testing.assert_close(value, (x + width / 2) ** 2 / (2 * width), rtol=1e-13, atol=8 * EPS * width)
    torch.testing.assert_close(slope, x / width + 0.5, rtol=0, atol=8 * EPS)
    torch.testing.assert_close(curvature, torch.full_like(x, 1 / width), rtol=1e-13, atol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@given(width=widths, u=in_widths)
def test_laws_of_the_join(dtype: torch.dtype, width: float, u: list[float]) -> None:
    """Between ReLU and ReLU + D/8; monotone; convex; its gradient has the Lipschitz constant 1/D."""
    eps = torch.finfo(dtype).eps
    x = (torch.tensor(u, dtype=torch.float64) * width).sort().values.to(dtype)
    value, slope, _ = (part.double() for part in evaluate(SmoothedReLU(width), x))
    x, above = x.double(), value - functional.relu(x).double()
    slack = 8 * eps * width
    assert (above >= -slack).all()
    assert (above <= width / 8 + slack).all()
    assert (value.diff() >= -slack).all()
    assert ((slope >= 0) & (slope <= 1)).all()
    assert (slope.diff() >= 0).all()
    assert (slope.diff() <= x.diff() / width + 8 * eps).all()
    tangents = value[:, None] + slope[:, None] * (x[None, :] - x[:, None])
    assert (value[None, :] >= tangents - 40 * slack).all()


@given(width=widths)
def test_the_analytic_twin_is_relu_to_rounding_from_its_width_on(width: float) -> None:
    x = around(width, torch.float64)
    value, slope, curvature = evaluate(AnalyticReLU(width), x)
    torch.testing.assert_close(value, functional.relu(x), rtol=2 * EPS, atol=2 * EPS * width)
    torch.testing.assert_close(slope, relu_slope(x), rtol=0, atol=7e-16)
    assert (curvature.abs() <= 1e-13 / width).all()


@given(width=widths, u=in_widths)
def test_the_analytic_twin_is_its_formula(width: float, u: list[float]) -> None:
    x = torch.tensor(u, dtype=torch.float64) * width
    value, slope, curvature = evaluate(AnalyticReLU(width), x)
    z = 8.5 / width * x
    bell = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    torch.testing.assert_close(value, x * torch.special.ndtr(z), rtol=1e-13, atol=8 * EPS * width)
    torch.testing.assert_close(slope, torch.special.ndtr(z) + z * bell, rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(curvature, 8.5 / width * bell * (2 - z**2), rtol=1e-11, atol=1e-12 / width)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gelu_is_the_analytic_twin_of_width_8_5(dtype: torch.dtype) -> None:
    x = torch.linspace(-12, 12, 4001, dtype=dtype)
    for mine, torchs in zip(evaluate(AnalyticReLU(8.5), x), evaluate(nn.GELU(), x), strict=True):
        assert torch.equal(mine, torchs)


def test_the_figures_of_the_analytic_twin() -> None:
    x = torch.linspace(-2, 2, 400001, dtype=torch.float64)
    value, slope, curvature = evaluate(AnalyticReLU(2.0), x)
    below = functional.relu(x) - value
    assert below.min() >= -EPS
    assert below.max() == pytest.approx(0.020 * 2, rel=0.01)
    assert abs(float(x[below.argmax()])) == pytest.approx(0.088 * 2, rel=0.01)
    assert float(slope[200000]) == pytest.approx(0.5, abs=1e-14)
    assert float(x[curvature.abs().argmax()]) == pytest.approx(0, abs=1e-9)
    assert float(curvature.max()) == pytest.approx(6.78 / 2, rel=1e-3)


def test_an_analytic_twin_is_not_relu_just_outside_a_narrower_join() -> None:
    """The identity theorem at work: from D/2 on the join is ReLU, the analytic twin is not yet."""
    x = torch.tensor([-0.5, 0.5], dtype=torch.float64)
    assert torch.equal(SmoothedReLU(1.0)(x), functional.relu(x))
    assert (AnalyticReLU(1.0)(x) != functional.relu(x)).all()


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("width", [1e-8, 1e-4, 1.0])
def test_float32_at_the_narrowest_joins(twin: type, width: float) -> None:
    """Finite everywhere, kinks and huge values included, with derivatives of both orders."""
    x = torch.tensor([0.0, 1e-45, -1e-45, 1e-9, -1e-9, 4.9e-9, 1e-3, -1e-3, 1.0, -1.0, 1e18, -1e18])
    value, slope, curvature = evaluate(twin(width), x)
    for part in (value, slope, curvature):
        assert part.isfinite().all()
    assert float(slope[0]) == 0.5
    assert float(value[0]) == pytest.approx(width / 8 if twin is SmoothedReLU else 0.0)
    assert float(curvature[0]) == pytest.approx(
        1 / width if twin is SmoothedReLU else 8.5 * math.sqrt(2 / math.pi) / width, rel=1e-5
    )


@pytest.mark.parametrize("twin", TWINS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_low_precision_is_relu_outside(twin: type, dtype: torch.dtype) -> None:
    x = torch.linspace(-100, 100, 64, dtype=dtype)
    value, slope, _ = evaluate(twin(1e-4), x)
    torch.testing.assert_close(value, functional.relu(x), rtol=torch.finfo(dtype).eps, atol=1e-6)
    assert torch.equal(slope, relu_slope(x))


@FORWARD_MODE
@pytest.mark.parametrize("twin", TWINS)
def test_derivatives_against_finite_differences(twin: type) -> None:
    x = torch.tensor([-0.9, -0.3, 0.01, 0.2, 0.4, 1.3], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(twin(1.0), x, check_forward_ad=True, check_batched_grad=True)
    assert torch.autograd.gradgradcheck(twin(1.0), x, check_batched_grad=True)


@FORWARD_MODE
@pytest.mark.parametrize("twin", TWINS)
def test_transforms_of_torch_func(twin: type) -> None:
    """Per-example derivatives: vmap over grad, jvp and hessian, as seeds in one tensor need them."""
    module = twin(0.5)
    x = torch.randn(6, 4, dtype=torch.float64)

    def loss(row: Tensor) -> Tensor:
        return (module(row) ** 2).sum()

    rows = torch.stack([torch.func.grad(loss)(row) for row in x])
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(loss))(x), rows)
    _, tangent = torch.func.jvp(loss, (x[0],), (torch.ones(4, dtype=torch.float64),))
    torch.testing.assert_close(tangent, rows[0].sum())
    hessians = torch.func.vmap(torch.func.hessian(loss))(x)
    for row, hessian in zip(x, hessians, strict=True):
        torch.testing.assert_close(hessian, torch.autograd.functional.hessian(loss, row))


@pytest.mark.parametrize("twin", TWINS)
def test_layout_of_memory_is_kept_and_changes_nothing(twin: type) -> None:
    x = torch.randn(3, 5, 4, 4, dtype=torch.float64)
    last = x.to(memory_format=torch.channels_last)
    value = twin(0.7)(last)
    assert value.is_contiguous(memory_format=torch.channels_last)
    for a, b in zip(evaluate(twin(0.7), x), evaluate(twin(0.7), last), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("twin", TWINS)
def test_compiled_modules_give_the_same(twin: type) -> None:
    compiled = torch.compile(twin(0.5), backend="aot_eager", fullgraph=True)
    x = torch.linspace(-1, 1, 101, dtype=torch.float64).requires_grad_()
    y = x.detach().clone().requires_grad_()
    twin(0.5)(x).square().sum().backward()
    compiled(y).square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("twin", TWINS)
def test_copies_and_empty_inputs(twin: type) -> None:
    module = copy.deepcopy(twin(0.01))
    assert module.width == 0.01
    assert module(torch.empty(0, 3)).shape == (0, 3)
    assert not [*module.parameters()]


@pytest.mark.parametrize("width", [0, -1.0, math.nan, math.inf, 1e-13, "0.1", None])
@pytest.mark.parametrize("twin", TWINS)
def test_bad_widths(twin: type, width: object) -> None:
    with pytest.raises(InputError, match=r"width .* is not allowed; give a number from 1e-12 to 1e"):
        twin(width)
