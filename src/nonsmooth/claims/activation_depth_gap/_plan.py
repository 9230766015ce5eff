"""Which networks are trained, how often and for how long, by tier.

A *cell* fixes all but the seed: depth, batch norm, activation, initialisation, optimiser and step size. A
*group* is a set of cells that share their step sizes and their horizon (the epochs after which a run is given
up). Runs of one seed start from the same draws and see the same batches, whatever the cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from nonsmooth.claims._claim import Tier
from nonsmooth.runs import RunSpec, batches

__all__ = ["KINKED_GELU", "NARROW", "PAIR", "Group", "groups", "specs"]

PAIR = ("relu", "gelu")
# Differentiable, with ReLU's shape; and kinked, with GELU's.
NARROW = ("smoothed-relu:0.01", "smoothed-relu:0.0001", "analytic-relu:0.0001")
KINKED_GELU = "kinked-gelu:0.5"

_WIDTHS = (
    *("smoothed-relu:1", "smoothed-relu:0.1", "analytic-relu:3", "analytic-relu:1", "analytic-relu:0.1"),
    *("kinked-gelu:1", "kinked-gelu:2"),
)
_SHAPES = ("silu", "softplus", "elu", "leaky-relu")

# Targets in units of ln(number of classes), the loss of a network that knows nothing: the one that is judged,
# and a second one. 2.0 and 1.9 of 2.303 without batch norm; batch norm is past that within twenty steps.
_TARGETS = {
    "digits": {False: (0.65, 0.87), True: (0.22, 0.43)},
    "photographs": {False: (0.87, 0.825), True: (0.76, 0.87)},
    "all photographs": {False: (0.6, 0.43), True: (0.43, 0.22)},
}


@dataclass(frozen=True)
class Group:
    """Cells that share step sizes and horizon.

    Args:
        experiment: "race" (a run ends at the targets), "confirm" (the same on larger images), or "curves"
            (of full length).
        epochs: the horizon.
        seeds: how many.
        stepsizes: of every cell.
        activations, depths, batch_norm, init, optimiser: the cells are all combinations.
    """

    experiment: str
    depths: tuple[int, ...]
    batch_norm: bool
    activations: tuple[str, ...]
    init: str
    optimiser: str
    stepsizes: tuple[float, ...]
    epochs: int
    seeds: int

    def cells(self) -> Iterator[dict[str, Any]]:
        for depth, name, stepsize in product(self.depths, self.activations, self.stepsizes):
            yield {
                "depth": depth,
                "batch_norm": self.batch_norm,
                "activation": name,
                "init": self.init,
                "optimiser": self.optimiser,
                "stepsize": stepsize,
                "epochs": self.epochs,
            }


def groups(tier: Tier, stepsize: float) -> list[Group]:
    """What a tier runs; ``stepsize`` is that of the figure's curves (Adam)."""
    return {"quick": _quick, "laptop": _laptop, "paper": _paper}[tier](stepsize)


def _quick(stepsize: float) -> list[Group]:
    adam = ("adam", (3e-3, 1e-2), 20, 2)
    twins = (*NARROW, KINKED_GELU, "leaky-relu", "softplus")
    return [
        Group("race", (11,), False, PAIR, "torch", *adam),
        Group("race", (19,), False, PAIR, "torch", "adam", (3e-4, 1e-2), 12, 2),
        Group("race", (11,), False, PAIR, "matched", *adam),
        Group("race", (19,), False, PAIR, "matched", "adam", (1e-3, 3e-3), 16, 2),
        Group("race", (11, 19), True, PAIR, "torch", "adam", (1e-3, 3e-3), 8, 2),
        Group("race", (11,), False, twins, "matched", "adam", (3e-3,), 10, 2),
        Group("curves", (11, 19), False, PAIR, "torch", "adam", (stepsize,), 10, 2),
        Group("curves", (11, 19), True, PAIR, "torch", "adam", (stepsize,), 4, 2),
    ]


def _laptop(stepsize: float) -> list[Group]:
    adam, sgd = (3e-4, 1e-3, 3e-3, 1e-2), (0.03, 0.1, 0.3, 1.0)
    few = (*NARROW, KINKED_GELU, "elu", "leaky-relu")
    return [
        Group("race", (11,), False, PAIR, "torch", "adam", (5e-4, 1e-3, 3e-3, 1e-2), 30, 8),
        Group("race", (19,), False, PAIR, "torch", "adam", (2e-4, 5e-4, 1e-3, 3e-3), 36, 8),
        Group("race", (11, 19), False, PAIR, "torch", "sgd", (0.01, 0.03, 0.1, 0.3), 12, 5),
        Group("race", (11, 19), False, PAIR, "matched", "adam", adam, 20, 8),
        Group("race", (11,), False, PAIR, "matched", "sgd", sgd, 20, 5),
        Group("race", (19,), False, PAIR, "matched", "sgd", sgd, 12, 5),
        Group("race", (11, 19), False, PAIR, "he", "adam", (1e-3, 3e-3), 20, 5),
        Group("race", (11, 19), True, PAIR, "torch", "adam", adam, 15, 6),
        Group("race", (11, 19), True, PAIR, "torch", "sgd", (3e-3, 0.01, 0.03, 0.1), 15, 6),
        Group(
            "race",
            (11,),
            False,
            (*NARROW, KINKED_GELU, *_WIDTHS, *_SHAPES),
            "matched",
            "adam",
            adam[1:],
            20,
            6,
        ),
        Group("race", (19,), False, few, "matched", "adam", (1e-3, 3e-3), 20, 6),
        Group("race", (11,), False, few, "torch", "adam", (3e-3, 1e-2), 30, 6),
        Group("confirm", (11,), False, (*PAIR, NARROW[-1], KINKED_GELU), "matched", "adam", (3e-3,), 20, 5),
        Group("confirm", (19,), False, PAIR, "matched", "adam", (3e-3,), 20, 5),
        Group("confirm", (11,), False, PAIR, "torch", "adam", (3e-3,), 30, 5),
        Group("curves", (11, 19), False, PAIR, "torch", "adam", (stepsize,), 40, 5),
        Group("curves", (11, 19), True, PAIR, "torch", "adam", (stepsize,), 15, 5),
    ]


def _paper(stepsize: float) -> list[Group]:
    depths, adam, sgd = (11, 13, 19), (3e-4, 1e-3, 3e-3, 1e-2), (0.01, 0.03, 0.1, 0.3)
    twins = (*NARROW, KINKED_GELU, *_SHAPES)
    return [
        Group("race", depths, False, PAIR, "torch", "adam", (1e-4, *adam), 60, 8),
        Group("race", depths, False, PAIR, "torch", "sgd", sgd, 60, 5),
        Group("race", depths, False, PAIR, "matched", "adam", adam, 60, 8),
        Group("race", depths, False, PAIR, "matched", "sgd", sgd, 60, 5),
        Group("race", depths, True, PAIR, "torch", "adam", adam, 30, 6),
        Group("race", depths, True, PAIR, "torch", "sgd", sgd, 30, 6),
        Group("race", (11, 19), False, twins, "matched", "adam", adam[:3], 60, 6),
        Group("race", (11,), False, _WIDTHS, "matched", "adam", adam[:3], 60, 6),
        Group("race", (11,), False, twins, "torch", "adam", adam[:3], 60, 6),
        Group("curves", depths, False, PAIR, "torch", "adam", (stepsize,), 60, 5),
        Group("curves", depths, True, PAIR, "torch", "adam", (stepsize,), 60, 5),
    ]


def specs(claim: str, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
    """One spec a cell, with all its seeds (at tier paper one a seed, so that little is lost on a kill)."""
    digits = settings["images"] == "digits"
    kind = "digits" if digits else "all photographs" if tier == "paper" else "photographs"
    count = {"quick": 1280, "laptop": 1280 if digits else 2048, "paper": None}[tier]
    made = []
    for group in groups(tier, settings["stepsize"]):
        size = {
            "images": settings["images"],
            "device": settings["device"],
            "batch": settings["batch"],
            "count": count,  # None: all images
            "side": 32 if tier == "paper" or group.experiment == "confirm" else 16,
            "targets": list(_TARGETS[kind][group.batch_norm]),
        }
        for cell in group.cells():
            for batch in batches(group.seeds, 1 if tier == "paper" else group.seeds):
                made.append(RunSpec(claim, group.experiment, {**size, **cell}, batch))
    return made
