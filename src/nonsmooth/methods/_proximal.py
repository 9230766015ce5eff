"""What the proximal optimisers share: penalties in groups, checkpoints, and the answers of an attachment.

A group's "penalty" is an option like its "lr". In a ``state_dict`` it is a plain dictionary, so that
checkpoints load with ``weights_only=True``, and in stock Adam or SGD too, which ignore it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch._compile import _disable_dynamo

from nonsmooth.errors import InputError
from nonsmooth.methods._columns import Column, Columns, Table, chosen, fitting_steps, table_of_steps
from nonsmooth.methods._kernels import launch
from nonsmooth.methods._metric import Metric, effective_step
from nonsmooth.methods._penalised import (
    Penalised,
    Term,
    check_fit,
    named_parameters,
    proximal_steps_,
    strengths,
)
from nonsmooth.penalties._penalty import Penalty

__all__ = ["Proximal", "check"]


def check(option: str, words: str, value: Any, allowed: str, good: Callable[[float], bool]) -> None:
    """Raise InputError, in torch's words, unless a number or a tensor of one entry is finite and good."""
    if isinstance(value, Tensor):
        if value.numel() != 1:
            raise InputError(f"Tensor {option} must be 1-element; its shape is {tuple(value.shape)}")
        if value.device.type != "cpu":
            return  # reading it would wait for the device
        value = value.item()
    if not (isinstance(value, Real) and math.isfinite(value) and good(float(value))):
        raise InputError(f"Invalid {words}: {value}; give {option} as a finite number {allowed}")


def _same_shards(params: Column, gradients: Column) -> tuple[list[int], Column]:
    """Which parameters lie on the ranks as their gradients do, all that are not sharded among them."""

    def where(tensor: Tensor) -> Any:
        return getattr(tensor, "placements", None)

    fit = [k for k, (p, g) in enumerate(zip(params, gradients, strict=True)) if where(p) == where(g)]
    return fit, chosen(fit, gradients)[0]


def _plain(value: Any) -> bool:
    if isinstance(value, tuple | list):
        return all(_plain(each) for each in value)
    return value is None or isinstance(value, bool | int | float | str | np.number)


def _packed(penalty: Penalty | None) -> dict[str, Any] | None:
    """Its kind and what numbers and words it has; index tables and arrays are left to the program."""
    if penalty is None:
        return None
    fields = {f.name: getattr(penalty, f.name) for f in dataclasses.fields(penalty) if f.init}  # type: ignore[arg-type]
    plain = {name: value for name, value in fields.items() if _plain(value)}
    return {
        "kind": type(penalty).__name__,
        **{name: value.item() if isinstance(value, np.generic) else value for name, value in plain.items()},
    }


def _unpacked(packed: Any, present: Penalty | None, number: int) -> Penalty | None:
    if packed is not None and not (isinstance(packed, Mapping) and "kind" in packed):
        raise InputError(
            f"parameter group {number} of the checkpoint has a penalty of type {type(packed).__name__} "
            "without a kind; give what state_dict() returned"
        )
    kind = packed["kind"] if packed else None
    own = None if present is None else type(present).__name__
    if kind != own:
        raise InputError(
            f"the checkpoint has the penalty {kind} in parameter group {number}, this optimiser {own}; "
            "make the optimiser with penalties of the same kinds, then load"
        )
    if present is None or packed is None:
        return None
    saved = {name: value for name, value in packed.items() if name != "kind"}
    unknown = saved.keys() - {f.name for f in dataclasses.fields(present) if f.init}  # type: ignore[arg-type]
    if unknown:
        raise InputError(
            f"the {kind} in parameter group {number} of the checkpoint has {sorted(map(str, unknown))}, "
            "which this version does not know; load it with the version that saved it"
        )
    return dataclasses.replace(present, **saved)  # type: ignore[type-var]


if TYPE_CHECKING:
    _Base = torch.optim.Optimizer
else:
    _Base = object


class Proximal(Penalised, _Base):
    """Mixed into a torch optimiser; its own ``_step_group`` does a group's step, penalty included.

    It answers like an attachment: ``optimizer``, ``terms``, ``value()``, ``metric_of`` and ``step_of``.
    """

    def _step_group(self, group: dict[str, Any]) -> None:
        raise NotImplementedError

    @staticmethod
    def _check_group(group: Mapping[str, Any]) -> None:
        raise NotImplementedError

    @_disable_dynamo  # a compiled training step calls this as it is: it is compiled already
    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """One step: the stock update on the loss, and the penalty's proximal step in its metric.

        Args:
            closure: evaluates the loss again and returns it.

        Returns:
            What the closure returned, or None.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None and p.grad.layout is not torch.strided:
                    raise InputError(
                        f"{type(self).__name__} does not support sparse gradients: the penalty moves every "
                        "entry; make the layer with sparse=False"
                    )
            self._step_group(group)
        return loss

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group; options that it does not name are the constructor's."""
        # torch's own constructor fills ``defaults`` without these, and adds the first groups right after.
        self.defaults.update(self.__dict__.pop("_extra", {}))
        super().add_param_group(param_group)
        try:
            self._check_added(self.param_groups[-1])
        except InputError:
            self.param_groups.pop()
            raise

    def _check_added(self, group: dict[str, Any]) -> None:
        penalty = group["penalty"]
        if not (penalty is None or isinstance(penalty, Penalty)):
            raise InputError(f"penalty = {penalty!r} is not a penalty; give e.g. ns.L1(1e-4), or None")
        for p in group["params"]:
            if nn.parameter.is_lazy(p):
                raise InputError(
                    f"a parameter of a lazy module has no shape yet; run the model once, then make the "
                    f"{type(self).__name__}"
                )
            if not p.is_floating_point():
                raise InputError(
                    f"a parameter has dtype {p.dtype}; {type(self).__name__} takes real floating-point "
                    "tensors, give others to an optimiser of their own"
                )
            if penalty is not None:
                check_fit("a parameter", penalty, p)
        self._check_group(group)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.__dict__.pop("_columns", None)  # the groups of a checkpoint are new
        for group in self.param_groups:
            for name in ("penalty", "compile"):
                if name in self.defaults:
                    group.setdefault(name, self.defaults[name])

    def state_dict(self) -> dict[str, Any]:
        """As torch's, each group's penalty as a dictionary of its numbers."""
        packed = super().state_dict()
        for group in packed["param_groups"]:
            group["penalty"] = _packed(group["penalty"])
        return packed

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's: the options saved replace the present ones, strengths among them.

        A checkpoint of the stock optimiser loads as well, and leaves the penalties as they are.

        Raises:
            InputError: the state of no optimiser; a group's penalty is of another kind than the saved one.
        """
        if not isinstance(state_dict, Mapping) or "param_groups" not in state_dict:
            raise InputError(
                f"a {type(state_dict).__name__} without param_groups is not the state of an optimiser; give "
                "what state_dict() returned"
            )
        saved = [dict(group) for group in state_dict["param_groups"]]
        for number, (new, own) in enumerate(zip(saved, self.param_groups, strict=False)):
            if "penalty" in new:
                new["penalty"] = _unpacked(new["penalty"], own["penalty"], number)
            else:
                new["penalty"] = own["penalty"]
        super().load_state_dict({**state_dict, "param_groups": saved})

    @property
    def optimizer(self) -> Any:
        """Itself: an attachment has its optimiser here."""
        return self

    @property
    def terms(self) -> tuple[Term, ...]:
        """Every penalised parameter with its penalty; named if the optimiser was given names."""
        named = named_parameters(self)
        return tuple(
            Term(name, p, group["penalty"]) for name, p, group in named if group["penalty"] is not None
        )

    def _in_one_pass(
        self, group: dict[str, Any], params: Column, gradients: Column, *states: Column
    ) -> tuple[list[int], Column, Table | None]:
        """For which parameters step and penalty go together, not one after the other; their gradients; and
        the table of all columns, where all can go together as they are."""
        if group.get("amsgrad") or group.get("capturable"):
            return [], [], None
        if group["compile"]:
            return *_same_shards(params, gradients), None
        if group["fused"] is False or group["foreach"]:
            return [], [], None
        table = table_of_steps(self._known(group, "all"), params, gradients, *states)
        if table is not None:
            return list(range(len(params))), gradients, table
        return *fitting_steps(params, gradients, *states), None

    def _known(self, group: dict[str, Any], name: str) -> Columns:
        """What knows columns of a group again; no part of a checkpoint or copy."""
        return self.__dict__.setdefault("_columns", {}).setdefault((id(group), name), Columns())

    def _run(
        self,
        group: dict[str, Any],
        name: str,
        columns: list[Column],
        numbers: list[tuple[float, ...]],
        table: Table | None,
    ) -> None:
        """One pass over columns of tensors, parameters first; then the penalty, if the pass knows it not."""
        if group["compile"]:
            from nonsmooth.methods import _compiled

            _compiled.run(name, columns, numbers)
        else:
            launch(name, columns, numbers, table)
        if strengths(group["penalty"]) is None:
            self._apply_penalty(group, columns[0])

    def _metric(self, group: Mapping[str, Any], p: Tensor) -> Metric:
        # Only a parameter that SGD gave a buffer has a gain.
        return effective_step(self, group, p, self.state[p].get("gain") if p in self.state else None)

    def _apply_penalty(self, group: dict[str, Any], params: list[Tensor]) -> None:
        """The proximal step by itself, after a stock step."""
        penalty = group["penalty"]
        if penalty is None:
            return
        proximal_steps_([(p, penalty, self._metric(group, p)) for p in params])
