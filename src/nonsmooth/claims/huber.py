"""Eq. 10 and Figure 4: gradient descent on Huber's loss oscillates at a high step but never diverges.

Huber's loss is convex, Lipschitz, and has a Lipschitz gradient with constant L = sigma(Z)^2 / N: by the paper's own
eq. 5 it is L-smooth. The controls separate what the caption joins: log cosh has the same slope bound and the same
L and is analytic; half the mean square has the same L and an unbounded slope.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.findings import (
    COLOURS,
    Attribution,
    Drawing,
    Finding,
    Part,
    Result,
    Ruling,
    canvas,
    number,
    share,
)
from nonsmooth.methods import Constant
from nonsmooth.objectives import Huber, Lasso, LogCosh, Objective
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, minimize

_ROWS, _COLUMNS = 50, 200
_BATCH = 12
_SIZES = {"quick": (24, 12), "laptop": (96, 48), "paper": (500, 200)}
_FACTORS = (0.5, 0.9, 0.98, 1.02, 1.1, 2.0, 5.0, 15.0, 50.0)
_LOSSES = {"huber": "Huber (C1,1)", "log-cosh": "log cosh (analytic)", "square": "square (analytic)"}
_LAWS = ("uniform", "normal")


class HuberLossClaim(Claim):
    id = "huber"
    where = "Section 5: eq. 10, Figure 4"
    statement = (
        "Regressing an arbitrary 50x1 response on a 50x200 data matrix with the Huber loss, “as the learning rate increases, the loss "
        "starts oscillating with larger frequencies, but never diverges to ∞. This is to be expected from Proposition 5.1, since "
        "the Huber loss function is convex, non-smooth and has bounded subgradients”; it is “differentiable but non-smooth, as it is "
        "once but not twice differentiable”."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "α = 0.1": "falls",
        "α = 10": "oscillates, does not diverge",
        "class": "non-smooth",
    }
    unstated = (
        Setting("small", 0.1, "printed", 1e-3, 0.2),
        Setting("large", 10.0, "printed", 1.0, 1e4),
        Setting(
            "steps",
            2000,
            "the figure's length is not printed; divergence is looked for in the second half",
            200,
            1e6,
        ),
    )
    parts = (
        Part(
            "no-divergence",
            "At α = 10 (and above) the loss never diverges.",
            "Holds if no run at any step diverges and, at α = 10, the greatest loss of the second half exceeds that of the first by "
            "less than a tenth in a share of runs with Wilson lower end (2 comparisons: two data laws) above 0.8; differs if "
            "a run diverges; else holds in part.",
            least_n=24,
            comparisons=2,
        ),
        Part(
            "oscillation",
            "α = 0.1 falls, α = 10 oscillates; “larger frequencies” as the step increases.",
            "Two sentences. First: no rise at 0.1 and rises at 10 in every run. Second: the frequency of the loss (changes of direction a "
            "step, halved; at most 1/2) grows with the step beyond 2/L by more than 0.01 in the median. Both: holds; one: holds in "
            "part; none: differs.",
            least_n=24,
        ),
        Part(
            "non-smooth",
            "Huber's loss is “non-smooth”.",
            "Differs if by eq. 5, the paper's own definition, it is L-smooth: ||∇f(x) − ∇f(y)|| <= L ||x − y|| with L = σ(Z)²/N in every "
            "random pair over eight decades of distance, and the bound is attained to 1 % near the minimum; holds if some pair exceeds it.",
            least_n=100,
        ),
        Part(
            "growth",
            "“a global minimum of 0 with quadratic growth nearby” for the over-parametrised problem.",
            "Holds if in every instance the least value is 0 to 1e-20 (the rows of Z are independent) and, along random "
            "directions from a minimiser, (f(x* + tv) − f*)/t² is constant to 1e-6 for t from 1e-4 to 1e-2.",
            least_n=24,
        ),
        Part(
            "cause-non-smooth",
            "“since the Huber loss function is convex, non-smooth ...”",
            "Not supported if the analytic twin log cosh does the same: no divergence at any step, converging below 2/L and oscillating "
            "above, in a share of runs with Wilson lower end above 0.8 at each; supported if it diverges at α = 10; else "
            "undecided.",
            least_n=24,
            comparisons=2,
            twin="log cosh: infinitely differentiable, same slope bound, same L, same data, start and steps",
        ),
        Part(
            "cause-bounded-slope",
            "“... and has bounded subgradients”",
            "Supported if the square loss, same L and data but unbounded slope, diverges in every run above 2/L while Huber and log cosh "
            "never do; not supported if it does not diverge.",
            least_n=24,
            twin="half the mean square: analytic, same L, unbounded slope",
        ),
    )
    notes = (
        "Contradiction inside the paper: eq. 5 defines L-smooth by a Lipschitz gradient, which Huber's loss has (its slope is the residual clipped "
        "to [−1, 1]). Once but not twice differentiable makes it C1,1, which is exactly L-smooth; “all L-smooth functions, being twice "
        "differentiable by definition” (Section 5) is at odds with eq. 5 for the same reason.",
        "The threshold 2/L is where convergence to the minimum ends, for Huber and log cosh as for the quadratic: near the minimum all three are the "
        "same function. What differs beyond it is only the growth far out.",
        "Data law and response are not printed; uniform on [−1, 1] and standard normal are both run.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, few = _SIZES[tier]
        specs = []
        for law in _LAWS:
            for first in range(0, seeds, _BATCH):
                batch = tuple(range(first, min(first + _BATCH, seeds)))
                specs += [
                    RunSpec(self.id, "printed", dict(settings) | {"law": law, "loss": loss}, batch)
                    for loss in _LOSSES
                ]
            for first in range(0, few, _BATCH):
                batch = tuple(range(first, min(first + _BATCH, few)))
                specs += [
                    RunSpec(self.id, "grid", {"steps": settings["steps"], "law": law, "loss": loss}, batch)
                    for loss in _LOSSES
                ]
            specs.append(RunSpec(self.id, "class", {"law": law}, tuple(range(seeds))))
        return specs

    def measure(self, spec: RunSpec) -> list[Row]:
        return {"printed": _printed, "grid": _grid, "class": _class}[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        findings: list[Finding] = []
        rulings = [
            _judge_divergence(rows, findings), _judge_oscillation(rows, findings), _judge_class(rows, findings),
            _judge_growth(rows, findings), _judge_analytic(rows, findings), _judge_slope(rows, findings),
        ]  # fmt: skip
        return Judgement(rulings, findings)

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_draw_figure(rows), _draw_threshold(rows)]


def _problem(law: str, seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    def draw(axis: str, seed: int, shape: tuple[int, ...]) -> np.ndarray:
        generator = stream(f"{axis}-{law}", seed)
        return generator.uniform(-1, 1, shape) if law == "uniform" else generator.standard_normal(shape)

    Z = np.stack([draw("Z", s, (_ROWS, _COLUMNS)) for s in seeds])
    y = np.stack([draw("y", s, (_ROWS,)) for s in seeds])
    return Z, y, np.stack([draw("start", s, (_COLUMNS,)) for s in seeds])


def _objective(loss: str, Z: np.ndarray, y: np.ndarray) -> Objective:
    if loss == "square":
        # half the mean square, by eq. 15's form: the same Hessian Z^T Z / N as Huber's near its minimum
        return Lasso(Z / np.sqrt(2), y / np.sqrt(2), 0.0)
    return (Huber if loss == "huber" else LogCosh)(Z, y)


def _printed(spec: RunSpec) -> list[Row]:
    Z, y, start = _problem(spec["law"], spec.seeds)
    objective, half = _objective(spec["loss"], Z, y), spec["steps"] // 2
    rows = []
    for label in ("small", "large"):
        run = minimize(
            objective,
            start=start,
            steps=spec["steps"],
            stepsize=spec[label],
            record=Record(every=1, window=half, limit=1e12),
        )
        values = run.curve("value")
        edge = 2 / np.asarray(objective.facts.gradient_lipschitz)
        for i, seed in enumerate(spec.seeds):
            row: Row = {
                "experiment": "printed", "law": spec["law"], "loss": spec["loss"], "stepsize": spec[label], "label": label,
                "seed": seed, "edge": float(edge[i]), "diverged": bool(run.diverged[i]), "rises": int(run.rises[i, 0]),
                "first_half": float(values[i, :half].max()), "second_half": float(values[i, half:].max()),
                "frequency": float(run.turns[i]) / (2 * (half - 2)), "end": float(run.late_high[i, 0]),
            }  # fmt: skip
            if seed == 0 and spec["law"] == "uniform":
                row["curve"] = [v if np.isfinite(v) else None for v in values[i, :120].tolist()]
            rows.append(row)
    return rows


def _grid(spec: RunSpec) -> list[Row]:
    """The same runs at multiples of each instance's own 2/L."""
    Z, y, start = _problem(spec["law"], spec.seeds)
    objective = _objective(spec["loss"], Z, y)
    edge = 2 / np.asarray(objective.facts.gradient_lipschitz)
    window = spec["steps"] // 4
    rows = []
    for factor in _FACTORS:
        run = minimize(
            objective,
            start=start,
            steps=spec["steps"],
            stepsize=Constant(factor * edge),
            record=Record(window=window, limit=1e12),
        )
        for i, seed in enumerate(spec.seeds):
            rows.append({
                "experiment": "grid", "law": spec["law"], "loss": spec["loss"], "factor": factor, "seed": seed,
                "diverged": bool(run.diverged[i]), "converged": bool(run.late_high[i, 0] < 1e-9 * run.high[i, 0]),
                "frequency": float(run.turns[i]) / (2 * (window - 2)),
                "late_high": float(run.late_high[i, 0]), "start": float(objective.value(start)[i]),
            })  # fmt: skip
    return rows


def _class(spec: RunSpec) -> list[Row]:
    """Gradient differences over distances (eq. 5), growth along random directions from a minimiser."""
    Z, y, start = _problem(spec["law"], spec.seeds)
    f = Huber(Z, y)
    L = np.asarray(f.facts.gradient_lipschitz)
    # y has an exact fit: the least-norm solution of Z x = y is a minimiser with value 0
    solution = np.stack([np.linalg.lstsq(Z[i], y[i], rcond=None)[0] for i in range(len(Z))])
    top = np.stack([np.linalg.svd(Z[i])[2][0] for i in range(len(Z))])
    direction = start / np.linalg.norm(start, axis=1, keepdims=True)
    ratios = []
    for base in (start, 10 * start, solution):
        for distance in 10.0 ** np.arange(-4, 4):
            change = f.subgradient(base + distance * direction) - f.subgradient(base)
            ratios.append(np.linalg.norm(change, axis=1) / distance / L)
    attained = (
        np.linalg.norm(f.subgradient(solution + 1e-3 * top) - f.subgradient(solution), axis=1) / 1e-3 / L
    )
    growth = np.stack(
        [(f.value(solution + t * direction) - f.value(solution)) / t**2 for t in (1e-4, 1e-3, 1e-2)]
    )
    worst = np.max(ratios, axis=0)
    return [
        {
            "experiment": "class", "law": spec["law"], "seed": seed, "pairs": len(ratios), "worst": float(worst[i]),
            "attained": float(attained[i]), "minimum": float(f.value(solution)[i]),
            "growth_spread": float(np.ptp(growth[:, i]) / growth[:, i].mean()),
        }
        for i, seed in enumerate(spec.seeds)
    ]  # fmt: skip


def _of(rows: Sequence[Row], experiment: str, **wanted: Any) -> list[Row]:
    return [r for r in rows if r["experiment"] == experiment and all(r[k] == v for k, v in wanted.items())]


def _judge_divergence(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    everything = _of(rows, "printed", loss="huber") + _of(rows, "grid", loss="huber")
    if not everything:
        return Ruling("no-divergence", Result.NOT_JUDGED, 0, "Not run.")
    bad = sum(r["diverged"] for r in everything)
    shares, n = [], 0
    for law in _LAWS:
        mine = _of(rows, "printed", loss="huber", law=law, label="large")
        found = share([r["second_half"] < 1.1 * r["first_half"] for r in mine], comparisons=2)
        shares.append(found)
        n = min(n or found.n, found.n)
        findings.append(
            Finding(f"{law} data, α = {mine[0]['stepsize'] if mine else 0:g}: runs whose loss stops growing", str(found), found.n,
                    "Greatest loss of the second half at most 1.1 times that of the first; float64; Wilson interval allowing for 2 "
                    "comparisons. Median greatest loss "
                    f"{number(float(np.median([r['second_half'] for r in mine])) if mine else float('nan'))}.", "no-divergence",
                    "never diverges", found.interval, agrees=found.interval[0] > 0.8)
        )  # fmt: skip
    findings.append(Finding("Huber runs that diverge, all steps", f"{bad} of {len(everything)}", len(everything),
                            "Steps up to 50 times 2/L; divergence is a loss above 1e12 or not finite.", "no-divergence", "0", agrees=bad == 0))  # fmt: skip
    if bad:
        return Ruling("no-divergence", Result.DIFFERS, n, f"{bad} runs diverge.")
    if min(s.interval[0] for s in shares) > 0.8:
        return Ruling(
            "no-divergence",
            Result.HOLDS,
            n,
            "No run diverges; the loss stays at the level it reaches.",
            "steps up to 50 times 2/L",
        )
    return Ruling(
        "no-divergence", Result.IN_PART, n, "No run diverges, but in some the loss is still growing."
    )


def _judge_oscillation(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    small, large = (
        _of(rows, "printed", loss="huber", label="small"),
        _of(rows, "printed", loss="huber", label="large"),
    )
    grid = _of(rows, "grid", loss="huber")
    if not small or not large or not grid:
        return Ruling("oscillation", Result.NOT_JUDGED, 0, "Not run.")
    first = all(r["rises"] == 0 for r in small) and all(r["rises"] > 0 for r in large)
    medians = {f: float(np.median([r["frequency"] for r in grid if r["factor"] == f])) for f in _FACTORS}
    beyond = [medians[f] for f in _FACTORS if f > 1]
    second = beyond[-1] > beyond[0] + 0.01 and all(b >= a - 0.01 for a, b in itertools.pairwise(beyond))
    size = {
        f: float(np.median([r["late_high"] / r["start"] for r in grid if r["factor"] == f])) for f in _FACTORS
    }
    n = len(small)
    findings += [
        Finding("runs without a rise at the small step, with rises at the large one",
                f"{sum(r['rises'] == 0 for r in small)} and {sum(r['rises'] > 0 for r in large)} of {n}", n,
                f"α = {small[0]['stepsize']:g} is below 2/L (median {number(float(np.median([r['edge'] for r in small])))}), α = {large[0]['stepsize']:g} above.",
                "oscillation", "falls; oscillates", agrees=first),
        Finding("frequency of the loss by step over 2/L, median", ", ".join(f"{f:g}: {medians[f]:.2f}" for f in _FACTORS), len(grid),
                "Changes of direction a step, halved; 1/2 (up, down, up, ...) is the most there is, and is reached as soon as 2/L is passed. The step "
                "changes the size: greatest late loss over the starting loss "
                + ", ".join(f"{f:g}: {number(size[f], 2)}" for f in _FACTORS if f > 1) + ".", "oscillation", "grows", agrees=second),
    ]  # fmt: skip
    if first and second:
        return Ruling(
            "oscillation", Result.HOLDS, n, "Falls below 2/L, oscillates above, faster with the step."
        )
    if first:
        why = "Falls at 0.1 and oscillates at 10; but beyond 2/L it is the amplitude that grows with the step, not the frequency, which is 1/2 at once."
        return Ruling(
            "oscillation", Result.IN_PART, n, why, "true of 0.1 against 10, not among steps above 2/L"
        )
    return Ruling("oscillation", Result.DIFFERS, n, "The printed steps do not fall and oscillate as said.")


def _judge_class(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    mine = _of(rows, "class")
    if not mine:
        return Ruling("non-smooth", Result.NOT_JUDGED, 0, "Not run.")
    pairs = sum(r["pairs"] for r in mine)
    worst, attained = max(r["worst"] for r in mine), min(r["attained"] for r in mine)
    smooth = worst <= 1 + 1e-9 and attained > 0.99
    findings.append(
        Finding("greatest ||∇f(x) − ∇f(y)|| / (L ||x − y||)", f"{max(worst, attained):.6f}", pairs,
                f"Random pairs at distances 1e-4 to 1e3 from starts, far out and a minimiser, L = σ(Z)²/N, float64; least value along the top "
                f"direction at the minimum {attained:.6f}. So eq. 5 holds with exactly this L.", "non-smooth", "no such L", agrees=not smooth)
    )  # fmt: skip
    if smooth:
        return Ruling(
            "non-smooth",
            Result.DIFFERS,
            pairs,
            "By eq. 5 Huber's loss is L-smooth (C1,1); it lacks only a second derivative.",
        )
    return Ruling("non-smooth", Result.HOLDS, pairs, "Some pair exceeds the bound.")


def _judge_growth(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    mine = _of(rows, "class")
    if not mine:
        return Ruling("growth", Result.NOT_JUDGED, 0, "Not run.")
    least, spread = max(r["minimum"] for r in mine), max(r["growth_spread"] for r in mine)
    findings.append(
        Finding("least value; relative spread of (f(x* + tv) − f*)/t²", f"at most {least:.1e}; at most {spread:.1e}", len(mine),
                "Least-norm interpolant, random directions v, t = 1e-4, 1e-3, 1e-2, float64. The minimisers form a 150-dimensional flat, "
                "along which there is no growth at all.", "growth", "0; quadratic", agrees=least < 1e-20 and spread < 1e-6)
    )  # fmt: skip
    good = least < 1e-20 and spread < 1e-6
    return Ruling(
        "growth",
        Result.HOLDS if good else Result.DIFFERS,
        len(mine),
        "Minimum 0, quadratic growth across the flat of minimisers.",
    )


def _threshold(rows: Sequence[Row], loss: str) -> tuple[list[Row], list[Row]]:
    grid = _of(rows, "grid", loss=loss)
    return [r for r in grid if r["factor"] < 1], [r for r in grid if r["factor"] > 1]


def _judge_analytic(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    below, above = _threshold(rows, "log-cosh")
    printed = _of(rows, "printed", loss="log-cosh", label="large")
    if not below or not printed:
        return Ruling("cause-non-smooth", Attribution.UNDECIDED, 0, "No twin was run.")
    low, high = (
        share([r["converged"] for r in below], 2),
        share([not r["diverged"] and not r["converged"] for r in above], 2),
    )
    bad = sum(r["diverged"] for r in above) + sum(r["diverged"] for r in printed)
    same = _threshold(rows, "huber")
    findings.append(
        Finding("analytic twin (log cosh)", f"{low} converge below 2/L; {high} oscillate without diverging above; {bad} diverge", len(below) + len(above),
                f"Same data, starts and steps, float64. Huber: {share(r['converged'] for r in same[0])} and "
                f"{share(not r['diverged'] and not r['converged'] for r in same[1])}.", "cause-non-smooth", interval=high.interval)
    )  # fmt: skip
    n = min(len(printed), low.n, high.n)
    if min(low.interval[0], high.interval[0]) > 0.8 and bad == 0:
        return Ruling(
            "cause-non-smooth",
            Attribution.NOT_SUPPORTED,
            n,
            "An infinitely differentiable loss with the same slope bound behaves the same, at the same threshold.",
        )
    if all(r["diverged"] for r in printed):
        return Ruling("cause-non-smooth", Attribution.SUPPORTED, n, "The analytic twin diverges.")
    return Ruling(
        "cause-non-smooth", Attribution.UNDECIDED, n, "The analytic twin does the same in some runs."
    )


def _judge_slope(rows: Sequence[Row], findings: list[Finding]) -> Ruling:
    below, above = _threshold(rows, "square")
    if not above:
        return Ruling("cause-bounded-slope", Attribution.UNDECIDED, 0, "No twin was run.")
    gone, calm = share(r["diverged"] for r in above), share(r["converged"] for r in below)
    others = sum(
        r["diverged"] for loss in ("huber", "log-cosh") for part in _threshold(rows, loss) for r in part
    )
    findings.append(Finding("square loss, unbounded slope", f"{gone} diverge above 2/L; {calm} converge below", len(below) + len(above),
                            "Same L, data and starts; multiples 1.02 to 50 of 2/L (slow growth just above the threshold needs the run's length).",
                            "cause-bounded-slope", interval=gone.interval))  # fmt: skip
    if gone.hits == gone.n and others == 0:
        return Ruling(
            "cause-bounded-slope",
            Attribution.SUPPORTED,
            gone.n,
            "With the slope bound taken away and all else kept, every run above 2/L diverges.",
        )
    if gone.hits == 0:
        return Ruling(
            "cause-bounded-slope",
            Attribution.NOT_SUPPORTED,
            gone.n,
            "Without the bound nothing diverges either.",
        )
    return Ruling(
        "cause-bounded-slope",
        Attribution.UNDECIDED,
        gone.n,
        "Some runs without the bound do not diverge within the run's length.",
    )


def _draw_figure(rows: Sequence[Row]) -> Drawing:
    figure, axes = canvas(3, width=3.3)
    for ax, loss in zip(axes[0], _LOSSES, strict=True):
        for k, label in enumerate(("small", "large")):
            row = next((r for r in _of(rows, "printed", loss=loss, label=label) if r.get("curve")), None)
            if row:
                ax.plot(
                    [np.nan if v is None else v for v in row["curve"]],
                    color=COLOURS[k],
                    lw=1.0,
                    ls="-" if k else "--",
                    label=f"α = {row['stepsize']:g}",
                )
        ax.set(
            yscale="log", ylim=(1e-3, 1e3), xlabel="iteration", ylabel="loss (float64)", title=_LOSSES[loss]
        )
        ax.legend(loc="lower right")
    return Drawing("figure-4", "The paper's Figure 4 (left) and its two controls on the same data and start: the analytic log cosh behaves like Huber, the "
                   "square with the same curvature diverges.", figure)  # fmt: skip


def _draw_threshold(rows: Sequence[Row]) -> Drawing:
    figure, axes = canvas(2)
    for k, (loss, name) in enumerate(_LOSSES.items()):
        grid = _of(rows, "grid", loss=loss)
        size = [
            np.median([min(max(r["late_high"] / r["start"], 1e-12), 1e12) for r in grid if r["factor"] == f])
            for f in _FACTORS
        ]
        axes[0, 0].plot(
            _FACTORS, size, marker="osx"[k], ms=4, ls=("-", "--", ":")[k], color=COLOURS[k], label=name
        )
        if loss != "square":
            rate = [np.median([r["frequency"] for r in grid if r["factor"] == f]) for f in _FACTORS]
            axes[0, 1].plot(
                _FACTORS, rate, marker="osx"[k], ms=4, ls=("-", "--", ":")[k], color=COLOURS[k], label=name
            )
    for ax in axes[0]:
        ax.axvline(1, color="0.4", lw=0.8)
        ax.set(xscale="log", xlabel="step over 2/L")
        ax.legend()
    axes[0, 0].set(
        yscale="log",
        ylabel="greatest late loss / first loss",
        title="Where it ends (1e12 stands for divergence)",
    )
    axes[0, 1].set(
        ylim=(-0.02, 0.55), ylabel="frequency (cycles a step)", title="Huber's frequency jumps to 1/2 at 2/L"
    )
    return Drawing(
        "threshold",
        "Dependence on the step: medians over both data laws and all seeds, float64. Just above 2/L the iterates of log cosh alternate "
        "between two mirror points of equal loss, so its loss shows no oscillation there.",
        figure,
    )
