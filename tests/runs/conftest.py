"""The toy claim as tasks."""

from pathlib import Path

import pytest

from nonsmooth.runs import ClaimSource, Task, load_claim

TOY = Path(__file__).parents[1] / "toys" / "toy_claim.py"


@pytest.fixture
def toy():
    """A function that gives the toy claim's tasks."""
    source = ClaimSource("file", f"{TOY}:ToyClaim")

    def tasks(**settings):
        claim = load_claim(source)
        values = claim.settings({"delay": 0.0, "runs": 6, **settings})
        return [Task(spec, source) for spec in claim.runs("quick", values)]

    return tasks


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A function that gives the ids of the specs measured so far, in order, by any process."""
    path = tmp_path / "measured.log"
    monkeypatch.setenv("NONSMOOTH_TOY_LOG", str(path))
    return lambda: [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []
