"""An audit as a value: its observations, the facts beneath them, and how it reads."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from nonsmooth.errors import InputError
from nonsmooth.findings import LEVELS, Level, Observation, observations_html, worst

if TYPE_CHECKING:
    from nonsmooth.audit._assumptions import Assumption
    from nonsmooth.audit._schedules import ScheduleFacts
    from nonsmooth.audit._smoothness import Smoothness
    from nonsmooth.diagnostics import Sharpness

__all__ = ["Audit", "check_words", "ordered", "told"]

_WIDTH, _INDENT = 100, " " * 9


@dataclass(frozen=True, eq=False)
class Audit:
    """What :func:`nonsmooth.audit` found. Print it; in a notebook it shows itself.

    Attributes:
        observations: from problems to what is fine; ids are unique.
        skipped: what was not looked at, and what it would take.
        smoothness: of the model, or of its loss.
        schedule: the step sizes; None without an optimiser.
        assumptions: of the theorems that people cite, each with its answer; () without an optimiser.
        sharpness: None where it was not measured.
        seconds: that it took.
    """

    observations: tuple[Observation, ...]
    skipped: tuple[tuple[str, str], ...]
    smoothness: Smoothness
    schedule: ScheduleFacts | None
    assumptions: tuple[Assumption, ...]
    sharpness: Sharpness | None
    seconds: float

    @property
    def worst(self) -> Level:
        """The worst level of all observations."""
        return worst(self.observations)

    def __getitem__(self, id: str) -> Observation:
        for each in self.observations:
            if each.id == id:
                return each
        raise KeyError(f"{id!r}; there are {', '.join(each.id for each in self.observations)}")

    def __contains__(self, id: object) -> bool:
        return any(each.id == id for each in self.observations)

    def failing(self, words: Collection[str]) -> list[Observation]:
        """The observations that are at least as bad as a level named, or have an id named.

        Args:
            words: levels ("problem", "warning", "unknown", "note") or ids of observations. An id that this
                audit does not have fails nothing. What is fine never fails.

        Raises:
            InputError: a word that is neither.
        """
        check_words(words)
        bad = {level for word in words if word in LEVELS for level in LEVELS[: LEVELS.index(word) + 1]}
        return [
            each
            for each in self.observations
            if each.level != "fine" and (each.level in bad or each.id in words)
        ]

    def as_dict(self) -> dict[str, Any]:
        """The whole audit as JSON values."""
        return {
            "worst": self.worst,
            "observations": [each.as_dict() for each in self.observations],
            "skipped": [{"what": what, "why": why} for what, why in self.skipped],
            "assumptions": [each.as_dict() for each in self.assumptions],
            "schedule": None if self.schedule is None else self.schedule.as_dict(),
            "sharpness": None if self.sharpness is None else self.sharpness.as_dict(),
            "seconds": self.seconds,
        }

    def __str__(self) -> str:
        counts = {level: sum(each.level == level for each in self.observations) for level in LEVELS}
        lines = [", ".join(f"{n} {level}" for level, n in counts.items() if n)]
        for each in self.observations:
            lines += ["", _wrapped(f"{each.level.upper():8} {each.title}  [{each.id}]", _INDENT, first="")]
            for kind, line in told(each):
                lines.append(f"{_INDENT}   {line}" if kind == "snippet" else _wrapped(line, _INDENT))
        if self.skipped:
            lines += ["", "Not looked at:"]
            lines += [_wrapped(f"{what}: {why}", "  ") for what, why in self.skipped]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return observations_html(self.observations, self.skipped)


def told(each: Observation, full: bool = False) -> list[tuple[str, str]]:
    """What is printed below an observation's title: (what it is, a line) each.

    Of what is fine or a note only the evidence, and not that of a theorem: it would bury what is not fine.
    ``full``: everything.
    """
    quiet = not full and each.level in ("note", "fine")
    lines = [] if quiet and each.id.startswith("theorem-") else [("evidence", each.evidence)]
    if not quiet:
        lines += [("why", each.why), ("remedy", each.remedy and f"→ {each.remedy}")]
        lines += [("snippet", row) for row in each.snippet.splitlines()]
        lines.append(("source", each.source and f"({each.source})"))
    return [(kind, line) for kind, line in lines if line]


def _wrapped(text: str, indent: str, first: str | None = None) -> str:
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=indent if first is None else first,
        subsequent_indent=indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


# Every id that an observation of an audit can have, so that --fail-on can name one that is absent.
_IDS = frozenset(
    (
        "backward-pass",
        "batch-norm-in-evaluation",
        "batch-statistics",
        "curvature-unknown",
        "derivative-unknown",
        "dropout-in-evaluation",
        "edge-of-stability",
        "kink-choices-differ",
        "kinks-crossed",
        "kinks-unknown",
        "l1-in-loss",
        "l1-in-loss-void",
        "l1-without-gradient",
        "no-dependence",
        "noise-in-evaluation",
        "not-finite-weights",
        "not-trained",
        "penalty-attached",
        "penalty-not-recognised",
        "penalty-on-all",
        "penalty-unknown",
        "random-operations",
        "schedule",
        "schedule-astray",
        "schedule-foreign",
        "schedule-idle",
        "schedule-restarted",
        "schedule-rises",
        "schedule-stops",
        "schedule-too-short",
        "schedule-unfinished",
        "schedule-unknown",
        "second-difference",
        "sharpness",
        "sharpness-unconverged",
        "smoothness",
        "step-unknown",
        "strength-decays",
        "theorem-adam-bounded-gradients",
        "theorem-adam-reshuffled",
        "theorem-amsgrad",
        "theorem-gradient-descent",
        "theorem-proximal-gradient",
        "theorem-robbins-monro",
        "theorem-subgradient",
        "theorem-tame",
        "threshold-step",
        "unbounded-slope",
    )
)


def check_words(words: Collection[str]) -> None:
    """Raise InputError for a word that is neither a level nor the id of an observation.

    >>> check_words(["problem", "l1-in-loss"])
    """
    allowed = (*LEVELS[:-1], *sorted(_IDS))
    for word in words:
        if re.sub(r"-[0-9]+\b", "", word) not in allowed:  # several of a kind are numbered
            near = get_close_matches(word, allowed, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise InputError(
                f"{word!r} is neither a level ({', '.join(LEVELS[:-1])}) nor an observation "
                f"({', '.join(sorted(_IDS))}){hint}"
            )


def ordered(observations: Sequence[Observation]) -> tuple[Observation, ...]:
    """From problems to what is fine, in the order given otherwise, with ids made unique.

    >>> [each.id for each in ordered([Observation("a", "note", "", ""), Observation("a", "problem", "", "")])]
    ['a', 'a-2']
    """
    kept: list[Observation] = []
    taken: set[str] = set()
    for each in sorted(observations, key=lambda each: LEVELS.index(each.level)):
        id, count = each.id, 1
        while id in taken:
            count += 1
            id = f"{each.id}-{count}"
        taken.add(id)
        kept.append(each if id == each.id else Observation(**{**vars(each), "id": id}))
    return tuple(kept)
