"""The theorems that people cite for their training, each with what it assumes and what it gives.

Assumptions are those of the sources, in the words used here. A theorem with a bound for each step size is
held against what makes its bound vanish. A number of a theorem or an assumption is given only where the
source's text was at hand to check it; elsewhere the result is named in words.
"""

from __future__ import annotations

from dataclasses import dataclass

from nonsmooth.audit import _assumption_checks as checks
from nonsmooth.audit._assumption_checks import Check

__all__ = ["THEOREMS", "Theorem"]


@dataclass(frozen=True)
class Theorem:
    """A result on an optimisation method.

    Attributes:
        id: of its observation.
        name, source: as cited.
        gives: what follows where all assumptions hold.
        remains: what one may say where some do not.
        rows: each assumption in words, with the check that answers it.
    """

    id: str
    name: str
    source: str
    gives: str
    remains: str
    rows: tuple[tuple[str, Check], ...]


_SMOOTH: tuple[tuple[str, Check], ...] = (
    ("the gradient exists and is Lipschitz on bounded sets", checks.gradient_locally_lipschitz),
    ("one Lipschitz constant L of the gradient serves wherever the steps go", checks.one_constant),
)
_BELOW: tuple[str, Check] = ("the loss is bounded below", checks.bounded_below)
_SUM: tuple[str, Check] = ("the step sizes have an infinite sum", checks.sum_infinite)
_SQUARES: tuple[str, Check] = ("their squares have a finite sum", checks.squares_summable)
# A step of 2/L - 1/k^2 is below 2/L, and the sum of h (1 - h L/2) is finite: the gradient need not vanish.
_MARGIN: tuple[str, Check] = ("every step size is below 2/L, by a margin", checks.step_below_edge)
_UP_TO_FIRST = "up to eps and the first moment's bias correction, which the proof leaves out"
_UP_TO_BOTH = "up to eps and both bias corrections, which the proof leaves out"

THEOREMS: tuple[Theorem, ...] = (
    Theorem(
        "theorem-gradient-descent",
        "Gradient descent on L-smooth functions (descent lemma)",
        "Nesterov, Introductory Lectures on Convex Optimization (2004), Lemma 1.2.3 and the gradient method "
        "that follows; Bertsekas, Nonlinear Programming, on gradient methods with constant and other steps",
        "Every step lowers the loss by at least h (1 - h L/2) |gradient|^2, and the gradient has 0 as a "
        "limit point.",
        "That a single step goes down may still be seen from its loss; nothing follows for the next ones. "
        "Across kinks a small step need not go down, however small the gradient's change elsewhere.",
        (
            *_SMOOTH,
            _BELOW,
            _MARGIN,
            _SUM,
            ("each step is -h times the gradient, and nothing else", checks.plain),
            ("the gradient is that of the whole loss", checks.full_gradient),
        ),
    ),
    Theorem(
        "theorem-subgradient",
        "The subgradient method on convex functions",
        "Shor, Minimization Methods for Non-Differentiable Functions (1985); Boyd, Xiao and Mutapcic, "
        "Subgradient methods (2003), the convergence results for constant and diminishing step sizes",
        "The best value so far tends to the infimum.",
        "With a constant step h and the other assumptions: the best value comes within G^2 h/2 of the "
        "infimum, G bounding the subgradients; a finite sum of steps only bounds how far from the start the "
        "search reaches.",
        (
            ("the loss is convex", checks.convex),
            ("the direction is a subgradient", checks.autodiff_is_subgradient),
            ("the subgradients are bounded along the way", checks.bounded_gradients),
            ("the step sizes tend to 0", checks.vanishing),
            _SUM,
            ("each step is -h times the subgradient, and nothing else", checks.plain),
            ("the subgradient is that of the whole loss", checks.full_gradient),
        ),
    ),
    Theorem(
        "theorem-robbins-monro",
        "Stochastic gradient descent under Robbins-Monro steps",
        "Robbins and Monro (1951); Bottou, Curtis and Nocedal, Optimization Methods for Large-Scale Machine "
        "Learning (SIAM Review 2018), stochastic gradient on general objectives with diminishing steps",
        "The expected squared gradient has 0 as a limit point; its mean, weighted by the steps, tends to 0.",
        "With a small constant step h on an L-smooth loss the mean squared gradient comes down to a multiple "
        "of h L times the noise's variance M. For kinks see Davis et al. (2020).",
        (
            *_SMOOTH,
            _BELOW,
            ("the noise has mean 0 given the past", checks.noise),
            ("the noise's variance is bounded by M + M_V |gradient|^2", checks.bounded_variance),
            _SUM,
            _SQUARES,
            ("each step is -h times the stochastic gradient, and nothing else", checks.plain),
        ),
    ),
    Theorem(
        "theorem-tame",
        "The stochastic subgradient method on tame functions",
        "Davis, Drusvyatskiy, Kakade and Lee, Stochastic subgradient method converges on tame functions, "
        "Found. Comput. Math. 20 (2020), the standing assumptions on the stochastic subgradient method and "
        "the result for Whitney stratifiable functions",
        "Almost surely every limit point of the iterates is Clarke stationary, and the values of the loss "
        "converge.",
        "With constant or summable steps the theorem is silent: it says neither that training stops near a "
        "stationary point nor that it does not. Tame losses stay tame when the schedule is mended. For what "
        "backward passes return in place of Clarke subgradients Bolte and Pauwels (Conservative set valued "
        "fields, Math. Program. 2021) prove that the values converge.",
        (
            ("the loss is locally Lipschitz", checks.locally_lipschitz),
            (
                "the loss is tame (definable on balls): Whitney stratifiable, with the chain rule",
                checks.definable,
            ),
            ("the direction is in Clarke's subdifferential, up to the noise", checks.autodiff_is_subgradient),
            _SUM,
            _SQUARES,
            ("the iterates stay bounded", checks.bounded_iterates),
            ("the noise has mean 0 given the past and a variance bounded on bounded sets", checks.noise),
            ("each step is -h times the stochastic subgradient, and nothing else", checks.plain),
        ),
    ),
    Theorem(
        "theorem-proximal-gradient",
        "The proximal gradient method",
        "Beck, First-Order Methods in Optimization (2017), the proximal gradient method where the smooth "
        "part need not be convex, for constant steps (another result is for backtracking)",
        "The sum of loss and penalty goes down at each step, and the gradient mapping has 0 as a limit "
        "point.",
        "A point that does not move still satisfies the optimality condition of the sum, for the strength "
        "that belongs to the optimiser's own step: ns.certificate measures how far from it a model is.",
        (
            (
                "a convex penalty acts by its proximal map, in the step of the optimiser",
                checks.convex_penalty,
            ),
            ("the gradient of the loss without it is Lipschitz on bounded sets", checks.smooth_part),
            ("one Lipschitz constant L of that gradient serves wherever the steps go", checks.one_constant),
            ("loss and penalty together are bounded below", checks.bounded_below),
            _MARGIN,
            ("the step size is constant", checks.constant_step),
            ("each step is -h times the gradient, then the proximal map", checks.plain_before_prox),
            ("the gradient is that of the whole loss", checks.full_gradient),
        ),
    ),
    Theorem(
        "theorem-amsgrad",
        "AMSGrad on convex problems",
        "Reddi, Kale and Kumar, On the convergence of Adam and beyond, ICLR 2018, Theorem 4 and Corollary 1; "
        "Tran and Phong, On the convergence proof of AMSGrad and a new version (arXiv 1904.03590), who find "
        "that the proof takes unequal parameters for equal, and mend it",
        "The mean regret tends to 0: by the bound of the corollary like sqrt(log(T)/T), up to constants.",
        "Without amsgrad their Theorem 3 speaks against Adam: for all constant beta1 < sqrt(beta2) some "
        "convex stochastic problem exists on which it does not converge. That problem need not be this one.",
        (
            ("the optimiser is Adam, " + _UP_TO_BOTH, checks.adam),
            ("the second moments never fall (amsgrad)", checks.amsgrad),
            ("all losses are convex", checks.convex),
            ("the weights are projected onto a bounded set", checks.projected),
            ("the gradients are bounded on that set", checks.bounded_gradients),
            ("beta1 < sqrt(beta2) < 1", checks.beta1_below_root),
            ("beta1 decays, geometrically or like 1/t", checks.beta1_decays),
            ("the step size is alpha/sqrt(t)", checks.inverse_root),
        ),
    ),
    Theorem(
        "theorem-adam-bounded-gradients",
        "Adam on smooth functions with bounded gradients",
        "Défossez, Bottou, Bach and Usunier, A simple convergence proof of Adam and Adagrad, TMLR 2022, "
        "Section 2.3 and Theorem 4",
        "A bound on the expected squared gradient at a random step. It vanishes only if alpha tends to 0 and "
        "beta2 to 1 as the number of steps N grows, fastest, like ln(N)/sqrt(N), for alpha = a/sqrt(N) and "
        "beta2 = 1 - 1/N; else a floor remains, of the order of alpha + sqrt(1 - beta2) + "
        "alpha^2 beta1/sqrt(1 - beta2).",
        "With kinks no L exists, and the proof has no other form. With a schedule the bound is not stated.",
        (
            ("the optimiser is Adam, " + _UP_TO_FIRST, checks.not_amsgrad),
            *_SMOOTH,
            _BELOW,
            (
                "the entries of all stochastic gradients, everywhere, are bounded by one R",
                checks.bounded_gradients,
            ),
            ("the noise has mean 0 given the past", checks.noise),
            ("0 <= beta1 < beta2 < 1", checks.beta1_below_beta2),
            ("the step size alpha is constant", checks.constant_step),
        ),
    ),
    Theorem(
        "theorem-adam-reshuffled",
        "Adam as it is, for large beta2",
        "Zhang, Chen, Shi, Sun and Luo, Adam can converge without any modification on update rules, NeurIPS "
        "2022, the result for large beta2 under an affine bound on the variance",
        "The smallest expected gradient falls like log(T)/sqrt(T) down to a floor of the order of sqrt(D0): "
        "to 0 under strong growth, D0 = 0.",
        "That beta2 near 1 is the safe side remains the paper's advice; where it begins depends on the "
        "problem. For batches drawn with replacement: Zhang, Li, Chen, Luo and Sun, Adam converges without "
        "any modification on update rules (arXiv 2603.02092).",
        (
            ("the optimiser is Adam, " + _UP_TO_BOTH, checks.not_amsgrad),
            (
                "each batch's gradient exists and is Lipschitz on bounded sets",
                checks.gradient_locally_lipschitz,
            ),
            ("one Lipschitz constant L of these gradients serves wherever the steps go", checks.one_constant),
            _BELOW,
            ("the batches' gradients: sum |g_i|^2 <= D1 |gradient|^2 + D0", checks.growth),
            ("batches are drawn without replacement, shuffled anew each epoch", checks.reshuffled),
            ("beta1 < sqrt(beta2) < 1", checks.beta1_below_root),
            ("beta2 is above a bound that depends on the problem", checks.beta2_large),
            ("the step size is eta/sqrt(n k) in epoch k of n batches", checks.inverse_root),
        ),
    ),
)
