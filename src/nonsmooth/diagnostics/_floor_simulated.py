"""Figures from a simulated population: of the last steps where the law has settled, of step T where not.

Two windows of the run are compared, one that ends at step T/2 and one that ends at step T. The law is
called stationary if the mean |w|, the share below the threshold and the share at 0 differ between them, and
between the last window and step T itself, by no more than 2 % (of a share: of 1 %, where it is smaller) or
three standard errors (none for weights that were given and not drawn). Then a weight's average over the last
window stands for it: an orbit is seen all round, and the intervals are as narrow as the spread between
weights allows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nonsmooth.diagnostics._fingerprint_orbit import classify
from nonsmooth.diagnostics._floor_population import Population
from nonsmooth.findings import number, share_of

__all__ = ["Estimate", "estimate", "walk"]

_WINDOW = 256
_SETTLED = 0.02
_ERRORS = 3.0
# Shares below this are compared in absolute terms.
_SMALL_SHARE = 0.01
# Orbits are named on so many weights; more would tell no more.
_NAMED = 500
_TELL_EVERY = 250

Listener = Callable[[int, int], None]


@dataclass(frozen=True)
class Estimate:
    """What a population shows; the fields mean what those of the floor mean. ``lost``: not finite."""

    mean: float
    below: float
    zero: float
    arrived: float
    lost: float
    stationary: bool
    why: str
    weights: int
    mean_interval: tuple[float, float] | None
    below_interval: tuple[float, float] | None
    zero_interval: tuple[float, float] | None
    amplitude: float | None
    periods: tuple[int, ...]


def walk(population: Population, first: int, last: int, total: int, progress: Listener | None) -> None:
    """Take steps first + 1 to last of ``total``, telling now and then."""
    for step in range(first + 1, last + 1):
        population.step()
        if progress is not None and (step % _TELL_EVERY == 0 or step == total):
            progress(step, total)


class _Window:
    """Averages of each weight over some steps, and the paths of a few."""

    def __init__(self, population: Population, threshold: float) -> None:
        self.population, self.threshold = population, threshold
        self.length, self.paths = 0, []
        self.size = self.below = self.zero = self.largest = np.zeros(population.parameter.numel())

    def take(self) -> None:
        weights = self.population.weights.reshape(-1).double().numpy()
        size = np.abs(weights)
        self.length += 1
        self.size = self.size + size
        self.below = self.below + (size < self.threshold)
        self.zero = self.zero + (size == 0)
        self.largest = np.maximum(self.largest, size)
        self.paths.append(weights[:_NAMED].copy())

    def averages(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.size / self.length, self.below / self.length, self.zero / self.length


@np.errstate(invalid="ignore", over="ignore")
def estimate(
    population: Population, steps: int, threshold: float, sampled: bool, progress: Listener | None = None
) -> Estimate:
    """Run the population for ``steps`` steps and read it.

    Args:
        population: at step 0.
        steps: >= 1.
        threshold: for the share below.
        sampled: whether the weights are a sample, so that there are intervals.
        progress: called with steps done and in all.
    """
    length = min(_WINDOW, steps // 4)
    middle, late = _Window(population, threshold), _Window(population, threshold)
    at = 0
    for window, end in ((middle, steps // 2), (late, steps)):
        for step in range(end - length, end):
            walk(population, at, step + 1, steps, progress)
            window.take()
            at = step + 1
    walk(population, at, steps, steps, progress)
    now = _Window(population, threshold)
    now.take()

    settled, why = _compare(middle, late, now, sampled) if length else (False, "too few steps to tell")
    arrived = population.arrived.reshape(-1).numpy()
    source = late if settled else now
    size, below, zero = source.averages()
    finite = np.isfinite(size)
    orbits = classify(np.array(late.paths), middle.largest[:_NAMED]) if length >= 8 else None
    largest = (late if length else now).largest[arrived & finite]
    return Estimate(
        mean=float(size.mean()),
        below=float(below.mean()),
        zero=float(zero.mean()),
        arrived=float(arrived.mean()),
        lost=float(1 - finite.mean()),
        stationary=settled,
        why=why,
        weights=size.size,
        mean_interval=_mean_interval(size) if sampled else None,
        below_interval=_share_interval(below) if sampled else None,
        zero_interval=_share_interval(zero) if sampled else None,
        amplitude=float(largest.max()) if largest.size else None,
        periods=orbits.common_periods() if orbits else (),
    )


def _compare(middle: _Window, late: _Window, now: _Window, sampled: bool) -> tuple[bool, str]:
    early, last, end = (window.averages() for window in (middle, late, now))
    if not np.isfinite(end[0]).all():
        return False, "some weights are no finite numbers any more"
    arrived = late.population.arrived.double().mean().item()
    names = ("mean |w|", "the share below the threshold", "the share at 0")
    floors = (0.0, _SMALL_SHARE, _SMALL_SHARE)
    for name, at, least in zip(names, range(3), floors, strict=True):
        for other, words in ((early[at], "up to step T/2"), (end[at], "of the last step")):
            gap = last[at] - other
            error = _ERRORS * gap.std() / math.sqrt(gap.size) if sampled else 0.0
            if abs(gap.mean()) > max(_SETTLED * max(last[at].mean(), least), error):
                told = f"{name} is {number(last[at].mean())} over the last {late.length} steps, "
                told += f"{number(other.mean())} {words}"
                if arrived < 1:
                    told = f"{100 * (1 - arrived):.3g} % of the weights have not arrived at 0 yet; " + told
                return False, told
    gap = abs(last[0].mean() - early[0].mean()) / last[0].mean() if last[0].mean() else 0.0
    return (
        True,
        f"mean |w| changed by {100 * gap:.2g} % from step T/2 to T; averages over the last {late.length} "
        "steps",
    )


def _mean_interval(values: np.ndarray) -> tuple[float, float]:
    middle, error = values.mean(), 1.96 * values.std(ddof=1) / math.sqrt(values.size)
    return float(middle - error), float(middle + error)


def _share_interval(shares: np.ndarray) -> tuple[float, float]:
    """Wilson's interval, with as many weights as would spread like these averages if each were 0 or 1."""
    share, spread = float(shares.mean()), float(shares.var())
    n = shares.size if spread == 0 else round(share * (1 - share) / spread * shares.size)
    return share_of(round(share * n), n).interval
