"""Writes down every operation that torch computes, with what is known of its result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

from nonsmooth.audit._composition import OVERWRITING, mix, result_of
from nonsmooth.audit._operations import base_name, operation
from nonsmooth.audit._operations_row import EVERYWHERE, Call, Range, Value

__all__ = ["WITH_BATCH", "Reader", "Recorder"]

_SMALL = 4096  # entries of a constant whose numbers are kept
_FALLBACK = 2**26  # bytes that a custom operator may be given to find the shapes of its results
# Batch norms that can use the statistics of their batch.
WITH_BATCH = frozenset(
    [
        "native_batch_norm",
        "_native_batch_norm_legit",
        "_native_batch_norm_legit_functional",
        "_batch_norm_with_update",
        "_batch_norm_with_update_functional",
        "cudnn_batch_norm",
        "miopen_batch_norm",
    ]
)


@dataclass(eq=False)
class Recorder(TorchDispatchMode):
    """A dispatch mode: real tensors are replaced by stand-ins, operations are recorded and passed on.

    Args:
        make: a stand-in for a real tensor: a fake one without memory, or a copy.
        fake: whether stand-ins are fake.

    Attributes:
        values: all that was computed, in order.
        random: the random operations among them.
        batch: those that use a batch's own statistics.
        per_sample: whether each sample is normalised by its own, which torch does with the same operations.
        read: where numbers that depend on the variables were read (``.item()``, ``if``).
    """

    make: Callable[[Tensor], Tensor]
    fake: bool
    values: list[Value] = field(default_factory=list)
    random: list[Value] = field(default_factory=list)
    batch: list[Value] = field(default_factory=list)
    read: list[Value] = field(default_factory=list)
    modules: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.opaque = 0
        self.per_sample = False
        self._by_storage: dict[int, Value] = {}
        self._stand_ins: dict[int, Tensor] = {}
        self._computed: set[int] = set()  # storages that are no caller's
        self._numbers: dict[int, tuple[Tensor, int]] = {}
        self._alive: list[Any] = []  # ids and storages are not used twice while all are alive

    # Tensors

    def stand_in(self, tensor: Tensor, variable: str = "", constant: bool = True) -> Tensor:
        """What takes a real tensor's place, the same one each time.

        ``variable`` names a parameter or input that the result may depend on; ``constant`` says that the
        numbers of a small tensor belong to the function, as those of an input do not.
        """
        found = self._stand_ins.get(id(tensor))
        if found is not None:
            return found
        if isinstance(tensor, FakeTensor) or _storage(tensor) in self._computed:
            return tensor
        made = self.make(tensor)
        self._stand_ins[id(tensor)] = made
        self._keep(tensor, made)
        value = Value(variable=variable, varies=bool(variable), numel=tensor.numel())
        plain = tensor.layout == torch.strided and not (tensor.is_meta or tensor.is_quantized)
        if constant and not variable and plain and not tensor.requires_grad and tensor.numel():
            with _disable_current_modes(), torch.no_grad():
                value.range = _extent(tensor)
                if tensor.numel() <= _SMALL:
                    self._numbers[id(made)] = tensor.detach().clone(), _storage(made)
        self._by_storage[_storage(made)] = value
        return made

    def _keep(self, real: Tensor, made: Tensor) -> None:
        self._alive += [real, made, _held(made)]
        self._computed.add(_storage(made))

    def adopt(self, real: Tensor, made: Tensor, value: Value) -> None:
        """Let another tensor be the stand-in of a real one."""
        self._stand_ins[id(real)] = made
        self._keep(real, made)
        self._by_storage[_storage(made)] = value

    def value_of(self, tensor: Tensor) -> Value:
        """What is known of a tensor."""
        return self._by_storage.get(_storage(tensor)) or Value(numel=tensor.numel())

    def put(self, tensor: Tensor, value: Value) -> None:
        """Record that a tensor holds a value."""
        self.values.append(value)
        self._by_storage[_storage(tensor)] = value

    # Operations

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = args, kwargs or {}
        args, kwargs = tree_map(lambda x: self.stand_in(x) if isinstance(x, Tensor) else x, given)
        schema = func._schema
        space, _, full = schema.name.partition("::")
        if space == "prim":
            return func(*args, **kwargs)
        if space == "aten" and full.startswith("_foreach_") and (each := _alone(full)) is not None:
            return self._each(each, func, args, kwargs)
        named = self._named(schema, args, kwargs)
        name = base_name(full)
        if full == "_local_scalar_dense":
            known = self._numbers.get(id(args[0]))
            if known is not None:
                with _disable_current_modes():
                    return known[0].item()
        if full in (
            "_local_scalar_dense",
            "equal",
            "is_nonzero",
            "nonzero",
            "masked_select",
            "unique_dim",
            "_unique2",
        ):
            # Not so in a forward function's own assertions, which ask of constants.
            source = self.value_of(args[0])
            if source.varies:
                self.read.append(Value(full, self.place, (source,), varies=True))
        before = {key: self.value_of(x) for key, x in named.items() if isinstance(x, Tensor)}
        result = self._run(func, space, args, kwargs)
        made = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        self._alive += [*made, *map(_held, made)]
        self._computed.update(map(_storage, made))
        if not self.opaque and name != "set":  # a tensor put on another storage, whose value it has
            self._record(func, name if space == "aten" else f"{space}::{full}", named, before, result)
        self._keep_numbers(func, name, args, kwargs, result)
        if full.endswith("_") and not full.endswith("__") and given[0] and isinstance(given[0][0], Tensor):
            return given[0][0]  # else `self.count += 1` would leave the stand-in in the user's module
        return result

    @property
    def place(self) -> str:
        """The innermost module that is being called."""
        return self.modules[-1] if self.modules else ""

    def _named(self, schema: Any, args: Any, kwargs: Any) -> dict[str, Any]:
        named = {each.name: each.default_value for each in schema.arguments if each.has_default_value()}
        named.update(zip((each.name for each in schema.arguments), args, strict=False))
        named.update(kwargs)
        return named

    def _each(self, one: Any, func: Any, args: Any, kwargs: Any) -> Any:
        """An operation on lists of tensors, as the operation on each."""
        schema = func._schema.arguments
        positional = [each.name for each in schema[: len(args)]]
        given = dict(zip(positional, args, strict=True)) | kwargs
        lists = {each.name for each in schema if each.name in given and str(each.type).startswith("List")}
        results = []
        with self:
            for k in range(max(len(given[key]) for key in lists)):
                now = {key: value[k] if key in lists else value for key, value in given.items()}
                first = [now.pop(key) for key in positional]
                results.append(one(*first, **now))
        return None if func._schema.name.endswith("_") else results

    def _run(self, func: Any, space: str, args: Any, kwargs: Any) -> Any:
        """The result; of a custom operator that does not say what it gives for fakes, by a trial on ones."""
        try:
            return func(*args, **kwargs)
        except Exception:
            tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
            size = sum(x.numel() * x.element_size() for x in tensors)
            if not self.fake or space in ("aten", "prims") or size > _FALLBACK:
                raise
        with _disable_current_modes(), torch.no_grad():
            real = tree_map(
                lambda x: torch.ones(x.shape, dtype=x.dtype) if isinstance(x, Tensor) else x, (args, kwargs)
            )
            result = func(*real[0], **real[1])
        return tree_map(lambda x: self.make(x) if isinstance(x, Tensor) else x, result)

    def _record(self, func: Any, name: str, named: dict, before: dict[str, Value], result: Any) -> None:
        writes = {
            each.name for each in func._schema.arguments if each.alias_info and each.alias_info.is_write
        }
        written = [x for key, x in named.items() if key in writes and isinstance(x, Tensor)]
        kept = {_storage(x) for x in written}
        outputs = [x for x in tree_leaves(result) if isinstance(x, Tensor)]
        # A view holds what its base holds: no operation of its own. What is written is output 0.
        fresh = [
            (k, x)
            for k, x in enumerate(outputs)
            if _storage(x) not in kept and _storage(x) not in self._by_storage
        ]
        places = [*((0, x) for x in written), *fresh]
        if not places:
            return
        arguments = {key: _described(x, before.get(key), self.value_of) for key, x in named.items()}
        if written and not fresh and name in OVERWRITING:
            arguments["self"] = None
        tensors = [x for x in tree_leaves(list(named.values())) if isinstance(x, Tensor)]
        floating = [x.dtype for x in tensors if x.is_floating_point()]
        row = operation(name)
        call = Call(
            name=row.name if row else name,
            arguments=arguments,
            dtype=floating[0] if floating else torch.float64,
            numel={key: _numel(x) for key, x in named.items()},
            same=_same(named.get("self"), named.get("other", named.get("tensor", named.get("mat2")))),
        )
        detached = any(_detached(x, before.get(key)) for key, x in named.items())
        for k, tensor in places:
            value = result_of(call, row, k, _is_real(tensor), self.place)
            value.numel, value.detached = tensor.numel(), detached
            if k == 0 and written and not _covers(tensor):
                mix(value, self.value_of(tensor))
            self.put(tensor, value)
        first = self.value_of(places[0][1])
        if (row is not None and row.kind == "random") or _drops(named):
            self.random.append(first)
        if name in WITH_BATCH and named.get("training", named.get("train", True)) and not self.per_sample:
            self.batch.append(first)

    def _keep_numbers(self, func: Any, name: str, args: Any, kwargs: Any, result: Any) -> None:
        """Compute small constants for real too, so that control flow that asks for them can go on."""
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        schema = func._schema
        if any(each.alias_info and each.alias_info.is_write for each in schema.arguments):
            changed = {_storage(x) for x in tensors}
            self._numbers = {key: held for key, held in self._numbers.items() if held[1] not in changed}
            return
        row = operation(name)
        if not (self.fake and isinstance(result, Tensor) and 0 < result.numel() <= _SMALL):
            return
        if row is None or row.kind == "random" or name.startswith(("empty", "new_empty")):
            return
        if any(id(x) not in self._numbers for x in tensors) or not (tensors or row.kind == "constant"):
            return
        with _disable_current_modes(), torch.no_grad():
            swapped = tree_map(
                lambda x: self._numbers[id(x)][0] if isinstance(x, Tensor) else x, (args, kwargs)
            )
            if not tensors:
                swapped[1]["device"] = "cpu"
            real = func(*swapped[0], **swapped[1])
            value = self.value_of(result)
            if not value.varies and _storage(result) in self._by_storage:
                value.range = _extent(real)
        self._numbers[id(result)] = real, _storage(result)


class Reader(TorchFunctionMode):
    """Sees what a dispatcher does not: calls that hand a real tensor's numbers to code outside torch, and
    whose batch norm it is."""

    _LEAVING = frozenset({"numpy", "tolist", "__array__", "__dlpack__", "data_ptr"})

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        recorder = self._recorder
        if name in self._LEAVING and not recorder.fake and args and isinstance(args[0], Tensor):
            source = recorder.value_of(args[0])
            if source.varies:
                recorder.read.append(Value(name, recorder.place, (source,), varies=True))
        if name != "instance_norm":
            return func(*args, **(kwargs or {}))
        recorder.per_sample = True
        try:
            return func(*args, **(kwargs or {}))
        finally:
            recorder.per_sample = False


def _alone(name: str) -> Any:
    """The operation on one tensor of one on lists, None if there is none of that name."""
    name = name.removeprefix("_foreach_")
    other = {"norm": "linalg_vector_norm", "maximum": "clamp_min", "minimum": "clamp_max"}
    return getattr(torch.ops.aten, other.get(name, name), None)


def _drops(named: Mapping[str, Any]) -> bool:
    """Whether a fused layer (attention, recurrent) drops entries on its way."""
    share = named.get("dropout_p", named.get("dropout", 0))
    return isinstance(share, int | float) and share > 0 and bool(named.get("train", True))


def _described(argument: Any, before: Value | None, value_of: Callable[[Tensor], Value]) -> Any:
    if before is not None:
        return before
    if isinstance(argument, list | tuple):
        return [value_of(x) if isinstance(x, Tensor) else x for x in argument]
    return argument


def _detached(argument: Any, before: Value | None) -> bool:
    """Whether an argument varies and torch sees no gradient of it; of what jumps there is none to see."""
    if before is None or not before.varies or before.smoothness == "discontinuous":
        return False
    return argument.is_floating_point() and not argument.requires_grad


def _numel(argument: Any) -> int | list[int]:
    if isinstance(argument, list | tuple):
        return [x.numel() for x in argument if isinstance(x, Tensor)]
    return argument.numel() if isinstance(argument, Tensor) else 0


def _same(a: Any, b: Any) -> bool:
    """Whether two arguments are one tensor, entry by entry."""
    if not (isinstance(a, Tensor) and isinstance(b, Tensor)) or _storage(a) != _storage(b):
        return False
    if a.layout != torch.strided or b.layout != torch.strided:
        return a is b
    return (
        a.shape == b.shape
        and a.stride() == b.stride()
        and a.storage_offset() == b.storage_offset()
        and a.is_conj() == b.is_conj()
        and a.is_neg() == b.is_neg()
    )


def _storage(tensor: Tensor) -> int:
    try:
        return tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):  # sparse tensors have none
        return id(tensor)


def _held(tensor: Tensor) -> Any:
    """What keeps a tensor's storage alive, though the tensor may be put on another one."""
    try:
        return tensor.untyped_storage()
    except (NotImplementedError, RuntimeError):
        return None


def _covers(tensor: Tensor) -> bool:
    """Whether a tensor is all of its storage."""
    if tensor.layout != torch.strided:
        return True
    return tensor.numel() * tensor.element_size() >= tensor.untyped_storage().nbytes()


def _is_real(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _extent(tensor: Tensor) -> Range:
    if tensor.is_complex() or tensor.numel() == 0:
        return EVERYWHERE
    try:
        low, high = (float(end.item()) for end in (tensor.min(), tensor.max()))
    except (NotImplementedError, RuntimeError):  # not of all dtypes, such as float8
        return EVERYWHERE
    return (low, high) if low <= high else EVERYWHERE
