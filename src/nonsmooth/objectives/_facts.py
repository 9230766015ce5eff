"""What is known of a function before it is minimised."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

__all__ = ["Facts", "Smoothness"]


class Smoothness(IntEnum):
    """How smooth a function is; a sum or a composition is as smooth as its least smooth part.

    >>> min(Smoothness.ANALYTIC, Smoothness.LIPSCHITZ)
    <Smoothness.LIPSCHITZ: 1>
    """

    DISCONTINUOUS = 0
    LIPSCHITZ = 1
    """Continuous, locally Lipschitz, with kinks: not differentiable everywhere."""
    C1 = 2
    """Continuously differentiable."""
    C11 = 3
    """Differentiable with a locally Lipschitz gradient."""
    ANALYTIC = 4

    def __str__(self) -> str:
        return ("discontinuous", "Lipschitz (kinks)", "C1", "C1,1", "analytic")[self]


@dataclass(frozen=True)
class Facts:
    """What is known of an objective, each constant derived where it is computed.

    Args:
        convex: whether the function is convex.
        smoothness: its class.
        lipschitz: an upper bound on the Euclidean norm of every subgradient, per run of the batch or
            one number; None where the function is not globally Lipschitz (eq. 6).
        gradient_lipschitz: L of eq. 5, an upper bound; None where no such L exists.
        minimiser: a minimiser, where it is known in closed form.
        minimum: the least value, where it is known in closed form.
        unique: whether the minimiser is known to be the only one.
        kink: which subgradient is returned where the function has a kink.
    """

    convex: bool
    smoothness: Smoothness
    lipschitz: Any = None
    gradient_lipschitz: Any = None
    minimiser: Any = None
    minimum: Any = None
    unique: bool = False
    kink: str = "none: the function is differentiable"
