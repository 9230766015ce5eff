"""What is run at each tier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nonsmooth.runs import RunSpec, batches

__all__ = ["TWINS", "plan"]

# ReLU rounded over a width that the steps resolve, and over one that they do not.
TWINS = ("smoothed-relu:1", "smoothed-relu:1e-05")


@dataclass(frozen=True)
class _Size:
    """Seeds and how many together, and a cell; samples, pixels of a side, hidden units; iterations."""

    seeds: int
    batch: int
    cells: int
    samples: int
    side: int
    width: int
    iterations: int
    map_iterations: int
    map_samples: tuple[int, ...]
    map_widths: tuple[int, ...]


_SIZES = {
    "quick": _Size(64, 32, 8, 100, 4, 3, 700, 300, (20, 60, 180), (1, 2, 4)),
    "laptop": _Size(128, 32, 16, 200, 4, 4, 2000, 2000, (20, 40, 80, 160, 320), (1, 2, 4)),
    "paper": _Size(320, 32, 32, 500, 8, 6, 5000, 5000, (20, 40, 80, 160, 320, 640), (1, 2, 4, 8, 16)),
}


def plan(claim: str, tier: str, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
    """The specs of a tier."""
    size = _SIZES[tier]
    common = {
        **settings,
        "samples": size.samples,
        "side": size.side,
        "width": size.width,
        "iterations": size.iterations,
    }
    every = batches(size.seeds, size.batch)
    one, half = every[:1], [every[0][: size.batch // 2]]
    some = [every[0][: size.batch * 3 // 8]]
    specs = []

    def add(experiment: str, chosen: Sequence[tuple[int, ...]], **given: Any) -> None:
        specs.extend(RunSpec(claim, experiment, {**common, **given}, seeds) for seeds in chosen)

    add("near", one, activation="relu", loss="square", twins=TWINS)
    add("minima", every[1:], activation="relu", loss="square")
    add("minima", every, activation="relu", loss="logistic")
    add("minima", half, activation="leaky-relu", loss="square")
    few = {"samples": 20, "width": 8, "side": 4, "ridge": 0.0}
    add("ends", every, name="interpolating", activation="relu", loss="square", **few)
    for loss in ("square", "logistic"):
        add("ends", half, name=f"tanh, {loss}", activation="tanh", loss=loss)
    if tier != "quick":  # too slow to finish there
        add("ends", one, name="two layers", activation="relu", loss="square", layers=2)
    small = {"samples": 60, "side": 2, "width": 2}
    for activation in ("relu", "leaky-relu"):
        add("hinge", some, name="narrow", activation=activation, **small)
        add("hinge", some, name="wide", activation=activation, **{**small, "side": 4, "width": 4})
    cells = {
        "samples": size.map_samples,
        "widths": size.map_widths,
        "side": 4,
        "iterations": size.map_iterations,
    }
    specs.append(RunSpec(claim, "map", {**common, **cells}, tuple(range(size.cells))))
    return specs
