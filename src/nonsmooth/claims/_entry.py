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


def _data(brought: Any) -> dict[str, str] | None:
    """A data set or images of the caller's; named without the folders above, which are nobody's business."""
    if brought is None:
        return None
    name = brought.path.name if hasattr(brought, "path") else brought.source
    return {"name": name, "sha256": brought.sha256, "note": getattr(brought, "note", "")}


def entry_of(
    plan: Plan, cases: Sequence[Case], verdicts: Sequence[Verdict], seconds: float
) -> dict[str, Any]:
    """A claim's entry in the ledger: the first case is the claim as asked for, the rest its sweep."""
    claim, source, settings = cases[0].claim, cases[0].source, cases[0].settings
    entry = {
        "id": claim.id,
        "where": claim.where,
        "statement": claim.statement,
        "tier": plan.tier,
        **verdicts[0].as_dict(),
        "settings": settings,
        "data": _data(plan.source_for(claim)),
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
        "older_runs": 0,
    }
    entry["rulings"] = _rulings(claim, verdicts[0])
    return entry
