"""What a full-batch run ended at: a smooth point, a kink that carries a slope, or neither yet."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nonsmooth.claims._dense import Dense

__all__ = ["AT_KINK", "SMALL_GRADIENT", "Look", "look"]

SMALL_GRADIENT = 1e-7
# Distance to a unit's kink in its layer's parameters, |z| / ||(h, 1)||, that counts as at it.
AT_KINK = 1e-7
_SLOPE = 1e-7  # change of the loss' slope across a kink, per unit of that distance, that counts


@dataclass(frozen=True)
class Look:
    """One seed's end.

    Attributes:
        kind: "smooth" (gradient at most ``SMALL_GRADIENT``), "kink" (a larger one, and at least one kink at
            ``AT_KINK`` whose slope counts), or "unfinished".
        gradient: Euclidean norm.
        kinks: so many.
        gap: distance of the nearest other unit over that of the farthest of these; how clearly they are
        apart.
    """

    kind: str
    gradient: float
    kinks: int
    gap: float


def look(net: Dense, points: Tensor) -> list[Look]:
    """The ends at ``points`` (S, P), one a seed; by the network's own passes, no solver's word is taken."""
    _, gradients = net.slopes(points)
    with torch.enable_grad():
        seen = net.forward(points.detach().requires_grad_())
        # dL/dh of each hidden activation: across a kink the slope along z changes by this
        jumps = torch.autograd.grad(net.losses(seen.outputs).sum(), seen.hidden)
    inputs = [net.x.expand(len(points), *net.x.shape[-2:]), *seen.hidden[:-1]]
    norms = [(h.detach().square().sum(2) + 1).sqrt()[:, :, None] for h in inputs]
    distance = torch.cat(
        [(z.detach().abs() / n).flatten(1) for z, n in zip(seen.inner, norms, strict=True)], 1
    )
    slopes = torch.cat([(j.abs() * n).flatten(1) for j, n in zip(jumps, norms, strict=True)], 1)
    at = (distance <= AT_KINK) & (slopes > _SLOPE)
    looks = []
    for k, gradient in enumerate(gradients.norm(dim=1).tolist()):
        kinks = int(at[k].sum())
        others = distance[k][~at[k]].min().item() if kinks < at.shape[1] else torch.inf
        gap = others / max(distance[k][at[k]].max().item(), 1e-17) if kinks else 0.0
        kind = "smooth" if gradient <= SMALL_GRADIENT else "kink" if kinks else "unfinished"
        looks.append(Look(kind, gradient, kinks, gap))
    return looks
