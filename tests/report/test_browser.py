"""The pages in a real browser, opened from disk: silent, readable, and right in both themes and on paper."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from nonsmooth.report import write_page

pytestmark = pytest.mark.slow

# Every text whose contrast with what lies behind it is below WCAG AA (4.5, or 3 for large text).
CONTRAST = """() => {
  const rgb = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => { const s = c.slice(0, 3).map(v => linear(v / 255));
    return .2126 * s[0] + .7152 * s[1] + .0722 * s[2]; };
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length === 3 || c[3] === 1) return c; } return [255, 255, 255]; };
  const bad = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !e.getClientRects().length || e.closest("script")) continue;
    const style = getComputedStyle(e), size = parseFloat(style.fontSize);
    const [a, b] = [light(rgb(style.color)), light(behind(e))].sort((x, y) => y - x);
    const least = size >= 24 || (size >= 18.66 && style.fontWeight >= 700) ? 3 : 4.5;
    if ((a + .05) / (b + .05) < least) bad.push([walk.currentNode.textContent.trim(), (a + .05) / (b + .05)]);
  }
  return bad;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    path = os.environ.get("NONSMOOTH_CHROMIUM") or shutil.which("chromium")
    if not path:
        pytest.fail("no Chromium found; install one, or set NONSMOOTH_CHROMIUM to its path")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )
        yield browser
        browser.close()


@pytest.fixture
def visit(browser, folder: Path) -> Iterator[Callable]:
    """Open the page; at the end, hold it against what it asked for and what it complained about."""
    contexts, asked, said = [], [], []

    def open_page(width: int = 1280, scheme: str = "light", path: Path = folder / "report.html", **options):
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
        page.goto(path.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert len(asked) >= len(contexts)
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert all(url.endswith(("/report.html", "/errata.html")) for url in asked if url.startswith("file:"))
    assert said == []


def pixels(target) -> np.ndarray:
    return imread(io.BytesIO(target.screenshot()), format="png")[..., :3]


PAGES = pytest.mark.parametrize("name", ["report.html", "errata.html"])


@PAGES
@pytest.mark.parametrize("width", [1280, 768, 400, 320])
def test_nothing_sticks_out_sideways(visit: Callable, folder: Path, width: int, name: str) -> None:
    page = visit(width, path=folder / name)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@PAGES
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_drawn_with_contrast(visit: Callable, folder: Path, scheme: str, width: int, name: str) -> None:
    page = visit(width, scheme, path=folder / name)
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    seen = pixels(page)
    assert seen.std() > 0.05
    assert (seen.mean() > 0.8) if scheme == "light" else (seen.mean() < 0.25)
    assert page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_load_and_take_the_ground_of_their_theme(visit: Callable, scheme: str) -> None:
    page = visit(1280, scheme)
    sizes = page.evaluate("[...document.images].map(i => i.complete && i.naturalWidth)")
    assert len(sizes) == 4
    assert all(sizes)
    picture = page.locator(".paper").first
    picture.scroll_into_view_if_needed()
    seen = pixels(picture)
    corner, middle = seen[12, 12], np.median(seen.reshape(-1, 3), axis=0)
    assert np.abs(corner - middle).max() < 0.02  # the figure's own ground has melted into the card's
    assert (middle.mean() > 0.9) if scheme == "light" else (middle.mean() < 0.2)
    assert seen.std() > 0.02


def test_colours_that_stand_for_values_are_never_turned(visit: Callable) -> None:
    seen = {}
    for scheme in ("light", "dark"):
        picture = visit(1280, scheme).locator(".tinted img")
        picture.scroll_into_view_if_needed()
        seen[scheme] = pixels(picture)[20:-20, 20:-20]  # within its rounded corners
    assert seen["light"].shape == seen["dark"].shape
    assert np.abs(seen["light"] - seen["dark"]).max() < 0.02


def test_the_toggle_beats_the_system_and_is_remembered(visit: Callable) -> None:
    page = visit(scheme="light")
    ground = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(ground)
    page.get_by_role("button", name="Dark page").click()
    assert page.evaluate(ground) != light
    assert page.get_by_role("button", name="Light page").is_visible()
    page.emulate_media(color_scheme="dark")
    page.get_by_role("button", name="Light page").click()
    assert page.evaluate(ground) == light
    page.reload()
    assert page.evaluate(ground) == light


def test_paper_is_white_and_shows_what_is_folded(visit: Callable) -> None:
    page = visit(scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(28, 31, 36)"
    assert page.evaluate("getComputedStyle(document.querySelector('.paper img')).filter") == "none"
    assert not page.locator("#theme").is_visible()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("[...document.querySelectorAll('details')].every(d => d.open)")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert not page.evaluate("[...document.querySelectorAll('details')].some(d => d.open)")


@PAGES
def test_it_prints(visit: Callable, folder: Path, name: str) -> None:
    assert visit(path=folder / name).pdf(format="A4").startswith(b"%PDF")


def test_the_errata_fold_their_rules_and_paper_shows_them(visit: Callable, folder: Path) -> None:
    page = visit(path=folder / "errata.html")
    rule = page.locator("article details p").first
    assert not rule.is_visible()
    page.locator("article summary").first.click()
    assert rule.is_visible()
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert page.evaluate("[...document.querySelectorAll('details')].every(d => d.open)")


def test_the_pages_link_to_each_other(visit: Callable, folder: Path) -> None:
    page = visit(path=folder / "report.html")
    page.get_by_role("link", name="Points that do not hold as printed").click()
    assert page.get_by_role("heading", level=1).text_content() == "Points that do not hold as printed"
    page.get_by_role("link", name="report.html").click()
    assert page.get_by_role("table", name="Verdicts").is_visible()


def test_a_folded_errata_reads_without_scripts(visit: Callable, folder: Path) -> None:
    page = visit(path=folder / "errata.html", java_script_enabled=False)
    assert page.get_by_role("heading", name="Causes that the controls do not bear out").is_visible()
    page.locator("article summary").first.click()
    assert page.locator("article details p").first.is_visible()


def test_keyboard_and_names(visit: Callable) -> None:
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the verdicts"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#verdicts"
    table = page.get_by_role("table", name="Verdicts")
    assert table.get_by_role("row").count() == 10  # heads, six claims, three sections
    table.get_by_role("link", name="lasso-paradox").click()
    assert page.evaluate("location.hash") == "#lasso-paradox"
    assert page.get_by_role("heading", name="lasso-paradox").is_visible()


def test_a_narrow_table_is_still_a_table(visit: Callable) -> None:
    table = visit(400).get_by_role("table", name="Verdicts")
    assert table.get_by_role("row").count() == 10  # heads, six claims, three sections
    assert table.get_by_role("cell", name="not supported").count() > 0


def test_the_command_is_copied(visit: Callable) -> None:
    page = visit()
    page.get_by_role("button", name="Copy").first.click()
    page.get_by_role("button", name="Copied").wait_for(timeout=2000)


def test_it_reads_without_scripts(visit: Callable) -> None:
    page = visit(java_script_enabled=False)
    assert not page.locator("#theme").is_visible()
    assert page.get_by_role("table", name="Verdicts").is_visible()


def test_a_hostile_ledger_runs_nothing(visit: Callable, folder: Path, tmp_path: Path) -> None:
    attack = "<script>alert(1)</script><img src=x onerror=alert(2)><a href=javascript:alert(3)>x</a>"
    ledger = json.loads((folder / "ledger.json").read_text(encoding="utf-8"))
    for claim in ledger["claims"]:
        claim["id"] = claim["statement"] = claim["where"] = claim["notes"][0] = attack
        claim["findings"][0].update(name=attack, measured=attack, why=attack, reported=attack)
    path = write_page(ledger, {}, tmp_path / "report.html", inventory=[], built=[])
    page = visit(path=path)
    page.wait_for_timeout(200)
    assert page.locator("img").count() == 0
    assert page.get_by_text("<script>alert(1)</script>").count() > 0
