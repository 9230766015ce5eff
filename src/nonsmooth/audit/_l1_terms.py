"""L1 terms in a traced loss: a constant times the sum of the absolute values of parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from nonsmooth.audit._operations_row import Call, Value

__all__ = ["L1Term", "l1_terms"]

# Their result holds what goes in, in another order or shape.
_MOVING = frozenset(
    [
        "_to_copy",
        "_unsafe_view",
        "cat",
        "clone",
        "copy",
        "expand",
        "reshape",
        "squeeze",
        "stack",
        "unsqueeze",
        "view",
    ]
)
_Factor = float | None  # None: no constant, or not one for all entries


@dataclass(frozen=True)
class L1Term:
    """strength * sum |w| over some parameters.

    Attributes:
        parameters: their names.
        strength: the factor; None where it is no constant of the loss, or differs between entries.
    """

    parameters: tuple[str, ...]
    strength: float | None


def l1_terms(loss: Value, order: Sequence[str] = ()) -> tuple[L1Term, ...]:
    """The L1 terms of a loss, one for each strength.

    The loss is followed back through sums and constant factors to absolute values (or norms of order 1) of
    parameters themselves; of a mean, the factor is divided by the number of entries. ``order`` is that of the
    model's parameters.
    """
    found: dict[str, _Factor] = {}
    for name, strength in _search(loss):
        found[name] = _plus(found.get(name, 0.0), strength)
    places = {name: place for place, name in enumerate(order)}
    by_strength: dict[_Factor, list[str]] = {}
    for name, strength in sorted(found.items(), key=lambda item: places.get(item[0], 0)):
        key = None if strength is None else float(f"{strength:.12g}")  # sums of equal strengths stay equal
        by_strength.setdefault(key, []).append(name)
    return tuple(L1Term(tuple(names), strength) for strength, names in by_strength.items() if strength != 0)


def _search(loss: Value) -> Iterator[tuple[str, _Factor]]:
    # The loss holds factor * (the sum of the entries) of each value. A value may be reached on many ways; the
    # factors of all are added up before it is passed.
    factors: dict[int, _Factor] = {id(loss): 1.0 if loss.numel == 1 else None}
    for value in _from_result(loss):
        factor = factors[id(value)]
        call = value.call
        if call is None:
            continue
        if call.name == "abs" or (call.name in ("linalg_vector_norm", "norm") and _order(call) == 1):
            inside = _parameters(call.arguments.get("self"))
            # Of a part of a parameter: the other entries have the strength 0.
            whole = call.numel.get("self") == sum(numel for _, numel in inside)
            yield from ((name, factor if whole else None) for name, _ in inside)
            continue
        for each, by, numel in _inner(value, call):
            # A part of what was computed: its other entries have another factor.
            now = _times(factor, by) if numel == each.numel else None
            factors[id(each)] = _plus(factors.get(id(each), 0.0), now)


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


def _order(call: Call) -> float:
    order = call.get("ord", call.get("p", 2))
    return float(order) if isinstance(order, int | float) else math.nan


def _parameters(value: object) -> list[tuple[str, int]]:
    """The names and sizes, if a value is one parameter or several side by side (or minus a zero)."""
    if not isinstance(value, Value):
        return []
    if value.variable:
        return [(value.variable, value.numel)]
    if value.call is None:
        return []
    if value.operation in ("sub", "add"):
        zero = next((key for key in ("self", "other") if value.call.range(key) == (0.0, 0.0)), None)
        return _parameters(value.call.arguments.get("other" if zero == "self" else "self")) if zero else []
    if value.operation not in _MOVING:
        return []
    names = [_parameters(each) for each in value.parents if each.varies]
    return [name for some in names for name in some] if all(names) else []


def _inner(value: Value, call: Call) -> list[tuple[Value, _Factor, int]]:
    """The terms of a sum: each with its factor and the number of entries taken; none of what is no sum.

    The factor is that of the sum of the term's entries in the sum of the value's: a term that is broadcast
    counts as often as it is repeated.
    """
    name = call.name
    own, other = call.arguments.get("self"), call.arguments.get("other")
    varying = [each for each in value.parents if each.varies]
    if name in ("cat", "stack"):
        parts, numels = call.get("tensors", []), call.numel.get("tensors", [])
        return [(each, 1.0, n) for each, n in zip(parts, numels, strict=True) if each.varies]
    if name in _MOVING or name == "sum":
        return [(each, 1.0, call.numel.get("self", each.numel)) for each in varying]
    if name == "mean":
        return [(varying[0], _repeated(value, call, "self"), call.numel["self"])]
    if name == "neg":
        return [(varying[0], -1.0, call.numel["self"])]
    if name in ("add", "sub", "rsub"):
        scale = call.get("alpha", 1)
        scale = float(scale) if isinstance(scale, int | float) else None
        signs = {"add": (1.0, scale), "sub": (1.0, _times(scale, -1.0)), "rsub": (_times(scale, -1.0), 1.0)}
        terms = zip((own, other), signs[name], ("self", "other"), strict=True)
        return [
            (x, _times(by, _repeated(value, call, key)), call.numel[key])
            for x, by, key in terms
            if isinstance(x, Value) and x.varies
        ]
    if name in ("mul", "div") and len(varying) == 1 and not (call.varies("self") and call.varies("other")):
        key = "self" if own is varying[0] else "other"
        by = _constant(call, "other" if key == "self" else "self")
        if name == "div":
            by = None if by in (None, 0.0) or key == "other" else 1 / by
        return [(varying[0], _times(by, _repeated(value, call, key)), call.numel[key])]
    return []


def _repeated(value: Value, call: Call, key: str) -> _Factor:
    return value.numel / call.numel[key] if call.numel[key] else None


def _constant(call: Call, key: str) -> _Factor:
    low, high = call.range(key)
    return low if low == high and math.isfinite(low) else None


def _plus(a: _Factor, b: _Factor) -> _Factor:
    return None if a is None or b is None else a + b


def _times(a: _Factor, b: _Factor) -> _Factor:
    return None if a is None or b is None else a * b
