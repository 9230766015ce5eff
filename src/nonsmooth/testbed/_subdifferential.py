"""The subdifferential of eq. 3 at its minimiser, and how sharp the minimum is.

At 0 every ReLU and every |b_k| has its kink, so for y <= 0

    f'(0; v) = l1 ||v||_1 + sum_i 2 |y_i| max(0, z_i.v)      and     f(b) - ||y||^2 >= f'(0; b),

because what is left out, max(0, Zb)^2 and l2 ||b||^2, is not negative. f'(0; .) is the support function of
the subdifferential at 0: the box [-l1, l1]^P plus the zonotope of the segments [0, 2 |y_i| z_i]. The
distance of 0 to its boundary is mu = min of f'(0; v) over ||v||_2 = 1, so that f(b) - ||y||^2 >= mu ||b||_2.

That minimum is not a convex problem; it is enclosed. From below: ||v||_1 >= ||v||_2 gives mu >= l1. From
above: any direction; we improve one by v <- argmin {f'(0; v): v.w = 1} from w = v / ||v||, a linear
programme a step, which never rises because ||v|| >= v.w = 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nonsmooth.errors import InputError

__all__ = ["SubdifferentialAtZero"]


@dataclass(frozen=True, eq=False)
class SubdifferentialAtZero:
    """The box [-half_width, half_width]^P plus the zonotope of the segments [0, g_i].

    Attributes:
        half_width: l1.
        generators: g_i = 2 |y_i| z_i, the rows with y_i = 0 left out, (M, P).

    >>> edge = SubdifferentialAtZero(0.5, np.array([[1.0, 0.0]]))
    >>> edge.contains(np.array([1.4, 0.0])), edge.contains(np.array([-0.6, 0.0])), edge.sharpness
    (True, False, (0.5, 0.5))
    """

    half_width: float
    generators: np.ndarray

    def support_function(self, v: np.ndarray) -> np.ndarray:
        """f'(0; v), the one-sided derivative at 0 along v: (..., P) -> (...)."""
        hinge = np.maximum(np.asarray(v) @ self.generators.T, 0.0).sum(axis=-1)
        return self.half_width * np.abs(v).sum(axis=-1) + hinge

    def contains(self, g: np.ndarray, tolerance: float = 1e-9) -> bool:
        """Whether g (P,) is a subgradient at 0, up to a tolerance (max norm); a linear programme."""
        from scipy.optimize import linprog

        g = np.asarray(g, dtype=float)
        columns = self.generators.shape[1]
        if g.shape != (columns,):
            raise InputError(f"g has shape {g.shape}; a subgradient here has shape ({columns},)")
        slack = self.half_width + tolerance
        if not len(self.generators):
            return bool((np.abs(g) <= slack).all())
        G = self.generators.T
        found = linprog(
            np.zeros(G.shape[1]), A_ub=np.vstack([G, -G]), b_ub=np.concatenate([g + slack, slack - g]),
            bounds=(0, 1), method="highs",
        )  # fmt: skip
        return found.status == 0

    @cached_property
    def flat_direction(self) -> np.ndarray | None:
        """A unit v along which no ReLU rises (g_i.v <= 0 for all i), or None if there is none.

        Along it f'(0; v) = l1 ||v||_1, so that l1 is then the best constant of f(b) - ||y||^2 >= l1 ||b||_1.
        """
        from scipy.optimize import linprog

        M, P = self.generators.shape
        if M < P:  # the null space
            return _unit(np.linalg.svd(self.generators)[2][-1]) if M else np.eye(P)[0]
        for k in range(P):
            for sign in (1.0, -1.0):
                bounds = [(-1.0, 1.0)] * P
                bounds[k] = (sign, sign)
                found = linprog(np.zeros(P), A_ub=self.generators, b_ub=np.zeros(M), bounds=bounds)
                if found.status == 0:
                    return _unit(found.x)
        return None

    @cached_property
    def sharpness(self) -> tuple[float, float]:
        """An enclosure (low, high) of mu, the distance of 0 to the boundary; equal where mu is known."""
        low = float(self.half_width)
        if low == 0 and self.flat_direction is not None:
            return 0.0, 0.0
        high = float(self.support_function(self.sharpest_direction))
        return low, (low if high <= low * (1 + 1e-12) else high)

    @cached_property
    def sharpest_direction(self) -> np.ndarray:
        """The unit direction of least slope that was found, (P,): its slope is ``sharpness[1]``."""
        P = self.generators.shape[1]
        entries = np.concatenate([np.eye(P), -np.eye(P)])
        slopes = self.support_function(entries)
        candidates = [self._improved(entries[k]) for k in np.argsort(slopes)[:2]]
        return min(candidates, key=lambda v: float(self.support_function(v)))

    def _improved(self, v: np.ndarray, rounds: int = 20) -> np.ndarray:
        for _ in range(rounds):
            following = self._least_along(v)
            if following is None:
                break
            if self.support_function(following) >= self.support_function(v) * (1 - 1e-9):
                break
            v = following
        return v

    def _least_along(self, w: np.ndarray) -> np.ndarray | None:
        """argmin {f'(0; v): v.w = 1}, scaled to length 1: v = p - q and one hinge a generator."""
        from scipy.optimize import linprog
        from scipy.sparse import csr_matrix, eye, hstack

        M, P = self.generators.shape
        cost = np.concatenate([np.full(2 * P, self.half_width), np.ones(M)])
        G = csr_matrix(self.generators)
        found = linprog(
            cost, A_ub=hstack([G, -G, -eye(M)]).tocsr() if M else None, b_ub=np.zeros(M) if M else None,
            A_eq=np.concatenate([w, -w, np.zeros(M)])[None], b_eq=[1.0], bounds=(0, None), method="highs",
        )  # fmt: skip
        return _unit(found.x[:P] - found.x[P : 2 * P]) if found.status == 0 else None


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.linalg.norm(v)
