"""The paper's Figure 1 with its twins, and how far it depends on the step and the starts."""

from __future__ import annotations

from collections.abc import Sequence

from nonsmooth.claims._claim import Row
from nonsmooth.claims.capture._experiments import KINDS, MAP_KINDS, border_half_width
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map, number

__all__ = ["figure_1", "start_map"]

_PANELS = {
    "loss": ("Loss L2", "loss (float64)"),
    "max_norm": ("Max norm ‖β‖∞", "‖β_k‖∞"),
    "distance": ("Distance to the minimiser ‖β‖₂", "‖β_k‖₂"),
}


def figure_1(rows: Sequence[Row]) -> Drawing:
    """Loss, max norm and distance to the minimiser of seed 0, kinked and differentiable."""
    figure, axes = canvas(3, width=3.3)
    drawn = {r["kind"]: r for r in rows if r["experiment"] == "figure" and r.get("times")}
    looks = zip(KINDS.items(), COLOURS, ("-", "--", "-.", ":"), strict=False)
    for (kind, name), colour, line in looks:
        if kind in drawn:
            for ax, curve in zip(axes[0], _PANELS, strict=True):
                ax.plot(drawn[kind]["times"], drawn[kind][curve], color=colour, ls=line, label=name)
    for ax, (title, label) in zip(axes[0], _PANELS.values(), strict=True):
        ax.set(xlabel="iteration k", title=title, ylabel=label)
    axes[0, 0].set(yscale="log", xscale="symlog", xlim=(0, None))
    axes[0, 1].axhline(1, color="0.4", lw=0.8)
    if drawn:
        axes[0, 0].legend(fontsize=7)
    caption = (
        "The paper's Figure 1 (left and middle) with its twins: all have a monotone loss and a max norm that "
        "passes 1, while the Euclidean distance to the minimiser falls."
    )
    return Drawing("figure-1", caption, figure)


def start_map(rows: Sequence[Row]) -> Drawing:
    """Share of seeds that do both, over the step and the half-width of the starts: kinked and twin."""
    figure, axes = canvas(2, width=4.6, height=3.6)
    stepsize = next((r["stepsize"] for r in rows if r["experiment"] == "figure"), 1e-3)
    border = border_half_width()
    edge = next((r["edge"] for r in rows if r["experiment"] == "map" and r["edge"]), 2e-3)
    for ax, kind in zip(axes[0], MAP_KINDS, strict=True):
        cells = [r for r in rows if r["experiment"] == "map" and r["kind"] == kind]
        draw_share_map(
            figure,
            ax,
            cells,
            xlabel="step α (not printed)",
            ylabel="half-width of the starts",
            title=KINDS[kind],
            mark=(stepsize, 1.0),
            mark_label="printed starts, chosen α",
            border=([1e-5, edge], [border, border]),
            border_label=f"theory: {border:.2f}",
            logy=False,
            share_label="share of seeds",
        )
    caption = (
        "Share of seeds whose loss falls throughout while the max norm passes 1, with ReLU and with its "
        "differentiable twin, over the step and the starts: uniform on plus or minus the half-width. Theory "
        f"speaks of steps up to the twin's 2/L = {number(edge)}."
    )
    return Drawing("starts", caption, figure)
