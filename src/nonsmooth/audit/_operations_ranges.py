"""What the entries of an operation's result can be, from what those of its arguments can.

Interval arithmetic over whole tensors, nothing finer: enough to see that the root of a variance plus eps is
taken off 0, that a division by a sum of exponentials has no pole, that a relu after a softplus does nothing.
What is positive in mathematics but may underflow begins at the least float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from nonsmooth.audit._operations_row import EVERYWHERE, Call, Range, Value

__all__ = ["range_of"]

_LEAST = 5e-324
_Rule = Callable[[Call], Range]


def range_of(call: Call) -> Range:
    """The range of the first output; the whole line where nothing better is known.

    >>> square = Call("pow", {"self": Value(), "exponent": 2})
    >>> range_of(square)
    (0.0, inf)
    """
    rule = _RULES.get(call.name)
    if rule is None:
        return EVERYWHERE
    low, high = rule(call)
    if math.isnan(low) or math.isnan(high):
        return EVERYWHERE
    return float(low), float(high)


def _hull(*ranges: Range) -> Range:
    return min((low for low, _ in ranges), default=-math.inf), max(
        (high for _, high in ranges), default=math.inf
    )


def _times(a: Range, b: Range) -> Range:
    # 0 times an unbounded number is 0: the bound itself is not attained.
    products = [0.0 if 0.0 in (x, y) else x * y for x in a for y in b]
    return min(products), max(products)


def _plus(a: Range, b: Range) -> Range:
    return a[0] + b[0], a[1] + b[1]


def _scaled(a: Range, factor: float) -> Range:
    return _times(a, (factor, factor))


def _own(call: Call) -> Range:
    return call.range("input" if "self" not in call.arguments else "self")


def _add(call: Call) -> Range:
    return _plus(call.range("self"), _scaled(call.range("other"), _factor(call)))


def _sub(call: Call) -> Range:
    return _plus(call.range("self"), _scaled(call.range("other"), -_factor(call)))


def _rsub(call: Call) -> Range:
    return _plus(_scaled(call.range("self"), -_factor(call)), call.range("other"))


def _factor(call: Call) -> float:
    factor = call.get("alpha", 1)
    return float(factor) if isinstance(factor, int | float) else math.nan


def _mul(call: Call) -> Range:
    product = _times(call.range("self"), call.range("other"))
    return (max(product[0], 0.0), product[1]) if call.same else product


def _div(call: Call) -> Range:
    low, high = call.range("other")
    if call.get("rounding_mode") is not None or low <= 0 <= high:
        return EVERYWHERE
    return _times(call.range("self"), (1 / high, 1 / low))


def _pow(call: Call) -> Range:
    base, (p, other) = call.range("self"), call.range("exponent")
    if p != other or math.isinf(p):
        return EVERYWHERE
    if p == int(p) and int(p) % 2 == 0 and p > 0:
        ends = sorted(abs(end) for end in base)
        return 0.0 if base[0] <= 0 <= base[1] else _power(ends[0], p), _power(ends[1], p)
    if base[0] >= 0 and p > 0:
        return _power(base[0], p), _power(base[1], p)
    return (_LEAST, math.inf) if base[0] > 0 else EVERYWHERE if p == int(p) else (0.0, math.inf)


def _power(base: float, p: float) -> float:
    try:
        return base**p
    except OverflowError:
        return math.inf


def _absolute(call: Call) -> Range:
    low, high = _own(call)
    return 0.0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high))


def _sum(call: Call) -> Range:
    low, high = _own(call)
    source = call.arguments.get("self")
    if isinstance(source, Value) and source.numel == 0:
        return 0.0, 0.0
    return (low if low >= 0 else -math.inf), (high if high <= 0 else math.inf)


def _increasing(function: Callable[[float], float], least: float = -math.inf) -> _Rule:
    """For an increasing function; ``least`` is what it stays above."""

    def rule(call: Call) -> Range:
        def at(end: float) -> float:
            try:
                return function(end)
            except (OverflowError, ValueError):
                return math.inf if end > 0 else -math.inf

        low, high = _own(call)
        return max(at(low), least), at(high)

    return rule


def _clamp(call: Call) -> Range:
    low, high = call.range("self")
    if call.arguments.get("min") is not None:
        bound = call.range("min")
        low, high = max(low, bound[0]), max(high, bound[1])
    if call.arguments.get("max") is not None:
        bound = call.range("max")
        low, high = min(low, bound[0]), min(high, bound[1])
    return low, high


def _larger(call: Call) -> Range:
    (a, b), (c, d) = call.range("self"), call.range("other")
    return max(a, c), max(b, d)


def _smaller(call: Call) -> Range:
    (a, b), (c, d) = call.range("self"), call.range("other")
    return min(a, c), min(b, d)


def _listed(call: Call) -> Range:
    return _hull(*(each.range for each in call.get("tensors", ()) if isinstance(each, Value)))


def _filled(call: Call) -> Range:
    return call.range("fill_value")


def _between(low: float, high: float) -> _Rule:
    return lambda call: (low, high)


def _with(key: str) -> _Rule:
    return lambda call: _hull(call.range("self"), call.range(key))


def _padded(call: Call) -> Range:
    if call.get("divisor_override") is not None:
        return _sum(call)
    return _hull(_own(call), (0.0, 0.0))


def _dropped(call: Call) -> Range:
    p = float(call.get("p", 0.5))
    if not call.get("train", True):
        return _own(call)
    return _hull(_scaled(_own(call), 1 / (1 - p)), (0.0, 0.0)) if p < 1 else (0.0, 0.0)


def _square_sum(call: Call) -> Range:
    """A product of a vector with itself."""
    return (0.0, math.inf) if call.same else EVERYWHERE


def _elu(call: Call) -> Range:
    low, high = _own(call)
    scale = float(call.get("scale", 1))
    floor = 0.0 if low >= 0 else -float(call.get("alpha", 1)) * scale
    return min(floor, 0.0), max(floor, high * scale if high > 0 else 0.0)


_SAME = (
    "view _unsafe_view reshape _reshape_alias expand permute transpose t squeeze unsqueeze select slice "
    "split split_with_sizes unsafe_split unbind diagonal as_strided unfold alias lift_fresh clone contiguous "
    "_to_copy repeat repeat_interleave flip roll rot90 reflection_pad1d reflection_pad2d replication_pad1d "
    "nan_to_num replication_pad2d index index_select gather take masked_select detach mean amax amin max min "
    "median kthvalue sort topk cummax cummin max_pool2d_with_indices max_pool3d_with_indices "
    "adaptive_max_pool2d adaptive_max_pool3d upsample_nearest2d _adaptive_avg_pool2d _adaptive_avg_pool3d "
    "positive"
)
_NOT_NEGATIVE = (
    "var std var_mean std_mean linalg_vector_norm norm _cdist_forward _euclidean_dist _pdist_forward dist "
    "mse_loss smooth_l1_loss huber_loss hypot multilabel_margin_loss_forward soft_margin_loss argmax argmin "
    "count_nonzero"
)
_UNIT = (
    "gt ge lt le eq ne logical_not logical_and logical_or logical_xor any all isnan isinf isin one_hot rand "
    "rand_like bernoulli hardsigmoid"
)
_RULES: dict[str, _Rule] = {
    **dict.fromkeys(_SAME.split(), _own),
    **dict.fromkeys(_NOT_NEGATIVE.split(), _between(0.0, math.inf)),
    **dict.fromkeys(_UNIT.split(), _between(0.0, 1.0)),
    **dict.fromkeys(("_softmax", "_safe_softmax", "_masked_softmax"), _between(0.0, 1.0)),
    **dict.fromkeys(("sin", "cos", "tanh", "sign", "sgn", "erf"), _between(-1.0, 1.0)),
    **dict.fromkeys(("zeros", "zeros_like", "new_zeros", "zero"), _between(0.0, 0.0)),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), _between(1.0, 1.0)),
    **dict.fromkeys(("full", "full_like", "new_full"), _filled),
    **dict.fromkeys(("clamp", "clamp_min", "clamp_max"), _clamp),
    **dict.fromkeys(("maximum", "fmax"), _larger),
    **dict.fromkeys(("minimum", "fmin"), _smaller),
    **dict.fromkeys(("cat", "stack"), _listed),
    **dict.fromkeys(("avg_pool1d", "avg_pool2d", "avg_pool3d", "tril", "triu"), _padded),
    **dict.fromkeys(("sum", "nansum", "cumsum"), _sum),
    **dict.fromkeys(("dot", "vdot"), _square_sum),
    "_log_softmax": _between(-math.inf, 0.0),
    "abs": _absolute,
    "add": _add,
    "constant_pad_nd": lambda call: _hull(
        _own(call), call.range("value") if call.get("value") else (0.0, 0.0)
    ),
    "copy": lambda call: call.range("src"),
    "div": _div,
    "elu": _elu,
    "embedding": lambda call: call.range("weight"),
    "exp": _increasing(math.exp, _LEAST),
    "fill": lambda call: call.range("value"),
    "gelu": _between(-0.171, math.inf),
    "hardtanh": lambda call: (float(call.get("min_val", -1)), float(call.get("max_val", 1))),
    "log1p": _increasing(math.log1p),
    "masked_fill": _with("value"),
    "mul": _mul,
    "native_dropout": _dropped,
    "neg": lambda call: _scaled(_own(call), -1),
    "pow": _pow,
    "reciprocal": lambda call: _div(Call("div", {"self": 1.0, "other": call.arguments.get("self")})),
    "relu": _increasing(lambda x: max(x, 0.0)),
    "relu6": _between(0.0, 6.0),
    "rsqrt": _between(_LEAST, math.inf),
    "rsub": _rsub,
    "scalar_tensor": lambda call: call.range("s"),
    "sigmoid": _between(_LEAST, 1.0),
    "silu": _between(-0.279, math.inf),
    "softplus": _between(_LEAST, math.inf),
    "sqrt": _increasing(lambda x: math.sqrt(max(x, 0.0))),
    "square": lambda call: _pow(Call("pow", {"self": call.arguments.get("self"), "exponent": 2})),
    "sub": _sub,
    "where": lambda call: _hull(call.range("self"), call.range("other")),
}
