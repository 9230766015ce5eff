"""The claims of the paper: one file or folder a claim, found by its name; run, judged, written down.

Listing is light: the base class, the ledger and ``reproduce`` are imported when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nonsmooth.claims._inventory import Entry, inventory
from nonsmooth.claims._registry import built, load, source_of

if TYPE_CHECKING:
    from nonsmooth.claims._claim import TIERS, Claim, Judgement, Row, Setting, Tier
    from nonsmooth.claims._compare import Change, compare, in_words
    from nonsmooth.claims._errata import Errata, Point, errata
    from nonsmooth.claims._ledger import Ledger, rerun
    from nonsmooth.claims._rebuild import rebuild
    from nonsmooth.claims._reproduce import ClaimsError, ClaimsInputError, Judged, Outcome, reproduce
    from nonsmooth.claims._sweep import Sweep

__all__ = [
    "TIERS",
    "Change",
    "Claim",
    "ClaimsError",
    "ClaimsInputError",
    "Entry",
    "Errata",
    "Judged",
    "Judgement",
    "Ledger",
    "Outcome",
    "Point",
    "Row",
    "Setting",
    "Sweep",
    "Tier",
    "built",
    "compare",
    "errata",
    "in_words",
    "inventory",
    "load",
    "rebuild",
    "reproduce",
    "rerun",
    "source_of",
]

_LAZY = {
    "_claim": ("TIERS", "Claim", "Judgement", "Row", "Setting", "Tier"),
    "_compare": ("Change", "compare", "in_words"),
    "_errata": ("Errata", "Point", "errata"),
    "_ledger": ("Ledger", "rerun"),
    "_reproduce": ("ClaimsError", "ClaimsInputError", "Judged", "Outcome", "reproduce"),
    "_rebuild": ("rebuild",),
    "_sweep": ("Sweep",),
}


def __getattr__(name: str) -> Any:
    for module, names in _LAZY.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
