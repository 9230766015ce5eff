"""What is judged, each by a rule written before the runs."""

from __future__ import annotations

from nonsmooth.findings import Part

__all__ = ["PARTS"]

_SEEDS = "holds if in every seed of both protocols, differs if in none, else holds in part"
_LONG = "of the weights, by ns.floor from the same start and steps, have reached 0 at 0.002"
_NORM_RULE = (
    "Listing and clean protocol, each seed: the last iterate's L1 norm at λ1 = 2 exceeds that at 0.002; "
    f"{_SEEDS}. Judged only where at least 99.9 % {_LONG}, and the floor at 2 (ns.floor) exceeds the largest "
    "norm that a network better than a constant can have at 0.002: below that size the printed order cannot "
    "be expected of any optimiser that fits the data."
)
_SHARE_RULE = (
    "Listing and clean protocol, each seed: the share of parameters below 1e-5 is smaller at λ1 = 2 than at "
    f"0.002; {_SEEDS}. Judged only where at least 95 % {_LONG}."
)
_SECOND = "“for SGD and Adam, larger values of λ1 result in a larger L1 norm at convergence”"
_NOTE = (
    "“We note for Adam and SGD that increasing the L1 norm can lead to a reduction in the percentage of "
    "prunable parameters”"
)

PARTS = (
    Part(
        "norms-differ",
        "“The L1 norms at convergence differ substantially across the three optimizer variants”.",
        "Largest over smallest L1 norm of the three last iterates at least 2, at λ1 = 0.002 and at 2, in "
        f"the listing and in the clean protocol: {_SEEDS}. Judged only where at least 99.9 % {_LONG}, "
        "for each optimiser.",
        least_n=3,
        comparisons=4,
    ),
    Part(
        "larger-norm-SGD",
        f"{_SECOND}: SGD.",
        _NORM_RULE,
        least_n=3,
        comparisons=2,
    ),
    Part(
        "larger-norm-Adam",
        f"{_SECOND}: Adam.",
        _NORM_RULE,
        least_n=3,
        comparisons=2,
        repair="“... for SGD”. Adam's steps do not depend on λ1: free weights end with the same norm at "
        "both, unless the second run starts from the first one's moments, as the listing's does.",
    ),
    Part(
        "fewer-prunable-SGD",
        f"{_NOTE}: SGD.",
        _SHARE_RULE,
        least_n=3,
        comparisons=2,
        where="Appendix C, caption of Table 2",
    ),
    Part(
        "fewer-prunable-Adam",
        f"{_NOTE}: Adam.",
        _SHARE_RULE,
        least_n=3,
        comparisons=2,
        where="Appendix C, caption of Table 2",
        repair="“... for SGD”, and “λ1” in place of “the L1 norm”.",
    ),
    Part(
        "table-2",
        "The six shares of Table 2.",
        "Only the listing on the ImageNet weights at the printed width and 19,600 steps a run is held to "
        "the digits: a share agrees if it lies in the range of the seeds, widened by a tenth of it. Six "
        "agree: holds; some: holds in part; none: differs.",
        least_n=3,
        comparisons=6,
        where="Appendix C, Table 2",
    ),
    Part(
        "cause-more-complex",
        "“the relationship between L1 regularization and prunable parameters may be more complex than "
        "previously understood”.",
        "A run is explained by weights without data gradient (ns.floor: same optimiser, step, strength, "
        "number of steps, start, and state where it is carried over) if the shares below 1e-5 of its "
        "penalised weights agree within half a percentage point or a quarter. Not supported if at least "
        "90 % of the runs of listing and clean protocol are explained; supported if at most half are; "
        "else undecided, with the cells. Only runs in which at least 95 % of the free weights reach 0 "
        "count.",
        least_n=6,
        twin="the penalty alone, no network and no data",
        repair="For SGD the share follows from α λ1 alone, for Adam it does not depend on λ1; for "
        "RMSProp it depends on data gradients that are far smaller than the penalty's.",
    ),
    Part(
        "cause-L1",
        "“important questions about the efficacy and generalizability of L1 regularization for network "
        "pruning across different optimization algorithms and regularization strengths”.",
        "Present if the clean runs with the penalty in the loss leave fewer than 5 % of the penalised "
        "weights below 1e-5 at λ1 = 2, for SGD and Adam. Then not supported if the attached penalty "
        "(same optimiser, step, strength, start) makes at least 99 % exact zeros at 2 and ends with no "
        "larger norm there than at 0.002, for all three optimisers; supported if it prunes in none; else "
        "undecided.",
        least_n=3,
        twin="the same penalty attached to the same optimisers (nonsmooth.attach): its proximal step in "
        "the optimiser's metric",
        repair="“... of L1 regularization by adding the penalty to the loss of a subgradient method”.",
    ),
    Part(
        "cause-kink",
        "“These findings highlight the importance of incorporating the non-differentiability of "
        "regularizers like the L1 norm when analyzing the behavior of NDGM variants” (Section 4); "
        "“non-differentiability fundamentally alters neural network training dynamics” (Section 6).",
        "At λ1 = 2, clean protocol, SGD and Adam. Present if the kinked penalty leaves fewer than 5 % of "
        "the penalised weights below 1e-5. Then not supported if rounded over 1e-5 (C1,1, α far above "
        "2/L) it leaves fewer than 5 % as well and rounded over 0.03 (α below 2/L) more than 90 %; "
        "supported if both rounded penalties leave more than 90 %; else undecided.",
        least_n=2,
        twin="|w| rounded over 1e-5 and over 0.03, same network, data, optimiser and step",
        repair="A step that is long against the curvature over which the penalty turns; a kink is the "
        "extreme case, for every constant step.",
    ),
)
