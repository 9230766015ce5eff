"""Final norms with their controls, on random and on real data, and the map of step and strength."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.lasso_paradox._experiments import (
    COLUMNS,
    PRINTED_POINT,
    SMALL,
    complete_seeds,
)
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["norms", "strength_map"]

_METHODS = {
    "norm": "subgradient, constant step",
    "narrow_high": "|b| rounded over 0.001",
    "wide_high": "|b| rounded over 0.1",
    "attached": "torch SGD, penalty attached",
    "prox": "proximal (FISTA)",
    "exact": "exact",
}


def norms(rows: Sequence[Row]) -> Drawing:
    """Where each method ends, a mark a seed; on real data over the step."""
    figure, axes = canvas(2)
    _draw_random(axes[0, 0], rows)
    _draw_real(axes[0, 1], rows)
    caption = (
        "Left: random data as printed, with the controls on the same data and starts. "
        "Right: real data over the step."
    )
    return Drawing("norms", caption, figure)


def strength_map(rows: Sequence[Row]) -> Drawing:
    """Share of seeds with the larger norm, and the border P α λ1 / 2 = exact norm at 0.1."""
    figure, axes = canvas(1, width=5.4, height=3.6)
    exact = [r["exact"] for r in rows if r["experiment"] == "map"]
    strengths = [float(l1) for l1 in np.geomspace(0.05, 200, 50)]
    draw_share_map(
        figure,
        axes[0, 0],
        [r for r in rows if r["experiment"] == "map"],
        xlabel=f"the larger λ1 (the smaller is {SMALL:g})",
        ylabel="step α",
        title="Seeds with the larger norm at the larger λ1",
        mark=PRINTED_POINT,
        mark_label="the paper's λ1",
        border=(strengths, [2 * float(np.median(exact)) / (COLUMNS * l1) for l1 in strengths])
        if exact
        else None,
        border_label="theory: P α λ1/2 = exact norm",
        share_label="share of seeds",
    )
    caption = (
        "How the sentence depends on the step, which is not printed (the star: the worked example's). "
        f"Theory: P α λ1/2 above the exact norm at {SMALL:g}. Random data, float64."
    )
    return Drawing("map", caption, figure)


def _draw_random(ax: Any, rows: Sequence[Row]) -> None:
    seeds = complete_seeds(rows)
    labels = ("tiny", "small", "large")
    for k, (method, name) in enumerate(_METHODS.items()):
        for j, label in enumerate(labels):
            values = [max(s[label][method], 1e-3) for s in seeds if method in s[label]]
            ax.plot(
                [j + 0.14 * (k - 2.5)] * len(values),
                values,
                "osDvx^"[k],
                color=COLOURS[k],
                ms=3,
                alpha=0.5,
                label=name if label == "small" else None,
            )
    ax.hlines(1.62, 0.55, 1.45, color="black", lw=1, ls="--", label="printed")
    ax.hlines(25.4, 1.55, 2.45, color="black", lw=1, ls="--")
    ax.set_xticks(range(3), [f"{seeds[0][label]['strength']:g}" if seeds else label for label in labels])
    ax.set(
        yscale="log",
        ylim=(6e-4, 900),
        xlabel="strength λ1",
        ylabel="final ‖b‖₁ (0 drawn at 0.001)",
        title="One mark a seed",
    )
    ax.legend(loc="upper left", ncols=2, fontsize=7)


def _draw_real(ax: Any, rows: Sequence[Row]) -> None:
    real = sorted((r for r in rows if r["experiment"] == "real"), key=lambda r: r["stepsize"])
    for k, name in enumerate(sorted({r["data"] for r in real})):
        mine = [r for r in real if r["data"] == name]
        steps = [r["stepsize"] for r in mine]
        larger, smaller = [r["norm_large"] for r in mine], [r["norm_small"] for r in mine]
        ax.plot(steps, larger, "s-", color=COLOURS[1 + 2 * k], ms=4, label=f"{name}, λ1 = 25 λmax")
        ax.plot(steps, smaller, "o--", color=COLOURS[2 * k], ms=4, label=f"{name}, λ1 = 0.25 λmax")
        exact = "exact, 0.25 λmax (exact at 25 λmax: 0)" if k == 0 else None
        ax.axhline(mine[0]["exact_small"], color="0.4", ls=":", lw=1, label=exact)
    ax.set(
        xscale="log", yscale="log", xlabel="step α", ylabel="final ‖b‖₁, median of starts", title="Real data"
    )
    ax.minorticks_off()
    ax.set_xticks([r["stepsize"] for r in real], [f"{r['stepsize']:.2g}" for r in real])
    if real:
        ax.legend(fontsize=7)
