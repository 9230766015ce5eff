"""The rule for what a penalty is meant for, and how it reads."""

import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.errors import InputError


def test_the_default_rule_leaves_biases_norms_and_embeddings_alone() -> None:
    model = nn.ModuleDict(
        {
            "embed": nn.Embedding(10, 4),
            "conv": nn.Conv1d(4, 4, 1),
            "norm": nn.BatchNorm1d(4),
            "head": nn.Linear(4, 10, bias=False),
            "frozen": nn.Linear(4, 4),
            "free": nn.Linear(4, 4),
        }
    )
    model["head"].weight = model["embed"].weight  # tied
    model["frozen"].weight.requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters())
    prox = ns.attach(optimizer, ns.L1(1e-3), params=model)
    assert [term.name for term in prox.terms] == ["conv.weight", "free.weight"]
    said = str(prox)
    for why in ("tied to an embedding", "norm layer (BatchNorm1d)", "does not require", "a bias or a scale"):
        assert why in said


def test_what_a_parametrised_weight_is_computed_from_is_left_out() -> None:
    """An L1 norm of weight normalisation's direction and size is none of the weight."""
    model = nn.Sequential(
        nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)),
        nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)),
        nn.Linear(4, 2),
    )
    chosen = ns.select_weights(model)
    assert [name for name, _ in chosen] == ["2.weight"]
    assert str(chosen).count("a weight is computed from it (parametrised)") == 3


def test_the_reason_for_a_frozen_norm_is_that_it_is_a_norm() -> None:
    said = str(ns.select_weights(nn.LayerNorm(3).requires_grad_(False)))
    assert said.count("of a norm layer (LayerNorm)") == 2


def test_what_is_no_model_is_named() -> None:
    with pytest.raises(InputError, match=r"model is a list; give a torch\.nn\.Module"):
        ns.select_weights([nn.Linear(1, 1)])  # type: ignore[arg-type]
