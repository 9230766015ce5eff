"""The pages, each one self-contained HTML file: every verdict, and what does not hold as printed."""

from nonsmooth.report._audit_page import write_audit
from nonsmooth.report._drawers import draw_claims
from nonsmooth.report._errata import errata_html, errata_markdown, write_errata
from nonsmooth.report._figures import SavedFigure, save_figures
from nonsmooth.report._files import write_whole
from nonsmooth.report._page import render_page, write_page

__all__ = [
    "SavedFigure",
    "draw_claims",
    "errata_html",
    "errata_markdown",
    "render_page",
    "save_figures",
    "write_audit",
    "write_errata",
    "write_page",
    "write_whole",
]
