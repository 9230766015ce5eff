"""Section 2: constant, diminishing and reducing step sizes, and what the paper says that each can do.

A constant step leaves an error of the order of the step where the minimiser lies on kinks that pull from both
sides, and none where the steps meet a smooth piece. Diminishing steps with an infinite sum remove it. A
reducing schedule is a chain of constant runs: it ends on the floor of its last step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.step_regimes import _experiments, _figures, _judgement
from nonsmooth.claims.step_regimes._experiments import BATCH, PROBLEMS, SIZES
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec, batches


class StepRegimes(Claim):
    id = "step-regimes"
    where = "Section 2, “Constant, diminishing, and reducing step sizes”, eq. 1, 2, 4"
    statement = (
        "“Constant step-size GDs approach the stationary point but rarely converge to it unless the loss "
        "function has desirable properties like L− smoothness”; diminishing steps (lim αt = 0, "
        "Σ αt → ∞) converge “in more general settings”; in the reducing regime “the limiting dynamics ... "
        "are those of a constant step-size GD, with learning rates and weight initializations chosen from "
        "the Tth run. Therefore, we exclusively study the constant step-size problem”."
    )
    unstated = (
        Setting(
            "share",
            0.25,
            "first step as a share of 2/L of the problem without kinks (on toy LASSO: of 0.04)",
            low=0.05,
            high=0.9,
        ),
        Setting(
            "power",
            0.5,
            "decay of the diminishing step α/(1 + t)^power; the map runs it from 0 to 1",
            low=0.3,
            high=0.9,
        ),
    )
    parts = (
        Part(
            "constant",
            "“Constant step-size GDs approach the stationary point but rarely converge to it unless the loss "
            "function has desirable properties like L− smoothness”.",
            "A run converges if its late excess over the minimum is below 1e-9 of the first. Share of seeds "
            "on each of three L-smooth problems (toy LASSO rounded over 0.1; ridge; eq. 3 with y = 0) and "
            "four kinked ones (toy LASSO; eq. 3 with λ1 = 0.1; eq. 3 with λ1 = 0, wide and tall): holds if "
            "Wilson's lower end (7 comparisons) is above 0.9 on every L-smooth and the upper end below 0.1 "
            "on every kinked one; differs if on no kinked one it is as said; else holds in part.",
            least_n=80,
            comparisons=7,
            repair="“rarely converge to it where the minimiser lies on kinks that pull from both sides, and "
            "do for an L-smooth convex loss with a minimiser and a step below 2/L”. Eq. 3 with λ1 = 0 has "
            "its minimiser on kinks; where some β turns every ReLU off (N ≤ P) its runs end there, on a "
            "smooth piece, and converge.",
        ),
        Part(
            "diminishing",
            "“For provable convergence in more general settings, studies often use the diminishing step-size "
            "regime”: lim αt = 0, Σ αt → ∞.",
            "On the same seven problems: holds if the excess at 16,000 steps is below half of that at 1000 "
            "(or below 1e-9 of the first), for a share of seeds with Wilson lower end (7 comparisons) above "
            "0.9 on each; differs if the upper end is below 0.1 on one; else holds in part.",
            least_n=80,
            comparisons=7,
            repair="Name the further premise (bounded or Lipschitz gradients): the two conditions alone do "
            "not suffice for x⁴.",
        ),
        Part(
            "reducing",
            "“This involves chaining together T constant step-size GD runs, with the (i + 1)th run "
            "initialized at βu with learning rate αi”, u the sum of N0 to N(i−1).",
            "Holds if a run under the reducing regime equals, bit for bit in float64, the chain of its "
            "constant runs, for every seed and problem; differs otherwise.",
            least_n=80,
        ),
        Part(
            "limiting",
            "“the limiting dynamics in this regime are those of a constant step-size GD, with learning rates "
            "and weight initializations chosen from the Tth run”.",
            "On toy LASSO, over stages α, α/4, α/16: holds if the L1 norm averaged over two late steps, "
            "divided by P α_T λ1/2, is within 1 % of 1 for every start, for the reducing run and for "
            "constant runs at the last step from the original start; differs if for no start; else in part.",
            least_n=80,
        ),
    )
    notes = (
        "The two conditions of eq. 4 do not suffice by themselves. On x⁴ from 10 with αt = 1/(1 + t) the "
        "iterates run off: if |x_t| ≥ 10·2^t then 4 αt x_t² ≥ 400·4^t/(1 + t) ≥ 3, so |x_{t+1}| ≥ 2|x_t|. "
        "The paper says “under ideal conditions”, which this is not.",
        "A proof for convex f with bounded subgradients: ||x_{t+1} − x*||² ≤ ||x_t − x*||² − 2 αt (f(x_t) − "
        "f*) + αt² L²; were f(x_t) − f* ≥ e for all t, then once αt L² < e each step would take αt e off, "
        "and the infinite sum contradicts a distance ≥ 0. So liminf f(x_t) = f*, without Σ αt² < ∞.",
        "u = N0 + ... + N(i−1) with rate αi is consistent when runs are counted from 1 (run i + 1 has rate "
        "αi): the first starts at β0 with α0.",
        "Studying the constant step covers a reducing schedule with finitely many stages. As the number of "
        "stages grows its floor tends to 0 (and is reached if Σ Ni αi suffices, see geometric-steps), which "
        "no constant step's does: the order of the limits matters.",
        "The part “limiting” follows from “reducing” and the two-cycle, whose two norms add to P α λ1 from "
        "every start; it is run as a check.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, cells = SIZES[tier]
        given = {"share": settings["share"]}
        specs = []
        for batch in batches(seeds, BATCH):
            for problem in PROBLEMS:
                specs += [
                    RunSpec(self.id, "constant", {**given, "problem": problem}, batch),
                    RunSpec(self.id, "diminishing", {**settings, "problem": problem}, batch),
                    RunSpec(self.id, "reducing", {**given, "problem": problem}, batch),
                ]
            specs.append(RunSpec(self.id, "limiting", given, batch))
        return [
            *specs,
            RunSpec(self.id, "quartic"),
            RunSpec(self.id, "curves", settings, (0,)),
            RunSpec(self.id, "map", {}, tuple(range(cells))),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "constant": _experiments.constant,
            "diminishing": _experiments.diminishing,
            "reducing": _experiments.reducing,
            "limiting": _experiments.limiting,
            "quartic": _experiments.quartic,
            "curves": _experiments.curves,
            "map": _experiments.decay_map,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.constant(rows),
            _judgement.diminishing(rows),
            _judgement.reducing(rows),
            _judgement.limiting(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.regimes(rows), _figures.decay_map(rows)]
