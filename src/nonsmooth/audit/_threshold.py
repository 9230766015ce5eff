"""Soft thresholding by hand, watched: which L1 strength does it solve for, at which weight?

After the optimiser's step a training script takes t off every |w|. A point that does not move then solves
for the strength t/s, s being the optimiser's own effective step of that weight
(``nonsmooth.methods.effective_step``). With t = lr * strength that is the strength itself for plain SGD,
strength * (1 - m) under momentum m, and strength * sqrt(v), another one for every weight, under Adam.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from nonsmooth.audit._untouched import untouched
from nonsmooth.errors import InputError
from nonsmooth.findings import Observation, number
from nonsmooth.methods import effective_step

__all__ = ["Watched", "watch"]

# The strengths of 90 % of the weights within this factor are one strength; a median off by more is another.
_SPREAD, _OFF = 1.5, 1.1
# A strength that falls by this factor over the steps watched is not constant.
_FALL = 1.5
_SOURCE = (
    "x = prox(x - s g, s λ) holds exactly where -g is in λ times the subdifferential of |x|; Yun, Lozano and "
    "Yang, Adaptive proximal gradient methods for structured neural networks (2021)"
)
_ENTRIES = 100_000  # of each parameter, at most


@dataclass(frozen=True)
class Watched:
    """What a training step does to weights after the optimiser's own step.

    Attributes:
        steps: steps watched.
        parameters: names of the parameters that were moved after the optimiser's step.
        zeros: exact zeros that this made in the last step, over the entries moved or zeroed.
        strengths: (steps, 3): 5 %, median and 95 % point of t/s over the thresholded entries, at each step.
        entries: how many entries the last row rests on.
        shrinks: every moved entry came nearer to 0, as a threshold brings it.
    """

    steps: int
    parameters: tuple[str, ...]
    zeros: int
    strengths: np.ndarray
    entries: int
    shrinks: bool

    @property
    def found(self) -> bool:
        """Whether the weights are thresholded by hand."""
        return bool(self.parameters) and self.shrinks and self.entries > 0

    def observations(self, strength: float | None = None) -> list[Observation]:
        """What this means; ``strength``: that which was meant, if known."""
        if not self.found:
            return []
        low, middle, high = (float(each) for each in self.strengths[-1])
        told = (
            f"After {self.steps} steps the thresholds solve for strength {number(middle, 3)} (median; 5 % to "
            f"95 % of {self.entries:,} weights: {number(low, 3)} to {number(high, 3)})"
        )
        told += "." if strength is None else f"; {number(strength, 3)} was meant."
        numbers = {"strengths": self.strengths.tolist(), "meant": strength, "entries": self.entries}

        def problem(id: str, title: str, why: str) -> Observation:
            meant = number(middle if strength is None else strength, 3)
            snippet = f"prox = ns.attach(optimizer, ns.L1({meant}), params=model)  # and no soft threshold"
            remedy = "Let the penalty follow the optimiser's own step: remove the threshold and attach it."
            return Observation(id, "problem", title, told, why, _SOURCE, remedy, snippet, numbers)

        found: list[Observation] = []
        if high > _SPREAD * low:
            title = "Soft thresholding by hand uses the wrong step: every weight has a strength of its own."
            why = "No problem that was posed is solved: weights are shrunk in proportion to their gradients."
            found.append(problem("threshold-step", title, why))
        elif strength is not None and not strength / _OFF <= middle <= strength * _OFF:
            title = f"Soft thresholding by hand solves for {number(middle / strength, 3)} times the strength."
            why = "The threshold is not the step that the optimiser takes; momentum, for one, adds to that."
            found.append(problem("threshold-step", title, why))
        kept = [float(row[1]) for row in self.strengths if np.isfinite(row).all()]
        if len(kept) > 3 and kept[0] > _FALL * kept[-1]:
            title = (
                f"The strength solved for falls {number(kept[0] / kept[-1], 3)}-fold in {self.steps} steps."
            )
            why = "A threshold that shrinks faster than the optimiser's step lets the penalty fade away."
            found.append(problem("strength-decays", title, why))
        if not found and strength is not None:
            title = "Soft thresholding by hand solves for the strength that was meant."
            found.append(Observation("threshold-step", "fine", title, told, source=_SOURCE, numbers=numbers))
        return found


def watch(
    step: Callable[[], Any], model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 20, *held: Any
) -> Watched:
    """Take training steps and look at what happens to weights after the optimiser's own; then undo them.

    Args:
        step: one training step: gradients, ``optimizer.step()``, and whatever follows it.
        model, optimizer: what it works on. Both are put back afterwards, with ``held``.
        steps: how many, >= 1.
        held: attachments, schedulers, scalers whose state must be put back too.

    Raises:
        InputError: ``step`` raises, or never calls ``optimizer.step()``.

    >>> w = nn.Linear(3, 1, bias=False)
    >>> sgd = torch.optim.SGD(w.parameters(), lr=0.1, momentum=0.9)
    >>> def step():
    ...     sgd.zero_grad()
    ...     (w(torch.ones(2, 3)) ** 2).mean().backward()
    ...     sgd.step()
    ...     with torch.no_grad():
    ...         w.weight.copy_(torch.nn.functional.softshrink(w.weight, 0.1 * 1e-3))
    >>> seen = watch(step, w, sgd)
    >>> seen.parameters, round(float(seen.strengths[-1, 1]), 6)
    (('weight',), 0.0001)
    """
    names: dict[torch.Tensor, str] = {p: name for name, p in model.named_parameters()}
    after: dict[torch.Tensor, torch.Tensor] = {}
    called = 0

    def keep(*_: Any) -> None:
        nonlocal called
        called += 1
        after.update({p: p.detach().clone() for p in names})

    rows, moved, shrinks = [], set(), True
    zeros = entries = 0
    with untouched(model, optimizer, *held):
        handle = optimizer.register_step_post_hook(keep)
        try:
            for _ in range(steps):
                try:
                    step()
                except Exception as error:
                    said = " ".join(str(error).split())[:160]
                    raise InputError(
                        f"the training step raises {type(error).__name__} ({said}); give a step that runs"
                    ) from error
                strengths, zeros, nearer = _thresholds(optimizer, after)
                moved |= {names[p] for p in after if not torch.equal(p, after[p])}
                shrinks &= nearer
                entries = len(strengths)
                nothing = np.full(3, np.nan)
                rows.append(np.quantile(strengths, (0.05, 0.5, 0.95)) if entries else nothing)
        finally:
            handle.remove()
    if not called:
        raise InputError(
            "the training step never calls optimizer.step() of the optimiser given; give that one"
        )
    return Watched(steps, tuple(sorted(moved)), zeros, np.array(rows), entries, shrinks)


def _thresholds(
    optimizer: torch.optim.Optimizer, after: dict[torch.Tensor, torch.Tensor]
) -> tuple[np.ndarray, int, bool]:
    """t/s of the entries shrunk and not zeroed, how many were zeroed, whether all came nearer to 0."""
    found, zeros, nearer = [], 0, True
    groups = {p: group for group in optimizer.param_groups for p in group["params"]}
    for p, before in after.items():
        now = p.detach()
        taken = before.abs() - now.abs()
        changed = now != before
        if not changed.any():
            continue
        nearer &= bool(((taken >= 0) & (now * before >= 0))[changed].all())
        zeros += int((changed & (now == 0)).sum())
        kept = changed & (now != 0)
        if p not in groups or not kept.any():
            continue
        try:
            s = effective_step(optimizer, groups[p], p).step()
        except InputError:  # no diagonal metric: nothing to hold the threshold against
            continue
        strengths = (taken / s)[kept].double().flatten()
        found.append(strengths[:: max(1, len(strengths) // _ENTRIES)].cpu().numpy())
    return (np.concatenate(found) if found else np.empty(0)), zeros, nearer
