"""The audit's table of operations and the one of kinks in motion know the same kinks."""

import pytest

from nonsmooth.audit._operations import OPERATIONS, base_name, operation
from nonsmooth.diagnostics._kinks import CUTS, INDICES, NORMS, SELECTIONS, UNWATCHED

# Kinks on sets too thin to be crossed (a norm at 0, equal eigenvalues, a constant sample), or out of reach
# (the logarithm that binary_cross_entropy cuts off at -100).
THIN = {
    "_euclidean_dist",
    "_linalg_eigh",
    "_linalg_svd",
    "binary_cross_entropy",
    "dist",
    "hypot",
    "special_i0e",
    "std",
    "std_mean",
}
# First derivatives, in a loss that differentiates: a kink where the function itself, which is watched, bends.
DERIVED = {"elu_backward"}
# Jumps as functions of one continuous argument; comparisons for equality and logic have none to cross.
JUMPING = {"angle", "atan2", "copysign", "floor_divide", "fmod", "remainder"}


def _name(operator):
    return base_name(str(getattr(operator, "overloadpacket", operator)).removeprefix("aten."))


IN_MOTION = {_name(each) for table in (CUTS, INDICES, NORMS, SELECTIONS, UNWATCHED) for each in table}


def test_every_kink_of_the_audit_is_watched_or_said_not_to_be():
    kinked = {name for name, row in OPERATIONS.items() if row.kinks}
    assert len(kinked) > 40
    assert kinked - IN_MOTION == THIN | DERIVED
    assert {name.removesuffix("_backward") for name in DERIVED} <= IN_MOTION
    assert OPERATIONS.keys() & JUMPING == JUMPING
    assert JUMPING <= IN_MOTION


@pytest.mark.parametrize("name", sorted(IN_MOTION - {"selu"}))  # torch computes selu by elu
def test_what_is_watched_is_no_smooth_operation_of_the_audit(name):
    row = operation(name)
    assert row is not None
    # elu has a kink unless its alpha is 1, as it mostly is
    assert row.smoothness in ("Lipschitz", "discontinuous") or name == "elu"
