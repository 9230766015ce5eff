"""The errata without a browser: whole, escaped, asking for nothing, the same every time."""

from __future__ import annotations

import html
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from nonsmooth.claims import Ledger, errata
from nonsmooth.errors import InputError
from nonsmooth.report import errata_html, errata_markdown, write_errata
from nonsmooth.report._errata import _plain

HOSTILE = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>'{{ 7 * 7 }}</style>"
AGAINST = ("differs", "holds in part", "not supported")


def hostile(entry):
    if isinstance(entry, dict):
        kept = ("answer", "result", "attribution", "id", "part", "sha256")
        return {k: v if k in kept else hostile(v) for k, v in entry.items()}
    if isinstance(entry, list):
        return [hostile(item) for item in entry]
    return HOSTILE if isinstance(entry, str) else entry


def found(ledger: dict):
    return errata(Ledger.of(ledger["claims"], ledger["environment"]))


def against(ledger: dict) -> list[tuple[dict, dict]]:
    return [
        (claim, ruling)
        for claim in ledger["claims"]
        for ruling in claim["rulings"]
        if ruling["answer"] in AGAINST
    ]


def articles(page: str) -> list[str]:
    return re.findall(r"<article.*?</article>", page, re.DOTALL)


def seen(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", markup)).split())


def flat(text: str) -> str:
    return " ".join(text.replace("`", "").split())


def test_each_ruling_that_does_not_hold_is_one_entry_and_no_other(ledger: dict) -> None:
    page = errata_html(found(ledger))
    given = articles(page)
    assert len(given) == len(against(ledger)) == 6
    for claim, ruling in against(ledger):
        (mine,) = [seen(each) for each in given if f"{claim['id']}, {ruling['part']}" in seen(each)]
        for words in (ruling["statement"], ruling["why"], ruling["region"], ruling["repair"], ruling["rule"]):
            assert flat(words) in mine
        assert (ruling["where"] or claim["where"]) in mine
        for finding in claim["findings"]:
            if finding["part"] == ruling["part"] and finding["agrees"] is False:
                for words in (finding["name"], finding["measured"], finding["reported"] or ""):
                    assert flat(words) in mine
        assert ("Smallest repair" in mine) is bool(ruling["repair"])
        assert f"nonsmooth reproduce {claim['id']} --tier {claim['tier']}" in mine


def test_what_holds_comes_first_and_is_counted(ledger: dict) -> None:
    page = seen(errata_html(found(ledger)))
    assert (
        "5 hold as printed 2 do not hold 1 holds only in part" not in page
    )  # the counts are the ledger's own
    counts = {
        words: sum(r["answer"] == answer for c in ledger["claims"] for r in c["rulings"])
        for answer, words in (("differs", "do not hold"), ("not supported", "causes are not borne out"))
    }
    for words, count in counts.items():
        assert f"{count} {words}" in page
    held = page.index("What was checked and holds as printed")
    assert held < page.index("does not hold", held)
    assert page.index("Causes that the controls do not bear out") > page.index("holds only in part", held)
    assert "The paper says" in page
    assert "What could not be decided" in page


@pytest.mark.parametrize("claims", [[], ["huber"]])
def test_nothing_against_the_paper_is_said_as_such(ledger: dict, claims: list) -> None:
    ledger["claims"] = [claim for claim in ledger["claims"] if claim["id"] in claims]
    for text in (errata_html(found(ledger)), errata_markdown(found(ledger))):
        assert "Nothing found that does not hold as printed." in text
        assert "borne out" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)


def test_nothing_a_ledger_says_is_markup(ledger: dict) -> None:
    page = errata_html(found(hostile(ledger)), beside=["ledger.json"])
    assert page.count("<script") == page.count("<style") == 1
    assert "<img" not in page
    assert "{{ 7 * 7 }}" in page
    html_tokens = {"html_block", "html_inline", "image", "link_open"}
    tokens = MarkdownIt().parse(errata_markdown(found(hostile(ledger))))
    kinds = {token.type for token in tokens} | {child.type for t in tokens for child in t.children or ()}
    assert not html_tokens & kinds


def test_the_page_asks_for_nothing(ledger: dict) -> None:
    page = errata_html(found(ledger))
    assert not re.search(r"\bsrc=|url\(|@import|<base|<iframe|<form", page)
    links = re.findall(r'<(\w+)[^>]*\shref="([^"]*)"', page)
    assert all(href.startswith(("#", "data:")) or tag == "a" for tag, href in links)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert not re.search(r"fetch|XMLHttpRequest|import\(|https?:", script)
    assert "default-src 'none'" in page


def test_ids_are_unique_and_links_lead_somewhere(ledger: dict) -> None:
    ledger["claims"].append(ledger["claims"][3])
    page = errata_html(found(ledger))
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]*)"', page)) <= set(ids)
    assert set(re.findall(r'aria-labelledby="([^"]*)"', page)) <= set(ids)


def test_the_same_ledger_gives_the_same_bytes(ledger: dict, tmp_path: Path) -> None:
    for kind in ("html", "markdown"):
        a, b = (write_errata(found(ledger), tmp_path / name, kind=kind).read_bytes() for name in "ab")
        assert a == b


def test_what_lies_beside_is_linked(ledger: dict, tmp_path: Path) -> None:
    assert b'href="report.html"' not in write_errata(found(ledger), tmp_path / "e.html").read_bytes()
    (tmp_path / "report.html").write_text("")
    assert b'href="report.html"' in write_errata(found(ledger), tmp_path / "e.html").read_bytes()


def test_a_folder_in_the_way_is_said_in_one_line(ledger: dict, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot write"):
        write_errata(found(ledger), tmp_path)


def test_a_lone_surrogate_does_not_cost_the_page(ledger: dict, tmp_path: Path) -> None:
    ledger["claims"][3]["rulings"][1]["why"] = "half a pair: \ud83d"
    sorted_out = errata(SimpleNamespace(claims=ledger["claims"], environment={}, digest="0"))  # type: ignore[arg-type]
    text = write_errata(sorted_out, tmp_path / "e.html").read_text(encoding="utf-8")
    assert "half a pair: ?" in text


TEXTS = st.text(st.sampled_from("ab1 *_~<>&;#[](){}|\\-+.!:/$^=@\"'αλ≤"), min_size=1, max_size=24)


@given(TEXTS)
def test_a_text_of_the_ledger_reads_in_markdown_as_it_stands(text: str) -> None:
    for before in ("> ", "Found: ", "- name: ", "- "):
        tokens = MarkdownIt().enable("strikethrough").parse(before + _plain(text))
        (inline,) = [token for token in tokens if token.type == "inline"] or [None]
        if inline is None:
            assert not text.split()
            continue
        said = "".join(child.content for child in inline.children or ())
        assert {child.type for child in inline.children or ()} <= {"text", "text_special"}
        assert said.endswith(" ".join(text.split()))
