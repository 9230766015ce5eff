"""Where each method ends, the twins on both sides of 2/L, and the map of step and strength."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.exact_solvers._experiments import STEPS, TOLERANCE, WIDTHS
from nonsmooth.claims.exact_solvers._problems import REAL, select
from nonsmooth.findings import COLOURS, Drawing, canvas, draw_share_map

__all__ = ["ends", "share_map", "twins"]

_FLOOR = 1e-16
_METHODS = (
    ("torch", "sgd", "SGD"),
    ("torch", "adam", "Adam"),
    ("torch", "rmsprop", "RMSprop"),
    ("torch", "sgd-fading", "SGD, fading"),
    ("torch", "sgd-prox", "SGD + prox"),
    ("numpy", "sgd", "subgradient"),
    ("numpy", "sgd-prox", "ISTA"),
    ("numpy", "fista", "FISTA"),
)


def ends(rows: Sequence[Row]) -> Drawing:
    """Distance to the minimum and exact zeros, a column a method."""
    figure, axes = canvas(2, width=5.0, height=3.6)
    value, zeros = axes[0]
    for k, (data, mark) in enumerate(zip(("random", *REAL), "osx", strict=True)):
        for j, (where, method, _) in enumerate(_METHODS):
            mine = select(rows, "run", where=where, method=method, penalty="l1", data=data)
            place = np.full(len(mine), j + 0.22 * (k - 1))
            look = {"color": COLOURS[k], "ms": 3, "alpha": 0.5, "label": data if j == 0 else None}
            value.plot(place, [max(r["excess"], _FLOOR) for r in mine], mark, **look)
            kept = [r["zeros"] / r["exact_zeros"] for r in mine if r["exact_zeros"]]
            zeros.plot(place[: len(kept)], kept, mark, **look)
    value.axhline(TOLERANCE, color="0.3", lw=1, ls="--", label="scikit-learn's default")
    value.axvline(4.5, color="0.6", lw=0.8)
    zeros.axvline(4.5, color="0.6", lw=0.8)
    names = [name for *_, name in _METHODS]
    value.set(
        yscale="log", ylim=(_FLOOR / 3, 10), ylabel="(f − f*) / f(0)   (0 drawn at 1e-16)", xlabel="method"
    )
    value.set_title("Distance to the certified minimum")
    zeros.set(ylabel="exact zeros / those of the solution", xlabel="method", ylim=(-0.05, 1.1))
    zeros.set_title("Exact zeros")
    for ax in axes[0]:
        ax.set_xticks(range(len(names)), names, rotation=40, ha="right")
    if any(r["experiment"] == "run" for r in rows):
        handles, labels = value.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
    caption = (
        "The same LASSO, starts and number of iterations, float64; left of the line in torch, right of it "
        "in NumPy. One mark a problem (random) or start (real data)."
    )
    return Drawing("ends", caption, figure)


def twins(rows: Sequence[Row]) -> Drawing:
    """The distance reached over the step, for the kink and its twins."""
    figure, axes = canvas(1, width=6.0)
    ax = axes[0, 0]
    labels = {
        "kinked": "|b|",
        "narrow": "rounded, 1/100",
        "medium": "rounded, 1/8",
        "wide": "rounded, 2",
        "ridge": "ridge",
    }
    for (kind, name), mark, line, colour in zip(
        labels.items(), "osDx^", ("-", "--", "-.", ":", (0, (1, 3))), COLOURS, strict=False
    ):
        mine = sorted(select(rows, "twins", penalty=kind), key=lambda r: r["step"])
        if mine:
            heights = [min(max(r["excess"], _FLOOR), 1e2) for r in mine]
            ax.plot([r["step"] for r in mine], heights, marker=mark, ms=5, ls=line, color=colour, label=name)
    if ax.lines:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), title="penalty (widths in λ1/L)")
    ax.set(
        xscale="log",
        yscale="log",
        ylim=(_FLOOR / 3, 3e2),
        xlabel="step over 2/L of the data term",
        ylabel="(f − f*) / f(0), late, median",
        title="Where gradient steps stop (100: diverged)",
    )
    ax.minorticks_off()
    ax.set_xticks(STEPS, [f"{step:g}" for step in STEPS])
    caption = (
        "Each penalty's own minimum; 0 is drawn at 1e-16. A rounded penalty is reached exactly below its "
        f"own 2/L ({', '.join(f'{1 / (1 + 1 / w):.2g}' for w in WIDTHS.values())} of the data term's for "
        f"widths {', '.join(f'{w:g}' for w in WIDTHS.values())}), the kinked one at no step."
    )
    return Drawing("twins", caption, figure)


def share_map(rows: Sequence[Row]) -> Drawing:
    """Runs above scikit-learn's default tolerance, over step and strength."""
    figure, axes = canvas(1, width=5.8, height=3.8)
    cells = select(rows, "map")
    border = None
    if cells:
        shares = sorted({r["y"] for r in cells})
        # the predicted distance is proportional to the step
        unit = {y: np.median([r["floor"] / r["x"] for r in cells if r["y"] == y]) for y in shares}
        border = ([TOLERANCE / unit[y] for y in shares], shares)
    given = next(iter(select(rows, "run", where="torch", method="sgd", penalty="l1")), None)
    draw_share_map(
        figure,
        axes[0, 0],
        cells,
        xlabel="step over 2/L",
        ylabel="λ1 / lambda_max",
        title="SGD with |b| in the loss: ends above the tolerance",
        mark=(given["step_share"], given["share"]) if given else None,
        mark_label="this run's settings",
        border=border,
        border_label="predicted",
        share_label="share of problems",
    )
    caption = (
        f"Share of random problems that end with (f − f*)/f(0) above {TOLERANCE:g}, scikit-learn's default "
        "tolerance; right of the line the predicted distance Σ α (λ1² − g²)/2 exceeds it."
    )
    return Drawing("map", caption, figure)
