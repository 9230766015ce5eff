"""Memory that training frees stays at hand while it lasts: new memory costs more than the work done in it.

glibc gives large blocks back to the system as soon as they are free. A step allocates the same activations
and gradients as the one before it, and the system hands out every page of them anew, zeroed: with small
networks a third of the time. Other allocators and accelerators keep what they have by themselves.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["freed_memory_kept"]

# The options' numbers in glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4
_KEPT = ((_MMAP_MAX, 0), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 1 << 26))
# Where glibc's own rule ends up in a process that has freed large blocks.
_USUAL = ((_MMAP_MAX, 1 << 16), (_MMAP_THRESHOLD, 1 << 25), (_TRIM_THRESHOLD, 1 << 26), (_TOP_PAD, 1 << 17))


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Inside, freed blocks are used again; at the end all that is free goes back to the system."""
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not (hasattr(library, "mallopt") and hasattr(library, "malloc_trim")):
        yield
        return
    for option, value in _KEPT:
        library.mallopt(option, value)
    try:
        yield
    finally:
        for option, value in _USUAL:
            library.mallopt(option, value)
        library.malloc_trim(0)
