"""Figure 3, Table 2 and the listing of Appendix C: VGG16 under an L1 term in the loss, by three optimisers.

With 138 million weights the penalty outweighs the cross-entropy a thousandfold, so nearly all weights move by
the optimiser's step on strength * sign(w) alone. What that ends in is known (``nonsmooth.floor``): plain SGD
hops by α λ1, so that at λ1 = 2 a share 1e-5 / 0.006 = 0.17 % lies below 1e-5 and at 0.002 all do; Adam's
steps do not depend on λ1; RMSProp rests at exact zeros until a data gradient, however small, throws it off.
The listing's own choices act on top, above all the one optimiser object that carries Adam's moments from λ1 =
2 into 0.002.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.deep_l1 import _causes, _figures, _judgement
from nonsmooth.claims.deep_l1._protocols import (
    ATTACHED,
    CLEAN,
    LISTING,
    OPTIMISERS,
    PRINTED,
    SIZES,
    STAND_IN,
    SWITCHES,
    TWINS,
    Protocol,
)
from nonsmooth.errors import InputError
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec

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


class DeepL1(Claim):
    id = "deep-l1"
    where = "Section 4, Figure 3; Appendix C, Table 2 and listing"
    statement = (
        "VGG16, pre-trained on ImageNet, fine-tuned on CIFAR-10 with L1-penalised cross-entropy, α = 0.003, "
        "200 epochs of 98 steps, SGD, RMSProp and Adam: “1) The L1 norms at convergence differ substantially "
        "across the three optimizer variants, and 2) for SGD and Adam, larger values of λ1 result in a "
        "larger L1 norm at convergence.” “a larger λ1 does not necessarily correspond to more prunable "
        "parameters (Table 2): with λ1 = 2, less than 0.2% of the parameters at convergence with vanilla "
        "NDGM have absolute value less than 10−5, but with λ1 = 0.002, 99.98% do.”"
    )
    reported: ClassVar[Mapping[str, str]] = {
        **{f"{name}, λ1 = {strength:g}": f"{value} %" for (name, strength), value in PRINTED.items()},
        "SGD, λ1 = 0.002 (text)": "99.98 %",
        "smaller λ1 (text, first mention)": "0.0002",
    }
    accepts_images = True
    unstated = (
        Setting(
            "images",
            "digits",
            "CIFAR-10 is printed; scikit-learn's digits are at hand everywhere, --data-dir PATH gives "
            "CIFAR-10",
        ),
        Setting("device", "cpu", "where the networks are trained; tier paper is made for cuda"),
        Setting(
            "weights",
            STAND_IN,
            "torchvision's file of ImageNet weights (tier paper); the stand-in is VGG16 pre-trained here on "
            "the same images without penalty",
        ),
        Setting(
            "spread",
            0.01,
            "standard deviation of the weights that the prediction for the printed size starts from: "
            "torchvision's law for the fully connected layers, nine tenths of the weights",
            low=1e-3,
            high=0.05,
        ),
    )
    parts = (
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
    notes = (
        "Repairs of the listing, the fewest with which it runs: `criterion` is never defined (taken as "
        "nn.CrossEntropyLoss(), the mean over a batch); the assignment `loss_curves[name], ... = "
        "{},{},{},{}` is broken over lines; typographic quotes. Its values are kept: the head of 1000 "
        "classes for labels 0 to 9, batches of 512 in the data's order, λ1 = 2 before 0.002.",
        "The network stays in train mode, in which the constructor returns it: dropout is on in validation, "
        "and the validation loss is random. It is a sum of means over batches, divided by the number of "
        "images: about 1/128 of the loss.",
        "One optimiser object a name serves both strengths; load_state_dict resets the weights, not the "
        "optimiser. So Adam's second moment enters the run at 0.002 at 4, a million times its own size "
        "there, and needs 14,000 of the 19,600 steps to forget that: until then its steps are as short as "
        "3e-6. RMSProp forgets within 1,400 steps; SGD has nothing to carry.",
        "The penalty is on all parameters, biases too. The norm that is drawn is the one before the last "
        "step of an epoch; the training loss that is recorded contains the penalty.",
        "Where the data gradient is a fair share of λ1, ns.floor is void. At 0.002 a narrow network can keep "
        "a part alive that fits the data, of L1 norm up to some 1,200; at the printed size that is a small "
        "share of the floor for Adam and three times it for SGD, whose floor at 0.002 is 415. Each row says "
        "how many weights feel less than a hundredth of the penalty.",
        "Scaled at tiers quick and laptop: width 1/32 and 1/16, images of 8 and at most 16 pixels, batches "
        "of 14 (98 steps an epoch, as printed). Laptop keeps the 19,600 steps at 0.002 and takes 1,960 at 2, "
        "where all weights have long arrived; quick takes 784 and 196 and therefore decides little. The "
        "paper's seed is 42; seeds here are 0, 1, 2. The switches, the attached penalty and the twins are "
        "run for seed 0.",
        "The stand-in: He's start (head a tenth), cross-entropy without penalty, dropout off, AdamW on the "
        "images that are then used: 20 epochs with step 5e-4 and decay 0.5, 15 with step 1e-3 and decay 10, "
        "which keeps |w| below some 1/10 (quick: 4 and 2 epochs). Heads of 10 classes are drawn anew.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        size = SIZES[tier]
        if settings["weights"] != STAND_IN and size.width != 1:
            raise InputError(
                f"weights = {settings['weights']!r} need VGG16 at width 1; use tier paper, or leave weights "
                f"at {STAND_IN!r}"
            )
        base = {**asdict(size), **{name: settings[name] for name in ("images", "device", "weights")}}
        for name in ("seeds", "noise_steps", "epochs_twin"):
            del base[name]

        def leg(protocol: Protocol, optimiser: str, seed: int, **changed: Any) -> RunSpec:
            given = {**base, "optimiser": optimiser, "protocol": protocol.as_dict(), **changed}
            return RunSpec(self.id, "leg", given, (seed,))

        main = [
            leg(protocol, name, seed)
            for seed in range(size.seeds)
            for protocol in (LISTING, CLEAN)
            for name in OPTIMISERS
        ]
        beside = [
            *(leg(ATTACHED, name, 0) for name in OPTIMISERS),
            *(leg(protocol, "Adam", 0) for protocol in SWITCHES.values()),
            leg(SWITCHES["order"], "RMSProp", 0),
            *(
                leg(twin, name, 0, epochs_large=size.epochs_twin)
                for twin in TWINS.values()
                for name in ("SGD", "Adam")
            ),
        ]
        free = {"spread": settings["spread"], "weights": size.free_weights}
        return [
            *main,
            *beside,
            *(RunSpec(self.id, "printed", {**free, "optimiser": name}, (0,)) for name in OPTIMISERS),
            RunSpec(self.id, "noise", {**free, "steps": size.noise_steps}, (0,)),
        ]

    def measure(self, spec: RunSpec) -> list[Row]:
        from nonsmooth.claims.deep_l1 import _experiments, _free

        measured = {"leg": _experiments.chain, "printed": _free.printed, "noise": _free.with_noise}
        return measured[spec.experiment](spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        judged = Judgement.of(
            _judgement.norms_differ(rows),
            _judgement.larger_norm(rows, "SGD"),
            _judgement.larger_norm(rows, "Adam"),
            _judgement.fewer_prunable(rows, "SGD"),
            _judgement.fewer_prunable(rows, "Adam"),
            _judgement.table_2(rows),
            _causes.cause_more_complex(rows),
            _causes.cause_l1(rows),
            _causes.cause_kink(rows),
        )
        return Judgement(judged.rulings, [*judged.findings, *_causes.choices(rows), *_causes.protocols(rows)])

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [
            _figures.figure_3(rows),
            _figures.table_2(rows),
            _figures.switches(rows),
            _figures.noise(rows),
        ]
