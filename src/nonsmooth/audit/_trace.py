"""A model and its loss, run once without numbers: every operation with the module that called it.

Parameters, buffers and inputs are replaced by fake tensors, which have a shape and no memory; torch's
dispatcher then shows each operation (:class:`Recorder`). Where the code asks for numbers (``.item()``,
``if``, a boolean mask) there are none: it is run again on copies of the real ones, if there are any. The
model, its buffers and modes, and the random numbers are as before afterwards.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.nn.modules import module as hooks
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from nonsmooth.audit._declared import declared
from nonsmooth.audit._operations_row import Value, least
from nonsmooth.audit._recorder import Reader, Recorder
from nonsmooth.diagnostics._randomness import randomness_kept
from nonsmooth.diagnostics._unwrapped import unwrapped
from nonsmooth.errors import InputError

__all__ = ["Trace", "called", "takes_model", "trace"]


@dataclass(frozen=True)
class Trace:
    """What was recorded.

    Attributes:
        results: the loss, or all of the model's floating-point results.
        values: everything computed, in order.
        variables: "the trainable parameters", or "the inputs" of a model without any.
        random, batch, read: as in :class:`Recorder`.
        executed: it was run on the real numbers, so it holds for this example's control flow.
        stopped: why it did not come to its end, in words; "" if it did.
    """

    results: tuple[Value, ...]
    values: tuple[Value, ...]
    variables: str
    random: tuple[Value, ...]
    batch: tuple[Value, ...]
    read: tuple[Value, ...]
    executed: bool
    stopped: str


def trace(
    model: Any, example: Any, loss: Callable[..., Any] | None = None, *, training: bool | None = None
) -> Trace:
    """Record one forward pass.

    Args:
        model: a module.
        example, loss: as in :func:`nonsmooth.audit.smoothness_of`.
        training: the mode of all modules while tracing; None leaves each as it is.

    Raises:
        InputError: the model or the loss raises, or gives no tensor; the model has parameters that are not
            there yet; an example that is none.
    """
    model = unwrapped(model)
    if loss is not None and not callable(loss):
        raise InputError(f"loss = {loss!r} cannot be called; give a function of (model(x), y)")
    inputs, target = _parts(example, loss)
    _check_lazy(model)
    if any(isinstance(each, torch.jit.ScriptModule) for each in model.modules()):
        raise InputError(
            "model = a scripted or traced module shows no Python; give the module it was made from"
        )
    real = not any(
        x.is_meta or isinstance(x, FakeTensor)
        for x in (*model.parameters(), *model.buffers(), *tree_leaves((inputs, target)))
        if isinstance(x, Tensor)
    )
    try:
        return _recorded(model, inputs, target, loss, training, fake=True)
    except InputError:
        raise
    except (Exception, SystemExit) as error:  # of any kind: it is the user's code that runs here
        if not real:
            return _given_up(error, model, inputs)
    try:
        return _recorded(model, inputs, target, loss, training, fake=False)
    except InputError:
        raise
    except (Exception, SystemExit) as error:
        raise InputError(_said(error, inputs)) from None


def _given_up(error: BaseException, model: nn.Module, inputs: Any) -> Trace:
    """The trace of what needs numbers that are not there; an error of the user's code is told."""
    if type(error).__module__.startswith("torch._subclasses") or type(error).__module__.startswith(
        "torch.fx"
    ):
        why = "its control flow or its shapes depend on numbers, and without weights there are none"
        return Trace((), (), _variables(model), (), (), (), False, why)
    raise InputError(_said(error, inputs)) from None


def _said(error: BaseException, inputs: Any) -> str:
    shapes = ", ".join(
        f"{str(x.dtype).removeprefix('torch.')}{list(x.shape)}"
        for x in tree_leaves(inputs)
        if isinstance(x, Tensor)
    )
    lines = str(error).strip().splitlines()
    said = lines[0][:200] if lines else "no message"
    return (
        f"the model or its loss raised {type(error).__name__} on an example of {shapes or 'no tensors'}: "
        f"{said}; give an example (with a loss the pair (input, target)) on which it runs"
    )


def takes_model(loss: Any) -> bool:
    """Whether a loss is a function of (model, batch): its first parameter is called ``model``."""
    try:
        names = list(inspect.signature(loss).parameters)
    except (TypeError, ValueError):  # none, or one without a signature
        return False
    return names[:1] == ["model"]


def _parts(example: Any, loss: Any) -> tuple[Any, Any]:
    if loss is None or takes_model(loss):
        return example, None
    if not (isinstance(example, list | tuple) and len(example) == 2):
        raise InputError(
            f"example = a {type(example).__name__} is not allowed with a loss; give the pair (input, target)"
        )
    return example[0], example[1]


def _check_lazy(model: nn.Module) -> None:
    empty = [name for name, each in (*model.named_parameters(), *model.named_buffers()) if is_lazy(each)]
    if empty:
        raise InputError(
            f"{empty[0]} of the model has no shape yet ({len(empty)} lazy tensors); run one batch through "
            "the model first"
        )


def _variables(model: nn.Module) -> str:
    found = any(p.requires_grad for p in model.parameters())
    return "the trainable parameters" if found else "the inputs"


def _recorded(
    model: nn.Module, inputs: Any, target: Any, loss: Any, training: bool | None, *, fake: bool
) -> Trace:
    tensors = [
        *model.parameters(),
        *model.buffers(),
        *(x for x in tree_leaves(inputs) if isinstance(x, Tensor)),
    ]
    device = next((x.device for x in tensors if not x.is_meta), torch.device("cpu"))
    mode = FakeTensorMode() if fake else None
    recorder = Recorder(_maker(mode, device), fake)
    variables = _variables(model)
    with _put_back(model, loss), _names(model, loss, recorder):
        if training is not None:
            model.train(training)
        _substitute(model, recorder)
        free = variables == "the inputs"
        given = _stand_ins(inputs, recorder, "input" if free else "")
        wanted = _stand_ins(target, recorder, "")
        with mode or nullcontext(), Reader(recorder), recorder, torch.enable_grad():
            if takes_model(loss):
                recorder.modules.append("loss")
                result = loss(model, given)
            else:
                result = called(model, given)
                if loss is not None:
                    recorder.modules.append("loss")
                    result = loss(result, wanted)
        results = _results(result, loss, recorder)
        return Trace(
            results=results,
            values=tuple(recorder.values),
            variables=variables,
            random=tuple(recorder.random),
            batch=tuple(recorder.batch),
            read=tuple(recorder.read),
            executed=not fake,
            stopped="",
        )


def _maker(mode: FakeTensorMode | None, device: torch.device) -> Callable[[Tensor], Tensor]:
    def copied(tensor: Tensor) -> Tensor:
        return tensor.detach().clone().requires_grad_(tensor.requires_grad)

    def faked(tensor: Tensor) -> Tensor:
        place = tensor.device if not tensor.is_meta and tensor.dim() == 0 else device
        with _disable_current_modes(), mode or nullcontext():
            if tensor.layout != torch.strided:
                made = torch.empty(tensor.shape, dtype=tensor.dtype, device=place)
            else:
                made = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=place)
            return made.requires_grad_(tensor.requires_grad)

    def copied_outside(tensor: Tensor) -> Tensor:
        with _disable_current_modes():
            return copied(tensor)

    return copied_outside if mode is None else faked


def _substitute(model: nn.Module, recorder: Recorder) -> None:
    """Put stand-ins where the model's parameters and buffers are."""
    names = {id(p): name for name, p in model.named_parameters()}
    for module in model.modules():
        for name, each in list(module._parameters.items()):
            if each is not None:
                variable = names[id(each)] if each.requires_grad else ""
                made = recorder.stand_in(each, variable, constant=False)
                if not isinstance(made, nn.Parameter):
                    value = recorder.value_of(made)
                    made = nn.Parameter(made.detach(), requires_grad=each.requires_grad)
                    recorder.adopt(each, made, value)
                if isinstance(module, nn.RNNBase):
                    setattr(module, name, made)  # it keeps a second list of them, which this renews
                else:
                    module._parameters[name] = made
        for name, each in list(module._buffers.items()):
            if each is not None:
                module._buffers[name] = recorder.stand_in(each, constant=False)


def _stand_ins(tree: Any, recorder: Recorder, name: str) -> Any:
    def one(x: Any) -> Any:
        if isinstance(x, Mapping):  # no dict, such as the batches of tokenizers
            return _stand_ins(dict(x), recorder, name)
        if not isinstance(x, Tensor):
            return x
        made = recorder.stand_in(x, name if x.is_floating_point() or x.is_complex() else "", constant=False)
        recorder.value_of(made).given = True
        return made

    return tree_map(one, tree)


def called(model: nn.Module, inputs: Any) -> Any:
    """The model on an example's input: several of them by name or place."""
    if isinstance(inputs, Mapping):
        return model(**inputs)
    if isinstance(inputs, tuple | list):
        return model(*inputs)
    return model(inputs)


def _results(result: Any, loss: Any, recorder: Recorder) -> tuple[Value, ...]:
    if loss is None and isinstance(result, Mapping) and isinstance(result.get("loss"), Tensor):
        result = result["loss"]
    if loss is not None and not (isinstance(result, Tensor) and result.numel() == 1):
        shape = (
            f"a tensor of shape {list(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
        )
        raise InputError(f"the loss gives {shape}, not one number as a tensor; end it with .mean() or .sum()")
    if loss is not None and isinstance(result, Tensor) and result.is_complex():
        raise InputError("the loss gives a complex number; end it with .abs() or .real")
    leaves = [
        part for leaf in tree_leaves(result) for part in (leaf, *tree_leaves(getattr(leaf, "__dict__", ())))
    ]
    found = [x for x in leaves if isinstance(x, Tensor)]
    if not found:
        raise InputError(
            f"the model gives {type(result).__name__} without any tensor; give a loss that reads it"
        )
    real = [x for x in found if x.is_floating_point() or x.is_complex()]
    return tuple(recorder.value_of(x) for x in real or found)


@contextmanager
def _names(model: nn.Module, loss: Any, recorder: Recorder) -> Iterator[None]:
    """Tell the recorder which module is being called, and hide what is declared."""
    names = {id(module): name for name, module in model.named_modules()}
    if isinstance(loss, nn.Module):
        names.update(
            (id(module), f"loss.{name}" if name else "loss") for name, module in loss.named_modules()
        )
    inside: list[nn.Module] = []

    def enter(module: nn.Module, args: Any) -> None:
        name = names.get(id(module))
        kind = type(module).__name__
        recorder.modules.append(f"{name} ({kind})" if name else kind)
        if declared(module) is not None:
            recorder.opaque += 1
            inside.append(module)

    def leave(module: nn.Module, args: Any, result: Any) -> None:
        if inside and inside[-1] is module:
            inside.pop()
            recorder.opaque -= 1
            if not recorder.opaque:
                _summarise(module, args, result, recorder)
        if recorder.modules:
            recorder.modules.pop()

    handles = [
        hooks.register_module_forward_pre_hook(enter),
        hooks.register_module_forward_hook(leave, always_call=True),
    ]
    try:
        yield
    finally:
        for each in handles:
            each.remove()


def _summarise(module: nn.Module, args: Any, result: Any, recorder: Recorder) -> None:
    """A declared module as one operation."""
    kind = declared(module)
    tensors = [x for x in (*tree_leaves(args), *module.parameters()) if isinstance(x, Tensor)]
    parents = tuple({id(value): value for value in map(recorder.value_of, tensors)}.values())
    varies = any(each.varies for each in parents)
    for x in tree_leaves(result):
        if isinstance(x, Tensor) and kind is not None:
            smoothness = least(kind, *(each.smoothness for each in parents if each.varies))
            value = Value(type(module).__name__, recorder.place, parents, varies=varies, numel=x.numel())
            value.own, value.smoothness = (kind, smoothness) if varies else ("analytic", "analytic")
            value.detail, value.given = "as declared for the module", any(each.given for each in parents)
            recorder.put(x, value)


@contextmanager
def _put_back(model: nn.Module, loss: Any) -> Iterator[None]:
    """Whatever modules hold is held again afterwards, and random numbers go on where they were."""
    modules = [*model.modules(), *(loss.modules() if isinstance(loss, nn.Module) else ())]
    kept = [(module, dict(module.__dict__)) for module in modules]
    held = [
        (value, value.copy())
        for module in modules
        for value in module.__dict__.values()
        if isinstance(value, dict | list | set)
    ]
    devices = {x.device.index or 0 for x in model.parameters() if x.is_cuda}
    try:
        with randomness_kept(sorted(devices)):
            yield
    finally:
        for module, state in kept:
            module.__dict__.clear()
            module.__dict__.update(state)
        for container, content in held:
            container.clear()
            (container.extend if isinstance(container, list) else container.update)(content)
