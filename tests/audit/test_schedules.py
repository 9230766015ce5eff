"""Schedules are what torch really does, their limits what analysis says, and their traps are caught."""

import copy
import math
import threading
from typing import Any

import numpy as np
import pytest
import torch
from torch.optim import lr_scheduler as schedulers

from nonsmooth.audit import reach, schedule_observations, schedule_of
from nonsmooth.audit._schedule_forms import tail_of
from nonsmooth.errors import InputError

LR = 0.1


def _sgd(momentum=0.0, groups=1):
    """An optimiser of one or two groups with gradients, the second one's step twice the first's."""
    weights = [torch.ones(3, requires_grad=True) for _ in range(groups)]
    for w in weights:
        w.grad = torch.ones(3)
    return torch.optim.SGD([{"params": [w], "lr": LR * (k + 1)} for k, w in enumerate(weights)], LR, momentum)


MAKE = {
    "StepLR": lambda o: schedulers.StepLR(o, 7, 0.5),
    "MultiStepLR": lambda o: schedulers.MultiStepLR(o, [3, 3, 9], 0.1),
    "ConstantLR": lambda o: schedulers.ConstantLR(o, 0.25, 5),
    "LinearLR": lambda o: schedulers.LinearLR(o, 0.1, 1.0, 8),
    "ExponentialLR": lambda o: schedulers.ExponentialLR(o, 0.99),
    "PolynomialLR": lambda o: schedulers.PolynomialLR(o, 30, 2.0),
    "CosineAnnealingLR": lambda o: schedulers.CosineAnnealingLR(o, 25, 0.001),
    "CosineAnnealingWarmRestarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 5, 2, 0.001),
    "CyclicLR": lambda o: schedulers.CyclicLR(o, 0.01, 0.1, 4, 9, "triangular2", cycle_momentum=False),
    "OneCycleLR": lambda o: schedulers.OneCycleLR(o, 0.3, 4000, cycle_momentum=False),
    "LambdaLR": lambda o: schedulers.LambdaLR(o, lambda t: 1 / math.sqrt(t + 1)),
    "MultiplicativeLR": lambda o: schedulers.MultiplicativeLR(o, lambda t: 1 - 1 / (t + 2)),
    "SequentialLR": lambda o: schedulers.SequentialLR(
        o, [schedulers.LinearLR(o, 0.1, 1.0, 10), schedulers.CosineAnnealingLR(o, 60)], [10]
    ),
    "ChainedScheduler": lambda o: schedulers.ChainedScheduler(
        [schedulers.ConstantLR(o, 0.5, 4), schedulers.ExponentialLR(o, 0.9)], o
    ),
    "ReduceLROnPlateau": lambda o: schedulers.ReduceLROnPlateau(o, patience=2, factor=0.5),
}


def _trained(optimizer, scheduler, steps, every=1, metric=None):
    """What a training loop sees: the slow oracle. The metric defaults to one that always improves."""
    rows = []
    for k in range(steps):
        rows.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        if (k + 1) % every == 0:
            if isinstance(scheduler, schedulers.ReduceLROnPlateau):
                scheduler.step(-(1.1**scheduler.last_epoch) if metric is None else metric)
            else:
                scheduler.step()
    return np.array(rows, dtype=float).T


def test_all_of_torchs_schedulers_are_here():
    found = {
        name
        for name, each in vars(schedulers).items()
        if isinstance(each, type)
        and issubclass(each, schedulers.LRScheduler)
        and name not in ("LRScheduler", "_LRScheduler")
    }
    assert found == set(MAKE)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("taken", [0, 11])
def test_step_sizes_are_those_of_training(name, every, taken):
    optimizer = _sgd(groups=2)
    scheduler = MAKE[name](optimizer)
    _trained(optimizer, scheduler, taken * every, every)
    facts = schedule_of(optimizer, scheduler, 100, steps_per_epoch=every)
    assert facts.position == taken
    np.testing.assert_array_equal(facts.step_sizes, _trained(optimizer, scheduler, 100, every))
    np.testing.assert_allclose(facts.sum, facts.step_sizes.sum(1))
    assert facts.stopped == ""
    assert not facts.restarted
    assert facts.says is None
    assert not facts.foreign


NO_FORM = ("ChainedScheduler", "ReduceLROnPlateau")
LONG = {name: make for name, make in MAKE.items() if name not in NO_FORM} | {
    "late milestone": lambda o: schedulers.SequentialLR(
        o,
        [
            schedulers.LinearLR(o, 0.1, 1.0, 10),
            schedulers.CyclicLR(o, 0.01, 0.1, 40, cycle_momentum=False),
            schedulers.ExponentialLR(o, 0.999),
        ],
        [10, 2500],
    ),
    "exp_range": lambda o: schedulers.CyclicLR(
        o, 0.01, 0.1, 40, mode="exp_range", gamma=0.99, cycle_momentum=False
    ),
    "three phases": lambda o: schedulers.OneCycleLR(
        o, 0.3, 4000, three_phase=True, anneal_strategy="linear", cycle_momentum=False
    ),
    "plain restarts": lambda o: schedulers.CosineAnnealingWarmRestarts(o, 50),
    "short cosine": lambda o: schedulers.CosineAnnealingLR(o, 700),
}


@pytest.mark.parametrize("name", LONG)
def test_closed_forms_agree_with_training(name):
    optimizer = _sgd(groups=2)
    scheduler = LONG[name](optimizer)
    _trained(optimizer, scheduler, 5)
    facts = schedule_of(optimizer, scheduler, 3500)
    assert facts.how == "closed form"
    trained = _trained(optimizer, scheduler, 3500)
    np.testing.assert_allclose(facts.step_sizes, trained, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [*NO_FORM, "nested"])
def test_what_has_no_closed_form_is_replayed(name):
    optimizer = _sgd()
    if name == "nested":
        inner = schedulers.ChainedScheduler([schedulers.ExponentialLR(optimizer, 0.999)])
        optimizer.step()  # torch steps the inner one at once, and warns
        scheduler = schedulers.SequentialLR(optimizer, [inner, schedulers.ConstantLR(optimizer, 0.5)], [9000])
    else:
        scheduler = MAKE[name](optimizer)
    facts = schedule_of(optimizer, scheduler, 2500)
    assert facts.how == "replay"
    np.testing.assert_array_equal(facts.step_sizes, _trained(optimizer, scheduler, 2500))


@pytest.mark.parametrize("name", MAKE)
def test_nothing_of_the_users_is_changed(name):
    w = torch.ones(4, requires_grad=True)
    optimizer = torch.optim.Adam([w], lr=LR)
    scheduler = MAKE[name](optimizer)
    w.grad = torch.ones(4)
    optimizer.step()

    def state():
        plain = [key for key in vars(scheduler) if key not in ("optimizer", "_schedulers")]
        nested = [each.state_dict() for each in getattr(scheduler, "_schedulers", ())]
        states = optimizer.state_dict(), scheduler.state_dict(), nested
        return copy.deepcopy((*states, sorted(plain), w.detach()))

    def flat(value):
        if isinstance(value, torch.Tensor):
            return value.tolist()
        if isinstance(value, dict):
            return {key: flat(each) for key, each in value.items()}
        return [flat(each) for each in value] if isinstance(value, list | tuple) else str(value)

    before, numbers = state(), torch.random.get_rng_state()
    step, count = optimizer.step, getattr(optimizer, "_opt_called", None)
    schedule_of(optimizer, scheduler, 3000, resumed_from=7)
    assert flat(list(before)) == flat(list(state()))
    assert torch.equal(numbers, torch.random.get_rng_state())
    assert optimizer.step == step
    assert getattr(optimizer, "_opt_called", None) == count
    assert scheduler.optimizer is optimizer


def test_sums_by_hand():
    sgd = _sgd()
    # 7 steps of 0.1, 7 of 0.05, ...: 0.1 * 7 / (1 - 1/2) = 1.4 in all; squares 0.01 * 7 / (1 - 1/4)
    facts = schedule_of(sgd, schedulers.StepLR(sgd, 7, 0.5), 7 * 60)
    assert facts.sum[0] == pytest.approx(1.4, rel=1e-12)
    assert facts.sum_of_squares[0] == pytest.approx(0.01 * 7 / 0.75, rel=1e-12)
    sgd = _sgd()
    facts = schedule_of(sgd, schedulers.ExponentialLR(sgd, 0.99), 5000)  # 0.1 / (1 - 0.99)
    assert facts.sum[0] == pytest.approx(10, rel=1e-12)
    sgd = _sgd()
    # 0.05 times the sum of 1 + cos, which is 1001
    facts = schedule_of(sgd, schedulers.CosineAnnealingLR(sgd, 1000), 1000)
    assert facts.sum[0] == pytest.approx(50.05, rel=1e-9)
    sgd = _sgd()
    facts = schedule_of(sgd, schedulers.PolynomialLR(sgd, 100), 500)  # 0.1 (100 * 101 / 2) / 100
    assert facts.sum[0] == pytest.approx(5.05, rel=1e-9)
    assert (facts.final[0], facts.idle) == (0.0, 400)
    facts = schedule_of(_sgd(), None, 30)
    assert facts.sum[0] == pytest.approx(3.0)
    assert facts.how == "constant"


FOREVER, GONE, OPEN = (False, False, False), (True, True, True), (None, None, None)
TAILS = [
    (lambda o: None, FOREVER),
    (MAKE["StepLR"], GONE),
    (lambda o: schedulers.StepLR(o, 7, 1.0), FOREVER),
    (MAKE["MultiStepLR"], FOREVER),
    (MAKE["ConstantLR"], FOREVER),
    (MAKE["LinearLR"], FOREVER),
    (lambda o: schedulers.LinearLR(o, 1.0, 0.0, 8), GONE),
    (MAKE["ExponentialLR"], GONE),
    (MAKE["PolynomialLR"], GONE),
    (MAKE["CosineAnnealingLR"], FOREVER),
    (MAKE["CosineAnnealingWarmRestarts"], FOREVER),
    (MAKE["CyclicLR"], FOREVER),
    (lambda o: schedulers.CyclicLR(o, 0.0, 0.1, 4, mode="triangular2", cycle_momentum=False), GONE),
    (lambda o: schedulers.CyclicLR(o, 0.0, 0.1, 4, cycle_momentum=False), FOREVER),
    (
        lambda o: schedulers.CyclicLR(o, 0.0, 0.1, 4, scale_fn=lambda x: 1 / x, cycle_momentum=False),
        OPEN,
    ),
    (MAKE["OneCycleLR"], GONE),
    (MAKE["LambdaLR"], OPEN),
    (MAKE["MultiplicativeLR"], OPEN),
    (MAKE["SequentialLR"], FOREVER),
    (
        lambda o: schedulers.SequentialLR(
            o, [schedulers.ConstantLR(o, 0.5, 5), schedulers.ExponentialLR(o, 0.9)], [5]
        ),
        GONE,
    ),
    (MAKE["ChainedScheduler"], GONE),
    (
        lambda o: schedulers.ChainedScheduler([schedulers.ExponentialLR(o, 1.1), schedulers.StepLR(o, 9)]),
        OPEN,
    ),
    (MAKE["ReduceLROnPlateau"], FOREVER),  # eps = 1e-8 stops it from falling for ever
    (lambda o: schedulers.ReduceLROnPlateau(o, eps=0.0), OPEN),
    (lambda o: schedulers.ReduceLROnPlateau(o, eps=0.0, min_lr=1e-3), FOREVER),
]


@pytest.mark.parametrize(("make", "expected"), TAILS)
def test_limits(make, expected):
    sgd = _sgd()
    tail = schedule_of(sgd, make(sgd), 10).tail
    assert (tail.sum_finite, tail.squares_finite, tail.vanishes) == expected
    assert tail.why
    if expected == OPEN:
        return
    # numbers that agree: twice as many steps add nothing, or twice as much
    sgd = _sgd()
    scheduler = make(sgd)
    if isinstance(scheduler, schedulers.OneCycleLR | schedulers.ReduceLROnPlateau):
        return
    sums = [schedule_of(sgd, scheduler, n).sum[0] for n in (3000, 6000, 12_000)]
    if expected == GONE:
        assert sums[2] - sums[1] < 1e-6 * sums[0]
    else:
        assert (sums[2] - sums[1]) / (sums[1] - sums[0]) == pytest.approx(2, rel=0.05)


def test_torch_overflows_after_1024_halvings():
    sgd = _sgd()
    facts = schedule_of(sgd, MAKE["CyclicLR"](sgd), 20_000)
    assert facts.stopped.startswith("OverflowError")
    assert facts.step_sizes.shape[1] == 13 * 1024


def test_a_step_of_zero_is_gone():
    assert tail_of(None, np.zeros(1)).sum_finite


@pytest.mark.parametrize("power", [0.5, 0.75, 1.0, 2.0])
def test_a_functions_limit_is_not_known_but_looked_at(power):
    sgd = _sgd()
    facts = schedule_of(sgd, schedulers.LambdaLR(sgd, lambda t: (1 + t) ** -power), 50)
    assert facts.tail.sum_finite is None
    assert facts.tail.squares_finite is None
    assert facts.tail.exponent == pytest.approx(power, abs=1e-5)


def test_a_function_that_ends():
    sgd = _sgd()
    factors = [1.0, 0.5, 0.25]
    facts = schedule_of(sgd, schedulers.LambdaLR(sgd, lambda t: factors[t]), 5)
    assert facts.step_sizes[0] == pytest.approx([0.1, 0.05, 0.025])
    assert facts.stopped.startswith("IndexError")
    assert facts.tail.sum_finite is None
    assert [each.id for each in schedule_observations(facts)] == ["schedule-stops"]


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("threshold_mode", ["rel", "abs"])
def test_plateau_lies_between_its_extremes(mode, threshold_mode):
    sgd = _sgd()
    scheduler = schedulers.ReduceLROnPlateau(sgd, mode, 0.5, 3, threshold_mode=threshold_mode, cooldown=1)
    for k in range(5):
        scheduler.step(k)
    facts = schedule_of(sgd, scheduler, 12_000)
    now = sgd.param_groups[0]["lr"]
    assert not facts.exact
    assert (facts.step_sizes == now).all()
    never = _trained(sgd, scheduler, 12_000, metric=math.inf if mode == "min" else -math.inf)
    np.testing.assert_array_equal(facts.least, never)
    assert facts.least[0, -1] > 0
    (said,) = schedule_observations(facts)
    assert said.level == "fine"
    assert "never improves" in said.evidence
    assert "metric" in said.evidence


def test_restarts_and_warm_up():
    sgd = _sgd()
    facts = schedule_of(sgd, schedulers.CosineAnnealingWarmRestarts(sgd, 10, 2), 100)
    assert facts.restarts == (10, 30, 70)
    assert facts.warm_up == 0
    sgd = _sgd()
    facts = schedule_of(sgd, MAKE["SequentialLR"](sgd), 60)
    assert (facts.warm_up, facts.restarts) == (10, ())
    sgd = _sgd()  # periodic, without a jump
    facts = schedule_of(sgd, schedulers.CosineAnnealingLR(sgd, 100), 300)
    assert facts.restarts == ()
    assert [each.id for each in schedule_observations(facts)] == ["schedule-rises"]


def _ids(optimizer, scheduler, steps, **options):
    return [each.id for each in schedule_observations(schedule_of(optimizer, scheduler, steps, **options))]


def test_epochs_for_steps_and_their_twins():
    sgd = _sgd()
    cosine = schedulers.CosineAnnealingLR(sgd, 1000)
    assert _ids(sgd, cosine, 1000) == ["schedule"]
    assert _ids(sgd, cosine, 1000, steps_per_epoch=50) == ["schedule-unfinished"]  # stepped once an epoch
    assert _ids(sgd, schedulers.PolynomialLR(sgd, 100), 1000) == ["schedule-idle"]
    sgd = _sgd()
    assert _ids(sgd, schedulers.PolynomialLR(sgd, 100), 100) == ["schedule"]
    sgd = _sgd()
    cycle = schedulers.OneCycleLR(sgd, 0.3, 100, cycle_momentum=False)
    assert _ids(sgd, cycle, 100) == ["schedule"]
    assert _ids(sgd, cycle, 300) == ["schedule-stops"]
    facts = schedule_of(sgd, cycle, 300)
    assert facts.step_sizes.shape == (1, 101)  # torch itself allows one step more
    assert "ValueError" in facts.stopped


def test_another_optimisers_scheduler():
    mine, other = _sgd(), _sgd()
    facts = schedule_of(mine, schedulers.ExponentialLR(other, 0.5), 5)
    assert facts.foreign
    assert (facts.step_sizes == LR).all()
    assert _ids(mine, schedulers.ExponentialLR(other, 0.5), 5) == ["schedule-foreign"]


# ---- hostile input


class Harmonic:
    """A scheduler of a user's own, without torch's base class."""

    def __init__(self, optimizer):
        self.optimizer, self.count = optimizer, 1

    def step(self):
        self.count += 1
        for group in self.optimizer.param_groups:
            group["lr"] = LR / self.count


def test_a_users_own_scheduler_is_replayed():
    sgd = _sgd()
    mine = Harmonic(sgd)
    facts = schedule_of(sgd, mine, 10)
    assert facts.step_sizes[0] == pytest.approx(LR / np.arange(1, 11))
    assert facts.tail.sum_finite is None
    assert facts.position is None
    assert mine.count == 1
    assert sgd.param_groups[0]["lr"] == LR


class AsksForEpoch(Harmonic):
    def step(self, epoch):  # pyright: ignore[reportIncompatibleMethodOverride]
        pass


class HoldsLock(Harmonic):
    def __init__(self, optimizer):
        super().__init__(optimizer)
        self.lock = threading.Lock()


class Raises(Harmonic):
    def step(self):
        raise RuntimeError("no")


def test_hostile_schedulers():
    sgd = _sgd()
    for bad in (AsksForEpoch(sgd), HoldsLock(sgd), object()):
        with pytest.raises(InputError, match=type(bad).__name__):
            schedule_of(sgd, bad, 10)
    facts = schedule_of(sgd, Raises(sgd), 10)
    assert facts.step_sizes.shape == (1, 1)
    assert facts.stopped == "RuntimeError: no"
    bad_steps: list[Any] = [0, 2.5, True]
    for steps in bad_steps:
        with pytest.raises(InputError, match="steps"):
            schedule_of(sgd, None, steps)
    with pytest.raises(InputError, match="steps_per_epoch"):
        schedule_of(sgd, None, 5, steps_per_epoch=0)
    with pytest.raises(InputError, match="resumed_from"):
        schedule_of(sgd, None, 5, resumed_from=-1)
    with pytest.raises(InputError, match="pull"):
        reach(schedule_of(sgd, None, 5), sgd, 0.0)


def test_step_sizes_as_tensors():
    w = torch.ones(2, requires_grad=True)
    adam = torch.optim.Adam([w], lr=torch.tensor(0.5))
    facts = schedule_of(adam, schedulers.ExponentialLR(adam, 0.5), 3)
    assert facts.step_sizes.tolist() == [[0.5, 0.25, 0.125]]
    assert float(adam.param_groups[0]["lr"]) == 0.5


def test_drawn_and_told():
    sgd = _sgd()
    facts = schedule_of(sgd, MAKE["ReduceLROnPlateau"](sgd), 40)
    assert facts.draw().name == "schedule"
    assert facts.as_dict()["exact"] is False
