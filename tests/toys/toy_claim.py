"""A claim for tests: forty tenth-of-a-second runs, each of which leaves a line in a log if asked to.

Environment variables (a claim is otherwise a pure function of its specs):

- NONSMOOTH_TOY_LOG: a file that gets one line a measured spec, so that a test can count them.
- NONSMOOTH_TOY_TROUBLE: "raise", "refuse", "die", "die-once:FILE", "note" or "judge"; spec 3 does so.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from nonsmooth.claims import Claim, Judgement, Row, Setting, Tier
from nonsmooth.errors import InputError
from nonsmooth.findings import Attribution, Drawing, Finding, Part, Result, Ruling, canvas
from nonsmooth.runs import RunSpec, scratch, stream

SIZES = {"quick": 40, "laptop": 60, "paper": 80}


class ToyClaim(Claim):
    """Means of uniform numbers lie near one half."""

    id = "toy-mean"
    where = "nowhere"
    statement = "The mean of uniform numbers is one half."
    reported: ClassVar = {"mean": "0.5"}
    unstated = (
        Setting("draws", 1000, "enough for two digits", low=1, high=100_000),
        Setting("shift", 0.0, "none is stated", low=-10.0, high=10.0),
        Setting("delay", 0.1, "so that a run can be interrupted", low=0.0, high=10.0),
        Setting("runs", 0, "0: as the tier says", low=0, high=1000),
        Setting("kind", "uniform", "as stated", choices=("uniform", "normal")),
    )
    parts = (
        Part("mean", "The mean is one half.", "|mean - 0.5| < 0.05 in every run: holds", 4),
        Part("cause", "Because it is uniform.", "supported if its twin has another mean", 4, 1, "normal"),
    )
    notes = ("A toy: only for tests.",)

    def runs(self, tier: Tier, settings: Mapping[str, Any]) -> Sequence[RunSpec]:
        parameters = {name: settings[name] for name in ("draws", "shift", "delay", "kind")}
        count = settings["runs"] or SIZES[tier]
        return [RunSpec(self.id, "mean", {**parameters, "number": k}, (k,)) for k in range(count)]

    def measure(self, spec: RunSpec) -> list[Row]:
        _log(spec)
        if spec["number"] == 3:
            _trouble(spec)
        time.sleep(spec["delay"])
        draw = stream("start", spec.seeds[0])
        values = draw.random(spec["draws"]) if spec["kind"] == "uniform" else draw.normal(size=spec["draws"])
        matrix = values[: min(len(values), 900)].reshape(-1, 1)
        gram = matrix @ matrix.T  # its last bits depend on the number of threads
        mean = float(np.mean(values)) + spec["shift"]
        return [
            {"seed": spec.seeds[0], "mean": mean, "trace": float(gram.sum())},
            {"seed": spec.seeds[0], "worst": float("inf"), "nothing": float("nan"), "note": "another shape"},
        ]

    def judge(self, rows: Sequence[Row]) -> Judgement:
        if os.environ.get("NONSMOOTH_TOY_TROUBLE") == "judge":
            raise ZeroDivisionError("a judge that fails")
        means = sorted(row["mean"] for row in rows if "mean" in row)
        worst = max((abs(mean - 0.5) for mean in means), default=float("nan"))
        answer = Result.HOLDS if worst < 0.05 else Result.DIFFERS
        why = f"the largest distance from 0.5 is {worst:.3g}"
        finding = Finding(
            "mean of the means",
            f"{np.mean(means):.4f}" if means else "none",
            len(means),
            "over all runs",
            "mean",
            "0.5",
            (means[0], means[-1]) if means else None,
            bool(worst < 0.05),
        )
        rulings = [
            Ruling("mean", answer, len(means), why),
            Ruling("cause", Attribution.UNDECIDED, len(means), "the twin was not run"),
        ]
        return Judgement(rulings, [finding])

    def draw(self, rows: Sequence[Row]) -> Sequence[Drawing]:
        figure, axes = canvas(1)
        means = sorted(row["mean"] for row in rows if "mean" in row)
        axes[0, 0].plot(means, marker="o", linestyle="none")
        axes[0, 0].set(xlabel="run, sorted", ylabel="mean")
        return [Drawing("means", "The mean of each run.", figure)]


def _log(spec: RunSpec) -> None:
    log = os.environ.get("NONSMOOTH_TOY_LOG")
    if log:
        with Path(log).open("a") as file:
            file.write(f"{spec.id} {os.getpid()}\n")


def _trouble(spec: RunSpec) -> None:
    what, _, more = os.environ.get("NONSMOOTH_TOY_TROUBLE", "").partition(":")
    if what == "raise":
        raise ZeroDivisionError("a measure that fails")
    if what == "refuse":
        raise InputError("draws = 1000 is out of range; allowed: 1 to 10")
    if what == "note":
        note = (scratch() or Path()) / "note"
        if not note.exists():
            note.write_text(str(spec["number"]))
            raise RuntimeError("left a note")
    if what == "die-once" and not Path(more).exists():
        Path(more).touch()
        os._exit(9)
    if what == "die":
        os._exit(9)
