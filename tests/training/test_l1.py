"""The L1 term beside the graph against the one in it."""

import pytest
import torch
from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.training import _l1
from nonsmooth.training._l1 import add_l1_, l1_norm, l1_parameters
from training.toys import toy_network


def _in_the_graph(model: nn.Module, x: torch.Tensor, strength: float) -> list[torch.Tensor | None]:
    model.zero_grad()
    loss = model(x).square().mean() + strength * sum(p.abs().sum() for p in model.parameters())
    loss.backward()
    return [p.grad for p in model.parameters()]


def _beside(model: nn.Module, x: torch.Tensor, strength: float) -> list[torch.Tensor | None]:
    model.zero_grad()
    model(x).square().mean().backward()
    add_l1_(l1_parameters(model, "all"), strength)
    return [p.grad for p in model.parameters()]


@pytest.mark.parametrize("piece", [1 << 18, 7])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equals_the_graph(piece: int, layout: torch.memory_format, dtype: torch.dtype, monkeypatch) -> None:
    monkeypatch.setattr(_l1, "_PIECE", piece)
    model = toy_network(batch_norm=True).to(dtype).to(memory_format=layout)  # pyright: ignore
    with torch.no_grad():
        for p in model.parameters():
            p.flatten()[::3] = 0
            p.copy_(torch.where(torch.rand_like(p) < 0.3, 0.0, p))  # sign(0) = 0, as abs() has it
    x = torch.randn(5, 2, 8, 8, dtype=dtype)
    ours = _beside(model, x, 0.37)
    ours = [g.clone() for g in ours if g is not None]
    theirs = _in_the_graph(model, x, 0.37)
    eps = torch.finfo(dtype).eps
    for a, b in zip(ours, theirs, strict=True):
        assert b is not None
        # One sum of two numbers: a rounding of each side.
        assert ((a - b).abs() <= 2 * eps * (b.abs() + 0.37)).all()


def test_a_parameter_that_the_loss_leaves_out_gets_its_sign_as_the_graph_gives_it() -> None:
    model = nn.ModuleDict({"used": nn.Linear(3, 2), "idle": nn.Linear(3, 2)})
    model["used"](torch.ones(1, 3)).sum().backward()
    add_l1_(l1_parameters(model, "all"), 0.5)
    idle = model["idle"].weight
    assert idle.grad is not None
    assert torch.equal(idle.grad, 0.5 * idle.detach().sign())


def test_strength_zero_touches_nothing() -> None:
    w = nn.Parameter(torch.ones(3))
    add_l1_([w], 0.0)
    assert w.grad is None


def test_what_the_term_is_about() -> None:
    model = toy_network(batch_norm=True)
    model[0].bias.requires_grad_(False)
    everything = l1_parameters(model, "all")
    assert len(everything) == len(list(model.parameters())) - 1
    weights = l1_parameters(model, "weights")
    assert [tuple(w.shape) for w in weights] == [(6, 2, 3, 3), (3, 96)]
    expected = sum(p.double().abs().sum().item() for p in everything)
    assert float(l1_norm(everything)) == pytest.approx(expected, rel=1e-14)
    assert float(l1_norm([])) == 0


def test_groups_on_another_device_are_bounded_and_complete(monkeypatch) -> None:
    monkeypatch.setattr(_l1, "_TOGETHER", 5)
    parameters = [nn.Parameter(torch.randn(k)) for k in (1, 2, 3, 9, 1)]
    add_l1_(parameters, 0.1)
    for p in parameters:
        assert p.grad is not None
        assert torch.equal(p.grad, torch.zeros_like(p).add(p.detach().sign(), alpha=0.1))


def test_sparse_gradients_are_refused() -> None:
    layer = nn.Embedding(4, 2, sparse=True)
    layer(torch.tensor([1])).sum().backward()
    with pytest.raises(InputError, match="sparse=False"):
        add_l1_(list(layer.parameters()), 0.1)
