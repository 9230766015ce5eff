"""The page: a ledger and its figures become one HTML file that asks the network for nothing.

Everything is inline: the style, one short script, and each figure as a ``data:`` image (so that the
ids inside two SVG files cannot collide). A content security policy in the page forbids any request
and any script but that one, so even a hostile string that slipped past the escaping could do nothing.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

from jinja2 import Environment

from nonsmooth import claims as registry
from nonsmooth.errors import InputError
from nonsmooth.findings import environment
from nonsmooth.report import _format
from nonsmooth.report._figures import SavedFigure, slug
from nonsmooth.report._files import write_whole
from nonsmooth.report._view import claim_view, made_with, tally

__all__ = ["render_page", "script", "templates", "write_page"]


class _LedgerLike(Protocol):
    @property
    def claims(self) -> Sequence[Mapping[str, Any]]: ...
    @property
    def environment(self) -> Mapping[str, Any]: ...
    @property
    def digest(self) -> str: ...


class _Entry(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def section(self) -> str: ...
    @property
    def where(self) -> str: ...
    @property
    def summary(self) -> str: ...


def templates() -> Environment:
    """The pages' templates, with the filters they use."""
    made = environment("nonsmooth.report")
    made.filters.update(
        count=_format.count,
        duration=_format.duration,
        inline=_format.inline,
        interval=_format.interval,
        number=_format.number,
        slug=slug,
        value=_format.value,
    )
    return made


def script(made: Environment) -> dict[str, str]:
    """The pages' one script, and the hash by which their policy allows it."""
    assert made.loader is not None
    text = made.loader.get_source(made, "page.js")[0].strip()
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
    return {"script": text, "script_hash": digest}


def _beside(path: Path, folder: Path) -> str:
    """Link from the page to a file, relative where that is possible (it is not across Windows drives)."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.resolve().as_uri()


def _natural_width(svg: bytes) -> float:
    """Width of an SVG in CSS pixels: what matplotlib writes in points."""
    found = re.search(rb'<svg\b[^>]*?\swidth="([0-9.]+)pt"', svg[:4000])
    return float(found.group(1)) * 4 / 3 if found else 800.0


def _unused(anchor: str, taken: set[str]) -> str:
    while anchor in taken:
        anchor += "-"
    taken.add(anchor)
    return anchor


# How a claim names a drawing that is one of the paper's own: figure-4, table-1, figure-5-right.
_OWN = re.compile(r"(figure|table)-(\d+)(?:-|$)")


def _own_figures(views: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The drawings that are the paper's own figures and tables done again, in its numbering."""
    own = [
        {"kind": found[1], "number": int(found[2]), "anchor": figure["anchor"], "claim": view["id"]}
        for view in views
        for figure in view["figures"]
        if (found := _OWN.match(figure["name"]))
    ]
    return sorted(own, key=lambda drawing: (drawing["kind"], drawing["number"]))


def _figure_view(figure: SavedFigure, folder: Path, anchor: str) -> dict[str, Any]:
    try:
        svg = figure.svg.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot read the figure {figure.svg} ({error.strerror}); save the figures again"
        ) from None
    return {
        "anchor": anchor,
        "name": figure.name,
        "caption": figure.caption,
        "data": base64.b64encode(svg).decode("ascii"),
        "tinted": figure.tinted,
        "width": round(_natural_width(svg)),
        "links": [("SVG", _beside(figure.svg, folder)), ("PDF", _beside(figure.pdf, folder))],
    }


def _missing(
    claims: Sequence[Mapping[str, Any]], inventory: Sequence[_Entry], built: Sequence[str]
) -> tuple[list[_Entry], list[_Entry]]:
    """Claims of the inventory that the ledger lacks: built but not run here, and not built yet."""
    shown = {claim["id"] for claim in claims}
    others = [entry for entry in inventory if entry.id not in shown]
    return [e for e in others if e.id in built], [e for e in others if e.id not in built]


def render_page(
    ledger: _LedgerLike | Mapping[str, Any],
    figures: Mapping[str, Sequence[SavedFigure]],
    *,
    folder: Path | str = ".",
    inventory: Sequence[_Entry] | None = None,
    built: Sequence[str] | None = None,
) -> str:
    """The page's HTML; the same ledger and figures give the same text.

    Args:
        ledger: a ``Ledger``, or its JSON as a mapping.
        figures: what :func:`save_figures` returned; a claim without figures is shown without.
        folder: where the page will lie; links to figures and to ``ledger.json`` are relative to it.
        inventory, built: the known claims (``id``, ``section``, ``where``, ``summary``) and the ids that
            exist; by default those of ``nonsmooth.claims``.

    Raises:
        InputError: a figure's file is gone.
    """
    folder = Path(folder)
    if isinstance(ledger, Mapping):
        claims, environment, digest = ledger["claims"], ledger["environment"], ledger["digest"]
    else:
        claims, environment, digest = ledger.claims, ledger.environment, ledger.digest
    inventory = registry.inventory() if inventory is None else inventory
    not_run, not_built = _missing(claims, inventory, registry.built() if built is None else built)
    section_of = {entry.id: entry.section for entry in inventory}
    taken: set[str] = set()
    views = []
    for claim in claims:
        anchor = _unused(slug(str(claim["id"])), taken)
        drawn = [
            _figure_view(figure, folder, _unused(f"{anchor}--{slug(figure.name)}", taken))
            for figure in figures.get(claim["id"], ())
        ]
        section = section_of.get(claim["id"], "Other claims")
        views.append({**claim_view(claim), "anchor": anchor, "section": section, "figures": drawn})
    made = templates()
    return made.get_template("page.html").render(
        claims=views,
        digest=digest,
        files=[name for name in ("errata.html", "ledger.json", "runs.parquet") if (folder / name).is_file()],
        made=made_with(environment),
        not_built=not_built,
        not_run=not_run,
        own_figures=_own_figures(views),
        sections=[(name, list(group)) for name, group in groupby(views, key=lambda view: view["section"])],
        **script(made),
        seconds=sum(claim.get("seconds") or 0 for claim in claims),
        tally=tally(claims),
        tiers=sorted({str(claim.get("tier") or "") for claim in claims} - {""}),
    )


def write_page(
    ledger: _LedgerLike | Mapping[str, Any],
    figures: Mapping[str, Sequence[SavedFigure]],
    path: Path | str,
    *,
    inventory: Sequence[_Entry] | None = None,
    built: Sequence[str] | None = None,
) -> Path:
    """Write the page to ``path``, whole or not at all; see :func:`render_page` for the arguments.

    Raises:
        InputError: the file cannot be written, or a figure's file is gone.
    """
    path = Path(path)
    html = render_page(ledger, figures, folder=path.parent, inventory=inventory, built=built)
    # A lone surrogate in some claim's text must not cost the whole page.
    return write_whole(path, html.encode("utf-8", errors="replace"))
