"""Where to start in float64: the eigenvectors as float32 has them.

A product in float32 takes half the time or less (a fifth, for convolutions on a CPU), and Lanczos in float32
comes as near as a relative residual of about 1e-6. So the Krylov space is built in float32, and the pairs
found there are the start in float64, whose own products make the residual that is reported: one or two where
1e-6 is asked for. Whatever goes wrong in float32 costs time, not truth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from nonsmooth.diagnostics._hessian_products import hessian_products
from nonsmooth.diagnostics._lanczos import Ritz, largest_eigenpairs

__all__ = ["float32_start"]

_LEAST_SIZE = 2000  # parameters, below which a product takes as long in either precision
_FLOOR = 2e-6  # relative residual that float32 reaches with ease
_TIGHTEST = 5e-7  # below it the products that are made twice cost more than float32 saves
_PATIENCE = 3


class _Twin(nn.Module):
    """The model with copies of its parameters and buffers in float32; the model itself is not changed."""

    def __init__(self, model: nn.Module, parameters: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self._call = lambda x, values: torch.func.functional_call(model, values, (x,))
        wanted = set(parameters)
        copies: dict[torch.Tensor, torch.Tensor] = {}
        self.values: dict[str, torch.Tensor] = {}
        for name, p in model.named_parameters():
            copies[p] = self.values[name] = _narrow(p.detach().clone()).requires_grad_(p in wanted)
        for name, buffer in model.named_buffers():
            self.values[name] = _narrow(buffer.detach().clone())
        self.parts = [copies[p] for p in parameters]

    def forward(self, x: Any) -> Any:
        return self._call(x, self.values)


def float32_start(
    model: nn.Module,
    loss_fn: Callable[..., torch.Tensor],
    batches: Sequence[Any],
    parameters: Sequence[torch.Tensor],
    k: int,
    *,
    tolerance: float,
    max_products: int,
    seed: int,
    through: Callable[[Any], Any],
) -> Ritz | None:
    """Ritz pairs in float32, or None where they save nothing or cannot be had.

    Args:
        model, loss_fn, batches, parameters, seed: as for ``hessian_products``.
        k, tolerance, max_products: as for ``largest_eigenpairs``.
        through: from H's products to those of the operator whose eigenpairs are wanted.
    """
    pairs = all(isinstance(batch, tuple | list) and len(batch) == 2 for batch in batches)
    wide = all(p.dtype == torch.float64 for p in parameters)
    drawn = any(isinstance(m, nn.modules.dropout._DropoutNd) and m.training for m in model.modules())
    small = sum(p.numel() for p in parameters) < _LEAST_SIZE
    if not (pairs and wide) or small or tolerance < _TIGHTEST or drawn:  # other masks are drawn in float32
        return None
    try:
        twin = _Twin(model, parameters)
        narrow = pytree.tree_map_only(torch.Tensor, _narrow, list(batches))
        with hessian_products(twin, loss_fn, narrow, twin.parts, seed=seed) as product:
            return largest_eigenpairs(
                through(product),
                product.size,
                k,
                tolerance=max(0.9 * tolerance, _FLOOR),
                max_products=max_products,
                seed=seed,
                device=product.device,
                dtype=product.dtype,
                patience=_PATIENCE,
            )
    except (
        Exception
    ):  # a loss that holds float64 weights of its own, an overflow: float64 will say what it is
        return None


def _narrow(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.dtype == torch.float64 else tensor
