"""L1 in the loss: what it reaches under each optimiser, held against networks trained here."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from nonsmooth.audit._penalty import factory_like, penalised_on_purpose, what_l1_reaches
from nonsmooth.datasets import digits_images


def _term(names, strength):
    return SimpleNamespace(parameters=tuple(names), strength=strength)


def _model(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 10))


def _weights(model):
    return [name for name, p in model.named_parameters() if p.ndim > 1]


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.NAdam])
def test_a_subgradient_step_reaches_no_zeros(kind):
    model = _model()
    terms = [_term(_weights(model), 0.5)]
    (said,) = what_l1_reaches(terms, model, kind(model.parameters(), lr=1e-3), steps=2000)
    assert (said.id, said.level) == ("l1-in-loss", "problem")
    assert said.numbers["share_zero"] == 0
    assert "ns.attach" in said.snippet


def test_what_is_predicted_is_what_a_trained_network_ends_with():
    """A penalty far above the data's pull: norm and share below 1e-3 as ns.floor says, within 5 %."""
    data = digits_images()
    x = torch.from_numpy(data.train).flatten(1).float()[:256] / 16
    y = torch.from_numpy(data.train_labels)[:256]
    model, strength, steps = _model(), 2.0, 1500
    names = _weights(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    (said,) = what_l1_reaches([_term(names, strength)], model, optimizer, steps=steps, threshold=1e-3)
    weights = [p for p in model.parameters() if p.ndim > 1]
    for _ in range(steps):
        optimizer.zero_grad()
        (cross_entropy(model(x), y) + strength * sum(p.abs().sum() for p in weights)).backward()
        optimizer.step()
    ends = torch.cat([p.detach().flatten() for p in weights]).abs()
    assert float(ends.mean()) == pytest.approx(said.numbers["mean_abs"], rel=0.05)
    assert float((ends < 1e-3).float().mean()) == pytest.approx(said.numbers["share_below"], abs=0.05)
    assert not (ends == 0).any()


def test_a_strong_data_gradient_makes_the_prediction_void():
    model = _model()
    names = _weights(model)
    pull = {name: torch.full_like(p, 0.3) for name, p in model.named_parameters()}
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    found = what_l1_reaches([_term(names, 0.1)], model, optimizer, steps=100, gradients=pull)
    assert [(each.id, each.level) for each in found] == [
        ("l1-in-loss", "problem"),
        ("l1-in-loss-void", "warning"),
    ]
    assert found[1].numbers == {"felt": 1.0, "more": 1.0}
    weak = {name: each * 1e-6 for name, each in pull.items()}
    assert len(what_l1_reaches([_term(names, 0.1)], model, optimizer, steps=100, gradients=weak)) == 1


def test_what_cannot_be_predicted_is_unknown_and_never_fine():
    model = _model()
    names = _weights(model)
    bfgs = torch.optim.LBFGS(model.parameters())
    (said,) = what_l1_reaches([_term(names, 0.1)], model, bfgs)
    assert said.level == "unknown"
    assert "LBFGS" in said.evidence
    sgd = torch.optim.SGD(model.parameters(), lr=1e-3)
    (said,) = what_l1_reaches([_term(names, None)], model, sgd)
    assert said.level == "unknown"
    with torch.no_grad():
        model[0].weight[0, 0] = float("nan")
    (said,) = what_l1_reaches([_term(names, 0.1)], model, sgd)
    assert said.level == "unknown"


def test_penalties_on_biases_and_norms_are_named():
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    every = [name for name, _ in model.named_parameters()]
    (said,) = penalised_on_purpose(every, model, "The L1 term in the loss")
    assert said.numbers["parameters"] == ["0.bias", "1.weight", "1.bias"]
    assert penalised_on_purpose(["0.weight"], model, "The L1 term") == []


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.9, nesterov=True),
        lambda p: torch.optim.AdamW(p, lr=torch.tensor(1e-3), betas=(0.8, 0.9), amsgrad=True),
        lambda p: torch.optim.RMSprop(p, lr=0.1, centered=True),
    ],
)
def test_the_factory_makes_the_same_optimiser(make):
    optimizer = make([torch.zeros(3)])
    other = factory_like(optimizer)([torch.zeros(2)])
    assert type(other) is type(optimizer)
    ours, theirs = (
        {name: value for name, value in each.param_groups[0].items() if name != "params"}
        for each in (optimizer, other)
    )
    assert {**ours, "lr": float(ours["lr"])} == {**theirs, "lr": float(theirs["lr"])}
