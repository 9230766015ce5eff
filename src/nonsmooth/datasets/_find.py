"""What images a path holds: the formats that people have CIFAR-10 in, told apart by content."""

from __future__ import annotations

import os
from pathlib import Path

from nonsmooth.datasets._archive import first_folder, is_archive
from nonsmooth.datasets._cifar import Cifar10
from nonsmooth.datasets._cifar_binary import Cifar10Binary
from nonsmooth.datasets._cifar_python import Cifar10Python
from nonsmooth.datasets._image_folder import ImageFolder
from nonsmooth.datasets._images import Images
from nonsmooth.datasets._parquet_images import ParquetImages
from nonsmooth.datasets._source import Format, ImageSource, readable, source_of
from nonsmooth.errors import InputError

__all__ = ["find_images", "read_images", "recognise"]

_CIFAR10: tuple[type[Cifar10], ...] = (Cifar10Python, Cifar10Binary)
_ARCHIVES = {"cifar-10-python.tar.gz": Cifar10Python, "cifar-10-binary.tar.gz": Cifar10Binary}
_CIFAR100 = ("cifar-100-python", "cifar-100-binary")
_ALLOWED = (
    "cifar-10-python.tar.gz, cifar-10-binary.tar.gz, a folder that holds one of them or what it extracts to, "
    "train-*.parquet and test-*.parquet, or one folder of images a class"
)


def find_images(path: str | Path) -> ImageSource:
    """Recognise the images at a path, and digest their files. No image is decoded.

    Args:
        path: CIFAR-10's python or binary archive, the folder that it extracts to, a folder that holds one
            of these (torchvision's root), Hugging Face parquet files, or a folder of images: ``train/`` and
            ``test/`` with one folder a class, or one folder a class without a split. Where a folder holds
            several, the first in this order is taken.

    Raises:
        InputError: nothing is there, or nothing that is known; a file is missing, truncated, damaged or
            mislabelled. The message names the file.
    """
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"path is a {type(path).__name__}; give {_ALLOWED}")
    with readable(Path(path)):
        return source_of(recognise(Path(path)))


def read_images(path: str | Path) -> Images:
    """The images at a path; :func:`find_images` says which formats are known.

    Raises:
        InputError: as for :func:`find_images`; or an image cannot be decoded or has another size.
    """
    return find_images(path).read()


def recognise(path: Path) -> Format:
    """The format of what is at a path."""
    try:
        there = path.expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise InputError(f"{path}: no such file or folder; give {_ALLOWED}") from None
    if not (there.is_dir() or there.is_file()):  # reading a pipe would wait for ever
        raise InputError(f"{path}: neither a file nor a folder; give {_ALLOWED}")
    found = _in_folder(there) if there.is_dir() else _in_file(there)
    if found is None:
        raise InputError(f"{path}: holds no images in a known format; give {_ALLOWED}")
    return found


def _in_folder(path: Path) -> Format | None:
    for kind in _CIFAR10:
        for folder in (path, path / kind.folder):
            # Any of the files will do: which of them are missing is said when they are read.
            if any((folder / name).is_file() for name in kind.batches):
                return kind(folder)
    for name, kind in _ARCHIVES.items():
        if (path / name).is_file():
            return kind(path / name)
    _refuse_cifar100(path, {path.name, *(each.name for each in path.iterdir() if each.is_dir())})
    return ParquetImages.at(path) or ImageFolder.at(path)


def _in_file(path: Path) -> Format | None:
    if not is_archive(path):
        if path.suffix == ".parquet":
            raise InputError(
                f"{path}: one parquet file; give its folder, with train-*.parquet and test-*.parquet"
            )
        return None
    known = {kind.folder: kind for kind in _CIFAR10}
    top, first = first_folder(path, {*known, *_CIFAR100})
    _refuse_cifar100(path, {top})
    if top not in known:
        raise InputError(f"{path}: an archive of {first or 'nothing'!r}, not of CIFAR-10; give {_ALLOWED}")
    return known[top](path)


def _refuse_cifar100(path: Path, folders: set[str]) -> None:
    if folders & set(_CIFAR100):
        raise InputError(f"{path}: this is CIFAR-100, not CIFAR-10; give {_ALLOWED}")
