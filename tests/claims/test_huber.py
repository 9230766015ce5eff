"""Huber's networks: the losses, and that a large step meets what its slope's bound says."""

import math

import numpy as np
import pytest
import torch

from nonsmooth.claims import _edge_of_stability as edge
from nonsmooth.claims import load
from nonsmooth.runs import RunSpec


def _steps(loss: str, activation: str, factors: tuple[float, ...]) -> list[dict]:
    given = {"images": "digits", "device": "cpu", "network": "fully connected", "count": 100, "side": 8}
    given |= {"width": 10, "steps": 60, "factors": factors, "loss": loss, "activation": activation}
    return edge.large_steps(RunSpec("huber", "network-steps", given, (0,)))


def test_the_losses_are_what_they_are_called() -> None:
    outputs = torch.tensor([[0.25, 3.0, -0.5], [1.0, 0.0, -2.0]], dtype=torch.float64)
    labels = torch.tensor([1, 0])
    residuals = [[0.25, 2.0, -0.5], [0.0, 0.0, -2.0]]

    def mean(of) -> float:
        return sum(of(r) for row in residuals for r in row) / 2

    for name, of in {
        "square": lambda r: r * r / 2,
        "huber": lambda r: r * r / 2 if abs(r) < 1 else abs(r) - 0.5,
        "log-cosh": lambda r: math.log(math.cosh(r)),
    }.items():
        assert float(edge.LOSSES[name](outputs, labels)) == pytest.approx(mean(of), rel=1e-12), name
    assert float(edge.LOSSES["log-cosh"](1000 * outputs, labels)) == pytest.approx(
        float(edge.LOSSES["huber"](1000 * outputs, labels)), rel=1e-3
    )


def test_the_square_diverges_at_a_step_at_which_losses_of_bounded_slope_do_not() -> None:
    (square,) = _steps("square", "tanh", (32.0,))
    assert square["diverged"]
    assert square["highest"] is None
    for loss in ("huber", "log-cosh"):
        (bounded,) = _steps(loss, "tanh", (32.0,))
        assert not bounded["diverged"]
        assert bounded["late"] > bounded["first"]


def test_every_step_starts_from_the_same_network_and_the_small_one_descends() -> None:
    small, large = _steps("huber", "relu", (0.1, 2.0))
    assert small["first"] == large["first"]
    assert small["highest"] == small["first"]
    assert small["late"] < 0.9 * small["first"]


def test_the_convex_runs_do_not_depend_on_the_images() -> None:
    claim = load("huber")
    given = {**claim.settings(), "images": "cifar10:0"}
    convex = [
        {spec.id for spec in claim.runs("quick", settings) if not spec.experiment.startswith("network")}
        for settings in (claim.settings(), given)
    ]
    assert convex[0] == convex[1]
    assert np.all([spec["images"] == "cifar10:0" for spec in claim.runs("quick", given)[-9:]])
