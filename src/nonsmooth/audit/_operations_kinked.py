"""Operations with kinks: where the slope jumps, and by how much."""

from __future__ import annotations

import torch
from torch import Tensor

from nonsmooth.audit import _operations_rules as rules
from nonsmooth.audit._operations_row import Kink, Operation

__all__ = ["KINKED"]

_a = torch.ops.aten
_SIGN = "x = 0"
_TIE = "two entries tie"


def _const(*entries: float) -> Tensor:
    return torch.tensor(entries, dtype=torch.float64)


def _two(t: Tensor) -> Tensor:
    """(t, 0): they tie at 0."""
    return torch.stack([t, torch.zeros_like(t)])


def _image(t: Tensor, sides: int) -> Tensor:
    """(1, 1, 2, ...) with the entries t and 0, repeated."""
    return _two(t).reshape(1, 1, 2, *[1] * (sides - 1)).expand(1, 1, *[2] * sides).contiguous()


def _diagonal(t: Tensor) -> Tensor:
    """diag(t, 0.5): its eigenvalues cross at 0.5, one of its singular values is |t|."""
    return torch.diag_embed(torch.stack([t, torch.full_like(t, 0.5)]))


KINKED: tuple[Operation, ...] = (
    # One argument
    Operation("relu", "Lipschitz", _a.relu, (Kink(0, 0, 1),), where=_SIGN, rule=rules.rectified),
    Operation("abs", "Lipschitz", _a.abs, (Kink(0, -1, 1),), where=_SIGN, rule=rules.rectified),
    Operation(
        "leaky_relu",
        "Lipschitz",
        lambda t: _a.leaky_relu(t, 0.01),
        (Kink(0, 0.01, 1),),
        where=_SIGN,
        rule=rules.leaky,
    ),
    Operation(
        "_prelu_kernel",
        "Lipschitz",
        lambda t: _a._prelu_kernel(t.reshape(1), _const(0.25)),
        (Kink(0, 0.25, 1),),
        where="x = 0, unless the weight is 1",
    ),
    Operation(
        "rrelu_with_noise",
        "Lipschitz",
        lambda t: _a.rrelu_with_noise(t, torch.zeros_like(t), 0.25, 0.25, True),
        (Kink(0, 0.25, 1),),
        where=_SIGN,
        kind="random",
        note="draws its negative slope while training",
    ),
    Operation(
        "hardtanh",
        "Lipschitz",
        _a.hardtanh,
        (Kink(-1, 0, 1), Kink(1, 1, 0)),
        where="x = min_val or x = max_val",
        rule=rules.hardtanh,
    ),
    Operation(
        "relu6", "Lipschitz", _a.relu6, (Kink(0, 0, 1), Kink(6, 1, 0)), domain=(-2, 8), where="x = 0 or x = 6"
    ),
    Operation(
        "hardsigmoid",
        "Lipschitz",
        _a.hardsigmoid,
        (Kink(-3, 0, 1 / 6), Kink(3, 1 / 6, 0)),
        domain=(-5, 5),
        where="|x| = 3",
    ),
    Operation(
        "hardswish",
        "Lipschitz",
        _a.hardswish,
        (Kink(-3, 0, -0.5), Kink(3, 1.5, 1)),
        domain=(-5, 5),
        where="|x| = 3",
    ),
    Operation(
        "softshrink",
        "Lipschitz",
        lambda t: _a.softshrink(t, 0.5),
        (Kink(-0.5, 1, 0), Kink(0.5, 0, 1)),
        where="|x| = lambd",
    ),
    Operation(
        "threshold",
        "Lipschitz",
        lambda t: _a.threshold(t, 0, 0),
        (Kink(0, 0, 1),),
        where="x = threshold; it jumps there unless value = threshold",
        rule=rules.thresholded,
    ),
    Operation(
        "elu",
        "C1,1",
        _a.elu,
        bends=(0,),
        where="x = 0; a kink unless alpha times input_scale is 1",
        rule=rules.elu,
        note="selu has a kink: its slopes at 0 are 1.758 and 1.051",
    ),
    Operation("celu", "C1,1", lambda t: _a.celu(t, 0.5), bends=(0,), where=_SIGN, rule=rules.elu),
    Operation(
        "clamp",
        "Lipschitz",
        lambda t: _a.clamp(t, -1, 1),
        (Kink(-1, 0, 1), Kink(1, 1, 0)),
        where="x = min or x = max",
        rule=rules.clamped,
    ),
    Operation(
        "clamp_min",
        "Lipschitz",
        lambda t: _a.clamp_min(t, 0),
        (Kink(0, 0, 1),),
        where="x = min",
        rule=rules.clamped,
    ),
    Operation(
        "clamp_max",
        "Lipschitz",
        lambda t: _a.clamp_max(t, 0),
        (Kink(0, 1, 0),),
        where="x = max",
        rule=rules.clamped,
    ),
    Operation(
        "special_i0e", "Lipschitz", _a.special_i0e, (Kink(0, 1, -1),), where=_SIGN, note="exp(-|x|) I0(x)"
    ),
    Operation("special_i1e", "C1,1", _a.special_i1e, bends=(0,), where=_SIGN, note="exp(-|x|) I1(x)"),
    # Two arguments
    Operation(
        "maximum",
        "Lipschitz",
        lambda t: _a.maximum(t, torch.zeros_like(t)),
        (Kink(0, 0, 1),),
        where="both are equal",
        rule=rules.larger_of,
    ),
    Operation(
        "minimum",
        "Lipschitz",
        lambda t: _a.minimum(t, torch.zeros_like(t)),
        (Kink(0, 1, 0),),
        where="both are equal",
        rule=rules.larger_of,
    ),
    Operation(
        "fmax",
        "Lipschitz",
        lambda t: _a.fmax(t, torch.zeros_like(t)),
        (Kink(0, 0, 1),),
        where="both are equal",
        rule=rules.larger_of,
    ),
    Operation(
        "fmin",
        "Lipschitz",
        lambda t: _a.fmin(t, torch.zeros_like(t)),
        (Kink(0, 1, 0),),
        where="both are equal",
        rule=rules.larger_of,
    ),
    Operation(
        "hypot",
        "Lipschitz",
        lambda t: _a.hypot(t, 0 * t),
        (Kink(0, -1, 1),),
        where="both are 0",
        note="torch's derivative where both are 0 is not a number",
    ),
    Operation(
        "dist",
        "Lipschitz",
        lambda t: _a.dist(t, torch.zeros_like(t)),
        (Kink(0, -1, 1),),
        where="both are equal",
    ),
    Operation(
        "copysign",
        "discontinuous",
        lambda t: _a.copysign(torch.ones_like(t), t),
        jumps=(0,),
        where="the second is 0 (a jump), the first is 0 (a kink)",
    ),
    # Norms and distances
    Operation(
        "linalg_vector_norm",
        "Lipschitz",
        lambda t: _a.linalg_vector_norm(torch.stack([t, -2 * t])),
        (Kink(0, -(5**0.5), 5**0.5),),
        where="all entries are 0 (ord 2), an entry is 0 (ord 1), the largest tie (ord inf)",
        rule=rules.vector_norm,
    ),
    Operation(
        "norm",
        "Lipschitz",
        lambda t: _a.norm(torch.stack([t, -2 * t])),
        (Kink(0, -(5**0.5), 5**0.5),),
        where="as linalg_vector_norm",
        rule=rules.vector_norm,
    ),
    Operation(
        "_cdist_forward",
        "Lipschitz",
        lambda t: _a._cdist_forward(_two(t).reshape(1, 2), _const(0, 0).reshape(1, 2), 2.0, None),
        (Kink(0, -1, 1),),
        where="two points coincide",
        rule=rules.vector_norm,
    ),
    Operation(
        "_euclidean_dist",
        "Lipschitz",
        lambda t: _a._euclidean_dist(_two(t).reshape(1, 2), _const(0, 0).reshape(1, 2)),
        (Kink(0, -1, 1),),
        where="two points coincide",
    ),
    Operation(
        "_pdist_forward",
        "Lipschitz",
        lambda t: _a._pdist_forward(torch.stack([t, torch.zeros_like(t)]).reshape(2, 1), 2.0),
        (Kink(0, -1, 1),),
        where="two points coincide",
        rule=rules.vector_norm,
    ),
    Operation(
        "renorm",
        "discontinuous",
        lambda t: _a.renorm(t.reshape(1, 1), 2, 0, 1.0),
        jumps=(1,),
        domain=(0.1, 2),
        where="a slice's norm is maxnorm",
        note="torch divides by the norm + 1e-7: a step of 1e-7 maxnorm, beside the kink",
    ),
    Operation(
        "std",
        "Lipschitz",
        lambda t: _a.std(_two(t), correction=1),
        (Kink(0, -(0.5**0.5), 0.5**0.5),),
        where="all entries are equal",
        note="torch's derivative there is not a number, or 0",
    ),
    Operation(
        "std_mean",
        "Lipschitz",
        lambda t: _a.std_mean(_two(t), correction=1)[0],
        (Kink(0, -(0.5**0.5), 0.5**0.5),),
        where="all entries are equal",
    ),
    # The largest, the smallest, in order
    Operation("amax", "Lipschitz", lambda t: _a.amax(_two(t), [0]), (Kink(0, 0, 1),), where=_TIE),
    Operation("amin", "Lipschitz", lambda t: _a.amin(_two(t), [0]), (Kink(0, 1, 0),), where=_TIE),
    Operation("aminmax", "Lipschitz", lambda t: _a.aminmax(_two(t))[1], (Kink(0, 0, 1),), where=_TIE),
    Operation(
        "max", "Lipschitz", lambda t: _a.max(_two(t), 0)[0], (Kink(0, 0, 1),), where=_TIE, indices=(1,)
    ),
    Operation(
        "min", "Lipschitz", lambda t: _a.min(_two(t), 0)[0], (Kink(0, 1, 0),), where=_TIE, indices=(1,)
    ),
    Operation(
        "median", "Lipschitz", lambda t: _a.median(_two(t)), (Kink(0, 1, 0),), where=_TIE, indices=(1,)
    ),
    Operation(
        "nanmedian", "Lipschitz", lambda t: _a.nanmedian(_two(t)), (Kink(0, 1, 0),), where=_TIE, indices=(1,)
    ),
    Operation(
        "kthvalue",
        "Lipschitz",
        lambda t: _a.kthvalue(_two(t), 1)[0],
        (Kink(0, 1, 0),),
        where=_TIE,
        indices=(1,),
    ),
    Operation(
        "sort",
        "Lipschitz",
        lambda t: _a.sort(_two(t))[0],
        (Kink(0, 1, 0.5),),
        where=_TIE,
        indices=(1,),
    ),
    Operation(
        "topk",
        "Lipschitz",
        lambda t: _a.topk(_two(t), 1)[0],
        (Kink(0, 0, 1),),
        where=_TIE,
        indices=(1,),
    ),
    Operation(
        "cummax",
        "Lipschitz",
        lambda t: _a.cummax(torch.stack([torch.zeros_like(t), t]), 0)[0],
        (Kink(0, 0, 0.5),),
        where=_TIE,
        indices=(1,),
    ),
    Operation(
        "cummin",
        "Lipschitz",
        lambda t: _a.cummin(torch.stack([torch.zeros_like(t), t]), 0)[0],
        (Kink(0, 0.5, 0),),
        where=_TIE,
        indices=(1,),
    ),
    Operation(
        "mode",
        "discontinuous",
        lambda t: _a.mode(torch.stack([torch.ones_like(t), torch.ones_like(t), t, t + 0 * t]).round(), 0)[0],
        jumps=(-1.5, -0.5, 0.5),
        where="how often two entries occur",
        indices=(1,),
    ),
    # Poolings
    Operation(
        "max_pool2d_with_indices",
        "Lipschitz",
        lambda t: _a.max_pool2d_with_indices(_image(t, 2), [2, 2])[0],
        (Kink(0, 0, 1),),
        where=_TIE,
        indices=(1,),
    ),
    Operation(
        "max_pool3d_with_indices",
        "Lipschitz",
        lambda t: _a.max_pool3d_with_indices(_image(t, 3), [2, 2, 2])[0],
        (Kink(0, 0, 1),),
        where=_TIE,
        indices=(1,),
    ),
    Operation(
        "adaptive_max_pool2d",
        "Lipschitz",
        lambda t: _a.adaptive_max_pool2d(_image(t, 2), [1, 1])[0],
        (Kink(0, 0, 1),),
        where=_TIE,
        indices=(1,),
    ),
    Operation(
        "adaptive_max_pool3d",
        "Lipschitz",
        lambda t: _a.adaptive_max_pool3d(_image(t, 3), [1, 1, 1])[0],
        (Kink(0, 0, 1),),
        where=_TIE,
        indices=(1,),
    ),
    Operation(
        "fractional_max_pool2d",
        "Lipschitz",
        lambda t: _a.fractional_max_pool2d(_image(t, 2), [2, 2], [1, 1], torch.full((1, 1, 2), 0.5).double())[
            0
        ],
        (Kink(0, 0, 1),),
        where=_TIE,
        indices=(1,),
    ),
    # Losses
    Operation(
        "smooth_l1_loss",
        "C1,1",
        lambda t: _a.smooth_l1_loss(t, torch.zeros_like(t)),
        bends=(-1, 1),
        where="|x - y| = beta; a kink at x = y if beta is 0",
        rule=rules.reduction,
    ),
    Operation(
        "huber_loss",
        "C1,1",
        lambda t: _a.huber_loss(t, torch.zeros_like(t)),
        bends=(-1, 1),
        where="|x - y| = delta",
        rule=rules.reduction,
    ),
    Operation(
        "binary_cross_entropy",
        "Lipschitz",
        lambda t: _a.binary_cross_entropy(torch.exp(-100 * t), torch.ones_like(t)),
        (Kink(1, 100, 0),),
        domain=(0.1, 2),
        where="x = exp(-100) or 1 - x = exp(-100), where its logarithm is cut off",
        note="its derivative is cut off elsewhere, at x (1 - x) = 1e-12, and is not that of the value below",
    ),
    Operation(
        "multi_margin_loss",
        "Lipschitz",
        lambda t: _a.multi_margin_loss(torch.stack([t, torch.ones_like(t)]), torch.tensor(0)),
        (Kink(2, -0.5, 0),),
        domain=(0, 4),
        where="another class is within the margin by 0; C1,1 for p = 2",
        rule=rules.multi_margin,
    ),
    Operation(
        "multilabel_margin_loss_forward",
        "Lipschitz",
        lambda t: _a.multilabel_margin_loss_forward(
            torch.stack([t, torch.ones_like(t)]), torch.tensor([0, -1]), 1
        )[0],
        (Kink(2, -0.5, 0),),
        domain=(0, 4),
        where="another class is within the margin by 0",
    ),
    # Matrices
    Operation(
        "_linalg_svd",
        "Lipschitz",
        lambda t: _a._linalg_svd(_diagonal(t), False, True)[1][..., 1],
        (Kink(-0.5, 0, -1), Kink(0, -1, 1), Kink(0.5, 1, 0)),
        where="two singular values tie or one is 0; the vectors jump there",
        indices=(0, 2),
    ),
    Operation(
        "_linalg_eigh",
        "Lipschitz",
        lambda t: _a._linalg_eigh(_diagonal(t))[0][..., :1],
        (Kink(0.5, 1, 0),),
        where="two eigenvalues tie; the vectors jump there",
        indices=(1,),
    ),
)
