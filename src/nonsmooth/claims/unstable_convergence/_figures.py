"""The two-by-two table and the bound over the step; the two functions on which the proposition breaks."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.unstable_convergence._bound import map_cells, smallest_instance
from nonsmooth.claims.unstable_convergence._cycles import Cycle
from nonsmooth.claims.unstable_convergence._experiments import FAMILIES, GROWTH
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["breaks", "growth", "periods", "random_functions"]

_MARKS = "osx^v"


def growth(rows: Sequence[Row]) -> Drawing:
    """Where runs end over the step: by growth and smoothness, and in units of the printed bound."""
    figure, axes = canvas(2)
    _table(axes[0, 0], [r for r in rows if r["experiment"] == "growth"])
    _bound(axes[0, 1], [r for r in rows if r["experiment"] == "families"])
    caption = (
        "Left: the two-by-two control. Right: how far above the minimum runs end, one mark a run, "
        "in units of the printed bound."
    )
    return Drawing("growth", caption, figure)


def breaks(rows: Sequence[Row]) -> Drawing:
    """The smallest orbit above the bound, and the iterates that run off."""
    figure, axes = canvas(2)
    orbit, path = axes[0]
    found = smallest_instance(rows, "smallest")
    if found and found["dimension"] == 2:
        _orbit(figure, orbit, found["smallest"])
    orbit.set(xlabel="x", ylabel="y", title="The bound on the last iterate fails")
    _paths(path, [r for r in rows if r["experiment"] == "unbounded"])
    caption = (
        "The two ways in which the proposition fails as printed: both functions are convex and Lipschitz."
    )
    return Drawing("breaks", caption, figure)


def periods(rows: Sequence[Row]) -> Drawing:
    """How high a periodic orbit can return, over its period: bounds, exact instances, the small search."""
    figure, axes = canvas(1, width=7.2, height=3.2)
    ax = axes[0, 0]
    mine = sorted((r for r in rows if r["experiment"] == "periodic"), key=lambda r: r["period"])
    ax.plot(
        [r["period"] for r in mine],
        [r["bound"] for r in mine],
        "-",
        color=COLOURS[0],
        label="upper bound (semidefinite program)",
    )
    exact = [(r["period"], float(Fraction(r["excess"]))) for r in mine if r["excess"] != "None"]
    searched = [(r["period"], r["best"]) for r in rows if r["experiment"] == "cycles"]
    for points, mark, colour, label in (
        (exact, "o", COLOURS[1], "integer instance, exact"),
        (searched, "x", COLOURS[2], "search: small integers, 1 to 3 dimensions"),
    ):
        ax.plot([p for p, _ in points], [e for _, e in points], mark, color=colour, ms=5, label=label)
    ax.axhline(1, color="0.2", lw=1, label="printed bound α L²")
    ax.axhline(0.5, color="0.2", lw=1, ls=":", label="α L²/2 (best iterate)")
    ticks = sorted({r["period"] for r in mine})
    ax.set(
        xscale="log",
        ylim=(0.4, None),
        xlabel="period of the orbit (logarithmic)",
        ylabel="highest f(x) − f* over α L²",
        title="Worst periodic orbit over all convex Lipschitz functions",
    )
    ax.minorticks_off()
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    caption = (
        "The printed bound holds of the best iterate, not of the last: an orbit may keep returning above it, "
        "the higher the longer its period."
    )
    return Drawing("periods", caption, figure)


def random_functions(rows: Sequence[Row]) -> Drawing:
    """Share of random piecewise linear functions whose late values stay within each bound."""
    figure, axes = canvas(2, width=4.6, height=3.6)
    titles = {"within": "Last 500 values within α L²", "within_half": "Last 500 values within α L²/2"}
    for ax, (field, title) in zip(axes[0], titles.items(), strict=True):
        printed = field == "within"
        draw_share_map(
            figure,
            ax,
            map_cells(rows, field),
            xlabel="step α",
            ylabel="dimension",
            title=title,
            border=([1e-3, 1e4], [1.4, 1.4]) if printed else None,
            border_label="theory: certain below (dimension 1)",
            share_label="share of functions",
        )
        ticks = sorted({r["y"] for r in rows if r["experiment"] == "map"})
        ax.minorticks_off()
        ax.set_yticks(ticks, [str(tick) for tick in ticks])
    caption = (
        "Random piecewise linear functions (integer slopes) obey the printed bound; orbits that break it "
        "have to be searched for. The bound of the best iterate, on the right, the last one does not obey."
    )
    return Drawing("map", caption, figure)


def _table(ax: Any, runs: Sequence[Row]) -> None:
    for name, mark, colour in zip(GROWTH, _MARKS, COLOURS, strict=False):
        sizes = sorted((r["stepsize"], max(r["size"], 1e-12)) for r in runs if r["name"] == name)
        if sizes:
            line = "-" if name.startswith("kinked") else "--"
            ax.plot(*zip(*sizes, strict=True), marker=mark, ls=line, color=colour, ms=4, label=name)
    if runs:
        ax.legend(fontsize=7)
    ax.axvline(1, color="0.4", lw=0.8)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="step α",
        ylabel="late |x|, median (1e30: diverged)",
        title="Growth decides divergence",
    )


def _bound(ax: Any, runs: Sequence[Row]) -> None:
    for k, (family, mark, colour) in enumerate(zip(FAMILIES, _MARKS, COLOURS, strict=False)):
        mine = [r for r in runs if r["family"] == family]
        # set a little apart, so that the families' marks do not hide each other
        steps = [r["stepsize"] * 1.12 ** (k - 2) for r in mine]
        heights = [max(r["late_high"] / r["noise"], 1e-12) for r in mine]
        ax.plot(steps, heights, mark, color=colour, ms=3, alpha=0.6, label=family)
    ax.axhline(1, color="0.2", lw=1, label="printed bound α L²")
    ax.axhline(0.5, color="0.2", lw=1, ls=":", label="α L²/2 (best iterate)")
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(1e-9, 10),
        xlabel="step α",
        ylabel="(late greatest f − f*) / (α L²)",
        title="Five Lipschitz families",
    )
    ax.legend(fontsize=7, loc="lower right")


def _orbit(figure: Any, ax: Any, instance: Row) -> None:
    """The orbit on the height map of the function it belongs to."""
    cycle = Cycle(
        tuple(tuple(g) for g in instance["gradients"]),
        tuple(Fraction(value) for value in instance["values"]),
        tuple(Fraction(coordinate) for coordinate in instance["low"]),
    )
    points = np.array([[float(coordinate) for coordinate in point] for point in cycle.points])
    low = np.array([float(coordinate) for coordinate in cycle.low])
    span = np.vstack([points, low])
    (left, bottom), (right, top) = span.min(axis=0) - 0.8, span.max(axis=0) + 0.8
    X, Y = np.meshgrid(np.linspace(left, right, 200), np.linspace(bottom, top, 200))
    planes = [
        float(value) + g[0] * (X - x) + g[1] * (Y - y)
        for value, g, (x, y) in zip(cycle.values, cycle.gradients, points, strict=True)
    ]
    heights = np.max(planes, axis=0) / cycle.lipschitz_squared
    figure.colorbar(ax.contourf(X, Y, heights, levels=14, cmap="Greys"), label="f / (α L²)")
    closed = np.vstack([points, points[:1]])
    highest = f"x₀: f − f* ≥ {float(cycle.excess):.3f} α L²"
    ax.plot(closed[:, 0], closed[:, 1], "o-", color=COLOURS[1], label=f"orbit of period {len(points)}")
    ax.plot(*points[0], "o", mfc="white", mec=COLOURS[1], ms=9, label=highest)
    ax.plot(*low, "*", color=COLOURS[0], ms=12, label="a point with f ≤ 0")
    ax.legend(fontsize=7, loc="lower right", frameon=True, framealpha=0.9)
    ax.grid(False)


def _paths(ax: Any, runs: Sequence[Row]) -> None:
    for r, mark, colour in zip(sorted(runs, key=lambda r: r["name"]), _MARKS, COLOURS, strict=False):
        path = np.array(r["path"][1:], dtype=float)
        ax.plot(path[:, 0], np.abs(path[:, 1]), mark + "-", color=colour, ms=4, label=r["name"])
    if runs:
        ax.legend(fontsize=7)
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="iteration k (α = 1)",
        ylabel="|x| or y",
        title="Iterates that leave every bounded set",
    )
