"""Eq. 9 and Proposition B.6: where the L1 norm of the subgradient method on the toy LASSO ends.

With c = α λ1, each entry ends alternating between two values whose absolute values add to c. So the norm
ends alternating between S and P c - S, in (0, P c), with mean P c / 2 whatever the start. Eq. 9 prints the
bound c, B.6 the bound P c. They are the same bound with two Lipschitz constants: eq. 9 takes λ1, which is one
in the L1 norm; the cited convergence result is Euclidean, and there the constant is λ1 √P.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.floor_bound import _causes, _experiments, _figures, _judgement
from nonsmooth.claims.floor_bound._experiments import SIZES
from nonsmooth.errors import InputError
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec

_LEAST_PRODUCT = 1e-3


class FloorBound(Claim):
    id = "floor-bound"
    where = "Section 4, eq. 9; Appendix B.4, Proposition B.6"
    statement = (
        "On L3 = λ1 ||b||_1, “since the loss function described in equation (7) is Lipschitz continuous "
        "(equation (6)) with L = λ1, we have from Boyd et al. (2003) ... lim ||βk||_1 < αλ1. Therefore, for "
        "the same value of α, the larger value of λ1 will result in a larger error in estimation”; and “0 < "
        "lim inf ||βN||_1 ≤ lim sup ||βN||_1 < Pαλ1” (Proposition B.6)."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "eq. 9": "lim ||b_k||_1 < αλ1",
        "B.6": "0 < lim inf ||b_N||_1 ≤ lim sup ||b_N||_1 < Pαλ1",
        "L of eq. 7": "λ1",
    }
    unstated = (
        Setting(
            "stepsize",
            0.01,
            "the worked example's step; only the product α λ1 (at least 0.001) matters: see the map",
            low=1e-3,
            high=10,
        ),
        Setting(
            "strength",
            1.0,
            "the worked example's λ1; only the product α λ1 (at least 0.001) matters: see the map",
            low=1e-3,
            high=1e3,
        ),
    )
    parts = (
        Part(
            "eq-9",
            "Eq. 9: lim ||b_k||_1 < α λ1, for every P.",
            "Read as lim sup. Differs if for every P > 1 the share of uniform starts that obey it has a "
            "Wilson upper end below 0.1; holds if for every P the lower end is above 0.9; else holds in "
            "part. Rationals: every j/q up to the tier's denominator, P = 1, 2, 3, gives the smallest "
            "exception.",
            least_n=100,
            comparisons=6,
            where="eq. 9",
            repair="lim sup ||b_k||_1 < P α λ1, as Proposition B.6 says; or, for the mean of the two norms "
            "between which the sequence ends alternating, P α λ1/2.",
        ),
        Part(
            "limit",
            "Eq. 9 speaks of lim ||b_k||_1.",
            "Holds if in every uniform start and for every P the two final norms agree to 1e-9 of P α λ1; "
            "differs if the share in which they do has a Wilson upper end below 0.1 for every P; else holds "
            "in part.",
            least_n=100,
            comparisons=6,
            where="eq. 9",
            repair="lim sup in place of lim: over the reals the norm has no limit for almost every start.",
        ),
        Part(
            "lipschitz",
            "“the loss function described in equation (7) is Lipschitz continuous (equation (6)) with L = "
            "λ1”",
            "Over random pairs and the pair (1, ..., 1), 0: holds if no Euclidean quotient exceeds λ1 for "
            "any P (the cited bound is Euclidean, as is eq. 6 unless said otherwise); holds in part if "
            "that is so for P = 1 or for the L1 norm's quotients; else differs.",
            least_n=100,
            where="Section 4, above eq. 9",
            repair="L = λ1 √P, in the Euclidean norm.",
        ),
        Part(
            "cited-bound",
            "“we have from Boyd et al. (2003) (Section 2 on the Constant Step Size)” a bound on the limit.",
            "That source bounds the best value so far by f* + α L²/2, L Euclidean: with L = λ1 √P, the "
            "smallest norm by P α λ1/2. Two sentences: every start's smaller final norm obeys it (the "
            "source); the larger one does too (the use made of it: a bound on the limit). Both: holds; first "
            "only: holds in part; else differs. Uniform starts, and every rational up to the tier's "
            "denominator.",
            least_n=100,
            where="Section 4, above eq. 9",
            repair="The source bounds the best iterate: liminf ||b_k||_1 ≤ P α λ1/2. For the last iterate "
            "the toy problem itself gives lim sup ||b_k||_1 < P α λ1 (Proposition B.6).",
        ),
        Part(
            "upper",
            "Proposition B.6: lim sup ||b_N||_1 < P α λ1.",
            "Holds if no start obeys it not: neither a uniform one (float64, every P) nor, in exact "
            "arithmetic, a rational one without an entry that is a multiple of α λ1; one that does not "
            "makes it differ.",
            least_n=100,
            where="Proposition B.6",
        ),
        Part(
            "lower",
            "Proposition B.6: 0 < lim inf ||b_N||_1.",
            "Over the reals, with probability 1 (as in Proposition B.2, on which its proof rests): holds if "
            "among the rationals exactly the starts with every entry a multiple of α λ1 end at 0 (a "
            "countable set); one other start that does makes it differ.",
            least_n=100,
            where="Proposition B.6",
        ),
        Part(
            "larger-error",
            "“for the same value of α, the larger value of λ1 will result in a larger error in estimation”",
            "The same starts and step at two λ1, 1.1 to 100 times apart: is the error at the larger λ1 the "
            "larger one, for every start and pair? In three senses: the mean of the two final norms, the "
            "larger of them (lim sup), the last iterate's norm, both runs equally long. In all: holds; in "
            "some: holds in part; in none: differs.",
            least_n=50,
            repair="“for the same value of α, the larger value of λ1 results in a larger mean of the two "
            "norms between which the sequence ends alternating, P α λ1/2, and, if it is at least twice as "
            "large, in a larger lim sup”; a single last iterate at the larger λ1 can have the smaller norm.",
        ),
        Part(
            "diminishing",
            "“Under the diminishing step-size regime ... the optimal solution for (7) will be 0 for all λ1 > "
            "0”",
            "Read: the sequence tends to 0. Holds if, for every tested schedule of eq. 4 and every α λ1, all "
            "entries of every start stay, after a tenth of the run, within 1.01 times the step taken at that "
            "time, times λ1; a share below one, Wilson lower end above 0.9, holds in part; else differs.",
            least_n=100,
            comparisons=7,
        ),
        Part(
            "cause-lipschitz",
            "“Therefore”: the error grows with λ1 because the bound, step times Lipschitz constant, does.",
            "The kink's mean norm must be P α λ1/2 within 1 % at every α λ1, else undecided. Not supported "
            "if each twin, of the same Lipschitz constant, step and starts, ends within 1e-6 of 0 at "
            "every tested α λ1 < 2 d (its 2/L) and not at any beyond; supported if no twin ever ends there; "
            "else undecided.",
            least_n=50,
            twin="|x| rounded over d = 0.01, 0.1, 1: Lipschitz with the same constant, gradient Lipschitz "
            "with L = λ1/d; α λ1 on both sides of 2 d",
            repair="Boyd's bound allows the error to grow with λ1; that it does so at every step is due to "
            "the kink: rounded over a width d, the same penalty has the same bound and no error as long as "
            "α λ1 < 2 d.",
        ),
        Part(
            "cause-step-to-zero",
            "“Under the diminishing step-size regime, α → 0 in the theoretical limit, and therefore, "
            "Proposition 4.1 guarantees that the optimal solution for (7) will be 0 for all λ1 > 0. On the "
            "other hand, in the reducing step-size regime, α > 0 at the end of training, and therefore, the "
            "error in estimation becomes a critical determinant of the optimal value.”",
            "The regime's sum is infinite by definition (eq. 4), and so is the controls'; the greatest entry "
            "over the last tenth of a run is at most half of that over the second tenth. Supported if the "
            "share of such starts has a Wilson lower end above 0.9 under each step that tends to 0, and an "
            "upper end below 0.1 under each that does not; not supported if all of the latter are above 0.9, "
            "or all of the former below 0.1; else undecided.",
            least_n=100,
            comparisons=12,
            twin="same starts, steps with an infinite sum that stay above 0: constant, and reduced once to a "
            "tenth (the reducing regime)",
            where="Section 4, below eq. 9",
        ),
    )
    notes = (
        "Proof of what the rows show. In the two-cycle |b_t[k]| + |b_{t+1}[k]| = α λ1 for each entry, so two "
        "neighbouring norms add to P α λ1. Their mean is P α λ1/2, the larger is at least that, which for "
        "P ≥ 2 is no less than α λ1: eq. 9 then fails for every start without an exact 0, not only for some. "
        "Both norms lie in (0, P α λ1), which is Proposition B.6.",
        "With Appendix D.1's form of the bound, α L² on f - f*, L = λ1 gives eq. 9 and L = λ1 √P gives "
        "Proposition B.6: the factor P between them is the choice of the norm. ||x||_1 ≤ √P ||x||_2, so the "
        "Euclidean constant is λ1 √P; λ1 itself is one with respect to ||x - y||_1.",
        "The most charitable reading of eq. 9, the smaller of the two final norms, holds with probability "
        "2/P! (P ≥ 2, 1/(α λ1) a whole number): Irwin and Hall's law. The map shows it.",
        "The paper's own example (Section 4) contradicts eq. 9: α λ1 = 0.01 and a norm of 0.0106, P = 2.",
        "“The optimal solution for (7)” is 0 at every step size: 0 is its only minimiser. The sentence can "
        "only be about the sequence, and is read so.",
        "Of single norms: the larger of the two lies in [P α λ1/2, P α λ1), so it grows once λ1 is twice as "
        "large. The smaller lies in (0, P α λ1/2], and the last iterate may be that one at any ratio. P = 1, "
        "b0 = 31/100: with α λ1 = 1/10 it is 9/100 at even times, with 3/20 it is 1/100; and the larger of "
        "the two is 9/100 with 1/10 but 7/100 with 3/25.",
        "Why the sequence tends to 0 under eq. 4: Σα_t = ∞ brings an entry across 0 again and again, and it "
        "stays within the step it last crossed by. Proposition 4.1, on one constant step, does not say so by "
        "itself; the regime the paper names, whose definition has the infinite sum, does.",
        "Proposition B.6 does not print “with probability 1”, but rests on Proposition B.2, which does. "
        "There is no positive lower bound that serves all starts: lim inf / (P α λ1) can be as small as one "
        "likes (all entries just above a multiple of 2 α λ1), and so lim sup as close to P α λ1.",
        "penalty-paradox asks whether the floor goes with the step times λ1 and vanishes with the step: it "
        "does. Here the question is whether the Lipschitz constant is enough to explain it.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        starts, denominator, cell = SIZES[tier]
        if settings["stepsize"] * settings["strength"] < _LEAST_PRODUCT * (1 - 1e-9):
            raise InputError(
                f"stepsize x strength = {settings['stepsize'] * settings['strength']:g} takes too many steps "
                f"to settle; choose a product of at least {_LEAST_PRODUCT}"
            )
        return [
            RunSpec(self.id, "exact", {"largest_denominator": denominator}),
            RunSpec(self.id, "cycles", {**settings, "starts": starts}, (0,)),
            RunSpec(self.id, "quotients", {"strength": settings["strength"], "starts": starts}, (0,)),
            RunSpec(self.id, "twins", {"stepsize": settings["stepsize"], "starts": starts // 20}, (0,)),
            RunSpec(self.id, "pairs", {"starts": starts}, (0,)),
            RunSpec(self.id, "shrinking", {"starts": starts // 5}, (0,)),
            RunSpec(self.id, "map", {"starts": cell}, (0,)),
            RunSpec(self.id, "border"),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "exact": _experiments.exact,
            "cycles": _experiments.cycles,
            "quotients": _experiments.quotients,
            "pairs": _experiments.pairs,
            "twins": _experiments.twins,
            "shrinking": _experiments.shrinking,
            "map": _experiments.starts_map,
            "border": _experiments.border,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.eq_9(rows),
            _judgement.limit(rows),
            _judgement.lipschitz(rows),
            _judgement.cited_bound(rows),
            _judgement.upper(rows),
            _judgement.lower(rows),
            _judgement.larger_error(rows),
            _judgement.diminishing(rows),
            _causes.cause_lipschitz(rows),
            _causes.cause_step_to_zero(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.bounds(rows), _figures.starts_map(rows), _figures.shrinking(rows)]
