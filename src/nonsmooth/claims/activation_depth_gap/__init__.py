"""Figure 2, Appendix A.1: does the gap between ReLU and GELU widen with depth, and is smoothness the cause?

Time is the number of steps to a training loss; runs that have not come there at the horizon are censored.
Each activation has its own best step size. The control crosses shape with smoothness: smooth networks of
ReLU's shape (rounded over 1e-2 and 1e-4), and kinked ones of GELU's (GELU drawn with straight lines).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from nonsmooth.claims._claim import Claim, Judgement, Row, Setting, Tier
from nonsmooth.claims.activation_depth_gap import _causes, _experiments, _figures, _judgement, _plan
from nonsmooth.findings import Drawing, Part
from nonsmooth.runs import RunSpec


class ActivationDepthGap(Claim):
    id = "activation-depth-gap"
    where = "Section 3, Figure 2; Appendix A.1"
    statement = (
        "“Figure 2 shows that without batch normalization, the gap in convergence speeds between smooth and "
        "non-smooth networks widens as network depth increases ... However, with batch normalization, the "
        "difference between ReLU and GELU training curves becomes indistinguishable ... We conclude that the "
        "choice of activation function is the primary factor contributing to the difference in convergence "
        "speeds between ReLU and GELU curves with increasing depth, as no other principled reason appears "
        "evident.”"
    )
    reported: ClassVar[Mapping[str, str]] = {
        "without batch norm": "GELU faster, the gap widens from depth 11 to 19",
        "with batch norm": "indistinguishable",
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
            "stepsize",
            5e-4,
            "Adam's, for all curves of Figure 2; how long networks of depth 19 stay on the initial plateau "
            "depends on it (figure “step-sizes”)",
            low=1e-5,
            high=0.1,
        ),
        Setting("batch", 128, "as in the repository that Appendix A.1 names", low=64, high=512),
    )
    parts = (
        Part(
            "gap-widens",
            "“without batch normalization, the gap in convergence speeds between smooth and non-smooth "
            "networks widens as network depth increases”.",
            "Time: steps until the mean training loss over an epoch's steps (at most 32) is at most the "
            "target; runs short of it at the horizon are censored there. Gap: ReLU's time over GELU's, each "
            "at the step size that is best on the other seeds, paired by seed; widening: gap at depth 19 "
            "over gap at 11. Settings: torch's and matched initialisation, each with Adam and SGD; judged "
            "where at least half of GELU's runs reach the target at both depths. It widens if the intervals "
            "(t over seeds, 8 comparisons) of widening and gap at 19 lie above 1; it does not if that of "
            "the widening lies below 1.25 and ReLU's runs are not censored more often. Holds if it widens "
            "in each judged setting; in part if in some, or if at one step size for all both train at depth "
            "11 (3/4 of the runs) and at 19 half of GELU's do while fewer than half of ReLU's do (log-rank p "
            "below 0.05 over the step sizes); differs if it does not in any; else not judged. Where at depth "
            "19 ReLU's runs train and GELU's do not, it is said.",
            least_n=5,
            comparisons=8,
            repair="“without batch normalization, with an initialisation that keeps the signal's variance, "
            "GELU networks reach a given loss sooner at both depths”; with torch's default those of depth 19 "
            "often stay on the initial plateau, with either activation.",
        ),
        Part(
            "batch-norm",
            "“with batch normalization, the difference between ReLU and GELU training curves becomes "
            "indistinguishable”.",
            "ReLU's time over GELU's with batch norm, each at its best step size, mean over Adam and SGD, "
            "at depths 11 and 19: holds if both intervals (t over seeds, 2 comparisons) lie within 0.8 and "
            "1.25; differs if both lie outside; in part if one does and one does not, or if both lie within "
            "but Figure 2's curves, at one step size, are apart at a depth (mean loss along them further "
            "apart than either's standard deviation over at least 5 seeds, t-test 0.05 / 2); else not "
            "judged, as where fewer than half of the runs train.",
            least_n=5,
            comparisons=2,
        ),
        Part(
            "smooth-faster",
            "“Generally, we expect smooth neural networks to converge faster than non-smooth ones.”",
            "ReLU's time over that of every smooth activation that was run, without batch norm, Adam, each "
            "at its best step size, mean over the settings: holds if all intervals (t over seeds, as many "
            "comparisons as smooth activations) lie above 1; in part if some do and some lie below; differs "
            "if some lie below and none above; else not judged.",
            least_n=5,
            comparisons=12,
            repair="“where they leave the initial plateau, networks with GELU, SiLU or ELU converge faster "
            "than with ReLU”: for smooth ones of ReLU's shape that is not shown, and softplus is slower.",
        ),
        Part(
            "cause-smoothness",
            "“the gap in convergence speeds between smooth and non-smooth networks ... aligning with our "
            "expectations”: GELU is faster because it is smooth.",
            "Where the gap is there (ReLU's time over GELU's, interval above 1): a twin's time over the "
            "geometric mean of ReLU's and GELU's, mean over these settings; above 1 it is nearer to ReLU, "
            "below 1 to GELU (t over seeds, 4 comparisons). Not supported if all three smooth twins of "
            "ReLU's shape are nearer to ReLU and the kinked one of GELU's shape is nearer to GELU; "
            "supported if the other way round; else undecided, as where there is no gap.",
            least_n=5,
            comparisons=4,
            twin="ReLU rounded over 1e-2 and 1e-4 (C1,1 and analytic), and GELU interpolated linearly "
            "between knots 0.5 apart, with a kink at each",
            repair="The gap goes with the activation's shape: slope and curvature over the range of the "
            "pre-activations, which a kink or its absence does not change.",
        ),
        Part(
            "cause-activation",
            "“We conclude that the choice of activation function is the primary factor contributing to the "
            "difference in convergence speeds between ReLU and GELU curves with increasing depth, as no "
            "other principled reason appears evident.”",
            "Depth 19, Adam, each at its best step size: time of GELU with torch's initialisation over that "
            "of ReLU with a matched one. Not supported if the interval (t over seeds) lies above 1: the "
            "initialisation then does more than the activation; supported if below; else undecided.",
            least_n=5,
            twin="the same networks, started so that pre-activations keep their variance",
            repair="“at depth 19 the initialisation does more than the activation”: torch's default shrinks "
            "the signal's mean square to about a sixth a layer, a matched one keeps it.",
        ),
    )
    notes = (
        "torch's default draws weights of variance 1/(3 fan_in): each ReLU layer multiplies the mean square "
        "of the signal by about 1/6, and what depends on the image is lost in the biases. The loss then "
        "rests at ln 10 until the optimiser has raised the weights. Near 0 GELU is x/2, with half of ReLU's "
        "mean square for such signals: the plateau is no shorter with it.",
        "SGD (momentum 0.9) with torch's initialisation leaves the plateau in no run of tier laptop (192 "
        "steps), with either activation. So the optimiser of Figure 2, which is not named, is another one, "
        "or ran far longer.",
        "The two roads from ReLU to GELU: analytic-relu:D is analytic for every D and is GELU at D = 8.5; "
        "kinked-gelu:D has kinks for every D, is GELU in the limit 0, and is ReLU from 5 on.",
        "A matched initialisation has variance 1/(fan_in E[φ(z)²]), biases 0; for ReLU it is He's but for "
        "the first layer. Seeds fix the standard normals and the batches, so that runs of a seed are paired.",
        "The rule for batch norm was made stricter after tier laptop had been run once: by the times to a "
        "loss alone it had said “holds”, while the figure's own curves part further down.",
        "The step size is chosen for each seed on the others, so that no seed picks its own luckiest run. A "
        "restricted time counts a censored run as the horizon: where ReLU's are censored its gap is larger "
        "than shown.",
        "Tier laptop trains on 2048 images, averaged down to 16 x 16 pixels, and confirms the main gaps at "
        "32 x 32; tier paper trains on all images at 32 x 32. No augmentation, no weight decay, no schedule.",
    )

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        return _plan.specs(self.id, tier, settings)

    def measure(self, spec: RunSpec) -> list[Row]:
        return _experiments.train_networks(spec)

    def judge(self, rows: Sequence[Row]) -> Judgement:
        return Judgement.of(
            _judgement.gap_widens(rows),
            _judgement.batch_norm(rows),
            _causes.smooth_faster(rows),
            _causes.cause_smoothness(rows),
            _causes.cause_activation(rows),
        )

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        return [
            _figures.figure_2(rows),
            _figures.survival(rows),
            _figures.widths(rows),
            _figures.step_sizes(rows),
            _figures.depends(rows),
        ]
