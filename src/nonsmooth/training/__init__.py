"""Networks trained by one loop: data on the device, an L1 term beside the graph, checkpoints that resume.

::

    data = Resident.of(images, device="cuda")                   normalised once, channels last
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)    any that steps without a closure
    ns.attach(optimizer, ns.L1(1e-4), params=model)             or a penalty in the loss: Recipe(l1=1e-4)
    result = train(model, data, optimizer, Recipe(epochs=10), checkpoint=Path("run.pt"))

Minimised is the mean over the images of ``loss``, plus ``l1`` times the sum of the absolute weights; a step
takes its gradient on one batch, or on all the data (``batch=None``). ``torchrun`` runs it on several
processes.

Names are imported when first used: they need torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nonsmooth.training._recipe import Recipe
    from nonsmooth.training._resident import Resident
    from nonsmooth.training._result import Training
    from nonsmooth.training._train import train

_NAMES = {"Recipe": "_recipe", "Resident": "_resident", "Training": "_result", "train": "_train"}

__all__ = ["Recipe", "Resident", "Training", "train"]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"nonsmooth.training.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'nonsmooth.training' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
