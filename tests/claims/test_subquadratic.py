"""The C² loss: its value, slope and second derivative fit together, and its exact orbit is an orbit."""

from fractions import Fraction

import numpy as np
import pytest

from nonsmooth.claims.subquadratic import _experiments as e


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
