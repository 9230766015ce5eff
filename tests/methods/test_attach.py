"""The attached penalty: the strength means the strength, on every stock optimiser, and it fits in
everywhere."""

import copy
import pickle
import re
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import nonsmooth as ns
from methods.optimisers import OPTIMISERS
from nonsmooth.errors import InputError

STRENGTH = 0.1


def _problem(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """A small LASSO with columns of different scales; float64."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((60, 12)) * np.geomspace(0.6, 1.6, 12)
    truth = np.where(np.arange(12) < 6, rng.choice([-1.0, 1.0], 12), 0.0)
    y = X @ truth + 0.1 * rng.standard_normal(60)
    return torch.from_numpy(X), torch.from_numpy(y)


def _loss(X: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    return 0.5 * ((X @ w - y) ** 2).mean()


def _train(w, optimizer, X, y, steps: int, scheduler=None) -> None:
    sign = -1 if optimizer.param_groups[0].get("maximize") else 1
    for _ in range(steps):
        optimizer.zero_grad()
        (sign * _loss(X, y, w)).backward()
        optimizer.step()
        if scheduler is not None:
            scheduler.step()


def _distance(w, penalty, X, y, decay: float = 0.0) -> float:
    point = w.detach().clone().requires_grad_()
    (_loss(X, y, point) + 0.5 * decay * (point**2).sum()).backward()
    assert point.grad is not None
    return float(penalty.subdifferential_distance(point.detach(), point.grad).max())


# What cannot get there: a centred second moment vanishes where the gradient is constant and not zero, as it
# is at a penalised solution, so the step grows without bound; Adadelta's step tends to its learning rate.
@pytest.mark.parametrize("name", [name for name in OPTIMISERS if name != "RMSprop, centred"])
@pytest.mark.parametrize("penalty", [ns.L1(STRENGTH), ns.GroupL1(STRENGTH, 3)], ids=["L1", "groups of 3"])
def test_the_strength_is_the_strength(name: str, penalty) -> None:
    X, y = _problem()
    w = nn.Parameter(torch.zeros(12, dtype=torch.float64))
    optimizer = OPTIMISERS[name]([w])
    ns.attach(optimizer, penalty, params=[w])
    _train(w, optimizer, X, y, 6000)
    decay = optimizer.param_groups[0].get("weight_decay", 0.0)
    assert _distance(w, penalty, X, y, decay) < 1e-10
    assert (w == 0).any()
    assert (w != 0).any()


def test_l1_in_the_loss_gives_no_zero_and_a_hand_written_threshold_another_problem() -> None:
    """What the attached penalty is for; the numbers are those of the page on moving."""
    X, y = _problem()
    penalty = ns.L1(STRENGTH)
    in_loss = nn.Parameter(torch.zeros(12, dtype=torch.float64))
    optimizer = torch.optim.Adam([in_loss], lr=0.01)
    for _ in range(3000):
        optimizer.zero_grad()
        (_loss(X, y, in_loss) + STRENGTH * in_loss.abs().sum()).backward()
        optimizer.step()
    assert (in_loss != 0).all()

    by_hand = nn.Parameter(torch.zeros(12, dtype=torch.float64))
    optimizer = torch.optim.SGD([by_hand], lr=0.02, momentum=0.9)
    for _ in range(3000):
        _train(by_hand, optimizer, X, y, 1)
        with torch.no_grad():
            by_hand.copy_(penalty.prox(by_hand.detach(), 0.02))
    assert _distance(by_hand, penalty, X, y) > 0.5 * STRENGTH
    assert _distance(by_hand, ns.L1(STRENGTH * 0.1), X, y) < 1e-10  # strength x (1 - momentum)


@pytest.mark.parametrize(
    "schedule",
    [
        lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 8000, 1e-4),
        lambda o: torch.optim.lr_scheduler.StepLR(o, 2000, 0.5),
        lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.02, 8000),
        lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 1000),
        lambda o: torch.optim.lr_scheduler.ExponentialLR(o, 0.9999),
        lambda o: torch.optim.lr_scheduler.PolynomialLR(o, 16000),
        lambda o: torch.optim.lr_scheduler.CyclicLR(o, 0.005, 0.02, 200),
        lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda t: 1 / (1 + t / 4000)),
        lambda o: torch.optim.lr_scheduler.MultiStepLR(o, [1000, 4000]),
        lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.1, 1.0, 1000),
        lambda o: torch.optim.lr_scheduler.ConstantLR(o, 0.5, 1000),
        lambda o: torch.optim.lr_scheduler.MultiplicativeLR(o, lambda t: 0.9999),
        lambda o: torch.optim.lr_scheduler.SequentialLR(
            o,
            [
                torch.optim.lr_scheduler.LinearLR(o, 0.1, 1.0, 100),
                torch.optim.lr_scheduler.ExponentialLR(o, 0.9999),
            ],
            [100],
        ),
    ],
)
def test_every_stock_schedule_of_the_step(schedule) -> None:
    X, y = _problem()
    w = nn.Parameter(torch.zeros(12, dtype=torch.float64))
    optimizer = torch.optim.SGD([w], lr=0.02, momentum=0.9)
    ns.attach(optimizer, ns.L1(STRENGTH), params=[w])
    _train(w, optimizer, X, y, 8000, schedule(optimizer))
    assert _distance(w, ns.L1(STRENGTH), X, y) < 1e-9


def _small_net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(12, 8), nn.ReLU(), nn.LayerNorm(8), nn.Linear(8, 3))


def _net_steps(model, optimizer, steps: int, offset: int = 0) -> None:
    for k in range(steps):
        torch.manual_seed(1000 + offset + k)
        x, y = torch.randn(16, 12), torch.randint(0, 3, (16,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()


def _weights(model) -> list[torch.Tensor]:
    return [p.detach().clone() for p in model.parameters()]


def test_without_a_model_the_rule_goes_by_shape_and_uses_the_optimisers_names() -> None:
    model = _small_net()
    prox = ns.attach(torch.optim.SGD(model.named_parameters(), lr=0.1), ns.L1(0.1))
    assert [term.name for term in prox.terms] == ["0.weight", "3.weight"]
    assert re.search(r"left out +0.bias +8 +fewer than two axes", str(prox))


def test_strengths_per_layer_by_name() -> None:
    model = _small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    prox = ns.attach(optimizer, {"0.*": ns.L1(0.5), "*": ns.GroupL1(0.25)}, params=model)
    assert [type(term.penalty).__name__ for term in prox.terms] == ["ElasticNet", "GroupL1"]
    only = ns.attach(torch.optim.SGD(model.parameters(), lr=0.1), {"3.*": ns.L1(1.0)}, params=model)
    assert [term.name for term in only.terms] == ["3.weight"]
    assert re.search(r"left out +0.weight +8x12 +its name matches no pattern", str(only))


def test_a_models_parameters_that_the_optimiser_does_not_have() -> None:
    model = _small_net()
    prox = ns.attach(torch.optim.SGD(model[3].parameters(), lr=0.1), ns.L1(0.5), params=model)
    assert [term.name for term in prox.terms] == ["3.weight"]
    assert re.search(r"left out +0.weight +8x12 +not a parameter of this optimiser", str(prox))
    with pytest.raises(InputError, match=r"(?s)nothing to penalise.*0\.weight.*not a parameter of this"):
        ns.attach(torch.optim.SGD(_small_net().parameters(), lr=0.1), ns.L1(0.5), params=model)


def test_a_schedule_of_strengths_and_the_factor() -> None:
    w = nn.Parameter(torch.tensor([10.0]))
    optimizer = torch.optim.SGD([w], lr=1.0)
    prox = ns.attach(optimizer, ns.L1(1.0), params=[w], schedule=lambda t: float(t))
    prox.factor = 0.5
    seen = []
    for _ in range(4):
        w.grad = torch.zeros(1)
        optimizer.step()
        seen.append(w.item())
    assert seen == [10.0, 9.5, 8.5, 7.0]
    assert prox.terms[0].penalty.l1 == 2.0
    state = prox.state_dict()
    other = ns.attach(
        torch.optim.SGD([nn.Parameter(torch.ones(2, 2))], 1.0), ns.L1(1.0), schedule=lambda t: float(t)
    )
    other.load_state_dict(state)
    assert other.terms[0].penalty.l1 == 2.0


def test_value_and_step_of() -> None:
    w = nn.Parameter(torch.tensor([3.0, -4.0]))
    optimizer = torch.optim.Adam([w], lr=0.5)
    prox = ns.attach(optimizer, ns.L1(2.0), params=[w])
    assert prox.value() == 14.0
    with pytest.raises(InputError, match="no step has been taken"):
        prox.step_of(w)
    w.grad = torch.tensor([1.0, 0.5])
    optimizer.step()
    torch.testing.assert_close(prox.step_of(w), torch.tensor([0.5, 1.0]))
    with pytest.raises(InputError, match="is not in this optimiser"):
        prox.step_of(torch.zeros(2))


@pytest.mark.parametrize("name", ["SGD, momentum", "SGD, dampening", "SGD, Nesterov"])
def test_each_threshold_is_what_the_optimiser_would_have_moved_by(name: str) -> None:
    """From the first step on, and while momentum and step are moved: one copy has gradient 1.25, the other 1
    and

    a penalty of strength 0.25. As long as nothing crosses 0 they move alike.
    """
    pulled, shrunk = (nn.Parameter(torch.full((2, 2), 50.0, dtype=torch.float64)) for _ in range(2))
    optimizers = [OPTIMISERS[name]([p]) for p in (pulled, shrunk)]
    ns.attach(optimizers[1], ns.L1(0.25), params=[shrunk])
    for k in range(30):
        pulled.grad, shrunk.grad = torch.full_like(pulled, 1.25), torch.full_like(shrunk, 1.0)
        for optimizer in optimizers:
            optimizer.param_groups[0]["lr"] *= 1.01
            if k >= 10:
                optimizer.param_groups[0]["momentum"] = 0.5 + 0.01 * k
            optimizer.step()
        torch.testing.assert_close(shrunk.detach(), pulled.detach(), rtol=1e-12, atol=0)


def test_buffers_from_before_count_as_settled() -> None:
    w = nn.Parameter(torch.full((2, 2), 50.0))
    optimizer = torch.optim.SGD([w], lr=1.0, momentum=0.5)
    for _ in range(3):
        w.grad = torch.zeros(2, 2)
        optimizer.step()
    prox = ns.attach(optimizer, ns.L1(1.0), params=[w])
    assert prox.step_of(w) == 2.0
    optimizer.step()
    assert (w == 48.0).all()

    fresh = nn.Parameter(torch.full((2, 2), 50.0))
    loaded = torch.optim.SGD([fresh], lr=1.0, momentum=0.5)
    ns.attach(loaded, ns.L1(1.0), params=[fresh])
    loaded.load_state_dict(optimizer.state_dict())
    fresh.grad = torch.zeros(2, 2)
    loaded.step()
    assert (fresh == 48.0).all()


def test_a_state_without_buffers_begins_them_anew() -> None:
    w = nn.Parameter(torch.full((2, 2), 50.0))
    optimizer = torch.optim.SGD([w], lr=1.0, momentum=0.5)
    start = optimizer.state_dict()
    prox = ns.attach(optimizer, ns.L1(1.0), params=[w])
    for state in (None, start):
        if state is not None:
            optimizer.load_state_dict(state)
        nn.init.constant_(w, 50.0)
        w.grad = torch.zeros(2, 2)
        optimizer.step()
        assert (w == 49.0).all()  # the first step is lr, however far the buffer had settled before
        assert prox.step_of(w) == 1.0


@pytest.mark.parametrize("name", ["SGD, momentum", "Adam", "RMSprop, momentum", "NAdam"])
def test_a_resumed_run_is_bit_for_bit_the_same(name: str, tmp_path) -> None:
    def fresh():
        model = _small_net()
        optimizer = OPTIMISERS[name](model.parameters())
        return (
            model,
            optimizer,
            ns.attach(optimizer, ns.L1(0.5), params=model, schedule=lambda t: 1 / (1 + t)),
        )

    whole, optimizer, _ = fresh()
    _net_steps(whole, optimizer, 20)

    model, optimizer, prox = fresh()
    _net_steps(model, optimizer, 12)
    states = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "prox": prox.state_dict()}
    torch.save(states, tmp_path / "checkpoint.pt")
    model, optimizer, prox = fresh()
    _net_steps(model, optimizer, 3)  # whatever is loaded replaces it
    loaded = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    model.load_state_dict(loaded["model"])
    optimizer.load_state_dict(loaded["optimizer"])
    prox.load_state_dict(loaded["prox"])
    _net_steps(model, optimizer, 8, offset=12)
    for a, b in zip(_weights(whole), _weights(model), strict=True):
        assert torch.equal(a, b)
    assert any((p == 0).any() for p in _weights(model))


def test_checkpoints_load_with_and_without_the_penalty() -> None:
    model = _small_net()
    optimizer = torch.optim.Adam(model.parameters())
    plain_keys = set(optimizer.state_dict()["param_groups"][0])
    prox = ns.attach(optimizer, ns.L1(0.1), params=model)
    _net_steps(model, optimizer, 2)
    assert set(optimizer.state_dict()["param_groups"][0]) == plain_keys
    prox.detach()
    before = _weights(model)
    _net_steps(model, optimizer, 1)
    torch.optim.Adam(_small_net().parameters()).load_state_dict(optimizer.state_dict())
    assert all((p != 0).any() for p in before)
    ns.attach(optimizer, ns.L1(0.1), params=model)  # detached: it may be attached anew


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_keep_the_penalty(copier) -> None:
    model = _small_net()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    prox = ns.attach(optimizer, ns.L1(0.1), params=model)
    _net_steps(model, optimizer, 3)
    twin, other = copier((model, prox))
    assert other.optimizer is not optimizer
    _net_steps(model, optimizer, 5)
    _net_steps(twin, other.optimizer, 5)
    for a, b in zip(_weights(model), _weights(twin), strict=True):
        assert torch.equal(a, b)
    assert (model[0].weight == 0).any()


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_of_what_was_detached_is_detached(copier) -> None:
    w = nn.Parameter(torch.ones(2, 2))
    prox = ns.attach(torch.optim.SGD([w], lr=0.1), ns.L1(1.0), params=[w])
    prox.detach()
    twin, other = copier((w, prox))
    twin.grad = torch.zeros(2, 2)
    other.optimizer.step()
    assert (twin == 1).all()


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.Adagrad])
def test_foreach_fused_and_plain_end_alike(kind) -> None:
    ends = []
    for options in ({"foreach": False}, {"foreach": True}, {"fused": True}):
        model = _small_net()
        optimizer = kind(model.parameters(), lr=0.01, **options)
        ns.attach(optimizer, ns.L1(0.5), params=model)
        _net_steps(model, optimizer, 10)
        ends.append(_weights(model))
    for other in ends[1:]:
        for a, b in zip(ends[0], other, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert any((p == 0).any() for p in ends[0])


@pytest.mark.parametrize("fused", [False, True])
def test_a_step_that_gradient_scaling_skips_leaves_the_weights_alone(fused: bool) -> None:
    model = _small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=fused)
    prox = ns.attach(optimizer, ns.L1(0.1), params=model)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    for bad in (True, False):
        before = _weights(model)
        loss = nn.functional.cross_entropy(model(torch.randn(8, 12)), torch.randint(0, 3, (8,)))
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        if bad:
            model[0].weight.grad[0, 0] = float("inf")
        scaler.step(optimizer)
        scaler.update()
        unchanged = all(torch.equal(a, b) for a, b in zip(before, _weights(model), strict=True))
        assert unchanged == bad
    assert prox.steps == 1
    assert scaler.get_scale() == 2.0


def test_parameters_without_gradient_are_left_alone() -> None:
    a, b = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    optimizer = torch.optim.SGD([a, b], lr=0.1)
    ns.attach(optimizer, ns.L1(1.0), params=[a, b])
    a.sum().backward()
    optimizer.step()
    assert (b == 1).all()
    assert (a < 0.85).all()


def test_entries_that_a_sparse_gradient_leaves_out_have_gradient_zero() -> None:
    ends = []
    for sparse in (False, True):
        table = nn.Embedding(5, 2, sparse=sparse)
        nn.init.ones_(table.weight)
        optimizer = torch.optim.SGD(table.parameters(), lr=0.1)
        ns.attach(optimizer, ns.L1(0.5), params=table.parameters())
        for _ in range(3):
            optimizer.zero_grad()
            table(torch.tensor([1, 3])).sum().backward()
            optimizer.step()
        ends.append(table.weight.detach())
    torch.testing.assert_close(*ends)
    torch.testing.assert_close(ends[1][0], torch.full((2,), 0.85))


def test_gradients_with_a_graph_of_their_own() -> None:
    w = nn.Parameter(torch.ones(2, 2))
    optimizer = torch.optim.Adadelta([w], lr=0.1)
    ns.attach(optimizer, ns.MCP(1.0), params=[w])
    (w.grad,) = torch.autograd.grad((w**3).sum(), [w], create_graph=True)
    optimizer.step()
    assert w.is_leaf
    assert w.grad_fn is None
    assert (w < 1).all()


def test_tied_parameters_are_shrunk_once() -> None:
    first, second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    prox = ns.attach(optimizer, ns.L1(1.0), params=model)
    assert len(prox.terms) == 1
    nn.init.ones_(first.weight)
    first.weight.grad = torch.zeros(3, 3)
    optimizer.step()
    torch.testing.assert_close(first.weight.detach(), torch.full((3, 3), 0.9))


def test_a_closure_and_a_group_added_later() -> None:
    a, b = nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2, 2))
    optimizer = torch.optim.SGD([a], lr=0.1)
    ns.attach(optimizer, ns.L1(1.0), params=[a])
    optimizer.add_param_group({"params": [b], "lr": 0.5})
    ns.attach(optimizer, ns.L1(1.0), params=[b])

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = 0.0 * (a.sum() + b.sum())
        loss.backward()
        return loss

    optimizer.step(closure)
    torch.testing.assert_close(a.detach(), torch.full((2, 2), 0.9))
    torch.testing.assert_close(b.detach(), torch.full((2, 2), 0.5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("penalty", [ns.L1(0.5), ns.ElasticNet(0.5, 0.1), ns.GroupL1(0.5), ns.MCP(0.5, 3.0)])
def test_every_dtype_and_memory_layout(dtype, penalty) -> None:
    torch.manual_seed(0)
    base = torch.randn(6, 5, 3, 3, dtype=torch.float64)
    ends = []
    for tensor in (base.to(dtype), base.to(dtype, memory_format=torch.channels_last)):
        w = nn.Parameter(tensor.clone(memory_format=torch.preserve_format))
        optimizer = torch.optim.SGD([w], lr=0.5)
        ns.attach(optimizer, penalty, params=[w])
        w.grad = torch.zeros_like(w)
        optimizer.step()
        ends.append(w.detach())
    reference = penalty.prox(base.to(dtype).double(), 0.5)
    for end in ends:
        torch.testing.assert_close(
            end.double(), reference, rtol=2e-2 if dtype.itemsize == 2 else 1e-5, atol=1e-3
        )
        assert end.dtype == dtype


def test_dead_units_and_zero_strength_make_no_nan() -> None:
    """A weight whose gradient was always 0 has an unbounded step: it belongs to the penalty alone."""
    for strength in (0.0, 0.1):
        w = nn.Parameter(torch.tensor([[1.0, 0.0], [-1.0, 2.0]]))
        optimizer = torch.optim.Adam([w], lr=0.1, eps=0.0)
        ns.attach(optimizer, ns.L1(strength), params=[w])
        w.grad = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
        # torch itself divides 0 by 0 here with eps = 0; give it the moment only
        optimizer.param_groups[0]["eps"] = 1e-8
        optimizer.step()
        assert torch.isfinite(w).all()
        assert (w[0, 0] == 0) == (strength > 0)


def test_a_compiled_step() -> None:
    ends = []
    for compiled in (False, True):
        w = nn.Parameter(torch.linspace(-1, 1, 12).reshape(3, 4))
        optimizer = torch.optim.Adam([w], lr=0.01)
        ns.attach(optimizer, ns.L1(3.0), params=[w])
        step = torch.compile(optimizer.step, backend="eager") if compiled else optimizer.step
        for k in range(5):
            torch.manual_seed(k)
            w.grad = torch.randn(3, 4)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the compiler's own imports
                step()
        ends.append(w.detach().clone())
    torch.testing.assert_close(ends[0], ends[1])
    assert (ends[0] == 0).any()
