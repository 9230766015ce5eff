"""Does the backward pass give the derivative of the loss? Held against differences of its values."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from nonsmooth.audit._untouched import settled, untouched, without_hooks
from nonsmooth.findings import Level, Observation, number

__all__ = ["Derivative", "derivative"]

_LONGEST = 1e-2  # of the weights' norm
_SHORTENED = 8  # times, each to a quarter
_ROUNDING = 0.01
_SAME, _OTHER = 0.05, 0.1
_EVALUATIONS = 2 * (7 + 2 * _SHORTENED)  # of the loss, at most
_SOURCE = "central differences of the loss at these weights, at the best of several step lengths"
_SAID: dict[str, tuple[Level, str]] = {
    "same": ("fine", "The backward pass gives the derivative of the loss."),
    "other": ("warning", "The backward pass does not give the derivative of the loss."),
    "not known": ("unknown", "Whether the backward pass gives the derivative of the loss is not known."),
}
_DIRECTIONS = ("the gradient", "the weights")


class Derivative(NamedTuple):
    """Slopes of the loss at the weights as they are, along the gradient and along the weights.

    Attributes:
        backward: by the backward pass.
        differences: by central differences of the loss's values.
        uncertainty: of these: rounding, curvature and kinks, and noise.
        dtype: of the weights.
    """

    backward: tuple[float, ...]
    differences: tuple[float, ...]
    uncertainty: tuple[float, ...]
    dtype: str

    @property
    def verdict(self) -> Literal["same", "other", "not known"]:
        """Whether backward pass and values agree: to one in 20, or not to one in 10."""
        rows = tuple(zip(self.backward, self.differences, self.uncertainty, strict=True))
        if any(abs(a - b) > _OTHER * max(abs(a), abs(b)) + 6 * unsure for a, b, unsure in rows):
            return "other"
        a, b, unsure = rows[0]
        same = abs(a - b) <= _SAME * abs(a) and unsure <= _SAME * abs(a)
        return "same" if same else "not known"

    def __str__(self) -> str:
        rows = zip(_DIRECTIONS, self.backward, self.differences, self.uncertainty, strict=True)
        return (
            "; ".join(
                f"along {name} the slope is {number(b, 4)} ± {number(unsure, 1)} by values of the loss and "
                f"{number(a, 4)} by the backward pass"
                for name, a, b, unsure in rows
            )
            + f" ({self.dtype})"
        )

    def observations(self) -> list[Observation]:
        """Whether the two are the same."""
        level, title = _SAID[self.verdict]
        more = (
            (
                "Steps follow another function than the loss that is shown: of what passes through detach, "
                "no_grad, rounding or an own backward function nothing is known to go down. With "
                "straight-through estimators and reversed gradients this is meant.",
                _SOURCE,
                "If it is not meant, look for .detach(), .data, no_grad, .item().",
            )
            if level == "warning"
            else ("", _SOURCE)
        )
        numbers = {**self._asdict(), "verdict": self.verdict}
        return [Observation("backward-pass", level, title, f"{self}.", *more, numbers=numbers)]


def derivative(
    model: nn.Module, value: Callable[[], Tensor], seconds: float = math.inf
) -> Derivative | str | None:
    """The slopes of the loss by the backward pass and by its values.

    Args:
        model: put back afterwards.
        value: the loss at the model's weights as they are when it is called.
        seconds: that may be used, judged by one evaluation.

    Returns:
        A :class:`Derivative`; why there is none, if it would take too long; None where nothing can be said:
        no gradient, or one that is 0 or not finite.

    >>> net = nn.Linear(3, 1)
    >>> x = torch.randn(8, 3)
    >>> derivative(net, lambda: net(x).square().mean()).verdict
    'same'
    >>> derivative(net, lambda: net(x).square().mean() + net(x).square().mean().detach()).verdict
    'other'
    """
    weights = [p for p in model.parameters() if p.requires_grad and _has_arithmetic(p)]
    if not weights or any(p.is_complex() for p in weights):
        return None
    value = settled(model, value)
    with untouched(model), without_hooks(model):
        began = time.monotonic()
        with torch.enable_grad():
            loss = value()
            taken = time.monotonic() - began
            if not loss.requires_grad:
                return None
            if taken * _EVALUATIONS > seconds:
                return f"it takes up to {_EVALUATIONS} evaluations of the loss, and one takes {taken:.2g} s"
            found = torch.autograd.grad(loss, weights, allow_unused=True)
        start = [p.detach().clone() for p in weights]
        slopes = [
            torch.zeros_like(p) if g is None else g.to_dense() for p, g in zip(weights, found, strict=True)
        ]
        rows = []
        for along in (slopes, start):
            row = _row(value, weights, start, slopes, along)
            if row is None:
                return None
            rows.append(row)
    dtype = str(weights[0].dtype).removeprefix("torch.")
    return Derivative(*(tuple(part) for part in zip(*rows, strict=True)), dtype)  # type: ignore[arg-type]


def _row(
    value: Callable[[], Tensor],
    weights: Sequence[Tensor],
    start: Sequence[Tensor],
    slopes: Sequence[Tensor],
    along: Sequence[Tensor],
) -> tuple[float, float, float] | None:
    """Slope by the backward pass, by differences, and the uncertainty of the latter."""
    norm, size = _dot(along, along) ** 0.5, _dot(start, start) ** 0.5
    if not (0 < norm < math.inf and 0 < size < math.inf):
        return None

    @torch.no_grad()
    def at(h: float) -> float:
        for p, begin, direction in zip(weights, start, along, strict=True):
            p.copy_(begin + (h / norm) * direction)
        return float(value())

    backward = _dot(slopes, along) / norm
    found = _difference(at, size, backward, max(torch.finfo(p.dtype).eps for p in weights))
    row = (backward, *found)
    return row if all(map(math.isfinite, row)) else None


def _difference(at: Callable[[float], float], size: float, slope: float, eps: float) -> tuple[float, float]:
    """The central difference over the shortest step at which rounding does not show, and its uncertainty.

    What curvature and kinks do to it falls with the step, so what the last shortening changed is more than
    what is left; at a kink, where the slopes on both sides stay apart, every number between them is a slope.
    """
    here = at(0.0)
    # A loss near 0 is a difference of larger numbers: of such as it has for other weights.
    scale = max((abs(each) for each in (here, at(size), at(-size)) if math.isfinite(each)), default=math.inf)
    nearby = [here, *(at(k * eps * size) for k in (-2, -1, 1, 2))]
    error = max(4 * eps * abs(here), eps * scale, 2 * (max(nearby) - min(nearby)))
    before, apart, best = math.nan, math.nan, (math.nan, math.inf)
    for k in range(_SHORTENED):
        h = _LONGEST * size / 4**k
        above, below = at(h), at(-h)
        now = (above - below) / (2 * h)
        rounding = error / h
        shows = rounding > _ROUNDING * max(abs(now), abs(slope))
        # Of the slopes on both sides: h times the curvature, or a kink.
        gap = abs(above - 2 * here + below) / h
        if k == 1 or (k and not shows):
            kink = max(0.0, 4 * gap - apart) / 3 / 2
            best = now, abs(now - before) + rounding + kink
        if k and shows:
            break
        before, apart = now, gap
    return best


def _has_arithmetic(p: Tensor) -> bool:
    return p.layout == torch.strided and p.element_size() > 1  # float8 has none


def _dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> float:
    return sum(float((x.detach().double() * y.detach().double()).sum()) for x, y in zip(a, b, strict=True))
