"""``nonsmooth diff A B``: what changed between two ledgers, in words."""

from __future__ import annotations

from pathlib import Path

import click

from nonsmooth.cli._codes import FAILED_AS_ASKED
from nonsmooth.cli._options import json_option
from nonsmooth.cli._words import emit, one_line

__all__ = ["command"]

_LEDGER = click.Path(path_type=Path)


@click.command("diff")
@click.argument("a", type=_LEDGER)
@click.argument("b", type=_LEDGER)
@click.option("--exit-code", is_flag=True, help="Leave with 1 where the two differ.")
@json_option
@click.pass_context
def command(ctx: click.Context, a: Path, b: Path, exit_code: bool, as_json: bool) -> None:
    """Compare two ledgers, or the folders they are in: answers first, then numbers."""
    from nonsmooth.claims import Ledger, compare, in_words

    ledgers = [Ledger.read(path / "ledger.json" if path.is_dir() else path) for path in (a, b)]
    changes = compare(*ledgers)
    same = not changes
    if as_json:
        digests = [ledger.digest for ledger in ledgers]
        listed = [{"claim": change.claim, "kind": change.kind, "words": change.words} for change in changes]
        emit({"same": same, "digests": digests, "differences": [str(c) for c in changes], "changes": listed})
    else:
        lines = f"the same: digest {ledgers[0].digest}" if same else in_words(changes)
        click.echo("\n".join(one_line(line) for line in lines.split("\n")))
    if exit_code and not same:
        ctx.exit(FAILED_AS_ASKED)
