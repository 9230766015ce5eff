"""`nonsmooth reproduce`: what it writes, says and leaves with."""

import html
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from calling import FAST, ID, TOY, call, errors_in, strict_json, variant

from nonsmooth.claims import TIERS, built, inventory
from nonsmooth.cli import _options
from nonsmooth.cli._verdicts import headline

WRITES = ("store.sqlite", "ledger.json", "runs.parquet", "report.html", "errata.html", "figures")
DRAW = "        figure, axes = canvas(1)\n"


def test_the_tiers_are_those_of_the_claims():
    assert _options.TIERS == TIERS


def test_it_writes_everything_and_ends_with_the_verdicts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call("reproduce", "toy-mean", *FAST)
    assert result.exit_code == 0, result.output
    assert "toy-mean" in result.stdout
    assert "holds" in result.stdout
    for name in WRITES:
        assert f"wrote out/quick/{name}" in result.stdout
        assert (tmp_path / "out" / "quick" / name).exists()
    assert "6 batches of runs, 0 of them stored already" in result.stderr
    assert "6 of 6 (100%)" in result.stderr


def test_json_is_the_ledger_and_nothing_else_is_on_standard_output(tmp_path):
    result = call("reproduce", "toy-mean", *FAST, "--out", tmp_path, "--json")
    data = strict_json(result.stdout)
    ledger = strict_json((tmp_path / "ledger.json").read_text())
    assert {name: data[name] for name in ("claims", "environment", "digest")} == ledger
    assert data["written"] == [str(tmp_path / name) for name in WRITES]
    assert data["failing"] == []
    assert data["left_out"] == {}
    assert "holds" in result.stderr


def test_a_second_call_computes_nothing(tmp_path):
    first = strict_json(call("reproduce", "toy-mean", *FAST, "--out", tmp_path, "--json").stdout)
    again = call("reproduce", "toy-mean", *FAST, "--out", tmp_path, "--json")
    assert "6 of them stored already" in again.stderr
    assert strict_json(again.stdout)["digest"] == first["digest"]


def test_quiet_says_nothing(tmp_path):
    result = call("reproduce", "toy-mean", *FAST, "--out", tmp_path, "--quiet")
    assert result.output == ""


def test_no_page_draws_nothing(tmp_path):
    call("reproduce", "toy-mean", *FAST, "--out", tmp_path, "--no-page")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ledger.json", "runs.parquet", "store.sqlite"]


def test_set_and_over_reach_the_claim(tmp_path):
    options = ("--over", "shift=0,0.2", "--set", "draws=500", "--out", tmp_path, "--json", "--no-page")
    claim = strict_json(call("reproduce", "toy-mean", *FAST, *options).stdout)["claims"][0]
    assert claim["settings"]["draws"] == 500
    assert [point["result"] for point in claim["sweep"]] == ["holds", "differs"]


def test_the_swept_values_stand_on_the_page(tmp_path):
    result = call("reproduce", "toy-mean", *FAST, "--over", "shift=0,0.2,0.35", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text()
    table = page[page.index('<table class="plain sweep">') :]
    rows = re.findall(r"<tr.*?</tr>", table[: table.index("</table>")], re.DOTALL)[1:]
    said = [" ".join(re.sub("<[^>]+>", " ", row).split()) for row in rows]
    assert [words.split()[:-1] for words in said] == [
        ["used", "above", "0", "holds", "undecided", "holds"],
        ["0.2", "differs", "undecided", "differs"],
        ["0.35", "differs", "undecided", "differs"],
    ]
    again = "reproduce toy-mean --tier quick --claims toy_claim.py --set delay=0.0 --set runs=6"
    assert f"nonsmooth {again} --over shift=0.0,0.2,0.35" in page


def test_the_page_names_the_users_data_by_its_file(tmp_path):
    file = variant(tmp_path, (ID, f"{ID}    accepts_data = True\n"), name="my claim.py")
    (tmp_path / "my data.csv").write_text("1,2,3\n2,1,4\n3,5,9\n0,7,2\n")
    options = ("--data", tmp_path / "my data.csv", "--out", tmp_path / "out", "--json")
    result = call("reproduce", "toy-mean", "--claims", file, *FAST[2:], *options)
    (entry,) = strict_json(result.stdout)["claims"]
    assert entry["data"]["name"] == "my data.csv"
    assert entry["settings"]["data"] == f"file:{entry['data']['sha256']}"
    assert entry["claim_file"] == "my claim.py"
    page = html.unescape((tmp_path / "out" / "report.html").read_text())
    assert "--claims 'my claim.py' --data 'my data.csv' --set" in page
    assert f"my data.csv (SHA-256 {entry['data']['sha256'][:16]}" in page
    assert str(tmp_path) not in page


def test_completion_offers_what_can_be_run():
    offered = {
        name: [item.value for item in getattr(_options, name)(None, None, "")]
        for name in ("complete_ids", "complete_built")
    }
    assert sorted(offered["complete_built"]) == sorted(built())
    assert set(offered["complete_ids"]) == {*built(), *(entry.id for entry in inventory())}


@pytest.mark.parametrize(
    ("ruling", "line"),
    [
        ({"region": "alpha > 1", "why": "It does. And more."}, "It does. And more."),
        ({"region": "alpha > 1", "why": "It does.  " + "And so on. " * 30}, "It does."),
        ({"region": "alpha > 1", "why": ""}, ""),
    ],
)
def test_the_closing_table_gives_the_reason_and_never_a_bare_region(ruling, line):
    rulings = [{"answer": "holds", "why": "not this one"}, {"answer": "differs", **ruling}]
    assert headline({"result": "differs", "rulings": rulings}) == line


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("differs", 0),
        ("undecided", 1),
        ("Differs,UNDECIDED", 1),
        ("not-judged, holds", 1),
        ("not supported", 0),
    ],
)
def test_fail_on(tmp_path, words, code):
    result = call("reproduce", "toy-mean", *FAST, "--out", tmp_path, "--no-page", "--fail-on", words)
    assert result.exit_code == code
    assert ("failing as asked" in result.stderr) is (code == 1)


def test_json_lists_what_fails(tmp_path):
    options = ("--out", tmp_path, "--no-page", "--fail-on", "holds", "--fail-on", "undecided", "--json")
    result = call("reproduce", "toy-mean", *FAST, *options)
    assert strict_json(result.stdout)["failing"] == ["toy-mean: holds", "toy-mean: undecided"]
    assert result.exit_code == 1


@pytest.mark.parametrize(("trouble", "code"), [("judge", 3), ("raise", 3), ("refuse", 2)])
def test_a_claim_in_trouble_is_named_and_the_rest_is_written(tmp_path, monkeypatch, trouble, code):
    monkeypatch.setenv("NONSMOOTH_TOY_TROUBLE", trouble)
    result = call("reproduce", "toy-mean", *FAST, "--out", tmp_path, "--json", "--fail-on", "holds")
    assert result.exit_code == code
    assert "toy-mean" in errors_in(result.stderr)[0]
    assert "Traceback" not in result.stderr
    assert list(strict_json(result.stdout)["left_out"]) == ["toy-mean"]
    assert (tmp_path / "report.html").exists()


def test_a_claim_that_cannot_be_drawn_costs_only_its_figure(tmp_path):
    file = variant(tmp_path, (DRAW, "        raise KeyError('no colour')\n"))
    result = call("reproduce", "toy-mean", *FAST[2:], "--claims", file, "--out", tmp_path / "out")
    assert result.exit_code == 3
    assert "drawing failed: KeyError" in errors_in(result.stderr)[0]
    assert "toy-mean" in (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize("engine", ["inline", "processes"])
def test_a_claim_that_prints_does_not_spoil_the_json(tmp_path, engine):
    noise = (
        "        print('from Python', flush=True)\n        os.write(1, b'from C\\n')\n        _log(spec)\n"
    )
    file = variant(tmp_path, ("        _log(spec)\n", noise))
    options = ["--engine", engine, "--jobs", "1", "--out", str(tmp_path / "out"), "--json", "--no-page"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "nonsmooth",
            "reproduce",
            "toy-mean",
            *FAST[2:6],
            "--claims",
            str(file),
            *options,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert strict_json(done.stdout)["claims"]
    assert "from C" in done.stderr
    assert "from Python" in done.stderr


@pytest.mark.parametrize("engine", ["inline", "processes"])
def test_ctrl_c_keeps_what_is_done_and_the_same_command_resumes(tmp_path, engine):
    log, out = tmp_path / "log", tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "nonsmooth",
        "reproduce",
        "toy-mean",
        "--claims",
        str(TOY),
        "--jobs",
        "2",
    ]
    command += ["--engine", engine, "--out", str(out), "--set", "delay=0.05", "--no-page"]
    env = os.environ | {"NONSMOOTH_TOY_LOG": str(log)}
    with subprocess.Popen(
        command,
        env=env,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        # a shell starts its background jobs deaf to Ctrl-C, and their children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        while not log.exists() or len(log.read_text().splitlines()) < 5:
            assert running.poll() is None, running.stderr and running.stderr.read()
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 130
    assert stdout == ""
    assert "Traceback" not in stderr
    (line,) = errors_in(stderr)
    kept = int(line.partition("interrupted: ")[2].split()[0])
    assert 0 < kept < 40
    assert "the same command resumes" in line
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"40 batches of runs, {kept} of them stored already" in again.stderr


@pytest.mark.parametrize("engine", ["inline", "processes"])
def test_ctrl_c_while_drawing_keeps_runs_and_ledger(tmp_path, engine):
    mark = tmp_path / "drawing"
    slow = f"        open({str(mark)!r}, 'a').close(); time.sleep(60)\n        figure, axes = canvas(1)\n"
    files = []
    for k in range(3):  # enough for workers to be asked
        own = (ID, f'    id = "toy-{k}"\n'), (DRAW, slow)
        files += ["--claims", str(variant(tmp_path, *own, name=f"toy_{k}.py"))]
    out = tmp_path / "out"
    command = [sys.executable, "-m", "nonsmooth", "reproduce", "toy-0", "toy-1", "toy-2", *files]
    command += [*FAST[2:6], "--engine", engine, "--jobs", "2", "--out", str(out)]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        while not mark.exists():
            assert running.poll() is None, running.stderr and running.stderr.read()
        os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers too
        stdout, stderr = running.communicate(timeout=30)
    assert running.returncode == 130
    assert stdout == ""
    assert "Traceback" not in stderr
    (line,) = errors_in(stderr)
    assert "interrupted while drawing" in line
    assert f"nonsmooth report --out {out}" in line
    assert sorted(path.name for path in out.iterdir()) == ["ledger.json", "runs.parquet", "store.sqlite"]


def test_a_reader_of_progress_who_leaves_does_not_stop_the_work(tmp_path):
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        command = [sys.executable, "-m", "nonsmooth", "reproduce", "toy-mean", *FAST, "--out", str(tmp_path)]
        done = subprocess.run(command, stderr=gone, stdout=subprocess.PIPE, check=False)
    assert done.returncode == 0
    assert b"holds" in done.stdout
    assert Path(tmp_path / "ledger.json").exists()
