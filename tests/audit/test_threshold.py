"""Soft thresholding by hand: the wrong step is caught under momentum and Adam, the right one passes."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softshrink

import nonsmooth as ns
from nonsmooth.audit._threshold import watch
from nonsmooth.audit._untouched import untouched
from nonsmooth.errors import InputError

STRENGTH = 0.01


def _training(make, threshold, seed=0):
    """A linear model on badly scaled data; ``threshold(optimizer, p)`` is taken off after each step."""
    torch.manual_seed(seed)
    x = torch.randn(64, 10) * torch.logspace(-1, 1, 10)
    y = torch.randn(64, 1)
    model = nn.Linear(10, 1)
    optimizer = make(model.parameters())
    count = 0

    def step():
        nonlocal count
        count += 1
        optimizer.zero_grad()
        ((model(x) - y) ** 2).mean().backward()
        optimizer.step()
        with torch.no_grad():
            t = threshold(optimizer, model.weight, count)
            model.weight.copy_(model.weight.sign() * (model.weight.abs() - t).clamp(min=0))

    return model, optimizer, step


def _lr(optimizer, p, count):
    return optimizer.param_groups[0]["lr"] * STRENGTH


def _levels(observations):
    return {each.id: each.level for each in observations}


def test_plain_sgd_by_hand_is_fine():
    model, optimizer, step = _training(lambda p: torch.optim.SGD(p, lr=1e-3), _lr)
    seen = watch(step, model, optimizer)
    assert seen.parameters == ("weight",)
    assert seen.strengths[-1] == pytest.approx([STRENGTH] * 3, rel=1e-2)
    assert _levels(seen.observations(STRENGTH)) == {"threshold-step": "fine"}


def test_momentum_solves_for_a_tenth():
    model, optimizer, step = _training(lambda p: torch.optim.SGD(p, lr=1e-3, momentum=0.9), _lr)
    seen = watch(step, model, optimizer)
    assert seen.strengths[-1, 1] == pytest.approx(STRENGTH / 10, rel=1e-2)
    (said,) = seen.observations(STRENGTH)
    assert (said.id, said.level) == ("threshold-step", "problem")
    assert "0.1 times" in said.title


def test_adam_gives_every_weight_another_strength():
    model, optimizer, step = _training(lambda p: torch.optim.Adam(p, lr=1e-3), _lr)
    seen = watch(step, model, optimizer)
    low, _, high = seen.strengths[-1]
    assert high > 5 * low
    (said,) = seen.observations(STRENGTH)
    assert (said.id, said.level) == ("threshold-step", "problem")
    assert seen.observations()[0].id == "threshold-step"  # also where nobody says what was meant


def test_the_metrics_own_threshold_is_fine_under_adam():
    def right(optimizer, p, count):
        return STRENGTH * ns.methods.effective_step(optimizer, optimizer.param_groups[0], p).step()

    model, optimizer, step = _training(lambda p: torch.optim.Adam(p, lr=1e-3), right)
    seen = watch(step, model, optimizer)
    assert _levels(seen.observations(STRENGTH)) == {"threshold-step": "fine"}


def test_a_strength_that_fades_is_caught():
    def fading(optimizer, p, count):
        return _lr(optimizer, p, count) / math.sqrt(count)

    model, optimizer, step = _training(lambda p: torch.optim.SGD(p, lr=1e-3), fading)
    assert _levels(watch(step, model, optimizer).observations())["strength-decays"] == "problem"


def test_an_attached_penalty_moves_nothing_after_the_step():
    model, optimizer, step = _training(lambda p: torch.optim.Adam(p, lr=1e-3), lambda *_: 0.0)
    prox = ns.attach(optimizer, ns.L1(STRENGTH), params=model)
    seen = watch(step, model, optimizer, 5, prox)
    assert not seen.found
    assert seen.observations(STRENGTH) == []


def test_nothing_is_left_changed():
    model, optimizer, step = _training(lambda p: torch.optim.Adam(p, lr=1e-3), _lr)
    step()
    weights = [p.detach().clone() for p in model.parameters()]
    before, numbers = str(optimizer.state_dict()), torch.get_rng_state()
    watch(step, model, optimizer)
    assert all(torch.equal(p, w) for p, w in zip(model.parameters(), weights, strict=True))
    assert str(optimizer.state_dict()) == before
    assert torch.equal(torch.get_rng_state(), numbers)


def test_other_moves_are_no_threshold():
    model, optimizer, step = _training(lambda p: torch.optim.SGD(p, lr=1e-3), lambda *_: -1.0)
    assert not watch(step, model, optimizer).found


def test_a_step_that_fails_is_said_in_words():
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def fails():
        raise ValueError("no such batch")

    with pytest.raises(InputError, match="no such batch"):
        watch(fails, model, optimizer)
    with pytest.raises(InputError, match="never calls"):
        watch(lambda: None, model, optimizer)


def test_untouched_puts_everything_back():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout())
    optimizer = torch.optim.Adam(model.parameters())
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    before = str(model.state_dict())
    with untouched(model, optimizer, scheduler, None):
        model.eval()
        model.train()[1](torch.randn(4, 2)).sum().backward()
        optimizer.step()
        scheduler.step()
        softshrink(torch.rand(3), 0.1)
        model.eval()
    assert str(model.state_dict()) == before
    assert model.training
    assert all(p.grad is None for p in model.parameters())
    assert optimizer.param_groups[0]["lr"] == 1e-3
    assert np.isclose(scheduler.get_last_lr()[0], 1e-3)
