"""The share of runs for which a sentence holds, over the two settings that matter most.

A map is a set of *cells* ``{"x", "y", "hits", "n"}``, one a pair of settings, in any order. It is drawn with
the paper's own point and the border that theory predicts, and held against that theory cell by cell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nonsmooth.findings._statistics import share_of

__all__ = ["against_theory", "draw_share_map"]

_Cells = Sequence[Mapping[str, Any]]


def against_theory(cells: _Cells, predict: Callable[[float, float], bool | None]) -> tuple[int, int, int]:
    """How many cells a theory speaks of, how many are clear, and how many of those it gets right.

    A cell is clear if the 95 % Wilson interval of its share, allowing for the number of cells the theory
    speaks of, lies wholly on one side of one half.

    Args:
        cells: as above.
        predict: for (x, y), whether the sentence should hold; None where the theory is silent.

    >>> cells = [{"x": 1.0, "y": 1.0, "hits": 0, "n": 30}, {"x": 2.0, "y": 1.0, "hits": 30, "n": 30}]
    >>> against_theory(cells, lambda x, y: x > 1.5)
    (2, 2, 2)
    """
    spoken = [(cell, predict(cell["x"], cell["y"])) for cell in cells]
    spoken = [(cell, said) for cell, said in spoken if said is not None]
    clear = right = 0
    for cell, said in spoken:
        low, high = share_of(cell["hits"], cell["n"], comparisons=max(1, len(spoken))).interval
        if low > 0.5 or high < 0.5:
            clear += 1
            right += (low > 0.5) == said
    return len(spoken), clear, right


def draw_share_map(
    figure: Any,
    ax: Any,
    cells: _Cells,
    *,
    xlabel: str,
    ylabel: str,
    title: str,
    mark: tuple[float, float] | None = None,
    mark_label: str = "the paper's point",
    border: tuple[Sequence[float], Sequence[float]] | None = None,
    border_label: str = "theory",
    logx: bool = True,
    logy: bool = True,
    share_label: str = "share of runs",
) -> None:
    """Draw the cells as a tinted map on ``ax``; missing cells stay white, labels stand without any cell.

    Args:
        figure, ax: where; the colour bar takes its room from ``ax``.
        cells: as above.
        xlabel, ylabel, title, share_label: words, with units.
        mark: (x, y) of the paper's own point (or, where it prints none, of the default settings).
        border: (xs, ys) of the line at which theory changes its answer.
        logx, logy: logarithmic axes.
    """
    xs, ys = (sorted({cell[name] for cell in cells}) for name in "xy")
    if xs and ys:
        shares = np.full((len(ys), len(xs)), np.nan)
        for cell in cells:
            shares[ys.index(cell["y"]), xs.index(cell["x"])] = cell["hits"] / cell["n"]
        x_edges, y_edges = _edges(xs, logx), _edges(ys, logy)
        mesh = ax.pcolormesh(x_edges, y_edges, shares, vmin=0, vmax=1, cmap="cividis", edgecolors="none")
        bar = figure.colorbar(mesh, ax=ax, label=share_label)
        bar.outline.set_visible(False)
        ax.set(xlim=(x_edges[0], x_edges[-1]), ylim=(y_edges[0], y_edges[-1]))
    if border is not None:
        ax.plot(*border, color="black", lw=3.2)
        ax.plot(*border, color="white", lw=1.6, ls="--", label=border_label)
    if mark is not None:
        ax.plot(*mark, marker="*", ms=13, mfc="white", mec="black", ls="none", label=mark_label)
    ax.grid(False)
    ax.set(
        xscale="log" if logx else "linear",
        yscale="log" if logy else "linear",
        xlabel=xlabel,
        ylabel=ylabel,
        title=title,
    )
    if border is not None or mark is not None:
        legend = ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2, frameon=True)
        legend.get_frame().set(facecolor="0.6", edgecolor="none", alpha=0.6)


def _edges(centres: Sequence[float], log: bool) -> np.ndarray:
    """Cell edges halfway (in the axis' own scale) between neighbouring centres."""
    values = np.log(np.asarray(centres, dtype=float)) if log else np.asarray(centres, dtype=float)
    if values.size == 1:
        edges = values[0] + np.array([-0.5, 0.5])
    else:
        middle = (values[1:] + values[:-1]) / 2
        edges = np.concatenate([[2 * values[0] - middle[0]], middle, [2 * values[-1] - middle[-1]]])
    return np.exp(edges) if log else edges
