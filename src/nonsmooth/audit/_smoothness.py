"""How smooth a model and its loss are, composed from the smoothness of every operation in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nonsmooth.audit._l1_terms import KinkedTerm, L1Term, kinked_terms, l1_terms
from nonsmooth.audit._operations import operation
from nonsmooth.audit._operations_row import CLASSES, Class, Value, least
from nonsmooth.audit._smoothness_hinges import hinge_of
from nonsmooth.audit._trace import Trace, trace
from nonsmooth.diagnostics._unwrapped import unwrapped
from nonsmooth.errors import InputError
from nonsmooth.findings import Observation

__all__ = ["Smoothness", "Step", "Used", "smoothness_of"]


@dataclass(frozen=True)
class Step:
    """One step on a path: an operation, or the variable where the path begins (operation "").

    Attributes:
        operation: its name in torch, without ``aten::``.
        module: the innermost module that calls it, or the name of the variable.
        smoothness: its own class.
        detail: why, where its class depends on its arguments.
    """

    operation: str
    module: str
    smoothness: Class
    detail: str = ""

    def __str__(self) -> str:
        if not self.operation:
            return self.module
        return f"{self.operation} in {self.module}" if self.module else self.operation


@dataclass(frozen=True)
class Used:
    """An operation on a way from the variables to the result.

    Attributes:
        operation, smoothness, detail: as in :class:`Step`.
        count: how often it is called.
        modules: the modules that call it, in order, each once.
        choice: what torch takes for the derivative at its kinks, on the table's line through it; () if none.
    """

    operation: str
    smoothness: Class
    detail: str
    count: int
    modules: tuple[str, ...]
    choice: tuple[float, ...] = ()


@dataclass(frozen=True)
class Smoothness:
    """How smooth a function is, at worst, and why. What :func:`smoothness_of` gives.

    Attributes:
        smoothness: "analytic", "C1,1" (the gradient is locally Lipschitz), "C1", "Lipschitz" (kinks),
            "discontinuous" (jumps, or slopes without bound) or "unknown". An upper bound on roughness, as a
            function of ``variables`` where all operations are defined (see ``singular``).
        known: the class of all operations but the unknown ones.
        variables: "the trainable parameters", or "the inputs" of a model without any.
        cause: the shortest path from a variable to the result through an operation of that class; () if the
            function is analytic or does not depend on the variables.
        operations: all that lie on such paths.
        unknown: the operations that the table does not have, or that read numbers off the graph.
        random: the random ones, also off such paths.
        left_on: what draws random numbers or uses the statistics of the batch where evaluation is meant (the
            mode is False, or the model in evaluation mode), in the mode that each module is in now; where
            training is meant, what would still draw random numbers after ``model.eval()``.
        batch_statistics: modules that normalise with the statistics of the batch.
        singular: where value or slope have no bound, by operation.
        l1_terms: L1 terms in the loss.
        kinked_terms: terms with kinks on parameters alone of which it is not known whether they are such.
        not_finite: names of parameters and buffers that hold NaN or infinity.
        depends: whether the result depends on the variables at all.
        training: the mode of the model while traced.
        executed: run on real numbers, since its control flow asks for some; holds for the branches taken.
        stopped: why the trace could not be made, "" if it was.
        hinges: what computes max(0, x) or min(0, x) near 0: operation, module, and what share of the slope on
            one side torch takes at 0.
        detached: operations on the way to the result that use something of the parameters without its
            gradient (``.detach()``, ``.data``, ``no_grad``).
    """

    smoothness: Class
    known: Class
    variables: str
    cause: tuple[Step, ...]
    operations: tuple[Used, ...]
    unknown: tuple[Used, ...]
    random: tuple[Used, ...]
    left_on: tuple[Used, ...]
    batch_statistics: tuple[str, ...]
    singular: tuple[Step, ...]
    l1_terms: tuple[L1Term, ...]
    kinked_terms: tuple[KinkedTerm, ...]
    not_finite: tuple[str, ...]
    depends: bool
    training: bool
    executed: bool
    stopped: str
    hinges: tuple[tuple[str, str, float], ...]
    detached: tuple[Used, ...] = ()

    def observations(self) -> list[Observation]:
        """What this says, as observations."""
        from nonsmooth.audit._smoothness_observations import observations_of

        return observations_of(self)

    def __str__(self) -> str:
        if self.stopped:
            return f"unknown: {self.stopped}"
        if not self.depends:
            return f"the result does not depend on {self.variables}"
        path = " -> ".join(map(str, self.cause))
        return f"at worst {self.smoothness}" + (f": {path}" if path else "")


def smoothness_of(
    model: nn.Module,
    example: Any,
    loss: Callable[..., Any] | None = None,
    *,
    training: bool | None = None,
) -> Smoothness:
    """The smoothness class of a model, or of its loss, with the shortest path that causes it.

    One forward pass is traced on tensors without memory, so the model may be large or on the meta device. The
    class is composed operation by operation, from a table that the tests probe on torch itself: a composition
    is at worst as rough as its roughest part. Kinks that cancel are not seen (``abs(x) * x`` is called
    "Lipschitz"); :func:`declare_smoothness` tells the audit of a module what is known better.

    Args:
        model: a module; its weights, buffers, modes and the random numbers are left as they are.
        example: a batch: a tensor, a tuple of arguments, a dict of named ones; with ``loss(output, target)``
            the pair (input, target) of an input as above. Only shapes and dtypes count, unless the code asks
            for numbers; tensors on the meta device do.
        loss: ``loss(output, target)``, called with ``model(input)``; or, where its first parameter is called
            ``model``, ``loss(model, batch)``, called with the example as it is. It gives one number, and may
            hold a penalty on parameters of the model. None: the model's own results are looked at; of a
            dict with "loss" only that.
        training: the mode that is meant (True, False), which every module has while tracing; None: that which
            each module is in.

    Raises:
        InputError: the model or loss raises on the example, gives no tensor, or has lazy parameters.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    >>> found = smoothness_of(model, (torch.zeros(4, 2), torch.zeros(4, 1)), nn.functional.mse_loss)
    >>> found.smoothness, [str(step) for step in found.cause][1:3]
    ('Lipschitz', ['addmm in 0 (Linear)', 'relu in 1 (ReLU)'])
    """
    model = unwrapped(model)
    found = trace(model, example, loss, training=training)
    names = [name for name, _ in model.named_parameters()]
    one = loss is not None or (len(found.results) == 1 and found.results[0].numel == 1)
    reached = _reached(found.results)
    ordered = [value for value in found.values if id(value) in reached]
    reads = list(found.read)
    known = least(*(value.own for value in ordered if value.own != "unknown"))
    smoothness = least(*(value.smoothness for value in found.results if value.varies))
    if reads or found.stopped:
        smoothness = least(smoothness, "unknown")
    culprits = [value for value in ordered if value.own == smoothness] or (
        reads if smoothness == "unknown" else []
    )
    return Smoothness(
        smoothness=smoothness,
        known=known,
        variables=found.variables,
        cause=_shortest(culprits, found.results, [*found.values, *reads]) if smoothness != "analytic" else (),
        operations=_used(ordered),
        unknown=_used([value for value in ordered if value.own == "unknown"]) + _used(reads, "reads numbers"),
        random=_used(found.random),
        left_on=_left_on(found, model, example, loss, training),
        batch_statistics=tuple(dict.fromkeys(value.module for value in found.batch)),
        singular=tuple(dict.fromkeys(_singular(value) for value in ordered if value.singular)),
        l1_terms=l1_terms(found.results[0], names) if one and found.results else (),
        kinked_terms=kinked_terms(found.results[0], names) if one and found.results else (),
        not_finite=_not_finite(model),
        depends=bool(found.stopped) or any(value.varies for value in found.results),
        training=model.training if training is None else training,
        executed=found.executed,
        stopped=found.stopped,
        detached=()
        if found.variables == "the inputs"
        else _used([value for value in ordered if value.detached]),
        hinges=tuple(dict.fromkeys(hinge for value in ordered if (hinge := hinge_of(value)) is not None)),
    )


def _reached(results: Sequence[Value]) -> set[int]:
    """The values that a result depends on and that depend on the variables."""
    reached: set[int] = set()
    waiting = [value for value in results if value.varies]
    while waiting:
        value = waiting.pop()
        if id(value) not in reached:
            reached.add(id(value))
            waiting += [each for each in value.parents if each.varies]
    return reached


def _step(value: Value) -> Step:
    return Step(value.operation, value.variable or value.module, value.own, value.detail)


def _singular(value: Value) -> Step:
    return Step(value.operation, value.module, value.own, value.singular)


def _used(values: Sequence[Value], detail: str | None = None) -> tuple[Used, ...]:
    groups: dict[tuple[str, Class, str], list[Value]] = {}
    for value in values:
        if value.operation:
            why = value.detail if detail is None else detail
            own: Class = value.own if detail is None else "unknown"
            groups.setdefault((value.operation, own, why), []).append(value)
    rows = []
    for (name, own, why), group in groups.items():
        row = operation(name)
        # Two outputs of one call are two values.
        calls = {id(value.call) if value.call is not None else id(value) for value in group}
        choices = row.choices if row is not None and own == "Lipschitz" else ()
        modules = tuple(dict.fromkeys(value.module for value in group))
        rows.append(Used(name, own, why, len(calls), modules, choices))
    return tuple(sorted(rows, key=lambda row: -CLASSES.index(row.smoothness)))


def _shortest(
    culprits: Sequence[Value], results: Sequence[Value], values: Sequence[Value]
) -> tuple[Step, ...]:
    """The shortest path from a variable through one of ``culprits`` to a result."""
    to_variable: dict[int, tuple[int, Value | None]] = {}

    def depth(value: Value) -> tuple[int, Value | None]:
        if not any(each.varies for each in value.parents):
            return 0, None
        best = min((each for each in value.parents if each.varies), key=lambda each: known(each)[0])
        return known(best)[0] + 1, best

    def known(value: Value) -> tuple[int, Value | None]:
        return to_variable.get(id(value), (0, None))  # a variable itself is not among the values

    for value in values:  # in the order of computation: parents come first
        to_variable[id(value)] = depth(value)
    to_result: dict[int, tuple[int, Value | None]] = {id(value): (0, None) for value in results}
    level = [value for value in results if value.varies]
    distance = 0
    while level:
        distance += 1
        below = []
        for value in level:
            for each in value.parents:
                if each.varies and id(each) not in to_result:
                    to_result[id(each)] = distance, value
                    below.append(each)
        level = below
    if not culprits:
        return ()
    culprit = min(culprits, key=lambda value: known(value)[0] + to_result.get(id(value), (0, None))[0])
    path = [culprit]
    while (before := known(path[0])[1]) is not None:
        path.insert(0, before)
    while (after := to_result.get(id(path[-1]), (0, None))[1]) is not None:
        path.append(after)
    return tuple(_step(value) for value in path)


def _left_on(
    found: Trace, model: nn.Module, example: Any, loss: Any, training: bool | None
) -> tuple[Used, ...]:
    """See :class:`Smoothness`."""
    if training or (training is None and model.training):
        if not found.random:
            return ()
        mode, batch = False, False
    else:
        mode, batch = None, True
    same = mode is training or (training is False and not any(each.training for each in model.modules()))
    try:
        other = found if same else trace(model, example, loss, training=mode)
    except InputError:  # in its other mode it does not run
        return ()
    # Without running statistics a batch norm is meant to use the batch's.
    norms = [x for x in other.batch if batch and x.call and x.call.arguments.get("running_mean") is not None]
    return _used([*other.random, *norms])


def _not_finite(model: nn.Module) -> tuple[str, ...]:
    found = []
    for name, each in (*model.named_parameters(), *model.named_buffers()):
        if each.is_meta or not each.is_floating_point() or each.layout != torch.strided:
            continue
        numbers = each.detach() if each.element_size() > 1 else each.detach().float()  # float8 has no sum
        # A sum in double precision overflows for no finite numbers of the others, and takes no memory.
        if not math.isfinite(numbers.sum(dtype=torch.float64).item()):
            found.append(name)
    return tuple(found)
