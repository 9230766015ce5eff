"""Dual averaging against the papers' formulas, and for what it is there: the right support under noise."""

import copy
import io
import math

import numpy as np
import pytest
import torch
from celer import Lasso
from torch import nn

import nonsmooth as ns
from nonsmooth.errors import InputError
from nonsmooth.methods._dual_averaging import ExtendedDualAveraging, RegularizedDualAveraging
from nonsmooth.methods._prox_sgd import ProxSGD

BOTH = [
    (RegularizedDualAveraging, {"lr": 0.1, "rho": 0.2}),
    (ExtendedDualAveraging, {"lr": 0.01, "averaging": 0.9, "momentum": 0.5}),
]


def _gradients(steps: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal((steps, size)) + 0.3


def _run(optimizer, w: nn.Parameter, gradients: np.ndarray) -> None:
    for g in gradients:
        w.grad = torch.tensor(g, dtype=w.dtype)
        optimizer.step()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rho", [0.0, 0.5])
def test_regularized_is_the_papers_closed_form(dtype, rho: float) -> None:
    """Xiao's equation (30), from the average of the gradients at once, for a start at 0."""
    gradients, strength, gamma = _gradients(40, 200), 0.25, 4.0
    w = nn.Parameter(torch.zeros(200, dtype=dtype))
    _run(RegularizedDualAveraging([w], 1 / gamma, rho, penalty=ns.L1(strength)), w, gradients)
    average, t = gradients.mean(axis=0), len(gradients)
    bound = strength + gamma * rho / math.sqrt(t)
    expected = np.where(
        np.abs(average) <= bound, 0.0, -math.sqrt(t) / gamma * (average - bound * np.sign(average))
    )
    loose = dtype is torch.bfloat16
    np.testing.assert_allclose(w.detach().double(), expected, atol=0.05 if loose else 1e-5)
    if not loose:
        assert np.array_equal((w == 0).numpy(), expected == 0)
    assert 0 < (expected == 0).sum() < 200


@pytest.mark.parametrize(
    "penalty", [ns.ElasticNet(0.2, 0.3), ns.MCP(0.2, 9.0), ns.GroupL1(0.3, 4), None], ids=repr
)
def test_regularized_from_any_start_with_any_penalty(penalty) -> None:
    gradients = _gradients(9, 40)
    start = np.random.default_rng(1).standard_normal(40)
    w = nn.Parameter(torch.tensor(start))
    _run(RegularizedDualAveraging([w], 0.5, penalty=penalty, maximize=True), w, gradients)
    point = torch.tensor(start + 1.5 * gradients.mean(axis=0))
    expected = point if penalty is None else penalty.prox(point, 1.5)
    torch.testing.assert_close(w.detach(), expected)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("averaging", [0.0, 0.7, 1.0])
def test_extended_is_the_papers_recursion(averaging: float, momentum: float) -> None:
    gradients = _gradients(30, 100)
    start = np.random.default_rng(1).standard_normal(100)
    w = nn.Parameter(torch.tensor(start))
    optimizer = ExtendedDualAveraging([w], 0.05, averaging, momentum, penalty=ns.L1(0.4))
    z, x, v, b, c = start.copy(), start.copy(), 0.0, 0.0, 0.0
    for g in gradients:
        v, c = momentum * v + (1 - momentum) * g, momentum * c + (1 - momentum)
        z = averaging * z + (1 - averaging) * x - 0.05 * v
        b = averaging * b + 0.05 * c
        x = np.sign(z) * np.maximum(np.abs(z) - 0.4 * b, 0)
        _run(optimizer, w, g[None])
        np.testing.assert_allclose(w.detach(), x, atol=1e-13)
    assert optimizer.step_of(w) == pytest.approx(b)
    assert (x == 0).any()


def test_without_averaging_it_is_the_proximal_gradient_method() -> None:
    a, b = (nn.Parameter(torch.linspace(-1, 1, 50, dtype=torch.float64)) for _ in range(2))
    _run(ExtendedDualAveraging([a], 0.05, 0.0, penalty=ns.L1(0.4)), a, _gradients(20, 50))
    _run(ProxSGD([b], 0.05, penalty=ns.L1(0.4)), b, _gradients(20, 50))
    torch.testing.assert_close(a, b)


def _lasso() -> tuple[torch.Tensor, torch.Tensor, ns.ElasticNet, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 40)) * rng.permutation(np.geomspace(0.5, 2, 40))
    truth = np.where(np.arange(40) < 8, rng.choice([-1.0, 1.0], 40) * rng.uniform(0.5, 2, 40), 0)
    y = X @ truth + 0.5 * rng.standard_normal(200)
    exact = Lasso(alpha=0.3, fit_intercept=False, tol=1e-12).fit(X, y).coef_
    return torch.from_numpy(X), torch.from_numpy(y), ns.L1(0.3), exact


@pytest.mark.parametrize("averaging", [0.0, 0.9, 0.99])
def test_extended_solves_for_the_strength_asked_for(averaging: float) -> None:
    X, y, penalty, _ = _lasso()
    w = nn.Parameter(torch.zeros(40, dtype=torch.float64))
    optimizer = ExtendedDualAveraging([w], 0.02, averaging, penalty=penalty)
    for _ in range(8000):
        w.grad = X.T @ (X @ w.detach() - y) / 200
        optimizer.step()
    gradient = X.T @ (X @ w.detach() - y) / 200
    assert penalty.subdifferential_distance(w.detach(), gradient) < 1e-10
    assert (w == 0).any()


def _wrong(make, schedule: bool, seed: int, steps: int = 6000) -> int:
    """Entries of the support that are wrong after training with batches of 16."""
    X, y, penalty, exact = _lasso()
    w = nn.Parameter(torch.zeros(40, dtype=torch.float64))
    optimizer = make([w], penalty)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps) if schedule else None
    for batch in torch.randint(0, 200, (steps, 16), generator=torch.Generator().manual_seed(seed)):
        A = X[batch]
        w.grad = A.T @ (A @ w.detach() - y[batch]) / 16
        optimizer.step()
        if scheduler is not None:
            scheduler.step()
    return int(((w.detach() != 0).numpy() != (exact != 0)).sum())


def test_the_right_support_under_noise() -> None:
    """What a proximal step after each noisy gradient cannot do, at a constant step or along a cosine."""
    noisy = [
        _wrong(lambda p, g: ProxSGD(p, 0.01, penalty=g), False, 0),
        _wrong(lambda p, g: ProxSGD(p, 0.01, penalty=g), True, 0),
    ]
    assert min(noisy) > 0
    for seed in range(2):
        assert _wrong(lambda p, g: RegularizedDualAveraging(p, 0.1, penalty=g), False, seed) == 0
        assert _wrong(lambda p, g: ExtendedDualAveraging(p, 0.01, 0.999, penalty=g), True, seed) == 0


@pytest.mark.parametrize(("kind", "options"), BOTH)
def test_resumed_copied_and_without_gradients(kind, options) -> None:
    a, idle = nn.Parameter(torch.linspace(-1, 1, 60)), nn.Parameter(torch.ones(2))
    first = kind([a, idle], penalty=ns.L1(0.2), **options)
    _run(first, a, _gradients(5, 60))
    b = nn.Parameter(a.detach().clone())
    second = kind([b, nn.Parameter(torch.ones(2))], penalty=ns.L1(9.0), **options)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    (c, _), third = copy.deepcopy(([a, idle], first))
    for w, optimizer in ((a, first), (b, second), (c, third)):
        _run(optimizer, w, _gradients(9, 60)[5:])
    assert torch.equal(a, b)
    assert torch.equal(a, c)
    assert torch.equal(idle, torch.ones(2))
    assert second.terms[0].penalty.l1 == 0.2
    with pytest.raises(InputError, match="no step has been taken"):
        first.step_of(idle)


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        (
            RegularizedDualAveraging,
            {"lr": 0.0},
            r"Invalid learning rate: 0\.0; give lr as a finite number > 0",
        ),
        (RegularizedDualAveraging, {"rho": -1.0}, r"Invalid rho: -1\.0"),
        (RegularizedDualAveraging, {"rho": 0.1, "penalty": ns.MCP(0.1, 3.0)}, "rho = 0.1 goes with"),
        (ExtendedDualAveraging, {"lr": math.nan}, "Invalid learning rate: nan"),
        (
            ExtendedDualAveraging,
            {"averaging": 1.1},
            r"Invalid averaging: 1\.1; give averaging as .* in \[0, 1\]",
        ),
        (ExtendedDualAveraging, {"momentum": 1.0}, r"Invalid momentum value: 1\.0"),
        (ExtendedDualAveraging, {"penalty": 0.1}, r"penalty = 0\.1 is not a penalty"),
    ],
)
def test_bad_options_are_named(kind, options, words: str) -> None:
    with pytest.raises(InputError, match=words):
        kind([nn.Parameter(torch.ones(2))], **options)
