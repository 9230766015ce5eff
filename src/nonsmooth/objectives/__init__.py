"""What is minimised: convex functions whose structure, constants and minimisers are known."""

from nonsmooth.objectives._facts import Facts, Smoothness
from nonsmooth.objectives._lasso import Lasso
from nonsmooth.objectives._objective import Objective, check_data
from nonsmooth.objectives._quadratic import Quadratic
from nonsmooth.objectives._relu_regression import ReluRegression
from nonsmooth.objectives._robust_regression import Huber, LogCosh
from nonsmooth.objectives._toy_lasso import ToyLasso

__all__ = [
    "Facts",
    "Huber",
    "Lasso",
    "LogCosh",
    "Objective",
    "Quadratic",
    "ReluRegression",
    "Smoothness",
    "ToyLasso",
    "check_data",
]
