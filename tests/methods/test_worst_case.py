"""The worst cases against closed forms, and against functions that attain them."""

import math
from fractions import Fraction

import numpy as np
import pytest

from nonsmooth.errors import InputError
from nonsmooth.methods import Constant, Diminishing, Fista, Momentum, RMSProp, Subgradient, worst_case
from nonsmooth.objectives import ToyLasso
from nonsmooth.trajectories import minimize

_ACCURACY = 1e-6
_ATTAINED = 1e-9


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_gradient_descent_on_smooth_functions_is_drori_teboulle(steps: int) -> None:
    found = worst_case(Subgradient(), "smooth", steps, 1 / 3, L=3, D=2)
    assert found.value == pytest.approx(3 * 4 / (4 * steps + 2), rel=_ACCURACY)
    assert found.gap < _ACCURACY


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("step", [0.3, 1.0, 1.4])
def test_a_short_step_is_drori_teboulle_too(steps: int, step: float) -> None:
    # for a step h/L with h <= 1: L D^2 / (4 N h + 2); beyond, until the overshoot takes over, likewise
    overshoot = (1 - step) ** (2 * steps) / 2
    expected = max(1 / (4 * steps * step + 2), overshoot)
    assert worst_case(Subgradient(), "smooth", steps, step).value == pytest.approx(expected, rel=_ACCURACY)


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_hubers_function_attains_it(steps: int) -> None:
    # |x| rounded over D / (2 N + 1), L = l1 / width, run by the package itself
    width = 1 / (2 * steps + 1)
    f = ToyLasso(width, 1).smooth_twin(width)
    run = minimize(f, start=np.array([1.0]), steps=steps, stepsize=1.0)
    assert float(f.value(run.final)[0]) == pytest.approx(1 / (4 * steps + 2), rel=_ATTAINED)


@pytest.mark.parametrize("steps", [1, 3, 8])
def test_the_best_iterate_on_lipschitz_functions(steps: int) -> None:
    step = 2 / (3 * math.sqrt(steps + 1))
    found = worst_case(Subgradient(), "lipschitz", steps, step, L=3, D=2, criterion="best")
    assert found.value == pytest.approx(3 * 2 / math.sqrt(steps + 1), rel=_ACCURACY)
    assert found.gap < _ACCURACY


@pytest.mark.parametrize("step", [0.5, 2.0])
def test_a_step_that_is_not_the_best_has_boyds_bound(step: float) -> None:
    # (D^2 + (N + 1) a^2 L^2) / (2 a (N + 1)): floor a L^2 / 2, however many steps; it caps at f(x_0) <= L D
    for steps in (3, 6):
        bound = (1 + (steps + 1) * step**2) / (2 * step * (steps + 1))
        found = worst_case(Subgradient(), "lipschitz", steps, step, criterion="best").value
        assert found <= min(bound, 1) * (1 + _ACCURACY)
        assert found == pytest.approx(min(bound, 1), rel=0.35)


@pytest.mark.parametrize("steps", [1, 4])
def test_a_largest_entry_attains_it(steps: int) -> None:
    # f(x) = max(max_i x_i, ||x|| - 1 - 1/sqrt(n)), n = N + 1, first of the greatest entries, start 0:
    # no step touches the last entry, so f stays 0 while the minimum, at distance 1, is -1/sqrt(n)
    n = steps + 1
    x, step, values = [Fraction(0)] * n, Fraction(1, 3), []
    for _ in range(n):
        values.append(max(x))
        x[x.index(max(x))] -= step
    assert values == [0] * n
    assert math.hypot(*(float(entry) for entry in x)) - 1 - 1 / math.sqrt(n) < 0  # the other branch is idle
    found = worst_case(Subgradient(), "lipschitz", steps, 1 / math.sqrt(n), criterion="best").value
    assert found == pytest.approx(1 / math.sqrt(n), rel=_ACCURACY)


@pytest.mark.parametrize("steps", [2, 5])
def test_the_last_iterate_of_zamani_and_glineur(steps: int) -> None:
    # steps falling linearly: the last iterate is as good as the best one with a constant step
    best = 1 / math.sqrt(steps + 1)
    falling = [(steps - k) / math.sqrt((steps + 1) ** 3) for k in range(steps)]
    assert worst_case(Subgradient(), "lipschitz", steps, falling).value == pytest.approx(best, rel=_ACCURACY)
    # a constant step: worse than that for every step tried, and for the best of them within their bound
    tried = [
        worst_case(Subgradient(), "lipschitz", steps, size).value for size in best * np.geomspace(0.3, 2, 21)
    ]
    assert best * 1.01 < min(tried) < best * math.sqrt(1 + math.log(steps) / 4)


def test_the_average_lies_between_the_best_and_its_bound() -> None:
    steps, step = 4, 1 / math.sqrt(5)
    best, average = (
        worst_case(Subgradient(), "lipschitz", steps, step, criterion=criterion).value
        for criterion in ("best", "average")
    )
    assert best * (1 - _ACCURACY) <= average <= 1 / math.sqrt(5) * (1 + _ACCURACY)


def test_momentum_of_zero_is_no_momentum() -> None:
    plain, still = (worst_case(m, "smooth", 3, 1.0).value for m in (Subgradient(), Momentum(0.0)))
    assert still == pytest.approx(plain, rel=_ACCURACY)


def test_acceleration_is_within_its_bound_and_faster() -> None:
    # Beck and Teboulle (2009): 2 L D^2 / (N + 1)^2
    accelerated = worst_case(Fista(), "smooth", 8, 1.0).value
    assert accelerated < 2 / 81
    assert accelerated < worst_case(Subgradient(), "smooth", 8, 1.0).value


def test_regimes_and_sequences_are_the_same() -> None:
    regime, numbers = Diminishing(0.5, 0.5), [0.5, 0.5 / math.sqrt(2)]
    values = [worst_case(Subgradient(), "lipschitz", 2, s, criterion="best").value for s in (regime, numbers)]
    assert values[0] == pytest.approx(values[1], rel=1e-7)
    assert worst_case(Subgradient(), "smooth", 2, Constant(1.0)).value == pytest.approx(0.1, rel=_ACCURACY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": RMSProp()}, "RMSProp is not linear"),
        ({"method": Fista()}, "function_class='smooth'"),
        ({"function_class": "convex"}, "choose smooth or lipschitz"),
        ({"steps": 0}, "from 1 to 60"),
        ({"steps": 2.5}, "from 1 to 60"),
        ({"steps": 1000}, "from 1 to 60"),
        ({"stepsize": 0.0}, "step size = 0 "),
        ({"stepsize": [1.0]}, "1 step sizes for 2 steps"),
        ({"stepsize": [1.0, -1.0]}, "step size = -1.0"),
        ({"stepsize": Constant(np.array([1.0, 2.0]))}, "each of 2 runs"),
        ({"L": 0}, "L = 0"),
        ({"D": math.nan}, "D = nan"),
        ({"criterion": "mean"}, "choose one of last, best, average"),
    ],
)
def test_bad_input_is_named(change: dict, message: str) -> None:
    arguments = {"method": Subgradient(), "function_class": "lipschitz", "steps": 2, "stepsize": 1.0} | change
    with pytest.raises(InputError, match=message):
        worst_case(**arguments)
