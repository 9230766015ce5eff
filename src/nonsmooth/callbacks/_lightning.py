"""The monitor as a callback of Lightning."""

from __future__ import annotations

import inspect
from typing import Any, Unpack

from nonsmooth.callbacks._monitor import Monitor, Row, Settings
from nonsmooth.callbacks._ranks import made_by_first
from nonsmooth.errors import InputError

__all__ = ["LightningMonitor"]


def LightningMonitor(*, part: str = "", **settings: Unpack[Settings]) -> Any:
    """A ``lightning.pytorch.Callback`` that monitors ``trainer.fit``: ``Trainer(callbacks=[...])``.

    It counts steps of the optimiser, not batches: with ``accumulate_grad_batches`` a row is of the step that
    several batches made. Learning rates are those of the step taken. A run that is resumed counts on. With
    several processes the first one measures, on its own copy of the weights, its probe and its batches; the
    others wait for it in their next step, and have no rows.

    Args:
        part: name of the submodule to measure, such as "model"; "": the whole LightningModule, which then
            needs a ``forward``.
        settings: those of :class:`nonsmooth.callbacks.Monitor`. A function as ``penalty`` gets the whole
            LightningModule: ``penalty=lambda module: module.prox``, made in ``configure_optimizers``.

    Returns:
        The callback; ``.monitor`` is the Monitor of the last ``fit`` (None before, and on other processes),
        ``.rows`` its rows.

    Raises:
        InputError: Lightning is not installed. When training starts, on all processes: no such part, several
            optimisers, or what Monitor refuses.

    ::

        trainer = Trainer(callbacks=[LightningMonitor(part="model", probe=x[:8], sinks=[CsvSink("r.csv")])])
    """
    try:
        from lightning.pytorch import Callback
    except ImportError as error:
        raise InputError(
            f"LightningMonitor needs the package lightning ({error}); pip install lightning"
        ) from error
    inspect.signature(Monitor).bind(None, None, step=0, **settings)  # a name that is none: now, not later

    class _LightningMonitor(Callback):
        monitor: Monitor | None = None
        _handle: Any = None

        @property
        def rows(self) -> list[Row]:
            return self.monitor.rows if self.monitor else []

        def on_train_start(self, trainer: Any, pl_module: Any) -> None:
            monitor = self.monitor = made_by_first(trainer.is_global_zero, lambda: made(trainer, pl_module))
            if monitor is not None:
                # After the step, before the schedule: on_train_batch_end comes after both, for every batch.
                (optimizer,) = trainer.optimizers
                self._handle = optimizer.register_step_post_hook(lambda *_: monitor.after_step() and None)

        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            self._stop()

        def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
            self._stop()

        def _stop(self) -> None:
            if self._handle is not None and self.monitor is not None:
                self._handle.remove()
                self._handle = None
                self.monitor.close()

    def made(trainer: Any, pl_module: Any) -> Monitor:
        if len(trainer.optimizers) != 1:
            raise InputError(
                f"{type(pl_module).__name__} has {len(trainer.optimizers)} optimisers; LightningMonitor "
                "watches one, so make a Monitor of each yourself, and call after_step() after its steps"
            )
        (optimizer,) = trainer.optimizers
        given: Settings = {**settings}
        if callable(penalty := given.get("penalty")):
            given["penalty"] = penalty(pl_module)
        return Monitor(_part(pl_module, part), optimizer, step=trainer.global_step, **given)

    return _LightningMonitor()


def _part(module: Any, name: str) -> Any:
    try:
        return module.get_submodule(name)
    except AttributeError as error:
        names = ", ".join(name for name, _ in module.named_children())
        raise InputError(f"part = {name!r} is no submodule; give one of: {names}, or one inside") from error
