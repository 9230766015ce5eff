"""One kink, many spellings: what computes max(0, x) or min(0, x), and what torch takes for its slope at 0."""

from __future__ import annotations

import math

from nonsmooth.audit._operations import OPERATIONS, operation
from nonsmooth.audit._operations_row import Call, Value

__all__ = ["hinge_of"]

_ZERO = (0.0, 0.0)


def hinge_of(value: Value) -> tuple[str, str, float] | None:
    """Operation, module and torch's share of the slope at 0, of what computes max(0, x) or min(0, x)."""
    call, row = value.call, operation(value.operation) if value.operation else None
    if call is None or row is None:
        return None
    if call.name in ("add", "sub"):
        return _half(value, call)
    if value.own != "Lipschitz":
        return None
    at = {
        "relu": lambda: 0,
        "relu6": lambda: 0,
        "clamp_min": lambda: 0 if call.range("min") == _ZERO else None,
        "clamp_max": lambda: 0 if call.range("max") == _ZERO else None,
        "clamp": lambda: 0 if call.range("min") == _ZERO else 1 if call.range("max") == _ZERO else None,
        "hardtanh": lambda: (
            0 if call.get("min_val", -1.0) == 0 else 1 if call.get("max_val", 1.0) == 0 else None
        ),
        "threshold": lambda: 0 if call.get("threshold", 0) == 0 else None,
        **dict.fromkeys(
            ("maximum", "minimum"), lambda: 0 if _ZERO in (call.range("self"), call.range("other")) else None
        ),
        # The first argument is the one that the row's line varies.
        **dict.fromkeys(("fmax", "fmin"), lambda: 0 if call.range("other") == _ZERO else None),
    }.get(call.name, lambda: None)()
    if at is None or math.isnan(row.choices[at]):
        return None
    return call.name, value.module, row.choices[at]


def _half(value: Value, call: Call) -> tuple[str, str, float] | None:
    """x + |x| is 2 max(0, x), and x - |x| is 2 min(0, x)."""
    own, other = call.arguments.get("self"), call.arguments.get("other")
    if not (isinstance(own, Value) and isinstance(other, Value)) or call.get("alpha", 1) != 1:
        return None
    for x, magnitude in ((own, other), (other, own)):
        if magnitude.operation == "abs" and magnitude.call and magnitude.call.arguments.get("self") is x:
            (choice,) = OPERATIONS["abs"].choices
            sign = 1 if call.name == "add" else -1
            return f"{call.name} of abs", value.module, (1 + sign * choice) / 2
    return None
