"""How it is minimised: recursions and step-size regimes."""

from nonsmooth.methods._exact_lasso import ExactLasso, duality_gap, exact_lasso
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

__all__ = [
    "Constant",
    "Diminishing",
    "ExactLasso",
    "Fista",
    "Method",
    "Momentum",
    "ProximalGradient",
    "RMSProp",
    "Reducing",
    "StepSize",
    "Subgradient",
    "TorchOptimizer",
    "WorstCase",
    "duality_gap",
    "exact_lasso",
    "worst_case",
]
