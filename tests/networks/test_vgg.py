"""The small VGG networks against what the paper's Appendix A.1 prints."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.networks import SmoothedReLU, compact, initialise, vgg

# Appendix A.1, copied by hand.
PRINTED = {
    11: [16, "M", 32, "M", 32, 32, "M", 64, 64, "M", 64, 64, "M"],
    13: [16, 16, "M", 32, 32, "M", 32, 32, "M", 64, 64, "M", 64, 64, "M"],
    19: [
        *[16, 16, "M", 32, 32, "M"],
        *[32, 32, 32, 32, "M"],
        *[64, 64, 64, 64, "M"],
        *[64, 64, 64, 64, "M"],
    ],
}


def listing(depth: int, batch_norm: bool, pooling: type[nn.Module], act: type[nn.Module]) -> list[nn.Module]:
    """The loop of kuangliu/pytorch-cifar's models/vgg.py, with the paper's changes."""
    layers: list[nn.Module] = []
    in_channels = 3
    for x in PRINTED[depth]:
        if x == "M":
            layers += [pooling(kernel_size=2, stride=2)]
        else:
            layers += [nn.Conv2d(in_channels, x, kernel_size=3, padding=1)]
            layers += [nn.BatchNorm2d(x)] if batch_norm else []
            layers += [act()]
            in_channels = x
    return layers


@pytest.mark.parametrize("depth", [11, 13, 19])
@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize(("pooling", "pool"), [("average", nn.AvgPool2d), ("max", nn.MaxPool2d)])
def test_it_is_the_printed_network(depth: int, batch_norm: bool, pooling: str, pool: type[nn.Module]) -> None:
    net = vgg(depth, "gelu", batch_norm=batch_norm, pooling=pooling).eval()
    expected = listing(depth, batch_norm, pool, nn.GELU)
    features = net.get_submodule("features")
    assert isinstance(features, nn.Sequential)
    assert [type(layer) for layer in features] == [type(layer) for layer in expected]
    features_alone = nn.Sequential(*expected).eval()
    features_alone.load_state_dict(features.state_dict())
    x = torch.randn(2, 3, 32, 32)
    out = features_alone(x)
    out = nn.AvgPool2d(kernel_size=1, stride=1)(out)  # the listing's last layer: over one pixel
    assert out.shape == (2, 64, 1, 1)
    out = net.get_submodule("classifier")(out.view(out.size(0), -1))
    assert torch.equal(net(x), out)


@pytest.mark.parametrize(("depth", "count"), [(11, 153_514), (13, 165_082), (19, 331_290)])
def test_numbers_of_parameters(depth: int, count: int) -> None:
    """By hand: 9 in out + out a convolution, 650 for the classifier."""
    widths = [3, *(c for c in PRINTED[depth] if c != "M")]
    by_hand = sum(9 * a * b + b for a, b in pairwise(widths)) + 65 * 10
    assert sum(p.numel() for p in vgg(depth).parameters()) == by_hand == count
    norms = sum(2 * b for b in widths[1:])
    assert sum(p.numel() for p in vgg(depth, batch_norm=True).parameters()) == by_hand + norms


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 16, 28, 31, 32, 33, 64, 100, 128])
@pytest.mark.parametrize("depth", [11, 19])
def test_every_size_of_image(size: int, depth: int) -> None:
    net = vgg(depth, channels=1, size=size, classes=7)
    pools = sum(isinstance(module, nn.AvgPool2d) for module in net.modules())
    assert pools == min(5, size.bit_length() - 1)
    assert net.get_submodule("classifier").weight.shape == (7, 64 * max(1, size >> 5) ** 2)
    assert net(torch.zeros(2, 1, size, size)).shape == (2, 7)


def test_the_size_of_the_digits() -> None:
    net = vgg(19, channels=1, size=8)
    assert sum(isinstance(module, nn.AvgPool2d) for module in net.modules()) == 3
    assert net(torch.zeros(5, 1, 8, 8)).shape == (5, 10)


def test_every_convolution_has_its_own_activation() -> None:
    net = vgg(13, "smoothed-relu:0.01")
    joins = [module for module in net.modules() if isinstance(module, SmoothedReLU)]
    assert len(joins) == 10
    assert {join.width for join in joins} == {0.01}
    assert not any(isinstance(module, nn.ReLU) for module in net.modules())


@pytest.mark.parametrize(
    "activation", ["relu", "smoothed-relu:0.1", "analytic-relu:0.1", "kinked-gelu:0.5", "softplus"]
)
@pytest.mark.parametrize("batch_norm", [False, True])
def test_compact_sees_through_it(activation: str, batch_norm: bool) -> None:
    net = vgg(11, activation, batch_norm=batch_norm, size=8).double().eval()
    initialise(net, "he", activation, 0)
    features = net.get_submodule("features")
    assert isinstance(features, nn.Sequential)
    convolutions = [layer for layer in features if isinstance(layer, nn.Conv2d)]
    for layer in convolutions:
        layer.weight.data[::2] = 0.0
    small, report = compact(net, torch.randn(2, 3, 8, 8, dtype=torch.float64))
    # softplus of a zero filter is not 0: before a padding one filter stays to carry it (not after the last).
    carried = 1 if activation in ("smoothed-relu:0.1", "softplus") else 0
    kept = [layer.units_after for layer in report.layers]
    widths = [layer.out_channels // 2 for layer in convolutions]
    assert kept == [*(w + carried for w in widths[:-1]), widths[-1], 10]
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(small(x), net(x), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"depth": 16}, "depth = 16 is not allowed; choose 11, 13 or 19"),
        ({"depth": "11"}, "depth = '11' is not allowed"),
        ({"pooling": "avg"}, "pooling = 'avg' is not allowed; choose average or max"),
        ({"activation": "rleu"}, "did you mean relu"),
        ({"channels": 0}, "channels = 0 is not allowed; give an integer >= 1"),
        ({"size": 0}, "size = 0 is not allowed"),
        ({"size": 8.0}, "size = 8.0 is not allowed"),
        ({"classes": -1}, "classes = -1 is not allowed"),
    ],
)
def test_bad_arguments(change: dict, said: str) -> None:
    with pytest.raises(InputError) as caught:
        vgg(**{"depth": 11, **change})
    assert said in str(caught.value)
