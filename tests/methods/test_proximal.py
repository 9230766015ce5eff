"""torch's test patterns for its optimisers, on ProxAdam and ProxSGD; both against the attached penalty."""

import math
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler
from torch.optim.optimizer import register_optimizer_step_post_hook

import nonsmooth as ns
from methods.proximal import (
    BOTH,
    IMPLEMENTATIONS,
    KINDS,
    OPTIONS,
    PENALTY,
    assert_close,
    assert_equal,
    copies,
    every_kind,
    gradients,
    make,
)
from nonsmooth.errors import InputError


def _with_gaps() -> nn.Parameter:
    """One that the kernels leave to torch; a copy of it has no gaps, so its rounding may differ."""
    return nn.Parameter(torch.randn(6, 5, 2)[..., 0])


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=str)
@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_implementation_is_stock_with_the_penalty_attached(
    dtype, kind, options, implementation
) -> None:
    tensors = any(
        isinstance(each, torch.Tensor) for each in (options.get("lr"), options.get("betas", (0,))[0])
    )
    if implementation.get("foreach") and tensors and kind == "adam":
        with pytest.raises(ValueError, match="as a Tensor is not supported"):
            make(kind, every_kind(), options, **implementation)
        return
    a = [*every_kind(dtype), _with_gaps()]
    b = [*copies(a[:-1]), _with_gaps()]
    b[-1].data.copy_(a[-1])
    stock = KINDS[kind][1](a, **options)
    ns.attach(stock, PENALTY, params=a)
    ours = make(kind, b, options, **implementation)
    for _ in range(12):
        gradients(a, b)
        stock.step()
        ours.step()
    # torch does part of the arithmetic of a tensor lr in the lr's own float32.
    slack = 1e9 if tensors else 1.0
    for p, q in zip(a, b, strict=True):
        assert_close([p], [q], slack if p.dtype is torch.float64 else 1.0)
    if options.get("lr", 0.01) >= 0.01:
        assert any((p == 0).any() for p in b)
    for p, q in zip(a, b, strict=True):
        for name, value in stock.state[p].items():
            if isinstance(value, torch.Tensor):
                torch.testing.assert_close(ours.state[q][name], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS, ids=str)
@pytest.mark.parametrize(("kind", "options"), [*BOTH, ("adam", {"amsgrad": True})], ids=str)
def test_gradients_in_another_order_of_axes(kind: str, options, implementation) -> None:
    """Where torch's own fused step on the CPU, silently, takes each entry's gradient from another entry."""
    a, b = ([nn.Parameter(torch.ones(6, 5))] for _ in range(2))
    torch.manual_seed(0)
    stock, ours = KINDS[kind][1](a, **options), make(kind, b, options, **implementation)
    ns.attach(stock, PENALTY, params=a)
    for _ in range(3):
        b[0].grad = torch.randn(5, 6).t()
        a[0].grad = b[0].grad.contiguous()
        stock.step()
        ours.step()
    assert_close(a, b)


@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
@pytest.mark.parametrize(
    "penalty",
    [None, ns.MCP(0.05, 3.0), ns.GroupL1(0.05, "rows"), ns.ElasticNet(0.05, 0.0, width=0.1)],
    ids=["none", "MCP", "rows", "smooth twin"],
)
def test_other_penalties(kind: str, options, penalty) -> None:
    a = [nn.Parameter(torch.randn(4, 3, dtype=torch.float64)) for _ in range(2)]
    b = copies(a)
    stock = KINDS[kind][1](a, **options)
    if penalty is not None:
        ns.attach(stock, penalty, params=a)
    ours = make(kind, b, options, penalty=penalty)
    for _ in range(12):
        gradients(a, b)
        stock.step()
        ours.step()
    assert_close(a, b)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_half_precision_takes_torchs_way(kind: str, options, dtype) -> None:
    a = [nn.Parameter(torch.randn(40).to(dtype))]
    b = copies(a)
    options = {**options, **({"eps": 1e-4} if kind == "adam" else {})}
    stock, ours = KINDS[kind][1](a, **options), make(kind, b, options)
    ns.attach(stock, PENALTY, params=a)
    for _ in range(5):
        gradients(a, b)
        stock.step()
        ours.step()
    assert_equal(a, b)


SCHEDULES = {
    "LambdaLR": lambda o: lr_scheduler.LambdaLR(o, lambda t: 0.9**t),
    "MultiplicativeLR": lambda o: lr_scheduler.MultiplicativeLR(o, lambda t: 0.95),
    "StepLR": lambda o: lr_scheduler.StepLR(o, 3),
    "MultiStepLR": lambda o: lr_scheduler.MultiStepLR(o, [2, 5]),
    "ConstantLR": lambda o: lr_scheduler.ConstantLR(o, 0.5),
    "LinearLR": lambda o: lr_scheduler.LinearLR(o, 0.5),
    "ExponentialLR": lambda o: lr_scheduler.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda o: lr_scheduler.PolynomialLR(o, 20),
    "CosineAnnealingLR": lambda o: lr_scheduler.CosineAnnealingLR(o, 10),
    "CosineAnnealingWarmRestarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 4),
    "ReduceLROnPlateau": lambda o: lr_scheduler.ReduceLROnPlateau(o, patience=1),
    "CyclicLR": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.05, 3, cycle_momentum="momentum" in o.defaults),
    "OneCycleLR": lambda o: lr_scheduler.OneCycleLR(o, 0.05, total_steps=20),
    "ChainedScheduler": lambda o: lr_scheduler.ChainedScheduler([lr_scheduler.ExponentialLR(o, 0.9)]),
    "SequentialLR": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.ConstantLR(o, 0.1, 2), lr_scheduler.ExponentialLR(o, 0.9)], [3]
    ),
    "SWALR": lambda o: torch.optim.swa_utils.SWALR(o, swa_lr=0.05),
}


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_every_stock_schedule(kind: str, options, schedule: str) -> None:
    """The step, and with CyclicLR and OneCycleLR the momentum, change; the threshold with them."""
    a = [nn.Parameter(torch.randn(4, 3, dtype=torch.float64))]
    b = copies(a)
    pairs = []
    for parameters, optimizer in ((a, KINDS[kind][1](a, **options)), (b, make(kind, b, options))):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some schedules say that they were stepped before the optimiser
            pairs.append((parameters, optimizer, SCHEDULES[schedule](optimizer)))
    ns.attach(pairs[0][1], PENALTY, params=a)
    for t in range(12):
        gradients(a, b)
        for _, optimizer, plan in pairs:
            optimizer.step()
            plan.step(*([1.0 / (t + 1)] if schedule == "ReduceLROnPlateau" else []))
    assert_close(a, b)


@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_groups_have_their_own_options_and_penalties(kind: str, options) -> None:
    def step_alone(p: torch.Tensor, **more) -> torch.Tensor:
        own = nn.Parameter(p.detach().clone())
        own.grad = torch.ones_like(own)
        make(kind, [own], {**options, **more}).step()
        return own.detach()

    w, bias, late = (nn.Parameter(torch.randn(5)) for _ in range(3))
    optimizer = KINDS[kind][0](
        [{"params": [w], "lr": 0.1}, {"params": [bias], "penalty": None}], **options, penalty=PENALTY
    )
    optimizer.add_param_group({"params": [late], "penalty": ns.L1(1.0), "weight_decay": 0.2})
    assert [term.penalty.l1 for term in optimizer.terms] == [0.8, 1.0]
    expected = [
        step_alone(w, lr=0.1),
        step_alone(bias, penalty=None),
        step_alone(late, penalty=ns.L1(1.0), weight_decay=0.2),
    ]
    for p in (w, bias, late):
        p.grad = torch.ones_like(p)
    optimizer.step()
    assert_equal((w, bias, late), expected)


@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=str)
def test_without_gradients_nothing_moves(kind: str, options) -> None:
    parameters = every_kind()
    before = copies(parameters)
    optimizer = make(kind, parameters, options)
    optimizer.step()
    assert_equal(parameters, before)
    assert not optimizer.state
    parameters[0].grad = torch.zeros_like(parameters[0])  # only this one is the penalty's now
    optimizer.step()
    assert_equal(parameters[1:], before[1:])
    for p in parameters:
        p.grad = torch.zeros_like(p)
    optimizer.step()
    if options.get("weight_decay") is None:  # with decay the metric of Adam is that of the decay's gradients
        assert all((p.abs() <= q.abs()).all() for p, q in zip(parameters, before, strict=True))


@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_hooks_printing_and_closures(kind: str, options) -> None:
    p = nn.Parameter(torch.ones(3))
    optimizer = make(kind, [p], options)
    calls = []
    handles = [
        optimizer.register_step_pre_hook(lambda *args: calls.append("before")),
        optimizer.register_step_post_hook(lambda *args: calls.append("after")),
        register_optimizer_step_post_hook(lambda *args: calls.append("after any")),
    ]

    def closure() -> torch.Tensor:
        calls.append("loss")
        optimizer.zero_grad()
        loss = (p**2).sum()
        assert torch.is_grad_enabled()
        loss.backward()
        return loss

    loss = optimizer.step(closure)
    assert isinstance(loss, torch.Tensor)
    assert loss.item() == 3.0
    assert calls == ["before", "loss", "after", "after any"]
    for handle in handles:
        handle.remove()
    assert optimizer.step() is None
    assert calls == ["before", "loss", "after", "after any"]
    assert "penalty: ElasticNet(l1=0.8, l2=0.02" in repr(optimizer)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_a_gradient_that_is_no_number_spoils_its_own_entry_only(kind: str, options, bad: float) -> None:
    a = [nn.Parameter(torch.ones(40))]
    b = copies(a)
    stock, ours = KINDS[kind][1](a, **options), make(kind, b, options, penalty=ns.L1(1e-3))
    for p in (*a, *b):
        p.grad = torch.ones_like(p)
        p.grad[7] = bad
    stock.step()
    ours.step()
    assert torch.equal(b[0].isfinite(), a[0].isfinite())
    assert b[0].isfinite().sum() == 39


@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_a_step_that_gradient_scaling_skips(kind: str, options) -> None:
    p = nn.Parameter(torch.ones(4))
    for more in ({}, {"fused": True}):
        optimizer, scaler = make(kind, [p], options, **more), torch.amp.GradScaler("cpu", init_scale=4.0)
        scaler.scale(torch.ones(1))
        before = p.detach().clone()
        p.grad = torch.tensor([1.0, float("inf"), 1.0, 1.0])
        scaler.step(optimizer)
        scaler.update()
        assert torch.equal(p, before)
        own = nn.Parameter(before.clone())
        p.grad, own.grad = torch.full((4,), scaler.get_scale()), torch.ones(4)
        scaler.step(optimizer)
        make(kind, [own], options).step()
        torch.testing.assert_close(p, own)


@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_it_answers_like_an_attachment(kind: str, options) -> None:
    w, bias = nn.Parameter(torch.tensor([3.0, -1.0])), nn.Parameter(torch.ones(2))
    optimizer = KINDS[kind][0](
        [{"params": [("w", w)], "penalty": ns.L1(0.5)}, {"params": [("bias", bias)]}], **options
    )
    assert optimizer.optimizer is optimizer
    assert [(term.name, term.penalty.l1) for term in optimizer.terms] == [("w", 0.5)]
    assert optimizer.value().item() == 2.0
    if kind == "adam":
        with pytest.raises(InputError, match="no step has been taken"):
            optimizer.step_of(w)
    before = w.detach().clone()
    w.grad = bias.grad = torch.zeros(2)
    optimizer.step()
    step = optimizer.step_of(w)
    if kind == "sgd":
        assert step == pytest.approx(0.02)
        torch.testing.assert_close(w.detach(), before - 0.01 * before.sign())
        w.grad = torch.zeros(2)
        optimizer.step()
        assert optimizer.step_of(w) == pytest.approx(0.02 * 1.9)  # two instalments
    else:
        torch.testing.assert_close(step, torch.full((2,), 0.02 / 1e-8))
        assert (w == 0).all()  # no gradient ever: the penalty alone decides
    with pytest.raises(InputError, match="not in this optimiser"):
        optimizer.step_of(torch.ones(2))
    assert KINDS[kind][0]([w], **options).value().item() == 0.0


@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_what_it_solves_is_stationary_for_the_strength_asked_for(kind: str, options) -> None:
    """A LASSO with columns of different scales, solved to rounding: exact zeros, distance 1e-12."""
    torch.manual_seed(0)
    X = torch.randn(60, 12, dtype=torch.float64) * torch.logspace(-0.2, 0.2, 12, dtype=torch.float64)
    y = X[:, :6].sum(1) + 0.1 * torch.randn(60, dtype=torch.float64)
    w, penalty = nn.Parameter(torch.zeros(12, dtype=torch.float64)), ns.L1(0.1)
    optimizer = make(kind, [w], options, penalty=penalty)
    for _ in range(6000):
        optimizer.zero_grad()
        (0.5 * ((X @ w - y) ** 2).mean()).backward()
        optimizer.step()
    gradient = X.T @ (X @ w.detach() - y) / 60
    assert penalty.subdifferential_distance(w.detach(), gradient) < 1e-12
    assert 0 < (w == 0).sum() < 12


BAD = {
    "learning rate": ("lr", [-1e-2, math.nan, math.inf, "fast"]),
    "weight_decay value": ("weight_decay", [-1.0, math.nan]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("words", BAD)
def test_bad_numbers_are_named(kind: str, words: str) -> None:
    option, values = BAD[words]
    for value in values:
        with pytest.raises(
            InputError, match=f"Invalid {words}: {value}; give {option} as a finite number >= 0"
        ):
            make(kind, [nn.Parameter(torch.ones(2))], {option: value})
        good = make(kind, [nn.Parameter(torch.ones(2))])
        with pytest.raises(InputError, match=f"Invalid {words}"):
            good.add_param_group({"params": [nn.Parameter(torch.ones(2))], option: value})
        assert len(good.param_groups) == 1
    with pytest.raises(InputError, match="Tensor lr must be 1-element"):
        make(kind, [nn.Parameter(torch.ones(2))], {"lr": torch.tensor([0.1, 0.2])})


@pytest.mark.parametrize("kind", KINDS)
def test_bad_parameters_and_penalties_are_refused_in_words(kind: str) -> None:
    p = nn.Parameter(torch.ones(2))
    with pytest.raises(InputError, match=r"penalty = 0\.001 is not a penalty; give e\.g\. ns\.L1"):
        make(kind, [p], penalty=1e-3)
    with pytest.raises(InputError, match=r"dtype torch\.complex64"):
        make(kind, [nn.Parameter(torch.ones(2, dtype=torch.complex64))])
    with pytest.raises(InputError):
        make(kind, [p], penalty=ns.GroupL1(0.1, "filters"))  # a vector has none
    with pytest.raises(InputError, match=r"does not fit its shape .* give it one number as its strength"):
        make(kind, [p], penalty=ns.L1(np.array([0.1, 0.2])))
    with pytest.raises(InputError, match="a lazy module has no shape yet; run the model once"):
        make(kind, list(nn.LazyLinear(2).parameters()))
    with pytest.raises(ValueError, match="empty parameter list"):
        make(kind, [])
    with pytest.raises(TypeError, match="iterable of Tensors or dicts"):
        make(kind, p)
    with pytest.raises(ValueError, match="more than one parameter group"):
        make(kind, [{"params": [p]}, {"params": [p]}])
    with pytest.raises(TypeError, match="differentiable"):
        make(kind, [p], differentiable=True)
    optimizer = make(kind, [p])
    p.grad = torch.ones(2).to_sparse()
    with pytest.raises(InputError, match="does not support sparse gradients"):
        optimizer.step()


@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_a_compiled_training_step_calls_it(kind: str, options) -> None:
    a = [nn.Parameter(torch.randn(7, 5)), nn.Parameter(torch.randn(6))]
    b = copies(a)
    plain, compiled = make(kind, a, options), make(kind, b, options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own, about its profiler in compiled code
        step = torch.compile(compiled.step, backend="eager")
        for _ in range(4):
            gradients(a, b)
            plain.step()
            step()
    assert_equal(a, b)
    torch.compiler.reset()
