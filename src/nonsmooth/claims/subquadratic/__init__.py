"""Section 5 on Ma et al. (2022): differences across kinks, and which growth goes with unstable convergence.

A second-order difference over a kink measures the jump of the slope over h, not a curvature. On the growth:
what keeps gradient descent bounded above 2/η is how the loss grows at the amplitude of the oscillation (in
one dimension an orbit ±x needs f'(x)/x = 2/α < η), and not how it grows next to the minimum. On networks of
one hidden layer both are measured beside smooth twins: there the growth at the edge is not subquadratic on
either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.subquadratic import _experiments, _figures, _judgement, _network_judgement
from nonsmooth.claims.subquadratic._experiments import BATCH, LOSSES, NETWORKS, SIZES
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
        "convergence”."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "finite differences at kinks": "break down",
        "L-smooth functions": "twice differentiable; subquadratic growth near local minima",
    }
    accepts_images: ClassVar[bool] = True
    unstated = (
        Setting("steps", 200, "steps of each run on Huber's loss and its twins", low=150, high=5000),
        Setting("images", "digits", "for the networks: shrunk to a few pixels, odd classes against even"),
        Setting("device", "cpu", "where the networks run"),
    )
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
        Part(
            "network-differences",
            "“second-order finite differences break down at their generically non-differentiable local "
            "minima”, on ReLU networks of one hidden layer (square loss).",
            "Random direction, h = 1e-4: wrong if off by more than 10 % from the exact curvature (a second "
            "backward pass). At two places: a certified minimum (weight decay), and where gradient descent "
            "is after its last step. Holds if wrong on ReLU in a share of seeds with Wilson lower end (4 "
            "comparisons) above 0.75 at both, and on GELU and tanh with upper ends below 0.25; differs if "
            "on ReLU the upper end is below 0.25 at both; else holds in part.",
            least_n=20,
            comparisons=4,
            where="Section 5, on Section 3.1 of Ma et al. (2022)",
        ),
        Part(
            "network-growth",
            "“concluding that subquadratic growth explains the edge of stability phenomenon. However, "
            "their analysis is fundamentally flawed for these ReLU networks”: on ReLU networks at the "
            "edge, is growth subquadratic?",
            "Gradient descent at α = 2/η of its start, seeds that end at the edge: bounded, α η / 2 ≥ 0.9 "
            "at the centre of the last two iterates, amplitude ≥ 1e-4. Subquadratic: (f(c + Av) + f(c − "
            "Av) − 2 f(c)) / (η A²) below 0.99, A the amplitude, v the top eigenvector; no small "
            "difference is taken. Holds if in a share with upper end (3 comparisons) below 0.25; differs "
            "if the lower end is above 0.75; else in part.",
            least_n=16,
            comparisons=3,
        ),
        Part(
            "network-cause",
            "The flaw's cause: “because second-order finite differences break down at their generically non-"
            "differentiable local minima”.",
            "The same on tanh and GELU networks, where differences are right. Not supported if growth at "
            "the edge is not subquadratic on any of the three (upper ends, 3 comparisons, below 0.25): "
            "then it is no matter of kinks; supported if it is on both smooth ones (lower ends above 0.75) "
            "and not on ReLU; else undecided.",
            least_n=16,
            comparisons=3,
            twin="tanh and GELU: same sizes, starts, data, and α = 2/η of the start",
            repair="On small ReLU, tanh and GELU networks alike, growth along the top eigenvector at the "
            "amplitude of the oscillation is quadratic to a few percent. What stays bounded there is η "
            "itself: at the centre it is 2/α.",
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
        "VGG16 and ResNet, which Ma et al. measured, are not run: the sentence about them is judged on "
        "networks of one hidden layer, whose exact curvature and minima can be had. Growth farther away "
        "than the oscillation (10 times) is reported.",
        "Why runs at the edge stay bounded there: on the smooth networks η at the centre is 2/α to 0.1 %, "
        "so growth at the amplitude need not be subquadratic. On ReLU networks η of the cell is a few "
        "percent below, and the kinks within the amplitude make up the difference.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, cells = SIZES[tier]
        specs = [RunSpec(self.id, "functions")]
        for batch in batches(seeds, BATCH):
            specs.append(RunSpec(self.id, "differences", {}, batch))
            huber = {"steps": settings["steps"]}
            specs += [RunSpec(self.id, "huber", {**huber, "loss": loss}, batch) for loss in LOSSES]
        size = {**NETWORKS[tier], "images": settings["images"], "device": settings["device"]}
        for batch in batches(size.pop("seeds"), BATCH):
            specs += [
                RunSpec(self.id, "network", {**size, "activation": activation}, batch)
                for activation in ("relu", "tanh", "gelu")
            ]
        return [*specs, RunSpec(self.id, "map", {}, tuple(range(cells)))]

    def measure(self, spec: RunSpec) -> list[Row]:
        if spec.experiment == "network":
            from nonsmooth.claims.subquadratic._networks import network

            return network(spec)
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
            _network_judgement.network_differences(rows),
            _network_judgement.network_growth(rows),
            _network_judgement.network_cause(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.differences(rows), _figures.networks(rows), _figures.distance_map(rows)]
