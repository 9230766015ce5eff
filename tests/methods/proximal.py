"""What the suites of ProxAdam and ProxSGD run on: options of torch's own suite, parameters of every kind."""

import torch
from torch import nn

import nonsmooth as ns
from nonsmooth.methods._prox_adam import ProxAdam
from nonsmooth.methods._prox_sgd import ProxSGD

KINDS = {"adam": (ProxAdam, torch.optim.Adam), "sgd": (ProxSGD, torch.optim.SGD)}
OPTIONS = [
    ("adam", {}),
    ("adam", {"lr": 0.01}),
    ("adam", {"lr": torch.tensor(0.01)}),
    ("adam", {"betas": (0.5, 0.6)}),
    ("adam", {"betas": (torch.tensor(0.9), torch.tensor(0.99))}),
    ("adam", {"weight_decay": 0.1}),
    ("adam", {"weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("adam", {"weight_decay": 0.1, "maximize": True}),
    ("adam", {"weight_decay": 0.1, "amsgrad": True}),
    ("sgd", {"lr": 0.01}),
    ("sgd", {"lr": torch.tensor(0.001)}),
    ("sgd", {"lr": 0.01, "weight_decay": 0.5}),
    ("sgd", {"lr": 0.01, "momentum": 0.9}),
    ("sgd", {"lr": 0.01, "weight_decay": 0.1, "maximize": True}),
    ("sgd", {"lr": 0.01, "momentum": 0.9, "dampening": 0.5}),
    ("sgd", {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}),
    ("sgd", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
]
IMPLEMENTATIONS = [{}, {"foreach": True}, {"foreach": False, "fused": False}, {"fused": True}]
PENALTY = ns.ElasticNet(0.8, 0.02)
BOTH = [("adam", {"lr": 0.02}), ("sgd", {"lr": 0.02, "momentum": 0.9})]

# Parameters of every kind in one group: plain, channels last, a scalar, empty, another precision.
SHAPES = [
    lambda dtype: torch.randn(40, 3, dtype=dtype),
    lambda dtype: torch.randn(3, 4, 2, 2, dtype=dtype).contiguous(memory_format=torch.channels_last),
    lambda dtype: torch.randn((), dtype=dtype),
    lambda dtype: torch.randn(0, 3, dtype=dtype),
    lambda dtype: torch.randn(5, dtype=torch.float64),
]


def every_kind(dtype=torch.float32) -> list[nn.Parameter]:
    torch.manual_seed(0)
    return [nn.Parameter(make(dtype)) for make in SHAPES]


def copies(parameters) -> list[nn.Parameter]:
    return [nn.Parameter(p.detach().clone()) for p in parameters]


def gradients(*sets) -> None:
    """New random gradients, the same for the same places of all sets."""
    for alike in zip(*sets, strict=True):
        gradient = torch.randn_like(alike[0])
        for p in alike:
            p.grad = gradient.clone()


def assert_close(a, b, slack: float = 1.0) -> None:
    for p, q in zip(a, b, strict=True):
        eps = torch.finfo(p.dtype).eps
        torch.testing.assert_close(p, q, rtol=0, atol=100 * slack * eps)


def assert_equal(a, b) -> None:
    assert all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def make(kind: str, parameters, options=None, **more):
    return KINDS[kind][0](parameters, **{"penalty": PENALTY, **(options or {}), **more})


def train(optimizer, parameters, steps: int = 6, seed: int = 1) -> None:
    torch.manual_seed(seed)
    for _ in range(steps):
        gradients(parameters)
        optimizer.step()
