"""The class of whole models, its cause, and what else the trace shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

from audit.functions import levels, of
from audit.networks_without_weights import LARGE
from nonsmooth.audit._smoothness import smoothness_of
from nonsmooth.networks import smoothness, vgg

NAMES = ["relu", "leaky-relu", "gelu", "silu", "elu", "softplus", "tanh", "identity"]
NAMES += ["smoothed-relu:0.1", "analytic-relu:0.1", "kinked-gelu:0.5"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_our_networks_are_as_smooth_as_their_activation(name, dtype):
    model = vgg(11, name, size=8).to(dtype)
    example = torch.zeros(2, 3, 8, 8, dtype=dtype), torch.zeros(2, dtype=torch.long)
    found = smoothness_of(model, example, functional.cross_entropy)
    assert found.smoothness == smoothness(name)
    assert not found.unknown
    assert bool(found.cause) == (smoothness(name) != "analytic")


def test_max_pooling_and_its_shortest_path():
    model = vgg(11, "gelu", pooling="max", size=8)
    found = smoothness_of(model, torch.zeros(2, 3, 8, 8))
    assert found.smoothness == "Lipschitz"
    names = [step.operation for step in found.cause]
    assert "max_pool2d_with_indices" in names
    assert found.cause[0].operation == ""  # the variable
    assert found.cause[0].module == "features.8.weight"  # the convolution before the last pooling
    assert found.cause[-1].module == "classifier (Linear)"


COMPOSED = {
    "square of abs": (lambda x: x.abs() ** 2, "analytic"),
    "abs times itself": (lambda x: x.abs().square(), "analytic"),
    "norm squared": (lambda x: x.norm() ** 2, "analytic"),
    "norm": (lambda x: x.norm(), "Lipschitz"),
    "squared relu": (lambda x: x.relu() ** 2, "C1,1"),
    "relu times itself": (lambda x: (lambda y: y * y)(x.relu()), "C1,1"),
    "squared elu of alpha 2": (lambda x: functional.elu(x, 2.0) ** 2, "C1,1"),
    "square of a shifted relu": (lambda x: (x.relu() + 1) ** 2, "Lipschitz"),
    "square of relu of abs": (lambda x: (x.abs() - 1).relu() ** 2, "Lipschitz"),
    "x relu(x), at worst": (lambda x: x * x.relu(), "Lipschitz"),
    "relu of what is positive": (lambda x: functional.softplus(x, threshold=40).relu(), "analytic"),
    "abs of a square": (lambda x: (x**2).abs(), "analytic"),
    "clamp that never acts": (lambda x: x.sigmoid().clamp(0, 1), "analytic"),
    "clamp that acts": (lambda x: x.sigmoid().clamp(0.1, 1), "Lipschitz"),
    "root of a variance plus eps": (lambda x: (x.var() + 1e-5).sqrt(), "analytic"),
    "root of a sum of squares": (lambda x: (x**2).sum().sqrt(), "Lipschitz"),
    "root of relu": (lambda x: x.relu().sqrt(), "discontinuous"),
    "cube root of a square": (lambda x: (x**2) ** (1 / 3), "discontinuous"),
    "a square to 3/4": (lambda x: (x**2) ** 0.75, "C1"),
    "division by eps plus norm": (lambda x: x / (1e-6 + (x**2).sum()), "analytic"),
    "huber": (lambda x: functional.huber_loss(x, torch.zeros_like(x)), "C1,1"),
    "smooth l1": (lambda x: functional.smooth_l1_loss(x, torch.zeros_like(x)), "C1,1"),
    "smooth l1 of beta 0": (
        lambda x: functional.smooth_l1_loss(x, torch.zeros_like(x), beta=0.0),
        "Lipschitz",
    ),
    "l1 loss": (lambda x: functional.l1_loss(x, torch.zeros_like(x)), "Lipschitz"),
    "hinge": (lambda x: functional.margin_ranking_loss(x, 2 * x, torch.ones_like(x)), "Lipschitz"),
    "elu": (functional.elu, "C1,1"),
    "elu of alpha 2": (lambda x: functional.elu(x, 2.0), "Lipschitz"),
    "selu": (functional.selu, "Lipschitz"),
    "celu": (lambda x: functional.celu(x, 0.3), "C1,1"),
    "gelu": (functional.gelu, "analytic"),
    "mish": (functional.mish, "analytic"),
    "log-sigmoid": (functional.logsigmoid, "analytic"),
    "softplus in float64": (functional.softplus, "discontinuous"),
    "softplus in float32": (lambda x: functional.softplus(x.float()), "analytic"),
    "hardtanh": (functional.hardtanh, "Lipschitz"),
    "threshold that jumps": (lambda x: functional.threshold(x, 0.1, 20), "discontinuous"),
    "hardshrink": (functional.hardshrink, "discontinuous"),
    "round": (lambda x: x.round(), "discontinuous"),
    "straight-through round": (lambda x: x + (x.round() - x).detach(), "discontinuous"),
    "whole numbers": (lambda x: x.long().double(), "discontinuous"),
    "sign": (lambda x: x.sign(), "discontinuous"),
    "where of a comparison": (lambda x: torch.where(x > 0, x, 0 * x), "discontinuous"),
    "where of a constant mask": (
        lambda x: torch.where(torch.tensor([True, False, True, False]), x, 0 * x),
        "analytic",
    ),
    "argmax picks": (lambda x: x[x.argmax().view(1)], "discontinuous"),
    "largest": (lambda x: x.max(), "Lipschitz"),
    "largest, its place unused": (lambda x: x.max(0).values, "Lipschitz"),
    "place of the largest": (lambda x: x.max(0).indices.double(), "discontinuous"),
    "sorted": (lambda x: x.sort().values.cumsum(0), "Lipschitz"),
    "topk": (lambda x: x.topk(2).values, "Lipschitz"),
    "median": (lambda x: x.median(), "Lipschitz"),
    # Two views of one tensor are two arguments
    "relu times its mirror image": (lambda x: (lambda y: y[:2] * y[2:])(x.relu()), "Lipschitz"),
    "relu of a product of views": (lambda x: (x[:2] * x[2:]).relu(), "Lipschitz"),
    "entries compared": (lambda x: torch.where(x[:2] < x[2:], x[:2], x[2:]), "discontinuous"),
    "root of x x": (lambda x: torch.dot(x, x).sqrt(), "Lipschitz"),
    "clamp after dropout acts": (lambda x: functional.dropout(x.sigmoid(), 0.5).clamp(0, 1), "Lipschitz"),
    "an exponent that varies": (lambda x: x.relu() ** (1 + x.sigmoid()), "Lipschitz"),
    "roots of unlike exponents": (
        lambda x: x.relu() ** torch.tensor([0.5, 1, 2, 3], dtype=torch.float64),
        "discontinuous",
    ),
    "softmax": (lambda x: x.softmax(0).log(), "analytic"),
    "layer norm": (lambda x: functional.layer_norm(x, (4,)), "analytic"),
    "rms norm": (lambda x: functional.rms_norm(x, (4,)), "analytic"),
    "attention": (lambda x: functional.scaled_dot_product_attention(*[x.view(1, 2, 2)] * 3), "analytic"),
    "embedding": (lambda x: functional.embedding(torch.tensor([0, 1]), x.view(2, 2)), "analytic"),
    "index put": (lambda x: torch.zeros(4).double().index_put((torch.tensor([1]),), x[:1]), "analytic"),
    "a constant's kink": (lambda x: x + torch.arange(4).sub(2).relu(), "analytic"),
    "finite check": (lambda x: x.masked_fill(x.isnan(), 0.0), "analytic"),
    "largest of scatter": (
        lambda x: torch.zeros(2).double().scatter_reduce(0, torch.tensor([0, 0, 1, 1]), x, "amax"),
        "Lipschitz",
    ),
}


@pytest.mark.parametrize("name", COMPOSED)
def test_composition(name):
    function, expected = COMPOSED[name]
    found = of(function)
    assert (found.smoothness, found.unknown, found.stopped) == (expected, (), "")


def test_in_place_operations_change_what_is_stored():
    def through_a_view(x):
        y = x.clone()
        y[:2].relu_()
        return y

    assert of(through_a_view).smoothness == "Lipschitz"
    assert of(lambda x: x.clone().relu_()).smoothness == "Lipschitz"

    def overwritten(x):
        y = x.relu()
        y.copy_(x.tanh())
        return y

    assert of(overwritten).smoothness == "analytic"

    def half_overwritten(x):
        y = x.relu()
        y[:2].copy_(x[:2])
        return y

    assert of(half_overwritten).smoothness == "Lipschitz"


def test_what_does_not_reach_the_result_does_not_count():
    found = of(lambda x: (x.argmax(), x.relu().sum(), x.exp())[2])
    assert found.smoothness == "analytic"
    assert {row.operation for row in found.operations} == {"mul", "exp"}


def test_operations_are_counted_and_their_modules_named():
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Sequential(nn.Linear(3, 3), nn.ReLU()))
    found = smoothness_of(model, torch.zeros(2, 3))
    relu = next(row for row in found.operations if row.operation == "relu")
    assert (relu.count, relu.modules, relu.choice) == (2, ("1 (ReLU)", "2.1 (ReLU)"), (0.0,))
    assert found.operations[0] is relu  # the roughest first


def test_batch_norm_and_dropout_by_mode():
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(), nn.Linear(3, 1))
    before = {name: each.clone() for name, each in model.state_dict().items()}
    state = torch.get_rng_state()
    found = smoothness_of(model, torch.zeros(4, 3))
    assert found.smoothness == "analytic"
    assert found.batch_statistics == ("1 (BatchNorm1d)",)
    assert [row.modules for row in found.random] == [("2 (Dropout)",)]
    assert levels(found)["random-operations"] == levels(found)["batch-statistics"] == "note"
    found = smoothness_of(model, torch.zeros(4, 3), training=False)
    assert (found.batch_statistics, found.random, found.training) == ((), (), False)
    assert model.training
    assert model[2].training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], each) for name, each in model.state_dict().items())
    assert all(type(each) is nn.Parameter for each in model.parameters())


class AlwaysOn(nn.Module):
    def __init__(self, drop=functional.dropout):
        super().__init__()
        self.layer, self.drop = nn.Linear(3, 1), drop

    def forward(self, x):
        return self.drop(self.layer(x))


def in_train_mode(module):
    """A model in evaluation mode but for one module."""
    model = nn.Sequential(nn.Linear(3, 3), module).eval()
    module.train()
    return model


@pytest.mark.parametrize(
    ("model", "training", "level"),
    [
        (AlwaysOn().eval(), None, "warning"),
        (AlwaysOn(), None, "warning"),  # seen before the evaluation
        (AlwaysOn(), False, "warning"),
        (in_train_mode(nn.Dropout()), None, "warning"),
        (in_train_mode(nn.Dropout()), False, "warning"),
        (in_train_mode(nn.Dropout1d()), None, "warning"),
        (in_train_mode(nn.AlphaDropout()), None, "warning"),
        (nn.Sequential(nn.Linear(3, 1), nn.Dropout()), False, "warning"),  # model.eval() was forgotten
        (nn.Sequential(nn.Linear(3, 1), nn.Dropout()), None, None),
        (nn.Sequential(nn.Linear(3, 1), nn.Dropout()).eval(), None, None),
        (nn.Sequential(nn.Linear(3, 1), nn.Dropout()).eval(), False, None),
        (in_train_mode(nn.Dropout(0.0)), None, None),
        (AlwaysOn(lambda x: x + torch.randn_like(x)).eval(), None, None),
    ],
)
def test_dropout_left_on_in_evaluation(model, training, level):
    found = levels(smoothness_of(model, torch.zeros(4, 3), training=training))
    assert found.get("dropout-in-evaluation") == level


def test_batch_norm_left_on_in_evaluation():
    left_on = levels(smoothness_of(in_train_mode(nn.BatchNorm1d(3)), torch.zeros(4, 3)))
    assert left_on["batch-norm-in-evaluation"] == "warning"
    for clean in (nn.BatchNorm1d(3), nn.BatchNorm1d(3, track_running_stats=False)):
        model = nn.Sequential(nn.Linear(3, 3), clean).eval()
        assert "batch-norm-in-evaluation" not in levels(smoothness_of(model, torch.zeros(4, 3)))
    assert smoothness_of(nn.InstanceNorm1d(3, affine=True), torch.zeros(4, 3, 5)).batch_statistics == ()


def test_noise_of_a_sampling_model_is_a_note():
    found = smoothness_of(AlwaysOn(lambda x: x + torch.randn_like(x)).eval(), torch.zeros(4, 3))
    assert levels(found)["noise-in-evaluation"] == "note"


@pytest.mark.parametrize(
    ("other", "differs"),
    [
        (lambda x: torch.maximum(x, torch.zeros_like(x)), True),
        (lambda x: x.clamp(min=0), True),
        (lambda x: x.clamp(min=0.5), False),
        (lambda x: (x + x.abs()) / 2, True),
        (functional.relu6, False),
        (torch.relu, False),
        (torch.abs, False),
    ],
)
def test_relu_maximum_and_clamp_disagree_at_zero(other, differs):
    found = of(lambda x: torch.relu(x) + other(2 * x))
    w = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(other(w).sum(), w)
    assert differs == (slope.item() != 0 and other(w).item() == 0)  # torch itself disagrees with relu
    assert ("kink-choices-differ" in levels(found)) == differs


def l1(model, strength):
    return lambda output, y: (
        functional.mse_loss(output, y) + strength * sum(p.abs().sum() for p in model.parameters())
    )


def test_l1_terms_by_parameter_and_strength():
    model = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1))
    example = torch.zeros(4, 3), torch.zeros(4, 1)
    (term,) = smoothness_of(model, example, l1(model, 1e-3)).l1_terms
    assert term.strength == pytest.approx(1e-3)
    assert term.parameters == ("0.weight", "0.bias", "2.weight", "2.bias")
    weight, last = model[0].weight, model[2].weight  # held by the loss, not asked of the model

    def mixed(output, y):
        both = torch.cat([weight.flatten(), last.flatten()]).abs().mean()
        return functional.mse_loss(output, y) + torch.tensor(0.6) * both + last.norm(1) / 4 - 0 * output.sum()

    terms = {term.parameters: term.strength for term in smoothness_of(model, example, mixed).l1_terms}
    assert terms == {("0.weight",): pytest.approx(0.05), ("2.weight",): pytest.approx(0.3)}


def per_sample(model):
    """The penalty is added to the loss of each sample, and the mean taken."""
    return lambda output, y: ((output - y) ** 2 + 0.1 * model[0].weight.abs().sum()).mean()


def parts(model):
    """Kept side by side, and picked apart."""

    def loss(output, y):
        both = torch.stack([functional.mse_loss(output, y), model[0].weight.abs().sum()])
        return both[0] + 0.1 * both[1]

    return loss


def with_zeros(model):
    zeros = torch.zeros(2, 3000)
    return lambda output, y: (
        functional.mse_loss(output, y) + 0.1 * functional.l1_loss(model[0].weight, zeros, reduction="sum")
    )


@pytest.mark.parametrize(
    ("penalty", "strength"),
    [
        (lambda w: 0.1 * w.abs().sum(), 0.1),
        (lambda w: 0.1 * torch.norm(w, 1), 0.1),
        (lambda w: 0.1 * w.norm(p=1), 0.1),
        (lambda w: 0.1 * torch.linalg.vector_norm(w, ord=1), 0.1),
        (lambda w: 0.1 * torch.linalg.vector_norm(w, ord=1, dim=0).sum(), 0.1),
        (lambda w: 0.1 * functional.l1_loss(w, torch.zeros_like(w)), 0.1 / 6),
        (lambda w: 0.1 * functional.l1_loss(w, torch.zeros_like(w), reduction="sum"), 0.1),
        (lambda w: nn.L1Loss(reduction="sum")(w, torch.zeros(2, 3)) / 10, 0.1),
        (lambda w: torch.tensor(0.1) * w.abs().sum(), 0.1),
        (lambda w: 0.05 * w.abs().sum() + 0.05 * w.view(-1).norm(1), 0.1),
        (lambda w: (lambda s: 0.06 * s + 0.04 * s)(w.abs().sum()), 0.1),
        (lambda w: sum(0.1 * row for row in w.abs().sum(1, keepdim=True).unbind()).sum(), None),
        (lambda w: 0.1 * w[:1].norm(1), None),
        (lambda w: 0.1 * w[:1].abs().sum(), None),
        (lambda w: (torch.tensor([0.1, 0.2, 0.3]) * w.abs()).sum(), None),
        (lambda w: w.mean() * w.abs().sum(), None),
        (lambda w: 0.1 * torch.linalg.norm(w, 1), ()),  # of a matrix: the largest column sum
        (lambda w: 0.0 * w.abs().sum(), ()),
    ],
)
def test_spellings_of_an_l1_term(penalty, strength):
    model = nn.Sequential(nn.Linear(3, 2))
    found = smoothness_of(
        model,
        (torch.zeros(4, 3), torch.zeros(4, 2)),
        lambda output, y: functional.mse_loss(output, y) + penalty(model[0].weight),
    )
    assert not found.unknown
    terms = {term.parameters: term.strength for term in found.l1_terms}
    said = None if strength is None else pytest.approx(strength)
    assert terms == ({} if strength == () else {("0.weight",): said})


@pytest.mark.parametrize(("make", "strength"), [(per_sample, 0.1), (parts, None), (with_zeros, 0.1)])
def test_an_l1_term_among_others(make, strength):
    model = nn.Sequential(nn.Linear(3000, 2))
    (term,) = smoothness_of(model, (torch.zeros(4, 3000), torch.zeros(4, 2)), make(model)).l1_terms
    assert term.parameters == ("0.weight",)
    assert term.strength == (None if strength is None else pytest.approx(strength))


def test_a_loss_of_the_model_and_a_batch():
    def loss(model, batch):
        return functional.mse_loss(model(batch["x"]), batch["y"]) + 0.1 * model.weight.abs().sum()

    found = smoothness_of(nn.Linear(3, 2), {"x": torch.zeros(4, 3), "y": torch.zeros(4, 2)}, loss)
    assert [(term.parameters, term.strength) for term in found.l1_terms] == [
        (("weight",), pytest.approx(0.1))
    ]
    assert found.cause[-1].module == "loss"

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = nn.Linear(3, 2)

        def forward(self, x, y):
            return {"loss": loss(self.net, {"x": x, "y": y})}

    found = smoothness_of(Whole(), (torch.zeros(4, 3), torch.zeros(4, 2)))
    assert found.l1_terms[0].parameters == ("net.weight",)


@pytest.mark.parametrize(
    "loss",
    [
        lambda model: lambda output, y: functional.mse_loss(output, y),
        lambda model: lambda output, y: functional.l1_loss(output, y),
        lambda model: lambda output, y: functional.mse_loss(output, y) + 1e-3 * (model[0].weight ** 2).sum(),
        lambda model: lambda output, y: functional.mse_loss(output, y) + 1e-3 * model[0].weight.norm(),
        lambda model: lambda output, y: functional.mse_loss(output, y) + (model[0].weight - 1).abs().sum(),
        lambda model: lambda output, y: functional.mse_loss(output, y) * model[0].weight.abs().sum().exp(),
    ],
)
def test_what_is_no_l1_term(loss):
    model = nn.Sequential(nn.Linear(3, 1))
    assert smoothness_of(model, (torch.zeros(4, 3), torch.zeros(4, 1)), loss(model)).l1_terms == ()


def test_a_gradient_penalty_on_a_network_with_kinks_jumps():
    def penalty(activation):
        model = nn.Sequential(nn.Linear(3, 3), activation, nn.Linear(3, 1))

        def loss(output, y):
            (slope,) = torch.autograd.grad(output.sum(), model[0].bias, create_graph=True)
            return (slope**2).sum()

        return smoothness_of(model, (torch.ones(4, 3), torch.zeros(4, 1)), loss)

    assert penalty(nn.ReLU()).smoothness == "discontinuous"
    assert penalty(nn.Tanh()).smoothness == "analytic"


def test_singular_points_are_listed():
    found = of(lambda x: x.log() + 1 / x)
    assert found.smoothness == "analytic"
    assert {step.operation for step in found.singular} == {"log", "reciprocal"}
    assert levels(found)["unbounded-slope"] == "note"
    assert not of(lambda x: (1 + x**2).log() + 1 / (1 + x.exp())).singular


LAYERS = {
    "lstm": (lambda: nn.LSTM(3, 4), (2, 5, 3), "analytic"),
    "gru": (lambda: nn.GRU(3, 4), (2, 5, 3), "analytic"),
    "rnn with relu": (lambda: nn.RNN(3, 4, nonlinearity="relu"), (2, 5, 3), "Lipschitz"),
    "transformer": (lambda: nn.TransformerEncoderLayer(4, 2, 8, 0.0, "gelu"), (2, 5, 4), "analytic"),
    "transformer with relu": (lambda: nn.TransformerEncoderLayer(4, 2, 8), (2, 5, 4), "Lipschitz"),
    "group norm": (lambda: nn.GroupNorm(2, 4), (2, 4, 3), "analytic"),
    "instance norm": (lambda: nn.InstanceNorm2d(4, affine=True), (2, 4, 3, 3), "analytic"),
    "prelu": (lambda: nn.PReLU(), (2, 3), "Lipschitz"),
    "transposed convolution": (lambda: nn.ConvTranspose2d(2, 3, 3), (1, 2, 4, 4), "analytic"),
    "bilinear": (lambda: nn.Bilinear(3, 3, 2), None, "analytic"),
    "weight norm": (
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)),
        (2, 3),
        "analytic",
    ),
    "spectral norm": (
        lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(3, 2)),
        (2, 3),
        "Lipschitz",
    ),
    "glu": (lambda: nn.Sequential(nn.Linear(3, 4), nn.GLU()), (2, 3), "analytic"),
    "upsampling": (
        lambda: nn.Sequential(nn.Conv2d(1, 1, 1), nn.Upsample(scale_factor=2)),
        (1, 1, 2, 2),
        "analytic",
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_have_no_unknown_operation(name):
    make, shape, expected = LAYERS[name]
    example = (torch.zeros(2, 3), torch.zeros(2, 3)) if shape is None else torch.zeros(shape)
    found = smoothness_of(make(), example)
    assert (found.smoothness, found.unknown, found.executed) == (expected, (), False)


def test_a_transformer_from_the_library():
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, vocab_size=9
    )
    model = BertForSequenceClassification(config)
    example = {"input_ids": torch.zeros(2, 5, dtype=torch.long), "labels": torch.zeros(2, dtype=torch.long)}
    found = smoothness_of(model, example)
    assert (found.smoothness, found.unknown) == ("analytic", ())
    assert found.random


MEASURE = """
import json, resource, sys, time
sys.path.insert(0, {folder!r})
import torch
from audit.functions import levels, of
from audit.networks_without_weights import LARGE
from torch.nn import functional
from nonsmooth.audit._smoothness import smoothness_of
make, count, _ = LARGE[{name!r}]
with torch.device("meta"):
    model = make()
    example = torch.zeros(8, 3, 224, 224), torch.zeros(8, dtype=torch.long)
start = time.process_time()
found = smoothness_of(model, example, functional.cross_entropy)
seconds = time.process_time() - start
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
size = sum(p.numel() for p in model.parameters())
print(json.dumps([seconds, peak, found.smoothness, size, len(found.unknown)]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_large_models_without_weights(name):
    script = MEASURE.format(folder=str(Path(__file__).parents[1]), name=name)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    seconds, peak, kind, parameters, unknown = json.loads(done.stdout.splitlines()[-1])
    _, count, expected = LARGE[name]
    assert (kind, parameters, unknown) == (expected, count, 0)
    assert seconds < 5
    assert peak < 1
