"""The two one-sided derivatives of the mean loss along a direction, exact also at kinks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nonsmooth.diagnostics._checks import not_negative
from nonsmooth.diagnostics._directional import Directional, Tie
from nonsmooth.diagnostics._mean_gradient import length_of, loss_of, mean_gradient
from nonsmooth.diagnostics._pieces import held, in_words, with_values
from nonsmooth.diagnostics._tape import record
from nonsmooth.diagnostics._unwrapped import unwrapped
from nonsmooth.errors import InputError
from nonsmooth.findings import Level, Observation

__all__ = ["OneSided", "Tie", "directions", "one_sided"]

_SOURCE = "Shapiro, On concepts of directional differentiability, J. Optim. Theory Appl. 66, 1990"


@dataclass(frozen=True)
class OneSided:
    """What the mean loss f does when the weights leave x along a direction d and along -d.

    Attributes:
        forward: f'(x; d), the limit of (f(x + h d) - f(x))/h for h > 0 going to 0.
        backward: f'(x; -d).
        autograd: g . d with torch's gradient g: ``forward`` wherever f is differentiable, else whatever
            torch's conventions at the kinks make it.
        loss: f(x).
        ties: the operations with arguments at a kink, over all batches.
        exact: False where a tie is at a jump, or an operation was met whose kinks are not known: then the
            numbers are derivatives of the piece that torch is on.
        samples: over which the mean is taken.
        dtype: of the parameters.
    """

    forward: float
    backward: float
    autograd: float
    loss: float
    ties: tuple[Tie, ...]
    exact: bool
    samples: int
    dtype: str

    @property
    def jump(self) -> float:
        """f'(x; d) + f'(x; -d): 0 where f is differentiable along d, > 0 at a convex kink."""
        return self.forward + self.backward

    @property
    def descends(self) -> bool:
        """Whether d or -d is a descent direction."""
        return min(self.forward, self.backward) < 0

    @property
    def agrees(self) -> bool:
        """Whether autograd's slope is that of both sides, to rounding (the cube root of the dtype's)."""
        size = max(abs(self.forward), abs(self.backward), abs(self.autograd))
        near = torch.finfo(getattr(torch, self.dtype)).eps ** (1 / 3) * size
        return abs(self.forward - self.autograd) <= near and abs(self.backward + self.autograd) <= near

    def observation(self) -> Observation:
        """Whether autograd's slope along d is that of the loss, on both sides."""
        level: Level = "fine"
        title = "Along this direction autograd's slope is the loss's own, on both sides."
        why, remedy = "The loss is differentiable along it.", ""
        if not self.exact:
            level, title = "unknown", "The slopes along this direction are not certain."
            why = "A value that jumps has no slope, and an operation whose kinks are not known may be at one."
            remedy = "Move off the jump, or take difference quotients of several lengths."
        elif not self.agrees:
            level, title = (
                "warning",
                "The loss has a kink along this direction, and autograd shows one slope.",
            )
            why = (
                "Autograd returns what torch's conventions at the kinks make of the two slopes; a method "
                "that trusts it may step uphill, or stop where it could descend."
            )
            remedy = "Judge descent and stationarity along it by the two one-sided slopes."
            if self.autograd < 0 <= self.forward:
                title = "Autograd promises descent along this direction, and the loss does not descend."
            elif self.autograd >= 0 and self.forward < 0:
                title = "The loss descends along this direction, and autograd shows no descent."
        numbers = {name: value for name, value in vars(self).items() if name != "ties"}
        numbers |= {"jump": self.jump, "ties": [dict(vars(tie)) for tie in self.ties]}
        return Observation(
            "one-sided-slopes", level, title, self.evidence, why, _SOURCE, remedy, numbers=numbers
        )

    @property
    def evidence(self) -> str:
        """In words."""
        count, moving = sum(t.count for t in self.ties), sum(t.moving for t in self.ties)
        said = f"f'(x; d) = {self.forward:.6g}, f'(x; -d) = {self.backward:.6g} ({self.dtype}). "
        if count:
            said += f"{count:,} arguments are at a kink, {moving:,} of them leave it along d; "
        said += f"autograd's gradient gives {self.autograd:.6g} along d."
        if not self.exact:
            unknown = sorted(
                {f"{t.operation} in {t.module or 'the loss'}" for t in self.ties if not t.resolved}
            )
            said += f" Not certain: {', '.join(unknown)} may jump there, or have kinks that are not known."
        return said


def directions(
    model: nn.Module, direction: Mapping[str, torch.Tensor] | Sequence[torch.Tensor] | torch.Tensor
) -> dict[torch.Tensor, torch.Tensor]:
    """The tangent of each trained parameter, in the order of ``named_parameters``.

    Args:
        direction: by name (what is missing is 0), one tensor a parameter, or all of them in one flat tensor.

    Raises:
        InputError: names, shapes or number do not fit, an entry is not finite, all are 0.
    """
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not trained:
        raise InputError("no parameter of the model requires a gradient; there is no direction to go")
    if isinstance(direction, torch.Tensor):
        sizes = [p.numel() for p in trained.values()]
        if direction.shape != (sum(sizes),):
            raise InputError(
                f"direction has shape {tuple(direction.shape)}; give ({sum(sizes)},), the parameters one "
                "after the other, or a dictionary by name"
            )
        parts = [
            part.reshape(p.shape) for part, p in zip(direction.split(sizes), trained.values(), strict=True)
        ]
        found = dict(zip(trained, parts, strict=True))
    elif isinstance(direction, Mapping):
        found = dict(direction)
    else:
        if len(direction) != len(trained):
            raise InputError(
                f"direction has {len(direction)} tensors; the model has {len(trained)} trained parameters"
            )
        found = dict(zip(trained, direction, strict=True))
    for name, part in found.items():
        if name not in trained:
            raise InputError(
                f"direction names {name!r}; the trained parameters are {', '.join(trained)[:200]}"
            )
        if part.shape != trained[name].shape:
            raise InputError(
                f"direction[{name!r}] is of shape {tuple(part.shape)}, not {tuple(trained[name].shape)}"
            )
        if not bool(part.isfinite().all()):
            raise InputError(f"direction[{name!r}] has entries that are not finite")
    if not any(bool(part.any()) for part in found.values()):
        raise InputError("direction is 0 everywhere; give one that goes somewhere")
    return {
        p: found[name].detach().to(p).clone() if name in found else torch.zeros_like(p).detach()
        for name, p in trained.items()
    }


def one_sided(
    model: nn.Module,
    loss_fn: Callable[..., Any],
    batches: Iterable[Any],
    direction: Mapping[str, torch.Tensor] | Sequence[torch.Tensor] | torch.Tensor,
    *,
    tolerance: float = 0.0,
) -> OneSided:
    """The one-sided derivatives f'(x; d) and f'(x; -d) of the mean loss f at the model's weights x.

    No difference quotient: tangents run through every operation, and at a kink the tangent itself says which
    piece the argument goes to. It is the function as computed that is differentiated: ``detach`` hides
    nothing. The model is left as it was; it runs in the mode (training or evaluation) that it is in.

    Args:
        model: its trained parameters are x.
        loss_fn: ``loss_fn(model(x), y)`` for a batch that is a pair, ``loss_fn(model, batch)`` for any other;
            the mean over the batch.
        batches: over which the mean is taken, every sample alike.
        direction: d: by name (what is missing is 0), one tensor a parameter, or a flat tensor; any length.
        tolerance: arguments as near to a kink as this (in the units of the argument) count as at it. 0 counts
            exact hits only; a converged solution is at its kinks to rounding, such as 1e-12 in float64.

    Raises:
        InputError: a direction that does not fit, no batches, a model or loss that raises, an operation
            without forward-mode derivative, a derivative that is not finite.

    >>> net = nn.Linear(1, 1, bias=False)
    >>> _ = nn.init.zeros_(net.weight)
    >>> x, y = torch.ones(1, 1), torch.zeros(1, 1)
    >>> found = one_sided(net, lambda o, y: (torch.relu(o) - y).mean(), [(x, y)], torch.ones(1))
    >>> found.forward, found.backward, found.autograd
    (1.0, 0.0, 0.0)
    """
    tolerance = not_negative("tolerance", tolerance)
    model = unwrapped(model)
    with_values(model)
    tangents = directions(model, direction)
    opposite = {p: -t for p, t in tangents.items()}
    sums, samples, ties = [0.0, 0.0, 0.0], 0, []
    kept = held(model, batches)

    def both(batch: Any) -> None:
        nonlocal samples
        tape = record(model, list(tangents), lambda: loss_of(model, loss_fn, batch))
        there = Directional(tape, tolerance)
        loss, ahead = there.along(tangents)
        back = -ahead
        if any(tie.moving for tie in there.ties):  # else the loss is differentiable along d
            _, back = Directional(tape, tolerance).along(opposite)
        count = length_of(batch)
        samples += count
        ties.extend(there.ties)
        for k, value in enumerate((loss, ahead, back)):
            sums[k] += count * value

    # one pass beside the derivative tapes: torch's own answer, and everything put back afterwards
    with in_words("the model or the loss", "give batches and a loss that fit the model"):
        found = mean_gradient(
            model, loss_fn, kept, list(tangents), size=length_of, max_batches=None, watch=both
        )
    loss, ahead, back = (each / samples for each in sums)
    if not (math.isfinite(ahead) and math.isfinite(back)):
        raise InputError(
            f"the one-sided derivatives are {ahead:g} and {back:g}; the loss or a slope is not finite here"
        )
    autograd = sum(
        float((g * t.to(g)).sum()) for g, t in zip(found.gradients, tangents.values(), strict=True)
    )
    return OneSided(
        forward=ahead,
        backward=back,
        autograd=autograd,
        loss=loss,
        ties=_merged(ties),
        exact=all(tie.resolved for tie in ties),
        samples=samples,
        dtype=str(next(iter(tangents)).dtype).removeprefix("torch."),
    )


def _merged(ties: list[Tie]) -> tuple[Tie, ...]:
    """The same operation of the same module once."""
    found: dict[tuple[str, str, bool], list[int]] = {}
    for tie in ties:
        row = found.setdefault((tie.module, tie.operation, tie.resolved), [0, 0])
        row[0] += tie.count
        row[1] += tie.moving
    return tuple(
        Tie(module, name, count, moving, resolved)
        for (module, name, resolved), (count, moving) in found.items()
    )
