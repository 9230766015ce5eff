"""``nonsmooth floor``: what an L1 penalty in the loss can reach under an optimiser."""

from __future__ import annotations

import click

from nonsmooth.cli._optimiser import bar, factory_of, optimiser_options, start_of
from nonsmooth.cli._options import json_option
from nonsmooth.cli._words import emit, one_line, stdout_for_results_only

__all__ = ["command"]


@click.command("floor")
@click.argument("optimiser", metavar="MODULE:NAME")
@click.option("--strength", type=float, required=True, help="Of the penalty strength * ||w||_1, > 0.")
@click.option(
    "--threshold", type=float, default=1e-5, show_default=True, help="The share of |w| below it is counted."
)
@click.option("--steps", type=int, default=20_000, show_default=True, help="Steps of the optimiser.")
@click.option("--size", type=int, default=1, help="Give the L1 norm of so many weights.")
@click.option(
    "--weights", type=int, default=10_000, show_default=True, help="How many to simulate, if need be."
)
@click.option("--dtype", type=click.Choice(("float64", "float32")), default="float64", show_default=True)
@optimiser_options
@json_option
def command(
    optimiser: str,
    strength: float,
    threshold: float,
    steps: int,
    size: int,
    weights: int,
    dtype: str,
    lr: float | None,
    settings: tuple[str, ...],
    start: str,
    seed: int,
    quiet: bool,
    as_json: bool,
) -> None:
    """Say what an L1 penalty in the loss can reach.

    MODULE:NAME is a class such as torch.optim:Adam, or a function of parameters that makes an optimiser;
    one of your own may lie in the present folder. Weights move under the penalty alone: no data, no noise.
    """
    law = start_of(start)
    with stdout_for_results_only(), bar(quiet) as listener:
        factory = factory_of(optimiser, lr, settings)
        from nonsmooth.diagnostics import floor

        found = floor(
            factory,
            strength=strength,
            threshold=threshold,
            start=law,
            steps=steps,
            size=size,
            weights=weights,
            dtype=dtype,
            seed=seed,
            progress=lambda done, total: listener(optimiser, done, total),
        )
    if as_json:
        emit(found.as_dict())
    else:
        click.echo("\n".join(one_line(line) for line in str(found).split("\n")))
