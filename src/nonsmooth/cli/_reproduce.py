"""``nonsmooth reproduce``: run claims, judge them, write ledger, runs, figures and page."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from nonsmooth.cli._codes import BAD_INPUT, FAILED_AS_ASKED, INTERNAL
from nonsmooth.cli._options import TIERS, claim_files_option, complete_built, json_option, out_option
from nonsmooth.cli._progress import progress
from nonsmooth.cli._publish import publish
from nonsmooth.cli._verdicts import fail_words, matches, verdict_table
from nonsmooth.cli._words import complain, emit, one_line, say, stdout_for_results_only
from nonsmooth.errors import InputError

__all__ = ["command"]


@click.command("reproduce")
@click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=complete_built)
@click.option(
    "--tier", type=click.Choice(TIERS), default="quick", show_default=True, help="How large the runs are."
)
@click.option("--jobs", metavar="N", help="Worker processes; default: one a processor.")
@click.option(
    "--engine",
    metavar="NAME",
    default="processes",
    show_default=True,
    help="'inline' (in this process) or 'processes'.",
)
@out_option(help="Where everything is written; default: out/TIER.")
@click.option("--over", metavar="NAME=...", help="Sweep a setting: log:LO:HI:N, lin:LO:HI:N or V1,V2,...")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A setting's value (repeatable).")
@click.option(
    "--data", metavar="PATH", type=click.Path(path_type=Path), help="Your own data: X.npz or a CSV."
)
@click.option(
    "--data-dir",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="CIFAR-10 for the claims that train networks: archive or folder, any format; default: digits.",
)
@click.option("--device", metavar="NAME", help="Where networks train: cpu, cuda, cuda:1; default: cpu.")
@claim_files_option
@click.option(
    "--fail-on", multiple=True, metavar="A,B", help="Leave with 1 on these answers: differs,not-supported,..."
)
@click.option("--no-page", is_flag=True, help="Draw no figures and write no report.html, no errata.html.")
@click.option("--quiet", is_flag=True, help="No progress and no table.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    ids: tuple[str, ...],
    tier: str,
    jobs: str | None,
    engine: str,
    out: Path | None,
    over: str | None,
    pairs: tuple[str, ...],
    data: Path | None,
    data_dir: Path | None,
    device: str | None,
    claim_files: tuple[Path, ...],
    fail_on: tuple[str, ...],
    no_page: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Run claims (all built, or those named), judge, draw them.

    Finished runs are kept in DIR/store.sqlite: stop with Ctrl-C at any time, the same command resumes.
    Ledger and page of DIR are rewritten with the claims of this call only; for some claims apart, give
    them another --out.
    """
    words = fail_words(fail_on)
    settings = _settings(pairs)
    out = Path("out") / tier if out is None else out

    from nonsmooth.claims import ClaimsError, reproduce

    left_out: dict[str, str] = {}
    code = 0
    with stdout_for_results_only(), progress(quiet) as on_event:
        try:
            outcome = reproduce(
                list(ids) or None,
                tier=tier,
                engine=engine,
                jobs=_whole(jobs),
                out=out,
                settings=settings,
                over=over,
                data=data,
                images=data_dir,
                device=device,
                claim_files=claim_files,
                on_event=on_event,
            )
        except ClaimsError as error:
            outcome, left_out = error.outcome, error.why
            code = BAD_INPUT if isinstance(error, InputError) else INTERNAL
        written = [out / name for name in ("store.sqlite", "ledger.json", "runs.parquet")]
        if not no_page:
            pages, broken = publish(
                outcome,
                out,
                claim_files=claim_files,
                engine=engine,
                jobs=_whole(jobs),
                on_event=on_event,
            )
            written += pages
            left_out |= broken
            code = code or (INTERNAL if broken else 0)

    failing = matches(outcome.ledger.claims, words)
    if as_json:
        paths = [str(path) for path in written]
        emit({**outcome.ledger.as_dict(), "written": paths, "failing": failing, "left_out": left_out})
    if not quiet:
        wrote = (f"wrote {one_line(str(path))}" for path in written)
        say(verdict_table(outcome.ledger.claims), "", *wrote, err=as_json)
    if left_out:
        why = "; ".join(f"{id}: {text}" for id, text in left_out.items())
        complain(f"{why}. Everything else is written; mend this and run the same command again")
    if failing:
        click.echo(f"failing as asked (--fail-on): {one_line('; '.join(failing))}", err=True)
        code = code or FAILED_AS_ASKED
    ctx.exit(code)


def _whole(jobs: str | None) -> Any:
    """The number; what is none goes on as it is, to be refused in the engine's own words."""
    try:
        return None if jobs is None else int(jobs)
    except ValueError:
        return jobs


def _settings(pairs: Iterable[str]) -> dict[str, float | int | str]:
    given: dict[str, float | int | str] = {}
    for pair in pairs:
        name, equals, value = (part.strip() for part in pair.partition("="))
        if not (name and equals and value):
            raise InputError(f"--set {pair!r} is no NAME=VALUE; give one like --set stepsize=0.01")
        if name in given:
            raise InputError(f"--set {name} is given twice ({given[name]!r}, {value!r}); give it once")
        given[name] = value
    return given
