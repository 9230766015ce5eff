"""What the official python and binary archives of CIFAR-10 share: five batches, a test batch, class names.

Either may be the archive as downloaded or the folder it extracts to. Source: A. Krizhevsky, Learning
Multiple Layers of Features from Tiny Images, 2009, https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

import numpy as np

from nonsmooth.datasets._archive import members
from nonsmooth.datasets._source import CIFAR10_CLASSES, Arrays, Description, File, Format, read_file
from nonsmooth.errors import InputError

__all__ = ["PIXELS", "Cifar10"]

PIXELS = 3 * 32 * 32
_AGAIN = "get the official archive again"


class Cifar10(Format):
    """The batches in a folder or in an archive.

    Attributes:
        folder: the folder's name in the archive.
        batches: file names of the training batches, and last of the test batch.
        meta: file name of the class names.
    """

    folder: str
    batches: tuple[str, ...]
    meta: str

    @abstractmethod
    def batch(self, file: File) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (n, 3072) uint8, channel by channel and row by row, and labels (n,) integer, of a batch."""

    @abstractmethod
    def names(self, file: File) -> tuple[str, ...]:
        """The class names."""

    def files(self) -> Iterator[File]:
        roles = dict.fromkeys(self.batches, "train") | {self.batches[-1]: "test", self.meta: "classes"}
        if self.path.is_dir():
            for name, role in roles.items():
                yield read_file(self.path / name, role)
            return
        places = {PurePosixPath(self.folder, name): role for name, role in roles.items()}
        found = members(self.path, places)
        for place in places:
            if place not in found:
                raise InputError(f"{self.path}: holds no file {place}; {_AGAIN}")
        for place, role in places.items():
            yield File(role, f"{self.path}: {place}", found.pop(place))

    def describe(self, files: Iterable[File]) -> Description:
        arrays = self.decode(files)
        train, test = len(arrays.train), len(arrays.test)
        if (train, test) == (50_000, 10_000):
            return Description("cifar10", "")
        return Description(
            "cifar10", f"a part of CIFAR-10: {train} of 50000 training images, {test} of 10000 test images"
        )

    def decode(self, files: Iterable[File]) -> Arrays:
        found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"train": [], "test": []}
        count = None
        for file in files:
            if file.role == "classes":
                self._check_names(file)
                continue
            pixels, labels = self.batch(file)
            _check_labels(labels, len(pixels), file.name)
            if count not in (None, len(pixels)):
                raise InputError(
                    f"{file.name}: holds {len(pixels)} images, the batches before it {count} each; {_AGAIN}"
                )
            count = len(pixels)
            found[file.role].append((pixels, labels))
        pixels = {split: np.concatenate([x for x, _ in each]) for split, each in found.items()}
        labels = {
            split: np.concatenate([y for _, y in each]).astype(np.int64) for split, each in found.items()
        }
        return Arrays(
            pixels["train"].reshape(-1, 3, 32, 32),
            labels["train"],
            pixels["test"].reshape(-1, 3, 32, 32),
            labels["test"],
            CIFAR10_CLASSES,
        )

    def _check_names(self, file: File) -> None:
        names = self.names(file)
        if names != CIFAR10_CLASSES:
            raise InputError(
                f"{file.name}: the classes are {', '.join(names)[:200] or 'none'}, not those of CIFAR-10 "
                f"({', '.join(CIFAR10_CLASSES)}); {_AGAIN}"
            )


def _check_labels(labels: np.ndarray, count: int, name: str) -> None:
    if count == 0:
        raise InputError(f"{name}: holds no image; {_AGAIN}")
    if len(labels) != count:
        raise InputError(f"{name}: holds {count} images and {len(labels)} labels; {_AGAIN}")
    outside = np.flatnonzero((labels < 0) | (labels >= len(CIFAR10_CLASSES)))
    if outside.size:
        at = outside[0]
        raise InputError(f"{name}: the label of image {at} is {labels[at]}, outside 0 to 9; {_AGAIN}")
