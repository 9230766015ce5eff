"""Rows of any shape as one wide Parquet table, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

__all__ = ["atomic", "write_parquet"]

LABELS = ("claim", "experiment", "spec_id", "key")


@contextlib.contextmanager
def atomic(path: Path) -> Iterator[IO[bytes]]:
    """A file that takes the place of ``path`` when all is written, and never exists half written."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        # mkstemp makes private files; these are results, readable like any other file.
        umask = os.umask(0)
        os.umask(umask)
        Path(name).chmod(0o666 & ~umask)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _column(values: list[Any]) -> Any:
    import pyarrow as pa

    if not any(isinstance(value, dict) for value in values):  # fields of a field have no common type
        with contextlib.suppress(pa.ArrowException, OverflowError, TypeError, ValueError):
            return pa.array(values)
    return pa.array([None if value is None else json.dumps(value) for value in values], pa.string())


def write_parquet(lines: Iterable[tuple[dict[str, str], dict[str, Any]]], path: Path) -> int:
    """Write labelled rows; returns how many. A field named like a label gets an underscore."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, list[Any]] = {name: [] for name in LABELS}
    count = 0
    for labels, row in lines:
        line = {**{name + "_" * (name in LABELS): value for name, value in row.items()}, **labels}
        for name, value in line.items():
            if name not in columns:
                columns[name] = [None] * count
            columns[name].append(value)
        count += 1
        for values in columns.values():
            if len(values) < count:
                values.append(None)
    table = pa.table({name: _column(values) for name, values in columns.items()})
    with atomic(path) as file:
        pq.write_table(table, file, compression="zstd")
    return count
