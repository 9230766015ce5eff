"""Which share diverges over the step: quadratics and the convex network; and the map over conditioning."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.quadratic_threshold._experiments import KINDS
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["condition_map", "shares"]


def shares(rows: Sequence[Row]) -> Drawing:
    """Left: quadratics jump from 0 to 1 at 2/η. Right: the convex network, over three decades of step."""
    figure, axes = canvas(2)
    left, right = axes[0]
    for kind, mark, line, colour in zip(KINDS, "ox", ("-", "--"), COLOURS, strict=False):
        mine = [r for r in rows if r["experiment"] == "random" and r["kind"] == kind]
        curve = _curve(mine)
        if curve:
            left.plot(*zip(*curve, strict=True), marker=mark, ls=line, color=colour, label=kind)
    left.axvline(1, color="0.4", ls=":", lw=1)
    left.set(xlabel="step over 2/η", ylabel="share of runs that diverge", title="Convex quadratics")
    left.set(ylim=(-0.05, 1.05), xlim=(0.4, 2.1))
    if mine_drawn := left.get_lines()[:-1]:
        left.legend(handles=mine_drawn, loc="center right")
    curve = _curve([r for r in rows if r["experiment"] == "network"])
    if curve:
        right.plot(*zip(*curve, strict=True), marker="s", color=COLOURS[2])
    right.set(
        xscale="log",
        ylim=(-0.05, 1.05),
        xlabel="step over 2/η (η at the start)",
        ylabel="share of runs that diverge",
        title="Eq. 3 (convex ReLU network), λ2 = 0.01",
    )
    caption = (
        "Left: quadratics on both sides of 2/η. Right: the paper's convex network, whose loss grows "
        "quadratically too, far beyond 2/η."
    )
    return Drawing("shares", caption, figure)


def condition_map(rows: Sequence[Row]) -> Drawing:
    """Share that diverges over the step and the condition number; the border is 2/η."""
    figure, axes = canvas(1, width=5.6, height=3.6)
    cells = [r for r in rows if r["experiment"] == "map"]
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="step over 2/η",
        ylabel="condition number",
        title="Runs on definite quadratics that diverge",
        border=([1.0, 1.0], [min(r["y"] for r in cells), max(r["y"] for r in cells)]) if cells else None,
        border_label="2/η",
        logx=False,
        share_label="share of runs that diverge",
    )
    caption = "The border is 2/η whatever the condition number."
    return Drawing("map", caption, figure)


def _curve(rows: Sequence[Row]) -> list[tuple[float, float]]:
    factors = sorted({r["factor"] for r in rows})
    by = {factor: [r["diverged"] for r in rows if r["factor"] == factor] for factor in factors}
    return [(factor, sum(hits) / len(hits)) for factor, hits in by.items()]
