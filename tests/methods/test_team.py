"""The compiled loops on torch's own threads, on Python's where there are none, and in a forked child."""

import subprocess
import sys

import pytest
import torch

from nonsmooth.methods import _kernels, _team
from nonsmooth.methods._kernels import soft_threshold_
from nonsmooth.methods._metric import Metric


@pytest.fixture
def three_threads(monkeypatch):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    monkeypatch.setattr(_kernels, "_ALONE", 10)
    monkeypatch.setattr(_kernels, "_PIECE", 1000)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("door", ["torch's threads", "Python's threads"])
def test_every_position_is_done_once(door: str, three_threads, monkeypatch) -> None:
    if door == "Python's threads":
        monkeypatch.setattr(_team, "_door", lambda: None)
    for _ in range(20):
        x = torch.full((50_001,), 5.0)
        assert soft_threshold_(x, 1.0, 0.0, Metric(1.0))
        assert (x == 4).all()


FORK = """
import os, numpy, torch
from nonsmooth.methods._kernels import soft_threshold_
from nonsmooth.methods._metric import Metric

torch.set_num_threads(2)

def step():
    # In the child torch's own operations on so many numbers would wait for threads that are not there.
    x = torch.from_numpy(numpy.full(1_000_000, 5.0, numpy.float32))
    return soft_threshold_(x, 1.0, 0.0, Metric(1.0)) and (x.numpy() == 4).all()

assert step()
child = os.fork()
if child:
    print(os.waitpid(child, 0)[1])
else:
    os._exit(0 if step() else 1)
"""


def test_a_forked_child_does_not_hang() -> None:
    answer = subprocess.run([sys.executable, "-c", FORK], capture_output=True, text=True, timeout=120)
    assert answer.stdout == "0\n", answer.stderr
