"""Remove from a trained network what a penalty made zero: filters and neurons that change no output.

Between two linear maps with weights A, B and biases a, b, and f acting on each channel by itself,
B f(A x + a) + b loses channel k without any change where

    A[k] = 0:         f gives the constant c = f(a[k]) there, and B[:, k] c is added to b       (constant)
    f's scale is 0:   a batch norm with weight 0 gives its bias, whatever it is given           (constant)
    B[:, k] = 0:      nothing reads the channel                                                 (unused)

A convolution that pads with zeros sees a constant c != 0 as c inside and 0 in the border, which no bias is.
But all such channels are multiples of one map, so that one of them, j, stands for all:
B[:, j] <- sum_k B[:, k] c_k / c_j, with the largest |c_j|.

Removing a row of A can leave a column of A zero, and removing a column of B a row, so it is repeated until
nothing changes. A layer keeps one unit at least; where that unit is folded too, it reads and gives nothing.
"""

from __future__ import annotations

import copy
import statistics
import time as clock
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp
from torch.utils import _pytree as pytree

from nonsmooth.errors import InputError
from nonsmooth.networks._compaction import Compaction, LayerChange
from nonsmooth.networks._links import BATCH_NORMS, CONVOLUTIONS, LAYERS, OWN, Link, links

__all__ = ["compact"]

_PAIRS = 15


@torch.no_grad()
def compact(model: nn.Module, example: Any, *, time: bool = False) -> tuple[nn.Module, Compaction]:
    """A smaller copy of a model that gives the same outputs: zero filters and neurons removed.

    Two linear maps (``Linear``, ``Conv1d/2d/3d`` with groups=1) in a row are compacted where only batch norm,
    elementwise activations, pooling, dropout and a flatten stand between them and nothing else reads what is
    between. Any model that ``torch.fx`` can trace is taken; layers before a residual sum, a concatenation or
    the output keep all their units, and the report says why.

    Args:
        model: in evaluation mode; it is not changed.
        example: one input as the model takes it, with its batch axis; a tuple is several arguments. Sizes are
            read from it, and the two models are compared on it.
        time: also measure how much faster the new model is on the example, with the threads that torch is set
            to; takes 2 x 18 passes.

    Returns:
        The new model, of the same class, and a :class:`Compaction`. Its parameters are new ones: make a new
        optimiser to train it on. Outputs are equal up to rounding for all inputs with finite activations (of
        an infinite one a zero weight makes NaN, a removed one nothing).

    Raises:
        InputError: batch norm or dropout in training mode, weights that are not finite, an example that the
            model does not take, a model that cannot be traced.

    >>> import torch
    >>> from torch import nn
    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> _ = net[0].weight.data[1].zero_()  # a neuron that gives relu(bias), whatever it is given
    >>> small, report = compact(net.eval(), torch.ones(5, 4))
    >>> small[0], report.parameters_before, report.parameters_after
    (Linear(in_features=4, out_features=2, bias=True), 23, 16)
    """
    args = example if isinstance(example, tuple) else (example,)
    _check(model)
    expected = _outputs(model, args)
    new = copy.deepcopy(model)
    try:
        traced = fx.GraphModule(new, _Tracer().trace(new))
    except Exception as error:  # tracing runs the user's code, which may raise anything
        raise InputError(
            f"torch.fx cannot trace a {type(model).__name__} ({_first_line(error)}); compact takes models "
            "without control flow that depends on values: give the sequential part of it"
        ) from error
    ShapeProp(traced).propagate(*_copies(args))
    found, reasons = links(traced.graph, new)
    ledger = _Ledger(new, [str(n.target) for n in traced.graph.nodes if n.op == "call_module"], reasons)
    while sum(_shrink(new, link, ledger) for link in found):  # every link has its turn in each round
        pass
    new.zero_grad(set_to_none=True)
    pairs = _compared(new, args, expected)
    return new, Compaction(
        layers=ledger.changes(),
        parameters_before=sum(p.numel() for p in model.parameters()),
        parameters_after=sum(p.numel() for p in new.parameters()),
        bytes_before=_bytes(model),
        bytes_after=_bytes(new),
        max_difference=max((float((a - b).abs().max()) for a, b in pairs), default=0.0),
        scale=max((float(a.abs().max()) for a, _ in pairs), default=0.0),
        speed=_speed(model, new, args) if time else None,
    )


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, OWN) or super().is_leaf_module(m, module_qualified_name)


class _Ledger:
    """Who is left in every layer, and why others went."""

    def __init__(self, model: nn.Module, called: Sequence[str], reasons: Mapping[str, str]) -> None:
        modules: dict[str, Any] = {name: model.get_submodule(name) for name in called}
        self.layers = {name: module for name, module in modules.items() if isinstance(module, LAYERS)}
        self.before = {name: tuple(module.weight.shape[:2]) for name, module in self.layers.items()}
        self.kept = {name: torch.arange(units) for name, (units, _) in self.before.items()}
        self.counts: dict[str, tuple[int, int, int]] = dict.fromkeys(self.layers, (0, 0, 0))
        self.notes = {name: reasons.get(name, "") for name in self.layers}

    def remove(self, name: str, keep: torch.Tensor, constant: int, unused: int, merged: int) -> None:
        self.kept[name] = self.kept[name][keep.cpu()]
        so_far = self.counts[name]
        self.counts[name] = (so_far[0] + constant, so_far[1] + unused, so_far[2] + merged)

    def changes(self) -> tuple[LayerChange, ...]:
        made = []
        for name, module in self.layers.items():
            constant, unused, merged = self.counts[name]
            made.append(
                LayerChange(
                    name=name,
                    kind=type(module).__name__,
                    units_before=self.before[name][0],
                    units_after=module.weight.shape[0],
                    inputs_before=self.before[name][1],
                    inputs_after=module.weight.shape[1],
                    constant=constant,
                    unused=unused,
                    merged=merged,
                    kept=tuple(self.kept[name].tolist()),
                    note=self.notes[name],
                )
            )
        return tuple(made)


def _shrink(model: nn.Module, link: Link, ledger: _Ledger) -> bool:
    """Remove what can be removed from one link; whether anything was."""
    producer: Any = model.get_submodule(link.producer)
    consumer: Any = model.get_submodule(link.consumer)
    units, positions = producer.weight.shape[0], link.positions
    values, constant = _constants(producer, link)
    values, constant = values.view(units, positions), constant.view(units, positions).all(1)
    read = consumer.weight.transpose(0, 1).reshape(units, -1)
    unused = (read == 0).all(1)
    fold = constant & ~unused
    merge = torch.zeros_like(fold)
    note = ""
    if _pads_with_zeros(consumer):
        merge = fold & (values != 0).any(1)
        fold &= ~merge
    if merge.any():
        carrier = int(torch.where(merge, values.abs().amax(1), -1.0).argmax())
        unit = int(ledger.kept[link.producer][carrier])
        note = f"unit {unit} is constant but stays: the next layer pads with zeros"
        _merge(consumer, values[:, 0], merge, carrier)
        merge[carrier] = False
    keep = ~(unused | fold | merge)
    if not keep.any():
        keep[0] = True
        note = "one unit stays: a layer needs one"
    elif (keep & (producer.weight.flatten(1) == 0).all(1)).any() and not note:
        note = "zero units stay: a padded average makes their constants vary, or they are not finite"
    ledger.notes[link.producer] = note
    _fold(consumer, (values * fold[:, None]).flatten())
    consumer.weight[:, (fold & keep).repeat_interleave(positions)] = 0.0
    gone = ~keep
    idle = keep & (constant | unused)
    # A unit that stays but need not compute anything should not keep its inputs alive.
    silenced = bool(producer.weight[idle].any())
    producer.weight[idle] = 0.0
    if not gone.any():
        return silenced or bool(fold.any())
    features = keep.repeat_interleave(positions)
    after_flatten = False
    for name in ("weight", "bias"):
        _take(producer, name, keep, 0)
    for step in link.steps:
        after_flatten |= step.kind == "flatten"
        if step.by_channel:
            _take_channels(step.module, features if after_flatten else keep)
    _take(consumer, "weight", features, 1)
    _resize(producer, consumer)
    ledger.remove(link.producer, keep, *(int((each & gone).sum()) for each in (fold, unused, merge)))
    return True


def _constants(producer: Any, link: Link) -> tuple[torch.Tensor, torch.Tensor]:
    """What each feature would be if it were constant, (features,), and which are."""
    weight = producer.weight
    units, positions = weight.shape[0], link.positions
    constant = (weight.flatten(1) == 0).all(1)
    values = weight.new_zeros(units) if producer.bias is None else producer.bias.clone()
    values = values.view(1, units, *[1] * link.space)
    for step in link.steps:
        if step.kind == "flatten":
            values = values.flatten(1)
            repeat = positions if values.shape[1] == units else 1
            values, constant = values.repeat_interleave(repeat, 1), constant.repeat_interleave(repeat)
        elif step.kind == "average":
            constant = constant & (values.flatten() == 0)
        elif step.kind == "map":
            values = step.apply(values)
            if isinstance(step.module, BATCH_NORMS) and step.module.weight is not None:
                constant = constant | (step.module.weight == 0)
    values = values.flatten()
    finite = values.isfinite()
    return values.where(finite, torch.zeros_like(values)).double(), constant & finite


def _merge(consumer: Any, values: torch.Tensor, merge: torch.Tensor, carrier: int) -> None:
    """consumer.weight[:, carrier] <- sum over the merged units of weight[:, k] c_k / c_carrier."""
    share = values * merge / values[carrier]
    weight = consumer.weight
    weight[:, carrier] = (weight.double().movedim(1, -1) @ share).to(weight.dtype)


def _fold(consumer: Any, values: torch.Tensor) -> None:
    """Add to the bias what constant features (0 elsewhere) contribute."""
    if not values.any():
        return
    weight = consumer.weight
    extra = weight.double().flatten(2).sum(2) @ values if weight.ndim > 2 else weight.double() @ values
    if consumer.bias is None:
        consumer.bias = nn.Parameter(torch.zeros_like(extra, dtype=weight.dtype), weight.requires_grad)
    consumer.bias.copy_((consumer.bias.double() + extra).to(weight.dtype))


def _take(module: Any, name: str, keep: torch.Tensor, axis: int) -> None:
    """Keep entries of a parameter or buffer along an axis, in its memory format."""
    old = getattr(module, name)
    if old is None:
        return
    new = old.detach().index_select(axis, keep.nonzero().flatten())
    for layout, axes in ((torch.channels_last, 4), (torch.channels_last_3d, 5)):
        if old.ndim == axes and old.is_contiguous(memory_format=layout) and not old.is_contiguous():
            new = new.contiguous(memory_format=layout)
    setattr(module, name, nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new)


def _take_channels(module: Any, keep: torch.Tensor) -> None:
    for name in ("weight", "bias", "running_mean", "running_var"):
        if hasattr(module, name):
            _take(module, name, keep, 0)
    count = int(keep.sum())
    if isinstance(module, nn.PReLU):
        module.num_parameters = count
    else:
        module.num_features = count


def _resize(producer: Any, consumer: Any) -> None:
    """Bring the sizes that the modules print in line with their weights."""
    for module in (producer, consumer):
        units, inputs = module.weight.shape[:2]
        if isinstance(module, nn.Linear):
            module.out_features, module.in_features = units, inputs
        else:
            module.out_channels, module.in_channels = units, inputs


def _pads_with_zeros(consumer: Any) -> bool:
    if not isinstance(consumer, CONVOLUTIONS) or consumer.padding_mode != "zeros":
        return False
    if isinstance(consumer.padding, str):
        return consumer.padding == "same" and any(size > 1 for size in consumer.kernel_size)
    return any(consumer.padding)


def _check(model: nn.Module) -> None:
    if not isinstance(model, nn.Module):
        raise InputError(f"model is a {type(model).__name__}; give a torch.nn.Module")
    if hasattr(model, "_orig_mod"):
        raise InputError(
            "the model is compiled; give the one that went into torch.compile, and compile the answer"
        )
    if any(map(nn.parameter.is_lazy, model.parameters())):
        raise InputError("a parameter of a lazy module has no shape yet; run the model once before")
    for name, module in model.named_modules():
        random = isinstance(module, (*BATCH_NORMS, nn.modules.dropout._DropoutNd))
        if random and module.training:
            raise InputError(
                f"{name or 'the model'} ({type(module).__name__}) is in training mode, where outputs depend "
                "on the batch or on chance; call model.eval() first"
            )
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise InputError(f"{name} holds NaN or infinite entries; there is no equal model without them")


def _outputs(model: nn.Module, args: tuple[Any, ...]) -> list[torch.Tensor]:
    try:
        answer = model(*_copies(args))
    except Exception as error:  # whatever the user's code makes of a wrong input
        shapes = [tuple(a.shape) if isinstance(a, torch.Tensor) else type(a).__name__ for a in args]
        raise InputError(
            f"the model does not take the example of shape {', '.join(map(str, shapes))}: "
            f"{_first_line(error)}; give an input as the model takes it, with its batch axis"
        ) from error
    return [leaf for leaf in pytree.tree_leaves(answer) if isinstance(leaf, torch.Tensor)]


def _compared(
    new: nn.Module, args: tuple[Any, ...], expected: Sequence[torch.Tensor]
) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Outputs of both models in float64; raises InputError where they differ by more than rounding may."""
    pairs, apart = [], ""
    try:
        actual = [leaf for leaf in pytree.tree_leaves(new(*_copies(args))) if isinstance(leaf, torch.Tensor)]
        pairs = [(a.double(), b.double()) for a, b in zip(expected, actual, strict=True) if a.numel()]
        for (a, b), each in zip(pairs, (e for e in expected if e.numel()), strict=True):
            eps = torch.finfo(each.dtype if each.is_floating_point() else torch.float32).eps
            if float((a - b).abs().max()) > eps**0.5 * float(a.abs().max()):
                apart = f"outputs differ by {float((a - b).abs().max()):.2g}"
    except Exception as error:  # the user's code, which may raise anything
        apart = _first_line(error)
    if apart:
        raise InputError(
            f"the smaller model does not give the same ({apart}): its forward uses a layer's weight or size "
            "besides calling the layer; give compact the part of the model without that"
        )
    return pairs


def _copies(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """For models that work in place."""
    return pytree.tree_map_only(torch.Tensor, torch.clone, args)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _bytes(model: nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in (*model.parameters(), *model.buffers()))


def _speed(old: nn.Module, new: nn.Module, args: tuple[Any, ...]) -> float:
    """Median of old time / new time of runs in turn, so that a drifting machine moves both alike."""

    def seconds(model: nn.Module) -> float:
        begin = clock.perf_counter()
        model(*args)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return clock.perf_counter() - begin

    ratios = [seconds(old) / seconds(new) for _ in range(3 + _PAIRS)]
    return statistics.median(ratios[3:])
