"""Which of a model's weights are zero, and in what shapes: entries, rows, columns, kernels, blocks.

Zero entries save nothing on common hardware, zero structures do: a zero row is a neuron or filter that can be
removed (``nonsmooth.compact`` does), a zero column an input or channel that nobody reads, a zero kernel one
(filter, channel) pair, a zero block what block-sparse formats and kernels skip.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from nonsmooth.diagnostics._checks import not_negative
from nonsmooth.diagnostics._text_table import text_table
from nonsmooth.errors import InputError

__all__ = ["Sparsity", "TensorSparsity", "sparsity"]

_CONVOLUTIONS = (nn.modules.conv._ConvNd,)


@dataclass(frozen=True)
class TensorSparsity:
    """One parameter tensor; pairs are (zero, of). None where the tensor has no such structure.

    Attributes:
        name: its first name in the model.
        shape: as stored.
        also: further names of the same tensor (tied weights): counted here only.
        entries: entries.
        zeros: entries with absolute value <= threshold.
        rows: outputs (neurons, filters) all of whose weights are zero. None for tensors with one axis.
        columns: inputs (features, channels) that no output reads. None likewise.
        kernels: (output, input) pairs of a convolution whose whole kernel is zero. None for other layers.
        blocks: blocks of the matrix outputs x (inputs * kernel) that are all zero, blocks cut off by the edge
            included. None without ``block``, or for tensors with one axis.
    """

    name: str
    shape: tuple[int, ...]
    also: tuple[str, ...]
    entries: int
    zeros: int
    rows: tuple[int, int] | None
    columns: tuple[int, int] | None
    kernels: tuple[int, int] | None
    blocks: tuple[int, int] | None

    @property
    def share(self) -> float:
        """Zeros among the entries; 0 for an empty tensor."""
        return self.zeros / self.entries if self.entries else 0.0


@dataclass(frozen=True)
class Sparsity:
    """The report of :func:`sparsity`; print it for a table.

    Attributes:
        tensors: every parameter once, in the model's order.
        threshold: what counted as zero.
        block: rows and columns of a block, or None.
    """

    tensors: tuple[TensorSparsity, ...]
    threshold: float
    block: tuple[int, int] | None

    @property
    def entries(self) -> int:
        """Entries of all parameters."""
        return sum(each.entries for each in self.tensors)

    @property
    def zeros(self) -> int:
        """Zeros of all parameters."""
        return sum(each.zeros for each in self.tensors)

    @property
    def share(self) -> float:
        """Zeros among all entries; 0 for a model without parameters."""
        return self.zeros / self.entries if self.entries else 0.0

    def as_dict(self) -> dict[str, Any]:
        """Everything as numbers, strings, lists and dictionaries, for JSON."""
        return asdict(self) | {
            "entries": self.entries,
            "zeros": self.zeros,
            "share": self.share,
            "tensors": [asdict(each) | {"share": each.share} for each in self.tensors],
        }

    def __str__(self) -> str:
        head = ["parameter", "shape", "entries", "zeros", "share", "rows", "columns", "kernels"]
        blocked = self.block is not None
        if self.block is not None:
            head.append(f"{self.block[0]}x{self.block[1]} blocks")
        rows = [head]
        for each in self.tensors:
            shape = "x".join(map(str, each.shape)) or "scalar"
            counts = [f"{each.entries:,}", f"{each.zeros:,}", f"{each.share:.1%}"]
            pairs = [each.rows, each.columns, each.kernels, *([each.blocks] if blocked else [])]
            rows.append([each.name, shape, *counts, *(f"{p[0]:,} of {p[1]:,}" if p else "" for p in pairs)])
        total = ["total", "", f"{self.entries:,}", f"{self.zeros:,}", f"{self.share:.1%}"]
        rows.append(total + [""] * (len(head) - len(total)))
        note = "" if self.threshold == 0 else f"\nzero means |w| <= {self.threshold:g}: not exactly zero"
        return text_table(rows) + note


@torch.no_grad()
def sparsity(
    model: nn.Module, threshold: float = 0.0, *, block: int | tuple[int, int] | None = None
) -> Sparsity:
    """Count the zeros of every parameter of a model, and the zero rows, columns, kernels and blocks.

    Args:
        model: any module, on any device, of any precision. A parameter that modules share counts once.
        threshold: >= 0; entries with |w| <= threshold count as zero. The default counts exact zeros. NaN
            never counts.
        block: also count zero blocks of this size, (rows, columns) or one number for both, in the matrix
            outputs x (inputs * kernel).

    Returns:
        A :class:`Sparsity`.

    Raises:
        InputError: not a module, a lazy one that was never run, a threshold that is negative or not finite, a
            block size that is no whole number >= 1.

    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.ReLU())
    >>> _ = net[0].weight.data[0].zero_()
    >>> _ = net[0].bias.data.fill_(1.0)
    >>> print(sparsity(net))
    parameter  shape  entries  zeros  share    rows  columns  kernels
    0.weight     2x3        6      3  50.0%  1 of 2   0 of 3
    0.bias         2        2      0   0.0%
    total                   8      3  37.5%
    """
    if not isinstance(model, nn.Module):
        raise InputError(f"model is a {type(model).__name__}; give a torch.nn.Module")
    threshold = not_negative("threshold", threshold)
    size = (block, block) if isinstance(block, int) else block
    if size is not None and not (
        isinstance(size, tuple) and len(size) == 2 and all(isinstance(n, int) and n >= 1 for n in size)
    ):
        raise InputError(
            f"block = {block!r} is not allowed; give a whole number >= 1, or two (rows, columns)"
        )
    if any(map(nn.parameter.is_lazy, model.parameters())):
        raise InputError("a parameter of a lazy module has no shape yet; run the model once before")
    names: dict[torch.Tensor, list[str]] = {}
    owners: dict[torch.Tensor, nn.Module] = {}
    for path, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            names.setdefault(parameter, []).append(f"{path}.{name}" if path else name)
            owners.setdefault(parameter, module)
    tensors = (_count(names[p], p, owners[p], threshold, size) for p in names)
    return Sparsity(tuple(tensors), threshold, size)


def _count(
    names: list[str],
    parameter: torch.Tensor,
    owner: nn.Module,
    threshold: float,
    block: tuple[int, int] | None,
) -> TensorSparsity:
    zero = parameter.abs() <= threshold if threshold else parameter == 0
    rows = columns = kernels = blocks = None
    if parameter.ndim >= 2:
        pairs = _pairs(zero, owner)
        rows, columns = _tally(pairs.all(1)), _columns(pairs, owner)
        if isinstance(owner, _CONVOLUTIONS):
            kernels = _tally(pairs)
        if block is not None:
            blocks = _tally(_blocks(_matrix(zero, owner), block))
    return TensorSparsity(
        name=names[0],
        shape=tuple(parameter.shape),
        also=tuple(names[1:]),
        entries=parameter.numel(),
        zeros=int(zero.sum()),
        rows=rows,
        columns=columns,
        kernels=kernels,
        blocks=blocks,
    )


def _matrix(zero: torch.Tensor, owner: nn.Module) -> torch.Tensor:
    """Outputs first: a transposed convolution stores (inputs, outputs / groups, ...)."""
    if not isinstance(owner, nn.modules.conv._ConvTransposeNd):
        return zero.flatten(1)
    grouped = zero.unflatten(0, (owner.groups, -1)).transpose(1, 2)
    return grouped.flatten(0, 1).flatten(1)


def _pairs(zero: torch.Tensor, owner: nn.Module) -> torch.Tensor:
    """Which (output, input of its group) pairs have a zero kernel."""
    matrix = _matrix(zero, owner)
    return matrix.unflatten(1, (-1, max(zero[0, 0].numel(), 1))).all(2)


def _columns(pairs: torch.Tensor, owner: nn.Module) -> tuple[int, int]:
    groups = owner.groups if isinstance(owner, _CONVOLUTIONS) else 1
    return _tally(pairs.unflatten(0, (groups, -1)).all(1))


def _blocks(matrix: torch.Tensor, block: tuple[int, int]) -> torch.Tensor:
    """Which blocks are zero; what the edge cuts off counts as zero."""
    padding = (0, -matrix.shape[1] % block[1], 0, -matrix.shape[0] % block[0])
    padded = functional.pad(matrix, padding, value=True)
    return padded.unflatten(1, (-1, block[1])).unflatten(0, (-1, block[0])).all(3).all(1)


def _tally(zero: torch.Tensor) -> tuple[int, int]:
    return int(zero.sum()), zero.numel()
