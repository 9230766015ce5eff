"""What an L1 penalty in the loss can reach: the weights' floor under an optimiser, the penalty alone acting.

A subgradient step on strength * |w| does not shrink near 0, so weights end on orbits around 0 and not at 0.
How wide these are is the optimiser's doing: for plain SGD the law is exact (``_floor_closed``), for every
other optimiser that moves its weights one by one a population is run (``_floor_simulated``), and an
optimiser that couples them is refused (``_floor_population`` finds that by experiment).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nonsmooth.diagnostics._checks import not_negative, positive, whole
from nonsmooth.diagnostics._floor_closed import ClosedLaw, law_after
from nonsmooth.diagnostics._floor_population import Factory, Population, described, learning_rate, shape_for
from nonsmooth.diagnostics._floor_result import Floor, percent
from nonsmooth.diagnostics._floor_simulated import Estimate, estimate
from nonsmooth.diagnostics._floor_start import StartLaw, start_law
from nonsmooth.errors import InputError
from nonsmooth.findings import number

__all__ = ["Floor", "floor"]

_MOST_STEPS = 5_000_000
_MOST_WEIGHTS = 1_000_000
# Laws whose mean and share below the threshold differ by less than this are called the same.
_SAME = 0.01
# Of a start this many times smaller than a step, float64 keeps 10 digits.
_FORGOTTEN = 1e6


def floor(
    factory: Factory,
    *,
    strength: float,
    threshold: float = 1e-5,
    start: Any = "uniform",
    steps: int = 20_000,
    size: int = 1,
    weights: int = 10_000,
    dtype: str = "float64",
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Floor:
    """What strength * ||w||_1 in the loss leaves of weights that nothing else acts on.

    Each weight moves by the optimiser's own steps on the gradient strength * sign(w), sign(0) = 0. No data,
    no noise: it is what the penalty can reach at best, and where weights that the data do not need end up.

    Args:
        factory: makes the optimiser, e.g. ``lambda p: torch.optim.Adam(p, lr=3e-3)``.
        strength: of the penalty, > 0.
        threshold: >= 0; ``share_below`` counts |w| < threshold.
        start: ``"uniform"`` on [-1, 1]; a number > 0, the standard deviation of a normal law; an array or
            tensor of weights; or a function of a NumPy generator and a count.
        steps: T, 1 to 5,000,000.
        size: number of weights for ``l1_norm``, >= 1.
        weights: how many to simulate where there is no closed form, 2 to 1,000,000. Of more weights given
            as start, so many are drawn.
        dtype: ``"float64"`` or ``"float32"``; the latter is always simulated.
        seed: of the starts, >= 0.
        progress: called with steps done and steps in all, now and then.

    Returns:
        A :class:`Floor`: exact for plain SGD with or without weight decay started from a law with a density
        (Section 4 of the paper, Propositions B.1 and B.2), simulated for all else. Where a simulated law no
        longer changes from step T/2 to T, the figures are averages over the last steps, and the intervals are
        for these averages; else they are those of step T itself.

    Raises:
        InputError: a value is not allowed, or the optimiser is: it couples weights (LBFGS, Muon, Adafactor),
            takes no dense gradients (SparseAdam), draws random numbers, or fails.

    >>> import torch
    >>> found = floor(lambda p: torch.optim.SGD(p, lr=3e-3), strength=2.0)
    >>> found.how, found.law, round(found.share_below, 4)  # Table 2 of the paper prints 0.18 %
    ('closed form', 'stationary', 0.0017)
    """
    strength = positive("strength", strength)
    threshold = not_negative("threshold", threshold)
    steps = whole("steps", steps, 1, _MOST_STEPS)
    size = whole("size", size, 1, None)
    weights = whole("weights", weights, 2, _MOST_WEIGHTS)
    seed = whole("seed", seed, 0, None)
    if dtype not in ("float64", "float32"):
        raise InputError(f"dtype {dtype!r} is not allowed; give 'float64' or 'float32'")
    starts = start_law(start)

    import torch

    count = weights if starts.fixed is None else min(weights, starts.fixed)
    drawn = torch.from_numpy(np.array(starts.draw(np.random.default_rng(seed), count)))
    reach = float(drawn.abs().max()) or 1.0
    shape = shape_for(factory, strength, reach)
    population = Population(factory, drawn.to(getattr(torch, dtype)).reshape(-1, *shape), strength)
    optimizer = population.optimizer
    asked = {
        "optimiser": described(optimizer),
        "strength": strength,
        "threshold": threshold,
        "steps": steps,
        "start": starts.words,
        "dtype": dtype,
        "size": size,
        "lr": learning_rate(optimizer),
    }
    exact = dtype == "float64" and starts.below is not None
    plain = _plain(optimizer, strength, starts.reach) if exact else None
    if plain is not None:
        return _closed(asked, *plain, starts)
    sampled = starts.fixed is None or count < starts.fixed
    return _simulated(asked, estimate(population, steps, threshold, sampled, progress))


def _plain(optimizer: Any, strength: float, reach: float) -> tuple[float, float] | None:
    """(lr, weight decay) of plain SGD, whose law is known; None for any other optimiser, and for steps so far
    beyond the starts that float64 forgets these: then weights do come back to exactly 0."""
    import torch

    group = optimizer.param_groups[0]
    if type(optimizer) is not torch.optim.SGD or group["momentum"] or group["maximize"]:
        return None
    lr, decay = float(group["lr"]), float(group["weight_decay"])
    known = 1e-300 < lr * strength < _FORGOTTEN * reach and 0 <= lr * decay < 1
    return (lr, decay) if known else None


def _closed(asked: dict[str, Any], lr: float, decay: float, starts: StartLaw) -> Floor:
    move, keep, steps = lr * asked["strength"], 1 - lr * decay, asked["steps"]
    now, following, later = (
        law_after(step, move, keep, starts, asked["threshold"]) for step in (steps, steps + 1, 2 * steps)
    )
    same = _alike(now, following) and _alike(now, later)
    parts = []
    if now.arrived < 1:
        parts.append(f"{percent(1 - now.arrived)} of the weights have not arrived at 0 yet")
    if not _alike(now, following):
        parts.append(f"the mean changes from step to step: {number(following.mean)} comes next")
    if not same and now.arrived == 1 and decay:
        parts.append(f"weight decay still draws all |w| to {number(move / (1 + keep))}")
    why = (
        "mean and share below the threshold after T, T + 1 and 2 T steps agree within 1 %"
        if same
        else "; ".join(parts or ["it moves on"])
    )
    if decay:
        pull = 1 / (lr * decay)
        orbit = f"drawn to |w| = {number(move / (1 + keep))} by weight decay within some {number(pull)} steps"
    elif same:
        orbit = (
            f"between u and {number(move)} - u with u by its start: |w| is spread evenly below lr * strength"
        )
    else:
        orbit = f"between u and {number(move)} - u with u by its start"
    explanation = (
        f"Each weight walks lr * strength = {number(move)} a step ({math.ceil(min(1 / move, 1e15)):,} steps "
        f"from 1 to 0) and then jumps over 0 for ever, {orbit}. From there more steps do not lower |w|; "
        "a smaller lr * strength does."
    )
    return Floor(
        **asked,
        l1_norm=asked["size"] * now.mean,
        mean_abs=now.mean,
        share_below=now.below,
        share_zero=0.0,
        share_arrived=now.arrived,
        how="closed form",
        law="stationary" if same else f"after {steps:,} steps",
        why=why,
        weights=None,
        mean_interval=None,
        below_interval=None,
        zero_interval=None,
        amplitude=None if math.isnan(now.largest) else now.largest,
        periods=(2,) if now.arrived > 0 else (),
        explanation=explanation,
    )


def _alike(a: ClosedLaw, b: ClosedLaw) -> bool:
    return abs(a.mean - b.mean) <= _SAME * a.mean and abs(a.below - b.below) <= _SAME * max(a.below, 0.01)


def _simulated(asked: dict[str, Any], found: Estimate) -> Floor:
    steps, lr = asked["steps"], asked["lr"]
    size = f"mean |w| is {number(found.mean)}"
    if lr and math.isfinite(found.mean):
        size += f", {number(found.mean / lr)} lr"
    parts = [f"The optimiser itself moved the weights: {size}."]
    if found.periods:
        listed = ", ".join(map(str, found.periods[:6])) + (", ..." if len(found.periods) > 6 else "")
        parts.append(f"Orbits have period {listed}.")
    if found.zero > 0:
        parts.append(
            f"{percent(found.zero)} rest at exactly 0, where the penalty's gradient is taken as 0: any other "
            "force moves them off."
        )
    if found.lost > 0:
        parts.append(f"{percent(found.lost)} are no finite numbers any more.")
    return Floor(
        **asked,
        l1_norm=asked["size"] * found.mean,
        mean_abs=found.mean,
        share_below=found.below,
        share_zero=found.zero,
        share_arrived=found.arrived,
        how="simulated",
        law="stationary" if found.stationary else f"after {steps:,} steps",
        why=found.why,
        weights=found.weights,
        mean_interval=found.mean_interval,
        below_interval=found.below_interval,
        zero_interval=found.zero_interval,
        amplitude=found.amplitude,
        periods=found.periods,
        explanation=" ".join(parts),
    )
