"""Section 4, soft-thresholding and ISTA: sparse, and (on convex losses, so far) how far from optimal?

Soft-thresholding is the proximal step of the L1 norm. After each gradient step (ISTA) its fixed points are
the LASSO's minimisers. After training, on the iterate of another method, it makes zeros, seldom the
optimum. On a convex loss that is not L-smooth a constant step can stall where data kinks hold the
minimiser; whether the cause is soft-thresholding or the constant step is told by diminishing steps.
Networks are not run here yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.soft_threshold import _experiments, _figures, _judgement
from nonsmooth.claims.soft_threshold._experiments import BATCH, SIZES
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec, batches


class SoftThreshold(Claim):
    id = "soft-threshold"
    where = "Section 4, “Soft-thresholding and ISTA”"
    statement = (
        "“while soft thresholding produces sparse solutions for NDGMs, it does not find optimal solutions. "
        "This issue extends to general neural network problems, where any soft thresholding solution yields "
        "sparsity but not optimality. The root cause is that soft thresholding implicitly solves a "
        "generalized ISTA problem, which assumes the loss function is L− smooth ... applying the generalized "
        "ISTA formulation relying on L−smoothness to neural networks necessarily leads to suboptimal "
        "solutions.” (Convex losses only, so far.)"
    )
    reported: ClassVar[Mapping[str, str]] = {
        "soft-thresholding": "sparse, not optimal",
        "without L-smoothness": "necessarily suboptimal",
    }
    unstated = (
        Setting(
            "strength",
            0.3,
            "λ1 as a share of lambda_max, the least λ1 at which the LASSO's minimiser is 0",
            low=0.01,
            high=0.7,
        ),
        Setting(
            "width",
            0.1,
            "width d over which the twin rounds |residual| (L = ||W||²/(N d))",
            low=0.02,
            high=1.0,
        ),
    )
    parts = (
        Part(
            "not-optimal",
            "“while soft thresholding produces sparse solutions for NDGMs, it does not find optimal "
            "solutions”, on the LASSO of eq. 15 (20 x 10).",
            "Optimal: relative duality gap at most 1e-10. Two uses: after each gradient step (ISTA, step "
            "1/L), and once, after training, on the subgradient method's iterate. Holds if for both the "
            "share of seeds that are sparse but not optimal has Wilson lower end (2 comparisons) above "
            "0.9; differs if for both its upper end is below 0.1; else holds in part, with the use.",
            least_n=64,
            comparisons=2,
            repair="“thresholding the weights once, after training, produces sparse solutions that need not "
            "be optimal” (on eq. 15 hardly ever; on eq. 7 it gives the minimiser). As the proximal step of "
            "every iteration, with steps below 2/L, it converges to a minimiser of an L-smooth convex loss "
            "plus λ1||β||₁, if there is one.",
        ),
        Part(
            "necessarily",
            "Without L-smoothness soft-thresholding “necessarily leads to suboptimal solutions”, on convex "
            "losses that are not L-smooth: eq. 3 with λ1 > 0, and least absolute deviations.",
            "Constant step, eq. 3 at λ1 = 0.01, 0.1, 0.3 and 1 times ρ = max_k 2 Σ_i |y_i z_ik|: differs if "
            "at some λ1 or on the other loss the share of seeds that end within 1e-10 (relative) of the "
            "exact minimum has Wilson lower end (5 comparisons) above 0.9 (“necessarily” allows no case); "
            "holds if every upper end is below 0.1; else holds in part.",
            least_n=64,
            comparisons=5,
            repair="“may lead to suboptimal solutions”. On eq. 3, not L-smooth and with its minimiser on "
            "every kink, the thresholded steps at constant α ≤ 1/||Z||² reach it exactly, in finitely many "
            "steps, if λ1 > ρ.",
        ),
        Part(
            "cause-L-smooth",
            "“The root cause is that soft thresholding implicitly solves a generalized ISTA problem, which "
            "assumes the loss function is L−smooth”.",
            "On least absolute deviations with L1, at 0.5 times the twin's 2/L. Present if the constant step "
            "stalls (excess above 1e-6) on the kinked loss and the twin becomes stationary (1e-6), each in a "
            "share with Wilson lower end (3 comparisons) above 0.9. Not "
            "supported if the kinked loss stalls and the twin does as well (upper end below 0.1). Supported "
            "if present and diminishing steps do not halve the excess from 1000 to 16,000 steps (upper end "
            "below 0.1); if they do (lower end above 0.9), neither alone is the cause: undecided.",
            least_n=64,
            comparisons=3,
            twin="|residual| rounded over a width d, same data and step, below and above its own 2/L; "
            "diminishing steps on the kinked loss",
            repair="At a constant step the guarantee needs L-smoothness; without it the iteration may stall "
            "(least absolute deviations) or may not (eq. 3). With steps αt → 0, Σ αt = ∞, Σ αt² < ∞ it "
            "converges on Lipschitz convex losses.",
        ),
    )
    notes = (
        "ISTA's fixed points are the minimisers: b = soft(b − α∇f, αλ1) says −∇f ∈ λ1 ∂||b||₁. That needs a "
        "gradient, not its Lipschitz constant; the constant bounds the step for which the iteration "
        "converges to one.",
        "Why eq. 3 can end at exactly 0: near 0 the data term moves entry k by at most α ρ, ρ = max_k 2 Σ_i "
        "|y_i z_ik| (to first order in b), and the threshold takes α λ1 off. From λ1 > ρ the threshold "
        "outweighs the kinks for every pattern of signs; the runs reach 0 for smaller λ1 as well.",
        "The smallest instance against “necessarily”: eq. 3 with N = P = 1, Z = −1, y = −1, λ1 = 1, α = 1/2 "
        "goes from −1 to 1/2 and then to 0, the minimiser, where it stays.",
        "Beyond 2/L the twin stalls too: at a given step a narrow rounding and a kink do the same.",
        "Networks, which the sentence is about, have local minima and no certificate of a global one; “not "
        "optimal” then has to mean not stationary. That part waits for the networks.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, cells = SIZES[tier]
        specs = []
        for batch in batches(seeds, BATCH):
            specs += [
                RunSpec(self.id, "lasso", {"strength": settings["strength"]}, batch),
                RunSpec(self.id, "network", {}, batch),
                RunSpec(self.id, "deviations", settings, batch),
            ]
        return [*specs, RunSpec(self.id, "map", {"strength": settings["strength"]}, tuple(range(cells)))]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "lasso": _experiments.lasso,
            "network": _experiments.network,
            "deviations": _experiments.deviations,
            "map": _experiments.width_map,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.not_optimal(rows), _judgement.necessarily(rows), _judgement.cause_l_smooth(rows)
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.gaps(rows), _figures.width_map(rows)]
