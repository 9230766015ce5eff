"""Eq. 3 with what is known of it, and any method tried out on it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from nonsmooth.errors import InputError
from nonsmooth.methods import Method, StepSize, TorchOptimizer
from nonsmooth.objectives import Objective, ReluRegression
from nonsmooth.testbed._behaviour import classify, convergence_rate
from nonsmooth.testbed._outcome import Outcome
from nonsmooth.testbed._subdifferential import SubdifferentialAtZero
from nonsmooth.trajectories import Record, Run, minimize

__all__ = ["Problem", "problem_from", "random_problem"]


@dataclass(frozen=True, eq=False)
class Problem:
    """min_b ||y - max(0, Zb)||^2 + l1 ||b||_1 + l2 ||b||_2^2 with y <= 0: one data set, any number of starts.

    Build it with ``random_problem`` or ``problem_from``.

    Attributes:
        Z, y: data (N, P) and response (N,), float64.
        l1, l2: strengths.
        width: 0, or the width over which the kinks are rounded (``smooth_twin``).
    """

    Z: np.ndarray
    y: np.ndarray
    l1: float
    l2: float
    width: float = 0.0

    @cached_property
    def objective(self) -> Objective:
        return self._rounded(ReluRegression(self.Z, self.y, self.l1, self.l2))

    def smooth_twin(self, width: float) -> Problem:
        """The same problem with every kink rounded over ``width``: C1,1, the same minimiser and minimum."""
        self.objective.smooth_twin(width)  # refuses a bad width
        return replace(self, width=float(width))

    @property
    def minimiser(self) -> np.ndarray:
        """0, the only one: each term is least where z_i.b <= 0, and the penalty only at 0."""
        return np.zeros(self.Z.shape[1])

    @property
    def minimum(self) -> float:
        return float(self.y @ self.y)

    @cached_property
    def at_zero(self) -> SubdifferentialAtZero:
        """The subdifferential at the minimiser; {0} for a smooth twin."""
        if self.width > 0:
            return SubdifferentialAtZero(0.0, np.zeros((0, self.Z.shape[1])))
        on = self.y < 0
        return SubdifferentialAtZero(self.l1, 2 * np.abs(self.y[on])[:, None] * self.Z[on])

    @property
    def strong_convexity(self) -> float:
        """2 l2: f(b) - minimum >= l2 ||b||_2^2 (kinked; a twin has it too, and 2 l2 + l1/width near 0)."""
        return 2 * self.l2

    def lipschitz(self, radius: float) -> float:
        """An upper bound on the norm of every subgradient in the ball ||b||_2 <= radius.

        ||Z^T s|| + l1 sqrt(P) + 2 l2 radius, where s_i = 2 (max(0, z_i.b) + |y_i|) at most, so that
        ||s|| <= 2 (sigma(Z) radius + ||y||). It serves the twin too, whose slopes are no steeper.
        """
        if not radius >= 0:
            raise InputError(f"radius = {radius} is not allowed; give a number >= 0")
        sigma = self._sigma
        data = 2 * sigma * (sigma * radius + float(np.linalg.norm(self.y)))
        return data + self.l1 * self.Z.shape[1] ** 0.5 + 2 * self.l2 * radius

    def piece_curvature(self, b: np.ndarray) -> float:
        """L on the linear piece of the ReLUs that holds b (P,): 2 sigma(Z_on)^2 + 2 l2, its own "2/L"."""
        on = self.Z[self.Z @ np.asarray(b) > 0]
        return (2 * float(np.linalg.norm(on, 2)) ** 2 if len(on) else 0.0) + 2 * self.l2

    @property
    def all_on_edge(self) -> float:
        """2/L with every ReLU on, L = 2 sigma(Z)^2 + 2 l2: below it no piece is unstable."""
        return 2 / (2 * self._sigma**2 + 2 * self.l2)

    @property
    def all_off_edge(self) -> float:
        """2/L with every ReLU off, where the problem is its penalty: 1/l2, inf without a ridge."""
        return 1 / self.l2 if self.l2 > 0 else float("inf")

    def starts(self, count: int, seed: int = 0) -> np.ndarray:
        """Starts uniform on [-1, 1], (count, P), as in the paper."""
        if count < 1:
            raise InputError(f"starts = {count} is not allowed; give an integer >= 1, or an array (B, P)")
        return np.random.default_rng([seed, 1]).uniform(-1, 1, (count, self.Z.shape[1]))

    def try_out(
        self,
        method: Any,
        *,
        stepsize: StepSize | float,
        steps: int = 2000,
        starts: int | np.ndarray = 8,
        seed: int = 0,
        limit: float = 1e30,
    ) -> Outcome:
        """Run a method and name what each run does (rules: ``testbed.classify``).

        Args:
            method: a method of ``nonsmooth.methods``; or a factory of any ``torch.optim`` optimiser, taking
                the parameters only (``torch.optim.Adam``, ``lambda p: torch.optim.SGD(p, lr=1,
                momentum=0.9)``; its ``lr`` is set to the step size); or a step
                ``(x, subgradient, size) -> next x`` on arrays (B, P), (B, P), (B, 1).
            stepsize: a regime or a number for a constant step.
            steps: at least 64.
            starts: how many, uniform on [-1, 1] by ``seed``; or an array (P,) or (B, P).
            limit: a value above it is divergence.

        Raises:
            InputError: a method of none of these kinds, starts that do not fit, too few steps.

        >>> problem = random_problem(l1=0.0, l2=0.01)
        >>> from nonsmooth.methods import Subgradient
        >>> problem.try_out(Subgradient(), stepsize=1e-3, steps=100, starts=2).behaviour
        ('still falling', 'still falling')
        """
        if np.ndim(starts) == 0:
            starts = self.starts(int(starts), seed)
        start = np.atleast_2d(np.asarray(starts, dtype=np.float64))
        if steps < 64:
            raise InputError(f"steps = {steps} is not allowed; give at least 64, so that a run can be judged")
        resolved = _method(method)
        record = Record(every=1, window=max(1, steps // 4), tail=min(64, steps), limit=limit)
        if isinstance(resolved, TorchOptimizer):
            import torch

            objective = self._rounded(
                ReluRegression(torch.from_numpy(self.Z), torch.from_numpy(self.y), self.l1, self.l2)
            )
            first: Any = torch.from_numpy(start)
        else:
            objective, first = self.objective, start
        run = minimize(objective, start=first, steps=steps, stepsize=stepsize, method=resolved, record=record)
        return self.outcome(run)

    def outcome(self, run: Run) -> Outcome:
        """Name what runs of ``minimize`` on this problem do; recorded at every step, with a tail >= 8."""
        ended = run.diverged
        final = run.final if isinstance(run.final, np.ndarray) else run.final.detach().cpu().numpy()
        values = run.curve("value")
        names = classify(values, run.curve("l2_norm"), run.tail, minimum=self.minimum, diverged=ended)
        late = values[:, -(values.shape[1] // 4) :].max(axis=1) - self.minimum
        signs = np.sign(run.tail)
        rows = np.sign(run.tail @ self.Z.T) > 0
        rates = [
            convergence_rate(v, self.minimum) if name == "converges" else float("nan")
            for v, name in zip(values, names, strict=True)
        ]
        return Outcome(
            behaviour=names,
            floor=np.where(ended, np.inf, np.maximum(late, 0.0)),
            distance=np.where(ended, np.inf, np.linalg.norm(np.where(ended[:, None], 0, final), axis=1)),
            support=(final != 0).sum(axis=1),
            rate=np.array(rates),
            active=rows[:, -1].sum(axis=1),
            relu_crossings=(rows[:, 1:] != rows[:, :-1]).sum(axis=2).mean(axis=1),
            entry_crossings=(signs[:, 1:] * signs[:, :-1] < 0).sum(axis=2).mean(axis=1),
            run=run,
        )

    @cached_property
    def _sigma(self) -> float:
        return float(np.linalg.norm(self.Z, 2))

    def _rounded(self, objective: Objective) -> Objective:
        return objective.smooth_twin(self.width) if self.width > 0 else objective


@dataclass(frozen=True)
class _OwnStep(Method):
    """A caller's (x, subgradient, size) -> next x."""

    function: Callable[[Any, Any, Any], Any] | None = None

    def step(self, objective: Objective, x: Any, size: Any, state: dict[str, Any]) -> Any:
        assert self.function is not None
        return self.function(x, objective.subgradient(x), size)


def _method(method: Any) -> Method:
    if isinstance(method, Method):
        return method
    if callable(method):
        try:
            parameters = inspect.signature(method).parameters.values()
        except (TypeError, ValueError):
            parameters = ()
        positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        needed = [p for p in parameters if p.kind in positional and p.default is inspect.Parameter.empty]
        if len(needed) == 3:
            return _OwnStep(method)
        if len(needed) == 1:
            return TorchOptimizer(method)
    raise InputError(
        f"{method!r} is no method; give one of nonsmooth.methods, a factory of a torch optimiser that takes "
        "the parameters only, or a step (x, subgradient, size) -> next x"
    )


def problem_from(Z: Any, y: Any, l1: float = 0.0, l2: float = 0.0) -> Problem:
    """The problem on your own data.

    Args:
        Z: data (N, P).
        y: response (N,), no entry > 0. A response with other signs can be shifted (y - y.max()) or negated,
            which makes it another problem.
        l1, l2: strengths >= 0, not both 0.

    Raises:
        InputError: a positive response, shapes that do not fit, entries that are not finite, bad strengths.

    >>> problem_from(np.eye(2), np.array([-1.0, 0.0]), l1=0.5).minimum
    1.0
    """
    try:
        Z, y = np.array(Z, dtype=np.float64), np.array(y, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError("Z or y is not numeric; give arrays of numbers, (N, P) and (N,)") from None
    if Z.ndim != 2 or y.ndim != 1:
        raise InputError(f"Z has shape {Z.shape} and y {y.shape}; give (N, P) and (N,)")
    if (y > 0).any():
        raise InputError(
            f"the response has an entry {y.max():g} > 0, where eq. 3 is not convex; shift it (y - y.max()) "
            "or negate it: either is another problem"
        )
    for name, strength in (("l1", l1), ("l2", l2)):
        if not 0 <= strength < np.inf:
            raise InputError(f"{name} = {strength} is not allowed; give a finite number >= 0")
    problem = Problem(Z, y, float(l1), float(l2))
    _ = problem.objective  # refuses what else does not fit
    return problem


def random_problem(
    rows: int = 20, columns: int = 500, *, l1: float = 0.0, l2: float = 0.01, seed: int = 0
) -> Problem:
    """Figure 1's data: Z uniform on [-1, 1], y uniform on [-1, 0]; its strengths are the defaults.

    Raises:
        InputError: rows or columns below 1, bad strengths.

    >>> problem = random_problem(l1=0.1, seed=3)
    >>> attained = float(problem.objective.value(problem.minimiser))
    >>> problem.Z.shape, abs(attained - problem.minimum) < 1e-12 * problem.minimum  # summed in another order
    ((20, 500), True)
    """
    if rows < 1 or columns < 1:
        raise InputError(f"rows = {rows}, columns = {columns} is not allowed; give integers >= 1")
    generator = np.random.default_rng([seed, 0])
    Z, y = generator.uniform(-1, 1, (rows, columns)), generator.uniform(-1, 0, rows)
    return problem_from(Z, y, l1, l2)
