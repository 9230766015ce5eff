"""``nonsmooth report``: figures, page and errata from what ``reproduce`` left, running nothing."""

from __future__ import annotations

from pathlib import Path

import click

from nonsmooth.cli._codes import INTERNAL
from nonsmooth.cli._options import claim_files_option, json_option, out_option
from nonsmooth.cli._progress import progress
from nonsmooth.cli._publish import publish
from nonsmooth.cli._words import complain, emit, one_line, stdout_for_results_only

__all__ = ["command"]


@click.command("report")
@out_option(default=Path("out/quick"), show_default=True, help="The folder that reproduce wrote to.")
@claim_files_option
@click.option(
    "--judge", is_flag=True, help="Judge the stored runs again, by the present rules; rewrites the ledger."
)
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    out: Path,
    claim_files: tuple[Path, ...],
    judge: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Rebuild figures, page and errata; nothing is run, and nothing judged unless asked for."""
    from nonsmooth.claims import rebuild

    with stdout_for_results_only():
        outcome = rebuild(out, claim_files, judge=judge)
        with progress(quiet) as on_event:
            written, broken = publish(outcome, out, claim_files=claim_files, on_event=on_event)
    if as_json:
        emit(
            {"digest": outcome.ledger.digest, "written": [str(path) for path in written], "left_out": broken}
        )
    else:
        click.echo("\n".join(f"wrote {one_line(str(path))}" for path in written))
    if broken:
        complain("; ".join(f"{id}: {why}" for id, why in broken.items()))
        ctx.exit(INTERNAL)
