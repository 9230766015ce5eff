"""The mean loss and its mean gradient over batches, and nothing else touched.

    mean_b  =  sum_b n_b g_b / sum_b n_b          n_b the batch's length, so that every sample counts alike

The gradients are added up in float64 whatever the model's precision (Welford's update, with West's weights),
so that what is left of rounding is that of each batch. Where only part of the data is used, the spread of the
batches gives the squared standard error of every coordinate: with g_b of variance s^2/n_b,

    s^2 ~ sum_b n_b (g_b - mean)^2 / (B - 1),    var(mean) = s^2 / sum_b n_b * (1 - share of the data used)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from nonsmooth.errors import InputError

__all__ = ["MeanGradient", "length_of", "loss_of", "mean_gradient", "wide"]

_RELUS = (nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ReLU6)


@dataclass(frozen=True, eq=False)
class MeanGradient:
    """What one pass over the batches gives.

    Attributes:
        loss: mean over the samples.
        gradients: like the parameters, float64.
        errors: squared standard errors, like the gradients; None where all data were used, or one batch only.
        unused: which parameters the loss did not depend on.
        samples: used.
        total: in the data; None where it is not known.
        batches: used.
        partial: whether there were more.
        largest: the largest absolute entry of any batch's gradient.
        kinks: inputs of ReLU modules that were exactly 0, and how many inputs they had.
    """

    loss: float
    gradients: list[torch.Tensor]
    errors: list[torch.Tensor] | None
    unused: list[bool]
    samples: float
    total: float | None
    batches: int
    partial: bool
    largest: float
    kinks: tuple[int, int]


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """As float64; float32 on a device without it."""
    return tensor.detach().to(torch.float32 if tensor.device.type == "mps" else torch.float64)


def loss_of(model: nn.Module, loss_fn: Callable[..., Any], batch: Any) -> torch.Tensor:
    """loss_fn(model(x), y) for a batch that is a pair, loss_fn(model, batch) for any other."""
    paired = isinstance(batch, tuple | list) and len(batch) == 2
    loss = loss_fn(model(batch[0]), batch[1]) if paired else loss_fn(model, batch)
    if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
        what = tuple(loss.shape) if isinstance(loss, torch.Tensor) else type(loss).__name__
        raise InputError(
            f"the loss of a batch is {what}; it must be a tensor with one entry, the batch's mean"
        )
    if not loss.is_floating_point():
        raise InputError(f"the loss of a batch is of {loss.dtype}; it must be a real number")
    if not loss.requires_grad:
        raise InputError(
            "the loss does not depend on any trainable parameter; compute it from the model's output"
        )
    return loss.reshape(())


def length_of(batch: Any) -> int:
    """Samples in a batch: the length of the first tensor in it that has one."""
    for leaf in pytree.tree_leaves(batch):
        if isinstance(leaf, torch.Tensor) and leaf.ndim:
            return leaf.shape[0]
    raise InputError(
        f"a batch of type {type(batch).__name__} holds no tensor whose length could be its number of "
        "samples; give size=, a function of the batch"
    )


def mean_gradient(
    model: nn.Module,
    loss_fn: Callable[..., Any],
    batches: Iterable[Any],
    parameters: Sequence[torch.Tensor],
    *,
    size: Callable[[Any], float],
    max_batches: int | None,
    watch: Callable[[Any], None],
) -> MeanGradient:
    """One pass; ``watch`` sees each batch. See the module's docstring."""
    means = [torch.zeros_like(wide(p)) for p in parameters]
    short = getattr(batches, "drop_last", False)  # then a full pass may leave samples out
    spreads = None if max_batches is None and not short else [torch.zeros_like(mean) for mean in means]
    unused = [True] * len(means)
    loss, samples, used, partial = 0.0, 0.0, 0, False
    largest = [torch.zeros((), dtype=mean.dtype, device=mean.device) for mean in means]
    with _nothing_else_touched(model, parameters, batches) as kinks:
        for batch in batches:
            if used == max_batches:
                partial = True
                break
            batch = _on_device(batch, parameters)
            counted = size(batch)
            try:
                count = float(counted)
            except (TypeError, ValueError, RuntimeError) as error:
                raise InputError(
                    f"size returned {counted!r} for batch {used}; it must be a number"
                ) from error
            if not count > 0:
                raise InputError(
                    f"batch {used} has size {count:g}; every batch must count for more than nothing"
                )
            value = loss_of(model, loss_fn, batch)
            found = torch.autograd.grad(value, parameters, allow_unused=True)
            watch(batch)
            used, samples = used + 1, samples + count
            loss += (float(value.detach()) - loss) * count / samples
            for k, each in enumerate(found):
                if each is not None:
                    unused[k] = False
                gradient = torch.zeros_like(means[k]) if each is None else wide(each.to_dense())
                off = gradient - means[k]
                means[k] += off * (count / samples)
                if spreads is not None:
                    spreads[k].addcmul_(off, gradient - means[k], value=count)
                if gradient.numel():
                    largest[k] = torch.maximum(largest[k], gradient.abs().max())
    if not used:
        raise InputError("there are no batches; give at least one (an iterator can be used once only)")
    total = _total(batches, size) if partial or short else samples
    if short and not partial:
        partial, total = (True, total) if total is not None and samples < total else (False, samples)
    errors = None
    if partial and spreads is not None and used > 1:
        left = 1.0 if total is None else max(0.0, 1 - samples / total)
        errors = [spread * (left / (used - 1) / samples) for spread in spreads]
    return MeanGradient(
        loss=loss,
        gradients=means,
        errors=errors,
        unused=unused,
        samples=samples,
        total=total,
        batches=used,
        partial=partial,
        largest=max(float(each) for each in largest),
        kinks=(sum(int(hits) for hits, _ in kinks), sum(n for _, n in kinks)),
    )


def _total(batches: Any, size: Callable[[Any], float]) -> float | None:
    """The size of all the data, None where it is not known."""
    if isinstance(batches, list | tuple):
        return float(sum(size(batch) for batch in batches))
    if size is not length_of or getattr(batches, "batch_sampler", None) is None:
        return None  # not a loader that makes batches of a data set's samples
    try:
        return float(len(batches.sampler))
    except TypeError:  # without a length
        return None


def _on_device(batch: Any, parameters: Sequence[torch.Tensor]) -> Any:
    device = parameters[0].device
    return pytree.tree_map_only(torch.Tensor, lambda t: t.to(device, non_blocking=True), batch)


@contextmanager
def _nothing_else_touched(
    model: nn.Module, parameters: Sequence[torch.Tensor], batches: Any
) -> Iterator[list[tuple[torch.Tensor, int]]]:
    """Random streams, buffers and the data's own generator come back as they were; counts inputs of ReLUs."""
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in model.modules()
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    generator = getattr(batches, "generator", None)
    state = generator.get_state() if isinstance(generator, torch.Generator) else None
    kinks: list[tuple[torch.Tensor, int]] = []  # read at the end only: nothing waits for a device

    def count(module: nn.Module, args: tuple[Any, ...]) -> None:
        kinks.append(((args[0].detach() == 0).sum(), args[0].numel()))

    hooks = [m.register_forward_pre_hook(count) for m in model.modules() if isinstance(m, _RELUS)]
    devices = sorted({p.device.index for p in parameters if p.device.type == "cuda"})
    try:
        with torch.inference_mode(False), torch.enable_grad(), torch.random.fork_rng(devices):
            yield kinks
    finally:
        for hook in hooks:
            hook.remove()
        with torch.no_grad():
            for module, name, buffer, copy in buffers:
                module._buffers[name] = buffer
                buffer.copy_(copy)  # always: batch norm's kernels do not count as a new version of it
        if state is not None and isinstance(generator, torch.Generator):
            generator.set_state(state)
