"""What is run: the quotient in exact rationals and by autograd, across a loss's kinks, and two functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import inf, pi, sqrt
from typing import Any

import numpy as np

from nonsmooth.claims._claim import Row
from nonsmooth.objectives import ReluRegression
from nonsmooth.runs import RunSpec

__all__ = [
    "BATCH",
    "EXPONENTS",
    "LENGTHS",
    "RESPONSES",
    "SIZES",
    "activations",
    "exact",
    "functions",
    "loss",
    "width_map",
]

SIZES = {"quick": 64, "laptop": 640, "paper": 6400}
BATCH = 64
# h = 2^-k in exact rationals, and h for autograd.
EXPONENTS = range(61)
LENGTHS = tuple(10.0**-k for k in range(13))
# How the response is drawn.
RESPONSES = ("negative", "zero", "positive")

_ROWS, _COLUMNS = 20, 500
_MAP_LENGTHS = tuple(10.0**k for k in range(-6, 1))
_MAP_WIDTHS = tuple(10.0**k for k in range(-6, 1))


def exact(spec: RunSpec) -> list[Row]:
    """(q'(h) - q'(-h)) / (2h) for q = max(0, x), in rationals."""
    rows = []
    for k in EXPONENTS:
        h = Fraction(1, 2**k)
        quotient = (_relu_slope(h) - _relu_slope(-h)) / (2 * h)
        rows.append(
            {
                "experiment": "exact",
                "k": k,
                "quotient": float(quotient),
                "is_half_over_h": quotient == 1 / (2 * h),
            }
        )
    return rows


def activations(spec: RunSpec) -> list[Row]:
    """The same quotient by torch's autograd in float64, for ReLU, its relatives and its twins."""
    import torch

    rows = []
    for each in _activations(spec["width"]):
        at = torch.tensor([[h, -h] for h in LENGTHS], dtype=torch.float64, requires_grad=True)
        each.function(at).sum().backward()
        assert at.grad is not None
        slopes = at.grad.numpy()
        rows.append(
            {
                "experiment": "activations",
                "name": each.name,
                "kind": each.kind,
                "bound": each.bound,
                "quotient": ((slopes[:, 0] - slopes[:, 1]) / (2 * np.asarray(LENGTHS))).tolist(),
            }
        )
    return rows


def loss(spec: RunSpec) -> list[Row]:
    """The gradient's quotient across the kink of one row of ||y - max(0, Zb)||^2, at two lengths.

    b lies on the hyperplane z_i'b = 0 and the two points at b ± h z_i/||z_i||. The gradient jumps by
    2 |y_i| ||z_i|| there, so the quotient's jump part is |y_i| ||z_i|| / h.
    """
    sign = {"negative": -1.0, "zero": 0.0, "positive": 1.0}[spec["response"]]
    rows = []
    for seed in spec.seeds:
        rng = spec.rng("data", seed)
        Z = rng.uniform(-1, 1, (_ROWS, _COLUMNS))
        y = sign * rng.uniform(0, 1, _ROWS)
        across = Z[0] / np.linalg.norm(Z[0])
        b = spec.rng("start", seed).uniform(-1, 1, _COLUMNS)
        b -= (b @ across) * across
        f = ReluRegression(Z, y, 0.0, 0.01, convex=False)
        found = []
        for h in (1e-4, 1e-6):
            right, left = f.data_gradient(b + h * across), f.data_gradient(b - h * across)
            found.append(float(np.linalg.norm(right - left) / (2 * h)))
        rows.append(
            {
                "experiment": "loss",
                "response": spec["response"],
                "seed": seed,
                "quotient": found[0],
                "growth": found[1] / found[0],
            }
        )
    return rows


def functions(spec: RunSpec) -> list[Row]:
    """Two L-smooth functions: is the second derivative there, is the first bounded? In rationals."""
    return [
        _about("Huber's loss with threshold 1", lambda x: max(min(x, Fraction(1)), Fraction(-1)), 1),
        _about("x²", lambda x: 2 * x, 0),
    ]


def width_map(spec: RunSpec) -> list[Row]:
    """Share of points within h/2 of 0 at which the rounded ReLU's quotient is above half of ReLU's 1/(2h)."""
    at = np.array([spec.rng("point", seed).uniform(-0.5, 0.5) for seed in spec.seeds])
    rows = []
    for width in _MAP_WIDTHS:
        for h in _MAP_LENGTHS:
            right, left = (np.clip((at * h + s * h) / width + 0.5, 0, 1) for s in (1, -1))
            hits = int((right - left > 0.5).sum())
            rows.append({"experiment": "map", "x": h, "y": width, "hits": hits, "n": len(spec.seeds)})
    return rows


@dataclass(frozen=True)
class _Activation:
    """``kind``: kinked, twin or C1 only; ``bound`` is sup |q''| in closed form."""

    name: str
    kind: str
    bound: float
    function: Callable[[Any], Any]


def _activations(width: float) -> list[_Activation]:
    """Second derivatives: GELU phi(x)(2 - x^2), largest 2 phi(0); SiLU 1/2 and softplus 1/4 at 0; ELU 1."""
    from torch.nn import functional as F  # noqa: N812 (torch's own convention)

    def rounded(x: Any) -> Any:
        """Slope 0 below -d/2, 1 above d/2, linear between: differentiable, second derivative 1/d."""
        middle = (x + width / 2) ** 2 / (2 * width)
        return middle.where(x.abs() <= width / 2, x.clamp(min=0.0))

    return [
        _Activation("ReLU", "kinked", inf, F.relu),
        _Activation("leaky ReLU", "kinked", inf, F.leaky_relu),
        _Activation("GELU", "twin", sqrt(2 / pi), F.gelu),
        _Activation("SiLU", "twin", 0.5, F.silu),
        _Activation("softplus", "twin", 0.25, F.softplus),
        _Activation("ELU", "twin", 1.0, F.elu),
        _Activation("squared ReLU", "twin", 2.0, lambda x: F.relu(x) ** 2),
        _Activation(f"ReLU rounded over {width:g}", "twin", 1 / width, rounded),
        _Activation("x^(3/2) for x > 0", "C1 only", inf, lambda x: F.relu(x) ** 1.5),
    ]


def _relu_slope(x: Fraction) -> Fraction:
    return Fraction(x > 0)


def _about(name: str, gradient: Callable[[Fraction], Fraction], corner: int) -> Row:
    """Exact facts on one function's gradient; ``corner`` is where its one-sided slopes are taken."""
    grid = [Fraction(j, 8) for j in range(-40, 41)]
    at, h = Fraction(corner), Fraction(1, 2**40)
    return {
        "experiment": "functions",
        "name": name,
        "corner": corner,
        "lipschitz": float(max(abs((gradient(a) - gradient(b)) / (a - b)) for a, b in combinations(grid, 2))),
        "left": float((gradient(at) - gradient(at - h)) / h),
        "right": float((gradient(at + h) - gradient(at)) / h),
        # the powers of ten, up to 10^12, that the gradient exceeds somewhere
        "exceeded": sum(gradient(Fraction(10**k)) > 10**k for k in range(13)),
    }
