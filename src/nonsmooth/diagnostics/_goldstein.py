"""Goldstein stationarity: the shortest convex combination of gradients sampled near the weights.

Goldstein's eps-subdifferential at x is the convex hull of all generalised gradients at distance <= eps of x
(Goldstein, Math. Program. 13, 1977). Gradients sampled in that ball lie in it, so the shortest element of
their hull is an upper bound of the distance of 0 to it: a small one shows that x is near-stationary. A large
one shows nothing by itself: gradients that were not sampled may cancel it. In many dimensions a few random
points seldom see both sides of the kinks that matter; gradients on the way along the bound itself are added
(Zhang, Lin, Jegelka, Sra and Jadbabaie, ICML 2020), until a step along it lowers the loss as a slope of that
size would, or they are used up.

At a point on a kink torch's gradient need not be a generalised one. Random points are on none; the weights
themselves may be, and then the bound leans on torch's choice there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from nonsmooth.diagnostics._checks import positive, whole
from nonsmooth.diagnostics._mean_gradient import MeanGradient, length_of, mean_gradient, wide
from nonsmooth.diagnostics._minimum_norm import minimum_norm, reduced
from nonsmooth.diagnostics._pieces import held, in_words, with_values
from nonsmooth.diagnostics._unwrapped import unwrapped
from nonsmooth.errors import InputError
from nonsmooth.findings import Level, Observation

__all__ = ["Goldstein", "goldstein"]

_BLOCK = 200_000  # columns of one QR step
_SOURCE = "Goldstein, Math. Program. 13, 1977; Zhang et al., ICML 2020"


@dataclass(frozen=True, eq=False)
class Goldstein:
    """A bound of the distance of 0 to the Goldstein subdifferential.

    Attributes:
        norm: Euclidean norm of the shortest convex combination: the bound.
        weights: (samples,) of the gradients in it, >= 0, of sum 1; the first is the gradient at the weights
            themselves, the last ``refined`` those added along the way.
        gap: ||x||^2 - min <x, g_i> of that combination x: 0 to rounding, a proof that no combination of these
            gradients is shorter than ``lower``.
        lower: no convex combination of the sampled gradients is shorter. It does not bound the distance to
            the whole Goldstein subdifferential.
        gradient: norm of the gradient at the weights themselves.
        radius: of the ball, in the Euclidean norm over all trained parameters.
        refined: gradients added after the random ones.
        descent: f(w) - f(w - radius * x/||x||) for the combination x: what a step of that length gains.
            Where it is at least radius * norm/2, the loss falls as steeply as the bound says.
        hits: inputs of ReLU modules that are exactly 0 at the weights themselves, over all data.
        loss: f at the weights.
        samples: of the data, over which the mean is taken.
        dtype: in which the model computes.
    """

    norm: float
    weights: np.ndarray
    gap: float
    lower: float
    gradient: float
    radius: float
    refined: int
    descent: float
    hits: int
    loss: float
    samples: float
    dtype: str

    @property
    def descends(self) -> bool:
        """Whether a step of length ``radius`` along the combination gains at least radius * norm/2."""
        return self.norm > 0 and self.descent >= self.radius * self.norm / 2

    def observation(self) -> Observation:
        """What the bound shows: near-stationary, a descent, or neither."""
        level: Level = "unknown"
        title = (
            f"Within {self.radius:.2g} of the weights the loss is stationary to {self.norm:.2g}, or better."
        )
        why = (
            "No step along the combination gained what its norm promises, and no combination of these "
            "gradients is much shorter than the gradient: others in the ball may cancel it."
        )
        remedy = "Allow more samples and refinements, or a larger radius."
        if self.descends:
            level = "note"
            title = f"A step of {self.radius:.2g} along the shortest combination lowers the loss."
            why = (
                "The weights are not at the bottom of this ball. It does not prove them non-stationary: "
                "gradients that were not sampled may still cancel."
            )
            remedy = ""
        elif self.norm <= self.gradient / 10:
            level = "note"
            title = (
                f"Within {self.radius:.2g} of the weights the loss is near-stationary, {self.norm:.2g}, "
                "and its gradient hides it."
            )
            why = (
                "Slopes on the two sides of kinks cancel: the gradient does not tend to 0 at a minimum that "
                "is a kink. It shows nothing on whether this is a minimum, nor at a smaller radius."
            )
            remedy = "Judge convergence by this bound, or let the step tend to 0."
        numbers = {name: value for name, value in vars(self).items() if name != "weights"}
        return Observation(
            "goldstein",
            level,
            title,
            self.evidence,
            why,
            _SOURCE,
            remedy,
            numbers=numbers | {"weights": self.weights.tolist()},
        )

    @property
    def evidence(self) -> str:
        """In words."""
        return (
            f"within {self.radius:.3g} of the weights a combination of {int((self.weights > 0).sum())} of "
            f"{len(self.weights)} gradients has norm {self.norm:.3g} (at the weights themselves "
            f"{self.gradient:.3g}; QP gap {self.gap:.1g}, {self.dtype}); a step of that length along it "
            f"changes the loss, {self.loss:.6g}, by {-self.descent:.3g}"
        ) + (f"; {self.hits:,} ReLU inputs are exactly 0 at the weights" if self.hits else "")


def goldstein(
    model: nn.Module,
    loss_fn: Callable[..., Any],
    batches: Iterable[Any],
    radius: float,
    *,
    samples: int = 30,
    refine: int = 20,
    seed: int = 0,
) -> Goldstein:
    """An upper bound of the distance of 0 to the Goldstein subdifferential of the mean loss.

    Args:
        model: its trained parameters are the point; put back afterwards.
        loss_fn: ``loss_fn(model(x), y)`` for a batch that is a pair, ``loss_fn(model, batch)`` for any other.
        batches: over which the mean is taken, every sample alike. All are used for each gradient.
        radius: eps > 0, Euclidean over all trained parameters.
        samples: gradients at points uniform in the ball, from 0 to 1000.
        refine: at most so many more, each at a random point on the way from the weights along the shortest
            combination; it ends when a step along it gains radius * norm/2, from 0 to 1000.
        seed: of the points.

    Raises:
        InputError: a number out of its range, no batches, a model or loss that raises, a radius that the
            weights' dtype does not resolve, gradients that are not finite.

    >>> net = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.constant_(net.weight, 0.01)
    >>> found = goldstein(net, lambda o, y: o.abs().mean(), [(torch.ones(4, 1), torch.ones(4))], 0.1)
    >>> found.gradient, found.norm
    (1.0, 0.0)
    """
    radius = positive("radius", radius)
    samples, refine = whole("samples", samples, 0, 1000), whole("refine", refine, 0, 1000)
    model = unwrapped(model)
    with_values(model)
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise InputError("no parameter of the model requires a gradient; there is no ball to sample in")
    kept = held(model, batches)
    start = [p.detach().clone() for p in parameters]
    rng = np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
    sizes = [p.numel() for p in parameters]
    size = sum(sizes)
    dtype = str(parameters[0].dtype).removeprefix("torch.")
    floor = 4 * torch.finfo(parameters[0].dtype).eps

    def move(direction: torch.Tensor, length: float) -> None:
        """The weights plus ``length`` along ``direction``; refused where rounding makes it another length."""
        scale, moved = length / float(direction.norm()), 0.0
        with torch.no_grad():
            for p, origin, part in zip(parameters, start, direction.split(sizes), strict=True):
                p.copy_(origin + (scale * part).reshape(p.shape).to(p))
                moved += float((wide(p) - wide(origin)).square().sum())
        if moved**0.5 > 1.01 * radius or (moved == 0 and length > radius / 2):
            raise InputError(
                f"radius = {radius:g} is lost in the rounding of the weights ({dtype}); take a larger one, "
                "or model.double() and batches in float64"
            )

    def look() -> tuple[MeanGradient, torch.Tensor]:
        """Loss and flat gradient where the weights are."""
        with in_words("the model or the loss", "give batches and a loss that fit the model"):
            found = mean_gradient(
                model, loss_fn, kept, parameters, size=length_of, max_batches=None, watch=lambda batch: None
            )
        flat = torch.cat([g.flatten() for g in found.gradients]).cpu()
        if not (math.isfinite(found.loss) and bool(flat.isfinite().all())):
            raise InputError(
                "loss or gradient is not finite at the weights or near them; take others, or a smaller radius"
            )
        # in the model's own precision: a hundred gradients of a large network are to fit in memory
        return found, flat.to(parameters[0].dtype)

    try:
        here, first = look()
        gradients = [first]
        for _ in range(samples):
            direction = torch.randn(size, generator=generator, dtype=torch.float64)
            move(direction, radius * rng.random() ** (1 / size))
            gradients.append(look()[1])
        weights, gap = minimum_norm(_points(gradients))
        refined, descent = 0, 0.0
        while True:
            shortest = _combined(gradients, weights)
            norm = float(shortest.norm())
            # below the rounding of the gradients its direction is noise
            if norm <= floor * max(float(g.double().norm()) for g in gradients):
                descent = 0.0
                break
            move(-shortest, radius)
            descent = here.loss - look()[0].loss
            if refined == refine or descent >= radius * norm / 2:
                break
            move(-shortest, radius * rng.random())
            gradients.append(look()[1])
            refined += 1
            weights, gap = minimum_norm(_points(gradients))
    finally:
        with torch.no_grad():
            for p, origin in zip(parameters, start, strict=True):
                p.copy_(origin)
    return Goldstein(
        norm=norm,
        weights=weights,
        gap=gap,
        lower=max(0.0, norm - gap / norm) if norm > 0 else 0.0,
        gradient=float(first.double().norm()),
        radius=radius,
        refined=refined,
        descent=descent,
        hits=here.kinks[0],
        loss=here.loss,
        samples=here.samples,
        dtype=dtype,
    )


def _points(gradients: list[torch.Tensor]) -> np.ndarray:
    """The gradients in as many dimensions as there are gradients."""
    blocks = range(0, len(gradients[0]), _BLOCK)
    return reduced([torch.stack([g[k : k + _BLOCK].double() for g in gradients]).numpy() for k in blocks])


def _combined(gradients: list[torch.Tensor], weights: np.ndarray) -> torch.Tensor:
    total = torch.zeros(len(gradients[0]), dtype=torch.float64)
    for gradient, weight in zip(gradients, weights, strict=True):
        total += float(weight) * gradient.double()
    return total
