"""Small data and networks for the tests of training."""

from __future__ import annotations

import torch
from torch import nn

from nonsmooth.training import Resident


def toy_data(count: int = 96, tests: int = 20, dtype: torch.dtype = torch.float32) -> Resident:
    """Noisy images of three classes, told apart by their mean in one quarter: 2 x 8 x 8, channels last."""
    random = torch.Generator().manual_seed(1)
    labels = torch.arange(count + tests) % 3
    x = torch.randn(count + tests, 8, 8, 2, generator=random, dtype=torch.float64)
    x[:, :4, :4, 0] += labels[:, None, None].double() - 1
    x = x.to(dtype).permute(0, 3, 1, 2)
    return Resident(x[:count], labels[:count], x[count:], labels[count:], name="toy")


def toy_network(seed: int = 0, *, dropout: float = 0.0, batch_norm: bool = False) -> nn.Sequential:
    """A convolution, a ReLU, a pooling and a linear layer: 2 x 8 x 8 to 3 classes."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(
            nn.Conv2d(2, 6, 3, padding=1),
            nn.BatchNorm2d(6) if batch_norm else nn.Identity(),
            nn.ReLU(),
            nn.AvgPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(96, 3),
        )


def weights_of(model: nn.Module) -> list[torch.Tensor]:
    """Everything a state has, copied: parameters and buffers."""
    return [x.detach().clone() for x in model.state_dict().values()]


def same(one: list[torch.Tensor], other: list[torch.Tensor]) -> bool:
    """Bit for bit."""
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
