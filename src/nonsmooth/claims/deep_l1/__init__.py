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
from dataclasses import asdict, replace
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.deep_l1 import _causes, _choices, _figures, _judgement
from nonsmooth.claims.deep_l1._parts import PARTS
from nonsmooth.claims.deep_l1._protocols import (
    ATTACHED,
    CLEAN,
    LARGE,
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
from nonsmooth.findings import Drawing
from nonsmooth.runs import RunSpec


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
    parts = PARTS
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
        "3e-6. RMSProp's forgets within 1,400 steps, but the orbits that its weights come into meanwhile "
        "stay; SGD has nothing to carry.",
        "The penalty is on all parameters, biases too. The norm that is drawn is the one before the last "
        "step of an epoch; the training loss that is recorded contains the penalty.",
        "Where the data gradient is a fair share of λ1, ns.floor is void. At 0.002 a narrow network can keep "
        "a part alive that fits the data, of L1 norm up to some 1,200; at the printed size that is a small "
        "share of the floor for Adam and three times it for SGD, whose floor at 0.002 is 415. Each row says "
        "how many weights feel less than a hundredth of the penalty.",
        "Scaled at tiers quick and laptop: width 1/32 and 1/16, images of 8 and at most 16 pixels, batches "
        "of 14 (70 and 98 steps an epoch). At 0.002 laptop takes 14,700 steps of the listing's 19,600, "
        "enough for Adam to forget what it carries over, and 10,290 of the clean protocol, which carries "
        "nothing; at 2, where every weight has long arrived, 980. Quick takes 140 each and decides little. "
        "The paper's seed is 42; seeds here are 0, 1, 2. Switches, attached penalty and twins: seed 0.",
        "Runs with one choice changed take 2,940 steps at 0.002 (quick: 70) and stand beside the listing "
        "after as many. All four choices for Adam; for SGD and RMSProp at 2, and RMSProp's order. A run "
        "with 0.002 first has a fresh optimiser there, so that it answers for the order (at 2) and for the "
        "state that is carried over (at 0.002); SGD has neither.",
        "The stand-in: He's start, cross-entropy without penalty, dropout off, AdamW (step 5e-4, decay 0.5) "
        "on the images that are then used, 20 epochs (quick: 3); every weight is clipped to a bound that "
        "falls from 1 to its own share, 1/2 to 1, of 0.06. The narrow network of tier quick learns nothing "
        "within such bounds. Heads of 10 classes are drawn anew, normal with deviation 0.01.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        size = SIZES[tier]
        if settings["weights"] != STAND_IN and size.width != 1:
            raise InputError(
                f"weights = {settings['weights']!r} need VGG16 at width 1; use tier paper, or leave weights "
                f"at {STAND_IN!r}"
            )
        base = {**asdict(size), **{name: settings[name] for name in ("images", "device", "weights")}}
        for name in ("seeds", "noise_steps", "epochs_clean"):
            del base[name]
        large, early, clean = [size.epochs_large], [size.epochs_small[0]], [size.epochs_clean]

        def leg(protocol: Protocol, optimiser: str, seed: int, epochs_small: Sequence[int]) -> RunSpec:
            epochs = {"epochs_small": list(epochs_small), "epochs_large": large}
            given = {**base, **epochs, "optimiser": optimiser, "protocol": protocol.as_dict()}
            return RunSpec(self.id, "leg", given, (seed,))

        main = [
            leg(protocol, name, seed, epochs)
            for seed in range(size.seeds)
            for protocol, epochs in ((LISTING, size.epochs_small), (CLEAN, clean))
            for name in OPTIMISERS
        ]
        beside = [
            *(leg(ATTACHED, name, 0, clean) for name in OPTIMISERS),
            *(leg(protocol, "Adam", 0, early) for protocol in SWITCHES.values()),
            leg(SWITCHES["order"], "RMSProp", 0, early),
            *(
                leg(replace(SWITCHES[what], order=(LARGE,)), name, 0, early)
                for what in ("shuffled", "head", "biases")
                for name in ("SGD", "RMSProp")
            ),
            *(leg(twin, name, 0, clean) for twin in TWINS.values() for name in ("SGD", "Adam")),
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
        return Judgement(
            judged.rulings, [*judged.findings, *_choices.choices(rows), *_choices.protocols(rows)]
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [
            _figures.figure_3(rows),
            _figures.table_2(rows),
            _figures.switches(rows),
            _figures.noise(rows),
        ]
