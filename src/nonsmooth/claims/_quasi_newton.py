"""BFGS with a weak Wolfe line search, on many functions at once; it finds kinked minima as well as smooth
ones.

BFGS was made for twice differentiable functions. On locally Lipschitz ones it needs only that it never meets
a point of non-differentiability, and a line search that asks nothing of the slope beyond it: the weak Wolfe
conditions, by bisection. At a kinked minimum its steps shrink to rounding while the gradients do not.

Source: Lewis and Overton, "Nonsmooth optimization via quasi-Newton methods", Math. Program. 141, 2013
(algorithm 2.6 for the line search, section 2 for the update).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Ends", "bfgs"]

_ARMIJO, _WOLFE, _TRIALS = 1e-4, 0.9, 40

Slopes = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass
class Ends:
    """Where BFGS stopped: points (S, P), values (S,), gradients (S, P), iterations (S,).

    ``stalled``: no step along its direction decreases the value enough, (S,) bool. That is the end at a kink,
    to rounding; with a gradient at most ``tolerance`` the run stops before.
    """

    points: Tensor
    values: Tensor
    gradients: Tensor
    iterations: Tensor
    stalled: Tensor


def bfgs(slopes: Slopes, start: Tensor, iterations: int, tolerance: float = 1e-10) -> Ends:
    """Minimise S functions of P variables, each on its own, in one tensor.

    Args:
        slopes: points (S', P) and which functions they are for (S',), indices below S -> values (S',) and
            gradients (S', P), such as ``Dense.slopes``.
        start: (S, P), float64.
        iterations: at most so many.
        tolerance: of a gradient's Euclidean norm.

    >>> def kinked(x, which):  # |x1| + (x2 - 1)^2
    ...     return x[:, 0].abs() + (x[:, 1] - 1) ** 2, torch.stack([x[:, 0].sign(), 2 * x[:, 1] - 2], 1)
    >>> ends = bfgs(kinked, torch.tensor([[0.7, 3.0]], dtype=torch.float64), 100)
    >>> torch.allclose(ends.points, torch.tensor([[0.0, 1.0]], dtype=torch.float64), rtol=0, atol=1e-8)
    True
    >>> float(ends.gradients[0, 0].abs())
    1.0
    """
    x = start.clone()
    f, g = slopes(x, torch.arange(len(x), device=x.device))
    seeds, size = x.shape
    counted = torch.zeros(seeds, dtype=torch.int64, device=x.device)
    stalled = torch.zeros(seeds, dtype=torch.bool, device=x.device)
    inverse = torch.eye(size, dtype=x.dtype, device=x.device) / g.norm(dim=1)[:, None, None].clamp(min=1e-300)
    live = torch.arange(seeds, device=x.device)[g.norm(dim=1) > tolerance]
    inverse = inverse[live]
    for k in range(iterations):
        if not len(live):
            break
        way = -torch.bmm(inverse, g[live, :, None])[:, :, 0]
        xs, fs, gs = _search(slopes, live, x[live], f[live], g[live], way)
        moved, turned = xs - x[live], gs - g[live]
        curved = (moved * turned).sum(1)
        if k == 0:  # Nocedal and Wright, eq. 6.20: the scale of the first inverse
            scale = (curved / (turned * turned).sum(1).clamp(min=1e-300)).clamp(min=0)
            inverse = torch.eye(size, dtype=x.dtype, device=x.device) * scale[:, None, None]
        x[live], f[live], g[live] = xs, fs, gs
        counted[live] += 1
        stuck = ~(curved > 0)
        stalled[live] = stuck
        keep = ~stuck & (gs.norm(dim=1) > tolerance)
        _update(inverse, moved, turned, torch.where(stuck, 1.0, curved))
        if not keep.all():
            live, inverse = live[keep], inverse[keep]
    return Ends(x, f, g, counted, stalled)


def _update(inverse: Tensor, moved: Tensor, turned: Tensor, curved: Tensor) -> None:
    """The inverse Hessian of Nocedal and Wright, eq. 6.17, multiplied out: a change of rank two, in place."""
    mapped = torch.bmm(inverse, turned[:, :, None])[:, :, 0]
    weight = (1 + (turned * mapped).sum(1) / curved) / curved
    # weight s s' - (m s' + s m') / (s'y) = s u' + u s' with u = weight s / 2 - m / (s'y)
    other = weight[:, None] / 2 * moved - mapped / curved[:, None]
    pair, flip = torch.stack([moved, other], 2), torch.stack([other, moved], 2)
    inverse.baddbmm_(pair, flip.transpose(1, 2))


def _search(
    slopes: Slopes, which: Tensor, x: Tensor, f: Tensor, g: Tensor, way: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The weak Wolfe point of each row; the best of the points with enough decrease if none is found."""
    along = (g * way).sum(1)
    low, high = torch.zeros_like(f), torch.full_like(f, torch.inf)
    step = torch.ones_like(f)
    best, best_f, best_g = x.clone(), f.clone(), g.clone()
    open_ = torch.nonzero(along < 0)[:, 0]
    for _ in range(_TRIALS):
        if not len(open_):
            break
        point = x[open_] + step[open_, None] * way[open_]
        value, slope = slopes(point, which[open_])
        down = value <= f[open_] + _ARMIJO * step[open_] * along[open_]
        down &= value < f[open_]
        flat = (slope * way[open_]).sum(1) >= _WOLFE * along[open_]
        kept = open_[down]
        best[kept], best_f[kept], best_g[kept] = point[down], value[down], slope[down]
        low[kept] = step[kept]
        high[open_[~down]] = step[open_[~down]]
        open_ = open_[~(down & flat)]
        bounded = torch.isfinite(high[open_])
        step[open_] = torch.where(bounded, (low[open_] + high[open_]) / 2, 2 * step[open_])
    return best, best_f, best_g
