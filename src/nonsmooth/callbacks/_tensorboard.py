"""Rows to TensorBoard: a scalar for each column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nonsmooth.callbacks._csv import path_of
from nonsmooth.callbacks._monitor import Row
from nonsmooth.errors import InputError

__all__ = ["TensorBoardSink"]


class TensorBoardSink:
    """Writes each column of a row as the scalar "nonsmooth/<column>" at the row's step, and flushes.

    Args:
        target: a folder for the event files, or a ``SummaryWriter`` that is there already, which stays open
            when the sink is closed. In the folder an event file is begun with the first row: of several
            processes, those that write none leave none.

    Raises:
        InputError: the package tensorboard is not installed, or the target is neither.

    >>> import tempfile
    >>> sink = TensorBoardSink(tempfile.mkdtemp())
    >>> sink.write({"step": 1, "sharpness": 0.5})
    >>> sink.close()
    """

    def __init__(self, target: Any) -> None:
        self._folder = target if isinstance(target, str | Path) else None
        self._writer: Any = None
        if self._folder is not None:
            _check(self._folder)
            return
        if not all(callable(getattr(target, name, None)) for name in ("add_scalar", "flush", "close")):
            raise InputError(f"target is a {type(target).__name__}; give a folder or a SummaryWriter")
        self._writer = target

    def write(self, row: Row) -> None:
        """Write a row's numbers; those not measured are left out."""
        if self._writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder))
        for name, value in row.items():
            if name != "step" and value is not None:
                self._writer.add_scalar(f"nonsmooth/{name}", value, row["step"])
        self._writer.flush()

    def close(self) -> None:
        """Close the writer if it is the sink's own."""
        if self._folder is not None and self._writer is not None:
            self._writer.close()
            self._writer = None


def _check(folder: str | Path) -> None:
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"TensorBoardSink needs the package tensorboard ({error}); pip install 'nonsmooth[tensorboard]', "
            "or use CsvSink"
        ) from error
    try:
        path_of(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}); give another folder") from error
