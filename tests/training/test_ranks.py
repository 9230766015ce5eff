"""Several processes, started by torchrun, end where one does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

SCRIPT = Path(__file__).parent / "ranks.py"


def _run(kind: str, world: int, folder: Path) -> Any:
    file = folder / f"{world}.pt"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(world)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parent.parent)}
    done = subprocess.run(
        [*torchrun, str(SCRIPT), kind, str(file)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return torch.load(file, weights_only=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("kind", "world"),
    [("plain", 2), ("plain", 3), ("full", 2), ("attached", 2), ("idle", 2), ("lonely", 2), ("checkpoint", 2)],
)
def test_several_ranks_equal_one(kind: str, world: int, tmp_path: Path) -> None:
    one, more = (_run(kind, each, tmp_path) for each in (1, world))
    assert len(one["losses"]) == len(more["losses"]) == 50
    assert one["losses"] == pytest.approx(more["losses"], abs=1e-5)
    for a, b in zip(one["weights"], more["weights"], strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
    for a, b in zip(one["history"], more["history"], strict=True):
        for name in ("loss", "accuracy", "l1_norm", "test_loss", "test_accuracy"):
            assert a[name] == pytest.approx(b[name], rel=1e-5), name


@pytest.mark.slow
def test_batch_norm_is_refused_where_it_cannot_be_synchronised(tmp_path: Path) -> None:
    words = _run("batch norm", 2, tmp_path)
    assert words.startswith("batch norm needs the whole batch's statistics")
    assert "use one process, CUDA devices, or a network without batch norm" in words
