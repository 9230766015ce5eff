"""Is a second difference of the loss meaningful: does it measure curvature, kinks, or rounding?

    D  =  (f(w + h d) - 2 f(w) + f(w - h d)) / h^2

On a smooth piece D tends to d'Hd. Over a kink at t in (-h, h), where the slope along d jumps by J, it holds
(h - |t|) J / h^2 more: as h shrinks this goes to 0 if t is not 0, and to infinity as J/h if it is. With an
error e in each value of f, D is off by about sqrt(6) e / h^2. So D is held against d'Hd from one
Hessian-vector product on the piece where w is, the kinks between the three points are counted, and e is
measured: from differences of values of f at points a few roundings apart (Moré and Wild, "Estimating
computational noise", SIAM J. Sci. Comput. 33, 2011).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from nonsmooth.diagnostics._checks import positive, whole
from nonsmooth.diagnostics._hessian_products import hessian_products, mode_notes, trainable
from nonsmooth.diagnostics._kinks import CUTS, is_real
from nonsmooth.diagnostics._mean_gradient import _on_device, length_of, loss_of
from nonsmooth.diagnostics._pieces import Pattern, Watch, crossings
from nonsmooth.diagnostics._sharpness_result import Sharpness
from nonsmooth.diagnostics._unwrapped import unwrapped
from nonsmooth.errors import InputError
from nonsmooth.findings import Observation

__all__ = ["SecondDifference", "second_difference"]

_CLOSE = 0.05  # relative: D and d'Hd agree
_POINTS = 9  # for the noise
_GAMMA = (1 / 2, 1 / 6, 1 / 20, 1 / 70)  # (j!)^2 / (2j)!, Moré and Wild, eq. (2.3)


@dataclass(frozen=True)
class SecondDifference:
    """A second difference and what it is.

    Attributes:
        value: D.
        curvature: d'Hd, exact on the piece of the loss where the weights are.
        h: the step along d.
        rounding: about how far rounding has moved ``value``, from the measured noise of the loss.
        kinks: inputs of operations with kinks that change their side within -h d to h d; None if the three
            points did not run the same operations.
        kinks_of: how many such inputs there are.
        at_kink: of them exactly at a kink at the weights themselves.
        meaningful: whether ``value`` is the curvature, within 5 %.
        cause: "curvature", "kinks", "rounding", "far" (h reaches beyond the quadratic part) or "not finite".
        verdict: in words.
        dtype: precision of the loss.
        notes: what else to know.
    """

    value: float
    curvature: float
    h: float
    rounding: float
    kinks: int | None
    kinks_of: int
    at_kink: int
    meaningful: bool
    cause: str
    verdict: str
    dtype: str
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def observations(self) -> list[Observation]:
        """One observation: fine if it is meaningful, else a warning with what to do."""
        evidence = (
            f"second difference {self.value:.6g} with h = {self.h:g}, exact d'Hd {self.curvature:.6g}, "
            f"rounding {self.rounding:.2g}, kinks crossed {self.kinks} of {self.kinks_of:,}; {self.dtype}"
        )
        what = "the curvature" if self.meaningful else f"not the curvature: {self.cause}"
        return [
            Observation(
                "second-difference",
                "fine" if self.meaningful else "warning",
                f"The second difference is {what}.",
                evidence,
                why="A difference over kinks or below rounding says nothing of the Hessian.",
                source="Moré and Wild, Estimating computational noise, SIAM J. Sci. Comput. 33, 2011",
                remedy="" if self.meaningful else "Use ns.sharpness, which takes exact products.",
                numbers=self.as_dict(),
            )
        ]

    def __str__(self) -> str:
        return "\n".join([self.verdict, *(f"- {note}" for note in self.notes)])


def second_difference(
    model: nn.Module,
    loss_fn: Callable[..., torch.Tensor],
    batches: Iterable[Any],
    direction: torch.Tensor | Sequence[torch.Tensor] | Sharpness,
    h: float,
    *,
    seed: int = 0,
) -> SecondDifference:
    """The second difference of the mean loss along a direction, and whether it means anything.

    Args:
        model, loss_fn, batches, seed: as for ``nonsmooth.diagnostics.sharpness``; the model is unchanged.
        direction: d, not normalised: flat, or tensors like the parameters that require a gradient, or a
            :class:`Sharpness` of the Hessian itself for its first eigenvector.
        h: > 0, in units of the weights over those of d.

    Returns:
        A :class:`SecondDifference`; print it for the verdict.

    Raises:
        InputError: a direction of another size, zero or not finite; h out of range; as ``sharpness`` does.

    >>> import torch
    >>> w = torch.nn.Linear(1, 1, bias=False).double()
    >>> _ = w.weight.data.fill_(0.25)
    >>> data = [(torch.ones(4, 1).double(), torch.zeros(4, 1).double())]
    >>> second_difference(w, torch.nn.MSELoss(), data, torch.ones(1), 1e-3).cause
    'curvature'
    >>> second_difference(w, torch.nn.L1Loss(), data, torch.ones(1), 0.5).cause
    'kinks'
    """
    model, h, seed = unwrapped(model), positive("h", h), whole("seed", seed, 0, 2**63 - 1)
    parameters = trainable(model)
    held = [_on_device(batch, parameters) for batch in batches]
    with hessian_products(model, loss_fn, held, parameters, seed=seed) as product:
        d = _flat(direction, product.size).to(product.device, product.dtype)
        curvature = float(d.double() @ product(d).double())
        line = _Line(model, loss_fn, held, parameters, product.split(d), seed)
        with _Ties() as ties:
            line(0.0)
        middle, seen = line.watched(0.0)
        (right, after), (left, before) = line.watched(h), line.watched(-h)
        noise = line.noise()
    value = (right - 2 * middle + left) / h**2
    rounding = math.sqrt(6) * noise / h**2
    ways = (crossings(seen, after), crossings(seen, before))
    kinks = None if any(lost for _, lost in ways) else sum(sum(found.values()) for found, _ in ways)
    count = sum(piece.numel() for piece in seen.values())
    cause = _cause(value, curvature, rounding, kinks)
    verdict = _verdict(cause, value, curvature, rounding, h, kinks, count, ties.count, noise)
    return SecondDifference(
        value=value,
        curvature=curvature,
        h=h,
        rounding=rounding,
        kinks=kinks,
        kinks_of=count,
        at_kink=ties.count,
        meaningful=cause == "curvature",
        cause=cause,
        verdict=verdict,
        dtype=str(product.dtype).removeprefix("torch."),
        notes=tuple(mode_notes(model)),
    )


def _flat(direction: Any, size: int) -> torch.Tensor:
    if isinstance(direction, Sharpness):
        if direction.metric:
            raise InputError(
                f"direction is in the metric of {direction.metric}; give a sharpness without an optimizer"
            )
        direction = direction.vectors[0]
    if not isinstance(direction, torch.Tensor):
        direction = torch.cat([each.detach().reshape(-1) for each in direction])
    flat = direction.detach().reshape(-1)
    if flat.numel() != size:
        raise InputError(f"direction has {flat.numel():,} entries, the parameters {size:,}; give as many")
    if not (torch.isfinite(flat).all() and flat.any()):
        raise InputError("direction is zero or not finite; give one that moves the weights")
    return flat


class _Ties(TorchDispatchMode):
    """Counts the inputs of operations with kinks that are exactly at one."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        cut = CUTS.get(func.overloadpacket)
        if cut is not None and is_real(args[0]):
            self.count += sum(int((margin == 0).sum()) for margin in cut.margins(*args, **kwargs))
        return func(*args, **kwargs)


class _Line:
    """The mean loss along a direction; the weights are put back, bit for bit."""

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Callable[..., torch.Tensor],
        batches: Sequence[Any],
        parameters: Sequence[torch.Tensor],
        direction: Sequence[torch.Tensor],
        seed: int,
    ) -> None:
        self._model, self._loss_fn, self._batches, self._seed = model, loss_fn, batches, seed
        self._parameters, self._direction = parameters, direction
        counts = [length_of(batch) for batch in batches]
        self._shares = [count / sum(counts) for count in counts]
        self._t = self._value = 0.0
        self._watch = Watch(model, self._look)

    def __call__(self, t: float) -> float:
        kept = [p.detach().clone() for p in self._parameters]
        total = 0.0
        try:
            with torch.no_grad():
                for p, d in zip(self._parameters, self._direction, strict=True):
                    p.add_(d, alpha=t)
            for k, (batch, share) in enumerate(zip(self._batches, self._shares, strict=True)):
                torch.manual_seed(self._seed + k)
                with torch.enable_grad():
                    total += share * float(loss_of(self._model, self._loss_fn, batch).detach())
        finally:
            with torch.no_grad():
                for p, old in zip(self._parameters, kept, strict=True):
                    p.copy_(old)
        return total

    def watched(self, t: float) -> tuple[float, Pattern]:
        self._t = t
        seen = self._watch.look()
        return self._value, seen

    def _look(self) -> None:
        self._value = self(self._t)

    def noise(self) -> float:
        """The standard deviation of the rounding in f; at least half a unit in its last place."""
        largest = max(float((d.abs() / p.detach().abs().clamp(min=1e-30)).max()) for p, d in self._pairs())
        eps = max(torch.finfo(p.dtype).eps for p in self._parameters)
        scale = max(float(p.detach().abs().max()) for p in self._parameters) or 1.0
        size = max(float(d.abs().max()) for d in self._direction)
        step = 4 * eps * max(scale / size, 1 / largest)
        middle = (_POINTS - 1) / 2
        table = torch.tensor([self(step * (k - middle)) for k in range(_POINTS)], dtype=torch.float64)
        least = eps * abs(float(table[_POINTS // 2])) / 2
        levels = []
        for gamma in _GAMMA:
            table = table.diff()
            levels.append(math.sqrt(gamma * float((table * table).mean())))
        # The higher differences are free of f itself; of these the least trusts no single one.
        return max(min(levels[1:]), least)

    def _pairs(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        return list(zip(self._parameters, self._direction, strict=True))


def _cause(value: float, curvature: float, rounding: float, kinks: int | None) -> str:
    if not math.isfinite(value):
        return "not finite"
    size = max(abs(value), abs(curvature))
    if abs(value - curvature) <= _CLOSE * size and rounding <= _CLOSE * size:
        return "curvature"
    if kinks != 0 and abs(value - curvature) > 4 * rounding:
        return "kinks"
    if rounding > _CLOSE * size:
        return "rounding"
    return "far"


def _verdict(
    cause: str,
    value: float,
    curvature: float,
    rounding: float,
    h: float,
    kinks: int | None,
    count: int,
    at_kink: int,
    noise: float,
) -> str:
    said = f"The second difference {value:.6g} (h = {h:g}) "
    exact = f"the curvature d'Hd where the weights are is {curvature:.6g}"
    crossing = (
        "the three points run different operations"
        if kinks is None
        else f"{kinks:,} of {count:,} inputs of operations with kinks change their side"
    )
    if cause == "not finite":
        return said + f"means nothing: the loss is not finite within h of the weights; {exact}."
    if cause == "curvature":
        over = "no kink is crossed" if kinks == 0 else f"{crossing}, which moves it little"
        return said + f"is meaningful: {exact}, rounding about {rounding:.2g}; {over}."
    if cause == "kinks":
        on = (
            f" {at_kink:,} inputs lie exactly on a kink, so it grows as 1/h when h shrinks."
            if at_kink
            else ""
        )
        return said + (
            f"is not curvature but jumps of slope: {crossing} between -h and h, and {exact}. Take h so "
            f"small that none does.{on}"
        )
    if cause == "rounding":
        size = abs(curvature) or abs(value)
        enough = math.sqrt(math.sqrt(6) * noise / (_CLOSE / 5 * size)) if size else math.inf
        return said + (
            f"is rounding: the loss has noise {noise:.2g}, which moves it by about {rounding:.2g}; {exact}. "
            f"Take h = {enough:.1g} or more, or float64."
        )
    return said + (
        f"is of the loss beyond its quadratic part, not of the curvature at the weights: {exact}, no kink is "
        f"the cause. Take a smaller h; rounding allows it down to a difference of {rounding:.2g}."
    )
