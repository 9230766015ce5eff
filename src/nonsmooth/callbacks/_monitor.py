"""A row every few steps of a training: step sizes, kinks crossed, sharpness against the edge, zeros."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Protocol, TypedDict

import torch
from torch import nn
from torch.utils import _pytree as pytree

from nonsmooth.callbacks._ranks import check_alone, is_first
from nonsmooth.diagnostics._checks import whole
from nonsmooth.diagnostics._crossings import KinkCounter
from nonsmooth.diagnostics._randomness import randomness_kept
from nonsmooth.diagnostics._sharpness_tracker import SharpnessTracker
from nonsmooth.errors import InputError
from nonsmooth.methods._metric import check_metric
from nonsmooth.methods._penalised import Penalised
from nonsmooth.methods._selection import Selection

__all__ = ["Monitor", "Row", "Settings", "Sink"]

Row = dict[str, float | int | None]
Penalty = Penalised | Selection | Callable[[nn.Module], Penalised | Selection]


class Sink(Protocol):
    """Where rows go: anything with these two methods."""

    def write(self, row: Row, /) -> None:
        """Keep a row; it has "step", and None where nothing was measured."""
        ...

    def close(self) -> None:
        """Called once the training is over."""
        ...


class Settings(TypedDict, total=False):
    """The settings of :class:`Monitor`, for the callbacks that make one."""

    probe: Any
    loss_fn: Callable[..., Any] | None
    batches: Iterable[Any] | None
    penalty: Penalty | None
    every: int
    sharpness_every: int
    sinks: Sequence[Sink]


class Monitor:
    """Watches a training; call :meth:`after_step` after each ``optimizer.step()``, before the schedule's.

    The training goes on bit for bit as without: weights, gradients, buffers, modes, the optimiser's state and
    all random streams (torch, numpy, Python) stay as they are. The model is measured in the mode it is in.

    A row holds "step"; "lr_0", "lr_1", ...: the learning rate of each group; and, where asked for,

    ======================== ================================================================================
    kinks_crossed            pieces changed on the probe since the last row (``KinkCounter``)
    kinks_crossed_share      of all that are watched, 0 to 1
    sharpness                largest eigenvalue of the Hessian in the optimiser's metric
    sharpness_residual       its relative residual; above 1e-3 it has not converged and is not to be used
    edge                     the sharpness at which the optimiser's step stops being stable: 2/lr for SGD
    sharpness_over_edge      above 1: unstable along the first eigenvector
    zero_share               exact zeros among the penalised weights, 0 to 1
    l1_norm                  of the penalised weights
    ======================== ================================================================================

    Where several processes train one model (torch.distributed), each that has a Monitor measures its own
    copy on its own probe and batches, waiting for no other, and only the first one writes to the sinks: on
    equal weights their rows are equal where probe and batches are.

    None is "not measured at this step". NaN is "cannot be measured", such as the sharpness of weights that
    are not finite, or the edge of a step of 0; a warning says why, once, and the training goes on.

    Args:
        model: a module whose weights are whole and on this process.
        optimizer: a torch optimiser.
        probe: inputs for the kinks: a tensor, a tuple of arguments or a mapping of keywords; copied to the
            model's device. 1/16 of a batch costs about a tenth of a step.
        loss_fn: the mean loss of a batch, ``loss_fn(model(x), y)`` for a pair, ``loss_fn(model, batch)`` for
            another.
        batches: an iterable of batches for the sharpness; read once, now, and kept.
        penalty: what ``ns.attach`` or ``ns.select_weights`` returned, a proximal optimiser, or a function of
            the model that gives one of these, such as ``ns.select_weights`` itself.
        every: a row at each multiple of so many steps.
        sharpness_every: the sharpness at each multiple of so many steps, itself a multiple of ``every``; 0:
            never. It costs tens of gradients.
        sinks: where each row goes beside :attr:`rows`.
        step: steps taken before: those of the checkpoint that a run goes on from.

    Attributes:
        rows: all rows since the start.
        step: steps counted.
        kinks: the ``KinkCounter`` (by module, to draw), or None.
        sharpness: the ``SharpnessTracker``, or None.

    Raises:
        InputError: a value of the wrong kind or range, a probe that the model does not accept, an optimiser
            without a diagonal metric where the sharpness is asked for, sharded or lazy weights, a model on
            several processes whose layers wait for each other (SyncBatchNorm).

    >>> import torch, nonsmooth as ns
    >>> model = torch.nn.Sequential(torch.nn.Linear(1, 1, bias=False), torch.nn.ReLU())
    >>> _ = torch.nn.init.constant_(model[0].weight, 1.0)
    >>> optimizer = torch.optim.SGD(model.parameters(), lr=3.0)
    >>> with Monitor(model, optimizer, probe=torch.ones(4, 1), penalty=ns.select_weights) as monitor:
    ...     model(torch.ones(4, 1)).mean().backward()
    ...     optimizer.step()
    ...     row = monitor.after_step()
    >>> row["kinks_crossed"], row["zero_share"], row["l1_norm"]
    (4, 0.0, 2.0)
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: Any,
        *,
        probe: Any = None,
        loss_fn: Callable[..., Any] | None = None,
        batches: Iterable[Any] | None = None,
        penalty: Penalty | None = None,
        every: int = 1,
        sharpness_every: int = 0,
        sinks: Sequence[Sink] = (),
        step: int = 0,
    ) -> None:
        _check_model(model)
        self._model = model
        # What Accelerate and Lightning have wrapped, and what an attachment is attached to.
        optimizer = getattr(optimizer, "optimizer", optimizer)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise InputError(f"optimizer is a {type(optimizer).__name__}; give a torch.optim.Optimizer")
        self._optimizer = optimizer
        self._every = whole("every", every, 1, None)
        self._sharpness_every = whole("sharpness_every", sharpness_every, 0, None)
        if self._sharpness_every % self._every:
            raise InputError(
                f"sharpness_every = {sharpness_every} is not allowed with every = {every}; give a multiple "
                "of it, or 0 for no sharpness"
            )
        if probe is not None or self._sharpness_every:
            check_alone(model)
        self._sinks = _checked_sinks(sinks) if is_first() else ()
        self._weights = _weights(model, penalty)
        self._said: set[str] = set()
        self.step = whole("step", step, 0, None)
        self.rows: list[Row] = []
        self.kinks: KinkCounter | None = None
        self.sharpness: SharpnessTracker | None = None
        with _randomness_kept(batches):
            if probe is not None:
                self.kinks = KinkCounter(model, _on_device_of(model, probe))
            if self._sharpness_every:
                self.sharpness = _tracker(model, optimizer, loss_fn, batches)

    def after_step(self) -> Row | None:
        """Count a step, and write its row if it is due: then the row, else None."""
        self.step += 1
        if self.step % self._every:
            return None
        row: Row = {"step": self.step}
        row |= {f"lr_{k}": float(group["lr"]) for k, group in enumerate(self._optimizer.param_groups)}
        with _randomness_kept():
            row |= self._kink_cells() | self._sharpness_cells()
        row |= _weight_cells(self._weights)
        self.rows.append(row)
        for sink in self._sinks:
            self._written(sink, row)
        return row

    def close(self) -> None:
        """Close the sinks."""
        for sink in self._sinks:
            sink.close()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _kink_cells(self) -> Row:
        if self.kinks is None:
            return {}
        found = self._measured(self.kinks.update)
        if found is not None and not found.finite:
            self._warn("the model's output on the probe is NaN, and NaN is on no piece")
        if found is None or not found.finite:
            return {"kinks_crossed": float("nan"), "kinks_crossed_share": float("nan")}
        return {"kinks_crossed": found.total, "kinks_crossed_share": found.share}

    def _sharpness_cells(self) -> Row:
        if self.sharpness is None:
            return {}
        names = ("sharpness", "sharpness_residual", "edge", "sharpness_over_edge")
        if self.step % self._sharpness_every:
            return dict.fromkeys(names)
        found = self._measured(self.sharpness.record)
        if found is None:
            return dict.fromkeys(names, float("nan"))
        if not found.finite:
            self._warn(found.why)
        return dict(
            zip(names, (found.value, float(found.residuals[0]), found.edge, found.ratio), strict=True)
        )

    def _measured(self, measure: Callable[[], Any]) -> Any:
        """The measurement, or None and a warning: who watches a training must not end it."""
        try:
            check_alone(self._model)  # it may have been in evaluation mode when this was made
            return measure()
        except Exception as error:
            self._warn(str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {error}")
            return None

    def _written(self, sink: Sink, row: Row) -> None:
        """A full disk must not end a training either; the row is in :attr:`rows` all the same."""
        try:
            sink.write(row)
        except Exception as error:
            said = f"{type(error).__name__}: {error}"
            self._warn(said, f"{type(sink).__name__} lost the row of step {self.step}")

    def _warn(self, why: str, what: str = "") -> None:
        """Once for each reason."""
        if why not in self._said:
            self._said.add(why)
            warnings.warn(f"{what or f'not measured at step {self.step}'}: {why}", stacklevel=5)


def _check_model(model: Any) -> None:
    if not isinstance(model, nn.Module):
        raise InputError(f"model is a {type(model).__name__}; give a torch.nn.Module")
    for name, p in model.named_parameters():
        if nn.parameter.is_lazy(p):
            raise InputError(f"{name} is lazy and has no shape yet; run the model once, then monitor it")
        if hasattr(p, "to_local"):
            raise InputError(
                f"{name} is sharded over processes ({type(p).__name__}), and one process cannot measure it; "
                "give a model whose weights are whole"
            )


def _checked_sinks(sinks: Any) -> tuple[Sink, ...]:
    if not isinstance(sinks, Sequence) or isinstance(sinks, str):
        raise InputError(f"sinks is a {type(sinks).__name__}; give a list, such as [CsvSink('rows.csv')]")
    for sink in sinks:
        if not all(callable(getattr(sink, name, None)) for name in ("write", "close")):
            raise InputError(
                f"a sink is a {type(sink).__name__} without write and close; give a CsvSink, a "
                "TensorBoardSink or an object with these methods"
            )
    return tuple(sinks)


def _tracker(
    model: nn.Module, optimizer: torch.optim.Optimizer, loss_fn: Callable[..., Any] | None, batches: Any
) -> SharpnessTracker:
    if loss_fn is None or batches is None:
        raise InputError("sharpness_every needs loss_fn and batches; give both, or sharpness_every = 0")
    if not callable(loss_fn):
        raise InputError(f"loss_fn is a {type(loss_fn).__name__}; give a function that returns a mean loss")
    try:
        check_metric(optimizer)
    except InputError as error:
        raise InputError(f"{error}; or sharpness_every = 0, to go without") from error
    if not isinstance(batches, Iterable) or not (kept := list(batches)):
        raise InputError(f"batches is a {type(batches).__name__} without a batch; give at least one batch")
    return SharpnessTracker(model, loss_fn, kept, optimizer)


def _weights(model: nn.Module, penalty: Any) -> list[torch.Tensor]:
    """The penalised weights, each once."""
    if penalty is None:
        return []
    if not isinstance(penalty, Penalised | Selection) and callable(penalty):
        penalty = penalty(model)
    if isinstance(penalty, Penalised):
        found = [term.parameter for term in penalty.terms]
    elif isinstance(penalty, Selection):
        found = [parameter for _, parameter in penalty]
    else:
        raise InputError(
            f"penalty is a {type(penalty).__name__}; give what ns.attach or ns.select_weights returned, or "
            "ns.select_weights itself"
        )
    if not found:
        raise InputError("penalty holds no weights; give one that penalises some, or None")
    return list(dict.fromkeys(found))


@torch.no_grad()
def _weight_cells(weights: Sequence[torch.Tensor]) -> Row:
    if not weights:
        return {}
    device = weights[0].device
    wide = torch.float64 if weights[0].dtype == torch.float64 else torch.float32
    weights = [p if p.element_size() > 1 else p.to(wide) for p in weights]  # float8 has no arithmetic
    zeros = torch.stack([(p == 0).sum().to(device) for p in weights]).sum()
    norm = torch.stack([p.abs().sum(dtype=wide).to(device) for p in weights]).sum()
    return {"zero_share": int(zeros) / max(sum(p.numel() for p in weights), 1), "l1_norm": float(norm)}


def _on_device_of(model: nn.Module, probe: Any) -> Any:
    first = next(chain(model.parameters(), model.buffers()), None)
    if first is None:
        return probe
    return pytree.tree_map_only(torch.Tensor, lambda t: t.to(first.device), probe)


@contextmanager
def _randomness_kept(batches: Any = None) -> Iterator[None]:
    """Python's, numpy's and torch's random streams afterwards as before, and those of a DataLoader."""
    owners = (batches, getattr(batches, "sampler", None))
    generators = {
        each for each in (getattr(owner, "generator", None) for owner in owners) if each is not None
    }
    states = [(each, each.get_state()) for each in generators if isinstance(each, torch.Generator)]
    try:
        with randomness_kept():
            yield
    finally:
        for generator, state in states:
            generator.set_state(state)
