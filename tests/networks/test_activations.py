"""Activations by name."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.networks import AnalyticReLU, SmoothedReLU, activation, smoothness

PLAIN = ("relu", "leaky-relu", "gelu", "silu", "elu", "softplus", "tanh", "identity")
NAMES = (*PLAIN, "smoothed-relu:0.01", "analytic-relu:1e-06")

# max(0, x) and so on, written down from their definitions.
DEFINITIONS = {
    "relu": lambda x: torch.where(x > 0, x, 0.0),
    "leaky-relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "gelu": lambda x: x * torch.special.ndtr(x),
    "silu": lambda x: x / (1 + torch.exp(-x)),
    "elu": lambda x: torch.where(x > 0, x, torch.expm1(x)),
    "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "tanh": lambda x: (torch.exp(x) - torch.exp(-x)) / (torch.exp(x) + torch.exp(-x)),
    "identity": lambda x: x,
}


@pytest.mark.parametrize("name", PLAIN)
def test_each_name_is_its_function(name: str) -> None:
    x = torch.linspace(-50, 50, 10001, dtype=torch.float64)
    torch.testing.assert_close(activation(name)(x), DEFINITIONS[name](x), rtol=1e-14, atol=1e-14)


def test_names_with_a_width() -> None:
    for width in (1e-8, 0.01, 0.5, 1.0, 8.5, 100.0):
        for kind, twin in (("smoothed-relu", SmoothedReLU), ("analytic-relu", AnalyticReLU)):
            module = activation(f"{kind}:{width:g}")
            assert type(module) is twin
            assert module.width == width


def test_every_call_makes_a_new_module() -> None:
    assert all(activation(name) is not activation(name) for name in NAMES)


def test_softplus_has_no_step_where_torch_turns_to_the_identity() -> None:
    x = torch.linspace(15, 45, 30001, dtype=torch.float64)
    value = activation("softplus")(x)
    torch.testing.assert_close(value, torch.logaddexp(x, torch.zeros_like(x)), rtol=1e-15, atol=0)
    assert (nn.Softplus()(x) - value).abs().max() > 1e-9  # torch's own default has
    assert activation("softplus")(torch.tensor([39.9, 88.0, 1e30])).isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_the_smoothness_class_is_what_differences_show(name: str) -> None:
    """One-sided derivatives at the only suspects, 0 and the ends of a join, order by order."""
    module = activation(name)
    suspects = [0.0]
    if isinstance(module, SmoothedReLU):
        suspects += [-module.width / 2, module.width / 2]
    scale = getattr(module, "width", 1.0)
    jumps = [0.0, 0.0]
    for suspect in suspects:
        sides = []
        for side in (-1, 1):
            x = torch.tensor([suspect + side * 1e-7 * scale], dtype=torch.float64, requires_grad=True)
            (slope,) = torch.autograd.grad(module(x).sum(), x, create_graph=True)
            curvature = torch.zeros_like(x)
            if slope.requires_grad:
                (curvature,) = torch.autograd.grad(slope.sum(), x)
            sides.append((slope.item(), scale * curvature.item()))
        jumps = [max(jump, abs(a - b)) for jump, a, b in zip(jumps, *sides, strict=True)]
    assert (
        smoothness(name)
        == {
            (True, True): "Lipschitz",
            (True, False): "Lipschitz",
            (False, True): "C1,1",
            (False, False): "analytic",
        }[(jumps[0] > 1e-4, jumps[1] > 1e-4)]
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rellu", "did you mean relu"),
        ("GELU", "did you mean gelu"),
        ("leaky_relu", "did you mean leaky-relu"),
        ("smooth-relu:0.1", "did you mean smoothed-relu:D"),
        (
            "qqq",
            "choose one of relu, leaky-relu, gelu, silu, elu, softplus, tanh, identity, smoothed-relu:D, ",
        ),
        ("relu:0.1", "'relu:0.1' is not known"),
        ("", "'' is not known"),
        (None, "None is not known"),
        ("smoothed-relu", "no width D that can be used; write smoothed-relu:D with a number D"),
        ("smoothed-relu:", "no width D"),
        ("analytic-relu:wide", "write analytic-relu:D"),
        ("smoothed-relu:0", "from 1e-12 to 1e12"),
        ("smoothed-relu:-1", "from 1e-12 to 1e12"),
        ("analytic-relu:nan", "from 1e-12 to 1e12"),
        ("analytic-relu:inf", "for instance analytic-relu:0.01"),
    ],
)
def test_unknown_names_and_bad_widths(name: str, said: str) -> None:
    for function in (activation, smoothness):
        with pytest.raises(InputError) as caught:
            function(name)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
