"""Unpickling of the official CIFAR-10 batches without running what a pickle asks for.

A pickle is a program: it may import and call anything. Those of CIFAR-10 hold a dictionary of strings,
lists of numbers and one NumPy array, so they name a handful of functions. Here these names lead to the
stand-ins below, which build bytes and arrays and nothing else; every other name is refused. NumPy's own
functions are not called, because a forged dtype or state can make them read memory that is not theirs.
"""

from __future__ import annotations

import io
import pickle
import pickletools
from collections.abc import Callable
from typing import Any

import numpy as np

from nonsmooth.errors import InputError

__all__ = ["unpickle"]

_TYPES = {"u1": np.uint8, "i8": np.int64, "i4": np.int32}


class _RefusedError(Exception):
    """What the pickle names is not allowed."""


class _Dtype:
    __slots__ = ("type",)

    def __init__(self, code: object, *_: object) -> None:
        text = code.decode("ascii", "replace") if isinstance(code, bytes) else str(code)
        self.type = _TYPES.get(text.lstrip("<|="))
        if self.type is None:
            raise _RefusedError(f"an array of type {text[:20]!r}")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in (">", b">"):
            raise _RefusedError("a big-endian array")


class _Array:
    __slots__ = ("array",)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state
        self.array = _frombuffer(raw, dtype, shape, "F" if fortran else "C").array


def _frombuffer(raw: object, dtype: object, shape: object, order: str, *_: object) -> _Array:
    if not isinstance(dtype, _Dtype) or not isinstance(raw, bytes | bytearray) or not _is_shape(shape):
        raise _RefusedError("an array that is no plain array of numbers")
    made = _Array()
    made.array = np.frombuffer(raw, dtype.type).reshape(shape, order=order)  # pyright: ignore
    return made


def _is_shape(shape: object) -> bool:
    return isinstance(shape, tuple) and all(type(size) is int and size >= 0 for size in shape)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise _RefusedError(f"the encoding {encoding!r}")
    return text.encode("latin1")


class _Allowed:
    """A name that a pickle may call. Its attributes cannot be set from within the pickle."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., Any]) -> None:
        self._call = call

    def __call__(self, *args: Any) -> Any:
        return self._call(*args)

    def __setstate__(self, state: object) -> None:
        raise _RefusedError("a change to a function")


# NumPy moved these from numpy.core to numpy._core in version 2.
_NAMES: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encode,
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module_name: str, global_name: str, /) -> Any:
        call = _NAMES.get((module_name, global_name))
        if call is None:
            raise _RefusedError(f"{module_name}.{global_name}")
        return _Allowed(call)


def _check_memo(data: bytes) -> None:
    """Refuse a pickle that numbers an object higher than it can have objects: the memory for it is taken."""
    for count, (opcode, argument, _) in enumerate(pickletools.genops(data)):
        if opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and int(argument or 0) > count:
            raise _RefusedError(f"place {argument} in a list of {count} objects")


def unpickle(data: bytes, name: str) -> dict[str, Any]:
    """The dictionary in a CIFAR-10 batch, its keys and texts as str or bytes, its arrays as NumPy arrays.

    Args:
        data: the pickle.
        name: the file, for errors.

    Raises:
        InputError: the pickle is damaged, no dictionary, or names anything that CIFAR-10 does not need.
    """
    try:
        _check_memo(data)
        found = _Unpickler(io.BytesIO(data), encoding="bytes").load()
    except _RefusedError as refused:
        raise InputError(
            f"{name}: the pickle asks for {refused}, which no CIFAR-10 file needs; it was not run: "
            "get the official archive"
        ) from None
    except Exception:  # a damaged pickle is any program: it can fail in any way
        raise InputError(
            f"{name}: not a readable pickle (truncated or damaged); get the official archive again"
        ) from None
    if not isinstance(found, dict):
        raise InputError(f"{name}: holds a {type(found).__name__}, no dictionary; get the official archive")
    return {
        key.decode("latin1") if isinstance(key, bytes) else str(key): getattr(value, "array", value)
        for key, value in found.items()
    }
