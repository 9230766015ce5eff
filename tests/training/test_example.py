"""The example runs as its first lines say, alone and by torchrun."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "train_cifar10.py"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "starter", [[], ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]]
)
def test_the_example_prints_accuracy_and_sparsity(starter: list[str], cifar10_folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, *starter, str(SCRIPT), str(cifar10_folder), "--epochs", "1", "--count", "640"],
        capture_output=True,
        text=True,
        timeout=280,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("epoch   1  loss 2.") == 1  # by one process only
    assert "images a second" in done.stdout
    assert "features.0.weight" in done.stdout
