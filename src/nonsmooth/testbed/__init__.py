"""A test problem for theory: eq. 3, the convex non-differentiable single-layer network, ready to use.

::

    problem = random_problem(l1=0.1)          its minimiser is 0 and its minimum ||y||^2, exactly
    problem.at_zero                           subdifferential at the minimiser, and how sharp the minimum is
    problem.try_out(method, stepsize, steps)  any method; each run's behaviour is named by written rules
    problem.smooth_twin(width)                the control: the same problem without kinks

``classify`` names the behaviour of any recorded runs, on any objective.
"""

from nonsmooth.testbed._behaviour import BEHAVIOURS, classify, convergence_rate
from nonsmooth.testbed._outcome import Outcome
from nonsmooth.testbed._problem import Problem, problem_from, random_problem
from nonsmooth.testbed._subdifferential import SubdifferentialAtZero

__all__ = [
    "BEHAVIOURS",
    "Outcome",
    "Problem",
    "SubdifferentialAtZero",
    "classify",
    "convergence_rate",
    "problem_from",
    "random_problem",
]
