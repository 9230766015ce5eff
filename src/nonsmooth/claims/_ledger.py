"""The ledger: every claim that was judged, with what the judgement rests on, as one JSON file.

Its digest covers the claims without their times, and not the environment: two ledgers with the same
digest say the same. The format is documented in docs/ledger.md.
"""

from __future__ import annotations

import hashlib
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from nonsmooth.errors import InputError
from nonsmooth.runs import atomic, canonical_json

__all__ = ["Ledger", "rerun", "strict", "timeless"]

_NEEDED = ("id", "where", "statement", "tier", "result", "attribution", "rulings", "findings", "settings")

_ROWS = {
    "rulings": ("part", "answer"),
    "findings": ("name",),
    "unstated": ("name", "value"),
    "sweep": ("setting", "value"),
}


def strict(value: Any) -> Any:
    """A value as strict JSON: numpy scalars as Python's, tuples as lists, non-finite numbers as null."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): strict(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [strict(each) for each in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return str(value) if isinstance(value, str) else value


def timeless(value: Any) -> Any:
    """A value of the ledger without the seconds that anything took."""
    if isinstance(value, dict):
        return {name: timeless(each) for name, each in value.items() if name != "seconds"}
    if isinstance(value, list):
        return [timeless(each) for each in value]
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _odd(claim: Mapping[str, Any]) -> str:
    """What in a claim's entry has not the shape that everything reading a ledger relies on."""
    if not isinstance(claim["settings"], dict):
        return "a claim's settings are no object"
    for field, needed in _ROWS.items():
        rows = claim.get(field) or []
        if not isinstance(rows, list) or not all(
            isinstance(row, dict) and all(name in row for name in needed) for row in rows
        ):
            return f"a claim's {field} are no list of objects with {' and '.join(needed)}"
    return ""


@dataclass(frozen=True)
class Ledger:
    """What was judged, where, and the digest of it."""

    claims: list[dict[str, Any]]
    environment: dict[str, Any]
    digest: str

    @classmethod
    def of(cls, claims: Sequence[Mapping[str, Any]], environment: Mapping[str, Any]) -> Self:
        """The ledger of these claims, values made strict JSON, with its digest."""
        entries = strict(list(claims))
        digest = hashlib.sha256(canonical_json(timeless(entries)).encode()).hexdigest()
        return cls(entries, strict(environment), digest)

    def as_dict(self) -> dict[str, Any]:
        return {"claims": self.claims, "environment": self.environment, "digest": self.digest}

    def write(self, path: str | Path) -> None:
        """Write strict JSON, whole or not at all.

        Raises:
            InputError: the folder cannot be written.
        """
        text = json.dumps(self.as_dict(), indent=2, ensure_ascii=False, allow_nan=False)
        try:
            with atomic(Path(path)) as file:
                file.write(text.encode() + b"\n")
        except OSError as error:
            why = error.strerror or error
            raise InputError(
                f"ledger {str(path)!r} cannot be written ({why}); choose another --out"
            ) from None

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """The ledger in a file.

        Raises:
            InputError: no such file, not JSON, not a ledger, or one changed since it was written.
        """
        what = f"ledger {str(path)!r}"
        again = "give the ledger.json that `nonsmooth reproduce` writes"
        try:
            data = json.loads(Path(path).read_text(encoding="utf-8"), parse_constant=_refuse)
        except OSError as error:
            raise InputError(f"{what} cannot be read ({error.strerror or error}); {again}") from None
        except (ValueError, RecursionError) as error:
            raise InputError(f"{what} is no JSON ({error}); {again}") from None
        claims = data.get("claims") if isinstance(data, dict) else None
        if not isinstance(claims, list) or not isinstance(data.get("environment"), dict):
            raise InputError(f"{what} is no ledger: it has no claims and environment; {again}")
        for claim in claims:
            lacking = [name for name in _NEEDED if not isinstance(claim, dict) or name not in claim]
            if lacking:
                raise InputError(f"{what} is no ledger: a claim has no {', '.join(lacking)}; {again}")
            if odd := _odd(claim):
                raise InputError(f"{what} is no ledger: {odd}; {again}")
        ledger = cls.of(claims, data["environment"])
        if ledger.digest != data.get("digest"):
            raise InputError(f"{what} was changed after it was written: its digest does not fit; {again}")
        return ledger


def rerun(entry: Mapping[str, Any], *, sweep: bool = True) -> str:
    """What a reader types to judge a ledger's entry again at the values it shows.

    Files are named without their folder, as in the ledger.

    Args:
        entry: a claim of the ledger; one of an older ledger may lack fields.
        sweep: whether the command repeats the sweep too, where there was one.

    >>> rerun({"id": "huber", "tier": "laptop", "unstated": [{"name": "steps", "value": 7, "default": 9}]})
    'nonsmooth reproduce huber --tier laptop --set steps=7'
    """
    words = ["nonsmooth", "reproduce", str(entry["id"]), "--tier", str(entry.get("tier") or "quick")]
    if entry.get("claim_file"):
        words += ["--claims", str(entry["claim_file"])]
    if entry.get("data"):
        images = any(setting["name"] == "images" for setting in entry.get("unstated") or ())
        words += ["--data-dir" if images else "--data", str(entry["data"]["name"])]
    for setting in entry.get("unstated") or ():
        if "default" in setting and setting["default"] != setting["value"]:
            if setting["name"] == "device":
                words += ["--device", str(setting["value"])]
            elif setting["name"] not in ("data", "images"):
                words += ["--set", f"{setting['name']}={setting['value']}"]
    points = entry.get("sweep") if sweep else None
    if points:
        words += ["--over", f"{points[0]['setting']}=" + ",".join(str(point["value"]) for point in points)]
    return shlex.join(words)
