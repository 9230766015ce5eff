"""Finding claims: by name in this folder, by entry point, or in a file of the user's.

Names are found without importing anything: the file ``my_claim.py``, or the folder ``my_claim`` with an
``__init__.py`` in it, is ``my-claim``.
"""

from __future__ import annotations

import difflib
import importlib
import inspect
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from nonsmooth.claims._inventory import inventory
from nonsmooth.errors import InputError

if TYPE_CHECKING:
    from nonsmooth.claims._claim import Claim
    from nonsmooth.runs import ClaimSource

__all__ = ["built", "closest", "load", "source_of", "sources_in"]

_GROUP = "nonsmooth.claims"
_FOLDER = Path(__file__).parent


def _in_package() -> dict[str, str]:
    """Module by id of the claims of this folder; an id keeps its capitals from the inventory."""
    printed = {entry.id.lower(): entry.id for entry in inventory()}
    files = {path.stem for path in _FOLDER.glob("*.py")}
    folders = {path.parent.name for path in _FOLDER.glob("*/__init__.py")}
    stems = sorted(stem for stem in files | folders if not stem.startswith("_"))
    names = {stem: stem.replace("_", "-") for stem in stems}
    return {printed.get(name.lower(), name): f"{__package__}.{stem}" for stem, name in names.items()}


def _entry_points() -> dict[str, str]:
    """``module:Class`` by id of the claims that other installed packages offer."""
    return {point.name: point.value.replace(" ", "") for point in metadata.entry_points(group=_GROUP)}


def built() -> tuple[str, ...]:
    """Ids of the claims that can be run: the inventory's in its order, then those of other packages."""
    here, others = _in_package(), _entry_points()
    known = [entry.id for entry in inventory() if entry.id in here]
    return (*known, *sorted(set(here) - set(known)), *sorted(set(others) - set(here)))


def _single_claim(module: ModuleType, place: str) -> type[Claim]:
    from nonsmooth.claims._claim import Claim

    found = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, Claim) and kind.__module__ == module.__name__
    ]
    whole = [kind for kind in dict.fromkeys(found) if not inspect.isabstract(kind)]
    if len(whole) != 1:
        missing = [f"{kind.__name__} lacks {', '.join(sorted(kind.__abstractmethods__))}" for kind in found]
        what = " and ".join(kind.__name__ for kind in whole) or "; ".join(missing) or "none"
        raise InputError(f"{place} must define exactly one Claim with all its methods; found {what}")
    lacking = [name for name in ("id", "where", "statement", "parts") if not hasattr(whole[0], name)]
    if lacking:
        raise InputError(f"{place}: claim {whole[0].__name__} lacks {', '.join(lacking)}")
    return whole[0]


def sources_in(files: Sequence[str | Path]) -> dict[str, ClaimSource]:
    """The claims of the user's files, by id.

    Raises:
        InputError: a file that cannot be imported or does not define exactly one claim; an id taken.
    """
    from nonsmooth.runs import ClaimSource, import_file

    found: dict[str, ClaimSource] = {}
    for file in files:
        kind = _single_claim(import_file(file), f"claim file {str(file)!r}")
        source = ClaimSource("file", f"{Path(file).expanduser().resolve()}:{kind.__name__}")
        if found.get(kind.id, source) != source or kind.id in built():
            raise InputError(f"claim file {str(file)!r}: the id {kind.id!r} is taken; give the claim another")
        found[kind.id] = source
    return found


def closest(name: str, known: Sequence[str]) -> str:
    """A hint for a mistyped name: ``"; did you mean ...?"`` or nothing."""
    close = difflib.get_close_matches(name.lower(), known, 3, 0.5)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def source_of(id: str, files: Sequence[str | Path] = ()) -> ClaimSource:
    """Where the claim ``id`` is found; its module is imported to learn its class.

    Raises:
        InputError: an unknown id (with the closest known ones), or one that is not built yet.
    """
    from nonsmooth.runs import ClaimSource

    own = sources_in(files)
    if id in own:
        return own[id]
    module = _in_package().get(id)
    if module is not None:
        kind = _single_claim(importlib.import_module(module), f"module {module}")
        return ClaimSource("id", f"{module}:{kind.__name__}")
    point = _entry_points().get(id)
    if point is not None:
        return ClaimSource("id", point)
    if id in {entry.id for entry in inventory()}:
        raise InputError(f"claim {id!r} is not built yet; built: {', '.join((*built(), *own))}")
    known = [*(entry.id for entry in inventory()), *built(), *own]
    hint = closest(str(id), list(dict.fromkeys(known)))
    raise InputError(f"claim {id!r} is not known{hint}; `nonsmooth list` shows all")


def load(id: str, files: Sequence[str | Path] = ()) -> Claim:
    """The claim ``id``, ready to run.

    Args:
        id: as in :func:`built`, or the id of a claim in one of ``files``.
        files: Python files of the user's, each defining one claim.

    Raises:
        InputError: as :func:`source_of`.
    """
    from nonsmooth.runs import load_claim

    return load_claim(source_of(id, files))
