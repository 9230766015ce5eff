"""The largest eigenvalues of a symmetric operator, by Lanczos with full reorthogonalisation.

Lanczos builds an orthonormal basis Q of the Krylov space of a start q, span{q, Hq, H^2 q, ...}, and takes the
eigenpairs (theta, y) of QHQ': then v = y'Q is the Ritz vector (rows here). Beside Q the products W = QH are
kept, so that the residual Hv - theta v = y'W - theta y'Q is the true one and costs no further product.

    next vector           the last product, less its part along the last two rows of Q (there is no other, but
                          for rounding), then orthogonalised against all of Q; beta is its length
    residual, foreseen    beta |last entry of y|; only when it meets the tolerance the true one is formed
    full basis            thick restart (Wu and Simon 2000): the best Ritz vectors and their products stay
    several starts        the basis is no Krylov space: the next vector is the true residual of the first pair
                          that has not converged (Davidson's method without a preconditioner)

A small residual shows that *an* eigenvalue lies within it, not that none is larger: that rests on the start,
which has, with probability 1, a part along every eigenvector. An eigenvalue of multiplicity m > 1 is seen
once unless rounding or several starts bring its other vectors in.

Sources: Lanczos, J. Res. Nat. Bur. Standards 45 (1950); Paige, J. Inst. Maths Applics 18 (1976); Parlett,
The Symmetric Eigenvalue Problem (1998), ch. 11 and 13; Wu and Simon, SIAM J. Matrix Anal. Appl. 22 (2000).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from nonsmooth.diagnostics._not_finite import NotFiniteError
from nonsmooth.errors import InputError

__all__ = ["Ritz", "largest_eigenpairs"]

_MOST_ROWS = 80  # of the basis
_MOST_BYTES = 2 << 30  # of the basis and its products
_PATIENCE = 20  # products that must halve the residual where it is near rounding
_SYMMETRIC = 0.01  # of the largest entry of QHQ'; rounding in half precision is below it


class Ritz(NamedTuple):
    """Ritz pairs, the largest eigenvalue first.

    Attributes:
        values: (k,) float64.
        vectors: (k, n), unit rows.
        residuals: (k,) ||Hv - theta v|| / |theta|, float64; inf for theta = 0 with a residual, nan never.
        products: with H, those spent before included.
        converged: whether all residuals meet the tolerance.
        why: in words why not; "" if converged.
    """

    values: np.ndarray
    vectors: torch.Tensor
    residuals: np.ndarray
    products: int
    converged: bool
    why: str


def largest_eigenpairs(
    product: Callable[[torch.Tensor], torch.Tensor],
    size: int,
    k: int,
    *,
    tolerance: float,
    max_products: int,
    start: torch.Tensor | None = None,
    seed: int = 0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float64,
    rows: int | None = None,
    patience: int = _PATIENCE,
    spent: int = 0,
) -> Ritz:
    """The k algebraically largest eigenvalues of a symmetric operator.

    Args:
        product: v (size,) -> Hv.
        size: n.
        k: from 1 to n.
        tolerance: for every pair's relative residual.
        max_products: stop there, converged or not.
        start: (p, n) rows to begin from, need not be orthonormal; None: one standard normal vector of
            ``seed``.
        device, dtype: of the basis.
        rows: of the basis before it is restarted; None: as many as memory (2 GiB) and 80 allow.
        patience: stop when so many products have not halved a residual that is near rounding.
        spent: products that were made before, to find ``start``; they count.

    Raises:
        NotFiniteError: a product that is not finite.

    >>> h = torch.diag(torch.tensor([3.0, -5.0, 1.0], dtype=torch.float64))
    >>> found = largest_eigenpairs(lambda v: h @ v, 3, 1, tolerance=1e-12, max_products=10)
    >>> round(float(found.values[0]), 12), found.converged, found.products
    (3.0, True, 3)
    """
    made = _rows(size, k, max_products, dtype, rows)
    basis = _Basis(product, size, made, device, dtype, seed)
    basis.used = spent
    queue = [basis.random()] if start is None else list(start.to(device, dtype))
    krylov = len(queue) == 1
    mark, idle = math.inf, 0
    while True:
        for vector in queue[: max_products - basis.used]:
            basis.add(vector)
        pairs = _pairs(basis, min(k, basis.filled), tolerance, krylov)
        worst = float(pairs.relative.max())
        if basis.filled >= k and worst <= tolerance:
            return _answer(basis, pairs, "")
        mark, idle = (worst, 0) if worst < mark / 2 else (mark, idle + 1)
        if basis.filled == size:
            why = f"the basis spans the whole space; what is left is the rounding of {_word(dtype)}"
        elif basis.used >= max_products:
            why = f"max_products = {max_products} are used up; allow more, or a looser tolerance"
        elif idle >= patience and mark <= 30 * torch.finfo(dtype).eps * _spread(pairs):
            why = f"{patience} products did not halve the residual: this is the rounding of {_word(dtype)}"
        else:
            queue = [_next(basis, pairs, tolerance, krylov)]
            if basis.filled == basis.rows:
                basis.restart(pairs.weights, pairs.all_values, k)
            continue
        return _answer(basis, pairs, why)


def _next(basis: _Basis, pairs: _Pairs, tolerance: float, krylov: bool) -> torch.Tensor:
    """The vector that the basis is to grow by."""
    if krylov:
        return basis.rest
    waiting = np.flatnonzero(pairs.relative > tolerance)
    if not len(waiting):  # fewer pairs than are asked for, all exact
        return basis.random()
    assert pairs.residuals is not None
    return pairs.residuals[waiting[0]]


def _spread(pairs: _Pairs) -> float:
    """The operator's size, which a product's rounding is relative to, over the least of the wanted values."""
    least = float(np.abs(pairs.values).min())
    return float(np.abs(pairs.all_values).max()) / least if least else math.inf


def _word(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _rows(size: int, k: int, max_products: int, dtype: torch.dtype, rows: int | None) -> int:
    if rows is None:
        fitting = _MOST_BYTES // (2 * size * torch.finfo(dtype).bits // 8)
        rows = min(max(_MOST_ROWS, 4 * k), int(fitting), max_products)
    return min(max(rows, 2 * k + 6), size)


class _Basis:
    """Orthonormal rows Q, their products W = QH, and QHQ'."""

    def __init__(
        self,
        product: Callable[[torch.Tensor], torch.Tensor],
        size: int,
        rows: int,
        device: torch.device | str,
        dtype: torch.dtype,
        seed: int,
    ) -> None:
        self.product, self.size, self.rows = product, size, rows
        self.used = self.filled = 0
        self.rest = torch.empty(0)  # the last product, less its part in the span
        self._chain = True  # whether the rows are those of one Krylov space, so that QHQ' is tridiagonal
        self._generator = torch.Generator().manual_seed(seed)
        self._like = {"device": device, "dtype": dtype}
        self._q = torch.empty((min(rows, 16), size), **self._like)  # grows: most calls need few rows
        self._w = torch.empty_like(self._q)
        self._t = np.zeros((rows, rows))

    @property
    def q(self) -> torch.Tensor:
        return self._q[: self.filled]

    @property
    def w(self) -> torch.Tensor:
        return self._w[: self.filled]

    @property
    def t(self) -> np.ndarray:
        return self._t[: self.filled, : self.filled]

    def random(self) -> torch.Tensor:
        """Standard normals, drawn in float32 so that every precision starts alike."""
        return torch.randn(self.size, generator=self._generator).to(**self._like)

    def add(self, vector: torch.Tensor) -> None:
        """Orthonormalise, multiply, project. What lies in the span already is replaced by a random vector."""
        m = self.filled
        if m == len(self._q):
            more = min(2 * m, self.rows)
            self._q, self._w = (
                torch.cat([each, each.new_empty((more - m, self.size))]) for each in (self._q, self._w)
            )
        self._chain = m == 0 or (self._chain and vector is self.rest)
        low = max(m - 1, 0) if self._chain else 0
        self._q[m] = self._orthonormal(vector)
        self._w[m] = self.product(self._q[m])
        near = self._q[low : m + 1]
        along = near @ self._w[m]
        column = along.double().cpu().numpy()
        if not np.isfinite(column).all():
            raise NotFiniteError(
                "a Hessian-vector product is not finite: the loss has no finite second derivative at these "
                "weights in this precision (a root or a logarithm at 0, an overflow); try float64 or other "
                "weights"
            )
        self.rest = torch.addmv(self._w[m], near.T, along, alpha=-1)
        self._t[m, low : m + 1] = self._t[low : m + 1, m] = column
        self.filled, self.used = m + 1, self.used + 1

    def _orthonormal(self, vector: torch.Tensor) -> torch.Tensor:
        """Orthogonalised until a turn takes little away (Parlett, section 6.9), then of length 1."""
        least = 10 * torch.finfo(vector.dtype).eps
        for _ in range(5):
            length = float(vector.norm())
            if 0 < length < math.inf:
                before = after = length
                for _ in range(4):
                    vector = torch.addmv(vector, self.q.T, self.q @ vector, alpha=-1)
                    after = float(vector.norm())
                    if after > 0.7 * before or after < least * length:
                        break
                    before = after
                if after >= least * length:
                    return vector / after
            vector = self.random()
        raise InputError(f"no direction is left in a space of {self.size}; ask for fewer eigenvalues")

    def asymmetry(self) -> float:
        """Of QHQ', formed from both sides; over its largest entry."""
        t = self.q @ self.w.T
        size = float(t.abs().max())
        return float((t - t.T).abs().max()) / size if size else 0.0

    def restart(self, weights: np.ndarray, values: np.ndarray, k: int) -> None:
        """Keep the best Ritz vectors and their products: combinations of rows, no product with H."""
        keep = min(k + max(3, (self.filled - k) // 3), self.filled - 1)
        mix = torch.from_numpy(weights[:, :keep].T.copy()).to(**self._like)
        self._q[:keep], self._w[:keep] = mix @ self.q, mix @ self.w
        self._t[:] = 0
        self._t[range(keep), range(keep)] = values[:keep]
        self.filled, self._chain = keep, False


class _Pairs(NamedTuple):
    values: np.ndarray  # (k,)
    relative: np.ndarray  # (k,) residuals; foreseen ones where ``residuals`` is None
    residuals: torch.Tensor | None  # (k, n)
    weights: np.ndarray  # (m, m), columns, the largest first
    all_values: np.ndarray


def _pairs(basis: _Basis, k: int, tolerance: float, krylov: bool) -> _Pairs:
    """The k largest Ritz pairs; with the true residuals where they may have converged."""
    values, weights = np.linalg.eigh(basis.t)
    values, weights = values[::-1], weights[:, ::-1]
    if krylov:
        foreseen = _relative(float(basis.rest.norm()) * np.abs(weights[-1, :k]), values[:k])
        if foreseen.max() > tolerance:
            return _Pairs(values[:k], foreseen, None, weights, values)
    return _true(basis, k, weights, values)


def _true(basis: _Basis, k: int, weights: np.ndarray, values: np.ndarray) -> _Pairs:
    first = torch.from_numpy(weights[:, :k].T.copy()).to(basis.q)
    shifts = torch.from_numpy(values[:k].copy()).to(basis.q)
    residuals = torch.addmm(first @ basis.w, first * -shifts[:, None], basis.q)
    lengths = residuals.norm(dim=1).double().cpu().numpy()
    return _Pairs(values[:k], _relative(lengths, values[:k]), residuals, weights, values)


def _relative(lengths: np.ndarray, values: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(lengths == 0, 0.0, lengths / np.abs(values))


def _answer(basis: _Basis, pairs: _Pairs, why: str) -> Ritz:
    k = len(pairs.values)
    ritz = pairs if pairs.residuals is not None else _true(basis, k, pairs.weights, pairs.all_values)
    mix = torch.from_numpy(ritz.weights[:, :k].T.copy()).to(basis.q)
    if why and (off := basis.asymmetry()) > _SYMMETRIC:
        why = (
            f"the products are those of no symmetric operator (off by {off:.1%}): they are rounding, or the "
            "loss is another function at each call, or a backward of the model's own is not differentiable"
        )
    return Ritz(ritz.values.copy(), mix @ basis.q, ritz.relative, basis.used, not why, why)
