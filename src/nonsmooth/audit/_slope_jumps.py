"""How far the slope of the loss jumps where a weight is 0: by 2 s for an L1 term of strength s.

The trace reads how a term is written. This measures what it does, however it is written: one entry of each
parameter is put on either side of 0, so near to it that nothing else of the loss changes in floating point.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nonsmooth.audit._untouched import settled, untouched, without_hooks

__all__ = ["SlopeJump", "slope_jumps"]

_NEAR, _FURTHER = 1e-12, 1e-6  # of the weights' size
_STIRRED = 0.25
_PASSES = 11
_AGREE = 0.01


class SlopeJump(NamedTuple):
    """Half the jump of the loss's slope at 0, along two single entries of one parameter.

    Attributes:
        halves: of either entry, with the weights as they are.
        changed: further from 0, with all other weights changed by up to a quarter and, if given, with other
            data: the same for an L1 term with a strength of its own, and another one for the kinks of a
            network.
        noise: what a half is uncertain by: rounding, and what two equal passes differ by.
        further: of the first entry further from 0, and nothing else changed: for |w|^p, p < 1, it is less.
    """

    halves: tuple[float, float]
    changed: tuple[float, float]
    noise: float
    further: float = 0.0

    @property
    def strength(self) -> float | None:
        """The strength of an L1 term with such jumps now; 0.0: none; None: they are no one number.

        >>> SlopeJump((0.1, 0.1), (0.2, 0.2), 1e-9, 0.1).strength
        0.1
        >>> SlopeJump((0.1, 0.2), (0.1, 0.2), 1e-9, 0.1).strength is None
        True
        """
        if all(abs(each) <= self.noise for each in self.halves):
            return 0.0
        return self.halves[0] if self._same(*self.halves) and not self.unbounded else None

    @property
    def constant(self) -> bool:
        """Whether the jumps are those of terms with constant factors, though not one for all entries."""
        return all(map(self._same, self.halves, self.changed))

    @property
    def unbounded(self) -> bool:
        """Whether the slope steepens towards 0."""
        return self.halves[0] > 2 * self.further > 8 * self.noise

    def says(self, strength: float) -> bool:
        """Whether all jumps are those of this strength, to one in a hundred and the noise."""
        return all(self._same(strength, each) for each in (*self.halves, *self.changed))

    def _same(self, a: float, b: float) -> bool:
        return abs(a - b) <= _AGREE * abs(a) + self.noise


def slope_jumps(
    model: nn.Module,
    value: Callable[[], Tensor],
    seconds: float = math.inf,
    *,
    other: Callable[[], Tensor] | None = None,
) -> dict[str, SlopeJump] | str:
    """The jumps for each trainable parameter of more than one entry, from eleven gradients.

    Args:
        model: put back afterwards.
        value: the loss at the model's weights as they are when it is called.
        other: the loss on other data; where it raises, ``value`` takes its place.
        seconds: that may be used; more than these, judged by the first pass, are not begun.

    Returns:
        By parameter's name; or why nothing was measured. Parameters on which the loss does not depend, with
        a gradient that is not finite or of complex numbers are left out.

    >>> net = nn.Linear(3, 2)
    >>> x = torch.ones(4, 3)
    >>> jumps = slope_jumps(net, lambda: net(x).square().mean() + 0.25 * net.weight.abs().sum())
    >>> jumps["weight"].strength, jumps["bias"].strength
    (0.25, 0.0)
    """
    weights = {
        name: p
        for name, p in model.named_parameters()
        if p.requires_grad
        and p.is_floating_point()
        and p.layout == torch.strided
        and p.numel() > 1 < p.element_size()
    }
    if not weights:
        return "no parameter has several entries of real numbers"
    draw = np.random.default_rng(0)
    pairs = {name: _two(p, draw) for name, p in weights.items()}
    first, second = ({name: int(pair[k]) for name, pair in pairs.items()} for k in (0, 1))
    # The gradient of a tiny number to a small power must stay within the type.
    sizes = {
        name: max(float(p.detach().abs().double().mean()), 1e-3) if p.isfinite().all() else math.nan
        for name, p in weights.items()
    }

    def slopes(
        entries: Mapping[str, int], sign: int, near: float, same: Callable[[], Tensor]
    ) -> dict[str, tuple[float, float]]:
        with torch.no_grad():
            kept = {}
            for name, p in weights.items():
                place = np.unravel_index(entries[name], p.shape)
                kept[name] = place, p[place].clone()
                p[place] = sign * max(near * sizes[name], 4 * torch.finfo(p.dtype).tiny)
        with torch.enable_grad():
            found = torch.autograd.grad(same(), list(weights.values()), allow_unused=True)
        with torch.no_grad():
            for name, (place, before) in kept.items():
                weights[name][place] = before
        return {
            name: (float(slope[kept[name][0]]), float(slope.abs().max()))
            for name, given in zip(weights, found, strict=True)
            if given is not None and (slope := given.to_dense()).numel()
        }

    same = settled(model, value)
    with untouched(model), without_hooks(model):
        began = time.monotonic()
        passes = [slopes(first, 1, _NEAR, same)]
        taken = time.monotonic() - began
        if taken * _PASSES > seconds:
            return f"it takes {_PASSES} gradients, and one takes {taken:.2g} s"
        again = slopes(first, 1, _NEAR, same)
        passes += [slopes(first, -1, _NEAR, same)]
        passes += [slopes(second, sign, _NEAR, same) for sign in (1, -1)]
        passes += [slopes(first, sign, _FURTHER, same) for sign in (1, -1)]
        with torch.no_grad():
            for name, p in weights.items():  # zeros as well: a group norm has its kink where all are 0
                p.copy_(torch.where(p == 0, _STIRRED * sizes[name], p) * (1 + _STIRRED * torch.rand_like(p)))
        if other is not None and _runs(other):
            same = settled(model, other)
        passes += [slopes(each, sign, _FURTHER, same) for each in (first, second) for sign in (1, -1)]
    jumps = {}
    for name in again:
        slope, largest = zip(*(each[name] for each in passes if name in each), strict=True)
        noise = 32 * torch.finfo(weights[name].dtype).eps * max(largest) + 4 * abs(slope[0] - again[name][0])
        if len(slope) == len(passes) and math.isfinite(sum(slope) + noise):
            a, b, far, c, d = ((up - down) / 2 for up, down in zip(slope[::2], slope[1::2], strict=True))
            jumps[name] = SlopeJump((a, b), (c, d), noise, far)
    return jumps


def _two(p: Tensor, draw: np.random.Generator) -> np.ndarray:
    """Two entries, of those that are not 0 if there are two: others may be masked."""
    alive = p.detach().reshape(-1).nonzero().reshape(-1).cpu().numpy()
    return draw.choice(alive if len(alive) > 1 else p.numel(), 2, replace=False)


def _runs(value: Callable[[], Tensor]) -> bool:
    try:
        return bool(value().isfinite())
    except Exception:  # of any kind: it is the user's code that runs here
        return False
