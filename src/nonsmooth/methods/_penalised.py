"""What an attached penalty and the proximal optimisers share: their terms, their answers, the step itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from nonsmooth.errors import InputError
from nonsmooth.methods._kernels import Shrinkage, soft_thresholds_
from nonsmooth.methods._metric import Metric, local, whole
from nonsmooth.penalties import ElasticNet
from nonsmooth.penalties._penalty import Penalty, is_number

__all__ = ["Penalised", "Term", "check_fit", "named_parameters", "proximal_steps_", "strengths"]


class Term(NamedTuple):
    """One penalised parameter, with the penalty at its present strength."""

    name: str
    parameter: torch.Tensor
    penalty: Penalty


class Penalised:
    """An optimiser with penalties: who has ``optimizer`` and ``terms`` can answer the rest."""

    optimizer: Any

    @property
    def terms(self) -> tuple[Term, ...]:
        raise NotImplementedError

    def _metric(self, group: Mapping[str, Any], p: torch.Tensor) -> Metric:
        raise NotImplementedError

    def value(self) -> torch.Tensor:
        """The penalty of all parameters together: a 0-d tensor, not differentiable, no part of the loss.

        With sharded parameters it is that of all ranks, which must all ask.
        """
        with torch.no_grad():
            values = [whole(penalty.value(p.detach()).sum()).float() for _, p, penalty in self.terms]
        return torch.stack(values).sum() if values else torch.zeros(())

    def metric_of(self, parameter: torch.Tensor) -> Metric:
        """The effective step of a parameter, unevaluated.

        Raises:
            InputError: the parameter is not the optimiser's, or has not been stepped yet.
        """
        for group in self.optimizer.param_groups:
            if any(parameter is each for each in group["params"]):
                # SGD without momentum keeps no state, and has the same step before and after.
                plain = isinstance(self.optimizer, torch.optim.SGD) and not group["momentum"]
                if not (plain or self.optimizer.state.get(parameter)):
                    raise InputError("no step has been taken on this parameter; call optimizer.step() first")
                return self._metric(group, parameter)
        raise InputError(f"a parameter of shape {tuple(parameter.shape)} is not in this optimiser")

    def step_of(self, parameter: torch.Tensor) -> Any:
        """The effective step of a parameter: a number, or a tensor like it (see ``metric_of``)."""
        return self.metric_of(parameter).step()


def check_fit(name: str, penalty: Penalty, parameter: torch.Tensor) -> None:
    """Raise InputError, now and not in the first step, if the penalty does not fit the parameter's shape."""
    try:
        penalty.value(parameter.detach())
    except InputError:
        raise
    except (TypeError, ValueError, RuntimeError) as error:  # an array of strengths, one for each run
        raise InputError(
            f"the penalty of {name} does not fit its shape {tuple(parameter.shape)}: {error}; give it one "
            "number as its strength"
        ) from error


def named_parameters(optimizer: Any) -> Iterator[tuple[str, torch.Tensor, Mapping[str, Any]]]:
    """The optimiser's parameters with their group, by their names if it was given any."""
    for number, group in enumerate(optimizer.param_groups):
        names = group.get("param_names") or [f"group {number}, {k}" for k in range(len(group["params"]))]
        yield from ((name, p, group) for name, p in zip(names, group["params"], strict=True))


def strengths(penalty: Penalty | None) -> tuple[float, float] | None:
    """(l1, l2) of a penalty that the compiled loops know (none at all is one), None for others."""
    if penalty is None:
        return 0.0, 0.0
    if isinstance(penalty, ElasticNet) and penalty.width == 0:
        l1, l2 = penalty.l1, penalty.l2
        if is_number(l1) and is_number(l2):
            return float(l1), float(l2)
    return None


def proximal_steps_(work: Sequence[tuple[torch.Tensor, Penalty, Metric]]) -> None:
    """Each parameter's proximal step, in place: those that the compiled loop knows together, in one pass."""
    together, others = [], []
    for p, penalty, metric in work:
        if hasattr(p, "to_local") and penalty.separable:  # then each rank does its own entries
            p, metric = local(p), metric.local()
        known = strengths(penalty)
        if known is None:
            others.append((p, penalty, metric))
        else:
            together.append(Shrinkage(p, *known, metric))
    others += [(p, ElasticNet(l1, l2), metric) for p, l1, l2, metric in soft_thresholds_(together)]
    for p, penalty, metric in others:
        penalty.prox(p, metric.step(), out=p)
