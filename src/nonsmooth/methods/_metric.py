"""The effective step of a torch optimiser: the diagonal metric in which a penalty must be applied after it.

An optimiser's update is x <- x - s * d, where d tends to the gradient g when g is constant and s is a number
or one number an entry. The step s is what a proximal operator must be given: only then is a point that does
not move, x = prox_s(x - s g), one where 0 is in g + the subdifferential of the penalty, for the strength that
was asked for. With momentum the gradient arrives in instalments, and s counts all of them: with a constant g
the buffer b <- m b + (1 - d) g is c g, where the gain c starts at 1 (torch's first buffer is g) and follows
c <- m c + (1 - d) to (1 - d)/(1 - m). Who follows the steps knows c, also while a schedule moves m.

    SGD                        lr;  with momentum lr c, with Nesterov's lr (1 + momentum c)
    Adam, AdamW, AMSGrad       lr / (sqrt(v / (1 - beta2^t)) + eps), v the (largest) second moment
    NAdam                      the same times what of the gradient its two terms let through
    RAdam                      lr * rectification / (sqrt(v) + eps); lr while the variance is unreliable
    Adamax                     lr / u, u the decaying largest |g|
    RMSprop                    lr / (sqrt(v) + eps), with momentum times c; v centred or not
    Adagrad                    lr / ((1 + (t - 1) lr_decay)(sqrt(sum g^2) + eps))
    Adadelta                   lr sqrt(D + eps)/sqrt(v + eps), D the squared moves before this step

Yun, Lozano and Yang (2021), "Adaptive proximal gradient methods for structured neural networks", analyse the
proximal step in such a metric. Only what the optimiser itself keeps in its state is read: no extra memory.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import torch

from nonsmooth.errors import InputError
from nonsmooth.methods._columns import Columns, numbers_of

__all__ = [
    "Metric",
    "Metrics",
    "check_metric",
    "effective_step",
    "effective_steps",
    "local",
    "next_gain",
    "register_metric",
    "rule_of",
    "settled_gain",
    "whole",
]


def local(tensor: torch.Tensor) -> torch.Tensor:
    """This rank's part of a sharded tensor; any other tensor itself."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor  # type: ignore[attr-defined]


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """All ranks' parts of a sharded tensor together; any other tensor itself."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor  # type: ignore[attr-defined]


Number = Any  # a float, or a 0-d tensor where the value lives on an accelerator and must not be waited for


class Metric(NamedTuple):
    """s = numerator / (scale * sqrt(moment) + eps), kept apart so that one kernel can read the moment itself.

    Args:
        numerator, scale, eps: numbers, or 0-d tensors on the parameter's device.
        moment: tensor like the parameter, or None: then s is the numerator, one step for all entries.
        root: False for numerator / (scale * moment + eps).
    """

    numerator: Number
    moment: torch.Tensor | None = None
    scale: Number = 1.0
    eps: Number = 0.0
    root: bool = True

    def step(self) -> Any:
        """The step: a number, or a tensor like the parameter. Division by a moment of 0 gives the largest
        finite number, not infinity: a weight without any gradient belongs to the penalty alone."""
        if self.moment is None:
            return self.numerator
        size = self.moment.sqrt() if self.root else self.moment
        step = self.numerator / (size * self.scale + self.eps)
        return torch.nan_to_num(step, nan=0.0)

    def unless(self, skipped: torch.Tensor) -> Metric:
        """The metric with step 0 where ``skipped`` (0-d, on an accelerator) is not 0, unread."""
        return self._replace(numerator=torch.where(skipped > 0, 0.0, self.numerator))

    def local(self) -> Metric:
        """The part of a sharded metric that lies on this rank."""
        return self._replace(moment=None if self.moment is None else local(self.moment))


State = Mapping[str, Any]
Rule = Callable[[Mapping[str, Any], State, torch.Tensor], Metric]
_RULES: dict[type, Rule] = {}
_GAIN = "nonsmooth gain"  # the key under which a rule is told the gain, beside what the optimiser keeps

# Why some optimisers have none, and what to do instead.
_REFUSED = {
    "LBFGS": "its update mixes all coordinates through a dense curvature estimate; use ProxSGD, or "
    "ns.methods.Fista on a convex objective",
    "Muon": "it orthogonalises whole matrices, so no entry has a step of its own; keep the penalised weights "
    "in an AdamW or ProxAdam of their own",
    "Rprop": "it uses the gradient's sign only and enlarges its steps while the sign stays, as it does for "
    "ever at a penalised solution; use SGD or Adam",
    "Adafactor": "it clips each update by the norm of the whole tensor; use AdamW or ProxAdam for the "
    "penalised weights",
    "SparseAdam": "it moves only the rows that had a gradient; use Adam on the penalised weights",
    "ASGD": "its result is an average of the iterates, which has no exact zeros; use SGD",
    "Lion": "it uses the sign of its momentum only; use AdamW or ProxAdam",
}


def register_metric(kind: type) -> Callable[[Rule], Rule]:
    """Teach ``attach`` the effective step of another optimiser; subclasses inherit it.

    Args:
        kind: the optimiser's class.

    Returns:
        A decorator for ``rule(group, state, parameter) -> Metric``, called right after a step, with the
        parameter group's options and the optimiser's state of that parameter.

    Raises:
        InputError: kind is no optimiser class, or what is decorated no function.

    >>> import torch
    >>> class SignMomentumFree(torch.optim.SGD): ...
    >>> @register_metric(SignMomentumFree)
    ... def _(group, state, parameter):
    ...     return Metric(group["lr"])
    """

    if not (isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)):
        raise InputError(f"kind = {kind!r} is no optimiser class; give one, as torch.optim.SGD is")

    def keep(rule: Rule) -> Rule:
        if not callable(rule):
            raise InputError(f"the rule is a {type(rule).__name__}; give a function that returns a Metric")
        _RULES[kind] = rule
        rule_of.cache_clear()
        return rule

    return keep


@cache  # asked at every step
def rule_of(own: type) -> Rule:
    """The rule for an optimiser's class. Raises InputError, in words, if there is none."""
    names = [kind.__name__ for kind in own.__mro__]
    for kind, name in zip(own.__mro__, names, strict=True):
        if kind in _RULES:
            return _RULES[kind]
        if name in _REFUSED:
            raise InputError(f"{names[0]} has no proximal step: {_REFUSED[name]}")
    raise InputError(
        f"{names[0]} is not known to have a diagonal metric: register its effective step with "
        "@ns.register_metric, or use one of " + ", ".join(sorted(kind.__name__ for kind in _RULES))
    )


def check_metric(optimizer: torch.optim.Optimizer) -> None:
    """Raise InputError, in words, for an optimiser that has no diagonal metric or settings that break it."""
    rule_of(type(optimizer))
    for group in optimizer.param_groups:
        if group.get("differentiable"):
            raise InputError("differentiable=True is not allowed; a penalty is applied outside autograd")
        if isinstance(optimizer, torch.optim.Adadelta):
            _refuse_decay(group)
        momentum = group.get("momentum", 0.0)
        if isinstance(momentum, float | int) and not 0 <= momentum < 1:
            raise InputError(
                f"momentum = {momentum} is not allowed; with momentum >= 1 the effective step is not finite, "
                "give a number in [0, 1)"
            )


def next_gain(group: Mapping[str, Any], gain: float | None) -> float:
    """The gain c of a momentum buffer after a step, from that before it (None: there was no buffer)."""
    return 1.0 if gain is None else group["momentum"] * gain + 1 - group.get("dampening", 0.0)


def settled_gain(group: Mapping[str, Any]) -> float:
    """The gain that a buffer tends to."""
    return (1 - group.get("dampening", 0.0)) / (1 - group["momentum"])


def effective_step(
    optimizer: torch.optim.Optimizer,
    group: Mapping[str, Any],
    parameter: torch.Tensor,
    gain: float | None = None,
) -> Metric:
    """The metric of the step that ``optimizer`` has just taken on ``parameter``.

    Args:
        optimizer, group, parameter: a parameter of that group, which has a gradient.
        gain: of its momentum buffer, where it is known; None for one that has settled.

    Raises:
        InputError: the optimiser has no diagonal metric, or its class is unknown.

    >>> import torch
    >>> x = torch.nn.Parameter(torch.ones(2))
    >>> x.grad = torch.tensor([1.0, -3.0])
    >>> optimizer = torch.optim.SGD([x], lr=0.1, momentum=0.9)
    >>> optimizer.step()
    >>> round(effective_step(optimizer, optimizer.param_groups[0], x).step(), 6)
    1.0
    """
    state = optimizer.state.get(parameter, {})  # indexing would leave an empty entry behind
    return rule_of(type(optimizer))(group, _with_gain(state, gain), parameter)


def _with_gain(state: State, gain: float | None) -> State:
    return state if gain is None else ChainMap({_GAIN: gain}, state)  # pyright: ignore[reportArgumentType]


class Metrics(NamedTuple):
    """Those of several parameters: ``numbers[k]._replace(moment=moments[k])`` is the k-th.

    Parameters that share their numbers share one object of ``numbers``; its own moment means nothing.
    """

    numbers: list[Metric]
    moments: list[torch.Tensor | None]

    def each(self) -> list[Metric]:
        """One metric for each parameter."""
        return [one._replace(moment=moment) for one, moment in zip(self.numbers, self.moments, strict=True)]


def effective_steps(
    rule: Rule,
    group: Mapping[str, Any],
    parameters: Sequence[torch.Tensor],
    states: Sequence[State],
    gains: Sequence[float | None],
    known: Columns,
) -> Metrics:
    """``effective_step`` of many parameters of a group, at a lower price where they share their numbers.

    Args:
        rule: of the optimiser, see ``rule_of``.
        group, parameters, states: a group, parameters of it, what the optimiser keeps for each of them.
        gains: of their momentum buffers.
        known: knows the counts of steps again.
    """
    if rule is _sgd:
        bare = {gain: rule(group, _with_gain({}, gain), parameters[0]) for gain in {*gains}}
        return Metrics([bare[gain] for gain in gains], [None] * len(gains))
    counts = None
    if rule is _adam and len(states) > 3:  # a few are read at once no faster
        counts = numbers_of([state["step"] for state in states], known)
    if counts is not None:
        shared = {count: _adam(group, {**states[0], "step": count}, parameters[0]) for count in {*counts}}
        moment = _adam_moment(group)
        return Metrics([shared[count] for count in counts], [state[moment] for state in states])
    each = zip(parameters, states, gains, strict=True)
    metrics = [rule(group, _with_gain(state, gain), p) for p, state, gain in each]
    return Metrics(metrics, [metric.moment for metric in metrics])


def _number(value: Any) -> Number:
    """A float where the value is at hand; a tensor on an accelerator is left there, unread."""
    if type(value) is float:  # the common case first: this is asked for every parameter at every step
        return value
    return value.item() if isinstance(value, torch.Tensor) and value.is_cpu else value


def _correction(beta: Any, step: Any) -> Number:
    """1 - beta^t."""
    return 1 - _number(beta) ** _number(step)


@register_metric(torch.optim.SGD)
def _sgd(group: Mapping[str, Any], state: Mapping[str, Any], parameter: torch.Tensor) -> Metric:
    lr = _number(group["lr"])
    if group["momentum"] == 0:
        return Metric(lr)
    gain = state.get(_GAIN, settled_gain(group))
    return Metric(lr * (1 + group["momentum"] * gain) if group["nesterov"] else lr * gain)


def _adam_moment(group: Mapping[str, Any]) -> str:
    return "max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"


@register_metric(torch.optim.Adam)
def _adam(group: Mapping[str, Any], state: Mapping[str, Any], parameter: torch.Tensor) -> Metric:
    scale = _correction(group["betas"][1], state["step"]) ** -0.5
    return Metric(_number(group["lr"]), state[_adam_moment(group)], scale, group["eps"])


@register_metric(torch.optim.NAdam)
def _nadam(group: Mapping[str, Any], state: Mapping[str, Any], parameter: torch.Tensor) -> Metric:
    beta1, beta2 = group["betas"]
    step, product = _number(state["step"]), _number(state["mu_product"])
    decay = group["momentum_decay"]
    now = beta1 * (1 - 0.5 * 0.96 ** (step * decay))
    following = beta1 * (1 - 0.5 * 0.96 ** ((step + 1) * decay))
    # lr [(1 - mu_t)/(1 - prod) g + mu_(t+1)/(1 - prod mu_(t+1)) m], with m = (1 - beta1^t) g for a constant g
    gain = (1 - now) / (1 - product) + following * _correction(beta1, step) / (1 - product * following)
    return Metric(
        _number(group["lr"]) * gain, state["exp_avg_sq"], _correction(beta2, step) ** -0.5, group["eps"]
    )


@register_metric(torch.optim.RAdam)
def _radam(group: Mapping[str, Any], state: Mapping[str, Any], parameter: torch.Tensor) -> Metric:
    lr, beta2, step = _number(group["lr"]), group["betas"][1], _number(state["step"])
    longest = 2 / (1 - beta2) - 1
    unbias = _correction(beta2, step)
    length = longest - 2 * step * beta2**step / unbias
    squared = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
    moment = state["exp_avg_sq"]
    if isinstance(length, torch.Tensor):  # on an accelerator: both cases, unread
        reliable = length > 5
        size = lr * (squared.clamp(min=0) * unbias).sqrt()
        return Metric(
            torch.where(reliable, size, lr),
            moment,
            torch.where(reliable, 1.0, 0.0),
            torch.where(reliable, group["eps"], 1.0),
        )
    if length <= 5:
        return Metric(lr)
    return Metric(lr * (squared * unbias) ** 0.5, moment, 1.0, group["eps"])


@register_metric(torch.optim.Adamax)
def _adamax(group: Mapping[str, Any], state: Mapping[str, Any], parameter: torch.Tensor) -> Metric:
    return Metric(_number(group["lr"]), state["exp_inf"], root=False)


@register_metric(torch.optim.RMSprop)
def _rmsprop(group: Mapping[str, Any], state: Mapping[str, Any], parameter: torch.Tensor) -> Metric:
    moment = state["square_avg"]
    if group["centered"]:
        # Rounding can leave a variance just below 0, which torch's own root turns into NaN.
        moment = moment.addcmul(state["grad_avg"], state["grad_avg"], value=-1).clamp_(min=0)
    gain = state.get(_GAIN, settled_gain(group)) if group["momentum"] else 1.0
    return Metric(_number(group["lr"]) * gain, moment, 1.0, group["eps"])


@register_metric(torch.optim.Adagrad)
def _adagrad(group: Mapping[str, Any], state: Mapping[str, Any], parameter: torch.Tensor) -> Metric:
    rate = _number(group["lr"]) / (1 + (_number(state["step"]) - 1) * group["lr_decay"])
    return Metric(rate, state["sum"], 1.0, group["eps"])


def _refuse_decay(group: Mapping[str, Any]) -> None:
    if group["weight_decay"] != 0:
        raise InputError(
            f"Adadelta with weight_decay = {group['weight_decay']} hides the gradient it used; put the ridge "
            "term into ns.ElasticNet, with weight_decay = 0"
        )


@register_metric(torch.optim.Adadelta)
def _adadelta(group: Mapping[str, Any], state: Mapping[str, Any], parameter: torch.Tensor) -> Metric:
    # The state holds D' = rho D + (1 - rho) q (D + eps), q = g^2/(v + eps), with D from before the step: D is
    # found from D'. The step is lr sqrt((D + eps)/(v + eps)).
    rho, eps, v = group["rho"], group["eps"], state["square_avg"]
    gradient = parameter.grad
    if gradient is None:
        raise InputError(
            "Adadelta's step is found from its last gradient, which is gone; ask before zero_grad()"
        )
    _refuse_decay(group)
    ratio = (1 - rho) * gradient * gradient / (v + eps)
    before = ((state["acc_delta"] - ratio * eps) / (rho + ratio)).clamp_(min=0)
    before.nan_to_num_(nan=0.0)  # g^2 beyond the type: v is infinite and the step 0, whatever D was
    return Metric(_number(group["lr"]), (v + eps) / (before + eps))


# AdamW is torch's subclass of Adam: its decoupled decay shrinks the weight before the step; s stays.
