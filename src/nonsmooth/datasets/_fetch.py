"""Download of CIFAR-10, checked against its published digest."""

from __future__ import annotations

import logging
from pathlib import Path

from nonsmooth._download import Progress, download
from nonsmooth.errors import InputError

__all__ = ["fetch_cifar10"]

_FILE = "cifar-10-python.tar.gz"
_URL = f"https://www.cs.toronto.edu/~kriz/{_FILE}"
# Of the file whose MD5 digest, c58f30108f718f92721af3b95e74349a, is on the data set's page.
_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
_ELSEWHERE = "or download it elsewhere and give its path"


def fetch_cifar10(folder: str | Path, *, progress: Progress | None = None) -> Path:
    """Download the official python archive of CIFAR-10 (163 MiB) into a folder, unless it is there already.

    The archive is not extracted: :func:`find_images` takes it, or the folder, as it is. A download that
    breaks off or is not the published file leaves nothing behind.

    Args:
        folder: made if need be.
        progress: called with the bytes that came and those in all, now and then.

    Returns:
        The archive's path.

    Raises:
        InputError: no network, another file than published, or the folder cannot be written.
    """
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)
    try:
        found = pooch.retrieve(
            _URL,
            f"sha256:{_SHA256}",
            fname=_FILE,
            path=Path(folder).expanduser(),
            downloader=lambda url, file, _: download(url, Path(file), progress),  # pyright: ignore
        )
    except requests.RequestException as error:
        raise InputError(
            f"{_URL}: cannot be downloaded ({type(error).__name__}); check the network, {_ELSEWHERE}"
        ) from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InputError(f"{folder}: cannot be written ({why}); give another folder") from None
    except ValueError:
        raise InputError(
            f"{_URL}: what came is not the published file (SHA-256 {_SHA256}); try again, {_ELSEWHERE}"
        ) from None
    return Path(found)
