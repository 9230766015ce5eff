"""Where a result was computed: versions, hardware, date. Never a host name, user or path."""

from __future__ import annotations

import functools
import os
import platform
import re
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from nonsmooth._version import __version__

__all__ = ["available_cpus", "environment", "versions"]

# The packages whose version can change the bits of a result.
_NUMERICAL = ("numpy", "scipy", "numba", "scikit-learn", "torch", "cvxpy", "clarabel", "PEPit", "pillow")


def available_cpus() -> int:
    """CPUs this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def versions() -> dict[str, str]:
    """Installed versions of what computes, read from package metadata, importing none of it.

    >>> sorted(versions())
    ['PEPit', 'clarabel', 'cvxpy', 'numba', 'numpy', 'pillow', 'python', 'scikit-learn', 'scipy', 'torch']
    """
    found = {"python": platform.python_version()}
    for name in _NUMERICAL:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "absent"
    return found


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor()
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1].strip() if match else platform.processor()


def environment(**more: Any) -> dict[str, Any]:
    """The ledger's ``environment``: JSON values only; ``more`` is added as it stands."""
    return {
        "nonsmooth": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "machine": platform.machine(),
        "processor": _processor(),
        "cpus": available_cpus(),
        "versions": versions(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **more,
    }
