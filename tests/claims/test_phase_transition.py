"""The theory of the final order against simulation, and 1024-bit runs against decimals and stock torch."""

from decimal import Decimal, localcontext

import numpy as np
import pytest
import torch

from nonsmooth.claims.phase_transition._reals import rmsprop_tail
from nonsmooth.claims.phase_transition._theory import captured, expected, orders
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
    assert np.mean(tail.min(axis=1) < 1e-9) == pytest.approx(captured(0.99), abs=0.02)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_stock_torch_brings_as_many_to_an_exact_zero(dtype, one_thread):
    b = torch.nn.Parameter(torch.tensor(START, dtype=dtype))
    optimizer = torch.optim.RMSprop([b], lr=0.1)
    for _ in range(4000):
        optimizer.zero_grad()
        b.abs().sum().backward()
        optimizer.step()
    assert float((b == 0).double().mean()) == pytest.approx(captured(0.99), abs=0.02)


@pytest.mark.parametrize("strength", [0.01, 0.3, 0.7, 1.5, 3.0])
@pytest.mark.parametrize("rounded", [True, False])
def test_the_order_is_that_of_simulated_norms(strength, rounded):
    rng, P, n = stream("law", 0), 10, 40_000
    move = 0.1 * strength
    whole, rest = np.divmod(np.abs(rng.uniform(-1, 1, (n, P))), move)
    vanilla = np.where(whole % 2 == 0, rest, move - rest).sum(axis=1)
    vanilla = np.sort([vanilla, P * move - vanilla], axis=0)
    gone = rng.random((n, P)) < captured(0.99)
    place = rng.uniform(0, 0.1, (n, P))
    at_ends = np.zeros((n, P)) if rounded else 0.1 * rng.integers(0, 2, (n, P))
    one = np.where(gone, at_ends, place).sum(axis=1)
    total = 0.1 * (P - gone.sum(axis=1) if rounded else P)
    rmsprop = np.sort([one, total - one], axis=0)
    simulated = np.mean(vanilla[1] < rmsprop[0]), np.mean(rmsprop[1] < vanilla[0])
    assert orders(P, 0.1, strength, 0.99, rounded) == pytest.approx(simulated, abs=0.012)


def test_at_equal_strengths_the_losses_overlap_over_the_reals():
    assert orders(10, 0.1, 1.0, 0.99, rounded=False) == pytest.approx((0, 0), abs=1e-3)
    assert expected(10, 0.1, 1.0, 0.99, 300) is False
    assert expected(10, 0.1, 1.0, 0.99, 2000) is None
