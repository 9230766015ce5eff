"""The page: one self-contained HTML file that shows every verdict, what it rests on, and the figures."""

from nonsmooth.report._figures import SavedFigure, save_figures
from nonsmooth.report._page import render_page, write_page

__all__ = ["SavedFigure", "render_page", "save_figures", "write_page"]
