"""The committed results say what the README says of them, and their stored rows still judge so."""

import re
import shutil
from pathlib import Path

import pytest

from nonsmooth.claims import Ledger, rebuild

ROOT = Path(__file__).parent.parent
FOLDERS = [ROOT / "results" / name for name in ("laptop", "edge")]


def _answers(ledger: Ledger) -> dict[str, tuple[str, str]]:
    return {entry["id"]: (entry["result"], entry["attribution"] or "–") for entry in ledger.claims}


def test_the_readmes_second_table_is_the_committed_ledger() -> None:
    rows = re.findall(
        r"^\| `([a-z0-9-]+)` \| ([a-z ]+) \| ([a-z ]+|–) \|", (ROOT / "README.md").read_text(), flags=re.M
    )
    committed = [_answers(Ledger.read(folder / "ledger.json")) for folder in FOLDERS]
    assert {row[0]: row[1:] for row in rows} == {
        id: answer for each in committed for id, answer in each.items()
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_committed_runs_are_whole_and_say_what_they_were_run_on(folder) -> None:
    ledger = Ledger.read(folder / "ledger.json")
    for entry in ledger.claims:
        assert entry["tier"] == "laptop"
        assert entry["older_runs"] == 0
        assert entry["settings"]["images"].startswith("cifar10:")
        assert "JPEG" in entry["data"]["note"]
    assert ledger.environment["versions"]["torch"]


@pytest.mark.slow
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_the_stored_rows_judge_as_committed(folder, tmp_path) -> None:
    for name in ("ledger.json", "store.sqlite"):
        shutil.copy(folder / name, tmp_path)
    assert _answers(rebuild(tmp_path, judge=True).ledger) == _answers(Ledger.read(folder / "ledger.json"))


@pytest.mark.parametrize("name", ["report.html", "errata.html"])
@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_what_a_committed_page_links_to_is_there(folder, name) -> None:
    page = folder / name
    links = set(re.findall(r'href="(?!https:|#|data:)([^"]+)"', page.read_text()))
    assert links
    assert [link for link in links if not (page.parent / link.partition("#")[0]).exists()] == []
