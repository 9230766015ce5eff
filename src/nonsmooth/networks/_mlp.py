"""Fully connected networks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.networks._activations import activation as make_activation

__all__ = ["mlp"]


def mlp(sizes: Sequence[int], activation: str = "relu") -> nn.Sequential:
    """A fully connected network: linear maps with the activation between them, none after the last.

    Args:
        sizes: features from the input to the output, at least two numbers >= 1.
        activation: a name, as for :func:`activation`.

    Returns:
        Linear maps at the even places of an ``nn.Sequential``; (N, sizes[0]) -> (N, sizes[-1]). Its weights
        are torch's draw from the global generator: call :func:`initialise` for a seeded one.

    Raises:
        InputError: fewer than two sizes, a size that is no integer >= 1, or an unknown activation.

    >>> mlp((64, 32, 10), "gelu")
    Sequential(
      (0): Linear(in_features=64, out_features=32, bias=True)
      (1): GELU(approximate='none')
      (2): Linear(in_features=32, out_features=10, bias=True)
    )
    """
    sizes = tuple(sizes)
    if len(sizes) < 2 or not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise InputError(
            f"sizes = {sizes} is not allowed; give at least two integers >= 1, as in (64, 32, 10)"
        )
    layers = [layer for pair in pairwise(sizes) for layer in (nn.Linear(*pair), make_activation(activation))]
    return nn.Sequential(*layers[:-1])
