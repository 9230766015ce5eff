"""A claim's entry in the ledger (the fields are documented in docs/ledger.md)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nonsmooth.claims._claim import Claim
from nonsmooth.claims._plan import Case, Plan
from nonsmooth.findings import Verdict

__all__ = ["entry_of"]


def _rulings(claim: Claim, verdict: Verdict) -> list[dict[str, Any]]:
    parts = {part.name: part for part in claim.parts}
    declared = ("statement", "where", "rule", "least_n", "comparisons", "twin", "repair")
    return [
        {**ruling, **{name: getattr(parts[ruling["part"]], name) for name in declared}}
        for ruling in verdict.as_dict()["rulings"]
    ]


def entry_of(
    plan: Plan, cases: Sequence[Case], verdicts: Sequence[Verdict], seconds: float
) -> dict[str, Any]:
    """A claim's entry in the ledger: the first case is the claim as asked for, the rest its sweep."""
    claim, source, settings = cases[0].claim, cases[0].source, cases[0].settings
    brought = plan.source_for(claim)
    entry = {
        "id": claim.id,
        "where": claim.where,
        "statement": claim.statement,
        "tier": plan.tier,
        **verdicts[0].as_dict(),
        "settings": settings,
        "data": None if brought is None else {"name": brought.source, "sha256": brought.sha256},
        "claim_file": Path(source.place).name if source.kind == "file" else None,
        "unstated": [
            {"name": s.name, "value": settings[s.name], "default": s.default, "why": s.why}
            for s in claim.unstated
        ],
        "notes": list(claim.notes),
        "sweep": [
            {"setting": plan.sweep.name if plan.sweep else "", "value": case.value, **verdict.as_dict()}
            for case, verdict in zip(cases[1:], verdicts[1:], strict=True)
        ],
        "seconds": round(seconds, 3),
    }
    entry["rulings"] = _rulings(claim, verdicts[0])
    return entry
