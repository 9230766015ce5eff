"""Which networks are run at the edge of stability, by tier: for ``unstable-convergence`` and ``huber``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from nonsmooth.claims._claim import Setting, Tier
from nonsmooth.runs import RunSpec

__all__ = ["FACTORS", "KINKED", "SETTINGS", "SMOOTH", "edge_specs", "huber_specs"]

KINKED = ("relu", "hardtanh")
SMOOTH = ("elu", "tanh", "softplus")
# Steps of the runs at large steps, in units of 2/sharpness of the start.
FACTORS = (0.5, 2.0, 8.0, 32.0, 128.0)

SETTINGS = (
    Setting(
        "images",
        "digits",
        "for the networks, which Section 5 does not name; with --data-dir those of Cohen et al., CIFAR-10",
    ),
    Setting("device", "cpu", "where the networks run; tier paper is made for cuda"),
)

# 2/alpha over the sharpness of the start, chosen in pilot runs so that the length below suffices to come
# there and, for the cross-entropy, so that the sharpness does not stay far above 2/alpha, as it does at
# larger steps. Softplus starts with one large eigenvalue, along its outputs' mean: on CIFAR-10 with 2/alpha
# far below it the first steps throw the network to where it is flat, and it does not come back in time.
_RISES = {
    "square": {"relu": 2.0, "hardtanh": 1.2, "elu": 1.2, "tanh": 1.2, "softplus": 0.98},
    "cross-entropy": {"relu": 16.0, "hardtanh": 8.0, "elu": 8.0, "tanh": 8.0, "softplus": 2.0},
}
_DIGITS_SOFTPLUS = 0.6


@dataclass(frozen=True)
class _Size:
    """Samples, pixels of a side, units; steps and steps between measurements; seeds."""

    count: int
    side: int
    width: int
    steps: int
    every: int
    seeds: int


_DENSE = {
    "quick": _Size(500, 8, 50, 500, 10, 6),
    "laptop": _Size(1000, 16, 200, 800, 16, 3),
    "paper": _Size(5000, 32, 200, 20_000, 50, 5),
}
_CONVOLUTIONAL = {
    "laptop": _Size(500, 16, 16, 400, 10, 3),
    "paper": _Size(5000, 32, 32, 20_000, 50, 5),
}
_HUBER_SEEDS = {"quick": 4, "laptop": 4, "paper": 5}


def edge_specs(claim: str, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
    """Every activation at the edge: the square loss, and from tier laptop on cross-entropy and convolutions.

    (On the digits the cross-entropy is fitted before the sharpness has risen.)
    """
    losses = ("square",) if tier == "quick" else ("square", "cross-entropy")
    specs = [
        _edge(claim, "fully connected", _DENSE[tier], loss, name, settings)
        for loss in losses
        for name in (*KINKED, *SMOOTH)
    ]
    if tier in _CONVOLUTIONAL:
        size = _CONVOLUTIONAL[tier]
        specs += [_edge(claim, "convolutional", size, "square", name, settings) for name in ("relu", "tanh")]
    return specs


def huber_specs(claim: str, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
    """Huber's loss beside the square at the edge, and with log cosh at large steps."""
    size = replace(_DENSE[tier], seeds=_HUBER_SEEDS[tier])
    names = ("relu", "hardtanh", "tanh")
    specs = [
        _edge(claim, "fully connected", size, loss, name, settings)
        for loss in ("huber", "square")
        for name in names
    ]
    seeds = tuple(range(size.seeds))
    common = {**_common("fully connected", size, settings), "steps": 100, "factors": FACTORS}
    return specs + [
        RunSpec(claim, "network-steps", {**common, "loss": loss, "activation": name}, seeds)
        for loss in ("huber", "log-cosh", "square")
        for name in names
    ]


def _common(network: str, size: _Size, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "images": settings["images"],
        "device": settings["device"],
        "network": network,
        "count": size.count,
        "side": size.side,
        "width": size.width,
    }


def _edge(
    claim: str, network: str, size: _Size, loss: str, name: str, settings: Mapping[str, Any]
) -> RunSpec:
    rise = _RISES["cross-entropy" if loss == "cross-entropy" else "square"][name]
    if name == "softplus" and loss != "cross-entropy" and settings["images"] == "digits":
        rise = _DIGITS_SOFTPLUS
    given = {
        **_common(network, size, settings),
        "loss": loss,
        "activation": name,
        "rise": rise,
        "steps": size.steps,
        "every": size.every,
    }
    return RunSpec(claim, "network-edge", given, tuple(range(size.seeds)))
