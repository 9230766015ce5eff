"""Kinks crossed a step: how many pre-activations on a fixed probe change their piece as the weights move."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from nonsmooth.diagnostics._checks import whole
from nonsmooth.diagnostics._kinks import is_real
from nonsmooth.diagnostics._pieces import Pattern, Watch, called, crossings, frozen, with_values
from nonsmooth.diagnostics._unwrapped import unwrapped
from nonsmooth.errors import InputError
from nonsmooth.findings import Drawing, Observation, canvas, style

__all__ = ["Crossings", "KinkCounter"]

_SOURCE = "Hanin and Rolnick, Complexity of linear regions in deep networks, ICML 2019"


@dataclass(frozen=True)
class Crossings:
    """What was crossed since the look before: in one step, or in ``every`` of them.

    Attributes:
        step: the number of the last step, from 1.
        by_module: crossings by the module that called the operation ("" for the model's own forward).
        of: how many margins were watched.
        unmatched: places with kinks that only one of the two passes met; they are not counted.
        finite: False where the output on the probe was NaN in one of the two looks: NaN is on no piece, so
            the counts mean nothing.
    """

    step: int
    by_module: Mapping[str, int]
    of: int
    unmatched: int = 0
    finite: bool = True

    @property
    def total(self) -> int:
        """Crossings in the whole model."""
        return sum(self.by_module.values())

    @property
    def share(self) -> float:
        """Of all margins; 0 where none are watched."""
        return self.total / self.of if self.of else 0.0


class KinkCounter:
    """Counts the kinks that training steps cross, on a fixed probe batch.

    After a step the model runs once on the probe without gradients, and each operation with kinks, also one
    called as a function, is asked on which piece its arguments are: on which side of its knots, which
    candidate pooling takes. A change since the last look is a crossing; a kink crossed there and back in
    between is not seen. Comparisons and roundings of numbers are watched like kinks.

    With a probe of 1/16 of the batch this costs 3 to 9 % of steps of 50 ms and more, a tenth of one of 20 ms,
    15 % of one of 3 ms, most of it the pass itself (``benchmarks/kinks.py``). Parameters, gradients, buffers,
    modes and torch's random streams stay as they are; dropout draws the same mask every time; batch norm in
    training mode uses the probe's statistics.

    Args:
        model: runs in the mode that it is in.
        probe: a tensor, a tuple or list of arguments, or a mapping of keywords; copied.
        optimizer: with it, in a ``with`` block every ``optimizer.step()`` is followed by ``update()``.
        every: only every so many-th of these steps, >= 1: cheaper, and what is counted is then what differs
            between looks.
        smooth: classes of modules that are smooth although parts of theirs have kinks.

    Attributes:
        history: one :class:`Crossings` for each update.

    Raises:
        InputError: the model raises on the probe, its output there is NaN, or it has no values yet.

    >>> net = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU())
    >>> _ = nn.init.constant_(net[0].weight, 1.0)
    >>> kinks = KinkCounter(net, torch.tensor([[1.0], [2.0], [-1.0]]))
    >>> _ = nn.init.constant_(net[0].weight, -0.5)
    >>> kinks.update().by_module
    {'1': 3}
    """

    def __init__(
        self,
        model: nn.Module,
        probe: Any,
        *,
        optimizer: torch.optim.Optimizer | None = None,
        every: int = 1,
        smooth: Sequence[type] = (),
    ) -> None:
        self._model = unwrapped(model)
        with_values(self._model)
        self._optimizer, self._every = optimizer, whole("every", every, 1, None)
        self._watch = Watch(self._model, called(self._model, frozen(probe)), smooth)
        self._generators = _generators(self._model)
        self._handle: Any = None
        self._steps = 0
        self.history: list[Crossings] = []
        self._last, self._finite = self._look(), True
        if self._nan():
            raise InputError("the model's output on the probe holds NaN; look for NaN in weights and probe")

    def update(self) -> Crossings:
        """Look at the probe again, after a step; what was crossed since the last look."""
        now = self._look()
        counts, unmatched = crossings(self._last, now)
        by_module: dict[str, int] = {}
        for (name, *_), count in counts.items():
            by_module[name] = by_module.get(name, 0) + count
        of = sum(now[site].numel() for site in counts)
        self._last = now
        finite, self._finite = self._finite, not self._nan()
        step = self.history[-1].step if self.history else 0
        self.history.append(
            Crossings(max(step + 1, self._steps), by_module, of, unmatched, finite and self._finite)
        )
        return self.history[-1]

    def __enter__(self) -> KinkCounter:
        if self._optimizer is not None and self._handle is None:
            self._handle = self._optimizer.register_step_post_hook(self._stepped)
        return self

    def __exit__(self, *_: Any) -> None:
        if self._handle is not None:
            self._handle.remove()
            self._handle = None

    def observation(self) -> Observation:
        """What the looks so far show: the median share of kinks crossed, and where most were."""
        looks = self.history
        unknown = sorted(self._watch.unwatched)
        parameter = next(self._model.parameters(), None)
        dtype = "no parameters" if parameter is None else str(parameter.dtype).removeprefix("torch.")
        of = looks[-1].of if looks else sum(piece.numel() for piece in self._last.values())
        share = statistics.median(each.share for each in looks) if looks else 0.0
        numbers = {
            "looks": len(looks),
            "every": self._every,
            "margins": of,
            "median_share": share,
            "crossed": [each.total for each in looks],
            "dtype": dtype,
            "unwatched": unknown,
        }
        evidence = f"{of:,} margins on the probe, {len(looks):,} looks ({dtype})"
        if unknown:
            evidence += f"; not watched: {', '.join(unknown)}"
        if self._nan():
            title = "The model's output on the probe has become NaN."
            remedy = "Go back to a checkpoint from before, and take a smaller step."
            return Observation(
                "kinks-crossed", "unknown", title, evidence, "NaN is on no piece.", "", remedy, "", numbers
            )
        if not looks:
            return Observation(
                "kinks-crossed",
                "unknown",
                "No step has been watched.",
                evidence,
                remedy="Call update() after each step, or give the optimizer.",
                snippet="with KinkCounter(model, probe, optimizer=optimizer) as kinks: ...",
                numbers=numbers,
            )
        totals: dict[str, int] = {}
        for each in looks:
            for name, count in each.by_module.items():
                totals[name] = totals.get(name, 0) + count
        total = sum(totals.values())
        if not total:
            title = "No kink was crossed on the probe." if of else "The model has no kinks on the probe."
            level = "unknown" if unknown else "fine"
            why = "On one piece the loss of these inputs is as smooth as its smooth parts."
            return Observation("kinks-crossed", level, title, evidence, why, _SOURCE, numbers=numbers)
        most = max(totals, key=lambda name: totals[name])
        steps = "a step crosses" if self._every == 1 else f"{self._every} steps cross"
        where = most or "the model itself"
        return Observation(
            "kinks-crossed",
            "note",
            f"In the median {steps} {100 * share:.2g} % of the kinks.",
            f"{evidence}; {total:,} crossings in all, {totals[most]:,} of them in {where}",
            "Where a step crosses kinks the loss along it is not the quadratic of the Hessian at its start: "
            "sharpness and second differences leave out what the slopes do there.",
            _SOURCE,
            "Compare second differences over a step only as nonsmooth.diagnostics.second_difference judges "
            "them; a smaller step crosses fewer.",
            numbers=numbers,
            drawings=(self.draw(),),
        )

    def draw(self) -> Drawing:
        """Crossings a step, in all and by module, as a share of the margins watched."""
        if not self.history:
            raise InputError("no step has been watched; call update() after each step, then draw")
        with style():
            figure, axes = canvas(1)
            steps = [each.step for each in self.history]
            axes[0, 0].plot(
                steps, [100 * each.share for each in self.history], color="black", label="all", linewidth=2
            )
            names = sorted(
                {name for each in self.history for name in each.by_module},
                key=lambda name: -sum(each.by_module.get(name, 0) for each in self.history),
            )
            for name in names[:5]:
                part = [100 * each.by_module.get(name, 0) / max(each.of, 1) for each in self.history]
                axes[0, 0].plot(steps, part, label=name or "model", linewidth=0.9)
            axes[0, 0].set(xlabel="step", ylabel="kinks crossed, % of margins", title="Kinks crossed a step")
            axes[0, 0].legend()
        count = len(self.history)
        caption = (
            f"Share of the margins on the probe that changed their sign, or their largest candidate, in "
            f"each of {count} steps; the modules that cross most."
        )
        return Drawing("kinks-crossed", caption, figure)

    def _stepped(self, *_: Any) -> None:
        self._steps += 1
        if self._steps % self._every == 0:
            self.update()

    def _nan(self) -> bool:
        leaves = pytree.tree_leaves(self._watch.output)
        return any(bool(each.isnan().any()) for each in leaves if is_real(each))

    def _look(self) -> Pattern:
        # Batch norm writes into its buffers in training mode: it is lent copies. Put back by writing, the
        # buffers would count as changed, and a graph that is still to be derived would refuse them.
        buffers = [
            (holder, name, buffer)
            for module in self._watch.modules
            if (holder := module._buffers)
            for name, buffer in holder.items()
            if buffer is not None
        ]
        states = [each.get_state() for each in self._generators]
        try:
            for holder, name, buffer in buffers:
                holder[name] = buffer.detach().clone()
            for each in self._generators:
                each.manual_seed(0)
            return self._watch.look()
        finally:
            for each, state in zip(self._generators, states, strict=True):
                each.set_state(state)
            for holder, name, buffer in buffers:
                holder[name] = buffer


def _generators(model: nn.Module) -> list[torch.Generator]:
    """Those that the model may draw from; ``torch.manual_seed`` would reach all, for 0.1 ms."""
    devices = sorted({p.device.index or 0 for p in model.parameters() if p.device.type == "cuda"})
    return [torch.default_generator, *(torch.cuda.default_generators[d] for d in devices)]
