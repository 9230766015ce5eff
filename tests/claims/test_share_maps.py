"""The borders that the maps of the convex claims are held against, each against an independent count."""

from fractions import Fraction

import numpy as np
import pytest

from nonsmooth.claims import load
from nonsmooth.claims.capture._experiments import border_half_width
from nonsmooth.claims.lasso_paradox._experiments import _shorter
from nonsmooth.claims.penalty_paradox._experiments import border_ratio, expected_share
from nonsmooth.findings import Finding
from nonsmooth.objectives import Lasso

_IDS = (
    "penalty-paradox",
    "toy-lasso-orbit",
    "lasso-paradox",
    "capture",
    "huber",
    "unstable-convergence",
)


@pytest.mark.parametrize("ratio", [1.3, 1.9, 2.0, 4.0, 30.0])
def test_the_share_of_starts_is_that_of_uniform_places(ratio) -> None:
    u, v, s, t = np.random.default_rng(0).uniform(0, 1, (4, 200_000))
    least, greatest = 1 - np.abs(1 - u - v), 1 + np.abs(1 - s - t)
    assert np.mean(ratio * least > greatest) == pytest.approx(expected_share(ratio), abs=0.005)


def test_the_border_is_where_half_of_the_starts_do() -> None:
    assert expected_share(border_ratio()) == pytest.approx(0.5, abs=1e-9)


def test_the_half_width_is_that_of_projected_uniform_starts() -> None:
    rng = np.random.default_rng(0)
    passes = []
    for _ in range(400):
        start = rng.uniform(-1, 1, 500)
        basis = np.linalg.qr(rng.standard_normal((500, 10)))[0]
        passes.append(np.abs(start - basis @ (basis.T @ start)).max() * border_half_width() > 1)
    assert 0.4 < np.mean(passes) < 0.6


def test_shorter_data_have_the_same_gradients() -> None:
    rng = np.random.default_rng(0)
    X, y, b = rng.standard_normal((40, 6)), rng.standard_normal(40), rng.standard_normal(6)
    given, shorter = Lasso(X, y, 0.3), Lasso(*_shorter(X, y), 0.3)
    assert shorter.subgradient(b) == pytest.approx(given.subgradient(b), rel=1e-12)
    assert shorter.value(b) - given.value(b) == pytest.approx(shorter.value(0 * b) - given.value(0 * b))


def test_one_start_has_no_common_parity() -> None:
    # the counter-example that formula-8 names: (1/2, 3/2) in units of α λ1
    b = [Fraction(1, 2), Fraction(3, 2)]
    for _ in range(6):
        b = [entry - 1 if entry > 0 else entry + 1 for entry in b]
        assert b[0] * b[1] < 0


@pytest.mark.parametrize("id", _IDS)
def test_theory_gets_the_clear_cells_of_its_map_right(quick, id) -> None:
    outcome, _ = quick(id)
    found: list[Finding] = [
        f
        for f in load(id).verdict(outcome.rows_by_claim[id]).findings
        if f.name.startswith("clear cells of the map that theory gets right")
    ]
    assert found
    for finding in found:
        right, clear = map(int, finding.measured.split(" of "))
        assert 0 < right == clear
