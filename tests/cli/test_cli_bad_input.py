"""Whatever is wrong on the command line: exit code 2, one line of error, nothing done and nothing lost.

Each strategy below makes calls that are wrong in one way and right in all others.
"""

import io
import math
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from calling import FAST, ID, TOY, assert_refused, call, contents, errors_in, strict_json, variant
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nonsmooth.claims import TIERS, built, inventory
from nonsmooth.findings import Attribution, Result
from nonsmooth.runs import ENGINES

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

# An argument can hold anything but NUL: bytes that are no UTF-8 arrive as lone surrogates.
TEXT = st.text(st.characters(exclude_characters="\0"), max_size=12) | st.text(
    st.characters(exclude_characters="\0", categories=["Cs", "Cc", "Cf", "Zl"]), max_size=5
)
SETTINGS = ("draws", "shift", "delay", "runs", "kind")


def is_whole_number(text):
    try:
        int(text)
    except ValueError:
        return False
    return True


def is_finite_number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def reproduce(*args):
    """A call that would work without `args`; options may come before the id, so that any id is one."""
    return ["reproduce", *FAST, *args, "--", "toy-mean"]


ids = TEXT.filter(lambda text: text not in ("toy-mean", *(entry.id for entry in inventory()), *built()))
bad_ids = ids.map(lambda id: ["reproduce", *FAST, "--", "toy-mean", id]) | ids.map(
    lambda id: ["show", "--", id]
)
unbuilt = [entry.id for entry in inventory() if entry.id not in built()]
bad_ids = bad_ids | st.sampled_from(unbuilt).map(lambda id: ["reproduce", id]) if unbuilt else bad_ids

bad_tiers = TEXT.filter(lambda text: text not in TIERS).map(lambda text: reproduce(f"--tier={text}"))

bad_jobs = (
    TEXT.filter(lambda text: not is_whole_number(text))
    | st.integers(-(10**20), 0)
    | st.integers(1025, 10**20)
).map(lambda jobs: reproduce(f"--jobs={jobs}"))

bad_engines = TEXT.filter(lambda text: text not in ENGINES).map(lambda text: reproduce(f"--engine={text}"))

answers = {str(answer) for answer in (*Result, *Attribution)}
bad_fail_on = TEXT.filter(lambda text: text.strip().lower().replace("-", " ") not in answers).map(
    lambda text: reproduce(f"--fail-on=differs,{text}")
)

names = TEXT.filter(lambda text: text.strip() not in SETTINGS and "=" not in text)
wrong_values = st.one_of(
    TEXT.filter(lambda text: not is_finite_number(text)).map(lambda text: f"draws={text}"),
    (st.integers(max_value=0) | st.integers(min_value=100_001)).map(lambda value: f"draws={value}"),
    st.floats().filter(lambda x: not -10 <= x <= 10).map(lambda x: f"shift={x}"),
    st.sampled_from(["nan", "inf", "-inf", "1e999", "-1e-300", "10.0001"]).map(lambda text: f"delay={text}"),
    TEXT.filter(lambda text: text.strip() not in ("uniform", "normal")).map(lambda text: f"kind={text}"),
)
bad_set = st.one_of(
    TEXT.filter(lambda text: "=" not in text),
    st.tuples(names, st.sampled_from(["1", "x", ""])).map("=".join),
    wrong_values,
    st.sampled_from(["delay=1", "shift", "shift=", "=1", "="]),  # the first is given twice
).map(lambda text: reproduce(f"--set={text}"))

bad_grids = st.tuples(
    st.sampled_from(["log", "lin"]),
    st.sampled_from(["", "1", "1:2", "1:2:3:4", "2:1:3", "1:1:3", "1:2:1", "1:2:0", "1:2:-1", "1:2:1001"])
    | st.sampled_from(
        ["nan:1:3", "1:inf:3", "1:2:3.5", "1:2:", ":2:3", "a:b:c", "1:2:999999999999", "1:1e999:3"]
    ),
).map(lambda parts: "shift=" + ":".join(parts))
bad_over = st.one_of(
    TEXT.filter(lambda text: "=" not in text),
    st.tuples(names, st.sampled_from(["1", "1,2", "lin:1:2:3"])).map("=".join),
    wrong_values,
    bad_grids,
    st.sampled_from(["shift=", "shift=1,,2", "shift=0,11", "draws=log:0:10:3", "draws=log:-1:10:3", "=1,2"]),
    st.sampled_from(["delay=0.1,0.2"]),  # set already
).map(lambda text: reproduce(f"--over={text}"))


@pytest.fixture(scope="module")
def unharmed(written):
    """Makes a call in a folder that has results; asserts that it is refused and that they are as before."""
    before = contents(written)

    def check(args):
        assert_refused(call(*args, "--out", written) if "--" not in args else call(*with_out(args, written)))
        assert contents(written) == before

    return check


def with_out(args, out):
    at = args.index("--")
    return [*args[:at], *(["--out", out] if args[0] != "show" else []), *args[at:]]


@pytest.mark.parametrize(
    "calls",
    [
        pytest.param(bad_ids, id="ids"),
        pytest.param(bad_tiers, id="tiers"),
        pytest.param(bad_jobs, id="jobs"),
        pytest.param(bad_engines, id="engines"),
        pytest.param(bad_fail_on, id="fail-on"),
        pytest.param(bad_set, id="set"),
        pytest.param(bad_over, id="over"),
    ],
)
def test_bad_words_are_refused(unharmed, calls):
    @MANY
    @given(calls)
    def refused(args):
        unharmed(args)

    refused()


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


GOOD = npz(X=np.arange(12.0).reshape(6, 2) % 5, y=np.arange(6.0))
matrices = st.sampled_from(
    [
        {"X": np.ones((5, 2)), "y": np.arange(5.0)},  # constant columns
        {"X": np.arange(10.0).reshape(5, 2), "y": np.arange(4.0)},
        {"X": np.arange(10.0), "y": np.arange(10.0)},
        {"X": np.zeros((0, 3)), "y": np.zeros(0)},
        {"X": np.zeros((3, 0)), "y": np.zeros(3)},
        {"X": np.full((5, 2), np.nan), "y": np.arange(5.0)},
        {"X": np.arange(10.0).reshape(5, 2), "y": np.full(5, np.inf)},
        {"X": np.array([["a", "b"], ["c", "d"]]), "y": np.arange(2.0)},
        {"X": np.arange(10.0).reshape(5, 2)},
        {"Z": np.arange(3.0)},
        {"X": np.array(1.0), "y": np.array(2.0)},
        {"X": np.arange(10.0).reshape(5, 2) * 1j, "y": np.arange(5.0)},
        {"X": np.linspace(-1, 1, 10).reshape(5, 2) * 1.7e308, "y": np.arange(5.0)},
    ]
).map(lambda arrays: npz(**arrays))
broken = st.tuples(st.integers(0, len(GOOD) - 1), st.integers(1, 200)).map(
    lambda cut: GOOD[: cut[0]] + GOOD[cut[0] + cut[1] :]
)
cells = st.sampled_from(["", "1", "nan", "inf", "x", '"', "1e999", " ", "\0", "é", "-"])
tables = st.lists(st.lists(cells, min_size=1, max_size=4).map(",".join), max_size=5).map("\n".join)
bad_npz = (st.binary(max_size=40) | matrices | broken).map(lambda content: ("data.npz", content))
bad_csv = (st.binary(max_size=40) | tables.map(str.encode)).map(lambda content: ("data.csv", content))
other = st.binary(max_size=20).map(lambda content: ("data.txt", content))


@pytest.fixture(scope="module")
def taker(tmp_path_factory):
    """The toy claim, willing to take a data set."""
    folder = tmp_path_factory.mktemp("taker")
    return variant(folder, (ID, f"    accepts_data = True\n{ID}"))


@pytest.fixture(scope="module")
def other_written(written, tmp_path_factory):
    """A copy, because data made at random may be good, and then they are run."""
    return shutil.copytree(written, tmp_path_factory.mktemp("other") / "out")


@settings(MANY, max_examples=150)
@given(bad_npz | bad_csv | other)
def test_bad_data_is_refused(tmp_path_factory, other_written, taker, file):
    name, content = file
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    before = contents(other_written)
    result = call(
        "reproduce", "toy-mean", "--claims", taker, *FAST[2:], "--out", other_written, "--data", path
    )
    if result.exit_code == 0 and name != "data.txt":
        from nonsmooth.datasets import read_regression

        assert read_regression(path).shape  # a table that happens to be fine
        return
    assert_refused(result)
    assert name in result.stderr
    assert contents(other_written) == before


@pytest.mark.parametrize(
    "path", ["no-such.npz", ".", "/proc/self/mem", "x" * 300 + ".npz", "no-such.npz/below.csv"]
)
def test_data_that_is_not_there_is_refused(tmp_path, monkeypatch, taker, path):
    monkeypatch.chdir(tmp_path)
    assert_refused(call("reproduce", "toy-mean", "--claims", taker, *FAST[2:], "--data", path))
    assert list(tmp_path.iterdir()) == []


def test_data_for_a_claim_that_takes_none_is_refused(tmp_path):
    path = tmp_path / "data.npz"
    path.write_bytes(GOOD)
    assert_refused(call("reproduce", "toy-mean", *FAST, "--out", tmp_path / "out", "--data", path))


@MANY
@given(st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_a_claim_file_that_is_none_is_refused(tmp_path_factory, written, content):
    path = tmp_path_factory.getbasetemp() / "mine.py"
    path.write_bytes(content)
    before = contents(written)
    assert_refused(call("reproduce", "toy-mean", "--claims", path, "--out", written))
    assert contents(written) == before


@pytest.mark.parametrize("name", ["no-such.py", ".", "toy.txt", "/proc/self/mem"])
def test_a_claim_file_that_cannot_be_read_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("toy.txt").write_text(TOY.read_text())
    for command in ("reproduce", "show"):
        assert_refused(call(command, "toy-mean", "--claims", name))


@pytest.mark.parametrize("command", [["reproduce", "toy-mean", *FAST], ["report"], ["clean", "--yes"]])
@pytest.mark.parametrize(
    "out", ["file", "file/below", "/proc/nonsmooth", "/proc/1/nonsmooth/below", "x" * 300]
)
def test_a_folder_that_cannot_be_written_is_refused(tmp_path, monkeypatch, command, out):
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("mine")
    assert_refused(call(*command, "--out", out))
    assert contents(tmp_path) == {tmp_path / "file": b"mine"}


@MANY
@given(st.binary(max_size=40) | st.sampled_from([b"{}", b"[]", b"null", b'{"claims": []}', b"[" * 100_000]))
def test_a_ledger_that_is_none_is_refused(tmp_path_factory, written, content):
    folder = tmp_path_factory.getbasetemp() / "no-ledger"
    folder.mkdir(exist_ok=True)
    (folder / "ledger.json").write_bytes(content)
    assert_refused(call("diff", written, folder))
    assert_refused(call("report", "--out", folder))
    assert_refused(call("errata", folder))


@pytest.mark.parametrize(
    "args", [["diff"], ["diff", "a"], ["diff", "a", "b", "c"], ["clean"], ["show"], ["list", "x"]]
)
def test_arguments_too_few_or_too_many(args):
    assert_refused(call(*args))


@given(st.lists(TEXT, min_size=1, max_size=3))
@settings(MANY)
def test_words_that_are_no_command(args):
    if args[0] in ("-h", "-V", "--"):
        return
    assert_refused(call(*args))


@pytest.mark.parametrize(
    "args",
    [
        ["reproduce", "penalty-paradoks"],
        ["reproduce", "--tier", "huge"],
        ["reproduce", "toy-mean", "--claims", str(TOY), "--over", "draws=log:0:1:3"],
        ["reproduce", "toy-mean", "--claims", str(TOY), "--set", "draws=nan"],
        ["reproduce", os.fsdecode(b"\xff\x1b[31m")],
        ["show", "none"],
    ],
)
def test_as_a_real_process(tmp_path, args):
    command = [sys.executable, "-m", "nonsmooth", *args]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(errors_in(done.stderr)) == 1
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("kilobytes", [0, 1, 30, 90, 200])
def test_a_disk_that_fills_up_loses_nothing(tmp_path, kilobytes, again):
    """No file may grow beyond a limit: the store first, or, where all is stored, what is made from it."""
    command = [sys.executable, "-m", "nonsmooth", "reproduce", "toy-mean", *FAST[:4], "--engine", "inline"]
    command += ["--set", "runs=30", "--out", str(tmp_path), "--json", "--quiet"]

    def run(**options):
        return subprocess.run(command, capture_output=True, text=True, check=False, **options)

    if again:
        assert run().returncode == 0
    full = run(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes * 1024,) * 2))
    assert full.returncode in ((2,) if kilobytes < 30 else (0, 2)), full.stderr
    assert "Traceback" not in full.stderr
    if full.returncode == 2:
        assert full.stdout == ""
        assert len(errors_in(full.stderr)) == len(full.stderr.splitlines()) == 1
    assert not list(tmp_path.glob(".*"))  # nothing half written is left behind
    assert strict_json(run().stdout)["claims"][0]["rulings"][0]["n"] == 30


@pytest.mark.slow
def test_a_store_in_use_elsewhere_is_refused(written):
    before = contents(written)
    other = sqlite3.connect(written / "store.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        result = call("reproduce", "toy-mean", *FAST, "--set", "shift=0.01", "--out", written, "--quiet")
    finally:
        other.execute("ROLLBACK")
        other.close()
    assert_refused(result)
    assert "locked" in result.stderr
    assert contents(written) == before
