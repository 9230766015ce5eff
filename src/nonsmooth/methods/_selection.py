"""Which parameters a penalty is meant for: weights of linear maps, and not biases, norms and embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils import parametrize

from nonsmooth.errors import InputError

__all__ = ["Choice", "Selection", "select_weights"]

_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)
_EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)


@dataclass(frozen=True)
class Choice:
    """One parameter of a model, whether it is to be penalised, and why."""

    name: str
    parameter: torch.Tensor
    included: bool
    why: str


@dataclass(frozen=True)
class Selection:
    """Every parameter of a model once, in the model's order. Iterating gives those included, with names."""

    choices: tuple[Choice, ...]

    def __iter__(self) -> Iterator[tuple[str, torch.Tensor]]:
        return ((each.name, each.parameter) for each in self.choices if each.included)

    def __str__(self) -> str:
        width = max((len(each.name) for each in self.choices), default=0)
        return "\n".join(
            f"{'penalised' if each.included else 'left out ':9}  {each.name:{width}}  "
            f"{'x'.join(map(str, each.parameter.shape)) or 'scalar':>15}  {each.why}"
            for each in self.choices
        )


def select_weights(model: nn.Module) -> Selection:
    """The weights of a model that an L1 penalty is meant for.

    The rule, in this order: a parameter of a norm layer (batch, instance, layer, group norm, or a class whose
    name ends in "Norm") or of an embedding, or tied to one, is left out; so is what a parametrised weight is
    computed from (``torch.nn.utils.parametrizations``: a penalty on it is none on the weight); one that does
    not require a gradient; one with fewer than two axes (a bias, a scale). All others are included. A
    parameter shared by several modules counts once, under its first name.

    Args:
        model: any module.

    Returns:
        A Selection: iterate for (name, parameter); print for the rule's answer on every parameter.

    Raises:
        InputError: the model is none.

    >>> from torch import nn
    >>> print(select_weights(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4))))
    penalised  0.weight              4x3  weight of a Linear
    left out   0.bias                  4  fewer than two axes: a bias or a scale
    left out   1.weight                4  of a norm layer (LayerNorm)
    left out   1.bias                  4  of a norm layer (LayerNorm)
    """
    if not isinstance(model, nn.Module):
        raise InputError(f"model is a {type(model).__name__}; give a torch.nn.Module")
    owners: dict[torch.Tensor, list[nn.Module]] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            owners.setdefault(parameter, []).append(module)
    return Selection(
        tuple(_choose(name, parameter, owners[parameter]) for name, parameter in model.named_parameters())
    )


def _choose(name: str, parameter: torch.Tensor, owners: list[nn.Module]) -> Choice:
    for owner in owners:
        kind = type(owner).__name__
        if isinstance(owner, _NORMS) or kind.endswith("Norm"):
            return Choice(name, parameter, False, f"of a norm layer ({kind})")
        if isinstance(owner, _EMBEDDINGS):
            tied = "tied to an embedding" if owner is not owners[0] or len(owners) > 1 else "an embedding"
            return Choice(name, parameter, False, f"{tied} ({kind})")
        if isinstance(owner, parametrize.ParametrizationList):
            return Choice(name, parameter, False, "a weight is computed from it (parametrised)")
    if not parameter.requires_grad:
        return Choice(name, parameter, False, "does not require a gradient")
    if parameter.ndim < 2:
        return Choice(name, parameter, False, "fewer than two axes: a bias or a scale")
    return Choice(name, parameter, True, f"weight of a {type(owners[0]).__name__}")
