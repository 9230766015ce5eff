"""Fully connected networks."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.networks import SmoothedReLU, mlp


def test_layers_are_where_they_are_said_to_be() -> None:
    net = mlp((64, 32, 16, 10), "smoothed-relu:0.1")
    assert [type(layer) for layer in net] == [nn.Linear, SmoothedReLU] * 2 + [nn.Linear]
    assert [tuple(net[k].weight.shape) for k in (0, 2, 4)] == [(32, 64), (16, 32), (10, 16)]
    assert net(torch.zeros(7, 64)).shape == (7, 10)
    assert len({id(layer) for layer in net}) == 5
    assert [type(layer) for layer in mlp([3, 2])] == [nn.Linear]


@pytest.mark.parametrize("sizes", [(), (3,), (3, 0), (3, 2.5, 1), (3, -1)])
def test_bad_sizes(sizes) -> None:
    with pytest.raises(InputError, match=r"sizes = .* is not allowed; give at least two integers >= 1"):
        mlp(sizes)
    with pytest.raises(InputError, match="did you mean tanh"):
        mlp((3, 2), "tan")
