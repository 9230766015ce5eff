"""Section 3: (q'(h) - q'(-h)) / (2h) grows without bound for q = max(0, x), so ReLU is not L-smooth.

The quotient is 1/(2h) exactly. What follows from it for a loss, and what L-smoothness does guarantee, are two
further sentences of the same paragraph: a jump of the activation's slope reaches the loss only through the
loss's own slope there, and a Lipschitz gradient (eq. 5) need be neither bounded nor differentiable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.relu_not_l_smooth import _experiments, _figures, _judgement
from nonsmooth.claims.relu_not_l_smooth._experiments import BATCH, RESPONSES, SIZES
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec, batches


class ReluNotLSmooth(Claim):
    id = "relu-not-L-smooth"
    where = "Section 3, “L-smoothness and the geometry of ReLU networks”"
    statement = (
        "“The widely used L−smoothness assumption ... does not hold for ReLU networks. To illustrate this, "
        "consider the 1-D case with q(x) = max(0, x). In this case, lim h→0+ (1/2h)(∇q(h) − ∇q(−h)) = ∞, "
        "indicating that the gradient changes arbitrarily quickly at the origin.” “L − smoothness is one of "
        "the strongest assumptions after convexity, guaranteeing the existence and boundedness of the first "
        "and second derivatives”."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "limit of the quotient": "∞",
        "what L-smoothness guarantees": "existence and boundedness of the first and second derivatives",
    }
    unstated = (
        Setting(
            "width",
            0.1,
            "width d over which the twin rounds ReLU; its quotient is that of ReLU for h ≥ d",
            low=1e-4,
            high=1.0,
        ),
    )
    parts = (
        Part(
            "quotient",
            "lim h→0+ (1/2h)(∇q(h) − ∇q(−h)) = ∞ for q(x) = max(0, x).",
            "Holds if in exact rationals the quotient equals 1/(2h) at every h = 2^-k, k = 0 ... 60, and "
            "torch's own derivative gives the same to 1e-12 (relative, float64) from h = 1 to 1e-12; differs "
            "otherwise. 1/(2h) is unbounded: that is the limit.",
            least_n=61,
        ),
        Part(
            "networks",
            "“The widely used L−smoothness assumption ... does not hold for ReLU networks.”",
            "On the squared loss of the paper's single-layer network (20 x 500, uniform data), across one "
            "ReLU's kink: the gradient's difference quotient grows by more than 10 (1/h grows by 100, an "
            "L-smooth loss' quotient not at all) when h falls from 1e-4 to 1e-6, in a share of seeds with "
            "Wilson lower end (3 comparisons) above 0.9. Holds if so for negative, zero and positive "
            "responses; differs if for none (upper end below 0.1); else in part.",
            least_n=64,
            comparisons=3,
            repair="“does not hold for the squared loss of a single-layer ReLU network with y ≤ 0 and some "
            "y_i < 0, z_i ≠ 0” (for other y: unless Σ y_i ||z_i|| over the rows that share a hyperplane is "
            "0 for every such hyperplane). With y = 0 each term is max(0, z'β)², whose gradient is "
            "Lipschitz.",
        ),
        Part(
            "derivatives",
            "L-smoothness guarantees “the existence and boundedness of the first and second derivatives”.",
            "Differs if one of the functions tried has a gradient that is Lipschitz (every pair of points of "
            "a rational grid, exactly, and a closed form) and either a point where the one-sided second "
            "derivatives differ, or a gradient that exceeds every power of ten up to 10^12; holds if none "
            "has. Exact rationals: one instance decides.",
            repair="“guaranteeing a first derivative that is Lipschitz, so that the second exists almost "
            "everywhere (Rademacher) and is at most L in size where it exists”. On an unbounded domain "
            "nothing bounds the first.",
        ),
        Part(
            "cause-kink",
            "“ReLU” (non-smooth) against “the smooth and asymptotically equivalent GELU”: of these "
            "activations it is the kink that breaks L-smoothness.",
            "Supported if between h = 1e-4 and h = 1e-8 the quotient grows by more than 100 for both kinked "
            "activations, and for every twin stays within its closed-form bound sup |q''| (plus 1e-3 "
            "for rounding); not supported if the quotient of a twin grows by more than 100 as well; else "
            "undecided.",
            least_n=7,
            twin="GELU, SiLU, softplus, ELU, squared ReLU, ReLU rounded over a width d",
        ),
    )
    notes = (
        "With a hidden layer eq. 5 fails without any kink: (w1 w2 − 1)² has an unbounded Hessian.",
        "Differentiable is not enough: x^(3/2) for x > 0, else 0, has a continuous derivative, and its "
        "quotient 0.75 h^(-1/2) grows without bound too. L-smooth is C1,1, which lies between C1 and C2.",
        "The quotient cannot tell ReLU from its twin of width d for h ≥ d/2: both give 1/(2h) there. Below "
        "it, the twin's is 1/d: L-smooth with L = 1/d, however large that is. What a finite step feels is "
        "the product of step and L, not whether L is finite.",
        "The same paragraph needs eq. 5 for all x, y: one kink anywhere in the domain suffices to break it.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        return [
            RunSpec(self.id, "exact"),
            RunSpec(self.id, "activations", settings),
            RunSpec(self.id, "functions"),
            RunSpec(self.id, "map", {}, tuple(range(16))),
            *(
                RunSpec(self.id, "loss", {"response": response}, batch)
                for response in RESPONSES
                for batch in batches(SIZES[tier], BATCH)
            ),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "exact": _experiments.exact,
            "activations": _experiments.activations,
            "functions": _experiments.functions,
            "loss": _experiments.loss,
            "map": _experiments.width_map,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.quotient(rows),
            _judgement.networks(rows),
            _judgement.derivatives(rows),
            _judgement.cause_kink(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.quotients(rows), _figures.width_map(rows)]
