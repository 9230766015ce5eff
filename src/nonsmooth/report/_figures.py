"""Figures on disk: SVG for the page and PDF for a paper, the same bytes for the same drawing."""

from __future__ import annotations

import contextlib
import gc
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nonsmooth.report._files import make_folder, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from nonsmooth.findings import Drawing

__all__ = ["Encoded", "SavedFigure", "encode", "prefixes", "save", "save_figures", "slug"]


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


@dataclass(frozen=True)
class Encoded:
    """A drawing as bytes, as it comes back from a worker; ``stem`` is its file's name without suffix."""

    name: str
    caption: str
    stem: str
    tinted: bool
    svg: bytes
    pdf: bytes


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


@contextlib.contextmanager
def _laid_out(figure: Figure) -> Iterator[None]:
    """The figure with its layout done once, for all formats; left as it was.

    Every save would do it again, with a whole extra drawing to go with it.
    """
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    layout, canvas, dpi = figure.get_layout_engine(), figure.canvas, figure.dpi
    try:
        if layout is not None:
            FigureCanvasSVG(figure)  # measured as the SVG will be, without hinting
            layout.execute(figure)
            figure.set_layout_engine(None)
        yield
    finally:
        figure.set_layout_engine(layout)
        figure.set_canvas(canvas)
        figure.set_dpi(dpi)


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """A figure is very many objects, alive until it is saved: seeking dead ones is a fifth of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


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
    svg, pdf = io.BytesIO(), io.BytesIO()
    # matplotlib makes ticks when it saves, by the style of that moment: the claim's, once more.
    with style(), mpl.rc_context(options), _no_collection(), _laid_out(figure):
        figure.savefig(svg, format="svg", metadata={"Date": None, "Title": stem}, facecolor="white")
        figure.savefig(pdf, format="pdf", metadata={"CreationDate": None, "Title": stem}, facecolor="white")
    return svg.getvalue(), pdf.getvalue()


def prefixes(claims: Iterable[str]) -> dict[str, str]:
    """What the files of each claim begin with: safe in a file name, and no two the same."""
    taken: set[str] = set()
    return {claim: _unused(slug(claim), taken) for claim in claims}


def encode(drawings: Iterable[Drawing], prefix: str) -> list[Encoded]:
    """A claim's drawings as bytes, named ``<prefix>--<name>``; a pure function of both."""
    taken: set[str] = set()
    encoded = []
    for drawing in drawings:
        stem = f"{prefix}--{_unused(slug(drawing.name), taken)}"
        svg, pdf = _encode(drawing.figure, stem)
        encoded.append(Encoded(drawing.name, drawing.caption, stem, _is_tinted(drawing.figure), svg, pdf))
    return encoded


def save(claim: str, figures: Iterable[Encoded], folder: Path | str) -> tuple[SavedFigure, ...]:
    """Write a claim's encoded figures; InputError where the folder cannot be written."""
    folder = make_folder(Path(folder))
    return tuple(
        SavedFigure(
            claim=claim,
            name=figure.name,
            caption=figure.caption,
            svg=write_whole(folder / f"{figure.stem}.svg", figure.svg),
            pdf=write_whole(folder / f"{figure.stem}.pdf", figure.pdf),
            tinted=figure.tinted,
        )
        for figure in figures
    )


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
    names = prefixes(drawings)
    return {claim: save(claim, encode(given, names[claim]), folder) for claim, given in drawings.items()}
