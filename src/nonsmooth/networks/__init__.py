"""Networks: what can be done to a trained one as it stands.

::

    compact(model, example)    a smaller model with the same outputs: zero filters and neurons removed

Names are imported when first used: they need torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nonsmooth.networks._compact import compact
    from nonsmooth.networks._compaction import Compaction, LayerChange

_NAMES = {"Compaction": "_compaction", "LayerChange": "_compaction", "compact": "_compact"}

__all__ = ["Compaction", "LayerChange", "compact"]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"nonsmooth.networks.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'nonsmooth.networks' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
