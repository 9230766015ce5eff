"""``nonsmooth clean``: remove what ``reproduce`` wrote, and nothing else that is in the folder."""

from __future__ import annotations

import contextlib
import sys
from difflib import get_close_matches
from pathlib import Path

import click

from nonsmooth.cli._options import json_option, out_option
from nonsmooth.cli._words import emit, one_line
from nonsmooth.errors import InputError

__all__ = ["command"]

_FILES = (
    "store.sqlite",
    "store.sqlite-wal",
    "store.sqlite-shm",
    "store.sqlite-journal",
    "ledger.json",
    "runs.parquet",
    "report.html",
    "errata.html",
)
# A figure is named CLAIM--NAME; a file without the two dashes is somebody else's.
_FIGURES = ("*--*.svg", "*--*.pdf")


@click.command("clean")
@out_option(required=True, help="The folder that reproduce wrote to.")
@click.option("--claim", "claim", metavar="ID", help="Only this claim's stored runs; the rest stays.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def command(out: Path, claim: str | None, yes: bool, as_json: bool) -> None:
    """Remove stored runs, ledger, figures and pages of a run."""
    if not out.is_dir():
        raise InputError(
            f"--out {str(out)!r} is no folder, so nothing is there to clean; give the folder of a run"
        )
    if claim is None:
        _whole(out, yes, as_json)
    else:
        _one(out, claim, yes, as_json)


def _whole(out: Path, yes: bool, as_json: bool) -> None:
    found = [path for name in _FILES if (path := out / name).is_symlink() or path.is_file()]
    figures = out / "figures"
    if not figures.is_symlink():  # a link leads to a folder that reproduce did not make
        found += sorted(path for pattern in _FIGURES for path in figures.glob(pattern))
    scratch = out / "scratch"
    if scratch.is_dir() and not scratch.is_symlink():  # checkpoints of runs that did not end
        found += sorted(path for path in scratch.rglob("*") if path.is_file())
    removed: list[str] = []
    if found and _agreed(yes, f"Remove {len(found)} files from {out}?"):
        for path in found:
            path.unlink(missing_ok=True)
            removed.append(str(path))
        for folder in (*scratch.glob("*"), scratch):
            with contextlib.suppress(OSError):
                folder.rmdir()
        for folder in (figures, out):
            with contextlib.suppress(OSError):  # not empty: it holds somebody else's files
                folder.rmdir()
    if as_json:
        emit({"out": str(out), "removed": removed})
    else:
        click.echo(f"removed {len(removed)} files from {one_line(str(out))}")


def _one(out: Path, claim: str, yes: bool, as_json: bool) -> None:
    from nonsmooth.claims import built, inventory
    from nonsmooth.runs import Store

    path = out / "store.sqlite"
    if not path.is_file():
        raise InputError(f"{str(out)!r} holds no store.sqlite; give the folder that reproduce wrote to")
    with contextlib.closing(Store(path)) as store:
        before = store.count()
        stored = store.claims()
        known = dict.fromkeys([*stored, *(entry.id for entry in inventory()), *built()])
        if claim not in known:
            near = get_close_matches(claim, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else "; `nonsmooth list` shows all"
            raise InputError(
                f"claim {claim!r} is not known and has no runs in {str(path)!r}, "
                f"which has those of: {', '.join(stored) or 'none'}{hint}"
            )
        if _agreed(yes, f"Remove the stored runs of {claim} from {out}?"):
            store.clear(claim)
        removed = before - store.count()
    if as_json:
        emit({"out": str(out), "claim": claim, "removed_runs": removed})
    else:
        click.echo(f"removed {removed} stored runs of {one_line(claim)}")


def _agreed(yes: bool, question: str) -> bool:
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InputError(
            "clean asks before it removes, and there is no terminal to ask on; pass --yes to agree"
        )
    return click.confirm(one_line(question), default=False, err=True)
