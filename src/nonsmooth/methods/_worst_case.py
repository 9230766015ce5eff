"""The exact worst case of a method over a class of convex functions, by performance estimation.

Drori and Teboulle (2014) and Taylor, Hendrickx and Glineur (2017): the largest f(x) - f* after N steps, over
all functions of a class, all dimensions and all starts at distance D of a minimiser, is the value of a
semidefinite programme in the Gram matrix of the iterates and subgradients. PEPit (Goujon et al. 2024)
writes it down, Clarabel solves it. The recursion that is certified is the one that is run: ``Method.step``.
"""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nonsmooth.errors import InputError
from nonsmooth.methods._methods import Fista, Method, Momentum, Subgradient
from nonsmooth.methods._stepsizes import Constant, StepSize

__all__ = ["WorstCase", "worst_case"]

FunctionClass = Literal["smooth", "lipschitz"]
Criterion = Literal["last", "best", "average"]

_CLASSES = ("smooth", "lipschitz")
_CRITERIA = ("last", "best", "average")
# The programme has (N + 2)^2 constraints: at 60 steps it takes minutes, and accuracy goes.
_MOST_STEPS = 60
# PEPit counts its points in attributes of its classes: one programme at a time in a process.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class WorstCase:
    """A worst case and how well it was solved.

    Attributes:
        value: the dual objective: an upper bound on the worst case, up to the solver's residuals.
        lower: the primal objective: what a function of the class attains, up to the same.
        seconds: wall-clock time.
    """

    value: float
    lower: float
    seconds: float

    @property
    def gap(self) -> float:
        """|value - lower| over value: the relative accuracy, about 1e-8 for N up to 20."""
        return abs(self.value - self.lower) / self.value


class _Oracle:
    """An objective as ``Method.step`` sees one, whose subgradients are PEPit's unknowns.

    At one point it always returns the same subgradient, as a function on a computer does. There is no
    penalty: a proximal step is a gradient step.
    """

    def __init__(self, function: Any) -> None:
        self._function = function
        self._known: dict[int, tuple[Any, Any, Any]] = {}
        self.penalty = self

    def _at(self, x: Any) -> tuple[Any, Any, Any]:
        if id(x) not in self._known:
            self._known[id(x)] = (x, *self._function.oracle(x))
        return self._known[id(x)]

    def subgradient(self, x: Any) -> Any:
        return self._at(x)[1]

    data_gradient = subgradient

    def value(self, x: Any) -> Any:
        return self._at(x)[2]

    def prox(self, x: Any, step: float) -> Any:
        return x


def _positive(name: str, value: float) -> float:
    if not 0 < value < math.inf:
        raise InputError(f"{name} = {value} is not allowed; give a finite number > 0")
    return float(value)


def _sizes(stepsize: StepSize | float | Sequence[float], steps: int) -> list[float]:
    """The step of each time, as floats."""
    if isinstance(stepsize, (int, float)):
        stepsize = Constant(float(stepsize))
    if isinstance(stepsize, StepSize):
        base = getattr(stepsize.base, "size", 1)
        if base != 1:
            raise InputError(f"the step size has a base for each of {base} runs; give one number")
        sizes = [float(stepsize.base * factor) for factor in stepsize.profile(steps)]
    else:
        sizes = [float(size) for size in stepsize]
    if len(sizes) != steps:
        raise InputError(f"{len(sizes)} step sizes for {steps} steps; give one a step")
    for size in sizes:
        _positive("step size", size)
    return sizes


def worst_case(
    method: Method,
    function_class: FunctionClass,
    steps: int,
    stepsize: StepSize | float | Sequence[float],
    L: float = 1.0,
    D: float = 1.0,
    criterion: Criterion = "last",
) -> WorstCase:
    """The largest f(x) - f* after ``steps`` steps over a class of convex functions: exact, to 1e-6 or so.

    It is solved for L = D = 1 and scaled back, so that accuracy is relative. For ``smooth`` functions
    and steps 1/L it is L D^2 / (4 N + 2) (Drori and Teboulle 2014); for ``lipschitz`` ones, the best of N + 1
    iterates and steps D / (L sqrt(N + 1)), it is L D / sqrt(N + 1), which no method improves (Drori and
    Teboulle 2016).

    Args:
        method: ``Subgradient()`` (on smooth functions: gradient descent), ``Momentum`` or, for smooth
            functions without a penalty, ``Fista()`` (then Nesterov's accelerated gradient).
        function_class: "smooth": convex with an L-Lipschitz gradient (eq. 5); "lipschitz": convex and
            L-Lipschitz (eq. 6).
        steps: N, 1 to 60; time grows like N^3 to N^4 (half a second at 16).
        stepsize: a number, a regime, or N numbers, one a step.
        L: the constant of the class, > 0.
        D: distance of the start to a minimiser, > 0.
        criterion: f at the "last" iterate x_N, the least f ("best") of x_0, ..., x_N, or f at the "average".

    Raises:
        InputError: an argument out of range, or a method that is not linear in its subgradients.
        RuntimeError: the solver found no solution.

    >>> found = worst_case(Subgradient(), "smooth", steps=2, stepsize=1.0)
    >>> round(found.value, 6), found.gap < 1e-6  # L D^2 / (4 N + 2)
    (0.1, True)
    """
    if function_class not in _CLASSES:
        raise InputError(f"function_class = {function_class!r} is not known; choose {' or '.join(_CLASSES)}")
    if criterion not in _CRITERIA:
        raise InputError(f"criterion = {criterion!r} is not known; choose one of {', '.join(_CRITERIA)}")
    if int(steps) != steps or not 1 <= steps <= _MOST_STEPS:
        raise InputError(f"steps = {steps} is not allowed; give an integer from 1 to {_MOST_STEPS}")
    steps = int(steps)
    if not isinstance(method, (Subgradient, Momentum, Fista)):
        raise InputError(
            f"{type(method).__name__} is not linear in its subgradients, or needs a penalty; "
            "give Subgradient(), Momentum() or Fista()"
        )
    if isinstance(method, Fista) and function_class != "smooth":
        raise InputError("FISTA needs a smooth data term; give function_class='smooth'")
    L, D = _positive("L", L), _positive("D", D)
    # f(x) = L D^2 h(x / D), or L D h(x / D), with h of the unit class
    scale, unit = (L * D * D, L) if function_class == "smooth" else (L * D, L / D)
    sizes = [unit * size for size in _sizes(stepsize, steps)]
    began = time.perf_counter()
    with _ONE_AT_A_TIME, warnings.catch_warnings():
        # what a solver would warn of, a loose solution, is what the gap says
        warnings.simplefilter("ignore")
        value, lower = _solve(method, function_class, sizes, criterion)
    return WorstCase(scale * value, scale * lower, time.perf_counter() - began)


def _solve(method: Method, function_class: str, sizes: list[float], criterion: str) -> tuple[float, float]:
    """Dual and primal value for L = D = 1."""
    from PEPit import PEP
    from PEPit.functions import ConvexLipschitzFunction, SmoothConvexFunction

    problem = PEP()
    if function_class == "smooth":
        function = problem.declare_function(SmoothConvexFunction, L=1.0)
    else:
        function = problem.declare_function(ConvexLipschitzFunction, M=1.0)
    minimiser = function.stationary_point()
    minimum = function(minimiser)
    x: Any = problem.set_initial_point()
    problem.set_initial_condition((x - minimiser) ** 2 <= 1)
    oracle, state, path = _Oracle(function), {"move": 0.0 * x}, [x]
    for size in sizes:
        x = method.step(oracle, x, size, state)  # type: ignore[arg-type]
        path.append(x)
    if criterion == "best":
        judged = path
    elif criterion == "last":
        judged = path[-1:]
    else:
        total = path[0]
        for point in path[1:]:
            total = total + point
        judged = [total / len(path)]
    for point in judged:  # several metrics: PEPit takes the least
        problem.set_performance_metric(oracle.value(point) - minimum)
    value = problem.solve(verbose=0, solver="CLARABEL")
    if value is None or not math.isfinite(value):
        raise RuntimeError(f"the solver found no worst case for {len(sizes)} steps; take fewer")
    assert problem.objective is not None
    return float(value), float(problem.objective.eval())
