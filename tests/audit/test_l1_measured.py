"""What L1 terms do, measured: without gradient, and in forms that the trace does not read."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import nonsmooth as ns
from nonsmooth.audit._slope_jumps import slope_jumps
from nonsmooth.findings import Observation

C = 0.125
X, Y = torch.linspace(-1, 1, 15).reshape(5, 3), torch.linspace(0.1, 1, 10).reshape(5, 2)
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def w(m: nn.Module) -> Tensor:
    return dict(m.named_parameters())["0.weight"]


def audited(loss: Loss) -> dict[str, Observation]:
    model = net()
    before = [p.clone() for p in model.parameters()]
    found = ns.audit(
        model,
        (X, Y),
        lambda o, y: loss(model, o, y),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
        seconds=1,
    )
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    return {
        x.id: x for x in found.observations if x.id.startswith(("l1-", "penalty-")) and "on-all" not in x.id
    }


def under_no_grad(m: nn.Module, o: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        return C * w(m).abs().sum()


WITHOUT: dict[str, Loss] = {
    "detach": lambda m, o, y: C * w(m).detach().abs().sum(),
    "data": lambda m, o, y: C * w(m).data.abs().sum(),
    "detach at the end": lambda m, o, y: (C * w(m).abs().sum()).detach(),
    "no_grad": under_no_grad,
}


@pytest.mark.parametrize("form", WITHOUT)
def test_a_term_without_gradient_is_a_problem(form: str) -> None:
    found = audited(lambda m, o, y: functional.mse_loss(o, y) + WITHOUT[form](m, o, y))
    assert found["l1-without-gradient"].level == "problem"
    assert found["l1-without-gradient"].numbers["parameters"] == ["0.weight"]
    assert "l1-in-loss" not in found


def test_its_twin_with_gradient_passes() -> None:
    found = audited(lambda m, o, y: functional.mse_loss(o, y) + C * w(m).abs().sum())
    assert found["l1-in-loss"].level == "problem"
    assert not found.keys() & {"l1-without-gradient", "penalty-not-recognised"}


def test_half_of_a_term_without_gradient() -> None:
    """Twice in the loss, once detached: neither strength is said."""
    found = audited(
        lambda m, o, y: functional.mse_loss(o, y) + C * (w(m).abs().sum() + w(m).detach().abs().sum())
    )
    assert found["l1-in-loss"].level == "unknown"
    assert "0.25" in found["l1-in-loss"].evidence
    assert "0.125" in found["l1-in-loss"].evidence


# The whole loss goes through something, or the term is written in an unusual way: what it is like.
UNREAD: dict[str, tuple[Loss, str]] = {
    "flooding": (
        lambda m, o, y: (functional.mse_loss(o, y) + C * w(m).abs().sum() - 0.01).abs() + 0.01,
        "like 0.125 * |w| on",
    ),
    "clamp": (
        lambda m, o, y: (functional.mse_loss(o, y) + C * w(m).abs().sum()).clamp(max=9),
        "like 0.125 * |w| on",
    ),
    "nan_to_num": (
        lambda m, o, y: torch.nan_to_num(functional.mse_loss(o, y) + C * w(m).abs().sum()),
        "like 0.125 * |w| on",
    ),
    "einsum with signs": (
        lambda m, o, y: functional.mse_loss(o, y) + C * torch.einsum("ij,ij->", w(m).sign(), w(m)),
        "like 0.125 * |w| on",
    ),
    "einsum with weights": (
        lambda m, o, y: (
            functional.mse_loss(o, y) + torch.einsum("ij,j->", w(m).abs(), torch.tensor([0.1, 0.2, 0.3]))
        ),
        "by entry",
    ),
    "norm of order 1/2": (
        lambda m, o, y: functional.mse_loss(o, y) + C * w(m).norm(0.5),
        "like |w|^p with p < 1",
    ),
}


@pytest.mark.parametrize("form", UNREAD)
def test_what_the_trace_does_not_read_is_measured(form: str) -> None:
    loss, kind = UNREAD[form]
    found = audited(loss)
    assert found["penalty-not-recognised"].level == "unknown"
    assert found["penalty-not-recognised"].numbers["parameters"] == ["0.weight"]
    assert kind in found["penalty-not-recognised"].evidence
    assert "l1-in-loss" not in found


def test_a_loss_of_the_model_is_measured_too() -> None:
    model = net()

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return functional.mse_loss(model(batch[0]), batch[1]) + C * w(model).data.abs().sum()

    found = ns.audit(model, (X, Y), loss, seconds=1)
    assert found["l1-without-gradient"].level == "problem"
    assert found.worst == "problem"


def normalised() -> nn.Module:
    """Biases and scales at their start, where a network has kinks of its own at zeros."""
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))


def dead_inputs() -> nn.Module:
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 2))
    nn.init.zeros_(model[1].bias)  # type: ignore[arg-type]
    return model


def hard() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Hardtanh(), nn.PReLU(16), nn.Linear(16, 2))


@pytest.mark.parametrize("build", [normalised, dead_inputs, hard])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("penalised", [False, True])
def test_kinks_of_networks_are_no_penalties(
    build: Callable[[], nn.Module], dtype: torch.dtype, penalised: bool
) -> None:
    torch.manual_seed(1)
    model = build().to(dtype)
    x = torch.randn(8, 1, 8, 8, dtype=dtype)
    x[:3] = 0  # every pre-activation of these samples is the bias
    y = torch.randn(8, 2, dtype=dtype)
    weights = [p for p in model.parameters() if p.dim() > 1]

    def loss(o: Tensor, y: Tensor) -> Tensor:
        said = functional.l1_loss(o, y)
        return said + 1e-3 * sum(p.abs().sum() for p in weights) if penalised else said

    found = ns.audit(
        model, (x, y), loss, optimizer=torch.optim.Adam(model.parameters()), training=True, seconds=1
    )
    ids = {x.id: x.level for x in found.observations if x.id.startswith(("l1-in-loss", "penalty-", "l1-w"))}
    ids.pop("l1-in-loss-void", None)
    assert ids == ({"l1-in-loss": "problem"} if penalised else {})


def test_dropout_is_the_same_on_both_sides() -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 2)).train()
    jumps = slope_jumps(
        model,
        lambda: functional.mse_loss(model(X), Y) + C * model[0].weight.abs().sum(),  # type: ignore[operator]
    )
    assert not isinstance(jumps, str)
    assert {name: jump.strength for name, jump in jumps.items()} == {
        "0.weight": pytest.approx(C),
        "0.bias": 0.0,
        "3.weight": 0.0,
        "3.bias": 0.0,
    }


def test_noise_that_no_seed_stills_is_told_apart() -> None:
    """Two equal passes that differ: then the jump is not said to be another one than the term's."""
    model, draw = net(), torch.Generator().manual_seed(0)

    def loss(o: Tensor, y: Tensor) -> Tensor:
        noise = torch.rand((), generator=draw)
        return (1 + 100 * noise) * functional.mse_loss(o, y) + C * w(model).abs().sum()

    adam = torch.optim.Adam(model.parameters())
    found = ns.audit(model, (X, Y), loss, optimizer=adam, seconds=1)
    assert found["l1-in-loss"].level == "problem"


def test_what_takes_too_long_is_not_begun() -> None:
    model = net()
    assert "11 gradients" in str(slope_jumps(model, lambda: model(X).sum(), seconds=0))
    found = ns.audit(model, (X, Y), functional.mse_loss, seconds=1e-9)
    assert any("kinks that the trace shows" in what for what, _ in found.skipped)


def test_kinks_of_data_are_told_by_other_data() -> None:
    """A head of zeros on targets some of which are 0: kinks of the L1 loss at the biases' zeros."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
    nn.init.zeros_(model[2].weight)
    nn.init.zeros_(model[2].bias)
    x, y = torch.randn(16, 3), torch.randint(-1, 2, (16, 2)).float()
    found = ns.audit(model, (x, y), functional.l1_loss, seconds=1)
    assert "penalty-not-recognised" not in found


class Drifting(nn.Module):
    """What moves at each call: a spectral norm's vectors, numpy's and Python's numbers, a count."""

    def __init__(self) -> None:
        super().__init__()
        self.one = nn.utils.parametrizations.spectral_norm(nn.Linear(3, 8))
        self.two, self.calls = nn.Linear(8, 2), 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        noise = torch.as_tensor(np.random.randn(*x.shape), dtype=x.dtype)  # noqa: NPY002
        return self.two(torch.relu(self.one(x + random.random() * noise)))


def test_what_moves_at_each_call_is_held_still_and_put_back() -> None:
    torch.manual_seed(0)
    model = Drifting()
    held = functional.mse_loss(model(X), Y)  # a graph that is still to be derived
    before = model.calls, random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    buffers = [each.clone() for each in model.buffers()]
    found = ns.audit(
        model, (X, Y), functional.mse_loss, optimizer=torch.optim.Adam(model.parameters()), seconds=1
    )
    assert "penalty-not-recognised" not in found
    assert found["backward-pass"].level == "fine"
    assert (model.calls, random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    assert all(torch.equal(a, b) for a, b in zip(buffers, model.buffers(), strict=True))
    held.backward()


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: torch.compile(m, backend="eager")])
def test_wrapped_models_have_the_names_of_what_they_wrap(wrap: Callable[[nn.Module], nn.Module]) -> None:
    model = wrap(net())
    found = ns.audit(
        model,
        (X, Y),
        lambda o, y: functional.mse_loss(o, y) + C * sum(p.abs().sum() for p in model.parameters()),
        optimizer=torch.optim.Adam(model.parameters()),
        seconds=1,
    )
    assert found["l1-in-loss"].numbers["parameters"] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert "penalty-not-recognised" not in found


@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_it_may_be_called_where_gradients_are_off(around: Callable[[], Any]) -> None:
    model = net()
    adam = torch.optim.Adam(model.parameters())

    def loss(o: Tensor, y: Tensor) -> Tensor:
        return functional.mse_loss(o, y) + C * w(model).abs().sum()

    with around():
        found = ns.audit(model, (X, Y), loss, optimizer=adam, seconds=1)
    assert found["l1-in-loss"].level == "problem"


def test_sparse_gradients_and_named_inputs() -> None:
    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.head = nn.Embedding(50, 4, sparse=True), nn.Linear(4, 2)

        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return self.head((self.table(left) - self.table(right)).mean(1))

    torch.manual_seed(0)
    model = Bag()
    words = {"left": torch.randint(50, (5, 7)), "right": torch.randint(50, (5, 7))}
    found = ns.audit(
        model,
        (words, Y),
        lambda o, y: functional.mse_loss(o, y) + C * model.head.weight.abs().sum(),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.1),
        seconds=1,
    )
    assert found["l1-in-loss"].numbers["parameters"] == ["head.weight"]
    assert found["l1-in-loss-void"].level == "warning"
    assert not {"penalty-unknown", "derivative-unknown"} & {each.id for each in found.observations}


def clipped() -> nn.Sequential:
    model = net()
    for p in model.parameters():
        p.register_hook(lambda slope: slope.clamp(-0.01, 0.01))
    return model


def pruned() -> nn.Sequential:
    model = net()
    keep = torch.zeros(4, 3)
    keep[0, :2] = 1
    with torch.no_grad():
        model[0].weight.mul_(keep)  # type: ignore[operator]
    model[0].weight.register_hook(lambda slope: slope * keep)  # type: ignore[operator]
    return model


@pytest.mark.parametrize("build", [clipped, pruned])
def test_hooks_on_gradients_are_the_steps_and_not_the_losss(build: Callable[[], nn.Sequential]) -> None:
    """A live term whose slope a hook clips alike on both sides of 0, or masks, has a gradient."""
    model = build()
    hooks = [dict(p._backward_hooks or {}) for p in model.parameters()]
    found = ns.audit(
        model,
        (X, 5 * Y),
        lambda o, y: functional.mse_loss(o, y, reduction="sum") + C * w(model).abs().sum(),
        optimizer=torch.optim.SGD(model.parameters(), lr=0.01),
        seconds=1,
    )
    assert found["l1-in-loss"].level == "problem"
    assert not {"l1-without-gradient", "penalty-not-recognised"} & {each.id for each in found.observations}
    assert [dict(p._backward_hooks or {}) for p in model.parameters()] == hooks


def test_a_term_in_half_precision_is_live() -> None:
    """Nearest to 0 its weights are 0 in float16."""
    found = audited(lambda m, o, y: functional.mse_loss(o, y) + C * w(m).half().abs().sum().float())
    assert "l1-without-gradient" not in found


SMOOTH_ONES: dict[str, Loss] = {
    "squares": lambda m, o, y: (
        functional.mse_loss(o, y) + 1e-4 * sum(p.square().sum() for p in m.parameters())
    ),
    "norms of groups that are 0": lambda m, o, y: (
        functional.mse_loss(o, y) + 0.01 * sum(p.norm() for p in m.parameters())
    ),
    "residuals that are 0": lambda m, o, y: functional.l1_loss(o, torch.zeros_like(y)),
}


@pytest.mark.parametrize("form", SMOOTH_ONES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_no_l1_term_is_seen_where_there_is_none(form: str, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    nn.init.zeros_(model[3].weight)  # type: ignore[arg-type]
    nn.init.zeros_(model[3].bias)  # type: ignore[arg-type]
    model = model.to(dtype)
    found = ns.audit(
        model,
        (X.to(dtype), Y.to(dtype)),
        lambda o, y: SMOOTH_ONES[form](model, o, y),
        training=True,
        seconds=1,
    )
    assert not [x for x in found.observations if x.id.startswith(("penalty-not", "l1-"))]


def test_what_a_model_writes_into_its_input_is_not_the_users() -> None:
    x = X.clone()
    model = nn.Sequential(nn.Hardtanh(-0.5, 0.5, inplace=True), *net())
    ns.audit(model, (x, Y), functional.mse_loss, seconds=1)
    assert torch.equal(x, X)


def test_what_a_loss_module_holds_is_put_back() -> None:
    class Centred(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("centre", torch.zeros(2))
            self.calls = 0

        def forward(self, o: Tensor, y: Tensor) -> Tensor:
            self.calls += 1
            with torch.no_grad():
                self.centre.mul_(0.9).add_(o.mean(0), alpha=0.1)  # type: ignore[operator]
            return (o - self.centre - y).square().mean()

    loss = Centred()
    ns.audit(net(), (X, Y), loss, seconds=1)
    assert (loss.centre.tolist(), loss.calls) == ([0.0, 0.0], 0)
