"""Which theorems' assumptions hold for a training: a row for each, with its evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from nonsmooth.audit._assumption_checks import Answer, Case, Sharp, Slopes, Smooth
from nonsmooth.audit._schedules import ScheduleFacts
from nonsmooth.audit._theorems import THEOREMS
from nonsmooth.findings import Level, Observation

__all__ = ["Assumption", "assumption_observations", "assumptions"]


@dataclass(frozen=True)
class Assumption:
    """One assumption of a theorem, and whether it holds here.

    Attributes:
        theorem, source: as cited.
        assumption: in words.
        answer: "holds", "fails" or "cannot be known".
        evidence: what says so, with numbers.
    """

    theorem: str
    source: str
    assumption: str
    answer: Answer
    evidence: str

    def as_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)


def assumptions(
    smoothness: Smooth | None,
    schedule: ScheduleFacts,
    optimizer: torch.optim.Optimizer,
    *,
    sharpness: Sharp | None = None,
    stochastic: bool = True,
    slopes: Slopes | None = None,
) -> list[Assumption]:
    """What the theorems people cite assume, and whether it holds for this training.

    Args:
        smoothness: of the loss, from :func:`smoothness_of`; None if not known.
        schedule: from :func:`schedule_of`.
        optimizer: its class, settings and attached penalties are read.
        sharpness: from ``nonsmooth.sharpness``, of the Hessian itself or with plain SGD; its largest value is
            a lower bound on the Lipschitz constant of the gradient. None if not measured.
        stochastic: whether gradients are of batches, not of the whole loss.
        slopes: whether the backward pass gives the derivative, from :func:`derivative`; None if not known.

    Returns:
        the rows, theorem by theorem.

    >>> from nonsmooth.audit import schedule_of, smoothness_of
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    >>> sgd = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> loss = smoothness_of(model, (torch.zeros(4, 2), torch.zeros(4, 1)), torch.nn.functional.mse_loss)
    >>> rows = assumptions(loss, schedule_of(sgd, None, 100), sgd)
    >>> rows[0].answer, rows[0].evidence.split(": ")[0]
    ('fails', 'the loss is at worst Lipschitz')
    """
    case = Case(smoothness, schedule, optimizer, sharpness, stochastic, slopes)
    return [
        Assumption(theorem.name, theorem.source, words, *check(case))
        for theorem in THEOREMS
        for words, check in theorem.rows
    ]


def assumption_observations(rows: Sequence[Assumption]) -> list[Observation]:
    """One observation for each theorem: "note" if an assumption fails, "unknown" if one cannot be known.

    Args:
        rows: of :func:`assumptions`.

    Returns:
        observations with ids such as ``theorem-tame``; "fine" where all assumptions hold.
    """
    found = []
    for theorem in THEOREMS:
        mine = [row for row in rows if row.theorem == theorem.name]
        if not mine:
            continue
        failing = [row for row in mine if row.answer == "fails"]
        open_ = [row for row in mine if row.answer == "cannot be known"]
        if failing:
            level: Level = "note"
            title, shown = f"{theorem.name}: {len(failing)} of {len(mine)} assumptions fail.", failing
            why = f"The theorem does not apply. {theorem.remains}"
        elif open_:
            level, shown = "unknown", open_
            title = f"{theorem.name}: none of {len(mine)} assumptions fails, {len(open_)} cannot be known."
            why = f"Where they hold: {theorem.gives}"
        else:
            level, shown = "fine", mine
            title, why = f"{theorem.name}: all {len(mine)} assumptions hold.", theorem.gives
        numbers = {
            "holds": [row.assumption for row in mine if row.answer == "holds"],
            "fails": [row.assumption for row in failing],
            "cannot be known": [row.assumption for row in open_],
        }
        evidence = "; ".join(f"{row.assumption}: {row.answer} ({row.evidence})" for row in shown)
        found.append(
            Observation(theorem.id, level, title, f"{evidence}.", why, theorem.source, numbers=numbers)
        )
    return found
