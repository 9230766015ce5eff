"""The batches of an epoch: which images, in which order, changed how. A function of seed and epoch alone.

So a resumed run need not replay what was drawn before, and every process draws the same.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from nonsmooth.training._augment import Changes, changed, draw_changes
from nonsmooth.training._recipe import Recipe, derived_seed
from nonsmooth.training._resident import Resident

__all__ = ["Epoch", "batch_count", "spans"]


def batch_count(images: int, recipe: Recipe) -> int:
    """Steps of an epoch."""
    if recipe.batch is None:
        return 1
    whole, rest = divmod(images, recipe.batch)
    return whole + (rest > 0 and not recipe.drop_last)


class Epoch:
    """The order of one epoch's images; ``pick`` hands out those from one place in it to another."""

    def __init__(self, data: Resident, recipe: Recipe, number: int) -> None:
        self._data = data
        count = len(data.train)
        self._order: Tensor | None = None
        self._changes: Changes | None = None
        # Drawn on the CPU: other devices' generators give other numbers.
        if recipe.shuffle:
            generator = torch.Generator().manual_seed(derived_seed("order", recipe.seed, number))
            self._order = torch.randperm(count, generator=generator).to(data.device)
        if recipe.augment:
            generator = torch.Generator().manual_seed(derived_seed("augmentation", recipe.seed, number))
            self._changes = Changes(*(each.to(data.device) for each in draw_changes(count, generator)))

    def pick(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Images and labels; a view of the data where the order is theirs and nothing is changed."""
        x, labels = self._data.train, self._data.train_labels
        if self._order is None:
            x, labels = x[start:stop], labels[start:stop]
        else:
            places = self._order[start:stop]
            if x.ndim == 4:  # rows of (N, H, W, C), which is how they lie in memory
                x = x.permute(0, 2, 3, 1).index_select(0, places).permute(0, 3, 1, 2)
            else:
                x = x.index_select(0, places)
            labels = labels.index_select(0, places)
        if self._changes is not None:
            some = slice(start, stop) if self._order is None else self._order[start:stop]
            x = changed(x, self._changes.of(some))
        return x, labels


def spans(start: int, stop: int, length: int) -> Iterator[tuple[int, int]]:
    """From start to stop in pieces of this length, the last perhaps shorter."""
    for begin in range(start, stop, length):
        yield begin, min(begin + length, stop)
