"""Section 4, soft-thresholding and ISTA: sparse, and how far from optimal, on convex losses and on networks?

Soft-thresholding is the proximal step of the L1 norm. After each gradient step (ISTA) its fixed points are
the LASSO's minimisers. After training, on the iterate of another method, it makes zeros, seldom the
optimum. On a convex loss that is not L-smooth a constant step can stall where data kinks hold the
minimiser; whether the cause is soft-thresholding or the constant step is told by diminishing steps.

Small ReLU networks show the same. With the optimiser's own step times λ1 as threshold and steps that fall,
the ends are strict local minima, certified with their kinks; a constant step stalls beside a kinked one; a
threshold by hand with the wrong step, or once after training, is not optimal on smooth networks either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.soft_threshold import _experiments, _figures, _judgement, _network_judgement
from nonsmooth.claims.soft_threshold._experiments import BATCH, SIZES
from nonsmooth.claims.soft_threshold._sizes import network_specs
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
        "solutions.”"
    )
    reported: ClassVar[Mapping[str, str]] = {
        "soft-thresholding": "sparse, not optimal",
        "without L-smoothness": "necessarily suboptimal",
    }
    accepts_images: ClassVar[bool] = True
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
        Setting("images", "digits", "for the networks: shrunk to a few pixels, odd classes against even"),
        Setting("device", "cpu", "where the networks train; kinked minima are certified on the CPU"),
        Setting(
            "network_strength",
            0.05,
            "λ1 of the networks, on all parameters; from about 0.1 on they shrink to 0",
            low=0.02,
            high=0.08,
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
        Part(
            "network-not-optimal",
            "“This issue extends to general neural network problems, where any soft thresholding solution "
            "yields sparsity but not optimality”, on ReLU networks of one hidden layer.",
            "Square loss, λ1 on all parameters, full batch, six uses: ISTA; Adam's steps thresholded by its "
            "own step times λ1, constant and falling; by α λ1 by hand after momentum's and Adam's; once, at "
            "the end. Counted: ends with a live unit. Optimal: within 0.05 in each parameter, 1e-6 of the "
            "objective at 0, of a certified strict local minimum; not optimal: farther above one, or above "
            "what 100 small steps reach. Also ISTA on one sample, where the global minimum is known (1e-10). "
            "Differs if sparse (a tenth exactly 0) and optimal in one of these 7 with Wilson lower end (7 "
            "comparisons) above 0.5: “any” allows no such use. Holds if sparse and not optimal in each use "
            "with lower end above 0.75; else in part.",
            least_n=16,
            comparisons=7,
            repair="“soft-thresholding with a threshold other than λ1 times the optimiser's effective step, "
            "or once after training, yields sparsity but not optimality; with that threshold and steps that "
            "fall it ends at local minima, kinked ones included”. That they are global is not claimed.",
        ),
        Part(
            "cause-network",
            "“which assumes the loss function is L−smooth ... an assumption that fails to capture the non-"
            "convex and non-differentiable dynamics in general neural network settings”; “necessarily leads "
            "to suboptimal solutions”.",
            "The six uses on ReLU, GELU and tanh networks. A use fails if not optimal with Wilson lower end "
            "(18 comparisons) above 0.5, is optimal likewise. Supported if each use that fails on ReLU is "
            "optimal on both smooth twins and none is optimal on ReLU; not supported if each that fails on "
            "ReLU fails on both twins; else, or if none fails, undecided, with the uses of each kind.",
            least_n=16,
            comparisons=18,
            twin="GELU and tanh: same sizes, starts, data, steps; falling steps on ReLU; ReLU rounded over a "
            "width of 0.5 (from tier laptop)",
            repair="A wrong threshold fails on smooth networks as well. With the right one a constant step "
            "stalls only where ReLU kinks hold the minimum, and falling steps reach it: what takes "
            "L-smoothness is the constant step.",
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
        "Networks have local minima and no certificate of a global one, so “optimal” means a strict local "
        "minimum: multipliers of the exact zeros and of the ReLU kinks strictly inside their intervals, a "
        "positive definite Hessian on the face. A certificate by gradients alone (nonsmooth.certificate) "
        "says nothing at a kink, where torch picks one of many slopes.",
        "A hidden unit with all parameters 0 is held strictly: its output is of second order in them, the "
        "penalty of first. So θ = 0 is a strict local minimum of every such network; ends that shrank to it "
        "are reported and not counted.",
        "The one sample: |x_1| = 8, others at most 1, y = 1, λ1 = 0.1. A unit gives t at a cost of at least "
        "2 λ1 sqrt(t/8), the bias at λ1 t; both are concave in t, so one unit with one weight, or the bias "
        "alone, is best, and the minimum is that of a function of one number.",
        "Not run: deeper networks, minibatches, and minima of several hidden layers, for which there is no "
        "such certificate here.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, cells = SIZES[tier]
        specs = list(network_specs(self.id, tier, settings))
        convex = {name: settings[name] for name in ("strength", "width")}
        for batch in batches(seeds, BATCH):
            specs += [
                RunSpec(self.id, "lasso", {"strength": settings["strength"]}, batch),
                RunSpec(self.id, "network", {}, batch),
                RunSpec(self.id, "deviations", convex, batch),
            ]
        return [*specs, RunSpec(self.id, "map", {"strength": settings["strength"]}, tuple(range(cells)))]

    def measure(self, spec: RunSpec) -> list[Row]:
        if spec.experiment in ("trained", "one-sample"):
            from nonsmooth.claims.soft_threshold import _networks

            return _networks.trained(spec) if spec.experiment == "trained" else _networks.one_sample(spec)
        experiments = {
            "lasso": _experiments.lasso,
            "network": _experiments.network,
            "deviations": _experiments.deviations,
            "map": _experiments.width_map,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.not_optimal(rows),
            _judgement.necessarily(rows),
            _judgement.cause_l_smooth(rows),
            _network_judgement.network_not_optimal(rows),
            _network_judgement.cause_network(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.gaps(rows), _figures.networks(rows), _figures.width_map(rows)]
