"""Values and one-sided derivatives of a computation, operation by operation.

Every operation here is directionally differentiable and locally Lipschitz, so the chain rule holds one-
sidedly (Shapiro, J. Optim. Theory Appl. 66, 1990): (g o h)'(x; d) = g'(h(x); h'(x; d)). Where an operation is
smooth at its arguments its rule is torch's forward mode. At a kink the tangent decides which side the
argument goes to, and the derivative is that of the piece on this side; of the tied candidates of a selection
the one that rises fastest (or falls, for a minimum) is taken.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import torch
import torch.autograd.forward_ad as forward
from torch.utils import _pytree as pytree

from nonsmooth.diagnostics._kinks import CUTS, NORMS, SELECTIONS, Cut, Selection, is_real, unwatched
from nonsmooth.diagnostics._tape import Call, Tape
from nonsmooth.errors import InputError

__all__ = ["Directional", "Tie"]


@dataclass(frozen=True)
class Tie:
    """Arguments of one operation that are at a kink.

    Attributes:
        module: whose forward called it, as in ``named_modules``; "" for the loss or the model itself.
        operation: torch's name.
        count: how many are at a kink.
        moving: how many of them leave it, to first order, along the direction.
        resolved: False where the value itself may jump there, or the operation's kinks are not known.
    """

    module: str
    operation: str
    count: int
    moving: int
    resolved: bool = True


class _Dual:
    """A value with its tangent; None is a tangent of 0 that needs no memory."""

    __slots__ = ("tangent", "value")

    def __init__(self, value: torch.Tensor, tangent: torch.Tensor | None = None) -> None:
        self.value, self.tangent = value, tangent


@dataclass
class Directional:
    """Plays a tape with tangents.

    Args:
        tape: of the computation.
        tolerance: margins up to this size, in the units of the operation's input, count as at the kink.

    Attributes:
        ties: what was at a kink.
    """

    tape: Tape
    tolerance: float = 0.0
    ties: list[Tie] = field(default_factory=list)

    def __post_init__(self) -> None:
        # A tensor that is written into needs a tangent before its views are taken: they share its memory.
        self._written = {
            tensor.untyped_storage().data_ptr()
            for call in self.tape.calls
            for tensor in call.writes
            if is_real(tensor)
        }

    def along(self, tangents: Mapping[torch.Tensor, torch.Tensor]) -> tuple[float, float]:
        """The value, and the one-sided derivative with these tangents of parameters."""
        _load_forward_mode()
        start = {id(p): _Dual(p.detach(), t) for p, t in tangents.items()}

        def leaf(recorded: torch.Tensor, value: torch.Tensor) -> _Dual:
            needs = is_real(value) and recorded.untyped_storage().data_ptr() in self._written
            return _Dual(value, torch.zeros_like(value) if needs else None)

        with torch.no_grad(), torch.random.fork_rng(_cuda(tangents)):
            torch.manual_seed(0)  # dropout's mask is the same along d and along -d
            end = self.tape.play(start, leaf, self._apply)
        tangent = 0.0 if end.tangent is None else float(end.tangent)
        return float(end.value), tangent

    def _apply(self, call: Call, args: Any, kwargs: Any) -> Any:
        op = call.op
        if call.writes:
            return self._write(call, args, kwargs)
        duals = [v for v in pytree.tree_leaves((args, kwargs)) if isinstance(v, _Dual)]
        moving = any(v.tangent is not None for v in duals)
        if getattr(op, "is_view", False) and moving:
            return _zip(
                call.output, op(*_values(args), **_values(kwargs)), op(*_tangents(args), **_tangents(kwargs))
            )
        if not moving:
            made = op(*_values(args), **_values(kwargs))
            return pytree.tree_map_only(torch.Tensor, self._fresh(call), made)
        return self._smooth_or_not(call, args, kwargs)

    def _fresh(self, call: Call) -> Callable[[torch.Tensor], _Dual]:
        mine = {
            t.untyped_storage().data_ptr()
            for t in pytree.tree_leaves(call.output)
            if isinstance(t, torch.Tensor)
        }
        needs = bool(mine & self._written)
        return lambda t: _Dual(t, torch.zeros_like(t) if needs and is_real(t) else None)

    def _smooth_or_not(self, call: Call, args: Any, kwargs: Any) -> Any:
        op, packet = call.op, call.op.overloadpacket
        if unwatched(op, _values(args)):
            self.ties.append(Tie(call.module, packet.__name__, 0, 0, resolved=False))
        cut = CUTS.get(packet)
        if cut is not None and is_real(_first(args)):
            return self._cut(call, cut, args, kwargs)
        selection = SELECTIONS.get(op)
        if selection is not None:
            return self._select(call, selection, args, kwargs)
        made = _forward(call, op, args, kwargs)
        if op in NORMS and isinstance(made, _Dual) and made.tangent is not None:
            at_zero = made.value == 0
            if bool(at_zero.any()):
                norm = op(_tangent_of(args[0]), *_values(args[1:]), **_values(kwargs))
                self._note(call, at_zero, norm)
                made.tangent = torch.where(at_zero, norm, made.tangent)
        return made

    def _cut(self, call: Call, cut: Cut, args: Any, kwargs: Any) -> Any:
        plain, named = _values(args), _values(kwargs)
        at = [m.abs() <= self.tolerance for m in cut.margins(*plain, **named)]
        if not any(bool(each.any()) for each in at):
            return _forward(call, call.op, args, kwargs)
        jump = cut.jump(*plain, **named)
        x = args[0]
        value, moved = x.value, x.value
        margins = _forward(call, cut.margins, args, kwargs)
        for tied, margin in zip(at, margins, strict=True):
            rate = _tangent_of(margin)
            self._note(call, tied, rate, resolved=not jump)
            kind = torch.finfo(value.dtype)
            # To the knot, and from there as little as the dtype can tell, to the side that the tangent says.
            side = rate.sign() * (kind.eps * 2 * value.abs() + kind.tiny)
            moved = torch.where(tied, value - margin.value + side, moved)
        made = _forward(call, call.op, (_Dual(moved, _tangent_of(x).expand_as(moved)), *args[1:]), kwargs)
        values = call.op(*plain, **named)  # the operation's own value stays
        return pytree.tree_map(
            lambda dual, v: _Dual(v, dual.tangent) if isinstance(dual, _Dual) else v, made, values
        )

    def _select(self, call: Call, rule: Selection, args: Any, kwargs: Any) -> Any:
        made = _forward(call, call.op, args, kwargs)
        best = made[0] if rule.index is not None else made
        candidates = rule.candidates(*_values(args), **_values(kwargs)) * rule.sign
        rates = rule.candidates(_tangent_of(args[0]), *_values(args[1:]), **_values(kwargs)) * rule.sign
        top = candidates.amax(-1, keepdim=True)
        tied = candidates >= top - self.tolerance
        several = (tied.sum(-1) > 1) & top[..., 0].isfinite()
        if bool(several.any()):
            rates = torch.where(tied, rates, -torch.inf)
            fastest = rates.amax(-1)
            differ = torch.where(tied, rates, torch.inf).amin(-1) != fastest
            self._note(call, several, differ.to(fastest.dtype))
            chosen = (fastest * rule.sign).reshape(best.value.shape)
            best.tangent = torch.where(several.reshape(best.value.shape), chosen, best.tangent)
        return made

    def _write(self, call: Call, args: Any, kwargs: Any) -> Any:
        """An operation in place: its tangent from copies, then values and tangents are written."""
        targets = _written_values(call, args, kwargs)
        copies = {id(v): _Dual(v.value.clone(), _copy(v.tangent)) for v in targets}

        def copied(value: Any) -> Any:
            return copies.get(id(value), value) if isinstance(value, _Dual) else value

        spare, named = pytree.tree_map(copied, (args, kwargs), is_leaf=lambda v: isinstance(v, _Dual))
        moving = any(
            isinstance(v, _Dual) and v.tangent is not None for v in pytree.tree_leaves((args, kwargs))
        )
        if not moving:
            call.op(*_values(args), **_values(kwargs))
            return _outputs(call, args, kwargs)
        made = self._smooth_or_not(call, spare, named)
        results = [v for v in pytree.tree_leaves(made) if isinstance(v, _Dual)]
        call.op(*_values(args), **_values(kwargs))
        for target, result in zip(targets, results, strict=False):
            if is_real(target.value):
                rate = _tangent_of(result)
                if target.tangent is None:
                    target.tangent = rate.clone()
                else:
                    target.tangent.copy_(rate)
        return _outputs(call, args, kwargs)

    def _note(self, call: Call, at: torch.Tensor, rate: torch.Tensor, resolved: bool = True) -> None:
        count = int(at.sum())
        if count:
            moving = int((at & (rate != 0)).sum())
            name = call.op.overloadpacket.__name__
            self.ties.append(Tie(call.module, name, count, moving, resolved or not moving))


@cache
def _load_forward_mode() -> None:
    """torch compiles a few rules when forward mode is first used, and warns of its own compiler."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with forward.dual_level():
            forward.make_dual(torch.zeros(1), torch.zeros(1))


def _cuda(tensors: Iterable[torch.Tensor]) -> list[int]:
    return sorted({t.device.index or 0 for t in tensors if t.device.type == "cuda"})


def _first(args: Any) -> Any:
    return args[0].value if args and isinstance(args[0], _Dual) else None


def _values(tree: Any) -> Any:
    return pytree.tree_map_only(_Dual, lambda v: v.value, tree)


def _tangents(tree: Any) -> Any:
    return pytree.tree_map_only(_Dual, _tangent_of, tree)


def _tangent_of(dual: _Dual) -> torch.Tensor:
    return torch.zeros_like(dual.value) if dual.tangent is None else dual.tangent


def _copy(tangent: torch.Tensor | None) -> torch.Tensor | None:
    return None if tangent is None else tangent.clone()


def _zip(like: Any, values: Any, tangents: Any) -> Any:
    return pytree.tree_map(
        lambda _, v, t: _Dual(v, t if is_real(v) else None) if isinstance(v, torch.Tensor) else v,
        like,
        values,
        tangents,
    )


def _written_values(call: Call, args: Any, kwargs: Any) -> list[_Dual]:
    """The values of the tensors that the call changes."""
    recorded = pytree.tree_leaves((call.args, dict(call.kwargs)))
    played = pytree.tree_leaves((args, kwargs))
    changed = {id(t) for t in call.writes}
    return [v for t, v in zip(recorded, played, strict=True) if id(t) in changed]


def _outputs(call: Call, args: Any, kwargs: Any) -> Any:
    """What an operation in place returns: the values it has written."""
    targets = dict(zip((id(t) for t in call.writes), _written_values(call, args, kwargs), strict=True))
    return pytree.tree_map_only(torch.Tensor, lambda t: targets[id(t)], call.output)


def _forward(call: Call, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """Value and tangent by torch's forward mode."""
    with forward.dual_level():

        def dual(v: _Dual) -> torch.Tensor:
            return v.value if v.tangent is None else forward.make_dual(v.value, v.tangent)

        try:
            made = function(
                *pytree.tree_map_only(_Dual, dual, args), **pytree.tree_map_only(_Dual, dual, kwargs)
            )
        except (NotImplementedError, RuntimeError) as error:
            said = " ".join(str(error).split())[:120]
            raise InputError(
                f"{call.op.overloadpacket.__name__} in {call.module or 'the loss'} has no forward-mode "
                f"derivative in torch ({said}); use a module without it, or difference quotients"
            ) from error

        def undual(t: torch.Tensor) -> _Dual:
            value, tangent = forward.unpack_dual(t)
            return _Dual(value, _like(tangent, value))

        return pytree.tree_map_only(torch.Tensor, undual, made)


def _like(tangent: torch.Tensor | None, value: torch.Tensor) -> torch.Tensor | None:
    """With the value's strides, so that every view of the value is one of the tangent."""
    if tangent is None or tangent.stride() == value.stride() or 0 in value.stride():
        return tangent
    return torch.empty_strided(
        value.size(), value.stride(), dtype=tangent.dtype, device=tangent.device
    ).copy_(tangent)
