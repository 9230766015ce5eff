"""Train a network on resident data: one loop for every optimiser that steps without a closure."""

from __future__ import annotations

import inspect
import math
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.training._batches import batch_count
from nonsmooth.training._checkpoint import Checkpoint, Progress, identity
from nonsmooth.training._memory import freed_memory_kept
from nonsmooth.training._ranks import Ranks, takes_batch_statistics
from nonsmooth.training._recipe import Recipe
from nonsmooth.training._resident import Resident
from nonsmooth.training._result import Training
from nonsmooth.training._steps import Loss, Steps

__all__ = ["train"]


def train(
    model: nn.Module,
    data: Resident,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    *,
    loss: Loss = nn.functional.cross_entropy,
    scheduler: Any = None,
    checkpoint: Path | None = None,
    on_epoch: Callable[[dict[str, Any]], None] | None = None,
) -> Training:
    """Train a model in place.

    Order, augmentation and dropout are functions of the recipe's seed and the epoch; torch's own generators
    are left as they were. Where ``torch.distributed`` is initialised (``torchrun``), every process calls this
    with the same arguments: each takes its slice of every batch, gradients are added up, rank 0's first
    weights count for all; batch norm is synchronised on CUDA devices and refused elsewhere.

    Args:
        model: on the data's device, float64 for precision "float64", else float32. It ends in the mode that
            it was in.
        data: the images.
        optimizer: any of torch's or of ``nonsmooth`` whose ``step`` needs no closure, with or without
            penalties attached.
        recipe: how to train.
        loss: of (outputs, labels), the mean over the images.
        scheduler: of the optimiser's learning rate; steps once an epoch (``ReduceLROnPlateau`` on the
            training loss).
        checkpoint: a file. Rank 0 writes it at the end and after every epoch, leaving out epochs where the
            writing would take more than a tenth of the time. If it is there, the run goes on from it, on the
            CPU bit for bit as if it had never been interrupted. Every process must be able to read it.
        on_epoch: called on rank 0 with each epoch's row of the history.

    Returns:
        The course of the run.

    Raises:
        InputError: an optimiser that needs a closure, parts of the wrong kind or that do not go together, a
            checkpoint that is damaged, of another run, or in a folder that cannot be made.

    >>> x = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))
    >>> data = Resident(x, (x.sum(1) > 0).long(), x[:0], torch.zeros(0, dtype=torch.int64))
    >>> model = nn.Linear(2, 2)
    >>> result = train(model, data, torch.optim.SGD(model.parameters(), lr=1.0), Recipe(epochs=20, batch=16))
    >>> result.history[-1]["accuracy"] > 0.9, len(result.step_losses)
    (True, 80)
    """
    begin = time.perf_counter()
    _check_kinds(model, data, optimizer, recipe, loss, scheduler, on_epoch)
    ranks = Ranks()
    _check(model, data, optimizer, recipe, scheduler)
    ranks.prepare(model, recipe.mode)
    if data.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(data.device)
    modes = [(module, module.training) for module in model.modules()]
    steps = Steps(model, data, optimizer, recipe, loss, ranks)
    progress, keeper = Progress(), None
    if checkpoint is not None:
        names = identity(model, data, optimizer, recipe, loss, scheduler)
        keeper = Checkpoint(checkpoint, names, model, optimizer, scheduler)
        progress = _taken_up(keeper, ranks, data.device) or progress
    resumed_from, before = progress.epoch, progress.seconds
    kept = freed_memory_kept() if data.device.type == "cpu" else nullcontext()
    try:
        with kept:
            while not progress.finished and progress.epoch < recipe.epochs:
                _epoch(progress, steps, data, recipe, scheduler)
                progress.seconds = before + time.perf_counter() - begin
                if keeper is not None and ranks.first:
                    keeper.save(progress)
                if on_epoch is not None and ranks.first:
                    on_epoch(dict(progress.history[-1]))
    finally:
        for module, training in modes:
            module.training = training
    taken = sum(row["seconds"] for row in progress.history)
    size = min((recipe.batch or len(data.train)) * batch_count(len(data.train), recipe), len(data.train))
    return Training(
        history=progress.history,
        step_losses=progress.step_losses,
        diverged=progress.diverged,
        seconds=progress.seconds,
        images_per_second=size * len(progress.history) / taken if taken else None,
        peak_memory=_peak_memory(data.device),
        resumed_from=resumed_from,
    )


def _epoch(progress: Progress, steps: Steps, data: Resident, recipe: Recipe, scheduler: Any) -> None:
    """One epoch and its row."""
    number = progress.epoch + 1
    begin = time.perf_counter()
    losses, accuracy = steps.epoch(number)
    seconds = time.perf_counter() - begin
    mean, l1 = sum(losses) / len(losses), steps.l1_norm()
    progress.diverged = not (all(map(math.isfinite, losses)) and math.isfinite(l1))
    reached = recipe.stop_loss is not None and mean <= recipe.stop_loss
    progress.finished = progress.diverged or reached or number == recipe.epochs
    every = recipe.evaluate_every
    wanted = len(data.test) and every and (progress.finished or number % every == 0)
    test = steps.evaluate() if wanted else None
    if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        scheduler.step(mean)
    elif scheduler is not None:
        scheduler.step()
    progress.epoch = number
    progress.step_losses += losses
    progress.history.append(
        {
            "epoch": number,
            "steps": len(progress.step_losses),
            "loss": mean,
            "accuracy": accuracy,
            "l1_norm": l1,
            "test_loss": test.loss if test else None,
            "test_accuracy": test.accuracy if test else None,
            "seconds": seconds,
        }
    )


def _taken_up(keeper: Checkpoint, ranks: Ranks, device: torch.device) -> Progress | None:
    """Where the run left off, on every rank or on none."""
    there = torch.tensor([float(keeper.exists())], device=device)
    if not ranks.first_says(there).item():
        return None
    progress = keeper.load()
    # No rank may write the next one before all have read this one.
    ranks.total_(there)
    return progress


def _peak_memory(device: torch.device) -> int | None:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    # Kilobytes, but bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _check_kinds(
    model: Any, data: Any, optimizer: Any, recipe: Any, loss: Any, scheduler: Any, on_epoch: Any
) -> None:
    for name, given, kind in (
        ("model", model, nn.Module),
        ("data", data, Resident),
        ("optimizer", optimizer, torch.optim.Optimizer),
        ("recipe", recipe, Recipe),
    ):
        if not isinstance(given, kind):
            raise InputError(f"{name} is a {type(given).__name__}; give a {kind.__name__}")
    if not callable(loss):
        raise InputError(f"loss is a {type(loss).__name__}; give a function of outputs and labels")
    if scheduler is not None and not callable(getattr(scheduler, "step", None)):
        raise InputError(f"scheduler is a {type(scheduler).__name__}; give one of torch's, or None")
    if on_epoch is not None and not callable(on_epoch):
        raise InputError(f"on_epoch is a {type(on_epoch).__name__}; give a function of a row, or None")


def _check(
    model: nn.Module, data: Resident, optimizer: torch.optim.Optimizer, recipe: Recipe, scheduler: Any
) -> None:
    closure = inspect.signature(type(optimizer).step).parameters.get("closure")
    if closure is not None and closure.default is inspect.Parameter.empty:
        raise InputError(
            f"{type(optimizer).__name__} evaluates the loss several times a step, through a closure, which "
            "this loop does not give it; use an optimiser that takes one gradient a step"
        )
    trainable = [p for p in model.parameters() if p.requires_grad]
    mine = {p for group in optimizer.param_groups for p in group["params"]}
    if not any(p in mine for p in trainable):
        raise InputError(
            "the optimiser has no trainable parameter of this model; make it from model.parameters()"
        )
    if scheduler is not None and getattr(scheduler, "optimizer", optimizer) is not optimizer:
        raise InputError("the scheduler is another optimiser's; make it from the one that is given")
    wide = torch.float64 if recipe.precision == "float64" else torch.float32
    for name, p in model.named_parameters():
        if p.device != data.device:
            raise InputError(f"{name!r} is on {p.device}, the data on {data.device}; put both on one device")
        if p.is_floating_point() and p.dtype != wide:
            raise InputError(
                f"{name!r} is {p.dtype}, precision {recipe.precision!r} asks for {wide}; convert the model"
                " before making its optimiser, or change the precision"
            )
    if data.train.dtype not in (wide, getattr(torch, recipe.precision)):
        raise InputError(
            f"the data are {data.train.dtype}, precision {recipe.precision!r} asks for {wide}; "
            f"make them with Resident.of(..., dtype={wide})"
        )
    if recipe.augment and data.train.ndim != 4:
        raise InputError(f"augment needs images (N, C, H, W); the data have shape {tuple(data.train.shape)}")
    images = len(data.train)
    if batch_count(images, recipe) == 0:
        raise InputError(
            f"batch = {recipe.batch} with drop_last leaves no step of {images} images; give at most {images}"
        )
    if recipe.batch is None and recipe.chunk < images and takes_batch_statistics(model, recipe.mode):
        raise InputError(
            f"batch norm would take its statistics from chunks of {recipe.chunk} images, not from all "
            f"{images}; set chunk >= {images}, or mode='eval' to use the running ones, or give a batch"
        )
