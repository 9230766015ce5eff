"""Table 1 and Appendix B.3: what vanilla, momentum and RMSProp runs on λ1 ||b||_1 depend on, and do at 0.

Every cell is found by experiment, for the paper's recursions and for torch's own optimisers: do two starts
or two strengths end alike, and where does an entry go that was brought to exactly 0? RMSProp divides the
gradient by its own size, on any function: that it forgets λ1 is asked of differentiable twins as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.variants_table import _experiments, _figures, _judgement
from nonsmooth.claims.variants_table._experiments import BATCH, SIZES, STRENGTHS
from nonsmooth.claims.variants_table._optimisers import OPTIMISERS
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec, batches


class VariantsTable(Claim):
    id = "variants-table"
    where = "Table 1, Appendix B.3, eq. 16-23, Propositions B.3-B.5"
    statement = (
        "“Vanilla NDGM (including SGD): β0 and λ1 influence eventual values of the sequence. If sequence "
        "hits 0, then stays 0. NDGM with momentum: If sequence hits 0, then jumps away from 0. RMSProp: Only "
        "β0 influences the eventual value of the sequence. If sequence hits 0, then stays 0.”"
    )
    reported: ClassVar[Mapping[str, str]] = {
        "vanilla": "β0 and λ1 influence; at 0 stays",
        "momentum": "at 0 jumps away",
        "RMSProp": "only β0 influences; at 0 stays; eventually vanilla with λ1 = 1",
    }
    unstated = (
        Setting("stepsize", 0.01, "the worked example's", low=2e-3, high=0.1),
        Setting(
            "jitter",
            1e-16,
            "ε̄, “a small positive jitter”; the square of torch's eps 1e-8, for it stands inside the root",
            low=1e-20,
            high=1e-8,
        ),
    )
    parts = (
        Part(
            "table",
            "Table 1, every cell.",
            "“Influences”: final pairs of iterates differ by more than 1e-4 of the step's effect (α λ1, or α "
            "for RMSProp) between two starts, or between λ1 = 0.1, 1 and 10, in a share of seeds whose "
            "Wilson lower end (12 comparisons) is above 0.9; does not if the upper end is below 0.1. “At "
            "0”: an entry brought to exactly 0 is 0, or is not, at each of the next ten steps. "
            "Holds if all seven printed cells are found, for the paper's recursions and for torch's SGD, SGD "
            "with momentum and RMSprop; differs if a printed cell is found the other way; else in part.",
            least_n=96,
            comparisons=12,
            repair="RMSProp: “β0 influences the eventual value for some starts; the others end at 0 (in "
            "floating point), whatever β0”: some 68 % of starts at α = 0.01, 87 % at α = 0.1.",
        ),
        Part(
            "jump",
            "Proposition B.3: if βN−1[k] ≠ 0 and βN[k] = 0, then βN+1[k] = −η βN−1[k] ≠ 0.",
            "Exact rationals over η = j/8 in (0, 1) and a grid of βN−1: holds if eq. 17 is met with βN+1 ≠ 0 "
            "for all of them; differs if for none; else in part. (η = 0 would be the vanilla recursion.)",
            least_n=64,
            where="Proposition B.3, eq. 16, 17",
        ),
        Part(
            "first-step",
            "“the RMSProp sequence for (7) is agnostic of the value of λ1 used in the analysis”, by eq. "
            "18-21, “where v0[k] = 0”.",
            "The step of eq. 19, read literally with v0 = 0 at t = 0, in closed form to sixty digits at λ1 = "
            "0.001, 1 and 100: agnostic if the greatest is within 1 % of the least. Two sentences: so at t = "
            "0; so at t = 1, 2, 10, 100 and 1000. Both: holds; one: holds in part; none: differs.",
            least_n=3,
            where="Section 4, eq. 18-21",
            repair="vt in eq. 18 from the current gradient with v−1 = 0, as in Ruder; eq. 20-21 then carry "
            "γ^(t+1) for γ^t, and the first step is α/√(1 + ε − γ), agnostic of λ1 like all others.",
        ),
        Part(
            "never-zero",
            "Proposition B.4: RMSProp's entries are non-zero with probability 1 for all t > 0.",
            "Uniform starts, followed with sixty digits (standing for the reals) and in float64. Holds if "
            "none is at 0 in either; holds in part if only float64 starts are; differs if one with sixty "
            "digits is.",
            least_n=1000,
            where="Proposition B.4, eq. 22",
            repair="“with probability 1 over the reals”. In floating point the entries of many starts do "
            "become exactly 0, and stay there; over the reals every second iterate of theirs tends to 0.",
        ),
        Part(
            "vanilla-like",
            "Proposition B.5: it “eventually behaves like a vanilla NDGM sequence with a LASSO penalty of 1 "
            "irrespective of the value of λ1”.",
            "Against a vanilla run with λ1 = 1 from the same late iterate: alike if within 1 % of α. In "
            "float64 over 200 steps, λ1 = 10^k, k = −8 ... 2; with sixty digits (standing for the reals) "
            "over 8 steps, λ1 = 1. Holds if the share of starts has Wilson lower end (12 comparisons) above "
            "0.9 in each of these twelve; differs if the upper end is below 0.1 in each; else in part.",
            least_n=80,
            comparisons=12,
            where="Proposition B.5, eq. 23",
            repair="“... for the starts that are not drawn to 0, and as long as λ1² ≫ ε̄”. Over the reals the "
            "others pass next to 0, α, 0, −α in turn, which no vanilla run does. And “in the large t limit "
            "we have ε ≪ γ^t ≪ 1” cannot be met for a fixed ε > 0, as γ^t → 0.",
        ),
        Part(
            "cause-kink",
            "“facts which cannot be explained by the analysis of differentiable functions: 1) the RMSProp "
            "sequence for (7) is agnostic of the value of λ1”.",
            "On λ1 ||b||² and on |b| rounded over 0.1, λ1 = 0.1, 1 and 10: not supported if RMSProp's final "
            "iterates agree to 1 % of α on both twins in a share of seeds with Wilson lower end (2 "
            "comparisons) above 0.9; supported if the upper end is below 0.1 on both; else undecided.",
            least_n=96,
            comparisons=2,
            where="Section 4, “Connections to other NDGM variants”",
            twin="ridge (analytic) and rounded |b| (C1,1), same starts, steps and strengths",
            repair="RMSProp is agnostic of the scale of any objective, differentiable or not: multiplying "
            "f by c > 0 multiplies the gradient and √v by c (up to ε̄). No kink is needed.",
        ),
    )
    notes = (
        "Why RMSProp reaches 0: its step s_t falls towards α for as long as γ^t matters. Two steps move the "
        "nearer iterate of a pair towards 0 by s_t − s_(t+1). Once it is nearer than all that is still to "
        "come, it hops around 0 by about s_t − s_(t+1), which tends to 0 like γ^t. In floating point "
        "s_t becomes constant, and the last hop ends at 0. So for these starts the eventual pair is {0, ±α} "
        "over the reals, whatever β0, and 0 in floating point.",
        "The final values of the vanilla run are γ = b0 mod αλ1 and γ − αλ1: they depend on both. Its "
        "dependence on λ1 is asked at 0.1, 1 and 10, where the run reaches its floor within the steps.",
        "“SGD” on eq. 7 is the vanilla run: its gradient does not depend on the batch.",
        "Read literally, “v0[k] = 0” stands in eq. 19 at t = 0: the first step is α λ1/√ε̄. With ε̄ = 1e-16 "
        "and λ1 = 1 it leads 10⁸ α away from 0, and those of about α that follow take some 10⁸ of them to "
        "come back. Everything else here runs eq. 18-19 with v−1 = 0.",
        "torch's RMSprop adds eps outside the root and starts from v−1 = 0; its SGD(momentum) is eq. 16 with "
        "the step α/(1 − η).",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        seeds, many = SIZES[tier]
        given = dict(settings)
        specs = [RunSpec(self.id, "at-zero", {**given, "optimiser": name}) for name in OPTIMISERS]
        for batch in batches(seeds, BATCH):
            specs += [RunSpec(self.id, "ends", {**given, "optimiser": name}, batch) for name in OPTIMISERS]
            specs += [RunSpec(self.id, "shadow", {**given, "strength": s}, batch) for s in STRENGTHS]
            specs.append(RunSpec(self.id, "twins", given, batch))
        return [
            *specs,
            RunSpec(self.id, "jump"),
            RunSpec(self.id, "first-step", given),
            RunSpec(self.id, "zeros", {**given, "starts": many}, (0,)),
            RunSpec(self.id, "map", {"stepsize": settings["stepsize"]}, tuple(range(16))),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        experiments = {
            "at-zero": _experiments.at_zero,
            "ends": _experiments.ends,
            "first-step": _experiments.first_step,
            "jump": _experiments.jump,
            "map": _experiments.jitter_map,
            "shadow": _experiments.shadow,
            "twins": _experiments.twins,
            "zeros": _experiments.zeros,
        }
        return experiments[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.table(rows),
            _judgement.jump(rows),
            _judgement.first_step(rows),
            _judgement.never_zero(rows),
            _judgement.vanilla_like(rows),
            _judgement.cause_kink(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [_figures.table_1(rows), _figures.jitter_map(rows)]
