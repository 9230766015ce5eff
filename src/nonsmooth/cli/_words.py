"""What the command line prints: one place for text and tables, one for JSON, one for errors.

Results go to standard output, everything about the way there (progress, questions, errors) to
standard error, so that a pipe or ``--json`` gets results only.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

__all__ = ["as_json", "complain", "console", "emit", "one_line", "say", "stdout_for_results_only", "table"]

# Wide enough that a line meant for a pipe (grep, a log) is never folded.
_UNFOLDED = 100_000


def one_line(text: str) -> str:
    r"""The text on one line, with every control character written out.

    A value quoted in an error may hold anything: line ends would make one error look like several,
    an escape sequence would reach the terminal.

    >>> one_line("no claim 'a\n\x1b[2Jb'")
    "no claim 'a\\n\\x1b[2Jb'"
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def complain(text: str) -> None:
    """Print an error, on one line; if nobody reads, so be it."""
    with contextlib.suppress(OSError):
        click.echo(f"Error: {one_line(text)}", err=True)


def console(err: bool = False) -> Console:
    """A Rich console that prints strings as they are: claims are full of ``[-1, 1]``, which is no markup."""
    from rich.console import Console

    stream = sys.stderr if err else sys.stdout
    width = None if stream.isatty() else _UNFOLDED
    return Console(file=stream, width=width, markup=False, emoji=False, highlight=False)


def say(*parts: RenderableType, err: bool = False) -> None:
    """Print text and tables for a reader."""
    terminal = console(err)
    with terminal.capture() as capture:
        for part in parts:
            terminal.print(part)
    # Rich pads the last column; and it has decided about colour already, so Click must not.
    lines = (line.rstrip() for line in capture.get().splitlines())
    click.echo("\n".join(lines), err=err, color=terminal.color_system is not None)


def table(*headings: str) -> Table:
    """An unboxed table. Only the last column gives way in a narrow terminal."""
    from rich.table import Table

    made = Table(
        box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold", show_header=any(headings)
    )
    for at, heading in enumerate(headings, start=1):
        made.add_column(heading, no_wrap=at < len(headings), overflow="fold")
    return made


def emit(payload: dict[str, Any]) -> None:
    """Print strict JSON: ASCII, and null for a number that JSON does not have."""
    click.echo(as_json(payload))


def as_json(payload: dict[str, Any]) -> str:
    """Strict JSON, as :func:`emit` prints it."""
    return json.dumps(_strict(payload), indent=2, allow_nan=False)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _strict(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@contextlib.contextmanager
def stdout_for_results_only() -> Iterator[None]:
    """Send to standard error whatever a claim, a library or a worker process prints meanwhile.

    Worker processes inherit the file descriptor, not ``sys.stdout``; so both are turned round.
    """
    sys.stdout.flush()
    try:
        kept = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # a descriptor is closed: nobody reads it
        kept = None
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)
