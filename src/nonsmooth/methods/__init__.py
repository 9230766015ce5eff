"""How it is minimised: recursions, step-size regimes, exact solutions, penalties attached to optimisers.

What needs torch is imported when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nonsmooth.methods._exact_lasso import ExactLasso, duality_gap, exact_lasso
from nonsmooth.methods._exact_minimum import ExactMinimum, dcp_convex, exact_minimum
from nonsmooth.methods._methods import (
    Fista,
    Method,
    Momentum,
    ProximalGradient,
    RMSProp,
    Subgradient,
    TorchOptimizer,
)
from nonsmooth.methods._stepsizes import Constant, Diminishing, Reducing, StepSize
from nonsmooth.methods._worst_case import WorstCase, worst_case

if TYPE_CHECKING:
    from nonsmooth.methods._attach import Attachment, attach
    from nonsmooth.methods._dual_averaging import ExtendedDualAveraging, RegularizedDualAveraging
    from nonsmooth.methods._metric import Metric, effective_step, register_metric
    from nonsmooth.methods._penalised import Term
    from nonsmooth.methods._prox_adam import ProxAdam
    from nonsmooth.methods._prox_sgd import ProxSGD
    from nonsmooth.methods._selection import Choice, Selection, select_weights
    from nonsmooth.methods._strength_path import PathPoint, StrengthPath, strength_path

_NEED_TORCH = {
    "Attachment": "_attach",
    "Choice": "_selection",
    "Metric": "_metric",
    "PathPoint": "_strength_path",
    "ExtendedDualAveraging": "_dual_averaging",
    "ProxAdam": "_prox_adam",
    "ProxSGD": "_prox_sgd",
    "RegularizedDualAveraging": "_dual_averaging",
    "Selection": "_selection",
    "StrengthPath": "_strength_path",
    "Term": "_penalised",
    "attach": "_attach",
    "effective_step": "_metric",
    "register_metric": "_metric",
    "select_weights": "_selection",
    "strength_path": "_strength_path",
}

__all__ = [
    "Attachment",
    "Choice",
    "Constant",
    "Diminishing",
    "ExactLasso",
    "ExactMinimum",
    "ExtendedDualAveraging",
    "Fista",
    "Method",
    "Metric",
    "Momentum",
    "PathPoint",
    "ProxAdam",
    "ProxSGD",
    "ProximalGradient",
    "RMSProp",
    "Reducing",
    "RegularizedDualAveraging",
    "Selection",
    "StepSize",
    "StrengthPath",
    "Subgradient",
    "Term",
    "TorchOptimizer",
    "WorstCase",
    "attach",
    "dcp_convex",
    "duality_gap",
    "effective_step",
    "exact_lasso",
    "exact_minimum",
    "register_metric",
    "select_weights",
    "strength_path",
    "worst_case",
]


def __getattr__(name: str) -> Any:
    if name in _NEED_TORCH:
        return getattr(import_module(f"nonsmooth.methods.{_NEED_TORCH[name]}"), name)
    raise AttributeError(f"module 'nonsmooth.methods' has no attribute {name!r}")
