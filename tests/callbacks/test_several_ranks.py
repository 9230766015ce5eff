"""Two processes train: one writes, none waits for the other's measurements, all are refused where one is."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SCRIPT = Path(__file__).parent / "two_ranks.py"
HOWS = ("by hand", "Lightning", "Trainer")


def _launched(how: str, kind: str, folder: Path) -> subprocess.CompletedProcess[str]:
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*torchrun, str(SCRIPT), how, kind, str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=150,
    )


@pytest.fixture(scope="module", params=HOWS)
def trained(request, tmp_path_factory) -> tuple[str, Path, list[dict[str, Any]]]:
    folder = tmp_path_factory.mktemp("ranks")
    done = _launched(request.param, "good", folder)
    assert done.returncode == 0, done.stderr[-3000:]
    return request.param, folder, [json.loads((folder / f"rank {k}.json").read_text()) for k in (0, 1)]


@pytest.mark.slow
def test_only_the_first_process_writes(trained):
    _, folder, (first, _) = trained
    header, *lines = (folder / "rows.csv").read_text().splitlines()
    assert header.split(",") == list(first["rows"][0])
    expected = [["" if value is None else str(value) for value in row.values()] for row in first["rows"]]
    assert [line.split(",") for line in lines] == expected
    (events,) = (folder / "events").iterdir()
    found = EventAccumulator(str(events))
    found.Reload()
    for name in ("l1_norm", "sharpness"):
        told = [(each.step, each.value) for each in found.Scalars(f"nonsmooth/{name}")]
        kept = [(row["step"], row[name]) for row in first["rows"] if row[name] is not None]
        assert told == [(step, pytest.approx(value, rel=1e-6)) for step, value in kept]


@pytest.mark.slow
def test_values_are_those_of_the_one_model(trained):
    how, _, (first, other) = trained
    assert first["weights"] == other["weights"]
    rows = first["rows"]
    assert [row["step"] for row in rows] == list(range(1, 9))
    assert [row["sharpness"] is None for row in rows] == [True, False] * 4
    assert all(row["sharpness_residual"] < 1e-3 for row in rows[1::2])
    if how != "by hand":
        assert other["rows"] == []
        return
    # Each rank has its own monitor, and the second measures where the first does not.
    for mine, theirs in zip(rows, other["rows"], strict=True):
        for name in ("step", "lr_0", "kinks_crossed", "zero_share", "l1_norm"):
            assert mine[name] == theirs[name]
        assert theirs["sharpness"] is not None
        assert mine["sharpness"] in (None, pytest.approx(theirs["sharpness"], rel=1e-4))


@pytest.mark.slow
def test_what_one_refuses_all_refuse(trained):
    how, folder, (first, other) = trained
    if how == "by hand":
        assert first["refused"].startswith("1 is a SyncBatchNorm, which waits for all processes")
        assert other["refused"] == first["refused"]
        (row,) = json.loads((folder / "later.json").read_text())
        assert math.isnan(row["kinks_crossed"])
    else:
        assert first["refused"].startswith("the model raises")
        assert other["refused"] == "on the first process: " + first["refused"]


@pytest.mark.slow
@pytest.mark.parametrize("how", HOWS)
def test_a_sink_that_fails_ends_no_training(how, tmp_path):
    done = _launched(how, "sink fails", tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    first, other = (json.loads((tmp_path / f"rank {k}.json").read_text()) for k in (0, 1))
    assert first["weights"] == other["weights"]
    assert [row["step"] for row in first["rows"]] == list(range(1, 9))
