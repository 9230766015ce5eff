"""Measurements on optimisers and trained models.

::

    floor(factory, strength=...)    what an L1 penalty in the loss can reach under an optimiser
    fingerprint(factory)            how an optimiser behaves at the kink: a row of the paper's Table 1
    certificate(model, loss_fn, batches, prox)   how far a model is from stationary for loss + penalty
    sparsity(model)                 which weights are zero, by entry, row, column, kernel and block

Names are imported when first used: they need torch, a caller of one of them need not pay for the others.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nonsmooth.diagnostics._certificate import certificate
    from nonsmooth.diagnostics._certificate_result import Certificate, CertificateRow
    from nonsmooth.diagnostics._fingerprint import Fingerprint, fingerprint
    from nonsmooth.diagnostics._fingerprint_table import Refused, fingerprints, markdown
    from nonsmooth.diagnostics._floor import floor
    from nonsmooth.diagnostics._floor_result import Floor
    from nonsmooth.diagnostics._sparsity import Sparsity, TensorSparsity, sparsity

_NAMES = {
    "Certificate": "_certificate_result",
    "CertificateRow": "_certificate_result",
    "Fingerprint": "_fingerprint",
    "Floor": "_floor_result",
    "Refused": "_fingerprint_table",
    "Sparsity": "_sparsity",
    "TensorSparsity": "_sparsity",
    "certificate": "_certificate",
    "fingerprint": "_fingerprint",
    "fingerprints": "_fingerprint_table",
    "floor": "_floor",
    "markdown": "_fingerprint_table",
    "sparsity": "_sparsity",
}

__all__ = [
    "Certificate",
    "CertificateRow",
    "Fingerprint",
    "Floor",
    "Refused",
    "Sparsity",
    "TensorSparsity",
    "certificate",
    "fingerprint",
    "fingerprints",
    "floor",
    "markdown",
    "sparsity",
]


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"nonsmooth.diagnostics.{_NAMES[name]}"), name)
    raise AttributeError(f"module 'nonsmooth.diagnostics' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
