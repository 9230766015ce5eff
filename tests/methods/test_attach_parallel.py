"""Two ranks end where one does, replicated (DistributedDataParallel) and sharded (fully_shard, DTensor)."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parent / "two_ranks.py"


def _run(kind: str, penalty: str, world: int, file: Path) -> list[torch.Tensor]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    common = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world)}
    ranks = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), kind, penalty, str(file)],
            env={**common, "RANK": str(rank), "LOCAL_RANK": str(rank), "OMP_NUM_THREADS": "1"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    for rank in ranks:
        _, complaints = rank.communicate(timeout=240)
        assert rank.returncode == 0, complaints[-3000:]
    return torch.load(file, weights_only=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "penalty"),
    [
        ("replicated", "L1"),
        ("sharded", "L1"),
        ("sharded", "MCP"),
        ("sharded", "rows"),
        ("sharded", "columns"),
    ],
)
def test_two_ranks_equal_one(kind: str, penalty: str, tmp_path) -> None:
    one, two = (_run(kind, penalty, world, tmp_path / f"{world}.pt") for world in (1, 2))
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
        assert torch.equal(a == 0, b == 0)
    assert any((p == 0).any() for p in one)
