"""Where soft-thresholding ends: the LASSO by use, least deviations by step; and a map over the width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["gaps", "width_map"]

_USES = {
    "never": "never",
    "once": "once,\nat the end",
    "by hand": "Adam,\nby hand",
    "attached": "Adam,\nattached",
    "each step": "each step\n(ISTA)",
}
_RUNS = {
    "kinked_below": "kinked,\nconstant",
    "fading_late": "kinked,\ndiminishing",
}


def gaps(rows: Sequence[Row]) -> Drawing:
    """One mark a seed: duality gap on the LASSO, excess on least absolute deviations."""
    figure, axes = canvas(2)
    left, right = axes[0]
    _strips(left, {title: [r["gap"] for r in rows if r.get("use") == use] for use, title in _USES.items()})
    left.set(xlabel="soft-thresholded", ylabel="duality gap / mean y² (float64)", title="LASSO of eq. 15")
    mine = [r for r in rows if r["experiment"] == "deviations"]
    _strips(right, {title: [r[name] for r in mine] for name, title in _RUNS.items()})
    right.set(
        xlabel="thresholded subgradient steps",
        ylabel="excess / mean |y| (float64)",
        title="Least absolute deviations with L1",
    )
    caption = (
        "One mark a seed; 1e-17 stands for less. Soft-thresholding each step is optimal on the LASSO; after "
        "Adam's steps it is if the threshold is Adam's own step times λ1 (attached), not α λ1 (by hand)."
    )
    return Drawing("gaps", caption, figure)


def width_map(rows: Sequence[Row]) -> Drawing:
    """Share of seeds whose rounded loss becomes stationary; the border is 2/L."""
    figure, axes = canvas(1, width=5.6, height=3.7)
    cells = [r for r in rows if r["experiment"] == "map"]
    ends = [min(r["y"] for r in cells), max(r["y"] for r in cells)] if cells else []
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="step over N/||W||²",
        ylabel="width d over which |residual| is rounded",
        title="Stationary after 8000 thresholded steps",
        border=([2 * end for end in ends], ends) if cells else None,
        border_label="2/L = 2d",
        share_label="share of seeds",
    )
    caption = "Right of the border the constant step stalls, on the rounded loss as on the kink (d = 0)."
    return Drawing("map", caption, figure)


def _strips(ax, groups: dict[str, list[float]]) -> None:
    for k, (values, mark) in enumerate(zip(groups.values(), "osxD^", strict=False)):
        at = k + np.linspace(-0.25, 0.25, max(len(values), 1))[: len(values)]
        ax.plot(at, np.maximum(values, 1e-17), ls="none", marker=mark, ms=3.5, color=COLOURS[k])
    ax.set_xticks(range(len(groups)), list(groups))
    ax.set(yscale="log", ylim=(1e-18, 1e1))
