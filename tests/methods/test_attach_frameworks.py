"""The penalty inside other people's training loops: real ones, tiny models."""

import warnings

import pytest
import torch
from torch import nn

import nonsmooth as ns

STRENGTH = 0.05


def _model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 3))


def _data(n: int = 64) -> torch.utils.data.TensorDataset:
    random = torch.Generator().manual_seed(1)
    return torch.utils.data.TensorDataset(
        torch.randn(n, 6, generator=random), torch.randint(0, 3, (n,), generator=random)
    )


def _by_hand(epochs: int, lr: float, batch: int = 16) -> list[torch.Tensor]:
    """What every framework must arrive at: the plain loop."""
    model = _model()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    ns.attach(optimizer, ns.L1(STRENGTH), params=model)
    for _ in range(epochs):
        for x, y in torch.utils.data.DataLoader(_data(), batch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()
    assert (model[0].weight == 0).any()
    return [p.detach() for p in model.parameters()]


def _same(model: nn.Module, expected: list[torch.Tensor]) -> None:
    for a, b in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(a.detach(), b, rtol=1e-5, atol=1e-6)
        assert torch.equal(a.detach() == 0, b == 0)


@pytest.mark.slow
def test_lightning(tmp_path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import lightning

        class Module(lightning.LightningModule):
            def __init__(self) -> None:
                super().__init__()
                self.model = _model()

            def training_step(self, batch, _):
                return nn.functional.cross_entropy(self.model(batch[0]), batch[1])

            def configure_optimizers(self):
                optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
                self.prox = ns.attach(optimizer, ns.L1(STRENGTH), params=self.model)
                return optimizer

        module = Module()
        trainer = lightning.Trainer(
            max_epochs=5, accelerator="cpu", devices=1, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, default_root_dir=tmp_path,
        )  # fmt: skip
        trainer.fit(module, torch.utils.data.DataLoader(_data(), 16))
        assert module.prox.steps == 20
    _same(module.model, _by_hand(5, 0.01))


@pytest.mark.slow
def test_accelerate() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from accelerate import Accelerator

        accelerator = Accelerator(cpu=True)
        model = _model()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
        ns.attach(optimizer, ns.L1(STRENGTH), params=model)
        model, optimizer, loader = accelerator.prepare(
            model, optimizer, torch.utils.data.DataLoader(_data(), 16)
        )
        for _ in range(5):
            for x, y in loader:
                optimizer.zero_grad()
                accelerator.backward(nn.functional.cross_entropy(model(x), y))
                optimizer.step()
    _same(accelerator.unwrap_model(model), _by_hand(5, 0.01))


@pytest.mark.slow
def test_hugging_face_trainer(tmp_path, monkeypatch) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import Trainer, TrainingArguments, trainer

        # The folder tests/datasets is on the path of the tests, and would be taken for the library.
        monkeypatch.setattr(trainer, "is_datasets_available", lambda: False)

        class Wrapped(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = _model()

            def forward(self, x, labels):
                logits = self.model(x)
                return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}

        wrapped = Wrapped()
        optimizer = torch.optim.Adam(wrapped.parameters(), lr=0.01)
        prox = ns.attach(optimizer, ns.L1(STRENGTH), params=wrapped)
        arguments = TrainingArguments(
            output_dir=str(tmp_path), num_train_epochs=5, per_device_train_batch_size=16, use_cpu=True,
            report_to=[], save_strategy="no", logging_strategy="no", disable_tqdm=True, max_grad_norm=0.0,
            train_sampling_strategy="sequential",
        )  # fmt: skip
        examples = [{"x": x, "labels": y} for x, y in _data()]
        constant = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda _: 1.0)
        Trainer(wrapped, arguments, train_dataset=examples, optimizers=(optimizer, constant)).train()
    assert prox.steps == 20
    _same(wrapped.model, _by_hand(5, 0.01))
