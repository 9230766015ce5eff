"""An L1 term in the loss, held against what it can reach (``nonsmooth.floor``), and whom it is put on."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import nn

from nonsmooth.diagnostics import Floor, floor
from nonsmooth.errors import InputError
from nonsmooth.findings import Observation, number
from nonsmooth.methods import select_weights

__all__ = ["L1Term", "factory_like", "penalised_on_purpose", "what_l1_reaches"]

# A data gradient above this share of the strength throws some optimisers' weights off their floor.
_WEAK = 0.01
_STEPS, _SAMPLE = 20_000, 10_000
_PAPER = "S. K. Kumar, GD doesn't make the cut (arXiv 2401.08426), Section 4 and Appendix B; nonsmooth.floor"


class L1Term(Protocol):
    """strength * sum |w| in the loss, over the parameters of these names; strength None: not a constant."""

    @property
    def parameters(self) -> Sequence[str]: ...

    @property
    def strength(self) -> float | None: ...


def factory_like(optimizer: torch.optim.Optimizer) -> Callable[[Any], torch.optim.Optimizer]:
    """A factory of optimisers of the same class with the settings of the first parameter group.

    >>> make = factory_like(torch.optim.SGD([torch.zeros(1)], lr=0.5, momentum=0.9))
    >>> make([torch.zeros(2)]).param_groups[0]["momentum"]
    0.9
    """
    kind = cast(Callable[..., torch.optim.Optimizer], type(optimizer))
    known = inspect.signature(kind).parameters
    group = optimizer.param_groups[0]
    given = {
        name: float(value) if isinstance(value, torch.Tensor) else value
        for name, value in group.items()
        if name in known and name not in ("params", "param_names")
    }
    return lambda parameters: kind(parameters, **given)


def what_l1_reaches(
    terms: Sequence[L1Term],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    steps: int | None = None,
    gradients: Mapping[str, torch.Tensor] | None = None,
    threshold: float = 1e-5,
) -> list[Observation]:
    """What each L1 term can reach under the optimiser, from the weights as they are.

    Args:
        terms: L1 terms found in the loss.
        model: names and present values of the parameters.
        optimizer: whose class and settings are used; it is not stepped.
        steps: of the training; None: 20,000.
        gradients: of the loss *without* the term, by parameter's name; None if not known.
        threshold: what counts as small.
    """
    found = []
    weights = dict(model.named_parameters())
    for k, term in enumerate(terms, 1):
        id = "l1-in-loss" if len(terms) == 1 else f"l1-in-loss-{k}"
        values = [weights[name].detach().double().flatten() for name in term.parameters if name in weights]
        if term.strength is None or not term.strength > 0 or not values:
            why = getattr(term, "why", "") or "its strength is not positive, or its weights are not known"
            found.append(_unknown(id, term, why))
            continue
        start = torch.cat(values).cpu().numpy()
        start = start[np.random.default_rng(0).permutation(len(start))[:_SAMPLE]]
        if not np.isfinite(start).all() or not start.any():
            found.append(_unknown(id, term, "its weights are not finite, or all 0"))
            continue
        try:
            law = floor(
                factory_like(optimizer),
                strength=float(term.strength),
                start=start,
                steps=steps or _STEPS,
                threshold=threshold,
                size=sum(map(len, values)),
                weights=min(len(start), 2000),
            )
        except InputError as error:
            found.append(_unknown(id, term, str(error)))
            continue
        found.append(_reaches(id, term, law, optimizer, start))
        if gradients is not None:
            found += _void(id, term, gradients)
    return found


def _names(term: L1Term) -> str:
    names = list(term.parameters)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _unknown(id: str, term: L1Term, why: str) -> Observation:
    return Observation(
        id,
        "unknown",
        "There is an L1 term in the loss; what it reaches is not known.",
        f"On {_names(term)}: {why}.",
        source=_PAPER,
        remedy="Take the term out of the loss and attach it to the optimiser.",
        snippet="prox = ns.attach(optimizer, ns.L1(strength), params=model)",
    )


def _reaches(
    id: str, term: L1Term, law: Floor, optimizer: torch.optim.Optimizer, start: np.ndarray
) -> Observation:
    strength = float(term.strength or 0)
    mean, already = float(np.abs(start).mean()), float((start == 0).mean())
    gained = max(0.0, law.share_zero - already)
    told = (
        f"{number(strength, 3)} * |w| on {_names(term)}: with no data at all, {type(optimizer).__name__} "
        f"leaves after {law.steps:,} steps a mean |w| of {number(law.mean_abs, 3)} (now {number(mean, 3)}), "
        f"a share of {number(law.share_below, 3)} below {law.threshold:g} and {number(law.share_zero, 3)} "
        f"exactly 0 (now {number(already, 3)}); {law.how}, {law.law}, float64."
    )
    numbers = {**law.as_dict(), "parameters": list(term.parameters)}
    if law.share_zero >= 0.99:
        title = "The L1 term in the loss can reach exact zeros, where no data gradient acts."
        return Observation(id, "note", title, told, source=_PAPER, numbers=numbers)
    title = "The L1 term in the loss gives " + (
        "no exact zeros." if gained < 0.005 else f"exact zeros to {gained:.0%} of weights at best."
    )
    return Observation(
        id,
        "problem",
        title,
        told,
        "A subgradient of strength * |w| is ±strength however near w is to 0, so a step carries w across 0 "
        "and back: weights end on orbits whose width is the optimiser's doing.",
        _PAPER,
        "Take the term out of the loss and attach it to the optimiser.",
        f"prox = ns.attach(optimizer, ns.L1({strength:.3g}), params=model)",
        numbers,
    )


def _void(id: str, term: L1Term, gradients: Mapping[str, torch.Tensor]) -> list[Observation]:
    strength = float(term.strength or 0)
    slopes = [
        gradients[name].detach().abs().double().flatten() for name in term.parameters if name in gradients
    ]
    if not slopes:
        return []
    size = torch.cat(slopes)
    felt = float((size > _WEAK * strength).double().mean())
    more = float((size > strength).double().mean())
    if felt < 0.05:
        return []
    return [
        Observation(
            f"{id}-void",
            "warning",
            f"For {felt:.0%} of the penalised weights the data act too: the floor does not predict them.",
            f"|gradient of the data loss| above {_WEAK:g} of the strength for {felt:.1%} of the weights, "
            f"above the strength itself for {more:.1%}, on the batch given.",
            "The floor is the law of weights on which the penalty alone acts. Where data pull, weights end "
            "elsewhere: larger than the floor where the pull exceeds the strength.",
            _PAPER,
            numbers={"felt": felt, "more": more},
        )
    ]


def penalised_on_purpose(names: Sequence[str], model: nn.Module, what: str) -> list[Observation]:
    """Whether a penalty acts on parameters that it is seldom meant for; ``what`` names the penalty."""
    left_out = {choice.name: choice.why for choice in select_weights(model).choices if not choice.included}
    caught = [name for name in names if name in left_out]
    if not caught:
        return []
    shown = "; ".join(f"{name} ({left_out[name]})" for name in caught[:4])
    more = f"; and {len(caught) - 4} more" if len(caught) > 4 else ""
    return [
        Observation(
            "penalty-on-all",
            "warning",
            f"{what} acts on {len(caught)} parameters that are no weights of linear maps.",
            f"{shown}{more}.",
            "A bias or a norm's scale that is driven to 0 switches a unit off or moves its kink; it makes no "
            "connection sparse. An embedding's rows shrink with how seldom they are used.",
            "docs/moving.md; torch's own recipes leave biases and norms out of weight decay for this reason",
            "Penalise the weights only; print the rule and its answer on every parameter.",
            "print(ns.select_weights(model))",
            {"parameters": caught},
        )
    ]
