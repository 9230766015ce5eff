"""A few threads that stay, for compiled loops that let go of the interpreter's lock.

numba's own threads are not used: its default layer aborts the process when two Python threads enter it at
once. Here any number of them may: whoever calls works too, takes pieces until none is left, and waits only
for the pieces that others have begun, so nobody waits for a thread that is busy elsewhere.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["share"]

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_size = 0


def _forget() -> None:
    """In a forked child: the threads stayed with the parent, and the lock may be held by one of them."""
    global _lock, _pool, _size
    _lock, _pool, _size = threading.Lock(), None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _workers(count: int) -> ThreadPoolExecutor:
    global _pool, _size
    with _lock:
        if _pool is None or _size < count:
            if _pool is not None:
                _pool.shutdown(wait=False)  # its threads finish what they were given
            _pool, _size = ThreadPoolExecutor(count, thread_name_prefix="nonsmooth"), count
        return _pool


def share(work: Callable[[int, int], None], total: int, piece: int, threads: int) -> None:
    """Call ``work(begin, end)`` for pieces that make up 0..total, on this thread and threads - 1 others.

    Args:
        work: a function that lets go of the interpreter's lock, and is safe to run on different pieces at
            once.
        total: positions, >= 0.
        piece: positions of a piece, >= 1; the last one may be shorter.
        threads: >= 1.
    """
    begins = itertools.count(0, piece)  # next() is atomic: each piece goes to one thread

    def take() -> None:
        while (begin := next(begins)) < total:
            work(begin, min(begin + piece, total))

    helpers = min(threads, -(-total // piece)) - 1
    others: list[Future[None]] = []
    try:
        if helpers > 0:
            # No new threads while the interpreter shuts down; or another call has just replaced the pool.
            with contextlib.suppress(RuntimeError):
                pool = _workers(helpers)
                for _ in range(helpers):
                    others.append(pool.submit(take))
        take()
    finally:  # not even an interrupt may leave while another thread still writes
        for other in others:
            if not other.cancel():
                other.result()
