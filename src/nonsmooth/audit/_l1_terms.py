"""L1 terms in a traced loss: a constant times the sum of the absolute values of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nonsmooth.audit._l1_magnitudes import (
    MOVING,
    NOT_CONSTANT,
    PART,
    PICKING,
    Factor,
    Inside,
    constant,
    magnitude,
    times,
)
from nonsmooth.audit._operations_row import Call, Value

__all__ = ["KinkedTerm", "L1Term", "kinked_terms", "l1_terms"]

_VARYING = "its factor depends on the parameters"
_NORMS = ("linalg_vector_norm", "norm")


@dataclass(frozen=True)
class L1Term:
    """strength * sum |w| over some parameters.

    Attributes:
        parameters: their names.
        strength: the factor; None where it is no constant of the loss, or differs between entries.
        why: there is no strength, in words; "" if there is one.
    """

    parameters: tuple[str, ...]
    strength: float | None
    why: str = ""


@dataclass(frozen=True)
class KinkedTerm:
    """A term of the loss with kinks that depends on parameters and on no data, and is no L1 term as written.

    It may be a penalty that acts like one (relu(w) + relu(-w), |w| cut off below).

    Attributes:
        parameters: the names of those in it.
        operation: the last one that was not followed further.
    """

    parameters: tuple[str, ...]
    operation: str


def l1_terms(loss: Value, order: Sequence[str] = ()) -> tuple[L1Term, ...]:
    """The L1 terms of a loss, one for each strength.

    The loss is followed back through sums and constant factors to absolute values (or norms of order 1) of
    parameters themselves, or of constant multiples of them; of a mean, the factor is divided by the number of
    entries. ``order`` is that of the model's parameters.
    """
    found: dict[str, Factor] = {}
    for each in _search(loss):
        if isinstance(each, Inside):
            found[each.name] = _plus(found.get(each.name, 0.0), each.factor)
    places = {name: place for place, name in enumerate(order)}
    by_strength: dict[Factor, list[str]] = {}
    for name, strength in sorted(found.items(), key=lambda item: places.get(item[0], 0)):
        # Sums of equal strengths stay equal.
        key = strength if isinstance(strength, str) else float(f"{strength:.12g}")
        by_strength.setdefault(key, []).append(name)
    return tuple(
        L1Term(tuple(names), None, key) if isinstance(key, str) else L1Term(tuple(names), key)
        for key, names in by_strength.items()
        if key != 0
    )


def kinked_terms(loss: Value, order: Sequence[str] = ()) -> tuple[KinkedTerm, ...]:
    """The terms of a loss with kinks, of parameters alone, of which the search cannot tell what they are.

    Norms of groups of entries are none of them: their kinks are where a whole group is 0.
    """
    places = {name: place for place, name in enumerate(order)}
    found = [
        KinkedTerm(tuple(sorted(_variables(each), key=lambda name: places.get(name, 0))), each.operation)
        for each in _search(loss)
        if isinstance(each, Value)
    ]
    return tuple(dict.fromkeys(found))


def _search(loss: Value) -> Iterator[Inside | Value]:
    """Parameters inside absolute values, with their factors in the loss; and what was not understood."""
    # The loss holds factor * (the sum of the entries) of each value. A value may be reached on many ways; the
    # factors of all are added up before it is passed.
    factors: dict[int, Factor] = {id(loss): 1.0 if loss.numel == 1 else PART}
    for value in _from_result(loss):
        factor = factors[id(value)]
        call = value.call
        if call is None:
            if value.operation and not value.given and _kinked(value):  # a module whose class is declared
                yield value
            continue
        inner = _inner(value, call)
        for each, by, numel in inner:
            # A part of what was computed: its other entries have another factor.
            now = times(factor, by) if numel == each.numel else PART
            factors[id(each)] = _plus(factors.get(id(each), 0.0), now)
        if inner or factor == 0:
            continue
        found = magnitude(value, call)
        if found is not None and found[0]:
            # Of a part of a parameter: the other entries have the strength 0.
            whole = found[1].numel == call.numel.get("self") == sum(each.numel for each in found[0])
            for each in found[0]:
                size = abs(each.factor) if isinstance(each.factor, float) else each.factor
                yield each._replace(factor=times(factor, size) if whole else PART)
        elif not value.given and _kinked(value) and not _known_kinks(value, call):
            yield value


def _kinked(value: Value) -> bool:
    return value.varies and value.smoothness in ("Lipschitz", "unknown", "discontinuous")


def _known_kinks(value: Value, call: Call) -> bool:
    """Kinks that are known not to be at the zeros of entries: norms of groups, |w - 1|."""
    inside = call.arguments.get("self")
    if not isinstance(inside, Value) or inside.smoothness in ("Lipschitz", "unknown", "discontinuous"):
        return False
    if call.name in _NORMS:
        return True
    shift = inside.call
    if call.name != "abs" or shift is None or shift.name not in ("add", "sub", "rsub"):
        return False
    key = "other" if shift.varies("self") else "self"
    low, high = shift.range(key)
    varying = shift.arguments.get("self" if key == "other" else "other")
    return (
        not shift.varies(key)
        and not low <= 0 <= high
        and isinstance(varying, Value)
        and bool(varying.variable)
    )


def _variables(value: Value) -> set[str]:
    found, seen, waiting = set(), set(), [value]
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            waiting += [parent for parent in each.parents if parent.varies]
            if each.variable:
                found.add(each.variable)
    return found


def _from_result(loss: Value) -> Iterator[Value]:
    """The values that the search reaches, each after all that are made from it.

    A loop in place of recursion: a sum over many parameters is a long chain of additions.
    """
    order: list[Value] = []
    seen: set[int] = set()
    waiting: list[tuple[Value, bool]] = [(loss, False)]
    while waiting:
        value, done = waiting.pop()
        if done:
            order.append(value)
        elif value.varies and id(value) not in seen:
            seen.add(id(value))
            waiting.append((value, True))
            if value.call is not None:
                waiting += [(each, False) for each, _, _ in _inner(value, value.call)]
    return reversed(order)


def _inner(value: Value, call: Call) -> list[tuple[Value, Factor, int]]:
    """The terms of a sum: each with its factor and the number of entries taken; none of what is no sum.

    The factor is that of the sum of the term's entries in the sum of the value's: a term that is broadcast
    counts as often as it is repeated.
    """
    name = call.name
    own = call.arguments.get("self")
    varying = [each for each in value.parents if each.varies]
    if name in ("cat", "stack"):
        parts, numels = call.get("tensors", []), call.numel.get("tensors", [])
        return [(each, 1.0, n) for each, n in zip(parts, numels, strict=True) if each.varies]
    if name in MOVING or name in ("sum", "nansum"):
        return [(each, 1.0, call.numel.get("self", each.numel)) for each in varying]
    if name in PICKING and (call.varies("self") or call.varies("input")) and len(varying) == 1:
        return [(varying[0], PART, varying[0].numel)]
    if name == "mean":
        return [(varying[0], _repeated(value, call, "self"), call.numel["self"])]
    if name == "neg":
        return [(varying[0], -1.0, call.numel["self"])]
    if name in ("abs", *_NORMS) and isinstance(own, Value) and own.range[0] >= 0:
        order = call.get("ord", call.get("p", 2))  # of what is never negative these are sums
        return [(own, 1.0, call.numel["self"])] if name == "abs" or order == 1 else []
    if name == "pow" and call.get("exponent") == 1:
        return [(varying[0], 1.0, call.numel["self"])]
    if name == "where" and not call.varies("condition"):
        return [(each, PART, each.numel) for each in varying]
    if name == "masked_fill" and not call.varies("mask"):
        return [(each, PART, each.numel) for each in varying]
    if name in ("add", "sub", "rsub"):
        return _summands(value, call)
    if name in ("dot", "vdot", "mv", "mm"):
        return _weighted(value, call)
    if name in ("mul", "div") and not call.get("rounding_mode"):
        return _factors(value, call)
    return []


def _summands(value: Value, call: Call) -> list[tuple[Value, Factor, int]]:
    scale = call.get("alpha", 1)
    by: Factor = float(scale) if isinstance(scale, int | float) else NOT_CONSTANT
    signs = {"add": (1.0, by), "sub": (1.0, times(by, -1.0)), "rsub": (times(by, -1.0), 1.0)}[call.name]
    return [
        (x, times(sign, _repeated(value, call, key)), call.numel[key])
        for sign, key in zip(signs, ("self", "other"), strict=True)
        if isinstance(x := call.arguments.get(key), Value) and x.varies
    ]


def _weighted(value: Value, call: Call) -> list[tuple[Value, Factor, int]]:
    """A product with a vector or matrix of equal entries: a multiple of the sum."""
    second = next((key for key in ("other", "tensor", "vec", "mat2") if key in call.arguments), "")
    for key, weights in (("self", second), (second, "self")):
        x = call.arguments.get(key)
        if isinstance(x, Value) and x.varies and not call.varies(weights) and call.numel[key]:
            # A of m k entries and B of k n, all of them c: the entries of A B sum to n c times those of A.
            columns = (value.numel * call.numel[weights] / call.numel[key]) ** 0.5
            return [(x, times(constant(call, weights), columns), call.numel[key])]
    return []


def _factors(value: Value, call: Call) -> list[tuple[Value, Factor, int]]:
    """A product or quotient: what varies, if the other factor is constant; else terms without data."""
    found: list[tuple[Value, Factor, int]] = []
    if call.same:
        return found
    for key, other in (("self", "other"), ("other", "self")):
        x, factor = call.arguments.get(key), call.arguments.get(other)
        if not isinstance(x, Value) or not x.varies or (call.name == "div" and key == "other"):
            continue
        if call.varies(other):
            # Of data times a term, only a term that is one number: |w| in a network is not its penalty.
            if not x.given and _kinked(x) and (not value.given or x.numel == 1):
                found.append((x, _VARYING, call.numel[key]))
            continue
        by = constant(call, other)
        if isinstance(factor, Value) and factor.given and factor.numel > 1 and x.numel > 1:
            continue
        if call.name == "div" and isinstance(by, float):
            by = 1 / by if by else NOT_CONSTANT
        found.append((x, times(by, _repeated(value, call, key)), call.numel[key]))
    return found


def _repeated(value: Value, call: Call, key: str) -> Factor:
    return value.numel / call.numel[key] if call.numel[key] else NOT_CONSTANT


def _plus(a: Factor, b: Factor) -> Factor:
    return a if isinstance(a, str) else b if isinstance(b, str) else a + b
