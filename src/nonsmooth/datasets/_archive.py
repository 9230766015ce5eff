"""Members of a tar archive, read into memory: nothing is extracted, so no member's path can do harm."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Collection, Iterator
from lzma import LZMAError
from pathlib import Path, PurePosixPath

from nonsmooth.errors import InputError

__all__ = ["first_folder", "is_archive", "members"]

_AGAIN = "get the archive again"
# The largest file of the official archives has 31 MB; a member that claims much more is none of theirs.
_MOST_BYTES = 200_000_000


def is_archive(path: Path) -> bool:
    """Whether a file is a tar archive, or was one before it was damaged."""
    with path.open("rb") as stream:
        is_gzip = stream.read(2) == b"\x1f\x8b"
    return is_gzip or path.name.endswith((".tar", ".tar.gz", ".tgz")) or tarfile.is_tarfile(path)


def _walk(path: Path, wanted: Collection[PurePosixPath] = ()) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Every member's path, in order, with its content if it is a file that is wanted."""
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                place, data = PurePosixPath(member.name), b""
                if place in wanted and member.isfile():
                    if member.size > _MOST_BYTES:
                        raise InputError(f"{path}: {place} has {member.size} bytes, too many; {_AGAIN}")
                    stream = archive.extractfile(member)
                    assert stream is not None
                    data = stream.read()
                yield place, data
            # A compressed stream holds its checksum behind the last member.
            while archive.fileobj is not None and archive.fileobj.read(1 << 20):
                pass
    except (tarfile.TarError, zlib.error, LZMAError, EOFError, OSError) as error:
        why = getattr(error, "strerror", None) or "truncated or damaged"
        raise InputError(f"{path}: cannot be read ({why}); {_AGAIN}") from None


def members(path: Path, wanted: Collection[PurePosixPath]) -> dict[PurePosixPath, bytes]:
    """The contents of those wanted files that are in an archive.

    Raises:
        InputError: the archive is damaged, or holds one of them twice or much too large.
    """
    found: dict[PurePosixPath, bytes] = {}
    for place, data in _walk(path, wanted):
        if place in wanted:
            if place in found:
                raise InputError(f"{path}: holds {place} twice; {_AGAIN}")
            found[place] = data
    return found


def first_folder(path: Path, known: Collection[str]) -> tuple[str, str]:
    """The first top folder in an archive that is known, or ""; and the first of all, for an error."""
    first = ""
    for place, _ in _walk(path):
        top = place.parts[0] if place.parts else ""
        first = first or top
        if top in known:
            return top, first
    return "", first
