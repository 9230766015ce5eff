"""One entry's path under a summable schedule, where all runs end, and the map over the schedule."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.geometric_steps._experiments import DECAYS, WIDTHS, select
from nonsmooth.claims.geometric_steps._judgement import merged
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["map_", "paths"]

_MARKS, _LINES = "osx^", ("-", "--", "-.", ":")
_FLOOR = 1e-8


def paths(rows: Sequence[Row]) -> Drawing:
    """|b| of one entry over the steps; and the final distance over the sum of the steps, by width."""
    figure, axes = canvas(2, width=4.6)
    path, ends = axes[0]
    looks = list(zip(WIDTHS["toy"], _MARKS, _LINES, COLOURS, strict=False))
    for width, mark, line, colour in looks:
        name = f"rounded over {width:g}" if width else "kinked"
        for row in select(rows, "curves", width=width):
            path.plot(np.maximum(row["path"], _FLOOR), mark + line, ms=3, color=colour, label=name)
        points: dict[float, list[float]] = {}
        for row in select(rows, "ends", family="toy", width=width):
            points.setdefault(round(row["total"] / (1 - row["decay"]), 9), []).extend(row["final"])
        if points:
            medians = sorted((reach, max(float(np.median(final)), _FLOOR)) for reach, final in points.items())
            ends.plot(*zip(*medians, strict=True), mark, ms=4, color=colour, label=name)
    path.set(
        yscale="log",
        xlabel="intervals passed (factor 1/2 after each)",
        ylabel="|b| (floor 1e-8)",
        title="One entry, 0.73 at the start, sum of steps 2",
    )
    ends.set(
        xscale="log",
        yscale="log",
        xlabel="sum of all steps Σα λ1",
        ylabel="final over first distance (floor 1e-8)",
        title="Toy LASSO, medians, all schedules",
    )
    ends.axvline(1, color="0.4", lw=0.8)
    for ax in axes[0]:
        if ax.get_legend_handles_labels()[0]:
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    caption = (
        "Left: under one summable schedule the kinked run follows the step down; a twin contracts inside its "
        "bend, fast if that is narrow and to a halt if it is wide. Right: no run arrives before the sum of "
        "the steps (times the slope) reaches the distance of its start, kinked or not."
    )
    return Drawing("paths", caption, figure)


def map_(rows: Sequence[Row]) -> Drawing:
    """The share of seeds that end in the vicinity, over the first stage's sum and the factor."""
    figure, axes = canvas(1, width=5.4, height=4.0)
    decays = np.linspace(min(DECAYS) / 1.5, 0.98, 60)
    cells = merged(rows)
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="sum of the first interval's steps",
        ylabel="factor after each interval",
        title="Toy LASSO: ends in the vicinity of 0",
        mark=(1.0, 0.1) if cells else None,
        mark_label="0.1: StepLR's default",
        border=((1 - decays).tolist(), decays.tolist()) if cells else None,
        border_label="sum of all steps = 1",
        logy=False,
        share_label="share of seeds",
    )
    caption = (
        "Share of seeds that end near the minimiser. Starts are uniform on [−1, 1], λ1 = 1: the border is "
        "where the sum of all steps reaches the furthest entry."
    )
    return Drawing("map", caption, figure)
