"""Operations that move, copy, pick or make entries, and those that draw them."""

from __future__ import annotations

import torch
from torch import Tensor

from nonsmooth.audit import _operations_rules as rules
from nonsmooth.audit._operations_row import Operation

__all__ = ["SHAPE"]

_a = torch.ops.aten


def _v(t: Tensor, count: int = 4) -> Tensor:
    """A vector whose entries are different and all depend on t."""
    k = torch.arange(1, count + 1, dtype=torch.float64)
    return torch.sin(k) + t * torch.cos(2 * k)


def _m(t: Tensor) -> Tensor:
    return _v(t).reshape(2, 2)


def _i(t: Tensor) -> Tensor:
    """(1, 1, 4, 4)"""
    return _v(t, 16).reshape(1, 1, 4, 4)


def _index(*entries: int) -> Tensor:
    return torch.tensor(entries)


def _moved(name: str, line, note: str = "", rule=None) -> Operation:
    """Linear: each entry of the result is an entry of the input, a sum of some, or a constant."""
    return Operation(name, "analytic", line, note=note, rule=rule)


def _fixed(name: str, line) -> Operation:
    """Depends on the shape of its input at most."""
    return Operation(name, "analytic", line, kind="constant")


def _drawn(name: str, line, note: str = "for a fixed draw", **more) -> Operation:
    return Operation(name, more.pop("smoothness", "analytic"), line, kind="random", note=note, **more)


_MASK = (True, False, True, False)


def _mask() -> Tensor:
    return torch.tensor(_MASK)


SHAPE: tuple[Operation, ...] = (
    _moved("view", lambda t: _a.view(_v(t), [2, 2])),
    _moved("_unsafe_view", lambda t: _a._unsafe_view(_v(t), [2, 2])),
    _moved("reshape", lambda t: _a.reshape(_m(t).mT, [4])),
    _moved("_reshape_alias", lambda t: _a._reshape_alias(_v(t), [2, 2], [2, 1])),
    _moved("expand", lambda t: _a.expand(_v(t), [2, 4])),
    _moved("permute", lambda t: _a.permute(_m(t), [1, 0])),
    _moved("transpose", lambda t: _a.transpose(_m(t), 0, 1)),
    _moved("t", lambda t: _a.t(_m(t))),
    _moved("squeeze", lambda t: _a.squeeze(_v(t, 1))),
    _moved("unsqueeze", lambda t: _a.unsqueeze(_v(t), 0)),
    _moved("select", lambda t: _a.select(_v(t), 0, 1)),
    _moved("slice", lambda t: _a.slice(_v(t), 0, 1, 3)),
    _moved("narrow", lambda t: _a.narrow(_v(t), 0, 1, 2)),
    _moved("split", lambda t: _a.split(_v(t), 2)[1]),
    _moved("split_with_sizes", lambda t: _a.split_with_sizes(_v(t), [1, 3])[1]),
    _moved("unsafe_split", lambda t: _a.unsafe_split(_v(t), 2)[1]),
    _moved("unbind", lambda t: _a.unbind(_v(t))[1]),
    _moved("diagonal", lambda t: _a.diagonal(_m(t))),
    _moved("as_strided", lambda t: _a.as_strided(_v(t), [2], [2])),
    _moved("unfold", lambda t: _a.unfold(_v(t), 0, 2, 1)),
    _moved("view_as_real", lambda t: _a.view_as_real(torch.complex(_v(t), _v(t)))),
    _moved("view_as_complex", lambda t: _a.view_as_complex(_m(t))),
    _moved("alias", lambda t: _a.alias(_v(t))),
    _moved("lift_fresh", lambda t: _a.lift_fresh(_v(t))),
    _moved("clone", lambda t: _a.clone(_v(t))),
    _moved("contiguous", lambda t: _a.contiguous(_m(t).mT)),
    _moved("copy", lambda t: torch.zeros(4, dtype=torch.float64).copy_(_v(t))),
    _moved("_to_copy", lambda t: _a._to_copy(_v(t), dtype=torch.float64), "to whole numbers it jumps"),
    _moved("cat", lambda t: _a.cat([_v(t), _v(2 * t)])),
    _moved("stack", lambda t: _a.stack([_v(t), _v(2 * t)])),
    _moved("block_diag", lambda t: _a.block_diag([_m(t), _m(t)])),
    _moved("repeat", lambda t: _a.repeat(_v(t), [2])),
    _moved("repeat_interleave", lambda t: _a.repeat_interleave(_v(t), 2)),
    _moved("flip", lambda t: _a.flip(_v(t), [0])),
    _moved("roll", lambda t: _a.roll(_v(t), [1], [0])),
    _moved("rot90", lambda t: _a.rot90(_m(t))),
    _moved("tril", lambda t: _a.tril(_m(t))),
    _moved("triu", lambda t: _a.triu(_m(t))),
    _moved("diag_embed", lambda t: _a.diag_embed(_v(t))),
    _moved("constant_pad_nd", lambda t: _a.constant_pad_nd(_v(t), [1, 1])),
    _moved("reflection_pad1d", lambda t: _a.reflection_pad1d(_m(t), [1, 1])),
    _moved("reflection_pad2d", lambda t: _a.reflection_pad2d(_i(t), [1, 1, 1, 1])),
    _moved("replication_pad1d", lambda t: _a.replication_pad1d(_m(t), [1, 1])),
    _moved("replication_pad2d", lambda t: _a.replication_pad2d(_i(t), [1, 1, 1, 1])),
    _moved("im2col", lambda t: _a.im2col(_i(t), [2, 2], [1, 1], [0, 0], [1, 1])),
    _moved("col2im", lambda t: _a.col2im(_i(t)[0], [4, 1], [1, 1], [1, 1], [0, 0], [1, 1]).reshape(-1)),
    _moved("pixel_shuffle", lambda t: _a.pixel_shuffle(_v(t, 16).reshape(1, 4, 2, 2), 2)),
    _moved("pixel_unshuffle", lambda t: _a.pixel_unshuffle(_i(t), 2)),
    _moved("channel_shuffle", lambda t: _a.channel_shuffle(_v(t, 16).reshape(1, 4, 2, 2), 2)),
    # By position
    _moved("embedding", lambda t: _a.embedding(_m(t), _index(1, 0, 1))),
    _moved(
        "_embedding_bag",
        lambda t: _a._embedding_bag(_m(t), _index(1, 0), _index(0), False, 0, False, None)[0],
        "sum or mean; with mode max a kink where two entries tie",
        rules.reduced,
    ),
    _moved("index", lambda t: _a.index(_v(t), [_index(2, 0)])),
    _moved("index_select", lambda t: _a.index_select(_v(t), 0, _index(2, 0))),
    _moved("gather", lambda t: _a.gather(_v(t), 0, _index(2, 0))),
    _moved("take", lambda t: _a.take(_v(t), _index(2, 0))),
    _moved("masked_select", lambda t: _a.masked_select(_v(t), _mask())),
    _moved("masked_fill", lambda t: _a.masked_fill(_v(t), _mask(), 3.0)),
    _moved("masked_scatter", lambda t: _a.masked_scatter(_v(t), _mask(), _v(2 * t))),
    _moved("index_add", lambda t: _a.index_add(_v(t), 0, _index(2, 0), _v(2 * t, 2))),
    _moved("index_copy", lambda t: _a.index_copy(_v(t), 0, _index(2, 0), _v(2 * t, 2))),
    _moved("index_fill", lambda t: _a.index_fill(_v(t), 0, _index(2, 0), 3.0)),
    _moved("index_put", lambda t: _a.index_put(_v(t), [_index(2, 0)], _v(2 * t, 2))),
    _moved("scatter", lambda t: _a.scatter(_v(t), 0, _index(2, 0), _v(2 * t, 2))),
    _moved("scatter_add", lambda t: _a.scatter_add(_v(t), 0, _index(2, 0), _v(2 * t, 2))),
    _moved(
        "scatter_reduce",
        lambda t: _a.scatter_reduce(_v(t), 0, _index(2, 0), _v(2 * t, 2), "sum"),
        "with amax or amin a kink where two entries tie",
        rules.reduced,
    ),
    _moved("select_scatter", lambda t: _a.select_scatter(_v(t), t, 0, 1)),
    _moved("slice_scatter", lambda t: _a.slice_scatter(_v(t), _v(2 * t, 2), 0, 0, 2)),
    _moved("diagonal_scatter", lambda t: _a.diagonal_scatter(_m(t), _v(2 * t, 2))),
    _moved(
        "segment_reduce", lambda t: _a.segment_reduce(_v(t), "sum", lengths=_index(2, 2)), rule=rules.reduced
    ),
    # The gradient ends here, the dependence does not
    Operation(
        "detach",
        "analytic",
        lambda t: _a.detach(_v(t)),
        note="the identity; torch's gradient leaves this dependence out",
    ),
    # Constants
    _fixed("zeros_like", lambda t: _a.zeros_like(t)),
    _fixed("ones_like", lambda t: _a.ones_like(t)),
    _fixed("full_like", lambda t: _a.full_like(t, 3)),
    _fixed("empty_like", lambda t: _a.empty_like(t) * 0),
    _fixed("new_zeros", lambda t: _a.new_zeros(t, [2])),
    _fixed("new_ones", lambda t: _a.new_ones(t, [2])),
    _fixed("new_full", lambda t: _a.new_full(t, [2], 3)),
    _fixed("new_empty", lambda t: _a.new_empty(t, [2]) * 0),
    _fixed("new_empty_strided", lambda t: _a.new_empty_strided(t, [2], [1]) * 0),
    _fixed("zero", lambda t: _a.zero(t)),
    _fixed("zeros", lambda t: _a.zeros([2])),
    _fixed("ones", lambda t: _a.ones([2])),
    _fixed("full", lambda t: _a.full([2], 3)),
    _fixed("empty", lambda t: _a.empty([2]) * 0 == 9),
    _fixed("empty_strided", lambda t: _a.empty_strided([2], [1]) * 0 == 9),
    _fixed("arange", lambda t: _a.arange(3)),
    _fixed("linspace", lambda t: _a.linspace(0, 1, 3)),
    _fixed("logspace", lambda t: _a.logspace(0, 1, 3)),
    _fixed("eye", lambda t: _a.eye(2)),
    _fixed("scalar_tensor", lambda t: _a.scalar_tensor(3)),
    _fixed("tril_indices", lambda t: _a.tril_indices(2, 2)),
    _fixed("triu_indices", lambda t: _a.triu_indices(2, 2)),
    _fixed("hann_window", lambda t: _a.hann_window(4)),
    _fixed("hamming_window", lambda t: _a.hamming_window(4)),
    _fixed("is_same_size", lambda t: torch.tensor(_a.is_same_size(t, t))),
    # Random: the draw is a constant, unless its law depends on the variables
    _drawn("rand", lambda t: _a.rand([2])),
    _drawn("randn", lambda t: _a.randn([2])),
    _drawn("randint", lambda t: _a.randint(9, [2])),
    _drawn("randperm", lambda t: _a.randperm(4)),
    _drawn("rand_like", lambda t: _a.rand_like(t)),
    _drawn("randn_like", lambda t: _a.randn_like(t)),
    _drawn("randint_like", lambda t: _a.randint_like(t.detach(), 9)),
    _drawn("uniform", lambda t: _a.uniform(t)),
    _drawn("normal_functional", lambda t: _a.normal_functional(t.detach())),
    _drawn("exponential", lambda t: _a.exponential(t)),
    _drawn("log_normal", lambda t: _a.log_normal(t)),
    _drawn("cauchy", lambda t: _a.cauchy(t)),
    _drawn("random", lambda t: _a.random(t)),
    _drawn("geometric", lambda t: _a.geometric(t, 0.5)),
    _drawn(
        "native_dropout", lambda t: _a.native_dropout(_v(t), 0.5, True)[0], "for a fixed draw of its mask"
    ),
    _drawn(
        "normal",
        lambda t: _a.normal(_v(t), 1.0),
        "mean + std times a fixed draw; torch gives it no gradient",
    ),
    _drawn(
        "bernoulli",
        lambda t: _a.bernoulli((t.reshape(1) + 2) / 4),
        "for a fixed draw the result jumps where the probability passes it; torch gives it no gradient",
        smoothness="discontinuous",
        where="the probability passes the draw",
    ),
    _drawn(
        "multinomial",
        lambda t: _a.multinomial(torch.stack([t + 2, 2 - t]), 1),
        "for a fixed draw the result jumps",
        smoothness="discontinuous",
        where="a probability passes the draw",
        domain=(-1.9, 1.9),
    ),
    _drawn(
        "poisson",
        lambda t: _a.poisson(t.reshape(1) + 3),
        "for a fixed draw the result jumps; torch gives it the gradient 0",
        smoothness="discontinuous",
        where="a probability passes the draw",
    ),
)
