"""The monitor as a callback of the Hugging Face Trainer."""

from __future__ import annotations

import inspect
from typing import Any, Unpack

from nonsmooth.callbacks._monitor import Monitor, Row, Settings
from nonsmooth.callbacks._ranks import made_by_first
from nonsmooth.errors import InputError

__all__ = ["TrainerMonitor"]


def TrainerMonitor(**settings: Unpack[Settings]) -> Any:
    """A ``transformers.TrainerCallback`` that monitors ``Trainer.train``: ``Trainer(callbacks=[...])``.

    It counts steps of the optimiser: with ``gradient_accumulation_steps`` a row is of the step that several
    batches made. Learning rates are those of the step taken. A run that is resumed counts on. With several
    processes the first one measures, on its own copy of the weights, its probe and its batches; the others
    wait for it in their next step, and have no rows.

    Args:
        settings: those of :class:`nonsmooth.callbacks.Monitor`. The probe is a mapping of the model's
            keywords; ``loss_fn=lambda model, batch: model(**batch)["loss"]`` is the model's own loss of a
            batch that is a mapping.

    Returns:
        The callback; ``.monitor`` is the Monitor of the last ``train`` (None before, and on other processes),
        ``.rows`` its rows.

    Raises:
        InputError: transformers is not installed. When training starts, on all processes: what Monitor
            refuses.

    ::

        trainer = Trainer(model, args, callbacks=[TrainerMonitor(penalty=prox, sinks=[CsvSink("r.csv")])])
    """
    try:
        from transformers import TrainerCallback
    except ImportError as error:
        raise InputError(
            f"TrainerMonitor needs the package transformers ({error}); pip install transformers accelerate"
        ) from error
    inspect.signature(Monitor).bind(None, None, step=0, **settings)  # a name that is none: now, not later

    class _TrainerMonitor(TrainerCallback):
        monitor: Monitor | None = None

        @property
        def rows(self) -> list[Row]:
            return self.monitor.rows if self.monitor else []

        def on_train_begin(self, args: Any, state: Any, control: Any, **now: Any) -> None:
            self.monitor = made_by_first(
                state.is_world_process_zero,
                lambda: Monitor(now["model"], now["optimizer"], step=state.global_step, **settings),
            )

        # Before the schedule's step, unlike on_step_end.
        def on_optimizer_step(self, args: Any, state: Any, control: Any, **now: Any) -> None:
            if self.monitor:
                self.monitor.after_step()

        def on_train_end(self, args: Any, state: Any, control: Any, **now: Any) -> None:
            if self.monitor:
                self.monitor.close()

    return _TrainerMonitor()
