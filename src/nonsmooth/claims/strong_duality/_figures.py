"""Epigraphs with their supporting lines, and where eq. 3's minimum is angled in every direction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.strong_duality._experiments import select
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["epigraphs", "share_map"]

_PANELS = ("smooth", "kink", "vertical", "translated")


def epigraphs(rows: Sequence[Row]) -> Drawing:
    """A smooth and a kinked minimum, a minimum on the boundary of the domain, and one off the axis."""
    figure, axes = canvas(2, 2, width=3.6, height=2.7)
    for ax, panel in zip(axes.flat, _PANELS, strict=True):
        ax.set(xlabel="x", ylabel="height w", xlim=(-2, 2), ylim=(-1.2, 2.4), title=panel)
        for row in select(rows, "panels", panel=panel):
            _epigraph(ax, row)
    caption = (
        "Epigraphs (tinted) and supporting lines (dashed). Top: one line at a smooth minimum, a family at "
        "a kink. Bottom left: with extended values the vertical line through the minimum supports the "
        "epigraph too. Bottom right: with the minimum at c = 1 and the axis at x = 0, q* = w* = f(0) = 1 "
        "(disc), not f(c) = 0 (square)."
    )
    return Drawing("epigraphs", caption, figure)


def share_map(rows: Sequence[Row]) -> Drawing:
    """Share of random data for which the minimum is angled in every direction, at λ1 = 0."""
    figure, axes = canvas(1, width=5.4, height=3.9)
    cells = select(rows, "map")
    columns = np.array([min((c["x"] for c in cells), default=1), max((c["y"] for c in cells), default=2) / 2])
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="parameters P",
        ylabel="rows with y < 0, N",
        title="Eq. 3 with λ1 = 0: angled in every direction",
        mark=(500, 20),
        mark_label="the paper's data, 20x500",
        border=(columns.tolist(), (2 * columns).tolist()),
        border_label="N = 2P (Wendel)",
        share_label="share of random data",
    )
    caption = (
        "λ1 = 0, uniform data on [−1, 1]: the share of data sets for which every direction out of the "
        "minimum has a positive slope. Below the line N = 2P most minima have smooth directions; for N ≤ "
        "P all have. With λ1 > 0 the share is 1 everywhere."
    )
    return Drawing("map", caption, figure)


def _epigraph(ax, row: Row) -> None:
    x, f = np.array(row["x"]), np.array(row["f"])
    ax.fill_between(x, f, 3, color="0.88", lw=0)
    ax.plot(x, f, color="black", lw=1.8)
    across = np.array([-2.0, 2.0])
    for slope, colour in zip(row["slopes"], COLOURS, strict=False):
        ax.plot(across, row["at_axis"] + slope * across, color=colour, ls="--", lw=1.1)
    if row["panel"] == "vertical":
        ax.axvline(0, color=COLOURS[3], ls="--", lw=1.8)
        ax.text(-0.08, 2.1, "vertical", ha="right", va="top", fontsize=8)
    if row["minimiser"] != row["axis"]:
        ax.axvline(0, color="0.4", lw=0.8)
        ax.plot(row["minimiser"], 0, "s", color="black", ms=5)
    ax.plot(row["axis"], row["at_axis"], "o", color="black", ms=5)
    ax.set_title(row["title"], fontsize=9)
