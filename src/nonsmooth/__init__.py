"""nonsmooth: where non-differentiability matters in training, and where it is blamed for something else.

Submodules and names are imported when first used, so that ``import nonsmooth`` costs nothing::

    ns.objectives, ns.penalties, ns.methods     the composite problem and how to minimise it
    ns.minimize(f, ...)                         a population of runs
    ns.attach(optimizer, ns.L1(1e-4), ...)      exact zeros from a stock torch optimiser
    ns.certificate(model, loss, batches, prox)  how far from stationary the result is
    ns.floor(...), ns.fingerprint(...)          what L1 in the loss can reach; an optimiser at the kink
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
        diagnostics,
        findings,
        methods,
        networks,
        objectives,
        penalties,
        runs,
        testbed,
        training,
        trajectories,
    )
    from nonsmooth.diagnostics import Fingerprint, Floor, certificate, fingerprint, floor, sparsity
    from nonsmooth.errors import InputError
    from nonsmooth.methods import (
        Constant,
        Diminishing,
        ExtendedDualAveraging,
        ProxAdam,
        ProxSGD,
        Reducing,
        RegularizedDualAveraging,
        attach,
        register_metric,
        select_weights,
        strength_path,
    )
    from nonsmooth.networks import compact
    from nonsmooth.penalties import L0, L1, MCP, SCAD, ElasticNet, GroupL1, LogSum, SparseGroupL1
    from nonsmooth.trajectories import Record, Run, minimize

_MODULES = (
    "claims",
    "datasets",
    "diagnostics",
    "findings",
    "methods",
    "networks",
    "objectives",
    "penalties",
    "runs",
    "testbed",
    "training",
    "trajectories",
)
_NAMES = {
    "L0": "penalties",
    "L1": "penalties",
    "MCP": "penalties",
    "SCAD": "penalties",
    "Constant": "methods",
    "Diminishing": "methods",
    "ElasticNet": "penalties",
    "ExtendedDualAveraging": "methods",
    "Fingerprint": "diagnostics",
    "Floor": "diagnostics",
    "GroupL1": "penalties",
    "InputError": "errors",
    "LogSum": "penalties",
    "ProxAdam": "methods",
    "ProxSGD": "methods",
    "Record": "trajectories",
    "Reducing": "methods",
    "RegularizedDualAveraging": "methods",
    "Run": "trajectories",
    "SparseGroupL1": "penalties",
    "attach": "methods",
    "certificate": "diagnostics",
    "compact": "networks",
    "fingerprint": "diagnostics",
    "floor": "diagnostics",
    "minimize": "trajectories",
    "register_metric": "methods",
    "select_weights": "methods",
    "sparsity": "diagnostics",
    "strength_path": "methods",
}

__all__ = [
    "L0",
    "L1",
    "MCP",
    "SCAD",
    "Constant",
    "Diminishing",
    "ElasticNet",
    "ExtendedDualAveraging",
    "Fingerprint",
    "Floor",
    "GroupL1",
    "InputError",
    "LogSum",
    "ProxAdam",
    "ProxSGD",
    "Record",
    "Reducing",
    "RegularizedDualAveraging",
    "Run",
    "SparseGroupL1",
    "__version__",
    "attach",
    "certificate",
    "claims",
    "compact",
    "datasets",
    "diagnostics",
    "findings",
    "fingerprint",
    "floor",
    "methods",
    "minimize",
    "networks",
    "objectives",
    "penalties",
    "register_metric",
    "runs",
    "select_weights",
    "sparsity",
    "strength_path",
    "testbed",
    "training",
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
