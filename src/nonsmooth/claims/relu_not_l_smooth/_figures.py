"""The quotient over h: activations, and the loss that they are part of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.relu_not_l_smooth._experiments import LENGTHS, RESPONSES
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["quotients", "width_map"]

_MARKS = "osx^vD*+P"


def quotients(rows: Sequence[Row]) -> Drawing:
    """Left: kinked activations climb, twins level off. Right: growth of the loss's quotient."""
    figure, axes = canvas(2, width=4.9, height=3.4)
    left, right = axes[0]
    mine = [r for r in rows if r["experiment"] == "activations"]
    for row, mark, k in zip(mine, _MARKS, range(len(mine)), strict=False):
        style = "-" if row["kind"] == "kinked" else "--" if row["kind"] == "twin" else ":"
        values = np.maximum(row["quotient"], 1e-6)
        colour = COLOURS[k % len(COLOURS)]
        left.plot(LENGTHS, values, ls=style, marker=mark, ms=3.5, color=colour, label=row["name"])
    left.set(
        xscale="log", yscale="log", ylim=(1e-1, 1e13), xlabel="h", ylabel="(q′(h) − q′(−h)) / 2h (float64)"
    )
    left.set_title("Kinked: solid; twins: dashed; C1 only: dotted")
    if mine:
        left.legend(fontsize=7, ncols=1, loc="upper right")
    for k, name in enumerate(RESPONSES):
        growths = [r["growth"] for r in rows if r["experiment"] == "loss" and r["response"] == name]
        jitter = np.linspace(-0.2, 0.2, max(len(growths), 1))[: len(growths)]
        right.plot(k + jitter, growths, ls="none", marker=_MARKS[k], ms=3.5, color=COLOURS[k])
    right.axhline(100, color="0.4", ls="--", lw=1)
    right.axhline(1, color="0.4", ls=":", lw=1)
    right.text(1.0, 110, "1/h: no L", ha="center", va="bottom", fontsize=8, color="0.3")
    right.text(0.0, 1.1, "L-smooth", ha="center", va="bottom", fontsize=8, color="0.3")
    right.set_xticks(range(len(RESPONSES)), [f"y {name}" for name in RESPONSES])
    right.set(
        yscale="log",
        ylim=(0.5, 300),
        xlabel="response of the single-layer network",
        ylabel="growth of the gradient's quotient",
        title="Loss, h from 1e-4 to 1e-6 across a kink",
    )
    caption = (
        "Left: the quotient of ReLU is 1/(2h); that of each twin is at most its largest second derivative. "
        "Right: the kink of the activation reaches the squared loss through its slope −2y, one mark a seed."
    )
    return Drawing("quotient", caption, figure)


def width_map(rows: Sequence[Row]) -> Drawing:
    """Where a rounded ReLU's quotient cannot be told from the kink's."""
    figure, axes = canvas(1, width=5.6, height=3.7)
    cells = [r for r in rows if r["experiment"] == "map"]
    ends = [min(r["y"] for r in cells), max(r["y"] for r in cells)] if cells else []
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="h",
        ylabel="width d over which ReLU is rounded",
        title="Quotient above half of the kink's 1/(2h)",
        border=([end / 4 for end in ends], ends) if cells else None,
        border_label="h = d/4",
        share_label="share of points",
    )
    caption = "At a given h a ReLU rounded over less than 4h looks like a kink; only h → 0 tells them apart."
    return Drawing("map", caption, figure)
