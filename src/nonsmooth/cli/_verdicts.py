"""Verdicts in a terminal: the closing table, and the words of ``--fail-on``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from nonsmooth.cli._words import table
from nonsmooth.errors import InputError

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["fail_words", "headline", "matches", "verdict_table"]

_STYLES = {
    "holds": "green",
    "supported": "green",
    "holds in part": "yellow",
    "differs": "bold red",
    "not supported": "bold red",
    "not judged": "dim",
    "undecided": "dim",
}


def fail_words(given: Iterable[str]) -> set[str]:
    """The answers to fail on, from one or more comma-separated lists.

    >>> sorted(fail_words(["differs,not-supported"]))
    ['differs', 'not supported']

    Raises:
        InputError: a word that is no answer.
    """
    from nonsmooth.findings import Attribution, Result

    allowed = {str(word).replace(" ", "-"): str(word) for word in (*Result, *Attribution)}
    words = [word.strip().lower().replace(" ", "-") for part in given for word in part.split(",")]
    for word in words:
        if word not in allowed:
            near = get_close_matches(word, allowed, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InputError(f"--fail-on {word!r} is no answer; choose from {', '.join(allowed)}{hint}")
    return {allowed[word] for word in words}


def matches(claims: Sequence[Mapping[str, Any]], words: set[str]) -> list[str]:
    """The claims with an answer in ``words``, each as ``id: answer``."""
    return [
        f"{claim['id']}: {answer}"
        for claim in claims
        for answer in (claim["result"], claim["attribution"])
        if answer in words
    ]


def headline(claim: Mapping[str, Any]) -> str:
    """One line on why: that of the first ruling which decided the result, cut to a sentence if long."""
    from nonsmooth.findings import brief

    for ruling in claim.get("rulings", ()):
        if ruling["answer"] == claim["result"]:
            return brief(" ".join((ruling.get("why") or "").split()))
    return ""


def verdict_table(claims: Sequence[Mapping[str, Any]]) -> Table:
    from rich.text import Text

    made = table("claim", "result", "attribution", "why")
    for claim in claims:
        result, attribution = claim["result"], claim["attribution"] or "-"
        made.add_row(
            Text(claim["id"]),
            Text(result, style=_STYLES.get(result, "")),
            Text(attribution, style=_STYLES.get(attribution, "")),
            Text(headline(claim)),
        )
    return made
