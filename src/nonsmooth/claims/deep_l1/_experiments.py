"""What is run: one optimiser through both strengths, by the listing, cleanly, attached, or on a rounded
|w|."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nonsmooth.claims._claim import Row
from nonsmooth.claims.deep_l1._free import predicted
from nonsmooth.claims.deep_l1._protocols import FAR, THRESHOLD, THRESHOLDS, Protocol, make_optimizer
from nonsmooth.claims.deep_l1._stand_in import data_of, network, seed_of, start_of
from nonsmooth.methods import attach, select_weights
from nonsmooth.penalties import L1
from nonsmooth.runs import RunSpec, scratch
from nonsmooth.training import Recipe, Resident, Training, train

__all__ = ["chain", "rounded"]

_POINTS = 60  # of a curve that are kept
_LISTING_BATCH = 128  # of the listing's test_loader


def chain(spec: RunSpec) -> list[Row]:
    """Every strength of a protocol from the same weights; a row at the end of each of its parts."""
    protocol, seed = Protocol.of(spec["protocol"]), spec.seeds[0]
    data = data_of(spec)
    model = network(spec, data, protocol.classes)
    start, reached = start_of(spec, data, protocol.classes, seed)
    optimizer, legs, rows = None, [], []
    for strength in protocol.order:
        model.load_state_dict(start)
        if optimizer is None or not protocol.carried:
            optimizer = make_optimizer(spec["optimiser"], model.parameters())
            legs = []
        penalised = _penalised(model, protocol)
        starts = torch.cat([p.detach().reshape(-1) for p in penalised])
        before = _data_gradient(model, data, penalised, strength)
        parts = spec["epochs_large" if strength >= 1 else "epochs_small"]
        past: list[Training] = []
        for k, epochs in enumerate(parts):
            recipe = Recipe(
                epochs=epochs,
                batch=spec["batch"],
                seed=seed_of(spec, f"order {k}", seed),
                shuffle=protocol.shuffled,
                l1=strength if protocol.penalty == "loss" else 0.0,
                l1_on=protocol.penalised,
                evaluate_every=0,
            )
            with _acting(protocol, optimizer, model, penalised, strength):
                past.append(train(model, data, optimizer, recipe, checkpoint=_file(protocol, strength, k)))
            steps = sum(len(part.step_losses) for part in past)
            last = k == len(parts) - 1 or past[-1].diverged
            row = {
                "experiment": "leg" if last else "part",
                "protocol": protocol.name,
                "penalty": protocol.penalty,
                "optimiser": spec["optimiser"],
                "strength": strength,
                "seed": seed,
                "steps": steps,
                "width": spec["width"],
                "images": spec["images"],
                "shape": list(data.train.shape),
                "weights": spec["weights"],
                "classes": protocol.classes,
                "start_norm": float(starts.double().abs().sum()),
                "start_largest": float(starts.abs().max()),
                "start_accuracy": reached["accuracy"],
                "start_loss": reached["loss"],
                **_course(past),
                **_sizes(model, penalised),
                "before": before,
                "after": _data_gradient(model, data, penalised, strength),
                **_validation(model, data, seed_of(spec, "validation", seed)),
            }
            if protocol.penalty == "loss":
                so_far = [*legs, (strength, steps)]
                row["free"] = predicted(spec["optimiser"], starts, so_far, spec["free_weights"], seed)
                row["norm_next"] = _one_step_on(model, optimizer, data, recipe)
            rows.append(row)
            if last:
                break
        legs.append((strength, rows[-1]["steps"]))
    return rows


def _file(protocol: Protocol, strength: float, part: int) -> Path | None:
    folder = scratch()
    return None if folder is None else folder / f"{protocol.name}-{strength:g}-{part}.pt"


def _penalised(model: nn.Module, protocol: Protocol) -> list[Tensor]:
    if protocol.penalised == "all":
        return list(model.parameters())
    return [p for _, p in select_weights(model)]


@contextmanager
def _acting(
    protocol: Protocol,
    optimizer: torch.optim.Optimizer,
    model: nn.Module,
    penalised: Sequence[Tensor],
    strength: float,
) -> Iterator[None]:
    """The penalty where it is no L1 term of the loss: attached to the optimiser, or rounded."""
    if protocol.penalty == "attached":
        attachment = attach(optimizer, L1(strength), params=model)
        try:
            yield
        finally:
            attachment.detach()
    elif protocol.penalty.startswith("rounded:"):
        handle = rounded(optimizer, penalised, strength, float(protocol.penalty.partition(":")[2]))
        try:
            yield
        finally:
            handle.remove()
    else:
        yield


def rounded(
    optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor], strength: float, width: float
) -> Any:
    """Add the gradient of strength * h(w) to each step's, where h is |w| rounded over a width.

    h(w) = w^2 / (2 width) for |w| <= width, else |w| - width / 2. Its slope is clip(w / width, -1, 1): the
    penalty is C1,1 with constant strength / width, and a gradient step alpha is below 2 over that if alpha *
    strength < 2 * width.
    """

    def add(*_: Any) -> None:
        with torch.no_grad():
            for p in parameters:
                slope = (p / width).clamp_(-1, 1).mul_(strength)
                p.grad = slope if p.grad is None else p.grad.add_(slope)

    return optimizer.register_step_pre_hook(add)


def _course(past: Sequence[Training]) -> Row:
    """The norm over the steps, and the last epoch's data loss."""
    history, before = [], 0
    for part in past:
        history += [(before + h["steps"], h["l1_norm"]) for h in part.history]
        before += len(part.step_losses)
    kept = history[:: max(1, math.ceil(len(history) / _POINTS))]
    if kept[-1] is not history[-1]:
        kept = [*kept, history[-1]]
    final = past[-1].history[-1]
    return {
        "curve_steps": [steps for steps, _ in kept],
        "curve_norms": [norm for _, norm in kept],
        "loss": final["loss"],
        "accuracy": final["accuracy"],
        "diverged": past[-1].diverged,
    }


@torch.no_grad()
def _sizes(model: nn.Module, penalised: Sequence[Tensor]) -> Row:
    """L1 norm, and shares below 1e-5 and at 0: of all parameters, as the listing has it, and of those
    penalised."""
    rows = {}
    for suffix, some in (("", list(model.parameters())), ("_penalised", penalised)):
        flat = torch.cat([p.reshape(-1) for p in some]).abs()
        rows |= {
            f"size{suffix}": flat.numel(),
            f"norm{suffix}": float(flat.double().sum()),
            f"share{suffix}": float((flat < THRESHOLD).double().mean()),
            f"zero{suffix}": float((flat == 0).double().mean()),
            f"shares{suffix}": [float((flat < t).double().mean()) for t in THRESHOLDS],
            f"norm_far{suffix}": float(flat[flat > FAR].double().sum()),
        }
    return rows


def _data_gradient(model: nn.Module, data: Resident, penalised: Sequence[Tensor], strength: float) -> Row:
    """How many penalised weights the data do not pull at all, and less than a hundredth of the penalty's
    pull."""
    model.eval()
    totals = [torch.zeros_like(p) for p in penalised]
    for x, labels in zip(data.train.split(512), data.train_labels.split(512), strict=True):
        loss = functional.cross_entropy(model(x), labels, reduction="sum") / len(data.train)
        for total, part in zip(totals, torch.autograd.grad(loss, list(penalised)), strict=True):
            total += part
    model.train()
    size = torch.cat([total.reshape(-1) for total in totals]).abs()
    return {
        "silent": float((size == 0).double().mean()),
        "weak": float((size < strength / 100).double().mean()),
        "median": float(size.median()) / strength,
    }


@torch.no_grad()
def _validation(model: nn.Module, data: Resident, seed: int) -> Row:
    """The test loss an image, dropout off and on, and what the listing prints: with dropout, over a wrong
    divisor."""
    x, labels = data.test.split(_LISTING_BATCH), data.test_labels.split(_LISTING_BATCH)
    devices = [data.device] if data.device.type == "cuda" else []
    means, right = {}, {}
    for name in ("off", "on"):
        model.train(name == "on")
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            outputs = [model(some) for some in x]
        pairs = list(zip(outputs, labels, strict=True))
        means[name] = [float(functional.cross_entropy(o, y)) for o, y in pairs]
        right[name] = sum(int((o.argmax(1) == y).sum()) for o, y in pairs)
    model.train()
    n = len(data.test)
    weighted = {
        name: sum(mean * len(y) for mean, y in zip(each, labels, strict=True)) / n
        for name, each in means.items()
    }
    return {
        "test_loss": weighted["off"],
        "test_loss_dropout": weighted["on"],
        "test_loss_listed": sum(means["on"]) / n,
        "test_accuracy": right["off"] / n,
    }


def _one_step_on(model: nn.Module, optimizer: torch.optim.Optimizer, data: Resident, recipe: Recipe) -> float:
    """The penalised norm one step later, on copies: the listing records the one before an epoch's last
    step."""
    twin, other = copy.deepcopy((model, optimizer))
    first = Resident(
        data.train[: recipe.batch], data.train_labels[: recipe.batch], data.test[:0], data.test_labels[:0]
    )
    one = Recipe(epochs=1, batch=recipe.batch, seed=recipe.seed, l1=recipe.l1, l1_on=recipe.l1_on)
    return train(twin, first, other, one).history[-1]["l1_norm"]
