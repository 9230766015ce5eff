"""Floors against weights that were moved one step at a time: by a plain loop, and by torch with autograd."""

import json
import math

import numpy as np
import pytest
import torch
from scipy.special import ndtri

from nonsmooth.diagnostics import floor
from nonsmooth.errors import InputError

SGD, ADAM = torch.optim.SGD, torch.optim.Adam

# Every optimiser that is not refused, with a step size at which weights arrive within 1,000 steps.
SETTINGS = {
    "SGD": (SGD, {"lr": 3e-3}),
    "SGD-decay": (SGD, {"lr": 3e-3, "weight_decay": 0.5}),
    "SGD-momentum": (SGD, {"lr": 3e-3, "momentum": 0.9}),
    "SGD-dampening": (SGD, {"lr": 3e-3, "momentum": 0.9, "dampening": 0.5}),
    "SGD-nesterov": (SGD, {"lr": 3e-3, "momentum": 0.9, "nesterov": True}),
    "SGD-maximize": (SGD, {"lr": 3e-3, "maximize": True}),
    "Adam": (ADAM, {"lr": 3e-3}),
    "Adam-decay": (ADAM, {"lr": 3e-3, "weight_decay": 0.1}),
    "AMSGrad": (ADAM, {"lr": 3e-3, "amsgrad": True}),
    "AdamW": (torch.optim.AdamW, {"lr": 3e-3, "weight_decay": 0.1}),
    "NAdam": (torch.optim.NAdam, {"lr": 3e-3}),
    "RAdam": (torch.optim.RAdam, {"lr": 3e-3}),
    "Adamax": (torch.optim.Adamax, {"lr": 3e-3}),
    "RMSprop": (torch.optim.RMSprop, {"lr": 3e-3}),
    "RMSprop-centred": (torch.optim.RMSprop, {"lr": 3e-3, "centered": True}),
    "RMSprop-momentum": (torch.optim.RMSprop, {"lr": 3e-3, "momentum": 0.9}),
    "Adagrad": (torch.optim.Adagrad, {"lr": 3e-2}),
    "Adadelta": (torch.optim.Adadelta, {"lr": 3.0}),
    "Rprop": (torch.optim.Rprop, {"lr": 3e-3}),
    "ASGD": (torch.optim.ASGD, {"lr": 3e-3}),
}
REFUSED = {"LBFGS", "Muon", "Adafactor", "SparseAdam"}


def factory_of(name):
    make, settings = SETTINGS[name]
    return lambda parameters: make(parameters, **settings)


def free_weights(factory, strength, starts, steps):
    """|w| after so many steps, the slow and obvious way: the gradient from autograd, steps by torch."""
    weights = torch.nn.Parameter(torch.from_numpy(starts))
    optimizer = factory([weights])
    for _ in range(steps):
        optimizer.zero_grad()
        (strength * weights.abs().sum()).backward()
        optimizer.step()
    return weights.detach().abs().numpy()


def test_every_optimiser_of_torch_has_a_floor_or_is_refused():
    classes = {
        name: value
        for name, value in vars(torch.optim).items()
        if isinstance(value, type) and value.__name__ != "Optimizer"
    }
    covered = {make.__name__ for make, _ in SETTINGS.values()}
    assert {name for name in classes if name not in REFUSED} == covered
    for name in REFUSED & set(classes):
        with pytest.raises(InputError, match=name):
            floor(classes[name], strength=1.0)


def held_against_free_weights(name, steps, seed):
    factory, n = factory_of(name), 10_000
    sizes = free_weights(factory, 2.0, np.random.default_rng(seed).uniform(-1, 1, n), steps)
    threshold = float(np.quantile(sizes, 0.3)) or float(sizes.max()) / 10
    if sizes.std() < 1e-6 * sizes.mean():  # all of one size: a threshold within it would compare rounding
        threshold *= 2
    found = floor(factory, strength=2.0, threshold=threshold, steps=steps)
    # 5 %, or where so many free weights do not pin the figure down to that: four of their standard errors.
    error = 4 * sizes.std() / math.sqrt(n)
    assert found.mean_abs == pytest.approx(sizes.mean(), rel=0.05, abs=error)
    for mine, share in (
        (found.share_below, (sizes < threshold).mean()),
        (found.share_zero, (sizes == 0).mean()),
    ):
        larger = max(mine, share)
        assert mine == pytest.approx(share, rel=0.05, abs=4 * math.sqrt(larger * (1 - larger) / n))
    return found, sizes


@pytest.mark.parametrize("name", SETTINGS)
def test_within_five_per_cent_of_free_weights(name):
    held_against_free_weights(name, 1_500, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_within_five_per_cent_of_free_weights_in_the_long_run(name):
    found, sizes = held_against_free_weights(name, 20_000, seed=2)
    assert found.mean_abs == pytest.approx(sizes.mean(), rel=0.05)


def grid(start, n=100_001):
    """Starts spread evenly over the law's probability, so that averages over them have no sampling error."""
    chances = (np.arange(n) + 0.5) / n
    return 2 * chances - 1 if start == "uniform" else start * ndtri(chances)


@pytest.mark.parametrize(
    ("lr", "decay", "start", "steps"),
    [
        (0.01, 0.0, "uniform", 400),
        (0.01, 0.0, "uniform", 401),
        (0.013, 0.0, "uniform", 40),  # half of them have not arrived
        (0.7, 0.0, "uniform", 10),  # one step is longer than most of the way
        (0.7, 0.0, "uniform", 11),
        (3.0, 0.0, 0.5, 7),
        (0.02, 0.0, 0.3, 60),
        (0.02, 0.5, "uniform", 90),
        (0.02, 0.5, 0.3, 17),
        (0.5, 1.9, 0.3, 6),
        (0.01, 0.0, "uniform", 1),
    ],
)
def test_the_closed_form_is_the_recursion(lr, decay, start, steps):
    b = grid(start)
    signs, largest = np.sign(b), 0.0
    for _ in range(steps):
        b = b - lr * (1.5 * np.sign(b) + decay * b)  # eq. 11, with weight decay
    arrived = signs != np.sign(b)
    threshold = float(np.quantile(np.abs(b), 0.4))
    found = floor(
        lambda p: SGD(p, lr=lr, weight_decay=decay),
        strength=1.5,
        start=start,
        steps=steps,
        threshold=threshold,
    )
    assert found.how == "closed form"
    assert found.mean_abs == pytest.approx(np.abs(b).mean(), rel=1e-4)
    assert found.share_below == pytest.approx((np.abs(b) < threshold).mean(), abs=1e-4)
    assert found.share_arrived >= arrived.mean() - 1e-4
    following = np.abs(b - lr * (1.5 * np.sign(b) + decay * b))
    largest = max(np.abs(b[arrived]).max(), following[arrived].max()) if arrived.any() else 0.0
    assert found.amplitude >= largest * (1 - 1e-3)
    assert found.amplitude <= lr * 1.5 * (1 + 1e-9)


def test_decay_draws_plain_sgd_into_one_size():
    found = floor(lambda p: SGD(p, lr=0.1, weight_decay=1.0), strength=1.0, steps=1_000)
    size = 0.1 / (2 - 0.1)
    assert found.mean_abs == pytest.approx(size, rel=1e-9)
    assert found.amplitude == pytest.approx(size, rel=1e-9)
    assert (found.share_below, found.law) == (0.0, "stationary")


@pytest.mark.parametrize(("strength", "printed"), [(0.002, 0.9989), (2.0, 0.0018)])
def test_table_2_of_the_paper_for_sgd(strength, printed):
    """200 epochs at lr 0.003, threshold 1e-5: a network's shares are those of free weights, nearly."""
    found = floor(lambda p: SGD(p, lr=0.003), strength=strength, start=0.02, steps=78_200)
    assert found.share_below == pytest.approx(printed, rel=0.1)


@pytest.mark.parametrize(
    ("name", "strength", "steps", "law", "words"),
    [
        ("SGD", 2.0, 2_000, "stationary", "agree within 1 %"),
        ("SGD", 2.0, 50, "after 50 steps", "have not arrived"),
        ("SGD", 500.0, 50, "after 50 steps", "changes from step to step"),
        ("SGD-decay", 2.0, 400, "after 400 steps", "weight decay"),
        ("Adam", 2.0, 2_000, "stationary", "step T/2"),
        ("Adam", 2.0, 100, "after 100 steps", "have not arrived"),
        ("Adagrad", 2.0, 4_000, "after 4,000 steps", "up to step T/2"),
        ("SGD-maximize", 2.0, 1_000, "after 1,000 steps", "have not arrived"),
        ("Adam", 2.0, 3, "after 3 steps", "too few steps"),
    ],
)
def test_it_says_which_law_and_why(name, strength, steps, law, words):
    threshold = 1e-3 if name == "SGD-decay" else 1e-5
    found = floor(factory_of(name), strength=strength, steps=steps, threshold=threshold, weights=3_000)
    assert found.law == law
    assert words in found.why


def test_simulation_and_closed_form_agree():
    """float32 is always simulated; at this step size it is no different."""
    exact = floor(factory_of("SGD"), strength=2.0, threshold=1e-3)
    run = floor(factory_of("SGD"), strength=2.0, threshold=1e-3, dtype="float32", steps=3_000)
    assert (exact.how, run.how) == ("closed form", "simulated")
    # An average over a two-point orbit is lr * strength / 2 from every start; 1/c, not whole, does the rest.
    assert run.mean_abs == pytest.approx(0.003, rel=1e-6)
    assert exact.mean_abs == pytest.approx(0.003, rel=2e-3)
    low, high = run.below_interval
    assert low - (high - low) < exact.share_below < high + (high - low)
    assert run.periods == exact.periods == (2,)


def test_steps_too_small_for_float32_do_not_move_large_weights():
    found = floor(lambda p: SGD(p, lr=1e-5), strength=1e-3, start=[0.9, 0.5], steps=500, dtype="float32")
    assert found.mean_abs == pytest.approx(0.7, abs=1e-7)
    assert found.share_arrived == 0


def test_weights_given_one_by_one_are_followed_exactly():
    starts = torch.tensor([[0.25, -0.7], [0.0, 0.013]], dtype=torch.float64)
    found = floor(factory_of("SGD"), strength=2.0, start=starts, steps=501, size=4)
    sizes = free_weights(factory_of("SGD"), 2.0, starts.numpy().copy(), 501)
    assert found.l1_norm == pytest.approx(sizes.sum(), rel=1e-12)
    assert found.share_zero == 0.25
    assert found.weights == 4
    assert found.mean_interval is found.below_interval is found.zero_interval is None


def test_of_many_weights_given_some_are_drawn():
    starts = np.concatenate([np.zeros(3_000), np.ones(3_000)])
    found = floor(lambda p: ADAM(p, lr=1e-4), strength=1.0, start=starts, steps=10, weights=1_000)
    assert found.weights == 1_000
    assert found.zero_interval[0] < 0.5 < found.zero_interval[1]


def test_a_function_draws_the_starts():
    found = floor(
        factory_of("Adam"), strength=1.0, start=lambda rng, n: 5 + rng.random(n), steps=20, weights=100
    )
    assert 5 < found.mean_abs < 6
    assert found.share_arrived == 0
    assert found.amplitude is None


def test_the_floor_scales_with_the_step_under_momentum():
    """With momentum a step is lr * strength times a function of signs: so is the floor."""
    floors = [
        floor(lambda p, lr=lr: SGD(p, lr=lr, momentum=0.9), strength=s, steps=4_000)
        for lr, s in ((1e-3, 4.0), (0.01, 0.2))
    ]
    first, second = (f.mean_abs / (f.lr * f.strength) for f in floors)
    assert first == pytest.approx(second, rel=0.03)


def test_intervals_are_narrow():
    found = floor(factory_of("Adam"), strength=2.0, steps=3_000)
    low, high = found.mean_interval
    assert 0 < high - low < 0.03 * found.mean_abs
    low, high = found.below_interval
    assert low < found.share_below < high


def test_what_it_says_can_be_read_and_stored():
    found = floor(factory_of("RMSprop"), strength=2.0, steps=1_500, size=1_000)
    text = str(found)
    assert text.startswith("RMSprop(lr=0.003) on 2 * ||w||_1 alone, start uniform on [-1, 1], 1,500 steps\n")
    assert "L1 norm, 1,000 weights" in text
    assert "rest at exactly 0" in text
    again = json.loads(json.dumps(found.as_dict()))
    assert again["l1_norm"] == found.l1_norm == pytest.approx(1_000 * found.mean_abs)


def test_progress_is_told_to_the_end():
    told = []
    floor(factory_of("Adam"), strength=1.0, steps=1_001, weights=10, progress=lambda *at: told.append(at))
    assert told[-1] == (1_001, 1_001)
    assert [done for done, _ in told] == sorted({done for done, _ in told})


def test_weights_that_leave_the_floats_are_told():
    found = floor(lambda p: SGD(p, lr=1e300, momentum=0.9), strength=1e10, steps=40, weights=10)
    assert math.isnan(found.mean_abs) or math.isinf(found.mean_abs)
    assert "no finite numbers" in found.explanation
    assert found.law == "after 40 steps"


class Custom(torch.optim.Optimizer):
    def __init__(self, params, rule):
        super().__init__(params, {"lr": 0.01})
        self.rule = rule

    def step(self, closure=None):  # pyright: ignore
        for parameter in self.param_groups[0]["params"]:
            parameter.data -= 0.01 * self.rule(parameter.grad, parameter)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (lambda g, p: g / g.norm(), "couples weights"),
        (lambda g, p: g + p.mean(), "couples weights"),
        # Entries of a vector are moved alone, those of a matrix together.
        (lambda g, p: g if p.ndim == 1 else g / g.norm(dim=0), "4 x 4 of a tensor of 8 x 8"),
        (lambda g, p: g * torch.rand(()), "draws random numbers"),
        (lambda g, p: g.missing, "fails on the penalty's gradient"),
    ],
)
def test_optimisers_that_do_not_move_weights_one_by_one_are_refused(rule, words):
    with pytest.raises(InputError, match=words):
        floor(lambda p: Custom(p, rule), strength=1.0)


def test_an_optimiser_for_matrices_only_is_run_on_one():
    class Matrices(Custom):
        def __init__(self, params):
            super().__init__(params, lambda g, p: g)
            if self.param_groups[0]["params"][0].ndim != 2:
                raise ValueError("matrices only")

    found = floor(Matrices, strength=1.0, steps=1_000, threshold=1e-3)
    assert found.mean_abs == pytest.approx(0.005, rel=0.05)


@pytest.mark.parametrize(
    ("factory", "words"),
    [
        (lambda p: SGD(p, lr=-1), "Invalid learning rate"),
        (lambda p: SGD([torch.zeros(3)], lr=1), "other parameters"),
        (lambda p: "Adam", "gives a str"),
    ],
)
def test_factories_that_are_none(factory, words):
    with pytest.raises(InputError, match=words):
        floor(factory, strength=1.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"strength": 0},
        {"strength": -1},
        {"strength": math.nan},
        {"strength": "much"},
        {"threshold": -1e-5},
        {"threshold": math.inf},
        {"steps": 0},
        {"steps": 2.5},
        {"steps": True},
        {"steps": 10**9},
        {"size": 0},
        {"weights": 1},
        {"seed": -1},
        {"dtype": "float16"},
        {"start": "normal"},
        {"start": 0.0},
        {"start": -1},
        {"start": math.nan},
        {"start": []},
        {"start": [math.inf]},
        {"start": None},
        {"start": lambda rng, n: [1.0]},
        {"start": lambda rng, n: np.full(n, math.nan)},
    ],
)
def test_values_that_are_not_allowed(wrong):
    (name,) = wrong
    with pytest.raises(InputError, match=name):
        floor(factory_of("Adam"), **({"strength": 1.0} | wrong))


def test_nothing_is_below_a_threshold_of_zero():
    assert floor(factory_of("SGD"), strength=2.0, threshold=0).share_below == 0.0


@pytest.mark.parametrize(("lr", "start"), [(1e20, "uniform"), (1.0, 1e-20)])
def test_steps_beyond_which_a_start_is_forgotten_are_simulated(lr, start):
    """A weight comes back from such a step to exactly 0, which the law over the reals does not know."""
    found = floor(lambda p: SGD(p, lr=lr), strength=1.0, start=start, steps=100, weights=200)
    assert (found.how, found.share_zero) == ("simulated", 1.0)
    assert floor(lambda p: SGD(p, lr=1e5), strength=1.0, steps=100).how == "closed form"
