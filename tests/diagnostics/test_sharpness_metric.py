"""The sharpness in an optimiser's metric: the edge is where the optimiser's own steps begin to grow."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import nonsmooth as ns
from diagnostics.dense_hessian import MSE, data, dense, network
from nonsmooth.diagnostics._sharpness import sharpness
from nonsmooth.diagnostics._stability_metric import stability_metric

OPTIMISERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "heavy ball": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
    "dampened": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5),
    "Nesterov": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "coupled decay": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=3.0),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.1),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=2.0),
    "AMSGrad": lambda p: torch.optim.Adam(p, lr=0.1, amsgrad=True),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.1),
    "RAdam": lambda p: torch.optim.RAdam(p, lr=0.1),
    "Adamax": lambda p: torch.optim.Adamax(p, lr=0.1),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.1),
    "RMSprop, momentum": lambda p: torch.optim.RMSprop(p, lr=0.1, momentum=0.5),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.1),
    "two rates": lambda p: torch.optim.SGD([{"params": p[:1], "lr": 0.03}, {"params": p[1:]}], lr=0.1),
}
MOMENTS = ("exp_avg_sq", "max_exp_avg_sq", "square_avg", "sum", "exp_inf", "mu_product", "step")


def growth(name: str, factor: float) -> float:
    """By how much an optimiser's own steps enlarge x on a quadratic of sharpness ``factor`` times its edge.

    Its second moments stand still, as the edge assumes: they are put back after each step, and x is too small
    to matter to them within one.
    """
    generator = torch.Generator().manual_seed(3)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    a = normal(6, 6)
    shape = a @ a.T / 6
    x = [nn.Parameter(normal(2)), nn.Parameter(normal(4))]
    optimizer = OPTIMISERS[name](x)

    def step(h: torch.Tensor) -> None:
        slope = h @ torch.cat([p.detach() for p in x])
        x[0].grad, x[1].grad = slope[:2].clone(), slope[2:].clone()
        optimizer.step()

    def put(scale: float) -> None:
        with torch.no_grad():
            for p in x:
                p.copy_(scale * normal(len(p)))

    for _ in range(200):
        put(1.0)
        step(shape)
    metric, parameters = stability_metric(optimizer, torch.float64)
    assert parameters == x

    def seen(h: torch.Tensor) -> torch.Tensor:
        return torch.stack([metric.of(lambda v: h @ v)(e) for e in torch.eye(6).double()])

    low, high = 0.0, 1e6
    for _ in range(200):  # the multiple of the shape that lies there, coupled decay included
        middle = (low + high) / 2
        top = float(torch.linalg.eigvalsh(seen(middle * shape))[-1])
        low, high = (middle, high) if top < factor * metric.edge else (low, middle)
    kept = {p: {k: copy.deepcopy(v) for k, v in optimizer.state[p].items() if k in MOMENTS} for p in x}
    for p in x:
        for key in ("exp_avg", "momentum_buffer"):
            if optimizer.state[p].get(key) is not None:
                optimizer.state[p][key].zero_()
    put(1e-9)
    first = torch.cat([p.detach() for p in x]).norm()
    for _ in range(600):
        step(low * shape)
        for p in x:
            optimizer.state[p].update({k: copy.deepcopy(v) for k, v in kept[p].items()})
        if torch.cat([p.detach() for p in x]).norm() > 1e3 * first:
            break
    return float(torch.cat([p.detach() for p in x]).norm() / first)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_the_edge_is_where_the_optimisers_steps_begin_to_grow(name: str) -> None:
    assert growth(name, 0.97) < 1
    assert growth(name, 1.03) > 1e3


@pytest.mark.parametrize(
    "name", ["SGD", "heavy ball", "Adam", "AdamW", "two rates", "coupled decay", "RMSprop"]
)
def test_in_the_metric_against_the_dense_hessian(name: str) -> None:
    net, (x, y) = network(), data()
    optimizer = OPTIMISERS[name](list(net.parameters()))
    for _ in range(3):
        optimizer.zero_grad()
        MSE(net(x), y).backward()
        optimizer.step()
    found = sharpness(net, MSE, [(x, y)], tolerance=1e-8, optimizer=optimizer)
    h = dense(net, x, y)
    scale = np.ones(44)
    if name == "coupled decay":
        h = h + 3.0 * np.eye(44)
    if name == "two rates":
        scale[:24] = 0.03 / 0.1
    if name in ("Adam", "AdamW"):
        roots = [(optimizer.state[p]["exp_avg_sq"] / (1 - 0.999**3)).sqrt() + 1e-8 for p in net.parameters()]
        scale = 1 / torch.cat([root.flatten() for root in roots]).numpy()
    if name == "RMSprop":
        roots = [optimizer.state[p]["square_avg"].sqrt() + 1e-8 for p in net.parameters()]
        scale = 1 / torch.cat([root.flatten() for root in roots]).numpy()
    root = np.sqrt(scale)
    assert found.value == pytest.approx(np.linalg.eigvalsh(root[:, None] * h * root)[-1], rel=1e-8)
    edge = {
        "SGD": 20.0,
        "two rates": 20.0,
        "coupled decay": 20.0,
        "RMSprop": 20.0,
        "heavy ball": 38.0,
        "Adam": 2 * 1.9 / (0.1 * 0.1) * (1 - 0.9**3),
        "AdamW": (2 - 0.2) * 1.9 / (0.1 * 0.1) * (1 - 0.9**3),
    }[name]
    assert found.edge == pytest.approx(edge, rel=1e-12)
    assert found.ratio == pytest.approx(found.value / edge)
    assert found.metric == type(optimizer).__name__
    assert found.converged


def test_maximising_turns_the_hessian_round() -> None:
    net, (x, y) = network(), data()
    down = torch.optim.SGD(net.parameters(), lr=0.1)
    up = torch.optim.SGD(net.parameters(), lr=0.1, maximize=True)
    assert sharpness(net, lambda out, y: -MSE(out, y), [(x, y)], optimizer=up).value == pytest.approx(
        sharpness(net, MSE, [(x, y)], optimizer=down).value
    )


def test_what_attach_returns_is_its_optimiser_and_the_packages_own_count() -> None:
    net, (x, y) = network(), data()
    attached = ns.attach(torch.optim.SGD(net.parameters(), lr=0.1), ns.L1(0.1), params=net)
    assert sharpness(net, MSE, [(x, y)], optimizer=attached).edge == 20
    own = ns.ProxSGD(net.parameters(), lr=0.1, penalty=None)
    assert sharpness(net, MSE, [(x, y)], optimizer=own).edge == 20


def test_only_the_optimisers_parameters_count() -> None:
    net, (x, y) = network(), data()
    optimizer = torch.optim.SGD(net[2].parameters(), lr=0.1)
    found = sharpness(net, MSE, [(x, y)], tolerance=1e-8, optimizer=optimizer)
    assert found.size == 14
    assert found.value == pytest.approx(np.linalg.eigvalsh(dense(net, x, y)[30:, 30:])[-1], rel=1e-9)


def test_observations_by_the_side_of_the_edge() -> None:
    net, (x, y) = network(), data()
    top = sharpness(net, MSE, [(x, y)]).value
    levels = {}
    for factor in (0.5, 1.0, 2.0):
        optimizer = torch.optim.SGD(net.parameters(), lr=2 * factor / top)
        found = sharpness(net, MSE, [(x, y)], optimizer=optimizer)
        (said,) = found.observations()
        levels[factor] = said.level
        assert said.id == "edge-of-stability"
        assert found.ratio == pytest.approx(factor, rel=1e-5)
        assert ("above" if found.ratio > 1 else "below") in str(found)
        assert bool(said.remedy) == (said.level == "warning")
    assert levels == {0.5: "fine", 1.0: "note", 2.0: "warning"}
    (plain,) = sharpness(net, MSE, [(x, y)]).observations()
    assert (plain.id, plain.level) == ("sharpness", "note")
