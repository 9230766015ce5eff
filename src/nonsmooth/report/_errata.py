"""What does not hold as printed, for the paper's author: as a page, and as Markdown for a letter."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from nonsmooth.claims import Errata, Point
from nonsmooth.report import _format
from nonsmooth.report._figures import slug
from nonsmooth.report._files import write_whole
from nonsmooth.report._page import script, templates
from nonsmooth.report._view import made_with

__all__ = ["errata_html", "errata_markdown", "write_errata"]

_TITLE = "Points that do not hold as printed"
_NONE = "Nothing found that does not hold as printed."
_PAPER = (
    "S. K. Kumar",
    "GD doesn’t make the cut: Three ways that non-differentiability affects neural network training",
    "arXiv 2401.08426",
)
_LEAD = (
    "Each sentence was judged by a rule that is stated with it, each cause against a control experiment. "
    "(Rules are fixed before a run; some were revised after reviews of earlier ones.) What holds comes "
    "first. Where a point rests on a misreading of the paper, the command under it shows what was run; a "
    "correction is welcome."
)
_WORDS = {
    "differs": "does not hold",
    "holds in part": "holds only in part",
    "not supported": "cause not borne out",
    "supported": "cause supported",
}


def _words(point: Point) -> str:
    """The answer as an author reads it, and whether a printed number is concerned."""
    return _WORDS.get(point.answer, point.answer) + (", printed number" if point.number else "")


def _counts(found: Errata) -> list[str]:
    """What was found, counted; the kinds of point that there are."""
    answers = [point.answer for point in found.points]
    numbers = sum(point.number for point in found.points)
    rows = [
        (len(found.held), "holds as printed", "hold as printed"),
        (answers.count("differs"), "does not hold", "do not hold"),
        (answers.count("holds in part"), "holds only in part", "hold only in part"),
        (len(found.causes), "cause is not borne out", "causes are not borne out"),
        (len(found.undecided), "could not be decided", "could not be decided"),
        (numbers, "of these points concerns a printed number", "of these points concern a printed number"),
    ]
    return [f"{count} {one if count == 1 else more}" for count, one, more in rows if count]


def _by_section(points: Sequence[Point]) -> list[tuple[str, list[Point]]]:
    grouped = itertools.groupby(points, key=lambda point: point.section)
    return [(section, list(group)) for section, group in grouped]


def _by_place(points: Sequence[Point]) -> list[tuple[str, str, list[Point]]]:
    """Points of one claim and one place in the paper together."""
    grouped = itertools.groupby(points, key=lambda point: (point.claim, point.where))
    return [(claim, where, list(group)) for (claim, where), group in grouped]


def _listed(points: Sequence[Point]) -> list[tuple[str, list[tuple[str, str, list[Point]]]]]:
    return [(section, _by_place(group)) for section, group in _by_section(points)]


def errata_html(found: Errata, *, beside: Sequence[str] = ()) -> str:
    """The page: one file that asks the network for nothing; the same ledger gives the same text.

    Args:
        found: what ``nonsmooth.claims.errata`` made of a ledger.
        beside: files in the page's folder to link to, like ``report.html``.
    """
    made = templates()
    numbered = {id(point): k for k, point in enumerate((*found.points, *found.causes), start=1)}
    taken: set[str] = set()
    anchors = {}
    for point in (*found.points, *found.causes):
        anchor = slug(f"{point.claim}--{point.part}")
        while anchor in taken:
            anchor += "-"
        taken.add(anchor)
        anchors[id(point)] = anchor
    return made.get_template("errata.html").render(
        anchor=lambda point: anchors[id(point)],
        beside=beside,
        causes=_by_section(found.causes),
        counts=_counts(found),
        found=found,
        held=_listed(found.held),
        lead=_LEAD,
        made=made_with(found.environment),
        nothing=_NONE,
        number=lambda point: numbered[id(point)],
        paper=_PAPER,
        points=_by_section(found.points),
        title=_TITLE,
        undecided=_listed(found.undecided),
        words=_words,
        **script(made),
    )


# What would be markup in a line of text: a backslash before punctuation, what opens emphasis, a tag, an
# entity, a link, struck text; at its beginning a heading, quotation or list. All else is left as it is:
# f(x_k) and x* read as they stand.
_MARKUP = re.compile(
    r"\\(?=[!-/:-@\[-`{-~])|(?<!\w)_|\*(?=\w)|(?<!\w)\*(?=\S)|<(?=[A-Za-z/!?])|&(?=#?\w+;)"
    r"|\[(?=[^\]]*\][(:\[])|~~|^[#>*+-]"
)


def _plain(text: object) -> str:
    r"""A ledger's text on one line of Markdown that reads as it stands; `backticks` stay code.

    >>> print(_plain("x* <b> and b_k, *[0, 1]*"))
    x* \<b> and b_k, \*[0, 1]*
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)).split())
    line = _MARKUP.sub(lambda found: "\\" + found[0], line)
    return re.sub(r"^(\d{1,9})([.)])", r"\1\\\2", line)  # no numbered list


def errata_markdown(found: Errata) -> str:
    """The same as Markdown, to paste into a letter; every text of the ledger is on a line of its own."""
    author, title, number = _PAPER
    asked = sum(map(len, (found.held, found.points, found.causes, found.undecided)))
    lines = [
        f"# {_TITLE}",
        f"In {author}, *{title}* ({number}), as far as it was run: {found.claims} of its claims.",
        _LEAD,
        f"Questions asked: {asked}; {'; '.join(_counts(found))}." if asked else "No question was asked.",
    ]
    if not (found.points or found.causes):
        lines.append(_NONE)
    if found.held:
        lines += ["## What was checked and holds as printed", _list(found.held)]
    numbers = itertools.count(1)
    for section, points in _by_section(found.points):
        lines += [f"## {_plain(section)}", *_entries(points, numbers)]
    if found.causes:
        lines += ["## Causes that the controls do not bear out", *_entries(found.causes, numbers)]
    if found.undecided:
        lines += ["## What could not be decided", _list(found.undecided)]
    facts = made_with(found.environment)["facts"]
    versions = ", ".join(f"{_plain(name)} {_plain(text)}" for name, text in facts)
    lines += ["---", *([f"Made with {versions}."] if versions else []), f"Digest: {_plain(found.digest)}"]
    return "\n\n".join(lines) + "\n"


def _list(points: Sequence[Point]) -> str:
    lines = []
    for claim, where, group in _by_place(points):
        lines.append(f"- {_plain(where)} (`{claim}`)")
        for point in group:
            more = "".join(f"; {_plain(said)}" for said in point.circumstances)
            lines.append(f"  - {_plain(point.part)} ({_words(point)}{more}): {_plain(point.printed)}")
    return "\n".join(lines)


def _entries(points: Sequence[Point], numbers: Iterator[int]) -> Iterator[str]:
    for point, k in zip(points, numbers, strict=False):  # points first: a count is used up by looking
        yield f"### {k}. {_plain(point.where)}: {_words(point)}"
        yield f"> {_plain(point.printed)}"
        yield f"Found (n = {_format.count(point.n)}): {_plain(point.found)}"
        if point.region:
            yield f"{_region(point)}: {_plain(point.region)}"
        if point.repair:
            yield f"Smallest repair: {_plain(point.repair)}"
        if point.findings:
            yield "\n".join(map(_finding, point.findings))
        if point.circumstances:
            yield f"This run was not the plain one: {_plain('; '.join(point.circumstances))}."
        if point.rule:
            twin = f" Control: {_plain(point.twin)}" if point.twin else ""
            yield f"Rule: {_plain(point.rule)}{twin}"
        yield f"Run it again: `{point.command}`"


def _finding(finding: Mapping[str, Any]) -> str:
    name, measured = _plain(finding["name"]), _plain(finding["measured"])
    printed = "" if finding["reported"] is None else f" the paper: {_plain(finding['reported'])};"
    ends = _format.interval(finding["interval"])
    rests = f"n = {_format.count(finding['n'])}{f', interval {ends}' if ends else ''}"
    return f"- {name}:{printed} measured: {measured} ({rests})"


def _region(point: Point) -> str:
    return "Where, or for what share, it holds" if point.answer == "holds in part" else "Where"


def write_errata(
    found: Errata,
    path: Path | str,
    *,
    kind: Literal["html", "markdown"] = "html",
    beside: Sequence[str] | None = None,
) -> Path:
    """Write the page, or the Markdown, whole or not at all.

    Args:
        found: what ``nonsmooth.claims.errata`` made of a ledger.
        path: the file; replaced if it is there.
        kind: of the two, which.
        beside: as for :func:`errata_html`; None: those of ``report.html`` and ``ledger.json`` that are there.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    if beside is None:
        beside = [name for name in ("report.html", "ledger.json") if (path.parent / name).is_file()]
    text = errata_html(found, beside=beside) if kind == "html" else errata_markdown(found)
    return write_whole(path, text.encode("utf-8", errors="replace"))
