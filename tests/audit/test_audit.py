"""The audit as a whole: it changes nothing, skips in words, and refuses what it cannot read."""

import copy
import json

import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.audit import audit
from nonsmooth.errors import InputError


def _parts(*middle):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), *middle, nn.ReLU(), nn.Linear(8, 3))
    return model, (torch.randn(16, 4), torch.randint(0, 3, (16,))), nn.functional.cross_entropy


def test_the_package_is_the_function():
    model, example, loss = _parts()
    assert ns.audit(model, example, loss).worst == "note"
    assert ns.audit.audit is audit


def test_nothing_is_changed():
    model, example, loss = _parts(nn.BatchNorm1d(8), nn.Dropout(0.5))
    adam = torch.optim.Adam(model.parameters(), lr=1e-2)
    cosine = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 100)
    prox = ns.attach(adam, ns.L1(1e-3), params=model)

    def step():
        adam.zero_grad()
        loss(model(example[0]), example[1]).backward()
        adam.step()

    step()
    objects = (model, adam, cosine, prox)
    before = [copy.deepcopy(each.state_dict()) for each in objects]
    slopes = [p.grad.clone() for p in model.parameters()]
    drawn = torch.get_rng_state()
    audit(model, example, loss, optimizer=adam, scheduler=cosine, penalty=prox, step=step, steps=100)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(p.grad, slope) for p, slope in zip(model.parameters(), slopes, strict=True))
    assert all(module.training for module in model.modules())
    for each, state in zip(objects, before, strict=True):
        assert repr(each.state_dict()) == repr(state)


def test_what_is_not_given_is_skipped_in_words():
    model, (x, _), _ = _parts()
    found = audit(model, x)
    assert [what for what, _ in found.skipped] == [
        "gradients, curvature and kinks on data",
        "schedule, penalty and theorems",
    ]
    assert "Not looked at:" in str(found)


def test_a_model_without_weights_is_traced_only():
    with torch.device("meta"):
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
        example = (torch.empty(2, 4), torch.empty(2, 1))
    found = audit(model, example, nn.functional.mse_loss)
    assert found.smoothness.smoothness == "Lipschitz"
    assert "meta" in found.skipped[0][1]


def test_an_optimiser_of_other_parameters_is_found_out():
    model, example, loss = _parts()
    found = audit(model, example, loss, optimizer=torch.optim.SGD(_parts()[0].parameters(), lr=0.1))
    assert found["not-trained"].level == "problem"
    found = audit(model, example, loss, optimizer=torch.optim.SGD(model[0].parameters(), lr=0.1))
    assert found["not-trained"].level == "warning"
    assert found["not-trained"].numbers["left_out"] == ["2.weight", "2.bias"]
    whole = audit(model, example, loss, optimizer=torch.optim.SGD(model.parameters(), lr=0.1))
    assert "not-trained" not in whole


def test_a_look_that_fails_is_an_observation():
    model, example, loss = _parts()
    sgd = torch.optim.SGD(model.parameters(), lr=0.1)

    def step():
        raise KeyError("x")

    found = audit(model, example, loss, optimizer=sgd, step=step)
    assert (found["step-unknown"].level, found.worst) == ("unknown", "unknown")
    assert "KeyError" in found["step-unknown"].evidence


def test_json_and_failing():
    model, example, loss = _parts()
    found = audit(model, example, loss, optimizer=torch.optim.SGD(model.parameters(), lr=1e-3))
    assert json.loads(json.dumps(found.as_dict()))["worst"] == found.worst
    assert found.failing(["problem", "l1-in-loss"]) == []
    assert "smoothness" in [each.id for each in found.failing(["note"])]
    with pytest.raises(InputError, match="did you mean problem"):
        found.failing(["problm"])
    with pytest.raises(KeyError, match="there are"):
        found["nothing"]


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"optimizer": "adam"}, "optimizer is a str"),
        ({"penalty": ns.L1(1e-3)}, "ns.attach"),
        ({"steps": 0}, "steps = 0"),
        ({"batches": 3}, "batches = a int is no iterable"),
        ({"seconds": float("nan")}, "seconds = nan"),
        ({"difference": -1.0}, "difference = -1"),
        ({"strength": "big"}, "strength = 'big'"),
    ],
)
def test_bad_input_is_refused_in_words(given, word):
    model, example, loss = _parts()
    with pytest.raises(InputError, match=word):
        audit(model, example, loss, **given)


def test_a_model_that_is_none_or_raises():
    model, example, loss = _parts()
    with pytest.raises(InputError, match="model is a str"):
        audit("model", example, loss)
    with pytest.raises(InputError, match="give an example"):
        audit(model, (torch.randn(16, 5), example[1]), loss)
