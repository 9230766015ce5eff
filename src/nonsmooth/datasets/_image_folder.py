"""A folder of image files: one folder a class, in train/ and test/ or without a split."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np

from nonsmooth.datasets._encoded import decode, encoding, encoding_note, size_of
from nonsmooth.datasets._images import every
from nonsmooth.datasets._source import CIFAR10_CLASSES, Arrays, Description, File, Format, read_file
from nonsmooth.errors import InputError

__all__ = ["ImageFolder"]

_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".ppm", ".pgm"}
_REMEDY = "mend or remove it"


class ImageFolder(Format):
    """``train/CLASS/*.png`` and ``test/CLASS/*.png``, or ``CLASS/*.png``; classes sorted by name.

    Images are in the order of their file names, numbers by value, whatever their class: a folder written
    image by image keeps its order, and classes alternate.
    """

    title = "folder of images"
    code = "folder"

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """The images in a folder, if there is a folder in it that has some."""
        split = path / "train", path / "test"
        if any(each.is_dir() for each in split):
            missing = [each for each in split if not each.is_dir()]
            if missing:
                raise InputError(
                    f"{missing[0]}: no such folder; give train/ and test/, or one folder a class"
                )
            return cls(path)
        return cls(path) if any(_images_in(folder) for folder in _folders(path)) else None

    @property
    def _has_split(self) -> bool:
        return (self.path / "train").is_dir()

    def files(self) -> Iterator[File]:
        paths: list[Path] = []
        for folder in self._class_folders():
            found = _images_in(folder)
            if not found:
                raise InputError(
                    f"{folder}: no image ({', '.join(sorted(_ENDINGS))}); fill or remove this class's folder"
                )
            paths += found
        for path in sorted(paths, key=_order):
            yield read_file(path, path.relative_to(self.path).as_posix())

    def _class_folders(self) -> list[Path]:
        splits = ("train", "test") if self._has_split else ("",)
        return [folder for split in splits for folder in _folders(self.path / split)]

    def describe(self, files: Iterable[File]) -> Description:
        kinds: Counter[str] = Counter()
        places, size = [], (0, 0)
        for file in files:
            if not places:
                size = size_of(file.data, file.name)
            kinds[encoding(file.data)] += 1
            places.append(file.role)
        classes, _, test = self._layout(places)
        cifar10 = classes == CIFAR10_CLASSES and size == (32, 32)
        notes = [encoding_note(kinds, "the official archive" if cifar10 else "the originals")]
        counts = (int((~test).sum()), int(test.sum()))
        if not self._has_split:
            notes.append("no split on disk: sorted by class and file name, every sixth image is a test image")
        if cifar10 and counts != (50_000, 10_000):
            notes.append(
                f"not the split of CIFAR-10: {counts[0]} training images, not 50000, "
                f"and {counts[1]} test images, not 10000"
            )
        others = sum(len(_others_in(folder)) for folder in self._class_folders())
        if others:
            notes.append(f"{others} files that are not named like images are left out")
        return Description("cifar10" if cifar10 else "images", "; ".join(note for note in notes if note))

    def decode(self, files: Iterable[File]) -> Arrays:
        kept = [(file.role, file.name, file.data) for file in files]
        classes, labels, test = self._layout([role for role, _, _ in kept])
        pixels = decode([(name, data) for _, name, data in kept], remedy=_REMEDY)
        return Arrays(pixels[~test], labels[~test], pixels[test], labels[test], classes)

    def _layout(self, places: list[str]) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
        """Class names, labels (N,), and whether each is a test image (N,), of paths below the folder."""
        if not places:
            raise InputError(f"{self.path}: no image in its folders; give one folder a class with images")
        names = [place.split("/")[-2] for place in places]
        classes = tuple(sorted(set(names)))
        index = {name: k for k, name in enumerate(classes)}
        labels = np.array([index[name] for name in names], dtype=np.int64)
        if not self._has_split:
            for k in np.flatnonzero(np.bincount(labels) < 2):
                raise InputError(f"{self.path / classes[k]}: one image, and a class needs 2; add one")
            test = every(6, labels)
        else:
            test = np.array([place.startswith("test/") for place in places])
            for folder, chosen in (("train", ~test), ("test", test)):
                for k in set(range(len(classes))) - set(labels[chosen].tolist()):
                    missing = self.path / folder / classes[k]
                    raise InputError(f"{missing}: no such folder; each class needs one in train/ and test/")
        if len(classes) < 2:
            raise InputError(f"{self.path}: one class, {names[0]!r}; give at least two folders of images")
        return classes, labels, test


def _folders(path: Path) -> list[Path]:
    return sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))


def _images_in(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.suffix.lower() in _ENDINGS]


def _others_in(folder: Path) -> list[Path]:
    return [path for path in _visible(folder) if path.suffix.lower() not in _ENDINGS]


def _visible(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()]


def _order(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    parts = re.split(r"(\d+)", path.name)
    return [(1, int(part), "") if k % 2 else (0, 0, part) for k, part in enumerate(parts)], path.parent.name
