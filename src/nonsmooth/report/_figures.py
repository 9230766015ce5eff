"""Figures on disk: SVG for the page and PDF for a paper, the same bytes for the same drawing."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonsmooth.report._files import make_folder, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nonsmooth.findings import Drawing

__all__ = ["SavedFigure", "save_figures", "slug"]


@dataclass(frozen=True)
class SavedFigure:
    """A drawing on disk: the claim it belongs to, its name and caption, and the two files.

    ``tinted`` says that colours stand for values in it (a map, an image): a dark page then shows it on
    white, since turning its colours round would turn its meaning round.
    """

    claim: str
    name: str
    caption: str
    svg: Path
    pdf: Path
    tinted: bool = False


def slug(text: str) -> str:
    """A text as one safe part of a file name or an HTML id.

    >>> slug("../L1 norm <b>")
    'L1-norm-b'
    """
    return re.sub(r"[^A-Za-z0-9_.]+", "-", text).strip("-.") or "unnamed"


def _unused(name: str, taken: set[str]) -> str:
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}-{count}"
    taken.add(candidate)
    return candidate


def _is_tinted(figure: Figure) -> bool:
    """Whether any mark takes its colour from a value through a colour map."""
    from matplotlib.cm import ScalarMappable

    marks = figure.findobj(lambda artist: isinstance(artist, ScalarMappable))
    return any(isinstance(mark, ScalarMappable) and mark.get_array() is not None for mark in marks)


def _encode(figure: Figure, stem: str) -> tuple[bytes, bytes]:
    import matplotlib as mpl

    from nonsmooth.findings import style

    # Read when saving, not when drawing. Text as paths: an SVG inside <img> may load no font.
    # The salt makes the ids inside the SVG, which are random otherwise, a function of the name.
    options: dict[Any, Any] = {
        "svg.fonttype": "path",
        "svg.hashsalt": stem,
        "pdf.fonttype": 42,
        "savefig.bbox": None,
    }
    layout, svg, pdf = figure.get_layout_engine(), io.BytesIO(), io.BytesIO()
    # matplotlib makes ticks when it saves, by the style of that moment: the claim's, once more.
    with style(), mpl.rc_context(options):
        figure.savefig(svg, format="svg", metadata={"Date": None, "Title": stem}, facecolor="white")
        # The layout is the dear part of saving and is done; a second one would only move things.
        figure.set_layout_engine(None)
        try:
            figure.savefig(
                pdf, format="pdf", metadata={"CreationDate": None, "Title": stem}, facecolor="white"
            )
        finally:
            figure.set_layout_engine(layout)
    return svg.getvalue(), pdf.getvalue()


def save_figures(
    drawings: Mapping[str, Iterable[Drawing]], folder: Path | str
) -> dict[str, tuple[SavedFigure, ...]]:
    """Write every drawing as ``<claim>--<name>.svg`` and ``.pdf``; the same drawing gives the same bytes.

    Args:
        drawings: by id of the claim, what its ``draw`` returned.
        folder: made if it is not there; files of the same name are replaced, others are left.

    Returns:
        By id of the claim, in the order drawn; what :func:`write_page` takes.

    Raises:
        InputError: the folder cannot be written.
    """
    folder = make_folder(Path(folder))
    taken: set[str] = set()
    saved: dict[str, tuple[SavedFigure, ...]] = {}
    for claim, given in drawings.items():
        figures = []
        for drawing in given:
            stem = _unused(f"{slug(claim)}--{slug(drawing.name)}", taken)
            svg, pdf = _encode(drawing.figure, stem)
            figures.append(
                SavedFigure(
                    claim=claim,
                    name=drawing.name,
                    caption=drawing.caption,
                    svg=write_whole(folder / f"{stem}.svg", svg),
                    pdf=write_whole(folder / f"{stem}.pdf", pdf),
                    tinted=_is_tinted(drawing.figure),
                )
            )
        saved[claim] = tuple(figures)
    return saved
