"""Runs against a plain loop, the compiled kernel against array operations, the recursions against torch."""

import math

import numpy as np
import pytest
import torch

from nonsmooth.errors import InputError
from nonsmooth.methods import (
    Constant,
    Diminishing,
    Fista,
    Method,
    Momentum,
    ProximalGradient,
    RMSProp,
    Subgradient,
    TorchOptimizer,
    exact_lasso,
)
from nonsmooth.objectives import Huber, Lasso, LogCosh, Objective, Quadratic, ReluRegression, ToyLasso
from nonsmooth.trajectories import Record, minimize

B, N, P = 3, 5, 8
RNG = np.random.default_rng(0)
W, Y, START = RNG.uniform(-1, 1, (B, N, P)), -RNG.uniform(0, 1, (B, N)), RNG.uniform(-1, 1, (B, P))
OBJECTIVES = {
    "relu": ReluRegression(W, Y, 0.1, 0.01),
    "relu twin": ReluRegression(W, Y, 0.1, 0.01).smooth_twin(0.3),
    "toy": ToyLasso(1.0, P, 0.1),
    "toy twin": ToyLasso(1.0, P).smooth_twin(0.1),
    "lasso": Lasso(W, Y, np.array([0.1, 0.2, 0.3])),
    "lasso, shared data": Lasso(W[0], Y[0], 0.1),
    "huber": Huber(W, Y, 0.3),
    "log-cosh": LogCosh(W, Y, 0.3),
    "quadratic": Quadratic(np.matmul(W.swapaxes(1, 2), W), minimiser=0.5),
}
# the large jitter keeps RMSProp from dividing by vanishing gradients, which would amplify rounding
METHODS = [Subgradient(), Momentum(0.8), RMSProp(0.9, 1e-2), ProximalGradient(), Fista()]


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("name", OBJECTIVES)
def test_kernel_and_array_path_agree_to_rounding(name: str, method: Method) -> None:
    objective, record = OBJECTIVES[name], Record(every=7, window=20, tail=3)
    if isinstance(method, ProximalGradient) and name == "relu":
        with pytest.raises(InputError, match="kinks"):
            minimize(objective, start=START, steps=1, stepsize=0.1, method=method)
        return
    for regime in (Constant(0.01), Diminishing(np.array([0.1, 0.01, 0.05]), 0.5)):
        fast, plain = (
            minimize(
                objective, start=START, steps=60, stepsize=regime, method=method, record=record, compiled=c
            )
            for c in (True, False)
        )
        for field in ("final", "curves", "low", "high", "late_low", "late_high", "tail"):
            np.testing.assert_allclose(
                getattr(fast, field), getattr(plain, field), rtol=1e-12, atol=1e-12, err_msg=field
            )
        for field in ("rises", "turns", "diverged_at", "times"):
            np.testing.assert_array_equal(getattr(fast, field), getattr(plain, field), err_msg=field)


def test_torch_tensors_take_the_array_path_and_agree() -> None:
    data = [torch.tensor(a) for a in (W, Y)]
    here = minimize(
        Huber(*data, 0.3), start=torch.tensor(START), steps=50, stepsize=0.1, record=Record(every=10)
    )
    there = minimize(OBJECTIVES["huber"], start=START, steps=50, stepsize=0.1, record=Record(every=10))
    assert isinstance(here.final, torch.Tensor)
    np.testing.assert_allclose(here.final.numpy(), there.final, rtol=1e-12)
    np.testing.assert_allclose(here.curves, there.curves, rtol=1e-12)


def test_records_are_what_a_plain_loop_sees() -> None:
    objective = ToyLasso(1.0, 2)
    x, path = np.array([0.35, -0.07]), []
    for _ in range(31):
        path.append(x.copy())
        x = x - 0.1 * np.sign(x)
    values = np.abs(path).sum(axis=1)
    run = minimize(
        objective, start=path[0], steps=30, stepsize=0.1, record=Record(every=4, window=10, tail=5)
    )
    np.testing.assert_array_equal(run.times, np.arange(0, 31, 4))
    np.testing.assert_allclose(run.curve("value")[0], values[::4], rtol=1e-13)
    np.testing.assert_allclose(run.tail[0], path[-5:], rtol=1e-13)
    np.testing.assert_allclose([run.low[0, 0], run.high[0, 0]], [values.min(), values.max()], rtol=1e-13)
    np.testing.assert_allclose(
        [run.late_low[0, 0], run.late_high[0, 0]], [values[-10:].min(), values[-10:].max()]
    )
    assert run.rises[0, 0] == (np.diff(values) > 1e-12).sum()
    change = np.sign(np.diff(values[-11:]).round(12))
    change = change[change != 0]
    assert run.turns[0] == (change[1:] != change[:-1]).sum()


def test_divergence_is_an_outcome_with_its_time() -> None:
    objective = ToyLasso(0.0, 1, ridge=1.0)
    for compiled in (True, False):
        run = minimize(
            objective, start=np.array([[1.0], [0.0]]), steps=500, stepsize=3.0,
            record=Record(every=100, limit=1e6, tail=1), compiled=compiled,
        )  # fmt: skip
        # x_t = (-5)^t, value 25^t: the first above 1e6 is 25^5
        assert run.diverged_at.tolist() == [5, -1]
        assert run.diverged.tolist() == [True, False]
        assert math.isinf(run.high[0, 0])
        assert run.curve("value")[0].tolist() == [1.0] + [math.inf] * 5
        assert np.isnan(run.tail[0]).all()
        assert run.high[1, 0] == 0


@pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
def test_a_diverged_run_leaves_the_next_one_alone(method: Method) -> None:
    start = np.array([[1e200] * P, [0.1] * P])
    both, alone = (
        minimize(OBJECTIVES["lasso, shared data"], start=x, steps=20, stepsize=0.1, method=method)
        for x in (start, start[1:])
    )
    assert both.diverged_at.tolist() == [0, -1]
    np.testing.assert_array_equal(both.final[1], alone.final[0])


@pytest.mark.parametrize("compiled", [True, False])
def test_a_run_that_starts_diverged_has_no_extrema(compiled: bool) -> None:
    run = minimize(OBJECTIVES["toy"], start=np.full((1, P), 1e200), steps=5, stepsize=0.1, compiled=compiled)
    assert run.diverged_at.tolist() == [0]
    assert np.isinf(run.low).all()
    assert np.isinf(run.high).all()


def test_nan_is_divergence_not_a_quiet_value() -> None:
    run = minimize(ToyLasso(1.0, 1), start=np.array([np.nan]), steps=3, stepsize=0.1)
    assert run.diverged_at.tolist() == [0]


def test_float32_stays_float32() -> None:
    start = START.astype(np.float32)
    run = minimize(ToyLasso(0.3, P), start=start, steps=40, stepsize=0.01, record=Record(every=10, tail=1))
    assert run.final.dtype == run.curves.dtype == np.float32
    x, move = start.copy(), np.float32(np.float32(0.01) * np.float32(0.3))
    for _ in range(40):
        x = (x - move * np.sign(x)).astype(np.float32)
    np.testing.assert_array_equal(run.final, x)


def test_momentum_is_eq_16_and_torch_sgd_with_a_scaled_step() -> None:
    eta, a, f = 0.9, 0.05, OBJECTIVES["huber"]
    x, before = START.copy(), START.copy()
    for _ in range(30):
        x, before = x - a * (1 - eta) * f.subgradient(x) + eta * (x - before), x
    run = minimize(f, start=START, steps=30, stepsize=a, method=Momentum(eta))
    np.testing.assert_allclose(run.final, x, rtol=1e-12)
    torch_f = Huber(torch.tensor(W), torch.tensor(Y), 0.3)
    sgd = TorchOptimizer(lambda p: torch.optim.SGD(p, momentum=eta))
    there = minimize(torch_f, start=torch.tensor(START), steps=30, stepsize=a * (1 - eta), method=sgd)
    np.testing.assert_allclose(there.final.numpy(), x, rtol=1e-12)


def test_momentum_leaves_zero_as_eq_17_says() -> None:
    eta, a = 0.5, 0.125
    # from b_0 = a (1 - eta) / ... one exact step to zero: b_1 = b_0 - a (1 - eta) = 0, then b_2 = -eta b_0
    start = np.array([a * (1 - eta)])
    run = minimize(
        ToyLasso(1.0, 1), start=start, steps=2, stepsize=a, method=Momentum(eta), record=Record(tail=2)
    )
    assert run.tail[0, 0, 0] == 0
    assert run.tail[0, 1, 0] == -eta * start[0]


def test_rmsprop_obeys_eq_20_and_21() -> None:
    gamma, a, l1, jitter = 0.99, 1e-3, 7.0, 1e-16
    x = 0.9
    for t in range(1, 101):
        x -= a / math.sqrt(1 + jitter / l1**2 - gamma**t) * np.sign(x)
    run = minimize(
        ToyLasso(l1, 1), start=np.array([0.9]), steps=100, stepsize=a, method=RMSProp(gamma, jitter)
    )
    assert run.final[0, 0] == pytest.approx(x, rel=1e-10)


@pytest.mark.parametrize("regime", [Constant(0.02), Diminishing(0.1, 0.5)])
def test_stock_sgd_is_the_subgradient_method(regime) -> None:
    data = [torch.tensor(a) for a in (W, Y)]
    f = ReluRegression(*data, 0.1, 0.01)
    start = torch.tensor(START)
    sgd = minimize(f, start=start, steps=40, stepsize=regime, method=TorchOptimizer(torch.optim.SGD))
    plain = minimize(f, start=start, steps=40, stepsize=regime)
    np.testing.assert_allclose(sgd.final.numpy(), plain.final.numpy(), rtol=1e-10)


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop", "Adagrad", "NAdam", "Rprop", "LBFGS"])
def test_any_stock_optimiser_runs(name: str) -> None:
    f = Huber(torch.tensor(W[0]), torch.tensor(Y[0]), 0.3)
    method = TorchOptimizer(getattr(torch.optim, name))
    run = minimize(f, start=torch.tensor(START[:1]), steps=100, stepsize=0.01, method=method)
    assert float(f.value(run.final)[0]) < float(f.value(torch.tensor(START[0])))


def test_lbfgs_takes_one_start_and_solves_a_quadratic() -> None:
    rng = np.random.default_rng(0)
    M = rng.normal(size=(4, 4))
    f = Lasso(torch.tensor(M), torch.tensor(M @ np.ones(4)), 0.0)
    start, method = torch.zeros((2, 4), dtype=torch.float64), TorchOptimizer(torch.optim.LBFGS)
    run = minimize(f, start=start[:1], steps=20, stepsize=1.0, method=method)
    # it stops at its own tolerances; the least value is 0 and the start's about 5
    assert float(f.value(run.final)[0]) < 1e-9 < 1 < float(f.value(start)[0])
    with pytest.raises(InputError, match="single start"):
        minimize(f, start=start, steps=1, stepsize=1.0, method=method)


def test_each_run_of_a_stock_optimiser_has_its_own_step() -> None:
    f, start = ToyLasso(1.0, 1), torch.tensor([[1.0], [1.0]], dtype=torch.float64)
    run = minimize(
        f,
        start=start,
        steps=1,
        stepsize=Constant(np.array([0.1, 0.3])),
        method=TorchOptimizer(torch.optim.SGD),
    )
    np.testing.assert_allclose(run.final.numpy()[:, 0], [0.9, 0.7])


def test_proximal_gradient_and_fista_reach_the_exact_lasso() -> None:
    objective = Lasso(W[0], Y[0], 0.1)
    step = 1 / float(objective.data_gradient_lipschitz)
    exact = exact_lasso(W[0], Y[0], 0.1)
    for method in (ProximalGradient(), Fista()):
        run = minimize(objective, start=START, steps=20_000, stepsize=step, method=method)
        np.testing.assert_allclose(run.final, np.tile(exact.solution, (B, 1)), atol=1e-9)
        np.testing.assert_array_equal(run.final[0] != 0, exact.solution != 0)
        assert objective.subdifferential_distance(run.final).max() < 1e-9


def test_fista_is_the_textbook_recursion() -> None:
    objective = Lasso(W[0], Y[0], 0.1)
    a = 0.2
    x = before = START[0]
    t = 1.0
    z = x
    for _ in range(25):
        x = objective.penalty.prox(z - a * objective.data_gradient(z), a)
        following = (1 + math.sqrt(1 + 4 * t * t)) / 2
        z = x + (t - 1) / following * (x - before)
        before, t = x, following
    run = minimize(objective, start=START[0], steps=25, stepsize=a, method=Fista())
    np.testing.assert_allclose(run.final[0], x, rtol=1e-12)


def _bad(
    objective: Objective = OBJECTIVES["toy"], start=START, steps: int = 1, stepsize=0.1, **options
) -> None:
    minimize(objective, start=start, steps=steps, stepsize=stepsize, **options)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _bad(start=np.ones((2, 3))), "8 entries"),
        (lambda: _bad(start=np.ones((1, 1, 8))), "give \\(P,\\) or \\(B, P\\)"),
        (lambda: _bad(start=np.ones((0, 8))), "empty"),
        (lambda: _bad(steps=-1), "steps = -1"),
        (lambda: _bad(stepsize=-0.1), "-0.1"),
        (lambda: _bad(stepsize=Constant(np.ones(2))), "one a run"),
        (lambda: _bad(OBJECTIVES["lasso"], start=START[:2]), "data for 3 runs but starts for 2"),
        (lambda: _bad(method=TorchOptimizer(torch.optim.SGD)), "torch tensor"),
        (lambda: _bad(start=START.astype(int)), "float32 or float64"),
        (lambda: Record(window=0), "window = 0"),
        (lambda: Record(every=-1), "every = -1"),
        (lambda: Momentum(1.0), "momentum = 1"),
        (lambda: RMSProp(0.9, 0.0), "jitter = 0"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
