"""``nonsmooth sharpness``: the largest eigenvalues of a model's Hessian, and the optimiser's edge."""

from __future__ import annotations

import sys
from typing import Any

import click

from nonsmooth.cli._built import build
from nonsmooth.cli._codes import FAILED_AS_ASKED
from nonsmooth.cli._options import json_option
from nonsmooth.cli._words import emit, one_line, stdout_for_results_only
from nonsmooth.errors import InputError

__all__ = ["command"]


@click.command("sharpness")
@click.argument("factory", metavar="MODULE:FACTORY")
@click.option("--k", type=int, default=1, show_default=True, help="How many eigenvalues, the largest first.")
@click.option(
    "--tolerance", type=float, default=1e-3, show_default=True, help="Of the relative residuals, > 0."
)
@click.option("--max-products", type=int, help="Hessian-vector products; default: 300 and more for k > 1.")
@click.option("--plain", is_flag=True, help="Of the Hessian itself, whatever optimiser the factory returns.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the start.")
@click.option(
    "--fail-on",
    type=click.Choice(("unconverged", "above-edge")),
    multiple=True,
    help="Leave with 1 if so (repeatable).",
)
@json_option
def command(
    factory: str,
    k: int,
    tolerance: float,
    max_products: int | None,
    plain: bool,
    seed: int,
    fail_on: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say how sharp the loss is, and where that stands against the edge of stability.

    MODULE:FACTORY is a function without arguments that returns (model, loss_fn, batches), or these and an
    optimiser that has taken a step, or a mapping as `nonsmooth audit` takes it; its module may lie in the
    present folder. batches are pairs (x, y), and loss_fn(model(x), y) is the mean over a batch. Before an
    optimiser's first step ask with --plain.
    """
    with stdout_for_results_only():
        model, loss_fn, batches, optimizer = _made(factory)
        from nonsmooth.diagnostics._sharpness import sharpness

        found = sharpness(
            model,
            loss_fn,
            batches,
            k=k,
            tolerance=tolerance,
            max_products=max_products,
            optimizer=None if plain else optimizer,
            seed=seed,
        )
    if as_json:
        emit(found.as_dict())
    else:
        click.echo("\n".join(one_line(line) for line in str(found).split("\n")))
    missed = "unconverged" in fail_on and not found.converged
    above = "above-edge" in fail_on and found.ratio is not None and not found.ratio <= 1
    if missed or above:
        sys.exit(FAILED_AS_ASKED)


def _made(factory: str) -> tuple[Any, Any, Any, Any]:
    made = build(factory)
    if isinstance(made, dict) and {"model", "loss"} <= made.keys() and {"batches", "example"} & made.keys():
        batches = made["batches"] if made.get("batches") is not None else [made["example"]]
        return made["model"], made["loss"], batches, made.get("optimizer")
    if not (isinstance(made, tuple | list) and len(made) in (3, 4)):
        what = f"{len(made)} values" if isinstance(made, tuple | list) else f"a {type(made).__name__}"
        raise InputError(
            f"{factory!r} returns {what}; it must return (model, loss_fn, batches), these and an optimiser, "
            "or a mapping with model, loss and example or batches"
        )
    model, loss_fn, batches, *rest = made
    return model, loss_fn, batches, rest[0] if rest else None
