"""Times to a target loss, censored at a horizon, and how two networks' times are compared.

Every run is given up at its group's horizon H and at no other time, so the restricted time min(T, H) is known
for all of them and the Kaplan-Meier estimate is the empirical one. Where the slower network's runs are
censored, a ratio of restricted times lies nearer to 1 than that of the times themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from nonsmooth.claims._claim import Row

__all__ = [
    "DEPTHS",
    "LEAST",
    "Activations",
    "Ratio",
    "Runs",
    "Setting",
    "Steps",
    "best_step",
    "by_setting",
    "censored",
    "censoring",
    "log_rank",
    "log_time",
    "paired",
    "pooled",
    "ratio",
    "reached",
    "stuck",
    "tuned",
]

# The shallowest and the deepest network of Figure 2, and the fewest seeds that decide anything.
DEPTHS = (11, 19)
LEAST = 5

# Below this share of ln(classes) a network has left the initial plateau.
_PLATEAU = 0.95

Runs = dict[int, Row]  # by seed
Steps = dict[float, Runs]  # by step size
Activations = dict[str, Steps]  # by name


class Setting(NamedTuple):
    """All that two activations share when they are compared."""

    depth: int
    batch_norm: bool
    init: str
    optimiser: str

    def __str__(self) -> str:
        norm = "with" if self.batch_norm else "no"
        optimiser = {"adam": "Adam", "sgd": "SGD"}[self.optimiser]
        return f"depth {self.depth}, {norm} batch norm, {self.init} initialisation, {optimiser}"


def by_setting(rows: Iterable[Row], experiment: str = "race") -> dict[Setting, Activations]:
    """The rows of an experiment by setting, activation, step size and seed."""
    found: dict[Setting, Activations] = {}
    for row in rows:
        if row["experiment"] == experiment:
            setting = Setting(row["depth"], row["batch_norm"], row["init"], row["optimiser"])
            steps = found.setdefault(setting, {}).setdefault(row["activation"], {})
            steps.setdefault(row["stepsize"], {})[row["seed"]] = row
    return found


def reached(row: Row, which: int = 0) -> bool:
    """Whether a run comes to its target (0) or second target (1) before the horizon."""
    return row["times"][which] is not None


def stuck(row: Row) -> bool:
    """Whether a run never leaves the initial plateau."""
    return row["lowest"] >= _PLATEAU * math.log(row["classes"])


def log_time(row: Row, which: int = 0) -> float:
    """The logarithm of the restricted time min(T, H), in steps."""
    return math.log(row["times"][which] if reached(row, which) else row["horizon"])


def tuned(steps: Steps) -> Runs:
    """Each seed's run at the step size that is best on the other seeds, so that no seed chooses its own.

    Best: the least geometric mean of restricted times. Seeds not run at every step size are left out.

    >>> row = lambda time: {"times": [time], "horizon": 100}
    >>> chosen = tuned({0.1: {0: row(9), 1: row(90)}, 0.2: {0: row(20), 1: row(20)}})
    >>> chosen[0]["times"], chosen[1]["times"]
    ([20], [90])
    """
    seeds = sorted(set.intersection(*(set(runs) for runs in steps.values()))) if steps else []
    chosen = {}
    for seed in seeds:
        others = [other for other in seeds if other != seed] or [seed]
        best = min(sorted(steps), key=lambda step: sum(log_time(steps[step][other]) for other in others))
        chosen[seed] = steps[best][seed]
    return chosen


def paired(activations: Activations, names: Iterable[str]) -> dict[str, Runs]:
    """The tuned runs of some activations, from the step sizes and on the seeds that all of them have.

    Empty where there are none.
    """
    names = list(names)
    if not all(name in activations for name in names):
        return {}
    common = set.intersection(*(set(activations[name]) for name in names))
    chosen = {name: tuned({step: activations[name][step] for step in common}) for name in names}
    seeds = sorted(set.intersection(*map(set, chosen.values())))
    return {name: {seed: chosen[name][seed] for seed in seeds} for name in names} if seeds else {}


@dataclass(frozen=True)
class Ratio:
    """A geometric mean of ratios over ``n`` seeds, with Student's interval at level 1 - 0.05/comparisons."""

    value: float
    interval: tuple[float, float]
    n: int

    @property
    def above(self) -> bool:
        """The whole interval lies above 1."""
        return self.interval[0] > 1

    @property
    def below(self) -> bool:
        return self.interval[1] < 1

    def __str__(self) -> str:
        return f"{self.value:.2f}"

    @property
    def in_words(self) -> str:
        """With its interval, where there is one."""
        if self.n < 2:
            return str(self)
        return f"{self} [{self.interval[0]:.2f}, {self.interval[1]:.2f}]"


def pooled(logs: Sequence[float], comparisons: int = 1) -> Ratio:
    """The geometric mean of ratios, one a seed, given as logarithms; the interval is open below two seeds.

    >>> pooled([math.log(2), math.log(2), math.log(4)]).n
    3
    >>> pooled([math.log(2)]).interval
    (0.0, inf)
    """
    n = len(logs)
    middle = float(np.mean(logs)) if n else 0.0
    if n < 2:
        return Ratio(math.exp(middle), (0.0, math.inf), n)
    from scipy.stats import t

    half = float(t.ppf(1 - 0.025 / comparisons, n - 1) * np.std(logs, ddof=1) / math.sqrt(n))
    low, high = np.exp(
        np.clip([middle - half, middle + half], -700, 700)
    )  # two seeds can leave anything open
    return Ratio(math.exp(middle), (float(low), float(high)), n)


def ratio(a: Runs, b: Runs, comparisons: int = 1, which: int = 0) -> Ratio:
    """Restricted time of ``a`` over that of ``b``, paired by seed."""
    return pooled(
        [log_time(a[seed], which) - log_time(b[seed], which) for seed in sorted(a.keys() & b)], comparisons
    )


def best_step(steps: Steps) -> float:
    """The step size with the least geometric mean of restricted times over all of its seeds."""
    return min(
        sorted(steps), key=lambda step: float(np.mean([log_time(row) for row in steps[step].values()]))
    )


def censoring(slow: Runs, quick: Runs) -> str | None:
    """How many runs of either side are censored, in words: "" if none, None if all, so that nothing is known.

    >>> row = lambda time: {"times": [time], "horizon": 100}
    >>> censoring({0: row(None), 1: row(90)}, {0: row(10), 1: row(9)})
    ' (1 of 2 and 0 of 2 censored)'
    """
    sides = [[reached(row) for row in runs.values()] for runs in (slow, quick)]
    if not any(map(any, sides)):
        return None
    if all(map(all, sides)):
        return ""
    first, second = (f"{side.count(False)} of {len(side)}" for side in sides)
    return f" ({first} and {second} censored)"


def censored(rows: Sequence[Row]) -> Any:
    """The times as scipy's ``CensoredData``."""
    from scipy.stats import CensoredData

    times = [row["times"][0] for row in rows]
    return CensoredData(
        uncensored=[time for time in times if time is not None],
        right=[row["horizon"] for row in rows if not reached(row)],
    )


def log_rank(a: Sequence[Row], b: Sequence[Row]) -> float | None:
    """p of the log-rank test that both have one law; None where no run of either reaches the target.

    >>> row = lambda time: {"times": [time], "horizon": 100}
    >>> late, early = [row(None)] * 5, [row(10 + k) for k in range(5)]
    >>> log_rank(late, late) is None, log_rank(late, early) < 0.01
    (True, True)
    """
    if not any(map(reached, (*a, *b))):
        return None
    from scipy.stats import logrank

    return float(logrank(censored(a), censored(b)).pvalue)
