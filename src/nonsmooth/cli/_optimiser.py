"""What the commands on optimisers share: naming one, its settings, and how far they have come."""

from __future__ import annotations

import ast
import contextlib
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Any, TypeVar

import click

from nonsmooth.cli._words import console, one_line
from nonsmooth.errors import InputError

__all__ = ["bar", "factory_of", "named", "optimiser_options", "start_of"]

F = TypeVar("F", bound=Callable[..., Any])

_SECONDS_BETWEEN_LINES = 5.0


def optimiser_options(function: F) -> F:
    """``--lr``, ``--option``, ``--start``, ``--seed`` and ``--quiet``."""
    for option in (
        click.option("--quiet", is_flag=True, help="No progress."),
        click.option(
            "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the starts."
        ),
        click.option(
            "--start",
            default="uniform",
            show_default=True,
            metavar="uniform|STD",
            help="uniform on [-1, 1], or the standard deviation of a normal law.",
        ),
        click.option(
            "--option",
            "settings",
            multiple=True,
            metavar="NAME=VALUE",
            help="A setting of the optimiser, such as momentum=0.9 (repeatable).",
        ),
        click.option("--lr", type=float, help="Its step size; default: the optimiser's own."),
    ):
        function = option(function)
    return function


def factory_of(target: str, lr: float | None, settings: tuple[str, ...]) -> Callable[[list[Any]], Any]:
    """The factory that MODULE:NAME, called with parameters and the settings, is.

    Raises:
        InputError: there is no such module or name, or a setting cannot be read.
    """
    given = {"lr": lr} if lr is not None else {}
    for setting in settings:
        name, separator, value = setting.partition("=")
        name = name.strip()
        if not separator or not name.isidentifier():
            raise InputError(f"--option {setting!r} is no NAME=VALUE; write for example momentum=0.9")
        if name in given:
            raise InputError(f"--option {setting!r}: {name} is given twice; give it once")
        given[name] = _value(value.strip())
    make = named(target)
    return lambda parameters: make(parameters, **given)


def named(target: str) -> Callable[..., Any]:
    """The function or class that MODULE:NAME is; a module may lie in the present folder.

    Raises:
        InputError: there is no such module or name.
    """
    module_name, _, name = target.partition(":")
    if not (module_name and name):
        raise InputError(f"{target!r} is no MODULE:NAME; write for example torch.optim:Adam")
    here = os.getcwd()  # noqa: PTH109 - sys.path holds strings
    if here not in sys.path:  # a module of the user's lies where the command is called
        sys.path.insert(0, here)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise InputError(
            f"module {module_name!r} of {target!r} cannot be imported: {error or type(error).__name__}; "
            "it must be installed or lie in the present folder"
        ) from error
    found = getattr(module, name, None)
    if not callable(found):
        near = get_close_matches(name, [n for n in dir(module) if callable(getattr(module, n, None))], n=1)
        hint = f"; did you mean {module_name}:{near[0]}?" if near else ""
        raise InputError(f"module {module_name!r} has no optimiser or function {name!r}{hint}")
    return found


def _value(text: str) -> Any:
    """A Python literal; true and false in any case; else the text itself."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def start_of(text: str) -> str | float:
    """``--start`` as the package takes it.

    Raises:
        InputError: it is neither a law's name nor a number > 0.
    """
    if text == "uniform":
        return text
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise InputError(f"--start {text!r} is no start; give 'uniform' or a standard deviation > 0")


@contextlib.contextmanager
def bar(quiet: bool) -> Iterator[Callable[[str, float, float], None]]:
    """Give a listener (what, done, total): a bar in a terminal, a line now and then elsewhere."""
    if quiet:
        yield lambda what, done, total: None
        return
    if not (terminal := console(err=True)).is_terminal or terminal.is_dumb_terminal:
        yield _lines()
        return
    from rich import progress as rich

    columns = (
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(),
        rich.TaskProgressColumn(),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=terminal, transient=True) as shown:
        task = shown.add_task("starting", total=None)
        yield lambda what, done, total: shown.update(
            task, description=one_line(what), completed=done, total=total
        )


def _lines() -> Callable[[str, float, float], None]:
    spoken = time.monotonic()

    def listener(what: str, done: float, total: float) -> None:
        nonlocal spoken
        if time.monotonic() - spoken >= _SECONDS_BETWEEN_LINES:
            spoken = time.monotonic()
            with contextlib.suppress(OSError, ValueError):
                click.echo(f"{one_line(what)}: {done / total:.0%}", err=True)

    return listener
