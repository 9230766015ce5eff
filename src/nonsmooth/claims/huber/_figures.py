"""The paper's Figure 4 with its controls, and what the step changes around 2/L."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims._edge_plan import FACTORS as NETWORK_FACTORS
from nonsmooth.claims.huber._experiments import FACTORS, LOSSES, MAP_LOSSES, PRINTED, select
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["figure_4", "large_steps", "threshold", "width_map"]

_NETWORK_LOSSES = {"huber": "Huber", "log-cosh": "log cosh", "square": "half the square"}
_TOP = 1e12  # a run that is higher has diverged
_MARKS, _LINES = "osx", ("-", "--", ":")


def figure_4(rows: Sequence[Row]) -> Drawing:
    """The loss of seed 0 at the two printed steps, one panel a loss."""
    figure, axes = canvas(3, width=3.3)
    for ax, (loss, name) in zip(axes[0], LOSSES.items(), strict=True):
        for label, colour, line in zip(("small", "large"), COLOURS, ("--", "-"), strict=False):
            for row in select(rows, "printed", loss=loss, label=label):
                if row.get("curve"):
                    curve = [np.nan if value is None else value for value in row["curve"]]
                    ax.plot(curve, color=colour, lw=1.0, ls=line, label=f"α = {row['stepsize']:g}")
        ax.set(yscale="log", ylim=(1e-3, 1e3), xlabel="iteration", ylabel="loss (float64)", title=name)
        if ax.lines:
            ax.legend(loc="lower right")
    caption = (
        "The paper's Figure 4 (left) and its two controls on the same data and start: the analytic log cosh "
        "behaves like Huber, the square with the same curvature diverges."
    )
    return Drawing("figure-4", caption, figure)


def threshold(rows: Sequence[Row]) -> Drawing:
    """Where the runs end, and how fast the loss oscillates, over the step in units of 2/L."""
    figure, axes = canvas(2)
    size_ax, frequency_ax = axes[0]
    for (loss, name), mark, line, colour in zip(LOSSES.items(), _MARKS, _LINES, COLOURS, strict=False):
        runs = [select(rows, "grid", loss=loss, factor=factor) for factor in FACTORS]
        if not all(runs):
            continue
        look = {"marker": mark, "ms": 4, "ls": line, "color": colour, "label": name}
        size_ax.plot(FACTORS, [np.median([_end(r) for r in each]) for each in runs], **look)
        if loss != "square":
            frequency_ax.plot(FACTORS, [np.median([r["frequency"] for r in each]) for each in runs], **look)
    for ax in axes[0]:
        drawn = bool(ax.lines)
        ax.axvline(1, color="0.4", lw=0.8)
        ax.set(xscale="log", xlabel="step over 2/L")
        if drawn:
            ax.legend()
    size_ax.set(
        yscale="log",
        ylabel="greatest late loss / first loss",
        title="Where it ends (1e12 stands for divergence)",
    )
    frequency_ax.set(
        ylim=(-0.02, 0.55),
        ylabel="frequency (cycles a step)",
        title="Huber's frequency jumps to 1/2 at 2/L",
    )
    caption = (
        "Dependence on the step: medians over both data laws and all seeds, float64. Just above 2/L the "
        "iterates of log cosh alternate between two mirror points of equal loss, so its loss shows no "
        "oscillation there."
    )
    return Drawing("threshold", caption, figure)


def width_map(rows: Sequence[Row]) -> Drawing:
    """Share of seeds that oscillate for good, over the step and the width of the quadratic part."""
    figure, axes = canvas(2, width=4.6, height=3.6)
    edges = [r["edge"] for r in select(rows, "printed", law="uniform", label="large")]
    for ax, loss in zip(axes[0], MAP_LOSSES, strict=True):
        draw_share_map(
            figure,
            ax,
            select(rows, "map", loss=loss),
            xlabel="step over 2/L",
            ylabel="width of the quadratic part",
            title=LOSSES[loss],
            mark=(min(PRINTED["large"] / np.median(edges), 20), 1.0) if edges else None,
            mark_label=f"α = {PRINTED['large']:g}, eq. 10",
            border=([1, 1], [0.01, 1000]),
            border_label="theory: 2/L",
            share_label="share of seeds",
        )
    caption = (
        "Share of seeds that neither converge nor diverge in 400 steps: the step against 2/L decides, for "
        "Huber as for its analytic twin, whatever the width. Uniform data, float64."
    )
    return Drawing("map", caption, figure)


def large_steps(rows: Sequence[Row]) -> Drawing:
    """Networks: how high the loss ends over the step, one mark a run."""
    runs = select(rows, "network-steps")
    names = sorted({r["activation"] for r in runs})
    figure, axes = canvas(max(1, len(names)), width=3.3, sharey=True)
    for ax, name in zip(axes[0], names or [""], strict=True):
        for k, ((loss, label), mark, colour) in enumerate(
            zip(_NETWORK_LOSSES.items(), _MARKS, COLOURS, strict=False)
        ):
            mine = [r for r in runs if (r["activation"], r["loss"]) == (name, loss)]
            # set a little apart, so that the losses' marks do not hide each other
            ax.plot(
                [r["factor"] * 1.15 ** (k - 1) for r in mine],
                [_TOP if r["diverged"] else max(r["late"] / r["first"], 1e-3) for r in mine],
                mark,
                color=colour,
                ms=4,
                mfc="none",
                label=label,
            )
        ax.axvline(1, color="0.4", lw=0.8)
        ax.set(
            xscale="log",
            yscale="log",
            xlabel="step over 2/sharpness of the start",
            title=f"{name} network" if name else "not run",
        )
        ax.minorticks_off()
        ax.set_xticks(NETWORK_FACTORS, [f"{factor:g}" for factor in NETWORK_FACTORS])
    axes[0, 0].set_ylabel("greatest late loss / first loss")
    if names:
        axes[0, 0].legend(loc="upper left")
    caption = (
        "Networks after 75 to 100 full-batch steps, one mark a run; 1e12 stands for divergence. The square "
        "diverges from 8 times 2/sharpness on; losses of bounded slope do so with ReLU only. float32."
    )
    return Drawing("large-steps", caption, figure)


def _end(row: Row) -> float:
    return min(max(row["late_high"] / row["start"], 1e-12), 1e12)
