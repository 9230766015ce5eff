"""nonsmooth: where non-differentiability matters in training, and where it is blamed for something else.

Submodules and names are imported when first used, so that ``import nonsmooth`` costs nothing::

    ns.objectives, ns.penalties, ns.methods     the composite problem and how to minimise it
    ns.minimize(f, ...)                         a population of runs
    ns.attach(optimizer, ns.L1(1e-4), ...)      exact zeros from a stock torch optimiser
    ns.certificate(model, loss, batches, prox)  how far from stationary the result is
    ns.floor(...), ns.fingerprint(...)          what L1 in the loss can reach; an optimiser at the kink
    ns.audit(model, example, loss, ...)         kinks, theorems, penalty and edge of a training run
    ns.sharpness(model, loss, batches)          largest eigenvalues of the Hessian, with residuals
    ns.callbacks                                kinks, sharpness, zeros during training: CSV, TensorBoard
    ns.testbed                                  the paper's network as a test problem for any method
    ns.claims                                   the paper's claims: run, judged, drawn
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nonsmooth._version import __version__

if TYPE_CHECKING:
    from nonsmooth import (
        audit,
        callbacks,
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
    from nonsmooth.audit import declare_smoothness, smoothness_of
    from nonsmooth.diagnostics import (
        Fingerprint,
        Floor,
        KinkCounter,
        SharpnessTracker,
        certificate,
        fingerprint,
        floor,
        goldstein,
        nearest_kink,
        one_sided,
        second_difference,
        sharpness,
        sparsity,
    )
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
    "audit",
    "callbacks",
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
    "KinkCounter": "diagnostics",
    "LogSum": "penalties",
    "ProxAdam": "methods",
    "ProxSGD": "methods",
    "Record": "trajectories",
    "Reducing": "methods",
    "RegularizedDualAveraging": "methods",
    "Run": "trajectories",
    "SharpnessTracker": "diagnostics",
    "SparseGroupL1": "penalties",
    "attach": "methods",
    "certificate": "diagnostics",
    "compact": "networks",
    "declare_smoothness": "audit",
    "fingerprint": "diagnostics",
    "floor": "diagnostics",
    "goldstein": "diagnostics",
    "minimize": "trajectories",
    "nearest_kink": "diagnostics",
    "one_sided": "diagnostics",
    "register_metric": "methods",
    "second_difference": "diagnostics",
    "select_weights": "methods",
    "sharpness": "diagnostics",
    "smoothness_of": "audit",
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
    "KinkCounter",
    "LogSum",
    "ProxAdam",
    "ProxSGD",
    "Record",
    "Reducing",
    "RegularizedDualAveraging",
    "Run",
    "SharpnessTracker",
    "SparseGroupL1",
    "__version__",
    "attach",
    "audit",
    "callbacks",
    "certificate",
    "claims",
    "compact",
    "datasets",
    "declare_smoothness",
    "diagnostics",
    "findings",
    "fingerprint",
    "floor",
    "goldstein",
    "methods",
    "minimize",
    "nearest_kink",
    "networks",
    "objectives",
    "one_sided",
    "penalties",
    "register_metric",
    "runs",
    "second_difference",
    "select_weights",
    "sharpness",
    "smoothness_of",
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
