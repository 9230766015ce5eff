"""Appendix A.2: strong duality at a global minimum, with extended values and missing minima taken seriously.

The set is M = Epi f; w* is the lowest point of M on the vertical axis through 0, q* the highest level at
which a non-vertical hyperplane below M crosses it. Each proposition is attacked in exact arithmetic by an
enumeration of extended-valued functions of one variable inside its printed premises, and in n dimensions
by linear programmes. The slopes of eq. 3 at its minimum are known exactly: a box plus a zonotope.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.strong_duality import _experiments, _figures, _judgement
from nonsmooth.claims.strong_duality._experiments import SIZES
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec, batches

_SEARCH = "Holds if no function of the enumeration that meets the printed premises breaks it, else differs."


class StrongDuality(Claim):
    id = "strong-duality"
    where = "Appendix A.2: Propositions A.1 to A.5, footnote 9, A.2.3"
    statement = (
        "For an extended-valued convex f “with finite global minimum at c”, “q* = w* = f(c)”; the "
        "hyperplanes that support the epigraph there “cannot be vertical”; “any closed proper convex "
        "function satisfies the conditions”; at a differentiable minimum the epigraph is “a smooth "
        "valley”, at a non-differentiable one it has “a distinct, angled structure”, with a family of "
        "hyperplanes."
    )
    unstated = (
        Setting(
            "dimension",
            3,
            "n is left open; the enumeration covers n = 1, this is for the polytopes and for eq. 3",
            low=1,
            high=6,
        ),
    )
    parts = (
        Part(
            "A.1",
            "Proposition A.1: for convex p: Rⁿ → [−∞, ∞] with p(0) = w* < ∞, q* = w* if and only if p is "
            "lower semicontinuous at 0.",
            f"{_SEARCH} Functions with the value −∞ are included.",
            least_n=500,
        ),
        Part(
            "A.2",
            "Proposition A.2: if f has a finite global minimum at 0, then q* = w* = f(0).",
            f"{_SEARCH} In n dimensions the two linear programmes must agree to 1e-9 on every polytope.",
            least_n=500,
        ),
        Part(
            "A.3",
            "Proposition A.3: a non-empty family of non-vertical hyperplanes through (0, f(0)) has M in its "
            "upper half-space, and no other such hyperplane has a higher intercept.",
            f"{_SEARCH} Broken if the horizontal line does not support M, or if a line of any slope k/2 "
            "up to one beyond the steepest piece crosses higher.",
            least_n=500,
        ),
        Part(
            "never-vertical",
            "Proof of A.3 and the text after it, for extended-valued f: “these hyperplanes cannot be "
            "vertical”.",
            f"{_SEARCH} Broken by a vertical line (in n dimensions: hyperplane) through (0, f(0)) that "
            "has M on one side.",
            least_n=500,
            where="Appendix A.2.2, proof of Proposition A.3 and the paragraph after it; A.2.3",
            repair="Add: if 0 is an interior point of the domain {f < ∞} (as it is for eq. 3, finite "
            "everywhere), these hyperplanes cannot be vertical. In the proof, scale u so that u and −u "
            "lie in the domain.",
        ),
        Part(
            "A.4",
            "Proposition A.4: “Any closed proper convex function satisfies the conditions shown above” (a "
            "finite global minimum).",
            f"{_SEARCH} Broken by a closed proper convex function that attains no finite minimum.",
            least_n=500,
            where="Appendix A.2.2, Proposition A.4",
            repair="Any closed proper convex function that attains its minimum satisfies the conditions "
            "shown above (with 0 moved to a minimiser).",
        ),
        Part(
            "A.4-converse",
            "Footnote 9: “It is possible that the stronger ‘if and only if’ condition holds” (finite global "
            "minimum: closed and proper).",
            "Holds if every function of the enumeration with a finite global minimum at 0 is closed and "
            "proper; else differs.",
            least_n=500,
            where="Appendix A.2.2, footnote 9",
            repair="The converse holds for “proper” and fails for “closed”: a finite global minimum makes "
            "f proper, and lower semicontinuous at the minimiser, but not elsewhere (f = 0 on (−1, 1), +∞ "
            "elsewhere).",
        ),
        Part(
            "A.5",
            "Proposition A.5: for convex f with finite global minimum at c, q* = w* = f(c).",
            "Two readings. Literal: w* and q* as A.2.2 defines them, on the axis through 0. Translated: "
            "on the vertical through c, as the proof's g(y) = f(y + c) has it. Both without exception in "
            "the enumeration: holds; only the translated one: holds in part; else differs.",
            least_n=500,
            where="Appendix A.2.2, Proposition A.5",
            repair="Let f be a convex function with finite global minimum at c, and let w* and q* be "
            "taken on the vertical line through c (that is, for g(y) = f(y + c)). Then q* = w* = f(c).",
        ),
        Part(
            "one-or-many",
            "A.2.3: at a differentiable minimum one supporting hyperplane, at a non-differentiable one a "
            "family, whose “orientation shifts suddenly”.",
            f"{_SEARCH} For a finite minimum at an interior point of the domain: broken if there is one "
            "supporting line while the slopes left and right of 0 differ, or several while they agree.",
            least_n=500,
        ),
        Part(
            "kink-eq-3",
            "A.2.3 takes eq. 3's minimum to be non-differentiable, with “a distinct, angled structure”.",
            "Exact instances of each kind that eq. 3 allows: λ1 > 0; λ1 = 0 with some y < 0; λ1 = 0, λ2 > "
            "0 with y = 0. Holds if the minimum of every instance of every kind has a kink (a family of "
            "supporting hyperplanes), differs if none has, else in part, by kind. Not judged if an exact "
            "check of the slopes at 0 fails. In which directions it is angled is counted beside it.",
            least_n=100,
            where="Appendix A.2.3",
            repair="For λ1 > 0 the epigraph of eq. 3 is angled at its minimum in every direction. For λ1 "
            "= 0 it rises at a positive slope exactly in directions v with zᵢ·v > 0 for some i with yᵢ < 0; "
            "along the line of v it is differentiable exactly if zᵢ·v = 0 for all such i.",
        ),
    )
    notes = (
        "Proofs where the search finds nothing. A.1: for convex p with p(0) < ∞, q* is the value at 0 of "
        "the closure of p if that is proper, and −∞ if p is −∞ anywhere; either way it equals p(0) "
        "exactly if p is lower semicontinuous at 0. A.2 and A.3: at a minimum the horizontal hyperplane "
        "lies below M, so the family is not empty and q* ≥ f(0); weak duality is q* ≤ w* = f(0). That is "
        "a shorter proof than the printed one, and needs no supporting hyperplane theorem (which alone "
        "cannot exclude a vertical one).",
        "The wording of A.1 in Bertsekas (2009), page 148, could not be checked against the book; the "
        "statement as printed here is what was tested.",
        "Where the printed proof of A.3 fails: “points (u, f(u)) and (−u, f(−u)) must belong to M. ... "
        "The heights at these points can be ∞”. The epigraph is {(x, w): f(x) ≤ w} with real w: a point "
        "at which f = ∞ is not in it. “These hyperplanes necessarily intersect the (n+1)st axis at w*” "
        "fails for the same vertical ones, which contain the whole axis. Proposition A.3's own words, "
        "“non-vertical hyperplanes”, stand.",
        "A.4, proof: “as long as w* is finite” and “since f has a finite global minimum” assume what a "
        "closed proper convex function need not have. eˣ is closed, proper and bounded below, without a "
        "minimum; −√x on x ≥ 0 is closed and proper with q* = w* = 0, yet its only supporting line at (0, "
        "0) is vertical. Strong duality itself does hold for closed proper convex functions, as the paper "
        "says.",
        "Slater's condition is about constraints; eq. 3 is unconstrained, so nothing has to be qualified. "
        "“0 is an interior point of the domain” is, however, just what rules out vertical hyperplanes.",
        "“Gradient-based methods falter” and “lack the guidance needed” are not defined in A.2.3, and are "
        "not judged. What is a theorem: at every x that is no minimiser, every subgradient g of a convex "
        "f has g·(x − x*) ≥ f(x) − f* > 0, kink or not; what a kink takes away is that g tends to 0 near "
        "x*.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        reach, steepest, seeds, cell = SIZES[tier]
        return [
            RunSpec(self.id, "lines", {"reach": reach, "steepest": steepest}),
            RunSpec(self.id, "improper", {"reach": reach}),
            RunSpec(self.id, "panels"),
            RunSpec(self.id, "map", {}, tuple(range(cell))),
            *(RunSpec(self.id, "polytopes", settings, batch) for batch in batches(seeds, 48)),
            *(RunSpec(self.id, "loss", settings, batch) for batch in batches(seeds, 48)),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "lines": _experiments.lines,
            "improper": _experiments.improper,
            "panels": _experiments.panels,
            "map": _experiments.share_map,
            "polytopes": _experiments.polytopes,
            "loss": _experiments.loss,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.a1(rows),
            _judgement.a2(rows),
            _judgement.a3(rows),
            _judgement.never_vertical(rows),
            _judgement.a4(rows),
            _judgement.a4_converse(rows),
            _judgement.a5(rows),
            _judgement.one_or_many(rows),
            _judgement.kink_eq_3(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.epigraphs(rows), _figures.share_map(rows)]
