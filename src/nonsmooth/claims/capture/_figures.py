"""The paper's Figure 1 with its twins, and how far it depends on the step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.capture._experiments import KINDS, MAP_KINDS
from nonsmooth.claims.capture._judgement import share_showing
from nonsmooth.findings import COLOURS, Drawing, canvas

__all__ = ["figure_1", "stepsize_map"]

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


def stepsize_map(rows: Sequence[Row]) -> Drawing:
    """Shares of seeds with a monotone loss, and with the max norm passing 1 as well, over the step."""
    figure, axes = canvas(1, width=5.4)
    ax = axes[0, 0]
    for kind, line in zip(MAP_KINDS, "-:", strict=True):
        cells = [r for r in rows if r["experiment"] == "map" and r["kind"] == kind]
        steps = sorted({r["stepsize"] for r in cells})
        falling = [
            np.mean([r["rises"] == 0 and not r["diverged"] for r in cells if r["stepsize"] == a])
            for a in steps
        ]
        both = [share_showing(cells, a) for a in steps]
        name = KINDS[kind]
        ax.plot(steps, falling, "o" + line, color=COLOURS[0], ms=4, label=f"loss monotone, {name}")
        ax.plot(steps, both, "s" + line, color=COLOURS[1], ms=4, label=f"and max norm passes 1, {name}")
    ax.set(
        xscale="log",
        ylim=(-0.05, 1.05),
        xlabel="step α (not printed)",
        ylabel="share of seeds",
        title="Dependence on the step",
    )
    ax.legend(fontsize=7, loc="lower left")
    caption = "Both sentences, with ReLU and with its differentiable twin, over the step size."
    return Drawing("stepsize", caption, figure)
