"""The experiments' own parts against closed forms and a convex solver."""

import cvxpy as cp
import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear

import nonsmooth as ns
from nonsmooth.claims._dense import Dense
from nonsmooth.claims._kinked_network import Kinked
from nonsmooth.claims.soft_threshold import _networks
from nonsmooth.claims.soft_threshold._experiments import least_deviations
from nonsmooth.claims.soft_threshold._network_judgement import certified, lowered
from nonsmooth.claims.soft_threshold._network_minima import Penalised, kinked_minimum, smooth_minimum
from nonsmooth.claims.soft_threshold._proximal import descend
from nonsmooth.networks import mlp
from nonsmooth.penalties import L1
from nonsmooth.runs import RunSpec


def test_the_smallest_instance_ends_at_the_minimiser_of_a_kinked_loss() -> None:
    path = []
    for steps in range(4):
        b = np.array([-1.0])
        descend(1, 0.0, 1.0, np.array([[-1.0]]), np.array([-1.0]), 1.0, 0.5, np.ones(steps), b)
        path.append(float(b[0]))
    assert path == [-1.0, 0.5, 0.0, 0.0]


@pytest.mark.parametrize("seed", range(3))
def test_the_linear_programme_agrees_with_a_cone_solver(seed: int) -> None:
    rng = np.random.default_rng(seed)
    W, y = rng.uniform(-1, 1, (20, 10)), rng.uniform(-1, 1, 20)
    b = cp.Variable(10)
    problem = cp.Problem(cp.Minimize(cp.norm1(y - W @ b) / 20 + 0.1 * cp.norm1(b)))
    problem.solve(solver=cp.CLARABEL)
    assert least_deviations(W, y, 0.1) == pytest.approx(problem.value, abs=1e-8)


def test_rounded_steps_are_proximal_gradient_steps() -> None:
    rng = np.random.default_rng(0)
    W, y, b = rng.uniform(-1, 1, (6, 3)), rng.uniform(-1, 1, 6), rng.uniform(-1, 1, 3)
    moved = b - 0.2 * W.T @ np.clip((W @ b - y) / 0.3, -1, 1) / 6
    expected = np.sign(moved) * np.maximum(np.abs(moved) - 0.2 * 0.05, 0)
    descend(0, 0.3, 1 / 6, W, y, 0.05, 0.2, np.ones(1), b)
    assert b == pytest.approx(expected, abs=1e-15)


_STRENGTH = 0.05


def _net(activation: str, seeds: int = 6) -> tuple[Dense, torch.Tensor]:
    """Networks 4-3-1, each on 20 samples of its own, and starts."""
    rng = np.random.default_rng(5)
    x = torch.from_numpy(rng.standard_normal((seeds, 20, 4)))
    y = torch.from_numpy(np.sign(rng.standard_normal((seeds, 20, 1))))
    net = Dense((4, 3, 1), activation, "square", x, y)
    return net, net.start(range(seeds))


def _settled(net: Dense, theta: torch.Tensor, steps: int = 3000) -> np.ndarray:
    """Ends of proximal gradient steps, constant and then falling."""
    for t in range(steps):
        step = 0.1 if t < steps // 2 else 0.1 * 1e-4 ** ((t - steps // 2) / (steps // 2))
        theta = L1(_STRENGTH).prox(theta - step * net.slopes(theta)[1], step)
    return theta.numpy()


def _penalised_value(net: Dense, k: int, theta: np.ndarray) -> float:
    point = torch.from_numpy(theta)[None]
    return float(net.values(point, torch.tensor([k]))[0]) + _STRENGTH * float(np.abs(theta).sum())


@pytest.mark.parametrize("seed", range(3))
def test_slopes_along_a_ray_are_limits_of_difference_quotients_at_both_kinds_of_kinks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    f = Penalised(
        Kinked(rng.standard_normal((9, 3)), np.sign(rng.standard_normal(9)), 2, "square", 0.0, 0.0), 0.3
    )
    theta, way = rng.standard_normal((2, f.size))
    theta[[1, 9]] = 0.0  # two of the penalty's kinks
    normal = f.network.normals(np.array([4]))[0]
    theta[:-1] -= normal * (normal @ theta[:-1]) / (normal @ normal)  # and one of the network's
    theta[[1, 9]] = 0.0
    left, right = f.along(theta, way, np.array([0.0, 0.5]))
    h = 1e-7
    for at, step in enumerate((0.0, 0.5)):
        here, after, before = (f.value(theta + (step + move) * way) for move in (0, h, -h))
        assert (after - here) / h == pytest.approx(right[at], abs=1e-5)
        assert (here - before) / h == pytest.approx(left[at], abs=1e-5)
    assert right[0] - left[0] > 0.1
    model = f.model(theta, f.inner(theta) > 0)
    numeric = [(f.value(theta + h * e) - f.value(theta - h * e)) / (2 * h) for e in np.eye(f.size)]
    free = np.setdiff1d(np.arange(f.size), [1, 9, *np.flatnonzero(normal)])
    assert model.gradient[free] == pytest.approx(np.array(numeric)[free], abs=1e-5)


def test_certified_minima_of_relu_networks_are_strict_and_have_0_in_their_subdifferential() -> None:
    net, start = _net("relu", 16)
    kinked = dead = 0
    for k, end in enumerate(_settled(net, start)):
        network = Kinked.of(net, k)
        found = kinked_minimum(network, _STRENGTH, end)
        if not found.strict:
            continue
        kinked += found.kinks > 0
        assert found.value == pytest.approx(_penalised_value(net, k, found.theta), abs=1e-14)
        assert found.value <= _penalised_value(net, k, end) + 1e-14
        rng = np.random.default_rng(k)
        W, b, v, _ = network.unpack(found.theta)
        off = (W == 0).all(1) & (b == 0) & (v == 0)
        dead += bool(off.any())
        for size in 10.0 ** rng.uniform(-5, -2, 400):
            way = rng.standard_normal(found.theta.size) * (rng.random(found.theta.size) < 0.5)
            way *= size / max(np.linalg.norm(way), 1e-9)
            assert _penalised_value(net, k, found.theta + way) > found.value or not way.any()
        # by a solver that knows nothing of faces: -gradient = jumps of kinks held + λ signs, all in range
        z = network.inner(found.theta)
        held = np.flatnonzero((np.abs(z) < 1e-12) & ~off)
        assert len(held) == found.kinks
        model = network.model(found.theta, z > 1e-12)
        zeros = np.flatnonzero(np.abs(found.theta) < 1e-12)
        sign = np.sign(found.theta)
        sign[zeros] = 0
        columns = [
            network.normals(held).T * model.jumps.reshape(-1)[held],
            2 * _STRENGTH * np.eye(found.theta.size)[:, zeros],
        ]
        target = -model.gradient - _STRENGTH * sign
        target[zeros] += _STRENGTH
        solved = lsq_linear(np.hstack(columns), target, (0, 1), tol=1e-14)
        assert np.sqrt(2 * solved.cost) < 1e-9
        assert 0 < solved.x.min() <= solved.x.max() < 1
    assert kinked >= 2
    assert dead >= 1


@pytest.mark.parametrize("activation", ["gelu", "tanh"])
def test_certified_minima_of_smooth_networks_are_stationary_by_the_package_s_certificate(
    activation: str,
) -> None:
    net, start = _net(activation)
    certified_ones = 0
    for k, end in enumerate(_settled(net, start)):
        one = Dense(net.sizes, activation, "square", net.x[k], net.y[k])
        found = smooth_minimum(one, _STRENGTH, end)
        if not found.strict:
            continue
        certified_ones += 1
        model = mlp(net.sizes, activation).double()
        torch.nn.utils.vector_to_parameters(torch.from_numpy(found.theta), model.parameters())
        penalties = [(p, L1(_STRENGTH)) for p in model.parameters()]
        seen = ns.certificate(
            model, lambda o, y: ((o - y) ** 2).sum(1).mean() / 2, [(net.x[k], net.y[k])], penalties
        )
        assert seen.distance < 1e-9
        assert seen.objective == pytest.approx(found.value, abs=1e-13)
        rng = np.random.default_rng(k)
        for size in 10.0 ** rng.uniform(-4, -2, 200):
            way = rng.standard_normal(found.theta.size)
            assert _penalised_value(net, k, found.theta + size * way) > found.value
    assert certified_ones >= 4


def test_no_certificate_where_there_is_no_minimum() -> None:
    net, start = _net("tanh", 1)
    one = Dense(net.sizes, "tanh", "square", net.x[0], net.y[0])
    assert not smooth_minimum(one, _STRENGTH, start[0].numpy()).strict  # every parameter on the support
    relu, start = _net("relu", 1)
    assert not kinked_minimum(Kinked.of(relu, 0), _STRENGTH, np.zeros(start.shape[1])).strict


def test_each_use_takes_the_step_and_the_threshold_that_it_says() -> None:
    net, start = _net("tanh", 2)
    uses = len(_networks._SGD) + len(_networks._ADAM)
    many = Dense(net.sizes, "tanh", "square", net.x.repeat(uses, 1, 1), net.y.repeat(uses, 1, 1))
    penalty = L1(_STRENGTH)
    ends = _networks._train(many, start, penalty, 0.1, 1)
    gradient = net.slopes(start)[1]

    def soft(theta: torch.Tensor, threshold: torch.Tensor | float) -> torch.Tensor:
        return theta.sign() * (theta.abs() - threshold).clamp(min=0)

    moved = soft(start - 0.1 * gradient, 0.1 * _STRENGTH)
    torch.testing.assert_close(ends["proximal"], moved, rtol=0, atol=1e-15)
    moved = soft(start - 0.01 * gradient, 0.01 * _STRENGTH)
    torch.testing.assert_close(ends["momentum by hand"], moved, rtol=0, atol=1e-15)
    moved = soft(start - 0.1 * (gradient + _STRENGTH * start.sign()), 0.1 * _STRENGTH)
    torch.testing.assert_close(ends["once"], moved, rtol=0, atol=1e-15)
    # the first of Adam's steps is lr g / (|g| + eps)
    step = _networks._ADAM_STEP / (gradient.abs() + 1e-8)
    moved = soft(start - step * gradient, step * _STRENGTH)
    torch.testing.assert_close(ends["Adam proximal"], moved, rtol=0, atol=1e-9)
    moved = soft(start - step * gradient, _networks._ADAM_STEP * _STRENGTH)
    torch.testing.assert_close(ends["Adam by hand"], moved, rtol=0, atol=1e-9)
    falling = _networks._ADAM_STEP * _networks._FALL / (gradient.abs() + 1e-8)
    moved = soft(start - falling * gradient, falling * _STRENGTH)
    torch.testing.assert_close(ends["Adam proximal falling"], moved, rtol=0, atol=1e-12)


@pytest.mark.parametrize("strength", [0.05, 0.1, 0.4])
def test_no_network_on_one_sample_is_below_the_known_minimum(strength: float) -> None:
    least = _networks.global_minimum(8.0, strength)
    out, weight = np.meshgrid(np.linspace(0, 1, 1201), np.linspace(0, 1, 1201))
    grid = (8 * out * weight - 1) ** 2 / 2 + strength * (out + weight)
    alone = np.linspace(0, 1, 4001)
    bias = (alone - 1) ** 2 / 2 + strength * alone
    assert least == pytest.approx(min(grid.min(), bias.min()), abs=1e-5)
    x = torch.rand(64, 1, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    x[:, :, 0] = 8.0
    net = Dense((5, 6, 1), "relu", "square", x, torch.ones(64, 1, 1, dtype=torch.float64))
    theta = net.start(range(64)) / 2
    for _ in range(3000):
        theta = L1(strength).prox(theta - 0.02 * net.slopes(theta)[1], 0.02)
    values = net.values(theta) + L1(strength).value(theta)
    assert float(values.min()) >= least - 1e-12
    assert float(values.min()) == pytest.approx(least, abs=1e-9)


def test_rows_do_not_depend_on_the_seeds_beside_them() -> None:
    parameters = {
        "images": "digits",
        "device": "cpu",
        "network_strength": 0.05,
        "samples": 20,
        "side": 2,
        "width": 2,
        "stepsize": 0.05,
        "steps": 60,
        "activation": "tanh",
    }
    both, one = (
        _networks.trained(RunSpec("soft-threshold", "trained", parameters, seeds)) for seeds in ((3, 8), (8,))
    )
    mine = [row for row in both if row["seed"] == 8]
    assert [row["use"] for row in mine] == [row["use"] for row in one]
    for a, b in zip(mine, one, strict=True):
        assert a["value"] == pytest.approx(b["value"], rel=1e-9)
        assert a["zeros"] == b["zeros"]


def test_how_far_an_end_can_be_lowered() -> None:
    row = {"value": 0.5, "descended": 0.4, "minimum": 0.25, "strict": True, "moved": 0.01}
    assert lowered(row) == pytest.approx(0.5)
    far = {**row, "moved": 0.2}
    assert not certified(far)
    assert lowered(far) == pytest.approx(0.2)
    assert not certified({"value": 0.5, "descended": 0.5})
