"""What is run: networks of the printed architecture are trained, and when each reaches a loss is noted."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.errors import InputError
from nonsmooth.runs import RunSpec, scratch

if TYPE_CHECKING:
    from nonsmooth.training import Resident

__all__ = ["time_to", "train_networks"]

# A single batch's loss is noisy: the loss that has to reach a target is the mean over an epoch's steps, or
# over so many where an epoch has more.
_LONGEST_WINDOW = 32
_MOMENTUM = 0.9


def train_networks(spec: RunSpec) -> list[Row]:
    """A row a seed: times to both targets (None: censored at the horizon), lowest loss, losses by epoch.

    Raises:
        InputError: tier paper on digits, which are not what is printed; images that are not square.
    """
    import torch

    from nonsmooth.networks import initialise, vgg
    from nonsmooth.training import Recipe, train

    if spec["count"] is None and spec["images"] == "digits":
        raise InputError(
            "tier paper trains on all of CIFAR-10, not on digits; give its folder with --data-dir"
        )
    data, classes = _data(spec["images"], spec["device"], spec["count"], spec["side"])
    _, channels, size, _ = data.train.shape
    targets = [share * math.log(classes) for share in spec["targets"]]
    steps = math.ceil(len(data.train) / spec["batch"])
    window = min(steps, _LONGEST_WINDOW)
    folder = scratch()
    rows = []
    for seed in spec.seeds:
        model = vgg(
            spec["depth"],
            spec["activation"],
            batch_norm=spec["batch_norm"],
            channels=channels,
            size=size,
            classes=classes,
        )
        initialise(model, spec["init"], spec["activation"], int(spec.rng("start", seed).integers(2**62)))
        model.to(device=data.device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        if spec["optimiser"] == "adam":
            optimizer: torch.optim.Optimizer = torch.optim.Adam(model.parameters(), lr=spec["stepsize"])
        else:
            optimizer = torch.optim.SGD(model.parameters(), lr=spec["stepsize"], momentum=_MOMENTUM)
        recipe = Recipe(
            epochs=spec["epochs"],
            batch=spec["batch"],
            seed=int(spec.rng("order", seed).integers(2**62)),
            stop_loss=None if spec.experiment == "curves" else min(targets),
            evaluate_every=0,
        )
        result = train(
            model, data, optimizer, recipe, checkpoint=folder / f"seed-{seed}.pt" if folder else None
        )
        losses = result.step_losses
        rows.append(
            {
                "experiment": spec.experiment,
                **{name: spec[name] for name in ("depth", "batch_norm", "activation", "init", "optimiser")},
                "stepsize": spec["stepsize"],
                "seed": seed,
                "images": spec["images"],
                "device": spec["device"],
                "count": len(data.train),
                "size": size,
                "batch": spec["batch"],
                "classes": classes,
                "horizon": spec["epochs"] * steps,
                "targets": targets,
                "times": [time_to(losses, target, window) for target in targets],
                "lowest": _lowest(losses, window),
                "diverged": result.diverged,
                "steps": [each["steps"] for each in result.history],
                "losses": [each["loss"] for each in result.history],
            }
        )
    return rows


def time_to(losses: list[float], target: float, window: int) -> int | None:
    """The first step after which the mean of the last ``window`` losses is at most ``target``; None if never.

    >>> time_to([3.0, 2.0, 1.0, 0.0], 1.5, 2), time_to([3.0, 2.0], 1.5, 2)
    (3, None)
    """
    reached = np.flatnonzero(_means(losses, window) <= target)
    return int(reached[0]) + window if reached.size else None


def _lowest(losses: list[float], window: int) -> float:
    means = _means(losses, window)
    means = means[np.isfinite(means)]
    return float(means.min()) if means.size else float(losses[0])


def _means(losses: list[float], window: int) -> np.ndarray:
    if len(losses) < window:
        return np.empty(0)
    return np.lib.stride_tricks.sliding_window_view(np.asarray(losses, dtype=float), window).mean(axis=1)


@functools.lru_cache(maxsize=2)
def _data(name: str, device: str, count: int | None, side: int) -> tuple[Resident, int]:
    """The training images, averaged down to ``side`` pixels where larger, and the number of classes."""
    from nonsmooth.datasets import images
    from nonsmooth.training import Resident

    source = images(name)
    _, height, width = source.shape
    if height != width:
        raise InputError(f"the images of {name!r} are {height} x {width} pixels; give square ones")
    shrink = max(1, height // side)
    if height % shrink:
        raise InputError(
            f"images of {height} x {height} pixels cannot be averaged in blocks of {shrink}; give a side of "
            f"less than {2 * side} pixels or a multiple of {side}"
        )
    data = Resident.of(source, device=device, count=count, test_count=0, shrink=shrink)
    return data, len(source.classes)
