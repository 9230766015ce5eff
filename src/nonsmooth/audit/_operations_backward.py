"""First derivatives, as they are traced in losses that differentiate, such as gradient penalties.

Each is linear in the gradient that comes in. As a function of the argument at which a kinked function is
differentiated it jumps where that has its kink.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nonsmooth.audit import _operations_rules as rules
from nonsmooth.audit._operations_network import entries, image
from nonsmooth.audit._operations_row import Answer, Call, Kink, Operation

__all__ = ["BACKWARD"]

_a = torch.ops.aten
Line = Callable[[Tensor], Tensor]


def _smooth(name: str, line: Line, note: str = "") -> Operation:
    return Operation(name, "analytic", line, note=note)


def _steps(
    name: str, line: Line, jumps: tuple[float, ...], of: str, domain=(-2.0, 2.0), key="self"
) -> Operation:
    """The slope of a kinked function: it jumps at the ends of its pieces."""
    return Operation(
        name,
        "discontinuous",
        line,
        jumps=jumps,
        domain=domain,
        where=f"at the kinks of {of}",
        rule=_stepped(key),
    )


def _stepped(key: str) -> Callable[[Call], Answer]:
    def rule(call: Call) -> Answer:
        if not call.varies(key):
            return Answer("analytic", "linear in the gradient, at an argument that does not vary")
        low, high = call.range(key)
        if call.name == "leaky_relu_backward" and call.get("negative_slope", 0.01) == 1:
            return Answer("analytic", "negative_slope = 1: the identity")
        ends = [float(call.get("threshold", 0))] if call.name == "threshold_backward" else [0.0]
        if call.name == "hardtanh_backward":
            ends = [float(call.get("min_val", -1)), float(call.get("max_val", 1))]
        elif call.name in ("hardsigmoid_backward", "hardswish_backward"):
            ends = [-3.0, 3.0]
        if all(low > end or high < end for end in ends):
            return Answer("analytic", "its argument stays on one piece")
        return Answer("discontinuous")

    return rule


def _elu(call: Call) -> Answer:
    """alpha exp(x) below 0, 1 above: a kink if alpha times input_scale is 1, else a jump."""
    if not call.varies("self_or_result"):
        return Answer("analytic", "linear in the gradient, at an argument that does not vary")
    if call.range("self_or_result")[0] > 0:
        return Answer("analytic", "its argument is never negative")
    slope = float(call.get("alpha", 1.0)) * float(call.get("input_scale", 1.0))
    if abs(slope - 1) < 1e-12:
        return Answer("Lipschitz")
    return Answer("discontinuous", f"slopes {slope:g} and 1 meet at 0")


def _softplus(call: Call) -> Answer:
    """sigmoid(beta x), and 1 from beta x = threshold on."""
    if not call.varies("self"):
        return Answer("analytic", "linear in the gradient, at an argument that does not vary")
    threshold, beta = float(call.get("threshold", 20)), float(call.get("beta", 1))
    if call.range("self")[1] * beta <= threshold:
        return Answer("analytic", "its argument never reaches the threshold")
    step = 1 / (1 + torch.tensor(threshold, dtype=torch.float64).exp().item())
    precision = torch.finfo(call.dtype).eps if call.dtype.is_floating_point else 0.0
    if step <= precision / 2:
        return Answer("analytic", f"a step of {step:.2g} at its threshold is below the rounding of its dtype")
    return Answer("discontinuous", f"a step of {step:.2g} at x = {threshold / beta:g}, its threshold")


def _one(t: Tensor) -> Tensor:
    return torch.ones_like(t)


def _batch_norm(t: Tensor) -> Tensor:
    x, w, b = image(t, 4, 1), entries(t, 1), entries(t, 1)
    _, mean, spread = _a.native_batch_norm(x, w, b, None, None, True, 0.1, 1e-5)
    mask = [True, True, True]
    return _a.native_batch_norm_backward(x**2, x, w, None, None, mean, spread, True, 1e-5, mask)[0]


def _layer_norm(t: Tensor) -> Tensor:
    x, w = image(t, 1, 4), entries(t, 4)
    _, mean, spread = _a.native_layer_norm(x, [4], w, w, 1e-5)
    return _a.native_layer_norm_backward(x**2, x, [4], mean, spread, w, w, [True, True, True])[0]


def _convolution(t: Tensor) -> Tensor:
    x, w, g = image(t, 1, 1, 4), image(t, 1, 1, 2), image(t, 1, 1, 3)
    parts = _a.convolution_backward(g, x, w, [1], [1], [0], [1], False, [0], 1, [True, True, True])
    return torch.cat([part.flatten() for part in parts])


def _max_pool(t: Tensor) -> Tensor:
    x = torch.arange(4, dtype=torch.float64).reshape(1, 1, 2, 2)
    at = torch.tensor([[[[3]]]])
    g = image(t, 1, 1, 1, 1)
    return _a.max_pool2d_with_indices_backward(g, x, [2, 2], [2, 2], [0, 0], [1, 1], False, at)


BACKWARD: tuple[Operation, ...] = (
    # Of activations
    _steps("threshold_backward", lambda t: _a.threshold_backward(_one(t), t, 0), (0,), "relu"),
    _steps(
        "leaky_relu_backward",
        lambda t: _a.leaky_relu_backward(_one(t), t, 0.2, False),
        (0,),
        "leaky_relu, unless its negative_slope is 1",
    ),
    _steps(
        "_prelu_kernel_backward",
        lambda t: _a._prelu_kernel_backward(
            torch.ones(1, dtype=torch.float64), t.reshape(1), torch.full((1,), 0.25, dtype=torch.float64)
        )[0],
        (0,),
        "prelu",
    ),
    _steps(
        "hardtanh_backward", lambda t: _a.hardtanh_backward(_one(t), t, -1, 1), (-1, 1), "hardtanh, relu6"
    ),
    _steps(
        "hardsigmoid_backward", lambda t: _a.hardsigmoid_backward(_one(t), t), (-3, 3), "hardsigmoid", (-4, 4)
    ),
    _steps("hardswish_backward", lambda t: _a.hardswish_backward(_one(t), t), (-3, 3), "hardswish", (-4, 4)),
    Operation(
        "elu_backward",
        "Lipschitz",
        lambda t: _a.elu_backward(_one(t), 1, 1, 1, False, t),
        (Kink(0, 1, 0),),
        where="x = 0; a jump unless alpha times input_scale is 1",
        rule=_elu,
    ),
    Operation(
        "softplus_backward",
        "discontinuous",
        lambda t: _a.softplus_backward(_one(t), t, 1, 20),
        jumps=(20,),
        domain=(15, 25),
        where="beta x = threshold",
        rule=_softplus,
        note="a step of 2.1e-9 at its default threshold 20, in float64; lost in rounding in float32",
    ),
    _smooth("tanh_backward", lambda t: _a.tanh_backward(1 + t, t)),
    _smooth("sigmoid_backward", lambda t: _a.sigmoid_backward(1 + t, t)),
    _smooth("gelu_backward", lambda t: _a.gelu_backward(1 + t, t)),
    _smooth(
        "_softmax_backward_data", lambda t: _a._softmax_backward_data(*[entries(t)] * 2, 0, torch.float64)
    ),
    _smooth(
        "_log_softmax_backward_data",
        lambda t: _a._log_softmax_backward_data(*[entries(t)] * 2, 0, torch.float64),
    ),
    _smooth(
        "mse_loss_backward", lambda t: _a.mse_loss_backward(t, entries(t), torch.zeros_like(entries(t)), 1)
    ),
    # Of layers
    _smooth("convolution_backward", _convolution, "in the gradient and in input and weight"),
    Operation(
        "native_batch_norm_backward",
        "analytic",
        _batch_norm,
        where="the variance is 0, only if eps = 0",
        rule=rules.normalised,
    ),
    Operation(
        "native_layer_norm_backward",
        "analytic",
        _layer_norm,
        where="the variance is 0, and eps was",
        note="eps is in what it was given, the root of the variance",
    ),
    _smooth(
        "avg_pool2d_backward",
        lambda t: _a.avg_pool2d_backward(
            image(t, 1, 1, 1, 1), image(t, 1, 1, 2, 2), [2, 2], [2, 2], [0, 0], False, True, None
        ),
    ),
    _smooth(
        "_adaptive_avg_pool2d_backward",
        lambda t: _a._adaptive_avg_pool2d_backward(image(t, 1, 1, 1, 2), image(t, 1, 1, 2, 2)),
    ),
    _smooth(
        "max_pool2d_with_indices_backward",
        _max_pool,
        "its places jump at ties: the row of max_pool2d_with_indices",
    ),
    _smooth(
        "upsample_nearest2d_backward",
        lambda t: _a.upsample_nearest2d_backward(image(t, 1, 1, 4, 4), [4, 4], [1, 1, 2, 2]),
    ),
    _smooth(
        "upsample_bilinear2d_backward",
        lambda t: _a.upsample_bilinear2d_backward(image(t, 1, 1, 4, 4), [4, 4], [1, 1, 2, 2], False),
    ),
    _smooth(
        "reflection_pad2d_backward",
        lambda t: _a.reflection_pad2d_backward(image(t, 1, 1, 4, 4), image(t, 1, 1, 2, 2), [1, 1, 1, 1]),
    ),
    _smooth(
        "replication_pad2d_backward",
        lambda t: _a.replication_pad2d_backward(image(t, 1, 1, 4, 4), image(t, 1, 1, 2, 2), [1, 1, 1, 1]),
    ),
    _smooth("slice_backward", lambda t: _a.slice_backward(entries(t, 2), [4], 0, 1, 3, 1)),
    _smooth("select_backward", lambda t: _a.select_backward(entries(t, 2), [2, 2], 0, 1)),
    _smooth(
        "native_dropout_backward",
        lambda t: _a.native_dropout_backward(entries(t), torch.tensor([True, False, True, True]), 2.0),
    ),
)
