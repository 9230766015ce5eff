"""The runs with sixty digits against the compiled ones, and RMSProp's zeros against a plain loop."""

import math

import numpy as np
import pytest

from nonsmooth.claims.variants_table._experiments import _with_sixty_digits
from nonsmooth.methods import RMSProp
from nonsmooth.objectives import ToyLasso
from nonsmooth.trajectories import Record, minimize


@pytest.mark.parametrize("b", [0.731, -0.248, 0.0557])
def test_sixty_digits_and_float64_agree_while_rounding_is_far_away(b: float) -> None:
    smallest, _ = _with_sixty_digits(b, 0.01, 1e-16, 100)
    run = minimize(
        ToyLasso(1.0, 1),
        start=np.array([[b]]),
        steps=100,
        stepsize=0.01,
        method=RMSProp(0.99, 1e-16),
        record=Record(tail=2),
    )
    assert smallest == pytest.approx(float(np.abs(run.tail).min()), abs=1e-13)


def test_a_plain_loop_reaches_exact_zeros_too() -> None:
    zeros = 0
    for b in np.random.default_rng(0).uniform(-1, 1, 40):
        x, v = float(b), 0.0
        for _ in range(4000):
            g = (x > 0) - (x < 0)
            v = 0.99 * v + 0.01 * g * g
            x -= 0.01 * g / math.sqrt(v + 1e-16)
        zeros += x == 0
    assert 15 <= zeros <= 38
