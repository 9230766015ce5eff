"""How it is minimised: recursions and step-size regimes."""

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

__all__ = [
    "Constant",
    "Diminishing",
    "ExactLasso",
    "ExactMinimum",
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
    "dcp_convex",
    "duality_gap",
    "exact_lasso",
    "exact_minimum",
    "worst_case",
]
