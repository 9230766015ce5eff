"""“The way forward”: the convex non-differentiable single-layer network (eq. 3) as a test problem for theory.

The problem is ready in ``nonsmooth.testbed``. What can be checked of the proposal is checked: that the known
minimum is the minimum, that the constants derived from the formula hold on every run, that runs end around
non-differentiable points, and that this differs from the smooth twin. The third depends on the strengths and
on the shape of the data. With λ1 = 0 the ReLUs are the only kinks. If some b turns every ReLU off, the set of
such b is a cone, b <- (1 - 2 α λ2) b stays inside it, and runs end in it, where the problem is the ridge
alone and nothing is non-smooth. By Wendel's theorem (1962) such a b exists for symmetric random data with
probability 2^(1-N) sum_{k<P} C(N-1, k): 1 for N <= P, 1/2 at N = 2P.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.testbed import _experiments, _figures, _judgement
from nonsmooth.claims.testbed._experiments import BATCH, METHODS, ROWS, SIZES
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec, batches


class NetworkTestbed(Claim):
    id = "testbed"
    where = "Section 5: “The way forward”"
    statement = (
        "“We propose using the convex non-differentiable single-layer neural network from Kumar (2023) as a "
        "toy problem for theory development. This approach offers advantages in terms of analytical "
        "tractability and relevance to ReLU networks, potentially leading to insights about optimization "
        "around non-differentiable points”."
    )
    reported: ClassVar[Mapping[str, str]] = {"the proposal": "tractable, relevant; no numbers are printed"}
    accepts_data = True
    unstated = (
        Setting(
            "strength",
            1.0,
            "λ1 of the penalised runs; λ1 = 0 (as in Figure 1) is always run beside it, λ2 = 0.01 as there",
            low=0.3,
            high=10.0,
        ),
        Setting(
            "data",
            "random",
            "Figure 1's law; diabetes is always run beside it; --data PATH adds a file, its response shifted "
            "to be non-positive",
        ),
    )
    parts = (
        Part(
            "known-minimum",
            "“convex with the all-zeros vector as its unique global minimizer” (Section 2): what makes it "
            "ready to use.",
            "Holds if in every seed, at λ1 = 0 and at the strength, the least value found by an "
            "interior-point solver is ||y||² to a relative 1e-8 and no chord lies below the function (by "
            "more than 1e-12 of its value); differs otherwise.",
            least_n=46,
        ),
        Part(
            "tractable",
            "“advantages in terms of analytical tractability”: what the formula says before any run.",
            "Three bounds, at every step of every run that does not diverge: f(b) − f* ≥ λ1 ||b||_1 + λ2 "
            "||b||²; f(b) − f* ≤ G(||b||) ||b||, G(r) = 2 σ(Z) (σ(Z) r + ||y||) + λ1 √P + 2 λ2 r; and for "
            "the subgradient method min f − f* ≤ ||b_0||²/(2 α (T + 1)) + α G²/2. Holds if none is broken "
            "(relative 1e-6) in any run of any optimiser; differs otherwise.",
            least_n=46,
        ),
        Part(
            "non-differentiable-end",
            "“insights about optimization around non-differentiable points”: do runs end around such points?",
            "A seed counts if, with every optimiser at every step tried, the last 64 iterates cross a kink "
            "of a ReLU. Holds if the share of seeds has a Wilson lower end (2 comparisons) above 0.9 both at "
            "λ1 = 0 and at the strength; differs if its upper end is below 0.1 at both; else holds in part.",
            least_n=46,
            comparisons=2,
            repair="Add the setting: with λ1 of the order of the data, or where no β ≠ 0 has Zβ ≤ 0 (for "
            "symmetric random data: clearly more than twice as many rows as columns). With λ1 = 0 and fewer "
            "rows than columns, as in Figure 1, every ReLU can be turned off at once, and runs end where "
            "the problem is a smooth ridge.",
        ),
        Part(
            "differs-from-twin",
            "... so that a theory of smooth functions does not already cover it (“the need for new "
            "theoretical frameworks”).",
            "At the strength, the subgradient method at 0.25 of 2/L. A seed counts if the kinked run neither "
            "converges nor is still falling, while the twin rounded over 1 (step below its own 2/L), from "
            "the same start, does one of the two. Holds if the share of such seeds has a Wilson lower end "
            "above 0.9 and the nearest twin, rounded over 0.001 (step far above its 2/L), falls likewise in "
            "such a share; differs if the first share's upper end is below 0.1; else in part.",
            least_n=46,
            comparisons=2,
            repair="Say where the kinks decide: with a strength λ1 at which a rounding of the same problem, "
            "run below its own 2/L, behaves otherwise.",
        ),
    )
    notes = (
        "“We propose” is an opinion, and “potentially” a hope; neither is judged. The parts are what must be "
        "true for the proposal to be worth following.",
        "Once every ReLU is off, the run stays there while α < 1/(2 λ2): the set {Zb ≤ 0} is a cone, and "
        "the ridge step multiplies b by 1 − 2 α λ2 in (0, 1). There the problem is λ2 ||b||², solved at a "
        "known rate; the network is dead, and what is learned about it is about a quadratic.",
        "If, on the contrary, no b ≠ 0 has Zb ≤ 0 and no y is 0, then f'(0; v) = Σ 2 |y_i| max(0, z_i·v) > 0 "
        "in every direction: the minimum is sharp without any L1 term, and no constant step of the "
        "subgradient method converges to it, except by landing on 0 exactly.",
        "With λ1 > 0 the minimum is always sharp: f(b) − f* ≥ λ1 ||b||_1. Where some b turns every ReLU off, "
        "λ1 is the best constant: along that b all else is of second order.",
        "Behaviour is named by the rules of nonsmooth.testbed.classify; “bounded” means neither falling nor "
        "growing, “not yet decided” that the run is too short to tell.",
        "The optimisers' table uses 10 x 50 data at tier quick, Figure 1's 20 x 500 at tier paper; Figure "
        "1's own problem is run at every tier.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, rows, columns, few = SIZES[tier]
        shape = {"rows": rows, "columns": columns, "strength": settings["strength"]}
        data = settings["data"]
        return [
            *(
                RunSpec(self.id, "runs", {**shape, "method": method}, batch)
                for method in METHODS
                for batch in batches(seeds, BATCH)
            ),
            *(RunSpec(self.id, name, shape, b) for name in ("known", "twins") for b in batches(seeds, BATCH)),
            RunSpec(self.id, "figure-1", {}, tuple(range(min(seeds, 24) if tier == "quick" else seeds))),
            *(RunSpec(self.id, "map", {"rows": n}, tuple(range(few))) for n in ROWS),
            *(
                RunSpec(self.id, "data", {"data": name}, tuple(range(16)))
                for name in ("diabetes", *(() if data == "random" else (data,)))
            ),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "runs": _experiments.runs,
            "known": _experiments.known,
            "twins": _experiments.twins,
            "figure-1": _experiments.printed_shape,
            "map": _experiments.other_shapes,
            "data": _experiments.other_data,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.known_minimum(rows),
            _judgement.tractable(rows),
            _judgement.non_differentiable_end(rows),
            _judgement.differs_from_twin(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.behaviours(rows), _figures.share_map(rows)]
