"""Where tasks run: engines behind one protocol, each in a file of its own.

An engine hands out ``concurrent.futures.Future`` objects, so one loop serves them all. To add one
(Dask, Ray): a class with this protocol in its own file, and a row in ``_ENGINES``.
"""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Any, Protocol, Self

from nonsmooth.errors import InputError
from nonsmooth.runs._environment import available_cpus

__all__ = ["ENGINES", "Engine", "check_jobs", "engine"]

_ENGINES = {
    "inline": "nonsmooth.runs._inline:Inline",
    "processes": "nonsmooth.runs._processes:Processes",
}
ENGINES: tuple[str, ...] = tuple(_ENGINES)


class Engine(Protocol):
    """What ``run_tasks`` needs of an engine.

    Attributes:
        workers: how many tasks run at once.
    """

    workers: int

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        """Start ``fn(*args)``, both picklable; the future may raise ``BrokenExecutor``."""
        ...

    def restart(self) -> None:
        """Fresh workers after a ``BrokenExecutor``; raises ``InputError`` where none will start."""
        ...

    def cancel(self) -> None:
        """Stop at once: nothing waiting starts, nothing running finishes."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


def check_jobs(jobs: int | None) -> int:
    """The number of workers, all available CPUs for None."""
    if jobs is None:
        return available_cpus()
    if isinstance(jobs, bool) or not isinstance(jobs, int) or not 1 <= jobs <= 1024:
        raise InputError(f"jobs = {jobs!r} is out of range; give a whole number from 1 to 1024")
    return jobs


def engine(name: str, jobs: int | None = None) -> Engine:
    """The engine called ``name`` with ``jobs`` workers (None: every available CPU), as a context manager.

    Raises:
        InputError: an unknown name, or ``jobs`` that is no whole number from 1 to 1024.

    >>> with engine("inline") as here:
    ...     here.submit(max, 1, 2).result()
    2
    """
    if name not in _ENGINES:
        close = difflib.get_close_matches(str(name), ENGINES, 1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        raise InputError(f"engine {name!r} is not known{hint}; choose one of {', '.join(ENGINES)}")
    workers = check_jobs(jobs)
    module, kind = _ENGINES[name].split(":")
    return getattr(importlib.import_module(module), kind)(workers)
