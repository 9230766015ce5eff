"""A penalty attached to a stock torch optimiser: its proximal step after every step, in the right metric.

    x <- optimiser's step on the data loss alone
    x <- prox(x, s)                           s: the effective step that the optimiser has just taken

The loss that is differentiated has no penalty term; the penalty acts through its proximal operator, so zeros
are exact, and because the step is the optimiser's own, the strength that is solved for is the one asked for
(see ``_metric``). It hangs on the optimiser's post-step hook and keeps no tensors: a count of steps, and the
gain of a parameter's momentum buffer, a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from operator import is_
from typing import Any

import torch
from torch import nn
from torch._compile import _disable_dynamo

from nonsmooth.errors import InputError
from nonsmooth.methods._columns import Columns, chosen
from nonsmooth.methods._kernels import Thresholds
from nonsmooth.methods._metric import (
    Metric,
    Metrics,
    check_metric,
    effective_step,
    effective_steps,
    next_gain,
    rule_of,
    settled_gain,
)
from nonsmooth.methods._penalised import (
    Penalised,
    Term,
    check_fit,
    named_parameters,
    proximal_steps_,
    strengths,
)
from nonsmooth.methods._selection import Choice, Selection, select_weights
from nonsmooth.penalties._penalty import Penalty

__all__ = ["Attachment", "attach"]

Schedule = Callable[[int], float]
Parameters = nn.Module | Selection | Iterable[torch.Tensor] | Iterable[tuple[str, torch.Tensor]]


class _Members:
    """The penalised parameters of a group, looked for again only when the group has changed."""

    def __init__(self) -> None:
        self._all: list[torch.Tensor] = []
        self.mine: list[torch.Tensor] = []
        self._penalties: list[Penalty] = []
        self.steps = Columns()

    def find(self, parameters: list[torch.Tensor], all_penalties: Mapping[torch.Tensor, Any]) -> None:
        if len(parameters) != len(self._all) or not all(map(is_, parameters, self._all)):
            self._all, self.mine = [*parameters], [p for p in parameters if p in all_penalties]
            self._penalties = [all_penalties[p][1] for p in self.mine]
            twice = [p for p, count in Counter(self.mine).items() if count > 1]
            if twice:
                raise InputError(
                    f"{all_penalties[twice[0]][0]!r} is twice in one parameter group, so that a step moves "
                    "it twice; give each parameter once"
                )

    def with_gradient(self) -> list[list[Any]]:
        """Those that the optimiser stepped, and their penalties."""
        return chosen([k for k, p in enumerate(self.mine) if p.grad is not None], self.mine, self._penalties)


class Attachment(Penalised):
    """A penalty at work on an optimiser; made by ``attach``.

    Copying or pickling it copies the optimiser with it, hook included: ``copy.deepcopy((model, prox))``.
    (torch drops hooks when an optimiser is copied by itself.) The optimiser's ``state_dict`` is not touched.

    Attributes:
        optimizer: the optimiser.
        steps: optimiser steps seen so far; what ``schedule`` is called with.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        penalties: Mapping[torch.Tensor, tuple[str, Penalty]],
        schedule: Schedule | None,
        selection: str,
    ) -> None:
        self.optimizer = optimizer
        self.steps = 0
        self._penalties = dict(penalties)
        self._schedule = schedule
        self._selection = selection
        self._factor = 1.0
        self._gains: dict[torch.Tensor, float] = {}
        self._thresholds = Thresholds()
        self._members: list[_Members] = []
        self._attached = True
        self._find_members(optimizer)
        self._settle(optimizer)  # buffers from before have a past that is not known
        self._listen()

    def _listen(self) -> None:
        self._handles = (
            self.optimizer.register_step_post_hook(self._after_step),
            self.optimizer.register_load_state_dict_post_hook(self._settle),
        )

    def __getstate__(self) -> dict[str, Any]:
        left = ("_handles", "_thresholds", "_members")
        return {name: value for name, value in self.__dict__.items() if name not in left}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _handles=(), _thresholds=Thresholds(), _members=[])
        if self._attached:
            self._listen()

    @property
    def factor(self) -> float:
        """Multiplies every strength (1 at first); set it to move along a path of strengths."""
        return self._factor

    @factor.setter
    def factor(self, value: float) -> None:
        if not _is_factor(value):
            raise InputError(f"factor = {value} is not allowed; give a finite number >= 0")
        self._factor = float(value)

    @property
    def terms(self) -> tuple[Term, ...]:
        """Every penalised parameter with the penalty of the step to come."""
        present = self._present()
        return tuple(Term(name, p, present(penalty)) for p, (name, penalty) in self._penalties.items())

    def _metric(self, group: Mapping[str, Any], p: torch.Tensor) -> Metric:
        return effective_step(self.optimizer, group, p, self._gains.get(p))

    def detach(self) -> None:
        """Stop acting on the optimiser, which goes on as it was; its checkpoints load as before."""
        for handle in self._handles:
            handle.remove()
        self._attached = False

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs besides the optimiser's state, all plain numbers."""
        return {
            "steps": self.steps,
            "factor": self._factor,
            "gains": [self._gains.get(p) for p in self._penalties],
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a ``state_dict``; load the optimiser's own first.

        Without it a resumed run is right too, but its momentum buffers are taken as settled.

        Raises:
            InputError: the state of something else, or of other parameters.
        """
        if not isinstance(state, Mapping):
            raise InputError(f"state is a {type(state).__name__}; give what state_dict() returned")
        try:
            steps, factor = int(state["steps"]), float(state["factor"])
            gains = [None if gain is None else float(gain) for gain in state["gains"]]
        except (KeyError, TypeError, ValueError, OverflowError):
            steps, factor, gains = 0, 1.0, []
        if len(gains) != len(self._penalties) or len(state) != 3:
            raise InputError(
                f"a state with keys {sorted(map(str, state))} is not that of this attachment of "
                f"{len(self._penalties)} parameters; give what its state_dict() returned"
            )
        self.factor, self.steps = factor, steps  # in this order: a bad factor is to change nothing
        pairs = zip(self._penalties, gains, strict=True)
        self._gains = {p: gain for p, gain in pairs if gain is not None}

    def __str__(self) -> str:
        return self._selection

    def _present(self) -> Callable[[Penalty], Penalty]:
        """Scales a penalty to the strength of this step; each distinct penalty once."""
        factor = self._factor
        if self._schedule is not None:
            wanted = self._schedule(self.steps)
            if not _is_factor(wanted):
                raise InputError(
                    f"the strength schedule gave {wanted} at step {self.steps}; "
                    "it must give finite numbers >= 0"
                )
            factor *= wanted
        if factor == 1:
            return lambda penalty: penalty
        made: dict[int, Penalty] = {}

        def scaled(penalty: Penalty) -> Penalty:
            if id(penalty) not in made:
                made[id(penalty)] = penalty.scaled(factor)
            return made[id(penalty)]

        return scaled

    def _settle(self, optimizer: torch.optim.Optimizer) -> None:
        """Take the momentum buffers that are there as settled, and those that are not as still to come."""
        self._gains.clear()
        for group in optimizer.param_groups:
            for p in group["params"]:
                if p in self._penalties and optimizer.state.get(p, {}).get("momentum_buffer") is not None:
                    self._gains[p] = settled_gain(group)

    @_disable_dynamo  # a compiled optimizer.step calls this as it is: its loop is compiled already
    def _after_step(self, optimizer: torch.optim.Optimizer, args: Any, kwargs: Any) -> None:
        # Gradient scaling tells a fused optimiser through this attribute to skip a step; so is this one.
        skipped = getattr(optimizer, "found_inf", None)
        if isinstance(skipped, torch.Tensor) and skipped.device.type == "cpu":
            if skipped.item():
                return
            skipped = None
        rule, x, penalties, numbers, moments = rule_of(type(optimizer)), [], [], [], []
        for group, members in zip(optimizer.param_groups, self._find_members(optimizer), strict=True):
            mine, own = members.with_gradient()
            if mine:
                if group.get("momentum"):
                    self._gains.update({p: next_gain(group, self._gains.get(p)) for p in mine})
                gains = [*map(self._gains.get, mine)] if self._gains else [None] * len(mine)
                states = [optimizer.state.get(p, {}) for p in mine]
                metrics = effective_steps(rule, group, mine, states, gains, members.steps)
                x, penalties = x + mine, penalties + own
                numbers, moments = numbers + metrics.numbers, moments + metrics.moments
        if skipped is not None:
            numbers = [each.unless(skipped) for each in numbers]
        self._shrink(x, [*map(self._present(), penalties)], Metrics(numbers, moments))
        self.steps += 1

    def _find_members(self, optimizer: torch.optim.Optimizer) -> list[_Members]:
        groups = optimizer.param_groups
        del self._members[len(groups) :]  # a group may have been taken out, or merged into another
        self._members += [_Members() for _ in groups[len(self._members) :]]
        for group, members in zip(groups, self._members, strict=True):
            members.find(group["params"], self._penalties)
        if sum(len(members.mine) for members in self._members) < len(self._penalties):
            self._refuse_replaced(optimizer)
        return self._members

    def _shrink(self, x: list[torch.Tensor], penalties: list[Penalty], metrics: Metrics) -> None:
        """The proximal steps."""
        known = {key: strengths(one) for key, one in {id(one): one for one in penalties}.items()}
        l1_l2 = [pair for one in penalties if (pair := known[id(one)]) is not None]
        if len(l1_l2) < len(x) or not self._thresholds(x, l1_l2, *metrics):
            proximal_steps_([*zip(x, penalties, metrics.each(), strict=True)])

    def _refuse_replaced(self, optimizer: torch.optim.Optimizer) -> None:
        """A parameter that was put in another's place would go unpenalised, unseen."""
        mine = {p for group in optimizer.param_groups for p in group["params"]}
        name = next(name for p, (name, _) in self._penalties.items() if p not in mine)
        raise InputError(
            f"{name!r} is no longer a parameter of this optimiser, so its penalty has no effect; detach() "
            "and attach to the parameters that took its place (after whatever moves or shards the model)"
        )


def attach(
    optimizer: torch.optim.Optimizer,
    penalty: Penalty | Mapping[str, Penalty],
    params: Parameters | None = None,
    *,
    schedule: Schedule | None = None,
) -> Attachment:
    """Attach a penalty to an optimiser: from now on ``optimizer.step()`` ends with its proximal step.

    Remove the penalty from the loss: it would be counted twice. A parameter whose ``.grad`` is None in a step
    is left alone in it, as by the optimiser; entries that a sparse gradient omits have gradient 0 and are
    the penalty's.

    Args:
        optimizer: SGD, Adam, AdamW, Adamax, NAdam, RAdam, RMSprop, Adagrad or Adadelta of torch.optim with
            any of their options, or one whose effective step was registered (``ns.register_metric``).
        penalty: any penalty of ``nonsmooth.penalties``; or a mapping from name patterns (``"conv*"``, as in
            a shell; the first that matches counts) to penalties, for strengths per layer. Parameters that no
            pattern matches are not penalised.
        params: what to penalise. A model: its weights by the rule of ``ns.select_weights``, that is, no
            biases, no norms, no embeddings. Or the tensors themselves, or pairs (name,
            tensor), taken as they are. None: the optimiser's parameters with two axes or more (embeddings
            cannot be told from weights then).
        schedule: multiplies the strengths at step t = 0, 1, ... by ``schedule(t)``; None for constant ones.

    Returns:
        The Attachment; print it to see which parameters are penalised and why others are not.

    Raises:
        InputError: an optimiser without a diagonal metric (with what to use instead), nothing to penalise,
            parameters that are not the optimiser's, penalised already, complex, sparse or lazy, a penalty
            that does not fit one's shape.

    >>> import torch, nonsmooth as ns
    >>> w = torch.nn.Parameter(torch.tensor([3.0, 0.2]))
    >>> optimizer = torch.optim.SGD([w], lr=0.1, momentum=0.9)
    >>> prox = attach(optimizer, ns.L1(1.0), params=[w])
    >>> for _ in range(400):
    ...     optimizer.zero_grad()
    ...     (0.5 * (w - torch.tensor([3.0, 0.2])) ** 2).sum().backward()
    ...     optimizer.step()
    >>> w.detach().round(decimals=4)  # soft(3, 1) = 2 and soft(0.2, 1) = 0, whatever the momentum
    tensor([2., 0.])
    """
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise InputError(f"optimizer is a {type(optimizer).__name__}; give a torch.optim.Optimizer")
    if schedule is not None and not callable(schedule):
        raise InputError(f"schedule is a {type(schedule).__name__}; give a function of the step, or None")
    check_metric(optimizer)
    _check_optimizer(optimizer)
    _check_patterns(penalty)
    penalties: dict[torch.Tensor, tuple[str, Penalty]] = {}
    answers = []
    for choice in _choices(optimizer, params):
        wanted = _penalty_of(choice.name, penalty) if choice.included else None
        if wanted is not None:
            _check_parameter(choice.name, choice.parameter, wanted, penalties)
            penalties[choice.parameter] = (choice.name, wanted)
        elif choice.included:
            choice = replace(choice, included=False, why="its name matches no pattern")
        answers.append(choice)
    selection = str(Selection(tuple(answers)))
    if not penalties:
        raise InputError(
            "nothing to penalise: no parameter was selected; give params= a model, tensors or (name, tensor) "
            f"pairs of this optimiser, and patterns that match their names. The answers were:\n{selection}"
        )
    _check_members(optimizer, penalties)
    return Attachment(optimizer, penalties, schedule, selection)


def _choices(optimizer: torch.optim.Optimizer, params: Parameters | None) -> Iterable[Choice]:
    """Every parameter that is asked for, whether it is to be penalised, and why."""
    if isinstance(params, nn.Module):
        params = select_weights(params)
    if isinstance(params, Selection):
        mine = {p for group in optimizer.param_groups for p in group["params"]}
        return [
            replace(each, included=False, why="not a parameter of this optimiser")
            if each.included and each.parameter not in mine
            else each
            for each in params.choices
        ]
    if params is None:
        return [
            Choice(name, p, True, "two axes or more")
            if p.ndim >= 2
            else Choice(name, p, False, "fewer than two axes: a bias or a scale")
            for name, p, _ in named_parameters(optimizer)
        ]
    if not isinstance(params, Iterable):
        raise InputError(
            f"params is a {type(params).__name__}; give a model, tensors or (name, tensor) pairs"
        )
    given = [params] if isinstance(params, torch.Tensor) else params
    pairs = [each if isinstance(each, tuple) else (f"parameter {k}", each) for k, each in enumerate(given)]
    for pair in pairs:
        if len(pair) != 2 or not isinstance(pair[0], str):
            kinds = ", ".join(type(each).__name__ for each in pair)
            raise InputError(f"params holds ({kinds}); give tensors or (name, tensor) pairs")
        if not isinstance(pair[1], torch.Tensor):
            raise InputError(
                f"{pair[0]!r} is a {type(pair[1]).__name__}; give tensors or (name, tensor) pairs"
            )
    return [Choice(name, p, True, "as given") for name, p in pairs]


def _is_factor(value: Any) -> bool:
    """Whether strengths can be multiplied by it: a finite number >= 0."""
    try:
        return bool(0 <= value < float("inf"))
    except (TypeError, ValueError, RuntimeError):  # not a number, or several
        return False


def _check_optimizer(optimizer: torch.optim.Optimizer) -> None:
    if isinstance(optimizer, Penalised):
        raise InputError(
            f"{type(optimizer).__name__} has a penalty of its own; give it penalty= instead of attaching one"
        )
    if any(nn.parameter.is_lazy(p) for group in optimizer.param_groups for p in group["params"]):
        raise InputError("a parameter of a lazy module has no shape yet; run the model once, then attach")


def _check_patterns(penalty: Any) -> None:
    if penalty is None:
        raise InputError("penalty is None; give one of ns.penalties, or a mapping from name patterns to them")
    if isinstance(penalty, Mapping):
        for pattern in penalty:
            if not isinstance(pattern, str):
                raise InputError(
                    f"a pattern of the penalties is a {type(pattern).__name__}; give names as text, such as "
                    "'conv*'"
                )


def _penalty_of(name: str, penalty: Penalty | Mapping[str, Penalty]) -> Penalty | None:
    if not isinstance(penalty, Mapping):
        return penalty
    return next((each for pattern, each in penalty.items() if fnmatchcase(name, pattern)), None)


def _check_parameter(
    name: str, parameter: torch.Tensor, penalty: Any, seen: Mapping[torch.Tensor, Any]
) -> None:
    if not isinstance(penalty, Penalty):
        raise InputError(f"the penalty of {name!r} is a {type(penalty).__name__}; give one of ns.penalties")
    if not parameter.is_floating_point() or parameter.layout is not torch.strided:
        raise InputError(
            f"{name!r} has dtype {parameter.dtype} and layout {parameter.layout}; "
            "a penalty takes real, dense tensors"
        )
    if parameter in seen:
        raise InputError(f"{name!r} is given twice; give each tensor once")
    check_fit(repr(name), penalty, parameter)


def _check_members(optimizer: torch.optim.Optimizer, penalties: Mapping[torch.Tensor, Any]) -> None:
    mine = {p for group in optimizer.param_groups for p in group["params"]}
    for parameter, (name, _) in penalties.items():
        if parameter not in mine:
            raise InputError(f"{name!r} is not a parameter of this optimiser; give it to the optimiser first")
    for hook in optimizer._optimizer_step_post_hooks.values():
        other = getattr(hook, "__self__", None)
        twice = [
            penalties[p][0] for p in penalties if isinstance(other, Attachment) and p in other._penalties
        ]
        if twice:
            raise InputError(f"{twice[0]!r} has a penalty attached already; detach() that one first")
