"""Section 3's rates: O(1/ε) steps on L-smooth convex functions, O(1/ε²) on Lipschitz ones.

Both are worst cases, so they are held against the exact worst case (performance estimation) and against
functions that attain it. Whether a non-smooth problem is slower than a smooth one is another question: it is
asked on matched pairs, the same problem with its kinks and with the kinks rounded over a width d, each with
the constant step that is best for it. The width goes down to where differentiability is all that is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.rates import _experiments, _figures, _judgement
from nonsmooth.claims.rates._experiments import BATCH, FACTORS, FAMILIES, LENGTHS, SIZES, WIDTHS
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec, batches


class Rates(Claim):
    id = "rates"
    where = "Section 3: “Convergence analysis and L-smoothness”"
    statement = (
        "“For an error level of ϵ, GD applied to an L−smooth convex loss function requires O(1/ϵ) steps for "
        "convergence. In contrast, NDGM applied to a convex non-differentiable loss function satisfying the "
        "Lipschitz condition ... takes O(1/ϵ2) steps ... Generally, we expect smooth neural networks to "
        "converge faster than non-smooth ones.”"
    )
    reported: ClassVar[Mapping[str, str]] = {"L-smooth convex": "O(1/ϵ)", "Lipschitz convex": "O(1/ϵ2)"}
    unstated = (
        Setting(
            "dimension",
            10,
            "number of entries P of the matched pairs; no instance is printed",
            low=2,
            high=30,
        ),
        Setting(
            "error",
            0.01,
            "ε at which the pairs are compared, relative to the error at the start; the map runs over it",
            low=0.003,
            high=0.1,
        ),
    )
    parts = (
        Part(
            "smooth",
            "“GD applied to an L−smooth convex loss function requires O(1/ϵ) steps”.",
            "Holds if the exact worst case at the step 1/L is L D²/(4N + 2) to 1e-5 for every N run and a "
            "function attains it to 1e-9 (so the power is −1 over N + 1/2, fitted to 0.01), and no measured "
            "run on a twin exceeds it by more than 1e-6 of it; differs if a run does, or the power is "
            "above −0.9; else in part.",
            least_n=46,
        ),
        Part(
            "lipschitz",
            "“NDGM applied to a convex non-differentiable loss function satisfying the Lipschitz condition "
            "takes O(1/ϵ2) steps”.",
            "Two sentences. First, the step chosen for N: as for the smooth part, with the best iterate, the "
            "step D/(Λ √(N+1)), the worst case Λ D/√(N+1) and the power −1/2 over N + 1 (differs: > −0.4). "
            "Second, one constant step α for every ε (eq. 2, the regime that Section 2 says is studied "
            "exclusively): no start on |x| stays αΛ²/2 above the minimum for ever, in exact rationals. "
            "Both: holds; the first only: in part.",
            least_n=46,
            repair="“NDGM applied to a convex loss function with subgradients bounded by Λ comes, at its "
            "best iterate, within ϵ of the minimum in O(1/ϵ2) steps if the step is α = cϵ/Λ² with a fixed 0 "
            "< c < 2; at one constant step α it may stay αΛ²/2 above the minimum for ever.”",
        ),
        Part(
            "slower",
            "“NGDMs converge more slowly” (Section 1), “Generally, we expect smooth neural networks to "
            "converge faster than non-smooth ones” (Section 3): on matched convex pairs, each with its best "
            "constant step.",
            "A seed shows it if the kinked problem needs over 5 % more steps to the relative error ε than "
            "its twin. Two families, six widths d from 0.001 to 100 times ε/2: holds if in all 12 cells the "
            "share of seeds has a Wilson lower end (12 comparisons) above 0.9; differs if in all 12 the "
            "upper end is below 0.1; else in part, with the widths. Networks are not judged here "
            "(activation-depth-gap).",
            least_n=75,
            comparisons=12,
            repair="“In the worst case, and with the constant step tuned to ϵ, a convex problem with "
            "gradients bounded by Λ that is also L-smooth takes no more steps than a kinked one with "
            "subgradients bounded by Λ; fewer once L is well below Λ²/ϵ; the advantage vanishes as L grows.”",
        ),
        Part(
            "cause-non-smooth",
            "“Moreover, assuming L−smoothness significantly over-estimates the convergence speed of NDGMs”: "
            "slower because it is not differentiable.",
            "Judged only where the widest twin is faster (Wilson lower end of the share above 0.9 in "
            "some family). Not supported if the narrowest twin, d = 0.001 ε/2, needs the same number of "
            "steps as the kinked problem, to 10 % or one step, in a share of seeds with Wilson lower end (4 "
            "comparisons) above 0.9 in both families; supported if it needs over 10 % fewer in such a "
            "share in both; else undecided.",
            least_n=75,
            comparisons=4,
            twin="the same data, start and tuning, |x| rounded over d from 0.001 to 100 times ε/2: C1,1 "
            "each, with L = λ1/d plus the data's",
            repair="“assuming L-smoothness with an L below Λ²/ϵ over-estimates the convergence speed of "
            "NDGMs; what decides is L against Λ²/ϵ, not whether the derivative exists.”",
        ),
    )
    notes = (
        "The two L's differ: eq. 5 bounds the change of the gradient, eq. 6 that of the loss (here Λ). Round "
        "a kink of slope Λ over d = ε/Λ: L = Λ/d, and the smooth worst case of about L D²/(4ε) steps is "
        "Λ² D²/(4ε²), a quarter of the non-smooth one. O(1/ε) hides the constant that carries the "
        "difference.",
        "Premise: of the paper's losses only eq. 7 and eq. 10 satisfy eq. 6 for all x and y. Eq. 3 and eq. "
        "15 grow quadratically and are Lipschitz on bounded sets only, so the O(1/ε²) bound as printed "
        "does not speak of them.",
        "The bound is for the best iterate or the average. The last iterate at a constant step is worse by a "
        "factor that grows with log N (Zamani and Glineur, SIAM J. Optim. 35(3), 2025).",
        "O(1/ε²) is the worst case over all dimensions. For a fixed function with a sharp minimum, like "
        "eq. 7, the floor of a constant step is proportional to α and the tuned number of steps to 1/ε; with "
        "geometrically decaying steps it is proportional to log(1/ε) (Goffin 1977).",
        "The worst cases are semidefinite programmes solved in float64 to a relative gap that the rows "
        "state; lower ends are functions run by the package: |x| rounded over D/(2N+1), and the greatest "
        "entry.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, few = SIZES[tier]
        P, error = settings["dimension"], settings["error"]
        certified = [("smooth", N) for N in LENGTHS[tier]] + [("lipschitz", N) for N in LENGTHS[tier]]
        certified += [(kind, N) for kind in ("fixed", "last", "fista") for N in (2, 4, 8)]
        specs = [RunSpec(self.id, "certificate", {"kind": kind, "N": N}) for kind, N in certified]
        specs.append(RunSpec(self.id, "floor"))
        for batch in batches(seeds, BATCH):
            specs.append(RunSpec(self.id, "bounds", {"P": P}, batch))
            specs += [
                RunSpec(
                    self.id,
                    "pairs",
                    {"family": family, "factor": factor, "width": factor * error / 2, "P": P, "error": error},
                    batch,
                )
                for family in FAMILIES
                for factor in (0.0, *FACTORS)
            ]
        specs.append(RunSpec(self.id, "methods", {"P": P}, tuple(range(min(seeds, BATCH)))))
        specs += [
            RunSpec(self.id, "map", {"P": P, "widths": list(widths)}, tuple(range(few)))
            for widths in (WIDTHS[:5], WIDTHS[5:])
        ]
        return specs

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "certificate": _experiments.certificate,
            "floor": _experiments.floor,
            "bounds": _experiments.bounds,
            "pairs": _experiments.pairs,
            "methods": _experiments.methods,
            "map": _experiments.map_,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.smooth(rows),
            _judgement.lipschitz(rows),
            _judgement.slower(rows),
            _judgement.cause_non_smooth(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.worst_cases(rows), _figures.pairs(rows), _figures.map_(rows)]
