"""How far the nearest kink is, in the units of a pre-activation and in those of the weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from nonsmooth.diagnostics._checks import whole
from nonsmooth.diagnostics._kinks import CUTS, SELECTIONS, gap, is_real, unwatched
from nonsmooth.diagnostics._mean_gradient import _nothing_else_touched
from nonsmooth.diagnostics._pieces import called, in_words, is_smooth, with_values
from nonsmooth.diagnostics._tape import Call, Tape, record
from nonsmooth.diagnostics._text_table import text_table
from nonsmooth.diagnostics._unwrapped import unwrapped
from nonsmooth.errors import InputError
from nonsmooth.findings import Observation

__all__ = ["ModuleKinks", "NearestKink", "nearest_kink"]

aten = torch.ops.aten
_SOURCE = "Hanin and Rolnick, Complexity of linear regions in deep networks, ICML 2019"


@dataclass(frozen=True)
class ModuleKinks:
    """The kinks of one operation of one module.

    Attributes:
        module, operation: whose they are.
        kinks: how many margins were looked at.
        at: how many margins are 0; for pooling, two largest candidates that are equal.
        margin: the smallest |margin|, in the units of the operation's input. Those that are 0 whatever the
            weights are left out: a second ReLU's at the zeros of the first, equal candidates of pooling.
        distance: the smallest |margin| / ||gradient of the margin in the weights|| of the candidates: how far
            the weights must move to bring it to 0, to first order. inf where no weight moves them.
        candidates: how many margins ``distance`` was sought among: those of smallest |margin|.
    """

    module: str
    operation: str
    kinks: int
    at: int
    margin: float
    distance: float
    candidates: int

    @property
    def complete(self) -> bool:
        """Whether every margin was a candidate; else a nearer kink may have been passed over."""
        return self.candidates >= self.kinks


@dataclass(frozen=True)
class NearestKink:
    """The nearest kinks by module, in the order of the computation; print it for a table.

    Attributes:
        rows: one for each operation with kinks.
        length: Euclidean norm of the trained parameters, to hold ``distance`` against.
        unwatched: operations met that select, and whose kinks are not looked for.
        dtype: of the parameters.
    """

    rows: tuple[ModuleKinks, ...]
    length: float
    unwatched: tuple[str, ...]
    dtype: str

    @property
    def margin(self) -> float:
        """The smallest |margin| of all; inf without kinks."""
        return min((row.margin for row in self.rows), default=math.inf)

    @property
    def distance(self) -> float:
        """The smallest distance of the weights (Euclidean, over all of them) to a kink, to first order."""
        return min((row.distance for row in self.rows), default=math.inf)

    @property
    def module(self) -> str:
        """Whose kink is nearest to the weights."""
        return min(self.rows, key=lambda row: row.distance).module if self.rows else ""

    @property
    def at(self) -> int:
        """How many margins are 0 in operations where a weight moves one of them."""
        return sum(row.at for row in self.rows if row.distance == 0)

    def observation(self) -> Observation:
        """How near the nearest kink is, beside the length of the weights."""
        numbers = {
            "distance": self.distance if self.rows else None,
            "margin": self.margin if self.rows else None,
            "at": self.at,
            "length": self.length,
            "dtype": self.dtype,
            "unwatched": list(self.unwatched),
            "modules": [{**vars(row), "complete": row.complete} for row in self.rows],
        }
        unknown = f"; not looked for: {', '.join(self.unwatched)}" if self.unwatched else ""
        if not self.rows:
            title = "The model has no kinks on the probe."
            level = "unknown" if self.unwatched else "fine"
            return Observation(
                "nearest-kink", level, title, f"{self.dtype}{unknown}", source=_SOURCE, numbers=numbers
            )
        kinks = sum(row.kinks for row in self.rows)
        least = "" if all(row.complete for row in self.rows) else ", of the smallest margins of each module"
        evidence = (
            f"{kinks:,} kinks on the probe, {self.at:,} of them hit; nearest margin {self.margin:.3g}, "
            f"nearest distance of the weights {self.distance:.3g} (their norm {self.length:.3g}), in "
            f"{self.module or 'the model itself'}, to first order{least} ({self.dtype}){unknown}"
        )
        if self.at:
            return Observation(
                "nearest-kink",
                "warning",
                "The weights are at a kink on the probe.",
                evidence,
                "There torch's gradient is what its conventions make of two slopes, and may be neither.",
                "Clarke, Optimization and Nonsmooth Analysis, 1983",
                "Ask for the slopes on both sides of the directions that matter.",
                "ns.diagnostics.one_sided(model, loss_fn, batches, direction)",
                numbers,
            )
        return Observation(
            "nearest-kink",
            "note",
            f"A kink is {self.distance:.2g} from the weights.",
            evidence,
            "A step or difference quotient that goes further may cross it: what holds at the weights, "
            "Hessian and gradient, need not hold there.",
            _SOURCE,
            numbers=numbers,
        )

    def __str__(self) -> str:
        head = ("module", "operation", "kinks", "at a kink", "nearest margin", "distance of the weights")
        return text_table(
            [
                head,
                *(
                    (
                        row.module or "(model)",
                        row.operation,
                        f"{row.kinks:,}",
                        f"{row.at:,}",
                        f"{row.margin:.3g}",
                        f"{row.distance:.3g}" + ("" if row.complete else f" (of {row.candidates})"),
                    )
                    for row in self.rows
                ),
            ]
        )


def nearest_kink(model: nn.Module, probe: Any, *, candidates: int = 8) -> NearestKink:
    """The distance from the weights to the nearest kink of the model on a probe.

    A margin m(w) is 0 at a kink. Along its own gradient the weights reach it after |m| / ||grad m||, to first
    order, and exactly where m is affine in the weights, as in the first layer.

    Args:
        model: runs in the mode that it is in; left as it was.
        probe: a tensor, a tuple or list of arguments, or a mapping of keywords.
        candidates: gradients taken of each operation, >= 1: those of the smallest margins.

    Raises:
        InputError: the model raises on the probe, has no trained parameter or none with values, or a margin
            is NaN.

    >>> net = nn.Sequential(nn.Linear(1, 1), nn.ReLU())
    >>> _ = nn.init.constant_(net[0].weight, 2.0), nn.init.constant_(net[0].bias, 1.0)
    >>> found = nearest_kink(net, torch.ones(1, 1))      # margin 3, gradient (1, 1)
    >>> found.margin, round(found.distance, 6), found.module
    (3.0, 2.12132, '1')
    """
    candidates = whole("candidates", candidates, 1, None)
    model = unwrapped(model)
    with_values(model)
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise InputError("no parameter of the model requires a gradient, so nothing moves towards a kink")
    smooth = {name for name, module in model.named_modules() if is_smooth(module)}
    with _nothing_else_touched(model, parameters, None):
        with in_words("the model", "give a probe that it accepts"):
            tape = record(model, parameters, called(model, probe))
        rows = _rows(tape, parameters, smooth, candidates)
    return NearestKink(
        tuple(rows),
        _norm(tuple(p.detach() for p in parameters)),
        tuple(sorted({c.op.overloadpacket.__name__ for c in tape.calls if unwatched(c.op, c.args)})),
        str(parameters[0].dtype).removeprefix("torch."),
    )


def _rows(
    tape: Tape, parameters: Sequence[torch.Tensor], smooth: set[str], candidates: int
) -> list[ModuleKinks]:
    found: list[tuple[Call, torch.Tensor, bool]] = []

    def apply(call: Call, args: Any, kwargs: Any) -> Any:
        if call.op is aten.detach.default:
            return args[0]  # a function's kinks are where they are, whatever autograd is told
        inside = any(call.module == name or call.module.startswith(f"{name}.") for name in smooth)
        cut = CUTS.get(call.op.overloadpacket)
        if cut is not None and is_real(args[0]) and not inside:
            margins = [m.flatten() for m in cut.margins(*args, **kwargs)]
            if margins:
                # cloned: the operation may be in place
                found.append((call, torch.cat(margins).clone(), False))
        rule = SELECTIONS.get(call.op)
        if rule is not None and is_real(args[0]) and not inside:
            found.append((call, gap(rule, args, kwargs).flatten(), True))
        return call.op(*args, **kwargs)

    start = {id(p): p for p in parameters}
    with torch.enable_grad():
        tape.play(start, lambda _, value: value, apply)
    return [_row(call, margins, selects, parameters, candidates) for call, margins, selects in found]


def _row(
    call: Call, margins: torch.Tensor, selects: bool, parameters: Sequence[torch.Tensor], candidates: int
) -> ModuleKinks:
    name = call.op.overloadpacket.__name__.rstrip("_")
    size = margins.detach().abs()
    if bool(size.isnan().any()):
        raise InputError(
            f"{name} in {call.module or 'the model'} gets NaN on the probe; look for NaN in weights and probe"
        )
    zero = size == 0
    distance = math.inf

    def slope(value: torch.Tensor) -> float:
        return _norm(torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True))

    if margins.requires_grad and not selects and bool(zero.any()):
        # one gradient for all of them: their sum with weights that do not cancel moves if one of them does
        hit = margins[zero]
        if slope((hit * torch.linspace(1, 2, len(hit)).to(hit)).sum()) > 0:
            distance = 0.0
    known = size if distance == 0 else torch.where(zero, math.inf, size)
    count = min(candidates, len(size))
    near = known.topk(count, largest=False)
    if margins.requires_grad and distance > 0:
        for margin, place in zip(near.values.tolist(), near.indices.tolist(), strict=True):
            if margin < math.inf and (steep := slope(margins[place])) > 0:
                distance = min(distance, margin / steep)
    return ModuleKinks(
        call.module,
        name,
        len(size),
        int(zero.sum()),
        float(near.values[0]),
        distance,
        count,
    )


def _norm(gradients: tuple[torch.Tensor | None, ...]) -> float:
    return math.sqrt(sum(float(g.double().square().sum()) for g in gradients if g is not None))
