"""The vectorised augmentation against one image at a time."""

import torch
from torch import Tensor

from nonsmooth.training._augment import PADDING, Changes, changed, draw_changes


def _one(image: Tensor, down: int, right: int, mirrored: bool) -> Tensor:
    channels, height, width = image.shape
    padded = torch.zeros(channels, height + 2 * PADDING, width + 2 * PADDING, dtype=image.dtype)
    padded[:, PADDING : PADDING + height, PADDING : PADDING + width] = image
    cropped = padded[:, down : down + height, right : right + width]
    return cropped.flip(-1) if mirrored else cropped


def test_as_one_image_at_a_time() -> None:
    random = torch.Generator().manual_seed(3)
    x = torch.randn(40, 3, 8, 10, generator=random)
    changes = draw_changes(40, random)
    found = changed(x.contiguous(memory_format=torch.channels_last), changes)
    for k in range(40):
        down, right, mirrored = (each[k].item() for each in changes)
        assert torch.equal(found[k], _one(x[k], int(down), int(right), bool(mirrored)))
    assert found.is_contiguous(memory_format=torch.channels_last)


def test_no_shift_and_no_mirror_is_the_image() -> None:
    x = torch.randn(5, 1, 8, 8)
    middle = torch.full((5,), PADDING)
    assert torch.equal(changed(x, Changes(middle, middle, torch.zeros(5, dtype=torch.bool))), x)


def test_every_shift_is_drawn_about_equally_often() -> None:
    changes = draw_changes(90_000, torch.Generator().manual_seed(0))
    for shift in (changes.down, changes.right):
        counts = torch.bincount(shift, minlength=2 * PADDING + 1).double()
        assert len(counts) == 2 * PADDING + 1
        # Five standard deviations of a binomial count.
        assert (counts - 10_000).abs().max() < 5 * (90_000 * (1 / 9) * (8 / 9)) ** 0.5
    assert abs(changes.mirrored.double().mean() - 0.5) < 5 * 0.5 / 300
