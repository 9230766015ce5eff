"""SGD with the penalty in its kernel, against the formulas in float64."""

import numpy as np
import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.errors import InputError
from nonsmooth.methods._prox_sgd import ProxSGD


def _oracle(x, gradients, *, lr, momentum, dampening, nesterov, decay, sign, l1, l2):
    """torch's recursion; the step of the penalty from the same recursion with all gradients 1."""
    b = gain = None
    for g in gradients:
        g = sign * g + decay * x
        b = g if b is None else momentum * b + (1 - dampening) * g
        gain = 1.0 if gain is None else momentum * gain + (1 - dampening)
        x = x - lr * (g + momentum * b if nesterov else b)
        s = lr * (1 + momentum * gain if nesterov else gain)
        x = np.sign(x) * np.maximum(np.abs(x) - s * l1, 0) / (1 + 2 * s * l2)
    return x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.3, 0.0), (0.2, 0.4)])
@pytest.mark.parametrize(
    ("momentum", "dampening", "nesterov"),
    [(0.0, 0.0, False), (0.9, 0.0, False), (0.7, 0.4, False), (0.9, 0.0, True)],
)
def test_the_formulas(dtype, maximize, l1, l2, momentum, dampening, nesterov) -> None:
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(500), rng.standard_normal((30, 500))
    w = nn.Parameter(torch.tensor(start, dtype=dtype))
    optimizer = ProxSGD(
        [w], 0.02, momentum, dampening, 0.1, nesterov, penalty=ns.ElasticNet(l1, l2), maximize=maximize
    )
    for g in gradients:
        w.grad = torch.tensor(g, dtype=dtype)
        optimizer.step()
    expected = _oracle(
        start, gradients, lr=0.02, momentum=momentum, dampening=dampening, nesterov=nesterov, decay=0.1,
        sign=-1 if maximize else 1, l1=l1, l2=l2,
    )  # fmt: skip
    np.testing.assert_allclose(w.detach().double(), expected, rtol=0, atol=200 * torch.finfo(dtype).eps)
    if l1:
        assert np.array_equal((w == 0).numpy(), expected == 0)
        assert (expected == 0).any()


def test_without_momentum_it_keeps_no_state() -> None:
    w = nn.Parameter(torch.ones(3))
    w.grad = torch.ones(3)
    optimizer = ProxSGD([w], 0.1, penalty=ns.L1(0.1))
    optimizer.step()
    assert not optimizer.state
    torch.testing.assert_close(w.detach(), torch.full((3,), 0.89))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"momentum": -0.5}, r"Invalid momentum value: -0.5; give momentum as a finite number in \[0, 1\)"),
        ({"momentum": 1.0}, "Invalid momentum value: 1.0"),
        ({"momentum": 0.9, "dampening": 1.5}, "Invalid dampening value: 1.5"),
        ({"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
        ({"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "not momentum = 0.9, dampening = 0.1"),
    ],
)
def test_bad_options_are_named(options, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ProxSGD([nn.Parameter(torch.ones(2))], **options)
