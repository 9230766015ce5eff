"""Eq. 3: the penalised ReLU regression is convex with the zero vector as its unique minimiser, for y <= 0.

For y_i <= 0 a row's loss is a convex, non-decreasing function of z_i.b, least wherever z_i.b <= 0: hence
both halves of the sentence, with f(b) - f(0) >= l1 ||b||_1 + l2 ||b||_2^2. A positive response turns its kink
upside down. How the sentence depends on that premise is measured, not assumed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.objective_family import _experiments, _figures, _judgement
from nonsmooth.claims.objective_family._experiments import MAP_SHARES, SIZES
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec, batches

_BATCH = 12


class ObjectiveFamily(Claim):
    id = "objective-family"
    where = "Section 2, eq. 3"
    statement = (
        "“the penalized single-layer neural network regression problem with a non-positive response "
        "vector, which Kumar (2023) has shown to be convex with the all-zeros vector as its unique global "
        "minimizer”: L1(β; Z, y, λ1, λ2) = ||y − max(0, Zβ)||² + λ1||β||1 + λ2||β||2², λ1, λ2 ≥ 0, λ1 + λ2 "
        "> 0."
    )
    reported: ClassVar[Mapping[str, str]] = {
        "convex": "for y ≤ 0",
        "unique global minimiser": "0",
        "zi": "the ith column of Z",
    }
    unstated = (
        Setting("rows", 20, "N is free in eq. 3; 20 as in the paper's own examples", low=1, high=60),
        Setting(
            "columns", 30, "P is free in eq. 3; the map and the examples hold at other P too", low=1, high=100
        ),
        Setting(
            "strength",
            1.0,
            "λ1 (and λ2) are free in eq. 3; the size of a positive response that does no harm grows with λ1",
            low=0.01,
            high=100,
        ),
    )
    parts = (
        Part(
            "convex",
            "L1 is convex for y ≤ 0.",
            "Differs if a chord lies below the function: any of the enumerated small instances (exact "
            "integers), or a random one in float64 by more than 1e-9 of its value. Holds if none does and "
            "cvxpy's DCP rules prove every random instance convex; else holds in part.",
            least_n=24,
        ),
        Part(
            "unique-minimiser",
            "“with the all-zeros vector as its unique global minimizer”, for every λ1, λ2 ≥ 0 with λ1 + λ2 "
            "> 0.",
            "Differs if an enumerated instance (exact integers; λ1 alone, λ2 alone, both) has a point b ≠ "
            "0 with f(b) ≤ f(0), or a ray from 0 that does not rise to first or, at slope 0, to second "
            "order, or if a random instance's least value is below f(0). Holds if none has, f(b) − f(0) ≥ "
            "λ1||b||1 + λ2||b||² at every point, and the certified minimum of every random instance equals "
            "f(0) to 1e-9 of it; else holds in part.",
            least_n=24,
        ),
        Part(
            "positive-response",
            "“the specific case of non-positive response vectors, which allows for a convex formulation”; "
            "with arbitrary response vectors “the resulting non-convex and non-differentiable loss "
            "functions”.",
            "Holds if an enumerated instance with a positive response violates convexity in exact integers "
            "(the smallest is kept), and random instances with one response turned positive do, on a chord "
            "across that row's kink, in a share with Wilson lower end above 0.9; differs if no instance "
            "does; else in part.",
            least_n=46,
            where="Section 3, “Extending our results to the general neural network setting”",
            repair="with a positive response the loss is in general not convex",
        ),
        Part(
            "non-differentiable",
            "“Convex non-differentiable loss functions: ... Most of our analysis focuses on” eq. 3.",
            "On the enumerated instances with y ≤ 0 and λ1 + λ2 > 0: holds if the two one-sided slopes at "
            "0 differ along some line for each, differs if for none, else holds in part, with the "
            "exceptions.",
            least_n=100,
            repair=(
                "non-differentiable at its minimiser whenever λ1 > 0 or some yi < 0 with zi ≠ 0 (for λ1 = "
                "0 and yi = 0 on every non-zero row the loss is continuously differentiable)"
            ),
        ),
        Part(
            "column",
            "“Z is an N × P data matrix with ith column zi”, then used as zi^T β (eq. 10).",
            "On data of eq. 10's size, 50 x 200: is Zβ of eq. 3 defined, and is zi^T β with zi the ith "
            "column? Both: holds; one: holds in part; none: differs.",
            where="Section 2 below eq. 3; Section 5, eq. 10",
            repair="Z is an N × P data matrix with ith row zi^T",
        ),
    )
    notes = (
        "Convexity, proof. For y ≤ 0 a row's loss l(z) = (y − max(0, z))² is y² for z ≤ 0 and (z + |y|)² "
        "for z > 0: slopes 0, then 2|y| rising; convex and non-decreasing. A convex function of the linear "
        "z_i.b is convex, and so is a sum with norms.",
        "Unique minimiser, proof. Each row's loss is at least y_i², its value at b = 0; so f(b) − f(0) ≥ "
        "λ1||b||1 + λ2||b||2², which is positive for b ≠ 0 as soon as λ1 + λ2 > 0: either strength alone "
        "is enough. It is also why 0 is in the subdifferential: take slope 0 in every row.",
        "The premise λ1 + λ2 > 0 is sufficient. Without a penalty every b with Zb ≤ 0 is a minimiser, so "
        "it is needed whenever such a b ≠ 0 exists: always for P > N, and not, for instance, for N = 2, P "
        "= 1, Z = (1, −1), y = (−1, −1).",
        "Where the kinks are: for y_i < 0 on the hyperplane z_i.b = 0 (the slope in z jumps by 2|y_i|), "
        "for λ1 > 0 at b_j = 0. A row with y_i = 0 contributes max(0, z_i.b)², which is C1 (its second "
        "derivative jumps). For y_i > 0 the jump is −2 y_i: a kink pointing up, across which no convex "
        "function can go, unless other terms kinked along the same hyperplane make up for it.",
        "The premise y ≤ 0 is not necessary. For N = P = 1, Z = y = λ1 = 1, λ2 = 0, f is 1 − b for b ≤ 0 "
        "and 1 − b + b² beyond: convex. And whatever Z and y, 0 stays the unique minimiser for λ1 > 2 max "
        "over j and ± of Σ_i max(0, y_i) max(0, ±Z_ij): a row loses at most 2 y_i max(0, z_i.b), and a "
        "convex function of b on ||b||1 ≤ 1 is greatest at a corner.",
        "Appendix A.2 takes strong duality of eq. 3 from Slater's condition “since 0 is an interior point "
        "of the domain”: the domain is the whole space, so that premise is met. Its further propositions "
        "are the claim strong-duality.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, few, shapes = SIZES[tier]
        return [
            *(
                RunSpec(self.id, "exact", {"rows": N, "columns": P, "responses": kind})
                for N, P in shapes
                for kind in ("non-positive", "positive")
            ),
            *(RunSpec(self.id, "random", settings, batch) for batch in batches(seeds, _BATCH)),
            *(RunSpec(self.id, "positive", settings, batch) for batch in batches(seeds, 2 * _BATCH)),
            *(
                RunSpec(self.id, "map", {**settings, "share": share}, tuple(range(few)))
                for share in MAP_SHARES
            ),
            RunSpec(self.id, "columns"),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "exact": _experiments.exact,
            "random": _experiments.random,
            "positive": _experiments.positive,
            "map": _experiments.share_map,
            "columns": _experiments.columns,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.convex(rows),
            _judgement.unique_minimiser(rows),
            _judgement.positive_response(rows),
            _judgement.non_differentiable(rows),
            _judgement.column(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.family(rows), _figures.share_map(rows)]
