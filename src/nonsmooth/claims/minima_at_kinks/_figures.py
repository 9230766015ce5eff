"""How many kinks the minima have; how methods approach them; and the map over samples and units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.minima_at_kinks._judgement import METHODS
from nonsmooth.claims.minima_at_kinks._sizes import TWINS
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["approach", "kinks", "width_map"]

_MARKS = "osx^D"


def kinks(rows: Sequence[Row]) -> Drawing:
    """Left: kinks of each certified minimum. Right: gradient norms at the ends of BFGS."""
    figure, axes = canvas(2)
    left, right = axes[0]
    minima = [r for r in rows if r["experiment"] == "minima"]
    groups = {
        "square": [r for r in minima if r["activation"] == "relu" and r["loss"] == "square"],
        "logistic": [r for r in minima if r["activation"] == "relu" and r["loss"] == "logistic"],
        "leaky, square": [r for r in minima if r["activation"] == "leaky-relu"],
    }
    for k, (name, mine) in enumerate(groups.items()):
        counts = sorted(r["kinks"] for r in mine if r["strict"])
        look = {"marker": _MARKS[k], "ms": 4, "ls": "none", "color": COLOURS[k], "label": name}
        left.plot(np.linspace(0, 1, len(counts)) if counts else [], counts, **look)
    tanh = [r for r in rows if r["experiment"] == "ends" and r["activation"] == "tanh"]
    for values, colour, mark, name in (
        ([r["gradient"] for r in minima if r["activation"] == "relu"], COLOURS[0], "o", "ReLU"),
        ([r["gradient"] for r in tanh], COLOURS[3], "^", "tanh"),
    ):
        if values:
            look = {"marker": mark, "ms": 4, "ls": "none", "color": colour, "label": name}
            right.plot(np.linspace(0, 1, len(values)), sorted(values), **look)
    left.set(xlabel="share of certified minima", ylabel="kinks at the minimum", title="Strict local minima")
    left.set_ylim(bottom=-0.5)
    right.set(
        yscale="log",
        xlabel="share of runs",
        ylabel="gradient norm reached (float64)",
        title="Full-batch BFGS with weight decay",
    )
    for ax in (left, right):
        if ax.lines:
            ax.legend(loc="best")
    caption = (
        "Left: kinks that change the slope, at certified strict local minima of ReLU networks with weight "
        "decay. Right: at a kinked minimum the gradient does not become small, however long the run; on "
        "the smooth network it does (runs stop at 1e-7)."
    )
    return Drawing("kinks", caption, figure)


def approach(rows: Sequence[Row]) -> Drawing:
    """Left: distance to the minimum's kinks by method. Right: gradient kept by activation."""
    figure, axes = canvas(2)
    left, right = axes[0]
    mine = [r for r in rows if r["experiment"] == "near"]
    names = {"started": "start", "constant": "constant\nstep", "falling": "falling\nsteps", "bfgs": "BFGS"}
    assert set(METHODS) < set(names)
    _strips(left, {title: [r[name] for r in mine] for name, title in names.items()}, 1e-16)
    left.set(ylabel="distance to the farthest kink", xlabel="method", title="Beside a kinked minimum")
    twins = {
        f"rounded\nover {twin.partition(':')[2]}": [r["twins"][twin]["kept"] for r in mine] for twin in TWINS
    }
    _strips(right, {"ReLU": [r["kept"] for r in mine], **twins}, 1e-6)
    right.axhline(0.1, color="0.4", lw=0.8)
    right.set(ylabel="gradient norm, after / before", xlabel="activation", title="Constant step")
    caption = (
        "One mark a seed, float64. Left: distance in parameters to the farthest of the minimum's kinks. "
        "Right: a constant step settles (below the line) where the join is wide, and not on a narrow "
        "differentiable one."
    )
    return Drawing("approach", caption, figure)


def width_map(rows: Sequence[Row]) -> Drawing:
    """Share of the certified minima that are at kinks."""
    figure, axes = canvas(1, width=5.6, height=3.7)
    cells = [r for r in rows if r["experiment"] == "map" and r["n"]]
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="samples",
        ylabel="hidden units",
        title="Certified minima at kinks",
        share_label="share of certified minima",
    )
    for name, axis in (("x", axes[0, 0].xaxis), ("y", axes[0, 0].yaxis)):
        places = sorted({r[name] for r in cells})
        axis.set_ticks(places, [f"{place:g}" for place in places])
        axis.set_ticks([], minor=True)
    caption = (
        "Square loss with weight decay, ReLU, one hidden layer, full-batch BFGS finished on faces. A "
        "single unit is often on for all samples, or off for all, and then meets no kink. White: none "
        "certified."
    )
    return Drawing("map", caption, figure)


def _strips(ax, groups: dict[str, list[float]], floor: float) -> None:
    for k, values in enumerate(groups.values()):
        at = k + np.linspace(-0.25, 0.25, max(len(values), 1))[: len(values)]
        ax.plot(at, np.maximum(values, floor), ls="none", marker=_MARKS[k], ms=3.5, color=COLOURS[k])
    ax.set_xticks(range(len(groups)), list(groups))
    ax.set(yscale="log")
