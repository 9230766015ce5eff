"""The toy claim's file, and how often it was measured."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def toy_file():
    return Path(__file__).parents[1] / "toys" / "toy_claim.py"


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A function that counts the toy's measured specs so far, by any process."""
    path = tmp_path / "measured.log"
    monkeypatch.setenv("NONSMOOTH_TOY_LOG", str(path))
    return lambda: len(path.read_text().splitlines()) if path.exists() else 0
