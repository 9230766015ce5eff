"""A tape of the aten operations that a computation is made of, which can be played again with other values.

Recording sees every operation, those called as functions too, after torch has taken composite ones apart,
with the module that called it. Playing calls a function of one's own for each of them: it may compute with
tangents beside the values (one-sided derivatives) or with autograd on (the gradient of a pre-activation).
Whatever the model decided from data is as it was when recorded, which is right in the cell of the weights
recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from nonsmooth.errors import InputError

__all__ = ["Call", "Modules", "Tape", "record"]


class Modules:
    """Which module is at work: the innermost one of ``model`` whose forward is running.

    Attributes:
        running: the modules inside which we are, from the outside in.
    """

    def __init__(self, model: nn.Module) -> None:
        self._names = {module: name for name, module in model.named_modules()}
        self.running: list[nn.Module] = []

    @property
    def name(self) -> str:
        """As in ``named_modules``; the class for a module outside of the model; "" for none or the model."""
        if not self.running:
            return ""
        module = self.running[-1]
        return self._names.get(module, type(module).__name__)

    @contextmanager
    def followed(self) -> Iterator[Modules]:
        """Follow the modules as they are called, in this thread's computation."""

        def enter(module: nn.Module, args: Any) -> None:
            self.running.append(module)

        def leave(module: nn.Module, args: Any, output: Any) -> None:
            self.running.pop()

        self.running.clear()
        before = nn.modules.module.register_module_forward_pre_hook(enter)
        after = nn.modules.module.register_module_forward_hook(leave, always_call=True)
        try:
            yield self
        finally:
            before.remove()
            after.remove()


@dataclass(frozen=True, eq=False)
class Call:
    """One operation with the tensors that went in and came out, and the module that called it."""

    op: Any
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: Any
    module: str

    @property
    def writes(self) -> list[torch.Tensor]:
        """The tensors that it changes in place."""
        schema = self.op._schema
        if not schema.is_mutable:
            return []
        given = {a.name: v for a, v in zip(schema.arguments, self.args, strict=False)} | dict(self.kwargs)
        changed = [a.name for a in schema.arguments if a.alias_info is not None and a.alias_info.is_write]
        return [t for t in pytree.tree_leaves([given.get(name) for name in changed]) if _tensor(t)]


def _tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


@dataclass(eq=False)
class Tape:
    """The calls in order, and the tensors that none of them made.

    Attributes:
        calls: the operations.
        leaves: by ``id``, (the tensor, its value before the computation): parameters themselves, all others
            copied, since a computation may write into them.
        result: what the computation returned.
    """

    calls: list[Call] = field(default_factory=list)
    leaves: dict[int, tuple[torch.Tensor, torch.Tensor]] = field(default_factory=dict)
    result: Any = None

    def play(self, start: Mapping[int, Any], leaf: Callable[..., Any], apply: Callable[..., Any]) -> Any:
        """What ``result`` becomes when ``apply(call, args, kwargs)`` computes each call.

        Args:
            start: values of leaves by ``id``.
            leaf: makes a value of a leaf that ``start`` does not have, given the leaf and a copy of it.
            apply: returns values in the shape of ``call.output``.
        """
        values: dict[int, Any] = dict(start)
        for key, (tensor, before) in self.leaves.items():
            if key not in values:
                values[key] = leaf(tensor, before.clone())

        def read(tensor: torch.Tensor) -> Any:
            return values[id(tensor)]

        for call in self.calls:
            args, kwargs = pytree.tree_map_only(torch.Tensor, read, (call.args, dict(call.kwargs)))
            made = apply(call, args, kwargs)
            for recorded, value in zip(
                pytree.tree_leaves(call.output), pytree.tree_leaves(made), strict=True
            ):
                if _tensor(recorded):
                    values[id(recorded)] = value
        return values.get(id(self.result), self.result)


class _Recorder(TorchDispatchMode):
    def __init__(self, tape: Tape, modules: Modules, parameters: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self._tape, self._modules = tape, modules
        self._parameters = {id(p) for p in parameters}
        self._storages = {p.untyped_storage().data_ptr(): p for p in parameters if p.numel()}
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for tensor in pytree.tree_leaves((args, kwargs)):
            if _tensor(tensor) and id(tensor) not in self._known:
                self._known.add(id(tensor))
                self._tape.leaves[id(tensor)] = (tensor, self._leaf(tensor))
        output = func(*args, **kwargs)
        self._known |= {id(t) for t in pytree.tree_leaves(output) if _tensor(t)}
        self._tape.calls.append(Call(func, args, kwargs, output, self._modules.name))
        return output

    def _leaf(self, tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) in self._parameters:
            return tensor
        owner = self._storages.get(tensor.untyped_storage().data_ptr()) if tensor.numel() else None
        if owner is not None:  # a constant it would seem, and every derivative wrong
            raise InputError(
                f"{self._modules.name or 'the model'} computes with a parameter's .data (shape "
                f"{tuple(owner.shape)}), past autograd; use the parameter itself"
            )
        return tensor.detach().clone()


def record(model: nn.Module, parameters: Sequence[torch.Tensor], compute: Callable[[], torch.Tensor]) -> Tape:
    """The tape of ``compute()``, which calls ``model``; attention is taken apart into plain products."""
    tape, modules = Tape(), Modules(model)
    with (
        torch.enable_grad(),  # without it torch's fused encoder layers would hide what they are made of
        sdpa_kernel(SDPBackend.MATH),
        modules.followed(),
        _Recorder(tape, modules, parameters),
    ):
        tape.result = compute()
    return tape
