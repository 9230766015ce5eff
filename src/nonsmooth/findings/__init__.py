"""Observations, verdicts and how they look."""

from nonsmooth.findings._drawing import COLOURS, Drawing, canvas, style
from nonsmooth.findings._finding import Finding
from nonsmooth.findings._observation import LEVELS, Level, Observation, worst
from nonsmooth.findings._observation_html import observations_html
from nonsmooth.findings._sentence import brief, first_sentence
from nonsmooth.findings._share_map import against_theory, draw_share_map
from nonsmooth.findings._statistics import Share, central_range, number, printed_resolution, share, share_of
from nonsmooth.findings._templates import environment
from nonsmooth.findings._verdict import Attribution, Part, Result, Ruling, Verdict, assemble

__all__ = [
    "COLOURS",
    "LEVELS",
    "Attribution",
    "Drawing",
    "Finding",
    "Level",
    "Observation",
    "Part",
    "Result",
    "Ruling",
    "Share",
    "Verdict",
    "against_theory",
    "assemble",
    "brief",
    "canvas",
    "central_range",
    "draw_share_map",
    "environment",
    "first_sentence",
    "number",
    "observations_html",
    "printed_resolution",
    "share",
    "share_of",
    "style",
    "worst",
]
