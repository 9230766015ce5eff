"""The law of the final norm against simulation and Irwin and Hall's law."""

import math

import numpy as np
import pytest

from nonsmooth.claims import built
from nonsmooth.claims._laws import best_below, deviation_law, subgradient_entry
from nonsmooth.runs import stream


def test_it_is_not_taken_for_a_claim():
    assert not [id for id in built() if "laws" in id]


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
    values, chances = deviation_law(dimension, subgradient_entry(move))
    simulated = np.searchsorted(deviation, values, side="right") / deviation.size
    assert np.abs(simulated - np.cumsum(chances)).max() < 0.012
    assert np.mean(np.minimum(S, dimension - S) < 1) == pytest.approx(best_below(dimension, move), abs=0.01)


def test_an_uneven_entry_is_summed_as_it_is():
    # one entry of three is near 0, the others near 1: the sum of two is 0, 1 or 2
    entry = np.zeros_like(subgradient_entry(1.0))
    entry[[0, -1]] = 1 / 3, 2 / 3
    values, chances = deviation_law(2, entry)
    assert values[chances > 1e-12] == pytest.approx([0, 1], abs=0.01)
    assert chances[chances > 1e-12] == pytest.approx([4 / 9, 5 / 9])
