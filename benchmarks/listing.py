"""The paper's listing (Appendix C) against ``nonsmooth.training``: same network, batches and mathematics.

    python benchmarks/listing.py [--only PART] [--fraction 0.1] [--turns 5] [--device cuda]

The listing: a DataLoader whose 2 or 4 workers convert one image at a time (torchvision's ToTensor and
Normalize, written out here because torchvision is no dependency), the penalty a Python loop of
``abs().sum()`` in the graph, ``loss.item()`` after every step, stock optimisers. Ours: ``train`` on a
``Resident``, the penalty's subgradient beside the graph, the optimiser's fused version. Each side has a
process of its own and they take turns; a ratio is taken within each turn and its median over the turns is
what counts. Measured:

    update      penalty and optimiser's step alone, all parameters of VGG16, gradients at hand. RMSprop has no
                fused version in torch: its step is compiled on our side
    vgg16       an epoch with its validation, batch 512, 4 workers, SGD; dropout is off on both sides, as the
                two would draw different masks
    small vgg   an epoch with its validation of the paper's VGG11, batch 128, 2 workers, SGD

on a fraction of CIFAR-10 (its folder from NONSMOOTH_CIFAR10, or else shared/data/cifar10 beside the
repository; random images of the same shape where there is none). The losses of the first steps must agree
to rounding. On the CPU both sides compute in float32; on an accelerator ours computes the epochs in bfloat16
and compiled, and the losses are compared in epochs of their own without. Leaves with 1 where a target is
missed or losses differ.

The share of peak is that of a large matrix product in the same precision; the work is counted by
``torch.utils.flop_counter``, forward and backward, without evaluation and update; above 100 % is possible,
as convolutions can run faster than that product.

Seen on two cores of an AMD EPYC (Zen 5), two threads, torch 2.13, float32, nothing else running: penalty
and update 0.15 (SGD), 0.13 (RMSprop) and 0.10 (Adam) of the listing's time; the small VGG 4.3 times as fast
(3.9 to 4.7 in 5 turns, 40 % of an epoch; 8,306 images a second against 2,574; losses of 936 steps differ by
1.6e-6 at most); VGG16 1.8 times (1.8 to 2.0 in 3 turns, 3 % of an epoch; 116 images a second against 63).
Nothing was measured on an accelerator.
"""

from __future__ import annotations

import contextlib
import gc
import json
import multiprocessing
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from nonsmooth.datasets import Images, read_images
from nonsmooth.networks import initialise, vgg, vgg16
from nonsmooth.runs import environment
from nonsmooth.training import Recipe, Resident, train
from nonsmooth.training._l1 import add_l1_
from nonsmooth.training._memory import freed_memory_kept

PARTS = ("update", "small vgg", "vgg16")
L1 = {"vgg16": 2e-5, "small vgg": 1e-4}
RATE = 0.003  # the listing's
BATCH = {"vgg16": 512, "small vgg": 128}
WORKERS = {"vgg16": 4, "small vgg": 2}
OPTIMISERS = {"SGD": torch.optim.SGD, "RMSprop": torch.optim.RMSprop, "Adam": torch.optim.Adam}
UPDATES = 3  # a turn
UPDATE, TARGETS, ON_ACCELERATOR = 0.25, {"vgg16": 1.15, "small vgg": 2.0}, 10.0
# Steps follow one another, and what rounding does to one loss grows in the next ones: VGG16 from weights that
# are off by one rounding (1e-7) has losses off by 2e-5 at its fifth step and by 3e-3 at its twelfth. So the
# first steps decide whether both sides compute the same.
FIRST, TOLERANCE = 5, 1e-4


def images(count: int) -> Images:
    """The first ``count`` training images and a fifth as many test images; random ones without CIFAR-10."""
    beside = Path(__file__).parents[2] / "shared" / "data" / "cifar10"
    folder = Path(os.environ.get("NONSMOOTH_CIFAR10", beside))
    tests = count // 5
    if folder.is_dir():
        all = read_images(folder)
        parts = (all.train[:count], all.train_labels[:count], all.test[:tests], all.test_labels[:tests])
        return Images(all.name, *parts, all.classes, all.source, all.note)
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (count + tests, 3, 32, 32), dtype=np.uint8)
    y = random.integers(0, 10, count + tests)
    names = tuple(map(str, range(10)))
    return Images("random", x[:count], y[:count], x[count:], y[count:], names, "random numbers", "")


def network(name: str, device: str) -> nn.Module:
    model = vgg16(dropout=0.0, size=32) if name == "vgg16" else vgg(11)
    initialise(model, "he", "relu", seed=0)
    return model.to(device)


class PerItem(torch.utils.data.Dataset):
    """torchvision's CIFAR10 with ToTensor and Normalize(0.5, 0.5): one image at a time."""

    def __init__(self, x: np.ndarray, labels: np.ndarray) -> None:
        self.data, self.targets = np.ascontiguousarray(x.transpose(0, 2, 3, 1)), labels.tolist()

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, k: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.data[k])
        # ToTensor
        x = torch.from_numpy(np.array(picture, np.uint8, copy=True))
        x = x.view(picture.size[1], picture.size[0], 3).permute((2, 0, 1)).contiguous()
        x = x.to(dtype=torch.float32).div(255)
        # Normalize
        x = x.clone()
        mean, deviation = torch.as_tensor((0.5, 0.5, 0.5)), torch.as_tensor((0.5, 0.5, 0.5))
        if (deviation == 0).any():
            raise ValueError("deviation 0")
        return x.sub_(mean.view(-1, 1, 1)).div_(deviation.view(-1, 1, 1)), self.targets[k]


class ListingEpochs:
    """The listing's train() and compute_validation_loss()."""

    def __init__(self, name: str, device: str, count: int, **options: Any) -> None:
        data = images(count)
        self.device, self.strength, self.model = device, L1[name], network(name, device)
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=RATE)
        loader = torch.utils.data.DataLoader
        train_set, test_set = PerItem(data.train, data.train_labels), PerItem(data.test, data.test_labels)
        self.train_loader = loader(train_set, BATCH[name], shuffle=False, num_workers=WORKERS[name])
        self.test_loader = loader(test_set, batch_size=128, shuffle=False, num_workers=2)

    def turn(self) -> dict[str, Any]:
        begin, losses = time.perf_counter(), []
        model, device = self.model, self.device
        for inputs, labels in self.train_loader:
            inputs, labels = inputs.to(device), labels.to(device)
            loss_ce = self.criterion(model(inputs), labels)
            l1_penalty = 0
            for param in model.parameters():
                l1_penalty += torch.abs(param).sum()
            loss = loss_ce + self.strength * l1_penalty
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            loss.item()  # the listing adds it up
            losses.append(loss_ce.detach())
        taken = time.perf_counter() - begin
        with torch.no_grad():
            for inputs, labels in self.test_loader:
                inputs, labels = inputs.to(device), labels.to(device)
                self.criterion(model(inputs), labels).item()
        seconds = time.perf_counter() - begin
        return {"seconds": seconds, "training": taken, "losses": [each.item() for each in losses]}


class OurEpochs:
    """An epoch of ``train`` a turn."""

    def __init__(self, name: str, device: str, count: int, **options: Any) -> None:
        self.data = Resident.of(images(count), device=device, normalise="half")
        self.model = network(name, device)
        if device != "cpu":
            self.model = self.model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=RATE, fused=True)
        self.recipe = Recipe(1, BATCH[name], shuffle=False, l1=L1[name], **options)

    def turn(self) -> dict[str, Any]:
        begin = time.perf_counter()
        result = train(self.model, self.data, self.optimizer, self.recipe)
        seconds, losses = time.perf_counter() - begin, result.step_losses
        return {"seconds": seconds, "training": result.history[0]["seconds"], "losses": losses}


class Updates:
    """Penalty and step on VGG16's parameters; the gradients of the data are at hand."""

    def __init__(self, name: str, device: str, count: int, *, ours: bool) -> None:
        self.kind, self.ours, self.device = name, ours, device
        model = network("vgg16", device)
        self.parameters = list(model.parameters())
        for p in self.parameters:
            p.grad = torch.full_like(p, 1e-3)
        options = {"fused": True} if ours and name != "RMSprop" else {}
        self.optimizer = OPTIMISERS[name](self.parameters, lr=1e-6, **options)
        if ours and name == "RMSprop":
            self.optimizer = OPTIMISERS[name](self.parameters, lr=1e-6, foreach=True)
            self.optimizer.step = torch.compile(self.optimizer.step)

    def _step(self) -> None:
        if self.ours:
            add_l1_(self.parameters, L1["vgg16"])
        else:
            l1_penalty = 0
            for param in self.parameters:
                l1_penalty += torch.abs(param).sum()
            (L1["vgg16"] * l1_penalty).backward()
        self.optimizer.step()

    def turn(self) -> dict[str, Any]:
        seconds = []
        with freed_memory_kept() if self.ours and self.device == "cpu" else contextlib.nullcontext():
            self._step()  # the first one hands out the memory
            for _ in range(UPDATES):
                _wait(self.device)
                begin = time.perf_counter()
                self._step()
                _wait(self.device)
                seconds.append(time.perf_counter() - begin)
        norm = sum(p.detach().abs().sum(dtype=torch.float64).item() for p in self.parameters)
        return {"seconds": statistics.median(seconds), "losses": [norm]}


def _wait(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize()


def _side(pipe: Connection, threads: int) -> None:
    """A process that does what it is told: make a piece of work, take a turn of it, drop it."""
    torch.set_num_threads(threads)
    warnings.filterwarnings("ignore", message="This DataLoader will create")  # the listing's 4 on fewer CPUs
    work: Any = None
    while True:
        order, *arguments = pipe.recv()
        if order == "make":
            kind, *rest, options = arguments
            work = globals()[kind](*rest, **options)
        elif order == "drop":
            work = None
            gc.collect()
        elif order == "leave":
            return
        pipe.send(work.turn() if order == "turn" else None)


@contextlib.contextmanager
def sides(threads: int) -> Iterator[Callable[..., Any]]:
    """A function that tells one of the two processes what to do, and waits for its answer."""
    context = multiprocessing.get_context("spawn")
    pipes: dict[str, Connection] = {}
    processes = []
    for name in ("listing", "ours"):
        pipes[name], far = context.Pipe()
        processes.append(context.Process(target=_side, args=(far, threads)))
        processes[-1].start()
        far.close()

    def tell(name: str, *order: Any) -> Any:
        pipes[name].send(order)
        return pipes[name].recv()

    try:
        yield tell
    finally:
        for pipe in pipes.values():
            with contextlib.suppress(OSError):
                pipe.send(("leave",))
        for process in processes:
            process.join()


def _in_turns(tell: Callable[..., Any], makes: dict[str, tuple], turns: int) -> dict[str, list[dict]]:
    """Make both pieces of work, one turn each to warm up, then the turns that count."""
    found: dict[str, list[dict]] = {name: [] for name in makes}
    for name, make in makes.items():
        tell(name, "make", *make)
    for _ in range(1 + turns):
        for name in makes:
            found[name].append(tell(name, "turn"))
    for name in makes:
        tell(name, "drop")
    return found


def _difference(found: dict[str, list[dict]], steps: int | None = None) -> float:
    """The largest relative difference of two sides' losses: of the first steps, or of all."""
    one, other = (
        np.array([turn["losses"] for turn in found[name]]).ravel()[:steps] for name in ("listing", "ours")
    )
    return float(np.max(np.abs(one - other) / np.abs(one)))


def _ratios(found: dict[str, list[dict]]) -> list[float]:
    pairs = zip(found["listing"][1:], found["ours"][1:], strict=True)
    return sorted(one["seconds"] / other["seconds"] for one, other in pairs)


def _median(turns: list[dict], what: str) -> float:
    return statistics.median(turn[what] for turn in turns[1:])


def peak(device: str, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large matrix product, the best of a few."""
    size = 2048 if device == "cpu" else 8192
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = float("inf")
    for _ in range(12):
        _wait(device)
        begin = time.perf_counter()
        a @ b
        _wait(device)
        best = min(best, time.perf_counter() - begin)
    return 2 * size**3 / best


def work_of(name: str) -> float:
    """Floating-point operations of forward and backward, an image."""
    model = network(name, "cpu")
    x = torch.randn(4, 3, 32, 32)
    with FlopCounterMode(display=False) as counter:
        model(x).sum().backward()
    return counter.get_total_flops() / 4


def _verdict(what: str, value: float, target: float, *, least: bool) -> bool:
    good = value >= target if least else value <= target
    bound, missed = "least" if least else "most", "" if good else "   MISSED"
    print(f"    {what}: {value:.3g}, target at {bound} {target:g}{missed}")
    return good


def _updates(tell: Callable[..., Any], device: str, turns: int, rows: list[dict]) -> bool:
    good = True
    print("\npenalty and update alone, VGG16")
    for name in OPTIMISERS:
        makes = {side: ("Updates", name, device, 0, {"ours": side == "ours"}) for side in ("listing", "ours")}
        found = _in_turns(tell, makes, turns)
        listing, ours = (1e3 * _median(found[side], "seconds") for side in ("listing", "ours"))
        share, off = 1 / statistics.median(_ratios(found)), _difference(found)
        print(f"  {name:8} listing {listing:8.1f} ms, ours {ours:8.1f} ms; norms differ by {off:.1e}")
        good &= _verdict("share of the listing's time", share, UPDATE, least=False) and off < TOLERANCE
        rows.append({"work": "update", "optimiser": name, "listing": listing / 1e3, "ours": ours / 1e3,
                     "share": share, "difference": off})  # fmt: skip
    return good


def _epochs(
    tell: Callable[..., Any], name: str, device: str, count: int, turns: int, rows: list[dict], compiled: bool
) -> bool:
    listing, fast = ("ListingEpochs", name, device, count, {}), device != "cpu"
    options = {"compile": compiled}
    found = _in_turns(tell, {"listing": listing, "ours": ("OurEpochs", name, device, count, options)}, turns)
    off, later = _difference(found, FIRST), _difference(found)
    if fast:
        options = {"compile": True, "precision": "bfloat16"}
        makes = {"listing": listing, "ours": ("OurEpochs", name, device, count, options)}
        found = _in_turns(tell, makes, turns)
    ratios = _ratios(found)
    middle = statistics.median(ratios)
    print(f"\n{name}: {count:,} of 50,000 images an epoch, {count // 5:,} in its validation, {options}")
    row: dict[str, Any] = {"work": name, "images": count, "ratio": middle, "difference": off, **options}
    for side in ("listing", "ours"):
        dtype = torch.bfloat16 if fast and side == "ours" else torch.float32
        speed = count / _median(found[side], "training")
        share = speed * work_of(name) / peak(device, dtype)
        seconds = _median(found[side], "seconds")
        print(f"  {side:8} {seconds:8.2f} s, {speed:8.0f} images a second in training, {share:4.0%} of peak")
        row[side] = {"seconds": seconds, "images_per_second": speed, "share_of_peak": share}
    rows.append(row)
    steps = (1 + turns) * -(-count // BATCH[name])
    print(f"  losses of {steps} steps differ by {later:.1e} of themselves at most")
    target = ON_ACCELERATOR if fast else TARGETS[name]
    good = _verdict(f"times as fast ({ratios[0]:.2f} to {ratios[-1]:.2f})", middle, target, least=True)
    return _verdict(f"difference of the first {FIRST} losses", off, TOLERANCE, least=False) and good


@click.command()
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Measure this part; can be repeated.")
@click.option("--fraction", default=0.1, show_default=True, help="Of the small VGG's epoch, at most 1.")
@click.option("--vgg16-fraction", default=0.05, show_default=True, help="Of VGG16's epoch.")
@click.option("--turns", default=5, show_default=True, help="That count; one more warms up.")
@click.option(
    "--compile", is_flag=True, help="Compile ours on the CPU too; the turn that warms up pays for it."
)
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the figures to this file.")
def main(
    device: str,
    only: tuple[str, ...],
    fraction: float,
    vgg16_fraction: float,
    turns: int,
    compile: bool,
    file: Path | None,
) -> None:
    """The paper's listing against nonsmooth.training, in turns."""
    threads, made, rows = torch.get_num_threads(), environment(), []
    where = torch.cuda.get_device_name() if device == "cuda" else f"{made['processor']}, {threads} threads"
    print(f"{where}, torch {torch.__version__}, {images(10).name}, medians of {turns} turns")
    print(f"peak: {peak(device, torch.float32) / 1e9:.0f} GFLOP/s in float32")
    good = []
    with sides(threads) as tell:
        for part in only or PARTS:
            if part == "update":
                good.append(_updates(tell, device, turns, rows))
            else:
                share, batch = vgg16_fraction if part == "vgg16" else fraction, BATCH[part]
                count = max(2 * batch, round(50_000 * share / batch) * batch) if share < 1 else 50_000
                good.append(_epochs(tell, part, device, count, turns, rows, compile))
    if file is not None:
        file.write_text(json.dumps({"environment": made, "device": where, "rows": rows}, indent=1))
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
