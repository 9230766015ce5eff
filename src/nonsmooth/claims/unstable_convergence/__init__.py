"""Proposition 5.1: a convex Lipschitz loss diverges at no finite step, and lim f(x_k) - f* <= a L^2.

The basic inequality ||x_{k+1} - u||^2 <= ||x_k - u||^2 - 2 a (f(x_k) - f(u)) + a^2 L^2 gives
liminf f(x_k) <= f* + a L^2 / 2 (Boyd, Xiao and Mutapcic 2003, Section 2: the *best* iterate). So the loss
cannot tend to infinity. What does not follow is that the iterates stay bounded, that f(x_k) has a limit, or
that the *last* iterate obeys the bound. Each is attacked by a search for the smallest counter-example inside
the printed premises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.unstable_convergence import _bound, _experiments, _figures, _judgement
from nonsmooth.claims.unstable_convergence._experiments import (
    FAMILIES,
    MAP_DIMENSIONS,
    PERIODS,
    SEARCHES,
    STARTS,
)
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec


class UnstableConvergence(Claim):
    id = "unstable-convergence"
    where = "Section 5: Proposition 5.1, Appendix D.1"
    statement = (
        "“All convex non-smooth loss functions having bounded subgradients, or satisfying equation (6) will "
        "show unstable convergence”, defined as “non-divergence to ∞”, for any finite α; the proof: “lim "
        "f(x_k) − f* ≤ αL² < ∞”."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "conclusion": "no divergence to ∞ for any finite α",
        "bound": "lim f(x_k) − f* ≤ αL²",
    }
    unstated = (
        Setting(
            "steps",
            2000,
            "steps of each run from starts uniform on [−1, 1]; neither is part of a proposition",
            low=500,
            high=20_000,
        ),
    )
    parts = (
        Part(
            "loss",
            "The loss does not diverge to ∞ (f convex, Lipschitz, any finite α).",
            "Holds if no run of the five families at seven steps from 0.001 to 1000 has a loss that is not "
            "finite or above its start plus 2 α L², and best − f* obeys α L²/2 + ||x_0 − x*||²/(2 α k) in "
            "every run; one run that does not makes it differ. (liminf f ≤ f* + α L²/2 proves that it "
            "cannot tend to ∞; a failure here would first be an error of ours.)",
            least_n=100,
        ),
        Part(
            "iterates",
            "Proposition 5.1 read of the iterates. The paper does not say what does not diverge: of eq. 7 it "
            "says that “the NDGM sequence for the non-differentiable, Lipschitz continuous, convex loss "
            "function described in (7) will not diverge to ∞ for any finite value of α”, and of eq. 10 "
            "likewise. Both are true of those functions; the proposition is about all.",
            "Differs if a convex Lipschitz function of at most two variables is found whose iterates leave "
            "every bounded set, with a proof (exact rationals, or the notes) and a run whose coordinate "
            "grows from each checkpoint to the next, by a power above 0.1 over the last decade. Holds if "
            "none of the candidates does.",
            least_n=2,
            where="Proposition 5.1, read of the sequence",
            repair="Add the premise that the set of minimisers is non-empty and bounded, as it is for eq. 7: "
            "then for every finite α neither the loss nor the iterates diverge. Without it the loss still "
            "does not tend to ∞, which is what the proof gives.",
        ),
        Part(
            "bound",
            "lim f(x_k) − f* ≤ α L².",
            "Differs if the search over integer cycles finds a convex Lipschitz function with a periodic "
            "orbit of the method, one of whose values exceeds f* + α L², verified in exact rationals; holds "
            "if none does. Whether the function is differentiable at every iterate (so that no choice of "
            "subgradient is involved) is reported apart, and so is how far longer orbits may rise.",
            least_n=100,
            where="Appendix D.1",
            repair="“liminf_{k→∞} f(x_k) − f* ≤ αL²/2” (the best iterate, as in Section 2 of the cited "
            "notes), for f bounded below. It suffices for Proposition 5.1 read of the loss.",
        ),
        Part(
            "cause-non-smooth",
            "“a broader class of functions, specifically Lipschitz continuous, non-smooth convex functions”",
            "In the two-by-two table (kinked or analytic; Lipschitz or of quadratic growth): not supported "
            "if the share of runs that diverge at steps above 1 is the same for kinked and analytic in both "
            "rows; supported if it differs in both; else undecided.",
            least_n=40,
            twin="log cosh in place of |x| (analytic, Lipschitz); x² + |x| (kinked, not Lipschitz); "
            "x² (neither)",
            where="Section 5, above Proposition 5.1",
            repair="“... for a broader class of functions, specifically Lipschitz continuous convex "
            "functions”: the cause that the controls leave standing is the bounded slope. Smoothness decides "
            "whether a small step converges, not whether a large one diverges.",
        ),
        Part(
            "cause-lipschitz",
            "“having bounded subgradients, or satisfying equation (6)”",
            "Supported if in the same table, at steps above 1, no Lipschitz run diverges and every run of "
            "quadratic growth does; not supported if a Lipschitz run diverges; else undecided.",
            least_n=40,
            twin="the same table, read along growth",
        ),
    )
    notes = (
        "The definition does not separate: gradient descent below 2/L on a quadratic is also non-divergent, "
        "so every stable run “shows unstable convergence”. What the literature means (Cohen et al. 2021, "
        "Ahn et al. 2022) is a step above 2/sharpness together with a loss that still falls in the long run.",
        "A limit need not exist: on toy LASSO f(x_k) alternates between two values for almost every start.",
        "Where the set of minimisers is non-empty and bounded the sublevel sets are bounded, and the basic "
        "inequality keeps the sequence near them. With f = x + |x|/2 there is no minimiser; with "
        "f = |x| + ||(x, y)|| − y the minimisers are a ray, along which the iterates run off while the loss "
        "stays bounded.",
        "Proof for that f and α = 1, from (0.3, 0): after two steps 0 < |x| < 1 and r = ||(x, y)|| > 1, and "
        "from then on |x'| = 1 − |x| (1 − 1/r) lies in (0, 1) and x changes sign at each step. y never "
        "falls, and y' − y = x²/(r (r + y)). Were y bounded, its increments, and so x, would tend to 0; but "
        "|x| + |x'| = 1 + |x|/r ≥ 1. So y → ∞ (like k^(1/3), for y' − y ≈ x²/(2y²)).",
        "For the last of N iterates the exact worst case, over all functions, which may depend on N, "
        "grows with log N (Zamani and Glineur, SIAM J. Optim. 35(3), 2025); over periodic orbits of one "
        "function it grows with the period. In one dimension α L² does bound the last iterate: one step "
        "overshoots the minimiser by at most α L.",
        "“Bounded subgradients” and eq. 6 are the same condition for a finite convex function.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        starts = STARTS[tier]
        return [
            *(
                RunSpec(self.id, "cycles", {"dimension": dimension, "period": period, "steepest": steepest})
                for dimension, period, steepest in SEARCHES[tier]
            ),
            *(
                RunSpec(self.id, "families", {**settings, "family": family}, tuple(range(starts // 4)))
                for family in FAMILIES
            ),
            RunSpec(self.id, "growth", {}, tuple(range(starts))),
            RunSpec(self.id, "unbounded", {"steps": 100_000}),
            *(RunSpec(self.id, "periodic", {"period": period}) for period in PERIODS[tier]),
            *(
                RunSpec(self.id, "map", {"dimension": dimension}, tuple(range(starts)))
                for dimension in MAP_DIMENSIONS
            ),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "cycles": _experiments.search_cycles,
            "families": _experiments.families,
            "growth": _experiments.growth,
            "unbounded": _experiments.unbounded,
            "periodic": _experiments.periodic_worst_case,
            "map": _experiments.random_functions,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.loss(rows),
            _judgement.iterates(rows),
            _bound.bound(rows),
            _judgement.cause_non_smooth(rows),
            _judgement.cause_lipschitz(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [
            _figures.growth(rows),
            _figures.breaks(rows),
            _figures.periods(rows),
            _figures.random_functions(rows),
        ]
