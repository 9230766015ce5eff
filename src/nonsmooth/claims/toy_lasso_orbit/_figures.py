"""The orbit with its parities, and where it ends on the kinked penalty and on its twins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.toy_lasso_orbit._experiments import MAP_PRODUCTS, WIDTHS
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["orbit", "parity_map", "twin"]

_MARKS = "osx^"


def orbit(rows: Sequence[Row]) -> Drawing:
    """Three entries of one run, and how often all entries share a parity."""
    figure, axes = canvas(2)
    entries, parity = axes[0]
    for row in rows:
        if row["experiment"] == "curves":
            k, path = row["entry"], np.array(row["path"]) / row["product"]
            entries.plot(path, marker=_MARKS[k], ms=4, color=COLOURS[k], label=f"entry {k + 1}")
    if entries.lines:
        entries.legend()
    entries.axhspan(-1, 1, color="0.9", zorder=0)
    entries.axhline(0, color="0.3", lw=0.8)
    entries.set(
        xlabel="step t", ylabel="entry / (α λ1)", title="Entries cross 0 for ever, each with its own parity"
    )
    shares = sorted((r["P"], r["common"] / r["n"]) for r in rows if r["experiment"] == "formula")
    if shares:
        dimensions = np.arange(1, shares[-1][0] + 1)
        parity.plot(dimensions, 2.0 ** (1 - dimensions), color="0.5", ls="--", label="$2^{1-P}$")
        parity.plot(*zip(*shares, strict=True), "o", color=COLOURS[0], label="measured")
        parity.set(yscale="log")
        parity.legend()
    parity.set(
        xlabel="number of entries P", ylabel="share of starts", title="One parity for all entries (eq. 8)"
    )
    caption = "Left: three entries of one run. Right: how often eq. 8's single parity is met."
    return Drawing("orbit", caption, figure)


def parity_map(rows: Sequence[Row]) -> Drawing:
    """Share of starts with one parity for all entries, over P and α λ1."""
    figure, axes = canvas(1, width=5.4, height=3.6)
    product = next((r["product"] for r in rows if r["experiment"] == "curves"), 0.01)
    draw_share_map(
        figure,
        axes[0, 0],
        [r for r in rows if r["experiment"] == "map"],
        xlabel="α λ1",
        ylabel="number of entries P",
        title="Starts with one parity for all entries (eq. 8)",
        mark=(product, 2),
        mark_label="chosen α λ1, P as in the worked example",
        border=([MAP_PRODUCTS[0] / 2, MAP_PRODUCTS[-1] * 2], [2, 2]),
        border_label="theory: 2^(1−P) = 1/2",
        share_label="share of starts",
    )
    ticks = sorted({r["y"] for r in rows if r["experiment"] == "map"})
    axes[0, 0].minorticks_off()
    axes[0, 0].set_yticks(ticks, [str(tick) for tick in ticks])
    caption = "Eq. 8's one parity for all entries: the share falls with P alone. Uniform starts, float64."
    return Drawing("map", caption, figure)


def twin(rows: Sequence[Row]) -> Drawing:
    """The final distance to 0 over the step, one curve a width."""
    figure, axes = canvas(1, width=5.6)
    ax = axes[0, 0]
    constant = [r for r in rows if r["experiment"] == "twins" and r["kind"] == "constant"]
    for width, mark, colour in zip((0.0, *WIDTHS), _MARKS, COLOURS, strict=False):
        ends = sorted((r["product"], max(r["amplitude"], 1e-12)) for r in constant if r["width"] == width)
        if ends:
            label = f"|x| rounded over d = {width:g}" if width else "|x| (kink)"
            ax.plot(*zip(*ends, strict=True), marker=mark, ms=4, color=colour, label=label)
            if width:
                ax.axvline(2 * width, color=colour, ls=":", lw=1)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="α λ1 (dotted: 2/L of each twin)",
        ylabel="final |b|, median (floor 1e-12)",
        title="Constant step: final distance to 0",
    )
    if constant:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    caption = "The kinked penalty stalls at every step; each twin only beyond its own 2/L."
    return Drawing("twin", caption, figure)
