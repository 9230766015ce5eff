"""Fingerprints: the paper's rows are found, the names of paths are right, the page in the docs is true."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from nonsmooth.diagnostics import Fingerprint, Refused, fingerprint, fingerprints, markdown
from nonsmooth.diagnostics._fingerprint_orbit import classify
from nonsmooth.diagnostics._fingerprint_table import VARIANTS, stock
from nonsmooth.errors import InputError

PAGE = Path(__file__).parents[2] / "docs" / "fingerprints.md"


def row_of(make, steps=3_000, weights=300, **settings):
    return fingerprint(lambda p: make(p, **settings), steps=steps, weights=weights)


# Table 1 of the paper: (strength, start, at zero). What it does not print of momentum is found here.
@pytest.mark.parametrize(
    ("make", "settings", "expected"),
    [
        (torch.optim.SGD, {"lr": 0.01}, (True, True, "stay")),
        (torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}, (True, True, "leave")),
        (torch.optim.RMSprop, {"lr": 0.01}, (False, True, "stay")),
    ],
)
def test_the_rows_of_table_1(make, settings, expected):
    row = row_of(make, **settings)
    assert (row.depends_on_strength, row.depends_on_start, row.at_zero) == expected
    assert row.strength_exponent == pytest.approx(1.0 if expected[0] else 0.0, abs=0.05)


def test_sgd_ends_on_two_points_within_lr():
    row = row_of(torch.optim.SGD, lr=0.01)
    assert row.orbit == "period 2"
    # max(u, 1 - u) of a uniform u has the median 3/4.
    assert row.amplitude_in_lr == pytest.approx(0.75, abs=0.06)
    assert row.zero_float64.hits == 0


def test_rmsprop_brings_most_weights_to_exactly_zero():
    """Proposition B.4 says that none gets there; steps that shrink to lr pull 68 % of the starts in."""
    row = row_of(torch.optim.RMSprop, lr=0.01)
    for share in (row.zero_float64, row.zero_float32):
        assert share.interval[0] < 0.68 < share.interval[1]
    assert row.orbits["at 0"] == pytest.approx(0.68, abs=0.1)


def test_adam_forgets_the_strength_and_leaves_zero():
    row = row_of(torch.optim.Adam, lr=0.01)
    assert row.at_zero == "leave"
    assert row.strength_exponent == pytest.approx(0.0, abs=0.05)
    assert row.orbits["periodic"] > 0.95
    assert min(row.periods) >= 4


def test_adagrad_shrinks_for_ever():
    row = row_of(torch.optim.Adagrad, lr=0.03)
    assert set(row.orbits) <= {"at 0", "shrinks"}
    assert row.orbits["shrinks"] > 0.2


def test_a_start_is_forgotten_where_all_orbits_are_one():
    row = row_of(torch.optim.SGD, lr=0.1, weight_decay=0.5)
    assert row.depends_on_start is False
    assert row.depends_on_strength is True


def test_nothing_is_said_before_the_weights_arrive():
    row = row_of(torch.optim.SGD, steps=200, lr=1e-5)
    assert row.depends_on_strength is row.strength_exponent is row.depends_on_start is None
    assert row.orbits["travels"] > 0.98
    assert row.share_arrived < 0.01
    assert "not arrived" in str(row)


def test_weights_that_move_only_sometimes_after_zero():
    class Late(torch.optim.Optimizer):
        """Remembers which way it went, but only for weights on the positive side."""

        def __init__(self, params):
            super().__init__(params, {"lr": 0.01})

        def step(self, closure=None):  # pyright: ignore
            for parameter in self.param_groups[0]["params"]:
                state = self.state[parameter]
                move = torch.where(parameter.grad == 0, state.get("move", 0.0), parameter.grad.sign())
                state["move"] = move.clamp(min=0)
                parameter.data -= 0.01 * move

    assert fingerprint(Late, steps=400, weights=50).at_zero == "some leave"


def test_it_can_be_read_and_stored():
    row = row_of(torch.optim.RMSprop, steps=400, lr=0.1)
    assert str(row).splitlines()[0] == (
        "RMSprop(lr=0.1) on 1 * ||w||_1 alone, 300 starts uniform on [-1, 1], 400 steps"
    )
    again = json.loads(json.dumps(row.as_dict()))
    assert again["zero_float64"]["n"] == 300
    assert again["orbit"] == row.orbit


@pytest.mark.parametrize("make", [torch.optim.LBFGS, torch.optim.SparseAdam])
def test_refused_in_words(make):
    with pytest.raises(InputError, match=make.__name__):
        fingerprint(make)


@pytest.mark.parametrize(
    "wrong", [{"strength": 0}, {"steps": 63}, {"weights": 1}, {"seed": -1}, {"start": "normal"}]
)
def test_values_that_are_not_allowed(wrong):
    (name,) = wrong
    with pytest.raises(InputError, match=name):
        fingerprint(torch.optim.SGD, **wrong)


def test_names_of_paths():
    t = np.arange(400)
    paths = {
        "at 0": 0.0 * t,
        "fixed": 0.0 * t + 0.3,
        "travels": 2.0 - 0.001 * t,
        "period 2": 0.6 - (t % 2),
        "period 5": np.array([-2.0, -1.0, 0.5, 1.0, 1.5])[t % 5],
        "period 100": np.sin(2 * np.pi * t / 100) + 0.01,
        "not periodic": np.sin(t**1.5),
        "lost": np.where(t > 300, np.nan, 1.0),
        "shrinks": 0.5 * (-1.0) ** t,
    }
    earlier = np.array([10.0 if name == "shrinks" else 0.0 for name in paths])
    found = classify(np.array(list(paths.values())).T, earlier)
    assert found.kinds.tolist() == list(paths)
    assert found.shares()["periodic"] == pytest.approx(3 / 9)
    assert found.common_periods(share=1.0) == (2, 5, 100)
    assert found.common_periods(share=0.3) == (2,)


def test_a_longer_period_than_a_quarter_of_the_window_is_not_called_one():
    t = np.arange(400)[:, None]
    assert classify(np.sin(2 * np.pi * t / 101)).kinds.tolist() == ["not periodic"]


def test_a_value_that_is_not_allowed_is_no_refused_row():
    with pytest.raises(InputError, match="steps"):
        list(fingerprints(steps=1))


def test_every_optimiser_of_torch_is_in_the_table():
    rows = list(fingerprints(steps=64, weights=20))
    assert len(rows) == len(stock())
    refused = {row.optimiser for row in rows if isinstance(row, Refused)}
    assert refused == {"LBFGS", "Muon", "Adafactor", "SparseAdam"}
    page = markdown(rows)
    assert page.count("\n| `") == len(rows) - len(refused)
    assert all(f"- **{name}**: " in page for name in refused)


def documented():
    """The rows of the page: the optimiser as described, and its cells."""
    rows = re.findall(r"^\| `(\w+\(.*?\))` \| (.*) \|$", PAGE.read_text(), flags=re.M)
    return {name: cells.split(" | ") for name, cells in rows}


def test_the_page_has_every_optimiser_at_its_defaults_and_in_every_variant():
    names = [name.partition("(")[0] for name in documented()]
    refused = re.findall(r"^- \*\*(\w+)\*\*: ", PAGE.read_text(), flags=re.M)
    for name, _ in stock():
        assert name in refused or names.count(name) == 1 + len(VARIANTS.get(name, ()))


@pytest.mark.parametrize(
    ("name", "make", "settings"),
    [
        ("SGD(lr=0.001)", torch.optim.SGD, {}),
        ("SGD(lr=0.001, momentum=0.9)", torch.optim.SGD, {"momentum": 0.9}),
        ("RMSprop(lr=0.01)", torch.optim.RMSprop, {}),
        ("Adam(lr=0.001)", torch.optim.Adam, {}),
    ],
)
def test_the_page_is_true(name, make, settings):
    strength, start, brought, zero64, zero32, orbit, size = documented()[name]
    row = row_of(make, steps=20_000, weights=200, **settings)
    assert isinstance(row, Fingerprint)
    assert row.optimiser == name
    assert strength.startswith("yes" if row.depends_on_strength else "no")
    assert float(strength.partition("k = ")[2]) == pytest.approx(row.strength_exponent, abs=0.06)
    assert start == ("yes" if row.depends_on_start else "no")
    assert brought == row.at_zero
    for cell, share in ((zero64, row.zero_float64), (zero32, row.zero_float32)):
        assert share.interval[0] - 0.01 <= float(cell.split(" %")[0]) / 100 <= share.interval[1] + 0.01
    assert ("at 0" in orbit) == ("at 0" in row.orbit)
    assert ("period" in orbit) == ("period" in row.orbit)
    assert float(size) == pytest.approx(row.amplitude_in_lr, rel=0.15)
