"""What the claim ``exact-solvers`` rests on: certified problems, torch runs, and the predicted floor."""

import celer
import numpy as np
import pytest
import torch

from nonsmooth.claims.exact_solvers import _experiments as solvers
from nonsmooth.claims.exact_solvers._problems import problem, start
from nonsmooth.objectives import Lasso
from nonsmooth.runs import RunSpec

GIVEN = {"step_share": 0.5, "rate": 0.01, "iterations": 50, "share": 0.1, "data": "random"}


@pytest.mark.parametrize("data", ["random", "diabetes", "breast-cancer"])
def test_the_problems_are_scaled_and_solved_as_celer_solves_them(data: str) -> None:
    p = problem(data, 0, 0.1)
    objective = Lasso(p.W, p.y, p.strength)
    assert float(objective.data_gradient_lipschitz) == pytest.approx(1, rel=1e-9)
    assert float(np.abs(objective.data_gradient(np.zeros(p.W.shape[1]))).max()) == pytest.approx(
        10 * p.strength
    )
    assert p.exact.relative_gap <= 1e-10
    other = (
        celer.Lasso(alpha=p.strength / 2, fit_intercept=False, tol=1e-14, max_iter=1000).fit(p.W, p.y).coef_
    )
    assert p.excess(other) == pytest.approx(0, abs=1e-9)
    np.testing.assert_array_equal(np.abs(other) > 1e-7, p.exact.solution != 0)


@pytest.mark.parametrize(("method", "penalty"), [name for group in solvers.METHODS for name in group])
def test_the_batched_torch_run_is_the_one_a_user_would_write(method: str, penalty: str) -> None:
    rows = solvers.in_torch(RunSpec("exact-solvers", "torch", GIVEN, (0, 1)))
    row = next(r for r in rows if (r["method"], r["penalty"], r["seed"]) == (method, penalty, 1))
    p = problem("random", 1, 0.1)
    W, y = torch.from_numpy(p.W), torch.from_numpy(p.y)
    b = torch.nn.Parameter(torch.from_numpy(start("random", 1, W.shape[1])))
    factory = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}.get(method)
    optimizer = factory([b], lr=0.01) if factory else torch.optim.SGD([b], lr=1.0)
    for t in range(50):
        if method == "sgd-fading":
            optimizer.param_groups[0]["lr"] = (1 + t / 100) ** -0.5
        optimizer.zero_grad()
        loss = ((W @ b - y) ** 2).mean()
        if method != "sgd-prox":
            loss = loss + p.strength * (b.square().sum() if penalty == "ridge" else b.abs().sum())
        loss.backward()
        optimizer.step()
        if method == "sgd-prox":
            with torch.no_grad():
                b.copy_(torch.nn.functional.softshrink(b, p.strength))
    final = b.detach().numpy()
    assert row["zeros"] == (final == 0).sum()
    if penalty == "l1":
        assert row["excess"] == pytest.approx(p.excess(final), rel=1e-6, abs=1e-12)


def test_the_floor_is_where_the_subgradient_method_stops() -> None:
    """One entry that is 0 at the solution: the mean of f - f* over a long run is α (s² - g²) / 2."""
    slope, strength, step = 0.3, 1.0, 0.01
    b, values = 0.7123, []
    for t in range(200_000):
        b -= step * (slope + strength * np.sign(b))
        if t > 1000:
            values.append(strength * abs(b) + slope * b)
    assert np.mean(values) == pytest.approx(step * (strength**2 - slope**2) / 2, rel=1e-3)


def test_scikit_learn_warns_where_it_stops_early() -> None:
    rows = solvers.solver(RunSpec("exact-solvers", "solver", {"data": "breast-cancer"}, (0,)))
    early = [r for r in rows if r["warned"]]
    assert early
    assert all(r["passes"] == 1000 and r["gap"] > r["promised"] for r in early)
