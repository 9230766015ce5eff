"""What a claim is: a sentence of the paper that can be run, judged and drawn.

A claim is only this, so caching, resuming, parallel engines, the ledger and the page come free::

    runs(tier, settings)  ->  specs          what to run, as frozen descriptions
    measure(spec)         ->  rows           pure and seeded; runs in any worker
    judge(rows)           ->  Judgement      one ruling a part, by the rules in ``parts``
    draw(rows)            ->  drawings       figures like the paper's, with the twin beside them
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from nonsmooth.errors import InputError
from nonsmooth.findings import Drawing, Finding, Part, Ruling, Verdict, assemble, style
from nonsmooth.runs import RunSpec

__all__ = ["TIERS", "Claim", "Judgement", "Row", "Setting", "Tier"]

Tier = Literal["quick", "laptop", "paper"]
TIERS: tuple[Tier, ...] = ("quick", "laptop", "paper")
Row = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """Something the paper leaves unstated: the value chosen, its allowed range, and why.

    What the paper prints is no setting: a claim about it would no longer be the paper's.

    Args:
        name: as used by ``--over NAME=...`` and in ``runs``' settings.
        default: the value chosen.
        why: the reason for the choice, and where the dependence on it is shown.
        low, high: allowed range of a number, both ends included.
        choices: allowed words, for a setting that is not a number; empty with a word as default: any.
    """

    name: str
    default: float | int | str
    why: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def check(self, value: float | int | str) -> float | int | str:
        """The value in the setting's own type, or InputError naming what is allowed."""
        if self.choices:
            if value not in self.choices:
                raise InputError(
                    f"{self.name} = {value!r} is not known; choose one of {', '.join(self.choices)}"
                )
            return value
        if isinstance(self.default, str):
            return str(value)
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if not math.isfinite(number):
            raise InputError(f"{self.name} = {value!r} is not a finite number; give one like {self.default}")
        if isinstance(self.default, int):
            if number != int(number):
                raise InputError(f"{self.name} = {value} is not a whole number; give one like {self.default}")
            number = int(number)
        low = -float("inf") if self.low is None else self.low
        high = float("inf") if self.high is None else self.high
        if not low <= number <= high:
            raise InputError(f"{self.name} = {value} is out of range; allowed: {low:g} to {high:g}")
        return number


@dataclass(frozen=True)
class Judgement:
    """What ``judge`` returns: one ruling a part it could decide, and every finding it rests on."""

    rulings: Sequence[Ruling]
    findings: Sequence[Finding]

    @classmethod
    def of(cls, *answers: tuple[Ruling, Sequence[Finding]]) -> Judgement:
        """From one (ruling, its findings) a part, as the functions that judge a part return them."""
        return cls([ruling for ruling, _ in answers], [finding for _, found in answers for finding in found])


class Claim(ABC):
    """Base of every claim: a subclass in its own file or folder fills in the attributes and four methods.

    Attributes:
        id: as in the inventory of claims.
        where: section, equation, proposition or figure of the paper.
        statement: the sentence(s) that are judged, quoted or closely paraphrased.
        reported: the paper's printed numbers, digit for digit, by name.
        unstated: what the paper leaves open, with the values chosen here.
        parts: the questions and their decision rules, written down before anything runs.
        notes: premises checked, readings taken, contradictions found: one paragraph each.
    """

    id: ClassVar[str]
    where: ClassVar[str]
    statement: ClassVar[str]
    reported: ClassVar[Mapping[str, str]] = {}
    unstated: ClassVar[tuple[Setting, ...]] = ()
    parts: ClassVar[tuple[Part, ...]]
    notes: ClassVar[tuple[str, ...]] = ()

    def settings(self, given: Mapping[str, float | int | str] | None = None) -> dict[str, Any]:
        """The unstated settings with ``given`` values checked and filled in over the defaults."""
        known = {setting.name: setting for setting in self.unstated}
        values: dict[str, Any] = {name: setting.default for name, setting in known.items()}
        for name, value in (given or {}).items():
            if name not in known:
                names = ", ".join(sorted(known)) or "none"
                raise InputError(f"claim {self.id!r} has no setting {name!r}; it has: {names}")
            values[name] = known[name].check(value)
        return values

    @abstractmethod
    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        """The specs to run at a tier; ``settings`` holds every unstated setting by name."""

    @abstractmethod
    def measure(self, spec: RunSpec) -> list[Row]:
        """Rows of JSON values (NaN and infinities allowed), a pure function of the spec."""

    @abstractmethod
    def judge(self, rows: Sequence[Row]) -> Judgement:
        """One ruling a part, by the rules in ``parts``, and the findings."""

    @abstractmethod
    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        """Figures: the paper's own, with the twin beside it, and the dependence on what is unstated."""

    def verdict(self, rows: Sequence[Row]) -> Verdict:
        """The judgement held against the declared parts (see ``findings.assemble``)."""
        judgement = self.judge(rows)
        return assemble(self.parts, judgement.rulings, judgement.findings)

    def drawings(self, rows: Sequence[Row]) -> list[Drawing]:
        """``draw`` in the package's style."""
        with style():
            return list(self.draw(rows))
