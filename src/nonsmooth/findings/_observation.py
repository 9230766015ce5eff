"""What an audit says: one observation with its evidence, why it matters, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from nonsmooth.errors import InputError
from nonsmooth.findings._drawing import Drawing

__all__ = ["LEVELS", "Level", "Observation", "worst"]

# From the worst to the best. "unknown": the question could not be answered, which is never taken for fine.
Level = Literal["problem", "warning", "unknown", "note", "fine"]
LEVELS: tuple[Level, ...] = ("problem", "warning", "unknown", "note", "fine")


@dataclass(frozen=True)
class Observation:
    """One thing that an audit found.

    Args:
        id: a short name with hyphens, unique in its audit, such as ``l1-in-loss``; ``--fail-on`` takes it.
        level: "problem" (will not do what it is meant to do), "warning" (may not), "note" (worth knowing),
            "fine" (looked at, nothing wrong), "unknown" (could not be decided).
        title: one sentence, the observation itself.
        evidence: what was measured or read, with numbers, units and dtype.
        why: why it matters, in one or two sentences.
        source: the theorem, paper or documentation that this rests on.
        remedy: what to do, in one sentence; empty where nothing is to be done.
        snippet: code that does it; empty if none.
        numbers: the evidence as JSON values.
        drawings: figures of the evidence.

    Raises:
        InputError: a level that is not known.

    >>> Observation("kinks", "note", "The loss has kinks.", "relu in model.0").as_dict()["level"]
    'note'
    """

    id: str
    level: Level
    title: str
    evidence: str
    why: str = ""
    source: str = ""
    remedy: str = ""
    snippet: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    drawings: Sequence[Drawing] = ()

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise InputError(f"level = {self.level!r}; choose one of {', '.join(LEVELS)}")

    def as_dict(self) -> dict[str, Any]:
        """As JSON values; drawings are named only."""
        row = {name: value for name, value in vars(self).items() if name != "drawings"}
        return {**row, "numbers": dict(self.numbers), "drawings": [each.name for each in self.drawings]}


def worst(observations: Sequence[Observation]) -> Level:
    """The worst level of several; "fine" if there are none.

    >>> worst([Observation("a", "note", "", ""), Observation("b", "problem", "", "")])
    'problem'
    """
    found = {each.level for each in observations}
    for level in LEVELS:
        if level in found:
            return level
    return "fine"
