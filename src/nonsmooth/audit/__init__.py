"""What a training run really is: where its kinks are, which theorems apply, what its penalty can reach.

::

    ns.audit(model, example, loss, optimizer=...)   all of it, as observations with evidence and remedy
    smoothness_of(model, example, loss)             the smoothness class, and the shortest path that causes it
    schedule_of(optimizer, scheduler, steps)        the step sizes one by one, and their sums
    assumptions(smoothness, schedule, optimizer)    what theorems ask for, and whether it holds here
    what_l1_reaches(terms, model, optimizer)        L1 terms in the loss, held against ``nonsmooth.floor``
    watch(step, model, optimizer)                   thresholds by hand: which strength they solve for
    declare_smoothness(Module, "C1,1")              what is known better of a module

The package itself can be called: ``nonsmooth.audit(...)`` is ``nonsmooth.audit.audit(...)``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nonsmooth.audit._assumptions import Assumption, assumption_observations, assumptions
    from nonsmooth.audit._audit import audit
    from nonsmooth.audit._audit_result import Audit, check_words, told
    from nonsmooth.audit._declared import declare_smoothness
    from nonsmooth.audit._operations import operation
    from nonsmooth.audit._operations_row import Operation
    from nonsmooth.audit._penalty import penalised_on_purpose, what_l1_reaches
    from nonsmooth.audit._schedule_observations import reach, schedule_observations, too_short
    from nonsmooth.audit._schedules import ScheduleFacts, schedule_of
    from nonsmooth.audit._smoothness import Smoothness, smoothness_of
    from nonsmooth.audit._threshold import Watched, watch

_NAMES = {
    "Assumption": "_assumptions",
    "Audit": "_audit_result",
    "Operation": "_operations_row",
    "ScheduleFacts": "_schedules",
    "Smoothness": "_smoothness",
    "Watched": "_threshold",
    "assumption_observations": "_assumptions",
    "assumptions": "_assumptions",
    "audit": "_audit",
    "check_words": "_audit_result",
    "declare_smoothness": "_declared",
    "operation": "_operations",
    "penalised_on_purpose": "_penalty",
    "reach": "_schedule_observations",
    "schedule_observations": "_schedule_observations",
    "schedule_of": "_schedules",
    "smoothness_of": "_smoothness",
    "told": "_audit_result",
    "too_short": "_schedule_observations",
    "watch": "_threshold",
    "what_l1_reaches": "_penalty",
}

__all__ = [
    "Assumption",
    "Audit",
    "Operation",
    "ScheduleFacts",
    "Smoothness",
    "Watched",
    "assumption_observations",
    "assumptions",
    "audit",
    "check_words",
    "declare_smoothness",
    "operation",
    "penalised_on_purpose",
    "reach",
    "schedule_observations",
    "schedule_of",
    "smoothness_of",
    "told",
    "too_short",
    "watch",
    "what_l1_reaches",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"nonsmooth.audit.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'nonsmooth.audit' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


class _Callable(ModuleType):
    """``nonsmooth.audit`` is a package and, to its users, a function."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        return import_module("nonsmooth.audit._audit").audit(*args, **options)


sys.modules[__name__].__class__ = _Callable
