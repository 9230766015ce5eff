"""Which layer feeds which, channel by channel: read from a traced model.

A *link* is a linear map (a convolution with groups=1, or a fully connected layer), operations that keep its
channels apart, and the linear map that consumes them, with no other consumer anywhere between. Only there may
a channel be taken out: nobody else sees it. Every other linear map stays as it is, with the reason in words.

    conv -> batch norm -> ReLU -> max pooling -> flatten -> dropout -> linear        one link
    conv -> add(conv's output, x)                                                    none: a residual sum
"""

from __future__ import annotations

import operator
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.fx.node import map_arg
from torch.nn import functional
from torch.nn.utils import parametrize

from nonsmooth.networks._kinked_gelu import KinkedGELU
from nonsmooth.networks._smoothed_relu import AnalyticReLU, SmoothedReLU

__all__ = ["BATCH_NORMS", "CONVOLUTIONS", "LAYERS", "OWN", "Link", "Step", "links"]

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
LAYERS = (*CONVOLUTIONS, nn.Linear)
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)
OWN = (AnalyticReLU, KinkedGELU, SmoothedReLU)  # modules that a tracer must not look into
_ELEMENTWISE = (
    *OWN,
    *(nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LeakyReLU),
    *(nn.LogSigmoid, nn.Mish, nn.PReLU, nn.ReLU, nn.ReLU6, nn.SELU, nn.SiLU, nn.Sigmoid, nn.Softplus),
    *(nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink, nn.Threshold),
)
# Of a map that is constant over space these give the same constant, whatever their window.
_POOLS = (
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
    *(nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d),
)
_AVERAGES = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)
# By name, as they stand in torch.nn.functional or torch, or as methods of a tensor.
_POOL_NAMES = {f"{kind}{n}d" for kind in ("adaptive_avg_pool", "max_pool") for n in (1, 2, 3)}
_NAMES = {
    *("abs", "celu", "clamp", "contiguous", "cos", "elu", "exp", "gelu", "hardshrink", "hardsigmoid"),
    *("hardswish", "hardtanh", "leaky_relu", "log1p", "log_sigmoid", "mish", "neg", "pow", "relu", "relu6"),
    *("relu_", "selu", "sigmoid", "sigmoid_", "silu", "sin", "softplus", "softshrink", "softsign", "square"),
    *("tanh", "tanh_", "tanhshrink"),
}
_ARITHMETIC = {operator.add, operator.mul, operator.neg, operator.pow, operator.sub, operator.truediv}


@dataclass(frozen=True)
class Step:
    """One operation between two layers.

    Attributes:
        kind: "map" (acts on each channel's values by itself), "average" (pads with zeros that it counts in),
            "flatten", or "same" (of a constant channel it gives the same constant).
        apply: for "map": the operation on a tensor (1, channels, 1, ...) or (1, features).
        module: for "map": the module, where it is one; it may hold one number a channel.
    """

    kind: str
    apply: Callable[[torch.Tensor], torch.Tensor] = lambda t: t
    module: nn.Module | None = None

    @property
    def by_channel(self) -> bool:
        """Whether the module holds one number a channel."""
        return isinstance(self.module, BATCH_NORMS) or (
            isinstance(self.module, nn.PReLU) and self.module.num_parameters > 1
        )


@dataclass(frozen=True)
class Link:
    """``producer`` (a path in the model), the steps after it, and ``consumer``.

    Attributes:
        positions: features of the consumer that belong to one channel: 1, or what a flatten makes of one.
        space: axes of space of the producer's output: 0 for a fully connected layer.
    """

    producer: str
    steps: tuple[Step, ...]
    consumer: str
    positions: int
    space: int


def links(graph: fx.Graph, model: nn.Module) -> tuple[list[Link], dict[str, str]]:
    """The links of a traced model whose nodes hold their shapes (``fx.passes.shape_prop``).

    Returns:
        The links in the order of the computation, and for every linear map that no link starts from, why.
    """
    calls = Counter(
        id(model.get_submodule(str(node.target))) for node in graph.nodes if node.op == "call_module"
    )
    holders = Counter(id(p) for module in model.modules() for p in module.parameters(recurse=False))
    for node in graph.nodes:
        if node.op == "get_attr":  # a tensor that is used besides its module's own call
            holders[id(_attribute(model, str(node.target)))] += 1
    found, reasons = [], {}
    for node in graph.nodes:
        if node.op == "call_module" and isinstance(_module(model, node), LAYERS):
            answer = _follow(model, node, calls, holders)
            if isinstance(answer, Link):
                found.append(answer)
            else:
                reasons[str(node.target)] = answer
    return found, reasons


class _BarrierError(Exception):
    """Why a layer's channels cannot be followed."""


def _follow(
    model: nn.Module, start: fx.Node, calls: Mapping[int, int], holders: Mapping[int, int]
) -> Link | str:
    try:
        module = _module(model, start)
        _check_editable(str(start.target), module, calls, holders)
        space = len(_shape(start)) - 2 if isinstance(module, CONVOLUTIONS) else 0
        if isinstance(module, CONVOLUTIONS) and space != len(module.kernel_size):
            raise _BarrierError("the example has no batch axis")
        steps: list[Step] = []
        node, positions, flat = start, 1, not isinstance(module, CONVOLUTIONS)
        while True:
            before, node = node, _only_user(node)
            inner: Any = _module(model, node) if node.op == "call_module" else None
            if isinstance(inner, LAYERS):
                _check_editable(str(node.target), inner, calls, holders)
                if isinstance(inner, CONVOLUTIONS) == flat:
                    raise _BarrierError(f"{node.target} does not read its channels as channels")
                return Link(str(start.target), tuple(steps), str(node.target), positions, space)
            step = _step(model, before, node, flat)
            if step.module is not None:
                _check_editable(str(node.target), step.module, calls, holders)
                if step.by_channel and isinstance(module, nn.Linear) and len(_shape(node)) != 2:
                    raise _BarrierError(f"{node.target} does not read its features as channels")
            if step.kind == "flatten":
                positions, flat = positions * _shape(node)[1] // _shape(before)[1], True
            steps.append(step)
    except _BarrierError as barrier:
        return str(barrier)


def _step(model: nn.Module, before: fx.Node, node: fx.Node, flat: bool) -> Step:
    """What a node does to channels that arrive from ``before``."""
    called = _called(node)
    module = _module(model, node) if node.op == "call_module" else None
    if isinstance(module, (nn.Identity, *_DROPOUTS)) or _is_silent_dropout(node):
        return Step("same")
    if isinstance(module, BATCH_NORMS):
        if module.running_mean is None:
            raise _BarrierError(f"{called} uses the statistics of each batch")
        return Step("map", module, module)
    if isinstance(module, nn.Flatten) or node.target in (
        torch.flatten,
        "flatten",
        "view",
        "reshape",
        torch.reshape,
    ):
        if not _keeps_the_batch_only(node, module):
            raise _BarrierError(f"{called} reshapes to a fixed size, or not from axis 1 on; use flatten(1)")
        if flat and len(_shape(before)) != 2:
            raise _BarrierError(f"{called} mixes features with positions")
        return Step("flatten")
    if node.op != "call_module" and len(node.all_input_nodes) != 1:
        raise _BarrierError(f"its outputs meet another tensor in {called} (a residual sum, or a parameter)")
    if isinstance(module, _ELEMENTWISE):
        return Step("map", module, module)
    if node.target in _ARITHMETIC or (called in _NAMES and _is_torchs(node)):
        return Step("map", _rerun(node))
    if not flat and (isinstance(module, _POOLS) or (called in _POOL_NAMES and _is_torchs(node))):
        return Step("same")
    if not flat and isinstance(module, _AVERAGES):
        return Step("average" if _counts_padding(module) else "same")
    raise _BarrierError(f"{called} is not known to keep channels apart")


def _only_user(node: fx.Node) -> fx.Node:
    users = [user for user in node.users if not _asks_for_the_batch(user)]
    if len(users) > 1:
        raise _BarrierError(f"its outputs go {len(users)} ways (a residual or branching connection)")
    if not users or users[0].op == "output":
        raise _BarrierError("its outputs are the model's outputs")
    return users[0]


def _asks_for_the_batch(node: Any) -> bool:
    """x.size(0), or x.shape of which only [0] is used."""
    if node.op == "call_method" and node.target == "size":
        return node.args[1:] == (0,) or node.kwargs == {"dim": 0}
    if node.op == "call_function" and node.target is getattr and node.args[1] == "shape":
        return all(user.target is operator.getitem and user.args[1] == 0 for user in node.users)
    return (
        node.op == "call_function"
        and node.target is operator.getitem
        and node.args[1] == 0
        and (isinstance(node.args[0], fx.Node) and _asks_for_the_batch(node.args[0]))
    )


def _keeps_the_batch_only(node: Any, module: Any) -> bool:
    """Whether a flatten or reshape is (N, ...) -> (N, everything), whatever the sizes."""
    if isinstance(module, nn.Flatten):
        return module.start_dim == 1 and module.end_dim in (-1, len(_shape(node.all_input_nodes[0])) - 1)
    options = dict(zip(("start_dim", "end_dim"), node.args[1:], strict=False)) | dict(node.kwargs)
    if node.target in (torch.flatten, "flatten"):
        return options.get("start_dim", 0) == 1 and options.get("end_dim", -1) == -1
    sizes = node.args[1] if len(node.args) == 2 and isinstance(node.args[1], tuple | list) else node.args[1:]
    return (
        len(sizes) == 2 and sizes[1] == -1 and isinstance(sizes[0], fx.Node) and _asks_for_the_batch(sizes[0])
    )


def _is_silent_dropout(node: fx.Node) -> bool:
    if node.op != "call_function" or node.target not in (
        functional.dropout,
        functional.dropout1d,
        functional.dropout2d,
        functional.dropout3d,
    ):
        return False
    return node.kwargs.get("training", node.args[2] if len(node.args) > 2 else True) is False


def _counts_padding(module: Any) -> bool:
    """Whether an average pooling of a constant is another constant, or smaller at the border."""
    padding = module.padding if isinstance(module.padding, tuple) else (module.padding,)
    padded = any(padding) and module.count_include_pad
    return padded or getattr(module, "divisor_override", None) is not None


def _is_torchs(node: fx.Node) -> bool:
    """Whether a function or method is torch's own, not a user's of the same name."""
    home = getattr(node.target, "__module__", None) or "torch"
    return node.op == "call_method" or (node.op == "call_function" and home.split(".")[0] == "torch")


def _rerun(node: fx.Node) -> Callable[[torch.Tensor], torch.Tensor]:
    """The node's operation as a function of its one tensor."""

    def run(t: torch.Tensor) -> torch.Tensor:
        args = map_arg(node.args, lambda _: t)
        kwargs = map_arg(node.kwargs, lambda _: t)
        if node.op == "call_method":
            return getattr(args[0], str(node.target))(*args[1:], **kwargs)
        return node.target(*args, **kwargs)  # type: ignore[operator]

    return run


def _check_editable(name: str, module: Any, calls: Mapping[int, int], holders: Mapping[int, int]) -> None:
    """Raise _BarrierError where a module cannot be given other sizes without changing something else."""
    if isinstance(module, CONVOLUTIONS) and module.groups != 1:
        raise _BarrierError(f"{name} is a convolution in {module.groups} groups")
    if calls[id(module)] > 1:
        raise _BarrierError(f"{name} is used {calls[id(module)]} times")
    if any(holders[id(p)] > 1 for p in module.parameters(recurse=False)):
        raise _BarrierError(f"{name} shares a parameter with another layer or operation")
    if parametrize.is_parametrized(module):
        raise _BarrierError(
            f"{name} is parametrised; call torch.nn.utils.parametrize.remove_parametrizations first"
        )
    if isinstance(module, LAYERS) and type(module) not in LAYERS:
        raise _BarrierError(f"{name} is a subclass, which may do more with its weight")
    if module._forward_hooks or module._forward_pre_hooks:
        raise _BarrierError(
            f"{name} has forward hooks (of pruning? then call torch.nn.utils.prune.remove first)"
        )


def _module(model: nn.Module, node: fx.Node) -> Any:
    return model.get_submodule(str(node.target))


def _attribute(model: nn.Module, path: str) -> Any:
    """A tensor by its path; None for what is not the model's, such as a constant of the trace."""
    home, _, name = path.rpartition(".")
    return getattr(model.get_submodule(home), name, None)


def _called(node: fx.Node) -> str:
    return (
        str(node.target)
        if isinstance(node.target, str)
        else getattr(node.target, "__name__", str(node.target))
    )


def _shape(node: fx.Node) -> tuple[int, ...]:
    return tuple(node.meta["tensor_meta"].shape)
