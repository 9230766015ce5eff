"""The searches behind the bound: held against linear programs, PEPit, and orbits replayed exactly.

Networks at the edge of stability: their sharpness against the whole Hessian.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from nonsmooth.claims import _edge_of_stability as edge
from nonsmooth.claims._edge_judgement import at_edge, first_reached, late_ratios
from nonsmooth.claims.unstable_convergence._cycles import cycles, excesses, highest_point, longest_paths
from nonsmooth.claims.unstable_convergence._experiments import _along_a_ray
from nonsmooth.claims.unstable_convergence._periodic import exact_excess, worst_period
from nonsmooth.runs import RunSpec


@pytest.mark.parametrize(("dimension", "period", "steepest"), [(1, 4, 9), (2, 3, 5), (2, 4, 5), (3, 4, 3)])
def test_all_cycles_at_once_are_worth_what_a_linear_program_says(dimension, period, steepest) -> None:
    tried = [g for square in range(1, steepest + 1) for g in cycles(dimension, period, square)][:300]
    programs = [highest_point(g) for g in tried]
    assert excesses(np.array(tried)) == pytest.approx(
        [np.nan if found is None else found[0] for found in programs], abs=1e-9, nan_ok=True
    )


def test_two_steps_return_to_one_and_no_higher() -> None:
    # f_0 - f_1 <= ||g||², so that f_0 - f* <= (f_0 - f_1)/2 + ||g||²/2 <= 1; |x| from 1 by way of 0 has it
    worst = worst_period(2)
    assert worst.bound == pytest.approx(1, abs=1e-6)
    assert exact_excess(worst.gradients) == 1


def test_four_steps_return_to_five_quarters() -> None:
    worst = worst_period(4)
    assert worst.bound == pytest.approx(1.25, abs=1e-6)
    # (0, 1, 0), (e, 0, -1), (e, 0, 1), (-2e, -1, 0) comes as near as one likes
    near = [[0, 1000, 0], [1, 0, -1000], [1, 0, 1000], [-2, -1000, 0]]
    excess = exact_excess(near)
    assert excess is not None
    assert Fraction(1249, 1000) < excess < Fraction(5, 4)


@pytest.mark.parametrize("period", [2, 3, 4, 5])
def test_the_bound_lies_above_every_cycle_searched(period) -> None:
    bound = worst_period(period).bound
    for dimension, steepest in ((1, 4), (2, 2), (3, 2)):
        tried = [g for square in range(1, steepest + 1) for g in cycles(dimension, period, square)]
        if tried:
            assert np.nanmax(excesses(np.array(tried))) <= bound + 1e-9


@pytest.mark.parametrize("period", [3, 4, 6, 8])
def test_the_instance_lies_below_its_bound_and_is_what_it_says(period) -> None:
    worst = worst_period(period)
    excess = exact_excess(worst.gradients)
    assert excess is not None
    assert worst.bound - 0.011 < excess <= worst.bound
    # replay: the maximum of the planes, in exact rationals, from x_0 = 0 with step 1
    g = [[Fraction(entry) for entry in row] for row in worst.gradients]
    values = [Fraction(int(v)) for v in longest_paths(np.array(worst.gradients)[None])[0][0]]
    points = [[Fraction(0)] * (period - 1)]
    for row in g[:-1]:
        points.append([p - c for p, c in zip(points[-1], row, strict=True)])

    def planes(x):
        return [v + _dot(row, x) - _dot(row, p) for v, row, p in zip(values, g, points, strict=True)]

    for k, x in enumerate(points):
        heights = planes(x)
        assert heights[k] == max(heights) == values[k]  # g_k is a subgradient at x_k
        following = [p - c for p, c in zip(x, g[k], strict=True)]
        assert following == points[(k + 1) % period]
    low = _meeting_point(g, values, points)
    square = max(_dot(row, row) for row in g)
    assert len(set(planes(low))) == 1  # all planes meet, and no convex combination of them lies lower
    assert (values[0] - max(planes(low))) / square == excess


def test_a_cycle_that_does_not_close_or_fit_is_refused() -> None:
    assert exact_excess([[1, 0], [0, 1], [-1, 0]]) is None
    assert exact_excess([[1, 0], [-1, 0], [1, 0], [-1, 0]]) is None  # rank 1: the planes need not meet


@pytest.mark.parametrize("period", [2, 3, 4])
def test_pepit_finds_the_same_worst_case(period) -> None:
    pepit = pytest.importorskip("PEPit")
    from PEPit.functions import ConvexLipschitzFunction

    problem = pepit.PEP()
    f = problem.declare_function(ConvexLipschitzFunction, M=1.0)
    x, values = problem.set_initial_point(), [pepit.Expression() for _ in range(period)]
    steps = [pepit.Point() for _ in range(period - 1)]
    steps.append(-sum(steps[1:], steps[0]))  # the orbit closes
    for g, value in zip(steps, values, strict=True):
        f.add_point((x, g, value))
        x = x - g
    problem.set_performance_metric(values[0] - f(f.stationary_point()))
    # here the minimiser is a point of the program, and runs off as the value nears its supremum
    assert problem.solve(verbose=0) == pytest.approx(worst_period(period).bound, abs=1e-3)


def test_the_ray_is_followed_as_the_proof_says() -> None:
    # y' - y = x²/(r (r + y)) and |x'| = 1 - |x| (1 - 1/r): the coordinate grows at each power of ten
    row = _along_a_ray(1000)
    assert [k for k, *_ in row["path"]] == [10, 100, 1000]
    assert row["path"][-1][1] == pytest.approx(7.690, abs=1e-3)
    assert row["late_loss"] < 1


def _dot(a, b):
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def _meeting_point(g, values, points):
    """x with g_k.x + (values_k - g_k.x_k) equal to their mean c for all k, by elimination in rationals."""
    level = sum(v - _dot(row, p) for v, row, p in zip(values, g, points, strict=True)) / len(g)
    rows = [
        [*row, level - v + _dot(row, p)] for v, row, p in zip(values[:-1], g[:-1], points[:-1], strict=True)
    ]
    size = len(rows)
    for k in range(size):
        pivot = next(j for j in range(k, size) if rows[j][k])
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [entry / rows[k][k] for entry in rows[k]]
        for j in range(size):
            if j != k:
                rows[j] = [a - rows[j][k] * b for a, b in zip(rows[j], rows[k], strict=True)]
    return [row[-1] for row in rows]


def _edge_spec(**given) -> RunSpec:
    common = {"images": "digits", "device": "cpu", "network": "fully connected", "count": 60, "side": 8}
    common |= {"width": 6, "steps": 40, "every": 10, "loss": "square", "activation": "tanh", "rise": 2.0}
    return RunSpec("unstable-convergence", "network-edge", common | given, (0,))


def _whole_hessian(net: torch.nn.Module, loss, x: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    parameters = list(net.parameters())
    slopes = torch.autograd.grad(loss(net(x), labels), parameters, create_graph=True)
    flat = torch.cat([slope.flatten() for slope in slopes])
    rows = (torch.autograd.grad(entry, parameters, retain_graph=True) for entry in flat)
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in rows])


@pytest.mark.parametrize("network", ["fully connected", "convolutional"])
@pytest.mark.parametrize("activation", ["hardtanh", "softplus"])
def test_the_sharpness_along_a_run_is_that_of_the_whole_hessian(network: str, activation: str) -> None:
    spec = _edge_spec(network=network, activation=activation, count=20, width=3, steps=4, every=2)
    (row,) = edge.network_edge(spec)
    x, labels, classes = edge._data("digits", "cpu", 20, 8)
    net = edge.build(spec, x, classes, 0).double()
    loss, expected = edge.LOSSES["square"], []
    for k in range(5):
        if k % 2 == 0:
            top = torch.linalg.eigvalsh(_whole_hessian(net, loss, x.double(), labels))[-1]
            expected.append(float(top) * row["stepsize"] / 2)
        edge._descend(loss(net(x.double()), labels), list(net.parameters()), row["stepsize"])
    assert row["at"] == [0, 2, 4]
    assert row["ratios"] == pytest.approx(expected, rel=1e-3)
    assert row["ratios"][0] == pytest.approx(1 / 2, rel=1e-6)
    assert row["double"] == pytest.approx(expected[-1], rel=1e-3)
    assert row["unconverged"] == 0


def test_starts_are_those_of_torch_and_the_same_for_every_activation() -> None:
    x, _, classes = edge._data("digits", "cpu", 20, 8)
    nets = [edge.build(_edge_spec(activation=name), x, classes, 3) for name in ("relu", "hardtanh")]
    for a, b in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(a, b)
        bound = 1 / math.sqrt(a[0].numel() if a.ndim > 1 else 64)
        assert a.ndim == 1 or float(a.detach().abs().max()) <= bound


def test_a_run_ends_at_a_tenth_of_its_loss_or_where_it_diverges() -> None:
    (fitted,) = edge.network_edge(_edge_spec(rise=1.5, steps=3000, every=500, width=30))
    assert fitted["steps"] < 3000
    assert fitted["losses"][-1] < 0.1 * fitted["losses"][0]
    assert fitted["at"][-1] == fitted["steps"]
    (thrown,) = edge.network_edge(_edge_spec(rise=0.01, activation="relu"))
    assert thrown["diverged"]
    assert thrown["double"] is None
    assert not at_edge(thrown)


def _row(ratios: list[float], **given) -> dict:
    steps = len(ratios) - 1
    plain = {
        "ratios": ratios,
        "at": list(range(steps + 1)),
        "steps": steps,
        "diverged": False,
        "unconverged": 0,
    }
    return plain | given


def test_at_the_edge_is_what_the_rule_says() -> None:
    rising = [0.5, 0.7, 0.9, 1.1, 1.0, 1.0, 1.1, 1.2, 1.0, 1.0, 1.2, 0.9, 1.0]
    assert at_edge(_row(rising))
    assert late_ratios(_row(rising)) == [1.0, 1.2, 0.9, 1.0]
    assert at_edge(_row([*rising[:-1], 2.0]))  # three of four
    assert not at_edge(_row([*rising[:-2], 2.0, 2.0]))
    assert not at_edge(_row([0.9] * 13))  # never there
    assert not at_edge(_row([1.2, 1.1, *[0.9] * 11]))  # from above, and not back
    assert first_reached(_row([1.2, 0.9, 1.0])) == 2
    assert not at_edge(_row(rising, diverged=True))
    assert not at_edge(_row(rising, unconverged=1))
    assert not at_edge(_row([0.5, 1.1, 1.0, 1.0]))  # too few in the last quarter
