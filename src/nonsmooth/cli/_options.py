"""Arguments that several commands share. Whatever needs the package's contents imports it when asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = ["TIERS", "claim_files_option", "complete_built", "complete_ids", "json_option", "out_option"]

F = TypeVar("F", bound=Callable[..., Any])

# Those of nonsmooth.claims, which `--help` must not import; a test holds the two together.
TIERS = ("quick", "laptop", "paper")


def complete_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """Shell completion of a claim's id, with its summary beside it."""
    from click.shell_completion import CompletionItem

    from nonsmooth.claims import built, inventory

    summaries = dict.fromkeys(built(), "") | {entry.id: entry.summary for entry in inventory()}
    order = dict.fromkeys([*(entry.id for entry in inventory()), *built()])
    return [CompletionItem(id, help=summaries[id]) for id in order if id.startswith(incomplete)]


def complete_built(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
    """The same of the claims that can be run."""
    from nonsmooth.claims import built

    runnable = set(built())
    return [item for item in complete_ids(ctx, param, incomplete) if item.value in runnable]


def json_option(function: F) -> F:
    return click.option(
        "--json", "as_json", is_flag=True, help="Strict JSON on standard output; words on standard error."
    )(function)


def claim_files_option(function: F) -> F:
    return click.option(
        "--claims",
        "claim_files",
        multiple=True,
        metavar="FILE.py",
        type=click.Path(path_type=Path),
        help="A Python file with a claim of your own (repeatable).",
    )(function)


def out_option(**options: Any) -> Callable[[F], F]:
    return click.option("--out", metavar="DIR", type=click.Path(path_type=Path), **options)
