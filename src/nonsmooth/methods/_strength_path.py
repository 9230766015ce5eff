"""A path of strengths, from the largest useful one down, each started where the last one ended.

A penalised problem is solved more safely along a path than at one strength (Friedman, Hastie and Tibshirani
2010): each solution is a good start for the next, and what to choose is seen instead of guessed. The rule of
thumb is theirs and Breiman's (1984): the largest strength whose validation score lies within one standard
error of the best one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from nonsmooth.errors import InputError
from nonsmooth.methods._attach import Attachment

__all__ = ["PathPoint", "StrengthPath", "strength_path"]

Score = Callable[[], float | tuple[float, float]]


@dataclass(frozen=True)
class PathPoint:
    """One strength of a path.

    Attributes:
        factor: what the attached strengths were multiplied by.
        nonzeros: entries of the penalised parameters that are not exactly 0, of ``entries``.
        score: what ``score`` returned, lower is better, with its standard error (0 if it gave none); NaN
        without. weights: copies of the penalised parameters, by name.
    """

    factor: float
    nonzeros: int
    entries: int
    score: float
    standard_error: float
    weights: dict[str, torch.Tensor]


@dataclass(frozen=True)
class StrengthPath:
    """The points of a path, strongest first."""

    points: tuple[PathPoint, ...]

    @property
    def chosen(self) -> PathPoint:
        """The largest strength within one standard error of the best score; ties go to the larger one.

        Raises:
            InputError: the path was run without a score.
        """
        scored = [point for point in self.points if not math.isnan(point.score)]
        if not scored:
            raise InputError("this path has no scores; give strength_path a score= function")
        best = min(scored, key=lambda point: point.score)
        return next(point for point in scored if point.score <= best.score + best.standard_error)

    def __str__(self) -> str:
        lines = ["    factor    non-zeros       score"]
        for point in self.points:
            score = "" if math.isnan(point.score) else f"{point.score:12.5g}"
            lines.append(f"{point.factor:10.3g} {point.nonzeros:>8} of {point.entries}{score}")
        return "\n".join(lines)


def strength_path(
    prox: Attachment,
    fit: Callable[[], object],
    *,
    factors: Iterable[float] | None = None,
    points: int = 20,
    ratio: float = 1e-3,
    score: Score | None = None,
) -> StrengthPath:
    """Fit along decreasing strengths, each from the last one's weights.

    Args:
        prox: an attachment; its ``factor`` moves along the path and is put back afterwards.
        fit: trains to the end at the present strength, e.g. a loop over epochs with ``optimizer.step()``.
        factors: the factors to run, decreasing; None for ``points`` of them spaced geometrically, from the
            least one that makes 0 stationary under the gradients at hand down to ``ratio`` times that. Call
            ``backward()`` first: at zero weights for a linear model, where this is the largest useful
            strength (every larger one gives all zeros); at the start for a network, where 0 is stationary at
            every strength and the largest useful one has no such formula.
        points, ratio: see ``factors``; points >= 1, ratio in (0, 1).
        score: validation score, lower is better: a number, or (score, its standard error). None: no choice.

    Returns:
        The StrengthPath; ``.chosen`` is the rule of thumb's choice.

    Raises:
        InputError: factors that do not decrease or are negative; no gradient where one is needed; ``fit`` or
            ``score`` is no function, or a score is no number.

    >>> import torch, nonsmooth as ns
    >>> w, target = torch.nn.Parameter(torch.zeros(2)), torch.tensor([3.0, 1.0])
    >>> optimizer = torch.optim.SGD([w], lr=0.5)
    >>> prox = ns.attach(optimizer, ns.L1(1.0), params=[w])
    >>> def fit():
    ...     for _ in range(60):
    ...         optimizer.zero_grad()
    ...         (0.5 * (w - target) ** 2).sum().backward()
    ...         optimizer.step()
    >>> (0.5 * (w - target) ** 2).sum().backward()
    >>> path = strength_path(prox, fit, points=3, ratio=0.25)
    >>> [(round(point.factor, 4), point.nonzeros) for point in path.points]
    [(3.0, 0), (1.5, 1), (0.75, 2)]
    """
    if not isinstance(prox, Attachment):
        raise InputError(f"prox is a {type(prox).__name__}; give what ns.attach returned")
    if not callable(fit):
        raise InputError(f"fit is a {type(fit).__name__}; give a function that trains to the end")
    if score is not None and not callable(score):
        raise InputError(f"score is a {type(score).__name__}; give a function, or None")
    before, prox.factor = prox.factor, 1.0
    found = []
    try:
        path = _geometric(prox, points, ratio) if factors is None else _decreasing(factors)
        for factor in path:
            prox.factor = factor
            fit()
            found.append(_point(prox, factor, score))
    finally:
        prox.factor = before
    return StrengthPath(tuple(found))


def _decreasing(factors: Iterable[float]) -> list[float]:
    try:
        path = [float(factor) for factor in factors]
    except (TypeError, ValueError):
        path = []
    if not path or not all(a > b for a, b in pairwise(path)) or not path[-1] >= 0:
        raise InputError(f"factors = {factors} are not allowed; give decreasing numbers >= 0")
    return path


def _geometric(prox: Attachment, points: int, ratio: float) -> list[float]:
    known = isinstance(points, int) and isinstance(ratio, float | int)
    if not known or points < 1 or not 0 < ratio < 1:
        raise InputError(
            f"points = {points}, ratio = {ratio} are not allowed; give a whole number of points >= 1 and a "
            "ratio in (0, 1)"
        )
    largest = _largest_useful(prox)
    return [largest * ratio ** (k / max(points - 1, 1)) for k in range(points)]


def _largest_useful(prox: Attachment) -> float:
    """The least factor for which every penalty makes 0 stationary under the present gradients.

    ``strength_max`` is in units of a penalty of its own shape with strength 1, so it is asked of a penalty
    scaled to the attached strength: bisection on the factor needs nothing but ``subdifferential_distance``.
    """
    terms = [term for term in prox.terms if term.parameter.grad is not None]
    if not terms:
        raise InputError("no penalised parameter has a gradient; call backward() first, or give factors=")

    def all_zero(factor: float) -> bool:
        with torch.no_grad():
            return all(
                float(
                    penalty.scaled(factor)
                    .subdifferential_distance(torch.zeros_like(p), p.grad)  # type: ignore[arg-type]
                    .max()
                )
                == 0.0
                for _, p, penalty in terms
            )

    low, high = 0.0, 1.0
    while not all_zero(high):
        low, high = high, 2 * high
        if high > 1e30:
            raise InputError("no strength makes 0 stationary here; give factors= yourself")
    while high - low > 1e-12 * high:
        if high < 1e-30:  # no gradient at all, or L0
            raise InputError("every strength makes 0 stationary here; give factors= yourself")
        middle = (low + high) / 2
        low, high = (low, middle) if all_zero(middle) else (middle, high)
    # Beyond what the proximal step rounds by: just there it may leave a little.
    return high * (1 + 4 * max(torch.finfo(term.parameter.dtype).eps for term in terms))


def _point(prox: Attachment, factor: float, score: Score | None) -> PathPoint:
    terms = prox.terms
    value, error = (math.nan, 0.0) if score is None else _scored(score())
    return PathPoint(
        factor,
        sum(int(torch.count_nonzero(term.parameter.detach())) for term in terms),
        sum(term.parameter.numel() for term in terms),
        value,
        error,
        {term.name: term.parameter.detach().clone() for term in terms},
    )


def _scored(given: Any) -> tuple[float, float]:
    """A score and its standard error, of what a caller's function returned."""
    try:
        value, error = map(float, given if isinstance(given, tuple) else (given, 0.0))
        good = error >= 0 or math.isnan(value)  # a run that diverged has neither
    except (TypeError, ValueError, RuntimeError):
        value = error = math.nan
        good = False
    if not good:
        raise InputError(
            f"score returned {given!r}; it must return a number, or (number, its standard error >= 0)"
        )
    return value, error
