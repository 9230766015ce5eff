"""Second differences on functions whose kinks, curvature and noise are known."""

import json
import math

import pytest
import torch
from torch import nn

from nonsmooth.diagnostics._second_difference import second_difference
from nonsmooth.diagnostics._sharpness import sharpness
from nonsmooth.errors import InputError

MSE = nn.MSELoss()


class Point(nn.Module):
    """The parameter itself, so that a loss is any function of it."""

    def __init__(self, *w: float, dtype: torch.dtype = torch.float64) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w, dtype=dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.w


DATA = [(torch.zeros(1), torch.zeros(1))]
ONE = torch.ones(1)


def at(w: float, function, h: float, dtype: torch.dtype = torch.float64):
    return second_difference(Point(w, dtype=dtype), lambda out, _: function(out).sum(), DATA, ONE, h)


def test_a_smooth_function() -> None:
    found = at(0.3, torch.exp, 1e-3)
    assert (found.cause, found.meaningful, found.kinks) == ("curvature", True, 0)
    assert found.curvature == pytest.approx(math.exp(0.3), rel=1e-14)
    assert found.value == pytest.approx(math.exp(0.3), rel=1e-5)
    assert abs(found.value - found.curvature * (1 + 1e-6 / 12)) < 4 * found.rounding
    assert "is meaningful" in str(found)


def test_the_rounding_is_about_what_rounding_does() -> None:
    for h in (3e-8, 1e-8, 3e-9):
        found = at(0.3, torch.exp, h)
        assert found.cause == "rounding"
        assert abs(found.value - math.exp(0.3)) < 6 * found.rounding
        assert found.rounding < 100 * 1.1e-16 / h**2
        assert "Take h = " in found.verdict
    assert at(0.3, torch.exp, 1e-3, torch.float32).cause == "rounding"
    assert at(0.3, torch.exp, 0.1, torch.float32).cause == "curvature"


@pytest.mark.parametrize("kinked", [torch.relu, torch.abs, lambda w: w.clamp(min=0), nn.ReLU()])
def test_a_kink_within_h(kinked) -> None:
    """At distance t from the kink the difference is jump (h - t)/h^2."""
    jump = 2.0 if kinked is torch.abs else 1.0
    found = at(0.25, kinked, 1.0)
    assert (found.cause, found.kinks, found.kinks_of, found.at_kink) == ("kinks", 1, 1, 0)
    assert found.value == pytest.approx(jump * 0.75)
    assert found.curvature == 0.0
    assert not found.meaningful
    assert "jumps of slope: 1 of 1 inputs" in found.verdict


def test_at_a_kink_the_difference_grows_without_end() -> None:
    values = [at(0.0, torch.abs, h) for h in (1e-1, 1e-2, 1e-3)]
    assert [round(found.value * found.h, 9) for found in values] == [2.0] * 3
    assert all(found.cause == "kinks" and found.at_kink == 1 for found in values)
    assert "grows as 1/h" in values[0].verdict


def test_a_kink_that_is_not_reached_does_no_harm() -> None:
    found = at(0.25, lambda w: torch.relu(w) ** 2, 1e-3)
    assert (found.cause, found.kinks) == ("curvature", 0)
    assert found.curvature == 2.0


def test_beyond_the_quadratic_part() -> None:
    found = at(0.0, torch.cos, 2.0)
    assert found.cause == "far"
    assert "Take a smaller h" in found.verdict


def test_not_finite() -> None:
    found = at(0.5, torch.log, 1.0)
    assert found.cause == "not finite"
    assert "means nothing" in found.verdict


def network(activation: type) -> tuple[nn.Sequential, torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 20), activation(), nn.Linear(20, 2)).double()
    return net, torch.randn(50, 4).double(), torch.randn(50, 2).double()


def test_networks_along_their_sharpest_direction() -> None:
    answers = {}
    for activation in (nn.Tanh, nn.ReLU):
        net, x, y = network(activation)
        before = [p.detach().clone() for p in net.parameters()]
        top = sharpness(net, MSE, [(x, y)], tolerance=1e-8)
        batches = [(x[:20], y[:20]), (x[20:], y[20:])]
        found = [second_difference(net, MSE, iter(batches), top, h) for h in (1e-3, 5.0)]
        answers[activation] = [each.cause for each in found]
        assert found[0].curvature == pytest.approx(top.value, rel=1e-9)
        assert all(torch.equal(p, old) for p, old in zip(net.parameters(), before, strict=True))
        if activation is nn.ReLU:
            assert found[1].kinks is not None
            assert found[1].kinks > 0
            assert found[1].kinks_of == 1000
    assert answers[nn.Tanh][0] == "curvature"
    assert answers[nn.ReLU][1] == "kinks"


def test_directions_of_every_kind_are_one() -> None:
    net, x, y = network(nn.Tanh)
    parts = [torch.randn_like(p) for p in net.parameters()]
    flat = torch.cat([part.flatten() for part in parts])
    first = second_difference(net, MSE, [(x, y)], parts, 1e-3)
    assert second_difference(net, MSE, [(x, y)], flat, 1e-3) == first
    twice = second_difference(net, MSE, [(x, y)], 2 * flat, 1e-3)
    assert twice.curvature == pytest.approx(4 * first.curvature)


def test_dropout_has_one_mask() -> None:
    net, x, y = network(nn.Tanh)
    net.insert(2, nn.Dropout(0.5))
    found = second_difference(net, MSE, [(x, y)], torch.ones(142), 1e-3)
    assert found.cause == "curvature"
    assert "one draw" in found.notes[0]


def test_json_and_observations() -> None:
    kink, fine = at(0.25, torch.relu, 1.0), at(0.3, torch.exp, 1e-3)
    assert json.loads(json.dumps(kink.as_dict()))["cause"] == "kinks"
    (said,) = kink.observations()
    assert (said.level, said.id) == ("warning", "second-difference")
    assert said.remedy
    assert fine.observations()[0].level == "fine"


def test_bad_input_is_answered_in_words() -> None:
    net, x, y = network(nn.Tanh)
    good = [(x, y)]
    top = sharpness(net, MSE, good, optimizer=torch.optim.SGD(net.parameters(), lr=0.1))
    cases = [
        ((net, MSE, good, torch.ones(3), 1.0), "direction has 3 entries, the parameters 142"),
        ((net, MSE, good, torch.zeros(142), 1.0), "direction is zero"),
        ((net, MSE, good, torch.full((142,), math.nan), 1.0), "not finite"),
        ((net, MSE, good, torch.ones(142), 0.0), "h = 0"),
        ((net, MSE, good, torch.ones(142), math.inf), "h = inf"),
        ((net, MSE, [], torch.ones(142), 1.0), "no batches"),
        ((3, MSE, good, torch.ones(142), 1.0), "model is a int"),
        ((net, MSE, good, top, 1.0), "in the metric of SGD"),
    ]
    for args, words in cases:
        with pytest.raises(InputError, match=words):
            second_difference(*args)  # type: ignore[arg-type]
