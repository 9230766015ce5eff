"""The shortest convex combination of gradients against a convex solver, and where it is known."""

import json

import cvxpy as cp
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from nonsmooth.diagnostics._goldstein import goldstein
from nonsmooth.diagnostics._minimum_norm import minimum_norm, reduced
from nonsmooth.errors import InputError


def _by_solver(points):
    """min ||w' P||^2 over the simplex, by Clarabel at tight tolerances, points of at most 1."""
    w = cp.Variable(len(points))
    problem = cp.Problem(cp.Minimize(cp.sum_squares(points.T @ w)), [w >= 0, cp.sum(w) == 1])
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12, max_iter=500)
    return float(np.sum((points.T @ w.value) ** 2))


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("n", "dim"), [(2, 1), (5, 3), (12, 40), (40, 10), (60, 200)])
def test_against_a_convex_solver(seed, n, dim):
    rng = np.random.default_rng(seed)
    # some hulls hold the origin, some lie far from it, some points are scaled badly or repeat
    points = rng.normal(size=(n, dim)) * 10.0 ** rng.uniform(-3, 0, size=dim) + rng.choice([0.0, 0.3, 3.0])
    points[n // 2] = points[0]
    weights, gap = minimum_norm(points)
    norm = np.linalg.norm(weights @ points)
    scale = np.abs(points).max()
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert gap <= 1e-13 * scale**2 * dim
    assert (norm / scale) ** 2 == pytest.approx(_by_solver(points / scale), abs=1e-10)


def test_the_reduction_keeps_inner_products():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(7, 1000))
    small = reduced([points[:, :300], points[:, 300:301], points[:, 301:]])
    assert small.shape == (7, 7)
    np.testing.assert_allclose(small @ small.T, points @ points.T, rtol=1e-12, atol=1e-10)


def test_near_collinear_points_lose_no_digits():
    """Inner products would: the distance 1e-9 is below their rounding beside entries of 1."""
    points = np.array([[1.0, 1e-9], [-1.0, 1e-9]])
    weights, _ = minimum_norm(points)
    assert np.linalg.norm(weights @ points) == pytest.approx(1e-9, rel=1e-6)


def _median(start):
    """mean |w - y| over y = -1, 0, 1, 2, 3: piecewise linear, least at 1."""
    net = nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(net.weight, start)
    y = torch.tensor([[-1.0], [0.0], [1.0], [2.0], [3.0]], dtype=torch.float64)
    return net, [(torch.ones_like(y), y)]


def test_a_minimum_at_a_kink_is_near_stationary_and_its_gradient_is_not_small():
    net, batches = _median(1.01)
    found = goldstein(net, functional.l1_loss, batches, 0.05)
    assert found.gradient == pytest.approx(0.2)
    assert found.norm == pytest.approx(0, abs=1e-15)
    assert float(net.weight.detach()) == 1.01


def test_a_slope_is_none():
    net, batches = _median(1.5)
    found = goldstein(net, functional.l1_loss, batches, 0.05)
    assert found.norm == pytest.approx(0.2)
    assert found.descent == pytest.approx(0.2 * 0.05)
    assert found.refined == 0
    assert found.lower == pytest.approx(found.norm)


def test_the_way_along_the_bound_finds_the_kinks_that_random_points_miss():
    """||w||_1 in 200 dimensions, each weight within reach: only steps along it see both signs of many."""
    net = nn.Linear(200, 1, bias=False).double()
    torch.manual_seed(0)
    nn.init.uniform_(net.weight, -1e-3, 1e-3)
    batches = [(torch.eye(200, dtype=torch.float64), torch.zeros(200, 1, dtype=torch.float64))]

    def loss(out, y):
        return out.abs().sum()

    plain = goldstein(net, loss, batches, 0.02, samples=0, refine=0)
    better = goldstein(net, loss, batches, 0.02, samples=0, refine=20)
    assert plain.norm == pytest.approx(np.sqrt(200))
    assert better.norm < 0.2 * plain.norm
    assert better.refined > 0


def test_a_network_against_the_solver_on_its_own_gradients():
    torch.manual_seed(3)
    net = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1)).double()
    x, y = torch.randn(20, 5, dtype=torch.float64), torch.randn(20, 1, dtype=torch.float64)
    seen = []
    parameters = list(net.parameters())
    before = [p.detach().clone() for p in parameters]

    def loss(out, target):
        seen.append(torch.cat([p.detach().flatten() for p in parameters]))
        return functional.l1_loss(out, target)

    found = goldstein(net, loss, [(x, y)], 0.3, samples=15, refine=0)
    assert all(torch.equal(p, b) for p, b in zip(parameters, before, strict=True))
    rows = []
    for at in seen[:16]:
        assert float((at - seen[0]).norm()) <= 0.3 + 1e-12
        torch.nn.utils.vector_to_parameters(at, net.parameters())
        value = functional.l1_loss(net(x), y)
        rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(value, parameters)]).numpy())
    points = np.array(rows)
    scale = np.abs(points).max()
    assert (found.norm / scale) ** 2 == pytest.approx(_by_solver(points / scale), abs=1e-10)
    assert found.norm == pytest.approx(np.linalg.norm(found.weights @ points), rel=1e-9)
    assert "16 gradients" in found.evidence


def test_the_same_seed_gives_the_same_bound():
    net, batches = _median(1.2)
    runs = [goldstein(net, functional.l1_loss, batches, 0.5, seed=s) for s in (1, 1, 2)]
    assert runs[0].norm == runs[1].norm
    assert np.array_equal(runs[0].weights, runs[1].weights)


def test_observations_of_the_three_outcomes():
    net, batches = _median(1.01)
    at_kink = goldstein(net, functional.l1_loss, batches, 0.05).observation()
    assert (at_kink.id, at_kink.level) == ("goldstein", "note")
    assert "near-stationary" in at_kink.title
    assert "float64" in at_kink.evidence
    assert "smaller radius" in at_kink.why
    json.dumps(at_kink.as_dict())
    net, batches = _median(1.5)
    slope = goldstein(net, functional.l1_loss, batches, 0.05).observation()
    assert slope.level == "note"
    assert "lowers the loss" in slope.title
    assert "does not prove" in slope.why
    net, batches = _median(1.01)  # both sides are within reach, and no gradient but its own is looked at
    blind = goldstein(net, functional.l1_loss, batches, 0.05, samples=0, refine=0).observation()
    assert blind.level == "unknown"
    assert blind.remedy


def test_the_gradient_at_a_kink_is_said_to_lean_on_a_convention():
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1)).double()
    nn.init.zeros_(net[0].weight), nn.init.zeros_(net[0].bias)
    x = torch.ones(3, 1, dtype=torch.float64)
    found = goldstein(net, functional.mse_loss, [(x, x)], 0.1, samples=3)
    assert found.hits == 6
    assert "6 ReLU inputs are exactly 0" in found.evidence


def test_a_shuffling_loader_leaves_the_random_stream_alone():
    net, ((x, y),) = _median(1.2)
    loader = DataLoader(TensorDataset(x, y), batch_size=2, shuffle=True)
    torch.manual_seed(0)
    state = torch.get_rng_state()
    goldstein(net, functional.l1_loss, loader, 0.5, samples=2)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_radius_below_the_rounding_of_the_weights_is_refused():
    net, ((x, y),) = _median(1.2)
    net.float()
    with pytest.raises(InputError, match="lost in the rounding of the weights"):
        goldstein(net, functional.l1_loss, [(x.float(), y.float())], 1e-12)


def test_weights_that_cannot_be_looked_at():
    net, batches = _median(float("nan"))
    with pytest.raises(InputError, match="not finite"):
        goldstein(net, functional.l1_loss, batches, 0.5)
    with pytest.raises(InputError, match="no parameter"):
        goldstein(nn.ReLU(), functional.l1_loss, batches, 0.5)
    with pytest.raises(InputError, match="lazy module"):
        goldstein(nn.LazyLinear(1), functional.l1_loss, batches, 0.5)
    with pytest.raises(InputError, match="no batches"):
        goldstein(_median(1.2)[0], functional.l1_loss, [], 0.5)


@pytest.mark.parametrize("wrong", [{"radius": 0.0}, {"radius": 1.0, "samples": 2000}])
def test_numbers_out_of_range(wrong):
    net, batches = _median(1.2)
    with pytest.raises(InputError):
        goldstein(net, functional.l1_loss, batches, **wrong)


def test_weights_come_back_after_a_loss_that_raises():
    net, batches = _median(1.2)
    calls = []

    def loss(out, y):
        calls.append(1)
        if len(calls) > 2:
            raise RuntimeError("no more")
        return functional.l1_loss(out, y)

    with pytest.raises(InputError, match=r"the model or the loss raises RuntimeError \(no more\)"):
        goldstein(net, loss, batches, 0.5)
    assert float(net.weight.detach()) == 1.2
