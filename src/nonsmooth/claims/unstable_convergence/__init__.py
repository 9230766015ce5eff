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

from nonsmooth.claims import _edge_plan
from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims._edge_figure import edge_figure
from nonsmooth.claims.unstable_convergence import (
    _bound,
    _experiments,
    _figures,
    _judgement,
    _network_judgement,
)
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
    accepts_images: ClassVar[bool] = True
    unstated = (
        Setting(
            "steps",
            2000,
            "steps of each run from starts uniform on [−1, 1]; neither is part of a proposition",
            low=500,
            high=20_000,
        ),
        *_edge_plan.SETTINGS,
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
        Part(
            "network-edge",
            "“unlike convex quadratic forms, gradient descent on neural networks does not diverge to ∞ even "
            "when the learning rate exceeds α* = 2/η ... Instead, the loss function has been empirically "
            "shown to converge “unstably”, reducing non-monotonically in the long run.”",
            "Full-batch runs on networks in which the sharpness rises to 2/α from below at some measurement. "
            "A run does so if it does not diverge (1e12 times its start), "
            "its loss rises at a step of the last quarter, and its last loss is below 0.9 times that at the "
            "first such measurement. Holds if the Wilson lower end of the share is above 0.7; differs if "
            "the upper end is below 0.3; else in part.",
            least_n=10,
            where="Section 5, first paragraph",
        ),
        Part(
            "network-cause",
            "“This finding raises important questions about its relevance and interpretation in non-convex, "
            "non-differentiable neural networks, particularly those using ReLU activations”; the definition "
            "deviates “due to its reliance on the Hessian existing at all points between the current and "
            "next iterate, a condition unmet in non-smooth neural networks”. Asked of networks: is it the "
            "kinks that bring training to the edge of stability and keep it there?",
            "A run is at the edge if its sharpness rises to 2/α from below, it does not diverge, all its "
            "measurements converge (residual 1e-3), and of those in the last quarter of its steps (at least "
            "3) three quarters lie in [0.8, 1.3] × 2/α. Not supported if the share at the edge has Wilson "
            "lower ends (2 comparisons) above 0.5 on kinked networks and on smooth ones; supported if only "
            "on kinked ones and the smooth ones' upper end is below 0.25; else undecided. Runs that never "
            "come there count as not at the edge.",
            least_n=8,
            comparisons=2,
            twin="tanh, softplus (analytic) and ELU (C1,1) in place of ReLU and hardtanh: same sizes, law of "
            "the start, data, losses",
            where="Abstract; Section 5, “NDGM and the Edge of Stability”",
            repair="“The sharpness of smooth networks (tanh, ELU, softplus) rises to 2/α and stays there as "
            "it does with ReLU and hardtanh: non-differentiability is not what the edge of stability comes "
            "from.”",
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
        "Proposition 5.1 is about convex Lipschitz losses. The networks' losses are not convex, and with the "
        "square loss not Lipschitz, so that its premises hold at neither of the two parts on networks; there "
        "the question is whether what it is held up against depends on kinks.",
        "The networks follow Cohen et al. (2021): two hidden layers, torch's initialisation, full batch, "
        "one-hot targets. Fewer and smaller images than theirs but at tier paper (the findings say how "
        "many); pixels are standardised by channel. A run ends when its loss is a tenth of the first: past "
        "it the sharpness of the cross-entropy falls with the loss, as they say.",
        "What was settled in pilot runs, on other starts and the same data: 2/α as a multiple of the first "
        "sharpness, for each activation and loss. With the cross-entropy at larger steps (multiples of 1 to "
        "8) the sharpness stays at 1.1 to 2.5 × 2/α, above the band, and smaller ones were taken. Softplus "
        "with the square loss starts at 2/α and rises by a tenth: it shows staying there, hardly coming "
        "there.",
        "What was changed after a first run at tier quick and before tier laptop: 6 seeds for 4 (7 of 8 "
        "kinked runs had left the cause undecided), 2/α reached from below for reached, and 1e12 for 1e6 as "
        "the mark of divergence.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        starts = STARTS[tier]
        return [
            *(
                RunSpec(self.id, "cycles", {"dimension": dimension, "period": period, "steepest": steepest})
                for dimension, period, steepest in SEARCHES[tier]
            ),
            *(
                RunSpec(
                    self.id,
                    "families",
                    {"steps": settings["steps"], "family": family},
                    tuple(range(starts // 4)),
                )
                for family in FAMILIES
            ),
            RunSpec(self.id, "growth", {}, tuple(range(starts))),
            RunSpec(self.id, "unbounded", {"steps": 100_000}),
            *(RunSpec(self.id, "periodic", {"period": period}) for period in PERIODS[tier]),
            *(
                RunSpec(self.id, "map", {"dimension": dimension}, tuple(range(starts)))
                for dimension in MAP_DIMENSIONS
            ),
            *_edge_plan.edge_specs(self.id, tier, settings),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        if spec.experiment == "network-edge":
            from nonsmooth.claims._edge_of_stability import network_edge

            return network_edge(spec)
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
            _network_judgement.network_edge(rows),
            _network_judgement.network_cause(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [
            _figures.growth(rows),
            _figures.breaks(rows),
            _figures.periods(rows),
            _figures.random_functions(rows),
            edge_figure(rows),
        ]
