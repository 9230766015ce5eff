"""The page without a browser: whole, escaped, asking for nothing, honest about what is missing."""

from __future__ import annotations

import base64
import hashlib
import html
import itertools
import re
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from nonsmooth.claims import reproduce
from nonsmooth.errors import InputError
from nonsmooth.report import SavedFigure, render_page, write_page

HOSTILE = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>'{{ 7 * 7 }}</style>"
VOID = {"meta", "link", "img", "br", "col", "input", "hr"}


class Page(HTMLParser):
    """Every tag with its attributes, the text outside style and script, and whether tags nest."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: given or "" for name, given in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: given or "" for name, given in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def flat(text: str) -> str:
    return " ".join(text.replace("`", " ").split())


def without_spaces(text: str) -> str:
    return re.sub(r"\s|`", "", text)


def hostile(entry: Any) -> Any:
    """A ledger in which every string that a claim can choose attacks the page."""
    if isinstance(entry, dict):
        kept = ("result", "attribution", "answer", "part")
        return {k: v if k in kept else hostile(v) for k, v in entry.items()}
    if isinstance(entry, list):
        return [hostile(item) for item in entry]
    return HOSTILE if isinstance(entry, str) else entry


def test_every_finding_ruling_setting_and_note_is_there(ledger: dict, known: dict) -> None:
    text = without_spaces(Page(render_page(ledger, {}, **known)).text)
    for claim in ledger["claims"]:
        said = [claim["id"], claim["where"], claim["statement"], *claim["notes"]]
        for ruling in claim["rulings"]:
            said += [
                ruling[name]
                for name in ("part", "answer", "why", "region", "statement", "where", "rule", "twin")
            ]
            against = ruling["answer"] in ("differs", "holds in part", "not supported")
            said += [ruling["repair"]] if against else []
        for finding in claim["findings"]:
            said += [
                finding["name"],
                finding["measured"],
                finding["why"],
                finding["reported"] or "",
                str(finding["n"]),
            ]
        for setting in claim["unstated"]:
            said += [setting["name"], setting["why"]]
        for words in said:
            assert without_spaces(words) in text, words


def test_each_finding_stands_in_the_table_of_its_part(ledger: dict, known: dict) -> None:
    page = render_page(ledger, {}, **known)
    claim = ledger["claims"][0]
    section = page[page.index('<section class="claim"') :]
    articles = section[: section.index("</section>")].split('<article class="part">')[1:]
    for article, ruling in zip(articles, claim["rulings"], strict=True):
        for finding in claim["findings"]:
            mine = finding["part"] == ruling["part"]
            assert (html.escape(finding["name"]) in article) is mine


def test_a_repair_stands_only_where_something_is_to_repair(ledger: dict, known: dict) -> None:
    for claim in ledger["claims"]:
        for ruling in claim["rulings"]:
            ruling["repair"] = f"repair of {claim['id']}, {ruling['part']}, {ruling['answer']}"
    said = re.findall(r"repair of [^<]*, ([a-z ]+)<", render_page(ledger, {}, **known))
    assert set(said) == {"differs", "holds in part", "not supported"}


def test_contents_and_verdicts_follow_the_sections_of_the_paper(ledger: dict) -> None:
    from nonsmooth.claims import inventory

    order = {entry.id: entry.section for entry in inventory()}
    ledger["claims"] = [{**ledger["claims"][0], "id": id} for id in (*order, "one-of-ones-own")]
    page = render_page(ledger, {})
    nav = re.findall(r"<div><b>(.*?)</b>\s*<ul>(.*?)</ul>", page, re.DOTALL)
    assert [html.unescape(section) for section, _ in nav] == [*dict.fromkeys(order.values()), "Other claims"]
    linked = [(section, id) for section, links in nav for id in re.findall(r'href="#([^"]*)"', links)]
    assert linked == [*((section, id) for id, section in order.items()), ("Other claims", "one-of-ones-own")]
    table = page[page.index('<table class="verdicts') : page.index("</table>")]
    assert re.findall(r'scope="rowgroup"[^>]*>(.*?)<', table) == [section for section, _ in nav]


def test_the_papers_own_figures_and_tables_are_indexed(ledger: dict, known: dict, folder: Path) -> None:
    svg = next(folder.glob("figures/*.svg"))
    names = ["figure-10", "map", "figure-4", "table-1", "figure-4-right", "figures", "figure-4"]
    drawn = [SavedFigure("huber", name, f"{name}.", svg, svg) for name in names]
    page = render_page(ledger, {"huber": drawn}, folder=folder, **known)
    index = page[page.index("drawn again</b>") : page.index("</nav>")]
    assert re.findall(r'href="#([^"]*)">([^<]*)', index) == [
        ("huber--figure-4", "Figure 4"),
        ("huber--figure-4-right", "Figure 4"),
        ("huber--figure-4-", "Figure 4"),
        ("huber--figure-10", "Figure 10"),
        ("huber--table-1", "Table 1"),
    ]
    for anchor, _ in re.findall(r'href="#([^"]*)">([^<]*)', index):
        assert page.count(f'<figure id="{anchor}">') == 1
    assert "drawn again" not in render_page(ledger, {}, **known)


def test_findings_of_no_declared_part_are_shown_too(ledger: dict, known: dict) -> None:
    ledger["claims"][0]["findings"][0]["part"] = "a part nobody declared"
    page = Page(render_page(ledger, {}, **known))
    assert "Further findings" in page.text
    assert ledger["claims"][0]["findings"][0]["name"] in page.text


def test_tags_nest_and_ids_are_unique_and_linked(ledger: dict, known: dict) -> None:
    ledger["claims"].append({**ledger["claims"][0]})  # the same id twice must still give two anchors
    page = Page(render_page(ledger, {}, **known))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for a in page.all("a") + page.all("use") if a["href"].startswith("#")]
    assert set(targets) <= set(ids)
    labels = [attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes]
    assert set(labels) <= set(ids)


def test_headings_skip_no_level(ledger: dict, known: dict) -> None:
    levels = [
        int(tag[1]) for tag, _ in Page(render_page(ledger, {}, **known)).tags if re.fullmatch("h[1-6]", tag)
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_nothing_a_claim_says_is_markup(ledger: dict, known: dict, folder: Path) -> None:
    figure = SavedFigure(HOSTILE, HOSTILE, HOSTILE, next(folder.glob("figures/*.svg")), folder / "x.pdf")
    clean = Page(render_page(ledger, {}, folder=folder, **known))
    entries = [SimpleNamespace(id=HOSTILE, section=HOSTILE, where=HOSTILE, summary=HOSTILE)]
    attacked = hostile(ledger)
    page = Page(render_page(attacked, {HOSTILE: [figure]}, folder=folder, inventory=entries, built=[]))
    assert len(page.all("script")) == len(page.all("style")) == 1
    assert page.all("script") == clean.all("script")
    assert all(
        "src" in img and img["src"].startswith("data:image/svg+xml;base64,") for img in page.all("img")
    )
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "alert(1)" in page.text  # shown as text, in full
    assert "{{ 7 * 7 }}" in page.text
    assert "49" not in re.sub(r"[0-9a-f]{9,}", "", page.text)


def test_the_page_asks_for_nothing(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    page = Page(text)
    for tag, attributes in page.tags:
        for name in ("src", "srcset", "poster", "data", "action", "formaction", "background", "xlink:href"):
            assert attributes.get(name, "data:").startswith("data:"), (tag, attributes)
        if tag not in ("a", "use"):
            assert attributes.get("href", "data:").startswith("data:"), (tag, attributes)
        assert attributes.get("href", "#").startswith(("#", "data:")) or tag == "a"
    assert {"base", "iframe", "object", "embed", "form"}.isdisjoint(tag for tag, _ in page.tags)
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert "url(" not in style
    assert "@import" not in style
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert not re.search(r"fetch|XMLHttpRequest|import\(|https?:", script)


def test_the_policy_allows_the_one_script_by_its_hash(folder: Path) -> None:
    text = (folder / "report.html").read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    (policy,) = [meta["content"] for meta in Page(text).all("meta") if "http-equiv" in meta]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy


def test_figures_are_embedded_with_caption_alternative_text_and_links(folder: Path) -> None:
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert len(page.all("img")) == 4
    for img in page.all("img"):
        assert base64.b64decode(img["src"].split(",")[1]).startswith(b"<?xml")
        assert img["alt"]
        assert int(img["width"]) > 100
    links = [a["href"] for a in page.all("a") if a["href"].startswith("figures/")]
    assert len(links) == 8
    assert all((folder / link).is_file() for link in links)
    assert "ledger.json" in [a["href"] for a in page.all("a")]
    assert "runs.parquet" not in [a["href"] for a in page.all("a")]  # not there, so not linked


def test_a_lost_figure_is_said_in_one_line(ledger: dict, known: dict, tmp_path: Path) -> None:
    gone = SavedFigure("huber", "x", "x", tmp_path / "gone.svg", tmp_path / "gone.pdf")
    with pytest.raises(InputError, match=r"cannot read the figure .*gone\.svg"):
        render_page(ledger, {"huber": [gone]}, **known)


def test_claims_not_built_or_not_run_are_listed_and_never_counted(ledger: dict, known: dict) -> None:
    page = render_page(ledger, {}, **known)
    text = Page(page).text
    assert "6 claims, judged" in text
    assert (
        text.index("Not run here")
        < text.index("rates Sec. 3")
        < text.index("Not built yet")
        < text.index("deep-l1 Fig. 3")
    )
    verdicts = page[page.index('id="verdicts"') : page.index("legend-title")]
    assert "deep-l1" not in verdicts
    assert "rates" not in verdicts
    everything = {"inventory": known["inventory"][:6], "built": known["built"]}
    text = Page(render_page(ledger, {}, **everything)).text
    assert "Not run here" not in text
    assert "Not built yet" not in text


def test_the_tally_counts_claims_strongest_answer_first(ledger: dict, known: dict) -> None:
    page = render_page(ledger, {}, **known)
    tally = Page(
        page[page.index('<div class="tally">') : page.index("<table")].replace("</div>\n  </div>", "</div>")
    )
    assert tally.text == (
        "Result 2 holds 1 holds in part 2 differs 1 not judged "
        "Attribution 1 supported 2 not supported 2 undecided"
    )


def test_the_weakest_part_gives_the_reason(ledger: dict, known: dict) -> None:
    page = render_page(ledger, {}, **known)
    verdicts = Page(page[page.index('<table class="verdicts') : page.index("</table>") + 8]).text
    assert "Exact rationals: 0 of 400 starts reach zero." in verdicts  # the part that differs
    assert "In float64 every start ends on a two-cycle" not in verdicts  # the part that holds in part
    assert "steps of 0.004 and above: The order is as printed" in verdicts


def test_a_long_reason_is_cut_to_its_first_sentence_in_the_table_only(ledger: dict, known: dict) -> None:
    ledger["claims"][4]["rulings"][0]["why"] = "It holds. " + "And so on, at length. " * 20 + "The end."
    page = render_page(ledger, {}, **known)
    split = page.index("</table>")
    assert "The end." not in page[:split]
    assert "The end." in page[split:]


def test_a_claim_without_a_cause_shows_none(ledger: dict, known: dict) -> None:
    page = render_page(ledger, {}, **known)
    section = page[page.index('id="huber"') : page.index('id="unstable-convergence"')]
    assert "Attribution" not in section


def test_the_sweep_shows_each_value_and_marks_the_one_used(ledger: dict, known: dict) -> None:
    page = render_page(ledger, {}, **known)
    table = page[page.index('<table class="plain sweep">') :]
    rows = re.findall(r"<tr.*?</tr>", table[: table.index("</table>")], re.DOTALL)[1:]
    assert [Page(f"<table>{row}</table>").text.split(" differs")[0] for row in rows] == [
        "0.25", "0.5", "1", "used above 2", "4",
    ]  # fmt: skip
    assert "68 of 400" in page[page.index('<table class="plain matrix">') :]


@pytest.mark.parametrize(
    ("change", "command"),
    [
        ({}, "nonsmooth reproduce huber --tier quick"),
        ({"tier": "laptop"}, "nonsmooth reproduce huber --tier laptop"),
        (
            {"data": {"name": "my data.npz", "sha256": "ab" * 32}, "settings": {"data": "file:" + "ab" * 32}},
            "nonsmooth reproduce huber --tier quick --data 'my data.npz'",
        ),
        (
            {"unstated": [{"name": "steps", "value": 7, "default": 9, "why": ""}]},
            "nonsmooth reproduce huber --tier quick --set steps=7",
        ),
        (
            {
                "sweep": [
                    {"setting": "steps", "value": 1, "result": "holds"},
                    {"setting": "steps", "value": 2.5, "result": "holds"},
                ]
            },
            "nonsmooth reproduce huber --tier quick --over steps=1,2.5",
        ),
        (
            {
                "data": {"name": "cifar", "sha256": "ab" * 32},
                "unstated": [
                    {"name": "images", "value": "cifar10:abab", "default": "digits", "why": ""},
                    {"name": "device", "value": "cuda", "default": "cpu", "why": ""},
                ],
            },
            "nonsmooth reproduce huber --tier quick --data-dir cifar --device cuda",
        ),
        ({"claim_file": "my claim.py"}, "nonsmooth reproduce huber --tier quick --claims 'my claim.py'"),
    ],
)
def test_the_command_that_reruns_a_claim(ledger: dict, known: dict, change: dict, command: str) -> None:
    ledger["claims"] = [{**ledger["claims"][4], **change}]
    text = Page(render_page(ledger, {}, **known)).text
    assert f"Run it again {command} Copy" in text
    if "data" in change:
        assert f"{change['data']['name']} (SHA-256 abababababababab…)" in text


def test_runs_of_older_code_are_said(ledger: dict, known: dict) -> None:
    said = "3 of its runs were measured by an earlier version of the code"
    assert said not in Page(render_page(ledger, {}, **known)).text
    ledger["claims"][4]["older_runs"] = 3
    assert said in Page(render_page(ledger, {}, **known)).text


def _keys(rows: list[dict[str, Any]]) -> set[str]:
    """The fields that every row has; that no row has others is asserted."""
    assert rows
    assert all(set(row) == set(rows[0]) for row in rows)
    return set(rows[0])


def test_the_sample_has_the_shape_that_reproduce_writes(ledger: dict, tmp_path: Path) -> None:
    toy = Path(__file__).parents[1] / "toys" / "toy_claim.py"
    settings = {"runs": 6, "delay": 0}
    options: dict[str, Any] = {"engine": "inline", "settings": settings, "claim_files": [toy]}
    (entry,) = reproduce(["toy-mean"], out=tmp_path, over="shift=0,1", **options).ledger.claims
    claims = ledger["claims"]
    assert _keys(claims) == set(entry)
    for field in ("rulings", "findings", "unstated"):
        assert _keys([row for claim in claims for row in claim[field]]) == _keys(entry[field]), field
    points = [point for claim in claims for point in claim["sweep"]]
    assert _keys(points) == _keys(entry["sweep"])
    for field in ("rulings", "findings"):
        mine, theirs = ([row for point in each for row in point[field]] for each in (points, entry["sweep"]))
        assert _keys(mine) == _keys(theirs), field


def test_the_head_says_tier_version_date_hardware_and_digest(ledger: dict, known: dict) -> None:
    page = Page(render_page(ledger, {}, **known))
    head = page.text[: page.text.index("Claim Result")]
    for words in (
        "Tier quick",
        "0.0.0+fixture",
        "2025-01-01 12:00:00 UTC",
        "2.5 GHz, 2 CPUs",
        ledger["digest"][:16],
    ):
        assert words in head
    assert ledger["digest"] in page.text[len(head) :]


@pytest.mark.parametrize("claims", [[], [{"id": "bare", "result": "holds", "attribution": None}]])
def test_a_ledger_with_next_to_nothing_still_gives_a_page(claims: list) -> None:
    page = Page(render_page({"claims": claims, "environment": {}, "digest": ""}, {}, inventory=[], built=[]))
    assert ("No claim was run." in page.text) is (not claims)


def test_an_answer_of_a_later_version_is_shown_as_it_stands(ledger: dict, known: dict) -> None:
    ledger["claims"][0]["result"] = "holds twice over"
    assert "holds twice over" in Page(render_page(ledger, {}, **known)).text


def test_a_ledger_object_or_its_json_give_the_same_page_every_time(ledger: dict, known: dict) -> None:
    page = render_page(ledger, {}, **known)
    assert page == render_page(SimpleNamespace(**ledger), {}, **known)
    assert page == render_page(ledger, {}, **known)


def test_the_inventory_is_the_packages_own_by_default(ledger: dict) -> None:
    from nonsmooth.claims import inventory

    text = Page(render_page(ledger, {})).text
    for entry in inventory():
        assert entry.id in text


def test_the_page_is_written_whole_or_not_at_all(
    ledger: dict, known: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_page(ledger, {}, tmp_path / "new" / "report.html", **known)
    before = path.read_bytes()
    assert before == render_page(ledger, {}, folder=path.parent, **known).encode()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    ledger["claims"] = []
    with pytest.raises(InputError, match="No space left on device"):
        write_page(ledger, {}, path, **known)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == ["report.html"]


def test_a_lone_surrogate_does_not_cost_the_page(ledger: dict, known: dict, tmp_path: Path) -> None:
    ledger["claims"][0]["notes"] = ["half a pair: \ud83d"]
    path = write_page(ledger, {}, tmp_path / "report.html", **known)
    assert "half a pair: ?" in path.read_text(encoding="utf-8")


def test_a_path_below_a_file_is_said_in_one_line(ledger: dict, known: dict, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(InputError, match=r"cannot make the folder .*taken"):
        write_page(ledger, {}, tmp_path / "taken" / "report.html", **known)
