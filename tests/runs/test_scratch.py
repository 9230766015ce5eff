"""A task's folder: there while it is measured, found again after a failure, gone with its result."""

import pytest

from nonsmooth.runs import RunsError, Store, engine, run_tasks, scratch


def test_outside_of_a_store_there_is_none():
    assert scratch() is None


@pytest.mark.parametrize("name", ["inline", "processes"])
def test_what_an_attempt_leaves_the_next_one_finds(toy, tmp_path, monkeypatch, name):
    monkeypatch.setenv("NONSMOOTH_TOY_TROUBLE", "note")
    with Store(tmp_path / "store.sqlite") as store:
        with engine(name, 1) as workers, pytest.raises(RunsError, match="left a note"):
            run_tasks(toy(), store, workers)
        assert [path.read_text() for path in (tmp_path / "scratch").glob("*/note")] == ["3"]
        with engine(name, 1) as workers:  # fails again unless it finds the note
            assert len(run_tasks(toy(), store, workers)) == 6
    assert not (tmp_path / "scratch").exists()
