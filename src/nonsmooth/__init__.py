"""nonsmooth: where non-differentiability matters in training, and where it is blamed for something else.

Submodules and names are imported when first used, so that ``import nonsmooth`` costs nothing::

    ns.objectives, ns.penalties, ns.methods     the composite problem and how to minimise it
    ns.minimize(f, ...)                         a population of runs
    ns.testbed                                  the paper's network as a test problem for any method
    ns.claims                                   the paper's claims: run, judged, drawn
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nonsmooth._version import __version__

if TYPE_CHECKING:
    from nonsmooth import (
        claims,
        datasets,
        findings,
        methods,
        objectives,
        penalties,
        runs,
        testbed,
        trajectories,
    )
    from nonsmooth.errors import InputError
    from nonsmooth.methods import Constant, Diminishing, Reducing
    from nonsmooth.penalties import L1, ElasticNet
    from nonsmooth.trajectories import Record, Run, minimize

_MODULES = (
    "claims",
    "datasets",
    "findings",
    "methods",
    "objectives",
    "penalties",
    "runs",
    "testbed",
    "trajectories",
)
_NAMES = {
    "Constant": "methods",
    "Diminishing": "methods",
    "ElasticNet": "penalties",
    "InputError": "errors",
    "L1": "penalties",
    "Record": "trajectories",
    "Reducing": "methods",
    "Run": "trajectories",
    "minimize": "trajectories",
}

__all__ = [
    "L1",
    "Constant",
    "Diminishing",
    "ElasticNet",
    "InputError",
    "Record",
    "Reducing",
    "Run",
    "__version__",
    "claims",
    "datasets",
    "findings",
    "methods",
    "minimize",
    "objectives",
    "penalties",
    "runs",
    "testbed",
    "trajectories",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"nonsmooth.{name}")
    if name in _NAMES:
        return getattr(import_module(f"nonsmooth.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'nonsmooth' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
