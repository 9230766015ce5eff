"""Sharpness: the largest eigenvalues of the Hessian, with residuals, and the optimiser's edge beside them.

1. the gradient with its graph, once              _hessian_products
2. H, or P^-1/2 H P^-1/2 for an optimiser         _stability_metric
3. its largest eigenvalues                        _lanczos
4. for a model in float64, a start from float32   _float32_start
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from nonsmooth.diagnostics._checks import positive, whole
from nonsmooth.diagnostics._float32_start import float32_start
from nonsmooth.diagnostics._hessian_products import hessian_products, mode_notes, trainable
from nonsmooth.diagnostics._lanczos import largest_eigenpairs
from nonsmooth.diagnostics._sharpness_result import Sharpness
from nonsmooth.diagnostics._stability_metric import stability_metric
from nonsmooth.diagnostics._unwrapped import unwrapped
from nonsmooth.errors import InputError

__all__ = ["sharpness"]

_PRODUCTS = 300  # and 60 more for each further eigenvalue


def sharpness(
    model: nn.Module,
    loss_fn: Callable[..., torch.Tensor],
    batches: Iterable[Any],
    *,
    k: int = 1,
    tolerance: float = 1e-3,
    max_products: int | None = None,
    optimizer: Any = None,
    start: Sharpness | None = None,
    seed: int = 0,
) -> Sharpness:
    """The k largest eigenvalues of the Hessian of the mean loss. Nothing is changed by the call.

    The model is taken in the mode it is in; what training mode means for dropout and batch norm is in the
    answer's notes. Batches are read once and kept for the call: one batch is fastest, as its graph is kept.
    Where a ``torch.autograd.Function``'s backward leaves autograd (numpy, ``.data``), torch misses second
    derivatives without a word; ``second_difference`` along the first eigenvector shows it.

    Args:
        model: its parameters that require a gradient are what the Hessian is over; with an optimiser, the
            optimiser's.
        loss_fn: the *mean* loss of a batch, called as ``loss_fn(model(x), y)`` for a pair, and as
            ``loss_fn(model, batch)`` for any other batch.
        batches: an iterable of batches; each counts by its number of samples.
        k: how many, the largest first (not the largest in size).
        tolerance: of every pair's relative residual, ||Hv - lv|| / |l|. In float32 about 1e-6 is rounding.
        max_products: Hessian-vector products; None: 300, and 60 more for each further eigenvalue.
        optimizer: for the sharpness in its metric, P^-1/2 H P^-1/2, and its edge: a torch optimiser with a
            diagonal metric, after a step. None: of the Hessian itself.
        start: a former result near these weights: far fewer products. An eigenvalue that has overtaken since
            along a direction unlike the former vectors can be missed; call without it now and then.
        seed: of the random start and of what the model draws, from 0 to 2^63 - 1.

    Returns:
        A :class:`Sharpness`; print it. ``converged`` is False, and ``why`` says so in words, where a residual
        misses the tolerance.

    Raises:
        InputError: numbers out of range, weights that are not finite, a start of another size, an
            optimiser without a diagonal metric, an operation without a second derivative.

    Sources: see ``_lanczos`` and ``_stability_metric``; Pearlmutter, "Fast exact multiplication by the
    Hessian", Neural Computation 6, 1994.

    >>> import torch
    >>> model = torch.nn.Linear(2, 1, bias=False).double()
    >>> x = torch.tensor([[2.0, 0.0], [0.0, 1.0]]).double()
    >>> found = sharpness(model, torch.nn.MSELoss(), [(x, x.sum(1, keepdim=True))])
    >>> round(found.value, 9), found.converged, found.products
    (4.0, True, 2)
    """
    model = unwrapped(model)
    if not callable(loss_fn):
        raise InputError(f"loss_fn is a {type(loss_fn).__name__}; give a function that returns a mean loss")
    if not isinstance(batches, Iterable) and not hasattr(batches, "__getitem__"):
        raise InputError(f"batches is a {type(batches).__name__}; give an iterable of batches")
    tolerance, seed = positive("tolerance", tolerance), whole("seed", seed, 0, 2**63 - 1)
    parameters, metric = trainable(model), None
    if optimizer is not None:
        metric, parameters = stability_metric(optimizer, _flat_dtype(parameters))
    size = sum(p.numel() for p in parameters)
    k = whole("k", k, 1, size)
    most = _PRODUCTS + 60 * (k - 1) if max_products is None else whole("max_products", max_products, k, None)
    name = "" if metric is None else metric.name
    rows = _start(start, size, name)
    notes = (*mode_notes(model), *(() if metric is None else metric.notes))
    with hessian_products(model, loss_fn, batches, parameters, seed=seed) as product:
        spent = 0
        if rows is None and most > 2 * k:
            narrow = None if metric is None else metric.to(torch.float32)
            first = float32_start(
                model,
                loss_fn,
                product.held,
                parameters,
                k,
                tolerance=tolerance,
                max_products=most - 2 * k,
                seed=seed,
                through=lambda h: h if narrow is None else narrow.of(h),
            )
            if first is not None:
                rows, spent = first.vectors, first.products
                notes += (f"The first {spent} products were in float32, for the start only.",)
        found = largest_eigenpairs(
            product if metric is None else metric.of(product),
            size,
            k,
            tolerance=tolerance,
            max_products=most,
            start=rows,
            seed=seed,
            device=product.device,
            dtype=product.dtype,
            spent=spent,
        )
    return Sharpness(
        eigenvalues=found.values,
        residuals=found.residuals,
        converged=found.converged,
        why=found.why,
        products=found.products,
        tolerance=tolerance,
        vectors=found.vectors,
        dtype=str(product.dtype).removeprefix("torch."),
        size=size,
        samples=product.samples,
        batches=product.batches,
        loss=product.loss,
        metric=name,
        edge=None if metric is None else metric.edge,
        warm=start is not None,
        notes=notes,
    )


def _flat_dtype(parameters: list[torch.Tensor]) -> torch.dtype:
    dtype = torch.float32
    for p in parameters:
        dtype = torch.promote_types(dtype, p.dtype)
    return dtype


def _start(start: Any, size: int, metric: str) -> torch.Tensor | None:
    if start is None:
        return None
    if not isinstance(start, Sharpness):
        raise InputError(f"start is a {type(start).__name__}; give what sharpness returned, or None")
    if not start.vectors.numel():
        raise InputError(
            "start holds no vectors any more, as results of a tracker; give a later one, or None"
        )
    if start.size != size:
        raise InputError(
            f"start is of {start.size:,} parameters, these are {size:,}; give one of the same model, or None"
        )
    if start.metric != metric:
        raise InputError(
            f"start is of {start.metric or 'the Hessian itself'}, this of {metric or 'the Hessian itself'}; "
            "give one of the same metric, or None"
        )
    return start.vectors
