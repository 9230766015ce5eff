"""The random quadratics, and a run against its closed form in the Hessian's eigenbasis."""

import numpy as np
import pytest

from nonsmooth.claims.quadratic_threshold._experiments import quadratics
from nonsmooth.trajectories import minimize


@pytest.mark.parametrize(("kind", "zeros"), [("definite", 0), ("semidefinite", 5)])
def test_the_spectrum_is_the_one_asked_for(kind: str, zeros: int) -> None:
    f = quadratics(10, 100.0, kind, (0, 1))
    for W in np.asarray(f.W):
        values = np.linalg.eigvalsh(W.T @ W)
        assert values[-1] == pytest.approx(4.0)
        assert (values < 1e-12).sum() == zeros
        assert values[zeros] >= 4.0 / 100 * (1 - 1e-9)


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_a_run_multiplies_each_component_by_its_own_factor(factor: float) -> None:
    f = quadratics(6, 10.0, "definite", (3,))
    values, basis = np.linalg.eigh(np.asarray(f.W)[0].T @ np.asarray(f.W)[0])
    start = np.random.default_rng(0).uniform(-1, 1, 6)
    step = factor * 2 / 4.0
    final = minimize(f, start=start[None], steps=50, stepsize=step).final[0]
    expected = basis @ ((1 - step * values) ** 50 * (basis.T @ start))
    assert final == pytest.approx(expected, rel=1e-9, abs=1e-11)
