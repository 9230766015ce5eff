"""Hostile input: models and losses that are not as the trace would like them."""

from __future__ import annotations

import copy
import math
import sys
from collections import UserDict

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.functions import levels, of
from nonsmooth.audit._declared import declare_smoothness
from nonsmooth.audit._smoothness import smoothness_of
from nonsmooth.errors import InputError


class Broken(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.layer, self.what = nn.Linear(3, 2), what

    def forward(self, x):
        return self.what(self.layer(x))


def raises(x):
    raise RuntimeError("no\nsecond line")


@pytest.mark.parametrize(
    ("model", "example", "loss", "said"),
    [
        (
            Broken(raises),
            torch.zeros(1, 3),
            None,
            "raised RuntimeError on an example of float32.1, 3.: no; give",
        ),
        (nn.Linear(3, 2), torch.zeros(1, 4), None, "raised RuntimeError.*mat1 and mat2"),
        (nn.Linear(3, 2).to("meta"), torch.zeros(1, 4), None, "raised RuntimeError"),
        (Broken(lambda x: None), torch.zeros(1, 3), None, "gives NoneType without any tensor"),
        (Broken(sys.exit), torch.zeros(1, 3), None, "raised SystemExit"),
        (
            torch.jit.ScriptModule(),
            torch.zeros(1, 3),
            None,
            "a scripted or traced module shows no Python; give the module it was made from",
        ),
        (nn.LazyLinear(2), torch.zeros(1, 3), None, "weight of the model has no shape yet"),
        ("model", torch.zeros(1, 3), None, "model is a str"),
        (nn.Linear(3, 2), torch.zeros(1, 3), functional.mse_loss, "give the pair"),
        (nn.Linear(3, 2), (torch.zeros(1, 3), torch.zeros(1, 2)), "mse", "cannot be called"),
        (
            nn.Linear(3, 2),
            (torch.zeros(1, 3), torch.zeros(1, 2)),
            lambda o, y: o - y,
            r"shape \[1, 2\], not one",
        ),
        (nn.Linear(3, 2), (torch.zeros(1, 3), torch.zeros(1, 2)), lambda o, y: 3.0, "the loss gives float"),
        (
            nn.Linear(3, 2),
            (torch.zeros(1, 3), torch.zeros(1, 2)),
            lambda o, y: (o - y).sum() * 1j,
            "a complex number",
        ),
        (nn.Linear(3, 2), None, None, "raised TypeError"),
        (nn.Linear(3, 2), "text", None, "raised TypeError"),
    ],
)
def test_bad_input_is_said_in_one_line(model, example, loss, said):
    with pytest.raises(InputError, match=said) as caught:
        smoothness_of(model, example, loss)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_results_in_containers():
    class Output(dict):
        pass

    found = smoothness_of(Broken(lambda x: {"a": x.relu(), "b": [x]}), torch.zeros(1, 3))
    assert found.smoothness == "Lipschitz"
    found = smoothness_of(Broken(lambda x: Output(loss=x.sum(), other=x.relu())), torch.zeros(1, 3))
    assert found.smoothness == "analytic"
    model, example = Broken(lambda x: x), {"x": torch.zeros(1, 3)}
    assert smoothness_of(model, example).smoothness == "analytic"
    assert smoothness_of(model, UserDict(example)).smoothness == "analytic"


def test_numbers_read_off_the_graph_make_it_unknown():
    found = smoothness_of(Broken(lambda x: x.relu() if x.sum() > 0 else x), torch.zeros(1, 3))
    assert (found.smoothness, found.executed) == ("unknown", True)
    assert found.known in ("analytic", "Lipschitz")  # by the branch taken
    assert [row.operation for row in found.unknown] == ["_local_scalar_dense"]
    assert levels(found)["smoothness"] == "unknown"
    assert of(lambda x: x[x.argmax()]).smoothness == "unknown"  # torch takes the place as a Python number
    found = smoothness_of(Broken(lambda x: x[x > 0].sum()), torch.ones(1, 3))
    assert (found.smoothness, found.executed) == ("discontinuous", True)
    for leave in (lambda x: x.detach().numpy().sum(), lambda x: x.tolist()[0][0]):
        found = smoothness_of(Broken(lambda x, leave=leave: x * float(leave(x))), torch.zeros(1, 3))
        assert (found.smoothness, found.known) == ("unknown", "analytic")
    # of a constant it may be read
    found = smoothness_of(Broken(lambda x: x * torch.tensor([1.0, 2.0]).sum().item()), torch.zeros(1, 3))
    assert (found.smoothness, found.executed) == ("analytic", False)


def test_without_weights_control_flow_cannot_be_followed():
    model = Broken(lambda x: x.relu() if x.sum() > 0 else x).to("meta")
    found = smoothness_of(model, torch.zeros(1, 3))
    assert found.smoothness == "unknown"
    assert "without weights" in found.stopped
    assert levels(found)["smoothness"] == "unknown"
    assert str(found).startswith("unknown")


def test_run_on_real_numbers_a_model_stays_as_it_was():
    class Counting(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.seen, self.cache = nn.BatchNorm1d(3), 0, []
            self.register_buffer("mean", torch.zeros(3))

        def forward(self, x):
            self.seen += 1
            self.cache.append(x)
            self.mean = 0.9 * self.mean + x.mean(0)
            y = self.norm(x)
            return y if y.sum().item() > 1e9 else 2 * y

    model = Counting()
    mean = model.mean
    found = smoothness_of(model, torch.randn(4, 3))
    assert found.executed
    assert (model.seen, model.cache) == (0, [])
    assert model.mean is mean
    assert model.norm.running_mean.abs().sum() == 0
    assert type(model.norm.running_mean) is Tensor


def test_no_parameters_then_the_inputs_vary():
    found = smoothness_of(nn.ReLU(), torch.zeros(3))
    assert (found.smoothness, found.variables, found.cause[0].module) == ("Lipschitz", "the inputs", "input")


def test_a_loss_without_the_model():
    found = smoothness_of(nn.Linear(3, 1), (torch.zeros(2, 3), torch.ones(2)), lambda output, y: y.sum())
    assert not found.depends
    assert levels(found)["no-dependence"] == "problem"


def test_weights_that_are_not_finite():
    model = nn.Linear(3, 1)
    with torch.no_grad():
        model.weight[0, 1] = math.nan
    found = smoothness_of(model, torch.zeros(2, 3))
    assert found.not_finite == ("weight",)
    assert levels(found)["not-finite-weights"] == "problem"
    assert smoothness_of(nn.Linear(3, 1), torch.zeros(2, 3)).not_finite == ()


@torch.library.custom_op("nonsmooth_tests::twice", mutates_args=())
def twice(x: Tensor) -> Tensor:
    return 2 * x


twice.register_autograd(lambda ctx, grad: 2 * grad)


def test_an_operator_that_is_not_known():
    found = smoothness_of(Broken(lambda x: twice(x).relu()), torch.zeros(1, 3))
    assert (found.smoothness, found.known) == ("unknown", "Lipschitz")
    assert [row.operation for row in found.unknown] == ["nonsmooth_tests::twice"]
    assert levels(found)["smoothness"] == "unknown"
    found = smoothness_of(Broken(lambda x: twice(x).round()), torch.zeros(1, 3))
    assert found.smoothness == "discontinuous"  # nothing is worse


def test_a_module_can_be_declared():
    class Ours(nn.Module):
        def forward(self, x):
            return torch.where(x > 0, x, torch.expm1(x))

    model = nn.Sequential(nn.Linear(3, 3), Ours(), nn.Linear(3, 1))
    assert smoothness_of(model, torch.zeros(2, 3)).smoothness == "discontinuous"
    declare_smoothness(Ours, "C1,1")
    found = smoothness_of(model, torch.zeros(2, 3))
    assert found.smoothness == "C1,1"
    assert [step.operation for step in found.cause] == ["", "addmm", "Ours", "addmm"]
    with pytest.raises(InputError, match="choose analytic"):
        declare_smoothness(Ours, "smooth")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no subclass"):
        declare_smoothness(torch.relu, "C1")  # type: ignore[arg-type]


def test_a_copy_depends_on_what_it_was_made_of():
    def copied(x):
        assert x.sum().item() is not None  # run on real numbers, where deepcopy goes by storages
        return copy.deepcopy(x.detach()) * x.relu()

    found = smoothness_of(Broken(copied), torch.zeros(1, 3))
    assert (found.depends, found.executed) == (True, True)
    assert found.smoothness in ("unknown", "discontinuous")  # no better than what is known of it


def test_packed_and_sparse_tensors():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.LSTM(3, 2, batch_first=True)

        def forward(self, x):
            lengths = torch.tensor([5, 3])
            return self.layer(nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True))[1][0]

    assert smoothness_of(Packed(), torch.zeros(2, 5, 3)).smoothness == "analytic"
    found = smoothness_of(Broken(lambda x: x.to_sparse().to_dense()), torch.zeros(1, 3))
    assert found.smoothness == "unknown"
