"""Propositions 4.1, B.1 and B.2: the subgradient method on l1 ||b||_1 never reaches 0 and alternates.

With c = α λ1, one entry moves by b <- b - c sign(b) (eq. 11). Over the reals it keeps b mod c, enters
(-c, c) after floor(|b_0| / c) steps and alternates there; it hits 0 exactly when b_0 is a multiple of c.
Three questions follow: is that so in exact arithmetic (attacked by enumerating rationals), what
does floating point make of "with probability 1" (every one of the 2^24 float32 starts is tried), and does the
printed formula (8), with its one parity for all entries, describe it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.toy_lasso_orbit import _experiments, _figures, _judgement
from nonsmooth.claims.toy_lasso_orbit._experiments import (
    CHUNKS,
    DTYPES,
    MAP_DIMENSIONS,
    PRODUCTS,
    SIZES,
)
from nonsmooth.errors import InputError
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec


class ToyLassoOrbit(Claim):
    id = "toy-lasso-orbit"
    where = "Section 4 and Appendix B.1: eq. 7, 8, 11-14, Propositions 4.1, B.1, B.2"
    statement = (
        "On L3 = λ1 ||b||_1 with a constant step and b0 uniform on [-1, 1], “βk will have all non-zero "
        "entries with probability 1 for all k > 0”, and “there exists an integer N0, such that for every N "
        "≥ N0” entry k is γk − αλ1 at N + m for odd m and γk for even m, with γk in (0, αλ1)."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "eq. 8": "b_{N+m}[k] = γk − αλ1 (m odd), γk (m even), γk in (0, αλ1)"
    }
    unstated = (
        Setting(
            "stepsize",
            0.01,
            "the worked example's step; only the product α λ1 (at least 0.001) matters",
            low=1e-3,
            high=10,
        ),
        Setting(
            "strength",
            1.0,
            "the worked example's λ1; only the product α λ1 (at least 0.001) matters",
            low=1e-3,
            high=1e3,
        ),
    )
    parts = (
        Part(
            "non-zero",
            "Proposition B.1: all entries are non-zero with probability 1 for all k (over the reals).",
            "Holds if, among all starts j/q in [-1, 1] with q up to the tier's bound and α λ1 in {1/100, "
            "1/7, 3/4, 2}, exactly the integer multiples of α λ1 ever reach 0 (a countable set: probability "
            "0); one other start that does makes it differ.",
            least_n=500,
        ),
        Part(
            "orbit",
            "Proposition B.2: the sequence does not converge; each entry ends alternating between a value "
            "in (0, α λ1) and that value less α λ1.",
            "Holds if every start, in exact rationals, ends in such a two-cycle, and in float32 and float64 "
            "every start does that has not hit an exact 0; a share above 0.95 (Wilson lower end, allowing "
            "for the comparisons) is holds in part.",
            least_n=200,
            comparisons=12,
        ),
        Part(
            "formula-8",
            "Eq. 8 and 13 as printed: one N0, and γk in (0, α λ1) at even m, for all entries at once.",
            "Read charitably: some N exists from which the formula holds for all m. Holds if the share of "
            "uniform starts is above 0.95 for every P tested; differs if below 0.05 for every P > 1; else "
            "holds in part, with the share by P.",
            least_n=200,
            comparisons=5,
            where="Eq. 8, eq. 13 (Propositions 4.1 and B.2)",
            repair="“... for every N ≥ N0 and every k there is a γk ≠ 0 in (−αλ1, αλ1), depending on N, with "
            "β_{N+m}[k] = γk − sign(γk) αλ1 if m is odd and γk if m is even.” (Or: eq. 14, with its own n_k "
            "for each entry, without the last line of the proof.)",
        ),
        Part(
            "cause-kink",
            "“The sequence {βt} described in the previous proposition does not converge” (Proposition B.2), "
            "for any constant step: what is special about the kink.",
            "Supported if the kinked penalty fails to converge at every α λ1 from 1e-3 to 10, the twin of "
            "width d converges exactly where α λ1 < 2 d (every tested width and step), and a diminishing "
            "step converges on the kinked one; not supported if the twin fails to converge at its smallest "
            "steps too; else undecided.",
            least_n=200,
            twin="|x| rounded over widths 0.01, 0.1, 1 (C1,1, L = λ1/d); diminishing steps α/(1+t)^0.5",
        ),
    )
    notes = (
        "As printed, “for every N ≥ N0” cannot be meant: at N and at N + 1 the formula gives the same entry "
        "both signs. With one γk for all N it fails for every start, P = 1 included (b0 = α λ1/2: +, -, +, "
        "...). The proof (eq. 14) shows it for one N per entry; its last line, N0 = max(n0, ..., n_{P-1}), "
        "drops the parities.",
        "One N for all entries needs a common parity: floor(|b0[k]|/(α λ1)) + [b0[k] < 0] must be even for "
        "all k or odd for all k, which independent entries of symmetric law satisfy with probability "
        "2^(1-P), whatever α λ1.",
        "“Never exactly zero” is no mark of a kink by itself: over the reals, for almost every start and "
        "α λ1 ≠ d, gradient descent on the smooth twin does not reach 0 in finite time either (b shrinks by "
        "the factor 1 - α λ1/d). What the kink adds is that no step is small enough to approach it.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        starts, denominators = SIZES[tier]
        product = settings["stepsize"] * settings["strength"]
        if product < 1e-3:
            raise InputError(
                f"stepsize x strength = {product:g} is too small for every float32 start to be followed; "
                "choose a product of at least 0.001"
            )
        return [
            RunSpec(self.id, "rationals", {"largest_denominator": denominators}),
            *(RunSpec(self.id, "every-float32", {**settings, "chunk": chunk}) for chunk in range(CHUNKS)),
            *(
                RunSpec(self.id, "orbits", {"product": product, "dtype": dtype, "starts": starts}, (0,))
                for dtype in DTYPES
                for product in PRODUCTS
            ),
            RunSpec(self.id, "formula", {**settings, "starts": 5 * starts}, (0,)),
            *(RunSpec(self.id, "map", {"P": P, "starts": starts // 2}, (0,)) for P in MAP_DIMENSIONS),
            RunSpec(self.id, "twins", {"starts": starts}, (0,)),
            RunSpec(self.id, "curves", settings, (0,)),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "rationals": _experiments.rationals,
            "every-float32": _experiments.every_float32,
            "orbits": _experiments.orbits,
            "formula": _experiments.formula,
            "map": _experiments.parity_map,
            "twins": _experiments.twins,
            "curves": _experiments.curves,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.non_zero(rows),
            _judgement.orbit(rows),
            _judgement.formula_8(rows),
            _judgement.cause_kink(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.orbit(rows), _figures.parity_map(rows), _figures.twin(rows)]
