"""Rows to a CSV file: a kill loses at most the row being written, a resumed run goes on in the same file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

from nonsmooth.callbacks._monitor import Row
from nonsmooth.errors import InputError

__all__ = ["CsvSink", "path_of"]

_TAIL = 1 << 16  # bytes that are read at a time, from the end


class CsvSink:
    """Appends each row to a file, opened for that row only and written in one piece.

    The header is the columns of the first row. A row with further columns gives the file a wider header, and
    what was not measured is an empty cell. A file that is there already is continued: a line that a kill has
    torn is cut off, and rows are appended. A run that goes on from a checkpoint before the kill takes some
    steps again: of two rows with the same step the later one counts. Nothing is changed before the first row:
    of several processes, one writes.

    Args:
        path: the file; its folder is made if need be. One run at a time may write to it.

    Attributes:
        path: the same.

    Raises:
        InputError: a file that is there and has no column "step", or that cannot be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "rows.csv"
    >>> sink = CsvSink(path)
    >>> sink.write({"step": 1, "sharpness": 0.5})
    >>> sink.write({"step": 2, "sharpness": None})
    >>> path.read_text()
    'step,sharpness\\n1,0.5\\n2,\\n'
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path_of(path)
        self._columns: list[str] | None = None
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.open("ab").close()
            _taken_up(self.path, mend=False)
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written ({error.strerror}); give the path of a file that can"
            ) from error

    def write(self, row: Row) -> None:
        """Append a row."""
        if self._columns is None:
            self._columns = _taken_up(self.path, mend=True)
        new = [name for name in row if name not in self._columns]
        if new:
            self._columns = [*self._columns, *new]
            self._widen(self._columns, len(new))
        with self.path.open("ab") as file:
            if not file.tell():
                file.write(_line(self._columns))
            file.write(_line(row.get(name) for name in self._columns))

    def close(self) -> None:
        """Nothing is held open."""

    def _widen(self, columns: list[str], more: int) -> None:
        if not self.path.exists() or not self.path.stat().st_size:
            return
        new = self.path.with_name(f"{self.path.name}.new")
        with self.path.open("rb") as old, new.open("wb") as file:
            old.readline()
            file.write(_line(columns))
            for line in old:
                file.write(line.rstrip(b"\r\n") + b"," * more + b"\n")
        new.replace(self.path)  # at once: a kill leaves the one or the other


def path_of(path: Any) -> Path:
    """A path that the system can take; InputError for what is none."""
    if not isinstance(path, str | Path) or "\0" in str(path):
        raise InputError(f"path = {path!r} is none; give the path of a file or folder that can be written")
    return Path(path)


def _taken_up(path: Path, mend: bool) -> list[str]:
    """The columns of a file, none if it is empty; to mend it, its torn last line is cut off."""
    if mend and not path.exists():  # taken away since the sink was made
        return []
    with path.open("r+b") as file:
        header = file.readline()
        if not header.endswith(b"\n") and b"step,".startswith(header[:5]):
            if mend:
                file.truncate(0)  # empty, or killed in its first line
            return []
        columns = next(csv.reader([header.decode(errors="replace")]))
        if "step" not in columns:
            raise InputError(
                f"{path} is there and is no file of rows: its first line, {header[:60]!r}, has no "
                "column step; give another path"
            )
        if not mend:
            return columns
        file.truncate(_end_of_last_line(file))
    return columns


def _end_of_last_line(file: BinaryIO) -> int:
    """The header ends with a newline, so there is one."""
    start = file.seek(0, io.SEEK_END)
    while True:
        start = max(0, start - _TAIL)
        file.seek(start)
        if (found := file.read(_TAIL).rfind(b"\n")) >= 0:
            return start + found + 1


def _line(cells: Iterable[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()
