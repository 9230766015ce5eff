"""Values, gradients and products of the cheap forms against torch's own; derivatives beyond the second."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from diagnostics.dense_hessian import MSE, dense
from nonsmooth.diagnostics._cheap_second import CheapSecond
from nonsmooth.diagnostics._sharpness import sharpness

CONVOLUTIONS = {
    "padded": (nn.Conv2d(2, 4, 3, padding=1), (7, 6)),
    "strides, a hole, groups, no bias": (
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2, bias=False),
        (7, 6),
    ),
    "along a line": (nn.Conv1d(2, 4, 3, stride=2), (9,)),
    "in space": (nn.Conv3d(2, 4, 2, padding=1), (3, 4, 3)),
    "padding in a word": (nn.Conv2d(2, 4, 3, padding="same"), (5, 5)),
    "reflected": (nn.Conv2d(2, 4, 3, padding=1, padding_mode="reflect"), (5, 5)),
}
ACTIVATIONS = {
    "relu": nn.ReLU(),
    "relu in place": nn.ReLU(inplace=True),
    "gelu": nn.GELU(),
    "gelu, tanh": nn.GELU(approximate="tanh"),
    "silu": nn.SiLU(),
    "silu in place": nn.SiLU(inplace=True),
}


def derivatives(net: nn.Module, x: torch.Tensor) -> list[torch.Tensor]:
    """Output, gradient, a product with the Hessian, and the derivative of v'Hv along another direction."""
    parameters = list(net.parameters())
    generator = torch.Generator().manual_seed(1)
    v, u = ([torch.randn(p.shape, generator=generator).double() for p in parameters] for _ in range(2))
    out = net(x)
    first = torch.autograd.grad(out.pow(2).sum(), parameters, create_graph=True)
    second = torch.autograd.grad(first, parameters, v, create_graph=True)
    third = torch.autograd.grad(second, parameters, u)
    return [out.detach(), *(each.detach() for each in (*first, *second, *third))]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("convolution", CONVOLUTIONS)
def test_three_derivatives_are_those_of_torch(convolution: str, activation: str) -> None:
    torch.manual_seed(0)
    first, shape = CONVOLUTIONS[convolution]
    second = type(first)(4, 3, 2)
    net = nn.Sequential(first, ACTIVATIONS[activation], second, nn.Tanh()).double()
    x = torch.randn(5, 2, *shape).double()
    expected = derivatives(net, x)
    with CheapSecond():
        found = derivatives(net, x)
    assert torch.equal(found[0], expected[0])
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-10, atol=1e-12)


def test_what_is_not_asked_for_is_not_computed() -> None:
    """No gradient of the data: the nodes of the second backward pass are those of the weights."""
    x = torch.randn(3, 1, 6, 6)
    net = nn.Conv2d(1, 2, 3, bias=False)
    with CheapSecond():
        out = net(x)
    (slope,) = torch.autograd.grad(out.pow(2).sum(), net.weight, create_graph=True)
    names, waiting = set(), [slope.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is not None:
            names.add(node.name())
            waiting += [following for following, _ in node.next_functions]
    assert {"_ByWeightBackward", "_ConvolutionBackward"} <= names
    assert "_ByInputBackward" not in names


def test_relu_at_minus_infinity_is_0() -> None:
    x = torch.tensor([-math.inf, 2.0, math.inf], requires_grad=True)
    with CheapSecond():
        out = functional.relu(x)
    assert out.tolist() == [0.0, 2.0, math.inf]
    assert torch.autograd.grad(out.sum(), x)[0].tolist() == [0.0, 1.0, 1.0]


def test_inside_torch_func_torch_itself_is_at_work() -> None:
    weight, x = torch.randn(2, 1, 3), torch.randn(4, 1, 8)

    def of(w: torch.Tensor) -> torch.Tensor:
        return functional.gelu(functional.conv1d(x, w)).relu().sum()

    expected = torch.func.jacrev(torch.func.jacrev(of))(weight)
    with CheapSecond():
        assert torch.equal(torch.func.jacrev(torch.func.jacrev(of))(weight), expected)


@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_the_sharpness_of_convolutions_against_the_dense_hessian(penalty: float) -> None:
    """Also where the loss has a gradient in it, so that the Hessian needs third derivatives."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 3, 3), nn.GELU(), nn.Conv1d(3, 2, 2), nn.ReLU(), nn.Flatten()
    ).double()
    x, y = torch.randn(12, 6).double(), torch.randn(12, 6).double()

    class Penalised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out = self.net(x)
            if not penalty:
                return out
            inner = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(self.net(inner).sum(), inner, create_graph=True)
            return out + penalty * slope

    model = Penalised()
    found = sharpness(model, MSE, [(x, y)], tolerance=1e-9)
    if penalty:  # the oracle cannot differentiate inside; its columns are differences of the gradient
        h = differences(model, x, y)
        assert found.value == pytest.approx(np.linalg.eigvalsh(h)[-1], rel=1e-5)
    else:
        assert found.value == pytest.approx(np.linalg.eigvalsh(dense(model, x, y))[-1], rel=1e-9)


def differences(model: nn.Module, x: torch.Tensor, y: torch.Tensor, h: float = 1e-6) -> np.ndarray:
    parameters = list(model.parameters())
    columns = []
    for p in parameters:
        for k in range(p.numel()):
            sides = []
            for sign in (1, -1):
                p.data.view(-1)[k] += sign * h
                slopes = torch.autograd.grad(MSE(model(x), y), parameters)
                sides.append(torch.cat([each.flatten() for each in slopes]))
                p.data.view(-1)[k] -= sign * h
            columns.append((sides[0] - sides[1]) / (2 * h))
    made = torch.stack(columns).numpy()
    return (made + made.T) / 2
