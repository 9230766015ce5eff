"""``nonsmooth fingerprint``: a row of the paper's Table 1 for any optimiser, or the whole table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from nonsmooth.cli._optimiser import bar, factory_of, optimiser_options, start_of
from nonsmooth.cli._options import json_option
from nonsmooth.cli._words import emit, one_line, stdout_for_results_only
from nonsmooth.errors import InputError

if TYPE_CHECKING:
    from nonsmooth.diagnostics import Fingerprint, Refused

__all__ = ["command"]


@click.command("fingerprint")
@click.argument("optimiser", metavar="[MODULE:NAME]", required=False)
@click.option("--all", "everything", is_flag=True, help="Every optimiser in torch.optim.")
@click.option("--strength", type=float, default=1.0, show_default=True, help="Of the penalty, > 0.")
@click.option("--steps", type=int, default=20_000, show_default=True, help="Steps of the optimiser.")
@click.option("--weights", type=int, default=1_000, show_default=True, help="How many starts.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("text", "markdown")),
    default="text",
    show_default=True,
    help="markdown: a page with the table and how to read it.",
)
@optimiser_options
@json_option
def command(
    optimiser: str | None,
    everything: bool,
    strength: float,
    steps: int,
    weights: int,
    form: str,
    lr: float | None,
    settings: tuple[str, ...],
    start: str,
    seed: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Find out how an optimiser behaves on an L1 penalty.

    MODULE:NAME is a class such as torch.optim:RMSprop, or a function of parameters that makes an optimiser;
    one of your own may lie in the present folder. The answer is a row of the paper's Table 1, by experiment.
    """
    if everything == (optimiser is not None):
        raise InputError("give an optimiser such as torch.optim:Adam, or --all for those of torch.optim")
    if everything and (lr is not None or settings):
        raise InputError("--lr and --option are of one optimiser; leave them out with --all")
    options = {
        "strength": strength,
        "start": start_of(start),
        "steps": steps,
        "weights": weights,
        "seed": seed,
    }
    rows: list[Fingerprint | Refused] = []
    with stdout_for_results_only(), bar(quiet) as listener:
        if optimiser is None:
            from nonsmooth.diagnostics import fingerprints

            rows += fingerprints(progress=listener, **options)
        else:
            factory = factory_of(optimiser, lr, settings)
            from nonsmooth.diagnostics import fingerprint

            rows.append(fingerprint(factory, progress=lambda a, b: listener(optimiser, a, b), **options))
    _tell(rows, form, as_json, everything)


def _tell(rows: list[Fingerprint | Refused], form: str, as_json: bool, everything: bool) -> None:
    from nonsmooth.diagnostics import Fingerprint, Refused, markdown

    if as_json:
        found: list[dict[str, Any]] = [row.as_dict() for row in rows if isinstance(row, Fingerprint)]
        refused = [row.as_dict() for row in rows if isinstance(row, Refused)]
        emit({"fingerprints": found, "refused": refused} if everything else found[0])
    elif form == "markdown":
        click.echo(markdown(rows), nl=False)
    else:
        texts = [str(row) if isinstance(row, Fingerprint) else f"{row.optimiser}: {row.why}" for row in rows]
        lines = "\n\n".join(texts).split("\n")
        click.echo("\n".join(one_line(line) for line in lines))
