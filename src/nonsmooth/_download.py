"""A file from a server, written as it comes; what it should be is for the caller to check."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

__all__ = ["Progress", "download"]

Progress = Callable[[int, int], None]

_CHUNK = 1 << 20
_SECONDS = 30  # of silence, then the connection counts as lost


def download(url: str, file: Path, progress: Progress | None = None) -> None:
    """Write what a server sends to a file. (pooch's own downloader leaves the connection open on an error.)

    Args:
        url: http or https.
        file: written over.
        progress: called with the bytes that came and those in all, now and then.

    Raises:
        requests.RequestException: no connection, a refusal, or silence for 30 s.
        OSError: the file cannot be written.
    """
    import requests

    with requests.get(url, stream=True, timeout=_SECONDS) as response, file.open("wb") as stream:
        response.raise_for_status()
        total = int(response.headers.get("content-length", 0))
        done = 0
        for chunk in response.iter_content(_CHUNK):
            stream.write(chunk)
            done += len(chunk)
            if progress is not None and total:  # a server need not say how much it sends
                progress(done, total)
