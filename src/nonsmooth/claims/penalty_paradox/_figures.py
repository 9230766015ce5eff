"""The worked example beside its controls, and the map of uniform starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.penalty_paradox._experiments import DRAWN, RATIO, STEPSIZE, border_ratio
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["orbits", "starts_map"]


def orbits(rows: Sequence[Row]) -> Drawing:
    """The norm along the worked example, and where each control ends."""
    figure, axes = canvas(2, height=3.2)
    _draw_example(axes[0, 0], rows)
    _draw_controls(axes[0, 1], rows)
    caption = (
        "Left: the worked example. Right: the same start, step and strengths on the controls. Ridge and |x| "
        "rounded over 0.001 or 0.1 are differentiable and also end larger for λ1 = 100; the proximal step "
        "ends at exact zeros."
    )
    return Drawing("orbits", caption, figure)


def starts_map(rows: Sequence[Row]) -> Drawing:
    """Share of uniform starts with the larger norm, over the step and the ratio of the strengths."""
    figure, axes = canvas(1, width=5.4, height=3.6)
    cells = [r for r in rows if r["experiment"] == "map"]
    border = border_ratio()
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="λ1 of the second run over λ1 = 1 of the first",
        ylabel="step α",
        title="Starts with the larger norm at the larger λ1 (P = 2)",
        mark=(RATIO, STEPSIZE),
        mark_label="the paper's example",
        border=([border, border], [1e-4, 1.0]),
        border_label=f"theory: half of the starts at {border:.2f}",
        share_label="share of starts",
    )
    caption = "How far the sentence reaches: starts uniform on [-1, 1]², float64."
    return Drawing("map", caption, figure)


def _draw_example(ax: Any, rows: Sequence[Row]) -> None:
    drawn = [r for r in rows if r["experiment"] == "worked" and r.get("first") and r["dtype"] == "float64"]
    for row in drawn:
        small = row["l1"] == 1
        colour, marker = (COLOURS[0], ".") if small else (COLOURS[1], "x")
        path = np.maximum(row["first"] + row["second"], 1e-5)
        ax.plot(
            range(len(path)), path, lw=1.0, marker=marker, ms=3, color=colour, label=f"λ1 = {row['l1']:g}"
        )
    ax.axvline(DRAWN, color="0.4", ls=":", lw=1)
    for row in drawn[:1]:  # drawn rows are of the second stage, whose step is a tenth of the first's
        text = f"α = {10 * row['stepsize']:g} → {row['stepsize']:g}"
        ax.text(DRAWN + 8, 0.9, text, fontsize=8, color="0.3", va="top", transform=ax.get_xaxis_transform())
    ax.set(
        yscale="log",
        xlabel=f"step (first {DRAWN} of each stage)",
        ylabel="‖b‖₁ (float64)",
        title="The paper's example: LASSO, constant step",
    )
    if drawn:
        ax.legend(loc="lower left")


def _draw_controls(ax: Any, rows: Sequence[Row]) -> None:
    twins = [r for r in rows if r["experiment"] == "twins"]
    names = list(dict.fromkeys(r["name"] for r in twins))
    for row in twins:
        colour, marker, shift = (COLOURS[0], "o", -0.14) if row["l1"] == 1 else (COLOURS[1], "x", 0.14)
        at = names.index(row["name"]) + shift
        value = min(max(row["norm_high"], 1e-9), 1e9)
        label = f"λ1 = {row['l1']:g}" if row["name"] == names[0] else None
        ax.plot([1e-9, value], [at, at], color=colour, lw=4, alpha=0.35, solid_capstyle="butt")
        ax.plot(value, at, marker, color=colour, ms=5, label=label)
    ax.set_yticks(range(len(names)), [name.replace(", constant step", "") for name in names])
    ax.invert_yaxis()
    ax.set(
        xscale="log",
        ylabel="penalty and step",
        xlabel="final ‖b‖₁ (1e-9 stands for less, 1e9 for more)",
        title="The controls, likewise",
    )
    if twins:
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
