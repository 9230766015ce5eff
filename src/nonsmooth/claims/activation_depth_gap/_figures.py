"""Figure 2, survival curves, the two roads from ReLU to GELU, step sizes, and what the time depends on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.activation_depth_gap._effects import effects
from nonsmooth.claims.activation_depth_gap._findings import title
from nonsmooth.claims.activation_depth_gap._plan import KINKED_GELU, NARROW, PAIR
from nonsmooth.claims.activation_depth_gap._times import (
    DEPTHS,
    Setting,
    best_step,
    by_setting,
    censored,
    log_time,
    paired,
    reached,
)
from nonsmooth.findings import COLOURS, Drawing, canvas

__all__ = ["depends", "figure_2", "step_sizes", "survival", "widths"]

# Line styles tell the activations apart in grey; so do their colours elsewhere.
_LOOKS: dict[str, tuple[str, str, str, str]] = {
    "relu": ("ReLU", COLOURS[1], "-", "o"),
    "gelu": ("GELU", COLOURS[0], "--", "s"),
    NARROW[-1]: ("ReLU's analytic twin, 1e-4", COLOURS[4], ":", "^"),
    KINKED_GELU: ("kinked GELU, 0.5", COLOURS[2], "-.", "D"),
}


def figure_2(rows: Sequence[Row]) -> Drawing:
    """The paper's four panels: training loss over steps, a line a seed and their mean."""
    settings = by_setting(rows, "curves")
    shown = sorted({setting.depth for setting in settings}) or list(DEPTHS)
    figure, axes = canvas(len(shown), 2, width=3.9, height=2.7, sharey="row")
    drawn: list[Row] = []
    for down, norm in enumerate((False, True)):
        for across, depth in enumerate(shown):
            ax = axes[down, across]
            activations = settings.get(Setting(depth, norm, "torch", "adam"), {})
            for name in PAIR:
                label, colour, line, _ = _LOOKS[name]
                runs = [row for steps in activations.get(name, {}).values() for row in steps.values()]
                drawn += runs
                for row in runs:
                    ax.plot(row["steps"], row["losses"], color=colour, ls=line, lw=0.6, alpha=0.45)
                whole = [row for row in runs if len(row["losses"]) == max(len(r["losses"]) for r in runs)]
                if whole:
                    mean = np.mean([row["losses"] for row in whole], axis=0)
                    ax.plot(whole[0]["steps"], mean, color=colour, ls=line, lw=2, label=label)
            ax.axhline(math.log(10), color="0.5", lw=0.7)
            ax.set(title=f"depth {depth}, {'with' if norm else 'without'} batch norm")
            ax.set(xlabel="step", ylabel="training loss")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    said = ""
    if drawn:
        row = drawn[0]
        said = (
            f" Adam, α = {row['stepsize']:g} for all, batches of {row['batch']}, torch's initialisation, "
            f"{row['count']} images of {row['images']} at {row['size']} x {row['size']} pixels."
        )
    caption = f"Thin: a seed each; thick: their mean; grey: ln 10, a network that knows nothing.{said}"
    return Drawing("figure-2", caption, figure)


def survival(rows: Sequence[Row]) -> Drawing:
    """The share of runs that have not reached the target, by step: Kaplan and Meier's estimate."""
    from scipy.stats import ecdf

    settings = by_setting(rows)
    figure, axes = canvas(2, 2, width=4.1, height=2.8)
    for down, init in enumerate(("torch", "matched")):
        for across, depth in enumerate(DEPTHS):
            ax = axes[down, across]
            activations = settings.get(Setting(depth, False, init, "adam"), {})
            for k, (name, (label, colour, line, mark)) in enumerate(_LOOKS.items()):
                if name not in activations:
                    continue
                step = best_step(activations[name])
                runs = list(activations[name][step].values())
                horizon = runs[0]["horizon"]
                xs, ys = [0.0], [1.0]
                if any(map(reached, runs)):
                    curve = ecdf(censored(runs)).sf
                    xs += [float(x) for x in curve.quantiles]
                    ys += [float(y) for y in curve.probabilities]
                # Curves that coincide are told apart by marks on their steps.
                lifted = np.array([*ys, ys[-1]]) + 0.012 * k
                ax.step(
                    [*xs, horizon],
                    lifted,
                    where="post",
                    color=colour,
                    ls=line,
                    label=f"{label}, α = {step:g}",
                )
                ax.plot(xs[1:], lifted[1:-1], ls="none", marker=mark, ms=3.5, color=colour, mfc="none")
            ax.set(title=f"depth {depth}, {init} initialisation", ylim=(-0.04, 1.09), xlim=(0, None))
            ax.set(xlabel="step", ylabel="share short of the target")
            if ax.lines:
                ax.legend(loc="best", fontsize=7)
    caption = (
        "Share of seeds whose training loss has not reached the target, each activation at its best step "
        "size; Adam, no batch norm. Curves are shifted up by 0.012 each so that none hides another. A curve "
        "that ends above 0 has runs censored at the horizon."
    )
    return Drawing("survival", caption, figure)


def widths(rows: Sequence[Row]) -> Drawing:
    """Time over the width of the smooth twins, and over the spacing of GELU's kinks."""
    activations = by_setting(rows).get(Setting(11, False, "matched", "adam"), {})
    runs = paired(activations, activations) if activations else {}
    figure, axes = canvas(2, 1, width=4.3, height=3.4, sharey=True)
    left, right = axes[0]
    for name in PAIR:
        if name in runs:
            label, colour, line, _ = _LOOKS[name]
            mean, low, high = _spread(list(runs[name].values()))
            for ax in (left, right):
                ax.axhline(mean, color=colour, ls=line, lw=1.6, label=label)
                ax.axhspan(low, high, color=colour, alpha=0.12, lw=0)
    _points(left, runs, "smoothed-relu:", "parabola (C1,1)", COLOURS[2], "^", 1.0)
    _points(left, runs, "analytic-relu:", "analytic", COLOURS[3], "v", 1.15)
    _points(right, runs, "kinked-gelu:", "piecewise linear", COLOURS[4], "D", 1.0)
    left.set(xlabel="width D over which ReLU is rounded", ylabel="steps to the target", xlim=(5e-5, 12))
    left.set(title="ReLU's shape, smooth all along")
    right.set(xlabel="spacing D of GELU's kinks", ylabel="steps to the target", xlim=(0.2, 6))
    right.set(title="GELU's shape, kinked all along")
    for ax in (left, right):
        ax.set(xscale="log", yscale="log")
        _plain_ticks(ax)
    right.set_xticks([0.25, 0.5, 1, 2, 5], ["0.25", "0.5", "1", "2", "5"])
    right.minorticks_off()
    if runs:
        known: dict[str, Any] = {}
        for ax in (left, right):
            handles, labels = ax.get_legend_handles_labels()
            known |= dict(zip(labels, handles, strict=True))
        figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=5)
    caption = (
        "Geometric mean of the restricted time and the range of the seeds, each activation at its best step "
        "size; depth 11, matched initialisation, Adam. Left, from right to left, smooth networks lose GELU's "
        "shape; right, from left to right, kinked ones do (from 5 on they are ReLU). Numbers: censored runs, "
        "where any."
    )
    return Drawing("widths", caption, figure)


def _points(
    ax: Any, runs: dict[str, dict[int, Row]], kind: str, label: str, colour: str, mark: str, aside: float
) -> None:
    """One mark a width, a little aside so that two kinds do not hide each other."""
    for k, name in enumerate(sorted(name for name in runs if name.startswith(kind))):
        mine = list(runs[name].values())
        x, (mean, low, high) = aside * float(name.removeprefix(kind)), _spread(mine)
        ax.plot([x, x], [low, high], color=colour, lw=1)
        ax.plot(x, mean, marker=mark, ms=5, color=colour, ls="none", label=label if k == 0 else None)
        missed = sum(not reached(row) for row in mine)
        if missed:
            ax.annotate(f"{missed}/{len(mine)}", (x, high), (0, 3), textcoords="offset points", fontsize=7)


def _plain_ticks(ax: Any) -> None:
    """Steps as numbers, not as powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter

    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 3, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def _spread(runs: Sequence[Row]) -> tuple[float, float, float]:
    logs = [log_time(row) for row in runs]
    return math.exp(float(np.mean(logs))), math.exp(min(logs)), math.exp(max(logs))


def step_sizes(rows: Sequence[Row]) -> Drawing:
    """Time over the step size, by initialisation, optimiser and depth."""
    settings = {s: each for s, each in by_setting(rows).items() if s.init != "he" and s.depth in DEPTHS}
    kinds = sorted({setting[1:] for setting in settings}, key=lambda kind: (kind[2], kind[0], kind[1]))
    figure, axes = canvas(3, max(1, -(-len(kinds) // 3)), width=3.4, height=2.8)
    for ax, (norm, init, optimiser) in zip(axes.flat, kinds, strict=False):
        for depth, width, mark in zip(DEPTHS, (1, 2), "os", strict=True):
            activations = settings.get(Setting(depth, norm, init, optimiser), {})
            for name in PAIR:
                label, colour, line, _ = _LOOKS[name]
                points = sorted(activations.get(name, {}).items())
                means = [_spread(list(runs.values()))[0] for _, runs in points]
                ax.plot([step for step, _ in points], means, color=colour, ls=line, lw=width)
                for (step, runs), mean in zip(points, means, strict=True):
                    trained = 2 * sum(map(reached, runs.values())) >= len(runs)
                    ax.plot(step, mean, marker=mark, ms=5, color=colour, mfc=colour if trained else "white")
                ax.plot([], [], color=colour, ls=line, lw=width, marker=mark, label=f"{label}, depth {depth}")
        what = "batch norm" if norm else f"{init} initialisation"
        ax.set(xscale="log", yscale="log", xlabel="step size α", ylabel="steps to the target")
        ax.set(title=f"{title(optimiser)}, {what}")
        _plain_ticks(ax)
    for ax in axes.flat[len(kinds) :]:
        ax.set_axis_off()
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
    caption = (
        "Geometric mean of the restricted time over the seeds. White marks: fewer than half of the runs "
        "reach the target, and the mark stands at or near the horizon."
    )
    return Drawing("step-sizes", caption, figure)


def depends(rows: Sequence[Row]) -> Drawing:
    """One change at a time: the factor by which the time to the target falls."""
    found = effects(rows)
    names = list(dict.fromkeys(what for what, *_ in found))
    figure, axes = canvas(1, 1, width=7.2, height=max(2.4, 0.8 + 0.3 * len(names)))
    ax = axes[0, 0]
    for what, depth, effect, note in found:
        at = names.index(what) + (-0.13 if depth == DEPTHS[0] else 0.13)
        colour, mark = (COLOURS[0], "o") if depth == DEPTHS[0] else (COLOURS[1], "s")
        if effect.n > 1:
            ax.plot(np.clip(effect.interval, 0.05, 50), [at, at], color=colour, lw=1.2)
        ax.plot(effect.value, at, marker=mark, color=colour, ls="none", ms=5, mfc="white" if note else colour)
    for depth, colour, mark in zip(DEPTHS, COLOURS, "os", strict=False):
        ax.plot([], [], marker=mark, color=colour, ls="none", label=f"depth {depth}")
    ax.axvline(1, color="0.4", lw=0.8)
    ax.set_yticks(range(len(names)), names)
    ax.set(
        xscale="log", xlim=(0.18, 17), ylim=(len(names) - 0.4, -0.6), xlabel="factor by which the time falls"
    )
    ax.set_ylabel("change")
    ax.set_xticks([0.25, 0.5, 1, 2, 4, 8, 16], ["0.25", "0.5", "1", "2", "4", "8", "16"])
    ax.minorticks_off()
    ax.legend(loc="lower right")
    caption = (
        "Ratio of restricted times before and after a change, each at its best step size; t-intervals over "
        "seeds, no batch norm, Adam unless said. White marks: some runs are censored and count as their "
        "horizon; changes before and after which no run trains are left out. Smoothness at a given shape is "
        "the pair of rows named so."
    )
    return Drawing("depends", caption, figure)
