"""Folders and files that are written whole or not at all, with errors in words."""

from __future__ import annotations

from pathlib import Path

from nonsmooth.errors import InputError
from nonsmooth.runs import atomic

__all__ = ["make_folder", "write_whole"]

_REMEDY = "free some space, or choose another folder with --out"


def make_folder(folder: Path) -> Path:
    """The folder, made with its parents if it is not there; InputError if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"cannot make the folder {str(folder)!r} ({error.strerror or error}); {_REMEDY}"
        ) from None
    return folder


def write_whole(path: Path, data: bytes) -> Path:
    """Replace ``path`` by ``data``: a reader sees the old file or the new one, never a part.

    Raises:
        InputError: the folder cannot be written (read-only, full, or not a folder).
    """
    make_folder(path.parent)
    try:
        with atomic(path) as file:
            file.write(data)
    except OSError as error:
        raise InputError(f"cannot write {str(path)!r} ({error.strerror or error}); {_REMEDY}") from None
    return path
