"""The estimate of what remains, and when a line is worth writing."""

import pytest

from nonsmooth.cli import _progress
from nonsmooth.runs import Done, Failed, Failure, Planned, Retried, RunSpec

SPEC = RunSpec("toy", "mean")


@pytest.fixture
def now(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: clock[0])
    return clock


@pytest.mark.parametrize(
    ("expected", "seconds", "done", "left"),
    [
        (None, 0.0, 20, None),  # nothing ran yet and nothing is known: no guess
        (None, 10.0, 21, None),  # one of forty: too few to tell
        (None, 10.0, 22, 190.0),
        (None, 10.0, 40, 10.0),  # 20 of 40 in 10 s; the 20 stored ones took no time
        (30.0, 0.0, 20, 30.0),  # what earlier calls took
        (30.0, 10.0, 40, 15.0),  # half way: half each, 10 s by speed and 20 s by the record
        (30.0, 90.0, 40, 45.0),  # slower than ever before: the record has nothing left to say
        (30.0, 10.0, 60, 0.0),
        (None, 10.0, 60, 0.0),
    ],
)
def test_the_estimate(now, expected, seconds, done, left):
    clock = _progress._Clock(Planned(60, 20, expected))
    now[0] += seconds
    assert clock.left(done) == left


def test_everything_stored_leaves_nothing():
    assert not _progress._Clock(Planned(60, 60, 0.0)).left(60)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "time left not known yet"),
        (0.4, "about 0 s left"),
        (59.6, "about 1 min 0 s left"),
        (3605, "about 1 h 0 min 5 s left"),
    ],
)
def test_seconds_in_words(seconds, words):
    assert _progress._in_words(seconds) == words


def test_a_log_gets_a_line_now_and_then(now, capsys):
    with _progress.progress(quiet=False) as listener:
        listener(Planned(40, 0))
        for done in range(1, 41):
            now[0] += 1.0
            listener(Done(SPEC, 1.0, done, 40))
        listener("something this version does not know")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "40 batches of runs, 0 of them stored already"
    assert lines[1] == "5 of 40 (12%), 5 s, about 35 s left"
    assert lines[-1] == "40 of 40 (100%), 40 s"
    assert len(lines) == 1 + 8


def test_drawing_is_told_when_it_takes_long(now, capsys):
    with _progress.progress(quiet=False) as listener:
        listener(_progress.Drawn("", 0, 9))
        for done in range(1, 10):
            now[0] += 2.0
            listener(_progress.Drawn("toy", done, 9))
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["drawing: 3 of 9 claims, 6 s", "drawing: 6 of 9 claims, 12 s"]


def test_trouble_is_told(capsys):
    with _progress.progress(quiet=False) as listener:
        listener(Retried(SPEC))
        listener(Failed(Failure(SPEC, "why")))
        listener(Failed(Failure(RunSpec("toy", "median"), "why")))  # failed while the first one was stopped
        listener(Failed(Failure(RunSpec("other", "mean"), "why")))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == ["a", "toy", "other"]


def test_quiet(capsys):
    with _progress.progress(quiet=True) as listener:
        listener(Planned(1, 0))
        listener(Failed(Failure(SPEC, "why")))
    assert capsys.readouterr().err == ""
