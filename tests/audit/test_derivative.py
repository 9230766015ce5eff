"""Whether a backward pass gives the derivative: of ordinary networks it does, of cut graphs it does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import nonsmooth as ns
from nonsmooth.audit import assumptions, schedule_of, smoothness_of
from nonsmooth.audit._derivative import Derivative, derivative

X, Y = torch.linspace(-1, 1, 24).reshape(8, 3), torch.linspace(0, 1, 16).reshape(8, 2)
Loss = Callable[[Tensor, Tensor], Tensor]
mse = functional.mse_loss


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))


def measured(loss: Loss, model: nn.Module | None = None) -> Derivative:
    model = net() if model is None else model
    found = derivative(model, lambda: loss(model(X), Y))
    assert isinstance(found, Derivative)
    return found


def logged(o: Tensor, y: Tensor) -> Tensor:
    with torch.no_grad():
        _ = (o - y).abs().max()
    return mse(o, y)


class Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):  # type: ignore[no-untyped-def]
        return x.clone()

    @staticmethod
    def backward(ctx, slope):  # type: ignore[no-untyped-def]
        return -slope


OTHER: dict[str, Loss] = {
    "straight-through": lambda o, y: mse(o + (o.round() - o).detach(), y),
    "half of it detached": lambda o, y: mse(o, y) + mse(o, y).detach(),
    "weighted by itself": lambda o, y: mse(o, y) * (1 + mse(o, y).detach()),
    "reversed": lambda o, y: mse(Reversed.apply(o), y),
}
SAME: dict[str, Loss] = {
    "plain": mse,
    "kinks": functional.l1_loss,
    "logged under no_grad": logged,
    "its target detached": lambda o, y: mse(o, y.detach()),
}


@pytest.mark.parametrize("form", OTHER)
def test_another_function_than_the_loss(form: str) -> None:
    found = measured(OTHER[form])
    assert found.verdict == "other"
    assert [x.level for x in found.observations()] == ["warning"]


@pytest.mark.parametrize("form", SAME)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_loss_itself(form: str, dtype: torch.dtype) -> None:
    model = net().to(dtype)
    found = derivative(model, lambda: SAME[form](model(X.to(dtype)), Y.to(dtype)))
    assert isinstance(found, Derivative)
    assert found.verdict == "same"
    assert found.differences == pytest.approx(found.backward, rel=0.02)


@pytest.mark.parametrize("seed", range(5))
def test_ordinary_networks(seed: int) -> None:
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.3), nn.Flatten()
    ).append(nn.Linear(8 * 7 * 7, 10))
    x, y = torch.randn(16, 3, 16, 16), torch.randint(10, (16,))
    before = [p.clone() for p in (*model.parameters(), *model.buffers())]
    found = derivative(model, lambda: functional.cross_entropy(model(x), y))
    assert isinstance(found, Derivative)
    assert found.verdict == "same"
    assert all(
        torch.equal(a, b) for a, b in zip(before, (*model.parameters(), *model.buffers()), strict=True)
    )


def test_noise_gives_no_verdict() -> None:
    draw = torch.Generator().manual_seed(0)
    found = measured(lambda o, y: mse(o, y) + 10 * torch.rand((), generator=draw))
    assert found.verdict == "not known"
    assert [x.level for x in found.observations()] == ["unknown"]


def test_nothing_to_differentiate() -> None:
    model = net()
    assert derivative(model, lambda: model(X).sum().detach()) is None
    assert derivative(model, lambda: model(X).sum() * 0) is None
    assert derivative(model, lambda: model(X).sum() * torch.nan) is None
    assert "46 evaluations" in str(derivative(model, lambda: model(X).sum(), seconds=0))


def rows(loss: Loss, slopes: Derivative | None) -> list[str]:
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    smooth = smoothness_of(model, (X, Y), loss)
    found = assumptions(smooth, schedule_of(sgd, None, 10), sgd, slopes=slopes)
    return [row.answer for row in found if "direction is" in row.assumption]


def test_the_theorems_row_on_the_direction() -> None:
    """On a smooth loss a backward pass gives the gradient, unless parts of it are detached."""
    assert rows(mse, None) == ["holds", "holds"]
    assert rows(SAME["logged under no_grad"], None) == ["holds", "holds"]
    assert rows(OTHER["weighted by itself"], None) == ["cannot be known"] * 2
    assert rows(OTHER["weighted by itself"], measured(OTHER["weighted by itself"])) == ["fails", "fails"]


def test_the_theorems_of_an_audit_know_of_it() -> None:
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    found = ns.audit(model, (X, Y), OTHER["weighted by itself"], optimizer=sgd, seconds=1)
    said = {row.answer: row.evidence for row in found.assumptions if "direction is" in row.assumption}
    assert "not the derivative of the loss" in said["fails"]


def test_an_audit_says_so() -> None:
    def levels(loss: Loss) -> dict[str, str]:
        return {x.id: x.level for x in ns.audit(net(), (X, Y), loss, seconds=1).observations}

    assert levels(OTHER["straight-through"])["backward-pass"] == "warning"
    assert levels(mse)["backward-pass"] == "fine"


def test_a_small_loss_is_a_difference_of_larger_numbers() -> None:
    """Trained to a loss of 1e-6, whose values are multiples of 1e-7: no verdict against the backward pass."""
    torch.manual_seed(0)
    x = torch.randn(128, 20)
    y = (x[:, 0] > 0).long()
    model = nn.Sequential(nn.Linear(20, 128), nn.ReLU(), nn.Linear(128, 2))
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    seen = set()
    for k in range(3000):
        loss = functional.cross_entropy(model(x), y)
        adam.zero_grad()
        loss.backward()
        adam.step()
        if k % 250 == 0:
            found = derivative(model, lambda: functional.cross_entropy(model(x), y))
            seen.add(found.verdict if isinstance(found, Derivative) else "none")
    assert "other" not in seen
    assert "same" in seen


@pytest.mark.parametrize("seed", range(5))
def test_at_a_kink_every_slope_between_is_one(seed: int) -> None:
    """The hinge loss of whole numbers: half of the samples lie on its kink."""
    torch.manual_seed(seed)
    model = nn.Linear(5, 1)
    model.weight.data = torch.randint(-1, 2, (1, 5)).float()
    model.bias.data.zero_()
    x, y = torch.randint(-1, 2, (64, 5)).float(), torch.randn(64, 1).sign()
    found = derivative(model, lambda: torch.relu(1 - y * model(x)).mean())
    assert not isinstance(found, Derivative) or found.verdict != "other"


def test_of_several_precisions_the_lowest_counts() -> None:
    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.LayerNorm(3), nn.Linear(3, 2).bfloat16()

        def forward(self, x: Tensor) -> Tensor:
            return self.second(self.first(x).bfloat16()).float()

    for seed in range(20):
        torch.manual_seed(seed)
        model = Mixed()
        assert measured(mse, model).verdict != "other"
