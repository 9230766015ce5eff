"""The three regimes on toy LASSO, and where a diminishing schedule ends small."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["decay_map", "regimes"]


def regimes(rows: Sequence[Row]) -> Drawing:
    """Loss over the steps: a floor, a falling floor, and floors in stages."""
    figure, axes = canvas(1, width=6.2, height=3.4)
    ax = axes[0, 0]
    styles = zip(("-", "--", "-."), COLOURS, strict=False)
    mine = [r for r in rows if r["experiment"] == "curves"]
    for row, (line, colour) in zip(mine, styles, strict=False):
        times = np.arange(len(row["curve"])) * row["every"]
        ax.plot(times, np.maximum(row["curve"], 1e-6), ls=line, color=colour, label=row["regime"])
    ax.set(yscale="log", xlabel="step t", ylabel="loss (float64)", title="Toy LASSO, P = 10, one start")
    if mine:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    caption = (
        "A constant step stays on its floor, a reducing one on its last stage's, a diminishing one falls."
    )
    return Drawing("regimes", caption, figure)


def decay_map(rows: Sequence[Row]) -> Drawing:
    """Share of starts that end below 2 % of the first loss."""
    figure, axes = canvas(1, width=5.8, height=3.6)
    draw_share_map(
        figure,
        axes[0, 0],
        [r for r in rows if r["experiment"] == "map"],
        xlabel="first step α0 (λ1 = 1)",
        ylabel="power of the decay (0: constant)",
        title="Loss below 2 % of the first after 4000 steps",
        logy=False,
        share_label="share of starts",
    )
    caption = (
        "Toy LASSO. Upper left: the steps' sum does not reach the minimiser. Lower right: the floor P α_T/2 "
        "is too high."
    )
    return Drawing("map", caption, figure)
