"""Mistakes planted in training runs: the audit catches each, and passes its clean twin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.audit import Audit, audit

Given = dict[str, Any]
STRENGTH = 1e-3


def network(*middle: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), *(middle or (nn.ReLU(),)), nn.Linear(16, 3))


def batch(count: int = 64) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    x = torch.randn(count, 6)
    return x, x[:, :3].argmax(1)


def plain(model: nn.Module, **options: Any) -> Given:
    return {
        "model": model,
        "example": batch(),
        "loss": nn.functional.cross_entropy,
        "seconds": 2.0,
        **options,
    }


def l1_in_loss(clean: bool) -> Given:
    model = network()
    adam = torch.optim.Adam(model.parameters(), lr=3e-3)
    weights = [p for p in model.parameters() if p.ndim > 1]
    if clean:
        prox = ns.attach(adam, ns.L1(STRENGTH), params=model)
        return plain(model, optimizer=adam, penalty=prox)

    def penalised(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(output, target) + STRENGTH * sum(w.abs().sum() for w in weights)

    return plain(model, optimizer=adam, loss=penalised)


def thresholded(
    make: Callable[[Any], torch.optim.Optimizer], threshold: Callable[[int, float], float], clean: bool
) -> Given:
    """A step that takes ``threshold(t, lr)`` off every weight; the clean twin attaches the penalty."""
    model = network()
    optimizer = make(model.parameters())
    prox = ns.attach(optimizer, ns.L1(STRENGTH), params=model) if clean else None
    x, y = batch()
    taken = 0

    def step() -> None:
        nonlocal taken
        taken += 1
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
        if clean:
            return
        with torch.no_grad():
            for p in model.parameters():
                if p.ndim > 1:
                    p.copy_(nn.functional.softshrink(p, threshold(taken, optimizer.param_groups[0]["lr"])))

    return plain(model, optimizer=optimizer, penalty=prox, step=step, strength=STRENGTH)


def momentum_threshold(clean: bool) -> Given:
    return thresholded(lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9), lambda t, lr: lr * STRENGTH, clean)


def adam_threshold(clean: bool) -> Given:
    return thresholded(lambda p: torch.optim.Adam(p, lr=1e-2), lambda t, lr: lr * STRENGTH, clean)


def fading_threshold(clean: bool) -> Given:
    """As FTRL with a fixed total strength has it: each step takes off less."""
    return thresholded(lambda p: torch.optim.SGD(p, lr=0.1), lambda t, lr: lr * STRENGTH / t, clean)


def short_schedule(clean: bool) -> Given:
    model = network()
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    steps = 40_000 if clean else 400
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=steps)
    prox = ns.attach(sgd, ns.L1(STRENGTH), params=model)
    return plain(model, optimizer=sgd, scheduler=cosine, penalty=prox, steps=steps)


def differences_over_kinks(clean: bool) -> Given:
    """The absolute error's slope jumps where a residual changes its sign; that of its square does not."""
    model = network(nn.Tanh()).double()
    x = batch()[0].double()
    loss = nn.functional.mse_loss if clean else nn.functional.l1_loss
    return plain(model, example=(x, torch.sin(3 * x[:, :3])), loss=loss, difference=0.03)


class _Hinges(nn.Module):
    def __init__(self, clean: bool) -> None:
        super().__init__()
        self.first, self.last, self.clean = nn.Linear(6, 16), nn.Linear(16, 3), clean

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.first(x)
        other = torch.relu(z - 1) if self.clean else torch.maximum(z - 1, torch.zeros_like(z))
        return self.last(torch.relu(z) + other)


def choices_at_zero(clean: bool) -> Given:
    return plain(_Hinges(clean))


class _Dropped(nn.Module):
    def __init__(self, clean: bool) -> None:
        super().__init__()
        self.first, self.last, self.clean = nn.Linear(6, 16), nn.Linear(16, 3), clean

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = torch.tanh(self.first(x))
        return self.last(nn.functional.dropout(z, 0.5, training=self.training if self.clean else True))


def dropout_in_evaluation(clean: bool) -> Given:
    return plain(_Dropped(clean).eval())


def step_above_the_edge(clean: bool) -> Given:
    model = network(nn.Tanh())
    sharp = ns.sharpness(model, nn.functional.cross_entropy, [batch()], tolerance=1e-3).value
    lr = (1.0 if clean else 4.0) / sharp
    return plain(model, optimizer=torch.optim.SGD(model.parameters(), lr=lr), stochastic=False)


def penalty_on_everything(clean: bool) -> Given:
    model = network(nn.BatchNorm1d(16), nn.ReLU())
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    prox = ns.attach(sgd, ns.L1(STRENGTH), params=model if clean else list(model.parameters()))
    return plain(model, optimizer=sgd, penalty=prox)


def schedule_restarted(clean: bool) -> Given:
    """Of 400 steps, interrupted after 200: the optimiser's state is loaded, the scheduler's is not."""
    x, y = batch()

    def made() -> tuple[nn.Module, torch.optim.Optimizer, Any]:
        model = network()
        adam = torch.optim.Adam(model.parameters(), lr=1e-2)
        return model, adam, torch.optim.lr_scheduler.CosineAnnealingLR(adam, T_max=400)

    model, adam, cosine = made()
    for _ in range(200):
        adam.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        adam.step()
        cosine.step()
    again, other, schedule = made()
    again.load_state_dict(model.state_dict())
    other.load_state_dict(adam.state_dict())
    if clean:
        schedule.load_state_dict(cosine.state_dict())
    return plain(again, optimizer=other, scheduler=schedule, steps=200)


TRAPS: dict[str, tuple[Callable[[bool], Given], str]] = {
    "L1 in the loss, no reachable zero": (l1_in_loss, "l1-in-loss"),
    "soft threshold under momentum": (momentum_threshold, "threshold-step"),
    "soft threshold under Adam": (adam_threshold, "threshold-step"),
    "strength that decays": (fading_threshold, "strength-decays"),
    "schedule too short": (short_schedule, "schedule-too-short"),
    "second differences across kinks": (differences_over_kinks, "second-difference"),
    "choices at zero disagree": (choices_at_zero, "kink-choices-differ"),
    "dropout in evaluation": (dropout_in_evaluation, "dropout-in-evaluation"),
    "step above 2/sharpness": (step_above_the_edge, "edge-of-stability"),
    "penalty on norms and biases": (penalty_on_everything, "penalty-on-all"),
    "schedule restarted by a resume": (schedule_restarted, "schedule-restarted"),
}


def _caught(found: Audit, id: str) -> bool:
    return id in found and found[id].level in ("problem", "warning")


@pytest.mark.parametrize(("plant", "id"), TRAPS.values(), ids=list(TRAPS))
def test_it_catches_the_trap_and_passes_the_twin(plant: Callable[[bool], Given], id: str) -> None:
    trapped, clean = audit(**plant(False)), audit(**plant(True))
    assert _caught(trapped, id), str(trapped)
    assert not _caught(clean, id), str(clean)
    said = trapped[id]
    assert said.evidence
    assert said.why
    assert said.source
    assert said.remedy


@pytest.mark.parametrize("plant", [each for each, _ in TRAPS.values()], ids=list(TRAPS))
def test_a_clean_twin_has_no_problem_of_any_kind(plant: Callable[[bool], Given]) -> None:
    found = audit(**plant(True))
    of_run = [each for each in found.observations if not each.id.startswith("theorem-")]
    bad = [each.id for each in of_run if each.level in ("problem", "unknown")]
    assert not bad, str(found)
