"""The nearest kink: a hyperplane's distance in the first layer, quotients behind it."""

import json
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from nonsmooth.diagnostics._nearest_kink import nearest_kink
from nonsmooth.errors import InputError
from nonsmooth.networks import activation


def test_the_first_layer_is_a_hyperplane():
    """z = w.x + b is 0 at the distance |z| / sqrt(|x|^2 + 1) of (w, b)."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 6), nn.ReLU()).double(), torch.randn(10, 4, dtype=torch.float64)
    z = model[0](x).detach().abs()
    exact = (z / (x.square().sum(1, keepdim=True) + 1).sqrt()).min()
    found = nearest_kink(model, x, candidates=60)
    assert found.distance == pytest.approx(float(exact), rel=1e-12)
    assert found.margin == float(z.min())
    assert found.rows[0].complete
    assert not nearest_kink(model, x).rows[0].complete


def test_moving_that_far_along_the_gradient_brings_the_unit_to_its_kink():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 5), nn.ReLU()).double()
    x = torch.randn(30, 4, dtype=torch.float64)
    found = nearest_kink(model, x, candidates=150)
    z = model[:3](x)
    distances = []
    for value in z.flatten():
        slopes = torch.autograd.grad(value, list(model.parameters()), retain_graph=True)
        distances.append(abs(value.item()) / math.sqrt(sum(float(g.square().sum()) for g in slopes)))
    assert found.distance == pytest.approx(min(distances), rel=1e-12)
    place = distances.index(min(distances))
    value = z.flatten()[place]
    slopes = torch.autograd.grad(value, list(model.parameters()))
    length = math.sqrt(sum(float(g.square().sum()) for g in slopes))
    with torch.no_grad():
        for p, g in zip(model.parameters(), slopes, strict=True):
            p.sub_(g / length * math.copysign(found.distance, value.item()))
    assert abs(model[:3](x).flatten()[place].item()) < 0.05 * abs(value.item())


def test_by_module_in_order_with_functions_and_pooling():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.act, self.pool = nn.Conv2d(1, 3, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2)
            self.last = nn.Linear(27, 4)

        def forward(self, x):
            return functional.hardtanh(self.last(self.pool(self.act(self.conv(x))).flatten(1)))

    torch.manual_seed(0)
    net, x = Net(), torch.randn(2, 1, 8, 8)
    found = nearest_kink(net, x)
    assert [(r.module, r.operation, r.kinks) for r in found.rows] == [
        ("act", "relu", 2 * 3 * 36),
        ("pool", "max_pool2d_with_indices", 2 * 3 * 9),
        ("", "hardtanh", 2 * 4 * 2),
    ]
    z = net.conv(x).detach()
    assert found.rows[0].margin == pytest.approx(float(z.abs().min()), rel=1e-6)
    windows = z.relu().unfold(2, 2, 2).unfold(3, 2, 2).flatten(-2).sort(-1).values
    gaps = windows[..., -1] - windows[..., -2]
    assert found.rows[1].margin == pytest.approx(float(gaps[gaps > 0].min()), rel=1e-6)
    assert found.rows[1].at == int((gaps == 0).sum())
    assert found.margin == min(row.margin for row in found.rows)
    assert "(model)" in str(found)


def test_on_a_kink_the_distance_is_0():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    nn.init.zeros_(model[0].weight), nn.init.zeros_(model[0].bias)
    found = nearest_kink(model, torch.ones(4, 3))
    assert (found.distance, found.margin, found.rows[0].at) == (0.0, 0.0, 8)


def test_zeros_that_no_weight_moves_hide_no_nearer_kink():
    """The second ReLU gets exact zeros from the first: no kink of the weights lies there."""
    torch.manual_seed(0)
    once = nn.Sequential(nn.Linear(4, 6), nn.ReLU()).double()
    x = torch.randn(50, 4, dtype=torch.float64)
    alone, twice = nearest_kink(once, x), nearest_kink(nn.Sequential(once, nn.ReLU()), x)
    dead = int((once[0](x) < 0).sum())
    assert dead > 8
    assert twice.rows[1].at == dead
    assert twice.at == 0
    assert twice.distance == alone.distance > 0
    with torch.no_grad():
        once[0].weight[0, :], once[0].bias[0] = 0.0, 0.0  # and now 50 kinks are hit
    assert (nearest_kink(nn.Sequential(once, nn.ReLU()), x).at) == 50


def test_observations():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    near = nearest_kink(model, torch.ones(4, 3)).observation()
    assert (near.id, near.level, near.numbers["dtype"]) == ("nearest-kink", "note", "float32")
    assert "8 kinks on the probe, 0 of them hit" in near.evidence
    json.dumps(near.as_dict())
    nn.init.zeros_(model[0].weight), nn.init.zeros_(model[0].bias)
    at = nearest_kink(model, torch.ones(4, 3)).observation()
    assert at.level == "warning"
    assert "8 of them hit" in at.evidence
    assert "one_sided" in at.snippet
    assert nearest_kink(nn.Linear(3, 2), torch.ones(4, 3)).observation().level == "fine"
    sorting = nn.Sequential(nn.Conv1d(1, 2, 3), nn.AdaptiveMaxPool1d(2))
    unknown = nearest_kink(sorting, torch.randn(2, 1, 9))
    assert unknown.unwatched == ("adaptive_max_pool2d",)
    assert unknown.observation().level == "unknown"


def test_smooth_models_have_none_and_nothing_is_touched():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.GELU(), activation("smoothed-relu:0.1"))
    state = {key: value.clone() for key, value in model.state_dict().items()}
    found = nearest_kink(model, torch.randn(4, 3))
    assert (found.rows, found.distance, found.margin) == ((), math.inf, math.inf)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


def test_kinks_that_no_weight_moves_are_infinitely_far():
    class Fixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(3, 2)

        def forward(self, x):
            return self.last(x.abs())

    found = nearest_kink(Fixed(), torch.ones(4, 3))
    assert (found.margin, found.distance) == (1.0, math.inf)


def test_errors_in_words():
    with pytest.raises(InputError, match="candidates"):
        nearest_kink(nn.Linear(3, 2), torch.ones(1, 3), candidates=0)
    broken = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    nn.init.constant_(broken[0].bias, math.nan)
    with pytest.raises(InputError, match="relu in 1 gets NaN"):
        nearest_kink(broken, torch.ones(1, 3))
    with pytest.raises(InputError, match="lazy module"):
        nearest_kink(nn.LazyLinear(2), torch.ones(1, 3))
    with pytest.raises(InputError, match="meta device"):
        nearest_kink(nn.Linear(3, 2, device="meta"), torch.ones(1, 3))
    with pytest.raises(InputError, match="no parameter"):
        nearest_kink(nn.ReLU(), torch.ones(1, 3))
    with pytest.raises(InputError, match="the model raises"):
        nearest_kink(nn.Linear(3, 2), torch.ones(1, 4))
