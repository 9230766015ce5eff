"""Checkpoints: one file, whole or not there, of tensors and plain containers, tied to the run it belongs to.

The file is written beside its place, forced to the disk and renamed onto it, so that a kill at any moment
leaves the old one or the new one. It is read with ``weights_only=True``: no code in it is ever run.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import re
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nonsmooth.errors import InputError
from nonsmooth.methods._attach import Attachment
from nonsmooth.training._recipe import Recipe
from nonsmooth.training._resident import Resident

__all__ = ["Checkpoint", "Progress", "identity"]

_FORMAT = "nonsmooth.training 1"
_SHARE = 0.1  # of a run's time that is spent on writing checkpoints, at most
_KEYS = {"format", "identity", "progress", "step_losses", "model", "optimizer", "scheduler", "penalties"}
# What a schedule may have changed by the time a run is taken up.
_SCHEDULED = {"lr", "momentum", "betas"}


@dataclass
class Progress:
    """How far a run has come."""

    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    step_losses: list[float] = field(default_factory=list)
    diverged: bool = False
    finished: bool = False
    seconds: float = 0.0


def _penalties(optimizer: torch.optim.Optimizer) -> list[Attachment]:
    owners = [getattr(hook, "__self__", None) for hook in optimizer._optimizer_step_post_hooks.values()]
    return [each for each in owners if isinstance(each, Attachment)]


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _text(value: Any) -> str:
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(value))


def _settings(scheduler: Any) -> dict[str, Any]:
    """What a schedule was made with, as far as it keeps that under the names of its arguments."""
    own = vars(scheduler)
    names = sorted(set(inspect.signature(type(scheduler)).parameters) - {"optimizer", "last_epoch"})
    return {name: own[name] for name in names if name in own}


def identity(
    model: nn.Module,
    data: Resident,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    loss: Any,
    scheduler: Any,
) -> dict[str, str]:
    """What a run is, but for its first weights and the values of its pixels: texts that must agree."""
    options = []
    for group in optimizer.state_dict()["param_groups"]:
        left_out = {"params"} | (_SCHEDULED if scheduler is not None else set())
        options.append({k: v for k, v in sorted(group.items()) if k not in left_out})
        options[-1]["parameters"] = len(group["params"])
    shapes = {name: (tuple(x.shape), x.dtype) for name, x in model.state_dict().items()}
    modules = re.sub(r"\b(Sync)?BatchNorm[123]?d?\(", "BatchNorm(", _text(model))
    attached = [_text([*each._penalties.values()]) for each in _penalties(optimizer)]
    return {
        "recipe": recipe.to_json(),
        "model": f"{modules} {shapes}",
        "data": f"{data.name}, {tuple(data.train.shape)}, {tuple(data.test.shape)}",
        "optimizer": f"{_kind(optimizer)} {_text(options)}",
        "scheduler": "none" if scheduler is None else f"{_kind(scheduler)} {_text(_settings(scheduler))}",
        "loss": getattr(loss, "__qualname__", None) or _text(loss),
        "penalties": str(attached),
    }


class Checkpoint:
    """The checkpoint of one run, at one path.

    Args:
        path: of the file; its folder is made if it is not there.
        identity: of the run, see ``identity``.
        model, optimizer, scheduler: whose state it keeps.
    """

    def __init__(
        self,
        path: Path,
        identity: Mapping[str, str],
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        scheduler: Any,
    ) -> None:
        if not isinstance(path, str | os.PathLike):
            raise InputError(f"checkpoint is a {type(path).__name__}; give a path, or None")
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"the folder of checkpoint {self.path} cannot be made ({error.strerror}); give another path"
            ) from error
        self._identity = dict(identity)
        self._model, self._optimizer, self._scheduler = model, optimizer, scheduler
        self._next = 0.0

    def exists(self) -> bool:
        return self.path.exists()

    def save(self, progress: Progress) -> None:
        """Write it, if that is due: always at the end, else so that it takes a tenth of the time at most."""
        begin = time.perf_counter()
        if begin < self._next and not progress.finished:
            return
        contents = {
            "format": _FORMAT,
            "identity": self._identity,
            "progress": {name: value for name, value in vars(progress).items() if name != "step_losses"},
            "step_losses": torch.tensor(progress.step_losses, dtype=torch.float64),
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scheduler": None if self._scheduler is None else self._scheduler.state_dict(),
            "penalties": [each.state_dict() for each in _penalties(self._optimizer)],
        }
        _write(self.path, contents)
        end = time.perf_counter()
        self._next = end + (end - begin) / _SHARE

    def load(self) -> Progress:
        """Put model, optimiser, schedule and attached penalties where the run left off.

        Raises:
            InputError: a file that cannot be read, or one of another run.
        """
        contents = _read(self.path)
        self._compare(contents["identity"])
        try:
            self._model.load_state_dict(contents["model"])
            self._optimizer.load_state_dict(contents["optimizer"])
            if self._scheduler is not None:
                self._scheduler.load_state_dict(contents["scheduler"])
            for each, state in zip(_penalties(self._optimizer), contents["penalties"], strict=True):
                each.load_state_dict(state)
            progress = Progress(**contents["progress"], step_losses=contents["step_losses"].tolist())
        except (RuntimeError, ValueError, TypeError, KeyError) as error:
            raise _unreadable(self.path, error) from error
        return progress

    def _compare(self, saved: Mapping[str, str]) -> None:
        for part, present in self._identity.items():
            if saved.get(part) != present:
                raise InputError(
                    f"{self.path} is the checkpoint of another run: its {part} "
                    f"{_differs(saved.get(part), present)}; "
                    "give another path, or delete the file to start anew"
                )


def _differs(saved: Any, present: str) -> str:
    """The first place where two texts differ, in words."""
    old, new = (re.split(r"(?<=[,\n{(\[])", str(each)) for each in (saved, present))
    for a, b in zip([*old, "nothing more"], [*new, "nothing more"], strict=False):
        if a != b:
            return f"has {a.strip(' ,')} where this run's has {b.strip(' ,')}"
    return "is longer or shorter"


def _write(path: Path, contents: dict[str, Any]) -> None:
    part = path.with_name(f"{path.name}.part")
    with part.open("wb") as file:
        torch.save(contents, file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    with contextlib.suppress(OSError):  # where a folder cannot be opened, the system sees to its order itself
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _unreadable(path: Path, error: object) -> InputError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return InputError(
        f"{path} is not a readable checkpoint ({reason[:200]}); "
        "delete it to start anew, or put a sound copy there"
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as file:  # torch does not compare the checksums itself
            damaged = file.testzip()
        if damaged is not None:
            raise _unreadable(path, f"the checksum of {damaged} is wrong")
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except InputError:
        raise
    except Exception as error:  # whatever a damaged file can make a reader raise
        raise _unreadable(path, error) from error
    if not isinstance(contents, dict) or set(contents) != _KEYS or contents["format"] != _FORMAT:
        raise _unreadable(path, "it was not written by nonsmooth.training")
    return contents
