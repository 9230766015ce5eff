"""What is kept from step to step changes nothing, whatever is done to the parameters between two steps."""

import copy
import gc
import weakref
from collections.abc import Callable

import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.errors import InputError
from nonsmooth.methods._attach import Attachment
from nonsmooth.methods._columns import Columns, numbers_of
from nonsmooth.methods._kernels import Thresholds
from nonsmooth.methods._metric import effective_step, effective_steps, next_gain, rule_of

Between = Callable[[nn.Module, torch.optim.Optimizer], None]


def _fresh_state(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))


def _moved(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for p in model.parameters():
        p.data = p.data.clone()


def _other_type(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    model.double()
    _fresh_state(model, optimizer)  # casts it to the parameters' type


def _one_without_gradient(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    next(model.parameters()).requires_grad_(False)
    next(model.parameters()).grad = None


def _moment_in_other_order(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    p = next(model.parameters())
    for name, value in optimizer.state[p].items():
        if isinstance(value, torch.Tensor) and value.shape == p.shape:
            optimizer.state[p][name] = value.t().contiguous().t()


def _parameter_in_other_order(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    p = next(model.parameters())
    p.data = p.data.t().contiguous().t()


def _counts_apart(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    for k, state in enumerate(optimizer.state.values()):
        if "step" in state:
            state["step"] += k


def _smaller_group(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    last = optimizer.param_groups[0]["params"].pop()
    optimizer.add_param_group({"params": [last], "lr": 0.02})


BETWEEN: dict[str, Between] = {
    "nothing": lambda model, optimizer: None,
    "state loaded": _fresh_state,
    "parameters moved": _moved,
    "other type": _other_type,
    "one without gradient": _one_without_gradient,
    "moment in other order": _moment_in_other_order,
    "parameter in other order": _parameter_in_other_order,
    "counts apart": _counts_apart,
    "smaller group": _smaller_group,
}


def _train(make: Callable[[nn.Module], object], between: Between, forget: bool) -> list[torch.Tensor]:
    torch.manual_seed(0)
    model = nn.Sequential(*(nn.Linear(6, 6) for _ in range(4)))
    kept = make(model)
    optimizer = getattr(kept, "optimizer", kept)
    assert isinstance(optimizer, torch.optim.Optimizer)
    for step in range(6):
        if step == 3:
            between(model, optimizer)
        if forget:
            optimizer.__dict__.pop("_columns", None)
            if isinstance(kept, Attachment):
                kept._members, kept._thresholds = [], Thresholds()
        optimizer.zero_grad()
        x = torch.linspace(-1, 1, 12, dtype=next(model.parameters()).dtype).reshape(2, 6)
        model(x).square().sum().backward()
        optimizer.step()
    return [p.detach().clone() for p in model.parameters()]


def _attached(kind: type, **options: object) -> Callable[[nn.Module], object]:
    return lambda model: ns.attach(
        kind(model.parameters(), **options), ns.ElasticNet(0.02, 0.01), params=list(model.parameters())
    )


MAKERS: dict[str, Callable[[nn.Module], object]] = {
    "ProxAdam": lambda model: ns.ProxAdam(model.parameters(), lr=0.03, penalty=ns.L1(0.02)),
    "ProxSGD": lambda model: ns.ProxSGD(model.parameters(), lr=0.03, momentum=0.5, penalty=ns.L1(0.1)),
    "Adam, attached": _attached(torch.optim.Adam, lr=0.03),
    "AMSGrad, attached": _attached(torch.optim.AdamW, lr=0.03, amsgrad=True),
    "SGD, attached": _attached(torch.optim.SGD, lr=0.03, momentum=0.9, nesterov=True),
    "RMSprop, attached": _attached(torch.optim.RMSprop, lr=0.01, centered=True, momentum=0.5),
}


@pytest.mark.parametrize("between", BETWEEN)
@pytest.mark.parametrize("maker", MAKERS)
def test_to_forget_what_is_kept_changes_nothing(maker: str, between: str) -> None:
    remembered = _train(MAKERS[maker], BETWEEN[between], forget=False)
    forgotten = _train(MAKERS[maker], BETWEEN[between], forget=True)
    assert any((p == 0).any() for p in remembered)
    for p, q in zip(remembered, forgotten, strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("options", [{"amsgrad": False}, {"amsgrad": True}, {"momentum": 0.9}, {}])
def test_many_steps_are_each_one_s(options: dict, count: int) -> None:
    torch.manual_seed(0)
    parameters = [nn.Parameter(torch.randn(3)) for _ in range(count)]
    optimizer = (torch.optim.Adam if "amsgrad" in options else torch.optim.SGD)(parameters, lr=0.1, **options)
    (group,) = optimizer.param_groups
    gains: list[float | None] = [None] * count
    known = Columns()
    for step in range(4):
        for k, p in enumerate(parameters):
            p.grad = torch.randn(3) if k or step % 2 else None  # so that their counts differ
            if p.grad is not None and "momentum" in options:
                gains[k] = next_gain(group, gains[k])
        optimizer.step()
        some = [p for p in parameters if optimizer.state.get(p) or "amsgrad" not in options]
        own = gains[-len(some) :] if some else []
        states = [optimizer.state.get(p, {}) for p in some]
        together = effective_steps(rule_of(type(optimizer)), group, some, states, own, known)
        for p, gain, metric in zip(some, own, together.each(), strict=True):
            single = effective_step(optimizer, group, p, gain)
            assert (metric.numerator, metric.scale, metric.eps) == (
                single.numerator,
                single.scale,
                single.eps,
            )
            assert metric.moment is single.moment


def test_columns_say_when_they_must_be_looked_at() -> None:
    known = Columns()
    x = [torch.zeros(3), torch.ones(4)]
    table = known(x, [None, None])
    assert table is not None
    assert table.total == 7
    assert known(x, [None, None]) is table
    assert known(x, x) is not table
    assert known([torch.zeros(3), torch.ones(4)[:3]], [None, None]) not in (None, table)
    for others in ([torch.zeros(3), None], [torch.zeros(3), torch.zeros(4).double()], [torch.zeros(3)] * 2):
        assert known(x, others) is None
    assert known([torch.zeros(3), torch.zeros(2, 3).t()]) is None
    assert known([torch.zeros(3, dtype=torch.int64)]) is None
    assert known([]) is None
    assert numbers_of(x, known) is None
    assert numbers_of([torch.tensor(3.0), torch.tensor(4.0)], known) == [3.0, 4.0]


def _idle(optimizer: torch.optim.Optimizer, *parameters: nn.Parameter) -> None:
    """A step with gradients of 0, each a new tensor."""
    for p in parameters:
        p.grad = None
        p.grad = torch.zeros_like(p)
    optimizer.step()


def test_another_type_at_the_same_address() -> None:
    memory, values = torch.zeros(64, dtype=torch.uint8), torch.tensor([3.0, -3.0, 0.05, 1.0])
    p, q = nn.Parameter(values.clone()), nn.Parameter(torch.zeros(4))
    q.data = memory.view(torch.float32)[:4]
    q.data.copy_(values)
    optimizer = torch.optim.SGD([p, q], lr=0.1)
    ns.attach(optimizer, ns.L1(1.0), params=[p, q])
    _idle(optimizer, p, q)
    q.grad = None
    q.data = memory.view(torch.float64)[:4]
    q.data.copy_(values)
    _idle(optimizer, p, q)
    torch.testing.assert_close(q.data, torch.tensor([2.9, -2.9, 0.0, 0.9], dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_an_empty_tensor_has_one_address_in_every_type(dtype: torch.dtype) -> None:
    memory = torch.arange(1.0, 9.0)
    empty, p = nn.Parameter(torch.zeros(0, 3)), nn.Parameter(torch.zeros(4))
    p.data = memory[:4]
    optimizer = torch.optim.SGD([empty, p], lr=0.1)
    ns.attach(optimizer, ns.L1(1.0), params=[empty, p])
    _idle(optimizer, empty, p)
    empty.grad = None
    empty.data = empty.data.to(dtype)
    _idle(optimizer, empty, p)
    torch.testing.assert_close(memory, torch.tensor([0.8, 1.8, 2.8, 3.8, 5.0, 6.0, 7.0, 8.0]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_let_go_of(dtype: torch.dtype) -> None:
    w = nn.Parameter(torch.ones(1000, dtype=dtype))
    optimizer = ns.ProxAdam([w], lr=0.1, penalty=ns.L1(0.1))
    w.grad = torch.ones_like(w)
    gradient = weakref.ref(w.grad)
    optimizer.step()
    optimizer.zero_grad()
    gc.collect()
    assert gradient() is None


def test_what_is_known_does_not_grow_with_checkpoints() -> None:
    w = nn.Parameter(torch.ones(1000))
    optimizer = ns.ProxAdam([w], lr=0.1, penalty=ns.L1(0.1))
    moments = []
    for _ in range(10):
        _idle(optimizer, w)
        moments.append(weakref.ref(optimizer.state[w]["exp_avg"]))
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    gc.collect()
    assert not any(each() is not None for each in moments)
    _idle(optimizer, w)
    assert len(vars(optimizer)["_columns"]) == 2


def test_a_group_taken_out_or_merged() -> None:
    p, q = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([{"params": [p]}, {"params": [q]}], lr=0.1)
    ns.attach(optimizer, ns.L1(1.0), params=[p, q])
    _idle(optimizer, p, q)
    optimizer.param_groups[0]["params"] += optimizer.param_groups.pop()["params"]
    _idle(optimizer, p, q)
    torch.testing.assert_close(torch.cat([p.data, q.data]), torch.full((6,), 0.8))
    optimizer.param_groups[0]["params"].pop()
    with pytest.raises(InputError, match="no longer a parameter"):
        _idle(optimizer, p)
