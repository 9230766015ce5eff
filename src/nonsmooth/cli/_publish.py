"""Figures and page from what was reproduced; for ``reproduce`` and ``report`` alike."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nonsmooth.claims import Outcome
    from nonsmooth.findings import Drawing

__all__ = ["publish"]


def publish(outcome: Outcome, out: Path) -> tuple[list[Path], dict[str, str]]:
    """Draw every claim and write the page.

    Returns:
        The paths written; and why, by claim, where a claim could not be drawn. The page is whole
        without its figure, so one broken drawing costs the others nothing.

    Raises:
        InputError: the folder cannot be written.
    """
    from nonsmooth.report import save_figures, write_page

    drawings: dict[str, Sequence[Drawing]] = {}
    broken: dict[str, str] = {}
    for id, claim in outcome.claims.items():
        try:
            drawings[id] = list(claim.drawings(outcome.rows_by_claim[id]))
        except Exception as error:
            broken[id] = f"drawing failed: {type(error).__name__}: {error}"
    page, folder = out / "report.html", out / "figures"
    write_page(outcome.ledger, save_figures(drawings, folder), page)
    return [page, folder], broken
