"""The page of an audit: one HTML file that asks the network for nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nonsmooth._version import __version__
from nonsmooth.findings import observations_html
from nonsmooth.report._files import write_whole
from nonsmooth.report._page import script, templates

if TYPE_CHECKING:
    from nonsmooth.audit import Audit

__all__ = ["write_audit"]


def write_audit(found: Audit, path: Path | str, name: str = "a training run") -> Path:
    """Write the page of an audit, whole or not at all.

    Args:
        found: what ``nonsmooth.audit`` gave.
        path: of the file.
        name: of what was audited, for the title.

    Raises:
        InputError: the file cannot be written.
    """
    made = templates()
    text = made.get_template("audit.html").render(
        name=name,
        worst=found.worst,
        smoothness=found.smoothness.smoothness,
        version=__version__,
        seconds=found.seconds,
        fragment=observations_html(found.observations, found.skipped),
        assumptions=found.assumptions,
        **script(made),
    )
    return write_whole(Path(path), text.encode())
