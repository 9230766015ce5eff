"""What ``attach`` refuses, in words: the value, what is allowed, what to do."""

import numpy as np
import pytest
import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.errors import InputError


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda o, w: ns.attach(o, ns.L1(0.1), params=[torch.zeros(2, 2)]),
            "not a parameter of this optimiser",
        ),
        (lambda o, w: ns.attach(o, ns.L1(0.1), params=[w, w]), "given twice"),
        (lambda o, w: ns.attach(o, 0.1, params=[w]), "is a float; give one of ns.penalties"),
        (lambda o, w: ns.attach(o, None, params=[w]), "penalty is None; give one of ns.penalties"),
        (lambda o, w: ns.attach(o, ns.L1(0.1), params=[3]), "is a int; give tensors"),
        (lambda o, w: ns.attach(o, {"x*": ns.L1(0.1)}, params=[("w", 3)]), "is a int; give tensors"),
        (lambda o, w: ns.attach(o, {"x*": ns.L1(0.1)}, params=[("w", w)]), "nothing to penalise"),
        (lambda o, w: ns.attach(o, ns.L1(0.1), params=[]), "nothing to penalise"),
        (lambda o, w: ns.attach("adam", ns.L1(0.1)), "optimizer is a str"),
        (lambda o, w: ns.attach(o, ns.GroupL1(0.1, 7), params=[w]), "7"),
        (
            lambda o, w: (ns.attach(o, ns.L1(0.1), params=[w]), ns.attach(o, ns.L1(0.1), params=[w])),
            "has a penalty attached already",
        ),
        (
            lambda o, w: setattr(ns.attach(o, ns.L1(0.1), params=[w]), "factor", -1),
            "factor = -1 is not allowed",
        ),
        (
            lambda o, w: ns.attach(o, ns.L1(0.1), params=[w], schedule=lambda t: -1.0).terms,
            "gave -1.0 at step 0",
        ),
        (lambda o, w: ns.attach(o, ns.L1(0.1), params=[w]).load_state_dict({"a": 1}), r"keys \['a'\]"),
        (
            lambda o, w: ns.attach(o, ns.L1(0.1), params=[w]).load_state_dict(
                {"steps": 1, "factor": 1.0, "gains": []}
            ),
            "attachment of 1 parameters",
        ),
        *(
            (lambda o, w, s=s: ns.attach(o, ns.L1(0.1), params=[w]).load_state_dict(s), words)
            for s, words in (
                (5, "state is a int; give what state_dict"),
                (torch.ones(3), "state is a Tensor; give what state_dict"),
                ({"steps": float("inf"), "factor": 1.0, "gains": [None]}, "attachment of 1 parameters"),
                ({5: 1, "factor": 1.0}, "attachment of 1 parameters"),
                ({"steps": "many", "factor": 1.0, "gains": [None]}, "attachment of 1 parameters"),
                ({"steps": 1, "factor": 1.0, "gains": ["much"]}, "attachment of 1 parameters"),
                ({"steps": 1, "factor": -1.0, "gains": [None]}, "factor = -1.0 is not allowed"),
            )
        ),
        (lambda o, w: ns.attach(o, ns.L1(0.1), params=3), "params is a int; give a model, tensors"),
        (
            lambda o, w: ns.attach(o, ns.L1(0.1), params=[("a", "b", w)]),
            r"params holds \(str, str, Parameter",
        ),
        (lambda o, w: ns.attach(o, ns.L1(0.1), params=[(0, w)]), r"params holds \(int, Parameter\); give"),
        (lambda o, w: ns.attach(o, {w: ns.L1(0.1)}, params=[w]), "a pattern .* is a Parameter; give names"),
        (lambda o, w: ns.attach(o, ns.L1(0.1), params=[w], schedule=0.5), "schedule is a float; give a func"),
        (
            lambda o, w: ns.attach(o, ns.L1(0.1), params=[w], schedule=lambda t: None).terms,
            "gave None at step 0",
        ),
        (lambda o, w: setattr(ns.attach(o, ns.L1(0.1), params=[w]), "factor", "1"), "factor = 1 is not"),
        (
            lambda o, w: ns.attach(o, ns.L1(torch.ones(5)), params=[w]),
            r"does not fit its shape \(3, 4\): .*give it one number",
        ),
        (
            lambda o, w: ns.attach(o, ns.L1(np.ones(3)), params=[w]),
            r"does not fit its shape \(3, 4\): .*give it one number",
        ),
    ],
)
def test_bad_input_in_words(call, words: str) -> None:
    w = nn.Parameter(torch.ones(3, 4))
    with pytest.raises(InputError, match=words):
        call(torch.optim.SGD([w], lr=0.1), w)


def test_optimisers_that_no_penalty_can_be_attached_to() -> None:
    w = nn.Parameter(torch.ones(2, 2))
    with pytest.raises(InputError, match="ProxAdam has a penalty of its own; give it penalty="):
        ns.attach(ns.ProxAdam([w], penalty=ns.L1(0.1)), ns.L1(0.1), params=[w])
    with pytest.raises(InputError, match=r"weight_decay = 0\.1 hides .* ns\.ElasticNet"):
        ns.attach(torch.optim.Adadelta([w], weight_decay=0.1), ns.L1(0.1), params=[w])
    lazy = nn.LazyLinear(3)
    with pytest.raises(InputError, match="run the model once, then attach"):
        ns.attach(torch.optim.SGD(lazy.parameters(), lr=0.1), ns.L1(0.1), params=lazy)


def test_complex_parameters_are_refused() -> None:
    w = nn.Parameter(torch.ones(2, 2, dtype=torch.complex64))
    with pytest.raises(InputError, match="complex64"):
        ns.attach(torch.optim.SGD([w], lr=0.1), ns.L1(0.1), params=[w])


@pytest.mark.filterwarnings("ignore:optimizer contains a parameter group with duplicate")
def test_a_parameter_twice_in_a_group_is_refused() -> None:
    """torch would step it twice, with two momenta; it is refused when attached, and when it comes later."""
    w, v = (nn.Parameter(torch.ones(3)) for _ in range(2))
    with pytest.raises(InputError, match="is twice in one parameter group"):
        ns.attach(torch.optim.SGD([w, v, v], lr=0.1, momentum=0.9), ns.L1(0.1), params=[w, v])
    optimizer = torch.optim.SGD([w, v], lr=0.1, momentum=0.9)
    ns.attach(optimizer, ns.L1(0.1), params=[w, v])
    optimizer.param_groups[0]["params"].append(v)
    w.grad, v.grad = torch.ones(3), torch.ones(3)
    with pytest.raises(InputError, match="is twice in one parameter group"):
        optimizer.step()


def test_a_refused_state_changes_nothing() -> None:
    w = nn.Parameter(torch.ones(2))
    prox = ns.attach(torch.optim.SGD([w], lr=0.1), ns.L1(0.1), params=[w])
    with pytest.raises(InputError, match=r"factor = -1\.0"):
        prox.load_state_dict({"steps": 7, "factor": -1.0, "gains": [0.5]})
    assert prox.state_dict() == {"steps": 0, "factor": 1.0, "gains": [None]}


def test_a_parameter_that_was_replaced_is_not_left_without_its_penalty_unseen() -> None:
    w, other = (nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.SGD([w], lr=0.1)
    ns.attach(optimizer, ns.L1(0.1), params=[("w", w)])
    optimizer.param_groups[0]["params"] = [other]
    other.grad = torch.zeros(2)
    with pytest.raises(InputError, match=r"'w' is no longer a parameter of this optimiser.*detach\(\) and"):
        optimizer.step()
