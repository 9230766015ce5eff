"""How an optimiser behaves at a kink: the row of the paper's Table 1, found by experiment.

The paper derives three rows by hand (Section 4, Appendix B.3). Here weights under strength * ||w||_1 alone
are moved by the optimiser itself, and every answer is read off their paths by a rule.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nonsmooth.diagnostics._checks import positive, whole
from nonsmooth.diagnostics._fingerprint_orbit import Orbits, classify
from nonsmooth.diagnostics._floor_population import Factory, Population, described, learning_rate, shape_for
from nonsmooth.diagnostics._floor_result import percent
from nonsmooth.diagnostics._floor_simulated import walk
from nonsmooth.diagnostics._floor_start import start_law
from nonsmooth.findings import Share, number, share_of

__all__ = ["Fingerprint", "fingerprint"]

_WINDOW = 1024
_FACTORS = (0.1, 1.0, 10.0)
# A size differs if it does by more than this share.
_DIFFERS = 0.01
# With fewer weights than this at 0 or past it, nothing is said of where they end.
_ARRIVED = 0.95
_AT_ZERO_STEPS = 100


@dataclass(frozen=True)
class Fingerprint:
    """A row of Table 1. Where it says None, too few weights had arrived to tell.

    Args:
        optimiser: with its settings; ``lr`` its step size, None where it has several or none.
        strength, start, steps, weights: of the experiment.
        depends_on_strength: whether the strength influences where weights end.
        strength_exponent: k, where the mean final |w| goes like strength^k; None where it is 0.
        depends_on_start: whether the start does.
        at_zero: what weights do that are brought to exactly 0: ``"stay"``, ``"leave"`` or ``"some leave"``.
        zero_float64, zero_float32: the share that is exactly 0 after all steps.
        orbits: share of the weights by what they do in the end, the largest first.
        periods: of nine tenths of the periodic ones.
        amplitude: median over the weights not at 0 of the largest final |w|.
        share_arrived: the least share of weights, over the strengths, that changed sign or are 0.
    """

    optimiser: str
    lr: float | None
    strength: float
    start: str
    steps: int
    weights: int
    depends_on_strength: bool | None
    strength_exponent: float | None
    depends_on_start: bool | None
    at_zero: str
    zero_float64: Share
    zero_float32: Share
    orbits: dict[str, float]
    periods: tuple[int, ...]
    amplitude: float | None
    share_arrived: float

    @property
    def amplitude_in_lr(self) -> float | None:
        """The amplitude over the optimiser's step size."""
        return None if self.amplitude is None or not self.lr else self.amplitude / self.lr

    @property
    def orbit(self) -> str:
        """The orbits in words, those of fewer than one weight in a hundred left out."""
        periods = [str(period) for period in self.periods]
        listed = ", ".join(periods) if len(periods) < 5 else f"{periods[0]} to {periods[-1]}"
        words = {"periodic": f"period {listed}"}
        kept = [(words.get(kind, kind), share) for kind, share in self.orbits.items() if share >= 0.01]
        if len(kept) == 1:
            return kept[0][0]
        return "; ".join(f"{kind} ({100 * share:.0f} %)" for kind, share in kept)

    def as_dict(self) -> dict[str, Any]:
        """The fingerprint as JSON values, with the derived ones."""
        return asdict(self) | {"amplitude_in_lr": self.amplitude_in_lr, "orbit": self.orbit}

    def __str__(self) -> str:
        k = exponent(self.strength_exponent)
        size = "-" if self.amplitude is None else number(self.amplitude)
        if self.amplitude_in_lr is not None:
            size += f" = {number(self.amplitude_in_lr)} lr"
        rows = (
            (
                "strength influences the end",
                answer(self.depends_on_strength) + (f" (mean |w| ~ strength^{k})" if k else ""),
            ),
            ("start influences the end", answer(self.depends_on_start)),
            ("brought to exactly 0", f"weights {self.at_zero}"),
            ("exactly 0 in the end, float64", share_words(self.zero_float64)),
            ("exactly 0 in the end, float32", share_words(self.zero_float32)),
            ("orbit", self.orbit),
            ("amplitude", size),
        )
        wide = max(len(name) for name, _ in rows)
        head = (
            f"{self.optimiser} on {self.strength:g} * ||w||_1 alone, {self.weights:,} starts {self.start}, "
            f"{self.steps:,} steps"
        )
        return "\n".join([head, *(f"  {name.ljust(wide)}  {value}" for name, value in rows)])


def answer(value: bool | None) -> str:
    """Yes, no, or that it cannot be told."""
    return "not arrived" if value is None else "yes" if value else "no"


def exponent(value: float | None) -> str:
    """An exponent to two digits, never "-0.00"; nothing for None."""
    return "" if value is None else f"{round(value, 2) + 0.0:.2f}"


def share_words(share: Share) -> str:
    """A share with its Wilson interval.

    >>> share_words(share_of(0, 1000))
    '0 % (0 % to 0.383 %)'
    """
    return f"{percent(share.value)} ({percent(share.interval[0])} to {percent(share.interval[1])})"


@np.errstate(invalid="ignore", over="ignore")
def fingerprint(
    factory: Factory,
    *,
    strength: float = 1.0,
    start: Any = "uniform",
    steps: int = 20_000,
    weights: int = 1_000,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Fingerprint:
    """How an optimiser behaves on an L1 penalty: a row of the paper's Table 1, found by experiment.

    Free weights (the penalty alone, gradient strength * sign(w), sign(0) = 0) take ``steps`` steps in
    float64 under strengths strength/10, strength and 10 strength from the same starts, and under
    ``strength`` in float32. The last 1024 steps (or the last quarter, if shorter) are the *window*; a
    weight's *amplitude* is its largest |w| there.

    - *Strength influences the end* if, between strength/10 and 10 strength, the amplitude or the mean |w| in
      the window differs by more than 1 % for more than half of the weights. The exponent is the slope of log
      mean |w| against log strength between the two.
    - *Start influences the end* if the central 90 % of the weights' amplitudes, or of their mean |w|, spread
      over more than 1 % of the largest amplitude.
    - Both are None where fewer than 95 % of the weights have changed sign or are 0.
    - *Brought to exactly 0*: all weights are set to 0, once after 3 steps and once after all, and take 100
      more. They stay if none moves in either, leave if all do in both; else some leave.
    - *Exactly 0 in the end*: the share after all steps, with Wilson's 95 % interval.
    - *Orbits* are named by the rules of ``diagnostics._fingerprint_orbit``: at 0, travels, shrinks, fixed,
      period p (within 1e-3 of the amplitude, p at most a quarter of the window), not periodic.

    Args:
        factory: makes the optimiser, e.g. ``lambda p: torch.optim.RMSprop(p, lr=0.1)``.
        strength: the middle one, > 0.
        start: as for :func:`nonsmooth.diagnostics.floor`.
        steps: 64 to 5,000,000.
        weights: starts, 2 to 100,000.
        seed: of the starts, >= 0.
        progress: called with steps done and steps in all, now and then.

    Raises:
        InputError: a value is not allowed, or the optimiser is: it couples weights, takes no dense
            gradients, draws random numbers, or fails.

    >>> import torch
    >>> row = fingerprint(lambda p: torch.optim.SGD(p, lr=0.1), steps=400, weights=50)
    >>> row.depends_on_strength, row.depends_on_start, row.at_zero, row.orbit
    (True, True, 'stay', 'period 2')
    """
    strength = positive("strength", strength)
    steps = whole("steps", steps, 64, 5_000_000)
    weights = whole("weights", weights, 2, 100_000)
    seed = whole("seed", seed, 0, None)
    law = start_law(start)

    import torch

    starts = torch.from_numpy(np.array(law.draw(np.random.default_rng(seed), weights)))
    count = starts.numel()
    shape = shape_for(factory, strength, float(starts.abs().max()) or 1.0)
    starts = starts.reshape(-1, *shape)
    strengths = torch.cat([torch.full_like(starts, factor * strength) for factor in _FACTORS])
    told = progress or (lambda done, total: None)

    wide = Population(factory, starts.repeat(len(_FACTORS), *(1 for _ in shape)), strengths)
    middle, late = _observe(wide, steps, lambda done, _: told(done, 2 * steps))
    narrow = Population(factory, starts.float(), strength)
    walk(narrow, 0, steps, steps, lambda done, _: told(steps + done, 2 * steps))

    arrived = wide.arrived.reshape(len(_FACTORS), count).double().mean(dim=1).numpy()
    low, own, high = (late[:, k * count : (k + 1) * count] for k in range(len(_FACTORS)))
    zero = int((own[-1] == 0).sum())
    orbits = classify(own, middle[count : 2 * count])
    strength_matters, slope = _strength(low, high) if arrived.min() >= _ARRIVED else (None, None)
    return Fingerprint(
        optimiser=described(wide.optimizer),
        lr=learning_rate(wide.optimizer),
        strength=strength,
        start=law.words,
        steps=steps,
        weights=count,
        depends_on_strength=strength_matters,
        strength_exponent=slope,
        depends_on_start=_start(own) if arrived[1] >= _ARRIVED else None,
        at_zero=_at_zero(Population(factory, starts, strength), wide),
        zero_float64=share_of(zero, count),
        zero_float32=share_of(int((narrow.weights == 0).sum()), count),
        orbits=orbits.shares(),
        periods=orbits.common_periods(),
        amplitude=_amplitude(orbits),
        share_arrived=float(arrived.min()),
    )


def _observe(population: Population, steps: int, told: Callable[[int, int], None]) -> tuple[Any, np.ndarray]:
    """Amplitudes in a window up to steps/2, and the paths over the last window."""
    window = min(_WINDOW, steps // 4)
    at, recorded = 0, []
    for end in (steps // 2, steps):
        paths = []
        for step in range(end - window + 1, end + 1):
            walk(population, at, step, steps, told)
            at = step
            paths.append(population.weights.reshape(-1).numpy().copy())
        recorded.append(np.array(paths))
    return np.abs(recorded[0]).max(axis=0), recorded[1]


def _strength(low: np.ndarray, high: np.ndarray) -> tuple[bool, float | None]:
    differs = np.zeros(low.shape[1], dtype=bool)
    for size in (np.max, np.mean):
        a, b = size(np.abs(low), axis=0), size(np.abs(high), axis=0)
        differs |= np.abs(a - b) > _DIFFERS * np.maximum(a, b)
    before, after = (float(np.abs(paths).mean()) for paths in (low, high))
    known = 0 < before < math.inf and 0 < after < math.inf
    slope = math.log(after / before) / math.log(_FACTORS[-1] / _FACTORS[0]) if known else None
    return bool(differs.mean() > 0.5), slope


def _start(paths: np.ndarray) -> bool:
    sizes = np.abs(paths)
    largest = sizes.max()
    spread = [np.ptp(np.quantile(size(sizes, axis=0), [0.05, 0.95])) for size in (np.max, np.mean)]
    return bool(max(spread) > _DIFFERS * largest)


def _amplitude(orbits: Orbits) -> float | None:
    moving = orbits.amplitudes[orbits.amplitudes > 0]
    return float(np.median(moving)) if moving.size else None


def _at_zero(early: Population, late: Population) -> str:
    walk(early, 0, 3, 3, None)
    stayed = []
    for population in (early, late):
        population.weights.zero_()
        still = population.weights == 0
        for _ in range(_AT_ZERO_STEPS):
            population.step()
            still &= population.weights == 0
        stayed.append(still.double().mean().item())
    return "stay" if min(stayed) == 1 else "leave" if max(stayed) == 0 else "some leave"
