"""Every checkable claim of the paper, built or not, in the paper's order."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Entry", "inventory"]


@dataclass(frozen=True)
class Entry:
    """One row of the inventory: the claim's id, its section, where it is printed, and what it says."""

    id: str
    section: str
    where: str
    summary: str


_SETUP = "2. Set-up"
_CONVERGENCE = "3. Convergence"
_LASSO = "4. The LASSO penalty"
_EDGE = "5. The edge of stability"

_ENTRIES = (
    Entry(
        "objective-family",
        _SETUP,
        "eq. 3",
        "The single-layer ReLU regression with y <= 0 is convex and the zero vector is its unique minimiser.",
    ),
    Entry(
        "step-regimes",
        _SETUP,
        "eq. 1, 2, 4",
        "Constant, diminishing and reducing step sizes, each usable in every experiment.",
    ),
    Entry(
        "capture",
        _CONVERGENCE,
        "Prop. 3.1, Fig. 1",
        "The loss falls monotonically while the iterates leave the unit ball: so it is no gradient descent.",
    ),
    Entry(
        "not-descent",
        _CONVERGENCE,
        "Sec. 3, quoting Boyd et al.",
        "The subgradient method is not a descent method.",
    ),
    Entry(
        "rates",
        _CONVERGENCE,
        "Sec. 3",
        "O(1/e) steps on L-smooth convex functions, O(1/e^2) on Lipschitz convex ones.",
    ),
    Entry(
        "relu-not-L-smooth",
        _CONVERGENCE,
        "Sec. 3",
        "The second-order difference quotient of ReLU at 0 grows without bound, so ReLU is not L-smooth.",
    ),
    Entry(
        "activation-depth-gap",
        _CONVERGENCE,
        "Fig. 2, App. A.1",
        "Without batch norm GELU networks train faster than ReLU ones, the more so the deeper they are.",
    ),
    Entry(
        "geometric-steps",
        _CONVERGENCE,
        "Sec. 3",
        "Geometric step schedules have a finite sum and violate the assumptions of the convergence theorem.",
    ),
    Entry(
        "minima-at-kinks",
        _CONVERGENCE,
        "Sec. 3, 4",
        "Local minima of ReLU networks are generically non-differentiable and frequently lie at kinks.",
    ),
    Entry(
        "strong-duality",
        _CONVERGENCE,
        "App. A.2, Prop. A.1 - A.5",
        "At a global minimum the supporting hyperplanes are never vertical; at a kink they are a family.",
    ),
    Entry(
        "toy-lasso-orbit",
        _LASSO,
        "eq. 7, 8, 11-14, Prop. 4.1, B.1, B.2",
        "On the L1 norm every entry is never zero and ends alternating between two values.",
    ),
    Entry(
        "penalty-paradox",
        _LASSO,
        "Sec. 4, worked example",
        "The larger penalty ends with the larger L1 norm: at most 0.0106 against at least 0.9894.",
    ),
    Entry(
        "floor-bound",
        _LASSO,
        "eq. 9, B.6",
        "The limiting L1 norm lies below the step size times the penalty, or below P times that.",
    ),
    Entry(
        "lasso-paradox",
        _LASSO,
        "eq. 15, App. B.2",
        "On a random LASSO the hundredfold penalty gives the fifteenfold L1 norm.",
    ),
    Entry(
        "variants-table",
        _LASSO,
        "Table 1, B.3, eq. 16-23, Prop. B.3-B.5",
        "Vanilla, momentum and RMSProp runs on the L1 norm depend on different things and differ at zero.",
    ),
    Entry(
        "phase-transition",
        _LASSO,
        "Fig. 5, App. B.4, Prop. B.6",
        "RMSProp ends above vanilla for small penalties and below it for large ones, without overlap.",
    ),
    Entry(
        "deep-l1",
        _LASSO,
        "Fig. 3, Table 2, App. C",
        "On VGG16 the share of weights below 1e-5 depends on the optimiser and falls with the penalty.",
    ),
    Entry(
        "soft-threshold",
        _LASSO,
        "Sec. 4",
        "Soft-thresholding gives sparse but not optimal solutions for networks.",
    ),
    Entry(
        "exact-solvers",
        _LASSO,
        "Sec. 4",
        "glmnet and scikit-learn guarantee an optimal LASSO solution, PyTorch does not.",
    ),
    Entry(
        "quadratic-threshold",
        _EDGE,
        "Sec. 5",
        "On convex quadratics gradient descent diverges above the step 2 / (top Hessian eigenvalue).",
    ),
    Entry(
        "unstable-convergence",
        _EDGE,
        "Prop. 5.1, App. D.1",
        "No convex Lipschitz loss diverges at any finite step, and the limit is within a L^2 of the minimum.",
    ),
    Entry(
        "huber",
        _EDGE,
        "eq. 10, Fig. 4",
        "On the Huber loss, convex and non-smooth, larger steps oscillate and never diverge.",
    ),
    Entry(
        "subquadratic",
        _EDGE,
        "Sec. 5, on Ma et al. (2022)",
        "Subquadratic growth measured by differences across kinks does not explain the edge of stability.",
    ),
    Entry(
        "testbed",
        _EDGE,
        'Sec. 5, "the way forward"',
        "The convex non-differentiable single-layer network as a test problem for theory.",
    ),
)


def inventory() -> tuple[Entry, ...]:
    """All rows, in the paper's order.

    >>> len(inventory())
    24
    """
    return _ENTRIES
