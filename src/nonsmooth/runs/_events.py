"""What a run tells its caller while it works, and how it ends early."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nonsmooth.runs._spec import RunSpec

__all__ = ["Done", "Event", "Failed", "Failure", "Interrupted", "Planned", "Retried", "RunsError"]


@dataclass(frozen=True)
class Failure:
    """A spec that could not be measured: why in one line, and the worker's traceback.

    ``refused`` is true where the claim raised ``InputError``: the input is at fault, not the claim.
    """

    spec: RunSpec
    why: str
    detail: str = ""
    refused: bool = False

    def __str__(self) -> str:
        spec = self.spec
        return (
            f"claim {spec.claim!r}, experiment {spec.experiment!r}, spec {spec.id} "
            f"(parameters {dict(spec.parameters)}, seeds {list(spec.seeds)}): {self.why}"
        )


@dataclass(frozen=True)
class Planned:
    """Sent once, before anything runs: ``cached`` of ``total`` specs are in the store already.

    ``expected`` is the wall time in seconds that earlier runs suggest, None where too few are known.
    """

    total: int
    cached: int
    expected: float | None = None


@dataclass(frozen=True)
class Done:
    """A spec was measured in ``seconds`` and stored; ``done`` of ``total`` (cached ones included)."""

    spec: RunSpec
    seconds: float
    done: int
    total: int


@dataclass(frozen=True)
class Retried:
    """The worker that had this spec died; the spec is tried once more, alone."""

    spec: RunSpec


@dataclass(frozen=True)
class Failed:
    """A spec could not be measured; what remains of its claim is skipped, other claims go on."""

    failure: Failure


Event = Planned | Done | Retried | Failed


class Interrupted(KeyboardInterrupt):
    """Ctrl-C: ``done`` of ``total`` specs are in the store, and the same call resumes there."""

    def __init__(self, done: int, total: int) -> None:
        kept = f"{done} of {total} runs are kept; the same command resumes there"
        super().__init__(f"interrupted: {kept}" if total else "interrupted before anything was planned")
        self.done = done
        self.total = total


class RunsError(RuntimeError):
    """Some specs could not be measured.

    ``failures`` says which and why; ``rows`` are those of all others, by spec id. They are stored.
    """

    def __init__(self, failures: Sequence[Failure], rows: Mapping[str, list[dict[str, Any]]]) -> None:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        super().__init__(f"{failures[0]}{more}")
        self.failures = tuple(failures)
        self.rows = rows
