"""What images hold, and whether they are those that were published."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from nonsmooth.datasets._cifar import Cifar10
from nonsmooth.datasets._cifar_python import Cifar10Python
from nonsmooth.datasets._digits import digits_images
from nonsmooth.datasets._find import find_images, recognise
from nonsmooth.datasets._images import Images
from nonsmooth.datasets._source import File, readable

__all__ = ["ImageCheck", "check_images"]

# Of the archives: https://www.cs.toronto.edu/~kriz/cifar.html. By the folder they extract to.
_ARCHIVE_MD5 = {
    "cifar-10-batches-py": "c58f30108f718f92721af3b95e74349a",
    "cifar-10-batches-bin": "c32a1d4ab5d03f1284b67883e8d87530",
}
# Of the files in the python archive: those that torchvision.datasets.CIFAR10 compares with.
_FILE_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
    "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
}
# Of the training part, red, green and blue, 0 to 255; published as shares of 255 to eight digits.
_MEAN = (125.3069, 122.9504, 113.8654)
_STD = (62.9932, 62.0887, 66.7049)
_TOLERANCE = 1e-4
_BLOCK = 1000

# The published digests are MD5, which guards against accidents only; a strict system must allow it for that.
_md5 = partial(hashlib.md5, usedforsecurity=False)


@dataclass(frozen=True)
class ImageCheck:
    """What images hold.

    Attributes:
        name: the name in results.
        format: what was recognised.
        path: where, absolute; "" for embedded data.
        sha256: of the files that were read; "" for embedded data.
        content: SHA-256 of the decoded pixels and labels: the same whatever the format.
        shape: channels, height, width.
        classes: their names.
        train: images of each class in the training part.
        test: and in the test part.
        mean: per channel, of the training part, 0 to 255.
        std: likewise.
        official: whether they are the published CIFAR-10: "yes" (the digests agree), "by statistics" or "no".
        comparison: how that was found, in words.
        note: what a reader of a result must know about them, or "".
    """

    name: str
    format: str
    path: str
    sha256: str
    content: str
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    train: tuple[int, ...]
    test: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    official: str
    comparison: str
    note: str

    def as_dict(self) -> dict[str, Any]:
        """The attributes, for JSON."""
        return dict(vars(self))


def check_images(path: str | Path) -> ImageCheck:
    """Read images, count them and compare them with what was published.

    Args:
        path: as for :func:`find_images`; or ``digits`` for the embedded data.

    Raises:
        InputError: as for :func:`read_images`.

    >>> check_images("digits").shape
    (1, 8, 8)
    """
    if str(path) == "digits":
        return _checked(digits_images(), "embedded in scikit-learn", "", "")
    source = find_images(path)
    found = _checked(source.read(), source.format, str(source.path), source.sha256)
    if source.name.startswith("cifar10:"):
        with readable(source.path):
            official, comparison = _compared(found)
        return replace(found, official=official, comparison=comparison)
    return found


def _checked(images: Images, format: str, path: str, sha256: str) -> ImageCheck:
    mean, std = _statistics(images.train)
    return ImageCheck(
        images.name,
        format,
        path,
        sha256,
        _content(images),
        images.shape,
        images.classes,
        _counts(images.train_labels, images),
        _counts(images.test_labels, images),
        mean,
        std,
        "no",
        "other data",
        images.note,
    )


def _counts(labels: np.ndarray, images: Images) -> tuple[int, ...]:
    return tuple(np.bincount(labels, minlength=len(images.classes)).tolist())


def _statistics(pixels: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel, from counts of the values: exact, in little memory."""
    values = np.arange(256)
    means, deviations = [], []
    for channel in range(pixels.shape[1]):
        counts = np.zeros(256, dtype=np.int64)
        for first in range(0, len(pixels), _BLOCK):
            counts += np.bincount(pixels[first : first + _BLOCK, channel].ravel(), minlength=256)
        mean = float(counts @ values / counts.sum())
        means.append(mean)
        deviations.append(float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum())))
    return tuple(means), tuple(deviations)


def _content(images: Images) -> str:
    digest = hashlib.sha256()
    for array in (images.train, images.train_labels, images.test, images.test_labels):
        digest.update(repr(array.shape).encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _compared(found: ImageCheck) -> tuple[str, str]:
    """Whether a CIFAR-10 is the published one, and how that was found."""
    path = Path(found.path)
    format = recognise(path)
    if isinstance(format, Cifar10) and path.is_file():
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, _md5).hexdigest()
        if digest == _ARCHIVE_MD5[format.folder]:
            return "yes", f"the archive has the published MD5 digest {digest}"
    if isinstance(format, Cifar10Python) and all(map(_as_published, format.files())):
        return "yes", "every file has the published MD5 digest"
    if (found.train, found.test) != ((5000,) * 10, (1000,) * 10):
        return "no", "CIFAR-10 has 5000 training and 1000 test images of each class"
    if found.shape != (3, 32, 32):
        return "no", "CIFAR-10 has images of 3 x 32 x 32"
    of_mean = max(abs(a - b) for a, b in zip(found.mean, _MEAN, strict=True))
    of_std = max(abs(a - b) for a, b in zip(found.std, _STD, strict=True))
    if max(of_mean, of_std) <= _TOLERANCE:
        return "by statistics", "counts, means and standard deviations are the official ones to four decimals"
    return "no", (
        f"the official means are {_in_words(_MEAN)} and the standard deviations {_in_words(_STD)}; "
        f"the largest differences are {of_mean:.2g} and {of_std:.2g}"
    )


def _as_published(file: File) -> bool:
    return _md5(file.data).hexdigest() == _FILE_MD5[PurePosixPath(file.name).name]


def _in_words(numbers: tuple[float, ...]) -> str:
    return ", ".join(f"{number:.1f}" for number in numbers)
