"""The loop: cached, resumable, fair to every claim, and deaf to dying workers."""

import pytest

from nonsmooth.errors import InputError
from nonsmooth.runs import (
    Done,
    Failed,
    Interrupted,
    Planned,
    Retried,
    RunsError,
    RunSpec,
    Store,
    Task,
    engine,
    run_tasks,
)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store.sqlite") as store:
        yield store


def test_what_is_stored_is_not_run_again(toy, log, store):
    events = []
    with engine("inline") as here:
        first = run_tasks(toy(), store, here, events.append)
        assert len(log()) == 6
        assert events[0] == Planned(6, 0, None)
        assert [(type(event), event.done, event.total) for event in events[1:]] == [
            (Done, k, 6) for k in range(1, 7)
        ]
        again = run_tasks([*toy(), *toy()], store, here, events.append)
        assert events[-1] == Planned(6, 6, 0.0)
        assert len(log()) == 6
        assert repr(first) == repr(again)
        run_tasks(toy(runs=8), store, here)
        assert len(log()) == 8


def test_engines_agree_to_the_last_bit(toy, tmp_path):
    found = []
    for name, jobs in (("inline", 1), ("processes", 1), ("processes", 2)):
        with Store(tmp_path / f"{name}{jobs}.sqlite") as store, engine(name, jobs) as workers:
            rows = run_tasks(toy(), store, workers)
            found.append(repr(sorted(rows.items())))
    assert found[0] == found[1] == found[2]


def test_longest_first_when_times_are_known(toy, log, store, monkeypatch):
    tasks = toy()
    slow = tasks[4].spec.id
    monkeypatch.setattr(Store, "seconds", lambda self, ids: {id: 9.0 if id == slow else 1.0 for id in ids})
    events = []
    with engine("inline") as here:
        run_tasks(tasks, store, here, events.append)
    assert log()[0] == slow
    assert events[0] == Planned(6, 0, 14.0)


def test_at_most_a_window_is_handed_out(toy, store):
    class Counting:
        def __init__(self, inner):
            self.inner, self.workers, self.open, self.most = inner, inner.workers, 0, 0

        def submit(self, fn, *args):
            future = self.inner.submit(fn, *args)
            self.open += 1
            self.most = max(self.most, self.open)
            return future

        restart = cancel = lambda self: None

    with engine("processes", 1) as workers:
        counting = Counting(workers)

        def finished(event):
            if isinstance(event, Done):
                counting.open -= 1

        run_tasks(toy(), store, counting, finished)
    assert counting.most == 2


def test_a_worker_that_dies_once_is_forgiven(toy, log, store, tmp_path, monkeypatch):
    monkeypatch.setenv("NONSMOOTH_TOY_TROUBLE", f"die-once:{tmp_path / 'died'}")
    events = []
    with engine("processes", 2) as workers:
        rows = run_tasks(toy(), store, workers, events.append)
    assert len(rows) == store.count() == 6
    retried = [event.spec.id for event in events if isinstance(event, Retried)]
    assert toy()[3].spec.id in retried
    assert len(retried) <= 4
    assert len(log()) <= 6 + 4


def test_a_run_that_kills_its_worker_is_named_and_the_rest_goes_on(toy, store, monkeypatch):
    monkeypatch.setenv("NONSMOOTH_TOY_TROUBLE", "die")
    tasks = toy(runs=10)
    other = [Task(RunSpec("other", "mean", dict(task.spec.parameters) | {"number": 0}, (k,)), task.source)
             for k, task in enumerate(tasks)]  # fmt: skip
    with engine("processes", 1) as workers, pytest.raises(RunsError) as caught:
        run_tasks([*tasks, *other], store, workers)
    (failure,) = caught.value.failures
    assert failure.spec == tasks[3].spec
    assert "died twice" in str(caught.value)
    assert store.count("other") == 10
    assert {spec.id for spec in (task.spec for task in other)} <= set(caught.value.rows)
    assert store.count("toy-mean") >= 3


@pytest.mark.parametrize("name", ["inline", "processes"])
def test_an_exception_names_claim_experiment_and_spec(toy, store, monkeypatch, name):
    monkeypatch.setenv("NONSMOOTH_TOY_TROUBLE", "raise")
    events = []
    with engine(name, 1) as workers, pytest.raises(RunsError) as caught:
        run_tasks(toy(), store, workers, events.append)
    said = str(caught.value)
    for word in ("toy-mean", "'mean'", toy()[3].spec.id, "ZeroDivisionError", "'number': 3"):
        assert word in said
    assert isinstance(events[-1], Failed | Done)
    assert store.count() >= 3


@pytest.mark.parametrize("name", ["inline", "processes"])
def test_ctrl_c_keeps_what_finished(toy, log, store, name):
    tasks = toy(runs=12)

    def interrupt(event):
        if isinstance(event, Done) and event.done == 4:
            raise KeyboardInterrupt

    with engine(name, 1) as workers, pytest.raises(Interrupted) as caught:
        run_tasks(tasks, store, workers, interrupt)
    assert 4 <= caught.value.done == store.count() <= 6
    assert caught.value.total == 12
    before = len(log())
    kept = store.count()
    with engine(name, 1) as workers:
        assert len(run_tasks(tasks, store, workers)) == 12
    assert len(log()) - before == 12 - kept


def test_a_store_that_fails_midway_stops_and_keeps(toy, store, monkeypatch):
    real, calls = store.put, []

    def put(*args):
        if len(calls) == 3:
            raise InputError("no space left on the disk")
        calls.append(args)
        real(*args)

    monkeypatch.setattr(store, "put", put)
    with pytest.raises(InputError, match="no space"), engine("processes", 1) as workers:
        run_tasks(toy(), store, workers)
    assert store.count() == 3
