"""The effective step against what the optimiser really does, and refusals in words."""

import pytest
import torch

import nonsmooth as ns
from methods.optimisers import OPTIMISERS
from nonsmooth.errors import InputError
from nonsmooth.methods import Metric, effective_step, register_metric
from nonsmooth.methods._metric import check_metric

# What a settled buffer adds is seen after some steps; before, only these give it exactly at every step.
SETTLED = 3000
AT_EVERY_STEP = {
    "SGD", "SGD, maximise", "Adam", "Adam, maximise", "AdamW", "AMSGrad", "Adamax", "NAdam", "RAdam",
    "RMSprop", "Adagrad", "Adagrad, decay", "Adadelta",
}  # fmt: skip


def _moves(factory, gradient: torch.Tensor, steps: int):
    """Pairs (what the optimiser moved by over the gradient, the effective step) after each step."""
    x = torch.nn.Parameter(torch.zeros_like(gradient))
    optimizer = factory([x])
    for _ in range(steps):
        before = x.detach().clone()
        x.grad = gradient.clone()
        optimizer.step()
        move = (before - x.detach()) / gradient * (-1 if optimizer.param_groups[0].get("maximize") else 1)
        step = effective_step(optimizer, optimizer.param_groups[0], x).step()
        yield move, torch.as_tensor(step, dtype=gradient.dtype).expand_as(gradient)


@pytest.mark.parametrize("name", [name for name in OPTIMISERS if "decay" not in name or "Adagrad" in name])
def test_the_effective_step_is_what_a_constant_gradient_is_multiplied_by(name: str) -> None:
    gradient = torch.tensor([1.0, -0.3, 0.01, 40.0], dtype=torch.float64)
    # A centred second moment of a constant gradient tends to 0; compare while it is above rounding.
    steps = 60 if name == "RMSprop, centred" else SETTLED
    moves = list(_moves(OPTIMISERS[name], gradient, steps))
    for move, step in moves if name in AT_EVERY_STEP else moves[-1:]:
        torch.testing.assert_close(move, step, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", ["SGD, momentum", "SGD, dampening", "SGD, Nesterov", "RMSprop, momentum"])
def test_with_momentum_the_first_steps_are_smaller_than_what_settles(name: str) -> None:
    move, step = next(_moves(OPTIMISERS[name], torch.tensor([1.0, -0.3], dtype=torch.float64), 1))
    assert (move < 0.999 * step).all()


def test_coupled_weight_decay_belongs_to_the_loss() -> None:
    """The step does not change; the decay is a gradient like any other."""
    x = torch.nn.Parameter(torch.tensor([2.0], dtype=torch.float64))
    optimizer = torch.optim.SGD([x], lr=0.1, weight_decay=0.5)
    x.grad = torch.tensor([3.0], dtype=torch.float64)
    optimizer.step()
    assert effective_step(optimizer, optimizer.param_groups[0], x).step() == 0.1
    assert x.item() == pytest.approx(2.0 - 0.1 * (3.0 + 0.5 * 2.0))


def test_a_learning_rate_in_a_tensor_is_read() -> None:
    x = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.Adam([x], lr=torch.tensor(0.25), foreach=False)
    x.grad = torch.tensor([1.0, 2.0])
    optimizer.step()
    step = effective_step(optimizer, optimizer.param_groups[0], x).step()
    torch.testing.assert_close(step, torch.tensor([0.25, 0.125]))


def test_steps_are_finite_where_a_moment_is_zero() -> None:
    zero = torch.zeros(3)
    for metric in (Metric(0.1, zero), Metric(0.0, zero), Metric(0.1, zero, root=False)):
        assert torch.isfinite(metric.step()).all()
    assert (Metric(0.0, zero).step() == 0).all()


def test_a_gradient_whose_square_overflows_makes_no_nan_of_its_own() -> None:
    """torch's own Adadelta divides by the infinite moment and stays where it is."""
    ends = []
    for attached in (False, True):
        x = torch.nn.Parameter(torch.ones(3))
        optimizer = torch.optim.Adadelta([x])
        if attached:
            ns.attach(optimizer, ns.L1(1e-3), params=[x])
        for _ in range(2):
            x.grad = torch.tensor([1e30, -1e30, 0.0])
            optimizer.step()
        ends.append(x.detach()[:2])
    torch.testing.assert_close(*ends, rtol=0, atol=0)


def test_before_its_first_step_momentum_has_no_step_yet() -> None:
    x = torch.nn.Parameter(torch.ones(2))
    prox = ns.attach(torch.optim.SGD([x], lr=0.1, momentum=0.9), ns.L1(1.0), params=[x])
    with pytest.raises(InputError, match="no step has been taken"):
        prox.step_of(x)


def test_a_skipped_step_has_step_zero() -> None:
    metric = Metric(
        0.1, torch.zeros(3), float("inf"), 1e-8
    )  # what Adam's corrections are before its first step
    assert (metric.unless(torch.tensor(1.0)).step() == 0).all()
    torch.testing.assert_close(
        Metric(0.1, torch.ones(3)).unless(torch.tensor(0.0)).step(), torch.full((3,), 0.1)
    )


class Lion(torch.optim.Optimizer):
    pass


class Mine(torch.optim.Optimizer):
    pass


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: torch.optim.LBFGS(p), "LBFGS has no proximal step: .*dense curvature.*use ProxSGD"),
        (lambda p: torch.optim.Rprop(p), "Rprop has no proximal step: .*sign only.*use SGD or Adam"),
        (lambda p: torch.optim.Muon(p), "Muon has no proximal step: .*whole matrices.*AdamW"),
        (lambda p: torch.optim.Adafactor(p), "Adafactor has no proximal step: .*whole tensor.*use AdamW"),
        (lambda p: torch.optim.SparseAdam(p), "SparseAdam has no proximal step"),
        (lambda p: torch.optim.ASGD(p), "ASGD has no proximal step: .*average"),
        (lambda p: Lion(p, {"lr": 0.1}), "Lion has no proximal step: .*sign of its momentum"),
        (lambda p: Mine(p, {"lr": 0.1}), "Mine is not known .*@ns.register_metric.*Adam"),
        (lambda p: torch.optim.SGD(p, lr=0.1, momentum=1.0), r"momentum = 1.0 is not allowed.*\[0, 1\)"),
        (lambda p: torch.optim.Adam(p, differentiable=True), "differentiable=True is not allowed"),
    ],
)
def test_what_has_no_metric_is_refused_in_words(make, words: str) -> None:
    with pytest.raises(InputError, match=words):
        check_metric(make([torch.nn.Parameter(torch.zeros(2, 2))]))


def test_every_stock_optimiser_is_known_or_refused_in_words() -> None:
    """A new one in torch must be thought about."""
    from nonsmooth.methods._metric import _REFUSED, _RULES

    stock = {
        name
        for name, kind in vars(torch.optim).items()
        if isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer) and name != "Optimizer"
    }
    known = {kind.__name__ for kind in _RULES} | {"AdamW"}
    assert stock <= known | set(_REFUSED)
    assert not known & set(_REFUSED)


def test_a_third_party_registers_its_own() -> None:
    class Halving(torch.optim.SGD):
        pass

    x = torch.nn.Parameter(torch.ones(1))

    @register_metric(Halving)
    def rule(group, state, parameter):
        return Metric(group["lr"] / 2)

    class Child(Halving):
        pass

    optimizer = Child([x], lr=0.5)
    check_metric(optimizer)
    assert effective_step(optimizer, optimizer.param_groups[0], x).step() == 0.25


def test_only_optimisers_and_functions_are_registered() -> None:
    with pytest.raises(InputError, match="kind = 5 is no optimiser class"):
        register_metric(5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the rule is a float; give a function"):
        register_metric(torch.optim.SGD)(0.1)  # type: ignore[arg-type]


def test_adadelta_with_weight_decay_is_refused() -> None:
    x = torch.nn.Parameter(torch.ones(1))
    optimizer = torch.optim.Adadelta([x], weight_decay=0.1)
    x.grad = torch.ones(1)
    optimizer.step()
    with pytest.raises(InputError, match="Adadelta with weight_decay"):
        effective_step(optimizer, optimizer.param_groups[0], x)
    optimizer.zero_grad()
    with pytest.raises(InputError, match=r"ask before zero_grad\(\)"):
        effective_step(optimizer, optimizer.param_groups[0], x)
