"""Random shifts and mirror images of a batch, all at once, on the device it is on.

The usual augmentation of CIFAR-10 (He et al. 2016, "Deep residual learning for image recognition", section
4.2): 4 pixels of zeros on each side, a random crop of the old size, mirrored with probability 1/2.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["PADDING", "Changes", "changed", "draw_changes"]

PADDING = 4


class Changes(NamedTuple):
    """What happens to each image, (N,) each: its first row and column in the padded one, whether mirrored."""

    down: Tensor
    right: Tensor
    mirrored: Tensor

    def of(self, places: Tensor | slice) -> Changes:
        return Changes(*(each[places] for each in self))


def draw_changes(count: int, generator: torch.Generator) -> Changes:
    """Those of an epoch, for all images, on the CPU: the same on every device and for every batch size."""
    down, right = torch.randint(0, 2 * PADDING + 1, (2, count), generator=generator)
    return Changes(down, right, torch.randint(0, 2, (count,), generator=generator, dtype=torch.bool))


def changed(x: Tensor, changes: Changes) -> Tensor:
    """The images after their changes: (n, C, H, W) in, the same in channels_last order out."""
    n, _, height, width = x.shape
    padded = nn.functional.pad(x.permute(0, 2, 3, 1), (0, 0, PADDING, PADDING, PADDING, PADDING))
    across = torch.arange(width, device=x.device)
    columns = torch.where(changes.mirrored[:, None], width - 1 - across, across) + changes.right[:, None]
    rows = torch.arange(height, device=x.device) + changes.down[:, None]
    image = torch.arange(n, device=x.device)[:, None, None]
    return padded[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
