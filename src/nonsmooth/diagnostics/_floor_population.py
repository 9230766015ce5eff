"""Weights under strength * ||w||_1 alone, all in one tensor, moved by the optimiser itself.

That is a population of independent weights only if the optimiser treats each entry by itself. Whether it
does is found by experiment: a part of the tensor, run alone from the same starts, must take the same path.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nonsmooth.errors import InputError

if TYPE_CHECKING:
    import torch

__all__ = ["Factory", "Population", "UnfitError", "described", "learning_rate", "shape_for"]

Factory = Callable[[list[Any]], Any]

# Most that couple show it in the first steps; those that build up a state may need more.
_TRIALS = (2, 40)
# Paths farther apart than this share of the farthest start are not those of independent entries; rounding,
# which may differ with the place of an entry in a vector register, is nine orders of magnitude below.
_APART = 1e-7
_INSTEAD = (
    "weights under the penalty alone do not stand for those of a model; train the model itself, or use a "
    "penalty with a proximal step"
)


class UnfitError(InputError):
    """The optimiser has no floor and no fingerprint."""


class _CoupledError(UnfitError):
    """Its weights do not move one by one."""


class Population:
    """Weights that move under the penalty alone.

    Args:
        factory: makes the optimiser from a list with the one parameter.
        starts: the weights at step 0; a tensor of any shape, kept as it is.
        strength: a number, or a tensor like ``starts``: one a weight.

    Raises:
        InputError: the factory fails or makes no optimiser of the parameter.
    """

    def __init__(self, factory: Factory, starts: torch.Tensor, strength: float | torch.Tensor) -> None:
        import torch

        self.parameter = torch.nn.Parameter(starts.clone())
        self.strength = strength
        try:
            self.optimizer = factory([self.parameter])
        except Exception as error:
            raise UnfitError(
                f"the factory makes no optimiser for a parameter of shape {tuple(starts.shape)}: "
                f"{_first_line(error)}"
            ) from error
        if not isinstance(self.optimizer, torch.optim.Optimizer):
            raise InputError(
                f"the factory gives a {type(self.optimizer).__name__}; it must return a torch optimiser of "
                "the parameters it is called with, such as lambda p: torch.optim.Adam(p, lr=1e-3)"
            )
        held = [p for group in self.optimizer.param_groups for p in group["params"]]
        if len(held) != 1 or held[0] is not self.parameter:
            raise InputError(
                "the factory's optimiser holds other parameters than those it is called with; write it as "
                "lambda p: torch.optim.Adam(p, lr=1e-3)"
            )
        self.first_sign = torch.sign(starts)
        self.crossed = torch.zeros_like(starts, dtype=torch.bool)
        self._gradient = torch.empty_like(starts)
        self._wants_closure = _wants_closure(self.optimizer)

    @property
    def weights(self) -> torch.Tensor:
        """The weights now; a view."""
        return self.parameter.detach()

    @property
    def arrived(self) -> torch.Tensor:
        """Which weights are 0 or have changed their sign."""
        return (self.crossed | (self.weights == 0)) & self.weights.isfinite()

    def step(self) -> None:
        """One step of the optimiser; the gradient is strength * sign(w), with sign(0) = 0.

        Raises:
            InputError: the optimiser cannot take it.
        """
        gradient = self._differentiate()
        self.crossed |= gradient.ne(self.first_sign)
        gradient.mul_(self.strength)
        try:
            self.optimizer.step(self._closure) if self._wants_closure else self.optimizer.step()
        except Exception as error:
            raise UnfitError(
                f"{type(self.optimizer).__name__} fails on the penalty's gradient, a dense tensor of "
                f"strength * sign(w): {_first_line(error)}; give an optimiser or settings that can take it"
            ) from error

    def _differentiate(self) -> torch.Tensor:
        import torch

        # An optimiser may have replaced .grad or written into it.
        self.parameter.grad = torch.sign(self.weights, out=self._gradient)
        return self._gradient

    def _closure(self) -> Any:
        self._differentiate().mul_(self.strength)
        return (self.strength * self.weights.abs()).sum()


def _wants_closure(optimizer: Any) -> bool:
    closure = inspect.signature(optimizer.step).parameters.get("closure")
    return closure is not None and closure.default is inspect.Parameter.empty


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def shape_for(factory: Factory, strength: float, reach: float) -> tuple[int, ...]:
    """The trailing shape that a population's tensor needs: () for a vector, (1,) where only matrices do.

    Args:
        factory: as for :class:`Population`.
        strength: of the penalty.
        reach: size of the starts that the experiment uses.

    Raises:
        InputError: the optimiser couples weights, draws random numbers, or cannot be run.
    """
    try:
        _refuse_coupled(factory, (64,), (32,), strength, reach)
    except _CoupledError:
        raise
    except InputError as vectors_refused:
        try:
            _refuse_coupled(factory, (8, 8), (4, 4), strength, reach)
        except _CoupledError:
            raise
        except InputError:
            raise vectors_refused from vectors_refused.__cause__
        return (1,)
    # Weights are matrices as often as vectors, and some optimisers treat the two differently.
    _refuse_coupled(factory, (8, 8), (4, 4), strength, reach)
    return ()


def _refuse_coupled(
    factory: Factory, whole: tuple[int, ...], part: tuple[int, ...], strength: float, reach: float
) -> None:
    import torch

    starts = torch.from_numpy(np.random.default_rng(0).uniform(-reach, reach, whole))
    corner = tuple(slice(0, size) for size in part)

    def run(values: torch.Tensor, steps: int, seed: int) -> tuple[torch.Tensor, str]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            population = Population(factory, values, strength)
            for _ in range(steps):
                population.step()
            return population.weights.nan_to_num(), described(population.optimizer)

    for steps in _TRIALS:
        together, name = run(starts, steps, seed=0)
        if not torch.equal(together, run(starts, steps, seed=1)[0]):
            raise _CoupledError(
                f"{name} draws random numbers: two runs from the same weights differ; {_INSTEAD}"
            )
        apart = (together[corner] - run(starts[corner], steps, seed=0)[0]).abs().max().item()
        if apart > _APART * reach:
            raise _CoupledError(
                f"{name} couples weights: {_times(part)} of a tensor of {_times(whole)} weights, run alone "
                f"from the same starts, are {apart:.2g} off after {steps} steps; {_INSTEAD}"
            )


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def learning_rate(optimizer: Any) -> float | None:
    """The optimiser's own step size, where it has one number for all."""
    rates = {float(group["lr"]) for group in optimizer.param_groups if "lr" in group}
    return rates.pop() if len(rates) == 1 else None


def described(optimizer: Any) -> str:
    """The optimiser with its step size and every setting that is not the default.

    >>> import torch
    >>> described(torch.optim.SGD([torch.zeros(1)], lr=0.1, momentum=0.9))
    'SGD(lr=0.1, momentum=0.9)'
    """
    usual = {
        name: parameter.default for name, parameter in inspect.signature(type(optimizer)).parameters.items()
    }
    group = optimizer.param_groups[0]
    settings = [f"lr={float(group['lr']):g}"] if "lr" in group else []
    settings += [
        f"{name}={group[name]:g}" if isinstance(group[name], float) else f"{name}={group[name]}"
        for name, default in usual.items()
        if name in group and name not in ("lr", "params") and group[name] != default
    ]
    return f"{type(optimizer).__name__}({', '.join(settings)})"
