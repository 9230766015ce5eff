"""The group of commands, and the one place where an exception becomes an exit code."""

from __future__ import annotations

import contextlib
import errno
import importlib
import io
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any

import click

from nonsmooth._version import __version__
from nonsmooth.cli._codes import BAD_INPUT, INTERNAL, INTERRUPTED, PIPE_CLOSED
from nonsmooth.cli._words import complain, one_line
from nonsmooth.errors import InputError

__all__ = ["cli", "main"]

# In the order in which they are met; each is `_NAME.py` beside this file, holding a command `NAME`.
_COMMANDS = (
    "list",
    "show",
    "reproduce",
    "report",
    "errata",
    "diff",
    "audit",
    "sharpness",
    "floor",
    "fingerprint",
    "data",
    "info",
    "clean",
)


@contextlib.contextmanager
def _closed_pipe_is_quiet() -> Iterator[None]:
    """Whoever read our output (``| head -1``) has enough: stop without a word, as the shell expects."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.EPIPE:
            raise
        # The interpreter flushes once more at exit; let that go nowhere instead of failing.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(PIPE_CLOSED) from None


class _Group(click.Group):
    """Imports a command's module when the command is asked for, and turns errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        return importlib.import_module(f"nonsmooth.cli._{cmd_name}").command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            near = get_close_matches(args[0], _COMMANDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "run 'nonsmooth --help'"
            ctx.fail(f"there is no command {args[0]!r}; the commands are {', '.join(_COMMANDS)}; {hint}")
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        with _closed_pipe_is_quiet():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> None:
        with _closed_pipe_is_quiet():
            super().invoke(ctx)
            sys.stdout.flush()

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)
        sys.exit(_exit_code(lambda: super(_Group, self).main(*args, standalone_mode=False, **extra)))


def _exit_code(call: Callable[[], int | None]) -> int:
    try:
        return call() or 0
    except click.UsageError as error:
        click.UsageError(one_line(error.format_message()), error.ctx).show()
        return BAD_INPUT
    except click.ClickException as error:
        complain(error.format_message())
        return BAD_INPUT
    except (InputError, OSError) as error:
        complain(_explain(error))
        return BAD_INPUT
    except (click.Abort, KeyboardInterrupt) as stop:
        # Click wraps the interrupt; the one that a run ends with says how much is kept.
        said = str(stop.__cause__ or stop)
        complain(said or "interrupted; what was finished is kept, and the same command resumes")
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        complain("this is a fault of nonsmooth, not of its input; please report it with the lines above")
        return INTERNAL


def _explain(error: Exception) -> str:
    """One line for an error. A bare OSError says what failed, not what to do: add that."""
    if not isinstance(error, OSError):
        return str(error)
    place = "" if error.filename is None else f" {os.fspath(error.filename)!r}"
    reason = error.strerror or str(error) or type(error).__name__
    return f"cannot use{place or ' a file'}: {reason}; check the path, its permissions and the free space"


@click.group(
    "nonsmooth",
    cls=_Group,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 fine; 1 a verdict or difference you asked to fail on; 2 bad input; "
    "3 a fault in a claim or in nonsmooth; 130 interrupted (the same command resumes). "
    'Completion: eval "$(_NONSMOOTH_COMPLETE=bash_source nonsmooth)" (or zsh_source, fish_source).',
)
@click.version_option(__version__, "-V", "--version", message="nonsmooth %(version)s")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Where non-differentiability matters in training: the paper's claims as code, run, judged, drawn."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def main() -> None:
    """Run the command line on ``sys.argv`` and leave with its exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a letter shows a stand-in; that is no reason to fail.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    cli.main(prog_name="nonsmooth")
