"""Where images are: a path, what was recognised there, and a digest of the files that are read."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nonsmooth.datasets._images import Images
from nonsmooth.errors import InputError

__all__ = [
    "CIFAR10_CLASSES",
    "Arrays",
    "Description",
    "File",
    "Format",
    "ImageSource",
    "read_file",
    "readable",
    "source_of",
]

CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


class File(NamedTuple):
    """A file's content. ``role`` is what it is to the data set, ``name`` what an error calls it."""

    role: str
    name: str
    data: bytes


class Arrays(NamedTuple):
    """The decoded content of a data set; shapes and types as in :class:`Images`."""

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    classes: tuple[str, ...]


class Description(NamedTuple):
    """What is known before decoding: ``kind`` is ``cifar10`` or ``images``, ``note`` is for a reader."""

    kind: str
    note: str


class Format(ABC):
    """A way to keep images in files, found at a path.

    Args:
        path: the file or folder that holds them.
    """

    title: str
    code: str

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def files(self) -> Iterator[File]:
        """The files that are read, one at a time, always in the same order."""

    @abstractmethod
    def describe(self, files: Iterable[File]) -> Description:
        """What the files hold, without decoding an image. It reads every file."""

    @abstractmethod
    def decode(self, files: Iterable[File]) -> Arrays:
        """The content of the files. It reads every file."""


@dataclass(frozen=True)
class ImageSource:
    """Images on disk, recognised and digested but not decoded. Small enough to send to a worker.

    Attributes:
        name: ``cifar10:<16 hex>`` or ``images:<16 hex>``, the first digits of ``sha256``.
        path: the file or folder that holds them, absolute.
        format: what was recognised there, in words.
        note: what a reader of a result must know about them, or "".
        sha256: of the files that are read, whatever they are called; an archive and its extracted folder
            have the same.
    """

    name: str
    path: Path
    format: str
    note: str
    sha256: str

    def read(self) -> Images:
        """Decode the images.

        Raises:
            InputError: a file is missing, damaged, or another than when the source was found.
        """
        from nonsmooth.datasets._find import recognise

        with readable(self.path):
            format = recognise(self.path)
            digest = _Digest(format.code)
            arrays = format.decode(digest.through(format.files()))
        if digest.sha256 != self.sha256:
            raise InputError(
                f"{self.path}: the files have changed since they were named {self.name}; give the path again"
            )
        return Images(self.name, *arrays, f"{self.format}, {self.path.name!r}", self.note)


def source_of(format: Format) -> ImageSource:
    """Digest and describe what was recognised."""
    digest = _Digest(format.code)
    description = format.describe(digest.through(format.files()))
    sha256 = digest.sha256
    name = f"{description.kind}:{sha256[:16]}"
    return ImageSource(name, format.path, format.title, description.note, sha256)


class _Digest:
    """The SHA-256 of the roles and contents of files that pass through."""

    def __init__(self, code: str) -> None:
        self._hash = hashlib.sha256(f"{code}\n".encode())

    def through(self, files: Iterable[File]) -> Iterator[File]:
        for file in files:
            line = f"{hashlib.sha256(file.data).hexdigest()} {file.role}\n"
            self._hash.update(line.encode("utf-8", "surrogateescape"))
            yield file

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what the system says about a file into one line that names it."""
    try:
        yield
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise InputError(
            f"{error.filename or path}: cannot be read ({why}); check its permissions, or get the data again"
        ) from None


def read_file(path: Path, role: str) -> File:
    """A file of a folder."""
    return File(role, str(path), path.read_bytes())
