"""CIFAR-10's python archive: pickled dictionaries, read without running them."""

from __future__ import annotations

import numpy as np

from nonsmooth.datasets._cifar import PIXELS, Cifar10
from nonsmooth.datasets._source import File
from nonsmooth.datasets._unpickle import unpickle
from nonsmooth.errors import InputError

__all__ = ["Cifar10Python"]


class Cifar10Python(Cifar10):
    """``cifar-10-python.tar.gz``, or its folder ``cifar-10-batches-py``."""

    title = "CIFAR-10 python archive"
    code = "cifar10-python"
    folder = "cifar-10-batches-py"
    batches = (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch")
    meta = "batches.meta"

    def batch(self, file: File) -> tuple[np.ndarray, np.ndarray]:
        content = unpickle(file.data, file.name)
        pixels, labels = content.get("data"), content.get("labels")
        if pixels is None or labels is None:
            known = ", ".join(sorted(content))[:200] or "nothing"
            known += " (this is CIFAR-100)" if "fine_labels" in content else ""
            raise InputError(
                f"{file.name}: holds {known}, not data and labels; get the official archive of CIFAR-10"
            )
        if not (
            isinstance(pixels, np.ndarray)
            and pixels.dtype == np.uint8
            and pixels.ndim == 2
            and pixels.shape[1] == PIXELS
        ):
            what = (
                f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            )
            raise InputError(
                f"{file.name}: data is {what}, not uint8 (n, {PIXELS}); get the official archive"
            )
        if isinstance(labels, list) and all(type(label) is int and abs(label) < 2**62 for label in labels):
            labels = np.array(labels, dtype=np.int64)
        if not isinstance(labels, np.ndarray) or labels.ndim != 1:
            raise InputError(f"{file.name}: labels is no list of whole numbers; get the official archive")
        return pixels, labels

    def names(self, file: File) -> tuple[str, ...]:
        names = unpickle(file.data, file.name).get("label_names", ())
        if not isinstance(names, list | tuple):
            return ()
        return tuple(name.decode("latin1") if isinstance(name, bytes) else str(name) for name in names)
