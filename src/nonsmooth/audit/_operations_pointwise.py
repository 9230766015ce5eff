"""Entry by entry: analytic functions, steps and comparisons."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nonsmooth.audit import _operations_rules as rules
from nonsmooth.audit._operations_row import Operation, Range

__all__ = ["POINTWISE"]

_a = torch.ops.aten


def _plain(*names: str) -> tuple[Operation, ...]:
    """Functions of one argument, analytic on the whole line."""
    return tuple(Operation(name, "analytic", getattr(_a, name)) for name in names)


def _bounded(name: str, domain: Range, singular: tuple[float, ...], where: str, rule=None) -> Operation:
    """A function of one argument, analytic on an open domain."""
    return Operation(
        name, "analytic", getattr(_a, name), domain=domain, singular=singular, where=where, rule=rule
    )


def _step(name: str, *jumps: float, where: str = "", domain: Range = (-1.9, 1.9)) -> Operation:
    """A function of one argument with jumps."""
    return Operation(name, "discontinuous", getattr(_a, name), jumps=jumps, where=where, domain=domain)


def _compared(name: str, on_ties_only: bool = False) -> Operation:
    """A comparison of t with 0. Equality is something else at one point only, which no line of points finds:
    it is shown on t rounded to halves."""
    compare = getattr(_a, name)
    if on_ties_only:
        return Operation(
            name,
            "discontinuous",
            lambda t: compare(torch.round(2 * t) / 2, torch.zeros_like(t)),
            jumps=(-0.25, 0.25),
            where="both are equal",
            rule=rules.comparison,
        )
    return Operation(
        name,
        "discontinuous",
        lambda t: compare(t, torch.zeros_like(t)),
        jumps=(0,),
        where="both are equal",
        rule=rules.comparison,
    )


def _logical(name: str, line) -> Operation:
    """A logical function of two truth values; they have jumped before."""
    return Operation(name, "discontinuous", line, jumps=(0,), where="a truth value changes")


def _whole(t: Tensor) -> Tensor:
    """A whole number that jumps at 0: 1 or 2."""
    return 1 + (t > 0).to(torch.int64)


_ZERO = "x = 0"
_POSITIVE = rules.positive_argument()


POINTWISE: tuple[Operation, ...] = (
    *_plain("neg", "exp", "exp2", "expm1", "sin", "cos", "sinh", "cosh", "tanh", "atan", "asinh", "sigmoid"),
    *_plain("erf", "erfc", "sinc", "i0", "square", "positive", "deg2rad", "rad2deg", "silu", "mish"),
    *_plain("special_i1", "special_erfcx", "special_log_ndtr", "special_ndtr", "nan_to_num", "conj_physical"),
    *_plain("real"),
    Operation("fill", "analytic", lambda t: _a.fill(torch.zeros(2, dtype=torch.float64), t)),
    Operation("gelu", "analytic", _a.gelu, note="in both its forms, the exact and the tanh one"),
    Operation("log_sigmoid_forward", "analytic", lambda t: _a.log_sigmoid_forward(t)[0]),
    Operation(
        "softplus",
        "discontinuous",
        _a.softplus,
        jumps=(20,),
        domain=(15, 25),
        where="beta x = threshold",
        rule=rules.softplus,
        note="a step of 2.1e-9 at its default threshold 20, in float64; lost in rounding in float32",
    ),
    Operation("glu", "analytic", lambda t: _a.glu(torch.stack([t, t * t]), 0)),
    _bounded("sqrt", (0, 3), (0,), _ZERO, rules.rooted),
    _bounded("rsqrt", (0, 3), (0,), _ZERO, _POSITIVE),
    _bounded("reciprocal", (0, 3), (0,), _ZERO, rules.at_zero),
    _bounded("log", (0, 3), (0,), _ZERO, _POSITIVE),
    _bounded("log2", (0, 3), (0,), _ZERO, _POSITIVE),
    _bounded("log10", (0, 3), (0,), _ZERO, _POSITIVE),
    Operation(
        "log1p",
        "analytic",
        _a.log1p,
        singular=(-1,),
        domain=(-1, 3),
        where="x = -1",
        rule=rules.above_minus_one,
    ),
    _bounded("tan", (-1.5, math.pi / 2), (math.pi / 2,), "odd multiples of pi/2"),
    _bounded("asin", (-1, 1), (-1, 1), "|x| = 1"),
    _bounded("acos", (-1, 1), (-1, 1), "|x| = 1"),
    _bounded("acosh", (1, 3), (1,), "x = 1"),
    _bounded("atanh", (-1, 1), (-1, 1), "|x| = 1"),
    _bounded("erfinv", (-1, 1), (-1, 1), "|x| = 1"),
    _bounded("lgamma", (0, 3), (0,), "0, -1, -2, ..."),
    _bounded("digamma", (0, 3), (0,), "0, -1, -2, ..."),
    _bounded("special_ndtri", (0, 1), (0, 1), "x = 0 or x = 1"),
    _bounded("special_entr", (0, 3), (0,), _ZERO),
    _bounded("logit", (0, 1), (0, 1), "x = 0 or x = 1", rules.logit),
    Operation("polygamma", "analytic", lambda t: _a.polygamma(1, t), domain=(0, 3), singular=(0,)),
    Operation(
        "mvlgamma",
        "analytic",
        lambda t: _a.mvlgamma(t, 2),
        domain=(0.5, 3),
        singular=(0.5,),
        where="x = (p - 1)/2",
    ),
    # Two arguments and more
    Operation("add", "analytic", lambda t: _a.add(t, t * t)),
    Operation("sub", "analytic", lambda t: _a.sub(t, t * t)),
    Operation("rsub", "analytic", lambda t: _a.rsub(t, t * t)),
    Operation("mul", "analytic", lambda t: _a.mul(t, 1 + t)),
    Operation(
        "div",
        "analytic",
        lambda t: _a.div(1 - t, t),
        domain=(0, 3),
        singular=(0,),
        where="the denominator is 0",
        rule=rules.divided,
    ),
    Operation(
        "pow",
        "analytic",
        lambda t: _a.pow(t, 3),
        where="the base is 0, unless the exponent is a whole number >= 0",
        rule=rules.power,
    ),
    Operation("addcmul", "analytic", lambda t: _a.addcmul(t, 1 + t, t)),
    Operation(
        "addcdiv",
        "analytic",
        lambda t: _a.addcdiv(t, 1 - t, t),
        domain=(0, 3),
        singular=(0,),
        where="the denominator is 0",
    ),
    Operation("lerp", "analytic", lambda t: _a.lerp(t, 1 - t, t)),
    Operation("logaddexp", "analytic", lambda t: _a.logaddexp(t, 1 - 3 * t)),
    Operation("logaddexp2", "analytic", lambda t: _a.logaddexp2(t, 1 - 3 * t)),
    Operation("ldexp", "analytic", lambda t: _a.ldexp(t, torch.tensor(2))),
    Operation(
        "xlogy",
        "analytic",
        lambda t: _a.xlogy(1 + t, t),
        domain=(0, 3),
        singular=(0,),
        where="y = 0",
        rule=rules.positive_argument("other"),
    ),
    Operation(
        "special_xlog1py",
        "analytic",
        lambda t: _a.special_xlog1py(1 + t, t - 1),
        domain=(0, 3),
        singular=(0,),
        where="y = -1",
    ),
    Operation(
        "atan2",
        "discontinuous",
        lambda t: _a.atan2(t, torch.full_like(t, -1)),
        jumps=(0,),
        where="y = 0 and x <= 0, where the angle jumps from -pi to pi",
    ),
    Operation("angle", "discontinuous", _a.angle, jumps=(0,), where="the negative real axis"),
    Operation("complex", "analytic", lambda t: _a.complex(t, t * t)),
    Operation(
        "polar",
        "analytic",
        lambda t: _a.polar(2 + t, t),
        domain=(-1.9, 2),
        note="torch's gradient is wrong where the first argument, a modulus, is negative",
    ),
    Operation(
        "where",
        "analytic",
        lambda t: _a.where(torch.tensor([True, False]), t, t * t),
        where="the condition changes",
        note="in its two branches; a condition that depends on the variables has jumped before",
    ),
    # Steps
    _step("sign", 0, where=_ZERO),
    _step("sgn", 0, where=_ZERO),
    _step("signbit", 0, where=_ZERO),
    _step("floor", -1, 0, 1, where="whole numbers"),
    _step("ceil", -1, 0, 1, where="whole numbers"),
    _step("trunc", -1, 1, where="whole numbers except 0"),
    _step("frac", -1, 1, where="whole numbers except 0"),
    _step("round", -0.5, 0.5, where="halves", domain=(-1.4, 1.4)),
    Operation(
        "hardshrink",
        "discontinuous",
        lambda t: _a.hardshrink(t, 0.5),
        jumps=(-0.5, 0.5),
        where="|x| = lambd",
    ),
    Operation(
        "heaviside", "discontinuous", lambda t: _a.heaviside(t, torch.ones_like(t)), jumps=(0,), where=_ZERO
    ),
    Operation(
        "floor_divide",
        "discontinuous",
        lambda t: _a.floor_divide(t, torch.ones_like(t)),
        jumps=(-1, 0, 1),
        domain=(-1.9, 1.9),
        where="the quotient is a whole number",
    ),
    Operation(
        "remainder",
        "discontinuous",
        lambda t: _a.remainder(t, 1),
        jumps=(-1, 0, 1),
        domain=(-1.9, 1.9),
        where="the quotient is a whole number",
    ),
    Operation(
        "fmod",
        "discontinuous",
        lambda t: _a.fmod(t, 1),
        jumps=(-1, 1),
        domain=(-1.9, 1.9),
        where="the quotient is a whole number except 0",
    ),
    Operation(
        "nextafter",
        "analytic",
        lambda t: _a.nextafter(t, torch.full_like(t, 9)).detach() + 0 * t,
        note="the identity to rounding; torch has no derivative for it",
    ),
    # Comparisons
    *(_compared(name) for name in ("gt", "ge", "lt", "le")),
    *(_compared(name, on_ties_only=True) for name in ("eq", "ne")),
    _logical("logical_not", lambda t: _a.logical_not(t > 0)),
    _logical("logical_and", lambda t: _a.logical_and(t > 0, t > -9)),
    _logical("logical_or", lambda t: _a.logical_or(t > 0, t > 9)),
    _logical("logical_xor", lambda t: _a.logical_xor(t > 0, t > 9)),
    _logical("bitwise_not", lambda t: _a.bitwise_not(t > 0)),
    _logical("bitwise_and", lambda t: _a.bitwise_and(t > 0, t > -9)),
    _logical("bitwise_or", lambda t: _a.bitwise_or(t > 0, t > 9)),
    _logical("bitwise_xor", lambda t: _a.bitwise_xor(t > 0, t > 9)),
    _logical("bitwise_left_shift", lambda t: _a.bitwise_left_shift(_whole(t), 1)),
    _logical("bitwise_right_shift", lambda t: _a.bitwise_right_shift(4 * _whole(t), 1)),
    _logical("gcd", lambda t: _a.gcd(_whole(t), torch.tensor(2))),
    _logical("any", lambda t: _a.any((t > 0).reshape(1))),
    _logical("all", lambda t: _a.all((t > 0).reshape(1))),
    _logical("isin", lambda t: _a.isin(_whole(t), torch.tensor([2]))),
    _logical("bincount", lambda t: _a.bincount(_whole(t).reshape(1), None, 4)),
    _logical("count_nonzero", lambda t: _a.count_nonzero((t > 0).reshape(1))),
    _logical("searchsorted", lambda t: _a.searchsorted(torch.zeros(1).double(), t.reshape(1))),
    _logical("bucketize", lambda t: _a.bucketize(t, torch.zeros(1).double())),
    _logical("argmax", lambda t: _a.argmax(torch.stack([torch.zeros_like(t), t]))),
    _logical("argmin", lambda t: _a.argmin(torch.stack([t, torch.zeros_like(t)]))),
    _logical("argsort", lambda t: _a.argsort(torch.stack([torch.zeros_like(t), t]))),
    _logical("one_hot", lambda t: _a.one_hot(_whole(t), 3)),
    _logical("histc", lambda t: _a.histc(t.reshape(1), 2, -2, 2)),
    # Whether it is a number at all: always so while values are finite
    *(
        Operation(name, "analytic", getattr(_a, name), kind="constant", note="while all values are finite")
        for name in ("isnan", "isinf", "isposinf", "isneginf")
    ),
)
