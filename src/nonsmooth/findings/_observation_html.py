"""Observations as HTML: the one component that notebooks and the page of an audit show them with."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

from nonsmooth.findings._drawing import Drawing, style
from nonsmooth.findings._observation import LEVELS, Observation
from nonsmooth.findings._templates import environment

__all__ = ["observations_html"]

# A shape for each level beside its word: readable in grey.
_MARKS = {"problem": "✗", "warning": "!", "unknown": "?", "note": "i", "fine": "✓"}
_OPENED = ("problem", "warning", "unknown")


def observations_html(
    observations: Sequence[Observation], skipped: Sequence[tuple[str, str]] = (), figures: bool = True
) -> str:
    """Observations as one HTML fragment with its style; everything is escaped, nothing is fetched.

    Args:
        observations: in the order in which they are shown; what is fine, and notes, are folded.
        skipped: what was not looked at, and why.
        figures: whether the drawings of the evidence are drawn.

    >>> "&lt;b&gt;" in observations_html([Observation("a", "note", "<b>", "seen")])
    True
    """
    counts = [(level, sum(each.level == level for each in observations)) for level in LEVELS]
    return (
        environment("nonsmooth.findings")
        .get_template("observations.html")
        .render(
            observations=observations,
            skipped=skipped,
            counts=[(level, n) for level, n in counts if n],
            marks=_MARKS,
            opened=_OPENED,
            figures={
                each.id: [_encoded(drawing) for drawing in each.drawings] if figures else []
                for each in observations
            },
        )
    )


def _encoded(drawing: Drawing) -> dict[str, str]:
    held = io.BytesIO()
    with style():
        drawing.figure.savefig(held, format="svg", metadata={"Date": None})
    return {"caption": drawing.caption, "data": base64.b64encode(held.getvalue()).decode("ascii")}
