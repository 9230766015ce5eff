"""The three regimes of Section 2."""

import numpy as np
import pytest

from nonsmooth.errors import InputError
from nonsmooth.methods import Constant, Diminishing, Reducing


def test_diminishing_steps_tend_to_zero_and_their_sum_does_not_converge() -> None:
    for power in (0.5, 1.0):
        profile = Diminishing(1.0, power).profile(1_000_000)
        assert profile[-1] < 2e-3
        # the sum over each further decade does not shrink: at power 1 it is log 10 every time
        decades = [profile[10**j : 10 ** (j + 1)].sum() for j in range(2, 6)]
        assert min(np.diff(decades)) > -0.01


def test_reducing_chains_constant_runs() -> None:
    regime = Reducing.stages((2, 0.5), (3, 0.1), (1, 0.05))
    np.testing.assert_allclose(regime.base * regime.profile(8), [0.5, 0.5, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05])
    np.testing.assert_allclose(regime.base * regime.profile(3), [0.5, 0.5, 0.1])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Constant(0.0), "step size = 0"),
        (lambda: Constant(float("inf")), "inf"),
        (lambda: Constant(np.array([0.1, -1.0])), "-1"),
        (lambda: Diminishing(0.1, power=1.5), "sum is finite"),
        (lambda: Diminishing(0.1, warmup=0.0), "warmup"),
        (lambda: Reducing.stages(), "no stages"),
        (lambda: Reducing.stages((10, 0.1), (10, 0.2)), "do not decrease"),
        (lambda: Reducing.stages((0, 0.1)), "0 steps"),
    ],
)
def test_bad_regimes_are_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
