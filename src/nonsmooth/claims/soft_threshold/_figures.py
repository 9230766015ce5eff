"""Where soft-thresholding ends: the LASSO by use, least deviations by step; and a map over the width."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.soft_threshold._network_judgement import certified, lowered
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["gaps", "networks", "width_map"]

_USES = {
    "never": "never",
    "once": "once,\nat the end",
    "by hand": "Adam,\nby hand",
    "attached": "Adam,\nattached",
    "each step": "each step\n(ISTA)",
}
_NETWORK_USES = {
    "once": "once",
    "Adam by hand": "Adam,\nby hand",
    "momentum by hand": "momentum,\nby hand",
    "proximal": "ISTA",
    "Adam proximal": "Adam,\nown step",
    "Adam proximal falling": "own step,\nfalling",
}
_RUNS = {
    "kinked_below": "kinked,\nconstant",
    "fading_late": "kinked,\ndiminishing",
}


def gaps(rows: Sequence[Row]) -> Drawing:
    """One mark a seed: duality gap on the LASSO, excess on least absolute deviations."""
    figure, axes = canvas(2)
    left, right = axes[0]
    solved = [r for r in rows if r["experiment"] == "lasso"]
    _strips(left, {title: [r["gap"] for r in solved if r["use"] == use] for use, title in _USES.items()})
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


def networks(rows: Sequence[Row]) -> Drawing:
    """One mark a seed, by use: how far the objective can be lowered from where a network ended."""
    figure, axes = canvas(2, width=4.9, sharey=True)
    for ax, activation, title in zip(axes[0], ("relu", "gelu"), ("ReLU", "GELU"), strict=True):
        mine = [r for r in rows if r["experiment"] == "trained" and r["activation"] == activation]
        ends = {
            words: [
                lowered(r) for r in mine if r["use"] == use and r["live"] and (certified(r) or lowered(r) > 0)
            ]
            for use, words in _NETWORK_USES.items()
        }
        _strips(ax, ends)
        ax.axhline(1e-6, color="0.4", lw=0.8, ls="--")
        ax.tick_params(axis="x", labelsize=7)
        ax.set(xlabel="soft-thresholded", title=f"{title}, one hidden layer")
    axes[0, 0].set_ylabel("can be lowered by, over f(0) (float64)")
    caption = (
        "One mark a seed with a live unit; 1e-17 stands for less; dashed: what counts as optimal. Down to a "
        "certified strict local minimum beside the end, or, without one, by 100 small steps (a lower bound; "
        "left out where they find nothing lower). By hand: threshold α λ1; own step: λ1 times Adam's "
        "effective step, constant or falling."
    )
    return Drawing("networks", caption, figure)


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
    for k, (values, mark) in enumerate(zip(groups.values(), "osxD^v", strict=False)):
        at = k + np.linspace(-0.25, 0.25, max(len(values), 1))[: len(values)]
        ax.plot(at, np.maximum(values, 1e-17), ls="none", marker=mark, ms=3.5, color=COLOURS[k])
    ax.set_xticks(range(len(groups)), list(groups))
    ax.set(yscale="log", ylim=(1e-18, 1e1))
