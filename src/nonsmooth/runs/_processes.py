"""The engine of local worker processes.

Workers are *spawned*: a fork would copy whatever locks the threads of this process hold. They never
see Ctrl-C (the parent decides what is kept), leave when the parent is gone, however it went, and start
with one thread in every numerical library.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import connection
from typing import Any, Self

from nonsmooth.errors import InputError
from nonsmooth.runs._threads import one_thread_environment

__all__ = ["Processes"]


def _leave_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _prepare_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A killed parent closes no queue that its workers wait on: each holds both ends.
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _ready() -> bool:
    return True


@contextlib.contextmanager
def _sigint_held() -> Iterator[None]:
    """Keep Ctrl-C from this thread, so that a process started meanwhile never gets it, even while
    it still imports. One that arrives is delivered afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Processes:
    """``jobs`` spawned worker processes on this machine."""

    def __init__(self, jobs: int) -> None:
        self.workers = jobs
        self._pool = self._fresh()

    def _fresh(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_prepare_worker,
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any) -> Future[Any]:
        # The pool starts its processes here, and they inherit the environment and the signal mask.
        with one_thread_environment(), _sigint_held():
            return self._pool.submit(fn, *args)

    def restart(self) -> None:
        self.cancel()
        self._pool = self._fresh()
        try:
            self.submit(_ready).result()
        except BrokenExecutor:
            self.cancel()
            raise InputError(
                "engine 'processes': no worker process starts here. In a script, put the call under "
                "`if __name__ == '__main__':`; or use engine 'inline'"
            ) from None

    def cancel(self) -> None:
        processes = list((getattr(self._pool, "_processes", None) or {}).values())
        self._pool.shutdown(wait=False, cancel_futures=True)
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._pool.shutdown(wait=True, cancel_futures=True)
        else:
            self.cancel()
