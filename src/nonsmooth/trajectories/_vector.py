"""A number type for compiled code: LINE bytes of float32 or float64, one register.

Compiled loops over arrays leave it to the compiler whether and how well they turn into vector instructions;
code written on vectors says so. Each operation is the IEEE operation in every lane (``fused`` may skip one
rounding), in the order written, so what a lane holds can depend neither on its place nor on its neighbours.
Vectors live in the rows of arrays (n, lanes) that ``rows_of_vectors`` makes, reached by ``pointer``. On a
machine with narrower registers a vector is several.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from llvmlite import ir
from numba import extending, njit, types
from numba.core import cgutils
from numba.core.typing import templates
from numba.core.typing.templates import AbstractTemplate, signature
from numba.extending import lower_builtin, models, register_model

__all__ = [
    "LINE", "Vector", "above", "count", "entry", "fused", "load", "magnitude", "peak", "pick",
    "pointer", "root", "rows_of_vectors", "splat", "store", "total", "with_sign",
]  # fmt: skip

# What these decorators return is seen by numba alone; a type checker would take it for the function.
_intrinsic: Any = extending.intrinsic
_infer_global: Any = templates.infer_global

LINE = 64  # bytes of a cache line, and of the widest registers there are


class Vector(types.Type):
    """LINE bytes of numbers of one dtype."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        self.lanes = LINE * 8 // dtype.bitwidth
        super().__init__(name=f"Vector({dtype})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Vector) -> None:
        super().__init__(
            manager, kind, ir.VectorType(manager.lookup(kind.dtype).get_value_type(), kind.lanes)
        )


def _binary(operation: Any, emit: str) -> None:
    @_infer_global(operation)
    class _Typing(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and isinstance(args[0], Vector) and args[0] == args[1]:
                return signature(args[0], *args)
            return None

    @lower_builtin(operation, Vector, Vector)
    def _lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return getattr(builder, emit)(*args)


for _operation, _emit in (
    (operator.add, "fadd"), (operator.sub, "fsub"), (operator.mul, "fmul"), (operator.truediv, "fdiv"),
):  # fmt: skip
    _binary(_operation, _emit)


def _library(builder: Any, name: str, *args: Any) -> Any:
    """Call one of LLVM's own functions of vectors."""
    kind = args[0].type
    suffix = f"v{kind.count}{'f64' if isinstance(kind.element, ir.DoubleType) else 'f32'}"
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind, [kind] * len(args)), f"llvm.{name}.{suffix}"
    )
    return builder.call(function, args)


def _elementwise(name: str, arity: int) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _library(builder, name, *args)

    if arity == 1:
        return _intrinsic(lambda typingctx, a: (a(a), codegen))
    if arity == 2:
        return _intrinsic(lambda typingctx, a, b: (a(a, a), codegen))
    return _intrinsic(lambda typingctx, a, b, c: (a(a, a, a), codegen))


magnitude = _elementwise("fabs", 1)
root = _elementwise("sqrt", 1)
with_sign = _elementwise("copysign", 2)
fused = _elementwise("fmuladd", 3)  # a b + c, one rounding where the machine has that instruction


def _row(builder: Any, pointer: Any, n: Any, kind: Any) -> Any:
    return builder.gep(builder.bitcast(pointer, kind.as_pointer()), [n])


@_intrinsic
def pointer(typingctx, array):
    """Where an array's numbers begin. It does not keep the array alive; in return, handing it on costs
    nothing, while the references to an array are counted, with locks."""

    def codegen(context, builder, sig, args):
        return context.make_array(array)(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), codegen


@_intrinsic
def entry(typingctx, place, n):
    """Number n from a pointer on."""

    def codegen(context, builder, sig, args):
        return builder.load(builder.gep(args[0], [args[1]]))

    return place.dtype(place, types.intp), codegen


@_intrinsic
def load(typingctx, place, n):
    """Row n of the array (., lanes) at a pointer."""
    kind = Vector(place.dtype)

    def codegen(context, builder, sig, args):
        row = _row(builder, args[0], args[1], context.get_value_type(kind))
        return builder.load(row, align=place.dtype.bitwidth // 8)

    return kind(place, types.intp), codegen


@_intrinsic
def store(typingctx, place, n, value):
    """Overwrite row n of the array (., lanes) at a pointer."""

    def codegen(context, builder, sig, args):
        row = _row(builder, args[0], args[1], args[2].type)
        builder.store(args[2], row, align=place.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.void(place, types.intp, value), codegen


@_intrinsic
def splat(typingctx, number, like):
    """One number in every lane, rounded to the dtype of ``like``, a pointer or a vector."""
    kind = Vector(like.dtype)

    def codegen(context, builder, sig, args):
        row = context.get_value_type(kind)
        rounded = context.cast(builder, args[0], number, kind.dtype)
        one = builder.insert_element(ir.Constant(row, ir.Undefined), rounded, ir.Constant(ir.IntType(32), 0))
        lanes = ir.Constant(ir.VectorType(ir.IntType(32), kind.lanes), [0] * kind.lanes)
        return builder.shuffle_vector(one, ir.Constant(row, ir.Undefined), lanes)

    return kind(number, like), codegen


@_intrinsic
def pick(typingctx, a, b, yes, no):
    """``yes`` in the lanes where a > b, ``no`` in the others, also where one of them is NaN."""

    def codegen(context, builder, sig, args):
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[2], args[3])

    return a(a, a, a, a), codegen


@_intrinsic
def above(typingctx, a, b):
    """Whether a lane of a is greater than that of b, or NaN."""

    def codegen(context, builder, sig, args):
        mask = builder.fcmp_unordered(">", args[0], args[1])
        bits = builder.bitcast(mask, ir.IntType(a.lanes))
        return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))

    return types.boolean(a, a), codegen


@_intrinsic
def count(typingctx, counts, n, a, b):
    """Add 1 to row n of the integers (., lanes) at a pointer, in the lanes where a > b."""

    def codegen(context, builder, sig, args):
        kind = ir.VectorType(context.get_value_type(counts.dtype), a.lanes)
        row = _row(builder, args[0], args[1], kind)
        more = builder.zext(builder.fcmp_ordered(">", args[2], args[3]), kind)
        builder.store(builder.add(builder.load(row, align=8), more), row, align=8)
        return context.get_dummy_value()

    return types.void(counts, types.intp, a, a), codegen


def _fold(combine: Any) -> Any:
    def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        (a,) = args
        while a.type.count > 1:
            half = a.type.count // 2
            low, high = (
                builder.shuffle_vector(
                    a, a, ir.Constant(ir.VectorType(ir.IntType(32), half), list(range(first, first + half)))
                )
                for first in (0, half)
            )
            a = combine(builder, low, high)
        return builder.extract_element(a, ir.Constant(ir.IntType(32), 0))

    return _intrinsic(lambda typingctx, a: (a.dtype(a), codegen))


total = _fold(lambda builder, a, b: builder.fadd(a, b))  # of all lanes, by halves
peak = _fold(lambda builder, a, b: builder.select(builder.fcmp_ordered(">", a, b), a, b))


@njit
def rows_of_vectors(n, like):
    """Zeros (n, lanes), each row in a cache line of its own: a load across two lines is two loads."""
    lanes = LINE // like.itemsize
    flat = np.zeros((n + 1) * lanes, like.dtype)
    skip = (-flat.ctypes.data) % LINE // like.itemsize
    return flat[skip : skip + n * lanes].reshape(n, lanes)
