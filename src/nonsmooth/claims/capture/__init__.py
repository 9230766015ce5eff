"""Proposition 3.1 and Figure 1: the loss falls monotonically while the max norm leaves the unit ball.

The paper takes this for proof that the sequence is no gradient descent. Two things must be asked. Does
a gradient descent sequence on a differentiable function do it too: with ReLU rounded, or on a plain
quadratic? And is the proposition true: Bertsekas' Proposition 1.2.5 says that *some* open set inside the ball
captures the sequence, not that the ball does, and it speaks of Euclidean balls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.capture import _experiments, _figures, _judgement
from nonsmooth.claims.capture._experiments import BATCH, KINDS, MAP_KINDS, SIZES, STEPSIZES
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec, batches


class Capture(Claim):
    id = "capture"
    where = "Section 3: Proposition 3.1, Figure 1"
    statement = (
        "On L2(β) = ||q1 − max(0, Z1 β)||² + 0.01 ||β||² with Z1 20x500 uniform on [-1, 1], q1 uniform on "
        "[-1, 0] and β0 uniform on [-1, 1], “although the loss function decreases monotonically with "
        "iteration number, the infinity norm of the NDGM sequence eventually exceeds 1, contradicting our "
        "assumption” that it has the same properties as a GD sequence."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "loss": "monotone",
        "||β_k||_inf": "starts below 1, eventually exceeds 1",
    }
    unstated = (
        Setting(
            "stepsize",
            1e-3,
            "a quarter of 2/L of the quadratic twin; the map runs from 3e-5 to 3e-2",
            low=1e-5,
            high=0.03,
        ),
        Setting(
            "steps",
            2000,
            "long enough for the norm to peak; the ridge term then shrinks it again",
            low=200,
            high=20_000,
        ),
    )
    parts = (
        Part(
            "figure-1",
            "The loss never rises and the max norm, below 1 at the start, exceeds 1 later.",
            "Holds if the share of seeds that do both has a Wilson lower end above 0.9 at the chosen step; "
            "differs if the upper end is below 0.1; else holds in part. "
            "A rise is an increase above 1e-12 of the loss's scale.",
            least_n=35,
            where="Section 3, Figure 1",
        ),
        Part(
            "proposition-3.1",
            "For GD on a continuously differentiable f with f(x_{k+1}) ≤ f(x_k): if x* is an isolated local "
            "minimum in the unit ball around it and ||x_0 − x*|| < 1, then ||x_k − x*|| < 1 for all k.",
            "Differs if the search over f(x) = c x²/2 for x ≥ 0, d x²/2 for x < 0 (differentiable, convex, "
            "x* = 0; d = 1, for a common factor only rescales the step), integers c up to 4, steps up to 3 "
            "and starts in (0, 1) with denominators up to 4, finds in exact rationals a monotone sequence "
            "that leaves the ball; holds if it finds none.",
            least_n=100,
            where="Proposition 3.1",
            repair="Add to the premises: f is convex and L-smooth, and α ≤ 2/L. (Then co-coercivity gives "
            "||x_{k+1} − x*|| ≤ ||x_k − x*|| in the Euclidean norm.) Or keep the premises of Bertsekas' "
            "Proposition 1.2.5 and its conclusion: inside the ball there is an open set S around x* such "
            "that x_0 in S implies x_k in S for all k.",
        ),
        Part(
            "cause-not-gd",
            "“The monotonically decreasing loss contrasts with the non-monotonic parameter norm, indicating "
            "differing dynamics between NDGM and GD” (Figure 1).",
            "Not supported if gradient descent on a differentiable twin, same data, start and step, does "
            "both in a share of seeds with Wilson lower end (3 comparisons) above 0.9 for at least one twin; "
            "supported if all upper ends are below 0.1; else undecided.",
            least_n=62,
            comparisons=3,
            twin="ReLU's Moreau envelope of width 0.1 and 1 (C1,1, same minimiser); "
            "the convex quadratic ||Zβ||² + 0.01 ||β||²",
            where="Section 3, “NDGM and GD dynamics are not identical”, and Figure 1",
            repair="What the controls leave standing: a falling loss bounds no max norm, with or without a "
            "kink. Driving some of the predictions Zβ to 0 moves every entry of β a little, and some that "
            "started near ±1 outwards; in the Euclidean norm, that of the theorem, the distance to the "
            "minimiser need not grow.",
        ),
    )
    notes = (
        "Premise: the theorem wants ||x_0 − x*||_2 < 1. In the experiment x* = 0 and ||β0||_2 is about 12.9 "
        "(500 uniform entries): no seed starts inside. The text replaces the Euclidean by the max norm, in "
        "which a monotone loss need not capture a start, not even for a quadratic.",
        "Source: Bertsekas, Nonlinear Programming, Proposition 1.2.5 asserts (among other premises, x* being "
        "the only stationary point nearby) an open set S, inside any given ball, that is never left once "
        "entered. Proposition 3.1 asserts it of the ball itself.",
        "The map's border: at the start half of the 20 predictions are positive and are driven to 0, which "
        "takes from each entry a nearly normal part of standard deviation w (10/1500)^0.5, w the half-width "
        "of the starts. Some entry of 500 then passes 1 in half of the seeds at w = 0.89.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, twin_seeds, few = SIZES[tier]
        specs = [RunSpec(self.id, "proposition", {"largest": 4})]
        for kind in KINDS:
            specs += [
                RunSpec(self.id, "figure", {**settings, "kind": kind}, batch)
                for batch in batches(seeds if kind == "relu" else twin_seeds, BATCH)
            ]
        specs += [RunSpec(self.id, "inside", settings, batch) for batch in batches(twin_seeds, BATCH)]
        specs += [
            RunSpec(self.id, "map", {"stepsize": stepsize, "kind": kind}, tuple(range(few)))
            for stepsize in STEPSIZES
            for kind in MAP_KINDS
        ]
        return specs

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "proposition": _experiments.proposition,
            "figure": _experiments.figure,
            "inside": _experiments.inside,
            "map": _experiments.start_map,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.figure_1(rows),
            _judgement.proposition_3_1(rows),
            _judgement.cause_not_gd(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.figure_1(rows), _figures.start_map(rows)]
