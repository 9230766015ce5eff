"""The penalties of a training run: those in its loss, and one attached to its optimiser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from nonsmooth.audit._l1_measured import held_against, not_traced
from nonsmooth.audit._l1_terms import L1Term
from nonsmooth.audit._penalty import penalised_on_purpose, what_l1_reaches
from nonsmooth.audit._schedule_observations import too_short
from nonsmooth.audit._schedules import ScheduleFacts
from nonsmooth.audit._slope_jumps import slope_jumps
from nonsmooth.audit._smoothness import Smoothness
from nonsmooth.audit._untouched import untouched
from nonsmooth.findings import Observation, number
from nonsmooth.penalties import ElasticNet

__all__ = ["attached_penalty", "penalties_in_the_loss", "penalties_measured"]


def penalties_measured(
    smooth: Smoothness,
    model: nn.Module,
    value: Callable[[], torch.Tensor],
    other: Callable[[], torch.Tensor] | None,
    seconds: float,
    skipped: list[tuple[str, str]],
) -> tuple[Smoothness, list[Observation]]:
    """The L1 terms of the trace that stand, and what is said of others: by the jumps of the loss's slope."""
    jumps = slope_jumps(model, value, seconds, other=other)
    if isinstance(jumps, str):
        skipped.append(("whether the loss has the kinks that the trace shows", jumps))
        return smooth, []
    terms, said = held_against(smooth.l1_terms, jumps)
    more = not_traced(terms, smooth.kinked_terms, jumps)
    measured = {name for each in more for name in each.numbers["parameters"]}
    kinked = tuple(each for each in smooth.kinked_terms if not measured & set(each.parameters))
    return replace(smooth, l1_terms=tuple(terms), kinked_terms=kinked), said + more


def penalties_in_the_loss(
    smooth: Smoothness,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    facts: ScheduleFacts | None,
    steps: int | None,
    value: Callable[[], torch.Tensor] | None,
) -> list[Observation]:
    """What the L1 terms of the loss can reach, whom they act on, and whether the steps are enough."""
    terms = smooth.l1_terms
    if not terms or any(p.is_meta for p in model.parameters()):
        return [each for each in smooth.observations() if each.id.startswith("l1-in-loss")]
    slopes = None if value is None else _data_gradients(model, value, terms)
    found = what_l1_reaches(terms, model, optimizer, steps=steps, gradients=slopes)
    found += penalised_on_purpose(
        [name for term in terms for name in term.parameters], model, "The L1 term in the loss"
    )
    if facts is not None and steps is not None:
        for term in terms:
            if term.strength:
                pulled = _values(model, term.parameters)
                found += too_short(facts, optimizer, pulled, abs(term.strength), "the L1 term")
    return found


def _values(model: nn.Module, names: Sequence[str]) -> torch.Tensor:
    weights = dict(model.named_parameters())
    return torch.cat([weights[name].detach().flatten() for name in names])


def _data_gradients(
    model: nn.Module, value: Callable[[], torch.Tensor], terms: Sequence[L1Term]
) -> Mapping[str, torch.Tensor] | None:
    """The gradient of the loss without its L1 terms: that of the whole less strength * sign(w)."""
    if any(term.strength is None for term in terms):
        return None
    weights = {name: p for name, p in model.named_parameters() if p.requires_grad}
    with untouched(model):
        slopes = torch.autograd.grad(value(), list(weights.values()), allow_unused=True)
    found = {
        name: torch.zeros_like(p) if slope is None else slope
        for (name, p), slope in zip(weights.items(), slopes, strict=True)
    }
    for term in terms:
        for name in term.parameters:
            if name in found:
                found[name] = found[name] - float(term.strength or 0) * weights[name].detach().sign()
    return found


def attached_penalty(
    penalty: Any,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    facts: ScheduleFacts | None,
    steps: int | None,
) -> list[Observation]:
    """An attached penalty: that it is there, whom it acts on, and whether the steps are enough."""
    if penalty is None:
        return []
    names = {p: name for name, p in model.named_parameters()}
    terms = [(names[term.parameter], term) for term in penalty.terms if term.parameter in names]
    caught = penalised_on_purpose([name for name, _ in terms], model, "The attached penalty")
    zeros = sum(int((term.parameter == 0).sum()) for _, term in terms)
    count = sum(term.parameter.numel() for _, term in terms)
    kinds = sorted({str(term.penalty) for _, term in terms})
    found = [
        Observation(
            "penalty-attached",
            "fine" if terms else "problem",
            f"A penalty is attached ({', '.join(kinds[:3])}): steps are proximal, zeros are exact."
            if terms
            else "The attached penalty acts on no parameter of this model.",
            f"On {len(terms)} tensors with {count:,} weights, of which {zeros:,} are exactly 0 now.",
            source="docs/moving.md",
            numbers={"parameters": [name for name, _ in terms], "zeros": zeros, "count": count},
        ),
        *caught,
    ]
    if facts is not None and steps is not None:
        pulled: dict[float, list[torch.Tensor]] = {}
        for _, term in terms:
            # Other penalties pull with a strength that depends on the weight.
            if isinstance(term.penalty, ElasticNet) and not term.penalty.l2 and not term.penalty.width:
                strength = float(term.penalty.l1)
                if strength > 0:
                    pulled.setdefault(strength, []).append(term.parameter.detach().flatten())
        for strength, weights in pulled.items():
            what = f"the penalty of strength {number(strength, 3)}"
            found += too_short(facts, optimizer, torch.cat(weights), strength, what)
    return found
