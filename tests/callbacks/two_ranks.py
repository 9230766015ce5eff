"""One process of a training on two ranks: ``torchrun two_ranks.py FRAMEWORK KIND FOLDER``.

FRAMEWORK is a loop by hand, Lightning or the Hugging Face Trainer; KIND "good" trains and then has a setting
refused, "sink fails" has the first rank's sink raise in the middle, and goes on.
Each rank writes to FOLDER what it saw.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

import nonsmooth as ns
from nonsmooth.callbacks import CsvSink, LightningMonitor, Monitor, TensorBoardSink, TrainerMonitor

RANK = int(os.environ.get("RANK", os.environ.get("LOCAL_RANK", "0")))
STEPS = 8


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))

    def forward(self, x, labels=None):
        logits = self.layers(x)
        loss = None if labels is None else nn.functional.cross_entropy(logits, labels)
        return {"loss": loss, "logits": logits}


class Broken:
    """A sink on a full disk, on the rank that writes."""

    def write(self, row) -> None:
        if row["step"] == 3:
            raise OSError(28, "no space left on this device")

    def close(self) -> None:
        pass


def examples(n: int = 8 * 2 * STEPS):
    stream = torch.Generator().manual_seed(1)
    x = torch.randn(n, 6, generator=stream)
    return [{"x": row, "labels": row[:3].argmax()} for row in x]


def batch(rows):
    return {name: torch.stack([row[name] for row in rows]) for name in ("x", "labels")}


PROBE = batch(examples())["x"][:8]


def settings(folder: Path, kind: str):
    sinks = [Broken()] if kind == "sink fails" else []
    if kind == "good":
        sinks = [CsvSink(folder / "rows.csv"), TensorBoardSink(folder / "events")]
    return {
        "probe": {"x": PROBE}, "loss_fn": lambda model, each: model(**each)["loss"],
        "batches": [batch(examples()[:16])], "sharpness_every": 2, "penalty": ns.select_weights,
        "sinks": sinks,
    }  # fmt: skip


def by_hand(folder: Path, kind: str):
    """Every rank has a monitor of the wrapped model; then one with layers that wait for each other."""
    dist.init_process_group("gloo")
    model = nn.parallel.DistributedDataParallel(Network())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    data = examples()[RANK :: dist.get_world_size()]
    given = settings(folder, kind)
    if RANK == 1:  # one of them measures more than the other, which has to do without a word from it
        given |= {"sharpness_every": 1}
    refused = ""
    with Monitor(model, optimizer, **given) as monitor:
        for k in range(STEPS):
            optimizer.zero_grad()
            model(**batch(data[8 * k : 8 * k + 8]))["loss"].backward()
            optimizer.step()
            monitor.after_step()
    waiting = nn.Sequential(nn.Linear(6, 4), nn.SyncBatchNorm(4))
    try:
        Monitor(waiting, torch.optim.SGD(waiting.parameters(), lr=0.1), probe=PROBE)
    except ns.InputError as error:
        refused = str(error)
    later = Monitor(waiting.eval(), torch.optim.SGD(waiting.parameters(), lr=0.1), probe=PROBE)
    waiting.train()
    if RANK == 1:  # alone: it would wait for the other for ever
        (folder / "later.json").write_text(json.dumps([later.after_step() or {}]))
    return monitor.rows, refused, model


def with_lightning(folder: Path, kind: str):
    import lightning

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = Network()

        def training_step(self, rows, _):
            return self.model(**rows)["loss"]

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    def fit(watch, module):
        lightning.Trainer(
            max_epochs=1, accelerator="cpu", devices=2, strategy="ddp", logger=False,
            enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
            default_root_dir=folder, callbacks=[watch],
        ).fit(module, torch.utils.data.DataLoader(examples(), 8, collate_fn=batch))  # fmt: skip

    return framework(fit, Module, lambda given: LightningMonitor(part="model", **given), folder, kind)


def with_trainer(folder: Path, kind: str):
    from transformers import Trainer, TrainingArguments

    def train(watch, model):
        arguments = TrainingArguments(
            output_dir=str(folder), num_train_epochs=1, per_device_train_batch_size=8, use_cpu=True,
            report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True, ddp_backend="gloo",
        )  # fmt: skip
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
        Trainer(
            model, arguments, train_dataset=examples(), callbacks=[watch], optimizers=(optimizer, schedule)
        ).train()

    return framework(train, Network, lambda given: TrainerMonitor(**given), folder, kind)


def framework(train, make, watch_with, folder: Path, kind: str):
    model, watch = make(), watch_with(settings(folder, kind))
    train(watch, model)
    refused = ""
    try:
        train(watch_with({"probe": torch.ones(2, 5)}), make())
    except ns.InputError as error:
        refused = str(error)
    return watch.rows, refused, model


if __name__ == "__main__":
    how, kind, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    rows, refused, model = {"by hand": by_hand, "Lightning": with_lightning, "Trainer": with_trainer}[how](
        folder, kind
    )
    weights = torch.cat([p.detach().flatten() for p in model.parameters()]).tolist()
    said = {"rows": rows, "refused": refused, "weights": weights}
    (folder / f"rank {RANK}.json").write_text(json.dumps(said))
    if dist.is_initialized():
        dist.destroy_process_group()
