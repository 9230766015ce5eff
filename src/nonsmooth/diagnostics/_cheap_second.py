"""GELU, SiLU and convolution in a form whose second derivative is cheap; the functions are the same.

torch derives a derivative in general, and makes for each Hessian-vector product anew what is the same for all
of them, is 0, or is not asked for:

    GELU, SiLU    the second derivative at the inputs, from its formula in a dozen operations. Here f, f', f''
                  are nodes of one kind, each the derivative of the one before: f''(x) is computed once.
    convolution   the gradient of the inputs, also where the inputs are data, and the gradient of the weights
                  as a convolution with samples for channels. The three maps conv(x, w), its transpose in x
                  and its transpose in w are bilinear, and the derivatives of each are the two others: so each
                  is computed by the kernel that training uses, and only where it is asked for. To any order.

A product may differ from torch's in the last bits. Where hooks record the forward pass (checkpointing repeats
it later, outside this form) or another transformation is at work, torch's own forms are used. ReLU stays
torch's: as x times a mask it is cheaper (``benchmarks/sharpness.py``), but an infinite slope times 0 is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.autograd import forward_ad
from torch.nn import functional
from torch.overrides import TorchFunctionMode

__all__ = ["CheapSecond"]

_CONVOLUTIONS = {torch.conv1d: 1, torch.conv2d: 2, torch.conv3d: 3}
_SMOOTH = {functional.gelu, functional.silu}


class CheapSecond(TorchFunctionMode):
    """While this is on, these functions are computed in the form of the module's docstring."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        form = _FORMS.get(func)
        made = None if form is None or _otherwise_engaged() else form(func, *args, **kwargs)
        return func(*args, **kwargs) if made is None else made


def _otherwise_engaged() -> bool:
    """Whether torch.func or forward differentiation is at work, for which these forms have no rules, or hooks
    on saved tensors: a checkpoint that repeats the forward pass must find what was saved the first time."""
    c: Any = torch._C
    return (
        c._functorch.peek_interpreter_stack() is not None
        or c._autograd._top_saved_tensors_default_hooks(True) is not None
        or forward_ad._current_level >= 0
    )


def _smooth(func: Any, input: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor | None:
    if type(input) is not torch.Tensor or not input.requires_grad or any(args) or kwargs.get("inplace"):
        return None
    return _Derivative.apply(input, lambda x: func(x, **kwargs), 0)


class _Derivative(torch.autograd.Function):
    """The derivative of this order of an elementwise function."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, f: Callable[[torch.Tensor], torch.Tensor], order: int
    ) -> torch.Tensor:
        ctx.save_for_backward(x)
        ctx.f, ctx.order, ctx.kept = f, order, None
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            y = f(x)
            for turn in range(order):
                (y,) = torch.autograd.grad(y, x, torch.ones_like(y), create_graph=turn + 1 < order)
        return y.detach()

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> Any:
        if torch.is_grad_enabled() or ctx.kept is None:
            slope = _Derivative.apply(*ctx.saved_tensors, ctx.f, ctx.order + 1)
            ctx.kept = None if torch.is_grad_enabled() else slope
        else:
            slope = ctx.kept
        return slopes[0] * slope, None, None


class _How(NamedTuple):
    stride: list[int]
    padding: list[int]
    dilation: list[int]
    groups: int


def _convolved(
    func: Any,
    input: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> torch.Tensor | None:
    n = _CONVOLUTIONS[func]
    plain = type(input) in (torch.Tensor, torch.nn.Parameter) and input.is_floating_point()
    if not plain or input.dim() != n + 2 or input.is_mkldnn or not weight.requires_grad:
        return None
    if isinstance(padding, str) or torch.is_autocast_enabled(input.device.type):
        return None
    stride, padding, dilation = (
        [each] * n if isinstance(each, int) else list(each) * (n // len(each))
        for each in (stride, padding, dilation)
    )
    return _Convolution.apply(input, weight, bias, _How(stride, padding, dilation, groups))


class _Convolution(torch.autograd.Function):
    """conv(x, w) + b, with or without b."""

    @staticmethod
    def forward(
        ctx: Any, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor | None, how: _How
    ) -> torch.Tensor:
        ctx.save_for_backward(x, w)
        ctx.how = how
        return torch.ops.aten.convolution(
            x, w, b, how.stride, how.padding, how.dilation, False, [0] * len(how.stride), how.groups
        )

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> Any:
        (g,), (x, w) = slopes, ctx.saved_tensors
        return (
            _ByInput.apply(g, w, x, ctx.how) if ctx.needs_input_grad[0] else None,
            _ByWeight.apply(g, x, w, ctx.how) if ctx.needs_input_grad[1] else None,
            g.sum([0, *range(2, g.dim())]) if ctx.needs_input_grad[2] else None,
            None,
        )


class _ByInput(torch.autograd.Function):
    """The transpose of x -> conv(x, w), of g; ``x`` is asked for its shape only."""

    @staticmethod
    def forward(ctx: Any, g: torch.Tensor, w: torch.Tensor, x: torch.Tensor, how: _How) -> torch.Tensor:
        ctx.save_for_backward(g, w)
        ctx.how = how
        return _transposed(g, x, w, how, 0)

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> Any:
        (u,), (g, w) = slopes, ctx.saved_tensors
        return (
            _Convolution.apply(u, w, None, ctx.how) if ctx.needs_input_grad[0] else None,
            _ByWeight.apply(g, u, w, ctx.how) if ctx.needs_input_grad[1] else None,
            None,
            None,
        )


class _ByWeight(torch.autograd.Function):
    """The transpose of w -> conv(x, w), of g; ``w`` is asked for its shape only."""

    @staticmethod
    def forward(ctx: Any, g: torch.Tensor, x: torch.Tensor, w: torch.Tensor, how: _How) -> torch.Tensor:
        ctx.save_for_backward(g, x)
        ctx.how = how
        return _transposed(g, x, w, how, 1)

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> Any:
        (v,), (g, x) = slopes, ctx.saved_tensors
        return (
            _Convolution.apply(x, v, None, ctx.how) if ctx.needs_input_grad[0] else None,
            _ByInput.apply(g, v, x, ctx.how) if ctx.needs_input_grad[1] else None,
            None,
            None,
        )


def _transposed(g: torch.Tensor, x: torch.Tensor, w: torch.Tensor, how: _How, which: int) -> torch.Tensor:
    mask = [which == 0, which == 1, False]
    zero = [0] * len(how.stride)
    return torch.ops.aten.convolution_backward(
        g, x, w, None, how.stride, how.padding, how.dilation, False, zero, how.groups, mask
    )[which]


_FORMS: dict[Any, Callable[..., torch.Tensor | None]] = {
    **dict.fromkeys(_SMOOTH, _smooth),
    **dict.fromkeys(_CONVOLUTIONS, _convolved),
}
