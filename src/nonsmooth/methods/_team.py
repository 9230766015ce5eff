"""Compiled loops on the very threads that torch computes with.

For a while after each operation torch's threads wait for the next one without sleeping, and hold the
processors meanwhile: other threads would have to share these with them, at just the time when a backward pass
has ended. So the loops go to the same threads, through the same door: ``GOMP_parallel`` is what compilers
make of a parallel region, in GNU's OpenMP and those compatible with it. Where torch brings none (macOS,
Windows) or where it would hang (in a forked child), a few threads of Python's do it.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from pathlib import Path
from typing import Any

import torch

from nonsmooth.methods._workers import together

__all__ = ["run_in_team"]

_forked = False


def _leave() -> None:
    """In a forked child: OpenMP's threads stayed with the parent, and it would wait for them."""
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave)


@cache
def _door() -> Any:
    """What runs a function on a team of threads, from the library that torch itself has loaded; or None."""
    for path in sorted(Path(torch.__file__).with_name("lib").glob("lib*omp*")):
        try:
            door = ctypes.CDLL(str(path), mode=os.RTLD_NOLOAD | os.RTLD_LAZY).GOMP_parallel
        except (AttributeError, OSError):
            continue
        door.argtypes, door.restype = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint], None
        return door
    return None


_call = cache(ctypes.CFUNCTYPE(None, ctypes.c_void_p))  # calling it lets go of the interpreter's lock


def run_in_team(member: int, book: bytearray, threads: int) -> None:
    """Have threads, this one among them, do the work of a book.

    Args:
        member: the address of a compiled function that does what is left of it, see ``_loops``.
        book: what is to do.
        threads: at most so many, >= 1.
    """
    place = ctypes.addressof(ctypes.c_char.from_buffer(book))
    door = None if threads == 1 or _forked else _door()
    if threads == 1:
        _call(member)(place)
    elif door is not None:
        door(member, place, threads, 0)
    else:
        together(lambda: _call(member)(place), threads)
