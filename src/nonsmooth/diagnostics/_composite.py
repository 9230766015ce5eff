"""Loss + decay + penalty as the optimiser minimises it: each parameter with its penalty and its ridge term.

torch's weight_decay is part of the objective where it is added to the gradient (SGD, Adam, RMSprop, ...):
then the optimiser minimises loss + weight_decay/2 ||w||^2. AdamW's is not: it shrinks w by lr * weight_decay
beside the step s, and settles where g + (lr weight_decay/s) w + a subgradient of the penalty = 0, with s =
lr/(sqrt(v) + eps) at rest: a ridge term whose strength differs from weight to weight and with the gradients'
noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.methods import select_weights
from nonsmooth.penalties._penalty import Penalty

__all__ = ["Block", "Composite", "composite"]

_COUPLED = tuple(
    getattr(torch.optim, name)
    for name in ("SGD", "Adam", "Adamax", "NAdam", "RAdam", "RMSprop", "Adagrad", "Adadelta", "ASGD")
)


@dataclass(frozen=True, eq=False)
class Block:
    """One parameter: ``decay``/2 times its square and ``penalty`` (or None) are added to the loss."""

    name: str
    parameter: torch.Tensor
    penalty: Penalty | None
    decay: float


@dataclass(frozen=True, eq=False)
class Composite:
    """What is minimised.

    Attributes:
        blocks: every parameter that is trained.
        sign: -1 where the optimiser maximises the loss.
        step_of: the optimiser's effective step of a parameter, or None without an optimiser.
        notes: what a reader must know of the problem.
    """

    blocks: tuple[Block, ...]
    sign: float
    step_of: Callable[[torch.Tensor], Any] | None
    notes: tuple[str, ...]


def composite(model: nn.Module, prox: Any) -> Composite:
    """The problem of a model and an attachment, or of a model and penalties.

    Raises:
        InputError: what ``prox`` may not be, a parameter with two penalties, parameter groups of which some
            maximise and some minimise, nothing that is trained.
    """
    optimizer = getattr(prox, "optimizer", None)
    penalties: dict[torch.Tensor, tuple[str, Penalty]] = {}
    for name, parameter, penalty in _terms(model, prox):
        if parameter in penalties:
            raise InputError(
                f"{name!r} has two penalties; give their sum as one (ns.ElasticNet for L1 and ridge)"
            )
        penalties[parameter] = (name, penalty)
    names = {parameter: name for name, parameter in model.named_parameters()}
    groups: Iterable[Mapping[str, Any]]
    if optimizer is None:
        groups = ({"params": list(dict.fromkeys((*names, *penalties)))},)
    else:
        groups = optimizer.param_groups
    blocks, notes, signs = [], [], set()
    for group in groups:
        decay, note = _decay(optimizer, group)
        notes += [note] if note else []
        signs.add(-1.0 if group.get("maximize") else 1.0)
        for parameter in group["params"]:
            if parameter.requires_grad:
                name, penalty = penalties.get(parameter, (f"parameter {len(blocks)}", None))
                blocks.append(Block(names.get(parameter, name), parameter, penalty, decay))
    if len(signs) > 1:
        raise InputError(
            "some parameter groups maximise the loss and some minimise it; a saddle point has no distance "
            "here: certify each side by an optimiser of its own"
        )
    if not blocks:
        raise InputError("no parameter requires a gradient, so nothing is minimised")
    trained = {block.parameter for block in blocks}
    constant = [name for p, name in names.items() if p.requires_grad and p not in trained]
    if constant:
        notes.append(
            f"{len(constant)} parameters of the model are not the optimiser's and count as constants: "
            + ", ".join(constant[:3])
            + (", ..." if len(constant) > 3 else "")
        )
    step_of = None if optimizer is None else prox.step_of
    return Composite(tuple(blocks), signs.pop(), step_of, tuple(dict.fromkeys(notes)))


def _terms(model: nn.Module, prox: Any) -> list[tuple[str, torch.Tensor, Penalty]]:
    if isinstance(prox, Penalty):
        return [(name, parameter, prox) for name, parameter in select_weights(model)]
    if hasattr(prox, "terms"):
        return list(prox.terms)
    named = dict(model.named_parameters())
    try:
        pairs = [tuple(pair) for pair in (prox.items() if isinstance(prox, Mapping) else prox)]
    except TypeError:
        pairs = [(None,)]
    terms = []
    for number, pair in enumerate(pairs):
        key = pair[0]
        parameter = named.get(key) if isinstance(key, str) else key
        if len(pair) != 2 or not isinstance(parameter, torch.Tensor) or not isinstance(pair[1], Penalty):
            raise InputError(
                f"prox holds {pair!r}; give what ns.attach returned, a penalty, or pairs (parameter or its "
                "name in the model, penalty)"
                if pair != (None,)
                else f"prox is a {type(prox).__name__}; give what ns.attach returned, a penalty, or pairs "
                "(parameter or its name in the model, penalty)"
            )
        terms.append((key if isinstance(key, str) else f"penalised {number}", parameter, pair[1]))
    return terms


def _decay(optimizer: Any, group: Mapping[str, Any]) -> tuple[float, str]:
    """The ridge term of a group, weight_decay in decay/2 ||w||^2, and what is to be said of it."""
    decay = float(group.get("weight_decay", 0.0))
    if decay == 0:
        return 0.0, ""
    kind = type(optimizer).__name__
    if group.get("decoupled_weight_decay", False) or isinstance(optimizer, torch.optim.AdamW):
        return 0.0, (
            f"{kind} shrinks its weights by lr x weight_decay (weight_decay {decay:g}) beside the gradient "
            "step. At rest g + weight_decay (sqrt(v) + eps) w + a subgradient of the penalty is 0, v its "
            "second moment: that is no stationary point of loss + penalty, nor of any fixed ridge term. The "
            "distance here is that of loss + penalty, which this optimiser does not bring to 0. For a ridge "
            "term: weight_decay=0 and ns.ElasticNet."
        )
    if isinstance(optimizer, _COUPLED):
        return decay, ""
    return 0.0, (
        f"weight_decay {decay:g} is left out: it is not known whether {kind} adds it to the gradient "
        "(then it belongs to the objective) or shrinks the weights beside it"
    )
