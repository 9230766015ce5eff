"""A small folder that `reproduce` has written."""

import pytest
from calling import FAST, call


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """A folder with everything in it. Tests only read it; those that write take a copy."""
    out = tmp_path_factory.mktemp("written") / "out"
    result = call("reproduce", "toy-mean", *FAST, "--out", out, "--quiet")
    assert result.exit_code == 0, result.output
    return out
