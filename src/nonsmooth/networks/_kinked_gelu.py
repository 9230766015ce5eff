"""GELU with kinks: its graph drawn with straight lines, the kinked twin of a smooth activation.

The counterpart of ReLU's smoothed twins. Together they cross shape with smoothness::

                    ReLU's shape            GELU's shape
    kinks           ReLU                    KinkedGELU(0.5)
    analytic        AnalyticReLU(1e-4)      GELU

KinkedGELU(D) is linear between the knots 0, +-D, +-2D, ... and ReLU beyond the last one, so that it goes from
GELU (D -> 0) to ReLU (D >= 5) without ever being differentiable.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from nonsmooth.errors import InputError

__all__ = ["KinkedGELU"]

# GELU is within 2e-6 of ReLU from here on.
_REACH = 5.0
_FINEST, _COARSEST = 1e-3, 1e3


class KinkedGELU(nn.Module):
    """GELU interpolated linearly between knots a spacing D apart, and ReLU beyond the last knots.

    The knots are k D for |k| <= K, the least K with K D >= 5. The function is GELU at all but the last two,
    where it is 0 and K D: continuous, piecewise linear, with 2 K + 1 kinks. It differs from GELU by D^2/10 at
    most (D <= 1) and is exactly ReLU from D = 5 on. At a knot the gradient is the slope on its right
    (where rounding moves the knot, on one of its sides).

    Args:
        spacing: D, from 1e-3 to 1e3, in the units of the input.

    Raises:
        InputError: the spacing is not such a number.

    >>> import torch
    >>> KinkedGELU(0.5)(torch.tensor([-6.0, -0.25, 0.0, 6.0]))
    tensor([ 0.0000, -0.0771,  0.0000,  6.0000])
    """

    slopes: Tensor
    offsets: Tensor

    def __init__(self, spacing: float) -> None:
        super().__init__()
        if not (isinstance(spacing, float | int) and _FINEST <= spacing <= _COARSEST):
            raise InputError(
                f"a spacing of {spacing!r} is not allowed; "
                f"give a number from {_FINEST:g} to {_COARSEST:g}, for instance 0.5"
            )
        self.spacing = float(spacing)
        self._last = math.ceil(_REACH / spacing)
        knots = torch.arange(-self._last, self._last + 1, dtype=torch.float64) * spacing
        values = functional.gelu(knots)
        values[0], values[-1] = 0, knots[-1]
        ends = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
        slopes = torch.cat([ends[0], values.diff() / spacing, ends[1]])
        # The piece left of the first knot is 0; the one that ends at knot k goes through it.
        through = torch.cat([knots, knots[-1:]]), torch.cat([values, values[-1:]])
        self.register_buffer("slopes", slopes, persistent=False)
        self.register_buffer("offsets", through[1] - slopes * through[0], persistent=False)

    @property
    def knots(self) -> Tensor:
        """(2 K + 1,) where the kinks are, ascending, float64."""
        return torch.arange(-self._last, self._last + 1, dtype=torch.float64) * self.spacing

    def forward(self, x: Tensor) -> Tensor:
        last = self._last
        # A number that is not one stays so in the last line; as an index it must be one.
        piece = (x.detach() / self.spacing).floor_().add_(last + 1).clamp_(0, 2 * last + 1).nan_to_num_(0)
        piece = piece.int()
        # -inf times the slope 0 would be no number.
        inside = x.clamp(min=-last * self.spacing)
        return torch.addcmul(self.offsets.to(x.dtype)[piece], self.slopes.to(x.dtype)[piece], inside)

    def extra_repr(self) -> str:
        return f"spacing={self.spacing:g}"
