"""Section 5: on convex quadratics gradient descent diverges above 2/η, η the Hessian's top eigenvalue.

In the Hessian's eigenbasis the error's k-th component is multiplied by 1 - α η_k at each step. So below 2/η
the loss falls at every step, above it the top component grows without bound, and at 2/η it changes its sign
for ever. The sentence contrasts this with networks: the paper's own convex one is run beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.quadratic_threshold import _experiments, _figures, _judgement
from nonsmooth.claims.quadratic_threshold._experiments import BATCH, KINDS, SIZES
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec, batches


class QuadraticThreshold(Claim):
    id = "quadratic-threshold"
    where = "Section 5, first paragraph"
    statement = (
        "“unlike convex quadratic forms, gradient descent on neural networks does not diverge to ∞ even when "
        "the learning rate exceeds α∗ = 2/η, where η is the dominant eigenvalue of the loss function’s "
        "Hessian”; α = α∗ “demarcates regions of “stable convergence” (α < α∗) from regions of “unstable "
        "convergence” (α > α∗)”."
    )
    reported: ClassVar[Mapping[str, str]] = {"threshold on convex quadratics": "α∗ = 2/η"}
    unstated = (
        Setting(
            "condition",
            100.0,
            "condition number of the non-zero spectrum; the map shows the threshold over it",
            low=1.0,
            high=1e6,
        ),
        Setting("dimension", 10, "number of variables of the random quadratics", low=2, high=60),
    )
    parts = (
        Part(
            "threshold",
            "On convex quadratics gradient descent diverges to ∞ above α∗ = 2/η and not below.",
            "Holds if over random quadratics (definite, and with half of the spectrum 0) the loss rises at "
            "no step in a share of seeds with Wilson lower end (16 comparisons) above 0.9 at each of 0.5, "
            "0.9, 0.99, 0.999 α∗, and passes 10^12 times its start in such a share at each of 1.001, 1.01, "
            "1.1, 2 α∗; differs if at some step of either side the share's upper end is below 0.1; else in "
            "part.",
            least_n=96,
            comparisons=16,
            where="Section 5, first paragraph",
        ),
        Part(
            "networks",
            "“gradient descent on neural networks does not diverge to ∞ even when the learning rate exceeds "
            "α∗”, here: on the paper's convex network (eq. 3, 20 x 500, λ1 = 0, λ2 = 0.01), η at the start.",
            "At α = 1.1, 2, 10, 30, 100 and 1000 α∗: holds if the share of seeds whose loss stays below "
            "10^100 has Wilson lower end (6 comparisons) above 0.9 at every step; differs if its upper end "
            "is below 0.1 at every step; else holds in part, with the steps.",
            least_n=64,
            comparisons=6,
            repair="“gradient descent on neural networks often does not diverge to ∞ at learning rates some "
            "multiples above α∗”. Eq. 3 with λ2 > 0 diverges from every start but 0 once α > 1/λ2 (||β⁺|| ≥ "
            "(2αλ2 − 1)||β||); growth that is at most linear (eq. 6) excludes it for convex losses with a "
            "bounded set of minimisers.",
        ),
    )
    notes = (
        "“Diverges above α∗” is meant of almost every start: from one without a component along the top "
        "eigenvectors the sequence never leaves their complement, and may converge. In floating point "
        "rounding brings the component back unless the eigenvectors are coordinate axes.",
        "A convex quadratic with a linear term outside the Hessian's range is unbounded below, and gradient "
        "descent then runs to infinity at every step; “quadratic form” excludes it.",
        "The threshold belongs to the method as well: with the momentum of eq. 16 it is "
        "2(1 + η')/((1 − η') η) for momentum η', which is 19 times 2/η at 0.9.",
        "Growth and not smoothness makes quadratics diverge: see the two-by-two table of "
        "unstable-convergence, where x² + |x| diverges and log cosh does not.",
        "The hidden word is “converge”: that a run does not diverge above α∗ does not say that its loss "
        "falls.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, cells = SIZES[tier]
        return [
            RunSpec(self.id, "exact"),
            RunSpec(self.id, "momentum"),
            RunSpec(self.id, "starts", {"dimension": settings["dimension"]}, tuple(range(16))),
            *(
                RunSpec(self.id, "random", {**settings, "kind": kind}, batch)
                for kind in KINDS
                for batch in batches(seeds, BATCH)
            ),
            *(RunSpec(self.id, "network", {}, batch) for batch in batches(2 * seeds // 3, BATCH)),
            RunSpec(self.id, "map", {"dimension": settings["dimension"]}, tuple(range(cells))),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "exact": _experiments.exact,
            "momentum": _experiments.momentum,
            "starts": _experiments.starts,
            "random": _experiments.random_quadratics,
            "network": _experiments.network,
            "map": _experiments.condition_map,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(_judgement.threshold(rows), _judgement.networks(rows))

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.shares(rows), _figures.condition_map(rows)]
