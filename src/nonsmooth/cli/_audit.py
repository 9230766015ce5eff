"""``nonsmooth audit``: what a training run really is, from a function that builds it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nonsmooth.cli._built import build
from nonsmooth.cli._codes import FAILED_AS_ASKED
from nonsmooth.cli._options import json_option, out_option
from nonsmooth.cli._words import as_json, emit, one_line, say, stdout_for_results_only
from nonsmooth.errors import InputError

if TYPE_CHECKING:
    from nonsmooth.audit import Audit

__all__ = ["command"]

_STYLES = {"problem": "bold red", "warning": "yellow", "unknown": "magenta", "note": "cyan", "fine": "green"}
# What a tuple holds, in this order; a mapping names what it holds.
_PLACES = ("model", "example", "loss", "optimizer", "scheduler", "penalty")
_LOOKS = {"snippet": "green", "source": "dim"}
_INDENT = 9


@click.command("audit")
@click.argument("factory", metavar="MODULE:FACTORY")
@click.option("--steps", type=click.IntRange(min=1), help="Optimiser steps that the training has to go.")
@click.option("--steps-per-epoch", type=click.IntRange(min=1), help="Optimiser steps to a scheduler step.")
@click.option("--resumed-from", type=click.IntRange(min=0), help="Steps taken before an interruption.")
@click.option("--strength", type=float, help="Of the L1 penalty that is meant, if a step thresholds by hand.")
@click.option("--full-batch", is_flag=True, help="Gradients are those of all data, not of drawn batches.")
@click.option(
    "--mode", type=click.Choice(("train", "eval")), help="The mode that is meant; default: the model's own."
)
@click.option("--difference", type=float, help="The step of second differences that are to be judged.")
@click.option("--seconds", type=float, default=10.0, show_default=True, help="That curvature may take.")
@click.option(
    "--fail-on",
    multiple=True,
    metavar="WORD[,WORD]",
    help="Leave with 1 at an observation of this level or worse, or of this id (repeatable).",
)
@out_option(help="A folder for the page, audit.html, and audit.json.")
@click.option("--brief", "detail", flag_value="brief", help="Titles only.")
@click.option("--full", "detail", flag_value="full", help="Reasons and sources of notes too.")
@json_option
def command(
    factory: str,
    mode: str | None,
    full_batch: bool,
    fail_on: tuple[str, ...],
    out: Path | None,
    detail: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Say where the kinks of a training run are, which theorems apply, and what its penalty can reach.

    MODULE:FACTORY is a function without arguments, in a module that is installed or lies in the present
    folder. It returns a mapping of arguments of nonsmooth.audit (model and example, and as many as there are
    of loss, optimizer, scheduler, penalty, batches, step, strength, steps, steps_per_epoch, resumed_from),
    or the first of them as a tuple: (model, example, loss, optimizer, scheduler, penalty). Nothing of it is
    changed.
    """
    with stdout_for_results_only():
        given = _arguments(factory)
        given |= {name: value for name, value in options.items() if value is not None}
        given |= {"training": mode == "train"} if mode else {}
        given |= {"stochastic": False} if full_batch else {}
        words = [word.strip() for part in fail_on for word in part.split(",")]
        from nonsmooth.audit import audit, check_words

        check_words(words)
        found = audit(**given)
        written = _written(found, out, factory)
    failing = found.failing(words)
    if as_json:
        emit(found.as_dict() | {"failing": [each.id for each in failing], "written": written})
    else:
        _show(found, detail)
        for path in written:
            click.echo(f"wrote {one_line(path)}")
    if failing:
        click.echo(f"failing as asked: {', '.join(each.id for each in failing)}", err=True)
        sys.exit(FAILED_AS_ASKED)


def _arguments(factory: str) -> dict[str, Any]:
    import inspect

    from nonsmooth.audit import audit

    made = build(factory)
    if isinstance(made, tuple | list):
        if not 2 <= len(made) <= len(_PLACES):
            raise InputError(
                f"{factory!r} returns {len(made)} values; it must return a mapping, or 2 to {len(_PLACES)} "
                f"of {', '.join(_PLACES)}"
            )
        return dict(zip(_PLACES, made, strict=False))
    known = list(inspect.signature(audit).parameters)
    if not isinstance(made, dict):
        raise InputError(
            f"{factory!r} returns a {type(made).__name__}; it must return a mapping with model and example"
        )
    strange = [name for name in made if name not in known]
    missing = [name for name in ("model", "example") if name not in made]
    if strange:
        raise InputError(f"{factory!r} returns {strange[0]!r}, which is not one of {', '.join(known)}")
    if missing:
        raise InputError(f"{factory!r} returns no {missing[0]!r}; it must return at least model and example")
    return dict(made)


def _written(found: Audit, out: Path | None, factory: str) -> list[str]:
    if out is None:
        return []
    from nonsmooth.report import write_audit, write_whole

    page = write_audit(found, out / "audit.html", factory)
    data = write_whole(out / "audit.json", as_json(found.as_dict()).encode())
    return [str(page), str(data)]


def _show(found: Audit, detail: str | None) -> None:
    from rich.padding import Padding
    from rich.text import Text

    from nonsmooth.audit import told

    for each in found.observations:
        level, title = (f"{each.level:8} ", _STYLES[each.level]), (one_line(each.title), "bold")
        say(Text.assemble(level, title, (f"  {each.id}", "dim")))
        if detail == "brief":
            continue
        for kind, line in told(each, full=detail == "full"):
            indent = _INDENT + 4 if kind == "snippet" else _INDENT
            say(Padding(Text(one_line(line), style=_LOOKS.get(kind, "")), (0, 0, 0, indent)))
    if found.skipped and detail != "brief":
        say(Text("not looked at", style="dim"))
        for what, why in found.skipped:
            say(Padding(Text(f"{one_line(what)}: {one_line(why)}"), (0, 0, 0, _INDENT)))
