"""The data that this process knows, by the names that run specs carry."""

from __future__ import annotations

from nonsmooth.datasets._digits import digits_images
from nonsmooth.datasets._images import Images
from nonsmooth.datasets._regression import Dataset, diabetes
from nonsmooth.datasets._source import ImageSource
from nonsmooth.errors import InputError

__all__ = ["images", "register", "registered"]

_KNOWN: dict[str, Dataset | ImageSource] = {}
_READ: dict[str, Images] = {}


def register(data: Dataset | ImageSource) -> None:
    """Make data known to this process under their name: regression data, or where images are."""
    _KNOWN[data.name] = data


def registered(name: str) -> Dataset:
    """Regression data by their name: ``diabetes``, or a registered file.

    Raises:
        InputError: no regression data of that name are known here.
    """
    if name == "diabetes":
        return diabetes()
    known = _KNOWN.get(name)
    if not isinstance(known, Dataset):
        raise InputError(f"no data named {name!r} are known here; give the file with --data PATH")
    return known


def images(name: str) -> Images:
    """Images by their name: ``digits``, or a registered source.

    They are read once a process; whoever changes the arrays changes them for all.

    Raises:
        InputError: no images of that name are known here, or their files have gone bad or changed.

    >>> images("digits") is images("digits")
    True
    """
    if name not in _READ:
        source = _KNOWN.get(name)
        if name == "digits":
            _READ[name] = digits_images()
        elif isinstance(source, ImageSource):
            _READ[name] = source.read()
        else:
            raise InputError(
                f"no images named {name!r} are known here; take 'digits', or give a path with --data-dir PATH"
            )
    return _READ[name]
