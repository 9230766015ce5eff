"""Hugging Face parquet files: a struct column of encoded images, a column of labels, in shards."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Self

import numpy as np

from nonsmooth.datasets._encoded import decode, encoding, encoding_note, size_of
from nonsmooth.datasets._source import CIFAR10_CLASSES, Arrays, Description, File, Format, read_file
from nonsmooth.errors import InputError

__all__ = ["ParquetImages"]

_SHARD = re.compile(r"(train|test)(?:-(\d+)-of-(\d+))?(?:-[0-9a-f]+)?\.parquet")
_AGAIN = "get the file again"


@dataclass
class _Shard:
    file: File
    images: list[bytes]
    labels: np.ndarray
    names: tuple[str, ...]

    def row(self, at: int) -> str:
        return f"{self.file.name}, row {at}"


class ParquetImages(Format):
    """``train-*.parquet`` and ``test-*.parquet``, columns ``img`` or ``image`` and ``label``."""

    title = "Hugging Face parquet"
    code = "parquet"

    @classmethod
    def at(cls, path: Path) -> Self | None:
        """The files in a folder, or in the one folder directly below that has such files."""
        inside = [path, *sorted(each for each in path.iterdir() if each.is_dir())]
        found = [
            folder
            for folder in inside
            if any(_SHARD.fullmatch(each.name) for each in folder.glob("*.parquet"))
        ]
        if len(found) > 1 and found[0] != path:
            names = ", ".join(folder.name for folder in found)
            raise InputError(f"{path}: parquet files are in each of the folders {names}; give one of them")
        return cls(found[0]) if found else None

    def files(self) -> Iterator[File]:
        for split in ("train", "test"):
            for name in self._shards(split):
                yield read_file(self.path / name, split)

    def _shards(self, split: str) -> list[str]:
        matches = [_SHARD.fullmatch(path.name) for path in sorted(self.path.glob(f"{split}*.parquet"))]
        found = [match for match in matches if match and match[1] == split]
        if not found:
            raise InputError(f"{self.path / split}-*.parquet: no such file; get the whole data set")
        counts = {match[3] for match in found}
        if len(counts) > 1:
            raise InputError(
                f"{self.path}: shards of several versions of {split} lie together; keep one version"
            )
        total = int(found[0][3] or 1)
        numbers = [int(match[2] or 0) for match in found]
        for number in range(min(total, len(found) + 1)):
            if number not in numbers:
                raise InputError(
                    f"{self.path}: the shard {split}-{number:05d}-of-{total:05d}.parquet is missing; "
                    "get the whole data set"
                )
        if len(numbers) != total:
            raise InputError(
                f"{self.path}: {len(numbers)} shards of {split}, {total} by their names; keep one version"
            )
        return [match[0] for match in found]

    def describe(self, files: Iterable[File]) -> Description:
        shards = [_read(file) for file in files]
        labels = _labels(shards)
        kinds = Counter(encoding(data) for shard in shards for data in shard.images)
        if _classes(shards, labels) != CIFAR10_CLASSES or _size(shards) != (32, 32):
            return Description("images", encoding_note(kinds, "the originals"))
        notes = [encoding_note(kinds, "the official archive")]
        if not _counts_of_cifar10(labels):
            notes.append(
                f"a part of CIFAR-10: {len(labels['train'])} of 50000 training images, "
                f"{len(labels['test'])} of 10000 test images"
            )
        return Description("cifar10", "; ".join(note for note in notes if note))

    def decode(self, files: Iterable[File]) -> Arrays:
        shards = [_read(file) for file in files]
        labels = _labels(shards)
        rows = [(shard.row(at), data) for shard in shards for at, data in enumerate(shard.images)]
        pixels = decode(rows, remedy=_AGAIN)
        train = len(labels["train"])
        return Arrays(
            pixels[:train], labels["train"], pixels[train:], labels["test"], _classes(shards, labels)
        )


def _classes(shards: list[_Shard], labels: dict[str, np.ndarray]) -> tuple[str, ...]:
    """The class names: as written in the file, or CIFAR-10's for what can be nothing else, or numbers."""
    if shards[0].names:
        return shards[0].names
    # Without names, CIFAR-10 shows in its size and its balance; no other known set of ten has both.
    if _counts_of_cifar10(labels) and _size(shards) == (32, 32):
        return CIFAR10_CLASSES
    return tuple(str(k) for k in range(_count(shards)))


def _size(shards: list[_Shard]) -> tuple[int, int]:
    """Height and width of the first image."""
    first = next(shard for shard in shards if shard.images)
    return size_of(first.images[0], first.row(0))


def _counts_of_cifar10(labels: dict[str, np.ndarray]) -> bool:
    counts = (("train", 5000), ("test", 1000))
    return all(np.bincount(labels[split]).tolist() == [each] * 10 for split, each in counts)


def _count(shards: list[_Shard]) -> int:
    """How many classes there are, by their names or else by the labels of the training part."""
    labels = [shard.labels for shard in shards if shard.file.role == "train"]
    return len(shards[0].names) or len(np.unique(np.concatenate(labels)))


def _labels(shards: list[_Shard]) -> dict[str, np.ndarray]:
    """The labels of each split, checked to be 0 to C - 1."""
    count = _count(shards)
    for shard in shards:
        if shard.names != shards[0].names:
            raise InputError(f"{shard.file.name}: has other class names than {shards[0].file.name}; {_AGAIN}")
        outside = np.flatnonzero((shard.labels < 0) | (shard.labels >= count))
        if outside.size:
            at = outside[0]
            raise InputError(
                f"{shard.row(at)}: the label is {shard.labels[at]}, outside 0 to {count - 1}; {_AGAIN}"
            )
    labels = {}
    for split in ("train", "test"):
        of_split = [shard for shard in shards if shard.file.role == split]
        labels[split] = np.concatenate([shard.labels for shard in of_split])
        if not len(labels[split]):
            raise InputError(f"{of_split[0].file.name}: holds no image; {_AGAIN}")
    return labels


def _read(file: File) -> _Shard:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(BytesIO(file.data))
    except Exception:  # Arrow fails in many ways on damaged bytes
        raise InputError(f"{file.name}: no readable parquet file (truncated or damaged); {_AGAIN}") from None
    column = next((name for name in ("img", "image") if name in table.column_names), None)
    if column is None or "label" not in table.column_names:
        found = ", ".join(table.column_names)[:200]
        found += " (this is CIFAR-100, not CIFAR-10)" if "fine_label" in table.column_names else ""
        raise InputError(f"{file.name}: the columns are {found}; needs img or image, and label")
    kind = table.schema.field(column).type
    at = kind.get_field_index("bytes") if pa.types.is_struct(kind) else -1
    if at < 0 or not (
        pa.types.is_binary(kind.field(at).type) or pa.types.is_large_binary(kind.field(at).type)
    ):
        raise InputError(
            f"{file.name}: column {column} is {kind}; needs a struct with bytes, an encoded image"
        )
    kind = table.schema.field("label").type
    if not pa.types.is_integer(kind):
        raise InputError(f"{file.name}: column label is {kind}; needs whole numbers")
    images, labels = pc.struct_field(table.column(column), "bytes").to_pylist(), table.column("label")  # pyright: ignore
    for what, missing in (("image bytes", None in images), ("label", labels.null_count)):
        if missing:
            at = (images if what == "image bytes" else labels.to_pylist()).index(None)
            raise InputError(f"{file.name}, row {at}: has no {what}; {_AGAIN}")
    return _Shard(file, images, labels.to_numpy().astype(np.int64), _names(table.schema))


def _names(schema: Any) -> tuple[str, ...]:
    """The class names that Hugging Face's library writes into the file, or none."""
    try:
        features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
        return tuple(str(name) for name in features["label"]["names"])
    except (TypeError, KeyError, ValueError):
        return ()
