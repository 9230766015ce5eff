"""Rules for the whole suite."""

from __future__ import annotations

import functools
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from filelock import FileLock
from hypothesis import settings

from nonsmooth.claims import Outcome, reproduce

# The same examples on every run of the checks; a developer's own runs stay random.
settings.register_profile("checks", derandomize=True, deadline=None)
settings.register_profile("developer", deadline=None)
settings.load_profile("checks" if os.environ.get("CI") else "developer")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo):
    """Where CI is set, a skipped test is a failure: nothing passes unseen there."""
    outcome = yield
    report = outcome.get_result()
    if os.environ.get("CI") and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped; in CI every test must run: {report.longrepr}"


@pytest.fixture(scope="session")
def cifar10_folder() -> Path:
    """The real CIFAR-10: NONSMOOTH_CIFAR10, or else shared/data/cifar10 beside the repository."""
    given = os.environ.get("NONSMOOTH_CIFAR10")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data" / "cifar10"
    if not folder.is_dir():
        pytest.skip(f"{folder} is no folder; NONSMOOTH_CIFAR10 says where CIFAR-10 is")  # in CI: it fails
    return folder


@pytest.fixture(scope="session")
def quick(tmp_path_factory):
    """A function: the outcome of one claim at tier quick, and the folder it was written to.

    The test processes share the folder: what one of them has measured the others find in the store. So they
    do with what ``make reproduce`` has measured, in the folder that NONSMOOTH_MEASURED names: it is copied.
    """
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    measured = os.environ.get("NONSMOOTH_MEASURED")

    @functools.cache
    def outcome(id: str) -> tuple[Outcome, Path]:
        out = folder / f"quick-{id}"
        with FileLock(f"{out}.lock"):
            if measured and not out.exists():
                out.mkdir()
                source = (Path(measured) / "store.sqlite").resolve().as_uri() + "?mode=ro"  # none: an error
                with closing(sqlite3.connect(source, uri=True)) as store:
                    store.execute("VACUUM INTO ?", (str(out / "store.sqlite"),))
            return reproduce([id], tier="quick", out=out), out

    return outcome
