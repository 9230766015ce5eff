"""Absolute values of parameters: in which operations they hide, and what is inside of them."""

from __future__ import annotations

import math
from typing import NamedTuple

from nonsmooth.audit._operations_row import Call, Value

__all__ = ["MOVING", "NOT_CONSTANT", "PART", "PICKING", "Factor", "Inside", "constant", "magnitude", "times"]

# A number; or, where there is none that holds for all entries, why.
Factor = float | str

NOT_CONSTANT = "its strength is no constant of the loss, or not one for all entries"
PART = "it acts on a part of the entries, or not alike on all"
# Their result holds what goes in, in another order or shape.
MOVING = frozenset(
    [
        "_to_copy",
        "_unsafe_view",
        "cat",
        "clone",
        "copy",
        "expand",
        "flip",
        "permute",
        "reshape",
        "roll",
        "squeeze",
        "stack",
        "t",
        "transpose",
        "unsqueeze",
        "view",
    ]
)
# Their result holds a part of what goes in, or all of it with some entries set to 0.
PICKING = frozenset(
    [
        "diagonal",
        "gather",
        "index",
        "index_select",
        "masked_select",
        "native_dropout",
        "select",
        "slice",
        "take",
        "tril",
        "triu",
    ]
)
_ZERO = (0.0, 0.0)


class Inside(NamedTuple):
    """A parameter inside an absolute value, times a constant."""

    name: str
    numel: int
    factor: Factor


def times(a: Factor, b: Factor) -> Factor:
    """The product; the first reason, if there is one."""
    return a if isinstance(a, str) else b if isinstance(b, str) else a * b


def constant(call: Call, key: str) -> Factor:
    """The number that all entries of an argument are."""
    low, high = call.range(key)
    return low if low == high and math.isfinite(low) else NOT_CONSTANT


def magnitude(value: Value, call: Call) -> tuple[list[Inside], Value] | None:
    """What a sum of absolute values is taken of: the parameters in it, and the value; None of anything else.

    No parameters: they enter in another way than times a constant. ``abs``, norms of order 1 or of one entry
    each, the root of a square, max(w, -w).
    """
    own, other = call.arguments.get("self"), call.arguments.get("other")
    inside: object = None
    if call.name == "abs":
        inside = own
    elif call.name in ("linalg_vector_norm", "norm"):
        alone = value.numel == call.numel.get("self") and _order(call) > 0
        inside = own if alone or _order(call) == 1 else None
    elif call.name == "dist" and call.get("p", 2) == 1 and _ZERO in (call.range("self"), call.range("other")):
        inside = other if call.range("self") == _ZERO else own
    elif call.name == "sqrt" or (call.name == "pow" and call.get("exponent") == 0.5):
        inside = _base_of_square(own)
    elif call.name == "maximum" and isinstance(own, Value) and isinstance(other, Value):
        inside = next((b for a, b in ((own, other), (other, own)) if _negated(a) is b), None)
    return (_inside(inside), inside) if isinstance(inside, Value) else None


def _order(call: Call) -> float:
    order = call.get("ord", call.get("p", 2))
    return float(order) if isinstance(order, int | float) else math.nan


def _base_of_square(value: object) -> object:
    if not isinstance(value, Value) or value.call is None:
        return None
    call = value.call
    even = call.name == "square" or (call.name == "pow" and call.get("exponent") == 2)
    return call.arguments.get("self") if even or (call.name == "mul" and call.same) else None


def _negated(value: Value) -> object:
    return value.call.arguments.get("self") if value.call is not None and value.call.name == "neg" else None


def _inside(value: object) -> list[Inside]:
    """The parameters, if a value is one, or several side by side, times a constant; else none."""
    if not isinstance(value, Value):
        return []
    if value.variable:
        return [Inside(value.variable, value.numel, 1.0)]
    call = value.call
    if call is None:
        return []
    found = [_inside(each) for each in value.parents if each.varies]
    if not all(found):
        return []
    by = _by(value, call)
    return (
        []
        if by is None
        else [each._replace(factor=times(each.factor, by)) for some in found for each in some]
    )


def _by(value: Value, call: Call) -> Factor | None:
    """The factor between an operation's varying arguments and its result; None: there is none."""
    one = sum(each.varies for each in value.parents) == 1
    name, first = call.name, "self" if call.varies("self") else "other"
    second = "other" if first == "self" else "self"
    if name in MOVING or name == "neg":
        return 1.0
    if name in PICKING:
        return PART if one and (call.varies("self") or call.varies("input")) else None
    if name in ("add", "sub", "rsub") and one:
        scale = call.get("alpha", 1)
        scaled = first == ("self" if name == "rsub" else "other")
        plain = call.range(second) == _ZERO and isinstance(scale, int | float)
        return (float(scale) if scaled else 1.0) if plain else None
    if name == "mul" and one and not call.same:
        return constant(call, second)
    if name == "div" and first == "self" and one and not call.get("rounding_mode"):
        by = constant(call, "other")
        return by if isinstance(by, str) else 1 / by if by else NOT_CONSTANT
    if name == "masked_fill" and call.range("value") == _ZERO:
        return PART
    if name == "where" and one and not call.varies("condition") and call.range(second) == _ZERO:
        return PART
    return None
