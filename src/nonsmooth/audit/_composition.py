"""From an operation and its arguments to its result: the rules of composition.

A result is as rough as the operation, in those of its arguments that depend on the variables, or as the
roughest of these. That is an upper bound: kinks may cancel (|x|^2 has none). Two such cases are common enough
to be seen: an even power of a norm or root, and the square of a function that is 0 at its kinks, such as
relu; with g Lipschitz, smooth off its kinks and 0 there, g^2 has the derivative 2 g g', Lipschitz across.
"""

from __future__ import annotations

from nonsmooth.audit._operations_ranges import range_of
from nonsmooth.audit._operations_row import EVERYWHERE, Answer, Call, Operation, Value, least

__all__ = ["OVERWRITING", "mix", "parents_of", "result_of"]

# In place these do not read what they overwrite.
OVERWRITING = frozenset(
    [
        "copy",
        "zero",
        "fill",
        "bernoulli",
        "normal",
        "uniform",
        "random",
        "exponential",
        "geometric",
        "log_normal",
        "cauchy",
    ]
)
# Random operations whose result depends on their input's entries, and not only on its shape.
_READING = frozenset(["native_dropout", "normal", "bernoulli", "multinomial", "poisson", "rrelu_with_noise"])
_ROOTS = frozenset(["abs", "sqrt", "linalg_vector_norm", "norm", "hypot", "dist", "_euclidean_dist"])
_PRODUCTS = frozenset(["mm", "bmm", "mv", "dot", "vdot", "addmm", "addmv", "baddbmm", "convolution"])
_ZERO_AT_KINK = frozenset(
    ["relu", "leaky_relu", "_prelu_kernel", "softshrink", "elu", "rrelu_with_noise", "std"]
)
_DISTANCES = frozenset(["_cdist_forward", "_pdist_forward"])


def parents_of(call: Call) -> tuple[Value, ...]:
    """The values among a call's arguments, each once."""
    found: dict[int, Value] = {}
    for each in call.arguments.values():
        for part in each if isinstance(each, list | tuple) else (each,):
            if isinstance(part, Value):
                found[id(part)] = part
    return tuple(found.values())


def result_of(call: Call, row: Operation | None, output: int, real: bool, place: str) -> Value:
    """What is known of one output of a call.

    Args:
        row: the operation's row, None if it has none.
        output: which one.
        real: whether its entries are floating point or complex numbers; whole numbers and truth values are
            constant between jumps.
        place: the module that calls.
    """
    value = Value(call.name, place, parents_of(call), call=call, output=output)
    varying = tuple(each for each in value.parents if each.varies)
    if row is not None and (row.kind == "constant" or (row.kind == "random" and call.name not in _READING)):
        varying = value.parents = ()
    value.given = _given(value, row)
    value.varies = bool(varying)
    if output == 0:
        value.range = range_of(call)
        if not real and call.name == "_to_copy":
            value.range = EVERYWHERE
    if not varying:
        return value
    answer = _answer(call, row, output, real)
    squared = _squared(call)
    if squared is not None:
        answer, varying = squared
        value.parents = varying
    value.own, value.detail, value.singular = answer
    if not real and answer.smoothness == "analytic":  # a comparison that always answers the same
        value.varies, value.parents = False, ()
        return value
    value.smoothness = least(value.own, *(each.smoothness for each in varying))
    return value


def mix(value: Value, old: Value) -> None:
    """A part of a tensor was written: the whole is the new together with the old."""
    value.parents = (*value.parents, old)
    value.numel = old.numel
    value.varies = value.varies or old.varies
    value.given = value.given or old.given
    value.smoothness = least(value.smoothness, old.smoothness)
    value.range = min(value.range[0], old.range[0]), max(value.range[1], old.range[1])


def _given(value: Value, row: Operation | None) -> bool:
    """Whether numbers of the example are in it, or drawn ones.

    A tensor of several numbers that a module of the model or a matrix product is called with, though it is
    not in the example, is data as well: a loss may hold its data by itself. Elsewhere in the loss it may be
    a mask of weights.
    """
    if (row is not None and row.kind == "random") or any(each.given for each in value.parents):
        return True
    in_loss = value.module == "loss" or value.module.startswith(("loss.", "loss "))
    if in_loss and value.operation not in _PRODUCTS:
        return False
    return any(_is_data(each) for each in value.parents if not (each.varies or each.variable))


def _is_data(constant: Value) -> bool:
    """Not so buffers and frozen parameters: of these, which are no example's, no range is known."""
    low, high = constant.range
    return low < high and (constant.call is not None or constant.range != EVERYWHERE)


def _answer(call: Call, row: Operation | None, output: int, real: bool) -> Answer:
    if row is None:
        return Answer("unknown", "not in the table of operations")
    if output in row.indices:
        return Answer("discontinuous", "positions or vectors: they jump at ties")
    answer = row.rule(call) if row.rule is not None else Answer(row.smoothness, "", _poles(row))
    if not real and row.rule is None:
        return Answer("discontinuous", answer.detail or "whole numbers or truth values jump")
    return answer


def _poles(row: Operation) -> str:
    return f"where {row.where}" if row.singular and row.where else ""


def _squared(call: Call) -> tuple[Answer, tuple[Value, ...]] | None:
    """x^2, x^4, x x of an x whose kinks that removes: the answer, and the arguments of x in its place."""
    base, exponent = call.arguments.get("self"), call.get("exponent")
    even = (
        call.name == "square"
        or (call.name == "pow" and isinstance(exponent, int | float) and exponent > 0 and exponent % 2 == 0)
        or (call.name == "mul" and call.same)
    )
    if not even or not isinstance(base, Value) or base.call is None or base.own not in ("Lipschitz", "C1,1"):
        return None
    inner = tuple(each for each in base.parents if each.varies)
    order = base.call.get("ord", base.call.get("p", 2))
    if base.operation in _ROOTS | _DISTANCES and (order == 2 or base.operation == "abs"):
        return Answer("analytic", f"an even power of {base.operation}"), inner
    if base.operation in _ZERO_AT_KINK:
        return Answer("C1,1", f"an even power of {base.operation}, which is 0 at its kink"), inner
    return None
