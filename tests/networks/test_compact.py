"""Outputs equal to rounding over random architectures; which units go, against reachability in a graph."""

import copy
import json
from itertools import pairwise

import networkx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from nonsmooth.errors import InputError
from nonsmooth.networks import compact

CONVOLUTION = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
NORM = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
MAX = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
MEAN = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}
ADAPTIVE = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d, 3: nn.AdaptiveAvgPool3d}


def activation(draw, channels: int) -> nn.Module:
    made = [
        nn.ReLU(inplace=True),
        nn.Sigmoid(),
        nn.GELU(),
        nn.PReLU(),
        nn.PReLU(channels),
        nn.Tanh(),
        nn.Identity(),
    ]
    return draw(st.sampled_from(made))


def pool(draw, axes: int) -> list[nn.Module]:
    made = [
        [],
        [MAX[axes](2)],
        [MAX[axes](3, 1, 1)],
        [MEAN[axes](2)],
        [MEAN[axes](3, 1, 1)],
        [MEAN[axes](3, 1, 1, count_include_pad=False)],
    ]
    return draw(st.sampled_from(made))


@st.composite
def networks(draw) -> tuple[nn.Sequential, tuple[int, ...]]:
    """A sequential network in evaluation mode, float64, and the shape of one input."""
    axes, channels = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    shape = (channels, *[6] * axes)
    layers: list[nn.Module] = []
    for _ in range(draw(st.integers(0, 3))):
        units = draw(st.integers(1, 5))
        size = draw(st.sampled_from([1, 3]))
        mode = draw(st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]))
        layers.append(
            CONVOLUTION[axes](
                channels,
                units,
                size,
                padding=size // 2 if draw(st.booleans()) else 0,
                padding_mode=mode,
                bias=draw(st.booleans()),
            )
        )
        layers += [NORM[axes](units, affine=draw(st.booleans()))] if draw(st.booleans()) else []
        layers += [activation(draw, units), *(pool(draw, axes) if len(layers) < 4 else [])]
        channels = units
    layers += [ADAPTIVE[axes](draw(st.integers(1, 2)))] if draw(st.booleans()) else []
    layers += [nn.Flatten(), nn.Dropout()]
    try:
        channels = nn.Sequential(*layers).eval()(torch.zeros(1, *shape)).shape[1]
    except RuntimeError:  # the convolutions ate the space
        return draw(networks())
    layers += [nn.BatchNorm1d(channels)] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        units = draw(st.integers(1, 6))
        layers += [nn.Linear(channels, units, bias=draw(st.booleans())), activation(draw, units)]
        channels = units
    return nn.Sequential(*layers).double().eval(), shape


def randomise(model: nn.Module, rng: np.random.Generator, share: float) -> None:
    """Random weights and statistics; rows, columns and scales zero with the given probability."""
    for module in model.modules():
        for name, tensor in (*module.named_parameters(recurse=False), *module.named_buffers(recurse=False)):
            if tensor.is_floating_point():
                tensor.data = torch.as_tensor(rng.normal(size=tensor.shape))
            if name == "running_var":
                tensor.data = tensor.data.abs() + 0.1
        if isinstance(module, (nn.Linear, *CONVOLUTION.values())):
            module.weight.data[torch.as_tensor(rng.random(module.weight.shape[0]) < share)] = 0.0
            module.weight.data[:, torch.as_tensor(rng.random(module.weight.shape[1]) < share)] = 0.0
        if isinstance(module, (*NORM.values(),)) and module.affine:
            module.weight.data[torch.as_tensor(rng.random(module.num_features) < share / 2)] = 0.0


@settings(max_examples=150)
@given(made=networks(), seed=st.integers(0, 2**20), share=st.sampled_from([0.0, 0.4, 0.8, 1.0]))
def test_outputs_are_equal_on_any_input(made, seed: int, share: float) -> None:
    model, shape = made
    rng = np.random.default_rng(seed)
    randomise(model, rng, share)
    given_state = copy.deepcopy(model.state_dict())
    small, report = compact(model, torch.as_tensor(rng.normal(size=(2, *shape))))
    x = 3 * torch.as_tensor(rng.normal(size=(5, *shape)))  # not the example
    expected, actual = model(x).detach(), small(x).detach()
    scale = max(1.0, float(expected.abs().max()))
    assert float((expected - actual).abs().max()) <= 1e-12 * scale
    assert report.max_difference <= 1e-12 * max(1.0, report.scale)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, given_state[name])
    assert report.parameters_after == sum(p.numel() for p in small.parameters())
    again, nothing = compact(small, x)
    assert nothing.removed == 0
    assert all(
        torch.equal(a, b)
        for a, b in zip(small.state_dict().values(), again.state_dict().values(), strict=True)
    )


@settings(max_examples=60)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=5),
    seed=st.integers(0, 2**20),
    share=st.floats(0.2, 0.9),
    bias=st.booleans(),
)
def test_exactly_the_units_between_input_and_output_stay(sizes, seed: int, share: float, bias: bool) -> None:
    """A neuron matters if a path of non-zero weights leads from an input through it to an output."""
    rng = np.random.default_rng(seed)
    layers = [nn.Linear(a, b, bias=bias).double() for a, b in pairwise(sizes)]
    graph = networkx.DiGraph()
    graph.add_nodes_from((k, i) for k, size in enumerate(sizes) for i in range(size))
    for k, layer in enumerate(layers):
        layer.weight.data *= torch.as_tensor(rng.random(tuple(layer.weight.shape)) > share)
        graph.add_edges_from(((k, int(j)), (k + 1, int(i))) for i, j in layer.weight.nonzero())
    graph.add_edges_from(("in", (0, i)) for i in range(sizes[0]))
    graph.add_edges_from(((len(sizes) - 1, i), "out") for i in range(sizes[-1]))
    alive = networkx.descendants(graph, "in") & networkx.ancestors(graph, "out")
    model = nn.Sequential(*[m for layer in layers for m in (layer, nn.Softplus())][:-1])
    small, report = compact(model, torch.ones(1, sizes[0], dtype=torch.float64))
    for k, layer in enumerate(report.layers[:-1], start=1):
        expected = tuple(i for i in range(sizes[k]) if (k, i) in alive)
        if expected:
            assert layer.kept == expected
        else:
            assert (layer.units_after, layer.note) == (1, "one unit stays: a layer needs one")
    assert report.layers[-1].units_after == sizes[-1]
    x = torch.as_tensor(rng.normal(size=(7, sizes[0])))
    torch.testing.assert_close(small(x), model(x), atol=1e-12, rtol=1e-12)


class Vgg(nn.Module):
    """The functions that hand-written networks use."""

    def __init__(self, reshape) -> None:
        super().__init__()
        self.reshape = reshape
        self.first = nn.Conv2d(3, 6, 3, padding=1)
        self.norm = nn.BatchNorm2d(6)
        self.second = nn.Conv2d(6, 4, 3)
        self.head = nn.Linear(16, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.norm(self.first(x))), 2)
        x = functional.dropout(functional.leaky_relu(self.second(2 * x + 1), 0.2), training=self.training)
        return functional.log_softmax(self.head(self.reshape(x)), dim=1)


@pytest.mark.parametrize(
    ("reshape", "compacted"),
    [
        (lambda x: x.view(x.size(0), -1), True),
        (lambda x: x.reshape((x.shape[0], -1)), True),
        (lambda x: torch.flatten(x, 1), True),
        (lambda x: x.flatten(start_dim=1), True),
        (lambda x: x.view(-1, 16), False),
    ],
)
def test_hand_written_networks(reshape, compacted: bool) -> None:
    model = Vgg(reshape).double().eval()
    randomise(model, np.random.default_rng(0), 0.0)
    for layer in (model.first, model.second):
        layer.weight.data[1:3] = 0.0
    small, report = compact(model, torch.ones(2, 3, 8, 8, dtype=torch.float64))
    assert type(small) is Vgg
    assert [layer.units_after for layer in report.layers] == [4, 2 if compacted else 4, 5]
    assert ("fixed size" in report.layers[1].note) is not compacted
    x = torch.randn(3, 3, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(small(x), model(x), atol=1e-12, rtol=1e-12)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enter, self.one, self.two, self.head = (nn.Linear(6, 6) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.enter(x))
        return self.head(x + self.two(torch.relu(self.one(x))))


def test_a_residual_network_is_compacted_inside_its_blocks_only() -> None:
    model = Residual().double()
    for layer in (model.enter, model.one, model.two):
        layer.weight.data[:3] = 0.0
    small, report = compact(model, torch.ones(1, 6, dtype=torch.float64))
    assert [layer.units_after for layer in report.layers] == [6, 3, 6, 6]
    assert "2 ways" in report.layers[0].note
    assert "another tensor in add" in report.layers[2].note
    assert "model's outputs" in report.layers[3].note
    x = torch.randn(4, 6, dtype=torch.float64)
    torch.testing.assert_close(small(x), model(x), atol=1e-12, rtol=1e-12)


def test_constants_before_zero_padding_are_carried_by_one_filter() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 8, 3), nn.Sigmoid(), nn.Conv2d(8, 3, 3, padding=1)).double()
    model[0].weight.data[2:] = 0.0
    small, report = compact(model, torch.ones(1, 2, 7, 7, dtype=torch.float64))
    first = report.layers[0]
    assert (first.units_after, first.merged, first.constant) == (3, 5, 0)
    assert "pads with zeros" in first.note
    x = torch.randn(4, 2, 7, 7, dtype=torch.float64)
    torch.testing.assert_close(small(x), model(x), atol=1e-13, rtol=1e-13)


def refused(module: nn.Module, setup=lambda m: None) -> str:
    """The note on a first layer whose second filter is zero."""
    model = nn.Sequential(nn.Conv2d(2, 2, 3, bias=False), module, nn.Conv2d(2, 2, 1)).double().eval()
    model[0].weight.data[1] = 0.0
    setup(model)
    small, report = compact(model, torch.ones(2, 2, 8, 8, dtype=torch.float64))
    assert report.removed == 0
    x = torch.randn(2, 2, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(small(x), model(x))
    return report.layers[0].note


def share_weights(model: nn.Sequential) -> None:
    model[2] = nn.Conv2d(2, 2, 3, bias=False).double()
    model[2].weight = model[0].weight


def test_what_is_left_alone_is_said() -> None:
    assert "not known to keep channels apart" in refused(nn.Softmax(dim=1))
    assert "not known" in refused(nn.Upsample(scale_factor=2))
    assert "statistics of each batch" in refused(nn.BatchNorm2d(2, track_running_stats=False))
    assert "2 groups" in refused(nn.Conv2d(2, 2, 1, groups=2))
    assert "not known" in refused(nn.ConvTranspose2d(2, 2, 1))
    assert "shares a parameter" in refused(nn.ReLU(), share_weights)
    assert "hooks" in refused(nn.ReLU(), lambda m: m[0].register_forward_hook(lambda *a: None))
    assert "parametrised" in refused(nn.ReLU(), lambda m: nn.utils.parametrizations.weight_norm(m[2]))


def test_a_layer_called_twice_is_left_alone() -> None:
    inner = nn.Linear(3, 3).double()
    inner.weight.data[0] = 0.0
    _, report = compact(nn.Sequential(inner, nn.ReLU(), inner), torch.ones(1, 3, dtype=torch.float64))
    assert report.removed == 0
    assert "used 2 times" in report.layers[0].note


def test_linear_layers_over_sequences() -> None:
    """Features are on the last axis there: a batch norm, which reads axis 1, is no step between channels."""
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 5), nn.BatchNorm1d(3), nn.Linear(5, 2))
    model.double().eval()
    model[0].weight.data[:2] = 0.0
    model[2].weight.data[:2] = 0.0
    small, report = compact(model, torch.ones(2, 3, 4, dtype=torch.float64))
    assert [layer.units_after for layer in report.layers] == [3, 5, 2]
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    torch.testing.assert_close(small(x), model(x), atol=1e-13, rtol=1e-13)


def test_memory_format_frozen_weights_and_gradients() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    model = model.to(memory_format=torch.channels_last)
    model[0].weight.data[1] = 0.0
    model[2].weight.requires_grad_(False)
    model(torch.ones(1, 3, 8, 8)).sum().backward()
    small, _ = compact(model, torch.ones(1, 3, 8, 8))
    assert small[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert (small[0].weight.requires_grad, small[2].weight.requires_grad) == (True, False)
    assert small[0].weight.grad is None
    assert model[0].weight.grad is not None
    assert (small[0].out_channels, small[2].in_channels) == (3, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_low_precision(dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(20, 30), nn.Tanh(), nn.Linear(30, 10)).to(dtype)
    model[0].weight.data[::2] = 0.0
    small, report = compact(model, torch.randn(6, 20, dtype=dtype))
    assert small[2].weight.dtype == dtype
    assert report.layers[0].constant == 15
    assert report.max_difference <= 8 * torch.finfo(dtype).eps * report.scale


def test_nothing_to_do() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    small, report = compact(model, torch.ones(1, 3))
    assert (report.removed, report.max_difference, report.speed) == (0, 0.0, None)
    assert small is not model
    single, report = compact(nn.Linear(3, 4), torch.ones(1, 3))
    assert isinstance(single, nn.Linear)
    assert report.layers == ()


def test_the_report_reads_and_saves() -> None:
    model = nn.Sequential(nn.Linear(30, 400), nn.ReLU(), nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 2))
    model[0].weight.data[10:] = 0.0
    _, report = compact(model, (torch.randn(256, 30),), time=True)
    assert report.speed is not None
    assert report.speed > 1
    text = str(report)
    assert "400 -> 10" in text
    assert "times as fast" in text
    plain = json.loads(json.dumps(report.as_dict()))
    assert plain["removed"] == 390
    assert plain["layers"][0]["kept"] == list(range(10))
    assert report.bytes_after == 4 * report.parameters_after


class Branching(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x if x.sum() > 0 else -x


def test_bad_input_is_answered_in_words() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    with pytest.raises(InputError, match=r"1 \(BatchNorm1d\) is in training mode.*eval"):
        compact(model, torch.ones(2, 3))
    model.eval()
    with pytest.raises(InputError, match=r"does not take the example of shape \(2, 5\)"):
        compact(model, torch.ones(2, 5))
    with pytest.raises(InputError, match="cannot trace a Branching"):
        compact(Branching(), torch.ones(2, 5))
    with pytest.raises(InputError, match=r"give a torch\.nn\.Module"):
        compact(lambda x: x, torch.ones(1))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the model is compiled"):
        compact(torch.compile(model, backend="eager"), torch.ones(1, 3))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a lazy module has no shape yet"):
        compact(nn.LazyLinear(2), torch.ones(2, 3))
    model[0].weight.data[0, 0] = float("nan")
    with pytest.raises(InputError, match=r"0\.weight holds NaN"):
        compact(model, torch.ones(2, 3))


def test_an_image_without_its_batch_axis_is_left_alone() -> None:
    model = nn.Sequential(nn.Conv2d(2, 2, 3), nn.ReLU(), nn.Conv2d(2, 2, 1))
    model[0].weight.data[0] = 0.0
    _, report = compact(model, torch.ones(2, 5, 5))
    assert "no batch axis" in report.layers[0].note


class Reads(nn.Module):
    """Uses its first layer besides calling it."""

    def __init__(self, how) -> None:
        super().__init__()
        self.first, self.second, self.how = nn.Linear(6, 8), nn.Linear(8, 6), how

    def forward(self, x):
        return self.how(self, x, self.second(self.first(x).relu()))


@pytest.mark.parametrize(
    "how",
    [
        lambda net, x, out: out + nn.functional.linear(x, net.first.weight)[:, :6],
        lambda net, x, out: out + nn.functional.linear(out, net.first.weight).mean(),
        lambda net, x, out: out * net.first.weight.mean(),
        lambda net, x, out: out + net.first.bias.sum(),
    ],
)
def test_a_weight_that_is_read_besides_is_left_alone(how) -> None:
    net = Reads(how).eval()
    net.first.weight.data[::2] = 0.0
    x = torch.randn(5, 6)
    small, report = compact(net, x)
    assert report.removed == 0
    assert "first shares a parameter with another layer or operation" in report.layers[0].note
    torch.testing.assert_close(small(x), net(x))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        (lambda net, x, out: out * net.first.out_features, "outputs differ by"),
        (lambda net, x, out: out + torch.ones(8)[: net.first.out_features].reshape(8)[:6], "invalid for"),
    ],
)
def test_a_size_that_is_read_besides_is_found_out(how, words: str) -> None:
    net = Reads(how).eval()
    net.first.weight.data[::2] = 0.0
    with pytest.raises(InputError, match=f"does not give the same .*{words}.* besides calling the layer"):
        compact(net, torch.randn(5, 6))
