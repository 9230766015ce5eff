"""Every row of the table of operations, probed on the installed torch in float64."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from audit.functions import breaks
from nonsmooth.audit._operations import OPERATIONS, base_name, operation
from nonsmooth.audit._operations_row import CLASSES, Operation, least
from nonsmooth.audit._operations_shape import SHAPE

ROWS = pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.name)
# torch's derivative is none, or not that of the value; here the difference quotient takes its place.
NOT_ITS_OWN = {"detach", "normal", "nextafter", "binary_cross_entropy", "linalg__powsum"}
# These compute in float32 only: nothing is said of their second derivative.
SINGLE = {"mkldnn_rnn_layer"}


def value(row: Operation, t: float) -> float:
    torch.manual_seed(3)
    with torch.no_grad():
        return row.value(t).item()


def quotient(row: Operation, t: float, h: float = 1e-6) -> float:
    return (value(row, t + h) - value(row, t - h)) / (2 * h)


def slope(row: Operation, t: float) -> float:
    torch.manual_seed(3)
    return quotient(row, t) if row.name in NOT_ITS_OWN else row.slope(t)


def inside(row: Operation) -> tuple[float, float]:
    """The domain, a little off its singular ends."""
    low, high = row.domain
    margin = 0.03 * (high - low) if row.singular else 0.0
    return low + margin, high - margin


def same_places(found: list[float], said: tuple[float, ...], row: Operation) -> bool:
    low, high = inside(row)
    near = 1e-3 * (high - low)
    expected = sorted(t for t in said if low < t < high)
    return len(found) == len(expected) and all(
        abs(a - b) < near for a, b in zip(found, expected, strict=True)
    )


def is_straight(row: Operation) -> bool:
    """Rows that only move entries are affine along their line, which is more than any search for breaks."""
    if row not in SHAPE or row.smoothness == "discontinuous":
        return False
    at = [value(row, t) for t in (-1.7, -0.9, -0.1, 0.7, 1.5)]
    steps = [b - a for a, b in pairwise(at)]
    assert max(steps) - min(steps) < 1e-12
    return True


def test_the_table_is_large_and_of_operations_that_torch_has():
    assert all(hasattr(torch.ops.aten, name) for name in OPERATIONS)
    dispatched = 0
    for name in OPERATIONS:
        packet = getattr(torch.ops.aten, name)
        names = [getattr(packet, overload).name() for overload in packet.overloads()]
        composite = "CompositeImplicitAutograd"
        dispatched += any(
            not torch._C._dispatch_has_kernel_for_dispatch_key(each, composite) for each in names
        )
    assert dispatched >= 300  # of those that a trace can show


@ROWS
def test_values_jump_where_the_row_says(row: Operation):
    if row.kind == "constant":
        assert len({value(row, t) for t in (-1.3, 0.2, 1.7)}) == 1
        return
    if is_straight(row):
        return
    low, high = inside(row)
    found = breaks(lambda t: value(row, t), low, high, 1e-6)
    if row.smoothness != "discontinuous":
        assert not found
    elif row.kind == "random":
        assert found  # where, the draw decides
    else:
        tiny = [t for t in row.jumps if abs(value(row, t + 1e-12) - value(row, t - 1e-12)) < 1e-6]
        assert same_places(found, tuple(t for t in row.jumps if t not in tiny), row)
        assert row.jumps
    for t in row.jumps:
        assert abs(value(row, t + 1e-12) - value(row, t - 1e-12)) > 1e-10


@ROWS
def test_slopes_jump_where_the_row_says(row: Operation):
    if row.smoothness == "discontinuous" or row.kind == "constant":
        assert not row.kinks
        assert not row.bends
        return
    if is_straight(row):
        assert not row.kinks
        return
    low, high = inside(row)
    floor = 1e-3 if row.name in SINGLE else 1e-5
    found = breaks(lambda t: slope(row, t), low, high, floor)
    assert same_places(found, tuple(kink.at for kink in row.kinks), row)
    assert bool(row.kinks) == (row.smoothness == "Lipschitz")


@pytest.mark.slow
@ROWS
def test_second_derivatives_jump_where_the_row_says(row: Operation):
    if row.smoothness in ("discontinuous", "Lipschitz") or row.kind == "constant" or row.name in SINGLE:
        assert not row.bends
        return
    if is_straight(row):
        assert not row.bends
        return
    h = 1e-3 if row.name in NOT_ITS_OWN else 1e-6

    def curvature(t: float) -> float:
        if row.name in NOT_ITS_OWN:
            return (value(row, t + h) - 2 * value(row, t) + value(row, t - h)) / h**2
        return (slope(row, t + h) - slope(row, t - h)) / (2 * h)

    low, high = inside(row)
    found = breaks(curvature, low, high, 1e-3)
    assert same_places(found, row.bends, row)
    assert bool(row.bends) == (row.smoothness in ("C1,1", "C1"))


@ROWS
def test_one_sided_derivatives(row: Operation):
    for kink in row.kinks:
        here = value(row, kink.at)
        for sign, said in ((1, kink.right), (-1, kink.left)):
            rough, fine = ((value(row, kink.at + sign * h) - here) / (sign * h) for h in (1e-5, 5e-6))
            assert 2 * fine - rough == pytest.approx(said, abs=2e-6 * max(1, abs(said)))


@ROWS
def test_torchs_gradient_is_that_of_the_value(row: Operation):
    if row.smoothness == "discontinuous" or row.kind == "constant":
        return
    low, high = inside(row)
    points = [low + (high - low) * part for part in (0.137, 0.319, 0.443, 0.617, 0.871)]
    h, near = (1e-2, 1e-2) if row.name in SINGLE else (1e-6, 1e-6)
    agree = []
    for t in points:
        torch.manual_seed(3)
        found = row.slope(t)
        expected = quotient(row, t, h)
        agree.append(abs(found - expected) <= near * max(1, abs(expected)))
    if row.name in NOT_ITS_OWN:
        assert not all(agree)
    else:
        assert all(agree)


@ROWS
def test_singular_points(row: Operation):
    low, high = row.domain
    for at in row.singular:
        inward = 1 if at - low < high - at else -1
        sizes = [abs(row.slope(at + inward * h)) for h in (1e-4, 1e-8, 1e-12)]
        values = [abs(value(row, at + inward * h)) for h in (1e-4, 1e-8, 1e-12)]
        growing = sizes if all(map(math.isfinite, sizes)) else values
        assert growing[0] * 1.2 < growing[1]
        assert growing[1] * 1.2 < growing[2]


# torch's own choice at the kinks, by hand from version 2.13; it differs between versions.
CHOICES_2_13 = {
    "relu": (0,),
    "abs": (0,),
    "leaky_relu": (0.01,),
    "_prelu_kernel": (0.25,),
    "hardtanh": (0, 0),
    "relu6": (0, 0),
    "hardsigmoid": (0, 0),
    "hardswish": (0, 1),
    "softshrink": (0, 0),
    "threshold": (0,),
    "clamp": (1, 1),
    "clamp_min": (1,),
    "clamp_max": (1,),
    "maximum": (0.5,),
    "minimum": (0.5,),
    "fmax": (1,),
    "fmin": (1,),
    "dist": (0,),
    "linalg_vector_norm": (0,),
    "std": (0,),
    "amax": (0.5,),
    "amin": (0.5,),
    "max": (1,),
    "sort": (1,),
    "topk": (1,),
    "median": (0.5,),
    "max_pool2d_with_indices": (1,),
    "grid_sampler_2d": (-1, 2),
}


@pytest.mark.skipif(not torch.__version__.startswith("2.13"), reason="the list is of 2.13")
@pytest.mark.parametrize("name", CHOICES_2_13)
def test_the_choice_at_the_kink_is_probed(name):
    assert OPERATIONS[name].choices == pytest.approx(CHOICES_2_13[name])


@pytest.mark.parametrize("row", [row for row in OPERATIONS.values() if row.kinks], ids=lambda row: row.name)
def test_the_choice_lies_between_the_slopes(row: Operation):
    """Where it does not, torch gives no element of the generalised gradient (Clarke) at all."""
    outside = [
        kink
        for kink, choice in zip(row.kinks, row.choices, strict=True)
        if not min(kink.left, kink.right) - 1e-9 <= choice <= max(kink.left, kink.right) + 1e-9
    ]
    assert bool(outside) == (row.name == "hypot")  # not a number


def test_the_choice_comes_from_torch_and_not_from_the_row():
    row = Operation("made", "Lipschitz", lambda t: torch.where(t > 0, 3 * t, t), OPERATIONS["relu"].kinks)
    assert row.choices == (1.0,)


def test_asking_for_a_choice_draws_no_random_numbers():
    state = torch.get_rng_state()
    row = OPERATIONS["rrelu_with_noise"]
    row.__dict__.pop("choices", None)
    assert row.choices == (0.25,)
    assert torch.equal(torch.get_rng_state(), state)


def test_names_of_in_place_and_copying_forms():
    assert operation("relu_") is operation("relu") is OPERATIONS["relu"]
    assert base_name("_to_copy") == "_to_copy"
    assert operation("cudnn_batch_norm") is OPERATIONS["native_batch_norm"]
    assert operation("no_such_operation") is None


def test_the_roughest_of_classes():
    assert CLASSES == ("analytic", "C1,1", "C1", "Lipschitz", "unknown", "discontinuous")
    assert least() == "analytic"
    assert least("C1", "unknown", "Lipschitz") == "unknown"
    assert least("unknown", "discontinuous") == "discontinuous"


def test_a_wrong_row_is_found_out():
    """The probes above are worth nothing if they would pass anything."""
    relu = OPERATIONS["relu"]
    assert breaks(lambda t: slope(relu, t), -2, 2, 1e-5) == pytest.approx([0], abs=1e-3)
    elu = OPERATIONS["elu"]
    assert not breaks(lambda t: slope(elu, t), -2, 2, 1e-5)
    bend = breaks(lambda t: (slope(elu, t + 1e-6) - slope(elu, t - 1e-6)) / 2e-6, -2, 2, 1e-3)
    assert bend == pytest.approx([0], abs=1e-3)
    assert breaks(math.floor, -0.9, 1.9, 1e-6) == pytest.approx([0, 1], abs=1e-3)
