"""The monitor: its rows are right, and the training beside it is the one without it, bit for bit."""

import copy
import math
import random
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.callbacks import Monitor
from nonsmooth.diagnostics import KinkCounter


class _Noisy(torch.utils.data.Dataset):
    """Augmented by every random stream that people use."""

    def __len__(self) -> int:
        return 48

    def __getitem__(self, k: int):
        image = torch.sin(torch.arange(3 * 8 * 8) * (0.1 + 0.03 * k)).reshape(3, 8, 8)
        noise = random.random() + np.random.rand() + float(torch.rand(()))  # noqa: NPY002
        return image + 0.05 * noise, k % 4


class _Net(nn.Module):
    """Convolution, batch norm, dropout, a kink as a function, and random numbers of all three kinds."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.Dropout(0.3)
        self.head = nn.Linear(6 * 16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.relu(self.norm(self.conv(x)))
        x = x * (1 + 0.01 * random.random()) + 0.01 * np.random.rand()  # noqa: NPY002
        return self.head(self.drop(nn.functional.max_pool2d(x, 2).flatten(1)))


class _Rows(list):
    """A sink."""

    closed = 0

    def write(self, row) -> None:
        self.append(dict(row))

    def close(self) -> None:
        self.closed += 1


def _seed() -> None:
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    torch.manual_seed(0)


def _train(make_optimizer, monitored: bool):
    """Everything that a training leaves behind, and its rows."""
    _seed()
    model = _Net()
    optimizer = make_optimizer(model)
    prox = ns.attach(optimizer, ns.L1(1e-3), params=model)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.5)
    order = torch.Generator().manual_seed(5)
    loader = torch.utils.data.DataLoader(_Noisy(), 12, shuffle=True, generator=order)
    losses, monitor = [], None
    if monitored:
        monitor = Monitor(
            model, optimizer, probe=torch.ones(2, 3, 8, 8), loss_fn=nn.functional.cross_entropy,
            batches=loader, penalty=prox, every=2, sharpness_every=4,
        )  # fmt: skip
    for _ in range(2):
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            if monitor:
                monitor.after_step()
            schedule.step()
            losses.append(loss.item())
    left = [
        losses, [p.detach() for p in model.parameters()], [p.grad for p in model.parameters()],
        [b for _, b in model.named_buffers()], [m.training for m in model.modules()],
        optimizer.state_dict(), prox.state_dict(), schedule.state_dict(),
        torch.get_rng_state(), order.get_state(), random.getstate(), np.random.get_state(),  # noqa: NPY002
    ]  # fmt: skip
    return left, monitor


def _same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    return a == b


@pytest.mark.parametrize(
    "make",
    [
        lambda model: torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9),
        lambda model: torch.optim.AdamW(model.parameters(), lr=0.003),
    ],
)
def test_the_training_is_bit_for_bit_the_same(make):
    without, _ = _train(make, False)
    with_it, monitor = _train(make, True)
    for ours, theirs in zip(with_it, without, strict=True):
        assert _same(ours, theirs)
    assert [row["step"] for row in monitor.rows] == [2, 4, 6, 8]
    assert sum(row["kinks_crossed"] for row in monitor.rows) > 0
    assert [row["sharpness"] is None for row in monitor.rows] == [True, False, True, False]
    assert all(math.isfinite(row["sharpness"]) for row in monitor.rows[1::2])


def _net(seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))


def _step(model, optimizer, x, y) -> None:
    optimizer.zero_grad()
    nn.functional.mse_loss(model(x), y).backward()
    optimizer.step()


def test_the_numbers_are_those_counted_by_hand():
    model = _net()
    x, y = torch.randn(20, 3), torch.randn(20, 2)
    groups = [{"params": model[0].parameters(), "lr": 0.5}, {"params": model[2].parameters(), "lr": 0.25}]
    optimizer = torch.optim.SGD(groups)
    ns.attach(optimizer, ns.L1(0.1), params=model)
    sink = _Rows()
    with Monitor(
        model, optimizer, probe=x, loss_fn=nn.functional.mse_loss, batches=[(x, y)],
        penalty=ns.select_weights(model), every=2, sharpness_every=4, sinks=[sink],
    ) as monitor:  # fmt: skip
        before, returned = model[0](x) > 0, []
        for step in range(1, 9):
            _step(model, optimizer, x, y)
            returned.append(monitor.after_step())
            if step % 2:
                continue
            row, now = monitor.rows[-1], model[0](x) > 0
            assert row["kinks_crossed"] == (now != before).sum()
            assert row["kinks_crossed_share"] == pytest.approx((now != before).float().mean().item())
            before = now
            weights = torch.cat([model[0].weight.flatten(), model[2].weight.flatten()]).detach()
            assert row["zero_share"] == (weights == 0).double().mean()
            assert row["l1_norm"] == pytest.approx(weights.abs().sum().item(), rel=1e-6)
            assert (row["lr_0"], row["lr_1"]) == (0.5, 0.25)
            if step % 4 == 0:
                parameters = list(model.parameters())

                def loss(flat, parameters=parameters):
                    parts = flat.split([p.numel() for p in parameters])
                    named = zip(model.state_dict(), parts, parameters, strict=True)
                    tensors = {name: part.view(p.shape) for name, part, p in named}
                    return nn.functional.mse_loss(torch.func.functional_call(model, tensors, x), y)

                flat = torch.cat([p.detach().flatten() for p in parameters])
                hessian = torch.autograd.functional.hessian(loss, flat)
                scale = torch.cat([torch.full((p.numel(),), r) for p, r in zip(parameters, (1, 1, 0.5, 0.5))])  # noqa: B905
                largest = torch.linalg.eigvalsh(scale.sqrt()[:, None] * hessian * scale.sqrt())[-1].item()
                assert row["sharpness"] == pytest.approx(largest, rel=2e-3)
                assert row["edge"] == pytest.approx(2 / 0.5)
                assert row["sharpness_over_edge"] == pytest.approx(largest / 4, rel=2e-3)
    assert 0 < monitor.rows[-1]["zero_share"] < 1  # the penalty has worked
    assert sum(row["kinks_crossed"] for row in monitor.rows) > 0
    assert [row is None for row in returned] == [True, False] * 4
    assert returned[1] == monitor.rows[0] == sink[0]
    assert sink == monitor.rows
    assert sink.closed == 1


@pytest.mark.parametrize("made", ["attachment", "selection", "function", "proximal"])
def test_whose_zeros_are_counted(made):
    model = _net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    if made == "proximal":
        optimizer = ns.ProxSGD([{"params": [model[2].weight], "penalty": ns.L1(0.1)}], lr=0.1)
    penalty = {
        "attachment": lambda: ns.attach(optimizer, {"2.*": ns.L1(0.1)}, params=model),
        "selection": lambda: ns.select_weights(model),
        "function": lambda: ns.select_weights,
        "proximal": lambda: optimizer,
    }[made]()
    with torch.no_grad():
        model[2].weight[0, :3] = 0
    row = Monitor(model, optimizer, penalty=penalty).after_step()
    of = 10 if made in ("attachment", "proximal") else 25
    assert row["zero_share"] == 3 / of


def test_a_resumed_run_counts_on():
    model = _net()
    monitor = Monitor(model, torch.optim.SGD(model.parameters(), lr=0.1), every=5, step=98)
    for _ in range(8):
        monitor.after_step()
    assert [row["step"] for row in monitor.rows] == [100, 105]


def test_a_run_that_diverges_goes_on_with_one_warning_for_each_reason():
    model = _net()
    x, y = torch.randn(20, 3), torch.randn(20, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    monitor = Monitor(
        model, optimizer, probe=x, loss_fn=nn.functional.mse_loss, batches=[(x, y)], sharpness_every=1,
        penalty=ns.select_weights,
    )  # fmt: skip
    assert math.isfinite(monitor.after_step()["sharpness"])
    with torch.no_grad():
        model[0].weight[0, 0] = float("nan")
    with pytest.warns(UserWarning, match=r"step 2: ") as said:
        rows = [monitor.after_step() for _ in range(3)]
    texts = sorted(str(each.message) for each in said)
    assert len(texts) == 2
    assert "0.weight holds NaN" in texts[0]
    assert "output on the probe is NaN" in texts[1]
    names = ("sharpness", "l1_norm", "kinks_crossed", "kinks_crossed_share")
    assert all(math.isnan(row[name]) for row in rows for name in names)
    assert len(monitor.rows) == 4


def test_a_look_after_nan_counts_nothing_either():
    model = _net()
    kinks = KinkCounter(model, torch.randn(20, 3))
    kept = model[0].weight.detach().clone()
    nn.init.constant_(model[0].weight, math.nan)
    seen = [kinks.update().finite]
    model[0].weight.data.copy_(kept)
    assert [*seen, kinks.update().finite, kinks.update().finite] == [False, False, True]


def test_a_sink_that_fails_does_not_end_the_training():
    class Full:
        written = 0

        def write(self, row):
            if row["step"] > 1:
                raise OSError(28, "No space left on device")
            self.written += 1

        def close(self):
            pass

    model, sink = _net(), Full()
    monitor = Monitor(model, torch.optim.SGD(model.parameters(), lr=0.1), sinks=[sink])
    monitor.after_step()
    with pytest.warns(UserWarning, match="Full lost the row of step 2: OSError: .*No space left") as said:
        _ = [monitor.after_step() for _ in range(3)]
    assert len(said) == 1
    assert (sink.written, len(monitor.rows)) == (1, 4)


def test_a_measurement_that_fails_does_not_end_the_training():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, g):
            return Twice.apply(g)

    class Twice(torch.autograd.Function):
        @staticmethod
        def forward(ctx, g):
            return g.clone()

        @staticmethod
        def backward(ctx, g):
            raise RuntimeError("out of memory")

    model = _net()
    x, y = torch.randn(20, 3), torch.randn(20, 2)
    monitor = Monitor(
        model, torch.optim.SGD(model.parameters(), lr=0.1), probe=x, batches=[(x, y)], sharpness_every=1,
        loss_fn=lambda o, y: nn.functional.mse_loss(Once.apply(o), y),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="out of memory"):
        row = monitor.after_step()
    assert math.isnan(row["sharpness"])


def test_a_step_of_zero_has_no_edge():
    """As in the first step of a warm-up."""
    model = _net()
    x, y = torch.randn(20, 3), torch.randn(20, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    monitor = Monitor(model, optimizer, loss_fn=nn.functional.mse_loss, batches=[(x, y)], sharpness_every=1)
    with pytest.warns(UserWarning, match="the step is 0"):
        assert math.isnan(monitor.after_step()["edge"])
    optimizer.param_groups[0]["lr"] = 0.5
    assert monitor.after_step()["edge"] == 4.0


def test_wrapped_optimisers_are_unwrapped():
    model = _net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    prox = ns.attach(optimizer, ns.L1(0.1), params=model)
    assert Monitor(model, prox).after_step() == {"step": 1, "lr_0": 0.5}


def _lazy() -> nn.Module:
    return nn.Sequential(nn.LazyLinear(2))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"model": "net"}, "model is a str; give a torch.nn.Module"),
        ({"model": _lazy()}, "0.weight is lazy"),
        ({"optimizer": 0.1}, "optimizer is a float"),
        ({"every": 0}, "every = 0 is not allowed; give a whole number >= 1"),
        ({"every": 2, "sharpness_every": 3}, "sharpness_every = 3 is not allowed with every = 2"),
        ({"sharpness_every": -1}, "sharpness_every = -1 is not allowed"),
        ({"step": -1}, "step = -1 is not allowed"),
        ({"sharpness_every": 1}, "needs loss_fn and batches"),
        ({"sharpness_every": 1, "loss_fn": 3, "batches": []}, "loss_fn is a int"),
        ({"sharpness_every": 1, "loss_fn": nn.MSELoss(), "batches": []}, "batches is a list without a batch"),
        ({"sharpness_every": 1, "loss_fn": nn.MSELoss(), "batches": 3}, "batches is a int"),
        ({"penalty": 1e-4}, "penalty is a float; give what ns.attach"),
        ({"penalty": ns.L1(1.0)}, "penalty is a .*; give what ns.attach"),
        ({"penalty": lambda model: ns.select_weights(nn.ReLU())}, "holds no weights"),
        ({"probe": torch.ones(2, 7)}, "the model raises RuntimeError"),
        ({"sinks": "rows.csv"}, "sinks is a str"),
        ({"sinks": ["rows.csv"]}, "a sink is a str without write and close"),
    ],
)
def test_what_is_refused(changed, said):
    model = _net()
    given = {"model": model, "optimizer": torch.optim.SGD(model.parameters(), lr=0.1)} | changed
    with pytest.raises(ns.InputError, match=said) as error:
        Monitor(given.pop("model"), given.pop("optimizer"), **given)
    assert "\n" not in str(error.value)


def test_an_optimiser_without_a_metric_is_refused_at_once():
    model = _net()
    optimizer = torch.optim.LBFGS(model.parameters())
    batches = [(torch.ones(2, 3), torch.ones(2, 2))]
    with pytest.raises(ns.InputError, match=r"LBFGS.*sharpness_every = 0"):
        Monitor(model, optimizer, loss_fn=nn.MSELoss(), batches=batches, sharpness_every=1)


def test_the_probe_is_copied():
    model, probe = _net(), torch.randn(6, 3)
    monitor = Monitor(model, torch.optim.SGD(model.parameters(), lr=0.1), probe=probe)
    probe.neg_()
    assert monitor.after_step()["kinks_crossed"] == 0
    other = copy.deepcopy(model)
    with torch.no_grad():
        model[0].weight.neg_()
        model[0].bias.neg_()
    assert monitor.after_step()["kinks_crossed"] == (other[0](probe) != 0).sum()


def test_importing_the_callbacks_imports_no_framework():
    code = (
        "import sys, nonsmooth.callbacks as c; c.Monitor, c.CsvSink, c.TensorBoardSink, c.TrainerMonitor\n"
        "c.LightningMonitor; bad = {'lightning', 'transformers', 'tensorboard'} & set(sys.modules)\n"
        "assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
