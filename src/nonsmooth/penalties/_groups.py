"""How the entries of a parameter fall into groups, for penalties on the norm of a group.

A layout turns a parameter into parts, arrays in which the entries of a group lie along whole axes: norms are
then plain reductions and nothing is scattered. A structure needs at most a reshape. Arbitrary groups are
gathered into one part for each size class (1, 2, 3-4, 5-8, ...), padded with zeros, at most to the double.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
from array_api_compat import device, is_numpy_namespace

from nonsmooth.errors import InputError

__all__ = ["Layout", "Table", "host", "layout_of"]


class Table:
    """A host array and its copies on the devices that asked for it, as copying at each use would wait."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self._copies: dict[Any, Any] = {}

    def on(self, xp: Any, x: Any, dtype: Any = None) -> Any:
        """The array where x lives."""
        if is_numpy_namespace(xp):
            return self.array if dtype is None else self.array.astype(dtype, copy=False)
        # The type as well: a tensor made while tracing is none to compute with later.
        key = type(x), device(x), dtype
        if key not in self._copies:
            self._copies[key] = xp.asarray(self.array, dtype=dtype, device=device(x))
        return self._copies[key]

    def __getstate__(self) -> dict[str, Any]:
        return {"array": self.array, "_copies": {}}


class Layout(ABC):
    """Groups of a parameter of any shape that ``check`` accepts; ``batched`` ones take (..., P)."""

    batched = False
    sizes: np.ndarray | None = None  # entries of each group, where they are known without a shape

    @abstractmethod
    def check(self, shape: tuple[int, ...]) -> None:
        """Raises InputError, in words, for a shape without such groups."""

    @abstractmethod
    def count(self, shape: tuple[int, ...]) -> int:
        """How many groups there are (in each element of a batch)."""

    def split(self, xp: Any, x: Any) -> list[Any]:
        """x as parts."""
        return [x]

    def join(self, xp: Any, parts: list[Any], shape: tuple[int, ...]) -> Any:
        """Parts as an array of the shape that they came from."""
        return xp.reshape(parts[0], shape)

    @abstractmethod
    def axes(self, part: Any) -> tuple[int, ...]:
        """Along which axes of a part a group lies."""

    def tables(self, of_groups: np.ndarray) -> list[Table]:
        """One number for each group, as tables for the parts."""
        return [Table(of_groups)]

    def place(self, of_groups: Any, part: Any) -> Any:
        """One number for each group of a part, shaped to meet the part."""
        along = self.axes(part)
        return of_groups.reshape([1 if a in along else part.shape[a] for a in range(part.ndim)])

    def collect(self, xp: Any, of_parts: list[Any]) -> Any:
        """One number for each group of the parts, shaped to meet them, as (..., groups)."""
        return xp.reshape(of_parts[0], (math.prod(of_parts[0].shape),))


class Along(Layout):
    """A group for each index of one axis."""

    def __init__(self, name: str, axis: int, least: int, example: str) -> None:
        self.name, self.axis, self.least, self.example = name, axis, least, example

    def check(self, shape: tuple[int, ...]) -> None:
        if len(shape) < self.least:
            raise InputError(
                f"groups = {self.name!r} is not allowed for a parameter of shape {tuple(shape)}; it takes "
                f"{self.least} axes or more, for instance {self.example}"
            )

    def count(self, shape: tuple[int, ...]) -> int:
        return shape[self.axis]

    def axes(self, part: Any) -> tuple[int, ...]:
        return tuple(a for a in range(part.ndim) if a != self.axis)


class Heads(Layout):
    """Equal blocks of axis 0."""

    def __init__(self, heads: int) -> None:
        self.heads = heads

    def check(self, shape: tuple[int, ...]) -> None:
        if not shape or shape[0] % self.heads:
            raise InputError(
                f"groups = ('heads', {self.heads}) is not allowed for a parameter of shape {tuple(shape)}; "
                "its axis 0 must be a multiple of the number of heads"
            )

    def count(self, shape: tuple[int, ...]) -> int:
        return self.heads

    def split(self, xp: Any, x: Any) -> list[Any]:
        return [xp.reshape(x, (self.heads, x.shape[0] // self.heads, *x.shape[1:]))]

    def axes(self, part: Any) -> tuple[int, ...]:
        return tuple(range(1, part.ndim))


def _at_last_but_one(of_groups: Any, part: Any) -> Any:
    return of_groups.reshape([1] * (part.ndim - 2) + [part.shape[-2], 1])


class Blocks(Layout):
    """Consecutive blocks of one length along the last axis."""

    batched = True

    def __init__(self, length: int) -> None:
        self.length = length

    def check(self, shape: tuple[int, ...]) -> None:
        if not shape or shape[-1] % self.length:
            raise InputError(
                f"groups = {self.length} is not allowed for a parameter of shape {tuple(shape)}; its last "
                "axis must be a multiple of the block's length (or give a label for each entry)"
            )

    def count(self, shape: tuple[int, ...]) -> int:
        return shape[-1] // self.length

    def split(self, xp: Any, x: Any) -> list[Any]:
        return [xp.reshape(x, (*x.shape[:-1], x.shape[-1] // self.length, self.length))]

    def axes(self, part: Any) -> tuple[int, ...]:
        return (part.ndim - 1,)

    def place(self, of_groups: Any, part: Any) -> Any:
        return _at_last_but_one(of_groups, part)

    def collect(self, xp: Any, of_parts: list[Any]) -> Any:
        return of_parts[0][..., 0]


class Labels(Layout):
    """A label for each entry of the last axis; groups are in the order of their labels."""

    batched = True

    def __init__(self, labels: np.ndarray) -> None:
        self.entries = labels.size
        _, group, size = np.unique(labels, return_inverse=True, return_counts=True)
        self.sizes = size
        start = np.cumsum(size) - size
        order = np.argsort(group, kind="stable")
        width = 2 ** np.ceil(np.log2(size)).astype(int)
        self._members, self._picks, self._masks = [], [], []
        place = np.empty(labels.size, dtype=np.int64)
        offset = 0
        for w in np.unique(width):
            members = np.flatnonzero(width == w)
            mask = np.arange(w) < size[members, None]
            entry = order[np.where(mask, start[members, None] + np.arange(w), 0)]
            place[entry[mask]] = offset + np.flatnonzero(mask)
            offset += mask.size
            self._members.append(members)
            self._picks.append(Table(entry.reshape(-1)))
            self._masks.append(Table(mask))
        self._place = Table(place)
        self._rank = Table(np.argsort(np.concatenate(self._members)))

    def check(self, shape: tuple[int, ...]) -> None:
        if not shape or shape[-1] != self.entries:
            raise InputError(
                f"groups of {self.entries} labels are not allowed for a parameter of shape {tuple(shape)}; "
                "give a label for each entry of its last axis"
            )

    def count(self, shape: tuple[int, ...]) -> int:
        return sum(len(members) for members in self._members)

    def split(self, xp: Any, x: Any) -> list[Any]:
        parts = []
        for pick, mask in zip(self._picks, self._masks, strict=True):
            part = xp.reshape(xp.take(x, pick.on(xp, x), axis=-1), (*x.shape[:-1], *mask.array.shape))
            parts.append(xp.where(mask.on(xp, x), part, xp.zeros_like(part)))
        return parts

    def join(self, xp: Any, parts: list[Any], shape: tuple[int, ...]) -> Any:
        flat = xp.concat([xp.reshape(p, (*shape[:-1], p.shape[-2] * p.shape[-1])) for p in parts], axis=-1)
        return xp.take(flat, self._place.on(xp, flat), axis=-1)

    def axes(self, part: Any) -> tuple[int, ...]:
        return (part.ndim - 1,)

    def tables(self, of_groups: np.ndarray) -> list[Table]:
        return [Table(of_groups[members]) for members in self._members]

    def place(self, of_groups: Any, part: Any) -> Any:
        return _at_last_but_one(of_groups, part)

    def collect(self, xp: Any, of_parts: list[Any]) -> Any:
        flat = xp.concat([part[..., 0] for part in of_parts], axis=-1)
        return xp.take(flat, self._rank.on(xp, flat), axis=-1)


_STRUCTURES = {
    "rows": Along("rows", 0, 2, "a linear layer's weight (outputs, inputs)"),
    "columns": Along("columns", 1, 2, "a linear layer's weight (outputs, inputs)"),
    "filters": Along("filters", 0, 3, "a convolution's weight (outputs, inputs, height, width)"),
}


def host(numbers: Any) -> np.ndarray:
    """A sequence, array or tensor on any device as a NumPy array."""
    return np.asarray(numbers.tolist() if hasattr(numbers, "tolist") else numbers)


def _is_count(number: Any) -> TypeGuard[int]:
    return isinstance(number, int | np.integer) and not isinstance(number, bool) and int(number) >= 1


def layout_of(groups: Any) -> Layout:
    """The layout that a penalty's argument ``groups`` names.

    Raises:
        InputError: it names none.
    """
    if isinstance(groups, str) and groups in _STRUCTURES:
        return _STRUCTURES[groups]
    if isinstance(groups, tuple) and len(groups) == 2 and groups[0] == "heads":
        if _is_count(groups[1]):
            return Heads(int(groups[1]))
    elif _is_count(groups):
        return Blocks(int(groups))
    elif hasattr(groups, "tolist") or (isinstance(groups, Sequence) and not isinstance(groups, str)):
        labels = host(groups)
        if labels.ndim == 1 and labels.size and labels.dtype.kind in "iu":
            return Labels(labels)
    raise InputError(
        f"groups = {groups!r} is not allowed; give 'rows', 'columns', 'filters', ('heads', their number), "
        "a block's length >= 1, or an integer label for each entry of the last axis"
    )
