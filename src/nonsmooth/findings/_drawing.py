"""How a claim draws: small matplotlib figures in one quiet style, readable in grey and in print."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "Drawing", "canvas", "style"]

# Okabe and Ito's palette (safe for colour-blind readers), ordered so that lightness differs in grey.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")

_STYLE: dict[Any, Any] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "font.size": 9,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.6,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.4,
    "svg.fonttype": "path",
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}


@dataclass(frozen=True)
class Drawing:
    """A figure with its file name (no suffix) and the caption that makes it readable alone."""

    name: str
    caption: str
    figure: Figure


@contextmanager
def style() -> Iterator[None]:
    """The package's matplotlib style, for as long as the context lasts; nothing global is changed."""
    import matplotlib as mpl

    with mpl.rc_context(_STYLE):
        yield


def canvas(
    columns: int = 2, rows: int = 1, width: float = 4.2, height: float = 3.0, **options: Any
) -> tuple[Figure, Any]:
    """A figure with a grid of axes (always a 2-d array); inches a panel. No display, no window.

    Draw inside ``style()``; ``Claim.drawings`` does.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **options)
