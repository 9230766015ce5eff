"""Differences over eight decades of h, and the map over the distance to the next kink."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.subquadratic._experiments import LENGTHS
from nonsmooth.claims.subquadratic._network_judgement import EDGE
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["differences", "distance_map", "networks"]

_LINES = {
    ("relu", "minimum"): "ReLU, at a minimum",
    ("relu", "trained"): "ReLU, gradient descent's end",
    ("tanh", "minimum"): "tanh, at a minimum",
    ("gelu", "minimum"): "GELU, at a minimum",
}


def differences(rows: Sequence[Row]) -> Drawing:
    """Left: difference over curvature. Right: kinks within h."""
    figure, axes = canvas(2)
    left, right = axes[0]
    places = (("minimiser", "at the minimiser 0", "o", "-"), ("random", "at a random point", "x", "--"))
    for (place, title, mark, line), colour in zip(places, COLOURS, strict=False):
        mine = [r for r in rows if r["experiment"] == "differences" and r["place"] == place]
        if not mine:
            continue
        ratios = np.median([np.abs(np.array(r["measured"]) / r["exact"]) for r in mine], axis=0)
        kinks = np.mean([r["kinks"] for r in mine], axis=0)
        look = {"marker": mark, "ms": 4, "ls": line, "color": colour, "label": title}
        left.plot(LENGTHS, ratios, **look)
        right.plot(LENGTHS, kinks, **look)
    left.axhline(1, color="0.4", lw=0.8)
    left.set(
        xscale="log",
        yscale="log",
        xlabel="h",
        ylabel="difference / curvature (float64)",
        title="Second difference, median of the seeds",
    )
    right.set(xscale="log", xlabel="h", ylabel="kinks within h (mean)", title="Kinks crossed, of 20")
    if left.lines[:-1]:
        left.legend(loc="upper center")
    caption = (
        "Eq. 3 along random directions. At the minimiser the difference grows as 1/h; at a random point it "
        "is right once no kink lies within h, until rounding takes over (h below 1e-6)."
    )
    return Drawing("differences", caption, figure)


def networks(rows: Sequence[Row]) -> Drawing:
    """Left: difference over curvature on networks. Right: growth at the edge, at the oscillation's scale."""
    figure, axes = canvas(2)
    left, right = axes[0]
    for k, ((activation, place), title) in enumerate(_LINES.items()):
        mine = [
            r
            for r in rows
            if r["experiment"] == "network-differences"
            and (r["activation"], r["place"], r["direction"], r["reached"])
            == (activation, place, "random", True)
        ]
        if mine:
            ratios = np.median([np.abs(np.array(r["measured"]) / r["exact"]) for r in mine], axis=0)
            look = {"marker": "osx^"[k], "ms": 4, "ls": ("-", "--", ":", "-.")[k], "color": COLOURS[k]}
            left.plot(LENGTHS, ratios, label=title, **look)
    for k, activation in enumerate(("relu", "tanh", "gelu")):
        edge = [
            r
            for r in rows
            if r["experiment"] == "edge"
            and r["activation"] == activation
            and r["bounded"]
            and r["sharpness"] >= EDGE[0]
            and r["amplitude"] >= EDGE[1]
        ]
        at = k + np.linspace(-0.25, 0.25, max(len(edge), 1))[: len(edge)]
        look = {"marker": "osx"[k], "ms": 3.5, "ls": "none", "color": COLOURS[k]}
        right.plot(at, [r["growth"][1] for r in edge], **look)
    left.set(
        xscale="log",
        yscale="log",
        xlabel="h",
        ylabel="difference / curvature (float64)",
        title="Second difference, median of the seeds",
    )
    right.axhline(1, color="0.4", lw=0.8)
    right.set_xticks(range(3), ["ReLU", "tanh", "GELU"])
    right.set(xlabel="activation", ylabel="growth / quadratic's", title="At the edge, at the amplitude")
    if left.lines:
        left.legend(loc="upper right", fontsize=7)
    caption = (
        "One hidden layer, square loss, random directions. Left: at a kinked minimum the difference grows "
        "as 1/h; on smooth networks it is right down to rounding. Right: one mark a seed that ends at the "
        "edge; below 1 would be subquadratic growth at the oscillation's own amplitude."
    )
    return Drawing("networks", caption, figure)


def distance_map(rows: Sequence[Row]) -> Drawing:
    """Share of seeds whose difference is off; the border is h = distance."""
    figure, axes = canvas(1, width=5.6, height=3.7)
    cells = [r for r in rows if r["experiment"] == "map"]
    ends = [min(r["y"] for r in cells), max(r["y"] for r in cells)] if cells else []
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="h",
        ylabel="distance to the next kink",
        title="Second difference off by more than 10 %",
        border=(ends, ends) if cells else None,
        border_label="h = distance",
        share_label="share of seeds",
    )
    caption = "Eq. 3 along random directions, moved to a given distance from the next kink."
    return Drawing("map", caption, figure)
