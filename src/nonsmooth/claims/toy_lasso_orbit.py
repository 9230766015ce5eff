"""Propositions 4.1, B.1 and B.2: the subgradient method on l1 ||b||_1 never reaches 0 and alternates.

With c = α λ1, one entry moves by b <- b - c sign(b) (eq. 11). Over the reals it keeps b mod c, enters
(-c, c) after floor(|b_0| / c) steps and alternates there; it hits 0 exactly when b_0 is a multiple of c.
Three questions follow: is that so in exact arithmetic (attacked by enumerating rationals), what
does floating point make of "with probability 1" (every one of the 2^24 float32 starts is tried), and does the
printed formula (8), with its one parity for all entries, describe it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numba import njit

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
from nonsmooth.methods import Diminishing
from nonsmooth.objectives import ToyLasso
from nonsmooth.runs import RunSpec, stream
from nonsmooth.trajectories import Record, minimize

_PRODUCTS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
_DIMENSIONS = (1, 2, 3, 5, 10)
_SIZES = {"quick": (400, 24), "laptop": (4000, 48), "paper": (20_000, 96)}


class ToyLassoOrbit(Claim):
    id = "toy-lasso-orbit"
    where = "Section 4 and Appendix B.1: eq. 7, 8, 11-14, Propositions 4.1, B.1, B.2"
    statement = (
        "On L3 = λ1 ||b||_1 with a constant step and b0 uniform on [-1, 1], “βk will have all non-zero entries with "
        "probability 1 for all k > 0”, and “there exists an integer N0, such that for every N ≥ N0” entry k is "
        "γk − αλ1 at N + m for odd m and γk for even m, with γk in (0, αλ1)."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "eq. 8": "b_{N+m}[k] = γk − αλ1 (m odd), γk (m even), γk in (0, αλ1)"
    }
    unstated = (
        Setting("stepsize", 0.01, "the worked example's step; only the product α λ1 matters", 1e-6, 1e3),
        Setting("strength", 1.0, "the worked example's l1; only the product α λ1 matters", 1e-6, 1e6),
    )
    parts = (
        Part(
            "non-zero",
            "Proposition B.1: all entries are non-zero with probability 1 for all k (over the reals).",
            "Holds if, among all starts j/q in [-1, 1] with q up to the tier's bound and α λ1 in {1/100, 1/7, 3/4, 2}, exactly the "
            "integer multiples of α λ1 ever reach 0 (a countable set: probability 0); one other start that does "
            "makes it differ.",
            least_n=500,
        ),
        Part(
            "orbit",
            "Proposition B.2: the sequence does not converge; each entry ends alternating between a value in (0, α λ1) and "
            "that value less α λ1.",
            "Holds if every start, in exact rationals, ends in such a two-cycle, and in float32 and float64 every start does "
            "that has not hit an exact 0; a share above 0.95 (Wilson lower end, allowing for the comparisons) is "
            "holds in part.",
            least_n=200,
            comparisons=12,
        ),
        Part(
            "formula-8",
            "Eq. 8 and 13 as printed: one N0, and γk in (0, α λ1) at even m, for all entries at once.",
            "Read charitably: some N exists from which the formula holds for all m. Holds if the share of uniform starts is above "
            "0.95 for every P tested; differs if below 0.05 for every P > 1; else holds in part, with the share by P.",
            least_n=200,
            comparisons=5,
        ),
        Part(
            "cause-kink",
            "“for any non-zero learning rate”: no constant step lets the method converge on the kinked penalty.",
            "Supported if the kinked penalty fails to converge at every α λ1 from 1e-3 to 10, the twin of width d converges "
            "exactly where α λ1 < 2 d (every tested width and step), and a diminishing step converges on the kinked one; "
            "not supported if the twin fails to converge at its smallest steps too; else undecided.",
            least_n=200,
            comparisons=1,
            twin="|x| rounded over widths 0.01, 0.1, 1 (C1,1, L = l1/d); diminishing steps α/(1+t)^0.5",
        ),
    )
    notes = (
        "As printed, “for every N ≥ N0” cannot be meant: at N and at N + 1 the formula gives the same entry both signs. It fails "
        "for every start, P = 1 included (b0 = α λ1/2: +, -, +, ...). The proof (eq. 14) shows it for one N per entry.",
        "One N for all entries needs a common parity: floor(|b0[k]|/(α λ1)) + [b0[k] < 0] must be even for all k or odd "
        "for all k, which independent entries satisfy with probability 2^(1-P). Smallest counter-example: P = 2, "
        "b0 = (α λ1/2, 3 α λ1/2): at every N one entry is positive and the other negative.",
        "Smallest repair: let γk lie in (-α λ1, α λ1) without 0 and depend on N; then for every N ≥ N0 entry k is γk at even m and "
        "γk - sign(γk) α λ1 at odd m.",
        "“Never exactly zero” is no mark of a kink by itself: over the reals gradient descent on the smooth twin "
        "never reaches 0 in finite time either (b shrinks by the factor 1 - α λ1/d). What the kink adds is that it does not even approach it.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        starts, denominators = _SIZES[tier]
        given = dict(settings)
        specs = [RunSpec(self.id, "rationals", {"largest_denominator": denominators})]
        specs += [RunSpec(self.id, "every-float32", given | {"chunk": chunk}) for chunk in range(4)]
        for dtype in ("float64", "float32"):
            specs += [
                RunSpec(self.id, "orbits", {"product": c, "dtype": dtype, "starts": starts}, (0,))
                for c in _PRODUCTS
            ]
        specs += [RunSpec(self.id, "formula", given | {"starts": 5 * starts}, (0,))]
        specs += [RunSpec(self.id, "twins", {"starts": starts}, (0,))]
        specs += [RunSpec(self.id, "curves", given, (0,))]
        return specs

    def measure(self, spec: RunSpec) -> list[Row]:
        return {
            "rationals": _rationals, "every-float32": _every_float32, "orbits": _orbits,
            "formula": _formula, "twins": _twins, "curves": _curves,
        }[spec.experiment](spec)  # fmt: skip

    def judge(self, rows: Sequence[Row]) -> Judgement:
        by: dict[str, list[Row]] = {}
        for row in rows:
            by.setdefault(row["experiment"], []).append(row)
        findings: list[Finding] = []
        rulings = [
            _judge_nonzero(by, findings), _judge_orbit(by, findings), _judge_formula(by, findings), _judge_kink(by, findings),
        ]  # fmt: skip
        return Judgement(rulings, findings)

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_draw_orbit(rows), _draw_twin(rows)]


def _rationals(spec: RunSpec) -> list[Row]:
    """Every start j/q: does eq. 11 reach 0, and does it end in the two-cycle? In exact arithmetic."""
    rows = []
    starts = {Fraction(j, q) for q in range(1, spec["largest_denominator"] + 1) for j in range(-q, q + 1)}
    for move in (Fraction(1, 100), Fraction(1, 7), Fraction(3, 4), Fraction(2)):
        multiples = zeros = surprises = cycles = 0
        for start in starts:
            b = start
            for _ in range(abs(start) // move + 1):
                if b == 0:
                    break
                b = b - move if b > 0 else b + move
            zeros += b == 0
            multiple = start % move == 0
            multiples += multiple
            surprises += (b == 0) != multiple
            following = b - move if b > 0 else b + move
            # after floor(|b0|/c) + 1 steps the entry has crossed once: the other value must lie across 0
            cycles += b != 0 and b * following < 0 and abs(b - following) == move
        rows.append({
            "experiment": "rationals", "product": float(move), "n": len(starts), "zeros": zeros,
            "multiples": multiples, "surprises": surprises, "cycles": cycles,
        })  # fmt: skip
    return rows


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


def _every_float32(spec: RunSpec) -> list[Row]:
    """A quarter of all 2^24 values that a float32 uniform generator on [-1, 1) can return."""
    quarter = 2**22
    move = np.float32(np.float32(spec["stepsize"]) * np.float32(spec["strength"]))
    zeros, at_start = _count_zeros(spec["chunk"] * quarter, (spec["chunk"] + 1) * quarter, move)
    return [{
        "experiment": "every-float32", "product": float(move), "n": quarter, "zeros": int(zeros), "at_start": int(at_start),
    }]  # fmt: skip


def _orbits(spec: RunSpec) -> list[Row]:
    """Random starts: is the end a two-cycle across 0 with the right spacing, bit for bit periodic?"""
    move = spec["product"]
    start = stream("start", 0).uniform(-1, 1, (spec["starts"], 1)).astype(spec["dtype"])
    run = minimize(
        ToyLasso(1.0, 1), start=start, steps=int(1 / move) + 20, stepsize=move, record=Record(tail=4)
    )
    tail = run.tail[:, :, 0]
    exact_zero = tail[:, -1] == 0
    periodic = (tail[:, 0] == tail[:, 2]) & (tail[:, 1] == tail[:, 3])
    spacing = np.abs(tail[:, 2] - tail[:, 3]).astype(float)
    across = (tail[:, 2] * tail[:, 3] < 0) & (np.abs(spacing / move - 1) < 1e-5)
    first_inside = np.floor(np.abs(start[:, 0].astype(float)) / move)
    return [{
        "experiment": "orbits", "product": move, "dtype": spec["dtype"], "n": spec["starts"],
        "zeros": int(exact_zero.sum()), "cycles": int((periodic & across & ~exact_zero).sum()),
        "N0_median": float(np.median(first_inside)), "N0_high": float(first_inside.max()),
    }]  # fmt: skip


def _formula(spec: RunSpec) -> list[Row]:
    """Share of uniform starts for which some N makes eq. 8 true for all entries and all m."""
    move = spec["stepsize"] * spec["strength"]
    rows = []
    for dimension in _DIMENSIONS:
        start = stream("start", dimension).uniform(-1, 1, (spec["starts"], dimension))
        run = minimize(
            ToyLasso(spec["strength"], dimension), start=start, steps=int(1 / move) + 4, stepsize=spec["stepsize"],
            record=Record(tail=2),
        )  # fmt: skip
        signs = np.sign(run.tail)
        common = (signs[:, 0] == signs[:, 0, :1]).all(axis=1)
        opposite = (signs[:, 0] == -signs[:, 1]).all(axis=1)
        repaired = opposite & (np.abs(run.tail) < move).all(axis=(1, 2))
        # literally, for every N: the entry would have to be positive at N and at N + 1
        literal = (run.tail > 0).all(axis=(1, 2))
        rows.append({
            "experiment": "formula", "P": dimension, "n": spec["starts"], "common": int((common & opposite).sum()),
            "literal": int(literal.sum()), "repaired": int(repaired.sum()),
        })  # fmt: skip
    return rows


def _twins(spec: RunSpec) -> list[Row]:
    """Final |b| over its start: kinked, rounded and diminishing, over five decades of α λ1."""
    start = stream("start", 0).uniform(-1, 1, (spec["starts"] // 2, 1))
    rows = []
    for move in sorted(
        {*_PRODUCTS[1:], *(2 * d * f for d in (0.01, 0.1, 1.0) for f in (0.5, 0.9, 0.99, 1.01, 1.1))}
    ):
        steps = int(min(4000, 40 / move) + 1500 + 1 / move)
        record = Record(window=2)
        for width in (0.0, 0.01, 0.1, 1.0):
            objective = ToyLasso(1.0, 1).smooth_twin(width) if width else ToyLasso(1.0, 1)
            # the last stretch contracts by 1 - move/width a step: give it thirty time constants
            extra = int(30 * width / move) if width and move < 2 * width else 0
            run = minimize(
                objective, start=start, steps=steps + min(extra, 60_000), stepsize=move, record=record
            )
            rows.append({
                "experiment": "twins", "kind": "constant", "width": width, "product": move, "n": start.shape[0],
                "converged": int((run.late_high[:, 3] < 1e-6).sum()), "amplitude": float(np.median(run.late_high[:, 3])),
            })  # fmt: skip
    run = minimize(
        ToyLasso(1.0, 1),
        start=start,
        steps=40_000,
        stepsize=Diminishing(0.1, 0.5),
        record=Record(every=4000, window=2),
    )
    median = np.median(run.curve("max_norm"), axis=0)
    rows.append({
        "experiment": "twins", "kind": "diminishing", "width": 0.0, "product": 0.1, "n": start.shape[0],
        "converged": int((run.late_high[:, 3] <= 0.1 / 200 * 1.01).sum()), "amplitude": float(np.median(run.late_high[:, 3])),
        "exact_zero": int((run.final[:, 0] == 0).sum()), "medians": median.tolist(),
    })  # fmt: skip
    return rows


def _curves(spec: RunSpec) -> list[Row]:
    """Two entries of different parity, for the figure."""
    move = spec["stepsize"] * spec["strength"]
    start = np.array([[3.3 * move, -6.8 * move, 2.55 * move]])
    run = minimize(
        ToyLasso(spec["strength"], 3),
        start=start,
        steps=16,
        stepsize=spec["stepsize"],
        record=Record(tail=17),
    )
    return [
        {"experiment": "curves", "product": move, "entry": k, "path": run.tail[0, :, k].tolist()}
        for k in range(3)
    ]


def _judge_nonzero(by: Mapping[str, list[Row]], findings: list[Finding]) -> Ruling:
    exact = by.get("rationals", [])
    if not exact:
        return Ruling("non-zero", Result.NOT_JUDGED, 0, "No rationals were enumerated.")
    surprises, n = sum(r["surprises"] for r in exact), sum(r["n"] for r in exact)
    findings.append(
        Finding("starts that reach 0 without being a multiple of α λ1", str(surprises), n,
                "Every j/q of the enumeration, four values of α λ1, exact rationals.", "non-zero", "0", agrees=surprises == 0)
    )  # fmt: skip
    floats = by.get("every-float32", [])
    if floats:
        total, zeros = sum(r["n"] for r in floats), sum(r["zeros"] for r in floats)
        findings.append(
            Finding(
                "float32 starts that do reach an exact 0", f"{zeros:,} of {total:,} ({zeros / total:.2g})", total,
                f"All 2^24 values of a float32 uniform generator on [-1, 1), α λ1 = {floats[0]['product']:.3g}: an exhaustive count, "
                "no sample. “With probability 1” is a statement over the reals; in float32 a start is a multiple of the "
                "spacing, and rounding maps a few onto α λ1 or absorbs them.", "non-zero",
            )
        )  # fmt: skip
    answer = Result.HOLDS if surprises == 0 else Result.DIFFERS
    return Ruling(
        "non-zero",
        answer,
        n,
        "Exactly the multiples of α λ1 reach 0: a countable set.",
        "over the reals, b0 uniform",
    )


def _judge_orbit(by: Mapping[str, list[Row]], findings: list[Finding]) -> Ruling:
    exact, floats = by.get("rationals", []), by.get("orbits", [])
    if not exact or len({r["dtype"] for r in floats}) < 2:
        return Ruling("orbit", Result.NOT_JUDGED, 0, "Not all of exact and float orbits were run.")
    cycles, others = sum(r["cycles"] for r in exact), sum(r["n"] - r["zeros"] for r in exact)
    findings.append(
        Finding("exact starts off the multiples that end in a two-cycle", f"{cycles:,} of {others:,}", others,
                "Exact rationals, after floor(|b0|/(α λ1)) + 1 steps.", "orbit", "all", agrees=cycles == others)
    )  # fmt: skip
    least = 1.0
    for dtype in ("float64", "float32"):
        mine = [r for r in floats if r["dtype"] == dtype]
        n, good = sum(r["n"] - r["zeros"] for r in mine), sum(r["cycles"] for r in mine)
        found = share([True] * good + [False] * (n - good), comparisons=12)
        least = min(least, found.value)
        findings.append(
            Finding(f"{dtype} starts that end in a two-cycle, bit for bit", f"{good:,} of {n:,}", n,
                    "Uniform starts, α λ1 from 1e-4 to 10; Wilson interval allowing for 12 comparisons. N0 = floor(|b0|/(α λ1)), "
                    f"up to {max(r['N0_high'] for r in mine):,.0f} steps at α λ1 = 1e-4.", "orbit", "all",
                    found.interval, agrees=good == n)
        )  # fmt: skip
    n = sum(r["n"] for r in floats)
    if cycles == others and least == 1:
        return Ruling(
            "orbit", Result.HOLDS, n, "Every start ends in the two-cycle, exactly and in both float formats."
        )
    if cycles == others and least > 0.95:
        return Ruling(
            "orbit", Result.IN_PART, n, f"Exact always; in floating point for {least:.1%} of the starts."
        )
    return Ruling("orbit", Result.DIFFERS, n, "Some starts do not end in the two-cycle; see the rows.")


def _judge_formula(by: Mapping[str, list[Row]], findings: list[Finding]) -> Ruling:
    rows = sorted(by.get("formula", []), key=lambda r: r["P"])
    if not rows:
        return Ruling("formula-8", Result.NOT_JUDGED, 0, "No starts were run.")
    shares = {}
    for r in rows:
        found = share([True] * r["common"] + [False] * (r["n"] - r["common"]), comparisons=5)
        shares[r["P"]] = found
        findings.append(
            Finding(f"starts with one parity for all entries, P = {r['P']}", f"{found.value:.4f}", found.n,
                    f"Expected 2^(1-P) = {2.0 ** (1 - r['P']):.4f}. Wilson interval allowing for 5 comparisons, float64.",
                    "formula-8", "1", found.interval, agrees=found.hits == found.n)
        )  # fmt: skip
    literal, n = sum(r["literal"] for r in rows), sum(r["n"] for r in rows)
    repaired = sum(r["repaired"] for r in rows)
    findings += [
        Finding("starts for which eq. 8 holds literally, “for every N ≥ N0”", f"{literal} of {n:,}", n,
                "The same entry would have to be positive at N and at N + 1.", "formula-8", "all", agrees=literal == n),
        Finding("starts for which the repaired formula holds", f"{repaired:,} of {n:,}", n,
                "γk of either sign in (-α λ1, α λ1), alternating with γk - sign(γk) α λ1.", "formula-8"),
    ]  # fmt: skip
    text = ", ".join(f"P = {p}: {s.value:.3g}" for p, s in shares.items())
    if all(s.interval[0] > 0.95 for s in shares.values()):
        return Ruling("formula-8", Result.HOLDS, n, "One parity serves all entries.", text)
    if all(s.interval[1] < 0.05 for p, s in shares.items() if p > 1):
        return Ruling(
            "formula-8", Result.DIFFERS, n, "Hardly any start has one parity for all entries.", text
        )
    return Ruling(
        "formula-8",
        Result.IN_PART,
        n,
        "Entries have their own parity; the share of starts falls as 2^(1-P).",
        text,
    )


def _judge_kink(by: Mapping[str, list[Row]], findings: list[Finding]) -> Ruling:
    rows = by.get("twins", [])
    if not rows:
        return Ruling("cause-kink", Attribution.UNDECIDED, 0, "No twin was run.")
    n = rows[0]["n"]
    constant = [r for r in rows if r["kind"] == "constant"]
    kinked = [r for r in constant if r["width"] == 0]
    stuck = sum(r["converged"] for r in kinked)
    findings.append(
        Finding("kinked runs with |b| < 1e-6 at the end, over all steps", f"{stuck:,} of {sum(r['n'] for r in kinked):,}",
                sum(r["n"] for r in kinked), f"{len(kinked)} values of α λ1 from 1e-3 to 10, float64.", "cause-kink")
    )  # fmt: skip
    wrong = 0
    for width in (0.01, 0.1, 1.0):
        mine = [r for r in constant if r["width"] == width]
        below = [r for r in mine if r["product"] < 2 * width]
        above = [r for r in mine if r["product"] > 2 * width]
        bad = sum(r["converged"] < r["n"] for r in below) + sum(r["converged"] > 0.05 * r["n"] for r in above)
        wrong += bad
        top = max((r["product"] for r in mine if r["converged"] == r["n"]), default=float("nan"))
        least = min((r["product"] for r in mine if r["converged"] < r["n"]), default=float("nan"))
        findings.append(
            Finding(f"smooth twin of width {width:g}: converges up to α λ1 =", f"{number(top, 4)}", len(mine) * n,
                    f"First step at which some start does not converge: {number(least, 4)}; theory 2/L = 2 d: {2 * width:g}.",
                    "cause-kink", interval=(top, least))
        )  # fmt: skip
    fading = next(r for r in rows if r["kind"] == "diminishing")
    findings.append(
        Finding("diminishing steps on the kinked penalty: median |b| at the end", number(fading["amplitude"], 2), n,
                f"α/(1+t)^0.5, α = 0.1, 40,000 steps, float64; {fading['exact_zero']} of {n} starts end at an exact 0. (Near the kink "
                "the signs take repeated differences of neighbouring steps, down to rounding.)", "cause-kink")
    )  # fmt: skip
    if stuck == 0 and wrong == 0 and fading["converged"] == n:
        why = "At a fixed step the twin does the same once α λ1 > 2 d, but only the kinked penalty (d = 0) has no step small enough."
        return Ruling(
            "cause-kink",
            Attribution.SUPPORTED,
            n,
            why,
            "no constant step; a given step also stalls on a twin with d < α λ1/2",
        )
    smallest = [
        min((r for r in constant if r["width"] == w), key=lambda r: r["product"]) for w in (0.01, 0.1, 1.0)
    ]
    if all(r["converged"] == 0 for r in smallest):
        return Ruling(
            "cause-kink",
            Attribution.NOT_SUPPORTED,
            n,
            "The smooth twin does not converge at small steps either.",
        )
    return Ruling(
        "cause-kink",
        Attribution.UNDECIDED,
        n,
        f"The twin departs from its 2/L threshold at {wrong} settings, or kinked runs converge.",
    )


def _draw_orbit(rows: Sequence[Row]) -> Drawing:
    figure, axes = canvas(2)
    for row in rows:
        if row["experiment"] == "curves":
            k, c = row["entry"], row["product"]
            axes[0, 0].plot(
                np.array(row["path"]) / c, marker="osx"[k], ms=4, color=COLOURS[k], label=f"entry {k + 1}"
            )
    axes[0, 0].axhspan(-1, 1, color="0.9", zorder=0)
    axes[0, 0].axhline(0, color="0.3", lw=0.8)
    axes[0, 0].set(
        xlabel="step t", ylabel="entry / (α λ1)", title="Entries cross 0 for ever, each with its own parity"
    )
    axes[0, 0].legend()
    shares = sorted((r["P"], r["common"] / r["n"]) for r in rows if r["experiment"] == "formula")
    if shares:
        dims = np.arange(1, shares[-1][0] + 1)
        axes[0, 1].plot(dims, 2.0 ** (1 - dims), color="0.5", ls="--", label="$2^{1-P}$")
        axes[0, 1].plot(*zip(*shares, strict=True), "o", color=COLOURS[0], label="measured")
        axes[0, 1].set(
            yscale="log",
            xlabel="number of entries P",
            ylabel="share of starts",
            title="One parity for all entries (eq. 8)",
        )
        axes[0, 1].legend()
    return Drawing(
        "orbit", "Left: three entries of one run. Right: how often eq. 8's single parity is met.", figure
    )


def _draw_twin(rows: Sequence[Row]) -> Drawing:
    figure, axes = canvas(1, width=5.6)
    for k, width in enumerate((0.0, 0.01, 0.1, 1.0)):
        mine = sorted((r["product"], max(r["amplitude"], 1e-12)) for r in rows
                      if r["experiment"] == "twins" and r["kind"] == "constant" and r["width"] == width)  # fmt: skip
        if mine:
            label = f"|x| rounded over d = {width:g}" if width else "|x| (kink)"
            axes[0, 0].plot(*zip(*mine, strict=True), marker="osx^"[k], ms=4, color=COLOURS[k], label=label)
            if width:
                axes[0, 0].axvline(2 * width, color=COLOURS[k], ls=":", lw=1)
    axes[0, 0].set(xscale="log", yscale="log", xlabel="α λ1 (dotted: 2/L of each twin)", ylabel="final |b|, median (floor 1e-12)",
                   title="Constant step: final distance to 0")  # fmt: skip
    axes[0, 0].legend()
    return Drawing(
        "twin", "The kinked penalty stalls at every step; each twin only beyond its own 2/L.", figure
    )
