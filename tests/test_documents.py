"""What the documents show is run, so that it cannot rot."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from nonsmooth.claims import built, reproduce

ROOT = Path(__file__).parent.parent


def _blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(), flags=re.S)


@pytest.mark.parametrize("number", range(len(_blocks("README.md"))))
def test_the_readmes_examples_print_what_their_comments_say(number: int) -> None:
    code = _blocks("README.md")[number]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, "README.md", "exec"), {})
    said = [line.rsplit("#", 1)[1].strip() for line in code.splitlines() if line.startswith("print")]
    assert printed.getvalue().splitlines() == said


def test_the_claim_in_contributing_runs(tmp_path) -> None:
    (code,) = _blocks("CONTRIBUTING.md")
    (tmp_path / "my_claim.py").write_text(code)
    out = reproduce(
        ["my-claim"], engine="inline", out=tmp_path / "out", claim_files=[tmp_path / "my_claim.py"]
    )
    (entry,) = out.ledger.claims
    assert entry["result"] == "holds in part"
    (claim,) = out.claims if not isinstance(out.claims, dict) else out.claims.values()
    assert claim.drawings(out.rows_by_claim["my-claim"])[0].figure.axes


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_to_files_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / name).read_text()):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


@pytest.mark.timeout(1200)  # all claims in one process, where no other test has run them
def test_the_readmes_table_is_what_the_claims_answer(quick) -> None:
    rows = re.findall(
        r"^\| \[`([a-zA-Z0-9-]+)`\]\S* \| ([a-z ]+) \| ([a-z ]+|–) \|",
        (ROOT / "README.md").read_text(),
        flags=re.M,
    )
    assert {row[0] for row in rows} == set(built())
    for id, result, attribution in rows:
        outcome, _ = quick(id)
        (entry,) = outcome.ledger.claims
        assert (entry["result"], entry["attribution"] or "–") == (result, attribution)
