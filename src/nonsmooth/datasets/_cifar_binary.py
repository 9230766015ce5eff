"""CIFAR-10's binary archive: records of one label byte and 3,072 pixel bytes."""

from __future__ import annotations

import numpy as np

from nonsmooth.datasets._cifar import PIXELS, Cifar10
from nonsmooth.datasets._source import File
from nonsmooth.errors import InputError

__all__ = ["Cifar10Binary"]

_RECORD = 1 + PIXELS


class Cifar10Binary(Cifar10):
    """``cifar-10-binary.tar.gz``, or its folder ``cifar-10-batches-bin``."""

    title = "CIFAR-10 binary archive"
    code = "cifar10-binary"
    folder = "cifar-10-batches-bin"
    batches = (*(f"data_batch_{k}.bin" for k in range(1, 6)), "test_batch.bin")
    meta = "batches.meta.txt"

    def batch(self, file: File) -> tuple[np.ndarray, np.ndarray]:
        if len(file.data) % _RECORD:
            raise InputError(
                f"{file.name}: {len(file.data)} bytes are no whole number of records of {_RECORD} bytes "
                "(truncated?); get the official archive again"
            )
        records = np.frombuffer(file.data, dtype=np.uint8).reshape(-1, _RECORD)
        return records[:, 1:], records[:, 0]

    def names(self, file: File) -> tuple[str, ...]:
        return tuple(file.data.decode("latin1").split())
