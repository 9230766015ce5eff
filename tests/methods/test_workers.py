"""Work shared among Python's threads: whoever calls, in a forked child, after an interrupt, at the end."""

import subprocess
import sys
import threading
import time

import pytest

from nonsmooth.methods._workers import together


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_all_is_done_whoever_comes(threads: int) -> None:
    left = list(range(200))
    done: list[int] = []

    def work() -> None:
        while True:
            try:
                done.append(left.pop())
            except IndexError:
                return

    for _ in range(3):
        together(work, threads)
        assert sorted(done) == list(range(200))
        left, done = done, []


def test_others_help() -> None:
    both = threading.Barrier(2, timeout=60)
    names = set()

    def work() -> None:
        both.wait()
        names.add(threading.current_thread().name)

    together(work, 2)
    assert len(names) == 2


def test_a_busy_pool_keeps_nobody_waiting() -> None:
    """While its threads are held up by one call, another does all its work itself."""
    release, held = threading.Event(), threading.Barrier(3, timeout=60)

    def hold() -> None:
        held.wait()
        release.wait(60)

    first = threading.Thread(target=together, args=(hold, 2))
    first.start()
    held.wait()
    calls: list[int] = []
    together(lambda: calls.append(1), 2)
    release.set()
    first.join()
    assert calls == [1]


def test_nobody_leaves_before_the_others_have_finished() -> None:
    both, finished = threading.Barrier(2, timeout=60), []

    def work() -> None:
        both.wait()
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        time.sleep(0.2)
        finished.append(1)

    with pytest.raises(KeyboardInterrupt):
        together(work, 2)
    assert finished == [1]


def test_a_fault_in_a_helper_is_raised() -> None:
    both = threading.Barrier(2, timeout=60)

    def work() -> None:
        both.wait()
        if threading.current_thread() is not threading.main_thread():
            raise ValueError("from the helper")

    with pytest.raises(ValueError, match="from the helper"):
        together(work, 2)


FORK = """
import os, threading
from nonsmooth.methods._workers import together

def both():
    meet = threading.Barrier(2, timeout=60)
    together(meet.wait, 2)

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
        "import atexit; from nonsmooth.methods._workers import together\n"
        "atexit.register(lambda: together(lambda: print('done'), 2))"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert answer.stdout.startswith("done"), answer.stderr
