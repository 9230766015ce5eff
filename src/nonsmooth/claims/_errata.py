"""What a ledger says against the paper, in the paper's order, and what it says for it.

Nothing is judged here: every ruling becomes one :class:`Point`, sorted into what does not hold as printed,
what does, and what could not be decided. Of a sweep only the claim's own values count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from nonsmooth.claims._inventory import inventory
from nonsmooth.claims._ledger import Ledger, rerun
from nonsmooth.findings import Attribution, Result

__all__ = ["OTHER", "Errata", "Point", "errata"]

# Heading of what is no claim of the inventory; such claims come last.
OTHER = "Other claims"

_AGAINST = (Result.DIFFERS, Result.IN_PART)
_FOR = (Result.HOLDS, Attribution.SUPPORTED)
_FINDING = ("name", "reported", "measured", "n", "interval", "why")
# A printed number, not a count like "1" or a formula: two digits or more, and little before them.
_NUMERAL = re.compile(r"(?:(?:at most|at least|about|below|above)\s+)?[<>≤≥≈~]?\s*[-−]?\d(?:[\d.,]*\d)", re.I)


@dataclass(frozen=True)
class Point:
    """One ruling of the ledger, with what a reader of the paper needs to follow it.

    Args:
        claim, part: their names; ``section`` is the paper's, ``where`` the place in it.
        answer: the ruling's answer.
        printed: what the paper says; ``found`` what the ruling says of it; ``region`` where or for what share
            it holds; ``n`` the independent runs it rests on.
        repair: the smallest change after which it would hold; empty where none is given.
        findings: those that disagree with a printed value: name, reported, measured, n, interval, why.
        number: one of those printed values is a number.
        rule, least_n, comparisons, twin: as declared before anything ran.
        circumstances: what this run had of its own: the reader's data, settings, claim file.
        command: what judges it again.
    """

    claim: str
    section: str
    where: str
    part: str
    answer: str
    printed: str
    found: str
    region: str
    n: int | None
    repair: str
    findings: tuple[dict[str, Any], ...]
    number: bool
    rule: str
    least_n: int
    comparisons: int
    twin: str
    circumstances: tuple[str, ...]
    command: str


@dataclass(frozen=True)
class Errata:
    """The rulings of a ledger sorted by what they mean for the printed text.

    Args:
        points: results that differ, or hold only in part; ``causes``: attributions that are not supported.
        held: what holds, and is supported, as printed; ``undecided``: what the rules left open.
        claims: how many claims were judged.
        environment, digest: of the ledger.
    """

    points: tuple[Point, ...]
    causes: tuple[Point, ...]
    held: tuple[Point, ...]
    undecided: tuple[Point, ...]
    claims: int
    environment: dict[str, Any]
    digest: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON values; documented in docs/errata.md."""
        short = ("claim", "section", "where", "part", "answer", "printed", "region", "n", "circumstances")
        return {
            "claims": self.claims,
            "points": [asdict(point) for point in self.points],
            "causes": [asdict(point) for point in self.causes],
            "held": [{name: getattr(point, name) for name in short} for point in self.held],
            "undecided": [{name: getattr(point, name) for name in short} for point in self.undecided],
            "environment": self.environment,
            "digest": self.digest,
        }


def errata(ledger: Ledger) -> Errata:
    """Sort a ledger's rulings; one of an older version, without ``where`` and ``repair``, is read as well."""
    order = {entry.id: k for k, entry in enumerate(inventory())}
    entries = sorted(ledger.claims, key=lambda entry: order.get(entry["id"], len(order)))
    points = [point for entry in entries for point in _points(entry)]
    against = {str(answer) for answer in _AGAINST}
    held = {str(answer) for answer in _FOR}
    unsupported = str(Attribution.NOT_SUPPORTED)
    return Errata(
        points=tuple(point for point in points if point.answer in against),
        causes=tuple(point for point in points if point.answer == unsupported),
        held=tuple(point for point in points if point.answer in held),
        undecided=tuple(p for p in points if p.answer not in against | held | {unsupported}),
        claims=len(entries),
        environment=ledger.environment,
        digest=ledger.digest,
    )


def _points(entry: Mapping[str, Any]) -> Iterator[Point]:
    section = next((known.section for known in inventory() if known.id == entry["id"]), OTHER)
    for ruling in entry["rulings"]:
        findings = tuple(
            {name: finding.get(name) for name in _FINDING}
            for finding in entry["findings"]
            if finding.get("part") == ruling["part"] and finding.get("agrees") is False
        )
        yield Point(
            claim=entry["id"],
            section=section,
            where=ruling.get("where") or entry["where"],
            part=ruling["part"],
            answer=ruling["answer"],
            printed=ruling.get("statement") or entry["statement"],
            found=ruling.get("why") or "",
            region=ruling.get("region") or "",
            n=ruling.get("n"),
            repair=ruling.get("repair") or "",
            findings=findings,
            number=any(_NUMERAL.match(str(finding["reported"] or "")) for finding in findings),
            rule=ruling.get("rule") or "",
            least_n=ruling.get("least_n") or 1,
            comparisons=ruling.get("comparisons") or 1,
            twin=ruling.get("twin") or "",
            circumstances=tuple(_circumstances(entry)),
            command=rerun(entry, sweep=False),
        )


def _circumstances(entry: Mapping[str, Any]) -> Iterator[str]:
    """What sets this run apart from the one that anybody gets who gives no options."""
    if entry.get("claim_file"):
        yield f"judged by a claim of the reader's own, {entry['claim_file']}"
    if entry.get("data"):
        data = entry["data"]
        sha = f"SHA-256 {data['sha256'][:16]}…"
        yield f"run on the reader's own data, {data['name']} ({sha}), not the paper's"
    for setting in entry.get("unstated") or ():
        if setting["name"] != "data" and setting.get("default", setting["value"]) != setting["value"]:
            yield (
                f"run with {setting['name']} = {setting['value']}, which the paper leaves open "
                f"({setting['default']} unless told otherwise)"
            )
