"""SGD with the penalty's proximal step inside: one pass over memory instead of two.

    b <- momentum b + (1 - dampening) g      (b <- g at first)
    c <- momentum c + (1 - dampening)        (c <- 1 at first)
    x <- prox_s(x - lr b), s = lr c;         Nesterov: x - lr (g + momentum b), s = lr (1 + momentum c)

The gain c, a number a parameter, is what a constant gradient of 1 would have made of the buffer: the penalty
is given the step that the gradient got, or another strength is solved for (see ``_metric``). Without momentum
this is the proximal gradient method of Lions and Mercier (1979). As ``attach`` on stock SGD, to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.sgd import sgd

from nonsmooth.errors import InputError
from nonsmooth.methods._columns import Column, chosen, torch_fuses
from nonsmooth.methods._metric import next_gain, settled_gain
from nonsmooth.methods._penalised import strengths
from nonsmooth.methods._proximal import Proximal, check
from nonsmooth.penalties._penalty import Penalty

__all__ = ["ProxSGD"]


class ProxSGD(Proximal, torch.optim.SGD):
    """SGD on the loss, the penalty by its proximal operator: exact zeros, for the strength asked for.

    The loss must have no penalty term of its own. Every parameter of a group is penalised by the group's
    ``penalty``; give biases and norms a group with ``penalty=None``.

    Args:
        params: parameters, named parameters or groups, as for ``torch.optim.SGD``.
        lr, dampening, weight_decay, nesterov, maximize, foreach, fused: as for ``torch.optim.SGD``.
        momentum: likewise, below 1.
        penalty: a penalty of ``nonsmooth.penalties``, or None.
        compile: do the step by ``torch.compile``, in one kernel, on any device. Otherwise: on the CPU in
            float32 and float64 a kernel of our own, unless ``foreach=True`` or ``fused=False`` ask for
            torch's; elsewhere torch's step, then the penalty's.

    Raises:
        InputError: an option out of range, a penalty that is none or does not fit a parameter's shape.

    >>> import nonsmooth as ns
    >>> w = torch.nn.Parameter(torch.tensor([3.0, 0.2], dtype=torch.float64))
    >>> optimizer = ProxSGD([w], lr=0.1, momentum=0.9, penalty=ns.L1(1.0))
    >>> for _ in range(400):
    ...     optimizer.zero_grad()
    ...     (0.5 * (w - torch.tensor([3.0, 0.2])) ** 2).sum().backward()
    ...     loss = optimizer.step()
    >>> [round(x, 6) for x in w.tolist()]  # soft(3, 1) = 2 and soft(0.2, 1) = 0
    [2.0, 0.0]
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float | Tensor = 0.0,
        nesterov: bool = False,
        *,
        penalty: Penalty | None = None,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        compile: bool = False,
    ) -> None:
        self._check_group(
            {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay,
             "nesterov": nesterov}
        )  # fmt: skip
        self._extra = {"penalty": penalty, "compile": compile}
        super().__init__(
            params, lr, momentum, dampening, weight_decay, nesterov,
            maximize=maximize, foreach=foreach, fused=fused,
        )  # fmt: skip
        # Gradient scaling then unscales and leaves out whole steps itself, as for an optimiser that is not
        # fused.
        self._step_supports_amp_scaling = False

    @staticmethod
    def _check_group(group: Mapping[str, Any]) -> None:
        momentum, dampening = group["momentum"], group["dampening"]
        check("lr", "learning rate", group["lr"], ">= 0", lambda x: x >= 0)
        check("momentum", "momentum value", momentum, "in [0, 1)", lambda x: 0 <= x < 1)
        check("dampening", "dampening value", dampening, "in [0, 1)", lambda x: 0 <= x < 1)
        check("weight_decay", "weight_decay value", group["weight_decay"], ">= 0", lambda x: x >= 0)
        if group["nesterov"] and (momentum <= 0 or dampening != 0):
            raise InputError(
                f"Nesterov momentum requires a momentum and zero dampening, not momentum = {momentum}, "
                f"dampening = {dampening}"
            )

    def _step_group(self, group: dict[str, Any]) -> None:
        columns: list[Column] = [[], [], []]
        self._init_group(group, *columns)
        params, grads, buffers = columns
        momentum = group["momentum"] != 0
        if not momentum:
            buffers = [None] * len(params)
        gains = [self._follow_gain(group, p) if momentum else 1.0 for p in params]
        mine, lined_up, table = self._in_one_pass(group, params, grads, buffers)
        if mine:
            x, gain, b = chosen(mine, params, gains, buffers)
            kinds = [(c, each is None) for c, each in zip(gain, b, strict=True)]
            if momentum and any(fresh for _, fresh in kinds):
                b, table = [self._buffer(p) for p in x], None
            shared = {kind: self._numbers(group, *kind) for kind in set(kinds)}
            self._run(group, "sgd", [x, lined_up, b], [shared[kind] for kind in kinds], table)
        if len(mine) < len(params):
            rest = sorted(set(range(len(params))) - set(mine))
            x, g, b = chosen(rest, params, grads, buffers)
            sgd(
                x, g, b,
                foreach=group["foreach"], fused=group["fused"] and all(map(torch_fuses, x, g)),
                weight_decay=group["weight_decay"], momentum=group["momentum"], lr=group["lr"],
                dampening=group["dampening"], nesterov=group["nesterov"], maximize=group["maximize"],
            )  # fmt: skip
            if momentum:
                for p, buffer in zip(x, b, strict=True):
                    self.state[p]["momentum_buffer"] = buffer
            self._apply_penalty(group, x)

    def _buffer(self, p: Tensor) -> Tensor:
        state = self.state[p]
        if state.get("momentum_buffer") is None:
            state["momentum_buffer"] = torch.zeros_like(p, memory_format=torch.preserve_format)
        return state["momentum_buffer"]

    def _follow_gain(self, group: dict[str, Any], p: Tensor) -> float:
        """The gain of a parameter's buffer after the step to come; kept."""
        state = self.state[p]
        before = None
        if state.get("momentum_buffer") is not None:
            before = state.get("gain", settled_gain(group))  # stock SGD's checkpoint says nothing of a gain
        state["gain"] = next_gain(group, before)
        return state["gain"]

    @staticmethod
    def _numbers(group: dict[str, Any], gain: float, fresh: bool) -> tuple[float, ...]:
        """What the kernel's entries share, in its order; ``fresh``: the buffer begins with this gradient."""
        lr, momentum, dampening = (float(group[name]) for name in ("lr", "momentum", "dampening"))
        l1, l2 = strengths(group["penalty"]) or (0.0, 0.0)
        step = lr * (1 + momentum * gain) if group["nesterov"] else lr * gain
        return (
            -1.0 if group["maximize"] else 1.0,
            float(group["weight_decay"]),
            lr,
            0.0 if fresh else momentum,
            1.0 if fresh else 1 - dampening,
            momentum if group["nesterov"] else 0.0,
            step * l1, 2 * step * l2,
        )  # fmt: skip
