"""The duality gap of a penalised linear model: how far its objective can be from the minimum.

For P(W, b) = 1/M sum l(x_i W^T + b; y_i) + h(W) and any u in the domain of l* with sum_i u_i = 0,

    min P  >=  -1/M sum l*(u_i; y_i) - h*(-u^T X / M)                          (Fenchel-Young at each term)

We take the slopes u at the present W and the best b for it, where they sum to 0, and scale them by a factor t
so that h* is finite. h = p + ridge ||.||^2 with a norm-like p (positively homogeneous) has

    h*(v) = ||prox_p(v)||^2 / (4 ridge),    and for ridge 0 the indicator of prox_p(v) = 0,

because prox_p(v) = v - (projection of v on the subdifferential of p at 0), and h* is the ridge's conjugate at
that distance. A bias with a penalty or a ridge of its own is one more such h. The bound needs no solver and
no optimality of W: it holds for any weights, to rounding of its sums.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from nonsmooth.diagnostics._composite import Block
from nonsmooth.diagnostics._linear_losses import CrossEntropy, Huber, LinearLoss, Logistic, Squared
from nonsmooth.penalties import ElasticNet

__all__ = ["LinearProblem", "recognise"]

# Features are kept in float64 until the pass ends.
_MOST_BYTES = 2**31


@dataclass(eq=False)
class LinearProblem:
    """A linear model with a known loss, collecting the data as they go by.

    Attributes:
        reason: why there is no gap; "" as long as there may be one.
    """

    model: nn.Module
    layer: nn.Linear
    before: nn.Sequential
    loss: LinearLoss
    reason: str = ""

    def __post_init__(self) -> None:
        self._features: list[np.ndarray] = []
        self._targets: list[np.ndarray] = []
        self._bytes = 0

    @torch.no_grad()
    def watch(self, batch: Any) -> None:
        """Keep a batch's features and targets."""
        if self.reason:
            return
        if not (isinstance(batch, tuple | list) and len(batch) == 2):
            self.reason = "the batches are not pairs (x, y)"
            return
        x, y = batch
        features, outputs = self.before(x), self.model(x)
        if features.ndim != 2:
            self.reason = f"the linear layer is given {features.ndim} axes, not samples x features"
        elif isinstance(self.loss, CrossEntropy):
            if y.is_floating_point() or y.ndim != 1 or int(y.min()) < 0:
                self.reason = "the classes are not one index >= 0 a sample"
            else:
                y = functional.one_hot(y, self.layer.out_features)
        elif outputs.shape != y.shape:
            self.reason = f"outputs {tuple(outputs.shape)} and targets {tuple(y.shape)} differ in shape"
        self._bytes += 8 * features.numel()
        if self._bytes > _MOST_BYTES:
            self.reason = f"the data take more than {_MOST_BYTES >> 30} GiB"
        if self.reason:
            self._features.clear()
            return
        self._features.append(features.double().cpu().numpy())
        self._targets.append(y.double().cpu().numpy().reshape(-1, self.layer.out_features))

    def bound(self, blocks: Sequence[Block], mean: float) -> tuple[float, float] | str:
        """(objective, lower bound of its minimum) in float64, or why there is none.

        Args:
            blocks: all that is trained.
            mean: the loss that the batches gave, which must be this problem's.
        """
        if self.reason:
            return self.reason
        own = {id(block.parameter): block for block in blocks}
        weight = own.pop(id(self.layer.weight), None)
        bias = own.pop(id(self.layer.bias), None) if self.layer.bias is not None else None
        if own or weight is None or (bias is None and self.layer.bias is not None):
            return "other parameters are trained than the linear layer's weight and bias"
        parts = [_part(weight), *([_part(bias)] if bias is not None else [])]
        for part in parts:
            if isinstance(part, str):
                return part
        if parts[0].free:
            return "the weight has neither a penalty nor a ridge term"
        X, y = np.concatenate(self._features), np.concatenate(self._targets)
        z = X @ parts[0].w.T + (parts[1].w if len(parts) > 1 else 0.0)
        here, size = (self.loss.value(at, y) / self.loss.terms(z) for at in (z, 0 * z))
        if abs(here - mean) > torch.finfo(weight.parameter.dtype).eps ** 0.5 * (abs(here) + abs(size)):
            return (
                f"the loss of the batches is {mean:.6g}, that of a linear model with these weights {here:.6g}"
            )
        return _bound(self.loss, X, y, parts)


@dataclass(frozen=True, eq=False)
class _Part:
    """h = p + ridge ||.||^2 of one parameter at its value w; ``prox_p`` is None where p is 0."""

    w: np.ndarray
    value: float
    prox_p: Callable[[np.ndarray], np.ndarray] | None
    ridge: float

    @property
    def free(self) -> bool:
        return self.prox_p is None and self.ridge == 0

    def left(self, v: np.ndarray) -> np.ndarray:
        return v if self.prox_p is None else self.prox_p(v)

    def most(self, v: np.ndarray, high: float) -> float:
        """The largest factor t <= high for which h*(t v) is finite, found from below."""
        if self.ridge > 0 or self.free or not self.left(high * v).any():
            return high
        low = 0.0
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (low, middle) if self.left(middle * v).any() else (middle, high)
        return low

    def conjugate(self, v: np.ndarray) -> float:
        return float(np.square(self.left(v)).sum()) / (4 * self.ridge) if self.ridge > 0 else 0.0


def _part(block: Block) -> Any:
    w = block.parameter.detach().double().cpu().numpy()
    penalty, ridge, prox_p = block.penalty, block.decay / 2, None
    value = ridge * float(np.square(w).sum())
    if penalty is not None:
        value += float(np.sum(penalty.value(w)))
        if isinstance(penalty, ElasticNet) and penalty.width == 0:
            ridge += float(penalty.l2)
            penalty = ElasticNet(penalty.l1)
        probe = np.random.default_rng(0).normal(size=w.shape)
        once, twice = float(np.sum(penalty.value(probe))), float(np.sum(penalty.value(2 * probe)))
        if not penalty.convex or abs(twice - 2 * once) > 1e-9 * twice:
            return f"{type(penalty).__name__} is not a convex penalty of the kind of a norm"
        if once > 0:
            norm = penalty
            prox_p = lambda v: norm.prox(v, 1.0)  # noqa: E731
    return _Part(w, value, prox_p, ridge)


def _bound(loss: LinearLoss, X: np.ndarray, y: np.ndarray, parts: Sequence[_Part]) -> tuple[float, float]:
    from scipy.optimize import minimize_scalar

    z = X @ parts[0].w.T
    here = z + parts[1].w if len(parts) > 1 else z
    if not np.isfinite(here).all():
        return float("nan"), float("nan")
    terms = loss.terms(z)
    objective = loss.value(here, y) / terms + sum(part.value for part in parts)
    if len(parts) > 1 and parts[1].free:
        here = z + loss.best_bias(z, y)
    u = loss.slope(here, y)
    # -u^T X and -sum u: what h* of each part is asked at
    asked = [-(u.T @ X) / terms, *([-u.sum(0) / terms] if len(parts) > 1 else [])]
    used = [(part, v) for part, v in zip(parts, asked, strict=True) if not part.free]
    high = loss.reach(u, y)
    for part, v in used:
        high = part.most(v, high)

    def negative(t: float) -> float:
        return loss.conjugate(t * u, y) / terms + sum(part.conjugate(t * v) for part, v in used)

    tried = [0.0, min(1.0, high), high]
    if high > 0:
        found: Any = minimize_scalar(negative, bounds=(0.0, high), method="bounded")
        tried.append(float(found.x))
    return objective, -min(negative(t) for t in tried)


def recognise(model: nn.Module, loss_fn: Any) -> LinearProblem | str:
    """The linear problem that a model and a loss make, or why they make none that is known here."""
    modules = list(model) if type(model) is nn.Sequential else [model]
    places = [k for k, module in enumerate(modules) if type(module) is nn.Linear]
    others = [type(m).__name__ for m in modules if type(m) not in (nn.Linear, nn.Flatten, nn.Identity)]
    if len(places) != 1 or others:
        return "the model is not one nn.Linear (with nn.Flatten or nn.Identity around it at most)"
    loss = _loss(loss_fn)
    if loss is None:
        return (
            "the loss is not a mean squared error, Huber, smooth L1, logistic or cross-entropy loss of "
            "torch, without weights"
        )
    if getattr(loss_fn, "ignore_index", -1) >= 0:  # a negative one is seen in the data
        return f"samples of class {loss_fn.ignore_index} are left out"
    layer = modules[places[0]]
    assert isinstance(layer, nn.Linear)
    return LinearProblem(model, layer, nn.Sequential(*modules[: places[0]]), loss)


def _loss(loss_fn: Any) -> LinearLoss | None:
    """The loss, where it is torch's own: a subclass may be anything."""
    if getattr(loss_fn, "weight", None) is not None or getattr(loss_fn, "pos_weight", None) is not None:
        return None

    def is_one(kind: type, function: Any) -> bool:
        return type(loss_fn) is kind or loss_fn is function

    if is_one(nn.MSELoss, functional.mse_loss):
        return Squared()
    if is_one(nn.HuberLoss, functional.huber_loss):
        return Huber(getattr(loss_fn, "delta", 1.0), 1.0)
    if is_one(nn.SmoothL1Loss, functional.smooth_l1_loss):
        beta = getattr(loss_fn, "beta", 1.0)
        return Huber(beta, 1 / beta) if beta > 0 else None
    if is_one(nn.BCEWithLogitsLoss, functional.binary_cross_entropy_with_logits):
        return Logistic()
    if is_one(nn.CrossEntropyLoss, functional.cross_entropy):
        return CrossEntropy() if getattr(loss_fn, "label_smoothing", 0.0) == 0 else None
    return None
