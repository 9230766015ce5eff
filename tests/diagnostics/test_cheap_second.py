"""Values, gradients and products of the cheap forms against torch's own; derivatives beyond the second."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

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


def _largest(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """The largest eigenvalue of the Hessian, entry by entry, by torch alone."""
    parameters = list(model.parameters())
    loss = functional.mse_loss(model(x), y)
    first = torch.autograd.grad(loss, parameters, create_graph=True, materialize_grads=True)
    slope = torch.cat([each.reshape(-1) for each in first])
    rows = [
        torch.autograd.grad(each, parameters, retain_graph=True, materialize_grads=True) for each in slope
    ]
    hessian = torch.stack([torch.cat([each.reshape(-1) for each in row]) for row in rows])
    return float(torch.linalg.eigvalsh((hessian + hessian.T) / 2).abs().max())


class _Checkpointed(nn.Module):
    def __init__(self, activation: nn.Module, repeated: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers = nn.Linear(4, 16), activation, nn.Linear(16, 16), activation, nn.Linear(16, 1)
        self.body, self.repeated = nn.Sequential(*layers).double(), repeated

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return checkpoint(self.body, x, use_reentrant=False) if self.repeated else self.body(x)


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU(), nn.SiLU()], ids=str)
def test_a_forward_pass_that_is_repeated_later_finds_what_was_saved(activation: nn.Module) -> None:
    x = torch.randn(32, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    batch = [(x, x.sum(1, keepdim=True))]
    whole, repeated = (
        sharpness(_Checkpointed(activation, repeated), nn.MSELoss(), batch) for repeated in (False, True)
    )
    assert repeated.value == pytest.approx(whole.value, rel=1e-9)


def test_an_infinite_slope_does_not_pass_a_relu_that_is_off() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.layer = nn.Linear(4, 16).double()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (torch.relu(self.layer(x)) ** 1.5).sum(1, keepdim=True)  # its second derivative: infinite

    x = torch.randn(32, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    y = x.sum(1, keepdim=True)
    found = sharpness(Model(), nn.MSELoss(), [(x, y)])
    assert found.value == pytest.approx(_largest(Model(), x, y), rel=1e-6)


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # torch's own, at first use
def test_forward_differentiation_inside_a_model() -> None:
    class Slope(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.body = nn.Sequential(nn.Linear(3, 8), nn.GELU(), nn.Linear(8, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with forward_ad.dual_level():
                y = self.body(forward_ad.make_dual(x, torch.ones_like(x)))
                return forward_ad.unpack_dual(y).tangent

    x = torch.randn(32, 3, generator=torch.Generator().manual_seed(1))
    y = x.sum(1, keepdim=True)
    found = sharpness(Slope().double(), nn.MSELoss(), [(x.double(), y.double())])
    assert found.value == pytest.approx(_largest(Slope().double(), x.double(), y.double()), rel=1e-6)
