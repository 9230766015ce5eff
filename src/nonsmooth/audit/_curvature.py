"""The sharpness of the loss against the optimiser's edge, and whether second differences would show it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from nonsmooth.audit._untouched import untouched
from nonsmooth.diagnostics import Sharpness, second_difference, sharpness
from nonsmooth.errors import InputError
from nonsmooth.findings import Observation, number

__all__ = ["curvature"]

_TOLERANCE = 1e-2
_LEAST, _MOST = 12, 120  # Hessian-vector products
_FIRST = 10  # steps, before an optimiser's metric says much
# A product costs about as much as two gradients.
_OF_A_GRADIENT = 2.0


def curvature(
    model: nn.Module,
    loss: Callable[..., Any],
    batches: Sequence[Any],
    optimizer: torch.optim.Optimizer | None,
    step: Callable[[], Any] | None,
    held: Sequence[Any],
    *,
    training: bool | None,
    difference: float | None,
    seconds: float,
    skipped: list[tuple[str, str]],
) -> tuple[Sharpness | None, list[Observation]]:
    """Sharpness in about the time given, in the optimiser's metric where it has one; what it says.

    Args:
        step: one training step. An optimiser that has taken none has no metric yet: then a few are taken, and
            undone, with the states of ``held``.
        difference: the h of second differences, along a direction of length 1; None: a thousandth of the
            weights' norm, and then what is found is a note, not a warning.
        skipped: gets a line if even a few products would take too long.
    """
    with _mode(model, training):
        cost = _OF_A_GRADIENT * _gradient_seconds(model, loss, batches)
        products = min(_MOST, int(seconds / cost)) if cost > 0 else _MOST
        if products < _LEAST:
            skipped.append(
                (
                    "curvature",
                    f"{_LEAST} Hessian-vector products would take {number(_LEAST * cost, 2)} s here; give "
                    "fewer samples with batches=, more time with seconds=, or call ns.sharpness",
                )
            )
            return None, []
        options: dict[str, Any] = {"tolerance": _TOLERANCE, "max_products": products}
        plain = sharpness(model, loss, batches, **options)
        said = _difference(model, loss, batches, plain, difference)
        if optimizer is None:
            return plain, plain.observations() + said
        try:
            found, after = _in_its_metric(model, loss, batches, optimizer, step, held, options)
        except InputError as error:
            edge = [
                replace(each, evidence=f"{each.evidence}. The optimiser's edge is not known: {error}.")
                for each in plain.observations()
            ]
            return plain, edge + said
    return found, [replace(each, evidence=each.evidence + after) for each in found.observations()] + said


def _in_its_metric(
    model: nn.Module,
    loss: Callable[..., Any],
    batches: Sequence[Any],
    optimizer: torch.optim.Optimizer,
    step: Callable[[], Any] | None,
    held: Sequence[Any],
    options: dict[str, Any],
) -> tuple[Sharpness, str]:
    """The sharpness in the optimiser's metric, after a few steps where it has none; and words on that."""
    try:
        return sharpness(model, loss, batches, optimizer=optimizer, **options), ""
    except InputError:
        if step is None or optimizer.state:
            raise
    with untouched(model, optimizer, *held):
        for _ in range(_FIRST):
            step()
        found = sharpness(model, loss, batches, optimizer=optimizer, **options)
    return found, f"; after {_FIRST} of the training's steps, since the optimiser had taken none"


def _difference(
    model: nn.Module, loss: Callable[..., Any], batches: Sequence[Any], along: Sharpness, h: float | None
) -> list[Observation]:
    size = sum(float(p.detach().double().square().sum()) for p in model.parameters()) ** 0.5
    step = h if h is not None else 1e-3 * size
    if not step > 0:
        return []
    found = second_difference(model, loss, batches, along, step)
    said = found.observations()
    if h is None:
        said = [replace(each, level="note") if each.level == "warning" else each for each in said]
    return said


@contextmanager
def _mode(model: nn.Module, training: bool | None) -> Iterator[None]:
    with untouched(model):
        if training is not None:
            model.train(training)
        yield


def _gradient_seconds(model: nn.Module, loss: Callable[..., Any], batches: Sequence[Any]) -> float:
    """What one gradient over all batches takes, at the best of a few tries."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    x, y = batches[0]
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        torch.autograd.grad(loss(model(x), y), parameters, allow_unused=True)
        best = min(best, time.perf_counter() - began)
        if best > 1:
            break
    return best * len(batches)
