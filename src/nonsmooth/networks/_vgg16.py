"""VGG16 with the names and shapes of the published ImageNet weights."""

from __future__ import annotations

import math
from collections import OrderedDict

from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.networks._activations import activation as make_activation

__all__ = ["vgg16"]

# Configuration D of the source, table 1: channels of the convolutions, M a max pooling.
_LAYOUT = (*(64, 64, "M", 128, 128, "M", 256, 256, 256, "M"), *(512, 512, 512, "M", 512, 512, 512, "M"))
_HIDDEN = 4096
_POOLED = 7  # the adaptive pooling before the classifier gives 7 x 7, whatever the image


def vgg16(
    width: float = 1.0,
    *,
    classes: int = 1000,
    activation: str = "relu",
    dropout: float = 0.5,
    channels: int = 3,
    size: int = 224,
) -> nn.Sequential:
    """VGG16, whose parameters at width 1 and 1000 classes have the names and shapes of torchvision's.

    The published ImageNet weights load into it: :func:`load_vgg16_weights`.

    Args:
        width: multiplies all numbers of channels and the 4096 hidden units, each rounded, at least 1; a
            finite number > 0.
        classes: outputs, >= 1.
        activation: a name, as for :func:`activation`.
        dropout: probability in the classifier, from 0 to 1.
        channels: of the images, >= 1.
        size: height and width of the images in pixels, >= 1. The five poolings need 32; those that would go
            below 1 x 1 are identities, which have the same places, so that all names and shapes stay.

    Returns:
        An ``nn.Sequential`` of ``features``, ``avgpool``, ``flatten`` and ``classifier``: (N, channels, size,
        size) -> (N, classes). Its weights are torch's draw from the global generator: call
        :func:`initialise` for a seeded one.

    Raises:
        InputError: any argument outside what is said above.

    Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR
    2015, configuration D; torchvision.models.vgg16 for the names.

    >>> net = vgg16(1 / 16, classes=10, size=32)
    >>> sum(p.numel() for p in net.parameters()), net.classifier[0]
    (527854, Linear(in_features=1568, out_features=256, bias=True))
    """
    if not (isinstance(width, float | int) and 0 < width < math.inf):
        raise InputError(
            f"width = {width!r} is not allowed; give a finite number > 0, 1 for the published network"
        )
    if not (isinstance(dropout, float | int) and 0 <= dropout <= 1):
        raise InputError(f"dropout = {dropout!r} is not allowed; give a probability from 0 to 1")
    for what, value in (("classes", classes), ("channels", channels), ("size", size)):
        if not isinstance(value, int) or value < 1:
            raise InputError(f"{what} = {value!r} is not allowed; give an integer >= 1")

    def scaled(units: int) -> int:
        return max(1, round(width * units))

    layers: list[nn.Module] = []
    before = channels
    for entry in _LAYOUT:
        if isinstance(entry, int):
            layers += [nn.Conv2d(before, scaled(entry), 3, padding=1), make_activation(activation)]
            before = scaled(entry)
        else:
            layers.append(nn.MaxPool2d(2) if size > 1 else nn.Identity())
            size = max(1, size // 2)
    hidden = scaled(_HIDDEN)
    classifier = [
        *(nn.Linear(before * _POOLED**2, hidden), make_activation(activation), nn.Dropout(dropout)),
        *(nn.Linear(hidden, hidden), make_activation(activation), nn.Dropout(dropout)),
        nn.Linear(hidden, classes),
    ]
    return nn.Sequential(
        OrderedDict(
            features=nn.Sequential(*layers),
            avgpool=nn.AdaptiveAvgPool2d(_POOLED),
            flatten=nn.Flatten(),
            classifier=nn.Sequential(*classifier),
        )
    )
