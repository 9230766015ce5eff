"""Eigenvalues against LAPACK on dense matrices; nothing unconverged passes for converged."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nonsmooth.diagnostics._lanczos import largest_eigenpairs
from nonsmooth.errors import InputError


def matrix(values: np.ndarray, seed: int = 0) -> torch.Tensor:
    """A symmetric matrix with these eigenvalues, in a random basis."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(len(values), len(values))))
    return torch.from_numpy(turn @ np.diag(values) @ turn.T)


class Counted:
    def __init__(self, h: torch.Tensor) -> None:
        self.h, self.count = h, 0

    def __call__(self, v: torch.Tensor) -> torch.Tensor:
        self.count += 1
        return self.h @ v


def solve(h: torch.Tensor, k: int = 1, **options):
    product = Counted(h)
    options = {"tolerance": 1e-10, "max_products": 3 * len(h)} | options
    found = largest_eigenpairs(product, len(h), k, dtype=h.dtype, **options)
    assert product.count == found.products
    return found


def true_residuals(h: torch.Tensor, found) -> np.ndarray:
    v, values = found.vectors, torch.from_numpy(found.values).to(h.dtype)
    return ((v @ h - values[:, None] * v).norm(dim=1) / values.abs()).numpy()


SPECTRA = {
    "outlier": np.r_[np.linspace(-1, 1, 99), 10.0],
    "clustered at the top": np.r_[np.linspace(-1, 1, 95), 3 - 1e-4 * np.arange(5)],
    "all negative": -np.geomspace(0.1, 10, 100),
    "most negative": np.r_[-100.0, np.linspace(-1, 2, 99)],
    "indefinite, decaying": np.r_[np.geomspace(1e-6, 5, 50), -np.geomspace(1e-6, 3, 50)],
}


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("name", SPECTRA)
@pytest.mark.parametrize("rows", [None, 12])
def test_against_lapack(name: str, k: int, rows: int | None) -> None:
    h = matrix(SPECTRA[name])
    found = solve(h, k, rows=rows, max_products=3000)
    expected = np.linalg.eigvalsh(h.numpy())[::-1][:k]
    assert found.converged, found.why
    assert found.values == pytest.approx(expected, rel=1e-9)
    assert true_residuals(h, found).max() <= 1.01e-10
    assert found.residuals == pytest.approx(true_residuals(h, found), abs=1e-13)
    assert torch.allclose(found.vectors @ found.vectors.T, torch.eye(k, dtype=h.dtype), atol=1e-10)


@given(
    st.lists(st.floats(-100, 100).map(lambda value: round(value, 6)), min_size=2, max_size=25),
    st.integers(1, 4),
    st.integers(0, 2**31),
    st.booleans(),
)
def test_any_spectrum(values: list[float], k: int, seed: int, warm: bool) -> None:
    """Whatever is said to have converged has, and is an eigenvalue."""
    h = matrix(np.array(values), seed)
    k = min(k, len(values))
    start = torch.randn(k, len(h), generator=torch.Generator().manual_seed(seed)).double() if warm else None
    found = solve(h, k, seed=seed, tolerance=1e-6, start=start)
    spectrum, size = np.linalg.eigvalsh(h.numpy()), np.abs(values).max()
    for value, residual in zip(found.values, found.residuals, strict=True):
        if np.isfinite(residual):  # it is not for a value of 0 with a residual
            assert np.abs(spectrum - value).min() <= residual * abs(value) + 1e-12 * size
    if found.converged:
        assert found.residuals.max() <= 1e-6
    else:
        assert found.why


def least_dimension(h: torch.Tensor, start: np.ndarray, tolerance: float) -> int:
    """The least m for which the Krylov space of dimension m holds a Ritz pair that good (dense, by QR)."""
    h, columns = h.numpy(), [start / np.linalg.norm(start)]
    for m in range(1, len(h)):
        q = np.stack(columns, 1)
        values, y = np.linalg.eigh(q.T @ h @ q)
        v = q @ y[:, -1]
        if np.linalg.norm(h @ v - values[-1] * v) <= tolerance * abs(values[-1]):
            return m
        w = h @ q[:, -1]
        for _ in range(3):
            w = w - q @ (q.T @ w)
        columns.append(w / np.linalg.norm(w))
    return len(h)


@pytest.mark.parametrize("tolerance", [1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("name", SPECTRA)
def test_no_krylov_method_needs_fewer(name: str, tolerance: float) -> None:
    h = matrix(SPECTRA[name])
    start = torch.randn(100, generator=torch.Generator().manual_seed(5)).double()
    found = solve(h, tolerance=tolerance, seed=5, rows=100)
    assert found.products <= least_dimension(h, start.numpy(), tolerance)


def test_warm_starts_are_cheap_and_right() -> None:
    h = matrix(SPECTRA["outlier"])
    cold = solve(h, 2, tolerance=1e-6)
    near = h + 1e-4 * matrix(np.linspace(-1, 1, 100), seed=1)
    warm = solve(near, 2, tolerance=1e-3, start=cold.vectors)
    again = solve(near, 2, tolerance=1e-3)
    assert warm.converged
    assert warm.products == 2
    assert warm.products < again.products
    assert warm.values == pytest.approx(again.values, rel=1e-3)


def test_a_start_that_is_an_eigenvector_of_another_eigenvalue_says_what_it_found() -> None:
    h = torch.diag(torch.tensor([2.0, 1.0, 0.5]).double())
    found = solve(h, start=torch.tensor([[0.0, 1.0, 0.0]]).double())
    assert found.values[0] == 1.0  # an eigenvalue, as the docstring warns; a random start finds 2
    assert solve(h).values[0] == pytest.approx(2.0)


def test_unconverged_is_said() -> None:
    h = matrix(SPECTRA["clustered at the top"])
    few = solve(h, max_products=5)
    assert (few.converged, few.products) == (False, 5)
    assert "max_products = 5" in few.why
    assert few.residuals == pytest.approx(true_residuals(h, few), abs=1e-12)
    assert few.residuals.max() > 1e-10
    small = solve(h.float(), tolerance=1e-9, max_products=2000)
    assert not small.converged
    assert "rounding of float32" in small.why
    assert small.products < 400
    assert small.residuals.max() < 1e-5


def test_rounding_is_that_of_the_operator_not_of_the_small_eigenvalue() -> None:
    """1e-4 of an operator of size 1e3: float32 has it to about 1e-7 * 1e7 and no better, and stops there."""
    h = matrix(np.r_[-np.geomspace(1, 1e3, 60), 1e-4 * np.linspace(-1, 1, 40)]).float()
    found = solve(h, rows=30, max_products=2000)
    assert not found.converged
    assert found.products < 500
    assert "rounding of float32" in found.why


def test_an_operator_that_is_not_symmetric_is_named() -> None:
    h = torch.randn(60, 60, generator=torch.Generator().manual_seed(0)).double()
    found = solve(h, max_products=30)
    assert not found.converged
    assert "no symmetric operator" in found.why


def test_products_spent_before_count() -> None:
    h = matrix(SPECTRA["outlier"])
    found = largest_eigenpairs(lambda v: h @ v, 100, 1, tolerance=1e-12, max_products=8, spent=5)
    assert (found.products, found.converged) == (8, False)
    assert "max_products = 8" in found.why


def test_fewer_products_than_eigenvalues() -> None:
    found = solve(matrix(SPECTRA["outlier"]), 3, max_products=2)
    assert not found.converged
    assert len(found.values) == 2


def test_zero_and_identity() -> None:
    zero = solve(torch.zeros(5, 5).double(), 2)
    assert zero.converged
    assert (zero.values == 0).all()
    assert (zero.residuals == 0).all()
    same = solve(3 * torch.eye(5).double(), 3)
    assert same.converged
    assert same.values == pytest.approx([3.0] * 3)


def test_a_product_that_is_not_finite() -> None:
    with pytest.raises(InputError, match="product is not finite"):
        largest_eigenpairs(lambda v: v * float("nan"), 4, 1, tolerance=1e-3, max_products=9)


def test_the_same_bits_again() -> None:
    h = matrix(SPECTRA["outlier"])
    first, second = solve(h, 2), solve(h, 2)
    assert (first.values == second.values).all()
    assert torch.equal(first.vectors, second.vectors)
