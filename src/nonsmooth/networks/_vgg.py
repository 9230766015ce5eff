"""The small VGG networks of the paper's Appendix A.1."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.networks._activations import activation as make_activation

__all__ = ["vgg"]

# As printed: channels of the convolutions, M a pooling. (The depth counts a classifier of three linear maps,
# which these networks do not have: VGG11 is 8 convolutions and one linear map.)
_PRINTED: dict[int, tuple[int | str, ...]] = {
    11: (16, "M", 32, "M", 32, 32, "M", 64, 64, "M", 64, 64, "M"),
    13: (16, 16, "M", 32, 32, "M", 32, 32, "M", 64, 64, "M", 64, 64, "M"),
    19: (*(16, 16, "M", 32, 32, "M"), *(32, 32, 32, 32, "M"), *(64, 64, 64, 64, "M"), *(64, 64, 64, 64, "M")),
}
_POOLINGS: dict[str, type[nn.Module]] = {"average": nn.AvgPool2d, "max": nn.MaxPool2d}


def vgg(
    depth: int,
    activation: str = "relu",
    *,
    batch_norm: bool = False,
    pooling: str = "average",
    channels: int = 3,
    size: int = 32,
    classes: int = 10,
) -> nn.Sequential:
    """A VGG network with the paper's channels: 3 x 3 convolutions, each with an activation, and poolings.

    The layout is that of the code that the paper names: convolutions with padding 1 and a bias, batch norm
    between convolution and activation where asked, one linear map at the end. The paper's three changes are
    the defaults: no batch norm, average pooling, fewer channels.

    Args:
        depth: 11, 13 or 19.
        activation: a name, as for :func:`activation`.
        batch_norm: a ``BatchNorm2d`` after every convolution.
        pooling: "average" (differentiable) or "max", over 2 x 2.
        channels: of the images, >= 1.
        size: height and width of the images in pixels, >= 1. The printed five poolings need 32; those that
            would go below 1 x 1 are left out (two of them at size 8). Of odd sizes a pooling drops a row and
            a column.
        classes: outputs, >= 1.

    Returns:
        An ``nn.Sequential`` of ``features``, ``flatten`` and ``classifier``: (N, channels, size, size) ->
        (N, classes). Its weights are torch's draw from the global generator: call :func:`initialise` for a
        seeded one.

    Raises:
        InputError: any argument outside what is said above.

    Source: the paper, Appendix A.1; https://github.com/kuangliu/pytorch-cifar, models/vgg.py, for the layout
    (whose last pooling over 1 x 1 changes nothing and is not here).

    >>> net = vgg(11, "gelu")
    >>> sum(p.numel() for p in net.parameters()), net.classifier
    (153514, Linear(in_features=64, out_features=10, bias=True))
    """
    if depth not in _PRINTED:
        raise InputError(f"depth = {depth!r} is not allowed; choose 11, 13 or 19, as printed in Appendix A.1")
    if pooling not in _POOLINGS:
        raise InputError(f"pooling = {pooling!r} is not allowed; choose average or max")
    for what, value in (("channels", channels), ("size", size), ("classes", classes)):
        if not isinstance(value, int) or value < 1:
            raise InputError(f"{what} = {value!r} is not allowed; give an integer >= 1")
    layers: list[nn.Module] = []
    width = channels
    for entry in _PRINTED[depth]:
        if isinstance(entry, int):
            layers.append(nn.Conv2d(width, entry, 3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(entry))
            layers.append(make_activation(activation))
            width = entry
        elif size > 1:
            layers.append(_POOLINGS[pooling](2))
            size //= 2
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*layers),
            flatten=nn.Flatten(),
            classifier=nn.Linear(width * size * size, classes),
        )
    )
