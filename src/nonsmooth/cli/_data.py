"""``nonsmooth data``: what images a path holds, and CIFAR-10 from the network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nonsmooth.cli._optimiser import bar
from nonsmooth.cli._options import json_option
from nonsmooth.cli._words import emit, one_line, say, table

if TYPE_CHECKING:
    from nonsmooth.datasets import ImageCheck

__all__ = ["command"]


@click.group("data", invoke_without_command=True)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Check the images that networks run on, or fetch CIFAR-10."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


@command.command("check")
@click.argument("path")
@json_option
def check(path: str, as_json: bool) -> None:
    """Say what images PATH holds, and whether they are the official CIFAR-10.

    PATH is cifar-10-python.tar.gz or cifar-10-binary.tar.gz, the folder that it extracts to, a folder that
    holds one of them, Hugging Face parquet files, a folder with one folder of images a class (in train/ and
    test/, or without a split), or the word digits. Every file is read and every image decoded.
    """
    from nonsmooth.datasets import check_images

    found = check_images(path)
    if as_json:
        emit(found.as_dict())
    else:
        _show(found)


def _show(found: ImageCheck) -> None:
    facts = table("", "")
    shape = " x ".join(str(size) for size in found.shape)
    for name, value in (
        ("format", found.format),
        ("path", found.path),
        ("name in results", found.name),
        ("images", f"{sum(found.train)} to train on, {sum(found.test)} to test on, {shape}"),
        ("mean", _numbers(found.mean)),
        ("standard deviation", _numbers(found.std)),
        ("official CIFAR-10", f"{found.official}: {found.comparison}"),
        ("note", found.note),
        ("SHA-256 of files", found.sha256),
        ("SHA-256 of content", found.content),
    ):
        if value:
            facts.add_row(name, one_line(value))
    counts = table("class", "train", "test")
    for name, train, test in zip(found.classes, found.train, found.test, strict=True):
        counts.add_row(one_line(name), str(train), str(test))
    say(facts, "", counts)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


@command.command("fetch")
@click.option(
    "--to",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    default=Path("data"),
    show_default=True,
    help="Where to put it; made if need be.",
)
@click.option("--quiet", is_flag=True, help="No progress.")
@json_option
def fetch(folder: Path, quiet: bool, as_json: bool) -> None:
    """Download the official CIFAR-10 (163 MiB), checked against its published digest.

    What is there already is not downloaded again.
    """
    from nonsmooth.datasets import fetch_cifar10

    with bar(quiet) as listener:
        found = fetch_cifar10(folder, progress=lambda done, total: listener("CIFAR-10", done, total))
    if as_json:
        emit({"path": str(found)})
    else:
        click.echo(one_line(str(found)))
