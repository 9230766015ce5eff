"""Two independent answers to a claim: does the result hold, and is its cause the one given.

A claim is made of *parts*, each with a decision rule written down before anything is run. Judging
gives one :class:`Ruling` a part; :func:`assemble` holds them against the declared parts, refuses a
ruling that rests on fewer runs than its rule demands, and takes the weakest for the claim as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from nonsmooth.findings._finding import Finding

__all__ = ["Attribution", "Part", "Result", "Ruling", "Verdict", "assemble"]


class Result(StrEnum):
    """Does what the paper prints happen?"""

    HOLDS = "holds"
    IN_PART = "holds in part"
    DIFFERS = "differs"
    NOT_JUDGED = "not judged"


class Attribution(StrEnum):
    """Is the cause that the paper gives the one that the control experiment leaves standing?"""

    SUPPORTED = "supported"
    NOT_SUPPORTED = "not supported"
    UNDECIDED = "undecided"


# Weakest first: a claim is only as good as its weakest part.
_RESULTS = (Result.DIFFERS, Result.NOT_JUDGED, Result.IN_PART, Result.HOLDS)
_ATTRIBUTIONS = (Attribution.NOT_SUPPORTED, Attribution.UNDECIDED, Attribution.SUPPORTED)


@dataclass(frozen=True)
class Part:
    """One question of a claim and the rule that decides it, fixed before it is run.

    Args:
        name: short name, unique inside the claim.
        statement: what the paper says, quoted where it is short enough.
        rule: the decision rule: thresholds, and what gives which answer.
        least_n: fewest independent runs the rule accepts; below it nothing is decided.
        comparisons: how many comparisons the rule makes (its intervals are widened accordingly).
        twin: for an attribution, the control experiment. Empty: the part asks for a result.
        where: place in the paper, where it is narrower than the claim's.
        repair: should the part not hold as printed: the smallest change after which it does. It goes into
            the errata; empty where a part that fails has no wording to repair.
    """

    name: str
    statement: str
    rule: str
    least_n: int = 1
    comparisons: int = 1
    twin: str = ""
    where: str = ""
    repair: str = ""

    @property
    def asks_for_cause(self) -> bool:
        return bool(self.twin)

    @property
    def silent(self) -> Result | Attribution:
        """The answer that decides nothing."""
        return Attribution.UNDECIDED if self.asks_for_cause else Result.NOT_JUDGED


@dataclass(frozen=True)
class Ruling:
    """The answer to one part: ``answer`` rests on ``n`` runs, holds in ``region``, because ``why``."""

    part: str
    answer: Result | Attribution
    n: int
    why: str
    region: str = ""


@dataclass(frozen=True)
class Verdict:
    """The judged claim: overall answers, one ruling a part, and the findings they rest on."""

    result: Result
    attribution: Attribution | None
    rulings: tuple[Ruling, ...]
    findings: tuple[Finding, ...]

    def as_dict(self) -> dict[str, Any]:
        return {
            "result": str(self.result),
            "attribution": None if self.attribution is None else str(self.attribution),
            "rulings": [
                {"part": r.part, "answer": str(r.answer), "n": r.n, "region": r.region, "why": r.why}
                for r in self.rulings
            ],
            "findings": [finding.as_dict() for finding in self.findings],
        }


def _enough(part: Part, ruling: Ruling) -> Ruling:
    if ruling.n >= part.least_n or ruling.answer is part.silent:  # nothing decided needs no runs
        return ruling
    why = f"The rule needs n >= {part.least_n}; there are {ruling.n}. On those: {ruling.why}"
    return Ruling(part.name, part.silent, ruling.n, why, ruling.region)


def assemble(parts: Sequence[Part], rulings: Iterable[Ruling], findings: Iterable[Finding]) -> Verdict:
    """Hold rulings against the declared parts and take the weakest answer of each kind.

    A part without a ruling is not judged (or undecided); a ruling below its rule's least n likewise.

    Raises:
        ValueError: a ruling names an undeclared part, or answers a question of the other kind.
    """
    given = {ruling.part: ruling for ruling in rulings}
    unknown = set(given) - {part.name for part in parts}
    if unknown:
        raise ValueError(f"rulings on undeclared parts {sorted(unknown)}; declare them in `parts`")
    judged = []
    for part in parts:
        ruling = given.get(part.name, Ruling(part.name, part.silent, 0, "Not run at this tier."))
        if isinstance(ruling.answer, Attribution) is not part.asks_for_cause:
            raise ValueError(f"part {part.name!r} cannot be answered by {ruling.answer!r}")
        judged.append(_enough(part, ruling))
    results = [r.answer for r in judged if isinstance(r.answer, Result)]
    causes = [r.answer for r in judged if isinstance(r.answer, Attribution)]
    return Verdict(
        result=min(results, key=_RESULTS.index, default=Result.NOT_JUDGED),
        attribution=min(causes, key=_ATTRIBUTIONS.index) if causes else None,
        rulings=tuple(judged),
        findings=tuple(findings),
    )
