"""Distances against their definition, intervals against simulation; no call leaves a trace."""

import copy
import json
import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import nonsmooth as ns
from nonsmooth.diagnostics._certificate import certificate
from nonsmooth.diagnostics._certificate_result import Certificate
from nonsmooth.errors import InputError
from nonsmooth.penalties import L0, L1, MCP, ElasticNet, GroupL1

MSE = nn.MSELoss()


def data(rows: int = 40, inputs: int = 6, outputs: int = 2, seed: int = 0, dtype=torch.float64):
    """Badly scaled features and noisy linear targets."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, inputs)) * np.geomspace(0.3, 3, inputs)
    Y = X @ rng.normal(size=(inputs, outputs)) + 0.1 * rng.normal(size=(rows, outputs))
    return torch.as_tensor(X, dtype=dtype), torch.as_tensor(Y, dtype=dtype)


def network(inputs: int = 6, outputs: int = 2, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(inputs, 5), nn.Softplus(), nn.Linear(5, outputs)).double()
    for layer in (net[0], net[2]):
        layer.weight.data[torch.rand_like(layer.weight) < 0.5] = 0.0
    return net


def gradients(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> dict[str, np.ndarray]:
    """Full batch, by backward on a copy."""
    net = copy.deepcopy(net)
    MSE(net(x), y).backward()
    return {name: p.grad.numpy() for name, p in net.named_parameters() if p.grad is not None}


def test_distances_are_those_of_the_definition() -> None:
    net, (x, y) = network(), data()
    strength, ridge = 0.3, 0.2
    found = certificate(
        net, MSE, [(x, y)], [("0.weight", ElasticNet(strength, ridge)), (net[2].weight, L1(0.1))]
    )
    ways = {}
    for name, g in gradients(net, x, y).items():
        w = net.get_parameter(name).detach().numpy()
        g = g + (2 * ridge * w if name == "0.weight" else 0)
        l1 = {"0.weight": strength, "2.weight": 0.1}.get(name, 0.0)
        # the nearest point of the interval that the subdifferential is in each coordinate
        low, high = np.where(w == 0, -l1, l1 * np.sign(w)), np.where(w == 0, l1, l1 * np.sign(w))
        ways[name] = np.clip(-g, low, high) + g
    for row in found.rows:
        assert row.distance == pytest.approx(np.abs(ways[row.name]).max(), rel=1e-12)
        assert row.distance_l2 == pytest.approx(np.linalg.norm(ways[row.name]), rel=1e-12)
        assert row.support == np.count_nonzero(net.get_parameter(row.name).detach().numpy())
    assert found.distance == max(row.distance for row in found.rows)
    assert found.distance_l2 == pytest.approx(np.sqrt(sum((way**2).sum() for way in ways.values())))
    assert found.interval == (found.distance, found.distance)
    assert found.loss == pytest.approx(float(MSE(net(x), y).detach()), rel=1e-13)
    a, b = net[0].weight.detach(), net[2].weight.detach()
    penalty = float(strength * a.abs().sum() + ridge * (a * a).sum() + 0.1 * b.abs().sum())
    assert found.penalty == pytest.approx(penalty, rel=1e-13)
    assert found.objective == pytest.approx(found.loss + penalty)
    assert (found.scaled_distance, found.dtype, found.samples, found.total) == (None, "float64", 40, 40)


def test_groups_against_the_nearest_point_by_a_convex_solver() -> None:
    """Rows: one of zeros, one with a zero in it, one without."""
    import cvxpy as cp

    x, y = data(outputs=3)
    net = nn.Linear(6, 3).double()
    net.weight.data[0] = 0.0
    net.weight.data[1, 2] = 0.0
    found = certificate(net, MSE, [(x, y)], {net.weight: GroupL1(0.4, "rows", None)})
    g, w = gradients(net, x, y)["weight"], net.weight.detach().numpy()
    square, largest = 0.0, 0.0
    for row, slope in zip(w, g, strict=True):
        if row.any():
            way = slope + 0.4 * row / np.linalg.norm(row)
            square, largest = square + way @ way, max(largest, np.abs(way).max())
            continue
        v = cp.Variable(6)
        for norm in (2, "inf"):
            problem = cp.Problem(cp.Minimize(cp.norm(v + slope, norm)), [cp.norm(v, 2) <= 0.4])
            problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
            if norm == 2:
                square += problem.value**2
            else:
                largest = max(largest, problem.value)
    weight = next(row for row in found.rows if row.name == "weight")
    assert weight.distance_l2 == pytest.approx(math.sqrt(square), rel=1e-7)
    assert weight.distance == pytest.approx(largest, rel=1e-7)


def test_batches_of_any_sizes_are_the_whole() -> None:
    net, (x, y) = network(), data()
    whole = certificate(net, MSE, [(x, y)], L1(0.1))
    sizes = (17, 1, 12, 10)
    parts = certificate(net, MSE, zip(x.split(sizes), y.split(sizes), strict=True), L1(0.1))
    assert parts.distance == pytest.approx(whole.distance, rel=1e-12)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-12)
    assert (parts.batches, parts.samples) == (4, 40)


def test_the_rule_for_batches() -> None:
    net, (x, y) = network(), data()
    expected = certificate(net, MSE, [(x, y)], L1(0.1)).distance

    def own(model: nn.Module, batch) -> torch.Tensor:
        values = list(batch.values()) if isinstance(batch, dict) else batch
        return ((model(values[0]) - values[1]) ** 2).mean()

    for batch in ({"x": x, "y": y}, (x, y, "anything")):
        assert certificate(net, own, [batch], L1(0.1)).distance == pytest.approx(expected, rel=1e-12)
    assert certificate(net, MSE, [[x, y]], L1(0.1)).distance == expected
    halves = [{"x": x[:10], "y": y[:10], "n": 1}, {"x": x[10:], "y": y[10:], "n": 3}]
    sized = certificate(net, own, halves, L1(0.1), size=lambda batch: batch["n"])
    assert sized.distance == pytest.approx(expected, rel=1e-12)
    assert sized.samples == 4


def test_gradients_add_up_in_double_precision() -> None:
    """1000 batches in float32: the mean has less error than any of them."""
    x, y = data(rows=4000, dtype=torch.float32)
    net = network().float()
    found = certificate(net, MSE, zip(x.split(4), y.split(4), strict=True), L1(0.1))
    exact = certificate(network(), MSE, [(x.double(), y.double())], L1(0.1))
    assert abs(found.distance - exact.distance) < found.rounding
    assert found.dtype == "float32"


def trained(factory, strength: float = 0.05, steps: int = 4000):
    """A linear model trained by an optimiser with the penalty attached, full batch."""
    x, y = data()
    torch.manual_seed(0)
    net = nn.Linear(6, 2).double()
    optimizer = factory(net)
    prox = optimizer if isinstance(optimizer, ns.ProxSGD) else ns.attach(optimizer, L1(strength), params=net)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = MSE(net(x), y)
        loss.backward()
        optimizer.step()
    return net, prox, (x, y)


@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize(
    "factory",
    [
        lambda n, decay: torch.optim.SGD(n.parameters(), lr=0.02, momentum=0.8, weight_decay=decay),
        lambda n, decay: torch.optim.Adagrad(n.parameters(), lr=0.5, weight_decay=decay),
        lambda n, decay: ns.ProxSGD(
            [{"params": [n.weight], "penalty": L1(0.05)}, {"params": [n.bias]}], lr=0.1, weight_decay=decay
        ),
    ],
    ids=["SGD", "Adagrad", "ProxSGD"],
)
def test_what_an_attached_penalty_reaches_is_stationary(factory, decay: float) -> None:
    """Weight decay added to the gradient belongs to the objective, of all parameters."""
    net, prox, (x, y) = trained(lambda net: factory(net, decay))
    found = certificate(net, MSE, [(x, y)], prox)
    assert found.distance < 1e-7
    assert found.scaled_distance is not None
    assert found.scaled_distance < 1e-7
    assert found.converged(1e-7)
    squares = sum(float((p.detach() ** 2).sum()) for p in net.parameters())
    assert found.decay == pytest.approx(decay / 2 * squares)
    assert found.objective == pytest.approx(found.loss + found.decay + found.penalty)
    assert found.gap is not None
    assert -1e-12 < found.gap < 1e-6
    without = certificate(net, MSE, [(x, y)], {net.weight: L1(0.05)})
    assert (without.distance > 0.01) == (decay > 0)


def test_decoupled_decay_is_left_out_in_words() -> None:
    net, prox, (x, y) = trained(
        lambda n: torch.optim.AdamW(n.parameters(), lr=0.01, weight_decay=0.5), steps=1500
    )
    found = certificate(net, MSE, [(x, y)], prox)
    assert found.decay == 0.0
    assert found.distance == certificate(net, MSE, [(x, y)], {net.weight: L1(0.05)}).distance
    (note,) = found.notes
    assert "AdamW shrinks its weights" in note
    assert "does not bring to 0" in note


def test_an_unknown_optimisers_decay_is_left_out_in_words() -> None:
    class Own(torch.optim.Optimizer):
        pass

    net, (x, y) = network(), data()
    optimizer = Own(net.parameters(), {"lr": 1.0, "weight_decay": 0.1})

    class Attached:
        terms = ()

        @staticmethod
        def step_of(parameter: torch.Tensor) -> float:
            raise InputError("no step")

    prox = Attached()
    prox.optimizer = optimizer  # type: ignore[attr-defined]
    found = certificate(net, MSE, [(x, y)], prox)  # type: ignore[arg-type]
    assert "not known whether Own adds it" in found.notes[0]
    assert (found.decay, found.scaled_distance) == (0.0, None)


def test_scaled_distance_is_the_move_of_the_next_plain_step() -> None:
    net, (x, y) = network(), data()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.07)
    prox = ns.attach(optimizer, L1(0.3), params=net)
    found = certificate(net, MSE, [(x, y)], prox)
    before = [p.detach().clone() for p in net.parameters()]
    MSE(net(x), y).backward()
    optimizer.step()
    moves = [float((p.detach() - old).abs().max()) for p, old in zip(net.parameters(), before, strict=True)]
    assert [row.scaled_distance for row in found.rows] == pytest.approx(moves, rel=1e-12)
    assert found.scaled_distance == pytest.approx(max(moves))


def test_before_the_first_step_there_is_no_metric() -> None:
    net, (x, y) = network(), data()
    prox = ns.attach(torch.optim.Adam(net.parameters()), L1(0.3), params=net)
    assert certificate(net, MSE, [(x, y)], prox).scaled_distance is None


def test_maximising_is_minimising_the_opposite() -> None:
    net, (x, y) = network(), data()
    up = torch.optim.SGD(net.parameters(), lr=0.1, maximize=True, weight_decay=0.1)
    down = torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1)
    a = certificate(net, lambda out, y: -MSE(out, y), [(x, y)], ns.attach(up, L1(0.1), params=net))
    b = certificate(net, MSE, [(x, y)], ns.attach(down, L1(0.1), params=net))
    assert a.distance == pytest.approx(b.distance)
    assert a.objective == pytest.approx(b.objective)
    mixed = torch.optim.SGD(
        [{"params": [net[0].weight], "maximize": True}, {"params": [net[2].weight]}], lr=0.1
    )
    with pytest.raises(InputError, match="some parameter groups maximise"):
        certificate(net, MSE, [(x, y)], ns.attach(mixed, L1(0.1)))


def test_only_what_is_trained_counts() -> None:
    net, (x, y) = network(), data()
    net[0].bias.requires_grad_(False)
    rows = [row.name for row in certificate(net, MSE, [(x, y)], L1(0.1)).rows]
    assert rows == ["0.weight", "2.weight", "2.bias"]
    optimizer = torch.optim.SGD([net[2].weight], lr=0.1)
    found = certificate(net, MSE, [(x, y)], ns.attach(optimizer, L1(0.1)))
    assert [row.name for row in found.rows] == ["2.weight"]
    assert "count as constants: 0.weight, 2.bias" in found.notes[0]


def test_a_parameter_that_the_loss_does_not_use() -> None:
    net, (x, y) = network(), data()
    net.register_parameter("idle", nn.Parameter(torch.tensor([0.0, 2.0]).double()))
    found = certificate(net, MSE, [(x, y)], [("idle", L1(0.5))])
    idle = next(row for row in found.rows if row.name == "idle")
    assert (idle.gradient, idle.distance) == (0.0, 0.5)
    assert "does not depend on idle" in found.notes[0]


def test_no_trace_is_left() -> None:
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.Dropout(), nn.ReLU(), nn.Linear(5, 2)).double()
    x, y = data()
    MSE(net(x), y).backward()
    loader = DataLoader(
        TensorDataset(x, y), batch_size=8, shuffle=True, generator=torch.Generator().manual_seed(1)
    )
    before = copy.deepcopy(net.state_dict())
    held = [p.grad.clone() for p in net.parameters() if p.grad is not None]
    buffers = [id(b) for b in net.buffers()]
    streams = torch.get_rng_state(), loader.generator.get_state()
    hooks = sum(len(m._forward_pre_hooks) for m in net.modules())
    first = certificate(net, MSE, loader, L1(0.1))
    for name, tensor in net.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert [id(b) for b in net.buffers()] == buffers
    assert all(torch.equal(p.grad, g) for p, g in zip(net.parameters(), held, strict=True))
    assert torch.equal(torch.get_rng_state(), streams[0])
    assert torch.equal(loader.generator.get_state(), streams[1])
    assert sum(len(m._forward_pre_hooks) for m in net.modules()) == hooks
    assert all(module.training for module in net.modules())
    assert certificate(net, MSE, loader, L1(0.1)) == first
    assert "training mode and has BatchNorm1d, Dropout" in first.notes[0]
    assert certificate(net.eval(), MSE, loader, L1(0.1)).notes == ()
    with torch.no_grad():
        assert certificate(net, MSE, loader, L1(0.1)).distance > 0


def test_no_trace_is_left_by_an_error() -> None:
    net = nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 2), nn.ReLU()).double()
    x, y = data()
    before = copy.deepcopy(net.state_dict())
    stream = torch.get_rng_state()
    with pytest.raises(InputError, match="with one entry"):
        certificate(net, lambda out, y: (out - y) ** 2 + torch.rand(()), [(x, y)], L1(0.1))
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), stream)
    assert not net[2]._forward_pre_hooks


def covered(batches: list, x, y, net: nn.Module, penalty, use: int, repeats: int) -> int:
    """How often the interval from ``use`` random batches holds the distance over all of them."""
    true = certificate(net, MSE, [(x, y)], penalty, convex=False).distance
    rng = np.random.default_rng(use)
    hits = 0
    for _ in range(repeats):
        order = rng.permutation(len(batches))
        found = certificate(net, MSE, [batches[k] for k in order], penalty, max_batches=use, convex=False)
        assert found.interval is not None
        assert found.interval[0] <= found.distance <= found.interval[1]
        hits += found.interval[0] <= true <= found.interval[1]
    return hits


@pytest.mark.parametrize(
    "penalty", [L1(0.2), GroupL1(0.2, "rows", None), MCP(0.2, 3.0)], ids=["L1", "groups", "MCP"]
)
@pytest.mark.parametrize("use", [3, 20])
def test_the_interval_covers(penalty, use: int) -> None:
    x, y = data(rows=800, seed=5)
    net = nn.Linear(6, 2).double()
    net.weight.data[0, 1:3] = 0.0
    net.weight.data[1] = 0.0
    batches = list(zip(x.split(16), y.split(16), strict=True))
    repeats = 120
    hits = covered(batches, x, y, net, [("weight", penalty)], use, repeats)
    # 95 % claimed; Wilson's upper end of what was seen may not lie below
    assert binomtest(hits, repeats).proportion_ci(0.999, method="wilson").high >= 0.95


def test_the_interval_tightens_and_ends_as_a_point() -> None:
    x, y = data(rows=800, seed=5)
    net = nn.Linear(6, 2).double()
    batches = list(zip(x.split(8), y.split(8), strict=True))
    widths = []
    for use in (4, 20, 60, 99):
        low, high = certificate(net, MSE, batches, L1(0.2), max_batches=use).interval  # type: ignore[misc]
        widths.append(high - low)
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.1 * widths[0]
    exact = certificate(net, MSE, batches, L1(0.2), max_batches=100)
    assert exact.interval == (exact.distance, exact.distance)
    assert not exact.partial


def test_what_part_of_the_data_says() -> None:
    net, (x, y) = network(), data()
    batches = list(zip(x.split(8), y.split(8), strict=True))
    one = certificate(net, MSE, batches, L1(0.1), max_batches=1)
    assert (one.interval, one.samples, one.total, one.partial) == (None, 8, 40, True)
    assert not one.converged(1e9)
    assert "its sampling error is not known" in one.what_it_says
    two = certificate(net, MSE, batches, L1(0.1), max_batches=2)
    assert two.interval is not None
    assert two.converged(two.interval[1])
    assert not two.converged(0.999 * two.interval[1])
    assert "interval for all the data" in str(two)
    loader = DataLoader(TensorDataset(x, y), batch_size=8)
    assert certificate(net, MSE, loader, L1(0.1), max_batches=2).total == 40
    stream = certificate(net, MSE, iter(batches), L1(0.1), max_batches=2)
    assert stream.total is None
    assert stream.interval is not None
    # no correction for having seen a share of an unknown whole
    assert stream.interval[1] >= two.interval[1]
    doubtful = certificate(net, MSE, batches, L1(0.1), max_batches=2, confidence=0.5)
    assert doubtful.interval is not None
    assert doubtful.interval[1] < two.interval[1]


def test_relu_kinks_are_counted_and_said() -> None:
    x, y = data(outputs=2)
    net = nn.Sequential(nn.Linear(6, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)).double()
    assert certificate(net, MSE, [(x, y)], L1(0.1)).kinks == 0
    net[0].weight.data[1] = 0.0
    net[0].bias.data[1] = 0.0
    found = certificate(net, MSE, [(x[:30], y[:30]), (x[30:], y[30:])], L1(0.1))
    assert (found.kinks, found.kinks_of) == (40, 160)
    for words in ("40 of 160 inputs", "Bolte and Pauwels", "conservative field", "Laurent and von Brecht"):
        assert words in " ".join(found.what_it_says.split())


def test_autograds_choice_at_a_kink_that_the_text_tells_of() -> None:
    w = torch.zeros((), requires_grad=True)
    (slope,) = torch.autograd.grad(torch.relu(w) - torch.relu(-w), w)
    assert slope == 0


def test_penalties_that_are_not_convex() -> None:
    net, (x, y) = network(), data()
    found = certificate(net, MSE, [(x, y)], [("0.weight", L0(0.1))])
    assert "L0 is not convex" in found.notes[0]
    g, w = gradients(net, x, y)["0.weight"], net[0].weight.detach().numpy()
    row = next(row for row in found.rows if row.name == "0.weight")
    assert row.distance == pytest.approx(np.abs(g[w != 0]).max())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_low_precision(dtype: torch.dtype) -> None:
    x, y = data(dtype=dtype)
    found = certificate(network().to(dtype), MSE, [(x, y)], L1(0.1))
    exact = certificate(network(), MSE, [data()], L1(0.1))
    assert found.dtype == str(dtype).removeprefix("torch.")
    assert found.distance == pytest.approx(exact.distance, rel=30 * torch.finfo(dtype).eps)


def test_not_a_number_is_not_certified() -> None:
    net, (x, y) = network(), data()
    net[0].weight.data[0, 0] = float("nan")
    found = certificate(net, MSE, [(x, y)], L1(0.1))
    assert math.isnan(found.distance)
    assert math.isnan(found.objective)
    assert not found.converged(1e9)
    assert "Nothing is certified" in str(found)


def test_table_and_json() -> None:
    net, (x, y) = network(), data()
    prox = ns.attach(torch.optim.SGD(net.parameters(), lr=0.1, weight_decay=0.1), L1(0.1), params=net)
    found = certificate(net, MSE, [(x, y)], prox)
    text = str(found)
    assert text.splitlines()[0].split()[:4] == ["parameter", "shape", "support", "penalty"]
    assert "0.weight" in text
    assert "decay" in text
    assert max(map(len, text.splitlines())) <= 110
    plain = json.loads(json.dumps(found.as_dict()))
    assert plain["distance"] == found.distance
    assert plain["rows"][0]["shape"] == [5, 6]
    assert plain["support"] == found.support <= found.entries
    assert isinstance(found, Certificate)


def test_bad_input_is_answered_in_words() -> None:
    net, (x, y) = network(), data()
    good = [(x, y)]
    cases = [
        ((lambda x: x, MSE, good, L1(0.1)), {}, r"give a torch\.nn\.Module"),
        ((net, nn.MSELoss(reduction="sum"), good, L1(0.1)), {}, "reduction='sum'"),
        ((net, 3.0, good, L1(0.1)), {}, "loss_fn is a float"),
        ((net, nn.MSELoss(reduction="none"), good, L1(0.1)), {}, "reduction='none'"),
        ((net, lambda out, y: 1.0, good, L1(0.1)), {}, "the loss of a batch is float"),
        ((net, lambda out, y: y.mean(), good, L1(0.1)), {}, "does not depend on any trainable"),
        ((net, MSE, [], L1(0.1)), {}, "no batches"),
        ((net, lambda m, b: m(x).mean(), [{"a": 1}], L1(0.1)), {}, "give size="),
        ((net, MSE, good, L1(0.1)), {"size": lambda b: 0}, "size 0"),
        ((net, MSE, good, L1(0.1)), {"size": lambda b: "many"}, "size returned 'many' for batch 0"),
        ((net, MSE, good, L1(0.1)), {"size": 5}, "size is a int; give a function"),
        ((nn.LazyLinear(2), MSE, good, L1(0.1)), {}, "run the model once"),
        ((net, MSE, good, 0.1), {}, "prox is a float"),
        ((net, MSE, good, [("nobody", L1(0.1))]), {}, "prox holds"),
        ((net, MSE, good, [("0.weight", 0.1)]), {}, "prox holds"),
        ((net, MSE, good, [("0.weight", L1(0.1)), (net[0].weight, L1(1.0))]), {}, "two penalties"),
        ((net, MSE, good, L1(0.1)), {"max_batches": 0}, "max_batches = 0"),
        ((net, MSE, good, L1(0.1)), {"max_batches": True}, "max_batches = True"),
        ((net, MSE, good, L1(0.1)), {"confidence": 1.0}, "confidence = 1"),
        ((net, MSE, good, L1(0.1)), {"confidence": "high"}, "confidence = high"),
        ((net, MSE, None, L1(0.1)), {}, "batches is a NoneType; give an iterable"),
        ((net, MSE, good, L1(0.1)), {"convex": True}, r"not one nn\.Linear"),
    ]
    for args, options, words in cases:
        with pytest.raises(InputError, match=words):
            certificate(*args, **options)  # type: ignore[arg-type]
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    with pytest.raises(InputError, match="nothing is minimised"):
        certificate(net, MSE, good, L1(0.1))
