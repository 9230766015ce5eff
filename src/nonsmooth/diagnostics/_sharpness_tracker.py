"""Sharpness against the optimiser's edge during training, warm-started from step to step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import nn

from nonsmooth.diagnostics._checks import whole
from nonsmooth.diagnostics._hessian_products import trainable
from nonsmooth.diagnostics._mean_gradient import length_of
from nonsmooth.diagnostics._not_finite import NotFiniteError
from nonsmooth.diagnostics._sharpness import sharpness
from nonsmooth.diagnostics._sharpness_result import Sharpness
from nonsmooth.diagnostics._stability_metric import stability_metric
from nonsmooth.diagnostics._unwrapped import unwrapped
from nonsmooth.findings import COLOURS, Drawing, canvas, style

__all__ = ["SharpnessTracker"]

_FRESH = 25  # every so many measurements the start is random again


class SharpnessTracker:
    """Measures the sharpness as training goes on; call :meth:`record` after each ``optimizer.step()``.

    A measurement starts from where the eigenvector is expected: that of the last one, the line through the
    last two, or that of the one before (at the edge of stability they alternate), whichever would have been
    nearest last time. Every 25th starts at random, so that an eigenvalue that has overtaken along another
    direction is found.

    Where weights, loss or products are not finite nothing is raised: the row's values are NaN, ``why`` says
    what is not finite, and the next finite measurement starts at random.

    Args:
        model, loss_fn: as for ``nonsmooth.diagnostics.sharpness``.
        batches: likewise; read once, now, and kept.
        optimizer: whose metric and edge are used.
        every: measure at each so many calls of ``record``, the first one included.
        k, tolerance, max_products: as for ``sharpness``.

    Attributes:
        results: a :class:`Sharpness` a measurement, the vectors of all but the last three dropped.

    Raises:
        InputError: as ``sharpness`` does, or ``every`` < 1.

    >>> import torch
    >>> w = torch.nn.Linear(1, 1, bias=False).double()
    >>> data = [(torch.ones(4, 1).double(), torch.zeros(4, 1).double())]
    >>> optimizer = torch.optim.SGD(w.parameters(), lr=0.5)
    >>> tracker = SharpnessTracker(w, torch.nn.MSELoss(), data, optimizer)
    >>> tracker.record().converged, tracker.steps, tracker.values, tracker.edges
    (True, [1], [2.0], [4.0])
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Callable[..., torch.Tensor],
        batches: Iterable[Any],
        optimizer: Any,
        every: int = 1,
        *,
        k: int = 1,
        tolerance: float = 1e-3,
        max_products: int | None = None,
    ) -> None:
        self._arguments = (model, loss_fn, list(batches))
        self._options = {"k": k, "tolerance": tolerance, "max_products": max_products}
        self._optimizer = optimizer
        self._every = whole("every", every, 1, None)
        self._calls = 0
        self._recent: list[torch.Tensor] = []  # eigenvectors, the latest first
        self.steps: list[int] = []
        self.results: list[Sharpness] = []

    @property
    def values(self) -> list[float]:
        """The largest eigenvalue at each measured step."""
        return [each.value for each in self.results]

    @property
    def edges(self) -> list[float]:
        """The optimiser's edge at each measured step."""
        return [each.edge if each.edge is not None else float("nan") for each in self.results]

    @property
    def converged(self) -> list[bool]:
        """Whether each measurement met its tolerance."""
        return [each.converged for each in self.results]

    def record(self) -> Sharpness | None:
        """Count a step, and measure if it is its turn: then the result, else None."""
        self._calls += 1
        if (self._calls - 1) % self._every:
            return None
        start, place = None, len(self.results)
        if self._recent and place % _FRESH:
            start = dataclasses.replace(self.results[-1], vectors=_expected(self._recent))
        try:
            found = sharpness(
                *self._arguments, optimizer=self._optimizer, start=start, seed=place, **self._options
            )
        except NotFiniteError as error:
            found = self._not_finite(str(error))
        vectors = found.vectors
        if self._recent and found.finite:  # an eigenvector's sign is arbitrary
            vectors = vectors * torch.where((vectors * self._recent[0]).sum(1, keepdim=True) < 0, -1, 1)
        self._recent = [vectors, *self._recent[:2]] if found.finite else []
        if self.results:
            self.results[-1] = dataclasses.replace(self.results[-1], vectors=torch.empty(0, found.size))
        self.results.append(found)
        self.steps.append(self._calls)
        return found

    def _not_finite(self, why: str) -> Sharpness:
        """The row of a measurement that cannot be made; the optimiser's edge is there all the same."""
        name, edge, parameters = "", None, trainable(unwrapped(self._arguments[0]))
        if self._optimizer is not None:
            metric, parameters = stability_metric(self._optimizer, torch.float64)
            name, edge = metric.name, metric.edge
        size, k = sum(p.numel() for p in parameters), self._options["k"]
        dtype = max((p.dtype for p in parameters), key=lambda each: each.itemsize)
        return Sharpness(
            eigenvalues=np.full(k, np.nan),
            residuals=np.full(k, np.nan),
            converged=False,
            why=why,
            products=0,
            tolerance=self._options["tolerance"],
            vectors=torch.empty(0, size),
            dtype=str(dtype).removeprefix("torch."),
            size=size,
            samples=sum(length_of(batch) for batch in self._arguments[2]),
            batches=len(self._arguments[2]),
            loss=float("nan"),
            metric=name,
            edge=edge,
        )

    def draw(self) -> Drawing:
        """Sharpness and edge over the steps, an open circle where a value has not converged."""
        steps = np.array(self.steps)
        values, edges, fine = np.array(self.values), np.array(self.edges), np.array(self.converged, bool)
        metric = self.results[-1].metric if self.results else type(self._optimizer).__name__
        with style():
            figure, ((axes,),) = canvas(1)
            axes.plot(steps, values, color=COLOURS[0], label="sharpness")
            axes.plot(steps, edges, "--", color=COLOURS[1], label=f"edge of {metric}")
            if not fine.all():
                missed = f"not converged ({(~fine).sum()})"
                axes.plot(steps[~fine], values[~fine], "o", mfc="none", color=COLOURS[6], label=missed)
            axes.set(xlabel="step", ylabel="largest eigenvalue")
            axes.legend()
        gone = int(np.isnan(values).sum())
        caption = (
            f"The Hessian's largest eigenvalue in {metric}'s metric and the value at which its step stops "
            f"being stable, at {len(steps)} steps; {int((~fine).sum())} values have not converged."
            + (f" {gone} of these are not finite: the run has diverged." if gone else "")
        )
        return Drawing("sharpness", caption, figure)


def _expected(recent: list[torch.Tensor]) -> torch.Tensor:
    """Where the eigenvectors are expected, by the rule that would have been best last time; (k, n)."""
    if len(recent) < 3:
        return recent[0]
    now, before, earlier = recent
    guesses = (before, 2 * before - earlier, earlier)
    misses = [float((guess - now).norm()) for guess in guesses]
    return (now, 2 * now - before, before)[misses.index(min(misses))]
