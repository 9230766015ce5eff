"""Figures, page and errata from what was reproduced; for ``reproduce`` and ``report`` alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nonsmooth.cli._progress import Drawn

if TYPE_CHECKING:
    from nonsmooth.claims import Outcome

__all__ = ["publish"]


def publish(
    outcome: Outcome,
    out: Path,
    *,
    claim_files: Sequence[Path] = (),
    engine: str = "processes",
    jobs: int | None = None,
    on_event: Callable[[object], None] = lambda event: None,
) -> tuple[list[Path], dict[str, str]]:
    """Draw every claim and write the two pages.

    Args:
        outcome: what was reproduced or rebuilt; ``claim_files`` are those of claims that are not built in.
        out: the folder; ``engine`` and ``jobs`` say who draws, as for ``reproduce``.
        on_event: called with a ``Drawn`` before the first claim and after each.

    Returns:
        The paths written; and why, by claim, where a claim could not be drawn. The page is whole
        without its figure, so one broken drawing costs the others nothing.

    Raises:
        InputError: the folder cannot be written.
        KeyboardInterrupt: Ctrl-C; runs and ledger are as they were, and no half-written file is left.
    """
    from nonsmooth.claims import errata, source_of
    from nonsmooth.report import draw_claims, write_errata, write_page

    page, corrections, folder = out / "report.html", out / "errata.html", out / "figures"
    on_event(Drawn("", 0, len(outcome.claims)))
    try:
        figures, broken = draw_claims(
            outcome,
            folder,
            sources={id: source_of(id, claim_files) for id in outcome.claims},
            engine_name=engine,
            jobs=jobs,
            on_drawn=lambda id, done, total: on_event(Drawn(id, done, total)),
        )
        # Each links to the other, and to what is there.
        write_errata(errata(outcome.ledger), corrections, beside=(page.name, "ledger.json"))
        write_page(outcome.ledger, figures, page)
    except KeyboardInterrupt:
        said = (
            f"interrupted while drawing; runs and ledger are kept, `nonsmooth report --out {out}` draws them"
        )
        raise KeyboardInterrupt(said) from None
    return [page, corrections, folder], broken
