"""Sharpness against dense Hessians in float64, and errors in words."""

import copy
import json
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from diagnostics.dense_hessian import MSE, data, dense, network, train
from nonsmooth.diagnostics._sharpness import sharpness
from nonsmooth.diagnostics._sharpness_tracker import SharpnessTracker
from nonsmooth.errors import InputError


@pytest.mark.parametrize("activation", [nn.Tanh, nn.ReLU, nn.GELU])
@pytest.mark.parametrize("k", [1, 4])
def test_against_the_dense_hessian(activation: type, k: int) -> None:
    net, (x, y) = network(activation), data()
    found = sharpness(net, MSE, [(x, y)], k=k, tolerance=1e-8)
    h = dense(net, x, y)
    assert found.converged
    assert found.eigenvalues == pytest.approx(np.linalg.eigvalsh(h)[::-1][:k], rel=1e-9)
    v = found.vectors.numpy()
    residuals = np.linalg.norm(v @ h - found.eigenvalues[:, None] * v, axis=1) / np.abs(found.eigenvalues)
    assert residuals.max() <= 1.01e-8
    assert found.residuals == pytest.approx(residuals, abs=1e-13)
    assert (found.size, found.samples, found.batches, found.dtype) == (44, 30, 1, "float64")
    assert found.loss == pytest.approx(float(MSE(net(x), y).detach()), rel=1e-14)
    assert found.edge is None


def wide_network(rows: int = 40) -> tuple[nn.Sequential, torch.Tensor, torch.Tensor]:
    """Large enough for a start from float32."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(20, 60), nn.Tanh(), nn.BatchNorm1d(60), nn.Linear(60, 15)).double()
    return net, torch.randn(rows, 20).double(), torch.randn(rows, 15).double()


@pytest.mark.parametrize(("k", "tolerance"), [(1, 1e-3), (1, 1e-6), (3, 1e-6)])
@pytest.mark.parametrize("metric", [False, True])
def test_a_start_from_float32_is_not_believed(k: int, tolerance: float, metric: bool) -> None:
    """The residuals are those of the float64 Hessian, and the model keeps its bits."""
    net, x, y = wide_network()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    train(net, optimizer, x, y)
    before = copy.deepcopy(net.state_dict())
    found = sharpness(net, MSE, [(x, y)], k=k, tolerance=tolerance, optimizer=optimizer if metric else None)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert all(p.dtype == torch.float64 for p in net.parameters())
    assert found.converged
    assert found.dtype == "float64"
    assert any("in float32, for the start" in note for note in found.notes)
    h = dense(net, x, y)
    if metric:
        roots = [(optimizer.state[p]["exp_avg_sq"] / (1 - 0.999)).sqrt() + 1e-8 for p in net.parameters()]
        root = torch.cat([each.flatten() for each in roots]).rsqrt().numpy()
        h = root[:, None] * h * root
    v = found.vectors.numpy()
    assert found.eigenvalues == pytest.approx(np.linalg.eigvalsh(h)[::-1][:k], rel=tolerance)
    residuals = np.linalg.norm(v @ h - found.eigenvalues[:, None] * v, axis=1) / np.abs(found.eigenvalues)
    assert found.residuals == pytest.approx(residuals, abs=1e-12)
    assert residuals.max() <= tolerance * 1.001
    few = sharpness(net, MSE, [(x, y)], tolerance=1e-6, max_products=5)
    assert (few.converged, few.products) == (False, 5)
    assert "max_products = 5" in few.why


def test_what_fails_in_float32_is_done_in_float64() -> None:
    net, x, y = wide_network()

    def wide_only(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        assert out.dtype == torch.float64
        return MSE(out, y)

    plain = sharpness(net, wide_only, [(x, y)], tolerance=1e-6)
    assert plain.converged
    assert not any("float32" in note for note in plain.notes)
    assert plain.value == pytest.approx(sharpness(net, MSE, [(x, y)], tolerance=1e-6).value, rel=1e-9)

    def with_a_term(out: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """Of the model's own weights, which the copy in float32 does not see."""
        return MSE(out, y) + 2 * net[0].weight.pow(2).sum()

    found = sharpness(net, with_a_term, [(x, y)], tolerance=1e-6)
    term = np.zeros(sum(p.numel() for p in net.parameters()))
    term[:1200] = 4.0
    assert found.converged
    assert found.value == pytest.approx(np.linalg.eigvalsh(dense(net, x, y) + np.diag(term))[-1], rel=1e-6)


def test_batches_of_any_sizes_are_the_whole() -> None:
    net, (x, y) = network(), data()
    whole = sharpness(net, MSE, [(x, y)], tolerance=1e-9)
    sizes = (17, 1, 12)
    parts = sharpness(net, MSE, zip(x.split(sizes), y.split(sizes), strict=True), tolerance=1e-9)
    assert parts.value == pytest.approx(whole.value, rel=1e-12)
    assert parts.products == whole.products
    assert (parts.batches, parts.samples) == (3, 30)


def test_negative_curvature() -> None:
    """The loss upside down: its largest eigenvalue is minus the least; a concave loss has none above 0."""
    net, (x, y) = network(), data()
    found = sharpness(net, lambda out, y: -MSE(out, y), [(x, y)], tolerance=1e-8)
    assert found.value == pytest.approx(-np.linalg.eigvalsh(dense(net, x, y))[0], rel=1e-9)
    line = nn.Linear(4, 2, bias=False).double()
    below = sharpness(line, lambda out, y: -MSE(out, y), [(x, y)], tolerance=1e-8)
    assert below.converged
    assert below.value < 0
    assert below.value == pytest.approx(np.linalg.eigvalsh(-dense(line, x, y))[-1], rel=1e-9)


def test_a_loss_without_curvature() -> None:
    line, (x, y) = nn.Linear(4, 2).double(), data()
    found = sharpness(line, lambda out, y: out.mean(), [(x, y)])
    assert (found.value, found.converged, found.residuals[0]) == (0.0, True, 0.0)


def test_frozen_and_unused_parameters() -> None:
    net, (x, y) = network(), data()
    net[0].weight.requires_grad_(False)
    net.register_parameter("idle", nn.Parameter(torch.ones(3).double()))
    found = sharpness(net, MSE, [(x, y)], tolerance=1e-9)
    kept = copy.deepcopy(net)
    del kept.idle
    h = dense(kept, x, y)[24:, 24:]
    assert found.size == 44 - 24 + 3
    assert found.value == pytest.approx(np.linalg.eigvalsh(h)[-1], rel=1e-9)


class Tied(nn.Module):
    """One weight in two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.out = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)
        self.second.weight = self.first.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(self.second(torch.tanh(self.first(x))))


@pytest.mark.parametrize("metric", [False, True])
def test_tied_parameters_count_once(metric: bool) -> None:
    torch.manual_seed(0)
    net, (x, y) = Tied().double(), data()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1) if metric else None
    found = sharpness(net, MSE, [(x, y)], tolerance=1e-8, optimizer=optimizer)
    assert found.size == 16 + 4 + 4 + 10
    assert found.value == pytest.approx(np.linalg.eigvalsh(dense(net, x, y))[-1], rel=1e-9)


def test_batch_norm_in_training_mode_against_the_dense_hessian() -> None:
    """Two batches, each with its own statistics, weighted by their samples."""
    net, (x, y) = network(extra=(nn.BatchNorm1d(6),)), data()
    found = sharpness(net, MSE, [(x[:10], y[:10]), (x[10:], y[10:])], tolerance=1e-8)
    h = dense(net, x[:10], y[:10]) / 3 + dense(net, x[10:], y[10:]) * 2 / 3
    assert found.value == pytest.approx(np.linalg.eigvalsh(h)[-1], rel=1e-9)


def test_warm_starts() -> None:
    net, (x, y) = network(), data()
    cold = sharpness(net, MSE, [(x, y)], k=2, tolerance=1e-6)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn_like(p), alpha=1e-4)
    warm = sharpness(net, MSE, [(x, y)], k=2, tolerance=1e-3, start=cold)
    assert warm.converged
    assert warm.warm
    assert warm.products <= 4 < cold.products
    assert warm.eigenvalues == pytest.approx(np.linalg.eigvalsh(dense(net, x, y))[::-1][:2], rel=1e-5)


def test_unconverged_is_said() -> None:
    net, (x, y) = network(), data()
    found = sharpness(net, MSE, [(x, y)], tolerance=1e-8, max_products=2)
    assert not found.converged
    assert found.products == 2
    assert "max_products = 2" in found.why
    assert str(found).startswith("NOT CONVERGED")
    assert "above the tolerance" in str(found)
    assert found.residuals[0] > 1e-8
    assert json.loads(json.dumps(found.as_dict()))["converged"] is False
    (said,) = found.observations()
    assert (said.id, said.level) == ("sharpness-unconverged", "unknown")
    rounded = sharpness(network().float(), MSE, [data(dtype=torch.float32)], tolerance=1e-9)
    assert not rounded.converged
    assert "float32" in rounded.why


def test_dropout_is_one_draw_and_batch_norm_each_batch() -> None:
    net, (x, y) = network(extra=(nn.BatchNorm1d(6), nn.Dropout(0.3))), data()
    before = copy.deepcopy(net.state_dict())
    stream = torch.get_rng_state()
    whole = sharpness(net, MSE, [(x, y)], tolerance=1e-8)
    assert whole.converged  # a mask drawn anew at each product would be no symmetric operator
    assert any("Dropout" in note and "one draw" in note for note in whole.notes)
    assert any("BatchNorm1d" in note and "own statistics" in note for note in whole.notes)
    halves = sharpness(net, MSE, [(x[:15], y[:15]), (x[15:], y[15:])], tolerance=1e-8)
    assert halves.converged
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), stream)
    assert sharpness(net, MSE, [(x, y)], tolerance=1e-8).value == whole.value
    assert sharpness(net, MSE, [(x, y)], tolerance=1e-8, seed=1).value != pytest.approx(whole.value, rel=1e-3)
    plain = sharpness(net.eval(), MSE, [(x, y)], tolerance=1e-8)
    assert plain.notes == ()
    assert plain.value == pytest.approx(np.linalg.eigvalsh(dense(net, x, y))[-1], rel=1e-9)


def test_nothing_is_touched() -> None:
    net, (x, y) = network(), data()
    MSE(net(x), y).backward()
    held = [p.grad.clone() for p in net.parameters()]
    with torch.no_grad():
        sharpness(net, MSE, [(x, y)])
    assert all(torch.equal(p.grad, g) for p, g in zip(net.parameters(), held, strict=True))
    assert all(p.requires_grad for p in net.parameters())


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Linear(4, 12)
        self.out = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.mix(x).view(len(x), 1, 1, 12).expand(-1, 1, 3, -1).cumsum(2).chunk(3, -1)
        return self.out(functional.scaled_dot_product_attention(q, k, v).mean((1, 2)))


def test_attention_by_torchs_function() -> None:
    torch.manual_seed(0)
    net, (x, y) = Attention().double(), data()
    found = sharpness(net, MSE, [(x, y)], tolerance=1e-8)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        assert found.value == pytest.approx(np.linalg.eigvalsh(dense(net, x, y))[-1], rel=1e-9)


def test_low_precision_and_layouts() -> None:
    net, (x, y) = network(), data()
    exact = sharpness(net, MSE, [(x, y)]).value
    half = sharpness(copy.deepcopy(net).bfloat16(), MSE, [(x.bfloat16(), y.bfloat16())], tolerance=0.05)
    assert half.dtype == "float32"
    assert half.value == pytest.approx(exact, rel=0.05)
    torch.manual_seed(0)
    conv = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 2)).double()
    images = torch.randn(9, 1, 4, 4).double()
    expected = sharpness(conv, MSE, [(images, y[:9])], tolerance=1e-8).value
    last = copy.deepcopy(conv).to(memory_format=torch.channels_last)
    assert sharpness(last, MSE, [(images, y[:9])], tolerance=1e-8).value == pytest.approx(expected, rel=1e-9)


def unreadable(x: torch.Tensor, y: torch.Tensor):
    yield x, y
    raise OSError("disk\nfull")


def test_bad_input_is_answered_in_words() -> None:
    net, (x, y) = network(), data()
    good = [(x, y)]
    parameters = list(net.parameters())
    lbfgs, adam = torch.optim.LBFGS(parameters), torch.optim.Adam(parameters)
    cases = [
        ((lambda x: x, MSE, good), {}, "model is a function"),
        ((net, 3.0, good), {}, "loss_fn is a float"),
        ((net, MSE, 3), {}, "batches is a int"),
        ((net, MSE, []), {}, "no batches"),
        ((net, MSE, good), {"k": 0}, "k = 0"),
        ((net, MSE, good), {"k": 45}, "k = 45"),
        ((net, MSE, good), {"tolerance": 0.0}, "tolerance = 0"),
        ((net, MSE, good), {"max_products": 0}, "max_products = 0"),
        ((net, MSE, good), {"seed": -1}, "seed = -1"),
        ((net, MSE, good), {"start": 3}, "start is a int"),
        ((net, MSE, good), {"optimizer": "SGD"}, "optimizer is a str"),
        ((net, MSE, good), {"optimizer": lbfgs}, "LBFGS has no diagonal metric.*leave optimizer out"),
        ((net, MSE, good), {"optimizer": adam}, "Adam has taken no step"),
        ((net, MSE, good), {"optimizer": torch.optim.SGD(parameters, lr=0.0)}, "the step is 0"),
        ((net, nn.MSELoss(reduction="none"), good), {}, "with one entry"),
        ((net, lambda out, y: out.mean() * 1j, good), {}, "complex128; it must be a real number"),
        ((nn.LazyLinear(3), MSE, good), {}, "lazy"),
        ((nn.ReLU(), MSE, good), {}, "no parameter requires a gradient"),
        ((nn.Linear(4, 2, device="meta"), MSE, good), {}, "meta"),
        ((net, lambda out, y: out.mean() * math.inf, good), {}, "the loss is"),
        ((net, lambda out, y: (out - out.detach()).abs().sqrt().sum(), good), {}, "not finite"),
        ((net, MSE, [(x * math.nan, y)]), {}, "the loss is nan"),
        ((net, MSE, [(x[:, :3], y)]), {}, "fails on batch 0: RuntimeError: mat1.*it must run as in training"),
        ((net, MSE, [(x, y), (x[:0], y[:0])]), {}, "batch 1 is empty"),
        ((net, lambda model, batch: MSE(model(x), y), [3]), {}, "batch 0, a int, holds no tensor"),
        ((net, MSE, unreadable(x, y)), {}, "batches cannot be read: OSError: disk full"),
        ((net, MSE, good), {"optimizer": torch.optim.SGD(network().parameters(), lr=0.1)}, "none of these"),
    ]
    for args, options, words in cases:
        with pytest.raises(InputError, match=words):
            sharpness(*args, **options)  # type: ignore[arg-type]
    other = sharpness(nn.Linear(4, 2).double(), MSE, good)
    with pytest.raises(InputError, match="start is of 10 parameters"):
        sharpness(net, MSE, good, start=other)
    plain = sharpness(net, MSE, good)
    with pytest.raises(InputError, match="the same metric"):
        sharpness(net, MSE, good, start=plain, optimizer=torch.optim.SGD(parameters, lr=0.1))
    with pytest.raises(InputError, match="every = 0"):
        SharpnessTracker(net, MSE, good, adam, every=0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_not_finite(value: float) -> None:
    net, (x, y) = network(), data()
    net[2].bias.data[1] = value
    with pytest.raises(InputError, match=r"^2\.bias holds NaN or infinity.*load weights"):
        sharpness(net, MSE, [(x, y)])


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return 2 * x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, slope):
        return 2 * slope


class Leaving(nn.Module):
    """Random numbers of its own: another function at each call."""

    def __init__(self) -> None:
        super().__init__()
        self.line, self.generator = nn.Linear(4, 2).double(), torch.Generator().manual_seed(0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.line(x * torch.rand(4, generator=self.generator, dtype=torch.float64))


def test_a_loss_that_is_another_function_at_each_call_is_found_out() -> None:
    x, y = data()
    found = sharpness(Leaving(), MSE, [(x[:15], y[:15]), (x[15:], y[15:])], max_products=40)
    assert not found.converged
    assert "no symmetric operator" in found.why


def test_an_operation_without_a_second_derivative() -> None:
    net, (x, y) = network(), data()
    bag = nn.EmbeddingBag(10, 2).double()
    with pytest.raises(InputError, match=r"cannot derive this model twice.*_embedding_bag"):
        sharpness(bag, MSE, [(torch.arange(30).reshape(30, 1) % 10, y)])
    with pytest.raises(InputError, match="cannot derive this model twice"):
        sharpness(net, lambda out, y: MSE(Once.apply(out), y), [(x, y)])
