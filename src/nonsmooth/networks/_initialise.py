"""Starts: the law of a network's weights, from a seed, the same draws for every activation."""

from __future__ import annotations

import difflib
import math

import torch
from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.networks._moments import second_moment

__all__ = ["initialise"]

_SCHEMES = ("torch", "he", "matched")
_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


@torch.no_grad()
def initialise(model: nn.Module, scheme: str, activation: str, seed: int) -> nn.Module:
    """Draw a model's weights anew, in place.

    =========  =====================================  ===========================
    scheme     weights                                biases
    =========  =====================================  ===========================
    "torch"    uniform on +-1/sqrt(fan_in)            uniform on +-1/sqrt(fan_in)
    "he"       normal, variance 2/fan_in              0
    "matched"  normal, variance 1/(fan_in m) with     0
               m = E[phi(z)^2], but 1/fan_in in the
               first layer
    =========  =====================================  ===========================

    "torch" is what torch's layers draw by default. "he" is right for ReLU and is used for any activation as
    it stands. "matched" keeps pre-activations of variance 1 in a plain stack of wide layers whose inputs have
    mean square 1, for every activation. Its first layer reads the inputs, not an activation's output, so it
    gets 1/fan_in: with more, GELU and SiLU, for which variance 1 is an unstable fixed point, would depart
    from it by a factor that grows with every layer. ReLU's "matched" is "he" but for this layer. Average
    pooling and padding with zeros take from the variance what no scheme gives back.

    All numbers come from one generator of the CPU in the order of ``model.modules()``, in float32: a seed
    draws the same standard normals (or uniforms) whatever the activation, the device and the dtype. Batch
    norms start from weight 1, bias 0, mean 0 and variance 1, with nothing counted.

    Args:
        model: linear maps and convolutions, with batch norm where wanted; the first of them in
            ``model.modules()`` is the first layer.
        scheme: "torch", "he" or "matched".
        activation: name of the model's activation, as for :func:`activation`.
        seed: an integer from 0 to 2^63 - 1.

    Returns:
        The model.

    Raises:
        InputError: an unknown scheme or activation, a seed outside its range, a layer with parameters that
            is none of the above, a model that is none or a lazy one that was never run.

    Source: He et al., "Delving deep into rectifiers", ICCV 2015; ``torch.nn.Linear.reset_parameters``.

    >>> from nonsmooth.networks import mlp
    >>> net = initialise(mlp((1000, 1000, 10), "tanh"), "matched", "tanh", seed=0)
    >>> [round(1000 * net[k].weight.var().item(), 1) for k in (0, 2)]
    [1.0, 2.5]
    """
    if scheme not in _SCHEMES:
        near = difflib.get_close_matches(str(scheme).lower(), _SCHEMES, 1)
        raise InputError(
            f"scheme = {scheme!r} is not known; "
            + (f"did you mean {near[0]}? The schemes are " if near else "choose one of ")
            + ", ".join(_SCHEMES)
        )
    if not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise InputError(f"seed = {seed!r} is not allowed; give an integer from 0 to 2^63 - 1")
    if not isinstance(model, nn.Module):
        raise InputError(f"model is a {type(model).__name__}; give a torch.nn.Module")
    if any(map(nn.parameter.is_lazy, model.parameters())):
        raise InputError("a parameter of a lazy module has no shape yet; run the model once before")
    moment = second_moment(activation)
    layers = _layers(model)
    for module in model.modules():
        if isinstance(module, _NORMS):
            module.reset_parameters()
    generator = torch.Generator().manual_seed(seed)
    for k, layer in enumerate(layers):
        fan_in = layer.weight[0].numel()
        shape = tuple(layer.weight.shape)
        bias = layer.bias
        if scheme == "torch":
            bound = 1 / math.sqrt(fan_in)
            layer.weight.copy_((2 * torch.rand(shape, generator=generator) - 1) * bound)
            if bias is not None:
                bias.copy_((2 * torch.rand(tuple(bias.shape), generator=generator) - 1) * bound)
        else:
            variance = 2.0 if scheme == "he" else 1.0 if k == 0 else 1 / moment
            layer.weight.copy_(torch.randn(shape, generator=generator) * math.sqrt(variance / fan_in))
            if bias is not None:
                bias.zero_()
    return model


def _layers(model: nn.Module) -> list[nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.Linear]:
    """The layers to draw, in order; anything but those and batch norms that has parameters is refused."""
    for name, module in model.named_modules():
        if not isinstance(module, _WEIGHTED + _NORMS) and [*module.parameters(recurse=False)]:
            raise InputError(
                f"{name or 'the model'} ({type(module).__name__}) has parameters that initialise has no law "
                "for; it takes linear maps, convolutions and batch norms"
            )
    return [module for module in model.modules() if isinstance(module, _WEIGHTED)]
