"""The curvature at which an optimiser's step stops being stable: its edge, entry by entry.

On a quadratic with Hessian H, an optimiser whose coefficients stand still loses stability where its iterates
first alternate, x -> -x. Let its step be s times (a g + c m) with m <- beta m + (1 - tau) g. An alternating
gradient g reaches m with the gain (1 - tau)/(1 + beta), where a constant one has (1 - tau)/(1 - beta): so

    H x = T x,    T = (2 - lr decay)/s',    s' = s (a + c (1 - tau)/(1 + beta))

at the edge, T diagonal, decay the decoupled weight decay. With coupled weight decay H has it on its diagonal.

    SGD               2/lr;  heavy ball 2 (1 + m)/lr,  Nesterov 2 (1 + m)/(lr (1 + 2 m))
    Adam and the like 2 (1 + beta1)/((1 - beta1) lr) times sqrt(v_hat) + eps, an entry
    RMSprop, Adagrad, Adadelta      2/s, s as in ``nonsmooth.methods``

so that max eig (T^-1/2 H T^-1/2) = 1 is the edge. Written as T = edge * P with one number ``edge``, the
preconditioned sharpness max eig (P^-1/2 H P^-1/2) is held against it: P is the identity for SGD, sqrt(v_hat)
+ eps for Adam; with several learning rates the largest gives the edge, and the others go into P. For a
normalising optimiser P is its present second moment, which itself follows the gradients: the edge is that of
the next step, not for ever.

Sources: Cohen et al., "Gradient descent on neural networks typically occurs at the edge of stability", ICLR
2021 (appendix B: momentum); "Adaptive gradient methods at the edge of stability", 2022 (Adam, RMSprop).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from nonsmooth.errors import InputError
from nonsmooth.methods import Metric, effective_step
from nonsmooth.methods._metric import check_metric

__all__ = ["StabilityMetric", "stability_metric"]


@dataclass(frozen=True, eq=False)
class StabilityMetric:
    """How an optimiser sees the Hessian.

    Attributes:
        name: the optimiser's class.
        edge: the preconditioned sharpness at which its step stops being stable.
        scale: flat P^-1/2, or None where P is the identity. 0 for entries that do not move.
        decay: flat coupled weight decay, or None.
        sign: -1 where the loss is maximised.
        notes: in words.
    """

    name: str
    edge: float
    scale: torch.Tensor | None
    decay: torch.Tensor | None
    sign: float
    notes: tuple[str, ...]

    def to(self, dtype: torch.dtype) -> StabilityMetric:
        """For flat vectors of another precision."""
        scale, decay = (None if each is None else each.to(dtype) for each in (self.scale, self.decay))
        return replace(self, scale=scale, decay=decay)

    def of(self, product: Any) -> Any:
        """v -> P^-1/2 (sign H + decay) P^-1/2 v."""

        def preconditioned(vector: torch.Tensor) -> torch.Tensor:
            inner = vector if self.scale is None else self.scale * vector
            made = self.sign * product(inner)
            if self.decay is not None:
                made = made + self.decay * inner
            return made if self.scale is None else self.scale * made

        return preconditioned


def stability_metric(optimizer: Any, dtype: torch.dtype) -> tuple[StabilityMetric, list[torch.Tensor]]:
    """The metric of an optimiser's present step, and the parameters that it is over.

    Args:
        optimizer: a torch optimiser with a diagonal metric (see ``nonsmooth.methods.effective_step``), or
            what ``ns.attach`` returned. A normalising one must have taken a step.
        dtype: of the flat vectors.

    Raises:
        InputError: it has none, no step has been taken, or groups disagree on maximising.

    >>> w = torch.nn.Parameter(torch.zeros(2))
    >>> stability_metric(torch.optim.SGD([w], lr=0.5, momentum=0.5), torch.float32)[0].edge
    6.0
    """
    optimizer = getattr(optimizer, "optimizer", optimizer)
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise InputError(f"optimizer is a {type(optimizer).__name__}; give a torch optimiser, or None")
    name = type(optimizer).__name__
    try:
        check_metric(optimizer)
    except InputError as error:
        raise InputError(
            f"{name} has no diagonal metric for this ({error}); leave optimizer out for the Hessian's own "
            "sharpness"
        ) from error
    metrics, decays, parameters, signs = [], [], [], set()
    for group in optimizer.param_groups:
        shrink = _decoupled(optimizer, group)
        signs.add(-1.0 if group.get("maximize") else 1.0)
        for p in group["params"]:
            if p.requires_grad:
                metrics.append(_alternating(optimizer, group, p, shrink))
                decays.append(0.0 if shrink else float(group.get("weight_decay", 0.0)))
                parameters.append(p)
    if not parameters:
        raise InputError(f"{name} holds no parameter that requires a gradient")
    still = metrics.count(None)
    if still == len(parameters):
        raise InputError(
            f"{name} has taken no step, so its metric is not known; ask after a step, or leave optimizer out"
        )
    if len(signs) > 1:
        raise InputError("some parameter groups maximise the loss and some minimise it; there is no one edge")
    with torch.no_grad():
        edge, scale = _normalised(metrics, parameters, dtype)
        decay = _flat(decays, parameters, dtype) if any(decays) else None
    notes = _notes(optimizer, still, decay is not None)
    return StabilityMetric(name, edge, scale, decay, signs.pop(), notes), parameters


def _normalised(
    metrics: Sequence[Metric | None], parameters: Sequence[torch.Tensor], dtype: torch.dtype
) -> tuple[float, torch.Tensor | None]:
    """edge and P^-1/2; P is the identity where all have one step."""
    numerators = [0.0 if each is None else float(each.numerator) for each in metrics]
    largest = max(numerators)
    if not (largest > 0 and math.isfinite(largest)):
        raise InputError(f"the step is {largest:g}, so there is no edge; leave optimizer out")
    if all(each is not None and each.moment is None for each in metrics) and min(numerators) == largest:
        return 2 / largest, None
    inverse = [
        0.0 if each is None else each._replace(numerator=each.numerator / largest).step() for each in metrics
    ]
    return 2 / largest, _flat(inverse, parameters, dtype).sqrt()


def _alternating(
    optimizer: torch.optim.Optimizer, group: Mapping[str, Any], p: torch.Tensor, shrink: float
) -> Metric | None:
    """2/T as a metric: the step for a gradient that alternates; None for a parameter that has not moved."""
    first_order = isinstance(optimizer, torch.optim.SGD)
    if not (first_order or optimizer.state.get(p)):
        return None
    momentum = float(group.get("momentum", 0.0))
    gain = (1 - float(group.get("dampening", 0.0))) / (1 + momentum) if momentum else None
    metric = effective_step(optimizer, group, p, gain)
    factor = 2 / (2 - shrink)
    if isinstance(optimizer, torch.optim.NAdam):
        factor *= _nadam(group, optimizer.state[p])
    elif isinstance(optimizer, torch.optim.Adam | torch.optim.RAdam | torch.optim.Adamax):
        beta = float(group["betas"][0])
        # The rule's step is for m = (1 - beta^t) g, whose correction is the division by 1 - beta^t.
        factor *= (1 - beta) / (1 + beta) / (1 - beta ** float(optimizer.state[p]["step"]))
    return metric._replace(numerator=float(metric.numerator) * factor)


def _nadam(group: Mapping[str, Any], state: Mapping[str, Any]) -> float:
    """What NAdam's two terms let through of an alternating gradient, over what they do of a constant one."""
    beta, t, product = float(group["betas"][0]), float(state["step"]), float(state["mu_product"])
    now, following = (beta * (1 - 0.5 * 0.96 ** ((t + k) * float(group["momentum_decay"]))) for k in (0, 1))
    direct, through = (1 - now) / (1 - product), following / (1 - product * following)
    return (direct + through * (1 - beta) / (1 + beta)) / (direct + through * (1 - beta**t))


def _decoupled(optimizer: torch.optim.Optimizer, group: Mapping[str, Any]) -> float:
    """lr * decay where a step shrinks the weights by it beside the gradient; else 0."""
    if isinstance(optimizer, torch.optim.AdamW) or group.get("decoupled_weight_decay"):
        return float(group["lr"]) * float(group.get("weight_decay", 0.0))
    return 0.0


def _notes(optimizer: torch.optim.Optimizer, still: int, coupled: bool) -> tuple[str, ...]:
    name, notes = type(optimizer).__name__, []
    if still:
        notes.append(f"{still} parameters have not been moved by {name} and count as constants.")
    if coupled:
        notes.append("Coupled weight decay is part of the Hessian here, as it is of the gradient.")
    known = (torch.optim.SGD, torch.optim.Adam, torch.optim.NAdam, torch.optim.RAdam, torch.optim.Adamax)
    plain = (torch.optim.RMSprop, torch.optim.Adagrad, torch.optim.Adadelta)
    if not isinstance(optimizer, (*known, *plain)):
        notes.append(f"Whether {name} averages its gradients is not known: the edge is that without.")
    if not isinstance(optimizer, torch.optim.SGD):
        notes.append(
            "The metric is that of the last step; it follows the gradients, so above this edge the metric "
            "may grow instead of the iterates."
        )
    return tuple(notes)


def _flat(values: Sequence[Any], parameters: Sequence[torch.Tensor], dtype: torch.dtype) -> torch.Tensor:
    device = parameters[0].device
    return torch.cat(
        [
            (value if isinstance(value, torch.Tensor) else torch.tensor(float(value), dtype=torch.float64))
            .detach()
            .to(device, dtype)
            .expand(p.shape)
            .reshape(-1)
            for value, p in zip(values, parameters, strict=True)
        ]
    )
