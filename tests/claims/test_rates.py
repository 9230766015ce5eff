"""The least values and counts that the claim ``rates`` rests on, against independent solvers."""

import cvxpy as cp
import numpy as np
import pytest

from nonsmooth.claims import load
from nonsmooth.claims.rates import _experiments as rates
from nonsmooth.claims.rates._judgement import predicted
from nonsmooth.runs import RunSpec


@pytest.mark.parametrize("width", [5.0, 0.1, 1e-3, 1e-5])
def test_the_twins_minimum_is_the_conic_solvers(width: float) -> None:
    rng = np.random.default_rng(0)
    W, y, strength = rng.uniform(-1, 1, (3, 12, 6)), rng.uniform(-1, 1, (3, 12)), np.array([0.05, 0.1, 0.2])
    found = rates.twin_minimum(W, y, strength, width)
    for i in range(3):
        b, u = cp.Variable(6), cp.Variable(6)
        # |x| rounded over d is min_u |u| + (x - u)^2 / (2 d)
        rounded = cp.norm1(u) + cp.sum_squares(b - u) / (2 * width)
        problem = cp.Problem(cp.Minimize(cp.sum_squares(y[i] - W[i] @ b) / 12 + strength[i] * rounded))
        problem.solve(solver="CLARABEL")
        assert found[i] == pytest.approx(problem.value, rel=1e-6)


def test_steps_of_one_entry_are_counted_by_hand() -> None:
    # |x| from x_0 at the step a: |x_0| - k a, so the error 1/2 is reached after ceil(|x_0| / (2 a)) steps
    class One:
        objective, minimum = rates.ToyLasso(1.0, 1), np.zeros(1)
        start = np.array([[0.8]])
        scale = objective.value(start)

    need, stepsize, _ = rates._tuned(One(), horizon=20, least=0.5, errors=(0.5,))  # pyright: ignore
    assert need[0, 0] == 1
    assert 0.4 <= stepsize[0, 0] <= 1.2


@pytest.mark.parametrize("family", ["toy", "lasso"])
def test_a_twin_of_no_width_to_speak_of_is_the_kinked_problem(family: str) -> None:
    def steps(width: float) -> list[int]:
        given = {"family": family, "factor": 1.0, "width": width, "P": 4, "error": 0.05}
        return [row["steps"] for row in rates.pairs(RunSpec("rates", "pairs", given, (0, 1, 2)))]

    assert steps(1e-9) == steps(0.0)


def test_the_attaining_functions_attain() -> None:
    for N in (1, 5, 20):
        assert rates._hubers_function(N) == pytest.approx(1 / (4 * N + 2), rel=1e-12)
        assert rates._largest_entry(N) == pytest.approx(1 / np.sqrt(N + 1), rel=1e-12)


def test_theory_is_silent_between_its_borders() -> None:
    assert [predicted(0.01, width) for width in (0.01, 0.001, 1e-4)] == [True, None, False]


def test_too_few_lengths_decide_nothing() -> None:
    rows = [row for spec in load("rates").runs("quick", {"dimension": 2, "error": 0.1})[:3]
            for row in load("rates").measure(spec)]  # fmt: skip
    assert {str(r.answer) for r in load("rates").verdict(rows).rulings} == {"not judged", "undecided"}
