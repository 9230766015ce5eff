"""How a network is trained: everything but the network, the data, the optimiser and its schedule."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any

from nonsmooth.errors import InputError

__all__ = ["Recipe", "derived_seed"]

_CHOICES = {
    "l1_on": ("all", "weights"),
    "precision": ("float32", "float64", "bfloat16"),
    "mode": ("train", "eval"),
}
_LEAST = {"epochs": 0, "batch": 1, "seed": 0, "chunk": 1, "evaluate_every": 0}


@dataclass(frozen=True)
class Recipe:
    """How to train. Runs of equal recipes, networks, data and optimisers are equal, on the CPU bit for bit.

    Attributes:
        epochs: passes over the training images, >= 0.
        batch: images a step, >= 1; None takes one step an epoch on all images, their gradient added up over
            chunks.
        seed: of the order of the images, of the augmentation and of dropout, >= 0.
        shuffle: a new order every epoch; False keeps the order of the data.
        augment: every image is shifted by up to 4 pixels each way (zeros come in) and mirrored with
            probability 1/2, anew every epoch.
        chunk: images that are evaluated at once, and whose gradient is taken at once if ``batch`` is None.
        drop_last: leave out the last batch of an epoch where it is smaller than the others.
        l1: strength of the L1 term, >= 0. Its subgradient l1 * sign(w), 0 at 0, is added to the gradient of
            the loss.
        l1_on: "all" trainable parameters, biases and norms too, or "weights", those of
            ``nonsmooth.select_weights``.
        precision: "float32", "float64", or "bfloat16" for weights in float32 and autocast to bfloat16.
        compile: run forward and backward by ``torch.compile``.
        mode: "train", or "eval" to train with dropout off and batch norm on its running statistics.
        stop_loss: stop after the first epoch whose mean training loss is at most this.
        evaluate_every: the test images are evaluated after every so many epochs and after the last one; 0 for
            never.

    Raises:
        InputError: a value outside its range.

    >>> Recipe(epochs=3, l1=1e-4).batch
    128
    >>> Recipe(epochs=3, batch=0)
    Traceback (most recent call last):
    nonsmooth.errors.InputError: batch = 0 is not allowed; give a whole number >= 1, or None for all images
    """

    epochs: int
    batch: int | None = 128
    seed: int = 0
    shuffle: bool = True
    augment: bool = False
    chunk: int = 512
    drop_last: bool = False
    l1: float = 0.0
    l1_on: str = "all"
    precision: str = "float32"
    compile: bool = False
    mode: str = "train"
    stop_loss: float | None = None
    evaluate_every: int = 1

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if name == "batch" and value is None:
                continue
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                none = ", or None for all images" if name == "batch" else ""
                raise InputError(f"{name} = {value!r} is not allowed; give a whole number >= {least}{none}")
        for name in ("shuffle", "augment", "drop_last", "compile"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{name} = {getattr(self, name)!r} is not allowed; give True or False")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"{name} = {getattr(self, name)!r} is not allowed; give one of {', '.join(allowed)}"
                )
        if not _finite(self.l1) or self.l1 < 0:
            raise InputError(f"l1 = {self.l1!r} is not allowed; give a finite number >= 0")
        if self.stop_loss is not None and not _finite(self.stop_loss):
            raise InputError(f"stop_loss = {self.stop_loss!r} is not allowed; give a finite number or None")

    def to_json(self) -> str:
        """The one JSON text of this recipe.

        >>> Recipe(epochs=1).to_json()[:40]
        '{"augment":false,"batch":128,"chunk":512'
        """
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def derived_seed(axis: str, *numbers: int) -> int:
    """The seed of one random stream; streams of other axes or numbers are independent of it.

    >>> derived_seed("order", 0, 1) != derived_seed("order", 1, 0)
    True
    """
    text = ":".join([axis, *map(str, numbers)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
