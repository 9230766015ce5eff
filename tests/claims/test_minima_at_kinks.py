"""The certificates against slow, obvious oracles: difference quotients, a QP solver, random search."""

import cvxpy as cp
import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear

from nonsmooth.claims._dense import Dense
from nonsmooth.claims._faces import descend
from nonsmooth.claims._kinked_network import Kinked
from nonsmooth.claims._quasi_newton import bfgs
from nonsmooth.claims.minima_at_kinks._ends import look
from nonsmooth.claims.minima_at_kinks._hinge import Hinge
from nonsmooth.claims.minima_at_kinks._hinge import descend as descend_hinge


def _problem(seed: int, loss: str = "square", slope: float = 0.0) -> tuple[Kinked, np.ndarray]:
    rng = np.random.default_rng(seed)
    f = Kinked(rng.standard_normal((30, 4)), np.sign(rng.standard_normal(30)), 3, loss, slope, 1e-2)
    return f, 0.7 * rng.standard_normal(f.size)


@pytest.mark.parametrize("loss", ["square", "logistic"])
@pytest.mark.parametrize("slope", [0.0, 0.01])
def test_value_gradient_and_hessian_are_those_of_the_network(loss: str, slope: float) -> None:
    f, theta = _problem(0, loss, slope)
    x, y = torch.from_numpy(f.x), torch.from_numpy(f.y)[:, None]
    net = Dense((4, 3, 1), "relu" if slope == 0 else "leaky-relu", loss, x, y, f.ridge)
    point = torch.from_numpy(theta)[None]
    value, gradient = net.slopes(point)
    model = f.model(theta, f.inner(theta) > 0)
    assert f.value(theta) == pytest.approx(float(value), abs=1e-14)
    assert model.gradient == pytest.approx(gradient[0].numpy(), abs=1e-13)
    units = torch.eye(f.size, dtype=torch.float64)
    assert model.hessian == pytest.approx(net.curvatures(point.expand(f.size, -1), units).numpy(), abs=1e-12)


def _at_a_kink(seed: int) -> tuple[Kinked, np.ndarray, np.ndarray]:
    """A random point moved onto two kinks."""
    f, theta = _problem(seed)
    kinks = np.array([4, 40])
    normals = f.normals(kinks)
    return f, theta - np.linalg.pinv(normals) @ (normals @ theta), kinks


@pytest.mark.parametrize("seed", range(4))
def test_one_sided_derivatives_are_limits_of_difference_quotients(seed: int) -> None:
    f, theta, kinks = _at_a_kink(seed)
    way = np.random.default_rng(seed + 9).standard_normal(f.size)
    there, back = f.one_sided(theta, way, kinks)
    h = 1e-7
    assert (f.value(theta + h * way) - f.value(theta)) / h == pytest.approx(there, abs=1e-4)
    assert (f.value(theta - h * way) - f.value(theta)) / h == pytest.approx(back, abs=1e-4)
    model = f.model(theta, f.inner(theta) > 1e-9)
    rates = f.normals(kinks) @ way
    by_jumps = model.gradient @ way + model.jumps.reshape(-1)[kinks] @ np.maximum(rates, 0)
    assert there == pytest.approx(by_jumps, abs=1e-12)
    assert there + back == pytest.approx(model.jumps.reshape(-1)[kinks] @ np.abs(rates), abs=1e-12)


@pytest.mark.parametrize("loss", ["square", "logistic"])
def test_certified_minima_are_minima(loss: str) -> None:
    certified = kinked = 0
    for seed in range(8):
        f, theta = _problem(seed, loss)
        net = Dense((4, 3, 1), "relu", loss, torch.from_numpy(f.x), torch.from_numpy(f.y)[:, None], f.ridge)
        ends = bfgs(net.slopes, torch.from_numpy(theta)[None], 400, 1e-8)
        face = descend(f, ends.points[0].numpy())
        if not face.strict:
            continue
        certified += 1
        assert face.value <= float(ends.values[0]) + 1e-12
        rng = np.random.default_rng(seed)
        for size in 10.0 ** rng.uniform(-5, -2, 300):
            way = rng.standard_normal(f.size)
            assert f.value(face.theta + size * way / np.linalg.norm(way)) > face.value
        if len(face.kinks) == 0:
            continue
        kinked += 1
        assert np.abs(f.inner(face.theta).reshape(-1)[face.kinks]).max() < 1e-12
        # 0 is in the subdifferential, by a solver that knows nothing of faces
        model = f.model(face.theta, f.inner(face.theta) > 1e-9)
        normals = f.normals(face.kinks)
        solved = lsq_linear(normals.T * face.jumps, -model.gradient, (0, 1), tol=1e-14)
        assert np.sqrt(2 * solved.cost) < 1e-9
        assert 0 < solved.x.min() <= solved.x.max() < 1
        way = np.linalg.pinv(normals)[:, 0]  # moves the first kink alone
        there, back = f.one_sided(face.theta, way, face.kinks)
        assert there == pytest.approx(face.jumps[0] - face.multipliers[0], abs=1e-9)
        assert back == pytest.approx(face.multipliers[0], abs=1e-9)
        assert min(there, back) > 0
    assert certified >= 5
    assert kinked >= 4


def test_a_kink_is_left_where_the_function_falls() -> None:
    # one sample, one unit at its kink, target 1: switching the unit on reduces the loss, so 0 is no minimum
    f = Kinked(np.array([[1.0]]), np.array([1.0]), 1, "square", 0.0, 1e-3)
    face = descend(f, np.array([1.0, -1.0, 1.0, 0.0]))
    assert face.value < 0.01


def test_bfgs_ends_at_rounding_on_a_kinked_function_with_a_gradient_that_is_not_small() -> None:
    rng = np.random.default_rng(0)
    A, b = torch.from_numpy(rng.standard_normal((12, 5))), torch.from_numpy(rng.standard_normal(12))

    def slopes(x: torch.Tensor, which: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        r = x @ A.T - b
        return r.abs().sum(1), torch.sign(r) @ A

    ends = bfgs(slopes, torch.zeros(3, 5, dtype=torch.float64), 300)
    x = cp.Variable(5)
    problem = cp.Problem(cp.Minimize(cp.norm1(A.numpy() @ x - b.numpy())))
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12)
    assert ends.values.numpy() == pytest.approx(np.full(3, problem.value), rel=1e-9)
    assert float(ends.gradients.norm(dim=1).min()) > 0.1


def test_rows_of_a_batch_do_not_influence_each_other() -> None:
    f, _ = _problem(0)
    x, y = torch.from_numpy(f.x), torch.from_numpy(f.y)[:, None]
    net = Dense((4, 3, 1), "relu", "square", torch.stack([x, -x]), torch.stack([y, y]), 1e-2)
    both = net.start([3, 3])
    values, gradients = net.slopes(both)
    for k in range(2):
        value, gradient = net.slopes(both[k : k + 1], torch.tensor([k]))
        assert float(value[0]) == pytest.approx(float(values[k]), rel=1e-13)
        assert gradient[0].numpy() == pytest.approx(gradients[k].numpy(), abs=1e-14)
    assert float(values[0]) != pytest.approx(float(values[1]))


def test_a_look_tells_kinks_from_smooth_ends() -> None:
    f, theta = _problem(5)
    net = Dense((4, 3, 1), "relu", "square", torch.from_numpy(f.x), torch.from_numpy(f.y)[:, None], f.ridge)
    face = next(e for e in (descend(f, _problem(s)[1]) for s in range(20)) if e.strict and len(e.kinks))
    seen, other = look(net, torch.from_numpy(np.stack([face.theta, theta])))
    assert (seen.kind, other.kind) == ("kink", "unfinished")
    assert seen.kinks == len(face.kinks)
    assert seen.gap > 1e4
    tanh = Dense((4, 3, 1), "tanh", "square", net.x, net.y, 1e-2)
    ends = bfgs(tanh.slopes, tanh.start([0]), 500, 1e-8)
    assert look(tanh, ends.points)[0].kind == "smooth"


def test_no_direction_of_decrease_at_stationary_ends_of_the_hinge_loss() -> None:
    certified = 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        f = Hinge(rng.standard_normal((20, 3)), np.sign(rng.standard_normal(20)), 2, 0.0)
        end = descend_hinge(f, rng.standard_normal(11))
        assert end.value == pytest.approx(f.value(end.theta))
        if not end.stationary:
            continue
        certified += 1
        for way in rng.standard_normal((400, 11)):
            way /= np.abs(way).max()
            assert (f.value(end.theta + 1e-7 * way) - end.value) / 1e-7 > -1e-5
        assert end.margins or end.kinks or (end.gradient < 1e-12 and end.curvature < 1e-12)
    assert certified >= 6


def test_the_hinge_loss_is_harmonic_inside_a_cell() -> None:
    rng = np.random.default_rng(1)
    x, y = (
        torch.from_numpy(rng.standard_normal((20, 3))),
        torch.from_numpy(np.sign(rng.standard_normal((20, 1)))),
    )
    net = Dense((3, 2, 2, 1), "leaky-relu", "hinge", x, y)
    theta = net.start([4])
    units = torch.eye(net.size, dtype=torch.float64)
    hessian = net.curvatures(theta.expand(net.size, -1), units)
    assert abs(float(hessian.diagonal().sum())) < 1e-14
    assert float(hessian.abs().max()) > 1e-3
