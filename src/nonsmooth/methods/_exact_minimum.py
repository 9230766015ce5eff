"""The minimum of any convex objective of the package, with a certificate that is checked here.

Two things are proved, each by something else. *Convexity*: by cvxpy's disciplined convex programming (DCP)
rules, which never call a non-convex function convex (they may miss a convex one). *Optimality*: by a lower
bound from weak duality, evaluated here in float64 at a dual point: neither the conic solver nor convexity is
trusted for it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nonsmooth.errors import InputError
from nonsmooth.methods._fenchel import lower_bound
from nonsmooth.objectives import Objective

__all__ = ["ExactMinimum", "dcp_convex", "exact_minimum"]

_SQUARE, _HUBER, _LOG_COSH, _RELU_SQUARE = range(4)
# Asked of Clarabel; what it reaches is measured by our own gap.
_TOLERANCES = {"tol_gap_abs": 1e-13, "tol_gap_rel": 1e-13, "tol_feas": 1e-13}
# Entries below this share of the largest one (or of 1) are tried as exact zeros.
_SNAP = 1e-6
_NEWTON_STEPS = 12


@dataclass(frozen=True, eq=False)
class ExactMinimum:
    """A minimiser and its certificate.

    Attributes:
        solution: x, (P,), float64: the solver's point polished by Newton steps on its support; exact zeros
            off it where the penalty has an L1 term.
        unpolished: the conic solver's own point, (P,).
        value: f(x), evaluated by the objective itself.
        lower_bound: no point has a smaller value: -g*(u) - h*(-W^T u) at a dual point u (Fenchel), in
            float64, so to a few units of rounding of its terms. Never above ``value``.
        proved_convex: cvxpy's DCP rules prove the objective convex.
        subdifferential_distance: max-norm distance of 0 to the subdifferential at x, 0 taken as the
            data term's slope at its kinks.
        radius: every minimiser lies within this Euclidean distance of x: sqrt(gap / l2), by the strong
            convexity that a ridge term l2 gives; infinite without one.
        status: what the conic solver said of its own result; nothing here depends on it.
        seconds: time taken.
    """

    solution: np.ndarray
    unpolished: np.ndarray
    value: float
    lower_bound: float
    proved_convex: bool
    subdifferential_distance: float
    radius: float
    status: str
    seconds: float

    @property
    def gap(self) -> float:
        """value - lower_bound >= 0: an upper bound on how far ``value`` is from the minimum."""
        return self.value - self.lower_bound


def dcp_convex(objective: Objective) -> bool:
    """Whether cvxpy's DCP rules prove the objective convex; False says nothing of the function.

    Args:
        objective: one problem of the package (no batch), NumPy.

    Raises:
        InputError: a batch of problems, or arrays that are not NumPy's.

    >>> from nonsmooth.objectives import ReluRegression
    >>> Z = np.array([[1.0, -1.0]])
    >>> dcp_convex(ReluRegression(Z, np.array([-1.0]), l1=0.1))
    True
    >>> dcp_convex(ReluRegression(Z, np.array([1.0]), l1=0.1, convex=False))
    False
    """
    problem, _, _ = _program(_single(objective))
    return bool(problem.is_dcp())


def exact_minimum(objective: Objective) -> ExactMinimum:
    """Minimise a convex objective by cvxpy and Clarabel, polish the result, and bound it from below.

    Args:
        objective: one problem of the package, smooth twins included: NumPy, no batch.

    Raises:
        InputError: a batch of problems, arrays that are not NumPy's, an objective that DCP does not prove
            convex (eq. 3 with a positive response), or one on which the conic solver gives up.

    >>> from nonsmooth.objectives import Lasso
    >>> found = exact_minimum(Lasso(np.eye(2), np.array([1.0, 0.0]), strength=0.5))
    >>> found.solution.round(9) + 0.0, round(found.value, 9), found.gap < 1e-12
    (array([0.5, 0. ]), 0.375, True)
    """
    began = time.perf_counter()
    objective = _single(objective)
    problem, variable, link = _program(objective)
    if not problem.is_dcp():
        raise InputError(
            f"{objective.name} is not proved convex by cvxpy's rules (eq. 3 is convex for y <= 0 only); "
            "exact_minimum takes convex objectives: use minimize, from many starts"
        )
    _solve(problem)
    if variable.value is None:
        raise InputError(
            f"the conic solver gives up on {objective.name} ({problem.status}); rescale the data to size 1"
        )
    points = list(_polished(objective, np.asarray(variable.value, dtype=float)))
    values = [float(objective.value(x)) for x in points]
    value = min(values)
    # of points that rounding cannot tell apart, the one with the most exact zeros
    best = [k for k, v in enumerate(values) if v <= value + 4 * np.finfo(float).eps * abs(value)]
    solution = points[min(best, key=lambda k: int(np.count_nonzero(points[k])))]
    value = float(objective.value(solution))
    bound = min(
        value, max(lower_bound(objective, u, solution) for u in _dual_points(objective, points, link))
    )
    ridge = float(objective.penalty.l2)
    return ExactMinimum(
        solution=solution,
        unpolished=points[0],
        value=value,
        lower_bound=bound,
        proved_convex=True,
        subdifferential_distance=float(objective.subdifferential_distance(solution)),
        radius=((value - bound) / ridge) ** 0.5 if ridge > 0 else float("inf"),
        status=str(problem.status),
        seconds=time.perf_counter() - began,
    )


def _single(objective: Objective) -> Objective:
    """The objective, if it is one problem of NumPy arrays in float64."""
    penalty = objective.penalty
    if objective.W is not None and not isinstance(objective.W, np.ndarray):
        raise InputError(f"data of type {type(objective.W).__name__} are not NumPy's; pass NumPy arrays")
    batched = objective.W is not None and objective.W.ndim == 3
    if batched or any(getattr(strength, "ndim", 0) for strength in (penalty.l1, penalty.l2)):
        raise InputError(
            f"{objective.name} holds a batch of problems; exact_minimum takes one: build it from W[i], y[i] "
            "and single strengths"
        )
    return objective


def _program(objective: Objective) -> tuple[Any, Any, Any]:
    """The cvxpy problem over (x, z), its variable x, and the constraint z = W x."""
    import cvxpy as cp

    x = cp.Variable(objective.dimension)
    l1, l2, d = float(objective.penalty.l1), float(objective.penalty.l2), objective.penalty.width
    terms: list[Any] = []
    if l1 > 0:
        terms.append(l1 * (cp.sum(_huber(x, d)) / d if d > 0 else cp.norm1(x)))
    if l2 > 0:
        terms.append(l2 * cp.sum_squares(x))
    if objective.loss is None:
        # 0 * x keeps the variable in a problem without any penalty
        return cp.Problem(cp.Minimize(sum(terms, 0 * cp.sum(x)))), x, None
    z = cp.Variable(objective.y.size)
    link = z == objective.W @ x
    terms.append(objective.weight * _loss(objective, z))
    return cp.Problem(cp.Minimize(sum(terms)), [link]), x, link


def _solve(problem: Any) -> None:
    """Clarabel at tight tolerances, and at its own where it cannot reach those; then the gap is larger."""
    import cvxpy as cp
    from cvxpy.error import SolverError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of inaccuracy, which the gap measures
        for options in (_TOLERANCES, {}):
            try:
                problem.solve(solver=cp.CLARABEL, **options)
            except SolverError:
                continue
            if problem.status in ("optimal", "optimal_inaccurate"):
                return


def _huber(z: Any, width: float) -> Any:
    """z^2 / 2 for |z| <= width, else width (|z| - width / 2)."""
    import cvxpy as cp

    return cp.huber(z, width) / 2  # pyright: ignore[reportArgumentType]


def _loss(objective: Objective, z: Any) -> Any:
    """The sum of the rows' losses as a cvxpy expression."""
    import cvxpy as cp

    loss, y = objective.loss, objective.y
    assert loss is not None
    d = loss.width
    if loss.code == _SQUARE:
        return cp.sum_squares(z - y)
    if loss.code == _HUBER:
        return cp.sum(_huber(z - y, d))
    if loss.code == _LOG_COSH:
        # log cosh r = log(1 + exp(2 r)) - r - log 2
        r = (z - y) / d
        return d * d * cp.sum(cp.logistic(2 * r) - r - np.log(2))
    if loss.code == _RELU_SQUARE:
        relu = _huber(cp.pos(z), d) / d if d > 0 else cp.pos(z)
        # multiplied out, which the solver digests better: the constant y^2 would set the scale. DCP takes
        # the product for convex where -y >= 0, and only there
        return cp.sum_squares(relu) - 2 * (y @ relu) + float(y @ y)
    raise InputError(f"the loss {type(loss).__name__} is not known to the conic solver; use minimize")


def _polished(objective: Objective, x: np.ndarray) -> Iterable[np.ndarray]:
    """The solver's point, then 0, the point without its tiny entries, and Newton steps on its support."""
    yield x
    yield np.zeros_like(x)
    snapped = np.where(np.abs(x) > _SNAP * max(1.0, float(np.abs(x).max(initial=0.0))), x, 0.0)
    yield snapped
    support = np.flatnonzero(snapped) if objective.penalty.kinked else np.arange(x.size)
    if objective.loss is None or support.size == 0:
        return
    W, penalty = objective.W[:, support], objective.penalty
    current, least, misses = snapped, float(objective.value(snapped)), 0
    for _ in range(_NEWTON_STEPS):
        gradient = objective.subgradient(current)[support]
        bend = objective.weight * _curvature(objective, current)
        inner = float(penalty.l1) / penalty.width if penalty.width > 0 else 0.0
        own = 2 * float(penalty.l2) + inner * (np.abs(current[support]) <= penalty.width)
        hessian = (W.T * bend) @ W + np.diag(np.broadcast_to(own, support.shape))
        move = np.zeros_like(current)
        if float(np.min(own)) > 0:
            move[support] = np.linalg.solve(hessian, -gradient)
        else:
            move[support] = np.linalg.lstsq(hessian, -gradient, rcond=None)[0]
        current = current + move
        value = float(objective.value(current))
        if not np.isfinite(value):
            return
        yield current
        misses = 0 if value < least else misses + 1
        least = min(least, value)
        if misses == 2:  # rounding, or a kink that Newton's method does not see
            return


def _curvature(objective: Objective, x: np.ndarray) -> np.ndarray:
    """l'' of each row at Wx, where it exists."""
    loss, y = objective.loss, objective.y
    assert loss is not None
    z = objective.predict(x)
    r, d = z - y, loss.width
    if loss.code == _SQUARE:
        return np.full_like(z, 2.0)
    if loss.code == _HUBER:
        return (np.abs(r) <= d).astype(float)
    if loss.code == _LOG_COSH:
        return 1 / np.cosh(np.clip(r / d, -300, 300)) ** 2
    if d == 0:
        return 2.0 * (z > 0)
    ramp = np.clip(z / d, 0.0, 1.0)
    relu = ramp * (z - ramp * d / 2)
    return 2 * ramp**2 + 2 * (relu - y) * ((z > 0) & (z < d)) / d


def _dual_points(objective: Objective, points: list[np.ndarray], link: Any) -> Iterable[np.ndarray]:
    """Slopes of the data term at each point, and the solver's own multipliers, in either sign."""
    if objective.loss is None or link is None:
        yield np.zeros(0)
        return
    for x in points:
        if np.isfinite(x).all():
            slope = objective.loss.slope(objective.predict(x), objective.y, np)
            yield objective.weight * np.asarray(slope)
    if link.dual_value is not None:
        multipliers = np.asarray(link.dual_value, dtype=float)
        for u in (multipliers, -multipliers):
            # outside the domain of g* only by the solver's tolerance
            yield np.maximum(u, 0.0) if objective.loss.code == _RELU_SQUARE else u
