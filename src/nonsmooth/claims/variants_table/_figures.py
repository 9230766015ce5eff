"""Table 1 as printed beside what was found, and where RMSProp forgets λ1."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.variants_table._judgement import PRINTED, cells
from nonsmooth.claims.variants_table._optimisers import OPTIMISERS
from nonsmooth.findings import Drawing, canvas, draw_share_map

__all__ = ["jitter_map", "table_1"]

_COLUMNS = ("β0 influences", "λ1 influences", "stays at 0")


def table_1(rows: Sequence[Row]) -> Drawing:
    """The paper's Table 1: a printed row, then what was found for each optimiser of that row."""
    figure, axes = canvas(1, width=7.2, height=3.3)
    ax = axes[0, 0]
    ax.set_axis_off()
    found = cells(rows)
    text, labels, shades = [], [], []
    for row in ("vanilla", "momentum", "RMSProp"):
        labels.append(f"{row}, as printed")
        text.append([_words(PRINTED[row, c], "") if (row, c) in PRINTED else "–" for c in _COLUMNS])
        shades.append(["0.9"] * 3)
        for name, optimiser in OPTIMISERS.items():
            if optimiser.row != row:
                continue
            labels.append(f"   found: {optimiser.title}")
            here = [found.get((name, c)) for c in _COLUMNS]
            text.append(["not run" if cell is None else _words(*cell) for cell in here])
            shades.append(["white"] * 3)
    drawn = ax.table(
        cellText=text,
        rowLabels=labels,
        colLabels=_COLUMNS,
        cellColours=shades,
        cellLoc="center",
        rowLoc="left",
        bbox=(0.34, 0.0, 0.64, 1.0),
    )
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(9)
    for cell in drawn.get_celld().values():
        cell.set_edgecolor("0.7")
    caption = (
        "The paper's Table 1 (shaded; it prints nothing of what influences momentum) and each cell as found "
        "by experiment, float64."
    )
    return Drawing("table-1", caption, figure)


def _words(answer: bool | None, counted: str) -> str:
    """The answer, or where it is neither, of how many pairs of starts it is so."""
    return counted.partition(" seeds")[0] if answer is None else "yes" if answer else "no"


def jitter_map(rows: Sequence[Row]) -> Drawing:
    """Share of seeds that end as at λ1 = 100, over λ1 and the jitter."""
    figure, axes = canvas(1, width=5.8, height=3.7)
    mine = [r for r in rows if r["experiment"] == "map"]
    jitters = sorted({r["y"] for r in mine})
    draw_share_map(
        figure,
        axes[0, 0],
        mine,
        xlabel="λ1",
        ylabel="jitter ε̄",
        title="RMSProp ends as at λ1 = 100 (to 1 % of α)",
        border=([360 * jitter**0.5 for jitter in jitters], jitters) if mine else None,
        border_label="1300 ε̄/λ1² = 1 %",
        share_label="share of seeds",
    )
    if mine:
        axes[0, 0].set_xlim(10**-8.5, 10**2.5)
    caption = "“Only β0 influences” needs λ1 far above the root of the jitter."
    return Drawing("map", caption, figure)
