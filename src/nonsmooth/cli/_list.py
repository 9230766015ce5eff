"""``nonsmooth list``: every claim of the inventory, built or not."""

from __future__ import annotations

import click

from nonsmooth.cli._options import json_option
from nonsmooth.cli._words import emit, say, table

__all__ = ["command"]


@click.command("list")
@json_option
def command(as_json: bool) -> None:
    """List the claims; those not built yet are marked."""
    from nonsmooth.claims import built, inventory

    ready = set(built())
    entries = inventory()
    others = sorted(ready - {entry.id for entry in entries})
    rows = [
        {"id": e.id, "section": e.section, "where": e.where, "summary": e.summary, "built": e.id in ready}
        for e in entries
    ]
    # Claims of other packages, announced by entry point, have no row in the paper's inventory.
    rows += [
        {"id": id, "section": "", "where": "", "summary": "from another package", "built": True}
        for id in others
    ]
    if as_json:
        emit({"claims": rows})
        return

    from rich.text import Text

    listing = table("", "")
    section = None
    for row in rows:
        if row["section"] != section:
            section = row["section"]
            listing.add_row(Text(section or "Other packages", style="bold"))
        where = f" ({row['where']})" if row["where"] else ""
        mark = "" if row["built"] else " - not built yet"
        style = "" if row["built"] else "dim"
        listing.add_row(Text(row["id"], style=style), Text(row["summary"] + where + mark, style=style))
    count = sum(row["built"] for row in rows)
    say(listing)
    click.echo(f"{count} of {len(rows)} claims can be run: nonsmooth reproduce ID", err=True)
