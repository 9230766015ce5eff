"""``nonsmooth errata``: what does not hold as printed, as one page or as text for a letter."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from nonsmooth.cli._options import json_option
from nonsmooth.cli._words import emit, one_line
from nonsmooth.errors import InputError

__all__ = ["command"]

_PATH = click.Path(path_type=Path)
_MARKDOWN = (".md", ".markdown")


@click.command("errata")
@click.argument("ledger", type=_PATH, default=Path("out/quick"), required=False)
@click.option(
    "--out", metavar="FILE", type=_PATH, help="Where to write; default: errata.html beside the ledger."
)
@click.option(
    "--format",
    "kind",
    type=click.Choice(("html", "markdown")),
    help="Markdown goes to standard output unless --out is given. Default: html, or what FILE ends with.",
)
@json_option
def command(ledger: Path, out: Path | None, kind: Literal["html", "markdown"] | None, as_json: bool) -> None:
    """List what does not hold as printed, with the smallest repair.

    LEDGER is a ledger.json or its folder; default: out/quick. Nothing is run or judged.
    """
    from nonsmooth.claims import Ledger, errata
    from nonsmooth.report import errata_markdown, write_errata

    is_folder = ledger.is_dir() or not (ledger.suffix or ledger.exists())
    path = ledger / "ledger.json" if is_folder else ledger
    found = errata(Ledger.read(path))
    if kind is None and out is not None and out.suffix.lower() in _MARKDOWN:
        kind = "markdown"
    if out is None and kind != "markdown":
        out = path.parent / "errata.html"
    if out is not None and out.resolve() == path.resolve():
        raise InputError(f"--out {str(out)!r} is the ledger itself; give another file")
    written = [] if out is None else [write_errata(found, out, kind=kind or "html")]
    if as_json:
        emit({**found.as_dict(), "written": [str(each) for each in written]})
    elif not written:
        click.echo(errata_markdown(found), nl=False)
    else:
        click.echo("\n".join(f"wrote {one_line(str(each))}" for each in written))
