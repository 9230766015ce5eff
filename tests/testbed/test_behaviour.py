"""The rules that name a behaviour, held against sequences whose behaviour is known."""

import numpy as np
import pytest

import nonsmooth as ns
from nonsmooth.testbed import BEHAVIOURS, classify, convergence_rate

STEPS = 4000
T = np.arange(STEPS + 1)


def name(x, value=abs, minimum=0.0, tail=64, **options):
    """The behaviour of one sequence of numbers (T + 1,) or points (T + 1, P)."""
    x = np.asarray(x)
    points = x if x.ndim == 2 else x[:, None]
    values = value(x) if x.ndim == 1 else options.pop("values")
    norms = np.linalg.norm(points, axis=1).astype(points.dtype)
    (answer,) = classify(values[None], norms[None], points[None, -tail:], minimum=minimum, **options)
    assert answer in BEHAVIOURS
    return answer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [1.0, 1e-3, 1e-15, 1e15])
def test_a_true_two_cycle_of_any_size(dtype, size):
    assert name((size * np.array([0.7, -0.3])[T % 2]).astype(dtype)) == "period-2 orbit"


def test_a_two_cycle_of_equal_values():
    assert name((-1.0) ** T) == "period-2 orbit"


@pytest.mark.parametrize("period", [3, 4, 6, 7, 16, 50])
def test_another_period_is_bounded(period):
    assert name(np.random.default_rng(period).uniform(-1, 1, period)[T % period]) == "bounded"


def test_chaos_is_bounded():
    x = np.empty(STEPS + 1)
    x[0] = 0.3
    for t in range(STEPS):  # the tent map's smooth cousin
        x[t + 1] = 1 - 1.9 * x[t] ** 2
    assert name(x) == "bounded"


@pytest.mark.parametrize("loss", [1e-3, 1e-5, 1e-8, 1e-10, 1e-12])
def test_a_slowly_dying_zigzag_is_no_orbit(loss):
    """Gradient descent a hair below 2/L."""
    assert name((-1.0) ** T * np.cumprod(np.full(STEPS + 1, 1 - loss))) == "still falling"


@pytest.mark.parametrize("gain", [1e-3, 1e-5, 1e-8, 1e-12])
def test_a_slowly_growing_zigzag_is_not_decided(gain):
    """A hair above it."""
    x = (-1.0) ** T * np.cumprod(np.full(STEPS + 1, 1 + gain))
    assert name(x) == "not yet decided"


def test_an_orbit_that_attracts_is_one_only_once_it_is_reached():
    """x -> -x + 0.02 sign-wise towards +-0.5, at rate 1 - 1e-2 a step."""
    towards = lambda rate: (-1.0) ** T * (0.5 + 0.5 * (1 - rate) ** T)  # noqa: E731
    assert name(towards(1e-2)) == "period-2 orbit"
    assert name(towards(4e-4)) == "still falling"


@pytest.mark.parametrize("power", [0.02, 0.1, 0.5, 1.0, 2.0])
def test_slow_convergence_is_still_falling(power):
    assert name((1.0 + T) ** -power) == "still falling"


def test_logarithmic_convergence_is_still_falling():
    assert name(1 / np.log(3.0 + T)) == "still falling"


@pytest.mark.parametrize("rate", [0.5, 0.9, 0.99, -0.9])
def test_geometric_convergence(rate):
    assert name(np.float64(rate) ** T) == "converges"
    assert convergence_rate(abs(np.float64(rate) ** T), 0.0) == pytest.approx(abs(rate))


def test_convergence_to_a_minimum_that_is_not_zero():
    """The gap cannot fall below the rounding of the value."""
    x = 0.9**T
    assert name(x, value=lambda x: 7.0 + x * x, minimum=7.0) == "converges"
    assert name(x.astype("float32"), value=lambda x: np.float32(7) + x * x, minimum=7.0) == "converges"


def test_without_a_known_minimum_nothing_is_said_to_converge():
    assert name(0.9**T, minimum=None) != "converges"


def test_resting_above_the_minimum_is_bounded_not_convergence():
    assert name(1 + 0.9**T, value=lambda x: x) == "bounded"


def test_falling_with_noise():
    noise = np.random.default_rng(0).uniform(0.5, 1, STEPS + 1)
    assert name(noise * (1.0 + T) ** -0.5) == "still falling"
    assert name(noise) == "bounded"


def test_iterates_that_run_off_along_a_flat_valley_are_not_bounded():
    """The example of unbounded iterates: y grows like t^(1/3) while the value stays."""
    x = np.stack([np.array([0.5, -0.5, 0.3, -0.4])[T % 4], np.cbrt(T)], axis=1)
    assert name(x, values=np.abs(x[:, 0])) == "not yet decided"
    assert name(
        np.stack([np.array([0.5, -0.5])[T % 2], np.cbrt(T)], axis=1), values=np.full(STEPS + 1, 0.5)
    ) == ("not yet decided")


def test_divergence():
    assert name(np.where(T < 100, 2.0 ** np.minimum(T, 100), np.inf)) == "divergent"
    assert classify(np.ones((2, 100)), np.ones((2, 100)), np.ones((2, 8, 1)), diverged=[True, False]) == (
        "divergent",
        "bounded",
    )


def test_random_bounded_sequences_are_rarely_called_anything_else():
    names = [name(np.random.default_rng(seed).uniform(-1, 1, 10 * STEPS)) for seed in range(100)]
    assert set(names) <= {"bounded", "still falling", "not yet decided"}
    # three standard errors on 14 degrees of freedom: a trend is seen by chance in one of a hundred
    assert names.count("bounded") >= 95
    assert names.count("still falling") <= 3


def test_it_serves_other_objectives():
    f = ns.objectives.ToyLasso(1.0, dimension=3)
    start = np.random.default_rng(0).uniform(-1, 1, (5, 3))
    run = ns.minimize(f, start=start, steps=500, stepsize=0.01, record=ns.Record(every=1, tail=16))
    assert set(classify(run.curve("value"), run.curve("l2_norm"), run.tail, minimum=0.0)) == {
        "period-2 orbit"
    }


@pytest.mark.parametrize(
    ("shapes", "word"),
    [
        (((2, 99), (2, 98), (2, 8, 1)), "do not fit"),
        (((2, 99), (2, 99), (3, 8, 1)), "do not fit"),
        (((2, 60), (2, 60), (2, 8, 1)), "at least 64 steps"),
        (((2, 99), (2, 99), (2, 7, 1)), "8 kept"),
    ],
)
def test_what_cannot_be_judged_is_refused(shapes, word):
    with pytest.raises(ns.InputError, match=word):
        classify(*map(np.ones, shapes))
