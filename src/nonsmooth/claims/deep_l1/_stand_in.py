"""The network that is penalised: VGG16 with its ImageNet weights, or a narrow one pre-trained here.

The stand-in: VGG16 with all widths scaled, He's start (the head's weights a tenth of that), trained on the
same images without any penalty, dropout off, in two stages of AdamW: step 5e-4 and decay 0.5, which leaves
the initial plateau; then step 1e-3 and decay 10, which keeps |w| below some 1/10, as a step of AdamW cannot
exceed its step size. A narrow network's weights are larger than the published one's; so they are small enough
to be brought to 0 by the penalty within the printed 19,600 steps of 6e-6.
"""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from torch import nn

from nonsmooth.claims.deep_l1._protocols import STAND_IN
from nonsmooth.datasets import images
from nonsmooth.errors import InputError
from nonsmooth.networks import initialise, load_vgg16_weights, vgg16
from nonsmooth.runs import RunSpec, scratch
from nonsmooth.training import Recipe, Resident, train

__all__ = ["data_of", "network", "start_of"]

_STAGES = ((5e-4, 0.5), (1e-3, 10.0))  # step, decay
_HEAD = 0.1


def seed_of(spec: RunSpec, axis: str, seed: int) -> int:
    """A seed for torch from one of the spec's streams."""
    return int(spec.rng(axis, seed).integers(2**62))


def data_of(spec: RunSpec) -> Resident:
    """The images as the listing normalises them, (x - 0.5) / 0.5, at the tier's size.

    Raises:
        InputError: the printed size of network is asked for on images that are not CIFAR-10's size.
    """
    return _data(spec["images"], spec["device"], spec["side"], spec["count"], spec["test_count"])


@functools.lru_cache(maxsize=1)
def _data(name: str, device: str, side: int, count: int | None, test_count: int | None) -> Resident:
    found = images(name)
    channels, height, _ = found.shape
    if count is None and (height < side or channels != 3):
        raise InputError(
            f"tier paper runs VGG16 at its printed size on CIFAR-10; images = {name!r} are "
            f"{channels}x{height}x{height}; give CIFAR-10 by --data-dir, or a smaller tier"
        )
    return Resident.of(
        found,
        device=device,
        count=count if count is None else min(count, len(found.train)),
        test_count=test_count if test_count is None else min(test_count, len(found.test)),
        normalise="half",
        shrink=max(1, height // side),
    )


def network(spec: RunSpec, data: Resident, classes: int) -> nn.Module:
    """VGG16 of the spec's width for these images, on their device."""
    _, channels, size, _ = data.train.shape
    model = vgg16(spec["width"], classes=classes, size=size, channels=channels)
    return model.to(device=data.device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def start_of(spec: RunSpec, data: Resident, classes: int, seed: int) -> tuple[dict[str, torch.Tensor], dict]:
    """The weights that every run of a seed starts from, and what they reach before any penalty.

    A head of another size than the pre-trained one's is drawn anew, as for any new task.
    """
    state, reached = _pretrained(spec, data, seed)
    if classes == 1000:
        return state, reached
    head = initialise(
        nn.Linear(state["classifier.6.weight"].shape[1], classes), "he", "relu", seed_of(spec, "head", seed)
    )
    drawn = {f"classifier.6.{name}": p.detach().to(data.device) for name, p in head.named_parameters()}
    return {**state, **drawn}, reached


# What pre-training depends on, seed aside; kept for the next spec that this process measures.
_kept: dict[tuple, tuple[dict[str, torch.Tensor], dict]] = {}


def _pretrained(spec: RunSpec, data: Resident, seed: int) -> tuple[dict[str, torch.Tensor], dict]:
    named = ("images", "device", "width", "side", "batch", "count", "test_count", "pretrained", "weights")
    key = (*(str(spec[name]) for name in named), seed)
    if key not in _kept:
        _kept.clear()
        model = network(spec, data, 1000)
        if spec["weights"] == STAND_IN:
            reached = _train_stand_in(spec, model, data, seed)
        else:
            load_vgg16_weights(model, Path(spec["weights"]))
            reached = {"accuracy": None, "loss": None}
        _kept[key] = ({name: p.detach().clone() for name, p in model.state_dict().items()}, reached)
    return _kept[key]


def _train_stand_in(spec: RunSpec, model: nn.Module, data: Resident, seed: int) -> dict:
    initialise(model, "he", "relu", seed_of(spec, "init", seed))
    with torch.no_grad():
        model.get_parameter("classifier.6.weight").mul_(_HEAD)
    folder, history = scratch(), []
    for k, (epochs, (stepsize, decay)) in enumerate(zip(spec["pretrained"], _STAGES, strict=True)):
        result = train(
            model,
            data,
            torch.optim.AdamW(model.parameters(), lr=stepsize, weight_decay=decay),
            Recipe(
                epochs=epochs,
                batch=spec["batch"],
                seed=seed_of(spec, f"pre-training {k}", seed),
                mode="eval",
                evaluate_every=epochs,
            ),
            checkpoint=None if folder is None else folder / f"stand-in-{k}-{seed}.pt",
        )
        history += result.history
    return {"accuracy": history[-1]["test_accuracy"], "loss": history[-1]["loss"]}
