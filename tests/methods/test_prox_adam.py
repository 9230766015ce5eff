"""Adam with the penalty in its kernel, against the formulas in float64 and at the edges of its arithmetic."""

import math

import numpy as np
import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.errors import InputError
from nonsmooth.methods._prox_adam import ProxAdam


def _oracle(x, gradients, *, lr, betas, eps, decay, decoupled, sign, l1, l2):
    """Kingma and Ba's algorithm 1, each step followed by argmin_u l1 |u| + l2 u^2 + (u - x)^2 / (2 s)."""
    x, m, v = x.copy(), np.zeros_like(x), np.zeros_like(x)
    for t, g in enumerate(gradients, 1):
        g = sign * g + (0 if decoupled else decay * x)
        x = x * (1 - lr * decay) if decoupled else x
        m = betas[0] * m + (1 - betas[0]) * g
        v = betas[1] * v + (1 - betas[1]) * g**2
        s = lr / (np.sqrt(v / (1 - betas[1] ** t)) + eps)
        x = x - s * m / (1 - betas[0] ** t)
        x = np.sign(x) * np.maximum(np.abs(x) - s * l1, 0) / (1 + 2 * s * l2)
    return x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("maximize", [False, True])
@pytest.mark.parametrize(("l1", "l2"), [(0.0, 0.0), (0.3, 0.0), (0.2, 0.4)])
def test_the_formulas(dtype, decoupled: bool, maximize: bool, l1: float, l2: float) -> None:
    rng = np.random.default_rng(0)
    start, gradients = rng.standard_normal(500), rng.standard_normal((30, 500))
    w = nn.Parameter(torch.tensor(start, dtype=dtype))
    optimizer = ProxAdam(
        [w], 0.02, (0.8, 0.95), 1e-4, 0.1, penalty=ns.ElasticNet(l1, l2), maximize=maximize,
        decoupled_weight_decay=decoupled,
    )  # fmt: skip
    for g in gradients:
        w.grad = torch.tensor(g, dtype=dtype)
        optimizer.step()
    expected = _oracle(
        start, gradients, lr=0.02, betas=(0.8, 0.95), eps=1e-4, decay=0.1, decoupled=decoupled,
        sign=-1 if maximize else 1, l1=l1, l2=l2,
    )  # fmt: skip
    np.testing.assert_allclose(w.detach().double(), expected, rtol=0, atol=200 * torch.finfo(dtype).eps)
    if l1:
        assert np.array_equal((w == 0).numpy(), expected == 0)
        assert (expected == 0).any()


def test_without_a_penalty_it_is_adam() -> None:
    a, b = (nn.Parameter(torch.linspace(-1, 1, 33)) for _ in range(2))
    stock, ours = torch.optim.Adam([a], fused=True), ProxAdam([b])
    torch.manual_seed(0)
    for _ in range(20):
        a.grad = b.grad = torch.randn(33)
        stock.step()
        ours.step()
    torch.testing.assert_close(a, b, rtol=0, atol=1e-7)


@pytest.mark.parametrize("eps", [0.0, 1e-8])
@pytest.mark.parametrize(
    "penalty", [None, ns.L1(1e-3), ns.ElasticNet(0.0, 1e-3)], ids=["none", "L1", "ridge"]
)
def test_dead_units_make_no_nan(eps: float, penalty) -> None:
    """Weights that never had a gradient stay or are the penalty's; stock Adam with eps = 0 makes them NaN."""
    w = nn.Parameter(torch.tensor([0.5, -0.5, 0.0, 0.5]))
    optimizer = ProxAdam([w], eps=eps, penalty=penalty)
    for _ in range(3):
        w.grad = torch.tensor([0.0, 0.0, 0.0, 1.0])
        optimizer.step()
    if penalty is None:
        assert torch.equal(w[:3].detach(), torch.tensor([0.5, -0.5, 0.0]))
    else:
        assert (w[:3].abs() < 1e-2).all()
    assert w.isfinite().all()


def test_moments_that_fade_into_denormal_numbers_stay_harmless() -> None:
    w = nn.Parameter(torch.ones(64))
    optimizer = ProxAdam([w], betas=(0.5, 0.5), penalty=ns.L1(1e-6))
    w.grad = torch.linspace(1e-18, 1e-14, 64)
    optimizer.step()
    w.grad = torch.zeros(64)
    for _ in range(200):
        optimizer.step()
        assert w.isfinite().all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"betas": (1.0, 0.0)}, "Invalid beta parameter at index 0: 1.0; give betas as a finite number in"),
        ({"betas": (0.9, -0.1)}, "Invalid beta parameter at index 1: -0.1"),
        ({"eps": -1e-8}, "Invalid epsilon value: -1e-08; give eps as a finite number >= 0"),
        ({"eps": math.nan}, "Invalid epsilon value: nan"),
        ({"compile": True, "amsgrad": True}, "compile=True does not go with amsgrad"),
    ],
)
def test_bad_options_are_named(options, words: str) -> None:
    with pytest.raises(InputError, match=words):
        ProxAdam([nn.Parameter(torch.ones(2))], **options)


def test_no_state_beyond_adams() -> None:
    w = nn.Parameter(torch.ones(3))
    w.grad = torch.ones(3)
    optimizer, stock = ProxAdam([w], penalty=ns.L1(0.1)), torch.optim.Adam([w])
    optimizer.step()
    stock.step()
    assert optimizer.state[w].keys() == stock.state[w].keys()
