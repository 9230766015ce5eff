"""What is run on networks at each tier."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nonsmooth.runs import RunSpec, batches

__all__ = ["network_specs"]

# Seeds and how many together; samples, pixels of a side, hidden units, steps; activations.
_SIZES: dict[str, tuple[int, int, int, int, int, int, tuple[str, ...]]] = {
    "quick": (24, 24, 40, 4, 4, 3000, ("relu", "gelu", "tanh")),
    "laptop": (64, 32, 40, 4, 5, 10_000, ("relu", "gelu", "tanh", "smoothed-relu:0.5")),
    "paper": (320, 32, 100, 4, 8, 20_000, ("relu", "gelu", "tanh", "smoothed-relu:0.5")),
}
_ONE_SAMPLE = {"width": 8, "stepsize": 0.02, "steps": 2000, "network_strength": 0.1}


def network_specs(claim: str, tier: str, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
    """The specs of a tier; the convex ones do not depend on ``images`` and ``device``."""
    seeds, together, samples, side, width, steps, activations = _SIZES[tier]
    common = {
        "images": settings["images"],
        "device": settings["device"],
        "network_strength": settings["network_strength"],
        "samples": samples,
        "side": side,
        "width": width,
        "stepsize": 0.05,
        "steps": steps,
    }
    specs = []
    for batch in batches(seeds, together):
        specs.append(RunSpec(claim, "one-sample", _ONE_SAMPLE, batch))
        specs += [
            RunSpec(claim, "trained", {**common, "activation": activation}, batch)
            for activation in activations
        ]
    return specs
