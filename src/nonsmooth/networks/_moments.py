"""What an activation makes of a standard normal: the moments that decide how a signal's size travels.

In a wide layer with weights of variance v/fan_in, zero biases and inputs a, the pre-activations z are normal
with variance v E[a^2]. Where z ~ N(0, 1), the next layer keeps that variance if v = 1/E[phi(z)^2], which for
ReLU is He's 2. Backwards, the variance of a gradient is multiplied by v E[phi'(z)^2] a layer: 1 for ReLU, and
for others not 1 at the same v.

The integrals are Gauss-Legendre sums over panels that end at every kink and become shorter towards 0 in
proportion, so that joins of any width are resolved.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch

from nonsmooth.networks._activations import activation
from nonsmooth.networks._kinked_gelu import KinkedGELU
from nonsmooth.networks._smoothed_relu import AnalyticReLU, SmoothedReLU

__all__ = ["second_moment", "slope_moment"]

_END = 14.0  # the normal distribution has 8e-45 beyond
_NODES = 24


def second_moment(name: str) -> float:
    """E[phi(z)^2] for z ~ N(0, 1): the mean square of an activation's output. 1/2 for ReLU.

    Args:
        name: an activation, as for :func:`activation`.

    Returns:
        The moment, by quadrature in float64, relative error below 1e-13.

    Raises:
        InputError: no activation has this name.

    Source: He et al., "Delving deep into rectifiers", ICCV 2015, section 2.2, for ReLU.

    >>> round(second_moment("relu"), 12), round(second_moment("gelu"), 12)
    (0.5, 0.42522148257)
    """
    return _moments(name)[0]


def slope_moment(name: str) -> float:
    """E[phi'(z)^2] for z ~ N(0, 1): the mean square of an activation's derivative. 1/2 for ReLU.

    Args:
        name: an activation, as for :func:`activation`.

    Returns:
        The moment, by quadrature in float64, relative error below 1e-13.

    Raises:
        InputError: no activation has this name.

    >>> round(slope_moment("relu"), 12), round(slope_moment("gelu"), 12)
    (0.5, 0.455850865649)
    """
    return _moments(name)[1]


@cache
def _moments(name: str) -> tuple[float, float]:
    module = activation(name)
    width = module.width if isinstance(module, SmoothedReLU | AnalyticReLU) else _END
    knots = module.knots.tolist() if isinstance(module, KinkedGELU) else ()
    points, weights = _quadrature(width, knots)
    z = torch.from_numpy(points).requires_grad_()
    with torch.enable_grad():  # the caller may have turned it off
        value = module(z)
        (slope,) = torch.autograd.grad(value.sum(), z)
    first, second = (float(np.sum(weights * f.detach().numpy() ** 2)) for f in (value, slope))
    return first, second


def _quadrature(width: float, knots: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights for integrals against the normal density, kinks at 0, +-width/2 and the knots."""
    halvings = max(6, int(np.ceil(np.log2(_END / width))) + 6)
    ends = {0.0, *(_END * 2.0**-k for k in range(halvings + 1))}
    if width / 2 < _END:
        ends.add(width / 2)
    ends |= {knot for knot in knots if 0 < knot < _END}
    edges = np.array(sorted({-e for e in ends} | ends))
    nodes, parts = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(edges)[:, None] / 2
    points = (edges[:-1, None] + half + half * nodes).ravel()
    return points, (half * parts).ravel() * np.exp(-(points**2) / 2) / np.sqrt(2 * np.pi)
