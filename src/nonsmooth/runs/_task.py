"""One task: a spec and where its claim is found, so that any worker can measure it."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import json
import sys
import time
import traceback
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from nonsmooth.errors import InputError
from nonsmooth.runs._events import Failure
from nonsmooth.runs._scratch import using
from nonsmooth.runs._spec import RunSpec
from nonsmooth.runs._threads import one_thread

__all__ = [
    "ClaimSource",
    "Task",
    "TaskResult",
    "attempt",
    "execute",
    "import_file",
    "load_claim",
    "pack",
    "unpack",
]

Row = dict[str, Any]


@dataclass(frozen=True)
class ClaimSource:
    """Where a claim's class is found.

    Args:
        kind: "id" for an installed module, "file" for a Python file of the user's.
        value: ``package.module:Class``, or ``/path/to/file.py:Class``.
    """

    kind: Literal["id", "file"]
    value: str

    @property
    def place(self) -> str:
        """The module's dotted name, or the file's path."""
        return self.value.rpartition(":")[0]

    @property
    def name(self) -> str:
        """The class's name."""
        return self.value.rpartition(":")[2]


@dataclass(frozen=True)
class Task:
    """A spec, its claim, the user's data set where the spec names one, and a folder for its checkpoints."""

    spec: RunSpec
    source: ClaimSource
    dataset: Any = None
    scratch: Path | None = None


@dataclass(frozen=True)
class TaskResult:
    """Rows as they are stored (compressed JSON), and the seconds that measuring took."""

    payload: bytes
    seconds: float

    @property
    def rows(self) -> list[Row]:
        return unpack(self.payload)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):  # numpy's scalars and arrays, torch's tensors
        return value.tolist()
    raise TypeError(f"a row holds {value!r} ({type(value).__name__}), which is no JSON value")


def pack(rows: Sequence[Row]) -> bytes:
    """Rows as zlib-compressed JSON. NaN and infinities are kept; floats come back to the last bit."""
    if isinstance(rows, str | bytes) or not all(isinstance(row, dict) for row in rows):
        raise TypeError("rows must be a list of dictionaries")
    return zlib.compress(json.dumps(list(rows), separators=(",", ":"), default=_plain).encode(), 6)


def unpack(payload: bytes) -> list[Row]:
    """The inverse of :func:`pack`.

    >>> unpack(pack([{"x": float("inf"), "y": (1, 2)}]))
    [{'x': inf, 'y': [1, 2]}]
    """
    return json.loads(zlib.decompress(payload))


def import_file(path: str | Path) -> ModuleType:
    """The module in a file of the user's, imported anew when its text has changed.

    Raises:
        InputError: no such file, not a Python file, or one that raises when imported.
    """
    try:
        where = Path(path).expanduser().resolve(strict=True)
        text = where.read_bytes()
    except (OSError, ValueError, RuntimeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise InputError(
            f"claim file {str(path)!r} cannot be read ({why}); give a readable .py file"
        ) from None
    if where.suffix != ".py":
        raise InputError(f"claim file {str(path)!r} is no .py file; give one that defines a Claim")
    name = f"nonsmooth_claim_file_{hashlib.sha256(str(where).encode() + b'|' + text).hexdigest()[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    found = importlib.util.spec_from_file_location(name, where)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # dataclasses and pickle look their module up by name
    try:
        exec(compile(text, str(where), "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise InputError(f"claim file {str(path)!r} cannot be imported ({why}); mend it first") from error
    return module


@functools.cache
def _instance(kind: type) -> Any:
    return kind()


def load_claim(source: ClaimSource) -> Any:
    """The claim, one instance a class and process."""
    module = import_file(source.place) if source.kind == "file" else importlib.import_module(source.place)
    return _instance(getattr(module, source.name))


def execute(task: Task) -> TaskResult:
    """Measure a task in this process, with one thread."""
    claim = load_claim(task.source)
    if task.dataset is not None:
        from nonsmooth.datasets import register

        register(task.dataset)
    with one_thread(), using(task.scratch):
        start = time.perf_counter()
        rows = claim.measure(task.spec)
        seconds = time.perf_counter() - start
    return TaskResult(pack(rows), seconds)


def attempt(task: Task) -> TaskResult | Failure:
    """:func:`execute`, with an exception as words: a user's exception class may not survive pickling."""
    try:
        return execute(task)
    except Exception as error:
        why = " ".join(f"{type(error).__name__}: {error}".split())
        if isinstance(error, InputError):
            return Failure(task.spec, str(error), refused=True)
        return Failure(task.spec, why, traceback.format_exc())
