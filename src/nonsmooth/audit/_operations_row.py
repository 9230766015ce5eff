"""What a row of the table of operations says, and what it is asked: one call, with what is known of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes

__all__ = ["CLASSES", "Answer", "Call", "Class", "Kink", "Operation", "Range", "Value", "least"]

Class = Literal["analytic", "C1,1", "C1", "Lipschitz", "unknown", "discontinuous"]
# From the smoothest. What is unknown may be anything; only a known discontinuity is worse.
CLASSES: tuple[Class, ...] = ("analytic", "C1,1", "C1", "Lipschitz", "unknown", "discontinuous")
_RANK: dict[str, int] = {name: rank for rank, name in enumerate(CLASSES)}
Range = tuple[float, float]
EVERYWHERE: Range = (-math.inf, math.inf)


def least(*classes: str) -> Class:
    """The roughest of some classes: what a sum, product or composition of such functions is at worst.

    >>> least("analytic", "Lipschitz", "C1,1")
    'Lipschitz'
    """
    return CLASSES[max((_RANK[each] for each in classes), default=0)]


class Kink(NamedTuple):
    """A point of a row's line where the slope jumps: its place, the slopes on the left and on the right."""

    at: float
    left: float
    right: float


class Answer(NamedTuple):
    """What one call is: its class, why if that needs words, and where value or slope are not finite."""

    smoothness: Class
    detail: str = ""
    singular: str = ""


@dataclass(eq=False)
class Value:
    """A traced tensor: the operation that made it and what is known of it.

    Attributes:
        operation: its name in torch, without ``aten::`` and without the underscore of the in-place form; ""
            for a variable or a constant.
        module: where, such as ``features.1 (ReLU)``.
        parents: the values it was made from.
        own: the class of the operation alone, in the arguments that depend on the variables.
        smoothness: the class as a function of the variables: own and that of all parents.
        varies: it depends on the variables.
        range: no entry is outside.
        variable: the name of the parameter or input, "" for what was computed.
        detail, singular: of the :class:`Answer`.
        call: the call that made it; None for a variable or a constant.
        output: which of the operation's outputs.
        given: it depends on the example or on drawn numbers.
        detached: it was made from what varies and has no gradient (``.detach()``, ``.data``, ``no_grad``).
    """

    operation: str = ""
    module: str = ""
    parents: tuple[Value, ...] = ()
    own: Class = "analytic"
    smoothness: Class = "analytic"
    varies: bool = False
    range: Range = EVERYWHERE
    variable: str = ""
    detail: str = ""
    singular: str = ""
    call: Call | None = None
    output: int = 0
    numel: int = 0
    given: bool = False
    detached: bool = False


@dataclass(eq=False)
class Call:
    """One call of an operation: its arguments by the schema's names, tensors replaced by their values.

    A view has the value of what it is a view of; ``numel`` has the number of entries that each argument
    (of a list: that each of its parts) really has, and ``same`` says whether "self" and "other" are one
    tensor, and not two views of one, such as x and x.mT.
    """

    name: str
    arguments: Mapping[str, Any]
    dtype: torch.dtype = torch.float64
    numel: Mapping[str, Any] = field(default_factory=dict)
    same: bool = False

    def get(self, key: str, default: Any = None) -> Any:
        """A plain argument; ``default`` where there is none of that name or it is None."""
        found = self.arguments.get(key)
        return default if found is None else found

    def range(self, key: str) -> Range:
        """The least and the largest number an argument can be."""
        found = self.arguments.get(key)
        if isinstance(found, Value):
            return found.range
        if isinstance(found, bool | int | float):
            return float(found), float(found)
        return EVERYWHERE

    def varies(self, key: str) -> bool:
        """Whether the argument depends on the variables."""
        found = self.arguments.get(key)
        parts = found if isinstance(found, list | tuple) else (found,)
        return any(isinstance(each, Value) and each.varies for each in parts)

    def smoothness(self, key: str) -> Class:
        """The class of an argument as a function of the variables."""
        found = self.arguments.get(key)
        return found.smoothness if isinstance(found, Value) else "analytic"


@dataclass(frozen=True, eq=False)
class Operation:
    """One row: an operation of torch, how smooth it is, where it is not, and what torch does there.

    ``line`` is the operation along a line through its inputs, t -> tensor, with t a number in float64. On it
    the points below are given, and on it they can be probed. A tensor stands for the sum of its entries with
    the weights 1, 1/2, 1/3, ...

    Attributes:
        name: without ``aten::`` and without the underscore of the in-place form.
        smoothness: with its usual arguments, in all inputs that can vary.
        line: as said above.
        kinks: where the slope jumps.
        bends: where the second derivative jumps, or has no bound (class C1,1 or C1).
        jumps: where the value jumps.
        singular: where value or slope have no bound; classes are meant on the open domain beside these.
        domain: where the line is defined and all its points are given.
        where: the set of such points for any input, in words.
        rule: the class of one call, where it depends on the call's arguments.
        indices: outputs that are positions, whole numbers: they jump.
        kind: "function", "constant" (depends on shapes only, or on no input) or "random".
        note: what else is worth knowing.
    """

    name: str
    smoothness: Class
    line: Callable[[Tensor], Tensor]
    kinks: tuple[Kink, ...] = ()
    bends: tuple[float, ...] = ()
    jumps: tuple[float, ...] = ()
    singular: tuple[float, ...] = ()
    domain: Range = (-2.0, 2.0)
    where: str = ""
    rule: Callable[[Call], Answer] | None = None
    indices: tuple[int, ...] = ()
    kind: Literal["function", "constant", "random"] = "function"
    note: str = ""

    def value(self, t: float | Tensor) -> Tensor:
        """The line at t as a number: the weighted sum of the operation's result."""
        point = t if isinstance(t, Tensor) else torch.tensor(float(t), dtype=torch.float64)
        result = self.line(point)
        if result.is_complex():
            result = torch.view_as_real(result)
        result = result.to(torch.float64).reshape(-1)
        return (result / torch.arange(1, result.numel() + 1, dtype=torch.float64)).sum()

    def slope(self, t: float) -> float:
        """What torch's automatic differentiation gives at t.

        0 where it finds no dependence, not a number where it has no derivative of the operation.
        """
        point = torch.tensor(float(t), dtype=torch.float64, requires_grad=True)
        try:
            with torch.enable_grad():
                value = self.value(point)
            if not value.requires_grad:
                return 0.0
            (slope,) = torch.autograd.grad(value, point, allow_unused=True)
        except (NotImplementedError, RuntimeError) as error:
            if "not implemented" not in str(error):
                raise
            return math.nan
        return 0.0 if slope is None else slope.item()

    @cached_property
    def choices(self) -> tuple[float, ...]:
        """What the installed torch takes for the derivative at each kink: probed when first asked.

        >>> from nonsmooth.audit._operations import operation
        >>> operation("maximum").choices
        (0.5,)
        """
        # The trace may be under way, with its fake tensors; and the caller's random numbers stay as they are.
        with torch.random.fork_rng([]), _disable_current_modes():
            return tuple(self.slope(kink.at) for kink in self.kinks)
