"""Step-size regimes: constant (eq. 1, 2), diminishing (eq. 4) and reducing (chained constant runs).

A regime gives a profile of factors over the steps and a base step, which may differ from run to run:
the step of run b at time t is ``base[b] * profile[t]``.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nonsmooth.errors import InputError

__all__ = ["Constant", "Diminishing", "Reducing", "StepSize"]


def _positive(name: str, value: Any) -> None:
    array = np.asarray(value, dtype=float)
    bad = array[~((array > 0) & (array < np.inf))]
    if bad.size:
        raise InputError(f"{name} = {bad.flat[0]:g} is not allowed; give a finite number > 0")


@dataclass(frozen=True, eq=False)
class StepSize:
    """Base of the regimes: ``base`` is a number or an array (B,), one a run."""

    base: Any

    def profile(self, steps: int) -> np.ndarray:
        """Factors of the base step, shape (steps,)."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class Constant(StepSize):
    """The same step throughout (eq. 1 and 2).

    >>> Constant(0.1).profile(3)
    array([1., 1., 1.])
    """

    def __post_init__(self) -> None:
        _positive("step size", self.base)

    def profile(self, steps: int) -> np.ndarray:
        return np.ones(steps)


@dataclass(frozen=True, eq=False)
class Diminishing(StepSize):
    """base / (1 + t/warmup)^power (eq. 4): tends to 0, with infinite sum as long as power <= 1.

    >>> Diminishing(1.0, power=1.0).profile(3)
    array([1.        , 0.5       , 0.33333333])
    """

    power: float = 0.5
    warmup: float = 1.0

    def __post_init__(self) -> None:
        _positive("step size", self.base)
        _positive("warmup", self.warmup)
        if not 0 < self.power <= 1:
            raise InputError(
                f"power = {self.power} is not allowed; give one in (0, 1]: above 1 the sum is finite (eq. 4)"
            )

    def profile(self, steps: int) -> np.ndarray:
        return (1 + np.arange(steps) / self.warmup) ** -self.power


@dataclass(frozen=True, eq=False)
class Reducing(StepSize):
    """T constant runs chained, each started where the last one ended: (N_0, a_0), (N_1, a_1), ...

    The last step size goes on beyond the last stage.

    >>> Reducing.stages((2, 0.1), (2, 0.01)).profile(4)
    array([1. , 1. , 0.1, 0.1])
    """

    lengths: tuple[int, ...] = ()
    factors: tuple[float, ...] = ()

    @classmethod
    def stages(cls, *stages: Sequence[Any]) -> Reducing:
        """From pairs (number of steps, step size), the step sizes strictly decreasing."""
        if not stages:
            raise InputError("no stages given; give at least one pair (number of steps, step size)")
        for length, step in stages:
            _positive("step size", step)
            if int(length) != length or length < 1:
                raise InputError(f"a stage of {length} steps is not allowed; give an integer >= 1")
        sizes = [float(step) for _, step in stages]
        if any(b >= a for a, b in itertools.pairwise(sizes)):
            raise InputError(f"step sizes {sizes} do not decrease; a reducing regime needs a_0 > a_1 > ...")
        return cls(sizes[0], tuple(int(n) for n, _ in stages), tuple(a / sizes[0] for a in sizes))

    def profile(self, steps: int) -> np.ndarray:
        factors = np.repeat(self.factors, self.lengths)
        if steps <= factors.size:
            return factors[:steps]
        return np.concatenate([factors, np.full(steps - factors.size, self.factors[-1])])
