"""What happens during a training, written down as it goes; the training itself stays as it is.

::

    Monitor(model, optimizer, ...)   kinks crossed, sharpness against the edge, zeros: a row every few steps
    CsvSink(path)                    rows to a file that survives a kill and goes on after a resume
    TensorBoardSink(folder)          rows to TensorBoard
    LightningMonitor(...)            the monitor as a callback of Lightning
    TrainerMonitor(...)              the monitor as a callback of the Hugging Face Trainer

Names are imported when first used, and Lightning, transformers and TensorBoard when one is made that needs
them: none is a dependency.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nonsmooth.callbacks._csv import CsvSink
    from nonsmooth.callbacks._lightning import LightningMonitor
    from nonsmooth.callbacks._monitor import Monitor, Row, Sink
    from nonsmooth.callbacks._tensorboard import TensorBoardSink
    from nonsmooth.callbacks._trainer import TrainerMonitor

_NAMES = {
    "CsvSink": "_csv",
    "LightningMonitor": "_lightning",
    "Monitor": "_monitor",
    "Row": "_monitor",
    "Sink": "_monitor",
    "TensorBoardSink": "_tensorboard",
    "TrainerMonitor": "_trainer",
}

__all__ = [
    "CsvSink",
    "LightningMonitor",
    "Monitor",
    "Row",
    "Sink",
    "TensorBoardSink",
    "TrainerMonitor",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"nonsmooth.callbacks.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'nonsmooth.callbacks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
