"""``nonsmooth show ID``: one claim in full: the sentence, its rules, what is unstated, how to run it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nonsmooth.cli._options import TIERS, claim_files_option, complete_ids, json_option
from nonsmooth.cli._words import emit, say

if TYPE_CHECKING:
    from nonsmooth.claims import Claim, Setting

__all__ = ["command"]


@click.command("show")
@click.argument("claim_id", metavar="ID", shell_complete=complete_ids)
@claim_files_option
@json_option
def command(claim_id: str, claim_files: tuple[Path, ...], as_json: bool) -> None:
    """Show a claim: its sentence, its rules, what is unstated."""
    from nonsmooth.claims import built, inventory, load

    entry = next((entry for entry in inventory() if entry.id == claim_id), None)
    facts: dict[str, Any] = {"id": claim_id, "built": True}
    if entry is not None:
        facts |= {"section": entry.section, "where": entry.where, "summary": entry.summary}
    if entry is not None and not claim_files and claim_id not in built():
        facts["built"] = False
    else:
        facts |= _describe(load(claim_id, claim_files))
        facts["command"] = _command(claim_id, claim_files)
    if as_json:
        emit(facts)
    else:
        _print(facts)


def _describe(claim: Claim) -> dict[str, Any]:
    settings = claim.settings()
    return {
        "where": claim.where,
        "statement": claim.statement,
        "reported": dict(claim.reported),
        "parts": [
            {
                "name": part.name,
                "asks": "cause" if part.asks_for_cause else "result",
                "statement": part.statement,
                "rule": part.rule,
                "least_n": part.least_n,
                "comparisons": part.comparisons,
                "twin": part.twin,
            }
            for part in claim.parts
        ],
        "unstated": [
            {"name": s.name, "default": s.default, "allowed": _allowed(s), "why": s.why}
            for s in claim.unstated
        ],
        "notes": list(claim.notes),
        "batches": {tier: len(claim.runs(tier, settings)) for tier in TIERS},
    }


def _command(claim_id: str, claim_files: Sequence[Path]) -> str:
    """What a reader types to run the claim; one of the user's needs its file, as it was given here."""
    from nonsmooth.claims import source_of

    source, words = source_of(claim_id, claim_files), ["nonsmooth", "reproduce", claim_id]
    if source.kind == "file":
        mine = [file for file in claim_files if str(file.expanduser().resolve()) == source.place]
        words += ["--claims", str(mine[0])]
    return shlex.join(words)


def _allowed(setting: Setting) -> str:
    """The allowed values in words; empty where there is no limit."""
    if setting.choices:
        return ", ".join(setting.choices)
    if setting.low is None:
        return "" if setting.high is None else f"at most {setting.high:g}"
    return f"at least {setting.low:g}" if setting.high is None else f"{setting.low:g} to {setting.high:g}"


def _setting_line(setting: dict[str, Any]) -> str:
    allowed = f" (allowed: {setting['allowed']})" if setting["allowed"] else ""
    return f"{setting['name']} = {setting['default']}{allowed}: {setting['why']}"


def _print(facts: dict[str, Any]) -> None:
    from rich.padding import Padding
    from rich.text import Text

    lines: list[Any] = [Text(facts["id"], style="bold")]

    def section(heading: str, *paragraphs: str) -> None:
        if paragraphs:
            lines.extend(["", Text(heading, style="bold")])
            lines.extend(Padding(Text(paragraph), (0, 0, 0, 2)) for paragraph in paragraphs)

    lines += [Text(facts[name], style="dim") for name in ("where", "summary") if facts.get(name)]
    if not facts["built"]:
        say(*lines, "", "Not built yet: it cannot be run in this version.")
        return
    section("The paper", facts["statement"])
    section("Printed", *(f"{name}: {text}" for name, text in facts["reported"].items()))
    for part in facts["parts"]:
        twin = [f"Control: {part['twin']}"] if part["twin"] else []
        rule = f"Rule: {part['rule']} (n >= {part['least_n']}, comparisons: {part['comparisons']})"
        section(f"Part {part['name']} ({part['asks']})", part["statement"], rule, *twin)
    section(
        "Unstated, and chosen here",
        *map(_setting_line, facts["unstated"]),
    )
    section("Notes", *facts["notes"])
    batches = ", ".join(f"{tier} {count}" for tier, count in facts["batches"].items())
    section("Run it", facts["command"], f"batches of runs: {batches}")
    say(*lines)
