"""The steps of an epoch, and the evaluation after it. Nothing waits for the device until the epoch's end.

A step on n images, in pieces of n_i on this rank or one after the other:

    gradient  =  sum_i (n_i / n) g_i  +  l1 sign(w)          g_i the gradient of the mean loss of piece i
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from nonsmooth.errors import InputError
from nonsmooth.training._batches import Epoch, batch_count, spans
from nonsmooth.training._l1 import add_l1_, l1_norm, l1_parameters
from nonsmooth.training._ranks import Ranks
from nonsmooth.training._recipe import Recipe, derived_seed
from nonsmooth.training._resident import Resident

__all__ = ["Loss", "Steps"]

Loss = Callable[[Tensor, Tensor], Tensor]


class Evaluation(NamedTuple):
    """Mean loss over the test images and share classified rightly, after an epoch."""

    loss: float
    accuracy: float


class Steps:
    """Takes a model through epochs of a recipe; all state is the model's and the optimiser's."""

    def __init__(
        self,
        model: nn.Module,
        data: Resident,
        optimizer: torch.optim.Optimizer,
        recipe: Recipe,
        loss: Loss,
        ranks: Ranks,
    ) -> None:
        self._model, self._data, self._optimizer, self._recipe = model, data, optimizer, recipe
        self._loss, self._ranks = loss, ranks
        self._trainable = [p for p in model.parameters() if p.requires_grad]
        self._penalised = l1_parameters(model, recipe.l1_on)
        self._forward: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = self._judged
        if recipe.compile:
            self._forward = torch.compile(self._judged, dynamic=False)
        self._wide = torch.float32 if data.device.type == "mps" else torch.float64

    def _judged(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The mean loss of some images, and how many are classified rightly."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._recipe.precision == "bfloat16"):
            outputs = self._model(x)
            value = self._loss(outputs, labels)
        if outputs.ndim != 2:
            raise InputError(f"the model's output has shape {tuple(outputs.shape)}; it must be (N, classes)")
        return value, (outputs.detach().argmax(1) == labels).sum()

    def epoch(self, number: int) -> tuple[list[float], float]:
        """Take the steps of one epoch: their losses, and the share of images classified rightly."""
        recipe, images = self._recipe, len(self._data.train)
        size = recipe.batch or images
        piece = recipe.chunk if recipe.batch is None else size
        steps = batch_count(images, recipe)
        epoch = Epoch(self._data, recipe, number)
        # The last entry counts the images classified rightly: one tensor, read once.
        found = torch.zeros(steps + 1, dtype=self._wide, device=self._data.device)
        self._model.train(recipe.mode == "train")
        with _own_random(self._data.device, derived_seed("dropout", recipe.seed, number, self._ranks.rank)):
            for step in range(steps):
                start, stop = step * size, min((step + 1) * size, images)
                self._step(epoch, start, stop, piece, found, step)
        *losses, right = self._ranks.total_(found).tolist()
        return losses, right / min(steps * size, images)

    def _step(self, epoch: Epoch, start: int, stop: int, piece: int, found: Tensor, step: int) -> None:
        for p in self._trainable:
            p.grad = None
        for first, last in spans(*self._ranks.mine(start, stop), piece):
            value, right = self._forward(*epoch.pick(first, last))
            if value.ndim:
                raise InputError(
                    f"the loss of a batch has shape {tuple(value.shape)}; "
                    "give a function that returns the mean over the images"
                )
            share = (last - first) / (stop - start)
            if share != 1:
                value = value * share
            value.backward()
            found[step] += value.detach()
            found[-1] += right
        self._ranks.add_gradients_(self._trainable)
        add_l1_(self._penalised, self._recipe.l1)
        self._optimizer.step()

    def evaluate(self) -> Evaluation:
        """On the test images, in evaluation mode, in chunks."""
        images = len(self._data.test)
        found = torch.zeros(2, dtype=self._wide, device=self._data.device)
        self._model.eval()
        with torch.no_grad():
            for first, last in spans(*self._ranks.mine(0, images), self._recipe.chunk):
                value, right = self._judged(self._data.test[first:last], self._data.test_labels[first:last])
                found[0] += value * (last - first)
                found[1] += right
        loss, right = self._ranks.total_(found).tolist()
        return Evaluation(loss / images, right / images)

    def l1_norm(self) -> float:
        """Sum of |w| over the parameters of the L1 term."""
        return float(l1_norm(self._penalised))


@contextmanager
def _own_random(device: torch.device, seed: int) -> Iterator[None]:
    """Dropout draws from this seed inside; outside, torch's generators go on as if nothing had happened."""
    generators: list[Any] = [torch.default_generator]
    if device.type == "cuda":
        torch.cuda.init()
        generators.append(torch.cuda.default_generators[device.index or 0])
    states = [generator.get_state() for generator in generators]
    for generator in generators:
        generator.manual_seed(seed)
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
