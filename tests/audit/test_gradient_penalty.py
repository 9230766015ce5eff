"""Losses that differentiate a convolutional network: their class, held against where they break."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from audit.functions import breaks
from nonsmooth.audit._smoothness import smoothness_of

# A critic's activation, the class of its gradient penalty in its weights, and where that penalty breaks.
CRITICS = {
    "leaky_relu": (lambda: nn.LeakyReLU(0.2), "discontinuous", "value"),
    "leaky_relu in place": (lambda: nn.LeakyReLU(0.2, inplace=True), "discontinuous", "value"),
    "relu": (lambda: nn.ReLU(), "discontinuous", "value"),
    "prelu": (lambda: nn.PReLU(), "discontinuous", "value"),
    "hardtanh": (lambda: nn.Hardtanh(), "discontinuous", "value"),
    "elu": (lambda: nn.ELU(), "Lipschitz", "slope"),
    "leaky_relu of slope 1": (lambda: nn.LeakyReLU(1.0), "analytic", ""),
    "tanh": (lambda: nn.Tanh(), "analytic", ""),
    "silu": (lambda: nn.SiLU(), "analytic", ""),
    "gelu, batch norm, pool": (
        lambda: nn.Sequential(nn.BatchNorm2d(2), nn.GELU(), nn.ReflectionPad2d(1), nn.AvgPool2d(3, 1)),
        "analytic",
        "",
    ),
}


@pytest.mark.parametrize("name", CRITICS)
def test_a_gradient_penalty_on_a_convolutional_critic(name):
    """As in WGAN-GP, with the square of the slope; the probe moves the biases before the activation."""
    make, expected, breaking = CRITICS[name]
    torch.manual_seed(0)
    critic = nn.Sequential(nn.Conv2d(1, 2, 3), make(), nn.Conv2d(2, 1, 2), nn.Flatten(), nn.Linear(9, 1))
    critic = critic.double()
    real, fake = torch.randn(2, 2, 1, 6, 6, dtype=torch.float64)

    def loss(model, batch):
        x = (batch[0] + 0.3 * (batch[1] - batch[0])).requires_grad_(True)
        score = model(x)
        (slope,) = torch.autograd.grad(score, x, torch.ones_like(score), create_graph=True)
        return score.mean() + ((slope**2).flatten(1).sum(1) - 1).square().mean()

    found = smoothness_of(critic, (real, fake), loss)
    assert not found.unknown
    assert found.smoothness == expected
    bias = critic[0].bias
    start = bias.detach().clone()

    def value(t):
        with torch.no_grad():
            bias.copy_(start + t)
        return loss(critic, (real, fake)).item()

    def slope(t):
        return (value(t + 1e-6) - value(t - 1e-6)) / 2e-6

    assert bool(breaks(value, -1, 1, 1e-6)) == (breaking == "value")
    if breaking != "value":
        assert bool(breaks(slope, -1, 1, 1e-4)) == (breaking == "slope")


def test_a_norm_in_the_gradient_penalty_has_a_kink():
    critic = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Flatten(), nn.Linear(32, 1))

    def loss(model, x):
        x = x.requires_grad_(True)
        (slope,) = torch.autograd.grad(model(x).sum(), x, create_graph=True)
        return (slope.flatten(1).norm(2, dim=1) - 1).square().mean()

    found = smoothness_of(critic, torch.zeros(2, 1, 6, 6), loss)
    assert (found.smoothness, found.unknown) == ("Lipschitz", ())
    assert "linalg_vector_norm" in {step.operation for step in found.cause}
