"""A ledger as the page needs it: the same facts, regrouped by part and counted; nothing is judged here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from nonsmooth._version import __version__
from nonsmooth.claims import rerun
from nonsmooth.findings import Attribution, Result, brief
from nonsmooth.report._format import value

__all__ = ["claim_view", "made_with", "tally"]

_CAUSES = {str(answer) for answer in Attribution}
# What an entry of an older ledger, or one written by hand, may lack.
_RULING = {
    "n": None,
    "why": "",
    "region": "",
    "statement": "",
    "rule": "",
    "twin": "",
    "where": "",
    "repair": "",
    "least_n": 1,
    "comparisons": 1,
}
_FINDING = {"n": None, "why": "", "part": "", "reported": None, "interval": None, "agrees": None}


def tally(claims: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[tuple[str, int]]]]:
    """How many claims got each answer, strongest first; answers nobody got are left out.

    >>> tally([{"result": "differs", "attribution": None}, {"result": "holds", "attribution": "undecided"}])
    [('Result', [('holds', 1), ('differs', 1)]), ('Attribution', [('undecided', 1)])]
    """
    counted = []
    for title, key, order in (("Result", "result", Result), ("Attribution", "attribution", Attribution)):
        counts = Counter(claim.get(key) for claim in claims)
        rows = [(str(answer), counts[str(answer)]) for answer in order if counts[str(answer)]]
        if rows:
            counted.append((title, rows))
    return counted


def _reasons(claim: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Why the claim's result, and its attribution, are what they are: the weakest part's own words."""
    reasons = []
    for answer in (claim.get("result"), claim.get("attribution")):
        # The weakest part decides, so the first part with the claim's own answer is one that does.
        for ruling in claim.get("rulings", ()):
            if answer is not None and ruling["answer"] == answer:
                short = brief(ruling.get("why") or "")
                reasons.append(
                    {"cause": answer in _CAUSES, "region": ruling.get("region") or "", "why": short}
                )
                break
    return reasons


def _parts(claim: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Each ruling with the findings that bear on it; findings of no part come last, on their own."""
    findings = [{**_FINDING, **finding} for finding in claim.get("findings", ())]
    parts = []
    for ruling in claim.get("rulings", ()):
        mine = [finding for finding in findings if finding.get("part") == ruling["part"]]
        findings = [finding for finding in findings if finding.get("part") != ruling["part"]]
        parts.append({**_RULING, **ruling, "cause": ruling["answer"] in _CAUSES, "findings": mine})
    if findings:
        parts.append({"part": "", "answer": None, "findings": findings})
    return parts


def _sweep(claim: Mapping[str, Any]) -> dict[str, Any] | None:
    """The claim's answers at each value of the swept setting, and every measured quantity beside them."""
    sweep = claim.get("sweep")
    if not sweep:
        return None
    names = [ruling["part"] for ruling in claim.get("rulings", ())]
    setting = sweep[0]["setting"]
    used = (claim.get("settings") or {}).get(setting)
    points = []
    quantities: dict[tuple[str, str], list[str]] = {}
    for at, point in enumerate(sweep):
        answers = {ruling["part"]: ruling["answer"] for ruling in point.get("rulings", ())}
        parts = [answers.get(name) for name in names]
        points.append({**point, "used": used is not None and point["value"] == used, "parts": parts})
        for finding in point.get("findings", ()):
            name = (finding.get("part", ""), finding["name"])
            quantities.setdefault(name, [""] * len(sweep))[at] = finding["measured"]
    # A name that does not come back at another value would fill the table with empty cells.
    kept = [(name, cells) for (_, name), cells in quantities.items() if sum(map(bool, cells)) > 1]
    return {"name": setting, "parts": names, "points": points, "quantities": kept}


def _settings(claim: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every setting with its value and reason, those that the claim calls unstated first."""
    unstated = [dict(setting) for setting in claim.get("unstated") or ()]
    named = {setting["name"] for setting in unstated}
    given = [
        {"name": name, "value": used, "why": ""}
        for name, used in (claim.get("settings") or {}).items()
        if name not in named
    ]
    settings = unstated + given
    data = claim.get("data")
    for setting in settings:
        if data and setting["name"] in ("data", "images"):
            note = f"; {data['note']}" if data.get("note") else ""
            setting["value"] = f"{data['name']} (SHA-256 {data['sha256'][:16]}…){note}"
    return settings


def claim_view(claim: Mapping[str, Any]) -> dict[str, Any]:
    """One claim of the ledger with what the template shows of it."""
    return {
        "id": claim["id"],
        "where": claim.get("where", ""),
        "statement": claim.get("statement", ""),
        "result": claim.get("result"),
        "attribution": claim.get("attribution"),
        "reasons": _reasons(claim),
        "parts": _parts(claim),
        "settings": _settings(claim),
        "sweep": _sweep(claim),
        "notes": list(claim.get("notes") or ()),
        "seconds": claim.get("seconds"),
        "older_runs": claim.get("older_runs") or 0,
        "command": rerun(claim),
    }


def made_with(environment: Mapping[str, Any]) -> dict[str, Any]:
    """The environment for the page's head (version, date, hardware) and, flattened, for its end.

    >>> made = made_with({"cpus": 2, "machine": "x86_64", "versions": {"numpy": "2.0"}})
    >>> made["hardware"], made["facts"]
    ('x86_64, 2 CPUs', [('cpus', '2'), ('machine', 'x86_64'), ('numpy', '2.0')])
    """
    facts: dict[str, str] = {}
    for name, entry in environment.items():
        nested = entry if isinstance(entry, Mapping) else {name: entry}
        for inner, item in nested.items():
            facts.setdefault(str(inner).replace("_", " "), value(item))
    cpus = environment.get("cpus")
    where = environment.get("processor") or environment.get("machine") or environment.get("platform") or ""
    number = "" if cpus is None else f"{cpus} CPU{'' if cpus == 1 else 's'}"
    return {
        "version": environment.get("nonsmooth") or __version__,
        "date": str(environment.get("date") or "").replace("T", " ").replace("+00:00", " UTC"),
        "hardware": ", ".join(filter(None, (str(where), number))),
        "facts": list(facts.items()),
    }
