"""Products of the mean loss's Hessian with vectors, at fixed weights, and nothing else touched.

    Hv  =  d/dw (g(w)'v)      the second backward pass, through the gradient's own graph (Pearlmutter 1994),
                              with activations and convolutions in the form of ``_cheap_second``

With one batch the graph of the gradient is built once and kept: each product runs the second backward pass
only, less than half of what building the graph again costs. With several batches it is built again for each,
so that no more than one graph is in memory.

H is the Hessian of one function: the batches are read once and kept, and each is given the same random
numbers every time, so that dropout in training mode has one mask. In training mode batch norm uses the
statistics of each batch, as training does; its running statistics are put back. At a kink torch's
derivatives are those of the piece it picks; a kink adds nothing to H.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from nonsmooth.diagnostics._cheap_second import CheapSecond
from nonsmooth.diagnostics._mean_gradient import (
    _nothing_else_touched,
    _on_device,
    length_of,
    loss_of,
)
from nonsmooth.diagnostics._not_finite import NotFiniteError
from nonsmooth.errors import InputError

__all__ = ["HessianProducts", "hessian_products", "mode_notes", "trainable"]


class HessianProducts:
    """v -> Hv over flat vectors, in the order of ``parameters``; made by :func:`hessian_products`.

    Attributes:
        size: entries of all parameters.
        device, dtype: of the vectors: the parameters' own, but at least float32.
        loss: mean over the samples.
        gradient: its gradient, flat.
        samples, batches: how many.
        held: the batches, on the device.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Callable[..., torch.Tensor],
        batches: Sequence[Any],
        parameters: Sequence[torch.Tensor],
        seed: int,
    ) -> None:
        self._model, self._loss_fn, self.held, self._seed = model, loss_fn, batches, seed
        self._parameters = list(parameters)
        self._shapes = [p.shape for p in self._parameters]
        self._sizes = [p.numel() for p in self._parameters]
        self.size = sum(self._sizes)
        self.device = self._parameters[0].device
        self.dtype = torch.float32
        for p in self._parameters:
            self.dtype = torch.promote_types(self.dtype, p.dtype)
        counts = [_samples(batch, k) for k, batch in enumerate(batches)]
        self.samples, self.batches = sum(counts), len(batches)
        if not all(counts):
            raise InputError(f"batch {counts.index(0)} is empty; leave it out")
        self._shares = [count / self.samples for count in counts]
        self.loss, self._kept, self._entered = 0.0, None, False
        self.gradient = torch.zeros(self.size, dtype=self.dtype, device=self.device)
        for k, share in enumerate(self._shares):
            loss, slope = self._slope(k)
            self.loss += share * float(loss.detach())
            self.gradient.add_(slope.detach(), alpha=share)
            if k == 0:
                _refuse_once_only(slope)
            if len(self._shares) == 1:
                self._kept = slope
        if not self._entered:
            raise InputError(
                "the loss depends on none of these parameters; give the model and the optimizer of this loss"
            )

    def __call__(self, vector: torch.Tensor) -> torch.Tensor:
        if self._kept is not None:
            return self._second(self._kept, vector, keep=True)
        total = torch.zeros(self.size, dtype=self.dtype, device=self.device)
        for k, share in enumerate(self._shares):
            total.add_(self._second(self._slope(k)[1], vector, keep=False), alpha=share)
        return total

    def split(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """A flat vector as tensors like the parameters."""
        parts = vector.split(self._sizes)
        return [
            part.view(shape).to(p.dtype)
            for part, shape, p in zip(parts, self._shapes, self._parameters, strict=True)
        ]

    def _flat(self, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat([each.reshape(-1).to(self.dtype) for each in tensors])

    def _slope(self, k: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Batch k's loss and gradient, flat, with its graph.

        One tensor: torch checks the shapes of each that it derives, at 0.1 ms a tensor.
        """
        if self.device.type == "cpu":
            torch.default_generator.manual_seed(self._seed + k)
        else:
            torch.manual_seed(self._seed + k)  # of every kind of device, which takes a while
        with _in_words(f"the model or the loss fails on batch {k}"), CheapSecond():
            loss = loss_of(self._model, self._loss_fn, self.held[k])
        found = torch.autograd.grad(loss, self._parameters, create_graph=True, allow_unused=True)
        self._entered |= any(each is not None for each in found)
        slopes = [
            torch.zeros_like(p) if each is None else each.to_dense()
            for each, p in zip(found, self._parameters, strict=True)
        ]
        return loss, self._flat(slopes)

    def _second(self, slope: torch.Tensor, vector: torch.Tensor, *, keep: bool) -> torch.Tensor:
        if not slope.requires_grad:  # a gradient that is constant has no derivative
            return torch.zeros(self.size, dtype=self.dtype, device=self.device)
        found = torch.autograd.grad(
            slope, self._parameters, vector.to(self.dtype), retain_graph=keep, allow_unused=True
        )
        return self._flat(
            [
                torch.zeros_like(p) if each is None else each
                for each, p in zip(found, self._parameters, strict=True)
            ]
        )


def _samples(batch: Any, k: int) -> int:
    try:
        return length_of(batch)
    except InputError:
        raise InputError(
            f"batch {k}, a {type(batch).__name__}, holds no tensor whose length could be its number of "
            "samples; give pairs (x, y) of tensors with a sample a row"
        ) from None


@contextmanager
def _in_words(what: str) -> Iterator[None]:
    """The user's own code runs here: what it raises is bad input, in one line."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:300]
        raise InputError(f"{what}: {type(error).__name__}: {said}; it must run as in training") from error


def _refuse_once_only(slope: torch.Tensor) -> None:
    """An operation marked once_differentiable ends the graph in an error node, which a gradient for given
    inputs passes by in silence: the product would be wrong."""
    waiting = [] if slope.grad_fn is None else [slope.grad_fn]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        if node.name().endswith("::Error"):
            raise InputError(
                "torch cannot derive this model twice: it has a torch.autograd.Function whose backward is "
                "marked once_differentiable; write that backward in differentiable operations"
            )
        for following, _ in node.next_functions:
            if following is not None and following not in seen:
                seen.add(following)
                waiting.append(following)


@contextmanager
def hessian_products(
    model: nn.Module,
    loss_fn: Callable[..., torch.Tensor],
    batches: Iterable[Any],
    parameters: Sequence[torch.Tensor],
    *,
    seed: int,
) -> Iterator[HessianProducts]:
    """Products at the present weights, for as long as the context lasts; then everything is as it was.

    Args:
        model, loss_fn, batches: as for ``nonsmooth.diagnostics.certificate``.
        parameters: in whose entries H is.
        seed: of the random numbers that the model draws.

    Raises:
        InputError: no batches, weights or a loss that are not finite, or an operation that torch cannot
            derive twice.

    >>> w = nn.Linear(1, 1, bias=False).double()
    >>> data = [(torch.full((5, 1), 3.0).double(), torch.zeros(5, 1).double())]
    >>> with hessian_products(w, nn.MSELoss(), data, [w.weight], seed=0) as product:
    ...     product(torch.ones(1).double())
    tensor([18.], dtype=torch.float64)
    """
    names: dict[torch.Tensor, str] = {p: name for name, p in model.named_parameters()}
    for k, p in enumerate(parameters):
        if not torch.isfinite(p.detach()).all():
            raise NotFiniteError(
                f"{names.get(p, f'parameter {k}')} holds NaN or infinity, so there is no Hessian; the "
                "run has diverged: load weights from before it did"
            )
    with ExitStack() as stack:
        stack.enter_context(_nothing_else_touched(model, parameters, batches))
        stack.enter_context(_twice_derivable())
        with _in_words("batches cannot be read"):
            held = [_on_device(batch, parameters) for batch in batches]
        if not held:
            raise InputError("there are no batches; give at least one (an iterator can be used once only)")
        made = HessianProducts(model, loss_fn, held, parameters, seed)
        if not torch.isfinite(torch.tensor(made.loss)):
            raise NotFiniteError(f"the loss is {made.loss}; there is no curvature where it is not finite")
        yield made


@contextmanager
def _twice_derivable() -> Iterator[None]:
    """Attention by plain operations, as torch's fused kernels have no second derivative; others in words."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    except (RuntimeError, NotImplementedError) as error:
        said = " ".join(str(error).split())
        if any(
            words in said
            for words in (
                "is not implemented",
                "does not currently support double backward",
                "once_differentiable",
                "double backwards",
            )
        ):
            raise InputError(
                f"torch cannot derive this model twice: {said[:200]}; replace the operation it names by "
                "plain ones for this call (for cuDNN's recurrent nets: torch.backends.cudnn.flags(False))"
            ) from error
        raise


def trainable(model: nn.Module) -> list[torch.Tensor]:
    """The parameters that require a gradient.

    Raises:
        InputError: there are none, one is complex, without values, or on another device than the rest.
    """
    parameters: list[torch.Tensor] = [p for p in model.parameters() if p.requires_grad]
    lazy = [p for p in model.parameters() if isinstance(p, nn.parameter.UninitializedParameter)]
    if lazy:
        raise InputError("a lazy module has no weights yet; run the model once on a batch first")
    if not parameters:
        raise InputError("no parameter requires a gradient, so there is no Hessian; give a trainable model")
    for p in parameters:
        if p.is_complex() or p.is_meta or p.device != parameters[0].device:
            what = "complex" if p.is_complex() else "on the meta device" if p.is_meta else f"on {p.device}"
            raise InputError(f"a parameter is {what}; give real ones with values, all on one device")
    return parameters


def mode_notes(model: nn.Module) -> list[str]:
    """What training mode means for the Hessian, in words."""
    training = [m for m in model.modules() if m.training]
    drop = {type(m).__name__ for m in training if isinstance(m, nn.modules.dropout._DropoutNd) and m.p > 0}
    norm = {type(m).__name__ for m in training if isinstance(m, nn.modules.batchnorm._BatchNorm)}
    notes = []
    if drop:
        notes.append(
            f"{', '.join(sorted(drop))} in training mode: the Hessian is that of one draw of the masks (from "
            "seed), not of the expected loss; model.eval() switches them off."
        )
    if norm:
        notes.append(
            f"{', '.join(sorted(norm))} in training mode: the Hessian is that of the loss with each batch's "
            "own statistics, as training sees it; model.eval() takes the running ones."
        )
    return notes
