"""Three loss curves, and the share of runs that rise over the step and the width of rounding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.not_descent._experiments import PROBLEMS
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["rises", "width_map"]


def rises(rows: Sequence[Row]) -> Drawing:
    """The loss of seed 0 on each problem; steps that increase it are marked."""
    figure, axes = canvas(3, width=3.4)
    for ax, (problem, title), colour in zip(axes[0], PROBLEMS.items(), COLOURS, strict=False):
        mine = [r for r in rows if r["experiment"] == "rises" and r["problem"] == problem and r["curve"]]
        for row in mine[:1]:
            curve = np.asarray(row["curve"])
            ax.plot(curve, color=colour, lw=1.0)
            up = np.flatnonzero(np.diff(curve) > 0) + 1
            label = f"rises: {row['rises']} of {row['steps']} steps"
            ax.plot(up, curve[up], ".", ms=3, color="black", label=label)
            ax.legend(loc="upper right")
        ax.set(yscale="log", xlabel="step (at most the first 1000)", ylabel="loss (float64)", title=title)
    caption = "Seed 0 of each kinked problem; black: steps at which the loss rose."
    return Drawing("rises", caption, figure)


def width_map(rows: Sequence[Row]) -> Drawing:
    """Share of runs that rise; the border is α = 2d."""
    figure, axes = canvas(1, width=5.6, height=3.7)
    cells = [r for r in rows if r["experiment"] == "map"]
    ends = [min(r["y"] for r in cells), max(r["y"] for r in cells)] if cells else []
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="step α (λ1 = 1)",
        ylabel="width d over which |x| is rounded",
        title="Runs whose loss rises at some step",
        border=([2 * end for end in ends], ends) if cells else None,
        border_label="α = 2/L = 2d",
        share_label="share of runs that rise",
    )
    caption = "A rounded |x| descends exactly below 2/L; a kink (d = 0) lies below the map, where none does."
    return Drawing("map", caption, figure)
