"""Adam with the penalty's proximal step inside: one pass over memory instead of two.

    m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2,  s = lr / (sqrt(v / (1 - beta2^t)) + eps)
    x <- prox_s(x - s m / (1 - beta1^t))

Adam: Kingma and Ba (2015). The proximal step in Adam's own metric: Yun, Lozano and Yang (2021), "Adaptive
proximal gradient methods for structured neural networks". As ``attach`` on stock Adam, to rounding. The
kernel reads and writes what fused Adam does; the penalty costs arithmetic only, which hides behind the
memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim.adam import adam

from nonsmooth.errors import InputError
from nonsmooth.methods._columns import Column, chosen, count_up, torch_fuses
from nonsmooth.methods._penalised import strengths
from nonsmooth.methods._proximal import Proximal, check
from nonsmooth.penalties._penalty import Penalty

__all__ = ["ProxAdam"]


class ProxAdam(Proximal, torch.optim.Adam):
    """Adam on the loss, the penalty by its proximal operator: exact zeros, for the strength asked for.

    The loss must have no penalty term of its own. Every parameter of a group is penalised by the group's
    ``penalty``; give biases and norms a group with ``penalty=None``.

    Args:
        params: parameters, named parameters or groups, as for ``torch.optim.Adam``.
        lr, betas, eps, weight_decay, amsgrad, maximize, foreach, capturable, fused: as for
            ``torch.optim.Adam``.
        decoupled_weight_decay: True for AdamW.
        penalty: a penalty of ``nonsmooth.penalties``, or None.
        compile: do the step by ``torch.compile``, in one kernel, on any device. Otherwise a kernel of our own
            does it on the CPU in float32 and float64, unless ``foreach=True``, ``fused=False``,
            ``capturable`` or ``amsgrad`` ask for torch's; elsewhere torch's step, then the penalty's.

    Raises:
        InputError: an option out of range, a penalty that is none or does not fit a parameter's shape.

    >>> import nonsmooth as ns
    >>> w = torch.nn.Parameter(torch.tensor([3.0, 0.2], dtype=torch.float64))
    >>> optimizer = ProxAdam([w], lr=0.1, penalty=ns.L1(1.0))
    >>> for _ in range(2000):
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
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        *,
        penalty: Penalty | None = None,
        decoupled_weight_decay: bool = False,
        maximize: bool = False,
        foreach: bool | None = None,
        fused: bool | None = None,
        capturable: bool = False,
        compile: bool = False,
    ) -> None:
        self._check_group(
            {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay, "amsgrad": amsgrad,
             "capturable": capturable, "compile": compile}
        )  # fmt: skip
        self._extra = {"penalty": penalty, "compile": compile}
        super().__init__(
            params, lr, betas, eps, weight_decay, amsgrad, foreach=foreach, maximize=maximize,
            capturable=capturable, fused=fused, decoupled_weight_decay=decoupled_weight_decay,
        )  # fmt: skip
        # Gradient scaling then unscales and leaves out whole steps itself, as for an optimiser that is not
        # fused.
        self._step_supports_amp_scaling = False

    @staticmethod
    def _check_group(group: Mapping[str, Any]) -> None:
        check("lr", "learning rate", group["lr"], ">= 0", lambda x: x >= 0)
        check("eps", "epsilon value", group["eps"], ">= 0", lambda x: x >= 0)
        check("weight_decay", "weight_decay value", group["weight_decay"], ">= 0", lambda x: x >= 0)
        for k, beta in enumerate(group["betas"]):
            check("betas", f"beta parameter at index {k}", beta, "in [0, 1)", lambda x: 0 <= x < 1)
        if group["compile"] and (group["amsgrad"] or group["capturable"]):
            raise InputError("compile=True does not go with amsgrad or capturable; leave out one of them")

    def _step_group(self, group: dict[str, Any]) -> None:
        columns: list[Column] = [[], [], [], [], [], []]
        self._init_group(group, *columns)
        params, grads, firsts, seconds, largest, steps = columns
        mine, lined_up, table = self._in_one_pass(group, params, grads, firsts, seconds)
        if mine:
            x, m, v, counts = chosen(mine, params, firsts, seconds, steps)
            taken = count_up(counts, self._known(group, "steps"))
            shared = {count: self._numbers(group, count) for count in set(taken)}
            self._run(group, "adam", [x, lined_up, m, v], [shared[count] for count in taken], table)
        if len(mine) < len(params):
            rest = sorted(set(range(len(params))) - set(mine))
            x, g, m, v, counts = chosen(rest, params, grads, firsts, seconds, steps)
            adam(
                x, g, m, v, largest, counts,
                foreach=group["foreach"], capturable=group["capturable"],
                fused=group["fused"] and all(map(torch_fuses, x, g)),
                decoupled_weight_decay=group["decoupled_weight_decay"], amsgrad=group["amsgrad"],
                beta1=group["betas"][0], beta2=group["betas"][1], lr=group["lr"],
                weight_decay=group["weight_decay"], eps=group["eps"], maximize=group["maximize"],
            )  # fmt: skip
            self._apply_penalty(group, x)

    @staticmethod
    def _numbers(group: dict[str, Any], step: float) -> tuple[float, ...]:
        """What the kernel's entries share, in its order."""
        lr, decay = float(group["lr"]), float(group["weight_decay"])
        beta1, beta2 = map(float, group["betas"])
        decoupled = group["decoupled_weight_decay"]
        l1, l2 = strengths(group["penalty"]) or (0.0, 0.0)
        return (
            -1.0 if group["maximize"] else 1.0,
            0.0 if decoupled else decay,
            1 - lr * decay if decoupled else 1.0,
            1 - beta1, beta2, 1 - beta2,
            lr / (1 - beta1**step),
            (1 - beta2**step) ** -0.5,
            group["eps"], lr * l1, 2 * lr * l2,
        )  # fmt: skip
