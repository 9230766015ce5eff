"""`list`, `show`, `info`, `report`, `diff` and `clean`, each for a reader and as JSON."""

import json
import os
import pty
import shutil
import subprocess
import sys

import pytest
from calling import FAST, TOY, assert_refused, call, contents, strict_json, variant

from nonsmooth.claims import built, inventory


@pytest.fixture
def copied(written, tmp_path):
    return shutil.copytree(written, tmp_path / "copy")


def test_list_has_every_claim_of_the_inventory():
    rows = strict_json(call("list", "--json").stdout)["claims"]
    assert [row["id"] for row in rows][: len(inventory())] == [entry.id for entry in inventory()]
    assert {row["id"] for row in rows if row["built"]} == set(built())
    text = call("list").stdout
    for entry in inventory():
        (line,) = [line for line in text.splitlines() if line.split()[:1] == [entry.id]]
        assert entry.summary in line
        assert entry.where in line
        assert ("not built yet" in line) is (entry.id not in built())
    assert all(entry.section in text for entry in inventory())


@pytest.mark.parametrize("id", [entry.id for entry in inventory()])
def test_show_every_claim_of_the_inventory(id):
    data = strict_json(call("show", id, "--json").stdout)
    assert data["id"] == id
    assert data["built"] is (id in built())
    text = call("show", id)
    assert text.exit_code == 0
    assert ("Not built yet" in text.stdout) is (id not in built())


def test_show_a_claim_of_ones_own():
    data = strict_json(call("show", "toy-mean", "--claims", TOY, "--json").stdout)
    assert data["parts"][0]["rule"]
    assert {setting["name"]: setting["allowed"] for setting in data["unstated"]}["kind"] == "uniform, normal"
    assert data["batches"] == {"quick": 40, "laptop": 60, "paper": 80}
    text = call("show", "toy-mean", "--claims", TOY).stdout
    for words in (data["statement"], "draws = 1000 (allowed: 1 to 100000)", "Control: normal", "n >= 4"):
        assert words in text
    assert data["command"] == f"nonsmooth reproduce toy-mean --claims {TOY}"
    assert data["command"] in text


@pytest.mark.parametrize(
    ("limits", "words"),
    [("", "shift = 0.0: none"), (", low=-1", "at least -1)"), (", high=1", "at most 1)")],
)
def test_show_says_only_the_limits_that_there_are(tmp_path, limits, words):
    file = variant(tmp_path, (', "none is stated", low=-10.0, high=10.0', f', "none is stated"{limits}'))
    assert words in call("show", "toy-mean", "--claims", file).stdout


def test_show_prints_brackets_as_they_are(tmp_path):
    file = variant(
        tmp_path, ("uniform numbers is one half.", "uniform [-1,1] [bold]numbers[/bold] :smile: is")
    )
    assert (
        "uniform [-1,1] [bold]numbers[/bold] :smile: is" in call("show", "toy-mean", "--claims", file).stdout
    )


def test_info_names_versions():
    data = strict_json(call("info", "--json").stdout)
    assert {"nonsmooth", "python", "versions", "cpus", "engines", "claims"} <= set(data)
    assert data["claims"] == {"built": len(built()), "inventory": len(inventory())}
    assert f"numpy {data['versions']['numpy']}" in call("info").stdout


def test_report_makes_the_same_page_and_figures_again(copied):
    before = contents(copied)
    shutil.rmtree(copied / "figures")
    (copied / "report.html").unlink()
    (copied / "errata.html").unlink()
    data = strict_json(call("report", "--out", copied, "--claims", TOY, "--json").stdout)
    assert data["written"] == [str(copied / name) for name in ("report.html", "errata.html", "figures")]
    after = contents(copied)
    kept = {path for path in before if path.suffix in (".html", ".svg", ".pdf", ".json", ".parquet")}
    assert len(kept) == 6
    assert {path: after[path] for path in kept} == {path: before[path] for path in kept}
    assert f"wrote {copied / 'report.html'}" in call("report", "--out", copied, "--claims", TOY).stdout


def test_report_judges_again_where_it_is_asked_to(copied):
    digest = json.loads((copied / "ledger.json").read_text())["digest"]
    (copied / "report.html").unlink()
    told = strict_json(call("report", "--judge", "--out", copied, "--claims", TOY, "--json").stdout)
    assert told["digest"] == digest  # the rules are the same
    assert (copied / "report.html").exists()


def test_report_without_the_runs_is_refused(copied, tmp_path):
    assert_refused(call("report", "--out", tmp_path / "nowhere"))
    refused = call("report", "--out", copied)
    assert_refused(refused)
    assert "--claims toy_claim.py" in refused.stderr
    (copied / "store.sqlite").unlink()
    assert_refused(call("report", "--out", copied, "--claims", TOY))
    assert not (copied / "store.sqlite").exists()


def test_diff_of_the_same(written):
    data = strict_json(call("diff", written, written / "ledger.json", "--json", "--exit-code").stdout)
    assert data["same"] is True
    assert data["differences"] == []
    assert call("diff", written, written, "--exit-code").exit_code == 0


def test_diff_says_what_changed(written, tmp_path):
    call("reproduce", "toy-mean", *FAST, "--set", "shift=0.3", "--out", tmp_path, "--quiet", "--no-page")
    plain = call("diff", written, tmp_path)
    assert plain.exit_code == 0
    data = call("diff", written, tmp_path, "--json", "--exit-code")
    assert data.exit_code == 1
    told = strict_json(data.stdout)
    assert told["same"] is False
    assert told["differences"] == [f"{c['claim']}: {c['words']}" for c in told["changes"]]
    assert "toy-mean: setting shift 0 -> 0.3" in told["differences"]
    head, _, claim, *lines = plain.stdout.splitlines()
    assert head == "1 claim with another answer."
    assert claim == "toy-mean:"
    assert lines == [f"  {change['words']}" for change in told["changes"]]
    assert lines[0].strip() == "result holds -> differs, because part mean holds -> differs"


def test_clean_removes_what_was_written_and_nothing_else(copied):
    (copied / "notes.txt").write_text("mine")
    checkpoint = copied / "scratch" / "0123" / "run.pt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_text("of a run that was killed")
    (copied / "figures" / "mine.svg").write_text("mine")
    data = strict_json(call("clean", "--out", copied, "--yes", "--json").stdout)
    assert len(data["removed"]) == 8
    assert set(contents(copied)) == {copied / "notes.txt", copied / "figures" / "mine.svg"}
    assert call("clean", "--out", copied, "--yes").stdout.startswith("removed 0 files")


def test_clean_removes_the_folder_if_nothing_is_left(copied):
    assert call("clean", "--out", copied, "--yes").exit_code == 0
    assert not copied.exists()


def test_clean_of_one_claim_keeps_the_rest(copied):
    data = strict_json(call("clean", "--out", copied, "--claim", "toy-mean", "--yes", "--json").stdout)
    assert data["removed_runs"] == 6
    assert (copied / "ledger.json").exists()
    known = call("clean", "--out", copied, "--claim", inventory()[0].id, "--yes", "--json")
    assert strict_json(known.stdout)["removed_runs"] == 0


def test_clean_of_a_claim_that_is_nowhere_is_refused(copied):
    before = contents(copied)
    result = call("clean", "--out", copied, "--claim", "toy-meen", "--yes")
    assert_refused(result)
    assert "has those of: toy-mean; did you mean 'toy-mean'?" in result.stderr
    assert "`nonsmooth list`" in call("clean", "--out", copied, "--claim", "nope", "--yes").stderr
    assert contents(copied) == before


def test_clean_removes_a_corrupt_store(copied):
    (copied / "store.sqlite").write_bytes(b"no database" * 1000)
    refused = call("reproduce", "toy-mean", *FAST, "--out", copied)
    assert_refused(refused)
    assert "nonsmooth clean --out" in refused.stderr
    assert (copied / "store.sqlite").read_bytes().startswith(b"no database")
    assert call("clean", "--out", copied, "--yes").exit_code == 0
    assert call("reproduce", "toy-mean", *FAST, "--out", copied, "--quiet").exit_code == 0


def test_clean_does_not_follow_a_link(copied, tmp_path):
    other = tmp_path / "other"
    shutil.move(copied / "figures", other)
    (copied / "figures").symlink_to(other)
    call("clean", "--out", copied, "--yes")
    assert len(contents(other)) == 2


def test_clean_asks_and_without_a_terminal_refuses(copied):
    before = contents(copied)
    assert_refused(call("clean", "--out", copied, input="y\n"))
    assert contents(copied) == before


def on_a_terminal(*args, answer=b"", **environment):
    """Run the command with a terminal for everything; what appears there, and the exit code."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "nonsmooth", *map(str, args)]
    env = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40", **environment}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env) as running:
        os.close(theirs)
        if answer:
            os.write(ours, answer)
        seen = b""
        try:
            while part := os.read(ours, 65536):
                seen += part
        except OSError:  # how Linux says that the other end is closed
            pass
    os.close(ours)
    return running.returncode, seen.decode()


@pytest.mark.parametrize(("answer", "there"), [(b"n\n", True), (b"y\n", False)])
def test_clean_asks_on_a_terminal(copied, answer, there):
    code, seen = on_a_terminal("clean", "--out", copied, answer=answer)
    assert code == 0
    assert "Remove 7 files" in seen
    assert (copied / "store.sqlite").exists() is there


@pytest.mark.parametrize("colour", [True, False])
def test_a_terminal_gets_a_bar_and_colour_unless_it_asks_for_none(tmp_path, colour):
    environment = {} if colour else {"NO_COLOR": "1"}
    options = ("--claims", TOY, "--set", "runs=8", "--engine", "inline", "--no-page")
    code, seen = on_a_terminal("reproduce", "toy-mean", *options, "--out", tmp_path, **environment)
    assert code == 0
    assert "%" in seen
    assert "s left" in seen
    assert "8/8" in seen
    assert ("\x1b[32mholds" in seen) is colour
    assert "batches of runs" not in seen


def test_a_narrow_terminal_folds_only_the_last_column():
    code, seen = on_a_terminal("list", COLUMNS="60", NO_COLOR="1")
    assert code == 0
    assert "activation-depth-gap" in seen
