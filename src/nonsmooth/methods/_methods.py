"""The recursions: the paper's three, and proximal gradient and FISTA as the honest alternative.

Each is a small frozen description. ``step`` is the recursion itself, written for any array library;
``code`` and ``parameters`` are what the compiled kernel reads. Both are held equal in the tests.

Notation: x_t the iterate, g_t the subgradient that the objective returns there, a_t the step size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from array_api_compat import array_namespace

from nonsmooth.errors import InputError
from nonsmooth.objectives import Objective, Smoothness

__all__ = ["Fista", "Method", "Momentum", "ProximalGradient", "RMSProp", "Subgradient", "TorchOptimizer"]

State = dict[str, Any]


def _fraction(name: str, value: float) -> None:
    if not 0 <= value < 1:
        raise InputError(f"{name} = {value} is not allowed; give a number in [0, 1)")


@dataclass(frozen=True)
class Method:
    """Base of the recursions."""

    code: ClassVar[int] = -1

    @property
    def parameters(self) -> tuple[float, float]:
        """Two numbers for the compiled kernel."""
        return (0.0, 0.0)

    def check(self, objective: Objective) -> None:
        """Raise InputError where the method's needs and the objective do not fit."""

    def step(self, objective: Objective, x: Any, size: Any, state: State) -> Any:
        """The next iterate from x (..., P); ``size`` is a number or (..., 1), ``state`` starts empty."""
        raise NotImplementedError


@dataclass(frozen=True)
class Subgradient(Method):
    """Eq. 2, NDGM: x_{t+1} = x_t - a_t g_t. On a differentiable function, gradient descent (eq. 1)."""

    code = 0

    def step(self, objective: Objective, x: Any, size: Any, state: State) -> Any:
        return x - size * objective.subgradient(x)


@dataclass(frozen=True)
class Momentum(Method):
    """Eq. 16: x_{t+1} = x_t - a_t (1 - momentum) g_t + momentum (x_t - x_{t-1}), with x_{-1} = x_0.

    torch's SGD(momentum=m) with step a is this recursion with step a / (1 - m).
    """

    momentum: float = 0.9
    code = 1

    def __post_init__(self) -> None:
        _fraction("momentum", self.momentum)

    @property
    def parameters(self) -> tuple[float, float]:
        return (self.momentum, 0.0)

    def step(self, objective: Objective, x: Any, size: Any, state: State) -> Any:
        move = state.get("move", 0.0)
        state["move"] = self.momentum * move - size * (1 - self.momentum) * objective.subgradient(x)
        return x + state["move"]


@dataclass(frozen=True)
class RMSProp(Method):
    """Eq. 18-19: v_t = decay v_{t-1} + (1 - decay) g_t^2, x_{t+1} = x_t - a_t g_t / sqrt(v_t + jitter).

    Read so that eq. 20 holds: v_0 = 0 is what exists before the first gradient, so the first step
    divides by the root of v_1 = (1 - decay) g^2. The jitter stands inside the root, as printed (torch adds
    its eps outside).
    """

    decay: float = 0.99
    jitter: float = 1e-16
    code = 2

    def __post_init__(self) -> None:
        _fraction("decay", self.decay)
        if not 0 < self.jitter < float("inf"):
            raise InputError(f"jitter = {self.jitter} is not allowed; give a finite number > 0")

    @property
    def parameters(self) -> tuple[float, float]:
        return (self.decay, self.jitter)

    def step(self, objective: Objective, x: Any, size: Any, state: State) -> Any:
        xp = array_namespace(x)
        g = objective.subgradient(x)
        state["v"] = self.decay * state.get("v", 0.0) + (1 - self.decay) * g * g
        return x - size * g / xp.sqrt(state["v"] + self.jitter)


@dataclass(frozen=True)
class ProximalGradient(Method):
    """x_{t+1} = prox(x_t - a_t grad, a_t): a gradient step on the data term, the penalty's prox after it.

    ISTA for an L1 penalty. Converges for a_t < 2/L, L the data term's gradient Lipschitz constant.
    """

    code = 3

    def check(self, objective: Objective) -> None:
        if objective.data_smoothness is Smoothness.LIPSCHITZ:
            raise InputError(
                f"a proximal gradient step needs a differentiable data term; {objective.name} has kinks: "
                "use Subgradient, or the objective's smooth_twin(width)"
            )

    def step(self, objective: Objective, x: Any, size: Any, state: State) -> Any:
        return objective.penalty.prox(x - size * objective.data_gradient(x), size)


@dataclass(frozen=True)
class Fista(ProximalGradient):
    """Beck and Teboulle (2009): a proximal gradient step from y_t = x_t + (s_{t-1} - 1)/s_t (x_t - x_{t-1}),
    s_0 = 1, s_t = (1 + sqrt(1 + 4 s_{t-1}^2)) / 2. Needs a_t <= 1/L."""

    code = 4

    def step(self, objective: Objective, x: Any, size: Any, state: State) -> Any:
        s = state.get("s", 1.0)
        y = x + state.get("weight", 0.0) * (x - state.get("last", x))
        following = (1 + (1 + 4 * s * s) ** 0.5) / 2
        state.update(s=following, weight=(s - 1) / following, last=x)
        return super().step(objective, y, size, state)


@dataclass(frozen=True)
class TorchOptimizer(Method):
    """Any stock ``torch.optim`` optimiser, fed the objective's subgradient.

    Args:
        factory: makes the optimiser from parameters, e.g. ``lambda p: torch.optim.Adam(p, lr=1e-3)``; the
            regime's step size then overwrites ``lr`` at each step. Each run is a parameter group of its
            own, so that it can have its own step; LBFGS, which takes one group only, takes one start.
    """

    factory: Callable[[Iterable[Any]], Any]
