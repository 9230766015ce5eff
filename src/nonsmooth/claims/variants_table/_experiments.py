"""What is run: where runs end, what they do at 0, the algebra of B.3, and RMSProp beside a vanilla run."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.claims.variants_table._optimisers import iterates
from nonsmooth.methods import RMSProp
from nonsmooth.objectives import ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, minimize

__all__ = [
    "BATCH",
    "COMPARED",
    "SIZES",
    "STRENGTHS",
    "at_zero",
    "ends",
    "first_step",
    "jitter_map",
    "jump",
    "predicts_alike",
    "shadow",
    "twins",
    "zeros",
]

# Seeds, and starts of the count of zeros, by tier.
SIZES = {"quick": (96, 4000), "laptop": (480, 40_000), "paper": (1920, 400_000)}
BATCH = 96
# λ1 of the comparison of ends, and of the comparison with a vanilla run.
COMPARED = (0.1, 1.0, 10.0)
STRENGTHS = tuple(10.0**k for k in range(-8, 3))

# λ1 (Figure 5's, its text's 1 among them) and t at which eq. 21 is asked for its step.
_STEP_STRENGTHS, _STEP_TIMES = (0.001, 1.0, 100.0), (0, 1, 2, 10, 100, 1000)

_P = 1
_GAMMA = 0.99
# Starts that are followed with sixty digits.
_DIGIT_STARTS = 80
_MAP_STRENGTHS = tuple(10.0**k for k in range(-8, 3))
_MAP_JITTERS = tuple(10.0**k for k in (-20, -17, -14, -11, -8, -5))


def ends(spec: RunSpec) -> list[Row]:
    """How far apart runs end, in units of the move at the floor: two starts, and three strengths."""
    a, name = spec["stepsize"], spec["optimiser"]
    start, other = _starts(spec.seeds, "start"), _starts(spec.seeds, "other start")
    # long enough for a vanilla run at the least λ1, and for γ^t to be below rounding
    steps = 2600 + int(1.1 / (a * min(COMPARED)))

    def pair(strength: float, b: np.ndarray) -> np.ndarray:
        """The last two iterates of each entry in order of size, (B, 2, P)."""
        f = ToyLasso(strength, _P)
        return np.sort(iterates(name, f, b, a, steps, 2, spec["jitter"]), axis=1)

    by = {strength: pair(strength, start) for strength in COMPARED}
    moves = {s: a if "RMS" in name else a * s for s in COMPARED}
    starts_apart = np.abs(by[1.0] - pair(1.0, other)).max(axis=(1, 2)) / moves[1.0]
    strengths_apart = [
        np.abs(by[s] - by[1.0]).max(axis=(1, 2)) / max(moves[s], moves[1.0]) for s in (0.1, 10.0)
    ]
    return [
        {
            "experiment": "ends",
            "optimiser": name,
            "seed": seed,
            "starts": float(starts_apart[i]),
            "strengths": float(np.min([apart[i] for apart in strengths_apart])),
            "at_zero": bool((by[1.0][i] == 0).any()),
        }
        for i, seed in enumerate(spec.seeds)
    ]


def at_zero(spec: RunSpec) -> list[Row]:
    """Start where the first step leads to exactly 0, and look at the next ten iterates."""
    a, name = spec["stepsize"], spec["optimiser"]
    f = ToyLasso(1.0, 1)

    def path(b: float, steps: int) -> np.ndarray:
        return iterates(name, f, np.array([[b]]), a, steps, steps + 1, spec["jitter"])[0, :, 0]

    b = 1.0
    for _ in range(50):
        first = path(b, 1)
        if first[1] == 0:
            break
        b = float(first[0] - first[1])  # the first move does not depend on where it starts
    after = path(b, 11)
    return [
        {
            "experiment": "at-zero",
            "optimiser": name,
            "start": b,
            "hit": bool(after[1] == 0),
            "stays": bool((after[1:] == 0).all()),
            "leaves": bool((after[2:] != 0).all()),
        }
    ]


def jump(spec: RunSpec) -> list[Row]:
    """Eq. 16 from βN = 0 with ∇ = 0, in rationals: is βN+1 = -η βN-1, and is it not 0?"""
    rows = []
    for eta in (Fraction(j, 8) for j in range(1, 8)):
        for before in (Fraction(j, 5) for j in range(-5, 6) if j):
            now = gradient = Fraction(0)
            following = now - Fraction(1, 100) * (1 - eta) * gradient + eta * (now - before)
            rows.append(
                {
                    "experiment": "jump",
                    "eta": float(eta),
                    "before": float(before),
                    "formula": following == -eta * before,
                    "jumps": following != 0,
                }
            )
    return rows


def first_step(spec: RunSpec) -> list[Row]:
    """The step at each t and λ1 over α: eq. 21 as printed, with v_{-1} = 0, and torch's own at t = 0."""
    import torch

    rows = []
    for strength in _STEP_STRENGTHS:
        b = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
        optimizer = torch.optim.RMSprop([b], lr=spec["stepsize"], alpha=_GAMMA)
        (strength * b.abs().sum()).backward()
        optimizer.step()
        for t in _STEP_TIMES:
            with localcontext() as context:
                context.prec = 60
                epsilon = Decimal(str(spec["jitter"])) / Decimal(str(strength)) ** 2
                gamma = Decimal(str(_GAMMA))
                printed, repaired = (1 / (1 + epsilon - gamma**k).sqrt() for k in (t, t + 1))
            rows.append(
                {
                    "experiment": "first-step",
                    "strength": strength,
                    "t": t,
                    "printed": float(printed),
                    "repaired": float(repaired),
                    "torch": (1 - b.item()) / spec["stepsize"] if t == 0 else None,
                }
            )
    return rows


def zeros(spec: RunSpec) -> list[Row]:
    """Uniform starts after 4000 steps: at exactly 0 in float64? And with sixty digits, how near 0?"""
    start = stream("start", 0).uniform(-1, 1, (spec["starts"], 1))
    a, method = spec["stepsize"], RMSProp(_GAMMA, spec["jitter"])
    run = minimize(ToyLasso(1.0, 1), start=start, steps=4000, stepsize=a, method=method)
    digits = [_with_sixty_digits(float(b), a, spec["jitter"], 2600) for b in start[:_DIGIT_STARTS, 0]]
    return [
        {
            "experiment": "zeros",
            "n": spec["starts"],
            "zeros": int((run.final == 0).sum()),
            "digit_starts": len(digits),
            "digit_zeros": sum(smallest == 0 for smallest, _ in digits),
            "digit_near": sum(smallest < 1e-6 * a for smallest, _ in digits),
            "digit_follow": sum(apart < 0.01 * a for _, apart in digits),
        }
    ]


def shadow(spec: RunSpec) -> list[Row]:
    """RMSProp's iterates 3000 ... 3200 against a vanilla run with λ1 = 1 from iterate 3000, over α."""
    a, strength = spec["stepsize"], spec["strength"]
    method = RMSProp(_GAMMA, spec["jitter"])
    start = _starts(spec.seeds, "start")
    record = Record(tail=201)
    tail = minimize(
        ToyLasso(strength, _P), start=start, steps=3200, stepsize=a, method=method, record=record
    ).tail
    vanilla = minimize(ToyLasso(1.0, _P), start=tail[:, 0], steps=200, stepsize=a, record=record).tail
    apart = np.abs(tail - vanilla).max(axis=(1, 2)) / a
    return [
        {"experiment": "shadow", "strength": strength, "seed": seed, "apart": float(apart[i])}
        for i, seed in enumerate(spec.seeds)
    ]


def twins(spec: RunSpec) -> list[Row]:
    """RMSProp on differentiable penalties: how far apart do three strengths end, over α?"""
    a = spec["stepsize"]
    start = _starts(spec.seeds, "start")
    method = RMSProp(_GAMMA, spec["jitter"])
    rows = []
    for name in ("ridge", "rounded"):
        found = []
        for strength in COMPARED:
            f = (
                ToyLasso(0.0, _P, ridge=strength)
                if name == "ridge"
                else ToyLasso(strength, _P).smooth_twin(0.1)
            )
            found.append(minimize(f, start=start, steps=1000, stepsize=a, method=method).final)
        apart = np.max([np.abs(each - found[1]).max(axis=1) for each in found], axis=0) / a
        rows += [
            {"experiment": "twins", "twin": name, "seed": seed, "apart": float(apart[i])}
            for i, seed in enumerate(spec.seeds)
        ]
    return rows


def jitter_map(spec: RunSpec) -> list[Row]:
    """Share of seeds whose RMSProp run ends as at λ1 = 100 (1 % of α), over λ1 and the jitter."""
    a = spec["stepsize"]
    start = _starts(spec.seeds, "start")
    rows = []
    for jitter in _MAP_JITTERS:
        method = RMSProp(_GAMMA, jitter)
        pairs = {}
        for strength in _MAP_STRENGTHS:
            run = minimize(
                ToyLasso(strength, _P),
                start=start,
                steps=3000,
                stepsize=a,
                method=method,
                record=Record(tail=2),
            )
            pairs[strength] = np.sort(run.tail, axis=1)
        for strength, found in pairs.items():
            alike = np.abs(found - pairs[_MAP_STRENGTHS[-1]]).max(axis=(1, 2)) < 0.01 * a
            rows.append(
                {
                    "experiment": "map",
                    "x": strength,
                    "y": jitter,
                    "hits": int(alike.sum()),
                    "n": len(spec.seeds),
                }
            )
    return rows


def predicts_alike(strength: float, jitter: float) -> bool | None:
    """Whether 1 % of α separates the ends at λ1 and at 100; None within a factor 5 of the border.

    To first order in ε = jitter/λ1² the step at t is shorter by α ε (1 − γ^(t+1))^(−3/2) / 2, in sum over
    t about 1300 α ε (the early steps, where 1 − γ^t is small, dominate).
    """
    border = 360 * math.sqrt(jitter)
    if border / 5 < strength < 5 * border:
        return None
    return strength > border


def _with_sixty_digits(b: float, stepsize: float, jitter: float, steps: int) -> tuple[float, float]:
    """Eq. 18-19 at λ1 = 1: the least |b_t| of the last two iterates, 0 if one was ever 0;

    and the largest distance, over eight more steps, from a vanilla run that starts where it then is.
    """
    with localcontext() as context:
        context.prec = 60
        x, a, gamma, epsilon = Decimal(b), Decimal(stepsize), Decimal("0.99"), Decimal(jitter)
        v, last, vanilla, apart, smallest = Decimal(0), abs(x), Decimal(0), Decimal(0), 0.0
        for t in range(steps + 8):
            if x == 0:
                return 0.0, 0.0
            if t == steps:
                smallest, vanilla = float(min(last, abs(x))), x
            last = abs(x)
            v = gamma * v + (1 - gamma)
            move = a / (v + epsilon).sqrt()
            x += -move if x > 0 else move
            if t >= steps:
                vanilla += -a if vanilla > 0 else a
                apart = max(apart, abs(x - vanilla))
        return smallest, float(apart)


def _starts(seeds: tuple[int, ...], axis: str) -> np.ndarray:
    return np.stack([stream(axis, seed).uniform(-1, 1, _P) for seed in seeds])
