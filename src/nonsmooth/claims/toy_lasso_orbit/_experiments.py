"""What is run: exact rationals, every float32 start, random orbits, eq. 8's parity, and the twins."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numba import njit

from nonsmooth.claims._claim import Row
from nonsmooth.methods import Diminishing
from nonsmooth.objectives import ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import CHANNELS, Record, minimize

__all__ = [
    "CHUNKS",
    "DIMENSIONS",
    "DTYPES",
    "MAP_DIMENSIONS",
    "MAP_PRODUCTS",
    "PRODUCTS",
    "SIZES",
    "WIDTHS",
    "curves",
    "every_float32",
    "formula",
    "orbits",
    "parity_map",
    "rationals",
    "twins",
]

# Random starts and the greatest denominator of the rationals, by tier.
SIZES = {"quick": (400, 24), "laptop": (4000, 48), "paper": (20_000, 96)}
# Values of α λ1: all that eq. 11 depends on.
PRODUCTS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
DTYPES = ("float64", "float32")
DIMENSIONS = (1, 2, 3, 5, 10)
# The map of P against α λ1; 0.3 and 3 are added to what the orbits are run at.
MAP_DIMENSIONS = (1, 2, 3, 4, 5, 10)
MAP_PRODUCTS = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
# Widths over which the twins round |x|.
WIDTHS = (0.01, 0.1, 1.0)
# The float32 starts are counted in quarters.
CHUNKS = 4

_EXACT_PRODUCTS = (Fraction(1, 100), Fraction(1, 7), Fraction(3, 4), Fraction(2))
_MAX = CHANNELS.index("max_norm")


def rationals(spec: RunSpec) -> list[Row]:
    """Every start j/q: does eq. 11 reach 0, and does it end in the two-cycle? In exact arithmetic."""
    starts = {Fraction(j, q) for q in range(1, spec["largest_denominator"] + 1) for j in range(-q, q + 1)}
    rows = []
    for move in _EXACT_PRODUCTS:
        multiples = zeros = surprises = cycles = 0
        for start in starts:
            b = _after_crossing(start, move)
            multiple = start % move == 0
            multiples += multiple
            zeros += b == 0
            surprises += (b == 0) != multiple
            # the entry has crossed once: the other value of the cycle must lie across 0
            following = _step(b, move)
            cycles += b != 0 and b * following < 0 and abs(b - following) == move
        rows.append(
            {
                "experiment": "rationals",
                "product": float(move),
                "n": len(starts),
                "zeros": zeros,
                "multiples": multiples,
                "surprises": surprises,
                "cycles": cycles,
            }
        )
    return rows


def every_float32(spec: RunSpec) -> list[Row]:
    """A quarter of all 2^24 values that a float32 uniform generator on [-1, 1) can return."""
    quarter = 2**24 // CHUNKS
    move = np.float32(np.float32(spec["stepsize"]) * np.float32(spec["strength"]))
    zeros, at_start = _count_zeros(spec["chunk"] * quarter, (spec["chunk"] + 1) * quarter, move)
    return [
        {
            "experiment": "every-float32",
            "product": float(move),
            "n": quarter,
            "zeros": int(zeros),
            "at_start": int(at_start),
        }
    ]


def orbits(spec: RunSpec) -> list[Row]:
    """Random starts: is the end a two-cycle across 0 with the right spacing, bit for bit periodic?"""
    move = spec["product"]
    start = stream("start", 0).uniform(-1, 1, (spec["starts"], 1)).astype(spec["dtype"])
    steps = int(1 / move) + 20
    run = minimize(ToyLasso(1.0, 1), start=start, steps=steps, stepsize=move, record=Record(tail=4))
    tail = run.tail[:, :, 0]
    exact_zero = tail[:, -1] == 0
    periodic = (tail[:, 0] == tail[:, 2]) & (tail[:, 1] == tail[:, 3])
    spacing = np.abs(tail[:, 2] - tail[:, 3]).astype(float)
    across = (tail[:, 2] * tail[:, 3] < 0) & (np.abs(spacing / move - 1) < 1e-5)
    first_inside = np.floor(np.abs(start[:, 0].astype(float)) / move)
    return [
        {
            "experiment": "orbits",
            "product": move,
            "dtype": spec["dtype"],
            "n": spec["starts"],
            "zeros": int(exact_zero.sum()),
            "cycles": int((periodic & across & ~exact_zero).sum()),
            "N0_median": float(np.median(first_inside)),
            "N0_high": float(first_inside.max()),
        }
    ]


def formula(spec: RunSpec) -> list[Row]:
    """Share of uniform starts for which some N makes eq. 8 true for all entries and all m."""
    move = spec["stepsize"] * spec["strength"]
    rows = []
    for dimension in DIMENSIONS:
        start = stream("start", dimension).uniform(-1, 1, (spec["starts"], dimension))
        run = minimize(
            ToyLasso(spec["strength"], dimension),
            start=start,
            steps=int(1 / move) + 4,
            stepsize=spec["stepsize"],
            record=Record(tail=2),
        )
        common, opposite = _parities(run.tail)
        repaired = opposite & (np.abs(run.tail) < move).all(axis=(1, 2))
        # literally, for every N: the entry would have to be positive at N and at N + 1
        literal = (run.tail > 0).all(axis=(1, 2))
        rows.append(
            {
                "experiment": "formula",
                "P": dimension,
                "n": spec["starts"],
                "common": int(common.sum()),
                "literal": int(literal.sum()),
                "repaired": int(repaired.sum()),
            }
        )
    return rows


def parity_map(spec: RunSpec) -> list[Row]:
    """The same share over the number of entries and α λ1: theory says 2^(1-P), whatever α λ1."""
    dimension = spec["P"]
    start = stream("map", dimension).uniform(-1, 1, (spec["starts"], dimension))
    rows = []
    for move in MAP_PRODUCTS:
        run = minimize(
            ToyLasso(1.0, dimension),
            start=start,
            steps=int(1 / move) + 4,
            stepsize=move,
            record=Record(tail=2),
        )
        common, _ = _parities(run.tail)
        rows.append(
            {
                "experiment": "map",
                "x": move,
                "y": dimension,
                "hits": int(common.sum()),
                "n": spec["starts"],
            }
        )
    return rows


def twins(spec: RunSpec) -> list[Row]:
    """Final |b| over its start: kinked, rounded and diminishing, over five decades of α λ1."""
    start = stream("start", 0).uniform(-1, 1, (spec["starts"] // 2, 1))
    around_thresholds = {2 * width * factor for width in WIDTHS for factor in (0.5, 0.9, 0.99, 1.01, 1.1)}
    moves = sorted({*PRODUCTS[1:], *around_thresholds})
    rows = [_constant_step(start, move, width) for move in moves for width in (0.0, *WIDTHS)]
    return [*rows, _diminishing_step(start)]


def curves(spec: RunSpec) -> list[Row]:
    """Three entries of different parity, for the figure."""
    move = spec["stepsize"] * spec["strength"]
    start = np.array([[3.3 * move, -6.8 * move, 2.55 * move]])
    objective = ToyLasso(spec["strength"], 3)
    run = minimize(objective, start=start, steps=16, stepsize=spec["stepsize"], record=Record(tail=17))
    return [
        {"experiment": "curves", "product": move, "entry": k, "path": run.tail[0, :, k].tolist()}
        for k in range(3)
    ]


def _parities(tail: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the last two iterates (B, 2, P): do all entries cross 0 together, and does each cross it at all?"""
    signs = np.sign(tail)
    opposite = (signs[:, 0] == -signs[:, 1]).all(axis=1)
    return opposite & (signs[:, 0] == signs[:, 0, :1]).all(axis=1), opposite


def _step(b: Fraction, move: Fraction) -> Fraction:
    """Eq. 11 for one entry."""
    return b - move if b > 0 else b + move


def _after_crossing(start: Fraction, move: Fraction) -> Fraction:
    """The entry after floor(|b_0| / move) + 1 steps, or 0 if it reaches 0 before."""
    b = start
    for _ in range(abs(start) // move + 1):
        if b == 0:
            break
        b = _step(b, move)
    return b


@njit(cache=True)
def _count_zeros(first, last, move):
    """How many of the float32 starts 2 (j / 2^24) - 1 reach an exact 0 within |b|/move + 2 steps."""
    zero, at_start = 0, 0
    for j in range(first, last):
        b = np.float32(j) * np.float32(2.0**-23) - np.float32(1)
        if b == 0:
            at_start += 1
            continue
        # eq. 11 is odd in b: follow |b| down to its first crossing, then two steps more, where a small
        # value may be absorbed by rounding
        b = abs(b)
        while b > 0:
            b -= move
        if b != 0:
            b += move
            if b != 0:
                b -= move
        zero += b == 0
    return zero, at_start


def _constant_step(start: np.ndarray, move: float, width: float) -> Row:
    """The penalty rounded over a width, or with its kink at width 0, at one constant step."""
    objective = ToyLasso(1.0, 1).smooth_twin(width) if width else ToyLasso(1.0, 1)
    steps = int(1 / move) + 1000
    if width and move < 2 * width:
        # the last stretch contracts by 1 - move/width a step: e^-20 takes any start below 1e-6
        steps += int(20 * width / move)
    run = minimize(objective, start=start, steps=steps, stepsize=move, record=Record(window=2))
    late = run.late_high[:, _MAX]
    return {
        "experiment": "twins",
        "kind": "constant",
        "width": width,
        "product": move,
        "n": start.shape[0],
        "converged": int((late < 1e-6).sum()),
        "amplitude": float(np.median(late)),
    }


def _diminishing_step(start: np.ndarray) -> Row:
    """The kinked penalty at steps 0.1 / (1 + t)^0.5; converged: within the last step of 0."""
    run = minimize(
        ToyLasso(1.0, 1),
        start=start,
        steps=40_000,
        stepsize=Diminishing(0.1, 0.5),
        record=Record(every=4000, window=2),
    )
    late = run.late_high[:, _MAX]
    return {
        "experiment": "twins",
        "kind": "diminishing",
        "width": 0.0,
        "product": 0.1,
        "n": start.shape[0],
        "converged": int((late <= 0.1 / 200 * 1.01).sum()),
        "amplitude": float(np.median(late)),
        "exact_zero": int((run.final[:, 0] == 0).sum()),
        "medians": np.median(run.curve("max_norm"), axis=0).tolist(),
    }
