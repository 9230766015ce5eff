"""What schedules do to a training that is resumed, or too short for its penalty, beside clean twins."""

import copy
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as schedulers

from nonsmooth.audit import reach, schedule_observations, schedule_of, too_short

LR = 0.1


def _sgd(momentum=0.0):
    w = torch.ones(3, requires_grad=True)
    w.grad = torch.ones(3)
    return torch.optim.SGD([w], LR, momentum)


# ---- a schedule restarted by a resume


def _run(kind, make, steps, every=1, saved=None, load=("optimizer", "scheduler"), late=False):
    """Train on a quadratic, from checkpoints ``saved``; ``late``: make the scheduler after the loading."""
    torch.manual_seed(0)
    w = torch.randn(5, requires_grad=True)
    optimizer = kind([w])
    scheduler = None if late else make(optimizer)
    if saved is not None:
        for name in load:
            held: Any = optimizer if name == "optimizer" else scheduler
            held.load_state_dict(copy.deepcopy(saved[name]))
    if scheduler is None:
        scheduler = make(optimizer)
    for k in range(steps):
        optimizer.zero_grad()
        (w**2).sum().backward()
        optimizer.step()
        if (k + 1) % every == 0:
            scheduler.step()
    return optimizer, scheduler, {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}


KINDS = {
    "Adam": lambda p: torch.optim.Adam(p, lr=LR),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=LR),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=LR),
    "momentum": lambda p: torch.optim.SGD(p, lr=LR, momentum=0.9),
}
DECAYS = {
    "cosine": lambda o: schedulers.CosineAnnealingLR(o, 100),
    "steps": lambda o: schedulers.StepLR(o, 20, 0.1),
    "lambda": lambda o: schedulers.LambdaLR(o, lambda t: 1 / (1 + t)),
    "warm-up": lambda o: schedulers.SequentialLR(
        o, [schedulers.LinearLR(o, 0.1, 1.0, 10), schedulers.CosineAnnealingLR(o, 60)], [10]
    ),
    "plateau": lambda o: schedulers.ExponentialLR(o, 0.97),
}


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decay", DECAYS)
def test_a_resume_that_forgets_the_scheduler_is_caught(kind, decay, late):
    _, _, saved = _run(KINDS[kind], DECAYS[decay], 50)
    optimizer, scheduler, _ = _run(KINDS[kind], DECAYS[decay], 0, saved=saved, load=["optimizer"], late=late)
    facts = schedule_of(optimizer, scheduler, 50)
    assert facts.restarted
    assert facts.position == 0
    assert facts.expected == (None if kind == "momentum" else 50)
    (said,) = [each for each in schedule_observations(facts) if each.id == "schedule-restarted"]
    assert said.level == "problem"
    assert "scheduler.load_state_dict" in said.snippet
    if kind != "momentum":
        # what the training would have had: the uninterrupted run's next step size
        whole, _, _ = _run(KINDS[kind], DECAYS[decay], 50)
        assert facts.due == pytest.approx(whole.param_groups[0]["lr"], rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("decay", DECAYS)
def test_a_resume_that_loads_both_is_fine(kind, decay):
    _, _, saved = _run(KINDS[kind], DECAYS[decay], 50)
    optimizer, scheduler, _ = _run(KINDS[kind], DECAYS[decay], 0, saved=saved)
    for options in ({}, {"resumed_from": 50}, {"steps_per_epoch": 1}):
        facts = schedule_of(optimizer, scheduler, 50, **options)
        assert not facts.restarted
        assert facts.says is None
        ids = {each.id for each in schedule_observations(facts)}
        assert not {"schedule-restarted", "schedule-astray"} & ids


def test_plain_sgd_needs_to_be_told():
    kind = lambda p: torch.optim.SGD(p, lr=LR)  # noqa: E731
    optimizer, scheduler, _ = _run(kind, DECAYS["cosine"], 0)
    assert not schedule_of(optimizer, scheduler, 50).restarted
    facts = schedule_of(optimizer, scheduler, 50, resumed_from=50)
    assert facts.restarted
    assert facts.due == pytest.approx(LR / 2)
    assert not schedule_of(optimizer, scheduler, 50, resumed_from=0).restarted


def test_epochs_count_as_epochs():
    _, _, saved = _run(KINDS["Adam"], DECAYS["cosine"], 50, every=10)
    assert saved["scheduler"]["last_epoch"] == 5
    optimizer, scheduler, _ = _run(KINDS["Adam"], DECAYS["cosine"], 0, saved=saved)
    assert not schedule_of(optimizer, scheduler, 50, steps_per_epoch=10).restarted
    assert not schedule_of(optimizer, scheduler, 50).restarted  # five epochs or five steps: not known
    assert schedule_of(optimizer, scheduler, 50, steps_per_epoch=1).restarted
    forgot, anew, _ = _run(KINDS["Adam"], DECAYS["cosine"], 0, saved=saved, load=["optimizer"])
    facts = schedule_of(forgot, anew, 50, steps_per_epoch=10)
    assert facts.restarted
    assert facts.expected == 5
    # within the first epoch nothing has been missed
    early, first, _ = _run(KINDS["Adam"], DECAYS["cosine"], 7, every=10)
    assert not schedule_of(early, first, 50, steps_per_epoch=10).restarted


def test_a_scheduler_whose_optimiser_was_not_loaded_is_astray():
    _, _, saved = _run(KINDS["Adam"], DECAYS["steps"], 50)
    optimizer, scheduler, _ = _run(KINDS["Adam"], DECAYS["steps"], 0, saved=saved, load=["scheduler"])
    facts = schedule_of(optimizer, scheduler, 50)
    assert facts.says == pytest.approx(LR / 100)
    assert facts.step_sizes[0, 0] == LR
    assert "schedule-astray" in [each.id for each in schedule_observations(facts)]


# ---- a schedule too short for the distance

OPTIMISERS = {
    "sgd": lambda p, lr: torch.optim.SGD(p, lr=lr),
    "momentum": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
    "dampened": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, dampening=0.5),
    "nesterov": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9, nesterov=True),
    "undying": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=1.0),
    "adam": lambda p, lr: torch.optim.Adam(p, lr=lr),
    "adamw": lambda p, lr: torch.optim.AdamW(p, lr=lr, weight_decay=0.0),
    "rmsprop": lambda p, lr: torch.optim.RMSprop(p, lr=lr),
    "adagrad": lambda p, lr: torch.optim.Adagrad(p, lr=lr),
}


def _travel(make, pull, steps):
    """How far a weight comes from far away under strength * |w| in the loss, by real steps of torch."""
    w = torch.tensor([1e6], dtype=torch.float64, requires_grad=True)
    optimizer = make([w], 0.01)
    scheduler = schedulers.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        (pull * w.abs()).sum().backward()
        optimizer.step()
        scheduler.step()
    return 1e6 - float(w.detach())


@pytest.mark.parametrize("name", OPTIMISERS)
def test_reach_is_how_far_a_weight_travels(name):
    make, steps, pull = OPTIMISERS[name], 400, 0.02
    w = torch.zeros(1, dtype=torch.float64)
    optimizer = make([w], 0.01)
    facts = schedule_of(optimizer, schedulers.CosineAnnealingLR(optimizer, steps), steps)
    # the weight's own 1e6 costs digits
    assert reach(facts, optimizer, pull) == pytest.approx(_travel(make, pull, steps), rel=1e-4, abs=1e-8)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam"])
def test_a_schedule_too_short_is_caught_and_its_twin_passes(name):
    pull, size = 0.05, 0.3
    steps = {"sgd": 1000, "momentum": 100, "adam": 40}[name]  # of lr 0.01: 0.5, 0.5 and 0.4 for the twin
    for long, level in ((1, "fine"), (4, "problem")):
        torch.manual_seed(0)
        w = (size * torch.ones(200)).requires_grad_()
        optimizer = OPTIMISERS[name]([w], 0.01)
        count = steps // long
        scheduler = schedulers.ConstantLR(optimizer, 1.0, 1)
        (said,) = too_short(schedule_of(optimizer, scheduler, count), optimizer, w, pull)
        assert (said.id, said.level) == ("schedule-too-short", level)
        crossed = False
        for _ in range(count):
            optimizer.zero_grad()
            (pull * w.abs()).sum().backward()
            optimizer.step()
            crossed |= bool((w <= 0).any())
        assert crossed == (level == "fine")


def test_share_beyond_reach_by_hand():
    sgd = _sgd()
    facts = schedule_of(sgd, None, 100)  # sum 10, times 0.01: 0.1
    sizes = np.linspace(-0.2, 0.2, 401)
    (said,) = too_short(facts, sgd, sizes, 0.01)
    assert said.numbers["reach"] == pytest.approx(0.1)
    assert said.numbers["share_beyond"] == pytest.approx((np.abs(sizes) > 0.1 + 1e-12).mean(), abs=0.01)
    assert said.level in ("warning", "problem")
    (said,) = too_short(facts, sgd, [0.2] * 3 + [0.01] * 97, 0.01)
    assert said.level == "warning"
    assert said.numbers["share_beyond"] == pytest.approx(0.03)
    assert too_short(facts, sgd, [], 0.01)[0].level == "unknown"
    assert too_short(facts, sgd, [math.nan], 0.01)[0].level == "unknown"
