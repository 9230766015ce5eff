"""ProxAdam and ProxSGD saved, resumed, copied; and their checkpoints in the stock optimisers, and back."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

import nonsmooth as ns
from methods.proximal import (
    BOTH,
    KINDS,
    OPTIONS,
    PENALTY,
    assert_close,
    assert_equal,
    copies,
    every_kind,
    make,
    train,
)
from nonsmooth.errors import InputError


@pytest.mark.parametrize("named", [(False, False), (True, False), (False, True), (True, True)], ids=str)
@pytest.mark.parametrize(("kind", "options"), OPTIONS, ids=str)
def test_a_resumed_run_is_bit_for_bit_the_same(kind: str, options, named) -> None:
    def given(parameters, with_names: bool):
        return [(f"w{k}", p) for k, p in enumerate(parameters)] if with_names else parameters

    a = every_kind()
    first = make(kind, given(a, named[0]), options)
    train(first, a)
    b = copies(a)
    second = make(kind, given(b, named[1]), options, penalty=ns.ElasticNet(9.0, 9.0))
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    second.load_state_dict(saved)
    assert second.param_groups[0]["penalty"].l1 == 0.8  # the strengths are options like any other
    assert second.param_groups[0]["penalty"].l2 == 0.02
    if any(named):
        assert second.param_groups[0]["param_names"] == [f"w{k}" for k in range(len(a))]
    train(first, a, seed=2)
    train(second, b, seed=2)
    assert_equal(a, b)
    for p, q in zip(a, b, strict=True):
        assert first.state[p].keys() == second.state[q].keys()


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_copies_go_on_bit_for_bit(kind: str, options, copier) -> None:
    a = every_kind()
    first = make(kind, a, options)
    train(first, a)
    b, second = copier((a, first))
    assert {name for name in vars(first) if not name.startswith("_")} == {
        name for name in vars(second) if not name.startswith("_")
    }
    train(first, a, seed=2)
    train(second, b, seed=2)
    assert_equal(a, b)
    second.add_param_group({"params": [nn.Parameter(torch.ones(2))]})
    assert second.param_groups[-1]["penalty"].l1 == 0.8


@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_checkpoints_go_to_and_from_the_stock_optimiser(kind: str, options) -> None:
    a = [nn.Parameter(torch.randn(4, 3))]
    stock = KINDS[kind][1](a, **options)
    train(stock, a)
    b = copies(a)
    ours = make(kind, b, options)
    ours.load_state_dict(copy.deepcopy(stock.state_dict()))
    assert ours.param_groups[0]["penalty"].l1 == PENALTY.l1
    # Stock from here on, with the penalty: buffers that were there count as settled.
    ns.attach(stock, PENALTY, params=a)
    train(stock, a, seed=2)
    train(ours, b, seed=2)
    assert_close(a, b)
    c = copies(b)
    stock = KINDS[kind][1](c, **options)
    stock.load_state_dict(ours.state_dict())
    train(stock, c)
    assert all(p.isfinite().all() for p in c)


@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_older_checkpoints_and_plain_counts(kind: str, options) -> None:
    a = [nn.Parameter(torch.randn(4, 3))]
    optimizer = make(kind, a, options)
    train(optimizer, a)
    old = copy.deepcopy(optimizer.state_dict())
    for group in old["param_groups"]:
        for name in ("maximize", "foreach", "fused", "differentiable", "capturable", "penalty", "compile"):
            group.pop(name, None)
    for state in old["state"].values():
        if "step" in state:
            state["step"] = state["step"].item()
    optimizer.load_state_dict(old)
    train(optimizer, a)
    assert all(p.isfinite().all() for p in a)


@pytest.mark.parametrize(("kind", "options"), BOTH, ids=str)
def test_a_penalty_of_another_kind_in_the_checkpoint_is_refused(kind: str, options) -> None:
    saved = make(kind, [nn.Parameter(torch.ones(2))], options, penalty=ns.MCP(0.1, 3.0)).state_dict()
    assert saved["param_groups"][0]["penalty"]["kind"] == "MCP"
    for penalty in (PENALTY, None):
        with pytest.raises(InputError, match="MCP in parameter group 0"):
            make(kind, [nn.Parameter(torch.ones(2))], options, penalty=penalty).load_state_dict(saved)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("penalty", "words"),
    [
        ([1, 2], "has a penalty of type list without a kind"),
        ({"l1": 0.1}, "has a penalty of type dict without a kind"),
        ({"kind": "ElasticNet", "bogus": 2}, r"has \['bogus'\], which this version does not know"),
        ({"kind": "ElasticNet", "l1": -1.0}, "l1 = -1 is not allowed"),
    ],
)
def test_the_state_of_something_else_is_refused_in_words(kind: str, penalty, words: str) -> None:
    optimizer = make(kind, [nn.Parameter(torch.ones(2))], penalty=ns.L1(0.1))
    saved = optimizer.state_dict()
    saved["param_groups"][0]["penalty"] = penalty
    with pytest.raises(InputError, match=words):
        optimizer.load_state_dict(saved)
    with pytest.raises(InputError, match="a int without param_groups is not the state of an optimiser"):
        optimizer.load_state_dict(5)  # type: ignore[arg-type]
