"""What the rulings rest on, in words: times, the areas between the curves, the runs on larger images."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.activation_depth_gap._plan import PAIR
from nonsmooth.claims.activation_depth_gap._times import (
    LEAST,
    Activations,
    best_step,
    by_setting,
    log_rank,
    log_time,
    paired,
    ratio,
    reached,
    stuck,
    tuned,
)
from nonsmooth.findings import Finding, number

__all__ = ["confirmed", "curve_areas", "curves_apart", "on_data", "times_told", "title"]


def title(optimiser: str) -> str:
    """An optimiser's name as it is written."""
    return {"adam": "Adam", "sgd": "SGD"}[optimiser]


def on_data(row: Row) -> str:
    """The images of a run."""
    return f"{row['count']} images of {row['images']} at {row['size']} x {row['size']} pixels"


def times_told(activations: Activations) -> str:
    """Geometric means, censored runs and step sizes of ReLU and GELU, and the log-rank test."""
    told = []
    for name, shown in zip(PAIR, ("ReLU", "GELU"), strict=True):
        chosen = list(tuned(activations[name]).values())
        mean = math.exp(float(np.mean([log_time(row) for row in chosen])))
        edges = {min(activations[name]): ", the least run", max(activations[name]): ", the largest run"}
        sizes = " or ".join(
            f"{size:g}{edges.get(size, '') if len(activations[name]) > 1 else ''}"
            for size in sorted({row["stepsize"] for row in chosen})
        )
        missed = sum(not reached(row) for row in chosen)
        told.append(f"{shown} {mean:.0f} steps (α = {sizes}; {missed} of {len(chosen)} censored)")
    relu, gelu = (activations[name][best_step(activations[name])] for name in PAIR)
    p = log_rank(list(relu.values()), list(gelu.values()))
    return " against ".join(told) + ("" if p is None else f", log-rank p = {number(p, 2)}")


def curve_areas(rows: Sequence[Row], norm: bool, part: str) -> list[Finding]:
    """The area between the figure's curves, at one step size for all four panels."""
    findings = []
    for setting, activations in sorted(by_setting(rows, "curves").items()):
        if setting.batch_norm is not norm or not all(name in activations for name in PAIR):
            continue
        means, runs, seeds = _areas(activations)
        if means is None:
            continue
        apart = means[0] - means[1]
        spread = means.std(axis=1, ddof=1) if len(seeds) > 1 else (0.0, 0.0)
        flat = [sum(stuck(each[seed]) for seed in seeds) for each in runs]
        first = runs[0][seeds[0]]
        findings.append(
            Finding(
                f"mean loss along ReLU's curve of Figure 2 minus that along GELU's: {setting}",
                f"{apart.mean():.2f}",
                len(seeds),
                f"Over {first['horizon']} steps, α = {first['stepsize']:g} for all; seed by seed from "
                f"{apart.min():.2f} to {apart.max():.2f}. Standard deviation of a curve's mean over seeds: "
                f"ReLU {spread[0]:.2f}, GELU {spread[1]:.2f}. On the plateau to the end: {flat[0]} and "
                f"{flat[1]} runs. float32, {on_data(first)}.",
                part,
            )
        )
    return findings


def _areas(
    activations: Activations,
) -> tuple[np.ndarray | None, list[dict[int, Row]], list[int]]:
    """Mean loss along each curve of ReLU and GELU (2, seeds), None if a run diverges; the runs; the seeds."""
    runs = [next(iter(activations[name].values())) for name in PAIR]
    seeds = sorted(set(runs[0]) & set(runs[1]))
    means = np.array([[np.mean(each[seed]["losses"]) for seed in seeds] for each in runs])
    return (means if seeds and np.isfinite(means).all() else None), runs, seeds


def curves_apart(rows: Sequence[Row], comparisons: int) -> list[int]:
    """The depths at which a reader tells Figure 2's curves with batch norm apart.

    There the mean losses along the curves differ by more than either's standard deviation over the seeds, and
    the t-interval of the difference leaves out 0.
    """
    from scipy.stats import ttest_1samp

    depths = []
    for setting, activations in sorted(by_setting(rows, "curves").items()):
        if not setting.batch_norm or not all(name in activations for name in PAIR):
            continue
        means, _, seeds = _areas(activations)
        if means is None or len(seeds) < LEAST:
            continue
        apart = means[0] - means[1]
        p = float(ttest_1samp(apart, 0).pvalue)  # pyright: ignore[reportAttributeAccessIssue]
        if abs(apart.mean()) > means.std(axis=1, ddof=1).max() and p < 0.05 / comparisons:
            depths.append(setting.depth)
    return depths


def confirmed(rows: Sequence[Row], part: str) -> list[Finding]:
    """The gap on images of the printed size, where networks were trained on them."""
    findings = []
    for setting, activations in sorted(by_setting(rows, "confirm").items()):
        runs = paired(activations, (*PAIR, *(name for name in sorted(activations) if name not in PAIR)))
        if not runs:
            continue
        found = ratio(runs["relu"], runs["gelu"])
        twins = "".join(
            f" ReLU's over {name}'s: {ratio(runs['relu'], each)}."
            for name, each in runs.items()
            if name not in PAIR
        )
        first = next(iter(runs["relu"].values()))
        findings.append(
            Finding(
                f"ReLU's time over GELU's on images of the printed size: {setting}",
                str(found),
                found.n,
                f"Steps to a training loss of {number(first['targets'][0])}, α = {first['stepsize']:g}."
                f"{twins} t-interval over seeds; float32, {on_data(first)}.",
                part,
                interval=found.interval,
            )
        )
    return findings
