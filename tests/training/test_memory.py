"""Freed memory stays at hand inside, and goes back to the system at the end."""

import resource
import sys
from pathlib import Path

import torch

from nonsmooth.training._memory import freed_memory_kept

ENTRIES = 1 << 23  # 32 MB, of 4 KB a page


def _faults() -> int:
    """Pages that the system handed out while ten tensors came and went."""
    torch.ones(ENTRIES)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(ENTRIES)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def test_pages_are_used_again_and_given_back() -> None:
    usual = _faults()
    with freed_memory_kept():
        _faults()  # the heap grows to what is needed
        kept, inside = _faults(), _resident()
    if sys.platform == "linux":  # glibc's allocator; elsewhere nothing changes
        assert kept < usual / 10
        assert _resident() < inside - 2 * ENTRIES


def test_it_does_not_need_glibc(monkeypatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda name: object())
    before = _faults()
    with freed_memory_kept():
        assert _faults() > before / 2  # nothing is kept
