"""One row's loss for each sign of its response, growth around 0, and the map of positive responses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["family", "share_map"]


def family(rows: Sequence[Row]) -> Drawing:
    """Left: (y − max(0, z))². Right: dips across the kink of the response that was turned positive."""
    figure, axes = canvas(2)
    loss, dips = axes[0]
    z = np.linspace(-1.5, 1.5, 301)
    for y, line, colour in zip((-1.0, 0.0, 1.0), ("-", "--", ":"), COLOURS, strict=False):
        loss.plot(z, (y - np.maximum(0, z)) ** 2 - y * y, ls=line, color=colour, label=f"y = {y:g}")
    loss.axvline(0, color="0.6", lw=0.8)
    loss.set(
        xlabel="z = zᵢ·β",
        ylabel="row's loss − y²",
        ylim=(-1.3, 3),
        title="Kink up, none, kink down",
    )
    loss.legend(loc="upper left")
    mine = [r for r in rows if r["experiment"] == "positive"]
    kinds = (("l1", "λ1 alone"), ("l2", "λ2 alone"), ("both", "both"))
    for (regime, name), mark, colour in zip(kinds, "osx", COLOURS, strict=False):
        points = [(r["size"], max(r["dip"], 1e-12)) for r in mine if r["regime"] == regime]
        if points:
            dips.plot(*zip(*points, strict=True), mark, ms=4, color=colour, label=name)
    dips.axhline(1e-9, color="0.4", lw=0.8, ls="--")
    dips.set(
        xscale="log",
        yscale="log",
        xlabel="the one positive response",
        ylabel="middle above chord, share of f",
        title="Violation of convexity, one mark a seed",
    )
    if mine:
        dips.legend(loc="center left", bbox_to_anchor=(1, 0.5), title="penalty")
    caption = (
        "Left: the loss of one row as a function of z, for a negative, a zero and a positive response. "
        "Right: with one response turned positive, how far the function's middle lies above a chord across "
        "that row's kink (float64; dashed: what counts as a violation)."
    )
    return Drawing("family", caption, figure)


def share_map(rows: Sequence[Row]) -> Drawing:
    """For how many instances 0 stays the minimiser, over share and size of the positive responses."""
    figure, axes = canvas(1, width=5.8, height=3.8)
    cells = [r for r in rows if r["experiment"] == "map"]
    border = None
    if cells:
        # the bound is proportional to the size of the positive responses
        shares = sorted({r["x"] for r in cells})
        unit = {r["x"]: r["enough"] / r["y"] for r in cells}
        border = (shares, [cells[0]["strength"] / unit[x] for x in shares])
    strength = f"{cells[0]['strength']:g}" if cells else "λ1"
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="share of responses that are positive",
        ylabel="their size (the others: uniform on [−1, 0])",
        title=f"0 stays the minimiser of eq. 3, λ1 = {strength}, λ2 = 0",
        border=border,
        border_label="below: it must (bound in the notes)",
        share_label="share of instances",
    )
    caption = (
        "How far the premise y ≤ 0 can be given up before 0 is no longer the minimiser: random instances, "
        "float64; a lower point is looked for on rays from 0. The paper's own premise is the left edge, no "
        "positive response."
    )
    return Drawing("map", caption, figure)
