"""RMSProp with sixty digits against the compiled runs and a plain loop; eq. 21's steps against eq. 18-19."""

import math

import numpy as np
import pytest

from nonsmooth.claims.variants_table._experiments import _with_sixty_digits, first_step
from nonsmooth.methods import RMSProp
from nonsmooth.objectives import ToyLasso
from nonsmooth.runs import RunSpec
from nonsmooth.trajectories import Record, minimize


@pytest.mark.parametrize(("field", "before"), [("printed", 0), ("repaired", -1)])
def test_the_steps_are_those_of_the_recursion(field: str, before: int) -> None:
    """Eq. 18-19 in plain floats, v = 0 at t = 0, or at t = -1."""
    jitter = 1e-10
    rows = first_step(RunSpec("variants-table", "first-step", {"stepsize": 0.01, "jitter": jitter}))
    for strength in {row["strength"] for row in rows}:
        v, steps = 0.0, {}
        for t in range(before, 1001):
            v = 0.0 if t == before else 0.99 * v + 0.01 * strength**2
            steps[t] = strength / math.sqrt(v + jitter)
        mine = [row for row in rows if row["strength"] == strength]
        assert [row[field] for row in mine] == pytest.approx([steps[row["t"]] for row in mine], rel=1e-9)


def test_torch_reads_eq_18_as_repaired() -> None:
    rows = first_step(RunSpec("variants-table", "first-step", {"stepsize": 0.01, "jitter": 1e-16}))
    first = [row for row in rows if row["t"] == 0]
    assert len(first) == 3
    for row in first:  # torch's eps outside the root counts 1e-8 / (λ1 √(1 - γ)), 1e-4 at λ1 = 0.001
        assert row["torch"] == pytest.approx(row["repaired"], rel=2e-4)


@pytest.mark.parametrize("b", [0.731, -0.248, 0.0557])
def test_sixty_digits_and_float64_agree_while_rounding_is_far_away(b: float) -> None:
    smallest, _ = _with_sixty_digits(b, 0.01, 1e-16, 100)
    run = minimize(
        ToyLasso(1.0, 1),
        start=np.array([[b]]),
        steps=100,
        stepsize=0.01,
        method=RMSProp(0.99, 1e-16),
        record=Record(tail=2),
    )
    assert smallest == pytest.approx(float(np.abs(run.tail).min()), abs=1e-13)


def test_a_plain_loop_reaches_exact_zeros_too() -> None:
    zeros = 0
    for b in np.random.default_rng(0).uniform(-1, 1, 40):
        x, v = float(b), 0.0
        for _ in range(4000):
            g = (x > 0) - (x < 0)
            v = 0.99 * v + 0.01 * g * g
            x -= 0.01 * g / math.sqrt(v + 1e-16)
        zeros += x == 0
    assert 15 <= zeros <= 38
