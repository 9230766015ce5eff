"""``nonsmooth info``: what a bug report needs, without importing what it names."""

from __future__ import annotations

import click

from nonsmooth.cli._options import json_option
from nonsmooth.cli._words import emit, say, table

__all__ = ["command"]


@click.command("info")
@json_option
def command(as_json: bool) -> None:
    """Show versions, processors, engines, number of claims."""
    from nonsmooth.claims import built, inventory
    from nonsmooth.runs import ENGINES, environment

    counts = {"built": len(built()), "inventory": len(inventory())}
    facts = environment(engines=list(ENGINES), claims=counts)
    if as_json:
        emit(facts)
        return
    listing = table("", "")
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {item}" for key, item in value.items())
        elif isinstance(value, list):
            value = ", ".join(value)
        listing.add_row(name, str(value))
    say(listing)
