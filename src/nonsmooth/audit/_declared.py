"""Modules whose smoothness is known better than their operations tell."""

from __future__ import annotations

from typing import get_args

from torch import nn

from nonsmooth.audit._operations_row import Class
from nonsmooth.errors import InputError
from nonsmooth.networks import AnalyticReLU, KinkedGELU, SmoothedReLU

__all__ = ["declare_smoothness", "declared"]

# Ours are assembled from clamps and table look-ups, whose kinks and jumps cancel.
_DECLARED: dict[type[nn.Module], Class] = {
    SmoothedReLU: "C1,1",
    AnalyticReLU: "analytic",
    KinkedGELU: "Lipschitz",
}


def declare_smoothness(kind: type[nn.Module], smoothness: Class) -> None:
    """Tell the audit how smooth a module is, as a function of its inputs and its parameters.

    A class composed from a module's operations is the roughest that it can be: kinks that cancel are not
    seen. What is declared here is taken as one operation, not looked into; subclasses inherit it.

    Args:
        kind: the module's class.
        smoothness: "analytic", "C1,1", "C1", "Lipschitz" or "discontinuous".

    Raises:
        InputError: no such class of smoothness, or no class of modules.

    >>> class Square(nn.Module):
    ...     def forward(self, x):
    ...         return x.relu() ** 2 + (-x).relu() ** 2
    >>> declare_smoothness(Square, "analytic")
    """
    if smoothness not in get_args(Class) or smoothness == "unknown":
        raise InputError(
            f"smoothness = {smoothness!r} is not allowed; "
            "choose analytic, C1,1, C1, Lipschitz or discontinuous"
        )
    if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
        raise InputError(f"kind = {kind!r} is no subclass of nn.Module; give the module's class")
    _DECLARED[kind] = smoothness


def declared(module: nn.Module) -> Class | None:
    """What was declared for a module's class or the nearest of its bases; None if nothing was."""
    return next((_DECLARED[kind] for kind in type(module).__mro__ if kind in _DECLARED), None)
