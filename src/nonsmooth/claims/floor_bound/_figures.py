"""The two bounds beside what is measured, the map of the charitable reading, and shrinking steps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.floor_bound._experiments import WIDTHS
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["bounds", "shrinking", "starts_map"]

_MARKS = "osx^"


def bounds(rows: Sequence[Row]) -> Drawing:
    """Left: the final norms by dimension. Right: the mean error over λ1, kinked and rounded."""
    figure, axes = canvas(2, width=5.0, height=3.9)
    norms, twins = axes[0]
    mine = sorted((r for r in rows if r["experiment"] == "cycles"), key=lambda r: r["P"])
    if mine:
        P = np.array([r["P"] for r in mine])
        for name, field, shift, mark, colour in (
            ("larger final norm", "high", 1.06, "^", COLOURS[1]),
            ("smaller final norm", "low", 1 / 1.06, "v", COLOURS[0]),
        ):
            low, middle, high = np.array([r[field] for r in mine]).T
            spread = [middle - low, high - middle]
            norms.errorbar(
                P * shift, middle, yerr=spread, fmt=mark, ms=5, color=colour, capsize=2, label=name
            )
        line = np.array([0.8, 1.25 * P[-1]])
        norms.plot(line, line, color="0.2", ls="-", label="Prop. B.6: P α λ1")
        norms.plot(line, line / 2, color="0.2", ls="--", label="mean of the two: P α λ1/2")
        norms.plot(line, [1, 1], color="0.2", ls=":", label="eq. 9: α λ1")
        norms.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    norms.set(
        xscale="log",
        yscale="log",
        xlabel="number of entries P",
        ylabel="final ‖b‖₁ / (α λ1): median, range",
        title="Where the norm ends, uniform starts",
    )
    for width, mark, colour in zip((0.0, *WIDTHS), _MARKS, COLOURS, strict=False):
        ends = sorted(
            (r["product"], max(r["mean_median"], 1e-9))
            for r in rows
            if r["experiment"] == "twins" and r["width"] == width
        )
        if ends:
            label = f"|x| rounded over d = {width:g}" if width else "|x| (kink)"
            twins.plot(*zip(*ends, strict=True), marker=mark, ms=4, color=colour, label=label)
        if width:
            twins.axvline(2 * width, color=colour, ls=":", lw=1)
    twins.set(
        xscale="log",
        yscale="log",
        xlabel="α λ1 (dotted: 2/L of each twin)",
        ylabel="mean of the last two ‖b‖₁ (floor 1e-9)",
        title="Same Lipschitz constant, with and without kink",
    )
    if twins.get_legend_handles_labels()[1]:
        twins.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    caption = (
        "Left: the two norms between which a run ends alternating, in units of α λ1 (float64), against both "
        "printed bounds. Right: the error over λ1 at one step; functions with the same Lipschitz constant "
        "make none below their own 2/L."
    )
    return Drawing("bounds", caption, figure)


def starts_map(rows: Sequence[Row]) -> Drawing:
    """Share of starts whose smaller final norm is below α λ1."""
    figure, axes = canvas(1, width=6.0, height=4.0)
    theory = sorted((r["P"], r["product"]) for r in rows if r["experiment"] == "border")
    draw_share_map(
        figure,
        axes[0, 0],
        [r for r in rows if r["experiment"] == "map"],
        xlabel="α λ1",
        ylabel="number of entries P",
        title="The smaller of the two final norms is below α λ1",
        mark=(0.01, 2),
        mark_label="the worked example (Section 4)",
        # 1/3 of the starts at P = 3 and all at P = 2, as long as α λ1 is small
        border=([6e-3, theory[0][1], *(x for _, x in theory)], [2.5, 2.5, *(P for P, _ in theory)])
        if theory
        else None,
        border_label="theory: half of the starts",
        share_label="share of uniform starts",
    )
    caption = (
        "The most charitable reading of eq. 9 over α λ1 and P, starts uniform on [-1, 1], float64. Read as "
        "lim sup, eq. 9 holds for every start at P = 1 and for none above."
    )
    return Drawing("map", caption, figure)


def shrinking(rows: Sequence[Row]) -> Drawing:
    """The largest entry under steps that tend to 0, with an infinite or a finite sum, and that stay above."""
    figure, axes = canvas(1, width=6.8, height=4.0)
    ax = axes[0, 0]
    mine = sorted(
        (r for r in rows if r["experiment"] == "shrinking"),
        key=lambda r: (r["kind"], r["schedule"], r["product"]),
    )
    styles = {
        "α": (":", "o"),
        "α, then α/10": (":", "s"),
        "α/(1+t)^0.5": ("-", ""),
        "α/(1+t)": ("--", ""),
        "halved every 10 steps": ("-.", "x"),
    }
    shades: dict[str, int] = {}
    for row in mine:
        line, mark = styles[row["schedule"]]
        shade = shades.setdefault(row["schedule"], 0)
        shades[row["schedule"]] += 1
        ax.plot(
            row["times"],
            np.maximum(row["greatest"], 1e-9),
            ls=line,
            marker=mark,
            markevery=10,
            ms=4,
            color=COLOURS[shade],
            label=f"{row['schedule']}, α λ1 = {row['product']:g}",
        )
    if mine:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="step t",
        ylabel="greatest ‖b‖∞ about t (floor 1e-9)",
        title="Steps that tend to 0, and steps that stay above",
    )
    caption = (
        "Diminishing steps (eq. 4) bring every start to 0, steps that stay above 0 (dotted) to a floor; "
        "those with a finite sum leave starts beyond its reach where they are. Median of five starts, P = 2, "
        "float64; the sudden drops are exact zeros made by rounding, near a kink whose signs take repeated "
        "differences of the steps."
    )
    return Drawing("shrinking", caption, figure)
