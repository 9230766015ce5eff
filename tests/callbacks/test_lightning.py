"""The monitor in Lightning's own loop: rows of optimiser steps, as by hand, the training untouched."""

import sys
import warnings

import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.callbacks import CsvSink, LightningMonitor, Monitor


def _model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(0.2), nn.Linear(12, 3))


def _data(n: int = 64) -> torch.utils.data.TensorDataset:
    stream = torch.Generator().manual_seed(1)
    return torch.utils.data.TensorDataset(
        torch.randn(n, 6, generator=stream), torch.randint(0, 3, (n,), generator=stream)
    )


_PROBE = _data(8)[:][0]
_SETTINGS = {
    "probe": _PROBE, "loss_fn": nn.functional.cross_entropy, "batches": [_data(16)[:]], "every": 2,
    "sharpness_every": 4,
}  # fmt: skip


def _optimiser(model):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
    return optimizer, torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)


@pytest.fixture
def fit(tmp_path):
    """A function: trains with Lightning; the module and its trainer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lightning

        class Module(lightning.LightningModule):
            def __init__(self, optimisers: int = 1) -> None:
                super().__init__()
                self.model, self.optimisers = _model(), optimisers
                self.automatic_optimization = optimisers == 1

            def training_step(self, batch, _):
                return nn.functional.cross_entropy(self.model(batch[0]), batch[1])

            def configure_optimizers(self):
                if self.optimisers > 1:
                    return [torch.optim.SGD(self.model.parameters(), lr=0.1) for _ in range(self.optimisers)]
                optimizer, schedule = _optimiser(self.model)
                self.prox = ns.attach(optimizer, ns.L1(0.02), params=self.model)
                return {
                    "optimizer": optimizer,
                    "lr_scheduler": {"scheduler": schedule, "interval": "step"},
                }

        def fitted(callbacks, optimisers=1, resumed=None, epochs=3, **options):
            module = Module(optimisers)
            trainer = lightning.Trainer(
                max_epochs=epochs, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
                enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
                callbacks=callbacks, **options,
            )  # fmt: skip
            torch.manual_seed(3)
            loader = torch.utils.data.DataLoader(_data(), 8, shuffle=True)
            trainer.fit(module, loader, ckpt_path=resumed, weights_only=False)
            return module, trainer

        yield fitted


def _by_hand(accumulate: int):
    model = _model()
    optimizer, schedule = _optimiser(model)
    prox = ns.attach(optimizer, ns.L1(0.02), params=model)
    monitor = Monitor(model, optimizer, penalty=prox, **_SETTINGS)
    torch.manual_seed(3)
    loader = torch.utils.data.DataLoader(_data(), 8, shuffle=True)
    for _ in range(3):
        for k, (x, y) in enumerate(loader):
            (nn.functional.cross_entropy(model(x), y) / accumulate).backward()
            if (k + 1) % accumulate == 0:
                optimizer.step()
                monitor.after_step()
                schedule.step()
                optimizer.zero_grad()
    return monitor.rows


@pytest.mark.slow
@pytest.mark.parametrize("accumulate", [1, 2])
def test_rows_are_those_of_a_loop_by_hand(fit, tmp_path, accumulate):
    watch = LightningMonitor(
        part="model", penalty=lambda module: module.prox, sinks=[CsvSink(tmp_path / "rows.csv")], **_SETTINGS
    )
    assert watch.rows == []
    module, trainer = fit([watch], accumulate_grad_batches=accumulate)
    assert trainer.global_step == 24 // accumulate
    assert [row["step"] for row in watch.rows] == list(range(2, 24 // accumulate + 1, 2))
    expected = _by_hand(accumulate)
    assert any(row["kinks_crossed"] for row in expected)
    assert expected[-1]["zero_share"] > 0
    for ours, theirs in zip(watch.rows, expected, strict=True):
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            assert ours[name] == (None if value is None else pytest.approx(value, rel=1e-4)), name
    assert (tmp_path / "rows.csv").read_text().count("\n") == len(expected) + 1
    # The same without it, bit for bit; and the hook is gone.
    alone, _ = fit([], accumulate_grad_batches=accumulate)
    for name, value in alone.state_dict().items():
        assert torch.equal(value, module.state_dict()[name])
    trainer.optimizers[0].step()
    assert len(watch.rows) == len(expected)


@pytest.mark.slow
def test_a_resumed_fit_counts_on(fit, tmp_path):
    watch = LightningMonitor(part="model", probe=_PROBE)
    _, trainer = fit([watch], epochs=1)
    trainer.save_checkpoint(tmp_path / "now.ckpt")
    fit([watch], epochs=2, resumed=tmp_path / "now.ckpt")
    assert [row["step"] for row in watch.rows] == list(range(9, 17))


@pytest.mark.slow
def test_what_is_refused(fit, monkeypatch):
    with pytest.raises(ns.InputError, match="has 2 optimisers; LightningMonitor watches one"):
        fit([LightningMonitor(part="model")], optimisers=2)
    with pytest.raises(ns.InputError, match="part = 'net' is no submodule; give one of: model"):
        fit([LightningMonitor(part="net")])
    with pytest.raises(TypeError, match="prob"):
        LightningMonitor(prob=_PROBE)
    monkeypatch.setitem(sys.modules, "lightning.pytorch", None)
    with pytest.raises(ns.InputError, match=r"needs the package lightning .*pip install lightning"):
        LightningMonitor()
