"""Claims drawn by several workers: the bytes of one, whatever else happens to them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nonsmooth.claims import Ledger, Outcome, source_of
from nonsmooth.report import _drawers, draw_claims, save_figures
from nonsmooth.runs import load_claim

CLAIM = """
import os
from nonsmooth.claims import Claim, Judgement
from nonsmooth.findings import Drawing, Part, canvas


class Drawn(Claim):
    id, where, statement = {id!r}, "nowhere", "It can be drawn."
    parts = (Part("p", statement, "none"),)

    def runs(self, tier, settings):
        return []

    def measure(self, spec):
        return []

    def judge(self, rows):
        return Judgement([], [])

    def draw(self, rows):
        {trouble}
        figure, axes = canvas(2)
        axes[0, 0].plot([row["x"] for row in rows], label="λ₁ of {id}")
        axes[0, 0].set(yscale="log", xlabel="step")
        axes[0, 0].legend()
        axes[0, 1].pcolormesh([[0, 1], [2, len(rows)]])
        return [Drawing("map", "", figure), Drawing("map", "", canvas(1)[0])]
"""


@pytest.fixture
def made(tmp_path: Path):
    """An outcome with a claim for each (id, what its drawing does first), and where they are found."""

    def make(**troubles: str):
        files = []
        for id, trouble in troubles.items():
            path = tmp_path / f"{id}.py"
            path.write_text(CLAIM.format(id=id, trouble=trouble or "pass"))
            files.append(path)
        sources = {id: source_of(id, files) for id in troubles}
        rows = {id: [{"x": 10.0**k} for k in range(n + 2)] for n, id in enumerate(troubles)}
        claims = {id: load_claim(sources[id]) for id in troubles}
        return Outcome(Ledger.of([], {}), rows, claims), sources

    return make


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_workers_give_the_bytes_that_this_process_gives(made, tmp_path: Path) -> None:
    outcome, sources = made(a="", b="", c="", d="")
    seen = []
    figures, broken = draw_claims(
        outcome, tmp_path / "many", sources=sources, jobs=2, on_drawn=lambda *event: seen.append(event)
    )
    alone, _ = draw_claims(outcome, tmp_path / "one", sources=sources, engine_name="inline")
    plain = {id: claim.drawings(outcome.rows_by_claim[id]) for id, claim in outcome.claims.items()}
    save_figures(plain, tmp_path / "plain")
    assert not broken
    assert list(figures) == list(alone) == list("abcd")
    assert [figure.svg.name for figure in figures["a"]] == ["a--map.svg", "a--map-2.svg"]
    assert contents(tmp_path / "many") == contents(tmp_path / "one") == contents(tmp_path / "plain")
    assert len(contents(tmp_path / "many")) == 16
    assert sorted(id for id, _, _ in seen) == list("abcd")
    assert [(done, total) for _, done, total in seen] == [(k, 4) for k in range(1, 5)]


@pytest.mark.parametrize("engine", ["inline", "processes"])
def test_one_broken_drawing_costs_the_others_nothing(made, tmp_path: Path, engine: str) -> None:
    outcome, sources = made(a="", b="raise KeyError('no colour')", c="")
    figures, broken = draw_claims(outcome, tmp_path / "out", sources=sources, engine_name=engine, jobs=2)
    assert list(figures) == ["a", "c"]
    assert broken == {"b": "drawing failed: KeyError: 'no colour'"}


@pytest.mark.slow
def test_a_worker_that_dies_costs_only_its_own_figures(made, tmp_path: Path) -> None:
    outcome, sources = made(a="", b="os._exit(9)", c="", d="")
    figures, broken = draw_claims(outcome, tmp_path / "out", sources=sources, jobs=2)
    assert list(figures) == ["a", "c", "d"]
    assert broken == {"b": "drawing failed: its worker process died"}


def test_a_few_claims_are_drawn_here(made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, sources = made(a="", b="")
    monkeypatch.setattr(_drawers, "engine", None)  # not asked
    figures, _ = draw_claims(outcome, tmp_path / "out", sources=sources)
    assert list(figures) == ["a", "b"]


def test_an_interrupt_leaves_no_worker_behind(made, tmp_path: Path) -> None:
    outcome, sources = made(a="", b="import time; time.sleep(60)", c="")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        draw_claims(outcome, tmp_path / "out", sources=sources, jobs=2, on_drawn=interrupt)
    assert time.monotonic() - start < 30  # nobody waited for the sleeper
    assert not (tmp_path / "out").exists()
