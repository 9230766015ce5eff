"""Layers: products, convolutions, poolings, normalisation, softmax, attention, losses, recurrent cells."""

from __future__ import annotations

import torch
from torch import Tensor

from nonsmooth.audit import _operations_rules as rules
from nonsmooth.audit._operations_row import Kink, Operation

__all__ = ["NETWORK", "entries", "image"]

_a = torch.ops.aten


def entries(t: Tensor, count: int = 4) -> Tensor:
    """A vector whose entries are different and all depend on t."""
    k = torch.arange(1, count + 1, dtype=torch.float64)
    return torch.sin(k) + t * torch.cos(2 * k)


def image(t: Tensor, *shape: int) -> Tensor:
    """The same as a tensor of a given shape."""
    count = 1
    for side in shape:
        count *= side
    return entries(t, count).reshape(shape)


def _spd(t: Tensor) -> Tensor:
    """A symmetric positive definite 2 x 2 matrix."""
    a = image(t, 2, 2)
    return a @ a.mT + torch.eye(2, dtype=torch.float64)


def _smooth(name: str, line, note: str = "", **more) -> Operation:
    return Operation(name, "analytic", line, note=note, **more)


def _norm(name: str, line, note: str = "") -> Operation:
    return Operation(
        name, "analytic", line, where="the variance is 0, only if eps = 0", rule=rules.normalised, note=note
    )


def _ones(count: int) -> Tensor:
    return torch.ones(count, dtype=torch.float64)


def _zeros(count: int) -> Tensor:
    return torch.zeros(count, dtype=torch.float64)


_TRAINING = "in training mode the statistics are the batch's own: each sample's output depends on all others"


NETWORK: tuple[Operation, ...] = (
    # Products
    _smooth("mm", lambda t: _a.mm(image(t, 2, 2), image(t, 2, 2))),
    _smooth("bmm", lambda t: _a.bmm(image(t, 1, 2, 2), image(t, 1, 2, 2))),
    _smooth("mv", lambda t: _a.mv(image(t, 2, 2), entries(t, 2))),
    _smooth("dot", lambda t: _a.dot(entries(t), entries(t))),
    _smooth("vdot", lambda t: _a.vdot(entries(t), entries(t))),
    _smooth("addmm", lambda t: _a.addmm(entries(t, 2), image(t, 2, 2), image(t, 2, 2))),
    _smooth("addmv", lambda t: _a.addmv(entries(t, 2), image(t, 2, 2), entries(t, 2))),
    _smooth("addr", lambda t: _a.addr(image(t, 2, 2), entries(t, 2), entries(t, 2))),
    _smooth("baddbmm", lambda t: _a.baddbmm(image(t, 1, 2, 2), image(t, 1, 2, 2), image(t, 1, 2, 2))),
    _smooth("addbmm", lambda t: _a.addbmm(image(t, 2, 2), image(t, 1, 2, 2), image(t, 1, 2, 2))),
    _smooth("linear", lambda t: _a.linear(entries(t, 2), image(t, 2, 2), entries(t, 2))),
    _smooth(
        "_trilinear",
        lambda t: _a._trilinear(
            image(t, 1, 2), image(t, 1, 2, 2), image(t, 1, 2), [1, 3], [0], [1, 2], [2, 3]
        ),
    ),
    _smooth(
        "convolution",
        lambda t: _a.convolution(image(t, 1, 1, 4), image(t, 1, 1, 2), None, [1], [0], [1], False, [0], 1),
    ),
    _smooth(
        "_slow_conv2d_forward",
        lambda t: _a._slow_conv2d_forward(
            image(t, 1, 1, 3, 3), image(t, 1, 1, 2, 2), [2, 2], None, [1, 1], [0, 0]
        ),
    ),
    _smooth("linalg_cross", lambda t: _a.linalg_cross(entries(t, 3), entries(t, 3) ** 2)),
    # Sums
    _smooth("sum", lambda t: _a.sum(entries(t))),
    _smooth("nansum", lambda t: _a.nansum(entries(t))),
    _smooth("mean", lambda t: _a.mean(entries(t))),
    _smooth("prod", lambda t: _a.prod(entries(t))),
    _smooth("cumsum", lambda t: _a.cumsum(entries(t), 0)),
    _smooth("cumprod", lambda t: _a.cumprod(entries(t), 0)),
    _smooth("logcumsumexp", lambda t: _a.logcumsumexp(entries(t), 0)),
    _smooth("logsumexp", lambda t: _a.logsumexp(entries(t), [0])),
    _smooth("var", lambda t: _a.var(entries(t), correction=1)),
    _smooth("var_mean", lambda t: _a.var_mean(entries(t), correction=1)[0]),
    _smooth("trace", lambda t: _a.trace(image(t, 2, 2))),
    Operation(
        "linalg__powsum", "analytic", lambda t: _a.linalg__powsum(entries(t), 2), rule=rules.reduced_power
    ),
    # Poolings and resizing
    _smooth("avg_pool1d", lambda t: _a.avg_pool1d(image(t, 1, 1, 4), [2])),
    _smooth("avg_pool2d", lambda t: _a.avg_pool2d(image(t, 1, 1, 2, 2), [2, 2])),
    _smooth("avg_pool3d", lambda t: _a.avg_pool3d(image(t, 1, 1, 2, 2, 2), [2, 2, 2])),
    _smooth("_adaptive_avg_pool2d", lambda t: _a._adaptive_avg_pool2d(image(t, 1, 1, 2, 2), [1, 1])),
    _smooth("_adaptive_avg_pool3d", lambda t: _a._adaptive_avg_pool3d(image(t, 1, 1, 2, 2, 2), [1, 1, 1])),
    _smooth("max_unpool2d", lambda t: _a.max_unpool2d(image(t, 1, 1, 1, 1), torch.tensor([[[[2]]]]), [2, 2])),
    _smooth("upsample_nearest1d", lambda t: _a.upsample_nearest1d(image(t, 1, 1, 2), [4])),
    _smooth("upsample_nearest2d", lambda t: _a.upsample_nearest2d(image(t, 1, 1, 2, 2), [4, 4])),
    _smooth("upsample_nearest3d", lambda t: _a.upsample_nearest3d(image(t, 1, 1, 2, 2, 2), [4, 4, 4])),
    _smooth(
        "_upsample_nearest_exact2d", lambda t: _a._upsample_nearest_exact2d(image(t, 1, 1, 2, 2), [4, 4])
    ),
    _smooth("upsample_linear1d", lambda t: _a.upsample_linear1d(image(t, 1, 1, 2), [4], False)),
    _smooth("upsample_bilinear2d", lambda t: _a.upsample_bilinear2d(image(t, 1, 1, 2, 2), [4, 4], False)),
    _smooth(
        "_upsample_bilinear2d_aa", lambda t: _a._upsample_bilinear2d_aa(image(t, 1, 1, 2, 2), [4, 4], False)
    ),
    _smooth("upsample_bicubic2d", lambda t: _a.upsample_bicubic2d(image(t, 1, 1, 2, 2), [4, 4], False)),
    _smooth(
        "_upsample_bicubic2d_aa", lambda t: _a._upsample_bicubic2d_aa(image(t, 1, 1, 2, 2), [4, 4], False)
    ),
    _smooth(
        "upsample_trilinear3d", lambda t: _a.upsample_trilinear3d(image(t, 1, 1, 2, 2, 2), [4, 4, 4], False)
    ),
    _smooth(
        "affine_grid_generator", lambda t: _a.affine_grid_generator(image(t, 1, 2, 3), [1, 1, 2, 2], False)
    ),
    Operation(
        "grid_sampler_2d",
        "Lipschitz",
        # One row of four pixels 0, 2, 1, 3; t places the sample at the pixel 1.5 + t.
        lambda t: _a.grid_sampler_2d(
            torch.tensor([[[[0.0, 2.0, 1.0, 3.0]]]], dtype=torch.float64),
            torch.stack([(2 + t) / 2 - 1, torch.zeros_like(t)]).reshape(1, 1, 1, 2),
            0,
            0,
            False,
        ),
        (Kink(-0.5, 2, -1), Kink(0.5, -1, 2)),
        domain=(-1.4, 1.4),
        where="the grid meets a pixel's centre; linear in the input",
        rule=rules.grid,
    ),
    # Normalisation
    _norm(
        "native_batch_norm",
        lambda t: _a.native_batch_norm(
            image(t, 4, 1), entries(t, 1), entries(t, 1), None, None, True, 0.1, 1e-5
        )[0],
        _TRAINING,
    ),
    _norm(
        "_native_batch_norm_legit",
        lambda t: _a._native_batch_norm_legit(image(t, 4, 1), entries(t, 1), entries(t, 1), True, 0.1, 1e-5)[
            0
        ],
        _TRAINING,
    ),
    _norm(
        "_native_batch_norm_legit_no_training",
        lambda t: _a._native_batch_norm_legit_no_training(
            image(t, 4, 1), entries(t, 1), entries(t, 1), _zeros(1), _ones(1), 0.1, 1e-5
        )[0],
    ),
    _norm(
        "_batch_norm_with_update",
        lambda t: _a._batch_norm_with_update(
            image(t, 4, 1), entries(t, 1), entries(t, 1), _zeros(1), _ones(1), 0.1, 1e-5
        )[0],
        _TRAINING,
    ),
    _norm(
        "native_layer_norm", lambda t: _a.native_layer_norm(entries(t), [4], entries(t), entries(t), 1e-5)[0]
    ),
    _norm(
        "native_group_norm",
        lambda t: _a.native_group_norm(image(t, 1, 2, 2), entries(t, 2), entries(t, 2), 1, 2, 2, 1, 1e-5)[0],
    ),
    _norm("_fused_rms_norm", lambda t: _a._fused_rms_norm(entries(t), [4], entries(t), 1e-5)[0]),
    _smooth(
        "_weight_norm_interface",
        lambda t: _a._weight_norm_interface(image(t, 2, 2), image(t, 2, 1), 0)[0],
        where="a slice of v is 0",
    ),
    # Softmax and attention
    _smooth("_softmax", lambda t: _a._softmax(entries(t), 0, False)),
    _smooth("_log_softmax", lambda t: _a._log_softmax(entries(t), 0, False)),
    _smooth("_safe_softmax", lambda t: _a._safe_softmax(entries(t), 0)),
    _smooth(
        "_masked_softmax",
        lambda t: _a._masked_softmax(image(t, 2, 2), torch.tensor([[False, True], [False, False]]), 1),
    ),
    _smooth(
        "_scaled_dot_product_flash_attention_for_cpu",
        lambda t: _a._scaled_dot_product_flash_attention_for_cpu(
            image(t, 1, 1, 2, 2), image(t, 1, 1, 2, 2), image(t, 1, 1, 2, 2)
        )[0],
    ),
    _smooth(
        "_scaled_dot_product_attention_math",
        lambda t: _a._scaled_dot_product_attention_math(
            image(t, 1, 1, 2, 2), image(t, 1, 1, 2, 2), image(t, 1, 1, 2, 2)
        )[0],
    ),
    # Losses
    _smooth("mse_loss", lambda t: _a.mse_loss(entries(t), _zeros(4))),
    _smooth(
        "nll_loss_forward", lambda t: _a.nll_loss_forward(image(t, 1, 3), torch.tensor([1]), None, 1, -100)[0]
    ),
    _smooth(
        "nll_loss2d_forward",
        lambda t: _a.nll_loss2d_forward(image(t, 1, 3, 1, 1), torch.tensor([[[1]]]), None, 1, -100)[0],
    ),
    _smooth(
        "binary_cross_entropy_with_logits",
        lambda t: _a.binary_cross_entropy_with_logits(entries(t), _zeros(4)),
    ),
    _smooth("soft_margin_loss", lambda t: _a.soft_margin_loss(entries(t), _ones(4))),
    _smooth(
        "_ctc_loss",
        lambda t: _a._ctc_loss(_a._log_softmax(image(t, 3, 1, 2), 2, False), torch.tensor([[1]]), [3], [1])[
            0
        ],
    ),
    # Recurrent cells
    _smooth(
        "mkldnn_rnn_layer",
        lambda t: torch.lstm(
            image(t, 2, 1, 1).float(),
            [image(t, 1, 1, 1).float()] * 2,
            [image(t, 4, 1).float()] * 2,
            False,
            1,
            0.0,
            False,
            False,
            False,
        )[0],
        note="an LSTM layer",
        rule=rules.recurrent,
    ),
    # Matrices
    _smooth("linalg_inv_ex", lambda t: _a.linalg_inv_ex(_spd(t))[0], where="a singular matrix"),
    _smooth(
        "linalg_cholesky_ex",
        lambda t: _a.linalg_cholesky_ex(_spd(t))[0],
        where="a matrix that is not positive definite",
    ),
    _smooth("cholesky_inverse", lambda t: _a.cholesky_inverse(torch.tril(_spd(t)))),
    _smooth(
        "_linalg_solve_ex",
        lambda t: _a._linalg_solve_ex(_spd(t), entries(t, 2))[0],
        where="a singular matrix",
    ),
    _smooth(
        "linalg_solve_triangular",
        lambda t: _a.linalg_solve_triangular(torch.tril(_spd(t)), image(t, 2, 1), upper=False),
        where="a 0 on the diagonal",
    ),
    _smooth("_linalg_det", lambda t: _a._linalg_det(image(t, 2, 2))[0]),
    _smooth("_linalg_slogdet", lambda t: _a._linalg_slogdet(_spd(t))[1], where="a singular matrix"),
    _smooth("linalg_qr", lambda t: _a.linalg_qr(_spd(t))[1], where="a rank that drops"),
    _smooth("linalg_matrix_exp", lambda t: _a.linalg_matrix_exp(image(t, 2, 2))),
    _smooth(
        "linalg_householder_product", lambda t: _a.linalg_householder_product(image(t, 2, 2), entries(t, 2))
    ),
    # Fourier
    _smooth("_fft_r2c", lambda t: _a._fft_r2c(entries(t), [0], 0, True)),
    _smooth("_fft_c2c", lambda t: _a._fft_c2c(torch.complex(entries(t), entries(t)), [0], 0, True)),
    _smooth("_fft_c2r", lambda t: _a._fft_c2r(torch.complex(entries(t), _zeros(4)), [0], 0, 6)),
)
