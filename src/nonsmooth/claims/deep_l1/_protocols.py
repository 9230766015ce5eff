"""What the listing of Appendix C does, what a clean run does, the steps between, and the sizes of the
tiers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

__all__ = [
    "ATTACHED",
    "CLEAN",
    "FAR",
    "LARGE",
    "LISTING",
    "NARROW",
    "OPTIMISERS",
    "PRINTED",
    "PRINTED_SIZE",
    "PRINTED_STEPS",
    "SIZES",
    "SMALL",
    "STAND_IN",
    "STEPSIZE",
    "SWITCHES",
    "TEXT",
    "THRESHOLD",
    "THRESHOLDS",
    "TWINS",
    "WIDE",
    "Protocol",
    "Size",
    "make_optimizer",
    "norm_of_constants",
]

STEPSIZE, THRESHOLD = 0.003, 1e-5
LARGE, SMALL, TEXT = 2.0, 0.002, 0.0002
PRINTED_STEPS, PRINTED_SIZE = 200 * 98, 138_357_544
OPTIMISERS = ("SGD", "RMSProp", "Adam")
STAND_IN = "stand-in"
# Below which parameters are counted beside the paper's 1e-5; and beyond every orbit of the three optimisers,
# whose longest step is RMSProp's, STEPSIZE / sqrt(1 - 0.99).
THRESHOLDS, FAR = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2), 0.03
# Table 2, in percent.
PRINTED = {
    ("SGD", SMALL): "99.89",
    ("SGD", LARGE): "0.18",
    ("RMSProp", SMALL): "0.09",
    ("RMSProp", LARGE): "1.21",
    ("Adam", SMALL): "3.31",
    ("Adam", LARGE): "2.28",
}
# Widths over which the twin rounds |w|: far below every floor of the kinked penalty at λ1 = 2, and far above.
NARROW, WIDE = 1e-5, 0.03


@dataclass(frozen=True)
class Protocol:
    """How the penalised runs of one optimiser are made.

    Attributes:
        name: for rows and figures.
        order: the strengths, in the order in which they are run.
        carried: one optimiser object for both strengths, its state with it, while the weights are reset.
        shuffled: a new order of the images every epoch.
        classes: outputs of the head; the labels are 0 to 9.
        penalised: "all" parameters, or "weights" (no biases).
        penalty: "loss", "attached", or "rounded:D" for |w| rounded over D in the loss.
    """

    name: str
    order: tuple[float, ...] = (LARGE, SMALL)
    carried: bool = True
    shuffled: bool = False
    classes: int = 1000
    penalised: str = "all"
    penalty: str = "loss"

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "order": list(self.order)}

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Protocol:
        return cls(**{**given, "order": tuple(given["order"])})


LISTING = Protocol("listing")
CLEAN = Protocol("clean", carried=False, shuffled=True, classes=10, penalised="weights")
# One choice of the listing changed at a time. With 0.002 run first it is run by a fresh optimiser, so that
# this one run answers for the order (at 2) and for the state that is carried over (at 0.002).
SWITCHES = {
    "order": replace(LISTING, name="order", order=(SMALL, LARGE)),
    "shuffled": replace(LISTING, name="shuffled", shuffled=True),
    "head": replace(LISTING, name="head", classes=10),
    "biases": replace(LISTING, name="biases", penalised="weights"),
}


ATTACHED = replace(CLEAN, name="attached", penalty="attached")
# Only λ1 = 2, where the effect is.
TWINS = {
    name: replace(CLEAN, name=name, order=(LARGE,), penalty=f"rounded:{width:g}")
    for name, width in (("narrow", NARROW), ("wide", WIDE))
}


@dataclass(frozen=True)
class Size:
    """The scale of a tier.

    Attributes:
        width: of VGG16.
        side: the images are shrunk to at most so many pixels a side.
        batch: images a step.
        count, test_count: images; None for all. Steps an epoch: count / batch, rounded up.
        epochs_small: of the listing at λ1 = 0.002, in two parts. It is measured after each; runs with one
            choice changed end with the first.
        epochs_clean: of the clean protocol and of the attached penalty at λ1 = 0.002.
        epochs_large: of every run at λ1 = 2.
        pretrained: epochs of the stand-in's training.
        seeds: of the listing and of the clean protocol.
        free_weights: in the free populations.
        noise_steps: of the free populations with noise.
    """

    width: float
    side: int
    batch: int
    count: int | None
    test_count: int | None
    epochs_small: tuple[int, int]
    epochs_clean: int
    epochs_large: int
    pretrained: int
    seeds: int
    free_weights: int
    noise_steps: int


SIZES = {
    "quick": Size(1 / 32, 8, 14, 980, 256, (1, 1), 2, 2, 3, 1, 1000, 700),
    "laptop": Size(1 / 16, 16, 14, 1372, 512, (30, 120), 105, 10, 20, 3, 10_000, 5_000),
    "paper": Size(1.0, 32, 512, None, None, (30, 170), 200, 200, 20, 3, 10_000, 19_600),
}


def make_optimizer(name: str, parameters: Any) -> Any:
    """The listing's optimiser: torch's own, everything but the step at its default."""
    import torch

    kinds = {"SGD": torch.optim.SGD, "RMSProp": torch.optim.RMSprop, "Adam": torch.optim.Adam}
    return kinds[name](parameters, lr=STEPSIZE)


def norm_of_constants(classes: int, strength: float, labels: int = 10) -> float:
    """The largest L1 norm that a network better than every constant prediction can have.

    With all weights 0 and the labels' biases at k, the penalised loss is log(labels + (classes - labels)
    e^-k) + strength * labels * k. Its least value over k bounds strength * ||w||_1 of every better network.

    >>> round(norm_of_constants(10, 0.002)), round(norm_of_constants(1000, 0.002))  # ln(10) / 0.002
    (1151, 1246)
    """
    best = min(
        math.log(labels + (classes - labels) * math.exp(-k / 100)) + strength * labels * k / 100
        for k in range(2001)
    )
    return best / strength
