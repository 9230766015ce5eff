"""f(x) = weight * sum_i l((Wx)_i; y_i) + penalty(x): the structure every objective here shares.

It is the composite problem of the paper: a scalar loss of a linear map plus a separable penalty. Its
``value`` and ``subgradient`` work on NumPy arrays and torch tensors alike, batched over leading axes:

    x (..., P)      W (N, P) or (B, N, P)      y (N,) or (B, N)      strengths: numbers or (B,)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from nonsmooth.errors import InputError
from nonsmooth.objectives._facts import Facts, Smoothness
from nonsmooth.objectives._scalar import ScalarLoss
from nonsmooth.penalties import ElasticNet

__all__ = ["Objective", "check_data", "spectral_norm"]


def spectral_norm(W: Any) -> Any:
    """Largest singular value of each matrix of a batch, (..., N, P) -> (...)."""
    xp = array_namespace(W)
    return xp.max(xp.linalg.svdvals(W), axis=-1)


def check_data(W: Any, y: Any) -> None:
    """Shapes that fit, at least one row and column, finite entries; else InputError."""
    xp = array_namespace(W, y)
    if W.ndim not in (2, 3) or y.ndim != W.ndim - 1:
        raise InputError(
            f"data of shape {tuple(W.shape)} and response of shape {tuple(y.shape)} do not fit; "
            "give (N, P) with (N,), or (B, N, P) with (B, N)"
        )
    if tuple(W.shape[:-1]) != tuple(y.shape):
        raise InputError(
            f"data has shape {tuple(W.shape)} but the response {tuple(y.shape)}; rows must match"
        )
    if 0 in W.shape:
        raise InputError(f"data of shape {tuple(W.shape)} is empty; give at least one row and one column")
    for name, array in (("data", W), ("response", y)):
        if not bool(xp.all(xp.isfinite(array))):
            raise InputError(f"the {name} holds NaN or infinite entries; remove or impute them")


@dataclass(frozen=True, eq=False)
class Objective:
    """A scalar loss of a linear map plus a separable penalty; see the module's docstring for shapes.

    Build one by its name (``Lasso``, ``Huber``, ...); this class is what they share.

    Attributes:
        name: what it is called.
        loss: the scalar loss, or None for the penalty alone.
        W, y: data and response, or None with ``loss=None``.
        weight: factor of the summed loss.
        penalty: the separable penalty.
        dimension: P.
    """

    name: str
    loss: ScalarLoss | None
    W: Any
    y: Any
    weight: float
    penalty: ElasticNet
    dimension: int
    _facts: Callable[[Objective], Facts]

    @cached_property
    def facts(self) -> Facts:
        """Convexity, smoothness class and constants (see ``Facts``)."""
        return self._facts(self)

    @property
    def data_smoothness(self) -> Smoothness:
        """Smoothness class of the data term alone: what a proximal method needs to know."""
        return Smoothness.ANALYTIC if self.loss is None else self.loss.smoothness

    @cached_property
    def data_gradient_lipschitz(self) -> Any:
        """L of eq. 5 for the data term alone, the penalty left out: what a proximal step must stay below
        (step <= 1/L gives descent, step < 2/L converges)."""
        bare = replace(self, penalty=ElasticNet(0.0))
        return bare.facts.gradient_lipschitz

    def _check(self, x: Any) -> None:
        if x.shape[-1] != self.dimension:
            raise InputError(
                f"{self.name} takes points with {self.dimension} entries; x has shape {tuple(x.shape)}"
            )

    def predict(self, x: Any) -> Any:
        """W x for each run: (..., P) -> (..., N)."""
        xp = array_namespace(x)
        return xp.matmul(self.W, x[..., None])[..., 0]

    def value(self, x: Any) -> Any:
        """f of each run, (..., P) -> (...)."""
        self._check(x)
        value = self.penalty.value(x)
        if self.loss is not None:
            xp = array_namespace(x)
            value = value + self.weight * xp.sum(self.loss.value(self.predict(x), self.y, xp), axis=-1)
        return value

    def data_gradient(self, x: Any) -> Any:
        """(Sub)gradient of the data term alone, shaped like x."""
        self._check(x)
        xp = array_namespace(x)
        if self.loss is None:
            return xp.zeros_like(x)
        slope = self.loss.slope(self.predict(x), self.y, xp)
        return self.weight * xp.matmul(xp.matrix_transpose(self.W), slope[..., None])[..., 0]

    def subgradient(self, x: Any) -> Any:
        """A subgradient at x, with the convention at kinks that ``facts.kink`` states."""
        return self.data_gradient(x) + self.penalty.subgradient(x)

    def subdifferential_distance(self, x: Any) -> Any:
        """Distance (max norm) of 0 to the subdifferential; exact where the data term is differentiable."""
        return self.penalty.subdifferential_distance(x, self.data_gradient(x))

    def smooth_twin(self, width: float) -> Objective:
        """The same problem with every kink rounded over ``width`` (> 0): |x| becomes Huber's function,
        ReLU its Moreau envelope. The twin is C1,1 and keeps the minimiser of eq. 3 and eq. 7."""
        if not 0 < width < float("inf"):
            raise InputError(f"width = {width} is not allowed; give a finite number > 0")
        loss = self.loss
        if loss is not None and loss.smoothness is Smoothness.LIPSCHITZ:
            loss = replace(loss, width=float(width))
        return replace(
            self,
            name=f"{self.name} (smooth twin, width {width:g})",
            loss=loss,
            penalty=replace(self.penalty, width=float(width)),
        )

    def __array_data__(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Data as NumPy arrays shaped (B or 1, N, P) and (B or 1, N), or None without data or on a device."""
        if self.loss is None:
            return np.zeros((1, 0, self.dimension)), np.zeros((1, 0))
        if not isinstance(self.W, np.ndarray):
            return None
        W, y = self.W, np.asarray(self.y)
        return (W, y) if W.ndim == 3 else (W[None], y[None])
