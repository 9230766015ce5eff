"""How stationary a model is for loss + penalty: the distance of 0 to the subdifferential, over a data set.

At a minimum of L + h, L the mean loss (with coupled weight decay) and h the penalty, 0 lies in g + dh(w), g
the gradient of L. The certificate is how far from that the weights are,

    distance          max_i |v_i|                     v the shortest way from -g to dh(w)
    scaled_distance   max_i |w - prox_h(w - s g, s)|  s the optimiser's effective step (a diagonal metric)

both 0 just at a stationary point; for zero weights the first asks only that |g_i| stays within the strength.
For non-convex penalties dh is the limiting subdifferential.

With part of the data, g_i is known up to r_i = t SE_i, where t is Student's quantile for a joint statement
about all P coordinates (Bonferroni, 1 - confidence over 2 P). The distance of one coordinate is convex in
g_i with slopes within +-1, so that over [g_i - r_i, g_i + r_i] it is at least d_i - r_i and at most the
larger of the values at the two ends: their maxima over i bound the distance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from nonsmooth.diagnostics._certificate_result import Certificate, CertificateRow
from nonsmooth.diagnostics._checks import whole
from nonsmooth.diagnostics._composite import Block, Composite, composite
from nonsmooth.diagnostics._linear_gap import LinearProblem, recognise
from nonsmooth.diagnostics._mean_gradient import MeanGradient, length_of, mean_gradient, wide
from nonsmooth.errors import InputError
from nonsmooth.methods import Attachment
from nonsmooth.penalties._penalty import Penalty

__all__ = ["certificate"]

Pairs = Sequence[tuple[torch.Tensor | str, Penalty]]


def certificate(
    model: nn.Module,
    loss_fn: Callable[..., torch.Tensor],
    batches: Iterable[Any],
    prox: Attachment | Penalty | Mapping[torch.Tensor | str, Penalty] | Pairs,
    *,
    max_batches: int | None = None,
    confidence: float = 0.95,
    size: Callable[[Any], float] | None = None,
    convex: bool | None = None,
) -> Certificate:
    """How far a model is from stationary for loss + penalty, over a data set. Nothing is changed by the call.

    The model is taken in the mode it is in: call ``model.eval()`` first, or read in the answer's notes what
    training mode means for it. ``.grad``, buffers and torch's random streams are left as they were.

    Args:
        model: its parameters that require a gradient are what is certified; with an optimiser, those of its
            parameters, the others counting as constants.
        loss_fn: the *mean* loss of a batch, a tensor with one entry. One rule: for a batch that is a pair (a
            tuple or list of two, as data loaders give) it is called as ``loss_fn(model(x), y)``, as torch's
            losses are; for any other batch (a dict, three tensors, one) as ``loss_fn(model, batch)``.
        batches: an iterable of batches, e.g. a data loader; tensors are moved to the model's device. In the
            mean over the data a batch counts by its number of samples, so that a short last batch does not
            weigh more.
        prox: what ``ns.attach`` returned (or a ``ProxAdam`` or ``ProxSGD``): penalties at their present
            strength, the metric and the weight decay are the optimiser's. Or, without an optimiser, a
            penalty (for the weights that ``ns.select_weights`` selects), or pairs or a mapping of a
            parameter, or its name, to its penalty.
        max_batches: use at most this many of the batches, the first ones: then ``interval`` says where the
            distance over all data lies. They must be a random sample, as a shuffled loader gives them. None:
            all.
        confidence: of that interval, in (0, 1).
        size: how much a batch counts, where that is not the length of the first tensor in it: for a mean over
            tokens, ``lambda batch: batch["mask"].sum()``.
        convex: a duality gap as well? None: where the problem is known to be convex, that is, for one
            ``nn.Linear`` with a mean squared error, Huber, smooth L1, logistic or cross-entropy loss of
            torch, over all data, and a penalty that is a norm or an elastic net. (The data are then kept in
            float64, up to 2 GiB.) True: raise where there is none. False: never.

    Returns:
        A :class:`Certificate`; print it.

    Raises:
        InputError: a loss that is no mean or does not depend on the parameters, no batches, a confidence or
            a number of batches out of range, a ``prox`` of the wrong kind, ``convex=True`` where it does not
            hold.

    Sources: Bolte and Pauwels, "Conservative set valued fields, automatic differentiation, stochastic
    gradient methods and deep learning", Math. Program. 188, 2021; Laurent and von Brecht, "The multilinear
    structure of ReLU networks", ICML 2018; for the gap, Fenchel duality (Rockafellar, Convex Analysis, 1970,
    section 31).

    >>> import torch, nonsmooth as ns
    >>> model = torch.nn.Linear(2, 1, bias=False).double()
    >>> model.weight.data[:] = torch.tensor([[2.0, 0.0]])
    >>> x = torch.eye(2).double()
    >>> y = torch.tensor([[3.0], [0.5]]).double()
    >>> found = certificate(model, torch.nn.MSELoss(), [(x, y)], ns.L1(1.0))
    >>> found.distance, found.support, abs(found.gap) < 1e-15
    (0.0, 1, True)
    """
    _check(model, loss_fn, batches, max_batches, confidence, size)
    if isinstance(model, nn.parallel.DistributedDataParallel):
        model = model.module  # its hooks wait for a backward pass that never comes
    problem = composite(model, prox)
    linear = _linear(model, loss_fn, problem, size, convex)
    mean = mean_gradient(
        model,
        loss_fn,
        batches,
        [block.parameter for block in problem.blocks],
        size=size or length_of,
        max_batches=max_batches,
        watch=linear.watch if isinstance(linear, LinearProblem) else lambda batch: None,
    )
    notes = (*problem.notes, *_notes(model, problem, mean))
    if size is None and mean.batches > 1:
        notes += _weighted(loss_fn)
    with torch.no_grad():
        return _certify(problem, mean, _bound(linear, problem, mean, convex), confidence, notes)


def _check(model: Any, loss_fn: Any, batches: Any, max_batches: Any, confidence: Any, size: Any) -> None:
    if not isinstance(model, nn.Module):
        raise InputError(f"model is a {type(model).__name__}; give a torch.nn.Module")
    if any(map(nn.parameter.is_lazy, model.parameters())):
        raise InputError("a parameter of a lazy module has no shape yet; run the model once before")
    if size is not None and not callable(size):
        raise InputError(f"size is a {type(size).__name__}; give a function of a batch, or None")
    reduction = getattr(loss_fn, "reduction", "mean")
    if not callable(loss_fn) or reduction not in ("mean", "batchmean"):
        what = f"has reduction={reduction!r}" if callable(loss_fn) else f"is a {type(loss_fn).__name__}"
        raise InputError(f"loss_fn {what}; give a function that returns the mean over the batch")
    if not isinstance(batches, Iterable) and not hasattr(batches, "__getitem__"):
        raise InputError(f"batches is a {type(batches).__name__}; give an iterable of batches")
    if max_batches is not None:
        whole("max_batches", max_batches, 1, None)
    if not (isinstance(confidence, float) and 0 < confidence < 1):
        raise InputError(f"confidence = {confidence} is not allowed; give a number between 0 and 1")


def _linear(
    model: nn.Module, loss_fn: Any, problem: Composite, size: Any, convex: bool | None
) -> LinearProblem | str:
    """The linear problem, or why there will be no duality gap."""
    if convex is False:
        return "none was asked for"
    if size is not None:
        return "size= weighs the samples"
    if problem.sign < 0:
        return "the optimiser maximises the loss"
    return recognise(model, loss_fn)


def _bound(
    linear: LinearProblem | str, problem: Composite, mean: MeanGradient, convex: bool | None
) -> tuple[float, float] | str:
    answer = linear if isinstance(linear, str) else linear.bound(problem.blocks, mean.loss)
    if mean.partial and not isinstance(linear, str):
        answer = "only part of the data was used"
    if convex and isinstance(answer, str):
        raise InputError(f"convex=True, but there is no duality gap: {answer}; leave convex out")
    return answer


def _certify(
    problem: Composite,
    mean: MeanGradient,
    bound: tuple[float, float] | str,
    confidence: float,
    notes: tuple[str, ...],
) -> Certificate:
    rows, decay, low, high = [], 0.0, 0.0, 0.0
    entries = sum(block.parameter.numel() for block in problem.blocks)
    factor = _quantile(confidence, entries, mean.batches) if mean.errors is not None else 0.0
    for k, block in enumerate(problem.blocks):
        w = wide(block.parameter)
        g = problem.sign * mean.gradients[k] + block.decay * w
        rows.append(_row(block, w, g, problem.step_of))
        decay += block.decay / 2 * float((w * w).sum())
        if mean.errors is not None:
            ends = _ends(block.penalty, w, g, factor * mean.errors[k].sqrt())
            low, high = _worst(low, ends[0]), _worst(high, ends[1])
    distance, interval = _worst(*(row.distance for row in rows)), None
    if not mean.partial:
        interval = (distance, distance)
    elif mean.errors is not None:
        interval = (low, high)
    scaled = [row.scaled_distance for row in rows if row.scaled_distance is not None]
    penalty = sum(row.penalty_value for row in rows)
    gapless = isinstance(bound, str)
    # the two are summed in other orders: at the minimum the bound may be the larger by rounding
    gap, least = (None, None) if gapless else (max(bound[0] - bound[1], 0.0), min(bound))
    return Certificate(
        distance=distance,
        distance_l2=math.sqrt(sum(row.distance_l2**2 for row in rows)),
        scaled_distance=_worst(*scaled) if scaled else None,
        interval=interval,
        confidence=confidence,
        loss=mean.loss,
        decay=decay,
        penalty=penalty,
        objective=problem.sign * mean.loss + decay + penalty,
        gap=gap,
        lower_bound=least,
        why_no_gap=bound if gapless else "",
        samples=mean.samples,
        total=mean.total,
        batches=mean.batches,
        dtype=", ".join(dict.fromkeys(str(b.parameter.dtype).removeprefix("torch.") for b in problem.blocks)),
        rounding=10 * max(torch.finfo(b.parameter.dtype).eps for b in problem.blocks) * mean.largest,
        kinks=mean.kinks[0],
        kinks_of=mean.kinks[1],
        rows=tuple(rows),
        notes=notes,
    )


def _worst(*numbers: float) -> float:
    """The largest; NaN if one is."""
    return math.nan if any(map(math.isnan, numbers)) else max(numbers)


def _row(
    block: Block, w: torch.Tensor, g: torch.Tensor, step_of: Callable[[torch.Tensor], Any] | None
) -> CertificateRow:
    penalty = block.penalty
    return CertificateRow(
        name=block.name,
        shape=tuple(w.shape),
        support=int(torch.count_nonzero(w)),
        entries=w.numel(),
        penalty="" if penalty is None else type(penalty).__name__,
        penalty_value=0.0 if penalty is None else float(penalty.value(w).sum()),
        gradient=_largest(g.abs()),
        distance=_largest(_distances(penalty, w, g)),
        distance_l2=float(_shortest(penalty, w, g).norm()),
        scaled_distance=_scaled(block, w, g, step_of),
    )


def _largest(entries: torch.Tensor) -> float:
    return float(entries.max()) if entries.numel() else 0.0


def _distances(penalty: Penalty | None, w: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """Of each entry where the penalty is a sum over entries; else of the whole, 0-d or as the penalty gives "
    "it."""
    if penalty is None:
        return g.abs()
    if penalty.separable:
        return penalty.subdifferential_distance(w[..., None], g[..., None])
    return penalty.subdifferential_distance(w, g)


def _shortest(penalty: Penalty | None, w: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """Absolute entries of the shortest way (Euclidean) from -g to the subdifferential.

    For groups: where an entry is not zero the penalty has a derivative in it. At zeros the way is the limit
    of (w - prox(w - s g, s))/s for s -> 0, which for a group of zeros is reached at any s, and in a group
    with other entries up to a relative error s |strength|/||w||, here 1e-8 or less.
    """
    if penalty is None or penalty.separable or not w.numel():
        return _distances(penalty, w, g)
    away = (g + penalty.subgradient(w)).abs()
    sizes, steepest = w[w != 0].abs(), g.abs().max()
    s = 1.0
    if sizes.numel() and steepest > 0:
        s = float(1e-8 * sizes.min() / steepest)
    at_zero = penalty.prox(torch.where(w == 0, -s * g, w), s).abs() / s
    return torch.where(w == 0, at_zero, away)


def _scaled(
    block: Block, w: torch.Tensor, g: torch.Tensor, step_of: Callable[[torch.Tensor], Any] | None
) -> float | None:
    if step_of is None:
        return None
    try:
        step = step_of(block.parameter)
    except InputError:  # no step has been taken on it, or the optimiser has no metric
        return None
    step = step.to(w.dtype) if isinstance(step, torch.Tensor) else float(step)
    moved = w - step * g
    return _largest((w - (moved if block.penalty is None else block.penalty.prox(moved, step))).abs())


def _quantile(confidence: float, entries: int, batches: int) -> float:
    from scipy.stats import t

    return float(t.isf((1 - confidence) / (2 * max(entries, 1)), batches - 1))


def _ends(penalty: Penalty | None, w: torch.Tensor, g: torch.Tensor, r: torch.Tensor) -> tuple[float, float]:
    """The interval of one parameter's distance for gradients in [g - r, g + r]."""
    d = _distances(penalty, w, g)
    if penalty is None or penalty.separable:
        high = torch.maximum(_distances(penalty, w, g - r), _distances(penalty, w, g + r))
        return _largest((d - r).clamp(min=0)), _largest(high)
    most = _largest(r)  # a distance in the max norm changes by no more than the gradient does
    return max(0.0, _largest(d) - most), _largest(d) + most


def _notes(model: nn.Module, problem: Composite, mean: MeanGradient) -> list[str]:
    notes = []
    training = {type(m).__name__ for m in model.modules() if m.training and _depends_on_mode(m)}
    if training:
        notes.append(
            f"The model is in training mode and has {', '.join(sorted(training))}: the loss is that of one "
            "draw, or of these very batches, and not the mean over the samples that an evaluation gives. "
            "model.eval() certifies that."
        )
    unused = [block.name for block, idle in zip(problem.blocks, mean.unused, strict=True) if idle]
    if unused:
        notes.append(
            f"The loss does not depend on {', '.join(unused[:3])}{', ...' if len(unused) > 3 else ''}: "
            "gradient 0."
        )
    odd = {type(b.penalty).__name__ for b in problem.blocks if b.penalty is not None and not b.penalty.convex}
    if odd:
        notes.append(
            f"{', '.join(sorted(odd))} is not convex: the distance is that to the limiting subdifferential, "
            "and 0 says stationary, which a minimum is, but a maximum or a saddle may be too."
        )
    return notes


def _weighted(loss_fn: Any) -> tuple[str, ...]:
    """What to say of a loss whose mean over a batch is a weighted one."""
    ignores = getattr(loss_fn, "ignore_index", -1) >= 0
    weighs = isinstance(loss_fn, nn.CrossEntropyLoss | nn.NLLLoss) and loss_fn.weight is not None
    if not (ignores or weighs):
        return ()
    return (
        f"{type(loss_fn).__name__} divides by the weights of a batch's samples, and batches count by their "
        "number of samples: their mean is that over the data only if all weigh alike. Give size=, a batch's "
        "total weight, e.g. lambda batch: loss_fn.weight[batch[1]].sum().",
    )


def _depends_on_mode(module: nn.Module) -> bool:
    norms = nn.modules.batchnorm._BatchNorm
    return (
        isinstance(module, (norms, nn.modules.dropout._DropoutNd, nn.RReLU)) and getattr(module, "p", 1) > 0
    )
