"""Two ranks end where one does, replicated (DistributedDataParallel) and sharded (fully_shard, DTensor)."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).parent / "two_ranks.py"


def _run(kind: str, method: str, penalty: str, world: int, file: Path) -> list[torch.Tensor]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    common = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(world)}
    ranks = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), kind, method, penalty, str(file)],
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
    ("kind", "method", "penalty"),
    [
        ("replicated", "attached", "L1"),
        ("sharded", "attached", "L1"),
        ("sharded", "attached", "MCP"),
        ("sharded", "attached", "rows"),
        ("sharded", "attached", "columns"),
        ("sharded", "ProxAdam", "L1"),
        ("sharded", "ProxAdam", "columns"),
        ("sharded", "ProxAdam, compiled", "L1"),
        ("sharded", "ProxSGD", "L1"),
        ("sharded", "ProxSGD", "columns"),
        ("sharded", "dual averaging", "MCP"),
    ],
)
def test_two_ranks_equal_one(kind: str, method: str, penalty: str, tmp_path) -> None:
    one, two = (_run(kind, method, penalty, world, tmp_path / f"{world}.pt") for world in (1, 2))
    for a, b in zip(one, two, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
        assert torch.equal(a == 0, b == 0)
    zeros = torch.cat([(p == 0).flatten() for p in one if p.ndim == 2])
    assert zeros.any()
    assert not zeros.all()
    assert one[-1] > 0  # the penalty's value
