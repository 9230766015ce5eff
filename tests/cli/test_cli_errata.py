"""`nonsmooth errata`: a page, or Markdown for a letter, from a ledger."""

import json
import shutil

import pytest
from calling import FAST, assert_refused, call, contents, strict_json


@pytest.fixture
def differing(tmp_path):
    """A folder with the ledger of a toy whose result differs, at a setting of the caller's."""
    out = tmp_path / "out"
    call("reproduce", "toy-mean", *FAST, "--set", "shift=0.3", "--out", out, "--quiet", "--no-page")
    return out


def test_the_page_lies_beside_the_ledger(differing):
    for given in (differing, differing / "ledger.json"):
        result = call("errata", given)
        assert result.exit_code == 0
        assert result.stdout == f"wrote {differing / 'errata.html'}\n"
    page = (differing / "errata.html").read_text()
    assert "does not hold" in page
    assert "run with shift = 0.3, which the paper leaves open" in page
    assert "report.html" not in page


def test_markdown_goes_to_standard_output_or_to_a_file(differing, tmp_path):
    printed = call("errata", differing, "--format", "markdown")
    assert printed.stdout.startswith("# Points that do not hold as printed\n")
    assert "judged by a claim of the reader's own, toy_claim.py" in printed.stdout
    assert not (differing / "errata.html").exists()
    for options in (("--out", tmp_path / "a.md"), ("--out", tmp_path / "b", "--format", "markdown")):
        assert call("errata", differing, *options).stdout == f"wrote {options[1]}\n"
        assert options[1].read_text() == printed.stdout


def test_json(differing, tmp_path):
    data = strict_json(call("errata", differing, "--json", "--out", tmp_path / "e.html").stdout)
    (point,) = data["points"]
    assert (point["claim"], point["part"], point["answer"]) == ("toy-mean", "mean", "differs")
    assert (point["section"], point["repair"]) == ("Other claims", "")
    assert point["findings"][0]["reported"] == "0.5"
    assert [(row["part"], row["answer"]) for row in data["undecided"]] == [("cause", "undecided")]
    assert data["written"] == [str(tmp_path / "e.html")]
    text = strict_json(call("errata", differing, "--json", "--format", "markdown").stdout)
    assert text["points"] == data["points"]
    assert text["written"] == []


def test_reproduce_and_report_write_it_and_the_page_links_to_it(written, tmp_path):
    copied = shutil.copytree(written, tmp_path / "copy")
    assert 'href="errata.html"' in (copied / "report.html").read_text()
    page = (copied / "errata.html").read_text()
    assert 'href="report.html"' in page
    assert "Nothing found that does not hold as printed." in page
    (copied / "errata.html").unlink()
    call("errata", copied)
    assert (copied / "errata.html").read_text() == page


def test_the_command_shown_judges_it_again(differing, tmp_path):
    (point,) = strict_json(call("errata", differing, "--json").stdout)["points"]
    program, *words = point["command"].split()
    assert program == "nonsmooth"
    words[words.index("--claims") + 1] = FAST[1]  # named without its folder
    again = call(*words, "--engine", "inline", "--out", tmp_path / "again", "--no-page", "--json")
    assert (
        strict_json(again.stdout)["digest"] == json.loads((differing / "ledger.json").read_text())["digest"]
    )


@pytest.mark.parametrize(
    "args",
    [
        ["no-such"],
        ["no-such.json"],
        ["OUT/store.sqlite"],
        ["x" * 300],
        ["OUT", "--format", "pdf"],
        ["OUT", "--out", "OUT"],
        ["OUT", "--out", "OUT/ledger.json"],
        ["OUT", "--out", "OUT/ledger.json/below.html"],
        ["OUT", "--out", "/proc/nonsmooth/e.html"],
        ["OUT", "OUT"],
    ],
)
def test_what_cannot_be_is_refused(differing, tmp_path, monkeypatch, args):
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path)
    assert_refused(call("errata", *(arg.replace("OUT", str(differing)) for arg in args)))
    assert contents(tmp_path) == before


def test_without_a_ledger_it_says_where_one_comes_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = call("errata")
    assert_refused(result)
    assert "out/quick/ledger.json" in result.stderr
    assert "nonsmooth reproduce" in result.stderr
