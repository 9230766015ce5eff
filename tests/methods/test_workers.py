"""Work shared among threads: each position once, whoever calls, in a forked child, after an interrupt."""

import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonsmooth.methods._workers import share


@given(total=st.integers(0, 500), piece=st.integers(1, 200), threads=st.integers(1, 5))
def test_every_position_is_done_once(total: int, piece: int, threads: int) -> None:
    done = [0] * total

    def work(begin: int, end: int) -> None:
        assert 0 < end - begin <= piece
        for k in range(begin, end):
            done[k] += 1

    share(work, total, piece, threads)
    assert done == [1] * total


def test_others_help() -> None:
    both = threading.Barrier(2, timeout=60)
    names = set()

    def work(begin: int, end: int) -> None:
        both.wait()
        names.add(threading.current_thread().name)

    share(work, 2, 1, 2)
    assert len(names) == 2


def test_a_busy_pool_keeps_nobody_waiting() -> None:
    """While its threads are held up by one call, another does all its work itself."""
    release, held = threading.Event(), threading.Barrier(3, timeout=60)

    def hold(begin: int, end: int) -> None:
        held.wait()
        release.wait(60)

    first = threading.Thread(target=share, args=(hold, 2, 1, 2))
    first.start()
    held.wait()
    done: list[int] = []
    share(lambda begin, end: done.append(begin), 5, 1, 2)
    release.set()
    first.join()
    assert sorted(done) == [0, 1, 2, 3, 4]


def test_nobody_leaves_before_the_others_have_finished() -> None:
    both, finished = threading.Barrier(2, timeout=60), []

    def work(begin: int, end: int) -> None:
        both.wait()
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        time.sleep(0.2)
        finished.append(begin)

    with pytest.raises(KeyboardInterrupt):
        share(work, 2, 1, 2)
    assert len(finished) == 1


def test_a_fault_in_a_helper_is_raised() -> None:
    both = threading.Barrier(2, timeout=60)

    def work(begin: int, end: int) -> None:
        both.wait()
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("from the helper")

    with pytest.raises(ValueError, match="from the helper"):
        share(work, 2, 1, 2)


FORK = """
import os, threading
from nonsmooth.methods._workers import share

def both():
    meet = threading.Barrier(2, timeout=60)
    share(lambda begin, end: meet.wait(), 2, 1, 2)

both()
child = os.fork()
both()  # in the child with threads of its own
if child:
    print(os.waitpid(child, 0)[1])
else:
    os._exit(0)
"""


def test_a_forked_child_gets_threads_of_its_own() -> None:
    answer = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=120)
    assert answer.stdout == "0\n", answer.stderr


def test_work_at_the_very_end_of_the_interpreter() -> None:
    code = (
        "import atexit; from nonsmooth.methods._workers import share\n"
        "atexit.register(lambda: share(lambda begin, end: print(begin, end), 2, 1, 2))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert sorted(answer.stdout.split()) == ["0", "1", "1", "2"], answer.stderr
