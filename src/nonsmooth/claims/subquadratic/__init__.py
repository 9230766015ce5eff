"""Section 5 on Ma et al. (2022): differences across kinks, and which growth goes with unstable convergence.

A second-order difference over a kink measures the jump of the slope over h, not a curvature. On the growth:
what keeps gradient descent bounded above 2/η is how the loss grows at the amplitude of the oscillation (in
one dimension an orbit ±x needs f'(x)/x = 2/α < η), and not how it grows next to the minimum. Convex losses
only, so far: the networks that Ma et al. measured are not run here yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.subquadratic import _experiments, _figures, _judgement
from nonsmooth.claims.subquadratic._experiments import BATCH, LOSSES, SIZES
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec, batches


class Subquadratic(Claim):
    id = "subquadratic"
    where = "Section 5, “Subquadratic losses and unstable convergence”"
    statement = (
        "“second-order finite differences break down at their generically non-differentiable local minima”; "
        "Huber's loss, “despite having a global minimum of 0 with quadratic growth nearby, it exhibits "
        "unstable convergence as guaranteed by Proposition 5.1 (Figure 4). This discrepancy arises because "
        "the Huber loss lacks the twice differentiability required by Definition 4.1 in Ma et al. (2022). "
        "In contrast, all L − smooth functions, being twice "
        "differentiable by definition, will show subquadratic growth near their local minima during unstable "
        "convergence”. (Convex losses only, so far.)"
    )
    reported: ClassVar[Mapping[str, str]] = {
        "finite differences at kinks": "break down",
        "L-smooth functions": "twice differentiable; subquadratic growth near local minima",
    }
    unstated = (Setting("steps", 200, "steps of each run on Huber's loss and its twins", low=150, high=5000),)
    parts = (
        Part(
            "differences",
            "“second-order finite differences break down at their generically non-differentiable local "
            "minima”, on the convex network (eq. 3, λ1 = 0, λ2 = 0.01, 20 x 500), random directions.",
            "At the minimiser 0, where all kinks meet, the difference at h = 1e-4 exceeds 100 times the "
            "exact one-sided curvature; at a random point, whenever no kink lies within h = 1e-4, it is "
            "within 1 %. Holds if each is so in a share of seeds with Wilson lower end (2 comparisons) above "
            "0.9; differs if the first's upper end is below 0.1; else holds in part.",
            least_n=64,
            comparisons=2,
        ),
        Part(
            "challenge",
            "“The overparameterized Huber loss function (Equation 10) further challenges the general "
            "applicability of their claims: despite having a global minimum of 0 with quadratic growth "
            "nearby, it exhibits unstable convergence” (50 x 200, α = 10).",
            "Minimum 0, growth exactly quadratic within the distance at which a residual reaches 1, bounded "
            "and not converging: holds if all four are so in a share of seeds with Wilson lower end above "
            "0.9; differs if the upper end is below 0.1; else in part. Reported beside it: the late loss "
            "over the quadratic's value at the same iterates.",
            least_n=64,
        ),
        Part(
            "all-L-smooth",
            "“all L − smooth functions, being twice differentiable by definition, will show subquadratic "
            "growth near their local minima during unstable convergence”.",
            "Three convex functions of one variable with Lipschitz gradient, in exact rationals. Differs if "
            "one is not twice differentiable, or has a bounded orbit that does not converge at a step above "
            "2/f''(0) while f(x) ≥ f''(0) x²/2 at every tested x in (0, 1]; holds if none.",
            least_n=3,
            repair="“gradient descent that stays bounded without converging at a step above 2/η meets an "
            "average curvature below η at the amplitude of its oscillation” (an orbit ±x: f'(x)/x = 2/α < "
            "η). Growth near the minimum may be quadratic or faster. And L-smooth functions need not be "
            "twice differentiable (Huber's is not, by eq. 5 it is L-smooth).",
        ),
        Part(
            "cause-twice",
            "“This discrepancy arises because the Huber loss lacks the twice differentiability required”.",
            "Same data, start and step α = 10: not supported if the C² twin, which is exactly quadratic near "
            "its minimum as well, stays bounded and does not converge in a share of seeds with Wilson lower "
            "end (2 comparisons) above 0.9, as Huber's does; supported if Huber's does and the twin's upper "
            "end is below 0.1; else undecided. log cosh (analytic, but below x²/2 everywhere) is reported.",
            least_n=64,
            comparisons=2,
            twin="the C² loss with Huber's exact square on [−1, 1], slope flattening up to 2; same L, data, "
            "start and step",
            repair="The discrepancy remains for a C² loss that is quadratic on [−1, 1]. What bounds both is "
            "a slope that grows more slowly than linearly (Proposition 5.1 has it bounded).",
        ),
    )
    notes = (
        "Ma et al.'s text was not at hand beyond its abstract, so what their Definition 4.1 requires is "
        "taken from the sentence judged.",
        "The C² example: f'' = 1 on [0, 1], 2 − x on [1, 2], 0 beyond, f even. At x = 3/2, f' = 11/8, so α = "
        "24/11 > 2 = 2/f''(0) gives the exact orbit ±3/2, with f = x²/2 exactly on [−1, 1].",
        "Faster than quadratic: f'' = 1 + x² on [0, 1], 3 − x on [1, 3], 0 beyond. At x = 5, f' = 10/3, so α "
        "= 3 > 2 gives the exact orbit ±5, with f = x²/2 + x⁴/12 on [−1, 1].",
        "Away from kinks the differences are exact up to rounding: eq. 3 is piecewise quadratic. What "
        "decides is whether a kink lies within h.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, cells = SIZES[tier]
        specs = [RunSpec(self.id, "functions")]
        for batch in batches(seeds, BATCH):
            specs.append(RunSpec(self.id, "differences", {}, batch))
            specs += [RunSpec(self.id, "huber", {**settings, "loss": loss}, batch) for loss in LOSSES]
        return [*specs, RunSpec(self.id, "map", {}, tuple(range(cells)))]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "functions": _experiments.functions,
            "differences": _experiments.differences,
            "huber": _experiments.huber,
            "map": _experiments.distance_map,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.differences(rows),
            _judgement.challenge(rows),
            _judgement.all_l_smooth(rows),
            _judgement.cause_twice(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.differences(rows), _figures.distance_map(rows)]
