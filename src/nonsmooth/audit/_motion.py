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
        return [kinks.observation()]
