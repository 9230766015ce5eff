"""The monitor in the Hugging Face Trainer's own loop."""

import sys
import warnings

import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.callbacks import CsvSink, Monitor, TrainerMonitor


class _Model(nn.Module):
    def __init__(self, drop: float = 0.2) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Dropout(drop), nn.Linear(12, 3))

    def forward(self, x, labels=None):
        logits = self.model(x)
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return {"loss": loss, "logits": logits}


def _examples(n: int = 64):
    stream = torch.Generator().manual_seed(1)
    x, y = torch.randn(n, 6, generator=stream), torch.randint(0, 3, (n,), generator=stream)
    return [{"x": a, "labels": b} for a, b in zip(x, y, strict=True)]


def _batch(n: int):
    rows = _examples(64)[:n]
    return {name: torch.stack([row[name] for row in rows]) for name in ("x", "labels")}


_SETTINGS = {
    "probe": {"x": _batch(8)["x"]}, "loss_fn": lambda model, batch: model(**batch)["loss"],
    "batches": [_batch(16)], "every": 2, "sharpness_every": 4, "penalty": ns.select_weights,
}  # fmt: skip


def _optimiser(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    ns.attach(optimizer, ns.L1(0.02), params=model)
    return optimizer, torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)


@pytest.fixture
def train(tmp_path, monkeypatch):
    """A function: trains with the Trainer; the model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import Trainer, TrainingArguments, trainer

        # The folder tests/datasets is on the path of the tests, and would be taken for the library.
        monkeypatch.setattr(trainer, "is_datasets_available", lambda: False)

        def trained(callbacks, *, own=True, resume=None, drop=0.2, **options):
            arguments = TrainingArguments(**({
                "output_dir": str(tmp_path), "num_train_epochs": 3, "per_device_train_batch_size": 8,
                "use_cpu": True, "report_to": [], "save_strategy": "no", "logging_strategy": "no",
                "disable_tqdm": True, "max_grad_norm": 0.0, "train_sampling_strategy": "sequential",
            } | options))  # fmt: skip
            model = _Model(drop)
            torch.manual_seed(3)
            Trainer(
                model, arguments, train_dataset=_examples(), callbacks=callbacks,
                optimizers=_optimiser(model) if own else (None, None),
            ).train(resume_from_checkpoint=resume)  # fmt: skip
            return model

        yield trained


def _by_hand(accumulate: int):
    model = _Model(drop=0.0)
    optimizer, schedule = _optimiser(model)
    monitor = Monitor(model, optimizer, **_SETTINGS)
    batch = _batch(64)
    for _ in range(3):
        for k in range(8):
            part = {name: value[8 * k : 8 * k + 8] for name, value in batch.items()}
            (model(**part)["loss"] / accumulate).backward()
            if (k + 1) % accumulate == 0:
                optimizer.step()
                monitor.after_step()
                schedule.step()
                optimizer.zero_grad()
    return monitor.rows


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
def test_rows_are_those_of_optimiser_steps(train, tmp_path, accumulate):
    watch = TrainerMonitor(sinks=[CsvSink(tmp_path / "rows.csv")], **_SETTINGS)
    assert watch.rows == []
    model = train([watch], gradient_accumulation_steps=accumulate)
    assert [row["step"] for row in watch.rows] == list(range(2, 24 // accumulate + 1, 2))
    assert [row["lr_0"] for row in watch.rows] == pytest.approx(
        [0.2 * 0.9 ** (row["step"] - 1) for row in watch.rows]  # of the step taken, not of the next
    )
    assert sum(row["kinks_crossed"] for row in watch.rows) > 0
    last = watch.rows[-1]
    weights = torch.cat([model.model[k].weight.detach().flatten() for k in (0, 3)])
    assert last["zero_share"] == (weights == 0).double().mean() > 0
    assert last["sharpness_over_edge"] == pytest.approx(last["sharpness"] * last["lr_0"] / 2)
    assert (tmp_path / "rows.csv").read_text().count("\n") == len(watch.rows) + 1
    # The same without it, bit for bit.
    alone = train([], gradient_accumulation_steps=accumulate)
    assert all(map(torch.equal, alone.state_dict().values(), model.state_dict().values()))


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
def test_rows_are_those_of_a_loop_by_hand(train, accumulate):
    watch, expected = TrainerMonitor(**_SETTINGS), _by_hand(accumulate)
    train([watch], drop=0.0, gradient_accumulation_steps=accumulate)
    assert expected[-1]["zero_share"] > 0
    for ours, theirs in zip(watch.rows, expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            assert ours[name] == (None if value is None else pytest.approx(value, rel=1e-4)), name


@pytest.mark.slow
def test_its_own_optimiser_and_a_warm_up_from_zero(train):
    """AdamW inside Accelerate's wrapper; the first step's learning rate is 0, so it has no edge."""
    watch = TrainerMonitor(**(_SETTINGS | {"every": 1, "sharpness_every": 1}))
    with pytest.warns(UserWarning, match="not measured at step 1: the step is 0"):
        train([watch], own=False, learning_rate=1e-3, warmup_steps=4, num_train_epochs=1)
    assert [row["lr_0"] for row in watch.rows[:3]] == pytest.approx([0.0, 2.5e-4, 5e-4])
    assert [row["edge"] > 0 for row in watch.rows] == [False] + [True] * 7


@pytest.mark.slow
def test_a_resumed_training_counts_on(train, tmp_path):
    train([], num_train_epochs=1, save_strategy="steps", save_steps=8)
    watch = TrainerMonitor(probe=_SETTINGS["probe"])
    train([watch], num_train_epochs=2, resume=str(tmp_path / "checkpoint-8"))
    assert [row["step"] for row in watch.rows] == list(range(9, 17))


@pytest.mark.slow
def test_what_is_refused(train, monkeypatch):
    with pytest.raises(ns.InputError, match="the model raises"):
        train([TrainerMonitor(probe=torch.ones(2, 5))])
    with pytest.raises(TypeError, match="prob"):
        TrainerMonitor(prob=None)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ns.InputError, match=r"needs the package transformers .*pip install transformers"):
        TrainerMonitor()
