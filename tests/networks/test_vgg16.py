"""VGG16 against the published checkpoint's table of contents."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from nonsmooth.errors import InputError
from nonsmooth.networks import initialise, vgg16

# torchvision's vgg16-397923af.pth, name by name.
PUBLISHED = {
    "features.0.weight": (64, 3, 3, 3),
    "features.0.bias": (64,),
    "features.2.weight": (64, 64, 3, 3),
    "features.2.bias": (64,),
    "features.5.weight": (128, 64, 3, 3),
    "features.5.bias": (128,),
    "features.7.weight": (128, 128, 3, 3),
    "features.7.bias": (128,),
    "features.10.weight": (256, 128, 3, 3),
    "features.10.bias": (256,),
    "features.12.weight": (256, 256, 3, 3),
    "features.12.bias": (256,),
    "features.14.weight": (256, 256, 3, 3),
    "features.14.bias": (256,),
    "features.17.weight": (512, 256, 3, 3),
    "features.17.bias": (512,),
    "features.19.weight": (512, 512, 3, 3),
    "features.19.bias": (512,),
    "features.21.weight": (512, 512, 3, 3),
    "features.21.bias": (512,),
    "features.24.weight": (512, 512, 3, 3),
    "features.24.bias": (512,),
    "features.26.weight": (512, 512, 3, 3),
    "features.26.bias": (512,),
    "features.28.weight": (512, 512, 3, 3),
    "features.28.bias": (512,),
    "classifier.0.weight": (4096, 25088),
    "classifier.0.bias": (4096,),
    "classifier.3.weight": (4096, 4096),
    "classifier.3.bias": (4096,),
    "classifier.6.weight": (1000, 4096),
    "classifier.6.bias": (1000,),
}


def shapes(net: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}


def test_names_and_shapes_are_the_published_ones() -> None:
    with torch.device("meta"):  # no memory for 138 million weights
        net = vgg16()
    assert list(shapes(net).items()) == list(PUBLISHED.items())
    assert len(PUBLISHED) == 32
    assert sum(p.numel() for p in net.parameters()) == 138_357_544  # as torchvision documents
    assert {name for name, _ in net.named_parameters()} == set(PUBLISHED)


@pytest.mark.parametrize(("width", "classes"), [(0.5, 1000), (1 / 16, 10), (0.001, 2), (1.3, 5)])
def test_width_multiplies_every_number_of_channels(width: float, classes: int) -> None:
    def scaled(n: int) -> int:
        return max(1, round(n * width))

    expected = {}
    for name, shape in PUBLISHED.items():
        units = classes if shape[0] == 1000 else scaled(shape[0])
        if len(shape) == 4:
            shape = (units, 3 if shape[1] == 3 else scaled(shape[1]), 3, 3)
        elif len(shape) == 2:
            shape = (units, scaled(512) * 49 if shape[1] == 25088 else scaled(shape[1]))
        else:
            shape = (units,)
        expected[name] = shape
    with torch.device("meta"):
        assert shapes(vgg16(width, classes=classes)) == expected


def reference(state: dict[str, torch.Tensor], x: torch.Tensor, poolings: int = 5) -> torch.Tensor:
    """VGG16's forward pass by name, from table 1 of Simonyan and Zisserman (configuration D)."""
    before_pooling = (2, 7, 14, 21, 28)
    for k in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28):
        x = functional.conv2d(x, state[f"features.{k}.weight"], state[f"features.{k}.bias"], padding=1)
        x = functional.relu(x)
        if k in before_pooling[:poolings]:
            x = functional.max_pool2d(x, 2, 2)
    x = functional.adaptive_avg_pool2d(x, (7, 7)).flatten(1)
    for k in (0, 3):
        x = functional.relu(
            functional.linear(x, state[f"classifier.{k}.weight"], state[f"classifier.{k}.bias"])
        )
    return functional.linear(x, state["classifier.6.weight"], state["classifier.6.bias"])


@pytest.mark.parametrize(("size", "poolings"), [(64, 5), (32, 5), (48, 5), (16, 4), (8, 3), (1, 0)])
def test_the_forward_pass(size: int, poolings: int) -> None:
    net = vgg16(1 / 16, classes=10, size=size).double().eval()
    initialise(net, "he", "relu", 1)
    x = torch.randn(2, 3, size, size, dtype=torch.float64)
    expected = reference(net.state_dict(), x, poolings)
    scale = expected.abs().max()
    assert scale > 0
    torch.testing.assert_close(net(x) / scale, expected / scale, rtol=0, atol=1e-12)


def test_dropout_and_activation() -> None:
    net = vgg16(1 / 64, dropout=0.25, activation="gelu", channels=1)
    assert [m.p for m in net.modules() if isinstance(m, nn.Dropout)] == [0.25, 0.25]
    assert sum(isinstance(m, nn.GELU) for m in net.modules()) == 15
    assert not any(isinstance(m, nn.ReLU) for m in net.modules())
    assert net(torch.zeros(1, 1, 32, 32)).shape == (1, 1000)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        *(({"width": w}, "give a finite number > 0") for w in (0, -1, math.nan, math.inf, "1")),
        ({"classes": 0}, "classes = 0 is not allowed; give an integer >= 1"),
        ({"size": 0}, "size = 0 is not allowed"),
        ({"channels": 1.0}, "channels = 1.0 is not allowed"),
        ({"dropout": 1.5}, "dropout = 1.5 is not allowed; give a probability from 0 to 1"),
        ({"activation": "ReLU"}, "did you mean relu"),
    ],
)
def test_bad_arguments(change: dict, said: str) -> None:
    with pytest.raises(InputError) as caught:
        vgg16(**{"width": 1 / 64, **change})
    assert said in str(caught.value)
