"""A folder for the task that is being measured, which survives a kill: checkpoints of long runs lie there.

It is named after the key that the task's result will be stored under, so that only the same work by the same
code finds it again, and is removed when that result is stored.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

__all__ = ["discard", "scratch", "scratch_folder", "using"]

_CURRENT: ContextVar[Path | None] = ContextVar("scratch", default=None)


def scratch() -> Path | None:
    """The current task's folder, made if it is not there; None for a task measured without a store."""
    folder = _CURRENT.get()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def scratch_folder(beside: Path, key: str) -> Path:
    """Where a task's folder lies: below ``scratch`` beside the store."""
    return beside / "scratch" / key


@contextlib.contextmanager
def using(folder: Path | None) -> Iterator[None]:
    """For the code inside, :func:`scratch` is this folder."""
    token = _CURRENT.set(folder)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def discard(folder: Path) -> None:
    """Remove a task's folder, and the folder around it once it is empty."""
    shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):
        folder.parent.rmdir()
