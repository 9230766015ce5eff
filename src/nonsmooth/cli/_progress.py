"""How far a run has come: a bar where there is a terminal, a line now and then where there is none."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from nonsmooth.cli._words import console, one_line

if TYPE_CHECKING:
    from rich.console import Console

    from nonsmooth.runs import Done, Failed, Planned, Retried

__all__ = ["Drawn", "progress"]

# A log wants a sign of life, not a line for every run.
_SECONDS_BETWEEN_LINES = 5.0
# The first few runs say little about the others: before this share is done, no speed is reckoned.
_ENOUGH = 0.05


@dataclass(frozen=True)
class Drawn:
    """Event: a claim's figures are drawn, ``done`` of ``total``; none yet where the claim is ""."""

    claim: str
    done: int
    total: int


@contextlib.contextmanager
def progress(quiet: bool) -> Iterator[Callable[[object], None]]:
    """Give a listener for the events of a run; what it does not know it ignores."""
    if quiet:
        yield lambda event: None
    elif (terminal := console(err=True)).is_terminal and not terminal.is_dumb_terminal:
        with _bar(terminal) as listener:
            yield listener
    else:
        yield _Lines()


class _Clock:
    """Seconds gone and an estimate of those left.

    Stored runs are done but took no time, so they do not count in the speed. The first estimate is what
    earlier calls took, where that is known; as the runs come in, their own speed takes its place. Where
    it is not known, there is none until a twentieth of the runs is done.
    """

    def __init__(self, planned: Planned) -> None:
        self.started = time.monotonic()
        self.planned = planned

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.started

    def left(self, done: int) -> float | None:
        todo, fresh = self.planned.total - self.planned.cached, done - self.planned.cached
        share = fresh / todo if todo else 1.0
        by_speed = None if share < _ENOUGH else self.elapsed * (1 - share) / share
        if self.planned.expected is None or share == 1.0:
            return by_speed
        by_record = max(self.planned.expected - self.elapsed, 0.0)
        return by_record if by_speed is None else share * by_speed + (1 - share) * by_record


def _in_words(seconds: float | None) -> str:
    if seconds is None:
        return "time left not known yet"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f"about {f'{hours} h ' if hours else ''}{f'{minutes} min ' if hours or minutes else ''}{rest} s left"
    )


@contextlib.contextmanager
def _bar(terminal: Console) -> Iterator[Callable[[object], None]]:
    from rich import progress as rich

    from nonsmooth.runs import Done, Failed, Planned, Retried

    columns = (
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.TaskProgressColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(),
        rich.TextColumn("{task.fields[left]}", markup=False),
    )
    clock: _Clock | None = None
    told: set[str] = set()
    with rich.Progress(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task("planning", total=None, left="")

        def listener(event: object) -> None:
            nonlocal clock
            if isinstance(event, Planned):
                clock = _Clock(event)
                left = _in_words(clock.left(event.cached))
                bar.reset(task, total=event.total, completed=event.cached, description="starting", left=left)
            elif isinstance(event, Done) and clock is not None:
                left = _in_words(clock.left(event.done))
                bar.update(task, completed=event.done, description=one_line(event.spec.claim), left=left)
            elif isinstance(event, Drawn):
                said = one_line(f"drawing {event.claim}".rstrip())
                if not event.done:
                    bar.reset(task, total=event.total, completed=0, description=said, left="")
                bar.update(task, completed=event.done, description=said)
            elif isinstance(event, Retried | Failed) and (words := _trouble(event)) not in told:
                told.add(words)  # several batches of a claim may fail at the same time
                bar.console.print(words)

        yield listener


def _trouble(event: Retried | Failed) -> str:
    from nonsmooth.runs import Retried

    if isinstance(event, Retried):
        return one_line(
            f"a worker died with {event.spec.claim} {event.spec.id}; trying that once more, alone"
        )
    return one_line(f"{event.failure.spec.claim} failed and is left out; the other claims go on")


class _Lines:
    """Progress for a log. A reader who has gone away must not stop the work, so errors are dropped."""

    def __init__(self) -> None:
        self.clock: _Clock | None = None
        self.told: set[str] = set()
        self.started = self.spoken = time.monotonic()

    def __call__(self, event: object) -> None:
        from nonsmooth.runs import Done, Failed, Planned, Retried

        if isinstance(event, Planned):
            self.clock = _Clock(event)
            expected = f"; {_in_words(event.expected)}" if event.expected else ""
            self.write(f"{event.total} batches of runs, {event.cached} of them stored already{expected}")
        elif isinstance(event, Done) and self.clock is not None:
            self.done(event, self.clock)
        elif isinstance(event, Drawn):
            self.drawn(event)
        elif isinstance(event, Retried | Failed) and (words := _trouble(event)) not in self.told:
            self.told.add(words)
            self.write(words)

    def done(self, event: Done, clock: _Clock) -> None:
        now = time.monotonic()
        last = event.done == event.total
        if not last and now - self.spoken < _SECONDS_BETWEEN_LINES:
            return
        self.spoken = now
        estimate = None if last else clock.left(event.done)
        left = "" if estimate is None else f", {_in_words(estimate)}"
        self.write(
            f"{event.done} of {event.total} ({event.done / event.total:.0%}), {clock.elapsed:.0f} s{left}"
        )

    def drawn(self, event: Drawn) -> None:
        now = time.monotonic()
        if not event.done:
            self.started = self.spoken = now
            return
        if now - self.spoken < _SECONDS_BETWEEN_LINES or event.done == event.total:
            return  # that all are drawn, the list of what was written says
        self.spoken = now
        self.write(f"drawing: {event.done} of {event.total} claims, {now - self.started:.0f} s")

    def write(self, line: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            click.echo(line, err=True)
