"""Rows in a file: through a kill -9, a resume, wider rows; never in somebody else's file."""

import csv
import itertools
import os
import signal
import subprocess
import sys
import time

import pytest

from nonsmooth import InputError
from nonsmooth.callbacks import CsvSink, TensorBoardSink

_TRAINING = """
import os, sys, torch
from torch import nn
from pathlib import Path
from nonsmooth.callbacks import CsvSink, Monitor

folder, last = Path(sys.argv[1]), int(sys.argv[2])
torch.manual_seed(0)
x, y = torch.randn(64, 4), torch.randn(64, 2)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
done = 0
if (folder / "checkpoint.pt").exists():
    done, weights, state = torch.load(folder / "checkpoint.pt")
    model.load_state_dict(weights)
    optimizer.load_state_dict(state)
with Monitor(model, optimizer, probe=x[:8], sinks=[CsvSink(folder / "rows.csv")], step=done) as monitor:
    while done < last:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        done += 1
        row = monitor.after_step()
        os.write(1, b"%d\\n" % done)  # what the row's file must have
        if done % 50 == 0:
            torch.save((done, model.state_dict(), optimizer.state_dict()), folder / "new.pt")
            os.replace(folder / "new.pt", folder / "checkpoint.pt")
"""


def _rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_a_kill_loses_no_row_and_a_resume_goes_on(tmp_path):
    command = [sys.executable, "-c", _TRAINING, str(tmp_path)]
    process = subprocess.Popen([*command, str(10**9)], stdout=subprocess.PIPE)
    said = b""
    while said.count(b"\n") < 120:
        said += os.read(process.stdout.fileno(), 1 << 16)
    process.send_signal(signal.SIGKILL)
    said += process.stdout.read()
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()
    done = said.count(b"\n") - (not said.endswith(b"\n"))
    path = tmp_path / "rows.csv"
    assert path.read_bytes().endswith(b"\n")
    rows = _rows(path)
    assert len(rows) in (done, done + 1)  # at most the one in between is not told of
    assert [int(row["step"]) for row in rows] == list(range(1, len(rows) + 1))

    with path.open("ab") as file:  # as a machine that loses its power would leave it
        file.write(b"1000000,0.")
    subprocess.run([*command, str(done + 100)], check=True, stdout=subprocess.DEVNULL)
    assert path.read_text().count("step") == 1
    again = _rows(path)
    assert again[: len(rows)] == rows
    steps = [int(row["step"]) for row in again]
    start = steps[len(rows)]
    assert start % 50 == 1  # from the checkpoint
    assert 1 < start <= done + 1
    assert steps == [*range(1, len(rows) + 1), *range(start, done + 101)]
    by_step = {}
    for row in again:
        # Taken again, a step is the same one; only the first row counts its kinks from another one.
        if int(row["step"]) != start:
            assert by_step.setdefault(row["step"], row) == row


def test_every_place_where_a_kill_can_tear_a_file(tmp_path):
    path = tmp_path / "rows.csv"
    CsvSink(path).write({"step": 1, "kinks_crossed": 12})
    CsvSink(path).write({"step": 2, "kinks_crossed": 34})
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        CsvSink(path).write({"step": 3, "kinks_crossed": 56})
        lines = whole[:cut].count(b"\n")
        assert (
            path.read_text()
            == "step,kinks_crossed\n"
            + "".join(itertools.islice(("1,12\n", "2,34\n"), max(lines - 1, 0)))
            + "3,56\n"
        )


@pytest.mark.parametrize("text", ["step,lr_0\n1,0.5\n2,0.", "step,l", ""])
def test_without_rows_nothing_is_changed(tmp_path, text):
    """A second process of a training makes the same sink, while the first one may be writing to the file."""
    path = tmp_path / "rows.csv"
    path.write_text(text)
    CsvSink(path).close()
    assert path.read_text() == text


def test_a_long_file_is_taken_up_by_its_end(tmp_path):
    path = tmp_path / "rows.csv"
    lines = "".join(f"{k},{k / 7!r}\n" for k in range(20_000))
    path.write_text("step,lr_0\n" + lines + "20000,0.1")
    CsvSink(path).write({"step": 20_001, "lr_0": 0.5})
    assert path.read_text() == "step,lr_0\n" + lines + "20001,0.5\n"


def test_a_torn_line_of_any_length_is_cut_off(tmp_path):
    """A row of so many columns that its line is longer than what is read at a time."""
    path = tmp_path / "rows.csv"
    whole = "step,lr_0\n1,0.5\n"
    path.write_text(whole + "2," + "0" * 200_000)
    CsvSink(path).write({"step": 2, "lr_0": 0.25})
    assert path.read_text() == whole + "2,0.25\n"


def test_numbers_come_back_as_they_were(tmp_path):
    path = tmp_path / "folder" / "rows.csv"
    sink = CsvSink(path)
    sink.write({"step": 1, "a": 0.1 + 0.2, "b": None, "c": float("nan"), "d": 2**60})
    sink.close()
    (row,) = _rows(path)
    assert row == {"step": "1", "a": "0.30000000000000004", "b": "", "c": "nan", "d": str(2**60)}
    assert float(row["a"]) == 0.1 + 0.2


def test_wider_and_narrower_rows(tmp_path):
    path = tmp_path / "rows.csv"
    sink = CsvSink(path)
    sink.write({"step": 1, "lr_0": 0.5})
    sink.write({"step": 2, "lr_0": 0.5, "lr_1": 0.25})
    CsvSink(path).write({"lr_1": 0.125, "step": 3})
    assert path.read_text() == "step,lr_0,lr_1\n1,0.5,\n2,0.5,0.25\n3,,0.125\n"
    assert [each.name for each in tmp_path.iterdir()] == ["rows.csv"]


@pytest.mark.parametrize("text", ["name,age\nAnn,7\n", "weights without a line's end", "\n", "step"])
def test_a_file_of_something_else_is_left_alone(tmp_path, text):
    path = tmp_path / "other.csv"
    path.write_text(text)
    if text == "step":  # torn in its first line
        CsvSink(path)
        return
    with pytest.raises(InputError, match=r"other\.csv is there and is no file of rows.*another path"):
        CsvSink(path)
    assert path.read_text() == text


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(InputError, match=r"cannot be written .*directory.*give the path"):
        CsvSink(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written"):
        CsvSink(tmp_path / "file" / "rows.csv")


@pytest.mark.parametrize("path", [None, 3, "a\0b"])
def test_a_path_that_is_none(path):
    for sink in (CsvSink, TensorBoardSink):
        with pytest.raises(InputError, match=r"give (the path of a file or|a) folder"):
            sink(path)


def test_a_row_costs_little(tmp_path):
    sink = CsvSink(tmp_path / "rows.csv")
    start = time.process_time()
    for step in range(500):
        sink.write({"step": step, "a": 0.1, "b": 0.2})
    assert (time.process_time() - start) / 500 < 1e-3
