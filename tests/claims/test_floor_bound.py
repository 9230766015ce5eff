"""The law of the final norm against simulation, Irwin and Hall's law and exact rationals."""

import math
from fractions import Fraction

import numpy as np
import pytest

from nonsmooth.claims.floor_bound._experiments import _last_two
from nonsmooth.claims.floor_bound._law import best_below, deviation_law
from nonsmooth.runs import stream


@pytest.mark.parametrize("dimension", [3, 4, 5, 7])
@pytest.mark.parametrize("move", [0.01, 0.1, 1.0])
def test_irwin_and_hall_give_two_over_factorial(dimension, move):
    assert best_below(dimension, move) == pytest.approx(2 / math.factorial(dimension), rel=1e-3)


@pytest.mark.parametrize("dimension", [1, 2, 3, 10])
@pytest.mark.parametrize("move", [0.07, 0.3, 0.7, 1.5, 8.0])
def test_the_law_is_that_of_simulated_ends(dimension, move):
    b = np.abs(stream("law", dimension).uniform(-1, 1, (40_000, dimension)))
    whole, rest = np.divmod(b, move)
    S = np.where(whole % 2 == 0, rest, move - rest).sum(axis=1) / move
    deviation = np.sort(np.abs(S - dimension / 2))
    values, chances = deviation_law(dimension, move)
    simulated = np.searchsorted(deviation, values, side="right") / deviation.size
    assert np.abs(simulated - np.cumsum(chances)).max() < 0.012
    assert np.mean(np.minimum(S, dimension - S) < 1) == pytest.approx(best_below(dimension, move), abs=0.01)


@pytest.mark.parametrize("move", [Fraction(1, 10), Fraction(2, 7), Fraction(5, 3)])
def test_the_last_two_are_the_two_cycle(move):
    for b in (Fraction(1, 3), Fraction(-17, 19), Fraction(1, 1000)):
        first, second = _last_two(b, move)
        assert abs(first) + abs(second) == move
        whole, rest = divmod(abs(b), move)
        assert abs(first) == (rest if whole % 2 == 0 else move - rest)
    assert _last_two(3 * Fraction(1, 10), Fraction(1, 10)) == (0, 0)
