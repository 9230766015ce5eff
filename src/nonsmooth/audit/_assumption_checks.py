"""Does an assumption hold here? One function for each; ``_theorems`` puts them together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch

from nonsmooth.audit._schedules import ScheduleFacts
from nonsmooth.findings import number
from nonsmooth.methods._penalised import Penalised

__all__ = ["Answer", "Case", "Check", "Said", "Sharp", "Slopes", "Smooth"]

Answer = Literal["holds", "fails", "cannot be known"]
# With infinitely many zeros, poles or jumps on the line: tame on bounded sets only.
_OSCILLATING = frozenset(("sin", "cos", "tan", "sinc", "polar"))
_POLES = frozenset(("lgamma", "digamma", "polygamma", "mvlgamma"))
_JUMPS = frozenset(("round", "floor", "ceil", "trunc", "frac", "fmod", "remainder", "floor_divide"))
_BESSEL = frozenset(("i0", "special_i0e", "special_i1", "special_i1e"))  # not known to be tame at infinity
_ENDLESS = _OSCILLATING | _POLES | _JUMPS | _BESSEL
# Declared as one operation, and made of analytic pieces all the same.
_OURS = frozenset(("SmoothedReLU", "AnalyticReLU", "KinkedGELU"))
_DECLARED = "as declared for the module"


class Smooth(Protocol):
    """What is asked of a :class:`Smoothness`."""

    @property
    def smoothness(self) -> str: ...
    @property
    def cause(self) -> Sequence[Any]: ...
    @property
    def operations(self) -> Sequence[Any]: ...
    @property
    def unknown(self) -> Sequence[Any]: ...
    @property
    def random(self) -> Sequence[Any]: ...


class Sharp(Protocol):
    """What is asked of a :class:`nonsmooth.diagnostics.Sharpness`."""

    @property
    def eigenvalues(self) -> np.ndarray: ...
    @property
    def metric(self) -> str: ...
    @property
    def dtype(self) -> str: ...


class Slopes(Protocol):
    """What is asked of a :class:`Derivative`."""

    @property
    def verdict(self) -> str: ...


class Said(NamedTuple):
    """An answer with its evidence."""

    answer: Answer
    evidence: str


@dataclass(frozen=True, eq=False)
class Case:
    """A training, as far as it is known; ``smooth`` and ``sharp`` are None where they are not."""

    smooth: Smooth | None
    facts: ScheduleFacts
    optimizer: torch.optim.Optimizer
    sharp: Sharp | None
    stochastic: bool
    slopes: Slopes | None = None

    @property
    def kind(self) -> str:
        """Smoothness class."""
        return "unknown" if self.smooth is None else self.smooth.smoothness

    @property
    def because(self) -> str:
        """The smoothness class with the path that causes it."""
        if self.smooth is None:
            return "the smoothness of the loss was not looked at"
        path = " -> ".join(map(str, self.smooth.cause))
        said = f"the loss is {'' if self.kind == 'unknown' else 'at worst '}{self.kind}"
        return said + (f": {path}" if path else "")

    @property
    def poles(self) -> str:
        """Where value or slope have no bound, "" if nowhere."""
        found = getattr(self.smooth, "singular", ())
        return "; ".join(f"{step} {step.detail}" for step in found[:3])

    def settings(self, name: str) -> list[Any]:
        """A setting of every parameter group; None where a group has none."""
        return [group.get(name) for group in self.optimizer.param_groups]

    @property
    def terms(self) -> tuple[Any, ...]:
        """Penalties that follow the optimiser's step, as (name, parameter, penalty)."""
        hooks = self.optimizer._optimizer_step_post_hooks.values()
        owners = [self.optimizer, *(getattr(hook, "__self__", None) for hook in hooks)]
        return tuple(term for owner in owners if isinstance(owner, Penalised) for term in owner.terms)


Check = Callable[[Case], Said]


def holds(evidence: str) -> Said:
    return Said("holds", evidence)


def fails(evidence: str) -> Said:
    return Said("fails", evidence)


def unknown(evidence: str) -> Said:
    return Said("cannot be known", evidence)


# ---- the function


def gradient_locally_lipschitz(case: Case) -> Said:
    if case.kind == "unknown":
        return unknown(case.because)
    if case.kind not in ("analytic", "C1,1"):
        return fails(f"{case.because} (kinks that cancel are not seen)")
    if case.poles:
        return unknown(f"{case.because}, but not near points where its slope has no bound: {case.poles}")
    return holds(f"{case.because}; on every bounded set its gradient has a Lipschitz constant")


def one_constant(case: Case) -> Said:
    local = gradient_locally_lipschitz(case)
    if local.answer == "fails":
        return fails("not even on bounded sets, see above")
    return unknown(
        "a class of smoothness gives no L for the whole space, and where the steps go is not known before"
    )


def locally_lipschitz(case: Case) -> Said:
    if case.kind == "unknown":
        return unknown(case.because)
    if case.kind == "discontinuous":
        return fails(f"{case.because} (jumps that cancel are not seen)")
    if case.poles:
        return unknown(f"{case.because}, but not near points where its slope has no bound: {case.poles}")
    return holds(case.because)


def definable(case: Case) -> Said:
    """Tame: definable on every ball.

    Without poles all values are bounded on a ball. The table's operations are made of finitely many analytic
    pieces on bounded sets, hence definable in R_an. With poles an argument may grow without bound, and the
    operation must be definable on the whole line: in the Pfaffian closure of R_an (Speissegger, 1999).
    """
    if case.smooth is None or case.kind == "unknown" or case.smooth.unknown:
        found = [] if case.smooth is None else [row.operation for row in case.smooth.unknown]
        named = ", ".join(dict.fromkeys(found[:5]))
        return unknown(f"operations not in the table: {named}" if named else case.because)
    rows = case.smooth.operations
    declared = [row for row in rows if row.detail == _DECLARED and row.operation not in _OURS]
    pieces = [row.operation for row in declared if row.smoothness != "analytic"]
    if pieces:
        return unknown(f"declared, and not known to be made of analytic pieces: {', '.join(pieces[:5])}")
    endless = [row.operation for row in rows if row.operation in _ENDLESS or row in declared]
    if case.poles and endless:
        return unknown(f"{case.poles}; {', '.join(endless[:5])} may have infinitely many pieces there")
    return holds(
        f"all {sum(row.count for row in rows)} operations are known and made of finitely many analytic "
        "pieces on bounded sets, so their composition is tame: Whitney stratifiable, with the chain rule"
    )


def convex(case: Case) -> Said:
    if case.sharp is not None:
        values = np.asarray(case.sharp.eigenvalues, dtype=float)
        if values.min() < -1e-6 * np.abs(values).max():
            return fails(
                f"the curvature along one direction is {number(float(values.min()), 3)} ({case.sharp.dtype})"
            )
    return unknown(
        "the trace does not tell; a network with hidden layers is hardly ever convex in its weights"
    )


def bounded_below(case: Case) -> Said:
    return unknown("the trace does not tell; true of losses that are never negative, and of penalties")


def bounded_gradients(case: Case) -> Said:
    local = locally_lipschitz(case)
    if local.answer == "holds":
        return unknown("on every bounded set they are; where the steps go is not known before")
    return unknown(local.evidence)


def autodiff_is_subgradient(case: Case) -> Said:
    if case.slopes is not None and case.slopes.verdict == "other":
        return fails(f"it is not the derivative of the loss: {case.slopes}")
    detached = getattr(case.smooth, "detached", ())
    if detached:
        named = ", ".join(f"{row.operation} in {row.modules[0] or 'the loss'}" for row in detached[:3])
        return unknown(f"parts of the loss enter without their gradient (detach, no_grad): {named}")
    if case.kind in ("analytic", "C1,1", "C1"):
        return holds("the gradient is continuous: backward passes give it and nothing else")
    return unknown(
        "at kinks a backward pass may give what is no subgradient (Bolte and Pauwels, 2021: an element of a "
        "conservative field, which is the gradient almost everywhere)"
    )


# ---- the steps


def _optimiser(case: Case, name: str, values: Sequence[Any]) -> str:
    shown = ", ".join(
        dict.fromkeys(f"{value:g}" if isinstance(value, float) else str(value) for value in values)
    )
    return f"{type(case.optimizer).__name__} with {name} = {shown}"


def _moving(case: Case) -> Iterator[str]:
    if not isinstance(case.optimizer, torch.optim.SGD):
        yield f"the optimiser is {type(case.optimizer).__name__}"
    elif any(case.settings("maximize")):
        yield _optimiser(case, "maximize", case.settings("maximize"))
    elif any(float(each or 0) for each in case.settings("momentum")):
        yield _optimiser(case, "momentum", [float(each or 0) for each in case.settings("momentum")])


def plain(case: Case) -> Said:
    said = plain_before_prox(case)
    if case.terms and said.answer != "fails":
        return fails("a proximal step follows each of them")
    return said


def plain_before_prox(case: Case) -> Said:
    for said in _moving(case):
        return fails(said)
    rates = {float(each) for each in case.settings("lr")}
    if len(rates) > 1:
        return fails(_optimiser(case, "groups of lr", sorted(rates)))
    for said in _interfering(case):
        return unknown(said)
    return holds("SGD without momentum" + _decay(case))


def _interfering(case: Case) -> Iterator[str]:
    """What may make the steps others than torch's."""
    kind = type(case.optimizer)
    if not (kind.__module__.startswith("torch.optim") or isinstance(case.optimizer, Penalised)):
        yield f"{kind.__name__} is not torch's own, though derived from it: its step may be another"
    if case.optimizer._optimizer_step_pre_hooks:
        yield "a hook runs before each step and may change the gradients"
    after = case.optimizer._optimizer_step_post_hooks.values()
    if not all(getattr(hook, "__module__", "").startswith("nonsmooth.") for hook in after):
        yield "a hook runs after each step and may change the weights"


def _decay(case: Case) -> str:
    decay = max(float(each or 0) for each in case.settings("weight_decay"))
    return f"; weight decay adds {number(decay / 2, 3)} |w|^2 to the loss" if decay else ""


def full_gradient(case: Case) -> Said:
    if case.smooth is not None and case.smooth.random:
        named = ", ".join(dict.fromkeys(row.operation for row in case.smooth.random[:3]))
        return fails(f"the loss draws random numbers: {named}")
    if case.stochastic:
        return fails("gradients are of batches, as told by stochastic=True")
    return holds("as told by stochastic=False")


def noise(case: Case) -> Said:
    """Mean 0 given the past; with finitely many samples its variance is bounded on bounded sets by itself."""
    if full_gradient(case).answer == "holds":
        return holds("no noise: full-batch gradients")
    modules = len(getattr(case.smooth, "batch_statistics", ()))
    said = (
        "its variance is bounded on bounded sets, for finitely many samples with locally Lipschitz losses; "
    )
    said += "its mean is 0 for batches drawn independently, which shuffling once an epoch does not do"
    if case.kind not in ("analytic", "C1,1", "C1"):
        said += (
            "; at kinks the mean of the batches' subgradients need not be a subgradient of the mean loss, as "
            "-|w| and |w| show"
        )
    if modules:
        said += f"; {modules} modules normalise by the batch, so it is 0 about the mean loss of such batches"
    return unknown(said)


def bounded_variance(case: Case) -> Said:
    if full_gradient(case).answer == "holds":
        return holds("no noise: full-batch gradients")
    return unknown("the gradients' variance has to be bounded everywhere, or by that of the gradient itself")


def bounded_iterates(case: Case) -> Said:
    return unknown("nobody knows before; the trained weights' norm tells afterwards, for the steps taken")


def step_below_edge(case: Case) -> Said:
    sizes = case.facts.step_sizes.max(1)  # of each group
    largest, least = float(sizes.max()), float(sizes.min())
    if case.sharp is None:
        return unknown(f"the largest step is {number(largest, 3)}; L is not known: no sharpness was measured")
    if case.sharp.metric not in ("", "SGD", "ProxSGD"):
        return unknown(f"the sharpness is one in the metric of {case.sharp.metric}")
    # A Ritz value is never above the largest eigenvalue, and that is never above L: converged or not.
    step = largest if case.sharp.metric or largest == least else least
    value = float(np.asarray(case.sharp.eigenvalues, dtype=float)[0])
    told = f"the sharpness here is {number(value, 4)}, and L is not below it; the largest step, "
    told += f"{number(step, 3)}, is {number(step * value / 2, 3)} times 2/sharpness"
    if case.stochastic:  # as far as is told, these are not all the data
        return unknown(f"{told}, for the loss on the data given; the whole loss has another L")
    return fails(told) if step * value >= 2 else unknown(f"{told}; elsewhere L may be larger")


# ---- the schedule


def _ran(case: Case) -> str:
    sums = f"the {case.facts.step_sizes.shape[1]:,} steps sum to {number(float(case.facts.sum.max()), 3)}"
    return f"{sums}, their squares to {number(float(case.facts.sum_of_squares.max()), 3)}"


def sum_infinite(case: Case) -> Said:
    told, finite = f"{case.facts.tail.why}; {_ran(case)}", case.facts.tail.sum_finite
    still = [k for k, sizes in enumerate(case.facts.step_sizes) if not sizes.any()]
    if still and not finite:
        return fails(f"group {still[0]} has the step size 0: true at most with its parameters as constants")
    return unknown(told) if finite is None else fails(told) if finite else holds(told)


def squares_summable(case: Case) -> Said:
    told, finite = f"{case.facts.tail.why}; {_ran(case)}", case.facts.tail.squares_finite
    return unknown(told) if finite is None else holds(told) if finite else fails(told)


def vanishing(case: Case) -> Said:
    told, vanishes = case.facts.tail.why, case.facts.tail.vanishes
    return unknown(told) if vanishes is None else holds(told) if vanishes else fails(told)


def inverse_root(case: Case) -> Said:
    """No scheduler of torch's with a known tail falls like this: they stop falling, or fall geometrically."""
    if case.facts.tail.sum_finite is not None:
        return fails(case.facts.tail.why)
    return unknown(case.facts.tail.why)


def constant_step(case: Case) -> Said:
    sizes = case.facts.step_sizes
    low, high = float(sizes.min()), float(sizes.max())
    told = f"step sizes from {number(low, 3)} to {number(high, 3)}"
    return holds(told) if 0 < low == high else fails(told)


# ---- Adam and the penalty


def adam(case: Case) -> Said:
    if not isinstance(case.optimizer, torch.optim.Adam):
        return fails(f"the optimiser is {type(case.optimizer).__name__}")
    if any(case.settings("maximize")):
        return fails(_optimiser(case, "maximize", case.settings("maximize")))
    decay = max(float(each or 0) for each in case.settings("weight_decay"))
    decoupled = isinstance(case.optimizer, torch.optim.AdamW) or any(case.settings("decoupled_weight_decay"))
    if decay and decoupled:
        return fails(f"decoupled weight decay, {decay:g}, is no gradient's part")
    if case.terms:
        return fails("a proximal step follows each of its steps")
    for said in _interfering(case):
        return unknown(said)
    return holds(type(case.optimizer).__name__ + _decay(case))


def amsgrad(case: Case) -> Said:
    if None in case.settings("amsgrad"):
        return fails(f"{type(case.optimizer).__name__} has no such option")
    told = _optimiser(case, "amsgrad", case.settings("amsgrad"))
    return holds(told) if all(case.settings("amsgrad")) else fails(told)


def not_amsgrad(case: Case) -> Said:
    said = adam(case)
    if said.answer == "holds" and any(case.settings("amsgrad")):
        return fails(_optimiser(case, "amsgrad", case.settings("amsgrad")))
    return said


def betas(case: Case) -> tuple[float, float] | None:
    """Largest beta1 and smallest beta2 of the groups; None for an optimiser without."""
    pairs = [each for each in case.settings("betas") if isinstance(each, tuple | list) and len(each) == 2]
    if not pairs:
        return None
    return max(float(pair[0]) for pair in pairs), min(float(pair[1]) for pair in pairs)


def beta1_below_root(case: Case) -> Said:
    found = betas(case)
    if found is None:
        return fails(f"{type(case.optimizer).__name__} has no betas")
    told = f"beta1 = {found[0]:g}, sqrt(beta2) = {number(found[1] ** 0.5, 5)}"
    return holds(told) if found[0] < found[1] ** 0.5 and found[1] < 1 else fails(told)


def beta1_below_beta2(case: Case) -> Said:
    found = betas(case)
    if found is None:
        return fails(f"{type(case.optimizer).__name__} has no betas")
    told = f"beta1 = {found[0]:g}, beta2 = {found[1]:g}"
    return holds(told) if found[0] < found[1] < 1 else fails(told)


def beta1_decays(case: Case) -> Said:
    found = betas(case)
    if found is None:
        return fails(f"{type(case.optimizer).__name__} has no betas")
    if found[0] == 0:
        return holds("beta1 = 0")
    return fails(f"beta1 = {found[0]:g}, which torch keeps constant")


def beta2_large(case: Case) -> Said:
    found = betas(case)
    if found is None:
        return fails(f"{type(case.optimizer).__name__} has no betas")
    return unknown(
        f"beta2 = {found[1]:g}; the bound depends on the number of batches and on constants of the loss"
    )


def projected(case: Case) -> Said:
    return fails("torch's optimisers do not project; their weights may go anywhere")


def growth(case: Case) -> Said:
    if full_gradient(case).answer == "holds":
        return holds("one batch: the inequality is an equality, with D1 = 1 and D0 = 0")
    return unknown("needs the batches' gradients everywhere")


def reshuffled(case: Case) -> Said:
    if full_gradient(case).answer == "holds":
        return holds("one batch")
    return unknown("how the batches are drawn is not seen")


def convex_penalty(case: Case) -> Said:
    if not case.terms:
        return fails("nothing follows the optimiser's step: no penalty is attached")
    kinds = sorted({type(term.penalty).__name__ for term in case.terms})
    told = f"{', '.join(kinds)} on {len(case.terms)} parameters"
    if not all(term.penalty.convex for term in case.terms):
        return fails(f"{told}, not all convex")
    return holds(f"{told}, by its exact proximal map in the optimiser's own step")


def smooth_part(case: Case) -> Said:
    said = gradient_locally_lipschitz(case)
    if said.answer == "fails" and getattr(case.smooth, "l1_terms", ()):
        return fails(f"{said.evidence}; an L1 term is in the loss, where it is not the proximal map's")
    return said
