"""Dual averaging: the penalty meets a long memory of gradients, so that their noise does not reach the zeros.

After one stochastic gradient a proximal step decides by that gradient alone which weights are zero, and at a
constant step the support never settles. Dual averaging decides by the average of all gradients so far, or of
the last ones, about a fixed point w0, the start:

    Regularized (RDA)          G <- G + (g - G)/t,  b = lr sqrt(t)       w <- prox_b(w0 - b G)
    Extended (XRDA)            z <- a z + (1 - a) w - lr v,  b <- a b + lr c,  w <- prox_b(z)
                               v <- m v + (1 - m) g,  c <- m c + (1 - m);  z = w0, b = v = c = 0 at first

RDA is Xiao (2010), "Dual averaging methods for regularized stochastic learning and online optimization", JMLR
11, algorithm 1 with beta_t = gamma sqrt(t), lr = 1/gamma, and the auxiliary function |w - w0|^2/2 + rho |w|_1
of his algorithm 2. For L1 this is the closed form w = 0 where |G| <= strength + rho gamma/sqrt(t), else
-(sqrt(t)/gamma)(G - that bound, with G's sign), for w0 = 0.

There the step b of the penalty grows without bound. XRDA is Siegel and Xu (2019), "Extended regularized dual
averaging methods for stochastic optimization", with the momentum of Siegel, Chen, Zhang and Xu (2020),
"Training sparse neural networks using compressed sensing", arXiv:2008.09661 (c is ours: their penalty acts in
full while v still grows). There b tends to lr/(1 - a), as large as wanted: a = 0 is the proximal gradient
method, a = 1 dual averaging with constant steps. A resting point has (1 - a)(z - w) = -lr g, so that (z -
w)/b = -g is in the penalty's subdifferential: the strength means the strength. Noise of deviation sigma moves
z by about lr sigma/sqrt(1 - a^2) against a threshold of lr strength/(1 - a): a zero is sqrt((1 + a)/(1 - a))
times as safe as after a proximal gradient step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from nonsmooth.errors import InputError
from nonsmooth.methods._kernels import soft_threshold_
from nonsmooth.methods._metric import Metric
from nonsmooth.methods._penalised import strengths
from nonsmooth.methods._proximal import Proximal, check
from nonsmooth.penalties._penalty import Penalty

__all__ = ["ExtendedDualAveraging", "RegularizedDualAveraging"]


class _DualAveraging(Proximal, torch.optim.Optimizer):
    """What both share: a number as the penalty's step, kept in the state as "backward"."""

    def _metric(self, group: Mapping[str, Any], p: Tensor) -> Metric:
        return Metric(self.state[p]["backward"])

    def _prox(self, group: dict[str, Any], p: Tensor, more: float = 0.0) -> None:
        """p <- prox of the penalty, and of ``more`` |p|_1, in the step kept."""
        penalty, step = group["penalty"], self.state[p]["backward"]
        known = strengths(penalty)
        if known is not None and soft_threshold_(p, step * known[0] + more, step * known[1], Metric(1.0)):
            return
        if more:
            # For L1 the sum's operator is one after the other, in this order; others are refused.
            p.copy_(p.sign() * (p.abs() - more).clamp_(min=0))
        if penalty is not None:
            penalty.prox(p, step, out=p)

    def _each(self, group: dict[str, Any]) -> list[tuple[Tensor, Tensor, dict[str, Any]]]:
        """Parameters that have a gradient; the gradient of what is minimised; the state."""
        return [
            (p, -p.grad if group["maximize"] else p.grad, self.state[p])
            for p in group["params"]
            if p.grad is not None
        ]


class RegularizedDualAveraging(_DualAveraging):
    """Dual averaging of Xiao: in the end the right support on a convex loss, whatever its gradients' noise.

    Each weight is computed anew from the start and the average of all gradients, which is slow to forget the
    first ones: give a network to ``ExtendedDualAveraging``.

    Args:
        params: parameters, named parameters or groups.
        lr: > 0, the paper's 1/gamma; a constant, well below 1/L for a gradient of Lipschitz constant L. The
            step of the penalty at time t is lr sqrt(t): a schedule on top of it would take the weights back
            to the start.
        rho: >= 0, the paper's: more zeros early on, by a strength rho/(lr sqrt(t)) that fades; with L1 and
            elastic net only.
        penalty: a penalty of ``nonsmooth.penalties``, or None.
        maximize: go up.

    Raises:
        InputError: an option out of range.

    >>> import nonsmooth as ns
    >>> w = torch.nn.Parameter(torch.zeros(2))
    >>> optimizer = RegularizedDualAveraging([w], lr=1.0, penalty=ns.L1(1.0))
    >>> noise = torch.Generator().manual_seed(0)
    >>> for _ in range(300):
    ...     w.grad = w.detach() - torch.tensor([3.0, 0.2]) + torch.randn(2, generator=noise)
    ...     loss = optimizer.step()
    >>> w[1].item()  # soft(0.2, 1) = 0, whatever the noise
    0.0
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1.0,
        rho: float = 0.0,
        *,
        penalty: Penalty | None = None,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "rho": rho, "penalty": penalty, "maximize": maximize})

    @staticmethod
    def _check_group(group: Mapping[str, Any]) -> None:
        check("lr", "learning rate", group["lr"], "> 0", lambda x: x > 0)
        check("rho", "rho", group["rho"], ">= 0", lambda x: x >= 0)
        if group["rho"] > 0 and strengths(group["penalty"]) is None:
            raise InputError(
                f"rho = {group['rho']} goes with ns.L1 and ns.ElasticNet of one strength only; give rho = 0"
            )

    def _step_group(self, group: dict[str, Any]) -> None:
        lr = float(group["lr"])
        for p, gradient, state in self._each(group):
            if not state:
                state["step"] = 0
                state["start"] = p.clone(memory_format=torch.preserve_format)
                state["average"] = torch.zeros_like(p, memory_format=torch.preserve_format)
            state["step"] += 1
            state["average"].lerp_(gradient, 1 / state["step"])
            state["backward"] = lr * state["step"] ** 0.5
            torch.add(state["start"], state["average"], alpha=-state["backward"], out=p)
            self._prox(group, p, group["rho"])


class ExtendedDualAveraging(_DualAveraging):
    """Dual averaging with a bounded step for the penalty: the right support under noise, for networks too.

    Args:
        params: parameters, named parameters or groups.
        lr: >= 0, the step; a schedule that ends small brings both the weights and the support to rest.
        averaging: a in [0, 1]: 0 is the proximal gradient method, 1 dual averaging with constant steps. The
            penalty's step is lr/(1 - a).
        momentum: m in [0, 1) of the gradients' running average.
        penalty: a penalty of ``nonsmooth.penalties``, or None.
        maximize: go up.

    Raises:
        InputError: an option out of range.

    >>> import nonsmooth as ns
    >>> w = torch.nn.Parameter(torch.zeros(2))
    >>> optimizer = ExtendedDualAveraging([w], lr=0.02, averaging=0.99, penalty=ns.L1(1.0))
    >>> noise, zeros = torch.Generator().manual_seed(0), 0
    >>> for _ in range(300):
    ...     w.grad = w.detach() - torch.tensor([3.0, 0.2]) + torch.randn(2, generator=noise)
    ...     loss = optimizer.step()
    ...     zeros += (w[1] == 0).item()
    >>> zeros  # soft(0.2, 1) = 0 all the time; with averaging=0 it comes and goes
    300
    """

    def __init__(
        self,
        params: Any,
        lr: float | Tensor = 1e-2,
        averaging: float = 0.99,
        momentum: float = 0.0,
        *,
        penalty: Penalty | None = None,
        maximize: bool = False,
    ) -> None:
        options = {"lr": lr, "averaging": averaging, "momentum": momentum}
        super().__init__(params, {**options, "penalty": penalty, "maximize": maximize})

    @staticmethod
    def _check_group(group: Mapping[str, Any]) -> None:
        check("lr", "learning rate", group["lr"], ">= 0", lambda x: x >= 0)
        check("averaging", "averaging", group["averaging"], "in [0, 1]", lambda x: 0 <= x <= 1)
        check("momentum", "momentum value", group["momentum"], "in [0, 1)", lambda x: 0 <= x < 1)

    def _step_group(self, group: dict[str, Any]) -> None:
        lr, a, m = float(group["lr"]), group["averaging"], group["momentum"]
        for p, gradient, state in self._each(group):
            if not state:
                state["forward"] = p.clone(memory_format=torch.preserve_format)
                state["backward"] = 0.0
            gain = 1.0
            if m:
                if "momentum_buffer" not in state:
                    state["momentum_buffer"] = torch.zeros_like(p, memory_format=torch.preserve_format)
                gain = state["gain"] = m * state.get("gain", 0.0) + (1 - m)
                gradient = state["momentum_buffer"].lerp_(gradient, 1 - m)
            state["forward"].mul_(a).add_(p, alpha=1 - a).add_(gradient, alpha=-lr)
            state["backward"] = a * state["backward"] + lr * gain
            p.copy_(state["forward"])
            self._prox(group, p)
