"""The whole of it on a toy: written, resumed, swept, killed, and the same digest however it was run."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import time

import pyarrow.parquet as pq
import pytest

from nonsmooth.claims import ClaimsError, ClaimsInputError, Judged, Ledger, built, rebuild, reproduce
from nonsmooth.errors import InputError
from nonsmooth.runs import Done, Planned, Store

_FAST = {"delay": 0.0, "runs": 6}

_OTHER = """
from nonsmooth.claims import Claim, Judgement
from nonsmooth.findings import Finding, Part, Result, Ruling
from nonsmooth.runs import RunSpec
class Other(Claim):
    id = "other"; where = "here"; statement = "so"
    parts = (Part("p", "s", "r"),)
    accepts_data = True
    def runs(self, tier, settings):
        return [RunSpec(self.id, "x", {"data": settings.get("data", "none")})]
    def measure(self, spec):
        if spec["data"] == "none":
            return [{"shape": None}]
        from nonsmooth.datasets import registered
        return [{"shape": registered(spec["data"]).shape}]
    def judge(self, rows):
        shape = rows[0]["shape"] if rows else None
        return Judgement([Ruling("p", Result.HOLDS, len(rows), "y")], [Finding("shape", str(shape), 1, "w")])
    def draw(self, rows): return []
"""


@pytest.fixture
def run(toy_file, tmp_path):
    def run(*, out=tmp_path / "out", ids=("toy-mean",), engine="inline", settings=_FAST, files=(), **more):
        return reproduce(
            ids, out=out, engine=engine, settings=settings, claim_files=[toy_file, *files], **more
        )

    return run


@pytest.fixture
def other(tmp_path):
    path = tmp_path / "other.py"
    path.write_text(_OTHER)
    return path


def test_what_is_written(run, tmp_path, log):
    events = []
    outcome = run(on_event=events.append)
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {"store.sqlite", "ledger.json", "runs.parquet"}
    assert Ledger.read(out / "ledger.json") == outcome.ledger
    (entry,) = outcome.ledger.claims
    assert (entry["id"], entry["tier"], entry["result"], entry["attribution"]) == (
        "toy-mean", "quick", "holds", "undecided",
    )  # fmt: skip
    assert entry["settings"]["runs"] == 6
    assert entry["rulings"][0]["rule"] == "|mean - 0.5| < 0.05 in every run: holds"
    assert entry["unstated"][0] == {
        "name": "draws", "value": 1000, "default": 1000, "why": "enough for two digits",
    }  # fmt: skip
    assert (entry["sweep"], entry["data"], entry["notes"]) == ([], None, ["A toy: only for tests."])
    assert outcome.ledger.environment["engine"] == "inline"
    assert len(outcome.rows_by_claim["toy-mean"]) == 12
    assert pq.read_table(out / "runs.parquet").num_rows == 12
    assert events[0] == Planned(6, 0, None)
    assert [type(event) for event in events[1:]] == [Done] * 6 + [Judged]
    assert log() == 6


def test_a_second_call_measures_nothing_and_says_the_same(run, log):
    first = run()
    second = run()
    assert log() == 6
    assert second.ledger.digest == first.ledger.digest
    assert second.ledger.claims == first.ledger.claims


def test_the_digest_depends_on_no_engine_and_no_number_of_workers(run, tmp_path):
    digests = {
        run(out=tmp_path / f"{engine}{jobs}", engine=engine, jobs=jobs).ledger.digest
        for engine, jobs in (("inline", 1), ("processes", 1), ("processes", 2))
    }
    assert len(digests) == 1


def test_export_holds_only_what_was_asked_for(run, tmp_path):
    run(settings={**_FAST, "draws": 50})
    run()
    assert pq.read_table(tmp_path / "out" / "runs.parquet").num_rows == 12
    with Store(tmp_path / "out" / "store.sqlite") as store:
        assert store.count() == 12


def test_a_sweep_judges_the_default_and_each_value(run, log):
    outcome = run(over="shift=0,0.02,5")
    (entry,) = outcome.ledger.claims
    assert entry["result"] == "holds"
    assert [(point["setting"], point["value"], point["result"]) for point in entry["sweep"]] == [
        ("shift", 0.0, "holds"), ("shift", 0.02, "holds"), ("shift", 5.0, "differs"),
    ]  # fmt: skip
    assert set(entry["sweep"][0]) == {"setting", "value", "result", "attribution", "rulings", "findings"}
    assert log() == 18  # the sweep's 0 is the default, run once
    assert len(outcome.rows_by_claim["toy-mean"]) == 12


def test_a_sweep_needs_one_claim_with_that_setting(run, other):
    outcome = run(ids=["other", "toy-mean"], files=[other], over="shift=0,5")
    assert {entry["id"]: len(entry["sweep"]) for entry in outcome.ledger.claims} == {
        "other": 0,
        "toy-mean": 2,
    }
    with pytest.raises(InputError, match="'width'; they have: other: none; toy-mean: draws"):
        run(ids=["other", "toy-mean"], files=[other], over="width=0,5")


def test_the_order_of_ids_does_not_matter(run, other, tmp_path):
    a = run(ids=["other", "toy-mean"], files=[other])
    b = run(ids=["toy-mean", "other", "toy-mean"], files=[other], out=tmp_path / "b")
    assert a.ledger.digest == b.ledger.digest


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"ids": ["no-such"]}, "'no-such' is not known"),
        ({"tier": "huge"}, "quick, laptop, paper"),
        ({"engine": "dask"}, "inline, processes"),
        ({"engine": "processes", "jobs": 0}, "1 to 1024"),
        ({"settings": {"delay": -1}}, "toy-mean: delay = -1 is out of range; allowed: 0 to 10"),
        ({"settings": {"delay": "fast"}}, "not a finite number"),
        ({"settings": {"kind": "cauchy"}}, "uniform, normal"),
        ({"settings": {"width": 1}}, "no claim asked for has a setting 'width'"),
        ({"over": "shift=0,99"}, "toy-mean: shift = 99.0 is out of range; allowed: -10 to 10"),
        ({"over": "shift"}, "give NAME=log"),
        ({"over": "runs=1,2"}, "'runs' is given twice"),
        ({"data": "x.npz"}, "none of toy-mean takes a data set"),
        ({"files": ["missing.py"]}, "missing.py"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(run, tmp_path, options, word):
    with pytest.raises(InputError) as caught:
        run(**options)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_folders_and_stores_that_cannot_be_used(run, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made"):
        run(out=tmp_path / "file" / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "store.sqlite").write_text("no store " * 1000)
    with pytest.raises(InputError, match="nonsmooth clean"):
        run()
    assert (tmp_path / "out" / "store.sqlite").read_text() == "no store " * 1000


def test_a_judge_that_fails_loses_no_other_claim(run, other, tmp_path, monkeypatch):
    monkeypatch.setenv("NONSMOOTH_TOY_TROUBLE", "judge")
    with pytest.raises(ClaimsError, match="toy-mean: judging failed: ZeroDivisionError: a judge") as caught:
        run(ids=["toy-mean", "other"], files=[other])
    assert list(caught.value.outcome.claims) == ["other"]
    assert [entry["id"] for entry in Ledger.read(tmp_path / "out" / "ledger.json").claims] == ["other"]
    assert pq.read_table(tmp_path / "out" / "runs.parquet").num_rows == 13
    assert not isinstance(caught.value, InputError)


@pytest.mark.parametrize(("trouble", "kind"), [("raise", ClaimsError), ("refuse", ClaimsInputError)])
def test_a_measure_that_fails_loses_no_other_claim(run, other, monkeypatch, trouble, kind):
    monkeypatch.setenv("NONSMOOTH_TOY_TROUBLE", trouble)
    with pytest.raises(kind) as caught:
        run(ids=["toy-mean", "other"], files=[other])
    assert list(caught.value.outcome.claims) == ["other"]
    assert isinstance(caught.value, InputError) == (trouble == "refuse")


def test_runs_that_fail_lose_no_other_claim(run, other, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text(_OTHER.replace('"other"', '"broken"').replace("settings.get", "settings.got"))
    with pytest.raises(ClaimsError, match="broken: planning its runs failed: AttributeError") as caught:
        run(ids=["broken", "other"], files=[other, broken], settings={})
    assert list(caught.value.outcome.claims) == ["other"]


@pytest.mark.parametrize("engine", ["inline", "processes"])
def test_a_users_data_reaches_the_workers(run, other, toy_file, tmp_path, engine):
    path = tmp_path / "mine.csv"
    path.write_text("1,2,3\n2,1,4\n3,5,9\n0,7,2\n")
    outcome = run(ids=["other", "toy-mean"], files=[other], data=path, engine=engine)
    entry = outcome.ledger.claims[0]
    assert entry["findings"][0]["measured"] == "[4, 2]"
    assert entry["settings"]["data"] == f"file:{entry['data']['sha256']}"
    assert (entry["data"]["name"], entry["claim_file"]) == ("mine.csv", other.name)
    assert outcome.ledger.claims[1]["data"] is None
    assert (
        rebuild(tmp_path / "out", [other, *_toy(outcome)]).rows_by_claim.keys()
        == outcome.rows_by_claim.keys()
    )


def _toy(outcome):
    return [sys.modules[type(outcome.claims["toy-mean"]).__module__].__file__]


@pytest.mark.parametrize(
    ("before", "after", "results", "older"),
    [
        ("if worst < 0.05", "if worst < 0.0", ("holds", "differs"), 0),  # only the rule
        ('+ spec["shift"]', '+ spec["shift"] + 0.0', ("holds", "holds"), 6),  # what measures
    ],
)
def test_stored_runs_are_judged_by_the_present_rules(tmp_path, toy_file, log, before, after, results, older):
    """Of a claim whose file has changed: nothing runs, the verdict is the new rule's.

    Only where the code that measures has changed are its runs those of older code, and it says so.
    """
    own = tmp_path / "toy_claim.py"
    own.write_text(toy_file.read_text())
    first = reproduce(
        ["toy-mean"],
        out=tmp_path / "out",
        settings=_FAST,
        over="shift=0,1",
        claim_files=[own],
        engine="inline",
    )
    measured = log()
    same = rebuild(tmp_path / "out", [own], judge=True)
    assert same.ledger.digest == first.ledger.digest
    assert toy_file.read_text().count(before) == 1
    own.write_text(toy_file.read_text().replace(before, after))
    again = rebuild(tmp_path / "out", [own], judge=True)
    (old,), (new,) = first.ledger.claims, again.ledger.claims
    assert (old["result"], new["result"]) == results
    assert [point["result"] for point in new["sweep"]] == [results[1], "differs"]
    assert (old["older_runs"], new["older_runs"]) == (0, older)
    assert log() == measured
    assert Ledger.read(tmp_path / "out" / "ledger.json").digest == again.ledger.digest


def test_rebuild_gives_the_rows_again_without_running(run, tmp_path, toy_file, log, monkeypatch):
    outcome = run(over="shift=0,5")
    measured = log()
    again = rebuild(tmp_path / "out", [toy_file])
    assert again.ledger == outcome.ledger
    assert repr(again.rows_by_claim) == repr(outcome.rows_by_claim)
    assert log() == measured
    with pytest.raises(InputError, match="'toy-mean' is not known"):
        rebuild(tmp_path / "out")
    with Store(tmp_path / "out" / "store.sqlite") as store:
        store.clear()
    with pytest.raises(InputError, match="run `nonsmooth reproduce toy-mean --tier quick"):
        rebuild(tmp_path / "out", [toy_file])
    (tmp_path / "out" / "store.sqlite").unlink()
    with pytest.raises(InputError, match=r"no store\.sqlite"):
        rebuild(tmp_path / "out", [toy_file])
    with pytest.raises(InputError, match="cannot be read"):
        rebuild(tmp_path / "nowhere", [toy_file])


def test_no_ids_means_all(toy_file, tmp_path, monkeypatch):
    from nonsmooth.claims import _plan

    monkeypatch.setattr(_plan, "built", tuple)
    outcome = reproduce(out=tmp_path, engine="inline", settings=_FAST, claim_files=[toy_file])
    assert list(outcome.claims) == ["toy-mean"]
    assert built()


_SCRIPT = """
    import sys
    from nonsmooth.claims import reproduce
    if __name__ == "__main__":
        try:
            reproduce(["toy-mean"], out=sys.argv[1], jobs=2, settings={"delay": float(sys.argv[3])},
                      claim_files=[sys.argv[2]])
        except KeyboardInterrupt as stop:
            print(stop, file=sys.stderr)
            sys.exit(130)
"""


@pytest.fixture
def start(tmp_path, toy_file):
    """A function that starts a real process, in a process group of its own, that reproduces the toy."""
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(_SCRIPT))

    def start(out, delay=0.05):
        command = [sys.executable, script, out, toy_file, str(delay)]
        return subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=heed_ctrl_c
        )

    return start


def heed_ctrl_c() -> None:
    """A shell starts its background jobs deaf to Ctrl-C, and their children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("moment", ["at once", 0.0, 0.1, 0.2, 0.4, "midway"])
def test_ctrl_c_in_a_terminal(start, tmp_path, log, moment):
    out = tmp_path / "out"
    with start(out, 0.1) as process:
        if moment == "midway":
            while log() < 6:
                time.sleep(0.01)
        elif moment != "at once":
            while not (out / "store.sqlite").exists():
                time.sleep(0.001)
            time.sleep(moment)  # workers are starting: they must not answer to it
        else:
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        pressed = time.monotonic()
        _, said = process.communicate(timeout=20)
    assert time.monotonic() - pressed < 5
    if moment == "at once" and process.returncode != 130:
        return  # Python itself was not ready to listen
    assert process.returncode == 130, said
    assert len(said.strip().splitlines()) == 1, said
    assert "interrupted" in said
    if moment != "at once":
        with Store(out / "store.sqlite") as store:
            assert f"interrupted: {store.count()} of 40 runs are kept" in said
            assert moment != "midway" or store.count() > 0


@pytest.mark.slow
def test_kill_at_a_random_moment_twenty_times(start, run, tmp_path, log):
    settings = {"delay": 0.05}
    expected = run(settings=settings, engine="processes", jobs=2, out=tmp_path / "whole").ledger.digest
    chance = random.Random(2401)
    in_flight = 2 * 2
    midway = 0
    for k in range(20):
        out = tmp_path / f"out{k}"
        before = log()
        with start(out) as process:
            time.sleep(chance.uniform(0.3, 2.2))
            process.kill()
        stored = 0
        if (out / "store.sqlite").exists():
            with Store(out / "store.sqlite") as store:
                stored = store.count()
        midway += 0 < stored < 40
        events = []
        outcome = run(settings=settings, engine="processes", jobs=2, out=out, on_event=events.append)
        assert events[0].cached == stored
        assert outcome.ledger.digest == expected
        assert Ledger.read(out / "ledger.json").digest == expected
        assert 40 <= log() - before <= 40 + in_flight
    assert midway >= 5  # the moments were random, not all too early or too late


def test_the_ledger_is_strict_json(run, tmp_path):
    run()

    def refuse(name):
        raise AssertionError(name)

    json.loads((tmp_path / "out" / "ledger.json").read_text(), parse_constant=refuse)
