"""A run that can be killed: ``python interrupted.py FOLDER`` prints each epoch and leaves its final weights.

Everything with a state takes part: dropout, augmentation, batch norm, Adam, a schedule, an attached penalty
with a schedule of its strength.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.training import Recipe, Training, train
from training.toys import toy_data, toy_network

EPOCHS = 12
RECIPE = Recipe(epochs=EPOCHS, batch=16, augment=True, seed=4)


def parts(rate: float = 1e-2) -> tuple[nn.Module, torch.optim.Optimizer, Any]:
    """Model, optimiser, schedule; a penalty is attached."""
    model = toy_network(dropout=0.3, batch_norm=True)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    ns.attach(optimizer, ns.L1(0.01), params=model, schedule=lambda step: min(1.0, step / 50))
    return model, optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)


def run(checkpoint: Path | None, on_epoch: Any = None) -> tuple[nn.Module, Training]:
    model, optimizer, schedule = parts()
    result = train(
        model,
        toy_data(400),
        optimizer,
        RECIPE,
        scheduler=schedule,
        checkpoint=checkpoint,
        on_epoch=on_epoch,
    )
    return model, result


if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    trained, course = run(folder / "run.pt", lambda row: print(row["epoch"], flush=True))
    torch.save([*trained.state_dict().values(), torch.tensor(course.step_losses)], folder / "end.pt")
