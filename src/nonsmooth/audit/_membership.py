"""Whether the optimiser holds the parameters of the model."""

from __future__ import annotations

import torch
from torch import nn

from nonsmooth.findings import Observation

__all__ = ["whom_it_trains"]


def whom_it_trains(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[Observation]:
    """One observation where parameters that require a gradient are not the optimiser's; none if all are.

    >>> net = nn.Linear(2, 1)
    >>> [each.numbers["left_out"] for each in whom_it_trains(net, torch.optim.SGD([net.weight]))]
    [['bias']]
    """
    held = {id(p) for group in optimizer.param_groups for p in group["params"]}
    wanted = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    left_out = [name for name, p in wanted if id(p) not in held]
    if not left_out:
        return []
    shown = ", ".join(left_out[:5]) + (f" and {len(left_out) - 5} more" if len(left_out) > 5 else "")
    none = len(left_out) == len(wanted)
    return [
        Observation(
            "not-trained",
            "problem" if none else "warning",
            "The optimiser holds none of the model's parameters."
            if none
            else f"{len(left_out)} of {len(wanted)} trainable parameters are not the optimiser's.",
            f"Not in optimizer.param_groups: {shown}.",
            "They get gradients, at a cost, and stay as they are. A model copied, wrapped or moved after its "
            "optimiser was made has other parameters than the optimiser.",
            "torch.optim, Constructing it",
            "Make the optimiser after the model is final, or set requires_grad to False where it is meant.",
            "optimizer = torch.optim.Adam(model.parameters())",
            {"left_out": left_out, "of": len(wanted)},
        )
    ]
