"""ReLU rounded off over a width D: two twins that differ from it near 0 only.

::

    SmoothedReLU(D)    (x + D/2)^2 / (2 D) on [-D/2, D/2], relu outside       C1,1, gradient 1/D-Lipschitz
    AnalyticReLU(D)    x Phi(8.5 x / D), Phi the normal distribution          analytic

The first *is* ReLU outside its join. No analytic function is: one that equals x on an interval equals x
everywhere (the identity theorem), and max(0, x) is not x. The second therefore comes as near as it pleases:
from |x| = D on its distance to ReLU is |x| Phi(-8.5 |x| / D) <= 1e-17 |x|, less than a float64 can tell of x
where x > 0, and in proportion as little where x < 0. It is GELU with the axes stretched: D = 8.5 is GELU.

Each is one ``autograd.Function``: step by step, eager torch would spend most of the time on the memory of a
dozen intermediate results. The backward consists of differentiable operations, so second derivatives work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nonsmooth.errors import InputError

__all__ = ["JOIN_SCALE", "AnalyticReLU", "SmoothedReLU"]

# Phi(-8.5) = 9.5e-18 < 2^-53: at |x| = D the analytic twin is ReLU to the last bit of a float64.
JOIN_SCALE = 8.5
_NARROWEST, _WIDEST = 1e-12, 1e12


class _Twin(nn.Module):
    """What both have: the width of the join, a value and a derivative."""

    def __init__(self, width: float) -> None:
        super().__init__()
        if not (isinstance(width, float | int) and _NARROWEST <= width <= _WIDEST):
            raise InputError(
                f"a join of width {width!r} is not allowed; "
                f"give a number from {_NARROWEST:g} to {_WIDEST:g}, for instance 0.01"
            )
        self.width = float(width)

    def forward(self, x: Tensor) -> Tensor:
        if torch.compiler.is_compiling():  # a compiler fuses the plain operations
            return self.value(x, self.width)
        return _Fused.apply(x, self.width, type(self))  # type: ignore[return-value]

    def extra_repr(self) -> str:
        return f"width={self.width:g}"

    @staticmethod
    def value(x: Tensor, width: float) -> Tensor:
        raise NotImplementedError

    @staticmethod
    def times_slope(factor: Tensor, x: Tensor, width: float) -> Tensor:
        """``factor`` times the derivative at ``x``."""
        raise NotImplementedError


class SmoothedReLU(_Twin):
    """ReLU with its kink replaced by a parabola over a width D: C1,1.

    f(x) = (x + D/2)^2 / (2 D) for |x| <= D/2, else max(0, x). Value and gradient are ReLU's to the last bit
    wherever |x| >= D/2 (and x is finite). The gradient clamp(x/D + 1/2, 0, 1) has the Lipschitz constant 1/D;
    f is above ReLU, by D/8 at most, at 0. The second derivative is 1/D inside, 0 outside.

    Args:
        width: D, from 1e-12 to 1e12, in the units of x.

    Raises:
        InputError: the width is not such a number.

    >>> import torch
    >>> SmoothedReLU(0.5)(torch.tensor([-0.25, 0.0, 0.25, 1.0]))
    tensor([0.0000, 0.0625, 0.2500, 1.0000])
    """

    @staticmethod
    def value(x: Tensor, width: float) -> Tensor:
        # With the slope t: inside x = D (t - 1/2), so it is D t^2/2; outside it is t x exactly.
        slope = _slope(x, width)
        return (1 - slope).mul_(width / 2).add_(x).mul_(slope)

    @staticmethod
    def times_slope(factor: Tensor, x: Tensor, width: float) -> Tensor:
        return factor * _slope(x, width)


def _slope(x: Tensor, width: float) -> Tensor:
    """clamp(x/D + 1/2, 0, 1), which is exactly 0 or 1 for every |x| >= D/2.

    The factor is larger than 1/D by four units in the last place: enough that no rounding leaves a point
    outside the join within it. (hardsigmoid would be one operation less, but torch's derivative of it takes
    1/6 in float32 for float64 as well.)
    """
    return functional.hardtanh_((x * ((1 + 4 * torch.finfo(x.dtype).eps) / width)).add_(0.5), 0, 1)


class AnalyticReLU(_Twin):
    """ReLU's nearest analytic twin of width D: x Phi(8.5 x / D), with Phi the normal distribution function.

    In float64 it equals ReLU to rounding for |x| >= D, and its gradient ReLU's to 7e-16; no analytic function
    can equal it exactly there. It is below ReLU, by 0.020 D at most, where x = +-0.088 D. At 0 it has slope
    1/2 and its largest curvature, 6.78/D. D = 8.5 is GELU. Values beyond the dtype's range times D/8.5 give
    NaN; in float16 it is computed in float32.

    Args:
        width: D, from 1e-12 to 1e12, in the units of x.

    Raises:
        InputError: the width is not such a number.

    Source: Hendrycks and Gimpel, "Gaussian Error Linear Units (GELUs)", arXiv:1606.08415, for D = 8.5.

    >>> import torch
    >>> AnalyticReLU(0.5)(torch.tensor([-0.5, 0.0, 0.5], dtype=torch.float64))
    tensor([-0.0000, 0.0000, 0.5000], dtype=torch.float64)
    """

    @staticmethod
    def value(x: Tensor, width: float) -> Tensor:
        scale = JOIN_SCALE / width
        return _unrolled(lambda z: functional.gelu(z * scale).div_(scale), x)

    @staticmethod
    def times_slope(factor: Tensor, x: Tensor, width: float) -> Tensor:
        scale = JOIN_SCALE / width
        # From +-40 on nothing changes any more, but the squares of a second derivative could overflow.
        return _unrolled(
            lambda g, z: torch.ops.aten.gelu_backward(g, functional.hardtanh_(z * scale, -40, 40)), factor, x
        )


def _unrolled(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """An elementwise function of tensors, the last one seen in the order in which it lies in memory.

    torch's gelu takes a path several times faster for contiguous tensors, which channels_last ones are once
    their axes are turned. float16 has not the range for x / D.
    """
    x = tensors[-1]
    if x.dtype == torch.float16:
        return _unrolled(function, *(t.float() for t in tensors)).to(x.dtype)
    if x.dim() == 4 and x.stride(1) == 1:
        return function(*(t.permute(0, 2, 3, 1) for t in tensors)).permute(0, 3, 1, 2)
    return function(*tensors)


class _Fused(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, width: float, twin: type[_Twin]) -> Tensor:
        return twin.value(x, width)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, float, type[_Twin]], output: Tensor) -> None:
        x, ctx.width, ctx.twin = inputs
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        return ctx.twin.times_slope(grads[0], ctx.saved_tensors[0], ctx.width), None, None

    @staticmethod
    def jvp(ctx: Any, *tangents: Any) -> Any:
        return ctx.twin.times_slope(tangents[0], ctx.saved_tensors[0], ctx.width)
