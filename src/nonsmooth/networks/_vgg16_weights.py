"""The published ImageNet weights of VGG16: from a file, or downloaded."""

from __future__ import annotations

import os
import pickle
import re
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nonsmooth._download import Progress, download
from nonsmooth.errors import InputError

__all__ = ["fetch_vgg16_weights", "load_vgg16_weights"]

_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"
_BUILD = "the published weights fit vgg16() of width 1, 3 channels and 1000 classes"


def load_vgg16_weights(model: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """Copy the weights of a torchvision VGG16 checkpoint into a model, in place.

    The file is a state dict that ``torch.save`` wrote, in the old format (as published) or the new one. Only
    tensors are read from it: a file that holds code is refused, nothing in it is run. Either all tensors fit
    and are copied, or the model stays as it is.

    Args:
        model: with the names and shapes of the checkpoint, as :func:`vgg16` of width 1 and 1000 classes.
        path: the file, for instance ``vgg16-397923af.pth``.

    Returns:
        The model. Its dtype and device stay.

    Raises:
        InputError: there is no such file, it is no checkpoint (truncated, damaged, of another kind, with
            code), or a tensor is missing, unexpected, of another shape or not finite; names the file and the
            tensor.

    >>> import tempfile
    >>> from nonsmooth.networks import vgg16
    >>> small = vgg16(1 / 64, classes=10)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     torch.save(vgg16(1 / 64, classes=10).state_dict(), f"{folder}/weights.pth")
    ...     _ = load_vgg16_weights(small, f"{folder}/weights.pth")
    """
    path = Path(path)
    tensors = _read(path)
    _check(model.state_dict(), tensors, path)
    model.load_state_dict(tensors)
    return model


def fetch_vgg16_weights(folder: str | os.PathLike[str], *, progress: Progress | None = None) -> Path:
    """Download torchvision's ImageNet weights of VGG16 (528 MiB) into a folder.

    The checksum is the one that the publisher puts into the file's name: the first 8 hexadecimal digits of
    its SHA-256, here 397923af. That is enough against damage and truncation, not against forgery; for that
    there is the https connection. A file that is there already is checked and not downloaded again.

    Args:
        folder: where the file goes; made if it is not there.
        progress: called with the bytes that came and those in all, now and then.

    Returns:
        The file's path, for :func:`load_vgg16_weights`.

    Raises:
        InputError: there is no connection, the server refuses, or the file (downloaded or already there) has
            another checksum. Nothing is left under the file's name by a download that failed.
    """
    import pooch
    from requests import RequestException

    target = Path(folder) / _URL.rsplit("/", 1)[1]
    expected = target.stem.rsplit("-", 1)[1]
    if target.exists():
        found = pooch.file_hash(str(target))[: len(expected)]
        if found != expected:
            raise InputError(
                f"{target} is not the published file (its SHA-256 begins with {found}, its name says "
                f"{expected}); delete it and fetch it again"
            )
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as unfinished:
        part = Path(unfinished) / target.name
        try:
            download(_URL, part, progress)
        except (RequestException, OSError) as error:
            raise InputError(
                f"{_URL} could not be downloaded ({_first_line(error)}); "
                f"download it by other means and give its path to load_vgg16_weights"
            ) from error
        found = pooch.file_hash(str(part))[: len(expected)]
        if found != expected:
            raise InputError(
                f"what {_URL} sent is damaged (its SHA-256 begins with {found}, not {expected}); try again"
            )
        part.replace(target)
    return target


def _read(path: Path) -> Mapping[str, Tensor]:
    """The state dict in a file."""
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise InputError(f"{path} {what}; give a checkpoint, or get it by fetch_vgg16_weights(folder)")
    try:
        with path.open("rb") as file:
            mapped = file.read(4) == b"PK\x03\x04"  # the new format is a zip file; only there torch can map
        with warnings.catch_warnings():  # of what turns out to be unreadable
            warnings.filterwarnings("ignore", "Detected pickle protocol", UserWarning)
            found: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        raise InputError(
            f"{path} is no checkpoint of plain tensors: it is damaged, or reading it would run code, which "
            f"is refused ({_first_line(error)}); give the state dict as torch.save writes it"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        raise InputError(
            f"{path} is no checkpoint that torch can read: truncated, damaged or of another kind "
            f"({_first_line(error)}); get it again by fetch_vgg16_weights(folder)"
        ) from error
    if not isinstance(found, Mapping) or not all(isinstance(value, Tensor) for value in found.values()):
        raise InputError(
            f"{path} holds {_described(found)}, not a state dict of tensors; "
            "save model.state_dict(), as torchvision's file has it"
        )
    return found


def _check(own: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    missing = [name for name in own if name not in found]
    if missing:
        raise InputError(f"{path} lacks {_listed(missing)}; {_BUILD}")
    unexpected = [name for name in found if name not in own]
    if unexpected:
        raise InputError(f"{path} holds {_listed(unexpected)}, which the model has no place for; {_BUILD}")
    for name, tensor in found.items():
        if tensor.shape != own[name].shape:
            raise InputError(
                f"{path}: {name} has the shape {tuple(tensor.shape)}, "
                f"the model wants {tuple(own[name].shape)}; {_BUILD}"
            )
        if not tensor.is_floating_point() or not bool(tensor.isfinite().all()):
            raise InputError(
                f"{path}: {name} holds values that are no finite floating point numbers; "
                "get the file again by fetch_vgg16_weights(folder)"
            )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more tensors" if len(names) > 3 else "")


def _described(found: Any) -> str:
    if isinstance(found, Mapping):
        return "a dictionary of " + (", ".join(repr(str(key)) for key in list(found)[:3]) or "nothing")
    return f"a {type(found).__name__}"


def _first_line(error: BaseException) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return re.sub(r"\x1b\[[0-9;]*m", "", line)  # torch prints some words in bold
