"""Several processes on the same batches: each takes its slice, gradients and sums are added up over all.

    gradient  =  sum_r (n_r / n) g_r          g_r the mean over rank r's n_r images of a batch of n

so that the number of processes does not change what is computed, only the order in which it is summed.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from nonsmooth.errors import InputError

__all__ = ["Ranks", "takes_batch_statistics"]

_BUCKET = 1 << 25  # entries that are summed over the ranks at once


def takes_batch_statistics(model: nn.Module, mode: str) -> bool:
    """Whether a layer normalises by the batch it sees, so that an image's output depends on the others."""
    return any(
        isinstance(module, _BatchNorm) and (mode == "train" or module.running_mean is None)
        for module in model.modules()
    )


class Ranks:
    """This process among those that ``torch.distributed`` knows; one alone if it is not initialised."""

    def __init__(self) -> None:
        several = dist.is_available() and dist.is_initialized()
        self.rank = dist.get_rank() if several else 0
        self.world = dist.get_world_size() if several else 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def mine(self, start: int, stop: int) -> tuple[int, int]:
        """This rank's part of what lies between start and stop; parts differ by one at most."""
        length = stop - start
        return start + self.rank * length // self.world, start + (self.rank + 1) * length // self.world

    def total_(self, x: Tensor) -> Tensor:
        """Sum over the ranks, in place."""
        if self.world > 1:
            dist.all_reduce(x)
        return x

    def first_says(self, x: Tensor) -> Tensor:
        """What rank 0 has, in place."""
        if self.world > 1:
            dist.broadcast(x, 0)
        return x

    def prepare(self, model: nn.Module, mode: str) -> None:
        """Synchronise batch norm, and start from rank 0's weights.

        Raises:
            InputError: batch norm on a device that has no synchronised one, or a model that is wrapped.
        """
        if self.world == 1:
            return
        if isinstance(model, nn.parallel.DistributedDataParallel):
            raise InputError(
                "the model is wrapped in DistributedDataParallel; give the module inside: "
                "train adds up the gradients itself"
            )
        if takes_batch_statistics(model, mode):
            if any(not p.is_cuda for p in model.parameters()):
                raise InputError(
                    "batch norm needs the whole batch's statistics, which torch cannot gather from "
                    f"{self.world} processes on this device; "
                    "use one process, CUDA devices, or a network without batch norm"
                )
            if isinstance(model, _BatchNorm):
                raise InputError("the model is a batch norm itself; put it into an nn.Sequential")
            nn.SyncBatchNorm.convert_sync_batchnorm(model)
        with torch.no_grad():
            for each in (*model.parameters(), *model.buffers()):
                # Collectives take blocks in the usual order only.
                each.copy_(self.first_says(each.detach().contiguous()))

    def add_gradients_(self, parameters: Sequence[Tensor]) -> None:
        """Replace each gradient by its sum over the ranks; one that no rank has stays None."""
        if self.world == 1:
            return
        for bucket in _buckets(parameters):
            lengths = [p.numel() for p in bucket]
            # The last entries count the ranks that have a gradient of each parameter.
            flat = torch.zeros(sum(lengths) + len(bucket), dtype=bucket[0].dtype, device=bucket[0].device)
            pieces = flat.split([*lengths, len(bucket)])
            for k, (p, piece) in enumerate(zip(bucket, pieces, strict=False)):
                if p.grad is not None:
                    piece.view(p.shape).copy_(p.grad)
                    pieces[-1][k] = 1
            dist.all_reduce(flat)
            # Reading it waits for the device: only where this rank's slice was empty or left a layer out.
            held = pieces[-1].tolist() if any(p.grad is None for p in bucket) else [1.0] * len(bucket)
            for p, piece, owners in zip(bucket, pieces, held, strict=False):
                if p.grad is None and owners:
                    p.grad = torch.empty_like(p)
                if p.grad is not None:
                    p.grad.copy_(piece.view(p.shape))


def _buckets(parameters: Sequence[Tensor]) -> list[list[Tensor]]:
    """Parameters of one type and device, together not much larger than a bucket."""
    made: list[list[Tensor]] = []
    size = 0
    for p in parameters:
        fits = made and made[-1][0].dtype == p.dtype and made[-1][0].device == p.device
        if not fits or size + p.numel() > _BUCKET:
            made.append([])
            size = 0
        made[-1].append(p)
        size += p.numel()
    return made
