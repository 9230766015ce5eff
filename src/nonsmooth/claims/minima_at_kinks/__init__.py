"""Sections 3 and 4: are local minima of ReLU networks at kinks, and can gradient methods get there?

Training until the gradient is small finds differentiable points only: at a kinked minimum the gradients stay
large. So the ends of full-batch BFGS, which finds minima of both kinds, are finished by Newton's method on
faces (the sets on which given kinks hold) and certified: multipliers of the kinks strictly inside their
intervals and a positive Hessian on the face make a strict local minimum. Where a network interpolates its
data, the loss has no slope at its outputs, and its minima are differentiable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.minima_at_kinks import _figures, _judgement
from nonsmooth.claims.minima_at_kinks._sizes import plan
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec


class MinimaAtKinks(Claim):
    id = "minima-at-kinks"
    where = "Section 3, “Convergence analysis and L-smoothness”, “the geometry of ReLU networks”; Section 4"
    statement = (
        "“As Laurent and Brecht (2018) state, ‘local minima of ReLU networks are generically "
        "nondifferentiable. They cannot be waved away as a technicality ...’ ... local minima frequently "
        "lie at these kinks. Therefore, gradient-based approaches developed for differentiable functions "
        "are insufficient since they cannot access these points of interest”."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "local minima": "generically nondifferentiable; frequently at kinks",
        "gradient-based approaches": "cannot access these points",
    }
    accepts_images: ClassVar[bool] = True
    unstated = (
        Setting(
            "images",
            "digits",
            "the paper names no data here; shrunk to a few pixels, odd classes against even",
        ),
        Setting("device", "cpu", "where training runs; the certificates are computed on the CPU"),
        Setting(
            "ridge",
            0.001,
            "weight decay: keeps minima at finite weights, for without it a cross-entropy has none on "
            "separable data, and rescaling a unit leaves the loss as it is",
            low=1e-4,
            high=0.02,
        ),
    )
    parts = (
        Part(
            "generic",
            "“local minima of ReLU networks are generically nondifferentiable”, “local minima frequently "
            "lie at these kinks”; one hidden layer.",
            "Three settings: square and logistic loss with weight decay, and the square loss without, with "
            "at least 4 parameters a sample. With decay, counted are strict local minima with a "
            "certificate: at kinks if a kink across which the slope changes is strictly held. Without, "
            "counted are ends of BFGS with gradient at most 1e-7 (differentiable) or at a kink. Holds if "
            "in each setting the share at kinks has Wilson lower end (3 comparisons) above 0.9; differs if "
            "each upper end is below 0.1; else in part, with the settings.",
            least_n=40,
            comparisons=3,
            repair="“local minima of ReLU networks with several hidden units are generically "
            "nondifferentiable unless the network interpolates its data”: where it does, the "
            "slope of the loss at its outputs is 0, so the units' kinks change no slope.",
        ),
        Part(
            "source",
            "The result that is quoted, as its abstract has it: with “a hinge loss criterion and ReLU or "
            "leaky ReLU nonlinearities ... all local minima of such network are non-differentiable, except "
            "for those minima that occur in a region of parameter space where the loss surface is "
            "perfectly flat”.",
            "Hinge loss, no weight decay. Counted are ends that linear programmes certify as stationary, "
            "f'(x; d) ≥ 0 for all d. Holds if none is a differentiable point (no kink within 1e-9 that "
            "carries a slope) of a cell that is not flat, and the Hessian's trace is 0 to 1e-12 at every "
            "start (so the loss is harmonic in a cell); differs if one is, or the trace is not.",
            least_n=40,
        ),
        Part(
            "access",
            "“gradient-based approaches developed for differentiable functions are insufficient since they "
            "cannot access these points of interest”.",
            "From beside a certified kinked minimum (moved by 1e-3 of its norm), square loss, full batch: "
            "gradient descent with a constant step (a tenth of 2/sharpness of a cell), with falling steps, "
            "and BFGS. Accessed: all kinks of the minimum within 1e-6 in parameters. Holds if for each of "
            "the three the share of seeds has Wilson upper end (3 comparisons) below 0.25; differs if for "
            "each the lower end is above 0.75; else in part, by method.",
            least_n=24,
            comparisons=3,
            repair="“gradient descent with a constant step cannot settle at these points”. With falling "
            "steps it comes as near as the step is small, and BFGS, developed for twice differentiable "
            "functions, reaches them to rounding.",
        ),
        Part(
            "cause-access",
            "The cause given: the points lie at kinks, where the network is not differentiable.",
            "Gradient descent at the same constant step, beside the minimum of the same network with ReLU "
            "rounded. Settled: the gradient falls below a tenth of what it was. Present if the kinked "
            "network settles in a share with upper end below 0.25 and the widely rounded one (width 1) "
            "with lower end above 0.75 (3 comparisons). Then not supported if the narrowly rounded one "
            "(1e-5, once continuously differentiable) settles in a share with upper end below 0.25; "
            "supported if its lower end is above 0.75; else, or where it is not present, undecided.",
            least_n=24,
            comparisons=3,
            twin="ReLU rounded by a quadratic join, over a width that the steps resolve (1) and one that "
            "they do not (1e-5): continuously differentiable both, equal to ReLU outside",
            repair="What keeps a constant step from settling is curvature above 2/step, of which a kink is "
            "the limit: a differentiable join narrower than the step's reach does the same.",
        ),
    )
    notes = (
        "Laurent and von Brecht's result is about the hinge loss: inside a cell of activations it is "
        "multilinear, hence harmonic, so a minimum inside a cell is flat. Square and logistic losses are "
        "not harmonic, and there the sentence quoted has no theorem behind it. Only the source's abstract "
        "was at hand.",
        "Why kinks are likely all the same: a sample whose unit is at its kink adds v_j dL/do_i to the "
        "slope across it. With N samples these jumps are of order 1/N and the kinks lie 1/N apart, so "
        "along each of a unit's directions the slope changes its sign at a kink about as often as between "
        "two.",
        "Selection: “trained to a small gradient” means differentiable. At a kinked minimum gradient "
        "descent and BFGS end with the gradient of a neighbouring cell, which is not small; the shares "
        "here are of minima found by BFGS and finished by Newton's method on faces, not of minima with a "
        "small gradient.",
        "Not certified, and not counted: ends with a unit that weight decay has switched off (all its "
        "kinks meet in 0, and the loss is of second order there), and with two units that act as one (a "
        "flat direction).",
        "Seeds are independent starts and independent balanced samples; a batch of seeds is one tensor, a "
        "layer one batched matrix product.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        return plan(self.id, tier, settings)

    def measure(self, spec: RunSpec) -> list[Row]:
        from nonsmooth.claims.minima_at_kinks import _experiments

        experiments = {
            "minima": _experiments.minima,
            "near": _experiments.near,
            "ends": _experiments.ends,
            "hinge": _experiments.hinge,
            "map": _experiments.width_map,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.generic(rows),
            _judgement.source(rows),
            _judgement.access(rows),
            _judgement.cause_access(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.kinks(rows), _figures.approach(rows), _figures.width_map(rows)]
