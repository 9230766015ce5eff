"""Figure 5 with the text's λ1 beside it, the shares over λ1 with theory, and the map over iterations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.phase_transition._experiments import (
    CAPTION,
    DECAY,
    DIMENSION,
    FLOATS,
    REALS,
    SMALL,
    STEPSIZE,
    TEXT,
    WINDOW,
)
from nonsmooth.claims.phase_transition._theory import expected, orders
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["figure_5", "shares", "starts_map"]

# An exact 0 has no place on a logarithmic axis: it is drawn at this share of α λ1.
_FLOOR = 1e-2


def figure_5(rows: Sequence[Row]) -> Drawing:
    """The last hundred losses of three starts, at the two printed λ1 and at the text's."""
    figure, axes = canvas(3, width=3.7, height=3.4)
    for ax, l1 in zip(axes[0], (SMALL, TEXT, CAPTION), strict=True):
        mine = sorted(
            (r for r in rows if r["experiment"] == "figure" and r["l1"] == l1),
            key=lambda r: (r["method"], r["seed"]),
        )
        for row in mine:
            colour, mark = (COLOURS[0], "o") if row["method"] == "vanilla" else (COLOURS[1], "x")
            losses = np.maximum(row["losses"], _FLOOR * STEPSIZE * l1 * min(l1, 1))
            label = row["method"] if row["seed"] == mine[0]["seed"] else None
            shade = 1 - 0.3 * row["seed"]
            ax.plot(
                np.arange(-len(losses), 0),
                losses,
                color=colour,
                marker=mark,
                ms=3,
                markevery=9,
                lw=0.8,
                alpha=shade,
                label=label,
            )
        ax.set(yscale="log", xlabel=f"iteration, from the end (last {WINDOW})", title=f"λ1 = {l1:g}")
        ax.set_ylabel("loss λ1 ‖b‖₁")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    caption = (
        "Figure 5 (P = 10, α = 0.1; three uniform starts each, float64); the caption prints λ1 = 100, the "
        "text 1 for the second panel. A start whose RMSProp loss is exactly 0 is drawn at the lower edge."
    )
    return Drawing("figure-5", caption, figure)


def shares(rows: Sequence[Row]) -> Drawing:
    """Shares of starts of each order over λ1, measured and by theory, rounded and over the reals."""
    figure, axes = canvas(2, width=4.2, height=3.6)
    grid = np.geomspace(1e-3, 1e3, 61)
    panels = (("floating point", True, FLOATS), ("over the reals", False, (REALS,)))
    for ax, (title, rounded, kinds) in zip(axes[0], panels, strict=True):
        theory = np.array([orders(DIMENSION, STEPSIZE, l1, DECAY, rounded) for l1 in grid])
        for k, (field, name) in enumerate(
            (("rmsprop_above", "RMSProp above"), ("vanilla_above", "vanilla above"))
        ):
            colour = COLOURS[1 - k]
            ax.plot(grid, theory[:, k], color=colour, ls=("-", "--")[k], lw=1.2, label=f"{name}, theory")
            for kind, mark in zip(kinds, "ox" if k else "s+", strict=False):
                points = sorted(
                    (r["l1"], r[field] / r["n"])
                    for r in rows
                    if r["experiment"] == "ends" and r["arithmetic"] == kind
                )
                if points:
                    style = {"ls": "none", "marker": mark, "color": colour, "ms": 6, "mfc": "none"}
                    ax.plot(*zip(*points, strict=True), label=f"{name}, {kind}", **style)
        ax.axvline(1, color="0.6", lw=0.8, ls=":")
        ax.set(
            xscale="log",
            ylim=(-0.04, 1.04),
            xlabel="λ1",
            ylabel="share of starts, no overlap",
            title=f"At the end, {title}",
        )
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, fontsize=7)
    caption = (
        "Which method's last hundred losses all lie above the other's. Over the reals the order changes at "
        "λ1 = 1; in floating point RMSProp's entries at an exact 0 take from its side. P = 10, α = 0.1, γ = "
        "0.99."
    )
    return Drawing("shares", caption, figure)


def starts_map(rows: Sequence[Row]) -> Drawing:
    """The figure's order over λ1 and the number of iterations."""
    figure, axes = canvas(1, width=6.2, height=4.2)
    ax = axes[0, 0]
    cells = [r for r in rows if r["experiment"] == "map"]
    iterations = max(
        (r["iterations"] for r in rows if r["experiment"] == "ends" and r["arithmetic"] != REALS),
        default=None,
    )
    draw_share_map(
        figure,
        ax,
        cells,
        xlabel="λ1",
        ylabel="iterations",
        title="The figure's order, no overlap (float64)",
        mark=None if iterations is None else (SMALL, iterations),
        mark_label="left panel of Figure 5, at the setting",
        border=([], []),  # its place in the legend; it is drawn below, as it has several branches
        border_label="theory: half of the starts",
        share_label="share of uniform starts",
    )
    if cells:
        x, y = np.geomspace(1e-3, 100, 121), np.geomspace(300, 30_000, 41)
        said = np.array([[_side(a, b) for a in x] for b in y])
        ax.contour(x, y, said, levels=[0.5], colors="black", linewidths=2.8)
        ax.contour(x, y, said, levels=[0.5], colors="white", linewidths=1.4, linestyles="--")
    caption = (
        "RMSProp above for λ1 < 1, vanilla above from λ1 = 1 on. White: theory's border (half of the starts; "
        "not drawn between 1,000 and 3,000 iterations, while RMSProp's entries are rounded to 0). Left of it "
        "vanilla is still on its way."
    )
    return Drawing("map", caption, figure)


def _side(l1: float, iterations: float) -> float:
    said = expected(DIMENSION, STEPSIZE, l1, DECAY, int(iterations))
    return np.nan if said is None else float(said)
