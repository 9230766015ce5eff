"""The network that is penalised: VGG16 with its ImageNet weights, or a narrow one pre-trained here.

The stand-in: VGG16 with all widths scaled, He's start, trained on the same images without any penalty,
dropout off, by AdamW. A narrow network's weights are larger than the published one's, and at λ1 = 0.002 SGD
moves a weight by 6e-6 a step only. So weights are clipped after every step to bounds that fall during
training, from 1 to 0.06: 10,000 steps of the penalty then bring every weight to 0. Set at once, such bounds
would undo what is learnt; falling, they do not. Each weight's bound is its own, between half of that and all:
with one for all, the weights that lie at it would walk in step and be below 1e-5 together or not at all.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nonsmooth.claims.deep_l1._protocols import STAND_IN
from nonsmooth.datasets import images
from nonsmooth.errors import InputError
from nonsmooth.networks import initialise, load_vgg16_weights, vgg16
from nonsmooth.runs import RunSpec, scratch
from nonsmooth.training import Recipe, Resident, train

__all__ = ["data_of", "network", "start_of"]

_STEP, _DECAY = 5e-4, 0.5
# The bound is 1 for the first three tenths of the steps, and what it ends with for the last tenth.
_BOUND, _FALLS = 0.06, (0.3, 0.9)
_HEAD = 0.01
_KEPT = 3


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

    A head of another size than the pre-trained one's is drawn anew, by torchvision's law for VGG.
    """
    state, reached = _pretrained(spec, data, seed)
    if classes == 1000:
        return state, reached
    generator = torch.Generator().manual_seed(seed_of(spec, "head", seed))
    weight = torch.empty(classes, state["classifier.6.weight"].shape[1]).normal_(
        0, _HEAD, generator=generator
    )
    drawn = {"weight": weight, "bias": torch.zeros(classes)}
    drawn = {f"classifier.6.{name}": p.to(data.device) for name, p in drawn.items()}
    return {**state, **drawn}, reached


# What pre-training depends on; kept for the next specs that this process measures.
_kept: dict[tuple, tuple[dict[str, torch.Tensor], dict]] = {}


def _pretrained(spec: RunSpec, data: Resident, seed: int) -> tuple[dict[str, torch.Tensor], dict]:
    named = ("images", "device", "width", "side", "batch", "count", "test_count", "pretrained", "weights")
    stand_in = spec["weights"] == STAND_IN
    key = (*(str(spec[name]) for name in named), seed if stand_in else None)
    if key not in _kept:
        if len(_kept) >= _KEPT:
            _kept.clear()
        model = network(spec, data, 1000)
        if stand_in:
            reached = _train_stand_in(spec, model, data, seed)
        else:
            load_vgg16_weights(model, Path(spec["weights"]))
            reached = {"accuracy": None, "loss": None}
        _kept[key] = ({name: p.detach().clone() for name, p in model.state_dict().items()}, reached)
    return _kept[key]


def _train_stand_in(spec: RunSpec, model: nn.Module, data: Resident, seed: int) -> dict:
    initialise(model, "he", "relu", seed_of(spec, "init", seed))
    folder = scratch()
    optimizer = torch.optim.AdamW(model.parameters(), lr=_STEP, weight_decay=_DECAY)
    steps = spec["pretrained"] * math.ceil(len(data.train) / spec["batch"])
    _bounded(optimizer, steps, seed_of(spec, "bounds", seed))
    result = train(
        model,
        data,
        optimizer,
        Recipe(
            epochs=spec["pretrained"],
            batch=spec["batch"],
            seed=seed_of(spec, "pre-training", seed),
            mode="eval",
            evaluate_every=spec["pretrained"],
        ),
        checkpoint=None if folder is None else folder / f"stand-in-{seed}.pt",
    )
    return {"accuracy": result.history[-1]["test_accuracy"], "loss": result.history[-1]["loss"]}


def _bounded(optimizer: torch.optim.Optimizer, steps: int, seed: int) -> None:
    """Clip all weights after each of so many steps, to bounds that fall geometrically."""
    weights = [p for group in optimizer.param_groups for p in group["params"]]
    generator = torch.Generator().manual_seed(seed)
    parts = [(torch.rand(p.shape, generator=generator) / 2 + 0.5).to(p) for p in weights]

    def clip(*_: Any) -> None:
        # The optimiser's own count: it goes on where a killed run is taken up.
        share = float(optimizer.state[weights[0]]["step"]) / steps
        begin, end = _FALLS
        bound = _BOUND ** min(1.0, (share - begin) / (end - begin))
        if share >= begin:
            with torch.no_grad():
                for p, part in zip(weights, parts, strict=True):
                    p.copy_(p.clamp(-bound * part, bound * part))

    optimizer.register_step_post_hook(clip)
