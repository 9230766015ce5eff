"""Weights with no data gradient: what ``ns.floor`` predicts, with the optimiser's state carried over or not.

Where data do pull a little, a population with Gaussian gradients of relative size ρ shows what that changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from nonsmooth.claims._claim import Row
from nonsmooth.claims.deep_l1._protocols import (
    LARGE,
    OPTIMISERS,
    PRINTED_SIZE,
    PRINTED_STEPS,
    SMALL,
    TEXT,
    THRESHOLD,
    make_optimizer,
)
from nonsmooth.diagnostics import floor
from nonsmooth.runs import RunSpec

__all__ = ["RATIOS", "predicted", "printed", "walk", "with_noise"]

_LAST = 64  # steps that a walk's figures are averages over
RATIOS = (0.0, 1e-8, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def walk(
    name: str,
    starts: Tensor,
    legs: Sequence[tuple[float, int]],
    noise: float = 0.0,
    generator: torch.Generator | None = None,
) -> dict[str, float]:
    """One optimiser object on the penalty alone, the weights reset before each leg, as in the listing.

    Args:
        name: of the optimiser.
        starts: (N,) float32.
        legs: (strength, steps) of each.
        noise: standard deviation, in units of the strength, of the normal numbers that are added to each
            gradient, new ones every step.
        generator: of the noise.

    Returns:
        Of the last leg, averages over its last 64 steps: ``share`` of |w| < 1e-5, ``zero`` (share of exact
        zeros), ``mean`` |w|; and ``arrived``, the share that has changed its sign or is 0.
    """
    w = torch.nn.Parameter(starts.clone())
    optimizer = make_optimizer(name, [w])
    first, late = torch.sign(starts), []
    crossed = torch.zeros_like(starts, dtype=torch.bool)
    for k, (strength, steps) in enumerate(legs):
        with torch.no_grad():
            w.copy_(starts)
        crossed.zero_()
        for step in range(steps):
            sign = torch.sign(w.detach())
            if noise:
                sign = sign + noise * torch.randn(sign.shape, generator=generator)
            w.grad = strength * sign
            optimizer.step()
            crossed |= torch.sign(w.detach()) != first
            if k == len(legs) - 1 and step >= steps - _LAST:
                size = w.detach().abs().double()
                found = [(size < THRESHOLD).double().mean(), (size == 0).double().mean(), size.mean()]
                late.append(torch.stack(found))
    share, zero, mean = torch.stack(late).mean(0).tolist()
    arrived = float((crossed | (first == 0)).double().mean())
    return {"share": share, "zero": zero, "mean": mean, "arrived": arrived}


def predicted(name: str, starts: Tensor, legs: Sequence[tuple[float, int]], weights: int, seed: int) -> Row:
    """Share below 1e-5 and mean |w| after the last leg: by ``ns.floor``, or by ``walk`` for carried state."""
    flat = starts.detach().cpu().double()
    if len(legs) > 1 and name != "SGD":  # SGD has no state to carry
        pick = torch.randperm(len(flat), generator=torch.Generator().manual_seed(seed))[:weights]
        return {**walk(name, flat[pick].float(), legs), "law": "state carried over"}
    return _by_floor(name, flat, *legs[-1], weights, seed)


def _by_floor(name: str, start: Any, strength: float, steps: int, weights: int, seed: int) -> Row:
    """``ns.floor``: SGD from a law in closed form, else simulated in float32, where zeros can be exact."""
    found = floor(
        lambda p: make_optimizer(name, p),
        strength=strength,
        threshold=THRESHOLD,
        start=start,
        steps=steps,
        weights=weights,
        dtype="float64" if name == "SGD" and isinstance(start, float) else "float32",
        seed=seed % 2**32,
    )
    return {
        "share": found.share_below,
        "zero": found.share_zero,
        "mean": found.mean_abs,
        "arrived": found.share_arrived,
        "law": found.law,
    }


def printed(spec: RunSpec) -> list[Row]:
    """The cells of Table 2 for free weights: 19,600 steps, normal starts, state fresh and carried over."""
    name, seed, weights, spread = spec["optimiser"], spec.seeds[0], spec["weights"], spec["spread"]
    strengths = (LARGE, SMALL, TEXT) if name == "SGD" else (LARGE, SMALL)
    cells = {
        (strength, False): _by_floor(name, spread, strength, PRINTED_STEPS, weights, seed)
        for strength in strengths
    }
    if name != "SGD":
        starts = torch.from_numpy(spec.rng("start", seed).normal(0.0, spread, weights))
        legs = [(LARGE, PRINTED_STEPS), (SMALL, PRINTED_STEPS)]
        cells[SMALL, True] = predicted(name, starts, legs, weights, seed)
    return [
        {
            "experiment": "printed",
            "optimiser": name,
            "strength": strength,
            "carried": carried,
            "norm": found["mean"] * PRINTED_SIZE,
            "n": weights,
            "spread": spread,
            **found,
        }
        for (strength, carried), found in cells.items()
    ]


def with_noise(spec: RunSpec) -> list[Row]:
    """Share below 1e-5 at λ1 = 2 over the size of the data gradient, ρ λ1, drawn anew every step."""
    seed = spec.seeds[0]
    starts = torch.from_numpy(spec.rng("start", seed).normal(0.0, spec["spread"], spec["weights"])).float()
    rows = []
    for name in OPTIMISERS:
        for ratio in RATIOS:
            generator = torch.Generator().manual_seed(int(spec.rng("noise", seed).integers(2**62)))
            found = walk(name, starts, [(LARGE, spec["steps"])], ratio, generator)
            rows.append(
                {"experiment": "noise", "optimiser": name, "ratio": ratio, "steps": spec["steps"], **found}
            )
    return rows
