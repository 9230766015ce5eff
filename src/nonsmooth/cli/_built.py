"""What the user's own function, named MODULE:FACTORY on the command line, builds."""

from __future__ import annotations

from typing import Any

from nonsmooth.cli._optimiser import named
from nonsmooth.errors import InputError

__all__ = ["build"]


def build(factory: str) -> Any:
    """Call the function that MODULE:FACTORY names.

    Raises:
        InputError: there is no such function, or it fails.
    """
    make = named(factory)
    try:
        return make()
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())[:300]
        raise InputError(
            f"{factory!r} fails: {type(error).__name__}: {said}; it must run without arguments"
        ) from error
