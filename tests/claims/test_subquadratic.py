"""The C² loss fits together and its exact orbit is an orbit; networks against their whole Hessian."""

from fractions import Fraction

import numpy as np
import pytest
import torch

from nonsmooth.claims._dense import Dense, parity, small_images
from nonsmooth.claims.subquadratic import _experiments as e
from nonsmooth.claims.subquadratic import _networks as networks
from nonsmooth.runs import RunSpec


def test_the_slope_is_the_derivative_of_the_value() -> None:
    r, h = np.linspace(-3, 3, 601) + 0.0037, 1e-5
    for loss in e.LOSSES:
        value, slope = e._VALUES[loss], e._SLOPES[loss]
        assert (value(r + h) - value(r - h)) / (2 * h) == pytest.approx(slope(r), abs=1e-5)


def test_the_exact_slope_is_the_one_that_is_run() -> None:
    for k in range(-24, 25):
        x = Fraction(k, 8)
        assert float(e._flat_slope(x)) == pytest.approx(float(e._c2_slope(np.array(float(x)))), abs=1e-15)


@pytest.mark.parametrize(
    ("slope", "at", "step"),
    [(e._flat_slope, Fraction(3, 2), Fraction(24, 11)), (e._fast_slope, Fraction(5), 3)],
)
def test_the_orbits_flip_exactly(slope, at: Fraction, step: Fraction) -> None:
    assert at - step * slope(at) == -at
    assert -at - step * slope(-at) == at


def _net(activation: str) -> tuple[Dense, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(12, 4, generator=rng, dtype=torch.float64)
    y = torch.randn(12, 1, generator=rng, dtype=torch.float64)
    net = Dense((4, 5, 1), activation, "square", x, y)
    return net, net.start([1, 2])


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
def test_the_top_eigenvalue_is_that_of_the_whole_hessian(activation: str) -> None:
    net, theta = _net(activation)
    top, v = networks._top(net, theta)
    for k in range(2):
        units = torch.eye(net.size, dtype=torch.float64)
        hessian = net.curvatures(theta[k].expand(net.size, -1), units)
        values = torch.linalg.eigvalsh(hessian)
        assert float(top[k]) == pytest.approx(float(values[-1]), rel=1e-6)
        assert torch.allclose(hessian @ v[k], top[k] * v[k], atol=1e-3 * float(top[k]))


def test_differences_of_a_network_are_its_curvature_and_count_the_units_crossed() -> None:
    net, theta = _net("relu")
    spec = RunSpec("subquadratic", "network", {"activation": "relu"}, (1, 2))
    rows = networks._differences(spec, net, theta, "trained", [True, True])
    assert len(rows) == 6
    at = e.LENGTHS.index(1e-4)
    for row in rows:
        if row["crossed"][at] == 0:
            assert row["measured"][at] == pytest.approx(row["exact"], rel=1e-5)
    assert max(row["crossed"][0] for row in rows) > 0
    assert all(np.diff(row["crossed"]).max() <= 0 for row in rows)  # a smaller h crosses no more


def test_growth_at_the_edge_is_one_for_a_quadratic() -> None:
    data = {"samples": 50, "side": 4, "images": "digits", "device": "cpu"}
    spec = RunSpec("subquadratic", "network", {**data, "activation": "identity", "steps": 300}, (0,))
    x, labels = small_images(spec, 50, 4)
    net = Dense((16, 1), "identity", "square", x, parity(labels))
    rows, _ = networks._edge(spec, net)
    assert rows[0]["growth"] == pytest.approx([1.0] * 4, abs=1e-4)
    assert rows[0]["sharpness"] == pytest.approx(1.0, abs=1e-9)
