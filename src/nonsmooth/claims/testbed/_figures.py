"""Behaviour by optimiser and step, and over which shapes of data the end is non-smooth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.testbed._experiments import CASES, NORMALISED, select
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map
from nonsmooth.testbed import BEHAVIOURS

__all__ = ["behaviours", "share_map"]

_HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "")
_TINTS = (*COLOURS[:5], "0.85")


def behaviours(rows: Sequence[Row]) -> Drawing:
    """Shares of the behaviours, a bar a method and step; at its right how many end crossing ReLU kinks."""
    figure, axes = canvas(2, width=4.9, height=3.6, sharey=True)
    mine = select(rows, "runs")
    names = [f"{method}, {step:g}{'' if method in NORMALISED else ' × 2/L'}" for method, step in CASES]
    strengths = sorted({r["l1"] for r in mine}) or [0.0, 1.0]
    drawn: dict[str, Any] = {}
    for ax, l1 in zip(axes[0], (strengths[0], strengths[-1]), strict=True):
        for k, (method, step) in enumerate(CASES):
            runs = [r for r in mine if (r["method"], r["step"], r["l1"]) == (method, step, l1)]
            left = 0.0
            for name, hatch, tint in zip(BEHAVIOURS, _HATCHES, _TINTS, strict=True):
                width = sum(r["behaviour"] == name for r in runs) / max(len(runs), 1)
                if width:
                    bar = ax.barh(k, width, left=left, color=tint, hatch=hatch, edgecolor="white", height=0.7)
                    drawn[name] = bar
                    left += width
            if runs:
                crossing = sum(r["relu_kinks"] for r in runs) / len(runs)
                ax.text(1.02, k, f"{crossing:.0%}", va="center", fontsize=8)
        ax.set_yticks(range(len(CASES)), names)
        ax.set(
            xlim=(0, 1.16),
            xlabel="share of seeds (right: ends crossing ReLU kinks)",
            ylabel="optimiser, step",
            title=f"λ1 = {l1:g}, λ2 = 0.01",
        )
        ax.set_xticks(np.linspace(0, 1, 5))
        ax.grid(False)
    axes[0, 0].invert_yaxis()
    if drawn:
        figure.legend(list(drawn.values()), list(drawn), loc="outside lower center", ncols=len(drawn))
    caption = (
        "What each optimiser does on the test problem, by written rules, and how often its last 64 iterates "
        "cross a kink of a ReLU. Same data and starts, float64."
    )
    return Drawing("behaviours", caption, figure)


def share_map(rows: Sequence[Row]) -> Drawing:
    """λ1 = 0: share of runs that end crossing ReLU kinks, over the shape, with Wendel's border."""
    figure, axes = canvas(1, width=5.4, height=3.9)
    cells = select(rows, "map")
    line = np.geomspace(4, 85, 20)
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="rows N",
        ylabel="columns P",
        title="λ1 = 0: runs that end crossing ReLU kinks",
        mark=(20, 500),
        mark_label="Figure 1 (20 × 500)",
        border=(line.tolist(), (line / 2).tolist()),
        border_label="N = 2P (Wendel)",
        share_label="share of seeds",
    )
    caption = (
        "Above the line some b turns every ReLU off, and runs end there, in a smooth problem; below it the "
        "minimum is sharp without any L1 term. White: not run. Subgradient method at half of 2/L, λ2 = 0.01, "
        "float64."
    )
    return Drawing("map", caption, figure)
