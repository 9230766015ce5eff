"""Runs against a plain loop, the compiled kernel against array operations, the recursions against torch."""

import math
from dataclasses import replace

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
from nonsmooth.trajectories import Record, Run, minimize

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


FLOATS = ("final", "curves", "low", "high", "late_low", "late_high", "tail")
COUNTS = ("rises", "turns", "diverged_at", "times")


def _same_bits(here: Run, there: Run, rows: slice = slice(None)) -> None:
    """``there`` is the rows of ``here``."""
    for field in (*FLOATS, *COUNTS[:3]):
        np.testing.assert_array_equal(getattr(here, field)[rows], getattr(there, field), err_msg=field)


def _agree(fast: Run, plain: Run, tolerance: float = 1e-12) -> None:
    for field in FLOATS:
        np.testing.assert_allclose(
            getattr(fast, field), getattr(plain, field), rtol=tolerance, atol=tolerance, err_msg=field
        )
    for field in COUNTS:
        np.testing.assert_array_equal(getattr(fast, field), getattr(plain, field), err_msg=field)


def _serves(method: Method, objective: Objective) -> bool:
    try:
        method.check(objective)
    except InputError:
        return False
    return True


every_method = pytest.mark.parametrize("method", METHODS, ids=lambda m: type(m).__name__)
every_objective = pytest.mark.parametrize("name", OBJECTIVES)


@every_method
@every_objective
def test_kernel_and_array_path_agree_to_rounding(name: str, method: Method) -> None:
    objective, record = OBJECTIVES[name], Record(every=7, window=20, tail=3)
    if not _serves(method, objective):
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
        _agree(fast, plain)


@every_method
@every_objective
def test_they_agree_for_as_long_as_no_sign_hangs_on_rounding(name: str, method: Method) -> None:
    """A coordinate that comes within rounding of a kink may be put on either side of it, and the two paths,
    whose matrix products add in different orders, then part by a whole step: that is the recursion, not an
    error. So iterates are compared up to the first time at which a coordinate (or, for ReLU, a prediction)
    is that close; where nothing has a kink, and for proximal steps, which are continuous, to the end."""
    objective = OBJECTIVES[name]
    if not _serves(method, objective):
        return
    steps = 400
    # RMSProp divides a vanishing gradient by sqrt(jitter) = 0.1; above 2/L it would magnify rounding itself
    stepsize = 0.001 if isinstance(method, RMSProp) else 0.03
    fast, plain = (
        minimize(
            objective, start=START, steps=steps, stepsize=stepsize, method=method,
            record=Record(tail=steps + 1), compiled=c,
        ).tail
        for c in (True, False)
    )  # fmt: skip
    gap = np.full((B, steps + 1), np.inf)
    if objective.penalty.kinked and not isinstance(method, ProximalGradient):
        gap = np.abs(plain).min(axis=-1)
    if name == "relu":
        gap = np.minimum(gap, np.abs(np.einsum("bnp,btp->btn", W, plain)).min(axis=-1))
    for b in range(B):
        near = gap[b] < 1e-11
        until = int(near.argmax()) if near.any() else steps + 1
        assert until > 60
        np.testing.assert_allclose(fast[b, :until], plain[b, :until], rtol=1e-12, atol=1e-12)


def test_without_data_the_paths_agree_to_the_bit_on_the_kink_itself() -> None:
    """Without a matrix product both paths do the same operations, so that even a start that lands on the
    kink (1/2 in steps of 1/8) or within rounding of it (0.3 in steps of 0.1) must give the same bits."""
    start = np.array([[0.5, 0.3], [0.1 + 0.2, -0.7], [0.0, -0.0]])
    for stepsize in (0.125, 0.1):
        fast, plain = (
            minimize(
                ToyLasso(1.0, 2, 0.25), start=start, steps=300, stepsize=stepsize, record=Record(tail=301),
                compiled=c,
            )
            for c in (True, False)
        )  # fmt: skip
        np.testing.assert_array_equal(fast.tail, plain.tail)


@every_method
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (3, 7), (5, 8), (2, 33), (20, 70), (4, 129)])
def test_they_agree_whatever_does_not_fill_a_vector(rows: int, columns: int, method: Method) -> None:
    rng = np.random.default_rng(rows)
    data, response = rng.uniform(-1, 1, (rows, columns)), rng.uniform(-1, 1, rows)
    start = rng.uniform(-1, 1, (2, columns))
    for objective in (Lasso(data, response, 0.1), ToyLasso(0.1, columns).smooth_twin(0.2)):
        fast, plain = (
            minimize(
                objective, start=start, steps=30, stepsize=1e-3, method=method, record=Record(5, 9, 2),
                compiled=c,
            )
            for c in (True, False)
        )  # fmt: skip
        _agree(fast, plain)


@every_method
@every_objective
def test_they_agree_in_float32_to_its_rounding(name: str, method: Method) -> None:
    objective = OBJECTIVES[name]
    if not _serves(method, objective):
        return
    fast, plain = (
        minimize(
            objective if c else _as(np.float32, objective), start=START.astype(np.float32), steps=30,
            stepsize=0.01, method=method, record=Record(every=5), compiled=c,
        )
        for c in (True, False)
    )  # fmt: skip
    assert fast.final.dtype == fast.curves.dtype == np.float32
    np.testing.assert_allclose(fast.final, plain.final, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(fast.curves, plain.curves, rtol=1e-4, atol=1e-5)


def _as(dtype, objective: Objective) -> Objective:
    if objective.W is None:
        return objective
    return replace(objective, W=objective.W.astype(dtype), y=objective.y.astype(dtype))


def _population(name: str, rows: slice, dtype) -> tuple[Objective, np.ndarray, Constant]:
    """Rows of 37 runs, each with its data, strength, start and step; every fifth diverges."""
    rng = np.random.default_rng(1)
    data, response = rng.uniform(-1, 1, (37, N, P)), rng.uniform(-1, 1, (37, N))
    strength, start = rng.uniform(0.1, 1, 37), rng.uniform(-1, 1, (37, P))
    step = np.where(np.arange(37) % 5 == 4, 30.0, rng.uniform(0.001, 0.05, 37))
    objective = {
        "toy": lambda: ToyLasso(strength[rows], P, strength[rows]),
        "toy twin": lambda: ToyLasso(strength[rows], P, strength[rows]).smooth_twin(0.1),
        "lasso": lambda: Lasso(data[rows], response[rows], strength[rows]),
    }[name]()
    return _as(dtype, objective), start[rows].astype(dtype), Constant(step[rows])


@every_method
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ["toy", "toy twin", "lasso"])
def test_no_bit_of_a_run_depends_on_its_neighbours_or_on_threads(name: str, dtype, method: Method) -> None:
    def part(rows: slice, threads: int = 1) -> Run:
        objective, start, stepsize = _population(name, rows, dtype)
        record = Record(every=3, window=20, tail=4)
        return minimize(
            objective, start=start, steps=50, stepsize=stepsize, method=method, record=record, threads=threads
        )

    whole = part(slice(None))
    if name != "toy twin" and not isinstance(method, (ProximalGradient, RMSProp)):
        assert (whole.diverged_at >= 0).sum() == 7
    for threads in (2, 3, 64):
        _same_bits(whole, part(slice(None), threads))
    for rows in (slice(0, 1), slice(4, 5), slice(3, 20), slice(20, 37), slice(36, 37)):
        _same_bits(whole, part(rows), rows)


@every_method
@pytest.mark.parametrize("name", ["toy", "lasso"])
def test_runs_that_diverge_at_different_times_leave_the_same_records(name: str, method: Method) -> None:
    objective, start, _ = _population(name, slice(None), np.float64)
    record = Record(every=4, window=15, tail=6, limit=1e6)
    step = Constant(np.geomspace(1e-3, 30, 37))
    fast, plain = (
        minimize(objective, start=start, steps=20, stepsize=step, method=method, record=record, compiled=c)
        for c in (True, False)
    )
    np.testing.assert_array_equal(fast.diverged_at, plain.diverged_at)
    for field in FLOATS:
        # a diverging run multiplies rounding as it multiplies everything else, so the scale is its greatest
        np.testing.assert_allclose(getattr(fast, field), getattr(plain, field), rtol=1e-9, err_msg=field)
    np.testing.assert_array_equal(fast.rises, plain.rises)


@pytest.mark.parametrize("name", ["lasso", "toy"])
def test_without_a_limit_a_run_ends_where_the_value_is_nan(name: str) -> None:
    start = START * 1e150
    for method in METHODS[:2]:
        fast, plain = (
            minimize(
                OBJECTIVES[name], start=start, steps=60, stepsize=1e3, method=method,
                record=Record(limit=math.inf), compiled=c,
            )
            for c in (True, False)
        )  # fmt: skip
        np.testing.assert_array_equal(fast.diverged_at, plain.diverged_at)


def test_read_only_data_are_not_compiled_for_again() -> None:
    from nonsmooth.trajectories._kernel import run

    frozen = [a.copy() for a in (W, Y, START)]
    for a in frozen:
        a.flags.writeable = False
    here = minimize(Lasso(W, Y, 0.1), start=START, steps=9, stepsize=0.1)
    known = len(run.signatures)
    _same_bits(here, minimize(Lasso(*frozen[:2], 0.1), start=frozen[2], steps=9, stepsize=0.1))
    assert len(run.signatures) == known


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


@every_method
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
        (lambda: _bad(threads=0), "threads = 0"),
        (lambda: _bad(threads=1.5), "threads = 1.5"),
        (lambda: _bad(threads=2, compiled=False), "threads = 2 needs the compiled kernel"),
        (lambda: Record(window=0), "window = 0"),
        (lambda: Record(every=-1), "every = -1"),
        (lambda: Momentum(1.0), "momentum = 1"),
        (lambda: RMSProp(0.9, 0.0), "jitter = 0"),
    ],
)
def test_bad_input_is_named(call, message: str) -> None:
    with pytest.raises(InputError, match=message):
        call()
