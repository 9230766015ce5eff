"""Measurements on optimisers and trained models.

::

    floor(factory, strength=...)    what an L1 penalty in the loss can reach under an optimiser
    fingerprint(factory)            how an optimiser behaves at the kink: a row of the paper's Table 1
    certificate(model, loss_fn, batches, prox)   how far a model is from stationary for loss + penalty
    sparsity(model)                 which weights are zero, by entry, row, column, kernel and block
    sharpness(model, loss_fn, batches)           largest eigenvalues of the Hessian, and the optimiser's edge
    second_difference(model, loss_fn, batches, d, h)   curvature, kinks or rounding?
    KinkCounter(model, probe)       kinks that training steps cross
    nearest_kink(model, probe)      how far the weights are from the next kink
    one_sided(model, loss_fn, batches, d)        one-sided directional derivatives
    goldstein(model, loss_fn, batches, radius)   a bound on Goldstein stationarity

Names are imported when first used: they need torch, a caller of one of them need not pay for the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nonsmooth.diagnostics._certificate import certificate
    from nonsmooth.diagnostics._certificate_result import Certificate, CertificateRow
    from nonsmooth.diagnostics._crossings import Crossings, KinkCounter
    from nonsmooth.diagnostics._fingerprint import Fingerprint, fingerprint
    from nonsmooth.diagnostics._fingerprint_table import Refused, fingerprints, markdown
    from nonsmooth.diagnostics._floor import floor
    from nonsmooth.diagnostics._floor_result import Floor
    from nonsmooth.diagnostics._goldstein import Goldstein, goldstein
    from nonsmooth.diagnostics._nearest_kink import NearestKink, nearest_kink
    from nonsmooth.diagnostics._one_sided import OneSided, one_sided
    from nonsmooth.diagnostics._second_difference import SecondDifference, second_difference
    from nonsmooth.diagnostics._sharpness import sharpness
    from nonsmooth.diagnostics._sharpness_result import Sharpness
    from nonsmooth.diagnostics._sharpness_tracker import SharpnessTracker
    from nonsmooth.diagnostics._sparsity import Sparsity, TensorSparsity, sparsity

_NAMES = {
    "Certificate": "_certificate_result",
    "CertificateRow": "_certificate_result",
    "Crossings": "_crossings",
    "Fingerprint": "_fingerprint",
    "Floor": "_floor_result",
    "Goldstein": "_goldstein",
    "KinkCounter": "_crossings",
    "NearestKink": "_nearest_kink",
    "OneSided": "_one_sided",
    "Refused": "_fingerprint_table",
    "SecondDifference": "_second_difference",
    "Sharpness": "_sharpness_result",
    "SharpnessTracker": "_sharpness_tracker",
    "Sparsity": "_sparsity",
    "TensorSparsity": "_sparsity",
    "certificate": "_certificate",
    "fingerprint": "_fingerprint",
    "fingerprints": "_fingerprint_table",
    "floor": "_floor",
    "goldstein": "_goldstein",
    "markdown": "_fingerprint_table",
    "nearest_kink": "_nearest_kink",
    "one_sided": "_one_sided",
    "second_difference": "_second_difference",
    "sharpness": "_sharpness",
    "sparsity": "_sparsity",
}

__all__ = [
    "Certificate",
    "CertificateRow",
    "Crossings",
    "Fingerprint",
    "Floor",
    "Goldstein",
    "KinkCounter",
    "NearestKink",
    "OneSided",
    "Refused",
    "SecondDifference",
    "Sharpness",
    "SharpnessTracker",
    "Sparsity",
    "TensorSparsity",
    "certificate",
    "fingerprint",
    "fingerprints",
    "floor",
    "goldstein",
    "markdown",
    "nearest_kink",
    "one_sided",
    "second_difference",
    "sharpness",
    "sparsity",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"nonsmooth.diagnostics.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'nonsmooth.diagnostics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
