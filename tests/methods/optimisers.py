"""Stock optimisers with a diagonal metric, one row each; the suite of ``attach`` runs over all of them."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

Factory = Callable[[Iterable[Any]], torch.optim.Optimizer]

OPTIMISERS: dict[str, Factory] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD, momentum": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9),
    "SGD, dampening": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.8, dampening=0.5),
    "SGD, Nesterov": lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True),
    "SGD, maximise": lambda p: torch.optim.SGD(p, lr=0.1, maximize=True),
    "SGD, decay": lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "Adam, maximise": lambda p: torch.optim.Adam(p, lr=0.01, maximize=True),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.0),
    "AMSGrad": lambda p: torch.optim.Adam(p, lr=0.01, amsgrad=True),
    "Adamax": lambda p: torch.optim.Adamax(p, lr=0.01),
    "NAdam": lambda p: torch.optim.NAdam(p, lr=0.01),
    "RAdam": lambda p: torch.optim.RAdam(p, lr=0.01),
    "RMSprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "RMSprop, momentum": lambda p: torch.optim.RMSprop(p, lr=0.002, momentum=0.8),
    "RMSprop, centred": lambda p: torch.optim.RMSprop(p, lr=0.01, centered=True),
    "Adagrad": lambda p: torch.optim.Adagrad(p, lr=0.5),
    "Adagrad, decay": lambda p: torch.optim.Adagrad(p, lr=0.5, lr_decay=0.01),
    "Adadelta": lambda p: torch.optim.Adadelta(p, lr=0.1),
}
