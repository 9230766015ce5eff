"""A few threads of Python's that stay, for compiled functions that let go of the interpreter's lock.

numba's own threads are not used: its default layer aborts the process when two Python threads enter it at
once. Here any number of them may: whoever calls works too, until no work is left, and waits only for those
who have begun, so nobody waits for a thread that is busy elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

__all__ = ["together"]

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


def together(work: Callable[[], object], threads: int) -> None:
    """Call ``work()`` on this thread, and on up to threads - 1 others at the same time.

    Args:
        work: lets go of the interpreter's lock; several at once share what is to do, and one alone does it
            all.
        threads: >= 1.
    """
    others: list[Future[object]] = []
    try:
        # No new threads while the interpreter shuts down; or another call has just replaced the pool.
        with contextlib.suppress(RuntimeError):
            for _ in range(threads - 1):
                others.append(_workers(threads - 1).submit(work))
        work()
    finally:  # not even an interrupt may leave while another thread still writes
        for other in others:
            if not other.cancel():
                other.result()
