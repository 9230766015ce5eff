"""Which piece each operation with kinks is on, for a model on a fixed probe; two such patterns compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.compiler import set_stance
from torch.nn.parameter import UninitializedParameter
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from nonsmooth.diagnostics._kinks import CUTS, INDICES, SELECTIONS, Cut, Selection, is_real, unwatched
from nonsmooth.diagnostics._mean_gradient import _nothing_else_touched
from nonsmooth.diagnostics._tape import Modules
from nonsmooth.errors import InputError
from nonsmooth.networks import AnalyticReLU, SmoothedReLU

__all__ = [
    "Pattern",
    "Site",
    "Watch",
    "called",
    "crossings",
    "frozen",
    "held",
    "in_words",
    "is_smooth",
    "with_values",
]

# (module, operation, margin, how many times before in this computation): one place with kinks.
Site = tuple[str, str, int, int]
Pattern = dict[Site, torch.Tensor]
_Found = tuple[Any, int, torch.Tensor, Any]  # the operation, its margin, the piece, whose it is
_ALL = 50  # looks, of which one is at every operation
_RELU, _RELU_ = torch.ops.aten.relu.default, torch.ops.aten.relu_.default
# Computed from parts with kinks that cancel.
_SMOOTH = (SmoothedReLU, AnalyticReLU)


class _Pieces(TorchDispatchMode):
    """Keeps the pieces of all operations with kinks in their order; ``where`` says whose each is."""

    def __init__(self, where: Callable[[], Any]) -> None:
        super().__init__()
        self._where = where
        self.found: list[_Found] = []
        self.unwatched: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        rule = _rule(func)
        if rule is None or not is_real(args[0]):
            if func not in INDICES and unwatched(func, args):
                self.unwatched.add(func.overloadpacket.__name__)
            return func(*args, **kwargs) if kwargs else func(*args)
        kwargs, place = kwargs or {}, self._where()
        if isinstance(rule, Cut):  # before the operation, which may be in place
            for k, margin in enumerate(rule.margins(*args, **kwargs)):
                self.found.append((func, k, margin.relu().bool(), place))  # > 0, in a third of its time
            return func(*args, **kwargs)
        output = func(*args, **kwargs)
        if isinstance(rule, int):
            taken = output[rule]
        elif rule.index is not None:
            taken = output[rule.index]
        else:
            taken = (rule.candidates(*args, **kwargs) * rule.sign).argmax(-1)
        self.found.append((func, 0, taken, place))
        return output


def _nowhere() -> None:
    """A later look needs no names."""


@cache
def _rule(func: Any) -> Cut | Selection | int | None:
    return CUTS.get(func.overloadpacket) or SELECTIONS.get(func) or INDICES.get(func)


def is_smooth(module: nn.Module) -> bool:
    """Whether a module is known to be smooth although parts of it have kinks."""
    return isinstance(module, _SMOOTH)


def with_values(model: nn.Module) -> None:
    """Refuse a model whose parameters have no values.

    Raises:
        InputError: a lazy module that has not seen a batch, or one on the meta device.
    """
    for name, each in model.named_parameters():
        if isinstance(each, UninitializedParameter):
            raise InputError(f"{name} of a lazy module has no values; run the model once on a batch first")
        if each.is_meta:
            raise InputError(f"{name} is on the meta device and has no values; load the weights first")


@contextmanager
def in_words(where: str, remedy: str) -> Iterator[None]:
    """What a user's code raises, as an InputError in one line."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:160]
        raise InputError(f"{where} raises {type(error).__name__} ({said}); {remedy}") from error


def held(model: nn.Module, batches: Any) -> list[Any]:
    """The batches in a list; what a loader draws to shuffle them leaves no trace."""
    with in_words("batches", "give an iterable of batches"), _nothing_else_touched(model, (), batches):
        return list(batches)


def called(model: nn.Module, probe: Any) -> Callable[[], Any]:
    """``model`` on the probe: one tensor, a tuple or list of arguments, or a mapping of keywords."""
    if isinstance(probe, Mapping):
        return lambda: model(**probe)
    if isinstance(probe, tuple | list):
        return lambda: model(*probe)
    return lambda: model(probe)


class Watch:
    """The pattern of a computation, taken again and again.

    The first time every operation is looked at, and the modules are followed for their names. Later only
    those that the owners, the modules that called operations with kinks, call themselves: what the others do
    then costs nothing. All is looked at again where the owners have called others than before, where a
    module has changed its mode, and every 50th time.

    Args:
        model: gives the names.
        compute: what to look at.
        smooth: classes of modules that are smooth although parts of theirs have kinks.

    Attributes:
        modules: those of the model, as last seen.
        unwatched: names of operations met that select, and are not looked into.
        output: what the computation returned last.
    """

    def __init__(self, model: nn.Module, compute: Callable[[], Any], smooth: Sequence[type] = ()) -> None:
        self._model, self._modules, self._compute = model, Modules(model), compute
        self._smooth = (*_SMOOTH, *smooth)
        self._order: list[tuple[Any, int]] = []
        self._sites: list[Site | None] = []
        self._switches: dict[nn.Module, Callable[..., Any]] = {}
        self.modules = list(model.modules())
        self._modes: list[bool] = []
        self._pieces = _Pieces(_nowhere)  # one for all later looks: making it costs more than a ReLU
        self._on: _Pieces | None = None
        self._looks = 0
        self._compiled = False
        self.unwatched: set[str] = set()
        self.output: Any = None

    def look(self) -> Pattern:
        """The piece of every operation with kinks.

        Raises:
            InputError: the computation raises.
        """
        modes = [module.training for module in self.modules]
        found = None
        if self._looks % _ALL and modes == self._modes:
            found = self._some()
            if [row[:2] for row in found] != self._order:
                found = None
        if found is None:
            self.modules = list(self._model.modules())
            self._modes = [module.training for module in self.modules]
            self._compiled = any(vars(m).get("_compiled_call_impl") is not None for m in self.modules)
            found = self._all()
        self._looks += 1
        return {site: row[2] for site, row in zip(self._sites, found, strict=True) if site is not None}

    def _all(self) -> list[_Found]:
        """Every operation."""
        pieces = _Pieces(self._place)
        with self._modules.followed(), pieces:
            self._run()
        self.unwatched |= pieces.unwatched
        self._order = [row[:2] for row in pieces.found]
        turns: dict[tuple[str, str, int], int] = {}
        self._sites = []
        for func, margin, _, (name, inside) in pieces.found:
            key = (name, func.overloadpacket.__name__.rstrip("_"), margin)
            turns[key] = turns.get(key, -1) + 1
            self._sites.append(None if inside else (*key, turns[key]))
        named = {each: name for name, each in self._model.named_modules()}
        names = {name for *_, (name, _) in pieces.found}
        owners = [each for each, name in named.items() if name in names]
        self._switches = {each: self._switch(each, True) for each in owners}
        for owner in owners:
            for child in owner.children():
                self._switches.setdefault(child, self._switch(child, False))
        if not names <= set(named.values()):  # a module from elsewhere: the whole model is to be looked at
            self._switches = {self._model: self._switch(self._model, True)}
        return pieces.found

    def _some(self) -> list[_Found]:
        """The operations that the owners call themselves."""
        found = self._pieces.found = []
        kept = {module: vars(module).get("forward") for module in self._switches}
        try:
            for module, switch in self._switches.items():
                vars(module)["forward"] = switch
            self._run()
        finally:
            for module, forward in kept.items():
                if forward is None:
                    del vars(module)["forward"]
                else:
                    vars(module)["forward"] = forward
        return found

    def _switch(self, module: nn.Module, on: bool) -> Callable[..., Any]:
        """The module's forward, with looking switched on or off while it runs itself."""
        forward = module.forward
        if type(module) is nn.ReLU and on and "forward" not in vars(module):
            # the most frequent by far: a mode costs more than it does
            func, relu = (_RELU_, torch.relu_) if module.inplace else (_RELU, torch.relu)

            def direct(input: torch.Tensor) -> torch.Tensor:
                output = relu(input)
                if self._on is None and is_real(input):  # else it is seen, or has no kinks
                    self._pieces.found.append((func, 0, output.bool(), None))
                return output

            return direct

        def switched(*args: Any, **kwargs: Any) -> Any:
            before = self._on is not None
            self._turn(on)
            try:
                return forward(*args, **kwargs)
            finally:
                self._turn(before)

        return switched

    def _turn(self, on: bool) -> None:
        if on and self._on is None:
            self._on = self._pieces.__enter__()
        elif not on and self._on is not None:
            self._on.__exit__(None, None, None)
            self._on = None

    def _run(self) -> None:
        """No gradients, nothing compiled, none of torch's fused encoder layers: they hide their activations.

        Casts are not kept: autocast would give those made here, without gradients, to the training step.
        """
        fused, kept = torch.backends.mha.get_fastpath_enabled(), torch.is_autocast_cache_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        torch.set_autocast_cache_enabled(False)
        try:
            with torch.no_grad(), set_stance("force_eager") if self._compiled else nullcontext():
                self.output = self._compute()
        except Exception as error:
            with in_words("the model", "give a probe that it accepts"):
                raise error
        finally:
            torch.backends.mha.set_fastpath_enabled(fused)
            torch.set_autocast_cache_enabled(kept)

    def _place(self) -> tuple[str, bool]:
        """The module at work, and whether it is inside one that is smooth."""
        return self._modules.name, any(isinstance(each, self._smooth) for each in self._modules.running)


def crossings(before: Pattern, after: Pattern) -> tuple[dict[Site, int], int]:
    """How many pieces differ at each place in both; how many places are in one only, or changed shape."""
    changed: dict[Site, torch.Tensor] = {}
    for site, piece in after.items():
        old = before.get(site)
        if old is not None and old.shape == piece.shape:
            differs = old != piece
            changed[site] = differs if differs.is_cpu else differs.count_nonzero()
    # all are asked before the first is read: nothing waits for a device in between
    counts = {
        site: int(np.count_nonzero(each.numpy()) if each.is_cpu else each) for site, each in changed.items()
    }
    return counts, len(before) + len(after) - 2 * len(counts)


def frozen(probe: Any) -> Any:
    """A copy of the probe that nobody else writes into."""
    return pytree.tree_map_only(torch.Tensor, lambda t: t.detach().clone(), probe)
