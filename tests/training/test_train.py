"""The loop against one written out, and what it refuses."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.errors import InputError
from nonsmooth.training import Recipe, Resident, train
from training.toys import same, toy_data, toy_network, weights_of

CROSS_ENTROPY = nn.functional.cross_entropy


def _written_out(model: nn.Module, data: Resident, optimizer: Any, recipe: Recipe) -> list[float]:
    """Batches in the order of the data, the penalty in the graph: the loop of the paper's listing."""
    losses = []
    for _ in range(recipe.epochs):
        for x, y in zip(
            data.train.split(recipe.batch or len(data.train)),
            data.train_labels.split(recipe.batch or len(data.train)),
            strict=True,
        ):
            optimizer.zero_grad()
            loss = CROSS_ENTROPY(model(x), y)
            losses.append(loss.item())
            penalty = sum(torch.abs(p).sum() for p in model.parameters())
            (loss + recipe.l1 * penalty).backward()
            optimizer.step()
    return losses


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.05),
        lambda p: torch.optim.SGD(p, lr=0.02, momentum=0.9, nesterov=True),
        lambda p: torch.optim.Adam(p, lr=1e-2),
        lambda p: torch.optim.Adam(p, lr=1e-2, fused=True),
        lambda p: torch.optim.RMSprop(p, lr=1e-3),
        lambda p: torch.optim.Adagrad(p, lr=1e-2),
    ],
)
def test_equals_the_loop_written_out(make: Any) -> None:
    """In float64, so that a difference of rounding stays one."""
    data = toy_data(100, dtype=torch.float64)
    recipe = Recipe(epochs=3, batch=16, shuffle=False, l1=1e-3, precision="float64")
    ours, theirs = toy_network().double(), toy_network().double()
    result = train(ours, data, make(ours.parameters()), recipe)
    losses = _written_out(theirs, data, make(theirs.parameters()), recipe)
    assert len(result.step_losses) == 21  # 6 of 16 and one of 4, three times
    assert result.step_losses == pytest.approx(losses, rel=1e-9)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)
    assert result.history[-1]["loss"] == pytest.approx(sum(losses[-7:]) / 7, rel=1e-9)


def test_the_rows_say_what_is_so() -> None:
    data, model = toy_data(), toy_network()
    rows: list[dict[str, Any]] = []
    result = train(
        model,
        data,
        torch.optim.SGD(model.parameters(), lr=0.2),
        Recipe(epochs=12, batch=16, evaluate_every=5),
        on_epoch=rows.append,
    )
    assert rows == result.history
    assert [row["epoch"] for row in rows] == list(range(1, 13))
    assert [row["steps"] for row in rows] == list(range(6, 78, 6))
    assert [row["epoch"] for row in rows if row["test_loss"] is not None] == [5, 10, 12]
    last = rows[-1]
    assert last["accuracy"] > 0.8
    with torch.no_grad():
        outputs = model(data.test)
    assert last["test_loss"] == pytest.approx(CROSS_ENTROPY(outputs, data.test_labels).item(), rel=1e-5)
    assert last["test_accuracy"] == (outputs.argmax(1) == data.test_labels).double().mean().item()
    norm = sum(p.abs().sum().item() for p in model.parameters())
    assert last["l1_norm"] == pytest.approx(norm, rel=1e-5)
    assert result.images_per_second is not None
    assert result.images_per_second > 0
    assert result.peak_memory is not None
    assert result.peak_memory > 2**20
    assert not result.diverged
    assert result.seconds > sum(row["seconds"] for row in rows)


def test_the_order_is_new_every_epoch_and_the_seeds() -> None:
    data = toy_data()

    def losses(seed: int, **options: Any) -> list[float]:
        model = toy_network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.0)  # the losses then tell the batches
        return train(model, data, optimizer, Recipe(epochs=2, batch=16, seed=seed, **options)).step_losses

    first = losses(0)
    assert first == losses(0)
    assert first[:6] != first[6:]
    assert first != losses(1)
    assert math.fsum(first[:6]) == pytest.approx(math.fsum(first[6:]), rel=1e-6)  # all images, each once
    still = losses(0, shuffle=False)
    assert still[:6] == still[6:] == losses(1, shuffle=False)[:6]
    moved = losses(0, shuffle=False, augment=True)
    assert moved[:6] != moved[6:]
    assert moved != losses(1, shuffle=False, augment=True)


@pytest.mark.parametrize("chunk", [7, 32, 96, 1000])
def test_full_batch_whatever_the_chunk(chunk: int) -> None:
    data = toy_data(dtype=torch.float64)
    recipe = Recipe(epochs=5, batch=None, chunk=chunk, l1=1e-3, precision="float64")
    ours, theirs = toy_network().double(), toy_network().double()
    result = train(ours, data, torch.optim.SGD(ours.parameters(), lr=0.2), recipe)
    losses = _written_out(theirs, data, torch.optim.SGD(theirs.parameters(), lr=0.2), recipe)
    assert result.step_losses == pytest.approx(losses, rel=1e-12)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)


def test_drop_last_leaves_out_the_smaller_batch() -> None:
    data, model = toy_data(100), toy_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert len(train(model, data, optimizer, Recipe(epochs=1, batch=16, drop_last=True)).step_losses) == 6


def test_the_penalty_attached_gives_zeros_and_in_the_loss_does_not() -> None:
    data = toy_data()
    zeros = {}
    for how in ("attached", "in the loss", "ProxAdam"):
        model = toy_network()
        strength, optimizer = 0.0, torch.optim.Adam(model.parameters(), lr=1e-2)
        if how == "attached":
            ns.attach(optimizer, ns.L1(0.02), params=model)
        elif how == "ProxAdam":
            optimizer = ns.ProxAdam(model.parameters(), lr=1e-2, penalty=ns.L1(0.02))
        else:
            strength = 0.02
        train(model, data, optimizer, Recipe(epochs=40, batch=32, l1=strength, l1_on="weights"))
        zeros[how] = int((model[0].weight == 0).sum() + (model[6].weight == 0).sum())
    assert zeros["in the loss"] == 0
    assert zeros["attached"] > 100
    assert zeros["ProxAdam"] > 100


def test_it_stops_at_the_loss_asked_for() -> None:
    data, model = toy_data(), toy_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    result = train(model, data, optimizer, Recipe(epochs=500, batch=16, stop_loss=0.5))
    losses = [row["loss"] for row in result.history]
    assert losses[-1] <= 0.5 < min(losses[:-1])
    assert len(losses) < 500
    assert not result.diverged


def test_a_diverged_run_ends_with_its_epoch() -> None:
    data, model = toy_data(), toy_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e20)
    result = train(model, data, optimizer, Recipe(epochs=50, batch=16))
    assert result.diverged
    assert len(result.history) < 50
    assert any(not math.isfinite(each) for each in result.step_losses[-6:])
    assert result.history[-1]["steps"] == len(result.step_losses)


def test_weights_lost_in_the_last_step_count_as_diverged() -> None:
    data, model = toy_data(16), toy_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=float(torch.finfo(torch.float32).max))
    result = train(model, data, optimizer, Recipe(epochs=1, batch=16, l1=10.0))
    assert math.isfinite(result.step_losses[0])
    assert result.diverged


def test_the_schedule_steps_once_an_epoch() -> None:
    data, model = toy_data(), toy_network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5)
    rates: list[float] = []
    train(
        model,
        data,
        optimizer,
        Recipe(epochs=3, batch=16),
        scheduler=schedule,
        on_epoch=lambda row: rates.append(optimizer.param_groups[0]["lr"]),
    )
    assert rates == [0.05, 0.025, 0.0125]
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.1, patience=0, threshold=1e9)
    train(model, data, optimizer, Recipe(epochs=3, batch=16), scheduler=plateau)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.0125e-3)  # no loss is better by that much


def test_dropout_is_the_seeds_and_torchs_own_stream_goes_on() -> None:
    data = toy_data()
    ends = []
    for before in (1, 2):
        torch.manual_seed(before)
        state = torch.get_rng_state()
        model = toy_network(dropout=0.5)
        train(model, data, torch.optim.SGD(model.parameters(), lr=0.1), Recipe(epochs=2, batch=16))
        assert torch.equal(torch.get_rng_state(), state)
        ends.append(weights_of(model))
    assert same(*ends)
    model = toy_network(dropout=0.5)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    train(model, data, optimizer, Recipe(epochs=2, batch=16, mode="eval"))
    assert not same(ends[0], weights_of(model))


def test_the_mode_while_training_and_after() -> None:
    data = toy_data()
    for mode in ("train", "eval"):
        model = toy_network(batch_norm=True)
        model.eval()
        model[5].train()
        before = [module.training for module in model.modules()]
        running = model[1].running_mean.clone()
        train(model, data, torch.optim.SGD(model.parameters(), lr=0.1), Recipe(epochs=1, mode=mode))
        assert [module.training for module in model.modules()] == before
        assert torch.equal(model[1].running_mean, running) == (mode == "eval")


def test_frozen_parameters_stay() -> None:
    data, model = toy_data(), toy_network()
    model[0].requires_grad_(False)
    before = model[0].weight.detach().clone()
    train(model, data, torch.optim.SGD(model.parameters(), lr=0.1), Recipe(epochs=2, l1=0.1))
    assert torch.equal(model[0].weight, before)


def test_bfloat16_keeps_float32_weights_and_learns() -> None:
    data, model = toy_data(), toy_network()
    result = train(
        model,
        data,
        torch.optim.SGD(model.parameters(), lr=0.2),
        Recipe(epochs=12, batch=16, precision="bfloat16"),
    )
    assert all(p.dtype == torch.float32 for p in model.parameters())
    assert result.history[-1]["accuracy"] > 0.8
    exact = toy_network()
    other = train(exact, data, torch.optim.SGD(exact.parameters(), lr=0.2), Recipe(epochs=12, batch=16))
    assert other.step_losses != result.step_losses
    assert other.step_losses[:3] == pytest.approx(result.step_losses[:3], rel=0.02)


@pytest.mark.slow
def test_compiled_equals_eager() -> None:
    data = toy_data(100)
    losses = []
    for compiled in (False, True):
        model = toy_network()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the compiler's own imports
            result = train(model, data, optimizer, Recipe(epochs=3, batch=16, l1=1e-3, compile=compiled))
        losses.append(result.step_losses)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_no_epoch_at_all() -> None:
    data, model = toy_data(), toy_network()
    before = weights_of(model)
    result = train(model, data, torch.optim.SGD(model.parameters(), lr=0.1), Recipe(epochs=0))
    assert result.history == [] == result.step_losses
    assert result.images_per_second is None
    assert same(before, weights_of(model))


def test_without_test_images_nothing_is_evaluated() -> None:
    data, model = toy_data(96, 0), toy_network()
    result = train(model, data, torch.optim.SGD(model.parameters(), lr=0.1), Recipe(epochs=1))
    assert result.history[0]["test_loss"] is None


def _sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


@pytest.mark.parametrize(
    ("make", "recipe", "words"),
    [
        (lambda m: torch.optim.LBFGS(m.parameters()), Recipe(1), "LBFGS evaluates the loss several times"),
        (lambda m: _sgd(toy_network(1)), Recipe(1), "no trainable parameter of this model"),
        (_sgd, Recipe(1, precision="float64"), "convert the model before making its optimiser"),
        (_sgd, Recipe(1, batch=200, drop_last=True), "leaves no step of 96 images"),
    ],
)
def test_what_does_not_go_together_is_refused(make: Any, recipe: Recipe, words: str) -> None:
    model = toy_network()
    with pytest.raises(InputError, match=words):
        train(model, toy_data(), make(model), recipe)


def test_full_batch_in_chunks_is_refused_with_batch_statistics() -> None:
    data, model = toy_data(), toy_network(batch_norm=True)
    optimizer = _sgd(model)
    with pytest.raises(InputError, match="set chunk >= 96"):
        train(model, data, optimizer, Recipe(1, batch=None, chunk=32))
    train(model, data, optimizer, Recipe(1, batch=None, chunk=96))
    train(model, data, optimizer, Recipe(1, batch=None, chunk=32, mode="eval"))


def test_wrong_parts_are_refused() -> None:
    data, model = toy_data(), toy_network()
    optimizer = _sgd(model)
    other = torch.optim.lr_scheduler.StepLR(_sgd(toy_network()), 1)
    with pytest.raises(InputError, match="another optimiser's"):
        train(model, data, optimizer, Recipe(1), scheduler=other)
    with pytest.raises(InputError, match="give a function that returns the mean"):
        train(
            model,
            data,
            optimizer,
            Recipe(1),
            loss=lambda outputs, labels: CROSS_ENTROPY(outputs, labels, reduction="none"),
        )
    with pytest.raises(InputError, match=r"make them with Resident.of\(..., dtype=torch.float32\)"):
        train(model, toy_data(dtype=torch.float64), optimizer, Recipe(1))
    flat = Resident(data.train.flatten(1), data.train_labels, data.test.flatten(1), data.test_labels)
    linear = nn.Linear(128, 3)
    with pytest.raises(InputError, match="augment needs images"):
        train(linear, flat, _sgd(linear), Recipe(1, augment=True))
    assert len(train(linear, flat, _sgd(linear), Recipe(1, batch=16)).step_losses) == 6
    one = nn.Sequential(nn.Linear(128, 1), nn.Flatten(0))
    with pytest.raises(InputError, match=r"must be \(N, classes\)"):
        train(one, flat, _sgd(one), Recipe(1), loss=lambda outputs, labels: outputs.mean())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": 5}, "model is a int; give a Module"),
        ({"data": [1]}, "data is a list; give a Resident"),
        ({"optimizer": "sgd"}, "optimizer is a str; give a Optimizer"),
        ({"recipe": {}}, "recipe is a dict; give a Recipe"),
        ({"loss": 0.5}, "loss is a float; give a function"),
        ({"scheduler": 0.5}, "scheduler is a float; give one of torch's"),
        ({"on_epoch": 1}, "on_epoch is a int; give a function"),
        ({"checkpoint": 1}, "checkpoint is a int; give a path"),
    ],
)
def test_parts_of_another_kind_are_named(changes: dict, words: str) -> None:
    model = toy_network()
    parts: dict = {"model": model, "data": toy_data(), "optimizer": _sgd(model), "recipe": Recipe(1)}
    with pytest.raises(InputError, match=words):
        train(**{**parts, **changes})
