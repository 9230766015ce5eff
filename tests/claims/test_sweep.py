"""The language of ``--over``."""

import math
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from nonsmooth.claims import Sweep
from nonsmooth.errors import InputError


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=log:1e-4:10:6", (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)),
        ("a=lin:0:1:5", (0.0, 0.25, 0.5, 0.75, 1.0)),
        ("a=lin:-1:1:2", (-1.0, 1.0)),
        ("a=1,2.5,1e3", (1.0, 2.5, 1000.0)),
        (" a = x , y ,1", ("x", "y", 1.0)),
        ("a=1,1,2", (1.0, 2.0)),
        ("a=3", (3.0,)),
        ("a=logistic:x", ("logistic:x",)),
    ],
)
def test_what_is_understood(text, values):
    sweep = Sweep.parse(text)
    assert sweep == Sweep("a", values)


@pytest.mark.parametrize(
    "text",
    [
        "", "a", "a=", "=1,2", "a=1,,2", "a=,", "a=nan", "a=1,inf", "a=log:1:2", "a=log:1:2:3:4",
        "a=log:0:1:3",
        "a=log:-1:1:3", "a=lin:2:1:3", "a=lin:1:1:3", "a=lin:0:1:1", "a=lin:0:1:1001", "a=lin:0:1:2.5",
        "a=lin:0:inf:3", "a=lin:x:1:3", "a=log::1:3", "a=lin:", "a=" + ",".join(map(str, range(1001))),
    ],
)  # fmt: skip
def test_what_is_not(text):
    with pytest.raises(InputError, match=r"sweep .*(give NAME=|at most 1000)") as caught:
        Sweep.parse(text)
    assert "\n" not in str(caught.value)


@given(st.text())
def test_any_text_is_a_sweep_or_an_input_error(text):
    try:
        sweep = Sweep.parse(f"a={text}")
    except InputError:
        return
    assert sweep.values
    assert all(isinstance(value, str) or math.isfinite(value) for value in sweep.values)


_POSITIVE = st.floats(1e-300, 1e300)


@given(_POSITIVE, _POSITIVE, st.integers(2, 50), st.sampled_from(["lin", "log"]))
def test_grids_keep_their_ends_and_rise(one, other, n, kind):
    low, high = sorted((one, other))
    assume(high / low > 1 + 1e-9)  # closer ends leave no room for twelve digits
    values = Sweep.parse(f"a={kind}:{low!r}:{high!r}:{n}").values
    assert (values[0], values[-1]) == (low, high)
    assert all(a < b for a, b in pairwise(map(float, values)))
