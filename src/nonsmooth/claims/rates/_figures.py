"""The exact worst cases over N, the steps that matched pairs need, and the map over ε and d."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.rates._experiments import FACTORS, FAMILIES, HORIZONS, select
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["map_", "pairs", "worst_cases"]

_KINDS = {
    "smooth": ("smooth, step 1/L", "o", "-"),
    "fista": ("smooth, accelerated", "v", ":"),
    "lipschitz": ("Lipschitz, step for N, best", "s", "-"),
    "last": ("Lipschitz, step for N, last", "^", "--"),
    "fixed": ("Lipschitz, α = D/(2Λ), best", "x", "-."),
}
_MARKS, _LINES = "os", ("-", "--")


def worst_cases(rows: Sequence[Row]) -> Drawing:
    """Worst case over N, with the power that the paper prints; and what tuned kinked runs do."""
    figure, axes = canvas(2, width=4.8)
    exact, measured = axes[0]
    for (kind, (name, mark, line)), colour in zip(_KINDS.items(), COLOURS, strict=False):
        points = sorted((r["N"], r["value"]) for r in select(rows, "certificate", kind=kind))
        if points:
            exact.plot(*zip(*points, strict=True), mark + line, ms=4, color=colour, label=name)
    if exact.lines:
        exact.axhline(0.25, color="0.5", lw=0.8)
        exact.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    exact.set(
        xscale="log",
        yscale="log",
        xlabel="number of steps N",
        ylabel="worst f − f* (in L D² or Λ D)",
        title="Exact worst cases (grey line: αΛ²/2)",
    )
    lengths = sorted({r["N"] for r in select(rows, "certificate")})
    if lengths:
        exact.set_xticks(lengths, [str(N) for N in lengths])
        exact.tick_params(axis="x", which="minor", bottom=False, labelbottom=False)
    for family, mark, line, colour in zip(FAMILIES, _MARKS, _LINES, COLOURS, strict=False):
        mine = select(rows, "pairs", family=family, factor=0.0)
        if mine:
            medians = np.median([r["errors"] for r in mine], axis=0)
            points = [(N, e) for N, e in zip(HORIZONS, medians, strict=True) if 0 < e < np.inf]
            label = f"{FAMILIES[family]}, kinked"
            measured.plot(*zip(*points, strict=True), mark + line, ms=4, color=colour, label=label)
    if measured.lines:
        N = np.array(HORIZONS)
        measured.plot(N, 0.4 * N**-0.5, color="0.4", ls=":", lw=1, label="slope −1/2")
        measured.plot(N, 0.8 / N, color="0.4", ls="-.", lw=1, label="slope −1")
        measured.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    measured.set(
        xscale="log",
        yscale="log",
        xlabel="number of steps N",
        ylabel="(f − f*) / (f(x_0) − f*), median",
        title="Kinked runs, constant step tuned for N",
    )
    caption = (
        "Left: the largest f − f* after N steps over the whole class, by performance estimation: slope −1 on "
        "smooth functions, −1/2 on Lipschitz ones with the step chosen for N; at one constant step it "
        "levels off. Right: what the subgradient method does on the two kinked families."
    )
    return Drawing("worst-cases", caption, figure)


def pairs(rows: Sequence[Row]) -> Drawing:
    """Steps to ε over the width of the twin, and the kinked problem beside it."""
    figure, axes = canvas(2, width=4.4)
    for ax, family, colour in zip(axes[0], FAMILIES, COLOURS, strict=False):
        cells = {f: _quartiles(select(rows, "pairs", family=family, factor=f)) for f in (0.0, *FACTORS)}
        kinked = cells.pop(0.0)
        drawn = {f: found for f, found in cells.items() if found}
        if drawn:
            low, middle, high = zip(*drawn.values(), strict=True)
            ax.fill_between(list(drawn), low, high, color=colour, alpha=0.25, lw=0)
            ax.plot(list(drawn), middle, "o-", ms=4, color=colour, label="twin rounded over d")
        if kinked:
            ax.axhspan(kinked[0], kinked[2], color="0.5", alpha=0.25, lw=0)
            ax.axhline(kinked[1], color="0.2", ls="--", label="kinked")
        if drawn or kinked:
            ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
        ax.set(
            xscale="log",
            yscale="log",
            xlabel="width d over ε/2",
            ylabel="steps to ε, best constant step",
            title=FAMILIES[family],
        )
        ax.yaxis.set_minor_formatter("{x:g}" if family == "lasso" else "")
    caption = (
        "Median and quartiles over seeds of the number of steps to the relative error ε, each problem with "
        "its own best constant step. All twins are differentiable; the narrow ones behave like the kink."
    )
    return Drawing("pairs", caption, figure)


def map_(rows: Sequence[Row]) -> Drawing:
    """The share of seeds in which the kink needs more steps, over ε and d."""
    figure, axes = canvas(1, width=5.4, height=4.0)
    cells = select(rows, "map")
    errors = sorted({cell["x"] for cell in cells})
    ends = [errors[0] / 2, errors[-1] * 2] if errors else None
    chosen = {(r["error"], r["width"]) for r in select(rows, "pairs", factor=max(FACTORS))}
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="relative error ε",
        ylabel="width d of the twin",
        title="Toy LASSO: the kink needs more steps",
        mark=min(chosen) if chosen else None,
        mark_label="default ε, widest twin",
        border=(ends, [end / 2 for end in ends]) if ends is not None else None,
        border_label="d = ε/2 (L = Λ²/e)",
        share_label="share of seeds",
    )
    caption = (
        "Share of seeds in which the kinked toy LASSO needs over 5 % more steps than its twin of width d, "
        "each with its best constant step. Below the line the twin is differentiable and no faster."
    )
    return Drawing("map", caption, figure)


def _quartiles(rows: Sequence[Row]) -> tuple[float, float, float] | None:
    steps = [r["steps"] for r in rows if r["steps"] is not None]
    if not steps:
        return None
    low, middle, high = (max(float(value), 0.5) for value in np.quantile(steps, [0.25, 0.5, 0.75]))
    return low, middle, high
