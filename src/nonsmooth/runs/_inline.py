"""The engine that runs each task where it is submitted: nothing to pickle, a debugger works."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Self

__all__ = ["Inline"]


class Inline:
    """Runs at ``submit``, in this process, and returns a finished future."""

    def __init__(self, jobs: int = 1) -> None:
        del jobs  # One process has one worker, whatever is asked for.
        self.workers = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args))
        except Exception as error:  # the future's owner decides; Ctrl-C passes through
            future.set_exception(error)
        return future

    def restart(self) -> None:
        """Nothing to restart: this process is the worker."""

    def cancel(self) -> None:
        """Nothing waits and nothing runs between two submits."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass
