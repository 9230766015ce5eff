"""The toy claim's file, and each built claim reproduced once a session at tier quick."""

import functools
from pathlib import Path

import pytest

from nonsmooth.claims import Outcome, reproduce


@pytest.fixture(scope="session")
def toy_file():
    return Path(__file__).parents[1] / "toys" / "toy_claim.py"


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    """A function: the outcome of one claim at tier quick, and the folder it was written to."""
    folder = tmp_path_factory.mktemp("quick")

    @functools.cache
    def outcome(id: str) -> tuple[Outcome, Path]:
        return reproduce([id], tier="quick", out=folder / id), folder / id

    return outcome


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A function that counts the toy's measured specs so far, by any process."""
    path = tmp_path / "measured.log"
    monkeypatch.setenv("NONSMOOTH_TOY_LOG", str(path))
    return lambda: len(path.read_text().splitlines()) if path.exists() else 0
