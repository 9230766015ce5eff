"""How many kinks a training step crosses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from nonsmooth.audit._untouched import untouched
from nonsmooth.diagnostics import KinkCounter
from nonsmooth.findings import Observation

__all__ = ["motion"]

_STEPS = 5


def motion(
    step: Callable[[], Any], model: nn.Module, optimizer: torch.optim.Optimizer, probe: Any, *held: Any
) -> list[Observation]:
    """Take a few steps, count the kinks they cross on the probe batch, and undo them."""
    with untouched(model, optimizer, *held):
        kinks = KinkCounter(model, probe)
        for _ in range(_STEPS):
            step()
            kinks.update()
    history = kinks.history
    of = max(each.of for each in history)
    counts = sorted(each.total for each in history)
    if not of:
        title, level = "Steps cross no kinks: none were met on the probe batch.", "fine"
    else:
        share = sum(counts) / len(counts) / of
        title, level = f"A step crosses {share:.2%} of the kinks that the data see.", "note"
        if not counts[-1]:
            title, level = "Steps cross no kinks: training stays on one smooth piece.", "fine"
    by_module: dict[str, int] = {}
    for each in history:
        for name, count in each.by_module.items():
            by_module[name] = by_module.get(name, 0) + count
    most = sorted(by_module.items(), key=lambda item: -item[1])[:3]
    where = ", ".join(f"{name or 'the model itself'} {count:,}" for name, count in most if count)
    told = (
        f"{_STEPS} steps crossed {', '.join(f'{each.total:,}' for each in history)} of {of:,} (unit, sample) "
        f"pairs" + (f"; most in {where}" if where else "") + "."
    )
    return [
        Observation(
            "kinks-crossed",
            level,  # pyright: ignore[reportArgumentType]
            title,
            told,
            "Between two steps the loss is then no quadratic: Hessians, and what is concluded from them, "
            "hold on the piece on which they were taken.",
            "nonsmooth.diagnostics.KinkCounter",
            numbers={"crossed": [each.total for each in history], "of": of, "by_module": by_module},
            drawings=(kinks.draw(),) if of else (),
        )
    ]
