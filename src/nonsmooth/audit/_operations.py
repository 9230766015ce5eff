"""The table of operations: how smooth each of torch's is, where it is not, and what torch does there.

A row is found by the name of its operation (``operation("relu")``); rows for one kernel hold for its
in-place form and for the kernels that compute the same function on other devices. What a row says is probed
on the installed torch by the tests, in float64; what torch takes for the derivative at a kink differs between
its versions, so a row probes it when asked (:attr:`Operation.choices`).
"""

from __future__ import annotations

from nonsmooth.audit._operations_backward import BACKWARD
from nonsmooth.audit._operations_kinked import KINKED
from nonsmooth.audit._operations_network import NETWORK
from nonsmooth.audit._operations_pointwise import POINTWISE
from nonsmooth.audit._operations_row import Operation
from nonsmooth.audit._operations_shape import SHAPE

__all__ = ["OPERATIONS", "base_name", "operation"]

OPERATIONS: dict[str, Operation] = {
    row.name: row for row in (*KINKED, *POINTWISE, *NETWORK, *BACKWARD, *SHAPE)
}

# The same function under another name: other devices' kernels, older forms. They have no row of their own.
_SAME = {
    "_add_relu": "relu",
    "_batch_norm_no_update": "_native_batch_norm_legit_no_training",
    "_batch_norm_with_update_functional": "_batch_norm_with_update",
    "_convolution": "convolution",
    "_conj": "conj_physical",
    "_conj_physical": "conj_physical",
    "_conv_depthwise2d": "convolution",
    "_embedding_bag_forward_only": "_embedding_bag",
    "_efficient_attention_forward": "_scaled_dot_product_flash_attention_for_cpu",
    "_flash_attention_forward": "_scaled_dot_product_flash_attention_for_cpu",
    "_index_put_impl": "index_put",
    "_lazy_clone": "clone",
    "_native_batch_norm_legit_functional": "_native_batch_norm_legit",
    "_scaled_dot_product_cudnn_attention": "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_efficient_attention": "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_flash_attention": "_scaled_dot_product_flash_attention_for_cpu",
    "_scaled_dot_product_fused_attention_overrideable": "_scaled_dot_product_flash_attention_for_cpu",
    "_sparse_addmm": "addmm",
    "_stack": "stack",
    "_thnn_fused_gru_cell": "mkldnn_rnn_layer",
    "_thnn_fused_lstm_cell": "mkldnn_rnn_layer",
    "_unsafe_index": "index",
    "_unsafe_index_put": "index_put",
    "_upsample_nearest_exact1d": "_upsample_nearest_exact2d",
    "_upsample_nearest_exact3d": "_upsample_nearest_exact2d",
    "adaptive_avg_pool1d": "_adaptive_avg_pool2d",
    "adaptive_avg_pool2d": "_adaptive_avg_pool2d",
    "adaptive_avg_pool3d": "_adaptive_avg_pool3d",
    "conv_depthwise3d": "convolution",
    "convolution_overrideable": "convolution",
    "_cudnn_rnn": "mkldnn_rnn_layer",
    "cudnn_batch_norm": "native_batch_norm",
    "cudnn_batch_norm_backward": "native_batch_norm_backward",
    "cudnn_convolution": "convolution",
    "embedding_renorm": "renorm",
    "empty_permuted": "empty",
    "fractional_max_pool3d": "fractional_max_pool2d",
    "grid_sampler_3d": "grid_sampler_2d",
    "lift": "lift_fresh",
    "max_unpool3d": "max_unpool2d",
    "miopen_batch_norm": "native_batch_norm",
    "miopen_batch_norm_backward": "native_batch_norm_backward",
    "miopen_convolution": "convolution",
    "reflection_pad3d": "reflection_pad2d",
    "replication_pad3d": "replication_pad2d",
    "rrelu_with_noise_functional": "rrelu_with_noise",
    "slow_conv3d_forward": "convolution",
    "slow_conv_dilated2d": "convolution",
    "slow_conv_transpose2d": "convolution",
    "true_divide": "div",
    "unsafe_split_with_sizes": "split_with_sizes",
}


def base_name(name: str) -> str:
    """The name without the underscore of an in-place form and without ``_copy`` of a view's.

    >>> base_name("relu_"), base_name("view_copy"), base_name("_to_copy")
    ('relu', 'view', '_to_copy')
    """
    if name.endswith("_") and not name.endswith("__"):
        name = name[:-1]
    short = name.removesuffix("_copy")
    return short if name not in OPERATIONS and short in OPERATIONS else name


def operation(name: str) -> Operation | None:
    """The row of an operation, by its name in torch without ``aten::``; None if it has none.

    >>> row = operation("relu_")
    >>> row.smoothness, row.kinks[0].left, row.kinks[0].right, row.choices[0]
    ('Lipschitz', 0, 1, 0.0)
    """
    base = base_name(name)
    return OPERATIONS.get(_SAME.get(base, base))
