"""One thread a task: sums and matrix products differ in their last bits between one thread and two.

So a task never uses more than one, and the number of workers cannot change a result.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from threadpoolctl import ThreadpoolController

__all__ = ["one_thread", "one_thread_environment"]

_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@contextlib.contextmanager
def _variables(names: tuple[str, ...]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def one_thread_environment() -> contextlib.AbstractContextManager[None]:
    """For processes started inside: every library they load starts with one thread."""
    return _variables((*_VARIABLES, "NUMBA_NUM_THREADS"))


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """For the code inside, in this process: one thread in each pool loaded, and in those loaded now.

    torch and numba are limited only where something has imported them. Everything is put back after.
    """
    torch, numba = sys.modules.get("torch"), sys.modules.get("numba")
    with contextlib.ExitStack() as stack:
        # numba compares its own variables with those it started from, and refuses a change: not here.
        stack.enter_context(_variables(_VARIABLES))
        if torch is not None:
            stack.callback(torch.set_num_threads, torch.get_num_threads())
        stack.enter_context(ThreadpoolController().limit(limits=1))
        if numba is not None and numba.config.NUMBA_NUM_THREADS != 1:
            stack.callback(numba.set_num_threads, numba.get_num_threads())
            numba.set_num_threads(1)
        if torch is not None:
            # After numba, which starts its threads only now and sets OpenMP's number for all. And even where
            # torch says 1, since it says OpenMP's number: its MKL keeps one of its own.
            torch.set_num_threads(1)
        yield
