"""Section 3, quoting Boyd et al. (2003): the subgradient method is not a descent method.

At a kink the negative of a subgradient need not be a descent direction, however small the step; at a point
of differentiability it is one, and below 2/L of the smooth pieces the loss can rise only past a kink. The
quotation speaks of "the ordinary gradient method" as one that descends, which it does below 2/L. And the
paper uses it to explain Figure 1, in which the loss does descend.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.not_descent import _experiments, _figures, _judgement
from nonsmooth.claims.not_descent._experiments import BATCH, PROBLEMS, SIZES
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec, batches


class NotDescent(Claim):
    id = "not-descent"
    where = "Section 3, below Proposition 3.1, quoting Boyd, Xiao and Mutapcic (2003)"
    statement = (
        "“This non-capturing behavior is expected; as Boyd et al. (2003) note, “Unlike the ordinary gradient "
        "method, the subgradient method is not a descent method; the function value can (and often does) "
        "increase”.”"
    )
    reported: ClassVar[Mapping[str, str]] = {
        "quotation": "the function value can (and often does) increase",
    }
    unstated = (
        Setting(
            "share",
            0.25,
            "step as a share of 2/L of the problem without its kinks, so that those alone would descend; on "
            "toy LASSO, which is nothing but kinks, of 0.04",
            low=0.02,
            high=0.95,
        ),
        Setting("steps", 1000, "steps of each run", low=300, high=10_000),
    )
    parts = (
        Part(
            "increases",
            "“the function value can (and often does) increase”.",
            "“Can”: exact rationals show a point and subgradient from which every step 2^-k, k = 1 ... 40, "
            "increases the value. “Often”: on toy LASSO, the LASSO of eq. 15 (λ1 = 0.1) and Figure 1's "
            "function (eq. 3, λ1 = 0, λ2 = 0.01), the share of seeds whose loss rises at some step has "
            "Wilson lower end (3 comparisons) above 1/2. Holds if both on all three; differs if no run "
            "rises at all; else holds in part.",
            least_n=64,
            comparisons=3,
            repair="“can increase, and does on L1 penalties once entries are within a step of 0”; on Figure "
            "1's own function it seldom does.",
        ),
        Part(
            "gradient-method",
            "“Unlike the ordinary gradient method”: on a differentiable function the value never increases.",
            "On the square loss of eq. 15 (λ1 = 0) and on eq. 3 with y = 0 (C1,1), at 0.5, 0.9 (below) and "
            "1.1, 2 (above) times 2/L: holds if no run rises; holds in part if none rises below 2/L and "
            "some do above; differs if some rise below.",
            least_n=64,
            repair="“Unlike the ordinary gradient method with a step below 2/L”, where L is the gradient's "
            "Lipschitz constant.",
        ),
        Part(
            "cause-non-descent",
            "“This non-capturing behavior is expected”, because the method is not a descent method.",
            "On Figure 1's runs (at the step of the capture claim, 0.001): not supported if, of those whose "
            "loss never rises, the share whose max norm leaves the unit ball has Wilson lower end above "
            "0.9 (a descent sequence does it too); supported if that share's upper end is below 0.1 and runs "
            "that do rise leave the ball; else undecided.",
            least_n=46,
            twin="the same runs, split by whether their loss ever rises",
            repair="Leave the quotation out here: in Figure 1 the loss descends at every step. Leaving the "
            "unit ball of the max norm needs no rise (see capture).",
        ),
    )
    notes = (
        "Where a convex function is differentiable, minus the gradient is a descent direction, kinks "
        "elsewhere or not; the subgradient method starts at such a point with probability 1. Below 2/L of "
        "the smooth pieces its loss can rise only when the step reaches past a kink; gradient descent's can "
        "rise only above 2/L.",
        "An example at a kink that is no minimiser: f = |x1| + 2|x2| at (1, 0) with the subgradient (1, 2): "
        "f((1, 0) − t (1, 2)) = 1 + 3t for 0 ≤ t ≤ 1. With torch's choice, sign(0) = 0, the subgradient "
        "there is (1, 0) and the step descends: the quotation is about every choice of subgradient.",
        "What holds instead is that the Euclidean distance to a minimiser falls for small enough steps. The "
        "source's wording beyond the quotation was not at hand; an “ordinary gradient method” with line "
        "search descends by construction, and the part on it is then about fixed steps, the paper's own.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, cells = SIZES[tier]
        return [
            RunSpec(self.id, "kink"),
            *(
                RunSpec(self.id, "rises", {**settings, "problem": problem}, batch)
                for problem in PROBLEMS
                for batch in batches(seeds, BATCH)
            ),
            *(
                RunSpec(self.id, "gradient-method", {"steps": settings["steps"]}, batch)
                for batch in batches(seeds, BATCH)
            ),
            *(RunSpec(self.id, "figure-1", {}, batch) for batch in batches(seeds, BATCH)),
            RunSpec(self.id, "map", {"steps": settings["steps"]}, tuple(range(cells))),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "kink": _experiments.kink,
            "rises": _experiments.rises,
            "gradient-method": _experiments.gradient_method,
            "figure-1": _experiments.figure_1,
            "map": _experiments.width_map,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.increases(rows),
            _judgement.gradient_method(rows),
            _judgement.cause_non_descent(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.rises(rows), _figures.width_map(rows)]
