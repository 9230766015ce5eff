"""Networks of the paper, their activations and starts, and what can be done to a trained one as it stands.

::

    vgg(19, "gelu")                            the small VGG networks of Appendix A.1
    vgg16(), load_vgg16_weights(net, path)     VGG16, and its published ImageNet weights
    mlp((64, 32, 10), "smoothed-relu:0.01")    fully connected
    initialise(net, "matched", "gelu", seed)   a seeded start
    activation(name), smoothness(name)         by name, ReLU's smoothed and GELU's kinked twins too
    compact(model, example)                    a smaller model with the same outputs: zero filters removed

Names are imported when first used: they need torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nonsmooth.networks._activations import activation, smoothness
    from nonsmooth.networks._compact import compact
    from nonsmooth.networks._compaction import Compaction, LayerChange
    from nonsmooth.networks._initialise import initialise
    from nonsmooth.networks._kinked_gelu import KinkedGELU
    from nonsmooth.networks._mlp import mlp
    from nonsmooth.networks._moments import second_moment, slope_moment
    from nonsmooth.networks._smoothed_relu import AnalyticReLU, SmoothedReLU
    from nonsmooth.networks._vgg import vgg
    from nonsmooth.networks._vgg16 import vgg16
    from nonsmooth.networks._vgg16_weights import fetch_vgg16_weights, load_vgg16_weights

_NAMES = {
    "AnalyticReLU": "_smoothed_relu",
    "Compaction": "_compaction",
    "KinkedGELU": "_kinked_gelu",
    "LayerChange": "_compaction",
    "SmoothedReLU": "_smoothed_relu",
    "activation": "_activations",
    "compact": "_compact",
    "fetch_vgg16_weights": "_vgg16_weights",
    "initialise": "_initialise",
    "load_vgg16_weights": "_vgg16_weights",
    "mlp": "_mlp",
    "second_moment": "_moments",
    "slope_moment": "_moments",
    "smoothness": "_activations",
    "vgg": "_vgg",
    "vgg16": "_vgg16",
}

__all__ = [
    "AnalyticReLU",
    "Compaction",
    "KinkedGELU",
    "LayerChange",
    "SmoothedReLU",
    "activation",
    "compact",
    "fetch_vgg16_weights",
    "initialise",
    "load_vgg16_weights",
    "mlp",
    "second_moment",
    "slope_moment",
    "smoothness",
    "vgg",
    "vgg16",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"nonsmooth.networks.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'nonsmooth.networks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
