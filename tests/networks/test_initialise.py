"""Starts: their laws, their seeds, and what they do to a signal."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.networks import initialise, mlp, second_moment, vgg

SCHEMES = ("torch", "he", "matched")


def weights(net: nn.Module) -> list[torch.Tensor]:
    return [m.weight.detach() for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


def biases(net: nn.Module) -> list[torch.Tensor]:
    return [m.bias.detach() for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]


@pytest.mark.parametrize("make", [lambda: nn.Linear(300, 400), lambda: nn.Conv2d(40, 60, 3)])
def test_torchs_law_is_the_one_that_torch_draws(make) -> None:
    """Two samples, ours and torch's own constructor's, by Kolmogorov and Smirnov; and the bounds."""
    torch.manual_seed(5)
    torchs = [make() for _ in range(20)]
    ours = [initialise(make(), "torch", "relu", seed) for seed in range(20)]
    fan_in = torchs[0].weight[0].numel()
    for part in ("weight", "bias"):
        a, b = (torch.cat([getattr(m, part).detach().flatten() for m in group]) for group in (ours, torchs))
        assert stats.ks_2samp(a[:50000].numpy(), b[:50000].numpy()).pvalue > 1e-4
        for sample in (a, b):
            assert sample.abs().max() <= 1 / math.sqrt(fan_in)
            assert sample.abs().max() >= 0.99 / math.sqrt(fan_in)


@pytest.mark.parametrize("activation", ["relu", "gelu", "tanh", "smoothed-relu:0.1"])
@pytest.mark.parametrize("scheme", ["he", "matched"])
def test_normal_laws(scheme: str, activation: str) -> None:
    net = initialise(mlp((500, 400, 300), activation), scheme, activation, 11)
    factors = (2, 2) if scheme == "he" else (1, 1 / second_moment(activation))
    for weight, factor in zip(weights(net), factors, strict=True):
        standard = weight.flatten() / math.sqrt(factor / weight.shape[1])
        assert stats.kstest(standard[:50000].numpy(), "norm").pvalue > 1e-4
    assert all(not bias.any() for bias in biases(net))


def test_fan_in_of_a_convolution_counts_its_window() -> None:
    net = initialise(nn.Sequential(nn.Conv2d(16, 32, 3), nn.Conv2d(32, 64, 5)), "he", "relu", 0)
    for weight, fan_in in zip(weights(net), (16 * 9, 32 * 25), strict=True):
        assert float(weight.var()) == pytest.approx(2 / fan_in, rel=0.06)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_seed_draws_the_same_numbers_for_every_activation(scheme: str) -> None:
    names = ("relu", "gelu", "smoothed-relu:0.01", "tanh")
    nets = [initialise(vgg(11, name), scheme, name, 3) for name in names]
    for name, net in zip(names[1:], nets[1:], strict=True):
        for k, (a, b) in enumerate(zip(weights(nets[0]), weights(net), strict=True)):
            scale = math.sqrt(0.5 / second_moment(name)) if scheme == "matched" and k else 1.0
            torch.testing.assert_close(b, a * scale, rtol=1e-6, atol=0)
        for a, b in zip(biases(nets[0]), biases(net), strict=True):
            assert torch.equal(a, b)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_seeds(scheme: str) -> None:
    """The same seed the same bits, whatever the global generator; another seed other ones."""
    torch.manual_seed(0)
    first = initialise(vgg(11), scheme, "relu", 7)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    net = vgg(11)
    after = torch.get_rng_state()
    second = initialise(net, scheme, "relu", 7)
    assert second is net
    assert torch.equal(torch.get_rng_state(), after)
    assert not torch.equal(state, after)  # only the constructor drew from it
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    third = initialise(vgg(11), scheme, "relu", 8)
    assert all((a != b).any() for a, b in zip(weights(first), weights(third), strict=True))
    layers = weights(first)
    assert not torch.equal(layers[-2][:, :, 0, 0], layers[-3][:, :, 0, 0])  # nor twice in a network


def test_dtype_and_layout_do_not_change_the_draws() -> None:
    plain = initialise(vgg(11), "matched", "gelu", 4)
    double = initialise(vgg(11).double(), "matched", "gelu", 4)
    last = initialise(vgg(11).to(memory_format=torch.channels_last), "matched", "gelu", 4)  # type: ignore[call-overload]
    for a, b, c in zip(plain.parameters(), double.parameters(), last.parameters(), strict=True):
        assert b.dtype == torch.float64
        torch.testing.assert_close(b.float(), a)
        assert torch.equal(a, c)
        if c.dim() == 4:
            assert c.is_contiguous(memory_format=torch.channels_last)


def test_batch_norms_start_afresh_and_gradients_are_not_asked_for() -> None:
    net = vgg(11, batch_norm=True)
    net(torch.randn(4, 3, 32, 32)).sum().backward()
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        norm.weight.data.fill_(3.0)
        norm.bias.data.fill_(2.0)
    initialise(net, "he", "relu", 0)
    for norm in (m for m in net.modules() if isinstance(m, nn.BatchNorm2d)):
        assert torch.equal(norm.weight, torch.ones_like(norm.weight))
        assert not norm.bias.any()
        assert not norm.running_mean.any()
        assert torch.equal(norm.running_var, torch.ones_like(norm.running_var))
        assert int(norm.num_batches_tracked) == 0
    assert all(p.requires_grad and p.is_leaf for p in net.parameters())


def depth_variances(activation: str, scheme: str, seeds: int = 12) -> list[float]:
    """Mean squares of the pre-activations of 20 layers for standard normal inputs: medians over seeds."""
    found = []
    for seed in range(seeds):
        net = initialise(mlp([500] * 21, activation), scheme, activation, seed)
        x = torch.randn(30, 500, generator=torch.Generator().manual_seed(1000 + seed))
        with torch.no_grad():
            outputs = [x := layer(x) for layer in net]
        found.append([float((z**2).mean()) for z in outputs[::2]])
    return torch.tensor(found).median(0).values.tolist()


@pytest.mark.parametrize(
    "activation",
    ["relu", "leaky-relu", "gelu", "silu", "elu", "softplus", "tanh", "smoothed-relu:1", "analytic-relu:0.1"],
)
def test_matched_keeps_variances_near_one_through_twenty_layers(activation: str) -> None:
    """SiLU for twelve: 1 is an unstable fixed point of its variance, chance grows by 1.17 a layer."""
    found = depth_variances(activation, "matched")
    assert all(abs(v - 1) < 0.1 for v in found[:5])
    assert all(2 / 3 < v < 3 / 2 for v in found[: 12 if activation == "silu" else 20])


def test_the_other_schemes_do_not() -> None:
    """What "matched" is for: under torch's law the signal dies, under He's that of tanh's twin is not 1."""
    assert depth_variances("relu", "torch")[-1] < 1e-2
    assert depth_variances("silu", "he")[-1] < 0.05
    assert depth_variances("relu", "he")[-1] == pytest.approx(2, rel=0.5)


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.gain = nn.Parameter(torch.ones(3))


@pytest.mark.parametrize(
    ("model", "scheme", "activation", "seed", "said"),
    [
        (nn.Linear(2, 2), "kaiming", "relu", 0, "scheme = 'kaiming' is not known; choose one of torch, he, "),
        (nn.Linear(2, 2), "match", "relu", 0, "did you mean matched?"),
        (nn.Linear(2, 2), "he", "rellu", 0, "did you mean relu"),
        (nn.Linear(2, 2), "he", "relu", -1, "seed = -1 is not allowed; give an integer from 0"),
        (nn.Linear(2, 2), "he", "relu", 2**63, "is not allowed"),
        (nn.Linear(2, 2), "he", "relu", 0.5, "seed = 0.5"),
        (Scaled(), "he", "relu", 0, "the model (Scaled) has parameters that initialise has no law for"),
        (nn.Sequential(nn.LayerNorm(3)), "he", "relu", 0, "0 (LayerNorm) has parameters"),
    ],
)
def test_bad_arguments(model: nn.Module, scheme: str, activation: str, seed: int, said: str) -> None:
    before = [p.clone() for p in model.parameters()]
    with pytest.raises(InputError) as caught:
        initialise(model, scheme, activation, seed)
    assert said in str(caught.value)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_a_large_seed_is_taken() -> None:
    initialise(nn.Linear(2, 2), "he", "relu", 2**63 - 1)


def test_what_is_no_model_or_has_no_shape_yet_is_named() -> None:
    with pytest.raises(InputError, match="model is a list"):
        initialise([nn.Linear(2, 2)], "he", "relu", 0)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a lazy module has no shape yet"):
        initialise(nn.LazyLinear(2), "he", "relu", 0)
