"""The mathematics behind ``geometric-steps``: limits, schedules, the linear rate and the map's theory."""

from fractions import Fraction

import numpy as np
import pytest

from nonsmooth.claims.geometric_steps import _experiments as geometric
from nonsmooth.claims.geometric_steps._judgement import predicted
from nonsmooth.methods import Constant, StepSize
from nonsmooth.objectives import Quadratic, ToyLasso
from nonsmooth.runs import RunSpec
from nonsmooth.trajectories import minimize


@pytest.mark.parametrize(
    ("step", "decay", "period"), [("1/4", "1/2", 1), ("1/3", "1/6", 2), ("1/6", "2/3", 3)]
)
def test_the_limit_bounds_the_products_from_below_and_closely(step: str, decay: str, period: int) -> None:
    step, decay = Fraction(step), Fraction(decay)
    bound = geometric._limit(step, decay, period)
    product = Fraction(1)
    for k in range(60):
        product *= (1 - step * decay**k) ** period
    assert 0 < bound < product
    assert float(product - bound) < 0.05


def test_the_smallest_instance_stops_when_it_is_run() -> None:
    row = geometric.search(RunSpec("geometric-steps", "search", {"largest": 4}))[0]
    first = row["smallest"]
    regime = geometric._regime(
        float(Fraction(first["stepsize"])) * first["period"],
        float(Fraction(first["decay"])),
        first["period"],
        1e-9,
    )
    f = Quadratic(np.array([[float(first["c"])]]))
    run = minimize(f, start=np.array([1.0]), steps=sum(regime.lengths), stepsize=regime)
    assert run.final[0, 0] == pytest.approx(first["limit"], abs=1e-3)
    assert run.final[0, 0] >= 0.5


def test_the_regime_is_torchs_steplr() -> None:
    import torch

    regime: StepSize = geometric._regime(0.6, 0.5, 3, 0.1)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)
    rates = []
    for _ in range(12):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert regime.base * regime.profile(12) == pytest.approx(rates, rel=1e-12)


@pytest.mark.parametrize("family", ["toy", "relu"])
def test_the_growth_and_the_slopes_that_the_linear_rate_needs(family: str) -> None:
    # f - f* >= mu ||b|| and subgradients up to L, on random points of the ball
    seeds, P = (0, 1), 6
    row = geometric.sharp(RunSpec("geometric-steps", "sharp", {"family": family, "P": P}, seeds))[0]
    Z, y = geometric._data(P, seeds)
    f = ToyLasso(1.0, P) if family == "toy" else geometric.ReluRegression(Z, y, l1=10.0)
    growth = 1.0 if family == "toy" else 10.0
    b = np.random.default_rng(0).uniform(-1, 1, (50, 2, P))
    for point in b:
        norm = np.linalg.norm(point, axis=1)
        assert (f.value(point) - f.facts.minimum >= growth * norm - 1e-12).all()
    start = geometric._starts(P, seeds)
    inside = start * 0.9
    assert (np.linalg.norm(f.subgradient(inside), axis=1) <= growth * row["condition"] * (1 + 1e-12)).all()


def test_a_constant_step_breaks_the_linear_bound() -> None:
    # the control: the bound is not met by any schedule
    f = ToyLasso(1.0, 2)
    run = minimize(f, start=np.array([0.5, 0.3]), steps=200, stepsize=Constant(0.2))
    assert np.linalg.norm(run.final) > 0.5 * np.sqrt(1 - 1 / 2) ** 200


def test_theory_of_the_map() -> None:
    assert predicted(1.0, 0.5, 1) is True
    assert predicted(0.1, 0.5, 10) is False
    assert predicted(10.0, 0.1, 1) is None  # reaches 0, but cannot come back once past it
    assert predicted(0.4, 0.5, 10) is None
