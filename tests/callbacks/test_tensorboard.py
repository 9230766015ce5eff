"""Rows in event files, read back by TensorBoard's own reader."""

import math
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.tensorboard import SummaryWriter

from nonsmooth import InputError
from nonsmooth.callbacks import TensorBoardSink


def _read(folder) -> dict[str, list[tuple[int, float]]]:
    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: [(e.step, e.value) for e in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_rows_come_back(tmp_path):
    sink = TensorBoardSink(tmp_path)
    sink.write({"step": 5, "sharpness": None, "zero_share": 0.25})
    sink.write({"step": 10, "sharpness": 40.5, "zero_share": 0.5})
    found = {"nonsmooth/zero_share": [(5, 0.25), (10, 0.5)], "nonsmooth/sharpness": [(10, 40.5)]}
    assert _read(tmp_path) == found  # flushed: there before it is closed
    sink.write({"step": 15, "sharpness": float("nan"), "zero_share": 0.5})
    sink.close()
    step, value = _read(tmp_path)["nonsmooth/sharpness"][-1]
    assert step == 15
    assert math.isnan(value)


def test_a_resumed_run_goes_on_in_the_same_folder(tmp_path):
    for step in (1, 2):
        sink = TensorBoardSink(str(tmp_path))
        sink.write({"step": step, "l1_norm": float(step)})
        sink.close()
    assert _read(tmp_path) == {"nonsmooth/l1_norm": [(1, 1.0), (2, 2.0)]}


def test_a_writer_that_is_there_stays_open(tmp_path):
    writer = SummaryWriter(str(tmp_path))
    sink = TensorBoardSink(writer)
    sink.write({"step": 1, "l1_norm": 2.0})
    sink.close()
    files = list(tmp_path.iterdir())
    writer.add_scalar("loss", 0.5, 1)
    writer.close()
    assert list(tmp_path.iterdir()) == files
    assert _read(tmp_path) == {"nonsmooth/l1_norm": [(1, 2.0)], "loss": [(1, 0.5)]}


def test_without_the_package(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard")
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(InputError, match=r"needs the package tensorboard .*pip install.*or use CsvSink"):
        TensorBoardSink(tmp_path)


def test_what_is_refused(tmp_path):
    with pytest.raises(InputError, match="target is a int; give a folder or a SummaryWriter"):
        TensorBoardSink(3)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot be written .*give another folder"):
        TensorBoardSink(tmp_path / "file" / "folder")


def test_without_rows_nothing_is_written(tmp_path):
    TensorBoardSink(tmp_path / "events").close()
    assert not list((tmp_path / "events").iterdir())
