"""Where torch's operations have kinks: margins whose zeros are the kinks, by aten operation.

A *cut* is an elementwise operation that is smooth between knots: relu has the margin x, hardtanh the margins
x - low and x - high, maximum the margin a - b. The operation is on another piece when a margin has changed
its sign, and at a kink where one is 0. A *selection* takes the largest (or smallest) of several candidates,
as pooling does: it is on another piece when another candidate is taken; its margin is the gap between the
first two. A *jump* is a cut at whose knots the value itself is discontinuous, or decides what else is done:
floor, sign, comparisons.

Composite operations need no row: below autograd torch has taken them apart. Where the table does not know an
operation that selects (sort, median, ...) or jumps, it is in ``UNWATCHED`` and callers say so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

__all__ = [
    "CUTS",
    "INDICES",
    "NORMS",
    "SELECTIONS",
    "UNWATCHED",
    "Cut",
    "Selection",
    "gap",
    "is_real",
    "unwatched",
]

aten = torch.ops.aten
Margins = Callable[..., list[torch.Tensor]]


@dataclass(frozen=True)
class Cut:
    """An elementwise operation with knots.

    Attributes:
        margins: of the operation's arguments, affine in its tensors: the tensors that are 0 at a knot.
        jump: whether the value jumps at the knots, from the arguments.
    """

    margins: Margins
    jump: Callable[..., bool] = lambda *args, **kwargs: False


@dataclass(frozen=True)
class Selection:
    """An operation that takes the largest of ``candidates`` (..., K), of the smallest where ``sign`` is -1.

    ``index`` is the place of the indices in its output; None where it returns values only.
    """

    candidates: Callable[..., torch.Tensor]
    sign: int = 1
    index: int | None = None


def is_real(tensor: Any) -> bool:
    """Whether this is a floating tensor with entries."""
    return isinstance(tensor, torch.Tensor) and tensor.is_floating_point() and tensor.numel() > 0


def unwatched(op: Any, args: Sequence[Any]) -> bool:
    """Whether an operation has kinks in floating numbers that are not looked into."""
    return op.overloadpacket in UNWATCHED and any(map(is_real, args))


def gap(rule: Selection, args: Sequence[Any], kwargs: Mapping[str, Any]) -> torch.Tensor:
    """The first candidate less the second, >= 0; +inf where there is no second."""
    candidates = rule.candidates(*args, **kwargs) * rule.sign
    if candidates.shape[-1] < 2:
        return torch.full_like(candidates[..., 0], math.inf)
    first, second = candidates.topk(2, dim=-1).values.unbind(-1)
    return first - second


def _at(*knots: float) -> Margins:
    return lambda x, *args, **kwargs: [x if knot == 0 else x - knot for knot in knots]


def _finite(x: torch.Tensor, *bounds: Any) -> list[torch.Tensor]:
    """The margins of bounds that are there; a bound of +-inf is none."""
    return [
        x - bound
        for bound in bounds
        if isinstance(bound, torch.Tensor) or (bound is not None and math.isfinite(bound))
    ]


def _clamp(x: torch.Tensor, min: Any = None, max: Any = None) -> list[torch.Tensor]:
    return _finite(x, min, max)


def _hardtanh(x: torch.Tensor, min_val: float = -1.0, max_val: float = 1.0) -> list[torch.Tensor]:
    return _finite(x, min_val, max_val)


def _shrink(x: torch.Tensor, lambd: float = 0.5) -> list[torch.Tensor]:
    return [x + lambd, x - lambd]


def _elu(
    x: torch.Tensor, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0
) -> list[torch.Tensor]:
    return [] if alpha * input_scale == 1 else [x]  # else the slopes agree at 0


def _leaky(x: torch.Tensor, negative_slope: float = 0.01) -> list[torch.Tensor]:
    return [] if negative_slope == 1 else [x]


def _threshold(x: torch.Tensor, threshold: float, value: float) -> list[torch.Tensor]:
    return [x - threshold]


def _pair(a: Any, b: Any) -> list[torch.Tensor]:
    return [a - b]


def _whole(x: torch.Tensor, *args: Any, **kwargs: Any) -> list[torch.Tensor]:
    return [x - x.detach().round()]


def _half(x: torch.Tensor, *args: Any, **kwargs: Any) -> list[torch.Tensor]:
    return [x - x.detach().floor() - 0.5]


def _always(*args: Any, **kwargs: Any) -> bool:
    return True


def _rows() -> dict[Any, Cut]:
    rows: dict[str, Cut] = {
        "relu": Cut(_at(0.0)),
        "abs": Cut(_at(0.0)),
        "leaky_relu": Cut(_leaky),
        "_prelu_kernel": Cut(_at(0.0)),
        "rrelu_with_noise": Cut(_at(0.0)),
        "hardtanh": Cut(_hardtanh),
        "relu6": Cut(_at(0.0, 6.0)),
        "hardsigmoid": Cut(_at(-3.0, 3.0)),
        "hardswish": Cut(_at(-3.0, 3.0)),
        "softshrink": Cut(_shrink),
        "elu": Cut(_elu),
        "selu": Cut(_at(0.0)),
        "clamp": Cut(_clamp),
        "clamp_min": Cut(_finite),
        "clamp_max": Cut(_finite),
        "maximum": Cut(_pair),
        "minimum": Cut(_pair),
        "fmax": Cut(_pair),
        "fmin": Cut(_pair),
        "threshold": Cut(_threshold, lambda x, threshold, value: threshold != value),
        "hardshrink": Cut(_shrink, _always),
        "sign": Cut(_at(0.0), _always),
        "sgn": Cut(_at(0.0), _always),
        "heaviside": Cut(_at(0.0), _always),
        **{name: Cut(_whole, _always) for name in ("floor", "ceil", "trunc", "frac")},
        "round": Cut(_half, _always),
        **{name: Cut(_pair, _always) for name in ("gt", "ge", "lt", "le")},
    }
    table = {}
    for name, row in rows.items():
        for each in (name, f"{name}_"):  # the operation in place is the same function
            packet = getattr(aten, each, None)
            if packet is not None:
                table[packet] = row
    return table


def _dim(x: torch.Tensor, dim: int, keepdim: bool = False) -> torch.Tensor:
    return x.movedim(dim, -1) if x.ndim else x.reshape(1)


def _all(x: torch.Tensor) -> torch.Tensor:
    return x.flatten()


def _dims(x: torch.Tensor, dim: Any = (), keepdim: bool = False) -> torch.Tensor:
    gone = {d % x.ndim for d in ([dim] if isinstance(dim, int) else dim)} if x.ndim else set()
    gone = gone or set(range(x.ndim))
    kept = [d for d in range(x.ndim) if d not in gone]
    return x.permute(*kept, *sorted(gone)).flatten(len(kept)) if x.ndim else x.reshape(1)


def _windows(n: int) -> Callable[..., torch.Tensor]:
    """What each output of max pooling over ``n`` axes is the largest of, (..., *outputs, K); -inf outside."""

    def candidates(
        x: torch.Tensor,
        kernel_size: Sequence[int],
        stride: Sequence[int] = (),
        padding: Sequence[int] = (0,),
        dilation: Sequence[int] = (1,),
        ceil_mode: bool = False,
    ) -> torch.Tensor:
        first = x.ndim - n
        lengths = x.shape[first:]
        size, steps, sides, holes = (
            _each(v, n) for v in (kernel_size, stride or kernel_size, padding, dilation)
        )
        reaches = [hole * (k - 1) + 1 for hole, k in zip(holes, size, strict=True)]
        pads: list[int] = []
        for length, step, side, reach in zip(lengths, steps, sides, reaches, strict=True):
            last = length + 2 * side - reach
            more = -last % step if ceil_mode else 0
            if last + more >= length + side:  # that window would begin outside
                more = 0
            pads = [side, side + more, *pads]
        x = torch.nn.functional.pad(x, pads, value=-math.inf)
        for d, (step, reach, hole) in enumerate(zip(steps, reaches, holes, strict=True)):
            x = x.unfold(first + d, reach, step)[..., ::hole]
        return x.flatten(-n)

    return candidates


def _each(values: Sequence[int], n: int) -> list[int]:
    return list(values) * n if len(values) == 1 else list(values)


CUTS = _rows()
SELECTIONS: dict[Any, Selection] = {
    aten.max.dim: Selection(_dim, 1, 1),
    aten.min.dim: Selection(_dim, -1, 1),
    aten.max.default: Selection(_all),
    aten.min.default: Selection(_all, -1),
    aten.amax.default: Selection(_dims),
    aten.amin.default: Selection(_dims, -1),
    aten.max_pool2d_with_indices.default: Selection(_windows(2), 1, 1),
    aten.max_pool3d_with_indices.default: Selection(_windows(3), 1, 1),
}
# Where they return the indices of what they have taken: enough to see that it is another, not how near.
INDICES: dict[Any, int] = {
    **{
        getattr(aten, name).default: 1
        for name in (
            "adaptive_max_pool2d",
            "adaptive_max_pool3d",
            "fractional_max_pool2d",
            "fractional_max_pool3d",
            "sort",
            "topk",
            "kthvalue",
            "mode",
            "cummax",
            "cummin",
        )
    },
    aten.sort.stable: 1,
    aten.median.dim: 1,
    aten.nanmedian.dim: 1,
}
# Not differentiable at 0, a set too thin to be crossed; the one-sided derivative there is the norm's own.
NORMS = {aten.linalg_vector_norm.default, aten.norm.Scalar, aten.norm.ScalarOpt_dim}
# They select, or have kinks of their own; how near these are, and what lies behind them, is not looked into.
UNWATCHED = {
    getattr(aten, name)
    for name in (
        "adaptive_max_pool2d",
        "adaptive_max_pool3d",
        "fractional_max_pool2d",
        "fractional_max_pool3d",
        "sort",
        "topk",
        "median",
        "nanmedian",
        "kthvalue",
        "mode",
        "cummax",
        "cummin",
        "multi_margin_loss",
        "multilabel_margin_loss_forward",
        "_cdist_forward",
        "_pdist_forward",
        "argmax",
        "argmin",
        "bucketize",
        "searchsorted",
        "aminmax",
        "angle",
        "atan2",
        "copysign",
        "floor_divide",
        "fmod",
        "grid_sampler_2d",
        "grid_sampler_3d",
        "remainder",
    )
}
