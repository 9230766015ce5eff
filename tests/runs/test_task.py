"""A task: rows survive storing to the last bit, one thread, exceptions as words."""

import math
import os
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nonsmooth.errors import InputError
from nonsmooth.runs import ClaimSource, Failure, RunSpec, Task, execute, import_file, load_claim
from nonsmooth.runs._task import attempt, pack, unpack
from nonsmooth.runs._threads import one_thread

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def _same(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or struct.pack("d", a) == struct.pack("d", b)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and a == b


@given(st.lists(st.dictionaries(st.text(max_size=4), _VALUES, max_size=4), max_size=4))
def test_rows_come_back_to_the_last_bit(rows):
    assert _same(unpack(pack(rows)), rows)


def test_numpy_values_become_plain_ones():
    rows = [
        {"a": np.float32(0.1), "b": np.int64(2), "c": np.array([1.0, np.nan]), "d": np.bool_(True), "e": (1,)}
    ]
    back = unpack(pack(rows))
    assert back[0]["a"] == float(np.float32(0.1))
    assert (back[0]["b"], back[0]["d"], back[0]["e"]) == (2, True, [1])
    assert math.isnan(back[0]["c"][1])


@pytest.mark.parametrize("rows", ["text", [1, 2], [{"a": object()}], [{"a": {1, 2}}]])
def test_what_is_no_row_is_refused(rows):
    with pytest.raises(TypeError):
        pack(rows)


def test_execute_measures(toy):
    task = toy()[0]
    result = execute(task)
    assert [row.get("seed") for row in result.rows] == [0, 0]
    assert result.seconds >= 0
    assert result.payload == execute(task).payload


def test_an_exception_becomes_words(toy, monkeypatch):
    monkeypatch.setenv("NONSMOOTH_TOY_TROUBLE", "raise")
    failure = attempt(toy()[3])
    assert isinstance(failure, Failure)
    assert not failure.refused
    said = str(failure)
    for word in ("toy-mean", "'mean'", failure.spec.id, "ZeroDivisionError: a measure that fails"):
        assert word in said
    assert "\n" not in said
    assert "in measure" in failure.detail
    monkeypatch.setenv("NONSMOOTH_TOY_TROUBLE", "refuse")
    refused = attempt(toy()[3])
    assert isinstance(refused, Failure)
    assert refused.refused


def test_one_thread_and_everything_put_back(monkeypatch):
    import threadpoolctl
    import torch

    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with one_thread():
            assert torch.get_num_threads() == 1
            assert {pool["num_threads"] for pool in threadpoolctl.threadpool_info()} == {1}
            assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "1"
        assert torch.get_num_threads() == 2
        assert os.environ["OMP_NUM_THREADS"] == "2"
        assert "MKL_NUM_THREADS" not in os.environ
    finally:
        torch.set_num_threads(before)


_NUMBA_STARTS_INSIDE = """
import numba, torch
from nonsmooth.runs._threads import one_thread
torch.set_num_threads(1)
for _ in range(2):
    with one_thread():
        told = torch.__config__.parallel_info().splitlines()
        print({line.split(":")[-1].strip() for line in told if "max_threads" in line or "get_num_th" in line})
print(numba.config.NUMBA_NUM_THREADS, torch.get_num_threads())
"""


def test_one_thread_where_numba_starts_its_own_only_inside():
    """numba's start sets OpenMP's number for all, and torch's MKL keeps one it does not tell."""
    done = subprocess.run(
        [sys.executable, "-c", _NUMBA_STARTS_INSIDE],
        env={**os.environ, "NUMBA_NUM_THREADS": "2", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.splitlines() == ["{'1'}", "{'1'}", "2 1"], done.stderr


def test_a_file_is_imported_anew_when_its_text_changes(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("VALUE = 1\n")
    first = import_file(path)
    assert import_file(path) is first
    path.write_text("VALUE = 2\n")
    assert import_file(path).VALUE == 2


@pytest.mark.parametrize(
    ("name", "text", "word"),
    [
        ("missing.py", None, "cannot be read"),
        ("a.txt", "VALUE = 1", "no .py file"),
        ("syntax.py", "def", "SyntaxError"),
        ("raises.py", "1 / 0", "ZeroDivisionError"),
        ("imports.py", "import no_such_module_anywhere", "ModuleNotFoundError"),
        ("zero.py", "a = '\0'", "cannot be imported"),
        ("with\0null.py", None, "cannot be read"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, name, text, word):
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    known = set(sys.modules)
    with pytest.raises(InputError, match=word) as caught:
        import_file(path)
    assert "\n" not in str(caught.value)
    assert not {name for name in set(sys.modules) - known if name.startswith("nonsmooth_claim_file")}


def test_a_dataset_is_registered_before_measuring(tmp_path):
    from nonsmooth.datasets import Dataset

    path = tmp_path / "takes.py"
    path.write_text(
        "from nonsmooth.datasets import registered\n"
        "class Takes:\n"
        "    def measure(self, spec):\n"
        "        return [{'shape': registered(spec['data']).shape}]\n"
    )
    data = Dataset("file:abc", np.ones((3, 2)), np.ones(3), "abc")
    task = Task(RunSpec("takes", "x", {"data": "file:abc"}), ClaimSource("file", f"{path}:Takes"), data)
    assert execute(task).rows == [{"shape": [3, 2]}]


def test_a_claim_is_made_once_a_process(toy):
    source = toy()[0].source
    assert load_claim(source) is load_claim(source)
