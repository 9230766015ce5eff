"""The theory of the final order against simulation, and 1024-bit runs against decimals and stock torch."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch

from nonsmooth.claims.phase_transition._reals import rmsprop_tail
from nonsmooth.claims.phase_transition._theory import captured, ends, expected, orders
from nonsmooth.runs import stream

START = stream("start", 0).uniform(-1, 1, (300, 10))


@pytest.fixture
def one_thread():
    """Many small steps: more threads only wait for one another."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_reals_are_those_of_two_hundred_decimals():
    starts, steps = np.array([0.05, -0.73, 0.999]), 1500
    with localcontext() as context:
        context.prec = 200
        expected_ends = []
        for start in starts:
            b, power = Decimal(float(start)), Decimal(1)
            for _ in range(steps):
                power *= Decimal("0.99")
                move = Decimal("0.1") / (1 - power).sqrt()
                b = b - move if b > 0 else b + move
            expected_ends.append(float(b))
    assert rmsprop_tail(starts, 0.1, 0.99, steps, 1)[:, 0] == pytest.approx(expected_ends, rel=1e-12, abs=0)


def test_most_entries_are_drawn_to_zero_but_never_reach_it():
    tail = np.abs(rmsprop_tail(START.ravel(), 0.1, 0.99, 3000, 2))
    assert (tail > 0).all()
    assert tail.sum(axis=1) == pytest.approx(0.1, rel=1e-6)
    assert np.mean(tail.min(axis=1) < 1e-9) == pytest.approx(captured(0.1, 0.99), abs=0.02)


def test_an_even_grid_of_starts_over_the_reals_ends_where_the_derivation_says():
    """Each share to half a cell of the grid an edge: the older reckoning, 0.859, is far outside."""
    n = 4000
    even = np.abs(rmsprop_tail((np.arange(n) + 0.5) / n, 0.1, 0.99, 1500, 1)[:, 0])  # at time 1500
    found = ends(0.1, 0.99)
    near = 1e-7  # the steps are nearer than that to α by then
    assert np.mean(even < near) == pytest.approx(found.small, abs=1 / n)
    assert np.mean(even > 0.1 - near) == pytest.approx(found.large, abs=2 / n)
    moving = (even > near) & (even < 0.1 - near)
    assert np.mean(moving) == pytest.approx(1 - captured(0.1, 0.99), abs=3 / n)
    # a second stretch of starts ends in the lower part of (0, α), as dense there as the first
    counted = np.histogram(even[moving], 10, (0, 0.1))[0] / n
    assert counted == pytest.approx(found.kept[:510].reshape(10, 51).sum(axis=1), abs=3 / n)


def _folded(stepsize: float, decay: float, starts: np.ndarray, steps: int) -> np.ndarray:
    """|b| after so many steps, few enough for float64 not to matter: |b| -> |s_t - |b||."""
    b = np.abs(starts)
    for t in range(steps):
        b = np.abs(stepsize / np.sqrt(1 - decay ** (t + 1)) - b)
    return b


@pytest.mark.parametrize(
    ("stepsize", "decay"), [(0.1, 0.99), (0.2, 0.99), (0.15, 0.99), (0.1, 0.995), (0.3, 0.95)]
)
def test_the_ends_at_other_steps_and_decays(stepsize, decay):
    n, steps = 50_000, 2 * int(-3.5 / np.log(decay))  # γ^steps is about 1e-3
    even = _folded(stepsize, decay, (np.arange(n) + 0.5) / n, steps)
    found = ends(stepsize, decay)
    near = 1e-3 * stepsize
    assert np.mean(even < near) == pytest.approx(found.small, abs=1e-3)
    assert np.mean(even > stepsize - near) == pytest.approx(found.large, abs=1e-3)
    assert found.small + found.large + found.kept.sum() == pytest.approx(1, abs=1e-12)
    assert captured(stepsize, decay) == pytest.approx(found.small + found.large, abs=1e-12)


def test_only_the_first_steps_let_an_entry_escape():
    """The derivation's d_t - D_(t+2) is positive at t = 0 and at no later time."""
    steps = 0.1 / np.sqrt(1 - 0.99 ** np.arange(1, 3000.0))
    fall = -np.diff(steps)
    left = [fall[t] - fall[t + 2 :: 2].sum() for t in range(1000)]
    assert left[0] == pytest.approx(0.0279, abs=1e-4)
    assert max(left[1:]) < 0


def test_a_start_drawn_in_in_step_reaches_the_bound_over_the_reals():
    """|b0| = 0.3 lies among those that end next to 0 at even times, and next to α at odd ones."""
    even, odd = np.abs(rmsprop_tail(np.full(1, 0.3), 0.1, 0.99, 3000, 2)[0])[::-1]
    assert 0 < even < 1e-12
    assert odd >= 0.1 - 1e-15


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_stock_torch_brings_as_many_to_an_exact_zero(dtype, one_thread):
    b = torch.nn.Parameter(torch.tensor(START, dtype=dtype))
    optimizer = torch.optim.RMSprop([b], lr=0.1)
    for _ in range(4000):
        optimizer.zero_grad()
        b.abs().sum().backward()
        optimizer.step()
    assert float((b == 0).double().mean()) == pytest.approx(captured(0.1, 0.99), abs=0.02)


@pytest.fixture(scope="module")
def simulated():
    """Uniform starts, and RMSProp's two last |b| of each entry: over the reals, and in rounded arithmetic."""
    starts = stream("law", 0).uniform(-1, 1, (20_000, 10))
    even = _folded(0.1, 0.99, starts, 900)
    reals = np.stack([even, 0.1 - even])
    # Eq. 18-19 as they stand, in float32: in some thousand steps its captured entries are at 0.
    b, v, late = starts.astype(np.float32), np.zeros(starts.shape, np.float32), []
    for t in range(2400):
        sign = np.sign(b)
        v = np.float32(0.99) * v + np.float32(0.01) * sign * sign
        b = b - np.float32(0.1) * sign / np.sqrt(v + np.float32(1e-16))
        if t >= 2398:
            late.append(np.abs(b))
    return starts, {True: np.stack(late).astype(float), False: reals}


@pytest.mark.parametrize("strength", [0.01, 0.3, 0.7, 1.5, 3.0])
@pytest.mark.parametrize("rounded", [True, False])
def test_the_order_is_that_of_simulated_runs(strength, rounded, simulated):
    starts, rmsprop = simulated
    move = 0.1 * strength
    whole, rest = np.divmod(np.abs(starts), move)
    u = np.where(whole % 2 == 0, rest, move - rest)
    vanilla = np.sort([u.sum(axis=1), (move - u).sum(axis=1)], axis=0)
    norms = np.sort(rmsprop[rounded].sum(axis=2), axis=0)
    found = np.mean(vanilla[1] < norms[0]), np.mean(norms[1] < vanilla[0])
    assert orders(10, 0.1, strength, 0.99, rounded) == pytest.approx(found, abs=0.015)


def test_at_equal_strengths_the_losses_overlap_over_the_reals():
    assert orders(10, 0.1, 1.0, 0.99, rounded=False) == pytest.approx((0, 0), abs=1e-3)
    assert expected(10, 0.1, 1.0, 0.99, 300) is False
    assert expected(10, 0.1, 1.0, 0.99, 2000) is None
