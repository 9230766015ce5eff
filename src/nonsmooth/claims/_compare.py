"""What changed between two ledgers, in words: answers first, then numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from nonsmooth.claims._ledger import Ledger, timeless

__all__ = ["Change", "compare", "in_words"]

# What a change touches, gravest first: an answer; a claim or part that one ledger lacks; what was asked of
# the run; a number or its words; the order of the claims.
Kind = Literal["answer", "lacking", "asked", "number", "order"]
_KINDS: tuple[Kind, ...] = ("answer", "lacking", "asked", "number", "order")

# As ``findings.assemble`` takes the weakest part for the claim.
_WEAKEST_FIRST = (
    "differs",
    "not judged",
    "holds in part",
    "holds",
    "not supported",
    "undecided",
    "supported",
)

# Fields of an entry that are compared one by one, and the time it took.
_SAID = {
    "id",
    "result",
    "attribution",
    "tier",
    "data",
    "claim_file",
    "settings",
    "rulings",
    "findings",
    "seconds",
}


@dataclass(frozen=True)
class Change:
    """One difference: in which claim ("" for the ledgers as wholes), of what kind, and in words."""

    claim: str
    kind: Kind
    words: str

    def __str__(self) -> str:
        return f"{self.claim}: {self.words}" if self.claim else self.words


_Row = Mapping[str, Any]
_Keyed = dict[str, _Row]


def _by(rows: Sequence[_Row], *names: str) -> _Keyed:
    keyed: _Keyed = {}
    for row in rows:
        label = " / ".join(str(row[name]) for name in names if row.get(name))
        while label in keyed:
            label += "'"
        keyed[label] = row
    return keyed


def _show(value: Any, digits: int | None = None) -> str:
    if value is None or value == "":
        return "none"
    if isinstance(value, str):
        return value
    if digits and isinstance(value, list):
        return f"[{', '.join(_show(each, digits) for each in value)}]"
    if digits and isinstance(value, float):
        return f"{value:.{digits}g}"
    return json.dumps(value, ensure_ascii=False)


def _arrow(one: Any, other: Any) -> str:
    """Both values, cut to four digits where that still tells them apart."""
    short = _show(one, 4), _show(other, 4)
    before, after = short if short[0] != short[1] else (_show(one), _show(other))
    return f"{before} -> {after}"


def _because(one: _Row, other: _Row, before: Any, after: Any) -> str:
    """Which parts moved a claim's answer: where it got worse those now as weak, else those that were."""
    a, b = (_by(each["rulings"], "part") for each in (one, other))
    worse = _rank(after) < _rank(before)
    moved = [
        f"part {name} {_arrow(a[name]['answer'], b[name]['answer'])}"
        for name in a
        if name in b
        and a[name]["answer"] != b[name]["answer"]
        and (b[name]["answer"] == after if worse else a[name]["answer"] == before)
    ]
    return f", because {', '.join(moved)}" if moved else ""


def _rank(answer: Any) -> int:
    return _WEAKEST_FIRST.index(answer) if answer in _WEAKEST_FIRST else len(_WEAKEST_FIRST)


def _lacking(kind: str, a: _Keyed, b: _Keyed) -> Iterator[tuple[Kind, str]]:
    for name in a:
        if name not in b:
            yield "lacking", f"{kind} {name} only in the first"
    for name in b:
        if name not in a:
            yield "lacking", f"{kind} {name} only in the second"


def _parts(one: _Row, other: _Row) -> Iterator[tuple[Kind, str]]:
    a, b = (_by(each["rulings"], "part") for each in (one, other))
    yield from _lacking("part", a, b)
    for name in (name for name in a if name in b):
        before, after = a[name], b[name]
        if before["answer"] != after["answer"]:
            why = " ".join(str(after.get("why") or "").split())
            yield "answer", f"part {name} {_arrow(before['answer'], after['answer'])}" + (why and f": {why}")
        for field in ("n", "region", "why"):
            said_above = field == "why" and before["answer"] != after["answer"]
            if before.get(field) != after.get(field) and not said_above:
                yield "number", f"part {name}: {field} {_arrow(before.get(field), after.get(field))}"
        for field in ("statement", "where", "rule", "least_n", "comparisons", "twin", "repair"):
            if before.get(field) != after.get(field):
                yield "asked", f"part {name}: {field} {_arrow(before.get(field), after.get(field))}"


def _findings(one: _Row, other: _Row) -> Iterator[tuple[Kind, str]]:
    a, b = (_by(each["findings"], "part", "name") for each in (one, other))
    for _, words in _lacking("finding", a, b):
        yield "number", words
    for name in (name for name in a if name in b):
        before, after = a[name], b[name]
        fields = [
            field
            for field in ("measured", "n", "interval", "agrees", "reported", "why")
            if before.get(field) != after.get(field)
        ]
        if fields:
            said = "; ".join(f"{field} {_arrow(before.get(field), after.get(field))}" for field in fields)
            yield "number", f"finding {name}: {said}"


def _claim(one: _Row, other: _Row) -> Iterator[tuple[Kind, str]]:
    for kind in ("result", "attribution"):
        if one.get(kind) != other.get(kind):
            why = _because(one, other, one.get(kind), other.get(kind))
            yield "answer", f"{kind} {_arrow(one.get(kind), other.get(kind))}{why}"
    for field in ("tier", "data", "claim_file"):
        if one.get(field) != other.get(field):
            yield "asked", f"{field} {_arrow(one.get(field), other.get(field))}"
    for name in sorted({*one["settings"], *other["settings"]}):
        x, y = one["settings"].get(name), other["settings"].get(name)
        if x != y:
            yield "asked", f"setting {name} {_arrow(x, y)}"
    yield from _parts(one, other)
    yield from _findings(one, other)
    rest = {*one, *other} - _SAID
    if one["settings"] != other["settings"]:
        rest.discard("unstated")  # repeats them
    changed = [name for name in sorted(rest) if timeless(one.get(name)) != timeless(other.get(name))]
    if changed:
        yield "number", f"{', '.join(changed)} changed"


def compare(a: Ledger, b: Ledger) -> list[Change]:
    """What differs between two ledgers; empty if they say the same.

    Claims come in the first ledger's order, those that only one has at the end; within a claim the answers
    come first, then what was asked, then the numbers. Times and environments are no differences.
    """
    if a.digest == b.digest:
        return []
    ours, theirs = _by(a.claims, "id"), _by(b.claims, "id")
    changes = []
    for name in (name for name in ours if name in theirs):
        said = [Change(name, kind, words) for kind, words in _claim(ours[name], theirs[name])]
        changes += sorted(said, key=lambda change: _KINDS.index(change.kind))
    changes += [Change(name, "lacking", "only in the first") for name in ours if name not in theirs]
    changes += [Change(name, "lacking", "only in the second") for name in theirs if name not in ours]
    return changes or [Change("", "order", "the same claims in another order")]


def in_words(changes: Sequence[Change]) -> str:
    """The changes for a reader: a summary, then claim by claim, those with another answer first."""
    by_claim: dict[str, list[Change]] = {}
    for change in changes:
        by_claim.setdefault(change.claim, []).append(change)
    groups: dict[str, list[str]] = {"answer": [], "lacking": [], "numbers": [], "": []}
    for claim, mine in by_claim.items():
        kinds = {change.kind for change in mine}
        whole = not claim or mine[0].words.startswith("only in the ")
        group = (
            "answer" if "answer" in kinds else "lacking" if whole and claim else "numbers" if claim else ""
        )
        groups[group].append(claim)
    return "\n".join([*_summary(groups), *_blocks(groups, by_claim)])


def _summary(groups: Mapping[str, Sequence[str]]) -> list[str]:
    said = []
    for group, words in (
        ("answer", "with another answer"),
        ("numbers", "with the same answers but other numbers, words or settings"),
        ("lacking", "in one of the two only"),
    ):
        if groups[group]:
            count = len(groups[group])
            said.append(f"{count} claim{'' if count == 1 else 's'} {words}")
    return [f"{'; '.join(said)}.", ""] if said else []


def _blocks(groups: Mapping[str, Sequence[str]], by_claim: Mapping[str, Sequence[Change]]) -> list[str]:
    lines = []
    for claim in (*groups["answer"], *groups["numbers"]):
        same = "" if claim in groups["answer"] else " the answers are the same"
        lines += [f"{claim}:{same}", *(f"  {change.words}" for change in by_claim[claim])]
    lines += [str(change) for claim in (*groups["lacking"], *groups[""]) for change in by_claim[claim]]
    return lines
