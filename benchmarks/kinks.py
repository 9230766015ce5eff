"""What counting kinks costs: ``KinkCounter.update`` against the training step that it follows.

    python benchmarks/kinks.py

Float32, one thread, batches of 128, SGD with momentum, the probe 8 samples (1/16 of the batch). Step and
update are timed in turn, in processor time; the ratio is taken within each turn and divided by ``every``, and
its median over the turns counts. Beside it the ratio of the bare pass over the probe, without gradients: no
counting can go below it. Leaves with 1 where a ratio is above the target of 10 %, or where nothing was
crossed (then nothing was counted).

Seen on one core of an AMD EPYC that others kept busy (load 4 to 6 on 2 cores, everything at half its speed),
torch 2.13, two runs, in brackets the bare pass:

    fully connected 64-100-100-10        1.4 to 1.9 ms a step   0.26, 0.27   (0.13)          missed
    fully connected 784-200-200-10       3.3 to 3.8             0.15, 0.15   (0.10 to 0.12)  missed
    the same, every second step                                 0.08, 0.08   (0.06)
    fully connected 784-800-800-10       18 to 22               0.10, 0.10   (0.08 to 0.09)  on the border
    two encoder layers, 16 tokens        56 to 63               0.09, 0.09   (0.07)
    fully connected 784-1600-1600-10     65 to 72               0.09, 0.09   (0.08)
    VGG11, 32 x 32                       136 to 143             0.04, 0.04   (0.03)
    relu and max pooling as functions    154 to 202             0.04, 0.03   (0.02 to 0.03)
    VGG19 with batch norm, 32 x 32       270 to 311             0.05, 0.05   (0.04)

So the target was met in both runs at every step from 56 ms a step on, and in neither clearly at about 20 ms;
below that the bare pass alone takes a tenth or more, as 8 rows read the same weights as 128 do, and
``every=2`` is the way.
"""

from __future__ import annotations

import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional

from nonsmooth.diagnostics._crossings import KinkCounter
from nonsmooth.networks import mlp, vgg
from nonsmooth.runs import environment

TURNS, BATCH, PROBE, TARGET = 60, 128, 8, 0.10


class Functions(nn.Module):
    """A convolutional network whose kinks are functions, not modules."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(3, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
        self.c = nn.Linear(64 * 64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.a(x)), 2)
        x = functional.max_pool2d(functional.relu(self.b(x)), 2)
        return self.c(x.flatten(1))


class Encoder(nn.Module):
    """Two encoder layers of torch, on 16 tokens."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(64, 4, 128, batch_first=True)
        self.layers, self.last = nn.TransformerEncoder(layer, 2), nn.Linear(64, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.layers(x).mean(1))


def settings() -> dict[str, tuple[nn.Module, tuple[int, ...], int]]:
    torch.manual_seed(0)
    return {
        "fully connected 784-200-200-10": (mlp((784, 200, 200, 10)), (784,), 1),
        "the same, every second step": (mlp((784, 200, 200, 10)), (784,), 2),
        "fully connected 64-100-100-10": (mlp((64, 100, 100, 10)), (64,), 1),
        "fully connected 784-800-800-10": (mlp((784, 800, 800, 10)), (784,), 1),
        "fully connected 784-1600-1600-10": (mlp((784, 1600, 1600, 10)), (784,), 1),
        "VGG11, 32 x 32": (vgg(11), (3, 32, 32), 1),
        "VGG19 with batch norm, 32 x 32": (vgg(19, batch_norm=True), (3, 32, 32), 1),
        "relu and max pooling as functions": (Functions(), (3, 32, 32), 1),
        "two encoder layers, 16 tokens": (Encoder(), (16, 64), 1),
    }


def bare(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Seconds of one pass over the probe, after one of the batch so that caches are as after a step."""
    functional.cross_entropy(model(x), y).backward()
    begin = time.process_time()
    with torch.no_grad():
        model(x[:PROBE])
    return time.process_time() - begin


def main() -> int:
    torch.set_num_threads(1)
    missed = False
    print(f"one thread, torch {torch.__version__}, {environment()['processor']}")
    head = f"{'network':36}{'step ms':>9}{'update ms':>11}{'ratio':>8}"
    print(f"{head}{'(quartiles)':>18}{'bare pass':>11}{'crossed':>10}")
    for name, (model, shape, every) in settings().items():
        x, y = torch.randn(BATCH, *shape), torch.randint(0, 10, (BATCH,))
        if len(shape) == 3:
            x = x.contiguous(memory_format=torch.channels_last)
            model = model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
        kinks = KinkCounter(model, x[:PROBE])
        turns: list[tuple[float, float, float]] = []
        for turn in range((3 + TURNS) * every):
            begin = time.process_time()
            optimizer.zero_grad()
            functional.cross_entropy(model(x), y).backward()
            optimizer.step()
            middle = time.process_time()
            if turn % every == 0:
                kinks.update()
                turns.append((middle - begin, time.process_time() - middle, bare(model, x, y)))
        step, update, _ = (1e3 * statistics.median(side) for side in zip(*turns[3:], strict=True))
        ratios = sorted(b / a / every for a, b, _ in turns[3:])
        ratio = statistics.median(ratios)
        least = statistics.median(c / a / every for a, _, c in turns[3:])
        crossed = statistics.mean(each.total for each in kinks.history[3:])
        quartiles = f"({ratios[TURNS // 4]:.3f} to {ratios[-1 - TURNS // 4]:.3f})"
        print(f"{name:36}{step:9.2f}{update:11.3f}{ratio:8.3f}{quartiles:>18}{least:11.3f}{crossed:10.1f}")
        missed |= ratio > TARGET or crossed == 0
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
