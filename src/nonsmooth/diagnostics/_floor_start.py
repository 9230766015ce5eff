"""Where the weights of a population start: a law to draw from, or the weights themselves."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nonsmooth.errors import InputError

__all__ = ["StartLaw", "start_law"]

_ALLOWED = (
    "give 'uniform' (on [-1, 1]), a number > 0 (the standard deviation of a normal law), an array of "
    "weights, or a function of a NumPy generator and a count that returns so many weights"
)


@dataclass(frozen=True)
class StartLaw:
    """A law of starts.

    Args:
        words: the law in words.
        draw: n starts, float64, from a NumPy generator.
        fixed: how many weights there are where they are given one by one (a smaller n draws from them);
            None where they follow a law.
        below: x -> P(|b0| <= x), where it is known.
        moment: x -> E |b0| 1(|b0| <= x), likewise.
        reach: no |b0| is beyond it.
    """

    words: str
    draw: Callable[[np.random.Generator, int], np.ndarray]
    fixed: int | None = None
    below: Callable[[np.ndarray], np.ndarray] | None = None
    moment: Callable[[np.ndarray], np.ndarray] | None = None
    reach: float = math.inf


def start_law(start: Any) -> StartLaw:
    """The law that a caller's ``start`` means.

    >>> start_law("uniform").words, start_law(0.1).words
    ('uniform on [-1, 1]', 'normal, standard deviation 0.1')

    Raises:
        InputError: it means none, or its weights are not finite.
    """
    if isinstance(start, str):
        if start != "uniform":
            raise InputError(f"start {start!r} is no law; {_ALLOWED}")
        return _UNIFORM
    if callable(start):
        return _drawn(start)
    try:
        values = _flat(start)
    except (TypeError, ValueError) as error:
        raise InputError(f"start of type {type(start).__name__} cannot be used; {_ALLOWED}") from error
    if getattr(start, "ndim", 0) or isinstance(start, list | tuple):
        return _given(values)
    if not (values.size == 1 and 0 < values[0] < math.inf):
        raise InputError(f"start = {start} is not allowed; {_ALLOWED}")
    return _normal(float(values[0]))


def _flat(values: Any) -> np.ndarray:
    if hasattr(values, "detach"):
        values = values.detach().cpu().double().numpy()
    return np.array(values, dtype=np.float64).reshape(-1)


_UNIFORM = StartLaw(
    "uniform on [-1, 1]",
    lambda rng, n: rng.uniform(-1.0, 1.0, n),
    below=lambda x: np.minimum(x, 1.0),
    moment=lambda x: np.minimum(x, 1.0) ** 2 / 2,
    reach=1.0,
)


def _normal(deviation: float) -> StartLaw:
    from scipy.special import erf

    scale = deviation * math.sqrt(2)
    return StartLaw(
        f"normal, standard deviation {deviation:g}",
        lambda rng, n: rng.normal(0.0, deviation, n),
        below=lambda x: erf(x / scale),
        # The integral of x exp(-x^2 / 2 s^2) / s, twice over sqrt(2 pi).
        moment=lambda x: -deviation * math.sqrt(2 / math.pi) * np.expm1(-((x / scale) ** 2)),
        reach=40 * deviation,
    )


def _given(values: np.ndarray) -> StartLaw:
    if not values.size or not np.isfinite(values).all():
        raise InputError("start holds no weights, or some that are not finite; give finite weights")

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        return values if n >= values.size else rng.choice(values, n, replace=False)

    return StartLaw(f"the {values.size:,} weights given", draw, fixed=values.size)


def _drawn(function: Callable[..., Any]) -> StartLaw:
    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        values = _flat(function(rng, n))
        if values.shape != (n,) or not np.isfinite(values).all():
            raise InputError(f"the start function must return {n} finite weights; it gave {values.size}")
        return values

    return StartLaw(f"drawn by {getattr(function, '__name__', 'a function')}", draw)
