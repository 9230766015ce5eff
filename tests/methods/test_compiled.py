"""The steps for torch.compile: as they stand the kernels' arithmetic; compiled, one graph for all steps."""

import warnings

import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.methods import _compiled
from nonsmooth.methods._prox_adam import ProxAdam
from nonsmooth.methods._prox_sgd import ProxSGD

OPTIONS = [
    (ProxAdam, {}),
    (ProxAdam, {"weight_decay": 0.1, "maximize": True}),
    (ProxAdam, {"weight_decay": 0.1, "decoupled_weight_decay": True, "betas": (0.5, 0.6)}),
    (ProxSGD, {"lr": 0.01}),
    (ProxSGD, {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    (ProxSGD, {"lr": 0.01, "momentum": 0.9, "nesterov": True, "maximize": True}),
]


def _side_by_side(kind, options, dtype, steps: int = 8) -> None:
    torch.manual_seed(0)
    a = [nn.Parameter(torch.randn(shape, dtype=dtype)) for shape in ((7, 5), (6,), ())]
    b = [nn.Parameter(p.detach().clone()) for p in a]
    penalty = ns.ElasticNet(0.05, 0.02)
    ours, other = kind(a, penalty=penalty, **options), kind(b, penalty=penalty, compile=True, **options)
    for t in range(steps):
        for optimizer in (ours, other):
            optimizer.param_groups[0]["lr"] = 0.01 * 0.9**t
        for p, q in zip(a, b, strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        if t == 3:
            a[1].grad = b[1].grad = None  # from here on it has taken fewer steps than the others
        ours.step()
        other.step()
    for p, q in zip(a, b, strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=100 * torch.finfo(dtype).eps)


@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_the_kernels_arithmetic(dtype, kind, options, monkeypatch) -> None:
    monkeypatch.setattr(_compiled, "_kernel", {"adam": _compiled.adam, "sgd": _compiled.sgd}.__getitem__)
    _side_by_side(kind, options, dtype)


@pytest.mark.parametrize(
    ("kind", "options"), [(ProxAdam, {"lr": 0.1}), (ProxSGD, {"lr": 0.1, "momentum": 0.5})]
)
def test_half_precision_is_computed_in_float32(kind, options, monkeypatch) -> None:
    monkeypatch.setattr(_compiled, "_kernel", {"adam": _compiled.adam, "sgd": _compiled.sgd}.__getitem__)
    exact = nn.Parameter(torch.linspace(-1, 1, 64).to(torch.float16).double())
    half = nn.Parameter(exact.detach().to(torch.float16))
    exact.grad = torch.linspace(-2, 1, 64).to(torch.float16).double()
    half.grad = exact.grad.to(torch.float16)
    for p in (exact, half):
        kind([p], penalty=ns.L1(0.5), compile=p is half, **options).step()
    assert torch.equal(half == 0, exact == 0)
    torch.testing.assert_close(half.double(), exact, rtol=2**-11, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "options"), [OPTIONS[1], OPTIONS[5]], ids=str)
def test_compiled_once_for_changing_numbers(kind, options) -> None:
    from torch._dynamo.utils import counters

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        _compiled._kernel.cache_clear()
        torch.compiler.reset()
        counters.clear()
        _side_by_side(kind, options, torch.float32)
        # All parameters together; then one has no gradient: the others, and from then on that one by itself.
        assert counters["stats"]["unique_graphs"] <= 3
        _compiled._kernel.cache_clear()
        torch.compiler.reset()
