"""The LASSO problems: random ones with a sparse truth, and data sets that ship with scikit-learn.

Each is scaled so that L of its data term is 1: one step size then means the same share of 2/L on all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.methods import ExactLasso, exact_lasso
from nonsmooth.objectives import Lasso
from nonsmooth.runs import stream

__all__ = ["REAL", "Problem", "problem", "select", "start"]

REAL = ("diabetes", "breast-cancer")
_ROWS, _COLUMNS, _TRUE = 50, 20, 5


@dataclass(frozen=True, eq=False)
class Problem:
    """W (N, P), y (N,) and the strength; the certified solution is found when asked for."""

    W: np.ndarray
    y: np.ndarray
    strength: float

    @cached_property
    def exact(self) -> ExactLasso:
        return exact_lasso(self.W, self.y, self.strength)

    @property
    def scale(self) -> float:
        return float(self.y @ self.y) / self.y.size

    def excess(self, b: np.ndarray) -> float:
        """(f(b) - f*) / f(0), f* the certified solution's value."""
        return float(Lasso(self.W, self.y, self.strength).value(b) - self.exact.value) / self.scale

    def floor(self, stepsize: float) -> float:
        """What the subgradient method's (f - f*) / f(0) should be at a constant step, to first order.

        An entry that is 0 at the solution, where the data term has slope g, |g| <= s, hops over an interval
        of length 2 α s around 0, evenly; the mean of s|b| + g b over it is α (s^2 - g^2) / 2.
        """
        b = self.exact.solution
        slope = 2 * self.W.T @ (self.W @ b - self.y) / self.y.size
        hop = np.where(b == 0, np.maximum(self.strength**2 - slope**2, 0), 0.0)
        return stepsize * float(hop.sum()) / 2 / self.scale


@cache
def problem(data: str, seed: int, share: float) -> Problem:
    """The problem at a share of lambda_max; ``seed`` is of the data where they are random."""
    X, y = _random(seed) if data == "random" else _real(data)
    W = X * np.sqrt(X.shape[0] / 2) / np.linalg.svd(X, compute_uv=False)[0]
    strength = share * 2 * float(np.abs(W.T @ y).max()) / y.size
    return Problem(W, y, strength)


def start(data: str, seed: int, columns: int) -> np.ndarray:
    """Entries uniform on ±1/sqrt(P): how torch starts a linear layer."""
    return stream(f"start-{data}", seed).uniform(-1, 1, columns) / columns**0.5


def select(rows: Sequence[Row], experiment: str, **wanted: object) -> list[Row]:
    """The rows of one experiment whose fields have the wanted values."""
    return [r for r in rows if r["experiment"] == experiment and all(r[k] == v for k, v in wanted.items())]


def _random(seed: int) -> tuple[np.ndarray, np.ndarray]:
    X = stream("X", seed).standard_normal((_ROWS, _COLUMNS))
    truth = np.zeros(_COLUMNS)
    truth[:_TRUE] = stream("truth", seed).choice([-1.0, 1.0], _TRUE)
    y = X @ truth + 0.5 * stream("noise", seed).standard_normal(_ROWS)
    return X, y / y.std()


def _real(data: str) -> tuple[np.ndarray, np.ndarray]:
    from sklearn import datasets

    load = datasets.load_diabetes if data == "diabetes" else datasets.load_breast_cancer
    X, y = load(return_X_y=True)
    X, y = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    return (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
