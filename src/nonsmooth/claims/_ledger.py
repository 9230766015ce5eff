"""The ledger: every claim that was judged, with what the judgement rests on, as one JSON file.

Its digest covers the claims without their times, and not the environment: two ledgers with the same
digest say the same. The format is documented in docs/ledger.md.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from nonsmooth.errors import InputError
from nonsmooth.runs import atomic, canonical_json

__all__ = ["Ledger", "compare", "strict"]

_NEEDED = ("id", "where", "statement", "tier", "result", "attribution", "rulings", "findings", "settings")


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


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _timeless(each) for name, each in value.items() if name != "seconds"}
    if isinstance(value, list):
        return [_timeless(each) for each in value]
    return value


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


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
        digest = hashlib.sha256(canonical_json(_timeless(entries)).encode()).hexdigest()
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
        ledger = cls.of(claims, data["environment"])
        if ledger.digest != data.get("digest"):
            raise InputError(f"{what} was changed after it was written: its digest does not fit; {again}")
        return ledger


_Keyed = dict[str, Mapping[str, Any]]


def _by(rows: Sequence[Mapping[str, Any]], *names: str) -> _Keyed:
    keyed: _Keyed = {}
    for row in rows:
        label = " / ".join(str(row[name]) for name in names if row.get(name))
        while label in keyed:
            label += "'"
        keyed[label] = row
    return keyed


def _rows(where: str, kind: str, a: _Keyed, b: _Keyed, fields: Sequence[str]) -> list[str]:
    said = [f"{where}: {kind} {name!r} only in the first" for name in a if name not in b]
    said += [f"{where}: {kind} {name!r} only in the second" for name in b if name not in a]
    for name in a:
        for field in fields if name in b else ():
            one, other = a[name].get(field), b[name].get(field)
            if one != other:
                said.append(f"{where}: {kind} {name!r}: {field} {_show(one)} -> {_show(other)}")
    return said


def _show(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def compare(a: Ledger, b: Ledger) -> list[str]:
    """What differs between two ledgers, in words, one line each; empty if they say the same.

    Times and environments are no differences.
    """
    if a.digest == b.digest:
        return []
    ours, theirs = _by(a.claims, "id"), _by(b.claims, "id")
    said = [f"{name}: only in the first" for name in ours if name not in theirs]
    said += [f"{name}: only in the second" for name in theirs if name not in ours]
    for name in ours:
        if name not in theirs:
            continue
        one, other = ours[name], theirs[name]
        before = len(said)
        for field in ("tier", "result", "attribution", "data"):
            if one.get(field) != other.get(field):
                said.append(f"{name}: {field} {_show(one.get(field))} -> {_show(other.get(field))}")
        for setting in sorted({*one["settings"], *other["settings"]}):
            x, y = one["settings"].get(setting), other["settings"].get(setting)
            if x != y:
                said.append(f"{name}: setting {setting} {_show(x)} -> {_show(y)}")
        rulings = [_by(each["rulings"], "part") for each in (one, other)]
        said += _rows(name, "part", *rulings, ("answer", "n", "region", "why", "rule", "statement"))
        findings = [_by(each["findings"], "part", "name") for each in (one, other)]
        said += _rows(name, "finding", *findings, ("measured", "n", "interval", "agrees", "reported", "why"))
        if len(said) == before and _timeless(one) != _timeless(other):
            fields = sorted({*one, *other} - {"seconds"})
            changed = [field for field in fields if _timeless(one.get(field)) != _timeless(other.get(field))]
            said.append(f"{name}: {', '.join(changed)} changed")
    return said or ["the same claims in another order"]
